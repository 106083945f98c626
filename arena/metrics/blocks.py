"""How scores are read for counting: blocks of tags, turned tag-major, from panels of columns, by several threads.

Memory is bounded by a panel and a block a thread, whatever the number of images and tags.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from arena.metrics.counts import Integers

Result = TypeVar("Result")

BLOCK_TAGS = 32
"""Tags turned tag-major and sorted at a time, unless a block would exceed `BLOCK_BYTES`; 16 cost a tenth more for the calls,
64 of 32,768 images gain nothing and hold twice the memory."""

BLOCK_BYTES = 32 << 20
"""Scores of a block; each thread needs about ten times as much."""

TILE_IMAGES = 256
"""Images of a block turned at a time. A tile of 32 tags is 32 KiB, so that what is gathered and turned stays in the first
cache: 0.07 ms a tag of 32,768 images, where turning 64 images in place takes 0.08 to 0.11 ms by the width of the matrix, and
the whole block at once 0.4 ms."""

KEPT_BYTES = 31 << 20
"""A block of memory of nearly the largest size (32 MiB) that glibc keeps for reuse once it saw one freed. Until then it hands
every array of a block back to the system and has it zeroed again for the next one, an eighth of the time of a pass."""

PANEL_BYTES = 1 << 30
"""Columns held in memory at a time, over all models; scores of 32,768 images and 6,000 tags come in one or two panels."""


class Columns(Protocol):
    """A score matrix that can be read by columns."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the scores."""

    def columns(self, wanted: Integers, place: Integers | None) -> NDArray[Any]:
        """Some columns, each row where `place` says, (images, len(wanted))."""


@dataclass(frozen=True)
class Scored:
    """One model's columns that the truth knows.

    Attributes:
        matrix: scores, 0 to 1.
        columns: int64 (known,), the column of each.
        truth_columns: int64 (known,), the truth's column of each, ascending.
        first: bool (known,), which of several columns for one tag of the truth stands for it in comparisons.
        place: int64 (rows of the matrix,), at which image of the truth each row goes, -1 for nowhere; None where they agree.
    """

    matrix: Columns
    columns: Integers
    truth_columns: Integers
    first: NDArray[np.bool_]
    place: Integers | None = None

    def within(self, truth_tags: slice) -> slice:
        """Which of `columns` belong to a range of tags of the truth."""
        start, stop = np.searchsorted(self.truth_columns, [truth_tags.start, truth_tags.stop])
        return slice(int(start), int(stop))


class Block(NamedTuple):
    """One model's columns of a block of tags."""

    known: slice
    """Which of `Scored.columns` they are."""
    scores: NDArray[np.float32]
    """(known, images)."""


def over_blocks(
    models: Sequence[Scored],
    shape: tuple[int, int],
    work: Callable[[slice, list[Block]], Result],
    workers: int,
) -> Iterator[tuple[int, Result]]:
    """Call `work` with every block of tags of the truth and every model's columns of it, in threads.

    Args:
        shape: of the truth, (images, tags).

    Yields: the number of tags of a block and what `work` gave, in the order of the tags whatever the threads do.
    """
    np.empty(KEPT_BYTES, np.uint8)
    step = max(1, min(BLOCK_TAGS, BLOCK_BYTES // max(1, 4 * shape[0])))
    with ThreadPoolExecutor(workers) as pool:
        for panel in _panels(models, shape, step):
            yield from _over_panel(models, panel, step, work, pool)


def _panels(models: Sequence[Scored], shape: tuple[int, int], step: int) -> Iterator[slice]:
    """Ranges of tags of nearly equal width, whole blocks but for the last, whose columns take about `PANEL_BYTES` at most."""
    images, tags = shape
    total = sum(images * model.matrix.dtype.itemsize * len(model.columns) for model in models)
    blocks = ceil(tags / step)
    width = ceil(blocks / max(1, ceil(total / PANEL_BYTES))) * step
    for start in range(0, tags, width or 1):
        yield slice(start, min(start + width, tags))


def _over_panel(
    models: Sequence[Scored],
    panel: slice,
    step: int,
    work: Callable[[slice, list[Block]], Result],
    pool: ThreadPoolExecutor,
) -> Iterator[tuple[int, Result]]:
    """`over_blocks` of one panel, whose memory is given back at the end: two panels are never held at once."""
    known = [model.within(panel) for model in models]
    held = list(pool.map(lambda model, k: model.matrix.columns(model.columns[k], model.place), models, known))

    def turned(start: int) -> Result:
        truth_tags = slice(start, min(start + step, panel.stop))
        blocks = []
        for model, k, matrix in zip(models, known, held, strict=True):
            own = model.within(truth_tags)
            blocks.append(Block(own, tag_major(matrix[:, own.start - k.start : own.stop - k.start])))
        return work(truth_tags, blocks)

    starts = range(panel.start, panel.stop, step)
    for start, result in zip(starts, pool.map(turned, starts), strict=True):
        yield min(step, panel.stop - start), result


def labels_of(truth: csc_array, tags: slice) -> NDArray[np.bool_]:
    """Which images carry each of some tags; bool (tags, images)."""
    labels = np.zeros((tags.stop - tags.start, truth.shape[0]), np.bool_)
    inside = slice(truth.indptr[tags.start], truth.indptr[tags.stop])
    rows = np.repeat(np.arange(len(labels)), np.diff(truth.indptr[tags.start : tags.stop + 1]))
    labels[rows, truth.indices[inside]] = True
    return labels


def tag_major(matrix: NDArray[Any]) -> NDArray[np.float32]:
    """An (images, tags) matrix turned to contiguous rows a tag, float32 (tags, images)."""
    images, tags = matrix.shape
    turned = np.empty((tags, images), np.float32)
    for start in range(0, images, TILE_IMAGES):
        part = slice(start, start + TILE_IMAGES)
        turned[:, part] = matrix[part].copy().T  # gathered first: rows lie as far apart as the matrix is wide
    return turned
