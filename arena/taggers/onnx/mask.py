"""Which pixels of a square are padding, for the graphs that ask."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.cards import Preprocess
from arena.taggers.base import Pixels


class _Bands(NamedTuple):
    """Lines of padding before and after a picture."""

    before: int
    after: int


def padding_mask(batch: Pixels, preprocess: Preprocess) -> NDArray[np.bool_]:
    """True where a pixel is padding, (n, size, size).

    Padding is told from the pixels: bands of whole lines in the pad colour, as wide on both sides as centring makes them.
    A picture whose own edge has exactly that colour on both sides counts as padded there.
    """
    if preprocess.pad == "none" or preprocess.pad_mode != "colour":
        return np.zeros(batch.shape[:3], np.bool_)
    plain: NDArray[np.bool_] = (batch == np.asarray(preprocess.pad_colour, np.uint8)).all(axis=-1)
    return np.stack([_mask(own) for own in plain])


def _mask(plain: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask of one picture, from which of its pixels have the pad colour.

    >>> _mask(np.array([[True, True, True], [True, False, True], [True, True, False]])).astype(int).tolist()
    [[0, 0, 0], [0, 0, 0], [0, 0, 0]]
    >>> _mask(np.array([[True, True, True], [False, True, False], [True, True, True]])).astype(int).tolist()
    [[1, 1, 1], [0, 0, 0], [1, 1, 1]]
    """
    mask = np.zeros_like(plain)
    for axis, view in ((1, mask), (0, mask.T)):
        lines = np.asarray(plain.all(axis=axis))
        before, after = _bands(lines)
        view[:before] = True
        view[len(lines) - after :] = True
    return mask


def _bands(lines: NDArray[np.bool_]) -> _Bands:
    """Widths of the padding around a centred picture (offset `//2`), so the second is as wide or one line wider."""
    if lines.all():
        return _Bands(len(lines), 0)
    before, after = int(np.argmin(lines)), int(np.argmin(lines[::-1]))
    before = min(before, after)
    return _Bands(before, min(after, before + 1))
