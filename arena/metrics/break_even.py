"""The exact thresholds at which micro precision equals micro recall: as many cells are predicted as are positive.

A sweep in steps of 0.01 misses them: at the nearest step, precision and recall may differ by a few hundredths.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from arena.metrics.blocks import KnownColumns, ModelBlock, over_blocks
from arena.metrics.counts import Amounts, Floats

SPARE = 1.5
"""Highest scores that are kept, in multiples of the positives: those of all folds but one reach further down."""

FEWEST = 10_000
"""Least number of scores that are kept; folds of small sets can differ more."""


class _Highest:
    """The highest scores of one model with the folds of their images. Its memory is about that of the positives.

    Args:
        size: number of scores to keep.
        weighted: whether images have weights.
    """

    def __init__(self, size: int, *, weighted: bool = False) -> None:
        self.size = size
        self.floor = np.float32(-1)
        self.scores, self.folds = np.empty(0, np.float32), np.empty(0, np.uint8)
        self.weights = np.empty(0) if weighted else None

    def above_floor(
        self, scores: NDArray[np.float32], folds: NDArray[np.uint8], weights: Floats | None
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8], Floats | None]:
        """Return the scores of a block that may be among the highest, with folds and weights; scores are (tags, images)."""
        kept = scores >= self.floor
        of_scores = None if weights is None else np.broadcast_to(weights, scores.shape)[kept]
        return scores[kept], np.broadcast_to(folds, scores.shape)[kept], of_scores

    def add(self, scores: NDArray[np.float32], folds: NDArray[np.uint8], weights: Floats | None) -> None:
        """Add scores, and forget all below the highest `size`."""
        self.scores, self.folds = np.concatenate([self.scores, scores]), np.concatenate([self.folds, folds])
        if self.weights is not None and weights is not None:
            self.weights = np.concatenate([self.weights, weights])
        if len(self.scores) > 2 * self.size:
            self.floor = np.partition(self.scores, -self.size)[-self.size]
            kept = self.scores >= self.floor
            self.scores, self.folds = self.scores[kept], self.folds[kept]
            self.weights = None if self.weights is None else self.weights[kept]

    def crossing(self, positives: float, without: int | None) -> np.float32 | None:
        """Return the threshold with as many predictions as positives, outside one fold; None if it is unknown or 0."""
        scores = self.scores if without is None else self.scores[self.folds != without]
        if self.weights is not None:
            weights = self.weights if without is None else self.weights[self.folds != without]
            return _weighted_crossing(scores, weights, positives)
        positives = int(positives)
        if not 0 < positives <= len(scores):
            return None
        lower = np.partition(scores, -positives)[-positives]
        higher = scores[scores > lower]
        too_many, too_few = int((scores >= lower).sum()) - positives, positives - len(higher)
        found = higher.min() if len(higher) and too_few < too_many else lower  # scores equal to `lower` go together
        return np.float32(found) if found > 0 else None  # no score at or above the floor was forgotten


def _weighted_crossing(scores: NDArray[np.float32], weights: Floats, positives: float) -> np.float32 | None:
    """Return `_Highest.crossing` for predictions that count as the weights of their images."""
    if not 0 < positives <= weights.sum():
        return None
    distinct, place = np.unique(scores, return_inverse=True)
    predicted = np.cumsum(np.bincount(place, weights)[::-1])[::-1]
    lower = int(np.flatnonzero(predicted >= positives)[-1])
    higher = lower + 1 < len(distinct) and positives - predicted[lower + 1] < predicted[lower] - positives
    found = distinct[lower + higher]
    return np.float32(found) if found > 0 else None


def break_even_thresholds(
    models: Sequence[KnownColumns],
    truth: csc_array,
    folds: NDArray[np.uint8],
    workers: int,
    weights: Floats | None = None,
) -> list[NDArray[np.float32]]:
    """Return the crossings of each model: without each fold, and over all images; float32 (few,), ascending.

    Scores that are equal are predicted together. So the number of predictions is the nearest to that of the positives that a
    threshold can give.

    Args:
        models: compared columns of each model.
        truth: bool (images, compared tags).
        folds: uint8 (images,).
        workers: number of threads.
        weights: float64 (images,), weight of each image; None counts each image as 1.
    """
    of_positives = None if weights is None else weights[truth.indices]
    carried = np.bincount(folds[truth.indices], of_positives, minlength=int(folds.max(initial=0)) + 1)
    size = max(FEWEST, int(SPARE * len(truth.indices)))
    highest = [_Highest(size, weighted=weights is not None) for _ in models]

    def work(_: slice, blocks: list[ModelBlock]) -> list[tuple[NDArray[np.float32], NDArray[np.uint8], Floats | None]]:
        return [one.above_floor(block.scores, folds, weights) for one, block in zip(highest, blocks, strict=True)]

    for _, part in over_blocks(models, truth.shape, work, workers):
        for one, found in zip(highest, part, strict=True):
            one.add(*found)
    return [_crossings(one, carried) for one in highest]


def _crossings(highest: _Highest, carried: Amounts) -> NDArray[np.float32]:
    total = carried.sum().item()
    found = [highest.crossing(total, None)]
    found += [highest.crossing(total - number, fold) for fold, number in enumerate(carried.tolist())]
    return np.unique(np.array([one for one in found if one is not None], np.float32))
