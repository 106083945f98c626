"""Exact search of hashes within a Hamming radius: by multi-index hashing, or by brute force where that is cheaper.

Bits are parted into bands, each with a radius of its own; two hashes within the whole radius are within a band's radius in at
least one band. A band's table lists hashes by the band's bits; a query looks up its own bits with every choice of few of them
flipped, and what it finds there is compared in full. Nothing is approximate, and a pair that several bands find comes once,
from the first of them.

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

from arena.dataset.hamming.bands import FLIPS, HASH_BITS, LOOK_UPS, Band, choose_bands

Hashes = NDArray[np.uint64]
"""Perceptual hashes, (n,)."""

Ranks = NDArray[np.int64]
"""Places in an array, (n,)."""

QUERIES = 1 << 16
"""Queries that one thread puts in a band's order and looks up."""

TILE_ROWS, TILE_COLUMNS = 64, 2048
"""Hashes compared all with all at a time; 1 MiB of differences stays in the second cache."""

TILED_PAIRS = 4096
"""Queries of one key times the hashes there, from which on they are compared as tiles."""

FEW_QUERIES = 1024
"""Below so many queries a round of calls costs more than to list what they have yet to be compared with."""

CANDIDATES = 1 << 20
"""Candidates listed at a time."""

START_BITS = 32
START = (1 << START_BITS) - 1
"""Where a bucket begins and how many it holds are one number: one look-up instead of two."""


class Pairs(NamedTuple):
    """Rows that lie within the radius of each other, with their Hamming distance in bits; all (k,)."""

    left: Ranks
    right: Ranks
    hamming_bits: NDArray[np.int64]


class Search(NamedTuple):
    """What one search looks for."""

    left: Hashes
    """Distinct, ascending."""
    right: Hashes
    """Distinct, ascending; `left` itself where `within`."""
    radius: int
    """Of the whole hash, in bits."""
    within: bool
    """One set against itself, each pair once with `left < right`."""


@dataclass(frozen=True)
class Table:
    """Hashes in order of a band's bits.

    Attributes:
        hashes: uint64 (n,), ascending; turned so that the band's bits are the highest.
        buckets: int64 (2 ** width,), for each value of the band's bits where it begins, plus 2 ** 32 times how many share it.
        fullest: most hashes that share a value.
        before: bits of every earlier band, turned likewise, and its radius.
    """

    band: Band
    hashes: Hashes
    buckets: NDArray[np.int64]
    fullest: int
    before: tuple[tuple[np.uint64, int], ...]

    @staticmethod
    def of(hashes: Hashes, bands: tuple[Band, ...], number: int) -> "Table":
        """The table of one of the bands, of hashes in ascending order."""
        band = bands[number]
        ordered = np.sort(turned(hashes, band.offset)) if band.offset else hashes
        sizes = np.bincount(keys(ordered, band.width), minlength=1 << band.width)
        fullest = int(sizes.max())
        buckets = np.cumsum(sizes)
        buckets -= sizes
        sizes <<= START_BITS
        buckets |= sizes
        before = tuple((turned(np.array([b.bits()]), band.offset)[0], b.radius) for b in bands[:number])
        return Table(band, ordered, buckets, fullest, before)


@dataclass(frozen=True)
class Queries:
    """Some hashes in order of a band's bits, each as `Table` has them.

    Attributes:
        hashes: uint64 (q,), ascending.
        keys: int64 (q,), the band's bits.
        ranks: int64 (q,), which hash of the left side each is.
    """

    hashes: Hashes
    keys: NDArray[np.int64]
    ranks: Ranks

    @staticmethod
    def of(hashes: Hashes, first: int, band: Band) -> "Queries":
        """Queries from a slice of the left side that begins at `first`."""
        own = turned(hashes, band.offset)
        order = np.argsort(own)
        return Queries(own[order], keys(own[order], band.width), order + first)

    def parts(self, count: int) -> "Iterator[Queries]":
        """So many at a time."""
        for first in range(0, len(self.keys), count):
            part = slice(first, first + count)
            yield Queries(self.hashes[part], self.keys[part], self.ranks[part])

    def alike(self) -> NDArray[np.int64]:
        """How many share its key at the first of each key, 0 at the others; int64 (q,)."""
        first = np.flatnonzero(np.diff(self.keys, prepend=-1))
        counts = np.zeros(len(self.keys), np.int64)
        counts[first] = np.diff(first, append=len(self.keys))
        return counts


def turned(hashes: Hashes, bits: int) -> Hashes:
    """Hashes rotated to the left; distances between hashes turned alike stay.

    >>> [hex(value) for value in turned(np.array([0x8000000000000001], np.uint64), 4)]
    ['0x18']
    """
    return (hashes << np.uint64(bits)) | (hashes >> np.uint64(HASH_BITS - bits)) if bits % HASH_BITS else hashes


def keys(hashes: Hashes, width: int) -> NDArray[np.int64]:
    """The highest `width` bits of each hash; width is less than 64."""
    if width == 0:
        return np.zeros(len(hashes), np.int64)
    return (hashes >> np.uint64(HASH_BITS - width)).view(np.int64)


