"""Calibration: a model is calibrated if, of the images that it scores 0.7, seven in ten have the tag.

Images are counted in bins of the score. Bins add up over images and tags, and every metric except the Brier score follows
from them. The Brier score follows from two sums.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from arena.metrics.counts import Amounts, Floats, Integers, divide
from arena.metrics.ranking import SortedBlock

RELIABILITY_BINS = 20
"""Number of bins of equal width in [0, 1]. Each bin includes its lower edge; the last one also includes 1."""

EDGES = np.append(np.arange(RELIABILITY_BINS) / RELIABILITY_BINS, np.inf).astype(np.float32)
"""Lower edge of each bin, then the end of the last. They are float32 like scores, so a score of 0.05 is in the bin that
starts at 0.05."""


class Bins(NamedTuple):
    """Counts of images by score. Bins of several tags or subsets of images add up field by field; leading axes are free."""

    images: Amounts
    """int64 (..., bins); float64 sums of weights where images have weights."""
    positives: Amounts
    """As `images`, images that have the tag."""
    score_sum: Floats
    """float64 (..., bins), sum of the scores of all images of the bin, times their weights."""
    square_sum: Amounts
    """As `images`, sum of the squared weights; equal to `images` without weights."""

    @property
    def effective(self) -> Floats:
        """Effective number of images of each bin: (sum of w)^2 / sum of w^2, 0 without an image; float64 (..., bins)."""
        images = np.asarray(self.images, np.float64)
        return np.where(images == self.square_sum, images, np.nan_to_num(divide(images**2, self.square_sum)))


def bin_sorted(block: SortedBlock) -> Bins:
    """Count the images of each tag of a block by score.

    Returns: bins of shape (tags, bins).

    >>> from arena.metrics.ranking import sort_column
    >>> block = sort_column(np.float32([0, 0.5, 0.53125, 1]), np.array([False, True, False, True]))
    >>> bins = bin_sorted(block)
    >>> for column in bins[:3]:
    ...     print(column[0, [0, 10, 19]].tolist())
    [1, 2, 1]
    [0, 1, 1]
    [0.0, 1.03125, 1.0]
    """
    below = block.below(EDGES)
    filled, positives = np.diff(below) > 0, -np.diff(block.hits(below))
    if block.weights is None:
        images = np.diff(below)
        return Bins(images, positives, _bin_sums(block.scores, below, filled), images)
    w = block.sorted_weights
    squares = _bin_sums(w**2, below, filled)
    return Bins(-np.diff(block.not_below(below)), positives, _bin_sums(w * block.scores, below, filled), squares)


def _bin_sums(values: NDArray[Any], below: Integers, filled: NDArray[np.bool_]) -> Floats:
    """Return the sum of the values of each bin, float64 (tags, bins)."""
    sums = np.zeros(filled.shape)
    for row, starts, some, into in zip(values, below, filled, sums, strict=True):
        # reduceat gives an empty bin the next bin's first value
        into[some] = np.add.reduceat(row, starts[:-1][some], dtype=np.float64)
    return sums


class Reliability(NamedTuple):
    """Values of a reliability diagram, (..., bins) each."""

    images: Amounts
    mean_score: Floats
    """NaN in an empty bin."""
    share_positive: Floats
    """Share of images that have the tag; NaN in an empty bin."""


def reliability(bins: Bins) -> Reliability:
    """Return the mean score and the share of positives of each bin; they are equal if the model is calibrated.

    Source: DeGroot and Fienberg, "The comparison and evaluation of forecasters", The Statistician, 1983.
    """
    return Reliability(bins.images, divide(bins.score_sum, bins.images), divide(bins.positives, bins.images))


def expected_calibration_error(bins: Bins) -> Floats:
    """Return the mean over images of |share of positives - mean score| of their bin; 0 (calibrated) to 1 (worst).

    Args:
        bins: shape (..., bins): of one tag, of each tag, or the sum over many tags.

    Returns:
        float64 (...); NaN without an image.

    Source: Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015,
    applied to the probability of the tag, not to the confidence of the predicted class.

    Two images scored 0.5, one of them positive, are calibrated. Two scored 1, one of them positive, are off by 0.5:

    >>> from arena.metrics.ranking import sort_column
    >>> block = sort_column(np.float32([0.5, 0.5, 1, 1]), np.array([True, False, True, False]))
    >>> expected_calibration_error(bin_sorted(block))
    array([0.25])
    """
    return divide(np.abs(bins.positives - bins.score_sum).sum(axis=-1), bins.images.sum(axis=-1))


def error_if_calibrated(bins: Bins) -> Floats:
    """Return the calibration error that a perfectly calibrated model has on average with these scores; 0 to 1.

    The share of positives of a bin varies by chance around its mean score, so the calibration error of few images is above 0
    for every model. The positives of a bin are taken as binomial, of which the mean absolute deviation is known exactly.
    Images are taken as independent: clusters of near duplicates raise it further. With weights, the number of images of a bin
    is its effective number.

    Args:
        bins: shape (..., bins).

    Returns:
        float64 (...); NaN without an image.

    Source: de Moivre's mean deviation, Diaconis and Zabell, "Closed form summation for classical distributions", 1991.
    Bröcker and Smith, "Increasing the reliability of reliability diagrams", 2007, on such deviations.

    Two images scored 0.5: no positive, or two, are off by 0.5, each one time in four:

    >>> from arena.metrics.ranking import sort_column
    >>> error_if_calibrated(bin_sorted(sort_column(np.float32([0.5, 0.5]), np.array([True, False])))).round(12)
    array([0.25])
    """
    images = bins.effective
    score = np.clip(np.nan_to_num(divide(bins.score_sum, bins.images)), 0.0, 1.0)
    hits = np.minimum(np.floor(images * score) + 1, images)
    ways = special.gammaln(images + 1) - special.gammaln(hits + 1) - special.gammaln(images - hits + 1)
    log = ways + special.xlogy(hits, score) + special.xlog1py(images - hits + 1, -score)
    deviation = 2 * hits * np.exp(log) * np.nan_to_num(divide(bins.images, images))
    return divide(deviation.sum(axis=-1), bins.images.sum(axis=-1))


def brier(score_square_sum: Floats, positive_score_sum: Floats, positives: Amounts, images: Amounts | float) -> Floats:
    """Return the Brier score, the mean of (s - y)^2, as (sum of s^2 - 2 sum of s over positives + P) / n.

    Args:
        score_square_sum: float64 (...), sum of the squared scores of all images, computed in float64.
        positive_score_sum: float64 (...), sum of the scores of the images that have the tag.
        positives: int64 (...), P, number of images that have the tag.
        images: int64 (...) or a number, n.

    Returns:
        float64 (...), 0 to 1; NaN without an image.

    Source: Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review, 1950; equal to
    scikit-learn's `brier_score_loss` to 1e-12.

    Scores of 0.75 and 0.5, where only the first image has the tag, give (0.0625 + 0.25) / 2:

    >>> one = {"score_square_sum": np.array(0.8125), "positive_score_sum": np.array(0.75), "positives": np.array(1)}
    >>> float(brier(**one, images=2))
    0.15625
    """
    total = score_square_sum - 2 * positive_score_sum + positives
    return divide(np.maximum(total, 0.0), images)  # rounding could make a perfect score negative
