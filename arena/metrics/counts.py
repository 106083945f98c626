"""Counts of predictions, and the ratios that follow from them. Counts are integers that add up over images.

A tag is predicted iff `score >= threshold`, both float32. A metric whose denominator is zero is undefined, which is NaN, not
0. Every mean has the number of tags where the metric is defined. Published conventions that differ are selectable by name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Amounts = NDArray[Any]
"""Numbers of images: int64, or float64 sums of weights."""

JOYTAG_EPSILON = np.float32(1e-8)
"""Value that JoyTag adds to every denominator."""


@dataclass(frozen=True)
class TagCounts:
    """Counts of every tag, each at one threshold.

    Attributes:
        thresholds: float32 (tags,).
        tp, fp, positives: int64 (tags,); float64 sums of weights where images have weights.
        images: number of images scored, or the sum of their weights; where cells are unknown, that of the known images of each
            tag, (tags,).
    """

    thresholds: NDArray[np.float32]
    tp: Amounts
    fp: Amounts
    positives: Amounts
    images: float | Amounts

    def take(self, tags: Integers) -> "TagCounts":
        """Return the counts of some tags, in the order of `tags`."""
        images = images_of(self.images, tags)
        return TagCounts(self.thresholds[tags], self.tp[tags], self.fp[tags], self.positives[tags], images)

    @property
    def fn(self) -> Amounts:
        """False negatives, (tags,)."""
        return np.asarray(self.positives - self.tp)

    @property
    def tn(self) -> Amounts:
        """True negatives, (tags,)."""
        return np.asarray(self.images - self.tp - self.fp - self.fn)

    @property
    def whole(self) -> "TagCounts":
        """The counts rounded to whole images by `whole_images`, int64; TP + FN is the rounded number of positives."""
        return TagCounts(self.thresholds, *whole_images(self.tp, self.fp, self.positives, self.images))


class WholeImages(NamedTuple):
    """Counts rounded to whole images; arrays as in `TagCounts` or `Counts`, int64."""

    tp: Integers
    fp: Integers
    positives: Integers
    images: int | Integers


def images_of(images: float | Amounts, tags: Integers) -> float | Amounts:
    """Return the number of images of some tags: the same number for all tags, or those of an array (all tags,)."""
    return images[tags] if isinstance(images, np.ndarray) else images


def weights_of(images: Integers, weights: Floats | None) -> NDArray[np.float32]:
    """Return the weight of each of some images, float32 (n,); 1 without weights.

    Args:
        images: int64 (n,), numbers of images.
        weights: float64 (images,), weight of each image; None counts each image as 1.
    """
    return np.ones(len(images), np.float32) if weights is None else weights[images].astype(np.float32)


def whole_images(tp: Amounts, fp: Amounts, positives: Amounts, images: float | Amounts) -> WholeImages:
    """Round sums of weights so that FN and TN are not negative: TP <= positives, and FP <= images - positives.

    Integers stay as they are. Halves are rounded to the even number.

    >>> [x.tolist() for x in whole_images(np.array([2.5]), np.array([0.5]), np.array([2.5]), 3.0)[:3]]
    [[2], [0], [2]]
    """
    whole = [
        np.round(column).astype(np.int64) if column.dtype.kind == "f" else column for column in (tp, fp, positives)
    ]
    total = np.round(images).astype(np.int64) if isinstance(images, np.ndarray) else round(images)
    return WholeImages(np.minimum(whole[0], whole[2]), np.minimum(whole[1], total - whole[2]), whole[2], total)


@dataclass(frozen=True)
class Counts:
    """Counts of every tag over a threshold sweep; they add up over images.

    Attributes:
        thresholds: float32 (k,), strictly increasing.
        tp, fp: int64 (k, tags); float64 sums of weights where images have weights.
        positives: as `tp`, (tags,), the support.
        images: as in `TagCounts`.
    """

    thresholds: NDArray[np.float32]
    tp: Amounts
    fp: Amounts
    positives: Amounts
    images: float | Amounts

    def __post_init__(self) -> None:
        assert (np.diff(self.thresholds) > 0).all(), "thresholds must increase strictly"
        assert self.tp.shape == self.fp.shape == (len(self.thresholds), len(self.positives))

    @property
    def whole(self) -> "Counts":
        """The counts rounded to whole images, as `TagCounts.whole`."""
        return Counts(self.thresholds, *whole_images(self.tp, self.fp, self.positives, self.images))

    def __add__(self, other: "Counts") -> "Counts":
        assert np.array_equal(self.thresholds, other.thresholds), "counts at different thresholds cannot be added"
        return Counts(
            self.thresholds,
            self.tp + other.tp,
            self.fp + other.fp,
            self.positives + other.positives,
            self.images + other.images,
        )

    def __radd__(self, other: int) -> "Counts":
        assert other == 0, "counts can only be added to counts"
        return self

    def row(self, k: int) -> TagCounts:
        """Return the counts of every tag at the k-th threshold of the sweep."""
        thresholds = np.full(len(self.positives), self.thresholds[k], np.float32)
        return TagCounts(thresholds, self.tp[k], self.fp[k], self.positives, self.images)


class PRF(NamedTuple):
    """Precision, recall and F1: per tag (float64 (tags,)) or over all tags (a number); NaN where undefined."""

    precision: Floats
    recall: Floats
    f1: Floats


def ratios(counts: TagCounts) -> PRF:
    """Return precision TP/(TP+FP), recall TP/(TP+FN) and F1 2TP/(2TP+FP+FN) of every tag; NaN where the denominator is 0.

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
    """Return precision, recall and F1 as JoyTag computes them: in float32, with an epsilon, so that undefined becomes 0.

    Source: the numbers in JoyTag's `full-metrics.txt`.
    """
    tp, fp, fn = (column.astype(np.float32) for column in (counts.tp, counts.fp, counts.fn))
    precision = tp / (tp + fp + JOYTAG_EPSILON)
    recall = tp / (tp + fn + JOYTAG_EPSILON)
    f1 = 2 * precision * recall / (precision + recall + JOYTAG_EPSILON)
    return PRF(precision.astype(np.float64), recall.astype(np.float64), f1.astype(np.float64))


