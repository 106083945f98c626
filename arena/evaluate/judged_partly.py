"""The answered part of a plan as a sample of its own, so that metrics can be estimated before the plan is finished.

The cells of a wave are asked in a random order, so the answered ones are a random part of the wave. The probability that a
cell was drawn and answered is its inclusion probability in each wave times the answered share of that wave.
"""

import pandas as pd

from arena.base.errors import ArenaError
from arena.dataset.judgements import distinct_answers
from arena.evaluate.judged_plan import FIRST_WAVE_COLUMN, unanswered


def answered_part(plan: pd.DataFrame, judgements: pd.DataFrame) -> pd.DataFrame:
    """Return the answered rows of a plan with the probability that each was drawn and answered; a finished plan as it is.

    Raises:
        ArenaError: the second wave is being asked, and the plan lacks the probabilities of the first wave; or cells have
            answers of earlier plans, so that those with an answer are no random part.
    """
    left = unanswered(plan, judgements)
    if not len(left):
        return plan
    if _has_answers_of_others(plan, judgements):
        raise ArenaError(
            "differences are shown when the plan is finished; some of its cells have answers of earlier plans"
        )
    answered = plan.drop(left.index)
    if int(plan["wave"].max()) == 1:
        return answered.assign(inclusion_probability=answered["inclusion_probability"] * (len(answered) / len(plan)))
    if FIRST_WAVE_COLUMN not in plan.columns:
        raise ArenaError(
            "differences are shown when the plan is finished; it was written by an earlier version of arena"
        )
    shares = [float((answered["wave"] == wave).sum() / (plan["wave"] == wave).sum()) for wave in (1, 2)]
    first, both = answered[FIRST_WAVE_COLUMN], answered["inclusion_probability"]
    second = (1 - (1 - both) / (1 - first).where(first < 1)).fillna(0)  # a certain cell of the first wave is only of it
    return answered.assign(inclusion_probability=1 - (1 - shares[0] * first) * (1 - shares[1] * second))


def _has_answers_of_others(plan: pd.DataFrame, judgements: pd.DataFrame) -> bool:
    """Return whether some answers to the plan answer another plan as well."""
    own = judgements[judgements["plan"] == plan["plan"].iloc[0]]
    others = judgements[(judgements["plan"] != "") & (judgements["plan"] != plan["plan"].iloc[0])]
    return len(distinct_answers(pd.concat([own, others]))) < len(own) + len(distinct_answers(others))
