"""Calibration errors after one shift and one scale of the logits, with a paired interval of their difference.

A training loss can shift and scale the logits of all tags, and the decision thresholds move along. Such a change costs no
accuracy, and two numbers undo it: the calibrated probability is sigmoid(shift + scale * logit). The errors here are those that
remain after both numbers are fitted to the images. Images are counted in narrow bins of the logit, so the fit and the errors of
every resample follow from sums of counts.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from arena.metrics.calibration import RELIABILITY_BINS
from arena.metrics.counts import Floats, Integers, divide
from arena.metrics.intervals import Interval, resampled_interval
from arena.metrics.resamples import draw_weights

MOST_LOGIT = 20.0
"""Logits are clipped to this absolute value; float32 scores above 1 - 1e-7 round to 1."""

WIDTH = 0.1
"""Width of a bin of the logit; scores in a bin differ by at most 0.025."""

LOGITS = np.arange(-MOST_LOGIT, MOST_LOGIT + WIDTH / 2, WIDTH)
"""Centre of each bin, float64 (bins,)."""

BAGS = 256
"""Largest number of bags of images that are resampled. Their standard error is within 5 % of that of single images."""

NEWTON_STEPS = 30
"""Most steps of Newton's method; it converges in about 8."""


class LogitCounts(NamedTuple):
    """Pairs of an image and a tag, counted by the model's logit; leading axes are free."""

    cells: Floats
    """(..., bins), number of pairs."""
    positives: Floats
    """(..., bins), pairs in which the image has the tag."""

    def weighted(self, weights: Floats) -> "LogitCounts":
        """Return the sums over bags with these weights, (bags, replicates); shape (replicates, bins)."""
        return LogitCounts(weights.T @ self.cells, weights.T @ self.positives)


class Calibration(NamedTuple):
    """Errors of calibrated probabilities; float64 (...), 0 to 1."""

    ece: Floats
    brier: Floats


class Rise(NamedTuple):
    """An error of the candidate and the baseline after calibration, and the paired interval of candidate minus baseline."""

    candidate: float
    baseline: float
    interval: Interval


def count_logits(
    scores: NDArray[np.float32],
    labels: NDArray[np.bool_],
    bags: Integers,
    number: int,
    known: NDArray[np.bool_] | None = None,
) -> LogitCounts:
    """Count images and tags by bag and logit.

    Args:
        scores: probabilities, float32 (images, tags).
        labels: bool (images, tags).
        bags: int64 (images,), the bag of each image, 0 to `number` - 1.
        known: bool (images, tags), the cells that are counted; None counts all.

    Returns: counts of shape (number, bins).

    >>> found = count_logits(np.float32([[0.5], [0.5]]), np.array([[True], [False]]), np.array([0, 1]), 2)
    >>> found.cells[:, 200].tolist(), found.positives[:, 200].tolist()
    ([1.0, 1.0], [1.0, 0.0])
    """
    with np.errstate(divide="ignore"):
        logits = np.clip(special.logit(scores), -MOST_LOGIT, MOST_LOGIT)
    place = np.rint((logits + MOST_LOGIT) / WIDTH).astype(np.int64) + bags[:, None] * len(LOGITS)
    shape, size = (number, len(LOGITS)), number * len(LOGITS)
    counted = place.ravel() if known is None else place[known]
    cells, positives = (np.bincount(some, minlength=size).reshape(shape) for some in (counted, place[labels]))
    return LogitCounts(cells.astype(np.float64), positives.astype(np.float64))


def bags_of(units: Integers) -> Integers:
    """Return the bag of each image; images of one unit (a cluster of near duplicates) share a bag.

    >>> bags_of(np.array([0, 1, 1, 256])).tolist()
    [0, 1, 1, 0]
    """
    return units % BAGS


