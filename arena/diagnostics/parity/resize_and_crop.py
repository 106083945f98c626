"""A preprocessing that references use and no card tells: the shorter side is resized, and the middle cut out."""

from dataclasses import asdict, dataclass

import numpy as np

from arena.base.errors import UnreadableImageError
from arena.cards import Preprocess
from arena.images.decode import RGB
from arena.taggers.preprocess import MAX_SIDE, square
from arena.taggers.preprocess.resize import resize


@dataclass(frozen=True)
class Covering(Preprocess):
    """The picture covers the square and more; what is said of padding does not matter.

    Attributes:
        shorter: what the shorter side is resized to, pixels; at least `size`.
    """

    shorter: int = 0


def covering(preprocess: Preprocess, shorter: int) -> Covering:
    """The same filter and colours, the picture laid over the square."""
    return Covering(**(asdict(preprocess) | {"shorter": shorter}))


def square_of(pixels: RGB, preprocess: Preprocess) -> RGB:
    """A picture as a tagger wants it, or as a covering one does: uint8 (size, size, 3).

    Raises:
        UnreadableImageError: the longer side is too long, or becomes so.

    Source: torchvision's `Resize(shorter)` and `CenterCrop(size)`, which timm's evaluation follows.
    """
    if not isinstance(preprocess, Covering):
        return square(pixels, preprocess)
    height, width = pixels.shape[:2]
    sides = [int(preprocess.shorter * side / min(height, width)) for side in (height, width)]
    if max(sides) > MAX_SIDE:
        raise UnreadableImageError(f"{width} x {height} becomes longer than {MAX_SIDE:,} pixels")
    resized = resize(pixels, *sides, filter_name=preprocess.resize, library=preprocess.library)
    top, left = (round((side - preprocess.size) / 2) for side in sides)
    return np.asarray(resized)[top : top + preprocess.size, left : left + preprocess.size]
