"""Find the padding of a square, for networks with a padding mask as input."""

import numpy as np
from numpy.typing import NDArray

from arena.cards import Preprocess
from arena.taggers.base import Pixels


def find_padding(batch: Pixels, preprocess: Preprocess) -> NDArray[np.bool_]:
    """Return the padding mask of squares, from their pixels alone: opposite bars of the padding colour, as centring makes them.

    Bars of this colour in the image itself also count as padding; the network's input is the same. If the square is resized
    after padding, pixels that mix both count as image.

    Args:
        batch: uint8 (n, size, size, 3), as `square` makes them.

    Returns: bool (n, size, size), true for padding; all false if `preprocess` does not pad with a colour.
    """
    if preprocess.pad in ("none", "crop") or preprocess.pad_mode != "colour":
        return np.zeros(batch.shape[:3], np.bool_)
    other = (batch != np.asarray(preprocess.pad_colour, np.uint8)).any(axis=3)
    rows, columns = _bars(other.any(axis=2)), _bars(other.any(axis=1))
    padding: NDArray[np.bool_] = rows[:, :, None] | columns[:, None, :]
    return padding


def _bars(filled: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which lines at both ends are padding, bool (n, size).

    Args:
        filled: whether a line has a pixel of another colour than the padding, (n, size).
    """
    size = filled.shape[1]
    not_empty = filled.any(axis=1)
    before = np.where(not_empty, filled.argmax(axis=1), 0)
    after = np.where(not_empty, filled[:, ::-1].argmax(axis=1), 0)
    first = np.minimum(before, after)
    last = np.minimum(after, first + 1)  # with an odd margin, the smaller part comes first
    lines = np.arange(size)
    bars: NDArray[np.bool_] = (lines < first[:, None]) | (lines >= size - last[:, None])
    return bars
