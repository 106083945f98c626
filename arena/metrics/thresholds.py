"""Thresholds: the sweep of every run, the model's own thresholds, and cross-fitted thresholds.

A threshold that is chosen and scored on the same images gives results that are too good; the more thresholds are chosen, the
larger the bias. So images are split into folds, and the thresholds of a fold are chosen on the other folds. The counts of all
folds are summed before ratios are computed, because means of ratios of folds are biased (Forman and Scholz 2010,
Apples-to-apples in cross-validation studies).
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
"""Number of folds of the cross-fit."""

PRECISION = 0.9
"""Micro precision that the regime `precision_90` must reach."""

SHRINKAGES = (0.0, 2.0, 5.0, 10.0, 20.0, 50.0, np.inf)
"""Shrinkage strengths to try: the threshold of a tag is pulled towards that of an average tag by this many positives.
Infinite: all tags share one threshold."""

MIN_CATEGORY_TAGS = 5
"""Compared tags that a category needs for its own threshold; a category with fewer uses the global one."""


def sweep_thresholds(extra: Sequence[float] | NDArray[np.float32] = ()) -> NDArray[np.float32]:
    """Return the sweep with extra thresholds merged in; float32 (k,), strictly increasing.

    >>> len(sweep_thresholds()), len(sweep_thresholds([0.5, 0.3537]))
    (101, 102)
    """
    even = np.arange(SWEEP_STEPS + 1, dtype=np.float64) / SWEEP_STEPS
    return np.unique(np.concatenate([even.astype(np.float32), np.asarray(extra, dtype=np.float32)]))


def on_sweep(thresholds: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which thresholds belong to the sweep without extra ones; bool (k,)."""
    return np.isin(thresholds, sweep_thresholds())


def per_tag(
    names: Sequence[str],
    categories: Sequence[str],
    *,
    default: float,
    by_category: Mapping[str, float],
    by_tag: Mapping[str, float],
) -> NDArray[np.float32]:
    """Return one threshold per tag: that of the tag if there is one, else of its category, else the default; float32 (tags,).

    Args:
        names, categories: name and category of each tag.
        default: threshold of all other tags.
        by_category: thresholds by category.
        by_tag: thresholds by name of the tag.

    >>> kinds = ["general", "character", "character"]
    >>> per_tag(["sky", "ganyu", "miku"], kinds, default=0.35, by_category={"character": 0.85}, by_tag={"miku": 0.6})
    array([0.35, 0.85, 0.6 ], dtype=float32)
    """
    shared = (by_category.get(category, default) for category in categories)
    return np.array([by_tag.get(name, other) for name, other in zip(names, shared, strict=True)], dtype=np.float32)


def assign_folds(groups: Sequence[str], folds: int = FOLDS) -> NDArray[np.uint8]:
    """Return the fold of each image, from a hash of its group: duplicates stay together, and every machine agrees.

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
    """Counts on which thresholds are chosen.

    Attributes:
        tp, fp: float32 (k, tags).
        positives: float32 (tags,).
        compared: bool (tags,), the tags in the mean that is maximised.
        categories: int64 (tags,), number of the category.
    """

    tp: NDArray[np.float32]
    fp: NDArray[np.float32]
    positives: NDArray[np.float32]
    compared: NDArray[np.bool_]
    categories: Integers

    @cached_property
    def f1(self) -> NDArray[np.float32]:
        """F1, float32 (k, tags); 0 where undefined."""
        found: NDArray[np.float32] = 2 * self.tp / np.maximum(self.tp + self.fp + self.positives, 1)
        return found

    @cached_property
    def average(self) -> NDArray[np.float32]:
        """True positives and false positives per positive of an average compared tag; float32 (2, k)."""
        usable = np.flatnonzero(self.compared & (self.positives > 0))
        if not len(usable):
            return np.zeros((2, len(self.tp)), np.float32)
        return np.stack([(x[:, usable] / self.positives[usable]).mean(1) for x in (self.tp, self.fp)])

    @cached_property
    def totals(self) -> TagCounts:
        """Counts summed over the compared tags at each step of the sweep; each step takes the place of a tag."""
        tp, fp = (x[:, self.compared].sum(1, dtype=np.float64) for x in (self.tp, self.fp))
        positives = np.full(len(tp), self.positives[self.compared].sum(dtype=np.float64))
        return TagCounts(np.zeros(len(tp), np.float32), tp, fp, positives, 0)


Choice = Callable[[Training], Integers]
"""Chooses a step of the sweep for each tag, int64 (tags,)."""


def _everywhere(train: Training, step: int) -> Integers:
    return np.full(len(train.positives), step, np.int64)


def _mean_over(f1: NDArray[np.float32], tags: NDArray[np.bool_]) -> Floats:
    """Return the mean F1 at each step over some tags."""
    return f1[:, tags].mean(1, dtype=np.float64) if tags.any() else np.zeros(len(f1))


def choose_macro_f1(train: Training) -> Integers:
    """Choose one threshold for all tags: that of the highest macro F1."""
    return _everywhere(train, int(np.argmax(_mean_over(train.f1, train.compared))))


def choose_micro_f1(train: Training) -> Integers:
    """Choose one threshold for all tags: that of the highest micro F1."""
    totals = train.totals
    f1 = divide(2 * totals.tp, totals.tp + totals.fp + totals.positives)
    return _everywhere(train, int(np.argmax(np.nan_to_num(f1))))


def choose_break_even(train: Training) -> Integers:
    """Choose one threshold for all tags: where micro precision and micro recall are nearest to each other (FP = FN)."""
    totals = train.totals
    return _everywhere(train, int(np.argmin(np.abs(totals.tp + totals.fp - totals.positives))))


def choose_precision(train: Training) -> Integers:
    """Choose one threshold for all tags: the lowest with micro precision of `PRECISION` or more, else the most precise."""
    totals = train.totals
    precision = np.nan_to_num(divide(totals.tp, totals.tp + totals.fp))
    enough = np.flatnonzero(precision >= PRECISION)
    return _everywhere(train, int(enough[0]) if len(enough) else int(np.argmax(precision)))


def choose_by_category(train: Training) -> Integers:
    """Choose one threshold per category, that of its highest macro F1; a small category uses the global threshold.

    A category is small if it has fewer than `MIN_CATEGORY_TAGS` compared tags.
    """
    chosen, f1 = choose_macro_f1(train), train.f1
    for category in np.unique(train.categories):
        members = train.categories == category
        if (members & train.compared).sum() >= MIN_CATEGORY_TAGS:
            chosen[members] = np.argmax(_mean_over(f1, members & train.compared))
    return chosen


def choose_by_tag(train: Training, shrinkage: float) -> Integers:
    """Choose one threshold per tag: the highest F1 of its counts plus those of `shrinkage` positives of an average tag.

    A tag with few positives follows the average tag; a tag with many follows its own counts. With shrinkage 0 each tag
    follows its own counts only. With infinite shrinkage all share the threshold of the highest macro F1. A tag without a
    positive uses that threshold too.
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
    """int64 (folds, tags): step of the sweep for each fold, chosen on the other folds."""
    final: Integers
    """int64 (tags,): step chosen on all images, for use in production."""


