"""Exact search of hashes within a Hamming radius: by multi-index hashing, or by brute force where that is cheaper.

Bits are parted into bands, each with a radius of its own, so that the sum of these radii plus one is the whole radius plus
one. Two hashes within the whole radius are then within a band's radius in at least one band. A band's table lists hashes by
the band's bits; a query looks up its own bits with every choice of few of them flipped, and what it finds there is compared
in full. Nothing is approximate, and a pair that several bands find comes once, from the first of them.

Source: Norouzi, Punjani, Fleet: Fast Search in Hamming Space with Multi-Index Hashing, CVPR 2012.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import combinations, pairwise
from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
"""Perceptual hashes, (n,)."""

HASH_BITS = 64

WIDEST_BAND = 24
"""Bits of a band; the table of 24 bits takes 128 MiB."""

MOST_BANDS = 8
"""More, and so narrower, bands find too much to compare at any radius where brute force is not cheaper."""

COMPARE_SECONDS = 0.6e-9
CANDIDATE_SECONDS = 20e-9
PROBE_SECONDS = 8e-9
SORT_SECONDS = 40e-9
KEY_SECONDS = 5e-9
CALLS_SECONDS = 60e-6
"""What one pair in a tile, one candidate, one look-up, one row of a table, one key of it and one round of numpy calls take;
only their ratios matter, and only for the choice of bands."""

QUERIES = 1 << 16
"""Queries looked up at a time by one thread."""

TILE_ROWS, TILE_COLUMNS = 64, 2048
"""Hashes compared all with all at a time; 1 MiB of differences stays in the second cache."""

TILED_PAIRS = 4096
"""Queries of one key times what lies there, from which on they are compared as tiles."""

FEW_QUERIES = 1024
"""Below so many queries a round of calls costs more than to list what they have yet to be compared with."""

START_BITS = 32
START = (1 << START_BITS) - 1
"""Where a bucket begins and how many it holds in one number: one look-up instead of two."""

CANDIDATES = 1 << 20
"""Candidates listed at a time."""


class Pairs(NamedTuple):
    """Rows that lie within the radius of each other, with their Hamming distance in bits; all (k,)."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    hamming_bits: NDArray[np.int64]


class Band(NamedTuple):
    """Bits that a table is ordered by."""

    offset: int
    """Bits above it."""
    width: int
    radius: int
    """Bits that may differ within the band."""


