"""Pillow's LANCZOS resize of a large grey picture, byte for byte, in a third of Pillow's time.

Pillow takes as long to shrink a picture to 32 x 32 as to decode the JPEG. It uses fixed-point arithmetic: weights of 22 bits,
and bytes between the two passes. Here each weight is the sum of a high part, whose products float32 adds exactly, and of a
small low part, so a float32 matrix product has a known, small error. Sums that are within this error of a half are computed
again with integers.

The order of the two passes affects the bytes, and depends on the Pillow release: older releases always resize along the rows
first, newer ones resize tall pictures along the columns first. The first call determines the rule of the installed Pillow. If
neither rule gives its bytes, Pillow is used.

Source: measured against Pillow 13.0 on 3,000 pictures of any shape.
"""

import threading
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from arena.images.decode import ImageSize

Grey = NDArray[np.uint8]
"""Grey levels, (height, width), 0 to 255."""

ColumnsFirst = Callable[[ImageSize, ImageSize], bool]
"""(Old size, new size) -> whether the picture is resized along its columns first."""

FAST_PATH_PIXELS = 300 * 300
"""Smaller pictures are resized by Pillow: computing the weights would take longer than the resize."""

LONGEST_SIDE = 8_000
"""Pictures with a longer side, in pixels, are resized by Pillow: too many sums would be computed again, and the weights for a
hostile picture of a million by one pixel would need gigabytes."""

_BLOCK_ROWS = 256
"""Rows multiplied at a time; as float32 those of an ordinary picture fit into the L2 cache."""

_BAND_SIZE = 4
"""Output positions computed at a time. Each depends only on nearby input positions, so a full matrix is mostly zeros."""

WEIGHT_BITS = 22
"""Fractional bits of a weight, as in Pillow."""

LOBES = 3
"""Number of lobes of the LANCZOS window."""


