"""Near duplicates by exact Hamming distance of their hashes, how many there are, and the clusters that they form.

Rows that share a hash are searched once: what is found for a hash holds for each of its rows. Hashes are searched with their
bits spread, see `arena.dataset.hamming.bands.SPREAD`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from arena.dataset.hamming.bands import gathered, spread
from arena.dataset.hamming.distinct import EXPANDED_PAIRS, Distinct, Packing, Rows, expanded
from arena.dataset.hamming.search import Hashes, Pairs, Search, search

__all__ = [
    "Hashes", "Neighbours", "Pairs", "clusters", "links_within", "neighbours_between", "pairs_between", "pairs_within",
]  # fmt: skip

Advance = Callable[[int], None]
"""Told how many more left rows are done; all rows by the end."""

HELD_PAIRS = 8_000_000
"""Pairs of hashes held before those that are not wanted are dropped."""

JOINED_PAIRS = 8_000_000
"""Pairs made into a graph at a time: 50 million at once took 2 GiB more, and no less time."""


@dataclass(frozen=True)
class Neighbours:
    """What lies within the radius of each left row.

    Attributes:
        pairs: the nearest of each left row, up to a number.
        counts: int64 (left rows,), how many there are, whatever that number.
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
    advance: Advance | None = None,
) -> Pairs:
    """Every pair of a left and a right hash at most `radius` bits apart, in order of left, then right.

    Args:
        left: uint64 (n,).
        right: uint64 (m,).
        radius: 0 to 64.
        most: pairs of each left row, at most: the nearest, of equally near ones those of the smaller hash, of equal hashes
            those of the earlier row. None for all.
        workers: threads; the pairs are the same for any number.
        advance: told how many more left rows are done.

    >>> pairs_between(np.array([0b0000], np.uint64), np.array([0b0001, 0b0111], np.uint64), radius=1)
    Pairs(left=array([0]), right=array([0]), hamming_bits=array([1]))
    """
    return _between(left, right, radius, most, False, workers, advance).pairs


def neighbours_between(
    left: Hashes, right: Hashes, *, radius: int, most: int, workers: int = 1, advance: Advance | None = None
) -> Neighbours:
    """The nearest right hashes of each left hash, and how many lie within the radius; arguments as of `pairs_between`.

    >>> found = neighbours_between(np.array([0], np.uint64), np.array([3, 1, 1], np.uint64), radius=2, most=1)
    >>> found.pairs, found.counts
    (Pairs(left=array([0]), right=array([1]), hamming_bits=array([1])), array([3]))
    """
    return _between(left, right, radius, most, True, workers, advance)


def pairs_within(hashes: Hashes, *, radius: int, workers: int = 1, advance: Advance | None = None) -> Pairs:
    """Every pair of different rows of one set at most `radius` bits apart, each once with `left < right`.

    A hash that k rows share gives k (k - 1) / 2 pairs; for clusters `links_within` does with k - 1.
    Arguments and order are those of `pairs_between`.
    """
    hashes = spread(hashes)
    ours = Distinct.of(hashes)
    held = _Held(len(ours.hashes))
    _search(Search(ours.hashes, ours.hashes, radius, True), held.take, len(hashes), workers, advance)
    same = np.flatnonzero(ours.sizes > 1)
    held.take(Pairs(same, same, np.zeros(len(same), np.int64)))
    found = held.pairs()
    rows = Rows.of(hashes, ours, _present(ours, found.left, found.right))

    def once(pairs: Pairs) -> Pairs:
        """A pair of hashes stands for rows in either order, and a hash with itself for each of its rows twice."""
        upright = _upright(pairs)
        return _chosen(upright, (pairs.left < pairs.right) | (pairs.hamming_bits > 0))

    return _in_rows(found, ours.sizes[found.right], left=rows, right=rows, count=len(hashes), wanted=once)