@dataclass(frozen=True)
class FoldCounts:
    """One model's counts by fold, on which thresholds are chosen.

    Attributes:
        tp, fp: int64 (folds, k, tags).
        positives: int64 (folds, tags).
        images: number of images in all folds.
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
        """Return the counts of all folds except these."""
        if folds not in self._kept:
            tp, fp, positives = (
                (x.sum(0) - sum(x[fold] for fold in folds)).astype(np.float32)
                for x in (self.tp, self.fp, self.positives)
            )
            self._kept[folds] = Training(tp, fp, positives, self.compared, self.categories)
        return self._kept[folds]

    def cross_fit(self, choice: Choice) -> Chosen:
        """Choose thresholds for each fold on the other folds, and once on all folds."""
        return Chosen(np.stack([choice(self.without(fold)) for fold in range(len(self.tp))]), choice(self.without()))

    def at(self, by_fold: Integers) -> TagCounts:
        """Return the counts summed over all folds, each fold at its own thresholds, int64 (folds, tags)."""
        tags = np.arange(self.tp.shape[2])
        tp, fp = (sum(x[fold, steps, tags] for fold, steps in enumerate(by_fold)) for x in (self.tp, self.fp))
        return TagCounts(np.full(len(tags), np.nan, np.float32), tp, fp, self.positives.sum(0), self.images)

    def macro_f1(self, by_fold: Integers) -> float:
        """Return macro F1 over the compared tags, each fold at its own thresholds; an undefined F1 counts as 0."""
        counts = self.at(by_fold).take(np.flatnonzero(self.compared))
        f1 = divide(2 * counts.tp, counts.tp + counts.fp + counts.positives)
        return float(np.nan_to_num(f1).mean()) if len(f1) else float("nan")


class Shrunk(NamedTuple):
    """One threshold per tag, with the shrinkage chosen by an inner cross-fit."""

    chosen: Chosen
    shrinkage: list[float]
    """Strength for each fold, then the strength for the final thresholds."""
    unshrunk_macro_f1: float
    """Macro F1 of one threshold per tag without shrinkage, also cross-fitted."""


def cross_fit_tags(counts: FoldCounts) -> Shrunk:
    """Choose one threshold per tag. The strength of the shrinkage for a fold is chosen without the images of that fold.

    For fold f, each strength is tried on every other fold g, with thresholds chosen on all folds except f and g.
    """
    folds = range(len(counts.tp))
    single = [[choose_by_tag(counts.without(fold), strength) for strength in SHRINKAGES] for fold in folds]
    double = {
        (f, g): [choose_by_tag(counts.without(f, g), strength) for strength in SHRINKAGES]
        for f in folds for g in folds if f < g
    }  # fmt: skip

    def best(inner_folds: Sequence[int], chosen_for: Callable[[int], list[Integers]]) -> int:
        if not inner_folds:
            return len(SHRINKAGES) - 1  # no images to choose on: one threshold for all tags
        tp, fp, positives = counts.tp[inner_folds], counts.fp[inner_folds], counts.positives[inner_folds]
        inner = FoldCounts(tp, fp, positives, counts.images, counts.compared, counts.categories)
        tried = [inner.macro_f1(np.stack([chosen_for(g)[s] for g in inner_folds])) for s in range(len(SHRINKAGES))]
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
"""Cross-fitted regimes by name. Two more regimes are not here: `own`, the model's own thresholds, and `tag`, one per tag."""


DEFAULT_THRESHOLD = 0.5
"""Threshold of a model if no option, file or card sets one."""
