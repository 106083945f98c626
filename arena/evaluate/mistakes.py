"""Errors explained: where one model is right and another wrong, and which tags are taken for which."""

from collections.abc import Iterable, Sequence
from itertools import permutations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from arena.metrics.counts import Integers

SHOWN = 5
"""Images kept of each tag and ordered pair of models; confused tags kept of each tag."""


class Disagreements(NamedTuple):
    """Images on which one model is right about a tag and another wrong, (k,) each; the clearest of each tag first."""

    tag: Integers
    image: Integers
    right: Integers
    """Number of the model that is right."""
    wrong: Integers
    carried: NDArray[np.bool_]
    """Whether the image carries the tag."""
    right_score: NDArray[np.float32]
    wrong_score: NDArray[np.float32]

    @classmethod
    def joined(cls, parts: Iterable["Disagreements"]) -> "Disagreements":
        """Several as one list."""
        kinds = (np.int64, np.int64, np.int64, np.int64, np.bool_, np.float32, np.float32)
        empty = cls(*(np.empty(0, kind) for kind in kinds))  # type: ignore[arg-type]
        return cls(*(np.concatenate(columns) for columns in zip(empty, *parts, strict=True)))


def find_disagreements(
    scores: Sequence[NDArray[np.float32]],
    predicted: Sequence[NDArray[np.bool_]],
    labels: NDArray[np.bool_],
    *,
    tag: int,
) -> list[Disagreements]:
    """Of one tag, for each ordered pair of models that holds the first one, the `SHOWN` images with the widest gap of scores.

    Args:
        scores, predicted: one a model, (images,).
        labels: bool (images,).
    """
    found = []
    for right, wrong in permutations(range(len(scores)), 2):
        if 0 not in (right, wrong):
            continue
        images = np.flatnonzero(predicted[right] != predicted[wrong])
        images = images[predicted[right][images] == labels[images]]
        gap = np.abs(scores[right][images] - scores[wrong][images])
        images = images[np.lexsort((images, -gap))[:SHOWN]]
        count = len(images)
        found.append(
            Disagreements(
                np.full(count, tag), images, np.full(count, right), np.full(count, wrong), labels[images],
                scores[right][images], scores[wrong][images],
            )
        )  # fmt: skip
    return found


class Confusions(NamedTuple):
    """Tags that a model gives in place of another, (k,) each."""

    tag: Integers
    """The false alarm."""
    instead_of: Integers
    """The tag that was missed on the same images."""
    images: Integers
    expected: NDArray[np.float64]
    """Images that would show both by chance."""


def find_confusions(truth: csc_array, predicted: csc_array) -> Confusions:
    """For each tag that a model gives falsely, the tags that it misses on the same images more often than by chance.

    Of each tag the `SHOWN` with the largest excess over chance, in standard errors (Pearson's residual); two images or more.

    Args:
        truth, predicted: bool (images, tags).
    """
    given, carried = _integers(predicted), _integers(truth)
    hits = given.multiply(carried)
    false, missed = _integers(given - hits), _integers(carried - hits)
    together = (false.T @ missed).tocsr()
    row = np.repeat(np.arange(together.shape[0]), np.diff(together.indptr))
    expected = false.sum(0)[row] * missed.sum(0)[together.indices] / max(1, truth.shape[0])
    residual = np.divide(together.data - expected, np.sqrt(expected), out=np.zeros(len(row)), where=expected > 0)
    kept = np.flatnonzero((together.data >= 2) & (residual > 0))
    order = kept[np.lexsort((together.indices[kept], -residual[kept], row[kept]))]
    place = np.arange(len(order)) - np.searchsorted(row[order], row[order])
    order = order[place < SHOWN]
    return Confusions(
        row[order], together.indices[order].astype(np.int64), together.data[order].astype(np.int64), expected[order]
    )


def _integers(matrix: csc_array) -> csc_array:
    whole = csc_array(matrix, dtype=np.int32)
    whole.eliminate_zeros()
    return whole
