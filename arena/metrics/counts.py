"""Counts: integers that add up over images; every ratio follows from them.

A tag is predicted iff `score >= threshold`, both float32. Undefined is not zero: a figure whose denominator is zero is NaN
here, and a mean says over how many tags it ran. Published conventions that count it as a number are selectable by name.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from arena.metrics.ranking import average_precision, count_sorted, sort_column

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Scalar = TypeVar("Scalar", bound=np.generic)

BLOCK_TAGS = 64
"""Tags turned tag-major at a time: 8 MB a block for 32,768 images."""

TILE_IMAGES = 256
"""Images of a block turned at a time: 64 kB, which stay in the second cache; a fifth of the time of the whole at once."""

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

    def at(self, thresholds: NDArray[np.float32]) -> TagCounts:
        """One threshold a tag, each of them in the sweep.

        Args:
            thresholds: float32 (tags,).
        """
        rows = np.searchsorted(self.thresholds, thresholds)
        assert (self.thresholds[rows] == thresholds).all(), "a threshold is not in the sweep"
        tags = np.arange(len(thresholds))
        return TagCounts(thresholds, self.tp[rows, tags], self.fp[rows, tags], self.positives, self.images)

    def row(self, k: int) -> TagCounts:
        """Every tag at the k-th threshold of the sweep."""
        thresholds = np.full(len(self.positives), self.thresholds[k], np.float32)
        return TagCounts(thresholds, self.tp[k], self.fp[k], self.positives, self.images)


class Tally(NamedTuple):
    """What one pass over the sorted columns gives."""

    counts: Counts
    average_precision: Floats
    """Exact average precision, float64 (tags,); NaN without a positive."""


def tally(
    scores: NDArray[np.floating],
    truth: NDArray[np.bool_],
    thresholds: NDArray[np.float32],
    *,
    rows: Integers | None = None,
    columns: Integers | None = None,
    truth_columns: Integers | None = None,
    workers: int = 1,
) -> Tally:
    """Counts over a threshold sweep, and exact average precision, from one sort a tag.

    Args:
        scores: (images, model tags), 0 to 1.
        truth: bool (images, truth tags).
        thresholds: float32 (k,), strictly increasing.
        rows: which row of `scores` belongs to each row of `truth`; None where they agree.
        columns: the score column of each tag wanted; None for all.
        truth_columns: the truth column of each, likewise.
        workers: threads.

    Works a block of `BLOCK_TAGS` at a time, so that memory stays bounded by one block a worker.
    """
    columns = np.arange(scores.shape[1]) if columns is None else columns
    truth_columns = np.arange(truth.shape[1]) if truth_columns is None else truth_columns
    tags, images = len(columns), truth.shape[0]
    tp, fp = np.zeros((2, len(thresholds), tags), np.int64)
    ap = np.full(tags, np.nan)
    positives = np.zeros(tags, np.int64)

    def count_block(start: int) -> None:
        wanted = slice(start, min(start + BLOCK_TAGS, tags))
        by_tag = tag_major(scores, rows, columns[wanted], np.float32)
        labels = tag_major(truth, None, truth_columns[wanted], np.bool_)
        for tag, (one_tag, label) in enumerate(zip(by_tag, labels, strict=True), start):
            column = sort_column(one_tag, label)
            tp[:, tag], fp[:, tag] = count_sorted(column, thresholds)
            ap[tag] = average_precision(column)
            positives[tag] = len(column.positions)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(count_block, range(0, tags, BLOCK_TAGS)))
    return Tally(Counts(thresholds, tp, fp, positives, images), ap)


def tag_major(matrix: NDArray[Any], rows: Integers | None, columns: Integers, dtype: type[Scalar]) -> NDArray[Scalar]:
    """Some columns of an (images, tags) matrix as contiguous rows, (columns, images), its rows in the order given."""
    images = len(matrix) if rows is None else len(rows)
    consecutive = bool((np.diff(columns) == 1).all())
    across = slice(columns[0], columns[-1] + 1) if consecutive else columns
    turned = np.empty((len(columns), images), dtype)
    for start in range(0, images, TILE_IMAGES):
        part = slice(start, start + TILE_IMAGES)
        down = part if rows is None else (rows[part] if consecutive else rows[part, None])
        turned[:, part] = matrix[down, across].T
    return turned


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


CONVENTIONS: dict[str, Callable[[TagCounts], PRF]] = {"arena": ratios, "joytag": joytag_ratios}
"""What an undefined figure of a tag counts as: `arena` leaves it out of the means, `joytag` counts it as 0."""


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


def divide(numerator: Integers, denominator: Integers) -> Floats:
    """Element by element in float64; NaN where the denominator is 0."""
    result = np.full(np.shape(numerator), np.nan)
    np.divide(numerator, denominator, out=result, where=np.asarray(denominator) != 0)
    return result
