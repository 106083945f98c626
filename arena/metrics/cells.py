"""Sets of cells of a block of tags, and the cells that a model predicts under each regime. A cell is a tag and an image.

Few cells of a block are predicted, so a list of them is shorter than a mask: all regimes are decided on the cells that at
least one of them predicts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from arena.metrics.counts import Integers


class Cells(NamedTuple):
    """A set of cells of a block, ordered by tag, then by image."""

    flat: Integers
    """tag * images + image."""
    shape: tuple[int, int]
    """(tags, images)."""

    @classmethod
    def of_mask(cls, mask: NDArray[np.bool_]) -> "Cells":
        """Return the cells that are true in a mask, (tags, images)."""
        return cls(np.flatnonzero(mask), (mask.shape[0], mask.shape[1]))

    @classmethod
    def of_truth(cls, truth: csc_array, tags: slice) -> "Cells":
        """Return the cells with the tag; `truth` is bool (images, tags), its indices sorted."""
        shape = (tags.stop - tags.start, truth.shape[0])
        inside = slice(truth.indptr[tags.start], truth.indptr[tags.stop])
        rows = np.repeat(np.arange(shape[0]), np.diff(truth.indptr[tags.start : tags.stop + 1]))
        return cls(rows * shape[1] + truth.indices[inside], shape)

    @property
    def ends(self) -> Integers:
        """Start of the cells of each tag, and the end of the last; int64 (tags + 1,)."""
        return np.searchsorted(self.flat, np.arange(self.shape[0] + 1) * self.shape[1]).astype(np.int64)

    @property
    def images(self) -> Integers:
        """Image of each cell."""
        return self.flat - np.repeat(np.arange(self.shape[0]) * self.shape[1], np.diff(self.ends))

    def pick(self, chosen: NDArray[np.bool_]) -> "Cells":
        """Return some of the cells; `chosen` is bool (cells,)."""
        return Cells(self.flat[chosen], self.shape)

    def where(self, mask: NDArray[np.bool_]) -> "Cells":
        """Return the cells that are true in a mask of the block, (tags, images)."""
        return self.pick(self.of(mask))

    def of(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the value of each cell in a mask of the block, (tags, images); bool (cells,)."""
        return np.asarray(mask.ravel()[self.flat])

    def joined(self, other: "Cells") -> "Cells":
        """Return the cells of two sets that share none."""
        return Cells(np.sort(np.concatenate([self.flat, other.flat])), self.shape)

    def by_row(self) -> list[Integers]:
        """Return the images of each tag, one array per tag."""
        return np.split(self.images, self.ends[1:-1])

    @property
    def counts(self) -> Integers:
        """Number of cells of each tag; int64 (tags,)."""
        return np.diff(self.ends)


@dataclass(frozen=True)
class Decided:
    """Predictions of a model for a block of tags under each regime.

    Attributes:
        cells: the cells that at least one regime predicts.
        regimes: one per regime, bool (cells,), whether it predicts the cell; the first regime is the model's own thresholds.
    """

    cells: Cells
    regimes: Sequence[NDArray[np.bool_]]

    @property
    def own(self) -> Cells:
        """The cells predicted at the model's own thresholds."""
        return self.cells.pick(self.regimes[0])

    def mask(self, regime: int) -> NDArray[np.bool_]:
        """Return which cells a regime predicts; bool (tags, images)."""
        found = np.zeros(self.cells.shape, np.bool_)
        found.ravel()[self.cells.flat[self.regimes[regime]]] = True
        return found


def decide(scores: NDArray[np.float32], thresholds: NDArray[np.float32], folds: NDArray[np.integer]) -> Decided:
    """Return the predictions for a block of tags.

    Args:
        scores: float32 (tags, images).
        thresholds: float32 (regimes, folds, tags); NaN predicts nothing.
        folds: (images,), fold of each image.
    """
    lowest = np.fmin.reduce(thresholds, axis=(0, 1))
    cells = Cells.of_mask(scores >= lowest[:, None])
    reached, tag = scores.ravel()[cells.flat], np.repeat(np.arange(len(scores)), cells.counts)
    at = folds[cells.images].astype(np.int64) * len(scores) + tag
    return Decided(cells, [reached >= by_fold.ravel()[at] for by_fold in thresholds])
