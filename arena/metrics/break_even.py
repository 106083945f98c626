"""The exact thresholds at which micro precision equals micro recall: as many cells are predicted as are positive.

A sweep in steps of 0.01 misses them: at the nearest step, precision and recall may differ by a few hundredths. They depend on
the highest scores of all tags. The first pass keeps these scores while it ranks the tags.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.metrics.counts import Amounts, Floats
from arena.metrics.ranking import SortedBlock

SPARE = 1.5
"""Highest scores that are kept, in multiples of the positives: those of all folds but one reach further down."""

FEWEST = 10_000
"""Least number of scores that are kept; folds of small sets can differ more."""


class HighCells(NamedTuple):
    """Cells with high scores, (cells,) each."""

    scores: NDArray[np.float32]
    columns: NDArray[np.int32]
    """Columns of the model."""
    images: NDArray[np.int32]
    labels: NDArray[np.bool_]

    def where(self, kept: NDArray[np.bool_]) -> "HighCells":
        """Return the marked cells; `kept` is bool (cells,)."""
        return HighCells(self.scores[kept], self.columns[kept], self.images[kept], self.labels[kept])


class HighestScores:
    """The cells of one model with the highest scores. Its memory is about that of the positives.

    A cell is a column (tag) and an image. Cells of columns that are not compared are kept too, down to the same score, because
    they are counted at the same thresholds.

    Args:
        folds: uint8 (images,).
        compared: bool (columns,), the columns over which micro precision and recall are computed.
        positive: int, images of the positives of the compared columns, one entry for each positive.
        weights: float64 (images,), weight of each image; None counts each image as 1.
    """

    def __init__(
        self,
        folds: NDArray[np.uint8],
        compared: NDArray[np.bool_],
        positive: NDArray[np.integer],
        weights: Floats | None = None,
    ) -> None:
        self.folds, self.compared, self.weights = folds, compared, weights
        of_positives = None if weights is None else weights[positive]
        self.fold_positives = np.bincount(folds[positive], of_positives, minlength=int(folds.max(initial=0)) + 1)
        self.size = max(FEWEST, int(SPARE * len(positive)))
        self.floor = np.float32(0)
        self.parts: list[HighCells] = []

    def above_floor(self, block: SortedBlock, start: int) -> HighCells:
        """Return the cells of a block that may be among the highest.

        Args:
            block: the block, with the order of the images.
            start: column of its first tag.
        """
        assert block.images is not None
        images = block.keys.shape[1]
        below = block.below(np.array([self.floor], np.float32))[:, 0]
        keys, places = (
            np.concatenate([rows[:0].ravel(), *(row[first:] for row, first in zip(rows, below, strict=True))])
            for rows in (block.keys, block.images)
        )
        columns = np.repeat(np.arange(start, start + len(below), dtype=np.int32), images - below)
        return HighCells(block.scores_of(keys), columns, places, (keys & 1).astype(np.bool_))

    def add(self, cells: HighCells) -> None:
        """Add cells. When twice `size` cells are stored, drop those below the highest `size` of the compared columns."""
        self.parts.append(cells.where(cells.scores >= self.floor))
        if sum(len(part.scores) for part in self.parts) > 2 * self.size:
            self._raise_floor()

    def _raise_floor(self) -> HighCells:
        """Keep the highest `size` cells of the compared columns and all other cells with such scores; return them."""
        cells = HighCells(*(np.concatenate(values) for values in zip(*self.parts, strict=True)))
        inside = cells.where(self.compared[cells.columns])
        if len(inside.scores) > self.size:
            self.size = max(self.size, self._needed(inside))
            self.floor = np.partition(inside.scores, -self.size)[-self.size]
            cells = cells.where(cells.scores >= self.floor)
        self.parts = [cells]
        return cells

    def _needed(self, cells: HighCells) -> int:
        """Return how many of the highest cells weigh `SPARE` times as much as all positives; 0 without weights."""
        if self.weights is None:
            return 0
        descending = np.argsort(-cells.scores, kind="stable")
        weighed = np.cumsum(self.weights[cells.images[descending]])
        return min(int(np.searchsorted(weighed, SPARE * self.fold_positives.sum())) + 1, len(weighed))

    def crossings(self) -> NDArray[np.float32]:
        """Return the crossings without each fold, and over all images; float32 (few,), ascending.

        Scores that are equal are predicted together. So the number of predictions is the nearest to that of the positives
        that a threshold can give.
        """
        if not self.parts:
            return np.empty(0, np.float32)
        cells, total = self._raise_floor(), self.fold_positives.sum().item()
        cells = cells.where(self.compared[cells.columns])
        folds = self.folds[cells.images]
        found = [self._crossing(cells, total)]
        for fold, number in enumerate(self.fold_positives.tolist()):
            found.append(self._crossing(cells.where(folds != fold), total - number))
        return np.unique(np.array([one for one in found if one is not None], np.float32))

    def _crossing(self, cells: HighCells, positives: float) -> np.float32 | None:
        if self.weights is None:
            return crossing(cells.scores, int(positives))
        return weighted_crossing(cells.scores, self.weights[cells.images], positives)

    def counts(self, thresholds: NDArray[np.float32]) -> Amounts:
        """Return the false positives, then the true positives, at some of `crossings`; (2, folds, k, columns).

        Args:
            thresholds: float32 (k,), ascending.
        """
        shape = (2, len(self.fold_positives), len(thresholds), len(self.compared))
        if not len(thresholds):
            return np.zeros(shape, self.fold_positives.dtype)
        [cells] = self.parts
        cells = cells.where(cells.scores >= thresholds[0])
        last = np.searchsorted(thresholds, cells.scores, side="right") - 1
        place = np.ravel_multi_index(
            (cells.labels.astype(np.int64), self.folds[cells.images], last, cells.columns), shape
        )
        weights = None if self.weights is None else self.weights[cells.images]
        counted = np.bincount(place, weights, minlength=int(np.prod(shape))).reshape(shape)
        return np.cumsum(counted[:, :, ::-1], axis=2)[:, :, ::-1]


def crossing(scores: NDArray[np.float32], positives: int) -> np.float32 | None:
    """Return the score at which the number of predictions is nearest to that of the positives.

    None if there is no positive, if fewer scores than positives are kept, or if the threshold is 0.

    Args:
        scores: float32 (cells,), the highest scores.
        positives: number of positives.
    """
    if not 0 < positives <= len(scores):
        return None
    lower = np.partition(scores, -positives)[-positives]
    higher = scores[scores > lower]
    too_many, too_few = int((scores >= lower).sum()) - positives, positives - len(higher)
    found = higher.min() if len(higher) and too_few < too_many else lower  # scores equal to `lower` go together
    return np.float32(found) if found > 0 else None


def weighted_crossing(scores: NDArray[np.float32], weights: Floats, positives: float) -> np.float32 | None:
    """Return `crossing` where a prediction counts as the weight of its image.

    Args:
        scores: float32 (cells,), the highest scores.
        weights: float64 (cells,), weight of the image of each cell.
        positives: sum of the weights of the positives.
    """
    if not 0 < positives <= weights.sum():
        return None
    distinct, place = np.unique(scores, return_inverse=True)
    predicted = np.cumsum(np.bincount(place, weights)[::-1])[::-1]
    lower = int(np.flatnonzero(predicted >= positives)[-1])
    higher = lower + 1 < len(distinct) and positives - predicted[lower + 1] < predicted[lower] - positives
    found = distinct[lower + int(higher)]
    return np.float32(found) if found > 0 else None
