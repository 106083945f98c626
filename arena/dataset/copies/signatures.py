"""Signature of a picture: digests, and perceptual hashes of its variants (as is, without border, cropped, mirrored)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from arena.dataset.copies.alignment import on_grey
from arena.dataset.hashes.algorithms import dhash, mirrored, phash
from arena.images.decode import RGB, Alpha, pixel_digest

BORDER_LEVELS = 16
"""Largest deviation of a border pixel from the median of its line, in levels: the noise that JPEG adds to one colour."""

BORDER_SHARE = 0.97
"""Least share of a line's pixels of one colour for the line to count as border. It is below 1, so that a speck or the ringing
of JPEG at the ends does not stop the trimming."""

BORDER_SIDE = 256
"""The border is searched in a picture subsampled to about this many pixels per side; medians over every pixel take 30 ms."""

INNER_SHARE = 0.5
"""Least share of each side that must remain when borders of several colours are trimmed. Without this limit a badge was
classified as a copy of the symbol on it, at 0.45 of its side."""

FLAT_LEVELS = 2.0
"""Least residual of a picture after its row and column means are removed, in grey levels (root mean square). Below it, the
hashes are meaningless."""

VARIANTS = ("as is", "trimmed", "cropped", "mirrored", "mirrored trimmed")
"""Variants of a picture that are hashed."""

CROPPED_SHARE = 0.02
"""Share that `cropped` cuts off each edge of the trimmed picture; a crop of 5 % is nearer to this variant than to the whole."""


class HashPair(NamedTuple):
    """The two perceptual hashes of one variant."""

    phash: int
    dhash: int


@dataclass(frozen=True)
class Signature:
    """Digest and hashes of one picture.

    Attributes:
        pixel_sha256: digest of size, canonical pixels and alpha channel.
        flat: whether the hashes are meaningless, see `is_flat`.
        hashes: variant -> hashes.
    """

    pixel_sha256: str
    flat: bool
    hashes: Mapping[str, HashPair] = field(default_factory=dict)


def compute_signature(pixels: RGB, alpha: Alpha | None = None) -> Signature:
    """Return the signature of one picture.

    Args:
        pixels: composited on white, uint8 (height, width, 3).
        alpha: opacity, uint8 (height, width); None if every pixel is opaque.
    """
    visible = visible_pixels(pixels, alpha)
    hashes = {name: HashPair(phash(variant), dhash(variant)) for name, variant in _variants(visible).items()}
    return Signature(pixel_digest(pixels, alpha), is_flat(visible), hashes)


def visible_pixels(pixels: RGB, alpha: Alpha | None) -> RGB:
    """Return a picture on grey if it has transparent pixels and is flat on white; else the same pixels."""
    return on_grey(pixels, alpha) if alpha is not None and is_flat(pixels) else pixels


def _variants(pixels: RGB) -> dict[str, RGB]:
    """Return each of `VARIANTS` of a picture."""
    inner = trimmed(pixels)
    return dict(zip(VARIANTS, (pixels, inner, cropped(inner), mirrored(pixels), mirrored(inner)), strict=True))


def cropped(pixels: RGB) -> RGB:
    """Cut `CROPPED_SHARE` off each edge."""
    rows, columns = (int(side * CROPPED_SHARE) for side in pixels.shape[:2])
    return np.ascontiguousarray(pixels[rows : pixels.shape[0] - rows, columns : pixels.shape[1] - columns])


def trimmed(pixels: RGB) -> RGB:
    """Remove the border: first lines of the colour of the outermost lines, then lines of any single colour.

    Thus a drawing on white gives the same result with and without a black border. If the second step would leave less than half
    of a side, only the first step is applied: a symbol in a wide frame is another picture than the symbol. A picture that is
    all border stays unchanged. `inner_box` returns the same crop as two slices.

    >>> framed = np.zeros((5, 7, 3), np.uint8)
    >>> framed[1:4, 2:5] = np.arange(27, dtype=np.uint8).reshape(3, 3, 3) * 9
    >>> trimmed(framed).shape
    (3, 3, 3)
    """
    return np.ascontiguousarray(pixels[inner_box(pixels)])


def inner_box(pixels: RGB) -> tuple[slice, slice]:
    """Return the rows and columns that `trimmed` keeps."""
    stride = [max(1, side // BORDER_SIDE) for side in pixels.shape[:2]]
    small = pixels[:: stride[0], :: stride[1]].astype(np.int16)
    outer = _within_border(small, _Box(0, small.shape[0], 0, small.shape[1]), of_any_colour=False)
    inner = _within_border(small, outer, of_any_colour=True)
    box = inner if inner.high >= INNER_SHARE * outer.high and inner.wide >= INNER_SHARE * outer.wide else outer
    return (
        slice(box.top * stride[0], box.bottom * stride[0]),
        slice(box.left * stride[1], box.right * stride[1]),
    )


class _Box(NamedTuple):
    """A rectangle of a picture, in pixels; `bottom` and `right` are exclusive."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def high(self) -> int:
        return self.bottom - self.top

    @property
    def wide(self) -> int:
        return self.right - self.left


def _within_border(small: NDArray[np.int16], box: _Box, *, of_any_colour: bool) -> _Box:
    """Return the box without its border, removed alternately from top and bottom and from left and right."""
    edges = [np.median(lines[[0, -1]], axis=1) for lines in (_cut(small, box), _cut(small, box).transpose(1, 0, 2))]
    colours = [None, None] if of_any_colour else edges
    while True:
        rows = np.flatnonzero(~_is_border(_cut(small, box), colours[0]))
        if not len(rows):
            return box
        flat_rows = _Box(box.top + int(rows[0]), box.top + int(rows[-1]) + 1, box.left, box.right)
        columns = np.flatnonzero(~_is_border(_cut(small, flat_rows).transpose(1, 0, 2), colours[1]))
        if not len(columns):
            return box
        inner = flat_rows._replace(left=box.left + int(columns[0]), right=box.left + int(columns[-1]) + 1)
        if inner == box:
            return box
        box = inner


def _cut(small: NDArray[np.int16], box: _Box) -> NDArray[np.int16]:
    return small[box.top : box.bottom, box.left : box.right]


def _is_border(lines: NDArray[np.int16], colours: NDArray[np.float64] | None) -> NDArray[np.bool_]:
    """Return which lines have one colour, which must be one of `colours` if given; (lines, pixels, 3) -> bool (lines,)."""
    own = np.median(lines, axis=1)
    alike = (np.abs(lines - own[:, None]).max(2) <= BORDER_LEVELS).mean(1) >= BORDER_SHARE
    if colours is not None:
        alike &= (np.abs(own[:, None] - colours[None]).max(2) <= BORDER_LEVELS).any(1)
    return np.asarray(alike)


def is_flat(pixels: RGB) -> bool:
    """Return whether a picture is one colour, one gradient, or plain stripes: a sum of a row profile and a column profile.

    Such a picture has no frequency along both axes at once. Most bits of its pHash are rounding noise, and different pictures
    share one pHash.

    >>> is_flat(np.full((40, 30, 3), 200, np.uint8))
    True
    """
    grey = np.asarray(Image.fromarray(pixels).convert("L").resize((32, 32), Image.Resampling.BOX), dtype=np.float64)
    residual = grey - grey.mean(0) - grey.mean(1)[:, None] + grey.mean()
    return float(np.sqrt((residual**2).mean())) < FLAT_LEVELS
