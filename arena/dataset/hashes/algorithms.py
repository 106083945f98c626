"""Perceptual hashes of canonical pictures.

Hashes of two tools may share only the name: grey conversion, filter, median, bit order and sign differ. Therefore each hash
has an `Algorithm`, which an index stores, and hashes of different algorithms are never compared.

`phash` and `dhash` equal `imagehash.phash` and `imagehash.dhash` at their defaults with the installed Pillow: grey by Rec. 601,
LANCZOS, bits row by row, most significant first.

Source: the imagehash package; for `joytag` only a description.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dct

from arena.dataset.hashes.resample import Grey, shrink
from arena.images.decode import RGB, ImageSize


class Algorithm(NamedTuple):
    """Properties of a hash algorithm; hashes can be compared only if all but `verified` are equal.

    Attributes:
        name: tool, function and shape.
        version: raised when a change gives other bits for the same picture.
        bits: number of bits.
        bit_order: order in which coefficients become bits.
        signed: whether an index stores it as int64 instead of uint64; the bits are the same.
        verified: whether it was checked against the original implementation.
    """

    name: str
    version: int = 1
    bits: int = 64
    bit_order: str = "row-major, most significant first"
    signed: bool = False
    verified: bool = True


PHASH = "imagehash.phash/8x8"
"""Discrete cosine transform of a 32 x 32 grey picture, 8 x 8 low frequencies including DC, bit = above the median."""

DHASH = "imagehash.dhash/8x8"
"""Horizontal gradient of a 9 x 8 grey picture, bit = brighter than the left neighbour."""

JOYTAG = "joytag.phash/8x8"
"""Rec. 709 grey, frequencies 1 to 8 of both axes without DC, bit = not below the median. Implemented from a description, not
verified against a hash of JoyTag's own tool."""

SCALED = "arena.phash-scaled/8x8"
"""`PHASH` of a JPEG decoded at 1/2, 1/4 or 1/8 of its size, as long as both sides keep `SCALED_SIDE` pixels; a few bits differ
from `PHASH`."""

ALGORITHMS: Mapping[str, Algorithm] = {
    "phash": Algorithm(PHASH),
    "dhash": Algorithm(DHASH),
    "joytag": Algorithm(JOYTAG, bit_order="column-major, least significant first", signed=True, verified=False),
    "scaled": Algorithm(SCALED),
}
"""Column name -> algorithm."""

SCALED_SIDE = 128
"""Least side of a scaled decode in pixels: four for each of the 32 of the grey square."""

CORNER = 8
"""Number of frequencies along each axis."""

GREY_SIDE = 32
"""Side of the grey square that is transformed, in pixels."""


def phash(pixels: RGB) -> int:
    """Return the perceptual hash of `imagehash.phash` as an unsigned 64-bit integer."""
    return phash_grey(grey_601(pixels))


def dhash(pixels: RGB) -> int:
    """Return the difference hash of `imagehash.dhash` as an unsigned 64-bit integer.

    >>> f"{dhash(np.tile(np.arange(9, dtype=np.uint8)[None, :, None], (8, 1, 3))):x}"  # columns get brighter from left to right
    'ffffffffffffffff'
    """
    return dhash_grey(grey_601(pixels))


def joytag(pixels: RGB) -> int:
    """Return the hash with which JoyTag's training set was deduplicated, as described; unverified, see `JOYTAG`."""
    corner = _low_frequencies(shrink(grey_709(pixels), ImageSize(GREY_SIDE, GREY_SIDE)), first=1)
    middle = np.sort(corner, axis=None)[corner.size // 2 - 1 : corner.size // 2 + 1]
    return _integer((corner >= middle.mean()).T, "little")


def phash_grey(grey: Image.Image) -> int:
    """Return `phash` of a picture that is already grey (Rec. 601)."""
    corner = _low_frequencies(shrink(grey, ImageSize(GREY_SIDE, GREY_SIDE)), first=0)
    return _integer(corner > np.median(corner))


def dhash_grey(grey: Image.Image) -> int:
    """Return `dhash` of a picture that is already grey (Rec. 601)."""
    small = shrink(grey, ImageSize(CORNER + 1, CORNER))
    return _integer(small[:, 1:] > small[:, :-1])


def grey_601(pixels: RGB | Image.Image) -> Image.Image:
    """Convert a picture to mode L by Rec. 601, as Pillow computes it."""
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    return picture.convert("L")


def grey_709(pixels: RGB) -> Image.Image:
    """Convert a picture to mode L by Rec. 709 in integer arithmetic, rounded down.

    >>> np.asarray(grey_709(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8))).tolist()
    [[54, 182, 18]]
    """
    red, green, blue = (pixels[:, :, channel].astype(np.uint32) for channel in range(3))
    return Image.fromarray(((2126 * red + 7152 * green + 722 * blue) // 10_000).astype(np.uint8))


def _low_frequencies(small: Grey, *, first: int) -> NDArray[np.float64]:
    """Return the `CORNER` x `CORNER` coefficients of the DCT-II along both axes, starting at frequency `first`."""
    # The whole square is transformed: it takes only 20 us, and a partial transform could round differently from imagehash.
    spectrum: NDArray[np.float64] = dct(dct(small.astype(np.float64), axis=0), axis=1)
    return spectrum[first : first + CORNER, first : first + CORNER]


def _integer(bits: NDArray[np.bool_], order: Literal["big", "little"] = "big") -> int:
    return int.from_bytes(np.packbits(bits.ravel(), bitorder=order).tobytes(), order)


def mirrored(pixels: RGB) -> RGB:
    """Flip a picture horizontally."""
    return np.ascontiguousarray(pixels[:, ::-1])
