"""The size of plans: unclear answers are made up for, and the answers of the first wave size the second."""

import math

import numpy as np
import pandas as pd
import pytest

from arena.evaluate.answers import LEAST_ANSWERS
from arena.evaluate.judged import Cells, estimate_judged
from arena.evaluate.judged_plan import FIRST_WAVE, Differences, draw_plan, forecast
from arena.metrics.significance import minimum_detectable

from .test_judged import answered, cells, erring, truth  # noqa: F401


def both_waves(
    cells: Cells, truth: np.ndarray, answers: int, *, unclear: float = 0.0, wrong: float = 0.0,  # noqa: F811
    differences: Differences | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:  # fmt: skip
    """The plan of both waves, and a person's answers; a repeated cell is answered by a second person too."""

    def said(plan: pd.DataFrame) -> pd.DataFrame:
        each = [erring(answered(rows, truth, unclear), wrong) for rows in (plan, plan[plan["repeat"]])]
        return pd.concat([each[0], each[1].assign(judge="y")])

    first = draw_plan(cells, answers, 0, None, differences).table
    told = said(first)
    plan = draw_plan(cells, answers, 0, told, differences).table
    return plan, pd.concat([told, said(plan[plan["wave"] == 2])])


@pytest.mark.parametrize("unclear", [0.0, 0.25])
@pytest.mark.parametrize("wanted", [LEAST_ANSWERS, 1_500])
def test_a_plan_ends_with_about_its_number_of_clear_answers(
    cells: Cells, truth: np.ndarray, wanted: int, unclear: float  # noqa: F811
) -> None:  # fmt: skip
    """The least number that metrics need is reached; it may be exceeded by about twice the standard deviation."""
    plan, rows = both_waves(cells, truth, wanted, unclear=unclear)
    found = estimate_judged(cells, rows, plan)
    assert found.answers >= LEAST_ANSWERS
    assert found.answers == pytest.approx(wanted + (40 if wanted == LEAST_ANSWERS else 0), abs=90)


def test_the_first_wave_asks_for_the_forecast_and_its_answers_size_the_second(
    cells: Cells, truth: np.ndarray  # noqa: F811
) -> None:  # fmt: skip
    """The forecast assumes right answers; 5 % wrong ones take more, and the printed standard error is that of 80 % power."""
    wanted = Differences(math.inf, 0.03)
    before = max(LEAST_ANSWERS, round(forecast(cells, wanted).micro))
    plan, rows = both_waves(cells, truth, before, wrong=0.05, differences=wanted)
    assert (plan["wave"] == 1).sum() == pytest.approx(FIRST_WAVE * before, rel=0.25)
    needed = draw_plan(cells, before, 0, rows, wanted).needed
    assert needed is not None
    assert needed.macro < before < needed.micro  # nothing is asked of macro F1
    found = estimate_judged(cells, rows, plan)
    assert found.answers == pytest.approx(needed.micro, rel=0.15)
    error = found.pairs["A", "B"]["micro_f1"].standard_error
    assert float(minimum_detectable(error)) == pytest.approx(0.03, rel=0.2)


def test_a_difference_that_no_number_shows_keeps_the_number_of_answers(
    cells: Cells, truth: np.ndarray  # noqa: F811
) -> None:  # fmt: skip
    wanted = Differences(1e-5, 1e-5)
    plan, rows = both_waves(cells, truth, 1_000, differences=wanted)
    assert draw_plan(cells, 1_000, 0, rows, wanted).needed == (math.inf, math.inf)
    assert len(plan) == pytest.approx(1_000, abs=100)


def test_a_plan_for_a_difference_is_another_plan(cells: Cells) -> None:  # noqa: F811
    names = {
        draw_plan(cells, 1_000, 0, differences=one).table["plan"].iloc[0]
        for one in (None, Differences(0.1, 0.1), Differences(0.1, 0.2))
    }
    assert len(names) == 3
