"""Which pixels of a square are padding, for networks that are told so."""

import numpy as np
from numpy.typing import NDArray

from arena.cards import Preprocess
from arena.taggers.base import Pixels
from arena.taggers.preprocess.geometry import place


def padding_mask(shape: tuple[int, ...], preprocess: Preprocess) -> NDArray[np.bool_]:
    """Where the square of a picture is padding: true where a pixel's centre lies outside the picture.

    Args:
        shape: of the picture, height and width first.

    Returns: bool (size, size).

    >>> padding_mask((2, 4), Preprocess(size=4)).astype(int).tolist()
    [[1, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]]
    """
    box = place(shape[0], shape[1], preprocess)
    last = preprocess.crop_from or preprocess.size
    start = (last - preprocess.size) // 2
    centres = (np.arange(start, start + preprocess.size) + 0.5) * box.side / last
    rows = (centres >= box.top) & (centres < box.top + box.height)
    columns = (centres >= box.left) & (centres < box.left + box.width)
    return ~(rows[:, None] & columns)


def padding_of(batch: Pixels, preprocess: Preprocess) -> NDArray[np.bool_]:
    """The same from the squares alone: bars of the padding's colour that lie opposite each other, as centring leaves them.

    A picture that has such bars of its own is told apart by nothing, and neither can the network see a difference. Where
    the square is resized after padding, pixels that mix both count as the picture's.

    Args:
        batch: uint8 (n, size, size, 3), as `square` makes them; padded with a colour.

    Returns: bool (n, size, size).
    """
    if preprocess.pad == "none" or preprocess.pad_mode != "colour":
        return np.zeros(batch.shape[:3], np.bool_)
    other = (batch != np.asarray(preprocess.pad_colour, np.uint8)).any(axis=3)
    rows, columns = _bars(other.any(axis=2)), _bars(other.any(axis=1))
    padding: NDArray[np.bool_] = rows[:, :, None] | columns[:, None, :]
    return padding


def _bars(filled: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Lines of padding at both ends, (n, size), where the lines that hold something else are true in `filled`."""
    size = filled.shape[1]
    anything = filled.any(axis=1)
    before = np.where(anything, filled.argmax(axis=1), 0)
    behind = np.where(anything, filled[:, ::-1].argmax(axis=1), 0)
    first = np.minimum(before, behind)
    rest = np.minimum(behind, first + 1)  # the smaller part comes first
    lines = np.arange(size)
    bars: NDArray[np.bool_] = (lines < first[:, None]) | (lines >= size - rest[:, None])
    return bars
