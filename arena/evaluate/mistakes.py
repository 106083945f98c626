"""Analysis of errors: images where one model is right and another wrong, and tags that a model confuses."""

from collections.abc import Iterable, Sequence
from itertools import permutations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from arena.metrics.cells import Cells
from arena.metrics.counts import Integers
from arena.metrics.known import KnownCells

MISTAKES_PER_TAG = 5
"""Images kept per tag and ordered pair of models; confused tags kept per tag."""


class Disagreements(NamedTuple):
    """Images where one model is right about a tag and another is wrong, (k,) each.

    For each tag and pair, the images with the largest difference of scores come first.
    """

    tag: Integers
    image: Integers
    right: Integers
    """Number of the model that is right."""
    wrong: Integers
    """Number of the model that is wrong."""
    carried: NDArray[np.bool_]
    """Whether the image has the tag."""
    right_score: NDArray[np.float32]
    wrong_score: NDArray[np.float32]

    def take(self, rows: Integers) -> "Disagreements":
        """Return some rows, in the order of `rows`."""
        return Disagreements(*(column[rows] for column in self))  # type: ignore[arg-type]

    @classmethod
    def joined(cls, parts: Iterable["Disagreements"]) -> "Disagreements":
        """Return several lists as one."""
        kinds = (np.int64, np.int64, np.int64, np.int64, np.bool_, np.float32, np.float32)
        empty = cls(*(np.empty(0, kind) for kind in kinds))  # type: ignore[arg-type]
        return cls(*(np.concatenate(columns) for columns in zip(empty, *parts, strict=True)))


def find_disagreements(
    scores: Sequence[NDArray[np.float32]], predicted: Sequence[Cells], labels: NDArray[np.bool_], *, first_tag: int
) -> Disagreements:
    """Return, for a block of tags, the `MISTAKES_PER_TAG` images of each tag with the largest difference of scores.

    They are found for each ordered pair of models that holds the first one, and ordered by tag, then by pair.

    Args:
        scores: one per model, float32 (tags, images).
        predicted: one per model, the cells that it predicts.
        labels: bool (tags, images).
        first_tag: value of `Disagreements.tag` of the first tag.
    """
    pairs = (pair for pair in permutations(range(len(scores)), 2) if 0 in pair)
    found = Disagreements.joined(_disagreements(scores, predicted, labels, *pair) for pair in pairs)
    ordered = found.take(np.argsort(found.tag, kind="stable"))
    return ordered._replace(tag=ordered.tag + first_tag)


def _disagreements(
    scores: Sequence[NDArray[np.float32]], predicted: Sequence[Cells], labels: NDArray[np.bool_], right: int, wrong: int
) -> Disagreements:  # fmt: skip
    """Return the images where one model is right and another wrong; tags count from the first of the block."""
    true = _without(predicted[right], predicted[wrong])
    false = _without(predicted[wrong], predicted[right])
    cells = true.pick(true.of(labels)).joined(false.pick(~false.of(labels)))
    one, other = (scores[number].ravel()[cells.flat] for number in (right, wrong))
    tag = np.repeat(np.arange(len(labels)), cells.counts)
    order = np.lexsort((cells.flat, -np.abs(one - other), tag))
    starts = np.cumsum(cells.counts) - cells.counts
    kept = order[np.arange(len(order)) - starts[tag] < MISTAKES_PER_TAG]  # `tag` is sorted, so the order keeps it
    return Disagreements(
        tag[kept], cells.images[kept], np.full(len(kept), right), np.full(len(kept), wrong), cells.of(labels)[kept],
        one[kept], other[kept],
    )  # fmt: skip


def _without(cells: Cells, others: Cells) -> Cells:
    """Return the cells that are not among some others."""
    return cells.pick(~np.isin(cells.flat, others.flat, assume_unique=True))


class Confusions(NamedTuple):
    """Tags that a model predicts in place of another, (k,) each."""

    tag: Integers
    """The false positive tag."""
    instead_of: Integers
    """The false negative tag on the same images."""
    images: Integers
    """Number of images with both errors."""
    expected: NDArray[np.float64]
    """Number of images expected by chance."""


_PAIRS_AT_ONCE = 4_096
"""Pairs of tags whose known images are counted at once: 16 MB for 32,768 images."""


def find_confusions(truth: csc_array, predicted: csc_array, known: KnownCells | None = None) -> Confusions:
    """Return, for each false positive tag, the tags missed on the same images more often than by chance.

    Per tag, the `MISTAKES_PER_TAG` with the largest excess over chance in standard errors (Pearson's residual) are kept. At
    least two images are needed.

    Args:
        truth, predicted: bool (images, tags); false in unknown cells.
        known: known cells; None if all are. A pair of tags is compared on the images where both are known.
    """
    guessed, carried = _integers(predicted), _integers(truth)
    hits = guessed.multiply(carried)
    false, missed = _integers(guessed - hits), _integers(carried - hits)
    together = (false.T @ missed).tocsr()
    row = np.repeat(np.arange(together.shape[0]), np.diff(together.indptr))
    if known is None:
        expected = false.sum(0)[row] * missed.sum(0)[together.indices] / max(1, truth.shape[0])
    else:
        expected = _expected_together(false, missed, known, row, together.indices)
    residual = np.divide(together.data - expected, np.sqrt(expected), out=np.zeros(len(row)), where=expected > 0)
    kept = np.flatnonzero((together.data >= 2) & (residual > 0))
    order = kept[np.lexsort((together.indices[kept], -residual[kept], row[kept]))]
    place = np.arange(len(order)) - np.searchsorted(row[order], row[order])
    order = order[place < MISTAKES_PER_TAG]
    return Confusions(
        row[order], together.indices[order].astype(np.int64), together.data[order].astype(np.int64), expected[order]
    )


def _expected_together(
    false: csc_array, missed: csc_array, known: KnownCells, first: Integers, second: Integers
) -> NDArray[np.float64]:
    """Return how often chance puts a false positive of one tag and a miss of another on an image where both are known.

    Args:
        false, missed: 1 for an error, (images, tags).
        known: known cells.
        first, second: int64 (pairs,), tag of the false positive and of the miss.
    """
    errors = [KnownCells.of_cells(one.indices, _columns_of(one), *one.shape).bits for one in (false, missed)]
    expected = np.empty(len(first))
    for start in range(0, len(first), _PAIRS_AT_ONCE):
        some = slice(start, start + _PAIRS_AT_ONCE)
        known_first, known_second = known.bits[first[some]], known.bits[second[some]]
        sides = (errors[0][first[some]] & known_second, errors[1][second[some]] & known_first)
        alarms, misses = (np.bitwise_count(one).sum(axis=1, dtype=np.int64) for one in sides)
        both = np.bitwise_count(known_first & known_second).sum(axis=1, dtype=np.int64)
        expected[some] = alarms * misses / np.maximum(both, 1)
    return expected


def _columns_of(matrix: csc_array) -> Integers:
    return np.repeat(np.arange(matrix.shape[1]), np.diff(matrix.indptr))


def _integers(matrix: csc_array) -> csc_array:
    whole = csc_array(matrix, dtype=np.int32)
    whole.eliminate_zeros()
    return whole