def animetimm_ratios(counts: TagCounts) -> PRF:
    """Return precision, recall and F1 as animetimm computes them.

    Undefined precision and recall are 0. F1 is 1 if nothing is predicted and nothing is positive.

    Source: the metrics of animetimm's training code.
    """
    plain = ratios(counts)
    f1 = np.where(np.isnan(plain.f1), 1.0, plain.f1)
    return PRF(np.nan_to_num(plain.precision), np.nan_to_num(plain.recall), f1)


def smilingwolf_ratios(counts: TagCounts) -> PRF:
    """Return precision, recall and F1 as SmilingWolf's report computes them, float64 (tags,) each.

    An epsilon in the denominator makes precision 0 without predictions. Recall and F1 are undefined (NaN) without positives.
    The epsilon changes other values by less than the precision of float32, so it is left out there.

    Source: `make_report.py` of SmilingWolf's model zoo.

    >>> never = TagCounts(np.float32([0.5]), np.array([0]), np.array([0]), np.array([2]), 8)
    >>> [float(value[0]) for value in smilingwolf_ratios(never)]
    [0.0, 0.0, 0.0]
    """
    plain = ratios(counts)
    f1 = np.where(np.isnan(plain.recall), np.nan, plain.f1)
    return PRF(np.nan_to_num(plain.precision), plain.recall, f1)


