"""Three layers: bins counted by hand, scikit-learn or a loop over images as the reference, properties."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import brier_score_loss

from arena.metrics.calibration import (
    EDGES,
    RELIABILITY_BINS,
    Bins,
    bin_sorted,
    brier,
    error_if_calibrated,
    expected_calibration_error,
    reliability,
)
from arena.metrics.ranking import sort_block, sort_column

edges = st.integers(0, RELIABILITY_BINS).map(lambda b: np.float32(b / RELIABILITY_BINS))
near_edges = edges.map(lambda edge: np.nextafter(edge, np.float32(0)))
anywhere = st.floats(0, 1, width=32).map(np.float32)
Problem = tuple[np.ndarray, np.ndarray]


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    images = draw(st.integers(0, 40))
    scores = draw(hnp.arrays(np.float32, images, elements=edges | near_edges | anywhere))
    return scores, draw(hnp.arrays(bool, images))


def bins_of(scores: np.ndarray, labels: np.ndarray) -> Bins:
    return Bins(*(column[0] for column in bin_sorted(sort_column(scores, labels))))


def bin_of(score: np.float32) -> int:
    """Counted without a search: how many edges above the first lie at or below the score."""
    return sum(bool(score >= edge) for edge in EDGES[1:-1])


def sums(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    exact = scores.astype(np.float64)
    return (exact**2).sum(), exact[labels].sum(), labels.sum(), len(scores)


def test_bins_counted_by_hand() -> None:
    below = np.nextafter(np.float32(0.05), np.float32(0))
    scores = np.float32([1.0, 0.05, below, 0.0, 0.95, 0.97])
    bins = bins_of(scores, np.array([True, False, True, False, False, True]))
    assert bins.images.tolist() == [2, 1, *[0] * 17, 3], "a bin holds its lower edge, and the last holds 1"
    assert bins.positives.tolist() == [1, 0, *[0] * 17, 2]
    assert bins.score_sum[[0, 1, 2, 19]] == pytest.approx([0.05, 0.05, 0, 2.92], abs=1e-7)


def test_reliability_worked_by_hand() -> None:
    diagram = reliability(bins_of(np.float32([0.5, 0.53125, 1, 1]), np.array([True, False, True, True])))
    assert diagram.images[[10, 19]].tolist() == [2, 2]
    assert diagram.mean_score[[10, 19]].tolist() == [0.515625, 1]
    assert diagram.share_positive[[10, 19]].tolist() == [0.5, 1]


def test_an_empty_bin_has_no_mean_and_no_share() -> None:
    diagram = reliability(bins_of(np.float32([0.5]), np.array([True])))
    empty = np.arange(RELIABILITY_BINS) != 10
    assert np.array_equal(np.isnan(diagram.mean_score), empty)
    assert np.array_equal(np.isnan(diagram.share_positive), empty)


def test_calibration_error_worked_by_hand() -> None:
    perfect = bins_of(np.float32([0, 0, 1]), np.array([False, False, True]))
    assert expected_calibration_error(perfect) == 0
    wrong = bins_of(np.float32([0, 0, 1]), np.array([True, True, False]))
    assert expected_calibration_error(wrong) == 1
    mixed = bins_of(np.float32([0.25, 0.25, 0.25, 0.25, 0.75]), np.array([True, True, False, False, False]))
    assert expected_calibration_error(mixed) == pytest.approx(4 / 5 * 0.25 + 1 / 5 * 0.75)


def test_without_an_image_figures_are_undefined() -> None:
    nobody = np.float32([]), np.zeros(0, bool)
    assert np.isnan(expected_calibration_error(bins_of(*nobody)))
    assert np.isnan(brier(*sums(*nobody)))


@given(problems())
def test_bins_are_those_of_a_loop_over_images(problem: Problem) -> None:
    images, positives, score_sum = np.zeros((3, RELIABILITY_BINS))
    for score, label in zip(*problem, strict=True):
        b = bin_of(score)
        images[b] += 1
        positives[b] += label
        score_sum[b] += float(score)
    bins = bins_of(*problem)
    assert np.array_equal(bins.images, images)
    assert np.array_equal(bins.positives, positives)
    np.testing.assert_allclose(bins.score_sum, score_sum, rtol=0, atol=1e-12)


@given(problems())
def test_calibration_error_is_that_of_a_loop_over_bins(problem: Problem) -> None:
    scores, labels = problem
    if not len(scores):
        return
    which = np.array([bin_of(score) for score in scores])
    inside = [which == b for b in set(which.tolist())]
    gaps = [abs(labels[part].mean() - scores[part].astype(np.float64).mean()) * part.mean() for part in inside]
    ours = float(expected_calibration_error(bins_of(scores, labels)))
    assert ours == pytest.approx(sum(gaps), abs=1e-12)
    assert 0 <= ours <= 1


@given(problems(), st.integers(0, 40))
def test_bins_add_up_over_parts(problem: Problem, cut: int) -> None:
    scores, labels = problem
    parts = [bins_of(scores[part], labels[part]) for part in (slice(cut), slice(cut, None))]
    for whole, first, second in zip(bins_of(scores, labels), *parts, strict=True):
        np.testing.assert_allclose(whole, first + second, rtol=0, atol=1e-12)


@given(st.lists(problems(), min_size=1, max_size=4))
def test_tags_on_a_leading_axis_give_what_each_gives_alone(tags: list[Problem]) -> None:
    each = [bins_of(*problem) for problem in tags]
    together = Bins(*(np.stack(field) for field in zip(*each, strict=True)))
    alone = [expected_calibration_error(bins) for bins in each]
    np.testing.assert_array_equal(expected_calibration_error(together), alone)
    shares = [reliability(bins).share_positive for bins in each]
    np.testing.assert_array_equal(reliability(together).share_positive, shares)


@given(st.lists(problems(), min_size=1, max_size=4))
def test_brier_is_scikit_learns_of_each_tag(tags: list[Problem]) -> None:
    columns = [np.array(column) for column in zip(*(sums(*problem) for problem in tags), strict=True)]
    for ours, (scores, labels) in zip(brier(*columns), tags, strict=True):
        assert np.isnan(ours) == (not len(scores))
        if len(scores):
            assert ours == pytest.approx(brier_score_loss(labels, scores.astype(np.float64), pos_label=True), abs=1e-12)


def test_brier_of_many_images_keeps_its_precision() -> None:
    rng = np.random.default_rng(0)
    scores, labels = rng.random(200_000, np.float32) ** 4, rng.random(200_000) < 0.1
    expected = brier_score_loss(labels, scores.astype(np.float64))
    assert float(brier(*sums(scores, labels))) == pytest.approx(expected, abs=1e-12)


def test_rounding_makes_no_brier_score_negative() -> None:
    almost_one = np.full(1000, np.nextafter(np.float32(1), np.float32(0)))
    assert float(brier(*sums(almost_one, np.ones(1000, bool)))) >= 0
    assert float(brier(np.array(0.9999999), np.array(1.0), np.array(1), images=1)) == 0


def test_the_error_of_a_calibrated_model_enumerated() -> None:
    """Three images at 0.2 and one at 0.9: all outcomes of each bin, weighted by their probability."""
    bins = bins_of(np.float32([0.2, 0.2, 0.2, 0.9]), np.array([True, False, False, True]))
    three = sum(abs(k - 0.6) * math.comb(3, k) * 0.2**k * 0.8 ** (3 - k) for k in range(4))
    one = 0.9 * 0.1 + 0.1 * 0.9
    assert float(error_if_calibrated(bins)) == pytest.approx((three + one) / 4, abs=1e-7)


def test_scores_of_0_and_1_leave_nothing_to_chance() -> None:
    assert float(error_if_calibrated(bins_of(np.float32([0, 0, 1]), np.array([True, False, True])))) == 0
    assert np.isnan(error_if_calibrated(bins_of(np.empty(0, np.float32), np.empty(0, bool))))


def test_the_error_of_calibrated_models_in_a_simulation() -> None:
    rng = np.random.default_rng(0)
    scores = rng.beta(0.3, 2, (400, 300)).astype(np.float32)
    bins = bin_sorted(sort_block(scores, rng.random(scores.shape) < scores))
    found, expected = expected_calibration_error(bins).mean(), error_if_calibrated(bins).mean()
    assert 0.04 < found < 0.06, "of models without any error"
    assert expected == pytest.approx(found, rel=0.03)


@given(problems())
def test_chance_alone_stays_in_range(problem: Problem) -> None:
    scores, labels = problem
    found = float(error_if_calibrated(bins_of(scores, labels)))
    assert np.isnan(found) if not len(scores) else 0 <= found <= 0.5
