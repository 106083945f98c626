"""Thresholds: the sweep that every run makes, a vendor's choice, and choices that are honest because they are cross-fitted.

A threshold that is chosen and scored on the same images flatters: the more so, the more thresholds are chosen. So images
are split into folds, thresholds for a fold are chosen on the other folds, and the counts of all folds are summed before any
ratio is taken (means of ratios of folds are biased: Forman and Scholz 2010, Apples-to-apples in cross-validation studies).
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.metrics.counts import Floats, Integers, TagCounts, divide

SWEEP_STEPS = 100
"""The sweep is 0, 0.01, ..., 1: 101 thresholds."""

FOLDS = 5
"""Folds of the cross-fit."""

PRECISION = 0.9
"""The precision that the regime of a fixed precision holds."""

SHRINKAGES = (0.0, 2.0, 5.0, 10.0, 20.0, 50.0, np.inf)
"""Strengths of the pull of a tag's threshold towards the average tag's, in positives; infinite: all share one threshold."""

MIN_CATEGORY_TAGS = 5
"""Compared tags that a category needs for a threshold of its own; one with fewer takes the global one."""


def sweep_thresholds(extra: Sequence[float] | NDArray[np.float32] = ()) -> NDArray[np.float32]:
    """The sweep with further thresholds merged in; float32 (k,), strictly increasing.

    >>> len(sweep_thresholds()), len(sweep_thresholds([0.5, 0.3537]))
    (101, 102)
    """
    even = np.arange(SWEEP_STEPS + 1, dtype=np.float64) / SWEEP_STEPS
    return np.unique(np.concatenate([even.astype(np.float32), np.asarray(extra, dtype=np.float32)]))


def on_sweep(thresholds: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which thresholds belong to the even sweep; bool (k,)."""
    return np.isin(thresholds, sweep_thresholds())


def per_tag(
    names: Sequence[str],
    categories: Sequence[str],
    *,
    default: float,
    by_category: Mapping[str, float],
    by_tag: Mapping[str, float],
) -> NDArray[np.float32]:
    """One threshold a tag: its own where it has one, else its category's, else the default; float32 (tags,).

    Args:
        names, categories: of each tag.

    >>> kinds = ["general", "character", "character"]
    >>> per_tag(["sky", "ganyu", "miku"], kinds, default=0.35, by_category={"character": 0.85}, by_tag={"miku": 0.6})
    array([0.35, 0.85, 0.6 ], dtype=float32)
    """
    shared = (by_category.get(category, default) for category in categories)
    return np.array([by_tag.get(name, other) for name, other in zip(names, shared, strict=True)], dtype=np.float32)


def assign_folds(groups: Sequence[str], folds: int = FOLDS) -> NDArray[np.uint8]:
    """The fold of each image: by a hash of its group, so that duplicates stay together and every machine agrees.

    Returns: uint8 (images,), 0 to folds - 1.

    >>> assign_folds(["a", "b", "a"]).tolist()
    [0, 1, 0]
    """
    fold_of = {
        group: int.from_bytes(hashlib.sha256(group.encode("utf-8", "surrogatepass")).digest()[:8], "big") % folds
        for group in set(groups)
    }
    return np.array([fold_of[group] for group in groups], np.uint8)


@dataclass(frozen=True)
class Training:
    """Counts to choose thresholds by.

    Attributes:
        tp, fp: (k, tags).
        positives: (tags,).
        compared: bool (tags,), which tags the mean to be maximised runs over.
        categories: int64 (tags,), a number a category.
    """

    tp: NDArray[np.float32]
    fp: NDArray[np.float32]
    positives: NDArray[np.float32]
    compared: NDArray[np.bool_]
    categories: Integers

    @cached_property
    def f1(self) -> NDArray[np.float32]:
        """(k, tags); 0 where undefined: nothing was found."""
        found: NDArray[np.float32] = 2 * self.tp / np.maximum(self.tp + self.fp + self.positives, 1)
        return found

    @cached_property
    def average(self) -> NDArray[np.float32]:
        """Hits, and false alarms, of an average compared tag for each positive; (2, k)."""
        usable = np.flatnonzero(self.compared & (self.positives > 0))
        if not len(usable):
            return np.zeros((2, len(self.tp)), np.float32)
        return np.stack([(x[:, usable] / self.positives[usable]).mean(1) for x in (self.tp, self.fp)])

    @cached_property
    def totals(self) -> TagCounts:
        """Of the compared tags at each step of the sweep, as if each step were a tag."""
        tp, fp = (x[:, self.compared].sum(1, dtype=np.float64) for x in (self.tp, self.fp))
        positives = np.full(len(tp), self.positives[self.compared].sum(dtype=np.float64))
        return TagCounts(np.zeros(len(tp), np.float32), tp, fp, positives, 0)