_HIGH_STEP = 2 ** (WEIGHT_BITS // 2)
"""Unit of the high part of a weight. Sums of its products with bytes are integers below 2 ** 24, so float32 is exact."""


class _Band(NamedTuple):
    """Adjacent output positions, and the input positions that they depend on.

    Attributes:
        old: range of input positions.
        weights: float32 (old, 2 x `_BAND_SIZE`): the high parts of all positions, then the low parts; 0 beyond the last one.
    """

    old: slice
    weights: NDArray[np.float32]


class _Weights(NamedTuple):
    """The weights that resize one side.

    Attributes:
        bands: for the matrix products.
        position: input position of each weight, int64 (new, taps).
        exact: integers in units of 2 ** -WEIGHT_BITS, int64 (new, taps); 0 beyond the last input position.
        error: largest error of a sum from `bands`, in grey levels.
    """

    bands: tuple[_Band, ...]
    position: NDArray[np.int64]
    exact: NDArray[np.int64]
    error: float


class _Block(threading.local):
    """Memory of a thread for the rows of a block; new memory costs as much time as the products."""

    memory: NDArray[np.float32] = np.empty(0, np.float32)

    def take(self, rows: int, length: int) -> NDArray[np.float32]:
        """Return an array (rows, length) with any values."""
        if rows * length > self.memory.size:
            self.memory = np.empty(rows * length, np.float32)
        return self.memory[: rows * length].reshape(rows, length)


_block = _Block()


def shrink(grey: Image.Image, size: ImageSize) -> Grey:
    """Return `grey.resize(size, LANCZOS)` of a picture in mode L, as uint8 (height, width)."""
    eligible = grey.width * grey.height >= FAST_PATH_PIXELS and max(grey.size) <= LONGEST_SIDE
    columns_first = _rule() if eligible else None
    if columns_first is None:
        return np.asarray(grey.resize(size, Image.Resampling.LANCZOS))
    return _shrink(np.asarray(grey), size, columns_first)


def _shrink(grey: Grey, size: ImageSize, columns_first: ColumnsFirst) -> Grey:
    if columns_first(ImageSize(grey.shape[1], grey.shape[0]), size):
        return _along_rows(_along_rows(grey.T, size.height).T, size.width)
    return _along_rows(_along_rows(grey, size.width).T, size.height).T


def _along_rows(grey: Grey, length: int) -> Grey:
    """Resize every row to `length` pixels."""
    if grey.shape[1] == length:
        return grey
    grey, weights = np.ascontiguousarray(grey), _weights(grey.shape[1], length)
    sums = np.empty((len(grey), len(weights.bands), 2 * _BAND_SIZE), np.float32)
    block = _block.take(min(_BLOCK_ROWS, len(grey)), grey.shape[1])
    for start in range(0, len(grey), _BLOCK_ROWS):
        part = block[: len(grey) - start]
        part[:] = grey[start : start + _BLOCK_ROWS]
        for number, band in enumerate(weights.bands):
            np.matmul(part[:, band.old], band.weights, out=sums[start : start + _BLOCK_ROWS, number])
    total = np.add(sums[:, :, :_BAND_SIZE], sums[:, :, _BAND_SIZE:], dtype=np.float64)
    return _round_sums(grey, weights, total.reshape(len(grey), -1)[:, :length])


def _round_sums(grey: Grey, weights: _Weights, sums: NDArray[np.float64]) -> Grey:
    """Return the sums as bytes; those that may be on either side of a half are computed with integers."""
    levels = np.floor(sums + 0.5)
    unsure = np.nonzero(np.abs(np.abs(sums - levels) - 0.5) < weights.error)
    if len(unsure[0]):
        levels[unsure] = _exact_sums(grey, weights, *unsure)
    return levels.clip(0, 255).astype(np.uint8)


def _exact_sums(
    grey: Grey, weights: _Weights, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the levels at some output positions, not clipped, computed with integers as Pillow does."""
    levels = grey[rows[:, None], weights.position[columns]].astype(np.int64)
    return (levels * weights.exact[columns]).sum(axis=1) + 2 ** (WEIGHT_BITS - 1) >> WEIGHT_BITS


@lru_cache(maxsize=256)
def _weights(old: int, new: int) -> _Weights:
    """Return the weights that resize `old` pixels to `new` ones, in bands of `_BAND_SIZE` output positions."""
    scale = old / new
    stretch = max(scale, 1.0)
    centre = (np.arange(new) + 0.5) * scale
    first = (centre - LOBES * stretch + 0.5).clip(min=0).astype(np.int64)
    last = (centre + LOBES * stretch + 0.5).astype(np.int64).clip(max=old)
    position = first[:, None] + np.arange((last - first).max())
    distance = (position - centre[:, None] + 0.5) / stretch
    window = np.where((position < last[:, None]) & (np.abs(distance) < LOBES), _lanczos(distance), 0.0)
    window *= 2**WEIGHT_BITS / window.cumsum(axis=1)[:, -1:]  # cumsum adds sequentially, as Pillow does
    rounded = np.trunc(window + np.copysign(0.5, window))  # halves away from zero
    bands = tuple(
        _band(first[at : at + _BAND_SIZE], last[at : at + _BAND_SIZE], rounded[at : at + _BAND_SIZE])
        for at in range(0, new, _BAND_SIZE)
    )
    return _Weights(bands, position.clip(max=old - 1), rounded.astype(np.int64), _error_of(position.shape[1] + 1))


def _error_of(terms: int) -> float:
    """Return the largest error of a float32 sum of products of low parts with bytes, in grey levels.

    Source: Higham 2002, Accuracy and Stability of Numerical Algorithms, section 3.1: |error| <= n u / (1 - n u) sum |x y|.
    """
    largest = terms * 255 * (_HIGH_STEP / 2) * 0.5**WEIGHT_BITS
    unit = terms * 2.0**-24
    return unit / (1 - unit) * largest


def _lanczos(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sinc(x) sinc(x / 3), with one sine instead of two: sin 3a = sin a (3 - 4 sin^2 a). Sines dominate the time."""
    lobe = np.sinc(distance / LOBES)
    return lobe**2 * (1 - 4 / 3 * (lobe * distance * (np.pi / LOBES)) ** 2)


def _band(first: NDArray[np.int64], last: NDArray[np.int64], window: NDArray[np.float64]) -> _Band:
    """Return the weights of a few output positions; input positions run from `first` to before `last`."""
    old = slice(int(first[0]), int(last[-1]))
    weights = np.zeros((old.stop - old.start, _BAND_SIZE))
    for column, row in enumerate(window):
        weights[first[column] - first[0] : last[column] - first[0], column] = row[: last[column] - first[column]]
    high = np.round(weights / _HIGH_STEP) * _HIGH_STEP
    both = np.hstack([high, weights - high]) * 0.5**WEIGHT_BITS
    return _Band(old, both.astype(np.float32))


def _rows_first(old: ImageSize, new: ImageSize) -> bool:
    return False


def _tall_columns_first(old: ImageSize, new: ImageSize) -> bool:
    return old.height - new.height > max(0, 2 * (old.width - new.width))


PASS_ORDER_RULES: tuple[ColumnsFirst, ...] = (_tall_columns_first, _rows_first)
"""Rules of newer and of older Pillow releases."""

PROBES = (
    ImageSize(90, 70),
    ImageSize(70, 90),
    ImageSize(40, 120),
    ImageSize(50, 86),
    ImageSize(12, 200),
    ImageSize(50, 87),
    ImageSize(9, 9),
    ImageSize(300, 20),
)
"""Shapes for which the two rules differ, and shapes for which they agree."""


@lru_cache(maxsize=1)
def _rule() -> ColumnsFirst | None:
    """Return the rule that reproduces the bytes of the installed Pillow on every probe, or None."""
    rng = np.random.default_rng(0)
    probes = [rng.choice(np.array([0, 255], np.uint8), (probe.height, probe.width)) for probe in PROBES]
    sizes = (ImageSize(32, 32), ImageSize(9, 8))
    for rule in PASS_ORDER_RULES:
        if all(
            np.array_equal(_shrink(probe, size, rule), _by_pillow(probe, size)) for probe in probes for size in sizes
        ):
            return rule
    return None


def _by_pillow(grey: Grey, size: ImageSize) -> Grey:
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.LANCZOS))