class Convention(NamedTuple):
    """Counting convention of a publisher."""

    above: bool
    """True: a tag is predicted iff score > threshold. False: iff score >= threshold."""
    ratios: Callable[[TagCounts], PRF]
    """Computes precision, recall and F1 of every tag."""
    undefined: str
    """Description of the convention for readers: how undefined values count."""

    def effective(self, thresholds: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the thresholds at which `score >= threshold` gives the same predictions as this convention; float32.

        >>> CONVENTIONS["smilingwolf"].effective(np.float32([0.5])) > np.float32(0.5)
        array([ True])
        """
        return np.nextafter(thresholds, np.float32(np.inf)) if self.above else thresholds


CONVENTIONS: dict[str, Convention] = {
    "arena": Convention(False, ratios, "an undefined value is left out of its mean"),
    "joytag": Convention(False, joytag_ratios, "an undefined precision, recall or F1 counts as 0"),
    "smilingwolf": Convention(
        True,
        smilingwolf_ratios,
        "a tag is predicted if its score is above the threshold; precision without predictions counts as 0; recall and F1 "
        "without positives are left out of their means",
    ),
    "animetimm": Convention(
        False,
        animetimm_ratios,
        "an undefined precision or recall counts as 0; F1 counts as 1 if nothing is predicted and nothing is positive",
    ),
}
"""Sources: JoyTag's validation arena, SmilingWolf's model zoo, animetimm's training code."""


def f_beta(counts: TagCounts, beta: float) -> Floats:
    """Return F-beta (1+b^2)TP / ((1+b^2)TP + b^2 FN + FP) of every tag; NaN where the denominator is 0.

    Recall weighs b times as much as precision.

    >>> float(f_beta(TagCounts(np.float32([0.4]), np.array([6]), np.array([2]), np.array([8]), 100), 2.0)[0])
    0.75
    """
    square = beta * beta
    return divide((1 + square) * counts.tp, (1 + square) * counts.tp + square * counts.fn + counts.fp)


def mcc(counts: TagCounts) -> Floats:
    """Return the Matthews correlation coefficient of every tag, -1 to 1; NaN where a row or column of its table is empty.

    Source: Matthews 1975; scikit-learn's `matthews_corrcoef`, which returns 0 where this is undefined.
    """
    tp, fp, fn, tn = (np.asarray(x, np.float64) for x in (counts.tp, counts.fp, counts.fn, counts.tn))
    product = np.sqrt(tp + fp) * np.sqrt(tp + fn) * np.sqrt(tn + fp) * np.sqrt(tn + fn)
    return divide(tp * tn - fp * fn, product)


def informedness(counts: TagCounts) -> Floats:
    """Return Youden's J of every tag: recall minus the false positive rate, -1 to 1; NaN without positives or negatives."""
    return divide(counts.tp, counts.positives) - divide(counts.fp, counts.images - counts.positives)


class Mean(NamedTuple):
    """A mean over tags and the number of tags in it; the mean of no tags is NaN."""

    value: float
    tags: int


def macro(per_tag: Floats) -> Mean:
    """Return the mean over the tags where the metric is defined (not NaN).

    >>> macro(np.array([0.5, np.nan, 1.0]))
    Mean(value=0.75, tags=2)
    """
    defined = per_tag[~np.isnan(per_tag)]
    return Mean(float(defined.mean()) if len(defined) else float("nan"), len(defined))


def micro(counts: TagCounts) -> PRF:
    """Return precision, recall and F1 of the counts summed over all tags; numbers, NaN where undefined.

    >>> two = TagCounts(np.float32([0.4, 0.4]), np.array([6, 0]), np.array([2, 0]), np.array([8, 4]), 100)
    >>> float(micro(two).precision), float(micro(two).recall)
    (0.75, 0.5)
    """
    tp, fp, positives = (np.array([column.sum()]) for column in (counts.tp, counts.fp, counts.positives))
    total = TagCounts(counts.thresholds[:1], tp, fp, positives, counts.images)
    return PRF(*(column[0] for column in ratios(total)))


def mean_terms(counts: TagCounts, convention: Convention) -> Floats:
    """Return what the means of some tags follow from, float64 (9, tags, ...); sums over tags go to `means_of_terms`.

    The terms are precision, recall and F1 (0 where undefined), 1 where each is defined, TP, predictions, and positives.
    """
    values = convention.ratios(counts)
    defined = [~np.isnan(value) for value in values]
    filled = [np.where(known, value, 0.0) for known, value in zip(defined, values, strict=True)]
    return np.stack([*filled, *defined, counts.tp, counts.tp + counts.fp, counts.positives])


def means_of_terms(sums: Floats) -> Floats:
    """Return macro P, R, F1 and micro P, R, F1 from sums of `mean_terms`, (6, ...); NaN where undefined."""
    tp, predicted, positives = sums[6:]
    micro_f1 = divide(2 * tp, predicted + positives)
    return np.stack([*divide(sums[:3], sums[3:6]), divide(tp, predicted), divide(tp, positives), micro_f1])


def divide(numerator: Any, denominator: Any) -> Floats:
    """Return numerator / denominator element by element in float64, with broadcasting; NaN where the denominator is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        result = np.asarray(np.true_divide(numerator, denominator, dtype=np.float64))
    np.copyto(result, np.nan, where=np.asarray(denominator) == 0)
    return result


MIN_POSITIVES = 10
"""Default of the smallest support with which a tag enters the means."""
