"""A shard of a score store that holds only the high scores; the others are read as 0.

Its `.npy` file is a list of `row`, `column` and `score`, in order of row and column.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena.scores.cut import Selection

CUT = "cut"
"""Key of the facts of a store: which scores its shards hold."""

_ENTRY = np.dtype([("row", "<u4"), ("column", "<u4"), ("score", "<f4")])


def stored_cut(selection: Selection | None) -> dict[str, Any]:
    """Return the entry of a store's facts and key; empty if all scores are stored."""
    return {} if selection is None else {CUT: selection._asdict()}


def selection_of(facts: Mapping[str, Any]) -> Selection | None:
    """Return which scores the shards of a store hold, by its facts; None if all."""
    cut = facts.get(CUT)
    return None if cut is None else Selection(**cut)


def pack_scores(values: NDArray[np.float32], selection: Selection) -> NDArray[Any]:
    """Return the selected scores of a shard as a list of entries; a score outside [0, 1] is selected as if it were clipped."""
    rows, columns = np.nonzero(selection.of(values.clip(0, 1)))
    packed = np.empty(len(rows), _ENTRY)
    packed["row"], packed["column"], packed["score"] = rows, columns, values[rows, columns]
    return packed


@dataclass(frozen=True)
class HighScores:
    """The rows of a shard with some of its scores; the file is read at each access.

    Attributes:
        shape: (images, tags).
    """

    path: Path
    shape: tuple[int, ...]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type of the scores."""
        return np.dtype(np.float32)

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        """Return some rows with all columns; a score that is not stored is 0."""
        start, stop, _ = rows.indices(self.shape[0])
        entries = np.load(self.path, allow_pickle=False)
        some = entries[(entries["row"] >= start) & (entries["row"] < stop)]
        dense = np.zeros((max(0, stop - start), self.shape[1]), np.float32)
        dense[some["row"] - np.uint32(start), some["column"]] = some["score"]
        return dense


def stored_high_scores(path: Path, shape: tuple[int, int]) -> HighScores | None:
    """Return the shard in a file; None if the file holds something else.

    Args:
        shape: (images, tags) of the shard.

    Raises:
        ValueError: an entry is outside the shape, or the file is no readable array.
    """
    entries = np.load(path, allow_pickle=False)
    if entries.dtype != _ENTRY or entries.ndim != 1:
        return None
    if len(entries) and (int(entries["row"].max()) >= shape[0] or int(entries["column"].max()) >= shape[1]):
        raise ValueError(f"a score is outside the {shape[0]} images and {shape[1]} tags")
    return HighScores(path, shape)