Choice = Callable[[Training], Integers]
"""Chooses a step of the sweep for each tag, int64 (tags,)."""


def _everywhere(train: Training, step: int) -> Integers:
    return np.full(len(train.positives), step, np.int64)


def _mean_over(f1: NDArray[np.float32], tags: NDArray[np.bool_]) -> Floats:
    """Mean F1 at each step over some tags."""
    return f1[:, tags].mean(1, dtype=np.float64) if tags.any() else np.zeros(len(f1))


def choose_macro_f1(train: Training) -> Integers:
    """One threshold for all tags: the highest macro F1."""
    return _everywhere(train, int(np.argmax(_mean_over(train.f1, train.compared))))


def choose_micro_f1(train: Training) -> Integers:
    """One threshold for all tags: the highest micro F1."""
    totals = train.totals
    f1 = divide(2 * totals.tp, totals.tp + totals.fp + totals.positives)
    return _everywhere(train, int(np.argmax(np.nan_to_num(f1))))


def choose_break_even(train: Training) -> Integers:
    """One threshold for all tags: micro precision and micro recall nearest to each other, where FP = FN."""
    totals = train.totals
    return _everywhere(train, int(np.argmin(np.abs(totals.tp + totals.fp - totals.positives))))


def choose_precision(train: Training) -> Integers:
    """One threshold for all tags: the lowest from which on micro precision is `PRECISION` or more; else the most precise."""
    totals = train.totals
    precision = np.nan_to_num(divide(totals.tp, totals.tp + totals.fp))
    enough = np.flatnonzero(precision >= PRECISION)
    return _everywhere(train, int(enough[0]) if len(enough) else int(np.argmax(precision)))


def choose_by_category(train: Training) -> Integers:
    """One threshold a category: its highest macro F1; the global one where it has fewer than `MIN_CATEGORY_TAGS`."""
    chosen, f1 = choose_macro_f1(train), train.f1
    for category in np.unique(train.categories):
        own = train.categories == category
        if (own & train.compared).sum() >= MIN_CATEGORY_TAGS:
            chosen[own] = np.argmax(_mean_over(f1, own & train.compared))
    return chosen


def choose_by_tag(train: Training, shrinkage: float) -> Integers:
    """One threshold a tag: the highest F1 of its counts and those of `shrinkage` further positives of an average tag.

    A tag with few positives follows the average, one with many its own counts; without any shrinkage each follows its own
    alone, with an infinite one all share the threshold of the highest macro F1.
    """
    if np.isinf(shrinkage):
        return choose_macro_f1(train)
    if shrinkage == 0:
        f1 = train.f1
    else:
        true, false = (np.float32(shrinkage) * part[:, None] for part in train.average)
        hits = train.tp + true
        f1 = hits / (hits + train.fp + false + (train.positives + np.float32(shrinkage)))
    return np.where(train.positives > 0, np.argmax(f1, axis=0), choose_macro_f1(train))


class Chosen(NamedTuple):
    """Thresholds of one regime."""

    by_fold: Integers
    """(folds, tags): the step of the sweep for each fold, chosen on the other folds."""
    final: Integers
    """(tags,): the step chosen on all images, for use in production."""


