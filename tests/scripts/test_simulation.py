"""The simulated world's true figures, against a sample so large that they must show."""

import sys

import numpy as np
import pytest

from arena.metrics.ranking import average_precision, sort_block
from tests.conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "scripts"))

from simulation import losses, world

IMAGES = 400_000
PREVALENCE = np.array([0.002, 0.05, 0.4, 0.7])


@pytest.mark.parametrize("quality", [1.0, 3.0])
def test_true_figures_are_those_of_a_large_sample(quality: float) -> None:
    rng = np.random.default_rng(1)
    tagger = world.make_tagger(PREVALENCE, rng, quality=quality)
    drawn = world.draw(PREVALENCE, [tagger], IMAGES, rng)
    truth, scores = drawn.truth.toarray(), drawn.scores[0]
    predicted = scores >= np.float32(0.4)
    f1 = 2 * (truth & predicted).sum(0) / (truth.sum(0) + predicted.sum(0))
    true = world.true_at(np.full(4, 0.4), PREVALENCE, tagger)
    assert np.allclose(f1, true.f1, atol=0.02)
    assert np.allclose(truth.mean(0), true.positives, rtol=0.1)
    average = average_precision(sort_block(scores.T, truth.T))
    assert np.allclose(average, world.true_average_precision(PREVALENCE, tagger), atol=0.03)


def test_supports_are_joytags() -> None:
    supports = world.joytag_supports()
    assert len(supports) == 5813
    assert supports.sum() == 920_601


def test_a_retraining_loses_what_is_asked_and_where() -> None:
    given = losses.setting(24, 16_384, 100)
    columns = given.group(0)
    worse = losses.worse(given, columns, 0.1)
    lost = losses.true_f1(given.prevalence, given.baseline) - losses.true_f1(given.prevalence, worse)
    expected = np.zeros(24)
    expected[columns] = 0.1
    assert np.allclose(lost, expected, atol=1e-6)
    assert (given.prevalence * 16_384 >= 100).all()
