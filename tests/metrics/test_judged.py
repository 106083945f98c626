"""Metrics from incomplete labels and answers: hand-worked values, derivatives against differences, and the bias."""

import math

import numpy as np
import pytest

from arena.metrics.judged import (
    NO_CELLS,
    AtProxies,
    JudgedCells,
    corrections,
    estimated,
    pulls,
)
from arena.metrics.judged_design import asking_intensity, inclusion_probabilities
from arena.metrics.judged_estimates import estimate_all


def world(seed: int, images: int = 40, tags: int = 5) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray]:
    """True labels, predictions of two models, and proxies."""
    rng = np.random.default_rng(seed)
    truth = rng.random((images, tags)) < 0.4
    predicted = {name: truth ^ (rng.random(truth.shape) < share) for name, share in (("A", 0.15), ("B", 0.25))}
    return truth, predicted, np.clip(truth * 0.6 + rng.random(truth.shape) * 0.4, 0.02, 0.98)


def f1(predicted: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    hits, size = (predicted * labels).sum(0), predicted.sum(0) + labels.sum(0)
    return float((2 * hits / size).mean()), float(2 * hits.sum() / size.sum())


def test_without_answers_the_metrics_are_those_of_the_proxies() -> None:
    truth, predicted, _ = world(0)
    models, pairs = estimate_all(predicted, truth.astype(float), NO_CELLS)
    for name, one in predicted.items():
        macro, micro = f1(one, truth)
        assert models[name]["macro_f1"].value == pytest.approx(macro)
        assert models[name]["micro_f1"].value == pytest.approx(micro)
        assert models[name]["micro_precision"].value == pytest.approx((one & truth).sum() / one.sum())
        assert models[name]["macro_recall"].value == pytest.approx(((one & truth).sum(0) / truth.sum(0)).mean())
    expected = f1(predicted["A"], truth)[0] - f1(predicted["B"], truth)[0]
    assert pairs["A", "B"]["macro_f1"].value == pytest.approx(expected)


def test_answers_to_all_cells_give_the_true_micro_metrics_whatever_the_proxies() -> None:
    truth, predicted, proxy = world(1)
    image, tag = np.nonzero(np.ones_like(truth))
    cells = JudgedCells(image, tag, np.ones(truth.size), truth[image, tag].astype(float))
    found = proxy.copy()
    change = corrections(proxy, cells)
    np.add.at(found, (change.image, change.tag), change.amount)
    np.testing.assert_allclose(found, truth, atol=1e-15)
    models, _ = estimate_all(predicted, proxy, cells)
    assert models["A"]["micro_f1"].value == pytest.approx(f1(predicted["A"], truth)[1])


@pytest.mark.parametrize("cell", [(0, 0), (3, 2), (7, 4)])
def test_a_pull_is_the_derivative_of_f1(cell: tuple[int, int]) -> None:
    _, predicted, proxy = world(2)
    step = np.zeros_like(proxy)
    step[cell] = 1e-6
    after, before = f1(predicted["A"], proxy + step), f1(predicted["A"], proxy - step)
    found = pulls(predicted["A"], proxy)
    for value, up, down in zip((found.macro[cell], found.micro[cell]), after, before, strict=True):
        assert value == pytest.approx((up - down) / 2e-6, rel=1e-5)


def test_the_estimate_is_nearly_unbiased_although_the_proxies_are_wrong() -> None:
    """200 samples of 60 of 600 cells; proxies of 0.5 everywhere say nothing."""
    truth, predicted, _ = world(3, 120)
    proxy = np.full(truth.shape, 0.5)
    inclusion = inclusion_probabilities(asking_intensity(list(predicted.values()), proxy), 200)
    rng, found = np.random.default_rng(0), []
    for _ in range(200):
        image, tag = np.nonzero(rng.random(truth.shape) < inclusion)
        cells = JudgedCells(image, tag, inclusion[image, tag], truth[image, tag].astype(float))
        found.append(estimate_all(predicted, proxy, cells)[1]["A", "B"]["micro_f1"].value)
    expected = f1(predicted["A"], truth)[1] - f1(predicted["B"], truth)[1]
    assert abs(np.mean(found) - expected) < 3 * np.std(found) / math.sqrt(200) + 0.01


def test_images_of_a_cluster_count_as_one() -> None:
    truth, predicted, _ = world(4)
    twice = {name: np.repeat(one, 2, axis=0) for name, one in predicted.items()}
    labels = np.repeat(truth, 2, axis=0).astype(float)
    alone, together = (estimate_all(twice, labels, NO_CELLS, one)[0]["A"] for one in (None, np.arange(80) // 2))
    single = estimate_all(predicted, truth.astype(float), NO_CELLS)[0]["A"]
    for name in ("macro_f1", "micro_f1"):
        assert together[name].standard_error == pytest.approx(single[name].standard_error)
        assert alone[name].standard_error < together[name].standard_error


def test_undefined_metrics_stay_undefined() -> None:
    nothing = np.zeros((4, 2))
    found = AtProxies(nothing.astype(bool), nothing).corrected(corrections(nothing, NO_CELLS))
    assert math.isnan(found["macro_f1"].value)
    assert math.isnan(found["micro_precision"].value)
    assert math.isnan(estimated(found["micro_f1"]).value)


TWICE = JudgedCells(np.array([1, 1]), np.array([0, 0]), np.array([0.5, 0.25]), np.ones(2), np.full(2, 0.5))
"""Image 1, asked by two plans of equal weight."""

ONE_TAG = np.array([[True], [True], [False]]), np.array([[0.5], [0.25], [0.25]])
"""Decisions and proxies of three images: F1 at the proxies is 2 * 0.75 / 3 = 0.5."""


@pytest.mark.parametrize(
    ("cells", "macro", "micro", "variance"),
    [
        (NO_CELLS, 0.5, 0.5, None),
        # image 1 asked with 0.5, yes: z^ = 0.25 + 0.75 / 0.5 = 1.75; psi 0.25 / 3, 2.125 / 3, -0.125 / 3
        (JudgedCells(np.array([1]), np.array([0]), np.array([0.5]), np.array([1.0])), 1.25, 1.0, 0.484375),
        # the same answer in one of two plans of equal weight: half of the correction, z^ = 1
        (JudgedCells(np.array([1]), np.array([0]), np.array([0.5]), np.array([1.0]), np.array([0.5])), 0.875, 0.8, None),
        # asked by both plans, with 0.5 and 0.25: z^ = 0.25 + 0.75 * (0.5 / 0.5 + 0.5 / 0.25) = 2.5
        (TWICE, 1.625, 8 / 7, None),
    ],
)  # fmt: skip
def test_estimates_worked_by_hand(cells: JudgedCells, macro: float, micro: float, variance: float | None) -> None:
    predicted, proxy = ONE_TAG
    found = estimate_all({"A": predicted}, proxy, cells)[0]["A"]
    assert found["macro_f1"].value == pytest.approx(macro)
    assert found["micro_f1"].value == pytest.approx(micro)
    if cells.share is None and len(cells):
        assert found["macro_f1"].standard_error ** 2 == pytest.approx(variance)


@pytest.mark.parametrize("truth", [0.0, 1.0])
def test_answers_without_their_errors_have_the_mean_of_the_truth(truth: float) -> None:
    rate = 0.1
    cells = JudgedCells(np.arange(2), np.zeros(2, np.int64), np.ones(2), np.array([truth, 1 - truth]))
    right, wrong = cells.without_errors(rate).answer
    assert (1 - rate) * right + rate * wrong == pytest.approx(truth)
