"""Calibration by tag, expected metrics and their derivatives, threshold sweeps, and shifts of the tags' shares."""

import numpy as np
import pytest
from scipy import special
from scipy.sparse import csr_array

from arena.metrics.expected import (
    best_threshold,
    expected_metrics,
    joined_terms,
    standard_error,
    sweep_block,
    tag_terms,
)
from arena.metrics.prevalence import tag_shift
from arena.metrics.recalibration import LogitCounts
from arena.metrics.tag_calibration import count_tag_logits, fit_tags


def drawn(seed: int, images: int = 4000, tags: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores whose calibrated logit is 0.7 of theirs plus a shift of the tag; the labels, and the true probabilities."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(-1, 2, (images, tags))
    truth = special.expit(0.7 * logits + np.linspace(-1, 1, tags) - 0.5)
    return special.expit(logits).astype(np.float32), rng.random((images, tags)) < truth, truth


def test_a_calibration_finds_slope_and_shifts() -> None:
    scores, labels, truth = drawn(1)
    found = fit_tags(count_tag_logits(scores, labels))
    assert np.abs(found.probabilities(scores, np.arange(6)) - truth).mean() < 0.015
    assert found.spread == pytest.approx(np.std(np.linspace(-1, 1, 6)), abs=0.2)
    everywhere = found.probabilities(scores, np.full(6, -1))
    assert everywhere.sum() == pytest.approx(labels.sum(), rel=0.05)


@pytest.mark.parametrize("labels", [np.zeros((40, 2), bool), np.ones((40, 2), bool), np.eye(40, 2, dtype=bool)])
def test_a_calibration_of_few_or_equal_labels_is_finite(labels: np.ndarray) -> None:
    scores = np.tile(np.float32([[0.0], [1.0], [0.5], [0.3]]), (10, 2))  # saturated ones among them
    found = fit_tags(count_tag_logits(scores, labels))
    p = found.probabilities(scores, np.array([0, 1]))
    assert np.isfinite(p).all()
    assert p.mean() == pytest.approx(labels.mean(), abs=0.12)


def test_counts_are_those_of_the_labels() -> None:
    scores, labels, _ = drawn(2, images=50)
    counts: LogitCounts = count_tag_logits(scores, labels)
    assert counts.cells.sum(1).tolist() == [50.0] * 6
    assert counts.positives.sum(1).tolist() == labels.sum(0).tolist()


def metrics_at(logits: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    return {key: one.value for key, one in expected_metrics(tag_terms(predicted, special.expit(logits))).items()}


def test_influences_are_the_derivatives_of_the_metrics() -> None:
    rng = np.random.default_rng(3)
    logits, predicted = rng.normal(size=(30, 4)), rng.random((30, 4)) < 0.4
    predicted[:, 3] = False  # a tag that is never predicted has no precision
    features = np.stack([np.ones_like(logits), logits], axis=-1)
    terms = tag_terms(predicted, special.expit(logits), features)
    found, step = expected_metrics(terms), 1e-6
    parts = [
        tag_terms(predicted[:, s], special.expit(logits[:, s]), features[:, s]) for s in (slice(0, 1), slice(1, 4))
    ]
    blocks = expected_metrics(joined_terms(parts))
    for key, one in found.items():
        assert one.value == pytest.approx(blocks[key].value)
        assert one.by_picture == pytest.approx(blocks[key].by_picture)
        assert one.by_picture.sum() == pytest.approx(0, abs=1e-9)
        for tag, weight in ((0, 0), (2, 1), (3, 0)):
            moved = logits.copy()
            moved[:, tag] += step * features[:, tag, weight]
            change = (metrics_at(moved, predicted)[key] - one.value) / step
            assert one.by_weight[tag, weight] == pytest.approx(change, abs=1e-5)


def test_a_standard_error_is_that_of_resampled_pictures() -> None:
    rng = np.random.default_rng(4)
    logits, predicted = rng.normal(size=(300, 3)), rng.random((300, 3)) < 0.5
    one = expected_metrics(tag_terms(predicted, special.expit(logits)))["micro_f1"]
    values = []
    for _ in range(300):
        rows = rng.integers(0, 300, 300)
        values.append(metrics_at(logits[rows], predicted[rows])["micro_f1"])
    assert standard_error(one.by_picture, np.zeros(1)) == pytest.approx(np.std(values), rel=0.15)
    assert standard_error(one.by_picture, one.by_picture) > standard_error(one.by_picture, np.zeros(1))


def test_a_sweep_counts_as_thresholds_do() -> None:
    rng = np.random.default_rng(5)
    scores, p = rng.random((50, 3)).astype(np.float32), rng.random((50, 3))
    thresholds = np.float32([0, 0.25, 0.5, 1])
    found = sweep_block(scores, p, thresholds)
    for step, at in enumerate(thresholds):
        assert found.predicted[step].tolist() == (scores >= at).sum(0).tolist()
        assert found.hits[step] == pytest.approx((p * (scores >= at)).sum(0))
    best = best_threshold(found, p.sum(0), thresholds, macro=False)
    f1 = [2 * (p * (scores >= at)).sum() / ((scores >= at).sum() + p.sum()) for at in thresholds]
    assert (best.threshold, best.f1) == (float(thresholds[int(np.argmax(f1))]), pytest.approx(max(f1)))
    assert best_threshold(found, p.sum(0), thresholds, macro=True).f1 <= 1


def test_other_pictures_are_noticed_and_equal_ones_are_not() -> None:
    rng = np.random.default_rng(6)
    shares = np.array([0.5, 0.3, 0.1, 0.05])
    one, same, other = (csr_array(rng.random((200, 4)) < p) for p in (shares, shares, shares[::-1]))
    assert tag_shift(one, same).p > 0.05
    assert tag_shift(one, other).p == 1 / 200
    assert tag_shift(one, other).excess > 0.3
    assert tag_shift(csr_array((3, 4), dtype=bool), csr_array((2, 4), dtype=bool)) == (0.0, 0.0, 1.0)
