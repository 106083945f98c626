"""Calibration: whether of the images that a model scores 0.7, seven in ten carry the tag.

Images are counted in bins of score, which add up over images and tags; every figure follows from the bins, but for the
Brier score, which needs no bins and follows from two sums.
"""

from typing import NamedTuple

import numpy as np

from arena.metrics.counts import Floats, Integers, divide
from arena.metrics.ranking import SortedBlock

RELIABILITY_BINS = 20
"""Bins of equal width in [0, 1]. Each holds its lower edge, and the last holds 1 too."""

EDGES = np.append(np.arange(RELIABILITY_BINS) / RELIABILITY_BINS, np.inf).astype(np.float32)
"""Where each bin begins, and the last ends; float32 as scores are, so that a score of 0.05 is in the bin that begins
there."""


class Bins(NamedTuple):
    """Images by score; bins of several parts or tags add up field by field, and leading axes are free."""

    images: Integers
    """int64 (..., bins)."""
    positives: Integers
    """int64 (..., bins), those of them that carry the tag."""
    score_sum: Floats
    """float64 (..., bins), their scores summed."""


def bin_sorted(block: SortedBlock) -> Bins:
    """Count some tags' images by score.

    Returns: bins of shape (tags, bins).

    >>> from arena.metrics.ranking import sort_column
    >>> block = sort_column(np.float32([0, 0.5, 0.53125, 1]), np.array([False, True, False, True]))
    >>> bins = bin_sorted(block)
    >>> for column in bins:
    ...     print(column[0, [0, 10, 19]].tolist())
    [1, 2, 1]
    [0, 1, 1]
    [0.0, 1.03125, 1.0]
    """
    below = block.below(EDGES)
    images = np.diff(below)
    score_sum = np.zeros(images.shape)
    for scores, starts, filled, into in zip(block.scores, below, images > 0, score_sum, strict=True):
        # reduceat gives an empty bin the next bin's first score
        into[filled] = np.add.reduceat(scores, starts[:-1][filled], dtype=np.float64)
    return Bins(images, -np.diff(block.hits(below)), score_sum)


class Reliability(NamedTuple):
    """What a reliability diagram shows, (..., bins) each; the two shares are NaN in empty bins."""

    images: Integers
    mean_score: Floats
    share_positive: Floats


def reliability(bins: Bins) -> Reliability:
    """Mean score and share of images that carry the tag, bin by bin: equal where a model is calibrated.

    Source: DeGroot and Fienberg, "The comparison and evaluation of forecasters", The Statistician, 1983.
    """
    return Reliability(bins.images, divide(bins.score_sum, bins.images), divide(bins.positives, bins.images))


def expected_calibration_error(bins: Bins) -> Floats:
    """The mean over images of |share that carries the tag - mean score| of their bin; 0 is calibrated, 1 the worst.

    Args:
        bins: of shape (..., bins): one tag's, every tag's, or the sum of many.

    Returns:
        float64 (...); NaN without an image.

    Source: Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015,
    of the probability that the tag is there, not of the likelier answer.

    Two images scored 0.5 of which one carries the tag are calibrated; two scored 1 of which one does are off by a half:

    >>> from arena.metrics.ranking import sort_column
    >>> block = sort_column(np.float32([0.5, 0.5, 1, 1]), np.array([True, False, True, False]))
    >>> expected_calibration_error(bin_sorted(block))
    array([0.25])
    """
    return divide(np.abs(bins.positives - bins.score_sum).sum(axis=-1), bins.images.sum(axis=-1))


def brier(score_square_sum: Floats, positive_score_sum: Floats, positives: Integers, images: Integers | int) -> Floats:
    """The Brier score, the mean of (s - y)^2, from sums: (sum s^2 - 2 sum of s where the tag is carried + P) / n.

    Args:
        score_square_sum: float64 (...), the squares of the float64 of all scores summed.
        positive_score_sum: float64 (...), the scores of the images that carry the tag summed.
        positives: int64 (...), P, how many carry it.
        images: int64 (...) or a number, n.

    Returns:
        float64 (...), 0 to 1; NaN without an image.

    Source: Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review, 1950; equal to
    scikit-learn's `brier_score_loss` to 1e-12.

    Scores of 0.75 and 0.5, of which the first is right, give (0.0625 + 0.25) / 2:

    >>> one = {"score_square_sum": np.array(0.8125), "positive_score_sum": np.array(0.75), "positives": np.array(1)}
    >>> float(brier(**one, images=2))
    0.15625
    """
    total = score_square_sum - 2 * positive_score_sum + positives
    return divide(np.maximum(total, 0.0), images)  # rounding must not make a perfect score negative
