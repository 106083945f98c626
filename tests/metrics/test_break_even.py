"""Exact thresholds where as many cells are predicted as are positive."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.sparse import csc_array

from arena.metrics.break_even import HighestScores, crossing
from arena.metrics.ranking import sort_block
from arena.metrics.tally import Sampling, SweptModel, Tally, tally_models
from tests.metrics.problems import scored


def tally_of(scores: np.ndarray, labels: np.ndarray, folds: np.ndarray, sweep: np.ndarray) -> Tally:
    """Return the counts with the crossings; the last column is not compared."""
    images, tags = scores.shape
    sampling = Sampling(folds, np.arange(images), np.ones((1, tags)))
    model = SweptModel(scored(scores), sweep, np.full(tags, 0.5, np.float32), np.arange(tags) < max(1, tags - 1))
    return tally_models([model], csc_array(labels), sampling=sampling, workers=2).models[0]


def crossings_of(
    scores: np.ndarray, labels: np.ndarray, folds: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    everyone = np.ones(scores.shape[1], bool)
    highest = HighestScores(folds, everyone, np.nonzero(labels)[0], weights)
    block = sort_block(np.ascontiguousarray(scores.T), np.ascontiguousarray(labels.T), images=True)
    highest.add(highest.above_floor(block, 0))
    return highest.crossings()


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
@example(488, 1, 1, True)
@example(331800, 8, 8, True)  # the highest score lies in a fold that is left out
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
            misses = {
                t: abs(int((scores[kept] >= t).sum()) - int(positives)) for t in {*np.unique(scores[kept]), *found}
            }
            nearest = min(misses.values())
            if misses.get(np.float32(0)) != nearest:  # a threshold of 0 is no crossing
                assert min(misses[t] for t in found) == nearest


def test_memory_is_that_of_the_positives() -> None:
    rng, folds = np.random.default_rng(0), np.zeros(1_000, np.uint8)
    everything = rng.random((50, 1_000)).astype(np.float32)
    highest = HighestScores(folds, np.ones(50, bool), np.zeros(100, int))
    highest.size = 100
    for column, row in enumerate(everything):
        highest.add(highest.above_floor(sort_block(row[None], np.zeros((1, 1_000), bool), images=True), column))
        assert sum(len(part.scores) for part in highest.parts) <= 200
    assert highest.crossings().tolist() == [np.sort(everything.ravel())[-100]]
    assert highest.floor == pytest.approx(np.quantile(everything, 1 - 100 / 50_000), abs=0.01)


def test_a_crossing_below_the_kept_scores_is_unknown() -> None:
    assert crossing(np.float32([0.5, 0.6]), 3) is None
    assert crossing(np.float32([0.5, 0.6]), 0) is None


@given(st.integers(0, 2**32 - 1), st.integers(6, 40), st.booleans())
@settings(max_examples=30, deadline=None)
def test_a_weighted_image_counts_as_repeated_images(seed: int, images: int, coarse: bool) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.random((images, 3)).astype(np.float32)
    scores = np.round(scores, 1) if coarse else scores
    labels, folds = rng.random((images, 3)) < 0.3, np.sort(rng.integers(0, 2, images)).astype(np.uint8)
    weights = rng.integers(1, 4, images)
    repeated = [np.repeat(values, weights, axis=0) for values in (scores, labels, folds)]
    assert crossings_of(scores, labels, folds, weights.astype(float)).tolist() == crossings_of(*repeated).tolist()


def test_light_images_that_score_highest_do_not_hide_the_crossing() -> None:
    """Heavy positives weigh more than their number of cells: more cells than positives have to be kept."""
    scores = np.linspace(1, 0.01, 400, dtype=np.float32)[:, None]
    labels, weights = np.arange(400)[:, None] >= 380, np.where(np.arange(400) >= 380, 20.0, 1.0)
    highest = HighestScores(np.zeros(400, np.uint8), np.ones(1, bool), np.nonzero(labels)[0], weights)
    highest.size = 30
    block = sort_block(np.ascontiguousarray(scores.T), np.ascontiguousarray(labels.T), images=True)
    highest.add(highest.above_floor(block, 0))
    weighed = np.cumsum(weights)
    crossing_at = int(np.searchsorted(weighed, weights[380:].sum()))
    assert highest.crossings().tolist() == [scores[crossing_at, 0]]


@given(st.integers(0, 2**32 - 1), st.integers(6, 40), st.integers(2, 70), st.booleans())
@settings(max_examples=30, deadline=None)
def test_counts_at_the_crossings(seed: int, images: int, tags: int, coarse: bool) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.random((images, tags)).astype(np.float32)
    scores = np.round(scores, 1) if coarse else scores
    labels, folds = rng.random((images, tags)) < 0.2, np.sort(rng.integers(0, 3, images)).astype(np.uint8)
    sweep = np.float32([0, 0.25, 0.5])
    found = tally_of(scores, labels, folds, sweep)
    assert np.isin(sweep, found.thresholds).all()
    assert (np.diff(found.thresholds) > 0).all()
    for k, threshold in enumerate(found.thresholds):
        for fold in range(len(found.images)):
            predicted, carried = scores[folds == fold] >= threshold, labels[folds == fold]
            assert found.tp[fold, k].tolist() == (predicted & carried).sum(0).tolist()
            assert found.fp[fold, k].tolist() == (predicted & ~carried).sum(0).tolist()


def test_a_block_without_a_tag_that_the_model_knows_has_no_cell() -> None:
    highest = HighestScores(np.zeros(3, np.uint8), np.ones(1, bool), np.array([0]))
    block = sort_block(np.empty((0, 3), np.float32), np.empty((0, 3), bool), images=True)
    found = highest.above_floor(block, 1)
    assert [len(values) for values in (found.scores, found.columns, found.images, found.labels)] == [0, 0, 0, 0]
