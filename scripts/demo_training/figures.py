"""Metrics of a training: mean average precision and that of random scores, macro F1, best threshold."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.metrics.ranking import average_precision, sort_block

THRESHOLDS = np.linspace(0.05, 0.95, 91)
"""Candidates for the threshold of a card."""


class MeanAp(NamedTuple):
    """Mean average precision, that of random scores (the mean prevalence), and the number of tags."""

    value: float
    chance: float
    tags: int

    @property
    def ratio(self) -> float:
        """Mean average precision divided by that of random scores."""
        return self.value / self.chance if self.chance else float("nan")


def mean_average_precision(scores: NDArray[np.float32], truth: NDArray[np.bool_], min_positives: int) -> MeanAp:
    """Return the mean AP over the tags with at least `min_positives` positives; NaN if there is none."""
    chosen = np.flatnonzero(truth.sum(0) >= min_positives)
    if not len(chosen):
        return MeanAp(float("nan"), float("nan"), 0)
    values = average_precision(sort_block(scores[:, chosen].T, truth[:, chosen].T))
    return MeanAp(float(values.mean()), float(truth[:, chosen].mean()), len(chosen))


def macro_f1(scores: NDArray[np.float32], truth: NDArray[np.bool_], threshold: float, min_positives: int) -> float:
    """Return the mean F1 over the tags with at least `min_positives` positives; a tag that is never predicted has F1 0."""
    chosen = truth.sum(0) >= min_positives
    predicted, actual = scores[:, chosen] >= np.float32(threshold), truth[:, chosen]
    hits = (predicted & actual).sum(0)
    return float(np.mean(2 * hits / (predicted.sum(0) + actual.sum(0))))


def best_threshold(scores: NDArray[np.float32], truth: NDArray[np.bool_], min_positives: int) -> float:
    """Return the middle threshold, to two digits, of those whose macro F1 is within 1 % of the highest."""
    values = np.array([macro_f1(scores, truth, float(t), min_positives) for t in THRESHOLDS])
    near = THRESHOLDS[values >= 0.99 * values.max()]
    return round(float(near[len(near) // 2]), 2)
