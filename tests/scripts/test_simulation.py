"""The simulated world's true figures, against a sample so large that they must show."""

import sys

import numpy as np
import pandas as pd
import pytest

from arena.cards import Thresholds
from arena.dataset.frozen import Truth
from arena.evaluate import Entry, Settings, evaluate
from arena.metrics.ranking import average_precision, sort_block
from arena.scores.store import Scores
from arena.tags import TagSpace
from tests.conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "scripts"))

import simulate_gate
import simulate_uncertainty
from simulation import losses, world
from simulation.populations import WORLDS, Population

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


def test_every_scenario_of_the_gate_loses_where_it_says() -> None:
    size = simulate_gate.Size(48, 16_384)
    setup = simulate_gate._setting(size)
    before = losses.true_f1(setup.prevalence, setup.baseline)
    lost = {
        name: before - losses.true_f1(setup.prevalence, simulate_gate.retrained(name, size))
        for name in simulate_gate.SCENARIOS
        if name != "map"
    }
    assert list(simulate_gate.scenarios(setup)) == list(simulate_gate.SCENARIOS)
    assert (lost.pop("none") == 0).all()
    assert (lost.pop("better") <= 1e-6).all()
    assert np.allclose(lost.pop("f1"), 2 * lost.pop("edge"), atol=1e-6)
    members = {"category": range(0, 48, 3), "group": setup.group(0), "critical": [setup.critical[1]]}
    assert {name: np.flatnonzero(one > 1e-6).tolist() for name, one in lost.items()} == {
        name: list(columns) for name, columns in members.items()
    }


@pytest.mark.parametrize("name", WORLDS)
def test_true_rates_of_a_population_are_those_of_a_large_sample(name: str) -> None:
    population = Population(WORLDS[name], 4)
    sample = population.draw(90_000, np.random.default_rng(1))
    tolerance = 4 / np.sqrt(len(set(sample.clusters)) / 10 if WORLDS[name].clusters[0] else 90_000)
    thresholds = np.full(4, 0.37, np.float32)
    for model in ("a1", "b"):
        predicted = sample.scores[model] >= thresholds
        tp, fp = population.taggers[model].rates(thresholds)
        assert np.allclose((predicted & sample.labels).mean(0), tp, atol=tolerance)
        assert np.allclose((predicted & ~sample.labels).mean(0), fp, atol=tolerance)


@pytest.mark.parametrize("name", ["plain", "eight_bit"])
def test_true_average_precision_of_a_population_is_that_of_a_large_sample(name: str) -> None:
    population = Population(WORLDS[name], 4)
    sample = population.draw(60_000, np.random.default_rng(1))
    ranked = sort_block(np.ascontiguousarray(sample.scores["b"].T), np.ascontiguousarray(sample.labels.T))
    assert np.allclose(average_precision(ranked), population.taggers["b"].average_precision, atol=0.03)


def test_the_effective_number_of_clusters() -> None:
    assert [round(WORLDS[name].effective(1_500)) for name in ("plain", "clustered", "unequal", "few_clusters")] == [
        1500, 300, 152, 61,
    ]  # fmt: skip


def test_the_tables_of_some_models_are_those_of_a_run_of_these_models() -> None:
    sample = Population(WORLDS["plain"], 8).draw(300, np.random.default_rng(3))
    ids, tags = tuple(f"i{image}" for image in range(300)), TagSpace(tuple(f"t{tag}" for tag in range(8)))
    truth = Truth.of(ids, tags, sample.labels)

    def run(*names: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        entries = [Entry(x, x, Scores.of(ids, tags, sample.scores[x]), Thresholds(0.37), "option") for x in names]
        return simulate_uncertainty.only(evaluate(truth, entries, Settings(replicates=30, workers=1)), ["a1", "b"])

    for many, two in zip(run("a1", "a2", "b"), run("a1", "b"), strict=True):
        pd.testing.assert_frame_equal(many, two)
