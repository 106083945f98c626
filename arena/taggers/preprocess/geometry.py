"""Position of an image on its square: sides and offsets, without pixels."""

from typing import NamedTuple

from arena.base.errors import UnreadableImageError
from arena.cards import Preprocess

MAX_SIDE = 20_000
"""Longest side of an image that is padded to a square, pixels; the square takes 1.2 GB."""


class Placement(NamedTuple):
    """Position of an image on a square canvas, in pixels.

    Attributes:
        side: side of the canvas.
        top, left: offset of the image.
        height, width: size of the image.
    """

    side: int
    top: int
    left: int
    height: int
    width: int

    @property
    def is_whole(self) -> bool:
        """Whether the image fills the canvas."""
        return self.height == self.width == self.side


def place_on_canvas(height: int, width: int, preprocess: Preprocess) -> Placement:
    """Return the first canvas of an image and its position there: centred; with an odd margin, the smaller part comes first.

    With `pad = "before"` the image keeps its size. With `after` it is fitted into the canvas, whose side is `fit_size`, else
    that of the last square. With `none` it is stretched to fill the canvas. `crop` has no canvas, see `shorter_side_resized`.

    Args:
        height, width: size of the image, pixels.

    Raises:
        UnreadableImageError: the longer side is above `MAX_SIDE`; a small file of a long strip would fill the memory.

    >>> place_on_canvas(2, 5, Preprocess(size=4))
    Placement(side=5, top=1, left=0, height=2, width=5)
    >>> place_on_canvas(2, 5, Preprocess(size=10, pad="after"))
    Placement(side=10, top=3, left=0, height=4, width=10)
    >>> place_on_canvas(2, 5, Preprocess(size=10, pad="after", enlarge=False))
    Placement(side=10, top=4, left=2, height=2, width=5)
    """
    longest = max(height, width)
    last = preprocess.crop_from or preprocess.size
    if preprocess.pad == "none":
        return Placement(last, 0, 0, last, last)
    if longest > MAX_SIDE:
        raise UnreadableImageError(f"{width} x {height} pads to a square of more than {MAX_SIDE:,} pixels a side")
    if preprocess.pad == "before":
        return _centred(longest if preprocess.enlarge else max(longest, last), height, width)
    side = preprocess.fit_size or last
    if longest < side and not preprocess.enlarge:
        return _centred(side, height, width)
    return _centred(side, *_fitted(height, width, side, preprocess.rounding))


class Sides(NamedTuple):
    """Height and width, pixels."""

    height: int
    width: int


def _fitted(height: int, width: int, side: int, rounding: str) -> Sides:
    """Return height and width of an image after its longest side is scaled to `side`; each is at least one pixel.

    The float64 operations are in the order of the reference code, because another order can round to another pixel.

    >>> _fitted(100, 107, 1008, "down"), _fitted(100, 107, 1008, "cut")
    (Sides(height=942, width=1008), Sides(height=942, width=1007))

    Source: `nearest` imgutils' `pad_image_to_size`, `down` Camie's demo, `cut` PixAI's `rescale_pad`.
    """
    if rounding == "down":
        aspect = width / height
        sides = Sides(int(side / aspect), side) if aspect > 1 else Sides(side, int(side * aspect))
    else:
        ratio = min(side / width, side / height)
        whole = int if rounding == "cut" else round
        sides = Sides(whole(height * ratio), whole(width * ratio))
    return Sides(max(1, sides.height), max(1, sides.width))


def shorter_side_resized(height: int, width: int, side: int) -> Sides:
    """Return height and width of an image after its shorter side is resized to `side`; the longer one is rounded down.

    Args:
        height, width, side: pixels.

    Raises:
        UnreadableImageError: the longer side is then above `MAX_SIDE`, so that a long strip cannot fill the memory.

    >>> shorter_side_resized(100, 107, 448), shorter_side_resized(5, 3, 4)
    (Sides(height=448, width=479), Sides(height=6, width=4))

    Source: imgutils' `PillowResize` and torchvision's `Resize`, which are equal.
    """
    shorter, longer = sorted((height, width))
    longer = int(side * longer / shorter)
    if longer > MAX_SIDE:
        raise UnreadableImageError(f"{width} x {height} is resized to a strip of more than {MAX_SIDE:,} pixels")
    return Sides(side, longer) if height <= width else Sides(longer, side)


def _centred(side: int, height: int, width: int) -> Placement:
    return Placement(side, (side - height) // 2, (side - width) // 2, height, width)
