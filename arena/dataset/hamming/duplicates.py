"""Find near duplicates by the exact Hamming distance of their hashes, count them, and form clusters.

Each distinct hash is searched once, and the result holds for all rows with that hash. Hashes are searched with their bits
reordered, see `arena.dataset.hamming.bands.BIT_ORDER`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from arena.dataset.hamming.bands import reorder_bits, restore_bits
from arena.dataset.hamming.distinct import EXPANDED_PAIRS, DistinctHashes, Packing, RankRows, expand_pairs
from arena.dataset.hamming.search import HammingSearch, Hashes, Pairs, search_hashes

__all__ = [
    "Hashes", "Neighbours", "Pairs", "clusters", "links_within", "neighbours_between", "pairs_between", "pairs_within",
]  # fmt: skip

_Advance = Callable[[int], None]
"""Progress callback: called with the number of further left rows that are done; the sum is the number of rows."""

HELD_PAIRS = 8_000_000
"""Pairs of hashes in memory before unwanted ones are dropped."""

JOINED_PAIRS = 8_000_000
"""Pairs per graph; 50 million pairs in one graph took 2 GiB more memory and no less time."""


@dataclass(frozen=True)
class Neighbours:
    """The right rows within the radius of each left row.

    Attributes:
        pairs: the nearest right rows of each left row, up to a maximum per left row.
        counts: int64 (left rows,), number of all right rows within the radius.
    """

    pairs: Pairs
    counts: NDArray[np.int64]


def pairs_between(
    left: Hashes,
    right: Hashes,
    *,
    radius: int,
    most: int | None = None,
    workers: int = 1,
    advance: _Advance | None = None,
) -> Pairs:
    """Return every pair of a left and a right hash with a distance of at most `radius`, ordered by left, then right.

    Args:
        left: uint64 (n,).
        right: uint64 (m,).
        radius: in bits, 0 to 64.
        most: maximum number of pairs per left row; None for all. The nearest are kept; ties are resolved by the smaller right
            hash, then by the earlier right row.
        workers: number of threads; it does not change the result.
        advance: progress callback, called with the number of further left rows that are done.

    >>> pairs_between(np.array([0b0000], np.uint64), np.array([0b0001, 0b0111], np.uint64), radius=1)
    Pairs(left=array([0]), right=array([0]), hamming_bits=array([1]))
    """
    return _between(left, right, radius, most, False, workers, advance).pairs


def neighbours_between(
    left: Hashes, right: Hashes, *, radius: int, most: int, workers: int = 1, advance: _Advance | None = None
) -> Neighbours:
    """Return the nearest right rows of each left row, and the number within the radius; arguments as of `pairs_between`.

    >>> found = neighbours_between(np.array([0], np.uint64), np.array([3, 1, 1], np.uint64), radius=2, most=1)
    >>> found.pairs, found.counts
    (Pairs(left=array([0]), right=array([1]), hamming_bits=array([1])), array([3]))
    """
    return _between(left, right, radius, most, True, workers, advance)


def pairs_within(hashes: Hashes, *, radius: int, workers: int = 1, advance: _Advance | None = None) -> Pairs:
    """Return every pair of different rows of one set with a distance of at most `radius`, each once with `left < right`.

    A hash of k rows gives k (k - 1) / 2 pairs; `links_within` gives k - 1, which is enough for clusters.
    Arguments and order are those of `pairs_between`.
    """
    hashes = reorder_bits(hashes)
    distinct = DistinctHashes.of(hashes)
    held = _HeldPairs(len(distinct.hashes))
    _search(HammingSearch(distinct.hashes, distinct.hashes, radius, True), held.take, len(hashes), workers, advance)
    same = np.flatnonzero(distinct.sizes > 1)
    held.take(Pairs(same, same, np.zeros(len(same), np.int64)))
    found = held.pairs()
    rows = RankRows.of(hashes, distinct, _present(distinct, found.left, found.right))

    def once(pairs: Pairs) -> Pairs:
        """Two different hashes give each pair of rows once, in either order; a hash with itself gives both orders."""
        return _taken(_ordered(pairs), (pairs.left < pairs.right) | (pairs.hamming_bits > 0))

    return _in_rows(found, distinct.sizes[found.right], left=rows, right=rows, count=len(hashes), wanted=once)


def links_within(hashes: Hashes, *, radius: int, workers: int = 1, advance: _Advance | None = None) -> Pairs:
    """Return a minimum spanning forest of `pairs_within`: the fewest pairs that form the same clusters.

    The clusters are the same at this radius and at every smaller one. There are fewer pairs than rows, however many near
    duplicates there are, so memory is bounded too. The choice among pairs of equal distance depends only on their hashes; a
    hash of several rows is represented by its first row. Arguments and order are those of `pairs_between`.

    Source: single linkage by minimum spanning trees, Gower and Ross, Applied Statistics 18 (1969).

    >>> links_within(np.array([5, 5, 5, 4], np.uint64), radius=1)
    Pairs(left=array([0, 0, 0]), right=array([1, 2, 3]), hamming_bits=array([0, 0, 1]))
    """
    hashes = reorder_bits(hashes)
    distinct = DistinctHashes.of(hashes)
    held = _HeldPairs(len(distinct.hashes), lambda pairs: _forest(pairs, len(distinct.hashes)))
    _search(HammingSearch(distinct.hashes, distinct.hashes, radius, True), held.take, len(hashes), workers, advance)
    links = held.pairs()
    selected = _present(distinct, links.left, links.right) | (distinct.sizes > 1)
    rows = RankRows.of(hashes, distinct, selected)
    first = np.zeros(len(selected), np.int64)
    first[selected] = rows.rows[rows.starts[:-1][selected]]
    copies = Pairs(np.repeat(first, np.diff(rows.starts)), rows.rows, np.zeros(len(rows.rows), np.int64))
    copies = _taken(copies, copies.left != copies.right)
    packing = Packing(len(hashes))
    links = _ordered(Pairs(first[links.left], first[links.right], links.hamming_bits))
    return packing.unpack(np.sort(np.concatenate([packing.pack(copies), packing.pack(links)])))


def clusters(count: int, *pairs: Pairs) -> NDArray[np.int64]:
    """Return the connected components of pairs: rows that a chain of pairs connects have the same label.

    Args:
        count: number of rows.
        pairs: pairs of one or more searches; their union is used.

    Returns: int64 (count,), labels from 0 in order of each component's first row.

    >>> clusters(4, pairs_within(np.array([0, 255, 1, 254], np.uint64), radius=1))
    array([0, 1, 0, 1])
    """
    labels = np.arange(count)
    for some in pairs:
        for start in range(0, len(some.left), JOINED_PAIRS):
            part = slice(start, start + JOINED_PAIRS)
            ends = labels[some.left[part]], labels[some.right[part]]
            graph = coo_array((np.ones(len(ends[0]), np.int8), ends), shape=(count, count))
            labels = connected_components(graph, directed=False)[1][labels]
    first = np.zeros(count, np.int64)
    first[labels[::-1]] = np.arange(count)[
        ::-1
    ]  # reversed, because the last write to an index remains: that of the first row
    beginning = np.zeros(count, np.int64)
    beginning[first[labels]] = 1
    return (np.cumsum(beginning) - 1)[first[labels]]


class _HeldPairs:
    """Collects pairs of ranks; `wanted` drops unnecessary pairs whenever many have been collected."""

    def __init__(self, ranks: int, wanted: Callable[[Pairs], Pairs] | None = None) -> None:
        self._packing = Packing(ranks)
        self._wanted = wanted
        self._parts: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        self._count, self._limit = 0, HELD_PAIRS

    def take(self, found: Pairs) -> None:
        """Add pairs."""
        self._parts.append(self._packing.pack(found))
        self._count += len(found.left)
        if self._wanted is not None and self._count > self._limit:
            self._parts = [self._packing.pack(self.pairs())]
            self._count = len(self._parts[0])
            self._limit = max(HELD_PAIRS, 2 * self._count)

    def pairs(self) -> Pairs:
        """Return the wanted pairs."""
        self._parts = [np.concatenate(self._parts)]
        pairs = self._packing.unpack(self._parts[0])
        return pairs if self._wanted is None else self._wanted(pairs)


def _between(
    left: Hashes,
    right: Hashes,
    radius: int,
    most: int | None,
    counted: bool,
    workers: int,
    advance: _Advance | None,
) -> Neighbours:
    """Return the nearest right rows of each left row; the counts are valid only if `counted`."""
    left, right = reorder_bits(left), reorder_bits(right)
    left_distinct, right_distinct = DistinctHashes.of(left), DistinctHashes.of(right)
    held = _HeldPairs(
        len(right_distinct.hashes), None if most is None else lambda pairs: _nearest(pairs, right_distinct, most)
    )
    counts = np.zeros(len(left_distinct.hashes), np.int64)

    def take(found: Pairs) -> None:
        if counted:
            np.add.at(counts, found.left, right_distinct.sizes[found.right])
        held.take(found)

    _search(
        HammingSearch(left_distinct.hashes, right_distinct.hashes, radius, False), take, len(left), workers, advance
    )
    found = held.pairs()
    taken = right_distinct.sizes[found.right]
    if most is not None:
        taken = np.minimum(taken, most - _rows_before(found, taken))
    pairs = _in_rows(
        found,
        taken,
        left=RankRows.of(left, left_distinct, _present(left_distinct, found.left)),
        right=RankRows.of(right, right_distinct, _present(right_distinct, found.right)),
        count=len(right),
    )
    return Neighbours(pairs, counts[np.searchsorted(left_distinct.hashes, left)] if counted else counts)


def _search(
    what: HammingSearch, take: Callable[[Pairs], None], rows: int, workers: int, advance: _Advance | None
) -> None:
    """Run a search, and report its progress as a number of rows."""
    done, reported = 0.0, 0

    def report(share: float) -> None:
        nonlocal done, reported
        done += share
        further = min(rows, int(done * rows)) - reported
        if further and advance is not None:
            reported += further
            advance(further)

    search_hashes(what, take, workers=workers, advance=None if advance is None else report)
    if advance is not None and reported < rows:
        advance(rows - reported)


def _in_rows(
    found: Pairs,
    taken: NDArray[np.int64],
    *,
    left: RankRows,
    right: RankRows,
    count: int,
    wanted: Callable[[Pairs], Pairs] = lambda pairs: pairs,
) -> Pairs:
    """Return pairs of rows for pairs of ranks, ordered by left, then right; made in parts, which limits the memory.

    Args:
        found: pairs of ranks, (k,).
        taken: number of right rows for each pair of ranks, int64 (k,).
        left: rows of the left ranks.
        right: rows of the right ranks.
        count: number of right rows.
        wanted: returns the pairs of rows to keep from those of a part.
    """
    packing = Packing(count)
    ends = np.cumsum(np.diff(left.starts)[found.left] * taken)
    total = int(ends[-1]) if len(ends) else 0
    cuts = np.searchsorted(ends, np.arange(EXPANDED_PAIRS, total, EXPANDED_PAIRS), "right")
    parts = [np.empty(0, np.int64)]
    for first, last in pairwise(sorted({0, *cuts.tolist(), len(ends)})):
        part = slice(first, last)
        rows = expand_pairs(Pairs(*(column[part] for column in found)), taken[part], left=left, right=right)
        parts.append(packing.pack(wanted(rows)))
    packed = np.concatenate(parts)
    del parts
    packed.sort()
    return packing.unpack(packed)


def _nearest(pairs: Pairs, right: DistinctHashes, most: int) -> Pairs:
    """Return the nearest pairs of each left hash that cover `most` right rows; ordered by left, distance, right hash."""
    pairs = _taken(pairs, np.lexsort((restore_bits(right.hashes[pairs.right]), pairs.hamming_bits, pairs.left)))
    return _taken(pairs, _rows_before(pairs, right.sizes[pairs.right]) < most)


def _rows_before(pairs: Pairs, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of right rows in the earlier pairs of the same left hash; pairs are grouped by left hash."""
    before = np.cumsum(sizes) - sizes
    first = np.flatnonzero(np.diff(pairs.left, prepend=-1))
    return before - np.repeat(before[first], np.diff(first, append=len(before)))


def _forest(pairs: Pairs, count: int) -> Pairs:
    """Return the minimum spanning forest by distance; ties are resolved by left, then right, so it is unique."""
    pairs = _taken(pairs, np.lexsort((pairs.right, pairs.left, pairs.hamming_bits)))
    weights = np.arange(1.0, len(pairs.left) + 1)  # unique and not zero; scipy treats a weight of zero as no edge
    graph = coo_array((weights, (pairs.left, pairs.right)), shape=(count, count)).tocsr()
    kept = minimum_spanning_tree(graph, overwrite=True).data.astype(np.int64) - 1
    return _taken(pairs, np.sort(kept))


def _ordered(pairs: Pairs) -> Pairs:
    """Return each pair with the lower row on the left."""
    return Pairs(np.minimum(pairs.left, pairs.right), np.maximum(pairs.left, pairs.right), pairs.hamming_bits)


def _taken(pairs: Pairs, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Pairs:
    """Return the pairs at these indices or of this mask."""
    return Pairs(*(column[rows] for column in pairs))


def _present(distinct: DistinctHashes, *ranks: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which ranks occur, bool (distinct,)."""
    present = np.zeros(len(distinct.hashes), np.bool_)
    for some in ranks:
        present[some] = True
    return present
