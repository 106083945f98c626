"""Choose the bands of bits that index the tables of a multi-index search, for the shortest search time."""

from functools import cache
from itertools import combinations
from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

HASH_BITS = 64

_MAX_BAND_BITS = 24
"""Maximum number of bits in a band; the buckets of a 24-bit table take 128 MiB."""

_MAX_BANDS = 8
"""Maximum number of bands; more and narrower bands give so many candidates that brute force is faster."""

COMPARE_SECONDS = 0.6e-9
CANDIDATE_SECONDS = 7e-9
LOOK_UP_SECONDS = 12e-9
ROW_SECONDS = 25e-9
KEY_SECONDS = 6e-9
CALLS_SECONDS = 60e-6
"""Estimated times of one pair of hashes in a tile, one candidate, one look-up, one row of a table, one bucket of a table, and
the numpy calls of a round. Only their ratios matter, and only for the choice of bands."""

LOOK_UPS = 1 << 15
"""Look-ups per round; together with their hashes they fit in the L2 cache."""

FLIPS = 32
"""Maximum number of flips (choices of flipped bits) per round. Few queries with many flips touch less memory than many queries
with few flips: for 32,768 queries and 4 million hashes, rounds of 1,024 queries take 0.55 times as long as rounds of all."""


class BitBand(NamedTuple):
    """Adjacent bits of a hash that index a table."""

    offset: int
    """Number of bits above the band."""
    width: int
    """Number of bits in the band."""
    radius: int
    """Maximum number of bits that may differ within the band."""

    def flips(self) -> NDArray[np.int64]:
        """Return every choice of at most `radius` bits of the band as a mask; ascending, so that neighbours share high bits.

        >>> BitBand(0, 3, 1).flips()
        array([0, 1, 2, 4])
        """
        chosen = [
            sum(1 << bit for bit in bits)
            for count in range(min(self.radius, self.width) + 1)
            for bits in combinations(range(self.width), count)
        ]
        return np.sort(np.array(chosen, np.int64))

    def bits(self) -> np.uint64:
        """Return the mask of the band's bits in a hash."""
        return np.uint64(((1 << self.width) - 1) << (HASH_BITS - self.offset - self.width))


BIT_ORDER = [bit for first in range(3) for bit in range(first, HASH_BITS, 3)]
"""New bit order, every third bit: the old position of the bit at each new position, both counted from the highest.

Adjacent bits come from adjacent frequencies or pixels and are often equal. Without the new order, 1.5 times as many pHashes of
drawings, and twice as many dHashes, have the same value in a band of 21 adjacent bits.
"""

_HASH_BYTES = HASH_BITS // 8
_HASHES_PER_BLOCK = 1 << 16
"""Hashes that are reordered at a time; they fit in the L2 cache."""

BRUTE_FORCE: tuple[BitBand, ...] = (BitBand(0, 0, 0),)
"""A band of zero bits: every hash has the same key, so every query is compared with every hash."""


def choose_bands(left: int, right: int, radius: int) -> tuple[BitBand, ...]:
    """Return the bands with the shortest estimated time that find every pair within the radius; may be `BRUTE_FORCE`.

    The sum of (radius + 1) over the bands is `radius` + 1. So if every band of two hashes differs by more than its own radius,
    the hashes differ by more than `radius`. The estimate assumes uniformly distributed hashes.

    Args:
        left: number of queries.
        right: number of hashes in each table.
        radius: of the whole hash, in bits.

    >>> [(band.width, band.radius) for band in choose_bands(32_768, 4_000_000, 8)]
    [(21, 2), (21, 2), (21, 2)]
    >>> choose_bands(100, 100, 8) == BRUTE_FORCE
    True
    """
    best, least = BRUTE_FORCE, left * right * COMPARE_SECONDS
    if least <= CALLS_SECONDS:  # any other search takes longer
        return best
    for count in range(1, min(radius + 1, _MAX_BANDS) + 1):
        own, wider = divmod(radius + 1, count)
        for wide in range(1, _MAX_BAND_BITS + 1) if wider else [0]:
            for narrow in range(1, _MAX_BAND_BITS + 1):
                if wide * wider + narrow * (count - wider) > HASH_BITS:
                    break
                seconds = (count - wider) * _seconds(left, right, width=narrow, radius=own - 1)
                seconds += wider * _seconds(left, right, width=wide, radius=own)
                if seconds < least:
                    least, best = seconds, _laid_out([(wide, own)] * wider + [(narrow, own - 1)] * (count - wider))
    return best


def reorder_bits(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return hashes with their bits in the order of `BIT_ORDER`; distances do not change.

    >>> [hex(value) for value in reorder_bits(np.array([1 << 63, 1 << 60, 1 << 62], np.uint64))]
    ['0x8000000000000000', '0x4000000000000000', '0x20000000000']
    """
    return _permuted(hashes, tuple(BIT_ORDER))


def restore_bits(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the hashes from which `reorder_bits` made these; its inverse."""
    return _permuted(hashes, tuple(np.argsort(BIT_ORDER).tolist()))


def _permuted(hashes: NDArray[np.uint64], order: tuple[int, ...]) -> NDArray[np.uint64]:
    """Return hashes with bit `order[i]` at position i, both counted from the highest; one byte at a time, by a table."""
    permuted = np.zeros(len(hashes), np.uint64)
    for start in range(0, len(hashes), _HASHES_PER_BLOCK):
        part = slice(start, start + _HASHES_PER_BLOCK)
        for byte, table in enumerate(_byte_tables(order)):
            permuted[part] |= table[(hashes[part] >> np.uint64(8 * (_HASH_BYTES - 1 - byte))) & np.uint64(255)]
    return permuted


@cache
def _byte_tables(order: tuple[int, ...]) -> NDArray[np.uint64]:
    """Return what each value of each byte adds to a permuted hash, uint64 (bytes, 256)."""
    values = np.arange(256, dtype=np.uint64)
    tables = np.zeros((_HASH_BYTES, 256), np.uint64)
    for position, bit in enumerate(order):
        byte, bit_in_byte = divmod(bit, 8)
        tables[byte] |= ((values >> np.uint64(7 - bit_in_byte)) & np.uint64(1)) << np.uint64(HASH_BITS - 1 - position)
    return tables


def _seconds(left: int, right: int, *, width: int, radius: int) -> float:
    """Return the estimated search time of one band in seconds."""
    flips = sum(comb(width, bits) for bits in range(radius + 1))
    buckets = 1 << width
    rounds = -(-flips // FLIPS) * -(-left // (LOOK_UPS // min(FLIPS, flips)))
    return (
        right * ROW_SECONDS
        + buckets * KEY_SECONDS
        + rounds * CALLS_SECONDS
        + flips * left * (LOOK_UP_SECONDS + right / buckets * CANDIDATE_SECONDS)
    )


def _laid_out(shapes: list[tuple[int, int]]) -> tuple[BitBand, ...]:
    """Return adjacent bands of these widths and radii, from the highest bit down."""
    offsets = np.cumsum([0, *(width for width, _ in shapes)]).tolist()
    return tuple(BitBand(offset, *shape) for offset, shape in zip(offsets, shapes, strict=False))
