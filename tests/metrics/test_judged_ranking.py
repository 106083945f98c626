"""Average precision from proxies and answers: against scikit-learn, numerical derivatives, and repeated sampling."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from arena.metrics.judged import NO_CELLS, AnsweredLabels, JudgedCells, corrections, estimated
from arena.metrics.judged_ranking import _at_proxies, judged_map

RNG = np.random.default_rng(5)
SCORES = RNG.random(160).round(1).astype(np.float32)
"""With equal scores."""


def expected(proxy: np.ndarray, weights: np.ndarray) -> float:
    """The expected average precision of weighted images, image by image."""
    total = 0.0
    for score, q, weight in zip(SCORES, proxy, weights, strict=True):
        above = score <= SCORES
        hits = (weights * proxy)[above].sum() + weight * (1 - q)
        total += weight * q * hits / weights[above].sum()
    return total / float((weights * proxy).sum())


def test_with_labels_as_proxies_it_is_the_average_precision_of_scikit_learn() -> None:
    labels = RNG.random(160) < SCORES / 2
    assert _at_proxies(SCORES, labels.astype(float)).value == pytest.approx(
        average_precision_score(labels, SCORES), abs=1e-12
    )


@pytest.mark.parametrize("image", [0, 17, 90, 159])
def test_derivatives_are_those_of_small_changes(image: int) -> None:
    proxy, ones, step = np.clip(SCORES * 0.7, 0.02, 0.98).astype(float), np.ones(160), 1e-6
    found = _at_proxies(SCORES, proxy)
    moved = np.eye(160)[image] * step
    assert found.value == pytest.approx(expected(proxy, ones), abs=1e-12)
    assert found.of_label[image] == pytest.approx((expected(proxy + moved, ones) - found.value) / step, abs=1e-6)
    assert found.of_image[image] == pytest.approx((expected(proxy, ones + moved) - found.value) / step, abs=1e-6)
    assert found.of_image.sum() == pytest.approx(0, abs=1e-12)


def test_answers_to_all_cells_give_nearly_the_average_precision_of_the_truth() -> None:
    scores = np.tile(RNG.random((400, 1)), 6).astype(np.float32) * 0.6 + RNG.random((400, 6)).astype(np.float32) * 0.4
    truth = RNG.random((400, 6)) < scores**2
    proxy = np.clip(scores.astype(float) ** 2, 0.01, 0.99)
    image, tag = (one.ravel() for one in np.indices(truth.shape))
    cells = JudgedCells(image, tag, np.ones(truth.size), truth.ravel().astype(float))
    true = np.mean([average_precision_score(truth[:, t], scores[:, t]) for t in range(6)])
    found = judged_map(scores, proxy, AnsweredLabels(corrections(proxy, cells)))
    assert found.value == pytest.approx(true, abs=0.01)
    assert found.value != judged_map(scores, proxy, AnsweredLabels(corrections(proxy, NO_CELLS))).value


def test_sampled_answers_are_unbiased_around_all_answers_and_their_spread_is_printed() -> None:
    scores = RNG.random((300, 4)).astype(np.float32)
    truth = RNG.random(scores.shape) < scores**2
    proxy = np.clip(scores.astype(float) ** 2, 0.01, 0.99)

    def answered(share: float) -> tuple[float, float]:
        image, tag = np.nonzero(RNG.random(truth.shape) < share)
        cells = JudgedCells(image, tag, np.full(len(image), share), truth[image, tag].astype(float))
        return estimated(judged_map(scores, proxy, AnsweredLabels(corrections(proxy, cells))))

    full, (found, printed) = answered(1.0), np.array([answered(0.25) for _ in range(60)]).T
    of_cells = np.sqrt((printed**2).mean() - full[1] ** 2)
    assert found.mean() == pytest.approx(full[0], abs=3 * of_cells / np.sqrt(60))
    assert found.std() == pytest.approx(of_cells, rel=0.4)
