"""Rows that share a hash: searched as one, and told apart again in what was found."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.dataset.hamming.bands import HASH_BITS
from arena.dataset.hamming.search import Hashes, Pairs, Ranks

PREFIX_BITS = 20
"""Of a hash: tells of most rows that nobody asked for theirs, at a tenth of the time of a search for it."""

DISTANCE_BITS = 7
"""Room for a distance of 0 to 64."""

EXPANDED_PAIRS = 4_000_000
"""Pairs of rows made at a time."""


class Distinct(NamedTuple):
    """Hashes without repetition, ascending, and how many rows have each; `rank` is a place among them."""

    hashes: Hashes
    sizes: NDArray[np.int64]

    @staticmethod
    def of(hashes: Hashes) -> "Distinct":
        """What the rows of a set have.

        >>> Distinct.of(np.array([7, 3, 7], np.uint64)).sizes
        array([1, 2])
        """
        ordered = np.sort(hashes)
        first = np.flatnonzero(np.concatenate([ordered[:1] == ordered[:1], ordered[1:] != ordered[:-1]]))
        return Distinct(ordered[first], np.diff(first, append=len(ordered)))


class Rows(NamedTuple):
    """Which rows have the hash of a rank: `rows[starts[rank] : starts[rank + 1]]`, ascending; none unless it was asked for."""

    rows: Ranks
    starts: NDArray[np.int64]

    @staticmethod
    def of(hashes: Hashes, distinct: Distinct, asked: NDArray[np.bool_]) -> "Rows":
        """Rows of the hashes whose rank was asked for, bool (distinct,)."""
        starts = np.concatenate([[0], np.cumsum(distinct.sizes * asked)])
        wanted = distinct.hashes[asked]
        shift = np.uint64(HASH_BITS - PREFIX_BITS)
        prefixes = np.zeros(1 << PREFIX_BITS, np.bool_)
        prefixes[wanted >> shift] = True
        rows = np.flatnonzero(prefixes[hashes >> shift])
        rows = rows[np.argsort(hashes[rows], kind="stable")]
        place = np.searchsorted(wanted, hashes[rows])
        return Rows(rows[np.append(wanted, wanted[-1:])[place] == hashes[rows]], starts)


@dataclass(frozen=True)
class Packing:
    """Pairs as single numbers that stand in order of left, then right: a third of the memory, and quick to sort.

    Attributes:
        rights: how many right rows there are.

    Room is for 2 ** 28 rows on either side.
    """

    rights: int

    def pack(self, pairs: Pairs) -> NDArray[np.int64]:
        """One number a pair."""
        right = (pairs.right << DISTANCE_BITS) | pairs.hamming_bits
        return (pairs.left << self._left_bits()) | right

    def unpack(self, packed: NDArray[np.int64]) -> Pairs:
        """What `pack` packed."""
        bits = self._left_bits()
        right = (packed & ((1 << bits) - 1)) >> DISTANCE_BITS
        return Pairs(packed >> bits, right, packed & ((1 << DISTANCE_BITS) - 1))

    def _left_bits(self) -> int:
        return self.rights.bit_length() + DISTANCE_BITS


def expanded(pairs: Pairs, taken: NDArray[np.int64], *, left: Rows, right: Rows) -> Pairs:
    """Every left row of each pair of ranks with the first `taken` right rows of it, in no order."""
    repeats = np.diff(left.starts)[pairs.left] * taken
    which = np.repeat(np.arange(len(repeats)), repeats)
    inside = np.arange(len(which)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    ours, theirs = np.divmod(inside, taken[which])
    return Pairs(
        left.rows[left.starts[pairs.left][which] + ours],
        right.rows[right.starts[pairs.right][which] + theirs],
        pairs.hamming_bits[which],
    )