@dataclass(frozen=True)
class Table:
    """Hashes in order of a band's bits.

    Attributes:
        hashes: uint64 (n,), ascending; turned so that the band's bits are the highest.
        buckets: int64 (2 ** width,), for each value of the band's bits where it begins, and 2 ** 32 times how many share it.
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
        before = tuple((turned(_bits(b), band.offset)[0], b.radius) for b in bands[:number])
        return Table(band, ordered, buckets, fullest, before)


@dataclass(frozen=True)
class Queries:
    """Some hashes in order of a band's bits, each as `Table` has them.

    Attributes:
        hashes: uint64 (q,), ascending.
        keys: int64 (q,), the band's bits.
        ranks: int64 (q,), which hash of the left side each is.
        alike: int64 (q,), how many queries share its key.
    """

    hashes: Hashes
    keys: NDArray[np.int64]
    ranks: NDArray[np.int64]
    alike: NDArray[np.int64]

    @staticmethod
    def of(hashes: Hashes, first: int, band: Band) -> "Queries":
        """Queries from a slice of the left side that begins at `first`."""
        own = turned(hashes, band.offset)
        order = np.argsort(own)
        own = own[order]
        key = keys(own, band.width)
        runs = np.diff(np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1], [True]])))
        return Queries(own, key, order + first, np.repeat(runs, runs))

    def without(self, bit: int) -> "Queries":
        """Those whose key lacks a bit; all of one key stay or go together."""
        rows = np.flatnonzero((self.keys & bit) == 0)
        return Queries(self.hashes[rows], self.keys[rows], self.ranks[rows], self.alike[rows])


class Search(NamedTuple):
    """What one search looks for.

    Attributes:
        left: uint64, distinct, ascending.
        right: uint64, distinct, ascending; `left` itself where `within`.
        radius: of the whole hash, in bits.
        within: one set against itself, each pair once with `left < right`.
    """

    left: Hashes
    right: Hashes
    radius: int
    within: bool


def turned(hashes: Hashes, bits: int) -> Hashes:
    """Hashes rotated to the left; distances between hashes turned alike stay.

    >>> [hex(value) for value in turned(np.array([0x8000000000000001], np.uint64), 4)]
    ['0x18']
    """
    return (hashes << np.uint64(bits)) | (hashes >> np.uint64(HASH_BITS - bits)) if bits else hashes


def keys(hashes: Hashes, width: int) -> NDArray[np.int64]:
    """The highest `width` bits of each hash."""
    if width == 0:
        return np.zeros(len(hashes), np.int64)
    return (hashes >> np.uint64(HASH_BITS - width)).view(np.int64)


def choose_bands(left: int, right: int, radius: int) -> tuple[Band, ...]:
    """The bands that find every pair within the radius in the least estimated time.

    A single band of no bits means brute force.

    Args:
        left: number of queries.
        right: number of hashes in each table.

    >>> [(band.width, band.radius) for band in choose_bands(32_768, 4_000_000, 8)]
    [(21, 2), (21, 2), (21, 2)]
    >>> choose_bands(100, 100, 8)
    (Band(offset=0, width=0, radius=0),)
    """
    best, least = (Band(0, 0, 0),), left * right * COMPARE_SECONDS
    for count in range(1, min(radius + 1, MOST_BANDS) + 1):
        own, wider = divmod(radius + 1, count)
        for wide in range(1, WIDEST_BAND + 1) if wider else [0]:
            for narrow in range(1, WIDEST_BAND + 1):
                if wide * wider + narrow * (count - wider) > HASH_BITS:
                    break
                seconds = wider * _seconds(left, right, wide, own) if wider else 0.0
                seconds += (count - wider) * _seconds(left, right, narrow, own - 1)
                if seconds < least:
                    least = seconds
                    best = _laid_out([(wide, own)] * wider + [(narrow, own - 1)] * (count - wider))
    return best


def search(
    what: Search, take: Callable[[Pairs], None], *, workers: int = 1, advance: Callable[[float], None] | None = None
) -> None:
    """Hand every pair within the radius to `take`, a part at a time, in no order; `take` is called by one thread at a time.

    Args:
        workers: threads.
        advance: told the share of the work that is done, each time some is.
    """
    if not len(what.left) or not len(what.right):
        return
    bands = choose_bands(len(what.left), len(what.right), what.radius)
    tables = [Table.of(what.right, bands, number) for number in range(len(bands))]
    masks = [_masks(band) for band in bands]
    step = TILE_ROWS * 4 if bands[0].width == 0 else min(QUERIES, -(-len(what.left) // workers))
    rounds = sum(map(len, masks)) * -(-len(what.left) // step)
    lock = threading.Lock()

    def look_up(first: int) -> None:
        for table, flips in zip(tables, masks, strict=True):
            queries = Queries.of(what.left[first : first + step], first, table.band)
            for flip in flips:
                for found in _found(what, table, queries, flip):
                    with lock:
                        take(found)
                if advance is not None:
                    with lock:
                        advance(1 / rounds)

    starts = range(0, len(what.left), step)
    if workers == 1:
        for first in starts:
            look_up(first)
        return
    with ThreadPoolExecutor(workers) as pool:
        try:
            for _ in pool.map(look_up, starts):
                pass
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _found(what: Search, table: Table, queries: Queries, flip: int) -> Iterator[Pairs]:
    """Pairs whose bits in the table's band differ by exactly `flip`."""
    if what.within and flip:  # either of two keys finds the other: the one without the highest flipped bit looks
        queries = queries.without(1 << (flip.bit_length() - 1))
    bucket = table.buckets.take(queries.keys ^ flip)
    start = bucket & START
    size = bucket >> START_BITS
    name = partial(_named, what, table, queries)
    if len(size) and table.fullest * int(queries.alike.max()) >= TILED_PAIRS:
        tiled = size * queries.alike >= TILED_PAIRS
        rows = np.flatnonzero(tiled)
        for row in rows[np.diff(queries.keys[rows], prepend=-1) != 0].tolist():
            group = slice(row, row + int(queries.alike[row]))
            there = table.hashes[start[row] : start[row] + size[row]]
            for who, place in _tiles(queries.hashes[group], there, what.radius):
                yield name(who + row, place + start[row])
        size[tiled] = 0
    for who, place in _candidates(queries.hashes, table.hashes, start, size, what.radius):
        yield name(who, place)


