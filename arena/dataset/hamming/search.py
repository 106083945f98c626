"""Exact search for hashes within a Hamming radius, by multi-index hashing or, if it is faster, by brute force.

The bits are divided into bands, each with its own radius. Two hashes within the search radius are within the band's radius in
at least one band. The table of a band is sorted by the bits of the band. A query looks up its own bits with every choice of up
to the band's radius of them flipped, and the candidates found there are compared in full. The result is exact, and a pair that
several bands find is reported once, by the first of them.

Source: Norouzi, Punjani, Fleet: Fast Search in Hamming Space with Multi-Index Hashing, CVPR 2012.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.dataset.hamming.bands import FLIPS, HASH_BITS, LOOK_UPS, BitBand, choose_bands

Hashes = NDArray[np.uint64]
"""Perceptual hashes, (n,)."""

Ranks = NDArray[np.int64]
"""Indices into an array, (n,)."""

QUERIES = 1 << 16
"""Queries that one thread sorts by a band's bits and looks up at a time."""

TILE_ROWS, TILE_COLUMNS = 64, 2048
"""Shape of a tile, in which all hashes are compared with all; its 1 MiB of differences fits in the L2 cache."""

TILED_PAIRS = 4096
"""Number of queries with one key times hashes in its bucket, from which on they are compared in tiles."""

FEW_QUERIES = 1024
"""Below this number of queries, a round of numpy calls takes longer than a list of the remaining comparisons."""

CANDIDATES = 1 << 20
"""Candidates that are listed at a time."""

START_BITS = 32
START = (1 << START_BITS) - 1
"""Mask of a bucket's start; start and size of a bucket are packed into one integer, for one look-up instead of two."""


class Pairs(NamedTuple):
    """Pairs of rows within the radius, with their Hamming distance in bits; all (k,)."""

    left: Ranks
    right: Ranks
    hamming_bits: NDArray[np.int64]


class HammingSearch(NamedTuple):
    """Input of one search."""

    left: Hashes
    """Distinct, ascending."""
    right: Hashes
    """Distinct, ascending; `left` itself where `within`."""
    radius: int
    """Of the whole hash, in bits."""
    within: bool
    """Whether one set is searched against itself; then each pair is found once, with `left < right`."""


@dataclass(frozen=True)
class _BandTable:
    """Hashes sorted by the bits of a band.

    Attributes:
        band: the band.
        hashes: uint64 (n,), ascending; rotated so that the band's bits are the highest.
        buckets: int64 (2 ** width,), for each value of the band's bits: start in `hashes`, plus 2 ** 32 times the number of
            hashes with that value.
        fullest: size of the largest bucket.
        before: mask of every earlier band, rotated in the same way, and its radius.
    """

    band: BitBand
    hashes: Hashes
    buckets: NDArray[np.int64]
    fullest: int
    before: tuple[tuple[np.uint64, int], ...]

    @staticmethod
    def of(hashes: Hashes, bands: tuple[BitBand, ...], number: int) -> "_BandTable":
        """Return the table of band `number` for hashes in ascending order."""
        band = bands[number]
        ordered = np.sort(_rotated(hashes, band.offset)) if band.offset else hashes
        sizes = np.bincount(_keys(ordered, band.width), minlength=1 << band.width)
        fullest = int(sizes.max())
        buckets = np.cumsum(sizes)
        buckets -= sizes
        sizes <<= START_BITS
        buckets |= sizes
        before = tuple((_rotated(np.array([b.bits()]), band.offset)[0], b.radius) for b in bands[:number])
        return _BandTable(band, ordered, buckets, fullest, before)


@dataclass(frozen=True)
class _BandQueries:
    """Left hashes sorted by the bits of a band, rotated as in `_BandTable`.

    Attributes:
        hashes: uint64 (q,), ascending.
        keys: int64 (q,), the band's bits.
        ranks: int64 (q,), index of each hash in `Search.left`.
    """

    hashes: Hashes
    keys: NDArray[np.int64]
    ranks: Ranks

    @staticmethod
    def of(hashes: Hashes, first: int, band: BitBand) -> "_BandQueries":
        """Return the queries of a slice of `Search.left` that begins at index `first`."""
        rotated = _rotated(hashes, band.offset)
        order = np.argsort(rotated)
        return _BandQueries(rotated[order], _keys(rotated[order], band.width), order + first)

    def parts(self, count: int) -> "Iterator[_BandQueries]":
        """Yield the queries, `count` at a time."""
        for first in range(0, len(self.keys), count):
            part = slice(first, first + count)
            yield _BandQueries(self.hashes[part], self.keys[part], self.ranks[part])

    def alike(self) -> NDArray[np.int64]:
        """Return the number of queries with the same key at the first query of each key, and 0 elsewhere; int64 (q,)."""
        first = np.flatnonzero(np.diff(self.keys, prepend=-1))
        counts = np.zeros(len(self.keys), np.int64)
        counts[first] = np.diff(first, append=len(self.keys))
        return counts


