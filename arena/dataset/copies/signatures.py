"""What one picture is looked up by: digests, and perceptual hashes of it as it is, without its border, and mirrored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from arena.dataset.hashes.algorithms import dhash, mirrored, phash
from arena.images.decode import RGB, pixel_digest

BORDER_LEVELS = 16
"""How far from its line's median a pixel of a border may lie; what JPEG leaves of one colour."""

BORDER_SHARE = 0.97
"""Share of a line's pixels that must be of one colour for it to be border: neither a speck nor the ringing of JPEG at its ends
holds it."""

BORDER_SIDE = 256
"""Border is looked for in a picture thinned out to about so many pixels a side: medians of every pixel take 30 ms."""

INNER_SHARE = 0.5
"""Least share of each side that borders of several colours may leave. Without it a badge was called a copy of the symbol
on it, at 0.45 of its side."""

FLAT_LEVELS = 2.0
"""Grey levels that a picture must depart from rows and columns of one grey by (root mean square) for its hashes to mean
anything."""

VARIANTS = ("as is", "trimmed", "cropped", "mirrored", "mirrored trimmed")
"""How a picture is hashed."""

CROPPED_SHARE = 0.02
"""What `cropped` loses of each side of the trimmed picture: a crop of 5 % lies nearer to it than to the whole."""


class HashPair(NamedTuple):
    """The two perceptual hashes of one variant."""

    phash: int
    dhash: int


@dataclass(frozen=True)
class Signature:
    """What one picture is looked up by.

    Attributes:
        pixel_sha256: digest of size and canonical pixels.
        flat: whether its hashes say nothing: one colour, or one gradient.
        hashes: by variant.
    """

    pixel_sha256: str
    flat: bool
    hashes: Mapping[str, HashPair] = field(default_factory=dict)


def sign(pixels: RGB) -> Signature:
    """Digest and hashes of one picture."""
    hashes = {name: HashPair(phash(variant), dhash(variant)) for name, variant in variants(pixels).items()}
    return Signature(pixel_digest(pixels), flat(pixels), hashes)


def variants(pixels: RGB) -> dict[str, RGB]:
    """A picture as each of `VARIANTS`."""
    inner = trimmed(pixels)
    return dict(zip(VARIANTS, (pixels, inner, cropped(inner), mirrored(pixels), mirrored(inner)), strict=True))


def cropped(pixels: RGB) -> RGB:
    """Without `CROPPED_SHARE` of each side."""
    rows, columns = (int(side * CROPPED_SHARE) for side in pixels.shape[:2])
    return np.ascontiguousarray(pixels[rows : pixels.shape[0] - rows, columns : pixels.shape[1] - columns])


def trimmed(pixels: RGB) -> RGB:
    """Without border: lines of the border's colour on each side, then lines of any one colour.

    So a drawing on white gives the same whether a black border was put around it or not. Where more than half would go in the
    second turn only the first counts: a symbol in a wide frame is another picture than the symbol. What is border all over
    stays as it is.

    >>> framed = np.zeros((5, 7, 3), np.uint8)
    >>> framed[1:4, 2:5] = np.arange(27, dtype=np.uint8).reshape(3, 3, 3) * 9
    >>> trimmed(framed).shape
    (3, 3, 3)
    """
    thin = [max(1, side // BORDER_SIDE) for side in pixels.shape[:2]]
    small = pixels[:: thin[0], :: thin[1]].astype(np.int16)
    outer = _within_border(small, Box(0, small.shape[0], 0, small.shape[1]), of_any_colour=False)
    inner = _within_border(small, outer, of_any_colour=True)
    box = inner if inner.high >= INNER_SHARE * outer.high and inner.wide >= INNER_SHARE * outer.wide else outer
    rows, columns = slice(box.top * thin[0], box.bottom * thin[0]), slice(box.left * thin[1], box.right * thin[1])
    return np.ascontiguousarray(pixels[rows, columns])


class Box(NamedTuple):
    """A part of a picture, in pixels; the ends are not in it."""

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


def _within_border(small: NDArray[np.int16], box: Box, *, of_any_colour: bool) -> Box:
    """What is left of a part once its border is taken off in turns from above and below, left and right."""
    edges = [np.median(lines[[0, -1]], axis=1) for lines in (_cut(small, box), _cut(small, box).transpose(1, 0, 2))]
    colours = [None, None] if of_any_colour else edges
    while True:
        rows = np.flatnonzero(~_is_border(_cut(small, box), colours[0]))
        if not len(rows):
            return box
        flat_rows = Box(box.top + int(rows[0]), box.top + int(rows[-1]) + 1, box.left, box.right)
        columns = np.flatnonzero(~_is_border(_cut(small, flat_rows).transpose(1, 0, 2), colours[1]))
        if not len(columns):
            return box
        inner = flat_rows._replace(left=box.left + int(columns[0]), right=box.left + int(columns[-1]) + 1)
        if inner == box:
            return box
        box = inner


def _cut(small: NDArray[np.int16], box: Box) -> NDArray[np.int16]:
    return small[box.top : box.bottom, box.left : box.right]


def _is_border(lines: NDArray[np.int16], colours: NDArray[np.float64] | None) -> NDArray[np.bool_]:
    """Which lines are of one colour, of these if any are given; (lines, pixels, 3) -> bool (lines,)."""
    own = np.median(lines, axis=1)
    alike = (np.abs(lines - own[:, None]).max(2) <= BORDER_LEVELS).mean(1) >= BORDER_SHARE
    if colours is not None:
        alike &= (np.abs(own[:, None] - colours[None]).max(2) <= BORDER_LEVELS).any(1)
    return np.asarray(alike)


def flat(pixels: RGB) -> bool:
    """Whether a picture is one colour, one gradient, or plain stripes: what rows and columns of one grey add up to.

    Such a picture has no frequency in both axes at once, so most bits of its pHash are rounding, and unlike ones share it.

    >>> flat(np.full((40, 30, 3), 200, np.uint8))
    True
    """
    grey = np.asarray(Image.fromarray(pixels).convert("L").resize((32, 32), Image.Resampling.BOX), dtype=np.float64)
    beyond = grey - grey.mean(0) - grey.mean(1)[:, None] + grey.mean()
    return float(np.sqrt((beyond**2).mean())) < FLAT_LEVELS
