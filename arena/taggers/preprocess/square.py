"""The square of pixels that a tagger takes as input."""

import numpy as np
from PIL import Image

from arena.cards import Preprocess
from arena.images.decode import RGB
from arena.taggers.preprocess.geometry import Placement, place_on_canvas, shorter_side_resized
from arena.taggers.preprocess.resize import Canvas, height_and_width, resize


def square(pixels: RGB, preprocess: Preprocess) -> RGB:
    """Return an image as a tagger's input square: padded, stretched or cropped to a square, resized, centre-cropped.

    Args:
        pixels: uint8 RGB (height, width, 3), with transparent pixels on the background colour `preprocess.alpha`.
        preprocess: the tagger's preprocessing; its `size` must be above 0.

    Returns: uint8 (size, size, 3).

    Raises:
        UnreadableImageError: the longer side is above `MAX_SIDE` and would be padded, or would be above it before the crop.
        ArenaError: the resize library is not installed.

    Source: JoyTag's `Models.py` and the WD demo space, which agree pixel for pixel, for the defaults. JoyTag's arena and
    SmilingWolf's model zoo for OpenCV's `area` without enlarging. imgutils' `pad_to_size` for `fit_size`. imgutils'
    `center_crop` for `crop_rounding` down, torchvision's for nearest.
    """
    if preprocess.pad == "crop":
        return _cropped(pixels, preprocess)
    box = place_on_canvas(pixels.shape[0], pixels.shape[1], preprocess)
    first = (preprocess.fit_size and preprocess.fit_resize) or preprocess.resize
    picture: Canvas = pixels
    if preprocess.pad != "before":
        picture = _resized(picture, box.height, box.width, preprocess, first)
    last = preprocess.crop_from or preprocess.size
    if _rows_are_resized_first(box, last, preprocess):
        picture = _resized_rows(pixels, box, last, preprocess)
    elif not box.is_whole:
        picture = _padded(picture, box, preprocess)
    picture = _resized(picture, last, last, preprocess, preprocess.resize)
    start = _crop_offset(last - preprocess.size, preprocess.crop_rounding)
    return np.asarray(picture)[start : start + preprocess.size, start : start + preprocess.size]


def _cropped(pixels: RGB, preprocess: Preprocess) -> RGB:
    """Return the centre of an image after its shorter side is resized, uint8 (size, size, 3)."""
    before = height_and_width(pixels)
    height, width = shorter_side_resized(before.height, before.width, preprocess.crop_from or preprocess.size)
    picture = np.asarray(_resized(pixels, height, width, preprocess, preprocess.resize))
    top, left = (_crop_offset(side - preprocess.size, preprocess.crop_rounding) for side in (height, width))
    return picture[top : top + preprocess.size, left : left + preprocess.size]


def _crop_offset(margin: int, rounding: str) -> int:
    """Return the offset of the crop, in pixels, from the total margin.

    >>> [_crop_offset(margin, "down") for margin in (5, 6, 7)], [_crop_offset(margin, "nearest") for margin in (5, 6, 7)]
    ([2, 3, 3], [2, 3, 4])
    """
    return margin // 2 if rounding == "down" else round(margin / 2)


def _resized(picture: Canvas, height: int, width: int, preprocess: Preprocess, filter_name: str) -> Canvas:
    before = height_and_width(picture)
    larger = height * width > before.height * before.width
    name = preprocess.resize_up if larger and preprocess.resize_up else filter_name
    return resize(picture, height, width, filter_name=name, library=preprocess.library)


_LARGEST_RESIZED_SIDE = 8_000
"""Longest side, in pixels, for which plain rows stay plain: the weights of an output position sum to 1 to within 2 ** -9."""


def _rows_are_resized_first(box: Placement, last: int, preprocess: Preprocess) -> bool:
    """Return whether `_resized_rows` gives the canvas of an image with plain bars above and below."""
    return (
        preprocess.pad == "before"
        and preprocess.pad_mode != "edge"
        and preprocess.library == "pil"
        and "nearest" not in (preprocess.resize, preprocess.resize_up)
        and box.height < box.width == box.side <= _LARGEST_RESIZED_SIDE
        and last != box.side
    )


def _resized_rows(pixels: RGB, box: Placement, last: int, preprocess: Preprocess) -> Canvas:
    """Return the padded canvas with its rows resized to `last` pixels, without resizing the rows of the bars.

    Pillow resizes the rows of a square first and rounds to bytes in between, so the result of the next resize, along the
    columns, is the same. A row of one colour keeps it, because the weights sum to 1.
    """
    filter_name = preprocess.resize_up if last > box.side and preprocess.resize_up else preprocess.resize
    rows = resize(pixels, box.height, last, filter_name=filter_name, library=preprocess.library)
    canvas = Image.new("RGB", (last, box.side), preprocess.pad_colour)
    canvas.paste(rows if isinstance(rows, Image.Image) else Image.fromarray(rows), (0, box.top))
    return canvas


def _padded(picture: Canvas, box: Placement, preprocess: Preprocess) -> Canvas:
    if preprocess.pad_mode == "edge":
        rows, columns = (
            (start, box.side - start - length) for start, length in ((box.top, box.height), (box.left, box.width))
        )
        return np.pad(np.asarray(picture), (rows, columns, (0, 0)), mode="edge")
    if preprocess.library == "pil":
        image = Image.new("RGB", (box.side, box.side), preprocess.pad_colour)
        image.paste(picture if isinstance(picture, Image.Image) else Image.fromarray(picture), (box.left, box.top))
        return image
    row = np.full((box.side, 3), preprocess.pad_colour, np.uint8)
    canvas = np.broadcast_to(row, (box.side, box.side, 3)).copy()
    canvas[box.top : box.top + box.height, box.left : box.left + box.width] = np.asarray(picture)
    return canvas