def _rotated(hashes: Hashes, bits: int) -> Hashes:
    """Return hashes rotated to the left; distances between hashes do not change.

    >>> [hex(value) for value in _rotated(np.array([0x8000000000000001], np.uint64), 4)]
    ['0x18']
    """
    return (hashes << np.uint64(bits)) | (hashes >> np.uint64(HASH_BITS - bits)) if bits % HASH_BITS else hashes


def _keys(hashes: Hashes, width: int) -> NDArray[np.int64]:
    """Return the highest `width` bits of each hash, int64 (n,); width is less than 64."""
    if width == 0:
        return np.zeros(len(hashes), np.int64)
    return (hashes >> np.uint64(HASH_BITS - width)).view(np.int64)


def search_hashes(
    what: HammingSearch,
    take: Callable[[Pairs], None],
    *,
    bands: tuple[BitBand, ...] | None = None,
    workers: int = 1,
    advance: Callable[[float], None] | None = None,
) -> None:
    """Call `take` with every pair within the radius, in parts of undefined order, from one thread at a time.

    The tables bound the memory: about twice the memory of the right hashes for each band.

    Args:
        what: the hashes and the radius.
        take: called with pairs of ranks.
        bands: bands of the tables; None for those of `choose_bands`.
        workers: number of threads.
        advance: progress callback, called with each further share of the work; the sum is 1.
    """
    if not len(what.left) or not len(what.right):
        return
    bands = bands or choose_bands(len(what.left), len(what.right), what.radius)
    flips = [band.flips() for band in bands]
    total = len(what.left) * sum(map(len, flips))
    step = min(QUERIES, -(-len(what.left) // workers))
    lock, stopped = threading.Lock(), threading.Event()

    def look_up(first: int) -> None:
        part = what.left[first : first + step]
        for table, band_flips in zip(tables, flips, strict=True):
            for queries, flipped in _rounds(_BandQueries.of(part, first, table.band), band_flips):
                if stopped.is_set():
                    return
                for found in _found(what, table, queries, flipped):
                    with lock:
                        take(found)
                if advance is not None:
                    with lock:
                        advance(len(queries.keys) * len(flipped) / total)

    with ThreadPoolExecutor(workers) as pool:
        try:
            tables = list(pool.map(partial(_BandTable.of, what.right, bands), range(len(bands))))
            for _ in pool.map(look_up, range(0, len(what.left), step)):
                pass
        except BaseException:
            stopped.set()
            pool.shutdown(cancel_futures=True)
            raise


def _rounds(queries: _BandQueries, flips: NDArray[np.int64]) -> Iterator[tuple[_BandQueries, NDArray[np.int64]]]:
    """Yield the queries and flips of each round; all their combinations are looked up together."""
    per_round = min(FLIPS, len(flips))
    for part in queries.parts(LOOK_UPS // per_round):
        for first in range(0, len(flips), per_round):
            yield part, flips[first : first + per_round]


def _found(what: HammingSearch, table: _BandTable, queries: _BandQueries, flips: NDArray[np.int64]) -> Iterator[Pairs]:
    """Yield pairs within the radius whose bits in the table's band differ by exactly one of `flips`."""
    bucket = table.buckets.take(queries.keys ^ flips[:, None])
    start, size = bucket & START, bucket >> START_BITS
    if what.within:  # two keys find each other, so only the one without the highest flipped bit looks up the other
        size *= (queries.keys & _highest_bit(flips)[:, None]) == 0
    same_key = queries.alike()
    if table.fullest * int(same_key.max()) >= TILED_PAIRS:
        tiled = np.flatnonzero(size * same_key >= TILED_PAIRS)
        for flip, row in zip(*(axis.tolist() for axis in np.divmod(tiled, len(same_key))), strict=True):
            group = slice(row, row + int(same_key[row]))
            first = int(start[flip, row])
            candidates = table.hashes[first : first + int(size[flip, row])]
            for query, place in _tiles(queries.hashes[group], candidates, what.radius):
                yield _rank_pairs(what, table, queries, query + row, place + first)
            size[flip, group] = 0
    repeated = np.broadcast_to(queries.hashes, size.shape).ravel()
    for query, place in _compared(repeated, table.hashes, start.ravel(), size.ravel(), what.radius):
        yield _rank_pairs(what, table, queries, query % len(same_key), place)


def _compared(queries: Hashes, hashes: Hashes, start: Ranks, size: Ranks, radius: int) -> Iterator[tuple[Ranks, Ranks]]:
    """Yield (query, hash) index pairs within the radius; query i is compared with `size[i]` hashes from `start[i]` on.

    First every query is compared with its first hash, then with its second, and so on. Queries without further hashes are
    compared too and ignored, which is faster than their removal; they are removed once they are more than half of all. When
    few queries are left, their remaining comparisons are listed.
    """
    index = np.arange(len(size))
    done = 0
    while True:
        if 2 * np.count_nonzero(size > done) < len(size):
            rest = np.flatnonzero(size > done)
            index, queries, start, size = index[rest], queries[rest], start[rest], size[rest]
        if len(index) < FEW_QUERIES:
            break
        near = np.flatnonzero(np.bitwise_count(queries ^ hashes.take(start, mode="clip")) <= radius)
        near = near[size[near] > done]
        if len(near):
            yield index[near], start[near]
        start = start + 1
        done += 1
    for query, place in _listed(start, np.maximum(size - done, 0)):
        near = np.flatnonzero(np.bitwise_count(queries[query] ^ hashes[place]) <= radius)
        if len(near):
            yield index[query[near]], place[near]


def _listed(start: Ranks, size: Ranks) -> Iterator[tuple[Ranks, Ranks]]:
    """Yield every (query, hash) index pair that is still to be compared, about `CANDIDATES` at a time."""
    ends = np.cumsum(size)
    total = int(ends[-1]) if len(ends) else 0
    cuts = np.searchsorted(ends, np.arange(CANDIDATES, total, CANDIDATES), "right").tolist()
    for first, last in pairwise(sorted({0, *cuts, len(size)})):
        counts = size[first:last]
        query = np.repeat(np.arange(first, last), counts)
        yield query, np.arange(len(query)) + np.repeat(start[first:last] - np.cumsum(counts) + counts, counts)


def _tiles(left: Hashes, right: Hashes, radius: int) -> Iterator[tuple[Ranks, Ranks]]:
    """Yield (left, right) index pairs within the radius; all hashes are compared with all, one tile at a time."""
    for top in range(0, len(left), TILE_ROWS):
        rows = left[top : top + TILE_ROWS, None]
        for first in range(0, len(right), TILE_COLUMNS):
            columns = right[None, first : first + TILE_COLUMNS]
            near = np.flatnonzero(np.bitwise_count(rows ^ columns) <= radius)
            if len(near):
                row, column = np.divmod(near, columns.shape[1])
                yield row + top, column + first


def _rank_pairs(what: HammingSearch, table: _BandTable, queries: _BandQueries, query: Ranks, place: Ranks) -> Pairs:
    """Return (query, table row) index pairs as pairs of ranks, without the pairs that an earlier band finds."""
    other = table.hashes[place]
    differing = queries.hashes[query] ^ other
    is_new = np.ones(len(query), np.bool_)
    for bits, radius in table.before:
        is_new &= np.bitwise_count(differing & bits) > radius
    left = queries.ranks[query[is_new]]
    right = np.searchsorted(what.right, _rotated(other[is_new], HASH_BITS - table.band.offset))
    bits = np.bitwise_count(differing[is_new]).astype(np.int64)
    if not what.within:
        return Pairs(left, right, bits)
    # Hashes with the same key find each other, so only `left < right` is kept; of different keys, only one finds the other.
    once = (left < right) | (_keys(differing[is_new], table.band.width) != 0)
    return Pairs(np.minimum(left, right)[once], np.maximum(left, right)[once], bits[once])


def _highest_bit(flips: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the highest set bit of each mask; 0 for 0."""
    return np.array([1 << flip.bit_length() >> 1 for flip in flips.tolist()], np.int64)
