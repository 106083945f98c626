"""Which pixels of a square are padding, for networks that are told so."""

import numpy as np
from numpy.typing import NDArray

from arena.cards import Preprocess
from arena.taggers.base import Pixels


def padding_of(batch: Pixels, preprocess: Preprocess) -> NDArray[np.bool_]:
    """Where squares are padding, told from them alone: bars of its colour opposite each other, as centring leaves them.

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
