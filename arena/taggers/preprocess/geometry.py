"""Where a picture lies on its square: sides and offsets, no pixels."""

from typing import NamedTuple

from arena.base.errors import UnreadableImageError
from arena.cards import Preprocess

MAX_SIDE = 20_000
"""Longest side that is padded to a square: 1.2 GB of pixels."""


class Box(NamedTuple):
    """A picture on a square canvas, all in pixels."""

    side: int
    """Of the canvas."""
    top: int
    left: int
    height: int
    width: int

    @property
    def is_whole(self) -> bool:
        """Whether the picture fills its canvas."""
        return self.height == self.width == self.side


def place(height: int, width: int, preprocess: Preprocess) -> Box:
    """The first canvas that a picture of this height and width lies on, and where: centred, the smaller part first.

    With `pad = "before"` the picture lies there as it is; with `after` fitted, and the canvas is the last one or
    `fit_size`; with `none` it is squashed to fill the canvas.

    Raises:
        UnreadableImageError: the longer side is above `MAX_SIDE`; padded, a strip of some bytes would fill the memory.

    >>> place(2, 5, Preprocess(size=4))
    Box(side=5, top=1, left=0, height=2, width=5)
    >>> place(2, 5, Preprocess(size=10, pad="after"))
    Box(side=10, top=3, left=0, height=4, width=10)
    >>> place(2, 5, Preprocess(size=10, pad="after", enlarge=False))
    Box(side=10, top=4, left=2, height=2, width=5)
    """
    longest = max(height, width)
    last = preprocess.crop_from or preprocess.size
    if preprocess.pad == "none":
        return Box(last, 0, 0, last, last)
    if longest > MAX_SIDE:
        raise UnreadableImageError(f"{width} x {height} pads to a square of more than {MAX_SIDE:,} pixels a side")
    if preprocess.pad == "before":
        return _centred(longest if preprocess.enlarge else max(longest, last), height, width)
    side = preprocess.fit_size or last
    if longest < side and not preprocess.enlarge:
        return _centred(side, height, width)
    return _centred(side, *_fitted(height, width, side, preprocess.rounding))


class _Sides(NamedTuple):
    height: int
    width: int


def _fitted(height: int, width: int, side: int, rounding: str) -> _Sides:
    """Height and width of a picture whose longest side becomes `side`; each at least one pixel.

    Step by step as the references reckon in float64, for a last bit of another order can make it another pixel.

    >>> _fitted(100, 107, 1008, "down"), _fitted(100, 107, 1008, "cut")
    (_Sides(height=942, width=1008), _Sides(height=942, width=1007))

    Source: `nearest` imgutils' `pad_image_to_size`, `down` Camie's demo, `cut` PixAI's `rescale_pad`.
    """
    if rounding == "down":
        aspect = width / height
        sides = _Sides(int(side / aspect), side) if aspect > 1 else _Sides(side, int(side * aspect))
    else:
        ratio = min(side / width, side / height)
        whole = int if rounding == "cut" else round
        sides = _Sides(whole(height * ratio), whole(width * ratio))
    return _Sides(max(1, sides.height), max(1, sides.width))


def _centred(side: int, height: int, width: int) -> Box:
    return Box(side, (side - height) // 2, (side - width) // 2, height, width)