@dataclass(frozen=True)
class FoldCounts:
    """One model's counts by fold, over which thresholds are chosen.

    Attributes:
        tp, fp: integers (folds, k, tags).
        positives: int64 (folds, tags).
        images: how many.
        compared, categories: as in `Training`.
    """

    tp: Integers
    fp: Integers
    positives: Integers
    images: int
    compared: NDArray[np.bool_]
    categories: Integers

    @cached_property
    def _kept(self) -> dict[tuple[int, ...], Training]:
        return {}

    def without(self, *folds: int) -> Training:
        """The counts of all folds but these."""
        if folds not in self._kept:
            tp, fp, positives = (
                (x.sum(0) - sum(x[fold] for fold in folds)).astype(np.float32)
                for x in (self.tp, self.fp, self.positives)
            )
            self._kept[folds] = Training(tp, fp, positives, self.compared, self.categories)
        return self._kept[folds]

    def cross_fit(self, choice: Choice) -> Chosen:
        """Choose for each fold on the others, and once on all."""
        return Chosen(np.stack([choice(self.without(fold)) for fold in range(len(self.tp))]), choice(self.without()))

    def at(self, by_fold: Integers) -> TagCounts:
        """The counts of all folds summed, each fold at its own thresholds."""
        tags = np.arange(self.tp.shape[2])
        tp, fp = (sum(x[fold, steps, tags] for fold, steps in enumerate(by_fold)) for x in (self.tp, self.fp))
        return TagCounts(np.full(len(tags), np.nan, np.float32), tp, fp, self.positives.sum(0), self.images)

    def macro_f1(self, by_fold: Integers) -> float:
        """Over the compared tags, each fold at its own thresholds; an undefined F1 counts 0."""
        counts = self.at(by_fold).take(np.flatnonzero(self.compared))
        f1 = divide(2 * counts.tp, counts.tp + counts.fp + counts.positives)
        return float(np.nan_to_num(f1).mean()) if len(f1) else float("nan")


class Shrunk(NamedTuple):
    """One threshold a tag, the pull towards the average tag chosen by an inner cross-fit."""

    chosen: Chosen
    shrinkage: list[float]
    """Of each fold, and last that of the final thresholds."""
    unshrunk_macro_f1: float
    """What one threshold a tag gives without any pull, cross-fitted likewise."""


def cross_fit_tags(counts: FoldCounts) -> Shrunk:
    """One threshold a tag, with the strength of shrinkage chosen inside the folds that a fold's thresholds may see.

    For fold f each strength is tried on every other fold g, with thresholds chosen on all folds but f and g.
    """
    folds = range(len(counts.tp))
    single = [[choose_by_tag(counts.without(fold), strength) for strength in SHRINKAGES] for fold in folds]
    double = {
        (f, g): [choose_by_tag(counts.without(f, g), strength) for strength in SHRINKAGES]
        for f in folds for g in folds if f < g
    }  # fmt: skip

    def best(seen: Sequence[int], chosen_for: Callable[[int], list[Integers]]) -> int:
        if not seen:
            return len(SHRINKAGES) - 1  # nothing is known of any tag
        inner = FoldCounts(
            counts.tp[seen], counts.fp[seen], counts.positives[seen], counts.images, counts.compared, counts.categories
        )
        tried = [inner.macro_f1(np.stack([chosen_for(g)[s] for g in seen])) for s in range(len(SHRINKAGES))]
        return int(np.argmax(tried))

    picks = [best([g for g in folds if g != f], lambda g, f=f: double[min(f, g), max(f, g)]) for f in folds]  # type: ignore[misc]
    last = best(list(folds), lambda g: single[g])
    chosen = Chosen(np.stack([single[f][picks[f]] for f in folds]), choose_by_tag(counts.without(), SHRINKAGES[last]))
    unshrunk = counts.macro_f1(np.stack([single[f][0] for f in folds]))
    return Shrunk(chosen, [SHRINKAGES[pick] for pick in [*picks, last]], unshrunk)


CHOICES: dict[str, Choice] = {
    "macro_f1": choose_macro_f1,
    "micro_f1": choose_micro_f1,
    "break_even": choose_break_even,
    "category": choose_by_category,
    "precision_90": choose_precision,
}
"""Cross-fitted regimes by name, beside `own`, a vendor's thresholds, and `tag`, one threshold a tag."""


DEFAULT_THRESHOLD = 0.5
"""The threshold of a model for which neither an option nor a card names one."""
