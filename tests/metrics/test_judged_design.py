"""Which cells to ask, and how many answers are forecast: by the formulae, and by hand."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.metrics.judged import NO_CELLS, Estimated, JudgedCells, pulls
from arena.metrics.judged_design import (
    REPEATED,
    Outlook,
    answer_noise,
    answers_needed,
    answers_worth,
    asking_intensity,
    inclusion_probabilities,
)

FIRST = np.random.default_rng(0).random((400, 5)) < 0.3
PROXY = np.random.default_rng(1).beta(0.3, 0.7, (400, 5))


@given(st.lists(st.floats(0, 1).map(lambda one: round(one, 6)), min_size=1, max_size=30), st.floats(0.1, 40))
@settings(max_examples=20)
def test_inclusion_probabilities_sum_to_the_answers(weights: list[float], answers: float) -> None:
    intensity = np.array([*weights, 0.5])
    found = inclusion_probabilities(intensity, answers)
    assert ((found >= 0) & (found <= 1)).all()
    assert found.sum() == pytest.approx(min(answers, (intensity > 0).sum()), rel=1e-6)
    free = (found < 1) & (intensity > 0)
    ratios = found[free] / intensity[free]
    assert np.allclose(ratios, ratios[:1])


OUTLOOK = Outlook([FIRST, ~FIRST], PROXY, (0.0, 0.0))
"""Two models that disagree about every cell; the images leave nothing."""


def variance(answers: float, rate: float = 0.0) -> float:
    """Variance of the difference of macro F1 by the formula, without a certain cell, and without unclear answers."""
    pull = pulls(FIRST, PROXY).macro - pulls(~FIRST, PROXY).macro
    inclusion = answers * asking_intensity([FIRST, ~FIRST], PROXY)
    assert inclusion.max() < 1
    cells = pull**2 * (PROXY * (1 - PROXY) + rate * (1 - rate) / (1 - 2 * rate) ** 2) / inclusion
    pairs = REPEATED * answers
    differing = 2 * rate * (1 - rate)
    regular = (pairs * differing + 0.5) / (pairs + 1)
    of_rate = math.sqrt(regular * (1 - regular) / pairs) / (2 * math.sqrt(1 - 2 * differing))
    return float(cells.sum() + (of_rate * (pull * (2 * PROXY - 1)).sum() / (1 - 2 * rate)) ** 2)


@pytest.mark.parametrize("rate", [0.0, 0.05])
def test_the_forecast_leaves_the_variance_of_80_percent_power(rate: float) -> None:
    wanted = 2.8016 * math.sqrt(variance(500, rate))
    outlook = OUTLOOK._replace(error_rate=rate)
    found = answers_needed(outlook, asking_intensity([FIRST, ~FIRST], PROXY), (wanted, math.inf))
    assert found.macro == pytest.approx(500, rel=0.01)
    assert found.micro <= 1


@pytest.mark.parametrize(
    ("more", "least", "most"),
    [
        ({"image_errors": (0.5, 0.5)}, math.inf, math.inf),
        ({"gold": True, "error_rate_error": 5.0}, math.inf, math.inf),
        ({"error_rate": 0.1}, 1.2, 20),
        ({"clear": 0.5}, 0.9, 1.2),  # the number counts clear answers; twice as many cells are asked
        ({"asked": np.full(FIRST.shape, 0.3)}, 0.9, 2),  # cells that were asked badly count as well
        ({"asked": np.full(FIRST.shape, 1.0)}, 1.5, 100),  # all are asked
    ],
)
def test_what_makes_a_forecast_larger(more: dict[str, Any], least: float, most: float) -> None:
    intensity = asking_intensity([FIRST, ~FIRST], PROXY)
    wanted = (2.8016 * math.sqrt(variance(500)), 10.0)
    found = answers_needed(OUTLOOK._replace(**more), intensity, wanted).macro
    assert least * 500 <= found <= most * 500


def test_wrong_answers_spread_the_questions() -> None:
    """An answer that may be wrong is checked by others, so cells whose proxy is nearly 0 are asked more."""
    sure = PROXY < 0.03
    alone, noisy = (asking_intensity([FIRST, ~FIRST], PROXY, answer_noise(rate))[sure].sum() for rate in (0.0, 0.05))
    assert noisy > 1.5 * alone


def test_what_answers_are_worth_worked_by_hand() -> None:
    """One answer, asked with 0.5: pull (2 - 0.5) / 3 = 0.5, deviation 0.75, variance (1 - 0.5) / 0.5^2 * 0.375^2 = 0.28125."""
    predicted, proxy = np.array([[True], [True], [False]]), np.array([[0.5], [0.25], [0.25]])
    cells = JudgedCells(np.array([1]), np.array([0]), np.array([0.5]), np.array([1.0]))
    pull = pulls(predicted, proxy).macro
    worth = answers_worth(pull, proxy, cells, Estimated(0.1, 1.0), 0.0)
    scale = 0.5 * 0.5 + math.sqrt(0.25 * 0.75) * (0.5 + 0.5 / 3)  # sqrt(q (1 - q)) times the pulls 0.5, 0.5, -0.5 / 3
    assert worth.effective == pytest.approx(scale**2 / (0.9 * 0.28125))
    assert worth.image_error == pytest.approx(math.sqrt(1 - 0.28125))
    assert answers_worth(pull, proxy, NO_CELLS, Estimated(0.1, 1.0), 0.0) == (math.inf, 1.0)
    with_errors = answers_worth(
        pull, proxy, cells, Estimated(0.1, 1.0), 0.5
    )  # their part falls with the answers as well
    assert with_errors.image_error == pytest.approx(math.sqrt(1 - 0.28125 - 0.25))
    assert with_errors.effective == pytest.approx(worth.effective * 0.28125 / 0.53125)
