"""The probability that a tag is present, from a model's score: fitted on labelled images, one curve with a shift of each tag.

The logit of the probability is `shift + scale * logit(score) + shift of the tag`. The first two numbers come from all tags
together (Platt 1999). The shift of a tag has a normal prior around 0, so a rare tag follows the common curve, and a frequent
tag its own labels.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from arena.metrics.counts import Floats, Integers
from arena.metrics.recalibration import LOGITS, MOST_LOGIT, WIDTH, LogitCounts, fit

TAG_SHIFT_SD = 1.0
"""Standard deviation of the prior of a tag's shift, in logits. With .25, .5 and 1 the estimate of micro F1 on the demo differs
from that by labels by .012 on average, with .5 and 1 that of macro F1 as well; with no shift of a tag by .014 and .020."""

_STEPS = 40
"""Most steps of Newton's method; it converges in about 8."""

MODEL_LOGIT_BINS = len(LOGITS)


class TagCalibration(NamedTuple):
    """Calibration of one model.

    Attributes:
        shift, scale: of the common curve.
        of_tag: float64 (tags,), shift of each tag; 0 for a tag without labels.
        information: float64 (tags,), inverse of the variance of each tag's shift, prior included.
    """

    shift: float
    scale: float
    of_tag: Floats
    information: Floats

    def probabilities(self, scores: NDArray[np.float32], tags: Integers) -> Floats:
        """Return the probability that each tag is present; float64 (images, tags).

        Args:
            scores: float32 (images, tags), 0 to 1.
            tags: int64 (tags,), number of each column's tag in `of_tag`; -1 for a tag without labels.
        """
        shifts = np.where(tags >= 0, self.of_tag[tags], 0.0) if len(self.of_tag) else np.zeros(len(tags))
        return np.asarray(special.expit(self.shift + self.scale * clipped_logits(scores) + shifts))


def clipped_logits(scores: NDArray[np.float32]) -> Floats:
    """Return the logits of scores, limited to `MOST_LOGIT`; float64, of the same shape."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.clip(special.logit(scores.astype(np.float64)), -MOST_LOGIT, MOST_LOGIT))


def count_tag_logits(scores: NDArray[np.float32], labels: NDArray[np.bool_]) -> LogitCounts:
    """Count the images of each tag by logit, with and without the tag.

    Args:
        scores: float32 (images, tags), 0 to 1.
        labels: bool (images, tags).

    Returns: counts of shape (tags, bins).

    >>> found = count_tag_logits(np.float32([[0.5], [0.5]]), np.array([[True], [False]]))
    >>> found.cells[0, 200], found.positives[0, 200]
    (np.float64(2.0), np.float64(1.0))
    """
    tags = scores.shape[1]
    place = np.rint((clipped_logits(scores) + MOST_LOGIT) / WIDTH).astype(np.int64)
    place += np.arange(tags) * MODEL_LOGIT_BINS
    size, shape = tags * MODEL_LOGIT_BINS, (tags, MODEL_LOGIT_BINS)
    cells, positives = (np.bincount(some, minlength=size).reshape(shape) for some in (place.ravel(), place[labels]))
    return LogitCounts(cells.astype(np.float64), positives.astype(np.float64))


def fit_tags(counts: LogitCounts) -> TagCalibration:
    """Return the calibration with the highest posterior probability, given counts of shape (tags, bins).

    >>> cells = np.where(np.isin(np.arange(MODEL_LOGIT_BINS), [180, 220]), 1e6, 0) * np.ones((2, 1))
    >>> odds = np.array([[0.5], [-0.5]]) + 0.8 * LOGITS
    >>> found = fit_tags(LogitCounts(cells, cells * special.expit(odds)))
    >>> (found.shift + found.of_tag).round(2).tolist()
    [0.48, -0.48]
    """
    shift, scale = (float(one) for one in fit(LogitCounts(counts.cells.sum(0), counts.positives.sum(0))))
    common, moved = shift + scale * LOGITS, np.zeros(len(counts.cells))
    prior, information = 1 / TAG_SHIFT_SD**2, np.zeros(len(counts.cells))
    for _ in range(_STEPS):
        p = special.expit(common + moved[:, None])
        information = (counts.cells * p * (1 - p)).sum(1) + prior
        step = ((counts.positives - counts.cells * p).sum(1) - moved * prior) / information
        moved = moved + np.clip(step, -1, 1)
        if np.abs(step).max(initial=0) < 1e-9:
            break
    return TagCalibration(shift, scale, moved, information)
