"""Resize and centre crop: a preprocessing that reference implementations use and cards cannot describe."""

from dataclasses import asdict, dataclass

import numpy as np

from arena.base.errors import UnreadableImageError
from arena.cards import Preprocess
from arena.images.decode import RGB
from arena.taggers.preprocess import MAX_SIDE, square
from arena.taggers.preprocess.resize import resize


@dataclass(frozen=True)
class ResizeAndCrop(Preprocess):
    """Resize the shorter side, then crop the centre; the padding settings are ignored.

    Attributes:
        shorter: length of the shorter side after resizing, pixels; at least `size`.
    """

    shorter: int = 0


def resize_and_crop_of(preprocess: Preprocess, shorter: int) -> ResizeAndCrop:
    """Return a resize and centre crop with the same filter and colours."""
    return ResizeAndCrop(**(asdict(preprocess) | {"shorter": shorter}))


def network_square(pixels: RGB, preprocess: Preprocess) -> RGB:
    """Return the network's input for an image, uint8 (size, size, 3); also for a `ResizeAndCrop` preprocessing.

    Raises:
        UnreadableImageError: the longer side is, or would become, longer than `MAX_SIDE`.

    Source: torchvision's `Resize(shorter)` and `CenterCrop(size)`, which timm's evaluation follows.
    """
    if not isinstance(preprocess, ResizeAndCrop):
        return square(pixels, preprocess)
    height, width = pixels.shape[:2]
    sides = [int(preprocess.shorter * side / min(height, width)) for side in (height, width)]
    if max(sides) > MAX_SIDE:
        raise UnreadableImageError(f"{width} x {height} becomes longer than {MAX_SIDE:,} pixels")
    resized = resize(pixels, *sides, filter_name=preprocess.resize, library=preprocess.library)
    top, left = (round((side - preprocess.size) / 2) for side in sides)
    return np.asarray(resized)[top : top + preprocess.size, left : left + preprocess.size]
