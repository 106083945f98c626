"""Resamples: which units are drawn how often, and how many cells of each kind every resample draws.

The resampled unit is an image, or a cluster of near duplicates, because near duplicates are not independent evidence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from arena.metrics.counts import Integers

REPLICATES = 1000
"""Default number of resamples."""

MAX_UNITS = 1 << 15
"""Largest number of resampled units. More clusters than this are merged into this many bags, which bounds the memory of the
weights."""

_DRAWN_TOGETHER = 32
"""Resamples drawn before they are written to the columns of the weights: 0.25 s for 1,000 resamples of 32,768 units.
Transposing all of them at the end takes 0.85 s and twice the memory."""

_LARGEST, _LARGEST_SIGNED = np.iinfo(np.uint16).max, np.iinfo(np.int16).max


def resampling_units(groups: Sequence[str]) -> Integers:
    """Return the unit of each image; int64 (images,), 0 to `MAX_UNITS` - 1.

    Groups are numbered in order of first appearance, modulo `MAX_UNITS`.

    >>> resampling_units(["x", "y", "x"]).tolist()
    [0, 1, 0]
    """
    number = {group: place for place, group in enumerate(dict.fromkeys(groups))}
    return np.array([number[group] % MAX_UNITS for group in groups], np.int64)


def draw_weights(units: int, replicates: int, seed: int) -> NDArray[np.float32]:
    """Return how often each replicate draws each unit; float32 (units, replicates).

    Each replicate draws `units` units with replacement.
    """
    rng = np.random.default_rng(seed)
    weights = np.empty((units, replicates), np.float32)
    some = np.empty((_DRAWN_TOGETHER, units), np.float32)
    for start in range(0, replicates, _DRAWN_TOGETHER):
        rows = some[: replicates - start]
        for row in rows:
            row[:] = np.bincount(rng.integers(0, units, units), minlength=units)
        weights[:, start : start + len(rows)] = rows.T
    return weights


@dataclass(frozen=True)
class DrawnUnits:
    """How often each resample draws each unit.

    Attributes:
        weights: float32 (units, resamples); whole numbers, except where another kind of resample is tried.
    """

    weights: NDArray[np.float32]

    @cached_property
    def narrow(self) -> NDArray[np.uint16] | None:
        """The same numbers as uint16, with which a sparse product takes a third of the time; None if that changes one."""
        with np.errstate(invalid="ignore"):
            found = self.weights.astype(np.uint16)
        return found if np.array_equal(found, self.weights) else None

    @cached_property
    def most(self) -> float:
        """Most draws of a unit by a resample."""
        return float(self.weights.max(initial=0))

    @cached_property
    def total(self) -> int:
        """Most draws of a resample."""
        return int(self.weights.sum(axis=0, dtype=np.float64).max(initial=0))

    def count(
        self, units: Integers, ends: Integers, *, distinct: bool, gained: NDArray[np.bool_] | None = None
    ) -> NDArray[np.float32]:
        """Return how many cells of each kind every resample draws; float32 (kinds, resamples).

        Args:
            units: int64 (cells,), unit of each cell, kind after kind.
            ends: int64 (kinds + 1,), start of the cells of each kind, and the end of the last.
            distinct: whether no two cells of a kind have the same unit.
            gained: bool (cells,), cells that count 1; all others count -1. None counts each as 1.
        """
        most = np.diff(ends).max(initial=0) * self.most
        if distinct:
            most = min(most, self.total)
        narrow = None if most > (_LARGEST if gained is None else _LARGEST_SIGNED) else self.narrow
        if narrow is None:
            signs = (
                np.ones(len(units), np.float32) if gained is None else np.where(gained, np.float32(1), np.float32(-1))
            )
            return self.sum(signs, units, ends)
        ones = np.ones(len(units), np.uint16)
        if gained is not None:
            ones[~gained] = _LARGEST  # -1, because sums of uint16 are modulo 65,536
        found = csr_array((ones, units, ends), shape=(len(ends) - 1, len(self.weights))) @ narrow
        return np.asarray(found if gained is None else found.view(np.int16), np.float32)

    def sum(self, values: NDArray[np.float32], units: Integers, ends: Integers) -> NDArray[np.float32]:
        """Return the sum of the values of the cells that every resample draws; float32 (kinds, resamples).

        Args:
            values: float32 (cells,).
            units, ends: as in `count`.
        """
        found: NDArray[np.float32] = (
            csr_array((values, units, ends), shape=(len(ends) - 1, len(self.weights))) @ self.weights
        )
        return found

    def first(self, resamples: int) -> "DrawnUnits":
        """Return the first resamples."""
        return DrawnUnits(np.ascontiguousarray(self.weights[:, :resamples]))
