"""Random problems with many ties, and figures computed the slow way: what several test files measure against."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.sparse import csc_array

from arena.metrics.blocks import KnownColumns
from arena.metrics.tally import SweptModel, Tally, tally_models
from arena.scores.matrix import Matrix

# Few distinct values, so that ties and scores equal to thresholds are common; the least float32 above 0, and both zeros.
LEVELS = st.sampled_from([-0.0, 0.0, 1e-45, 0.1, 0.25, 0.4, 0.5, 0.5000001, 0.99, 1.0]).map(np.float32)

Column = tuple[np.ndarray, np.ndarray]


@st.composite
def columns(draw: st.DrawFn, most: int = 30) -> Column:
    """One tag: scores and labels; the labels may all be alike, and so may the scores."""
    images = draw(st.integers(1, most))
    scores = draw(st.one_of(hnp.arrays(np.float32, images, elements=LEVELS), LEVELS.map(lambda x: np.full(images, x))))
    return scores.astype(np.float32), draw(hnp.arrays(bool, images))


def random_column(seed: int, images: int = 200, *, share: float = 0.2, values: int = 40) -> Column:
    """One tag whose scores are higher where it is carried, on a grid of so many values."""
    rng = np.random.default_rng(seed)
    labels = rng.random(images) < share
    scores = np.floor(rng.beta(1 + 2 * labels, 3) * values) / values
    return scores.astype(np.float32), labels


def weighted_ap(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> float:
    """Average precision of images that count so much each, from its definition."""
    total = 0.0
    for one in np.flatnonzero(labels):
        above = scores >= scores[one]
        total += weights[one] * (weights * labels)[above].sum() / weights[above].sum()
    return total / (weights * labels).sum()


def brute_counts(scores: np.ndarray, labels: np.ndarray, threshold: np.float32) -> tuple[int, int]:
    """TP and FP."""
    predicted = scores >= threshold
    return int((predicted & labels).sum()), int((predicted & ~labels).sum())


def scored(
    scores: np.ndarray,
    columns: list[int] | None = None,
    truth_columns: list[int] | None = None,
    *,
    first: list[bool] | None = None,
    place: np.ndarray | None = None,
) -> KnownColumns:
    """A model whose tags are the truth's, unless told otherwise."""
    own = list(range(scores.shape[1])) if columns is None else columns
    theirs = own if truth_columns is None else truth_columns
    chosen = np.ones(len(own), bool) if first is None else np.array(first)
    return KnownColumns(Matrix.of(scores), np.array(own, np.int64), np.array(theirs, np.int64), chosen, place)


def tally_of(scores: np.ndarray, labels: np.ndarray, thresholds: np.ndarray, **more: Any) -> Tally:
    """The pass over one model's scores."""
    own = more.pop("own", np.full(scores.shape[1], 0.5, np.float32))
    return tally_models([SweptModel(scored(scores), thresholds, own)], csc_array(labels), **more).models[0]