def links_within(hashes: Hashes, *, radius: int, workers: int = 1, advance: Advance | None = None) -> Pairs:
    """The fewest of the pairs of `pairs_within` that join whatever all of them join, at this radius and each smaller one.

    They are a minimum spanning forest: fewer pairs than rows, however many near duplicates there are, and memory is bounded
    likewise. Which of equally near pairs are taken depends on their hashes alone, and for a hash stands its first row.
    Arguments and order are those of `pairs_between`.

    Source: single linkage by minimum spanning trees, Gower and Ross, Applied Statistics 18 (1969).

    >>> links_within(np.array([5, 5, 5, 4], np.uint64), radius=1)
    Pairs(left=array([0, 0, 0]), right=array([1, 2, 3]), hamming_bits=array([0, 0, 1]))
    """
    hashes = spread(hashes)
    ours = Distinct.of(hashes)
    held = _Held(len(ours.hashes), lambda pairs: _forest(pairs, len(ours.hashes)))
    _search(Search(ours.hashes, ours.hashes, radius, True), held.take, len(hashes), workers, advance)
    links = held.pairs()
    asked = _present(ours, links.left, links.right) | (ours.sizes > 1)
    rows = Rows.of(hashes, ours, asked)
    first = np.zeros(len(asked), np.int64)
    first[asked] = rows.rows[rows.starts[:-1][asked]]
    copies = Pairs(np.repeat(first, np.diff(rows.starts)), rows.rows, np.zeros(len(rows.rows), np.int64))
    copies = _chosen(copies, copies.left != copies.right)
    packing = Packing(len(hashes))
    links = _upright(Pairs(first[links.left], first[links.right], links.hamming_bits))
    return packing.unpack(np.sort(np.concatenate([packing.pack(copies), packing.pack(links)])))