def search(
    what: Search,
    take: Callable[[Pairs], None],
    *,
    bands: tuple[Band, ...] | None = None,
    workers: int = 1,
    advance: Callable[[float], None] | None = None,
) -> None:
    """Hand every pair within the radius to `take`, part by part, in no order; it is called by one thread at a time.

    Memory is bounded by the tables, which take about twice the memory of the right side for each band.

    Args:
        bands: what the tables are ordered by; None for what takes the least time.
        workers: threads.
        advance: told each further share of the work; all shares add up to 1.
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
        for table, own in zip(tables, flips, strict=True):
            for queries, flipped in _rounds(Queries.of(part, first, table.band), own):
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
            tables = list(pool.map(partial(Table.of, what.right, bands), range(len(bands))))
            for _ in pool.map(look_up, range(0, len(what.left), step)):
                pass
        except BaseException:
            stopped.set()
            pool.shutdown(cancel_futures=True)
            raise


def _rounds(queries: Queries, flips: NDArray[np.int64]) -> Iterator[tuple[Queries, NDArray[np.int64]]]:
    """Queries and flips whose every combination is looked up at a time."""
    together = min(FLIPS, len(flips))
    for part in queries.parts(LOOK_UPS // together):
        for first in range(0, len(flips), together):
            yield part, flips[first : first + together]


def _found(what: Search, table: Table, queries: Queries, flips: NDArray[np.int64]) -> Iterator[Pairs]:
    """Pairs whose bits in the table's band differ by exactly one of `flips`."""
    bucket = table.buckets.take(queries.keys ^ flips[:, None])
    start, size = bucket & START, bucket >> START_BITS
    if what.within:  # either of two keys finds the other: the one without the highest flipped bit looks
        size *= (queries.keys & _highest_bit(flips)[:, None]) == 0
    alike = queries.alike()
    if table.fullest * int(alike.max()) >= TILED_PAIRS:
        tiled = np.flatnonzero(size * alike >= TILED_PAIRS)
        for flip, row in zip(*(axis.tolist() for axis in np.divmod(tiled, len(alike))), strict=True):
            group = slice(row, row + int(alike[row]))
            first = int(start[flip, row])
            there = table.hashes[first : first + int(size[flip, row])]
            for who, place in _tiles(queries.hashes[group], there, what.radius):
                yield _named(what, table, queries, who + row, place + first)
            size[flip, group] = 0
    asked = np.broadcast_to(queries.hashes, size.shape).ravel()
    for who, place in _compared(asked, table.hashes, start.ravel(), size.ravel(), what.radius):
        yield _named(what, table, queries, who % len(alike), place)


def _compared(queries: Hashes, hashes: Hashes, start: Ranks, size: Ranks, radius: int) -> Iterator[tuple[Ranks, Ranks]]:
    """Which query lies within the radius of which hash, where query i is compared with `size[i]` hashes from `start[i]` on.

    All are compared with their first, then all with their second, and so on. One that has no more is compared in vain, which
    costs less than to leave it out, until they are half of all. What remains of few is listed.
    """
    who = np.arange(len(size))
    done = 0
    while True:
        if 2 * np.count_nonzero(size > done) < len(size):
            rest = np.flatnonzero(size > done)
            who, queries, start, size = who[rest], queries[rest], start[rest], size[rest]
        if len(who) < FEW_QUERIES:
            break
        near = np.flatnonzero(np.bitwise_count(queries ^ hashes.take(start, mode="clip")) <= radius)
        near = near[size[near] > done]
        if len(near):
            yield who[near], start[near]
        start = start + 1
        done += 1
    for which, place in _listed(start, np.maximum(size - done, 0)):
        near = np.flatnonzero(np.bitwise_count(queries[which] ^ hashes[place]) <= radius)
        if len(near):
            yield who[which[near]], place[near]


def _listed(start: Ranks, size: Ranks) -> Iterator[tuple[Ranks, Ranks]]:
    """Each query with each place that it must look at, about `CANDIDATES` at a time."""
    ends = np.cumsum(size)
    total = int(ends[-1]) if len(ends) else 0
    cuts = np.searchsorted(ends, np.arange(CANDIDATES, total, CANDIDATES), "right").tolist()
    for first, last in pairwise(sorted({0, *cuts, len(size)})):
        own = size[first:last]
        who = np.repeat(np.arange(first, last), own)
        yield who, np.arange(len(who)) + np.repeat(start[first:last] - np.cumsum(own) + own, own)


def _tiles(left: Hashes, right: Hashes, radius: int) -> Iterator[tuple[Ranks, Ranks]]:
    """Which of the left lies within the radius of which of the right, all compared with all."""
    for top in range(0, len(left), TILE_ROWS):
        rows = left[top : top + TILE_ROWS, None]
        for first in range(0, len(right), TILE_COLUMNS):
            columns = right[None, first : first + TILE_COLUMNS]
            near = np.flatnonzero(np.bitwise_count(rows ^ columns) <= radius)
            if len(near):
                who, place = np.divmod(near, columns.shape[1])
                yield who + top, place + first


def _named(what: Search, table: Table, queries: Queries, who: Ranks, place: Ranks) -> Pairs:
    """Hashes found near each other as pairs of ranks, without those that an earlier band finds."""
    other = table.hashes[place]
    differing = queries.hashes[who] ^ other
    fresh = np.ones(len(who), np.bool_)
    for bits, radius in table.before:
        fresh &= np.bitwise_count(differing & bits) > radius
    left = queries.ranks[who[fresh]]
    right = np.searchsorted(what.right, turned(other[fresh], HASH_BITS - table.band.offset))
    bits = np.bitwise_count(differing[fresh]).astype(np.int64)
    if not what.within:
        return Pairs(left, right, bits)
    # Two of one key find each other; of two keys only one finds the other, whichever rank is lower.
    once = (left < right) | (keys(differing[fresh], table.band.width) != 0)
    return Pairs(np.minimum(left, right)[once], np.maximum(left, right)[once], bits[once])


def _highest_bit(flips: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.array([1 << flip.bit_length() >> 1 for flip in flips.tolist()], np.int64)
