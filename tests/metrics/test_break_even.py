"""Exact thresholds where as many cells are predicted as are positive."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csc_array

from arena.metrics.blocks import KnownColumns
from arena.metrics.break_even import _Highest, break_even_thresholds
from arena.scores.matrix import Matrix


def crossings_of(scores: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> np.ndarray:
    everyone = np.arange(scores.shape[1])
    model = KnownColumns(Matrix.of(scores), everyone, everyone, np.ones(len(everyone), bool))
    [found] = break_even_thresholds([model], csc_array(labels), folds, 2)
    return found


def test_a_crossing_worked_by_hand() -> None:
    scores = np.float32([[0.9, 0.3537], [0.2, 0.1], [0.3536, 0.8]])
    labels = np.array([[True, False], [True, False], [False, True]])
    assert crossings_of(scores, labels, np.zeros(3, np.uint8)).tolist() == [np.float32(0.3537)]


def test_equal_scores_are_predicted_together() -> None:
    scores, labels = (
        np.float32([[0.9], [0.5], [0.5], [0.5], [0.1]]),
        np.array([[True], [True], [False], [False], [False]]),
    )
    found = crossings_of(scores, labels, np.zeros(5, np.uint8))
    assert found.tolist() == [np.float32(0.9)], "one prediction is nearer to two positives than four are"


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 70), st.booleans())
@settings(max_examples=40, deadline=None)
def test_no_other_threshold_is_nearer(seed: int, images: int, tags: int, coarse: bool) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.random((images, tags)).astype(np.float32)
    scores = np.round(scores, 1) if coarse else scores
    labels, folds = rng.random((images, tags)) < 0.1, rng.integers(0, 3, images).astype(np.uint8)
    found = crossings_of(scores, labels, folds)
    for kept in [np.ones(images, bool), *(folds != fold for fold in range(3))]:
        positives = labels[kept].sum()
        if positives:
            misses = [abs(int((scores[kept] >= t).sum()) - int(positives)) for t in np.unique(scores)]
            assert min(abs(int((scores[kept] >= t).sum()) - int(positives)) for t in found) == min(misses)


def test_memory_is_that_of_the_positives() -> None:
    highest, rng = _Highest(100), np.random.default_rng(0)
    everything = rng.random((50, 1_000)).astype(np.float32)
    for row in everything:
        highest.add(*highest.above_floor(row[None], np.zeros(1_000, np.uint8)))
        assert len(highest.scores) <= 200
    assert highest.crossing(100, None) == np.sort(everything.ravel())[-100]
    assert highest.crossing(100, 0) is None
    assert highest.floor == pytest.approx(np.quantile(everything, 1 - 100 / 50_000), abs=0.01)