def clusters(count: int, *pairs: Pairs) -> NDArray[np.int64]:
    """Connected components: rows joined by any chain of pairs share a label.

    Args:
        count: number of rows.
        pairs: pairs by any criteria; they are united.

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
    first[labels[::-1]] = np.arange(count)[::-1]  # of several rows the last one written stays: the first
    beginning = np.zeros(count, np.int64)
    beginning[first[labels]] = 1
    return (np.cumsum(beginning) - 1)[first[labels]]


class _Held:
    """Pairs of ranks as they are found; those that are not wanted are dropped whenever many have come."""

    def __init__(self, ranks: int, wanted: Callable[[Pairs], Pairs] | None = None) -> None:
        self._packing = Packing(ranks)
        self._wanted = wanted
        self._parts: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        self._count, self._limit = 0, HELD_PAIRS

    def take(self, found: Pairs) -> None:
        """Hold some more."""
        self._parts.append(self._packing.pack(found))
        self._count += len(found.left)
        if self._wanted is not None and self._count > self._limit:
            self._parts = [self._packing.pack(self.pairs())]
            self._count = len(self._parts[0])
            self._limit = max(HELD_PAIRS, 2 * self._count)

    def pairs(self) -> Pairs:
        """Those that are wanted."""
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
    advance: Advance | None,
) -> Neighbours:
    """The nearest, and how many there are, where they are to be counted."""
    left, right = spread(left), spread(right)
    ours, theirs = Distinct.of(left), Distinct.of(right)
    held = _Held(len(theirs.hashes), None if most is None else lambda pairs: _nearest(pairs, theirs, most))
    counts = np.zeros(len(ours.hashes), np.int64)

    def take(found: Pairs) -> None:
        if counted:
            np.add.at(counts, found.left, theirs.sizes[found.right])
        held.take(found)

    _search(Search(ours.hashes, theirs.hashes, radius, False), take, len(left), workers, advance)
    found = held.pairs()
    taken = theirs.sizes[found.right]
    if most is not None:
        taken = np.minimum(taken, most - _before(found, taken))
    pairs = _in_rows(
        found,
        taken,
        left=Rows.of(left, ours, _present(ours, found.left)),
        right=Rows.of(right, theirs, _present(theirs, found.right)),
        count=len(right),
    )
    return Neighbours(pairs, counts[np.searchsorted(ours.hashes, left)] if counted else counts)


def _search(what: Search, take: Callable[[Pairs], None], rows: int, workers: int, advance: Advance | None) -> None:
    """Search, with progress told in whole rows."""
    done, told = 0.0, 0

    def tell(share: float) -> None:
        nonlocal done, told
        done += share
        further = min(rows, int(done * rows)) - told
        if further and advance is not None:
            told += further
            advance(further)

    search(what, take, workers=workers, advance=None if advance is None else tell)
    if advance is not None and told < rows:
        advance(rows - told)


def _in_rows(
    found: Pairs,
    taken: NDArray[np.int64],
    *,
    left: Rows,
    right: Rows,
    count: int,
    wanted: Callable[[Pairs], Pairs] = lambda pairs: pairs,
) -> Pairs:
    """Pairs of ranks as pairs of rows in order, made part by part so that memory is that of the outcome.

    Args:
        taken: how many right rows of each pair are wanted.
        count: number of right rows.
        wanted: what is kept of a part, and how its pairs are turned.
    """
    packing = Packing(count)
    ends = np.cumsum(np.diff(left.starts)[found.left] * taken)
    total = int(ends[-1]) if len(ends) else 0
    cuts = np.searchsorted(ends, np.arange(EXPANDED_PAIRS, total, EXPANDED_PAIRS), "right")
    parts = [np.empty(0, np.int64)]
    for first, last in pairwise(sorted({0, *cuts.tolist(), len(ends)})):
        part = slice(first, last)
        rows = expanded(Pairs(*(column[part] for column in found)), taken[part], left=left, right=right)
        parts.append(packing.pack(wanted(rows)))
    packed = np.concatenate(parts)
    del parts
    packed.sort()
    return packing.unpack(packed)


def _nearest(pairs: Pairs, right: Distinct, most: int) -> Pairs:
    """Of each left hash the nearest, until they stand for `most` right rows; in order of left, distance, right hash."""
    pairs = _chosen(pairs, np.lexsort((gathered(right.hashes[pairs.right]), pairs.hamming_bits, pairs.left)))
    return _chosen(pairs, _before(pairs, right.sizes[pairs.right]) < most)


def _before(pairs: Pairs, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many right rows the pairs before each pair of its left hash stand for."""
    before = np.cumsum(sizes) - sizes
    first = np.flatnonzero(np.diff(pairs.left, prepend=-1))
    return before - np.repeat(before[first], np.diff(first, append=len(before)))


def _forest(pairs: Pairs, count: int) -> Pairs:
    """The minimum spanning forest of pairs by distance, of equal ones by left, then right; so that there is only one."""
    pairs = _chosen(pairs, np.lexsort((pairs.right, pairs.left, pairs.hamming_bits)))
    place = np.arange(1.0, len(pairs.left) + 1)  # no two weigh the same, and none weighs nothing
    graph = coo_array((place, (pairs.left, pairs.right)), shape=(count, count)).tocsr()
    kept = minimum_spanning_tree(graph, overwrite=True).data.astype(np.int64) - 1
    return _chosen(pairs, np.sort(kept))


def _upright(pairs: Pairs) -> Pairs:
    """Each pair with the lower row on the left."""
    return Pairs(np.minimum(pairs.left, pairs.right), np.maximum(pairs.left, pairs.right), pairs.hamming_bits)


def _chosen(pairs: Pairs, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Pairs:
    return Pairs(*(column[rows] for column in pairs))


def _present(distinct: Distinct, *ranks: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which ranks occur; bool (distinct,)."""
    present = np.zeros(len(distinct.hashes), np.bool_)
    for some in ranks:
        present[some] = True
    return present