def _candidates(
    queries: Hashes, hashes: Hashes, start: NDArray[np.int64], size: NDArray[np.int64], radius: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Which query lies within the radius of which hash, each compared with its bucket.

    First all with the first of their bucket, then with the second: a bucket that has none gives a comparison in vain, which
    costs less than to leave it out. Once half are through, they are left out; what then remains of few is listed.
    """
    who = np.arange(len(size))
    done = 0
    while len(who) >= FEW_QUERIES:
        bits = np.bitwise_count(queries ^ hashes.take(start, mode="clip"))
        near = np.flatnonzero(bits <= radius)
        near = near[size[near] > done]
        if len(near):
            yield who[near], start[near]
        done += 1
        rest = np.flatnonzero(size > done)
        if 2 * len(rest) < len(who):
            who, queries, start, size = who[rest], queries[rest], start[rest], size[rest]
        start = start + 1
    for asking, place in _listed(start, np.maximum(size - done, 0)):
        bits = np.bitwise_count(queries[asking] ^ hashes[place])
        near = np.flatnonzero(bits <= radius)
        if len(near):
            yield who[asking[near]], place[near]


def _tiles(
    left: Hashes, right: Hashes, radius: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows within the radius of two sets that are compared all with all."""
    for top in range(0, len(left), TILE_ROWS):
        rows = left[top : top + TILE_ROWS, None]
        for first in range(0, len(right), TILE_COLUMNS):
            columns = right[None, first : first + TILE_COLUMNS]
            near = np.flatnonzero(np.bitwise_count(rows ^ columns) <= radius)
            if len(near):
                who, place = np.divmod(near, columns.shape[1])
                yield who + top, place + first


def _listed(
    start: NDArray[np.int64], size: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Each query with each place that it must look at, about `CANDIDATES` of them at a time."""
    ends = np.cumsum(size)
    total = int(ends[-1]) if len(ends) else 0
    cuts = np.searchsorted(ends, np.arange(CANDIDATES, total, CANDIDATES), "right").tolist()
    for first, last in pairwise(sorted({0, *cuts, len(size)})):
        own = size[first:last]
        who = np.repeat(np.arange(first, last), own)
        before = start[first:last] - np.cumsum(own) + own
        yield who, np.arange(len(who)) + np.repeat(before, own)


def _named(what: Search, table: Table, queries: Queries, who: NDArray[np.int64], place: NDArray[np.int64]) -> Pairs:
    """Candidates within the radius as pairs of ranks, without those that an earlier band finds."""
    other = table.hashes[place]
    differing = queries.hashes[who] ^ other
    fresh = np.ones(len(who), np.bool_)
    for bits, radius in table.before:
        fresh &= np.bitwise_count(differing & bits) > radius
    who, other, differing = who[fresh], other[fresh], differing[fresh]
    left = queries.ranks[who]
    right = np.searchsorted(what.right, turned(other, (HASH_BITS - table.band.offset) % HASH_BITS))
    pairs = Pairs(left, right, np.bitwise_count(differing).astype(np.int64))
    if not what.within:
        return pairs
    # Two of one key find each other; of two keys one finds the other, in whichever order their ranks are.
    both = (differing >> np.uint64(HASH_BITS - table.band.width)) == 0 if table.band.width else np.True_
    once = (left < right) | (~both & (left != right))
    return Pairs(np.minimum(left, right)[once], np.maximum(left, right)[once], pairs.hamming_bits[once])


def _masks(band: Band) -> list[int]:
    """Every choice of at most `band.radius` bits of the band."""
    return [
        sum(1 << bit for bit in chosen)
        for count in range(min(band.radius, band.width) + 1)
        for chosen in combinations(range(band.width), count)
    ]


def _bits(band: Band) -> Hashes:
    """The band's bits within the hash, (1,)."""
    return np.array([((1 << band.width) - 1) << (HASH_BITS - band.offset - band.width)], np.uint64)


def _laid_out(shapes: list[tuple[int, int]]) -> tuple[Band, ...]:
    """Bands one below the other, from the highest bit."""
    offsets = np.cumsum([0, *(width for width, _ in shapes)]).tolist()
    return tuple(Band(offset, width, radius) for offset, (width, radius) in zip(offsets, shapes, strict=False))


def _seconds(left: int, right: int, width: int, radius: int) -> float:
    """What a band costs, for hashes that are spread evenly."""
    flips = sum(comb(width, bits) for bits in range(radius + 1))
    shared = right / 2**width
    tiled = COMPARE_SECONDS + CALLS_SECONDS / max(1.0, min(left, QUERIES) / 2**width * shared)
    look_ups = flips * left * (PROBE_SECONDS + shared * min(CANDIDATE_SECONDS, tiled))
    return right * SORT_SECONDS + 2**width * KEY_SECONDS + flips * -(-left // QUERIES) * CALLS_SECONDS + look_ups
