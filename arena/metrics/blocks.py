"""Read score matrices by blocks of tags: panels of columns are loaded, and threads transpose each block to tag-major.

Memory is bounded by one panel plus one block per thread, whatever the number of images and tags.
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
from arena.metrics.known import UNKNOWN_SCORE, KnownCells

_Result = TypeVar("_Result")

SORTED_TAGS_PER_BLOCK = 32
"""Tags per block, unless the block would exceed `_BLOCK_BYTES`. With 16 tags the calls cost 10 % more time; with 64 tags of
32,768 images nothing is gained and memory doubles."""

_BLOCK_BYTES = 32 << 20
"""Largest size of the scores of one block, in bytes; each thread needs about ten times as much memory."""

TILE_IMAGES = 256
"""Images transposed at a time. A tile of 32 tags is 32 KiB, so it stays in the L1 cache: 0.07 ms per tag of 32,768 images.
Transposing 64 images in place takes 0.08 to 0.11 ms, depending on the width of the matrix; the whole block at once 0.4 ms."""

_KEPT_BYTES = 31 << 20
"""Size of a dummy allocation, in bytes, just below the largest size (32 MiB) that glibc keeps for reuse after it was freed
once. Without it glibc returns every array of a block to the system and gets zeroed memory for the next block, which costs an
eighth of the time of a pass."""

PANEL_BYTES = 1 << 30
"""Bytes of columns held in memory at a time, over all models; 32,768 images and 6,000 tags need one or two panels."""


class ScoreColumns(Protocol):
    """A score matrix that can be read by columns."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type of the scores."""

    def columns(self, wanted: Integers, place: Integers | None) -> NDArray[Any]:
        """Return the wanted columns, (images, len(wanted)), with rows moved as `KnownColumns.place` describes."""


@dataclass(frozen=True)
class KnownColumns:
    """The columns of one model whose tags the ground truth has.

    Attributes:
        matrix: scores, 0 to 1.
        columns: int64 (known,), column of the matrix of each known tag.
        truth_columns: int64 (known,), column of the ground truth of each known tag, ascending.
        first: bool (known,), which column represents a tag of the ground truth in comparisons, if several map to it.
        place: int64 (rows of the matrix,), image of the ground truth of each row, -1 for none; None if the rows are the same.
    """

    matrix: ScoreColumns
    columns: Integers
    truth_columns: Integers
    first: NDArray[np.bool_]
    place: Integers | None = None

    def within(self, truth_tags: slice) -> slice:
        """Return the range of `columns` that belongs to a range of tags of the ground truth."""
        start, stop = np.searchsorted(self.truth_columns, [truth_tags.start, truth_tags.stop])
        return slice(int(start), int(stop))


class ModelBlock(NamedTuple):
    """The columns of one model for a block of tags."""

    known: slice
    """Range of `KnownColumns.columns`."""
    scores: NDArray[np.float32]
    """(known, images); `UNKNOWN_SCORE` in unknown cells."""


def over_blocks(
    models: Sequence[KnownColumns],
    shape: tuple[int, int],
    work: Callable[[slice, list[ModelBlock]], _Result],
    workers: int,
    known: KnownCells | None = None,
) -> Iterator[tuple[int, _Result]]:
    """Call `work` in threads with every block of tags of the ground truth and the columns of every model for it.

    Args:
        models: columns of each model.
        shape: shape of the ground truth, (images, tags).
        work: called with the range of tags of the ground truth and one block per model.
        workers: number of threads.
        known: known cells of the ground truth; None if all are.

    Yields: the number of tags of a block and the result of `work`, always in the order of the tags.
    """
    np.empty(_KEPT_BYTES, np.uint8)
    step = max(1, min(SORTED_TAGS_PER_BLOCK, _BLOCK_BYTES // max(1, 4 * shape[0])))
    with ThreadPoolExecutor(workers) as pool:
        for panel in _panels(models, shape, step):
            yield from _over_panel(models, panel, step, work, pool, known)


def _panels(models: Sequence[KnownColumns], shape: tuple[int, int], step: int) -> Iterator[slice]:
    """Yield ranges of tags of nearly equal width whose columns take about `PANEL_BYTES` at most.

    Each range is a whole number of blocks, except the last.
    """
    images, tags = shape
    total = sum(images * model.matrix.dtype.itemsize * len(model.columns) for model in models)
    blocks = ceil(tags / step)
    width = ceil(blocks / max(1, ceil(total / PANEL_BYTES))) * step
    for start in range(0, tags, width or 1):
        yield slice(start, min(start + width, tags))


def _over_panel(
    models: Sequence[KnownColumns],
    panel: slice,
    step: int,
    work: Callable[[slice, list[ModelBlock]], _Result],
    pool: ThreadPoolExecutor,
    cells: KnownCells | None,
) -> Iterator[tuple[int, _Result]]:
    """Run `over_blocks` on one panel. Its memory is freed at the end, so two panels are never held at once."""
    known = [model.within(panel) for model in models]
    loaded = list(pool.map(lambda model, k: model.matrix.columns(model.columns[k], model.place), models, known))

    def run_block(start: int) -> _Result:
        truth_tags = slice(start, min(start + step, panel.stop))
        unknown = None if cells is None else ~cells.block(truth_tags)
        blocks = []
        for model, k, matrix in zip(models, known, loaded, strict=True):
            block = model.within(truth_tags)
            scores = tag_major(matrix[:, block.start - k.start : block.stop - k.start])
            if unknown is not None:
                scores[unknown[model.truth_columns[block] - start]] = UNKNOWN_SCORE
            blocks.append(ModelBlock(block, scores))
        return work(truth_tags, blocks)

    starts = range(panel.start, panel.stop, step)
    for start, result in zip(starts, pool.map(run_block, starts), strict=True):
        yield min(step, panel.stop - start), result


def block_labels(truth: csc_array, tags: slice) -> NDArray[np.bool_]:
    """Return the labels of a range of tags as a dense matrix; bool (tags, images)."""
    labels = np.zeros((tags.stop - tags.start, truth.shape[0]), np.bool_)
    inside = slice(truth.indptr[tags.start], truth.indptr[tags.stop])
    rows = np.repeat(np.arange(len(labels)), np.diff(truth.indptr[tags.start : tags.stop + 1]))
    labels[rows, truth.indices[inside]] = True
    return labels


def tag_major(matrix: NDArray[Any]) -> NDArray[np.float32]:
    """Return an (images, tags) matrix transposed to one contiguous row per tag, float32 (tags, images)."""
    images, tags = matrix.shape
    transposed = np.empty((tags, images), np.float32)
    for start in range(0, images, TILE_IMAGES):
        part = slice(start, start + TILE_IMAGES)
        transposed[:, part] = matrix[part].copy().T  # copied first, because the rows of a wide matrix are far apart
    return transposed
