"""Perceptual hashes and digests of canonical pictures.

Hashes of two tools are alike in name only: grey, filter, median, bit order and sign differ. So each has an `Algorithm`, which
an index keeps, and two that differ are never compared.

`phash` and `dhash` are exactly `imagehash.phash` and `imagehash.dhash` at their defaults with the Pillow that is installed:
grey by Rec. 601, LANCZOS, bits row by row, most significant first.

Source: the imagehash package; for `joytag` a description only.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dct

from arena.dataset.hashes.resample import Grey, shrink
from arena.images.decode import RGB, Size


class Algorithm(NamedTuple):
    """What a hash must share with another to be compared with it.

    Attributes:
        name: whose it is, and of what shape.
        version: raised where the same picture would get other bits.
        bits: how many the hash has.
        bit_order: which coefficient is which bit.
        signed: whether an index keeps it as int64 in place of uint64; the bits are the same.
        verified: whether it was checked against the original.
    """

    name: str
    version: int = 1
    bits: int = 64
    bit_order: str = "row-major, most significant first"
    signed: bool = False
    verified: bool = True


PHASH = "imagehash.phash/8x8"
"""Discrete cosine transform of a 32 x 32 grey, the 8 x 8 low frequencies with DC, bit = above the median."""

DHASH = "imagehash.dhash/8x8"
"""Horizontal gradient of a 9 x 8 grey, bit = brighter than the left neighbour."""

JOYTAG = "joytag.phash/8x8"
"""Rec. 709 grey, frequencies 1 to 8 of both axes without DC, bit = not below the median. Written from a description, and never
compared with a hash of JoyTag's own tool."""

SCALED = "arena.phash-scaled/8x8"
"""As `PHASH`, from a JPEG decoded at 1/2, 1/4 or 1/8 of its size where both sides keep `SCALED_SIDE` pixels; a few bits differ
from `PHASH`."""

ALGORITHMS: Mapping[str, Algorithm] = {
    "phash": Algorithm(PHASH),
    "dhash": Algorithm(DHASH),
    "joytag": Algorithm(JOYTAG, bit_order="column-major, least significant first", signed=True, verified=False),
    "scaled": Algorithm(SCALED),
}
"""By the name of their column."""

SCALED_SIDE = 128
"""Pixels that both sides keep in a scaled decode: four for each of the 32 that are made of them."""

CORNER = 8
"""Frequencies a side."""

GREY_SIDE = 32
"""Side of the grey square that is transformed."""


def phash(pixels: RGB) -> int:
    """The perceptual hash of `imagehash.phash`, as an unsigned 64-bit integer."""
    return phash_grey(grey_601(pixels))


def dhash(pixels: RGB) -> int:
    """The difference hash of `imagehash.dhash`, as an unsigned 64-bit integer.

    >>> f"{dhash(np.tile(np.arange(9, dtype=np.uint8)[None, :, None], (8, 1, 3))):x}"  # each brighter than the one before
    'ffffffffffffffff'
    """
    return dhash_grey(grey_601(pixels))


def joytag(pixels: RGB) -> int:
    """The hash that JoyTag's training set was freed of duplicates by, from its description; unverified, see `JOYTAG`."""
    corner = _low_frequencies(shrink(grey_709(pixels), Size(GREY_SIDE, GREY_SIDE)), first=1)
    middle = np.sort(corner, axis=None)[corner.size // 2 - 1 : corner.size // 2 + 1]
    return _integer((corner >= middle.mean()).T, "little")


def phash_grey(grey: Image.Image) -> int:
    """`phash` of a picture that is grey already, by Rec. 601."""
    corner = _low_frequencies(shrink(grey, Size(GREY_SIDE, GREY_SIDE)), first=0)
    return _integer(corner > np.median(corner))


def dhash_grey(grey: Image.Image) -> int:
    """`dhash` of a picture that is grey already, by Rec. 601."""
    small = shrink(grey, Size(CORNER + 1, CORNER))
    return _integer(small[:, 1:] > small[:, :-1])


def grey_601(pixels: RGB | Image.Image) -> Image.Image:
    """The picture in mode L, by Rec. 601 as Pillow computes it."""
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    return picture.convert("L")


def grey_709(pixels: RGB) -> Image.Image:
    """The picture in mode L, by Rec. 709 in whole numbers, rounded down.

    >>> np.asarray(grey_709(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8))).tolist()
    [[54, 182, 18]]
    """
    red, green, blue = (pixels[:, :, channel].astype(np.uint32) for channel in range(3))
    return Image.fromarray(((2126 * red + 7152 * green + 722 * blue) // 10_000).astype(np.uint8))


def _low_frequencies(small: Grey, *, first: int) -> NDArray[np.float64]:
    """`CORNER` x `CORNER` coefficients of the DCT-II along both axes, from frequency `first` on."""
    # The whole square, for that takes 20 us, and a part of it could round otherwise than imagehash does.
    spectrum: NDArray[np.float64] = dct(dct(small.astype(np.float64), axis=0), axis=1)
    return spectrum[first : first + CORNER, first : first + CORNER]


def _integer(bits: NDArray[np.bool_], order: Literal["big", "little"] = "big") -> int:
    return int.from_bytes(np.packbits(bits.ravel(), bitorder=order).tobytes(), order)


def mirrored(pixels: RGB) -> RGB:
    """Left and right changed over."""
    return np.ascontiguousarray(pixels[:, ::-1])