def fit(counts: LogitCounts) -> tuple[Floats, Floats]:
    """Return the shift and the scale of the logits with the highest likelihood; float64 (...).

    Source: Platt, "Probabilistic outputs for support vector machines", 1999, by Newton's method.

    >>> cells = np.where(np.isin(np.arange(len(LOGITS)), [180, 220]), 1e6, 0)  # logits -2 and 2
    >>> shift, scale = fit(LogitCounts(cells, cells * special.expit(0.5 + 0.8 * LOGITS)))
    >>> round(float(shift), 6), round(float(scale), 6)
    (0.5, 0.8)
    """
    shift, scale = np.zeros(counts.cells.shape[:-1]), np.ones(counts.cells.shape[:-1])
    for _ in range(NEWTON_STEPS):
        p = _calibrated(shift, scale)
        excess, weight = counts.positives - counts.cells * p, counts.cells * p * (1 - p)
        slope = excess.sum(-1), excess @ LOGITS
        a, b, c = weight.sum(-1) + 1e-9, weight @ LOGITS, weight @ LOGITS**2 + 1e-9
        determinant = np.maximum(a * c - b * b, 1e-12)
        steps = (c * slope[0] - b * slope[1]) / determinant, (a * slope[1] - b * slope[0]) / determinant
        shift, scale = shift + np.clip(steps[0], -1, 1), np.clip(scale + np.clip(steps[1], -0.5, 0.5), 0.01, 20)
        if max(np.abs(step).max(initial=0) for step in steps) < 1e-9:
            break
    return shift, scale


def errors(counts: LogitCounts) -> Calibration:
    """Return the calibration error and the Brier score after the fit; NaN where nothing is counted.

    The calibration error has the bins of `calibration`: equal in width, over all pairs of an image and a tag.
    """
    p = _calibrated(*fit(counts))
    bins = np.minimum((p * RELIABILITY_BINS).astype(np.int64), RELIABILITY_BINS - 1)
    excess = counts.positives - counts.cells * p
    rows = int(np.prod(p.shape[:-1], dtype=np.int64))
    place = bins.reshape(rows, -1) + np.arange(rows)[:, None] * RELIABILITY_BINS
    of_bins = np.bincount(place.ravel(), excess.ravel(), minlength=rows * RELIABILITY_BINS)
    total = counts.cells.sum(-1)
    ece = np.abs(of_bins.reshape(*p.shape[:-1], RELIABILITY_BINS)).sum(-1)
    squares = (counts.cells * p**2 - 2 * counts.positives * p + counts.positives).sum(-1)
    return Calibration(divide(ece, total), divide(squares, total))


def compare_calibration(
    *, candidate: LogitCounts, baseline: LogitCounts, replicates: int, seed: int = 0
) -> dict[str, Rise]:
    """Return the rise of the calibration error (`ece`) and of the Brier score (`brier`) after the fit.

    Args:
        candidate, baseline: of shape (bags, bins), with the same images in each bag.
        replicates: resamples of the bags, the same for both models; each fits again. Without any the ends are NaN.
    """
    whole = [errors(LogitCounts(*(one.sum(0) for one in counts))) for counts in (candidate, baseline)]
    deviations = [np.nan, np.nan]
    if replicates > 1:
        weights = draw_weights(len(candidate.cells), replicates, seed).astype(np.float64)
        ours, theirs = (errors(counts.weighted(weights)) for counts in (candidate, baseline))
        deviations = [float(np.std(one - other, ddof=1)) for one, other in zip(ours, theirs, strict=True)]
    found = {}
    for name, one, other, deviation in zip(Calibration._fields, *whole, deviations, strict=True):
        ends = resampled_interval(float(one - other), deviation, max(replicates - 1, 1))
        found[name] = Rise(float(one), float(other), ends)
    return found


def _calibrated(shift: Floats, scale: Floats) -> Floats:
    return np.asarray(special.expit(shift[..., None] + scale[..., None] * LOGITS), np.float64)
