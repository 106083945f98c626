"""Rows with equal hashes: each distinct hash is searched once, and its results are expanded to all its rows."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.dataset.hamming.bands import HASH_BITS
from arena.dataset.hamming.search import Hashes, Pairs, Ranks

PREFIX_BITS = 20
"""High bits of a hash for a first filter of rows, which takes a tenth of the time of a binary search for the hash."""

DISTANCE_BITS = 7
"""Bits for a distance of 0 to 64 in a packed pair."""

EXPANDED_PAIRS = 4_000_000
"""Pairs of rows that are made at a time."""


class DistinctHashes(NamedTuple):
    """Distinct hashes, ascending, and the number of rows of each; a rank is an index into them."""

    hashes: Hashes
    sizes: NDArray[np.int64]

    @staticmethod
    def of(hashes: Hashes) -> "DistinctHashes":
        """Return the distinct hashes of the rows of a set.

        >>> DistinctHashes.of(np.array([7, 3, 7], np.uint64)).sizes
        array([1, 2])
        """
        ordered = np.sort(hashes)
        first = np.flatnonzero(np.concatenate([ordered[:1] == ordered[:1], ordered[1:] != ordered[:-1]]))
        return DistinctHashes(ordered[first], np.diff(first, append=len(ordered)))


class RankRows(NamedTuple):
    """The rows of each rank: `rows[starts[rank] : starts[rank + 1]]`, ascending; empty for a rank that is not selected."""

    rows: Ranks
    starts: NDArray[np.int64]

    @staticmethod
    def of(hashes: Hashes, distinct: DistinctHashes, selected: NDArray[np.bool_]) -> "RankRows":
        """Return the rows of the selected ranks.

        Args:
            hashes: of all rows, uint64 (n,).
            distinct: the distinct ones of these hashes.
            selected: bool (distinct,).
        """
        starts = np.concatenate([[0], np.cumsum(distinct.sizes * selected)])
        wanted = distinct.hashes[selected]
        shift = np.uint64(HASH_BITS - PREFIX_BITS)
        prefixes = np.zeros(1 << PREFIX_BITS, np.bool_)
        prefixes[wanted >> shift] = True
        rows = np.flatnonzero(prefixes[hashes >> shift])
        rows = rows[np.argsort(hashes[rows], kind="stable")]
        place = np.searchsorted(wanted, hashes[rows])
        return RankRows(rows[np.append(wanted, wanted[-1:])[place] == hashes[rows]], starts)


@dataclass(frozen=True)
class Packing:
    """Packs each pair into one integer, ordered by left, then right: a third of the memory, and fast to sort.

    Left and right rows may number up to 2 ** 28 each.

    Attributes:
        rights: number of right rows.
    """

    rights: int

    def pack(self, pairs: Pairs) -> NDArray[np.int64]:
        """Return one integer per pair."""
        right = (pairs.right << DISTANCE_BITS) | pairs.hamming_bits
        return (pairs.left << self._left_bits()) | right

    def unpack(self, packed: NDArray[np.int64]) -> Pairs:
        """Return the pairs of packed integers; the inverse of `pack`."""
        bits = self._left_bits()
        right = (packed & ((1 << bits) - 1)) >> DISTANCE_BITS
        return Pairs(packed >> bits, right, packed & ((1 << DISTANCE_BITS) - 1))

    def _left_bits(self) -> int:
        return self.rights.bit_length() + DISTANCE_BITS


def expand_pairs(pairs: Pairs, taken: NDArray[np.int64], *, left: RankRows, right: RankRows) -> Pairs:
    """Return pairs of rows for pairs of ranks: every left row with the first `taken` right rows; the order is undefined.

    Args:
        pairs: pairs of ranks, (k,).
        taken: number of right rows for each pair, int64 (k,).
        left: rows of the left ranks.
        right: rows of the right ranks.
    """
    repeats = np.diff(left.starts)[pairs.left] * taken
    which = np.repeat(np.arange(len(repeats)), repeats)
    inside = np.arange(len(which)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    left_place, right_place = np.divmod(inside, taken[which])
    return Pairs(
        left.rows[left.starts[pairs.left][which] + left_place],
        right.rows[right.starts[pairs.right][which] + right_place],
        pairs.hamming_bits[which],
    )
