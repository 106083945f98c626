"""Figures of a training: mean average precision against chance, macro F1, a threshold."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.metrics.ranking import average_precision, sort_block

THRESHOLDS = np.linspace(0.05, 0.95, 91)
"""Candidates for a card's threshold."""


class MeanAp(NamedTuple):
    """Mean average precision, that of random scores (the mean prevalence), and over how many tags."""

    value: float
    chance: float
    tags: int

    @property
    def ratio(self) -> float:
        """How many times better than chance."""
        return self.value / self.chance if self.chance else float("nan")


def mean_average_precision(scores: NDArray[np.float32], truth: NDArray[np.bool_], min_positives: int) -> MeanAp:
    """Mean over the tags with at least `min_positives` positives; nan where there is none."""
    chosen = np.flatnonzero(truth.sum(0) >= min_positives)
    if not len(chosen):
        return MeanAp(float("nan"), float("nan"), 0)
    values = average_precision(sort_block(scores[:, chosen].T, truth[:, chosen].T))
    return MeanAp(float(values.mean()), float(truth[:, chosen].mean()), len(chosen))


def macro_f1(scores: NDArray[np.float32], truth: NDArray[np.bool_], threshold: float, min_positives: int) -> float:
    """Mean F1 over the tags with at least `min_positives` positives; a tag never predicted has F1 0."""
    chosen = truth.sum(0) >= min_positives
    predicted, actual = scores[:, chosen] >= np.float32(threshold), truth[:, chosen]
    hits = (predicted & actual).sum(0)
    return float(np.mean(2 * hits / (predicted.sum(0) + actual.sum(0))))


def best_threshold(scores: NDArray[np.float32], truth: NDArray[np.bool_], min_positives: int) -> float:
    """The threshold of highest macro F1; the middle one, to two digits, of those within 1 % of it."""
    values = np.array([macro_f1(scores, truth, float(t), min_positives) for t in THRESHOLDS])
    near = THRESHOLDS[values >= 0.99 * values.max()]
    return round(float(near[len(near) // 2]), 2)
