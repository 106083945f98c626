"""Thresholds: the sweep of every run, the model's own thresholds, and cross-fitted thresholds.

A threshold that is chosen and scored on the same images gives results that are too good; the more thresholds are chosen, the
larger the bias. So images are split into folds, and the thresholds of a fold are chosen on the other folds. The counts of all
folds are summed before ratios are computed, because means of ratios of folds are biased (Forman and Scholz 2010,
Apples-to-apples in cross-validation studies).
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.metrics.counts import Amounts, Floats, Integers, TagCounts, divide

SWEEP_STEPS = 100
"""The sweep is 0, 0.01, ..., 1: 101 thresholds."""

FOLDS = 5
"""Number of folds of the cross-fit."""

PRECISION = 0.9
"""Micro precision that the regime `precision_90` must reach."""

SHRINKAGE = 10.0
"""Positives of an average tag that are added to each tag when it chooses a threshold of its own. A strength that was chosen on
the images too made micro precision and recall vary 1.5 times as much, for a macro F1 that differed in the fourth decimal."""

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


def thresholds_per_tag(
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
    >>> thresholds_per_tag(["sky", "ganyu", "miku"], kinds, default=0.35, by_category={"character": 0.85}, by_tag={"miku": 0.6})
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
class TrainingCounts:
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

    def curve(self, tags: NDArray[np.bool_]) -> "Curve":
        """Return the curves of some tags over the sweep."""
        tp, fp = (x[:, tags].sum(1, dtype=np.float64) for x in (self.tp, self.fp))
        macro_f1 = self.f1[:, tags].mean(1, dtype=np.float64) if tags.any() else np.zeros(len(tp))
        return Curve(macro_f1, tp, fp, self.positives[tags].sum(dtype=np.float64))


class Curve(NamedTuple):
    """Metrics of a set of tags that share a threshold, at each step of the sweep; float64 (k, ...).

    The further axes are resamples, if there are any.
    """

    macro_f1: Floats
    """Mean F1 of the tags; an undefined F1 counts as 0."""
    tp: Floats
    """True positives, summed over the tags."""
    fp: Floats
    """False positives, summed over the tags."""
    positives: Any
    """Positives, summed over the tags; (...)."""


UNREACHABLE = -1
"""The step of a regime whose rule holds at no threshold."""

Rule = Callable[[Curve], Integers]
"""Chooses a step of the sweep from a curve; int64 (...), `UNREACHABLE` if no step satisfies the rule."""


def highest_macro_f1(curve: Curve) -> Integers:
    """Choose the step with the highest macro F1."""
    return np.asarray(np.argmax(curve.macro_f1, axis=0))


def highest_micro_f1(curve: Curve) -> Integers:
    """Choose the step with the highest micro F1."""
    f1 = divide(2 * curve.tp, curve.tp + curve.fp + curve.positives)
    return np.asarray(np.argmax(np.nan_to_num(f1), axis=0))


def nearest_break_even(curve: Curve) -> Integers:
    """Choose the step where micro precision and micro recall are nearest to each other (FP = FN)."""
    return np.asarray(np.argmin(np.abs(curve.tp + curve.fp - curve.positives), axis=0))


def lowest_precise(curve: Curve) -> Integers:
    """Choose the lowest step with a micro precision of `PRECISION` or more; `UNREACHABLE` if there is none."""
    enough = np.nan_to_num(divide(curve.tp, curve.tp + curve.fp)) >= PRECISION
    return np.where(enough.any(axis=0), np.argmax(enough, axis=0), UNREACHABLE)


RULES: dict[str, Rule] = {
    "macro_f1": highest_macro_f1,
    "micro_f1": highest_micro_f1,
    "break_even": nearest_break_even,
    "precision_90": lowest_precise,
}
"""Regimes with one threshold for all tags, by name."""

ThresholdChoice = Callable[[TrainingCounts], Integers]
"""Chooses a step of the sweep for each tag, int64 (tags,)."""


def _for_all_tags(rule: Rule, train: TrainingCounts) -> Integers:
    """Choose one threshold for all tags from the curve of the compared ones."""
    return np.full(len(train.positives), rule(train.curve(train.compared)), np.int64)


def choosing_categories(categories: Integers, compared: NDArray[np.bool_]) -> list[int]:
    """Return the categories with a threshold of their own: those with `MIN_CATEGORY_TAGS` compared tags or more."""
    numbers, counts = np.unique(categories[compared], return_counts=True)
    return [int(number) for number in numbers[counts >= MIN_CATEGORY_TAGS]]


def choose_by_category(train: TrainingCounts) -> Integers:
    """Choose one threshold per category, that of its highest macro F1; a small category uses the global threshold.

    A category is small if it has fewer than `MIN_CATEGORY_TAGS` compared tags.
    """
    chosen = _for_all_tags(highest_macro_f1, train)
    for category in choosing_categories(train.categories, train.compared):
        members = train.categories == category
        chosen[members] = highest_macro_f1(train.curve(members & train.compared))
    return chosen


def choose_by_tag(train: TrainingCounts, shrinkage: float = SHRINKAGE) -> Integers:
    """Choose one threshold per tag: the highest F1 of its counts plus those of `shrinkage` positives of an average tag.

    A tag with few positives follows the average tag; a tag with many follows its own counts. With shrinkage 0 each tag
    follows its own counts only. A tag without a positive uses the threshold of the highest macro F1.
    """
    true, false = (np.float32(shrinkage) * part[:, None] for part in train.average)
    hits = train.tp + true
    f1 = hits / np.maximum(hits + train.fp + false + (train.positives + np.float32(shrinkage)), 1)
    return np.where(train.positives > 0, np.argmax(f1, axis=0), _for_all_tags(highest_macro_f1, train))


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
        tp, fp: int64 (folds, k, tags), or float64 sums of weights.
        positives: as `tp`, (folds, tags).
        images: number of images in all folds, as in `TagCounts`.
        compared, categories: as in `TrainingCounts`.
    """

    tp: Amounts
    fp: Amounts
    positives: Amounts
    images: float | Amounts
    compared: NDArray[np.bool_]
    categories: Integers

    @cached_property
    def _kept(self) -> dict[tuple[int, ...], TrainingCounts]:
        return {}

    def without(self, *folds: int) -> TrainingCounts:
        """Return the counts of all folds except these."""
        if folds not in self._kept:
            tp, fp, positives = (
                (x.sum(0) - sum(x[fold] for fold in folds)).astype(np.float32)
                for x in (self.tp, self.fp, self.positives)
            )
            self._kept[folds] = TrainingCounts(tp, fp, positives, self.compared, self.categories)
        return self._kept[folds]

    def cross_fit(self, choice: ThresholdChoice) -> Chosen:
        """Choose thresholds for each fold on the other folds, and once on all folds."""
        return Chosen(np.stack([choice(self.without(fold)) for fold in range(len(self.tp))]), choice(self.without()))

    def at(self, by_fold: Integers) -> TagCounts:
        """Return the counts summed over all folds, each fold at its own thresholds, int64 (folds, tags)."""
        tags = np.arange(self.tp.shape[2])
        each_fold = np.arange(len(by_fold))[:, None]
        tp, fp = (x[each_fold, by_fold, tags].sum(0) for x in (self.tp, self.fp))
        return TagCounts(np.full(len(tags), np.nan, np.float32), tp, fp, self.positives.sum(0), self.images)

    def macro_f1(self, by_fold: Integers) -> float:
        """Return macro F1 over the compared tags, each fold at its own thresholds; an undefined F1 counts as 0."""
        counts = self.at(by_fold).take(np.flatnonzero(self.compared))
        f1 = divide(2 * counts.tp, counts.tp + counts.fp + counts.positives)
        return float(np.nan_to_num(f1).mean()) if len(f1) else float("nan")


THRESHOLD_CHOICES: dict[str, ThresholdChoice] = {
    "macro_f1": partial(_for_all_tags, highest_macro_f1),
    "micro_f1": partial(_for_all_tags, highest_micro_f1),
    "break_even": partial(_for_all_tags, nearest_break_even),
    "category": choose_by_category,
    "precision_90": partial(_for_all_tags, lowest_precise),
    "tag": choose_by_tag,
}
"""Cross-fitted regimes by name. One more regime is not here: `own`, the model's own thresholds."""


DEFAULT_THRESHOLD = 0.5
"""Threshold of a model if no option, file or card sets one."""
