"""The answered part of a plan: its inclusion probabilities, by hand and as a sample of all cells."""

import numpy as np
import pandas as pd
import pytest

from arena.base.errors import ArenaError
from arena.evaluate.judged import Cells
from arena.evaluate.judged_partly import answered_part
from arena.evaluate.judged_plan import FIRST_WAVE_COLUMN, draw_plan

from .test_judged import answered, cells, truth  # noqa: F401


def test_a_finished_plan_is_returned_as_it_is(cells: Cells, truth: np.ndarray) -> None:  # noqa: F811
    plan = draw_plan(cells, 1_000, 0).table
    assert answered_part(plan, answered(plan, truth)) is plan


def test_the_answered_share_scales_the_first_wave(cells: Cells, truth: np.ndarray) -> None:  # noqa: F811
    plan = draw_plan(cells, 1_000, 0).table
    part = answered_part(plan, answered(plan.iloc[:100], truth))
    assert part.index.tolist() == list(range(100))
    expected = plan["inclusion_probability"].iloc[:100] * 100 / len(plan)
    np.testing.assert_allclose(part["inclusion_probability"], expected)


@pytest.fixture(scope="module")
def second(cells: Cells, truth: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:  # noqa: F811
    """Both waves, and the answers to the first with the probabilities of the first."""
    first = answered(draw_plan(cells, 2_500, 0).table, truth)
    return draw_plan(cells, 2_500, 0, first).table, first


@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_a_part_of_the_second_wave_represents_all_cells(
    cells: Cells, truth: np.ndarray, second: tuple[pd.DataFrame, pd.DataFrame], share: float  # noqa: F811
) -> None:  # fmt: skip
    plan, first = second
    more = plan[plan["wave"] == 2]
    more = more.iloc[: round(share * len(more))]
    part = answered_part(plan, pd.concat([first, answered(more, truth)]))
    assert len(part) == len(first) + len(more)
    merged = part.merge(plan, on=["image_id", "tag"], suffixes=("", "_of_both"))
    assert (merged["inclusion_probability"] <= merged["inclusion_probability_of_both"] + 1e-12).all()
    number = float((1 / part["inclusion_probability"]).sum())
    assert number == pytest.approx(cells.labels.size, rel=0.1)
    if share == 0:
        of_first = part.merge(first, on=["image_id", "tag"], suffixes=("", "_recorded"))
        np.testing.assert_allclose(of_first["inclusion_probability"], of_first["inclusion_probability_recorded"])


def test_a_plan_of_an_earlier_version_has_no_part(truth: np.ndarray, second: tuple[pd.DataFrame, pd.DataFrame]) -> None:  # noqa: F811
    plan, first = second
    with pytest.raises(ArenaError, match="differences are shown when the plan is finished"):
        answered_part(plan.drop(columns=FIRST_WAVE_COLUMN), first)
    assert len(answered_part(plan.drop(columns=FIRST_WAVE_COLUMN), answered(plan, truth))) == len(plan)
