"""Counts: integers that add up over images; every ratio follows from them.

A tag is predicted iff `score >= threshold`, both float32. Undefined is not zero: a figure whose denominator is zero is NaN
here, and a mean says over how many tags it ran. Published conventions that do otherwise are selectable by name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

JOYTAG_EPSILON = np.float32(1e-8)
"""What JoyTag adds to every denominator."""


@dataclass(frozen=True)
class TagCounts:
    """Counts of every tag at one threshold each.

    Attributes:
        thresholds: float32 (tags,).
        tp, fp, positives: int64 (tags,).
        images: how many images were scored.
    """

    thresholds: NDArray[np.float32]
    tp: Integers
    fp: Integers
    positives: Integers
    images: int

    def take(self, tags: Integers) -> "TagCounts":
        """Some tags, in the order given."""
        return TagCounts(self.thresholds[tags], self.tp[tags], self.fp[tags], self.positives[tags], self.images)

    @property
    def fn(self) -> Integers:
        """Missed positives, int64 (tags,)."""
        return self.positives - self.tp

    @property
    def tn(self) -> Integers:
        """Negatives left alone, int64 (tags,)."""
        return self.images - self.tp - self.fp - self.fn


@dataclass(frozen=True)
class Counts:
    """Counts of every tag over a threshold sweep; additive over images.

    Attributes:
        thresholds: float32 (k,), strictly increasing.
        tp, fp: int64 (k, tags).
        positives: int64 (tags,), the support.
        images: how many images were scored.
    """

    thresholds: NDArray[np.float32]
    tp: Integers
    fp: Integers
    positives: Integers
    images: int

    def __post_init__(self) -> None:
        assert (np.diff(self.thresholds) > 0).all(), "thresholds must increase strictly"
        assert self.tp.shape == self.fp.shape == (len(self.thresholds), len(self.positives))

    def __add__(self, other: "Counts") -> "Counts":
        assert np.array_equal(self.thresholds, other.thresholds), "counts at other thresholds do not add up"
        return Counts(
            self.thresholds,
            self.tp + other.tp,
            self.fp + other.fp,
            self.positives + other.positives,
            self.images + other.images,
        )

    def __radd__(self, other: int) -> "Counts":
        assert other == 0, "only sum() starts from a number"
        return self

    def row(self, k: int) -> TagCounts:
        """Every tag at the k-th threshold of the sweep."""
        thresholds = np.full(len(self.positives), self.thresholds[k], np.float32)
        return TagCounts(thresholds, self.tp[k], self.fp[k], self.positives, self.images)


class PRF(NamedTuple):
    """Precision, recall and F1, of each tag (float64 (tags,)) or of them all (a number); NaN where undefined."""

    precision: Floats
    recall: Floats
    f1: Floats


def ratios(counts: TagCounts) -> PRF:
    """Precision TP/(TP+FP), recall TP/(TP+FN) and F1 2TP/(2TP+FP+FN) of every tag; NaN where the denominator is 0.

    >>> one = TagCounts(np.float32([0.4]), np.array([6]), np.array([2]), np.array([8]), 100)
    >>> [float(x[0]) for x in ratios(one)]
    [0.75, 0.75, 0.75]
    """
    return PRF(
        divide(counts.tp, counts.tp + counts.fp),
        divide(counts.tp, counts.positives),
        divide(2 * counts.tp, counts.tp + counts.fp + counts.positives),
    )


def joytag_ratios(counts: TagCounts) -> PRF:
    """Likewise as JoyTag computes them: in float32, with an epsilon, so that undefined becomes 0.

    Source: the figures of JoyTag's `full-metrics.txt`.
    """
    tp, fp, fn = (column.astype(np.float32) for column in (counts.tp, counts.fp, counts.fn))
    precision = tp / (tp + fp + JOYTAG_EPSILON)
    recall = tp / (tp + fn + JOYTAG_EPSILON)
    f1 = 2 * precision * recall / (precision + recall + JOYTAG_EPSILON)
    return PRF(precision.astype(np.float64), recall.astype(np.float64), f1.astype(np.float64))


def animetimm_ratios(counts: TagCounts) -> PRF:
    """Likewise as animetimm computes them: precision and recall without a denominator are 0, F1 of nothing to find is 1.

    Source: the metrics of animetimm's training code.
    """
    plain = ratios(counts)
    f1 = np.where(np.isnan(plain.f1), 1.0, plain.f1)
    return PRF(np.nan_to_num(plain.precision), np.nan_to_num(plain.recall), f1)


class Convention(NamedTuple):
    """How a publisher counts."""

    above: bool
    """Predicted iff the score is greater than the threshold; otherwise iff it is at least so high."""
    ratios: Callable[[TagCounts], PRF]
    undefined: str
    """What an undefined figure counts as, in words."""

    def effective(self, thresholds: NDArray[np.float32]) -> NDArray[np.float32]:
        """The thresholds for which `score >= threshold` decides as this convention does; float32.

        >>> CONVENTIONS["smilingwolf"].effective(np.float32([0.5])) > np.float32(0.5)
        array([ True])
        """
        return np.nextafter(thresholds, np.float32(np.inf)) if self.above else thresholds


CONVENTIONS: dict[str, Convention] = {
    "arena": Convention(False, ratios, "an undefined figure is left out of its mean"),
    "joytag": Convention(False, joytag_ratios, "an undefined precision, recall or F1 counts as 0"),
    "smilingwolf": Convention(
        True, ratios, "predicted iff above the threshold; an undefined figure is left out of its mean"
    ),
    "animetimm": Convention(
        False,
        animetimm_ratios,
        "an undefined precision or recall counts as 0, F1 of nothing predicted and nothing to find as 1",
    ),
}
"""Sources: JoyTag's validation arena, SmilingWolf's model zoo, animetimm's training code."""


