"""The answered part of a plan as a sample of its own, so that metrics can be estimated before the plan is finished.

The cells of a wave are asked in a random order, so the answered ones are a random part of the wave. The probability that a
cell was drawn and answered is its inclusion probability in each wave times the answered share of that wave.
"""

import numpy as np
import pandas as pd

from arena.evaluate.judged import Cells, unanswered
from arena.metrics.counts import Floats
from arena.metrics.judged import asking_intensity

_TOLERANCE = 1e-6
"""Largest relative error of an inclusion probability of the first wave that is computed again."""


def answered_part(cells: Cells, plan: pd.DataFrame, judgements: pd.DataFrame) -> pd.DataFrame:
    """Return the answered rows of a plan with the probability that each was drawn and answered.

    A finished plan is returned as it is. While the second wave is being asked, the plan holds only the probabilities of both
    waves together, so those of the first wave are computed again from the answers that recorded them. If that fails, because
    the plan is of other models than the cells, the first wave alone is returned.
    """
    left = unanswered(plan, judgements)
    if not len(left):
        return plan
    answered = plan.drop(left.index)
    if int(plan["wave"].max()) == 1:
        return answered.assign(inclusion_probability=plan["inclusion_probability"] * (len(answered) / len(plan)))
    return _part_of_two_waves(cells, plan, answered, judgements)


def _part_of_two_waves(
    cells: Cells, plan: pd.DataFrame, answered: pd.DataFrame, judgements: pd.DataFrame
) -> pd.DataFrame:
    first = plan[plan["wave"] == 1]
    recorded = _recorded(first, judgements)
    again = _first_wave(cells, plan, recorded)
    if again is None:
        return first.assign(inclusion_probability=recorded)[recorded.notna()]
    both = plan["inclusion_probability"]
    second = (1 - (1 - both) / (1 - again).where(again < 1)).fillna(0)  # a certain cell of the first wave is only of it
    shares = [float((answered["wave"] == wave).sum() / (plan["wave"] == wave).sum()) for wave in (1, 2)]
    inclusion = 1 - (1 - shares[0] * again) * (1 - shares[1] * second)
    return answered.assign(inclusion_probability=inclusion[answered.index])


def _recorded(first: pd.DataFrame, judgements: pd.DataFrame) -> pd.Series:
    """Return the probability that the answers to the first wave recorded, by row of the plan; NaN without an answer."""
    of_plan = judgements[judgements["plan"] == first["plan"].iloc[0]]
    known = of_plan.groupby(["image_id", "tag"])["inclusion_probability"].min()
    found = known.reindex(pd.MultiIndex.from_frame(first[["image_id", "tag"]]))
    return pd.Series(found.to_numpy(np.float64), first.index)


def _first_wave(cells: Cells, plan: pd.DataFrame, recorded: pd.Series) -> pd.Series | None:
    """Return the inclusion probability of every row of the plan in the first wave; None if the answers contradict it."""
    intensity = asking_intensity(list(cells.predicted.values()), cells.first_proxy)
    wanted = _at(cells, plan, intensity)
    open_rows = recorded.index[(recorded < 1).to_numpy()]
    if not len(open_rows):
        return None
    scale = float(np.median(recorded[open_rows] / wanted[open_rows]))
    again = (scale * wanted).clip(upper=1.0)
    there = recorded.notna()
    wrong = (again[recorded.index] - recorded).abs() > _TOLERANCE * recorded
    return None if (wrong & there).any() else again


def _at(cells: Cells, plan: pd.DataFrame, values: Floats) -> pd.Series:
    """Return the value of each row of a plan."""
    rows = {name: place for place, name in enumerate(cells.image_ids)}
    columns = {name: place for place, name in enumerate(cells.tags)}
    found = values[plan["image_id"].map(rows).to_numpy(), plan["tag"].map(columns).to_numpy()]
    return pd.Series(found, plan.index)
