"""The square of pixels that a tagger wants."""

import numpy as np

from arena.cards import Preprocess
from arena.images import RGB
from arena.taggers.preprocess.geometry import Box, place
from arena.taggers.preprocess.resize import resize


def square(pixels: RGB, preprocess: Preprocess) -> RGB:
    """A picture as a tagger wants it: padded or squashed to a square, resized, its middle cut out.

    Args:
        pixels: canonical RGB, uint8 (height, width, 3), transparency on the colour that `preprocess.alpha` names.
        preprocess: what the tagger declares; `size` above 0.

    Returns: uint8 (size, size, 3).

    Raises:
        UnreadableImageError: the longer side is too long to be padded.
        ArenaError: the library that resizes is not installed.

    Source: JoyTag's `Models.py` and the WD demo space, whose paths agree pixel for pixel, for the defaults; JoyTag's arena
    and SmilingWolf's model zoo for OpenCV's `area` without enlarging; imgutils' `pad_to_size` for `fit_size`.
    """
    box = place(pixels.shape[0], pixels.shape[1], preprocess)
    first = (preprocess.fit_size and preprocess.fit_resize) or preprocess.resize
    if preprocess.pad != "before":
        pixels = _resized(pixels, box.height, box.width, preprocess, first)
    canvas = pixels if box.is_whole else _pad(pixels, box, preprocess)
    last = preprocess.crop_from or preprocess.size
    canvas = _resized(canvas, last, last, preprocess, preprocess.resize)
    start = (last - preprocess.size) // 2
    return canvas[start : start + preprocess.size, start : start + preprocess.size]


def _resized(pixels: RGB, height: int, width: int, preprocess: Preprocess, filter_name: str) -> RGB:
    larger = height * width > pixels.shape[0] * pixels.shape[1]
    name = preprocess.resize_up if larger and preprocess.resize_up else filter_name
    return resize(pixels, height, width, filter_name=name, library=preprocess.library)


def _pad(pixels: RGB, box: Box, preprocess: Preprocess) -> RGB:
    if preprocess.pad_mode == "edge":
        above, before = box.top, box.left
        below, behind = box.side - above - box.height, box.side - before - box.width
        return np.pad(pixels, ((above, below), (before, behind), (0, 0)), mode="edge")
    row = np.full((box.side, 3), preprocess.pad_colour, np.uint8)
    canvas = np.broadcast_to(row, (box.side, box.side, 3)).copy()  # row by row: several times quicker than by pixel
    canvas[box.top : box.top + box.height, box.left : box.left + box.width] = pixels
    return canvas