def f_beta(counts: TagCounts, beta: float) -> Floats:
    """F-beta (1+b^2)TP / ((1+b^2)TP + b^2 FN + FP) of every tag, recall weighing b times as much as precision.

    >>> float(f_beta(TagCounts(np.float32([0.4]), np.array([6]), np.array([2]), np.array([8]), 100), 2.0)[0])
    0.75
    """
    square = beta * beta
    return divide((1 + square) * counts.tp, (1 + square) * counts.tp + square * counts.fn + counts.fp)


def mcc(counts: TagCounts) -> Floats:
    """Matthews correlation coefficient of every tag, -1 to 1; NaN where a row or column of its table is empty.

    Source: Matthews 1975; scikit-learn's `matthews_corrcoef`, which says 0 where this is undefined.
    """
    tp, fp, fn, tn = (np.asarray(x, np.float64) for x in (counts.tp, counts.fp, counts.fn, counts.tn))
    product = np.sqrt(tp + fp) * np.sqrt(tp + fn) * np.sqrt(tn + fp) * np.sqrt(tn + fn)
    return divide(tp * tn - fp * fn, product)


def informedness(counts: TagCounts) -> Floats:
    """Youden's J of every tag: recall less the share of negatives falsely predicted, -1 to 1; NaN without either kind."""
    return divide(counts.tp, counts.positives) - divide(counts.fp, counts.images - counts.positives)


class Mean(NamedTuple):
    """A mean over tags, and over how many tags it ran; NaN over none."""

    value: float
    tags: int


def macro(per_tag: Floats) -> Mean:
    """The mean over the tags whose figure is defined.

    >>> macro(np.array([0.5, np.nan, 1.0]))
    Mean(value=0.75, tags=2)
    """
    defined = per_tag[~np.isnan(per_tag)]
    return Mean(float(defined.mean()) if len(defined) else float("nan"), len(defined))


def micro(counts: TagCounts) -> PRF:
    """Precision, recall and F1 of all tags' counts summed; numbers, NaN where undefined.

    >>> two = TagCounts(np.float32([0.4, 0.4]), np.array([6, 0]), np.array([2, 0]), np.array([8, 4]), 100)
    >>> float(micro(two).precision), float(micro(two).recall)
    (0.75, 0.5)
    """
    tp, fp, positives = (np.array([column.sum()]) for column in (counts.tp, counts.fp, counts.positives))
    total = TagCounts(counts.thresholds[:1], tp, fp, positives, counts.images)
    return PRF(*(column[0] for column in ratios(total)))


def divide(numerator: Any, denominator: Any) -> Floats:
    """Element by element in float64, as broadcast; NaN where the denominator is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        result = np.asarray(np.true_divide(numerator, denominator, dtype=np.float64))
    np.copyto(result, np.nan, where=np.asarray(denominator) == 0)
    return result


MIN_POSITIVES = 10
"""Positives that a tag needs to enter the means."""
