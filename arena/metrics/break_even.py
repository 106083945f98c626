"""The exact thresholds at which micro precision equals micro recall: as many cells are predicted as are positive.

A sweep in steps of 0.01 misses them: at the nearest step, precision and recall may differ by a few hundredths.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from arena.metrics.blocks import KnownColumns, ModelBlock, over_blocks
from arena.metrics.counts import Integers

SPARE = 1.5
"""Highest scores that are kept, in multiples of the positives: those of all folds but one reach further down."""

FEWEST = 10_000
"""Least number of scores that are kept; folds of small sets can differ more."""


class _Highest:
    """The highest scores of one model with the folds of their images. Its memory is about that of the positives.

    Args:
        size: number of scores to keep.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.floor = np.float32(-1)
        self.scores, self.folds = np.empty(0, np.float32), np.empty(0, np.uint8)

    def above_floor(
        self, scores: NDArray[np.float32], folds: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Return the scores of a block that may be among the highest, with their folds; scores are (tags, images)."""
        kept = scores >= self.floor
        return scores[kept], np.broadcast_to(folds, scores.shape)[kept]

    def add(self, scores: NDArray[np.float32], folds: NDArray[np.uint8]) -> None:
        """Add scores, and forget all below the highest `size`."""
        self.scores, self.folds = np.concatenate([self.scores, scores]), np.concatenate([self.folds, folds])
        if len(self.scores) > 2 * self.size:
            self.floor = np.partition(self.scores, -self.size)[-self.size]
            kept = self.scores >= self.floor
            self.scores, self.folds = self.scores[kept], self.folds[kept]

    def crossing(self, positives: int, without: int | None) -> np.float32 | None:
        """Return the threshold with as many predictions as positives, outside one fold; None if it is unknown or 0."""
        scores = self.scores if without is None else self.scores[self.folds != without]
        if not 0 < positives <= len(scores):
            return None
        lower = np.partition(scores, -positives)[-positives]
        higher = scores[scores > lower]
        too_many, too_few = int((scores >= lower).sum()) - positives, positives - len(higher)
        found = higher.min() if len(higher) and too_few < too_many else lower  # scores equal to `lower` go together
        return np.float32(found) if found > 0 else None  # no score at or above the floor was forgotten


def break_even_thresholds(
    models: Sequence[KnownColumns], truth: csc_array, folds: NDArray[np.uint8], workers: int
) -> list[NDArray[np.float32]]:
    """Return the crossings of each model: without each fold, and over all images; float32 (few,), ascending.

    Scores that are equal are predicted together. So the number of predictions is the nearest to that of the positives that a
    threshold can give.

    Args:
        models: compared columns of each model.
        truth: bool (images, compared tags).
        folds: uint8 (images,).
        workers: number of threads.
    """
    carried = np.bincount(folds[truth.indices], minlength=int(folds.max(initial=0)) + 1)
    highest = [_Highest(max(FEWEST, int(SPARE * carried.sum()))) for _ in models]

    def work(_: slice, blocks: list[ModelBlock]) -> list[tuple[NDArray[np.float32], NDArray[np.uint8]]]:
        return [one.above_floor(block.scores, folds) for one, block in zip(highest, blocks, strict=True)]

    for _, part in over_blocks(models, truth.shape, work, workers):
        for one, found in zip(highest, part, strict=True):
            one.add(*found)
    return [_crossings(one, carried) for one in highest]


def _crossings(highest: _Highest, carried: Integers) -> NDArray[np.float32]:
    total = int(carried.sum())
    found = [highest.crossing(total, None)]
    found += [highest.crossing(total - int(number), fold) for fold, number in enumerate(carried)]
    return np.unique(np.array([one for one in found if one is not None], np.float32))
