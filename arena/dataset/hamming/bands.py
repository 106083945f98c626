"""Which bits of a hash the tables of a multi-index search are ordered by, so that it takes the least time."""

from itertools import combinations
from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

HASH_BITS = 64

WIDEST_BAND = 24
"""Bits of a band; the table of 24 bits takes 128 MiB for its keys."""

MOST_BANDS = 8
"""More bands, narrower ones, find so much to compare that brute force is cheaper."""

COMPARE_SECONDS = 0.6e-9
CANDIDATE_SECONDS = 7e-9
LOOK_UP_SECONDS = 12e-9
ROW_SECONDS = 25e-9
KEY_SECONDS = 6e-9
CALLS_SECONDS = 60e-6
"""What two hashes in a tile, one candidate, one look-up, a row and a key of a table, and a round of numpy calls take. Only
their ratios matter, and only for the choice of bands."""

LOOK_UPS = 1 << 15
"""Look-ups of a round: with their hashes they stay in the second cache."""

FLIPS = 32
"""Choices of flipped bits in a round, at most. Few queries with many flips touch less memory than the other way round: of
32,768 queries against 4 million, rounds of 1,024 queries take 0.55 times as long as rounds of all."""


class Band(NamedTuple):
    """Bits that a table is ordered by."""

    offset: int
    """Bits above it."""
    width: int
    radius: int
    """Bits that may differ within the band."""

    def flips(self) -> NDArray[np.int64]:
        """Every choice of at most `radius` of its bits, ascending, so that neighbours share their high bits.

        >>> Band(0, 3, 1).flips()
        array([0, 1, 2, 4])
        """
        chosen = [
            sum(1 << bit for bit in bits)
            for count in range(min(self.radius, self.width) + 1)
            for bits in combinations(range(self.width), count)
        ]
        return np.sort(np.array(chosen, np.int64))

    def bits(self) -> np.uint64:
        """The band's bits within the hash."""
        return np.uint64(((1 << self.width) - 1) << (HASH_BITS - self.offset - self.width))


SPREAD = [bit for first in range(3) for bit in range(first, HASH_BITS, 3)]
"""Which bit, counted from the highest, comes to each place: every third. Bits beside each other come from frequencies or pixels
beside each other and agree often: of drawings, half again as many pHashes share a band of 21 bits in a row, twice as many
dHashes."""

BYTES = HASH_BITS // 8
SPREAD_HASHES = 1 << 16
"""Hashes spread at a time; they stay in the second cache."""

BRUTE_FORCE: tuple[Band, ...] = (Band(0, 0, 0),)
"""A band of no bits: every hash has the same key, so that all are compared with all."""


def choose_bands(left: int, right: int, radius: int) -> tuple[Band, ...]:
    """The bands that find every pair within the radius in the least estimated time, by brute force where that is least.

    The bands' radii plus one add up to `radius` plus one: where every band differs by more than its own radius, the whole
    differs by more than `radius`. Estimates take hashes to be spread evenly.

    Args:
        left: number of queries.
        right: number of hashes in each table.
        radius: of the whole hash.

    >>> [(band.width, band.radius) for band in choose_bands(32_768, 4_000_000, 8)]
    [(21, 2), (21, 2), (21, 2)]
    >>> choose_bands(100, 100, 8) == BRUTE_FORCE
    True
    """
    best, least = BRUTE_FORCE, left * right * COMPARE_SECONDS
    for count in range(1, min(radius + 1, MOST_BANDS) + 1):
        own, wider = divmod(radius + 1, count)
        for wide in range(1, WIDEST_BAND + 1) if wider else [0]:
            for narrow in range(1, WIDEST_BAND + 1):
                if wide * wider + narrow * (count - wider) > HASH_BITS:
                    break
                seconds = (count - wider) * _seconds(left, right, width=narrow, radius=own - 1)
                seconds += wider * _seconds(left, right, width=wide, radius=own)
                if seconds < least:
                    least, best = seconds, _laid_out([(wide, own)] * wider + [(narrow, own - 1)] * (count - wider))
    return best


def spread(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Hashes with their bits in another order, that of `SPREAD`; distances stay.

    >>> [hex(value) for value in spread(np.array([1 << 63, 1 << 60, 1 << 62], np.uint64))]
    ['0x8000000000000000', '0x4000000000000000', '0x20000000000']
    """
    return _moved(hashes, SPREAD)


def gathered(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """What `spread` made of hashes turned back into them."""
    return _moved(hashes, np.argsort(SPREAD).tolist())


def _moved(hashes: NDArray[np.uint64], order: list[int]) -> NDArray[np.uint64]:
    """Hashes with bit `order[i]` at place i, both from the highest; a byte at a time, by a table."""
    values = np.arange(256, dtype=np.uint64)
    tables = np.zeros((BYTES, 256), np.uint64)
    for place, bit in enumerate(order):
        byte, inside = divmod(bit, 8)
        tables[byte] |= ((values >> np.uint64(7 - inside)) & np.uint64(1)) << np.uint64(HASH_BITS - 1 - place)
    moved = np.zeros(len(hashes), np.uint64)
    for start in range(0, len(hashes), SPREAD_HASHES):
        part = slice(start, start + SPREAD_HASHES)
        for byte, table in enumerate(tables):
            moved[part] |= table[(hashes[part] >> np.uint64(8 * (BYTES - 1 - byte))) & np.uint64(255)]
    return moved


def _seconds(left: int, right: int, *, width: int, radius: int) -> float:
    """What one band costs."""
    flips = sum(comb(width, bits) for bits in range(radius + 1))
    buckets = 1 << width
    rounds = -(-flips // FLIPS) * -(-left // (LOOK_UPS // min(FLIPS, flips)))
    return (
        right * ROW_SECONDS
        + buckets * KEY_SECONDS
        + rounds * CALLS_SECONDS
        + flips * left * (LOOK_UP_SECONDS + right / buckets * CANDIDATE_SECONDS)
    )


def _laid_out(shapes: list[tuple[int, int]]) -> tuple[Band, ...]:
    """Bands of a width and a radius, one below the other from the highest bit."""
    offsets = np.cumsum([0, *(width for width, _ in shapes)]).tolist()
    return tuple(Band(offset, *shape) for offset, shape in zip(offsets, shapes, strict=False))
