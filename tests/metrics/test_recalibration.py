"""Calibration errors after one fitted shift and scale: what the fit undoes, what it does not, and the paired interval."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from arena.metrics.recalibration import LogitCounts, bags_of, compare_calibration, count_logits, errors, fit

IMAGES, TAGS, BAGS = 1500, 30, 128
RNG = np.random.default_rng(3)
LOGIT = RNG.normal(-3, 2, (IMAGES, TAGS))
LABELS = RNG.random((IMAGES, TAGS)) < special.expit(LOGIT)
NOISE = RNG.standard_normal((IMAGES, TAGS))


def counted(logits: np.ndarray, labels: np.ndarray = LABELS) -> LogitCounts:
    return count_logits(special.expit(logits).astype(np.float32), labels, np.arange(len(logits)) % BAGS, BAGS)


def whole(counts: LogitCounts) -> LogitCounts:
    return LogitCounts(*(one.sum(0) for one in counts))


BASE = counted(LOGIT)


def test_the_fit_finds_shift_and_scale() -> None:
    shift, scale = fit(whole(counted(LOGIT * 0.5 + 1.3)))
    # the logit is 2 (x - 1.3) of the shifted one
    assert (float(shift), float(scale)) == (pytest.approx(-2.6, abs=0.1), pytest.approx(2.0, abs=0.05))


@given(st.floats(-1, 1), st.floats(0.6, 1.4))
def test_a_shift_and_a_scale_change_neither_error(shift: float, scale: float) -> None:
    before, after = errors(whole(BASE)), errors(whole(counted(LOGIT * scale + shift)))
    assert float(after.brier) == pytest.approx(float(before.brier), abs=5e-4)
    assert float(after.ece) == pytest.approx(float(before.ece), abs=3e-3)


def test_a_candidate_with_another_loss_has_not_risen_and_a_noisy_one_has() -> None:
    moved = compare_calibration(candidate=counted(LOGIT * 0.5 + 1.3), baseline=BASE, replicates=200)
    for one in moved.values():
        assert one.interval.low <= 0 <= one.interval.high
    noisy = compare_calibration(candidate=counted(LOGIT + NOISE), baseline=BASE, replicates=200)
    assert noisy["brier"].interval.low > 0
    assert noisy["brier"].candidate > noisy["brier"].baseline


def test_errors_by_hand() -> None:
    # Scores of 0.5 with half of the images positive: calibrated, and the Brier score is a quarter.
    labels = np.arange(8)[:, None] % 2 == 0
    found = errors(whole(count_logits(np.full((8, 1), 0.5, np.float32), labels, np.zeros(8, np.int64), 1)))
    assert (float(found.ece), float(found.brier)) == (pytest.approx(0, abs=1e-9), pytest.approx(0.25))
    nothing = errors(LogitCounts(np.zeros(401), np.zeros(401)))
    assert np.isnan(nothing.ece)
    assert np.isnan(nothing.brier)


def test_scores_of_0_and_1_are_counted() -> None:
    scores = np.array([[0.0], [1.0]], np.float32)
    found = count_logits(scores, np.array([[False], [True]]), np.array([0, 1]), 2)
    assert (found.cells[0, 0], found.cells[1, -1], found.positives[1, -1]) == (1, 1, 1)


def test_without_resamples_there_is_no_interval() -> None:
    found = compare_calibration(candidate=BASE, baseline=BASE, replicates=0)
    assert np.isnan(found["ece"].interval.low)
    assert found["ece"].candidate == found["ece"].baseline


def test_images_of_a_cluster_share_a_bag() -> None:
    bags = bags_of(np.array([5, 5, 300, 300, 7]))
    assert (bags[0] == bags[1], bags[2] == bags[3], bags[0] == bags[4]) == (True, True, False)
