"""Answers of people on a sample of cells: which of them enter estimates, how far they agree, and how often they are wrong."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from arena.base.format import count, listed, plural
from arena.dataset.judgements import Judgements, PlannedCells, distinct_answers
from arena.metrics.counts import Floats, Integers
from arena.metrics.judged import HIGHEST_RATE, NO_CELLS, Bools, ErrorRate, JudgedCells, rate_of_pairs, share_error

LEAST_ANSWERS = 600
"""Answers below which no metric is estimated, because the intervals of single models then hold the truth too seldom."""

GOLD = "gold"
"""Judge whose answers are right. They measure how often the others are wrong, and no other answer to their cells counts."""

_NAMED_TAGS = 3


class SampledAnswers(NamedTuple):
    """The answers that enter the estimates of a comparison.

    Attributes:
        cells: the clear answers.
        clear, unclear: numbers of cells.
        unsampled: number of cells whose answers no plan sampled; they enter no estimate.
        elsewhere: number of sampled cells on images or tags that the comparison does not have.
        unfinished: plans with cells that nobody has answered; their answers are left out.
        assumed: a plan does not say which cells it could ask, so it is assumed that it could ask all of them.
        problem: why nothing can be estimated, with the fix; empty if it can.
    """

    cells: JudgedCells
    clear: int
    unclear: int
    unsampled: int
    elsewhere: int
    unfinished: tuple[str, ...]
    assumed: bool
    problem: str


class _PlanAnswers(NamedTuple):
    """The answers to one plan on the cells of a comparison."""

    image: Integers
    tag: Integers
    inclusion: Floats
    answer: Floats
    certain: Bools
    unclear: int
    elsewhere: int


def sampled_answers(image_ids: Sequence[str], tags: Sequence[str], judgements: Judgements) -> SampledAnswers:
    """Return the sampled answers on the images and tags of a comparison; the mean if a cell has several.

    Cells whose answers are all unclear are taken as missing at random: the inclusion probabilities of the others are multiplied
    by their share. Every plan gives an unbiased estimate, whatever models it was made for. Several plans are averaged, each
    weighted by its number of answers. A cell that no plan could ask makes every metric undefined.
    """
    rows = judgements.rows
    sampled = rows["inclusion_probability"].notna() & (rows["plan"] != "")
    unsampled = len(rows.loc[~sampled, ["image_id", "tag"]].drop_duplicates())
    of_plans = {str(name): one for name, one in rows[sampled].groupby("plan", sort=True)}
    unfinished = {name: _unanswered(one, judgements.plans.get(name)) for name, one in of_plans.items()}
    used = [name for name in of_plans if not unfinished[name]]
    found = [_answers_of_plan(of_plans[name], image_ids, tags) for name in used]
    plans = [judgements.plans.get(name) for name in used]
    numbers = [len(one.answer) for one in found]
    cells, uncovered = _joined(found, [_covered(plan, image_ids, tags) for plan in plans], numbers)
    clear = len(np.unique(cells.image * max(1, len(tags)) + cells.tag))
    problem = _problem(clear, uncovered, unfinished, tags)
    unclear, elsewhere = sum(one.unclear for one in found), sum(one.elsewhere for one in found)
    left = tuple(name for name, why in unfinished.items() if why)
    return SampledAnswers(cells, clear, unclear, unsampled, elsewhere, left, None in plans, problem)


def _unanswered(rows: pd.DataFrame, plan: PlannedCells | None) -> str:
    """Return how many cells of a plan are answered if not all are; else empty."""
    answered = len(rows[["image_id", "tag"]].drop_duplicates())
    if plan is None or answered >= plan.cells:
        return ""
    return f"{count(answered)} of its {plural(plan.cells, 'cell', 'cells')} are answered"


def _answers_of_plan(rows: pd.DataFrame, image_ids: Sequence[str], tags: Sequence[str]) -> _PlanAnswers:
    cell = rows.groupby(["image_id", "tag"], sort=True).ngroup().to_numpy()
    first = np.unique(cell, return_index=True)[1]
    number = len(first)
    # the second wave of a plan raises the probabilities of the first, so of two the larger one is right
    inclusion = np.zeros(number)
    np.maximum.at(inclusion, cell, rows["inclusion_probability"].to_numpy(np.float64))
    clear, gold = (rows["answer"] != "unclear").to_numpy(bool), (rows["judge"] == GOLD).to_numpy(bool)
    certain = np.bincount(cell, clear & gold, number) > 0
    used = clear & (gold | ~certain[cell])
    answers, yes = (np.bincount(cell, one, number) for one in (used, used & (rows["answer"] == "yes").to_numpy(bool)))
    answered = answers > 0
    share = float(answered.sum()) / max(1, number)
    image, tag = (
        _places(rows[name].to_numpy()[first], names) for name, names in (("image_id", image_ids), ("tag", tags))
    )
    inside = (image >= 0) & (tag >= 0)
    here = inside & answered
    elsewhere, unclear = int((~inside).sum()), int((inside & ~answered).sum())
    return _PlanAnswers(
        image[here], tag[here], inclusion[here] * share, yes[here] / answers[here], certain[here], unclear, elsewhere
    )


def _places(names: NDArray[np.object_], of: Sequence[str]) -> Integers:
    """Return the place of each name, -1 for an unknown one."""
    known = {name: place for place, name in enumerate(of)}
    return np.array([known.get(name, -1) for name in names], np.int64)


def _covered(plan: PlannedCells | None, image_ids: Sequence[str], tags: Sequence[str]) -> tuple[Bools, Bools]:
    """Return which images and which tags of a comparison a plan could ask; all if that is unknown."""
    if plan is None:
        return np.ones(len(image_ids), np.bool_), np.ones(len(tags), np.bool_)
    images, names = set(plan.image_ids), set(plan.tags)
    return np.array([one in images for one in image_ids]), np.array([one in names for one in tags])


def _joined(
    found: Sequence[_PlanAnswers], covered: Sequence[tuple[Bools, Bools]], numbers: Sequence[int]
) -> tuple[JudgedCells, Bools]:
    """Return the answers of all plans with their shares, and which cells no plan could ask; bool (images, tags)."""
    if not found:
        return NO_CELLS, np.zeros((0, 0), np.bool_)
    weights = sum(
        number * np.outer(images, names).astype(np.float32)
        for number, (images, names) in zip(numbers, covered, strict=True)
    )
    weights = np.asarray(weights)
    names = ("image", "tag", "inclusion", "answer", "certain")
    image, tag, inclusion, answer, certain = (np.concatenate([getattr(one, name) for one in found]) for name in names)
    own = np.repeat(np.array(numbers, np.float64), [len(one.answer) for one in found])
    share = own / weights[image, tag] if len(found) > 1 else None
    return JudgedCells(image, tag, inclusion, answer, share, certain if certain.any() else None), weights == 0


def _problem(clear: int, uncovered: Bools, unfinished: Mapping[str, str], tags: Sequence[str]) -> str:
    """Return why nothing can be estimated; empty if it can."""
    why = next((f"plan {name}: {one}; answer the others" for name, one in unfinished.items() if one), "")
    if clear < LEAST_ANSWERS:
        more = f"; {why}" if why else ""
        answers = plural(clear, "clear answer", "clear answers")
        return f"{answers} to sampled cells of this comparison; metrics need at least {LEAST_ANSWERS}{more}"
    if not uncovered.any():
        return ""
    whole = uncovered.all(0)
    if whole.any():
        names = listed([tags[column] for column in np.flatnonzero(whole).tolist()], keep=_NAMED_TAGS)
        return (
            f"no plan could ask {plural(int(whole.sum()), 'compared tag', 'compared tags')} ({names}), so every metric over "
            "them is undefined; plan answers for this run with arena judge plan"
        )
    images = int(uncovered.any(1).sum())
    return (
        f"no plan could ask {plural(images, 'image', 'images')} of this comparison, so every metric over them is undefined; "
        "plan answers for this run with arena judge plan"
    )


def agreement(judgements: pd.DataFrame) -> tuple[float, int]:
    """Return Krippendorff's alpha of yes and no over the cells with two answers or more, and the number of these cells.

    1 is full agreement, 0 that of chance; NaN without such a cell or if all answers are equal.
    """
    yes, size = _repeated(distinct_answers(judgements))
    total, of_yes = size.sum(), yes.sum()
    expected = of_yes * (total - of_yes)
    if expected <= 0:
        return math.nan, len(size)
    observed = (yes * (size - yes) / (size - 1)).sum()
    return float(1 - (total - 1) * observed / expected), len(size)


def error_rate(judgements: pd.DataFrame) -> ErrorRate:
    """Return the share of wrong answers; NaN if nothing tells it.

    With answers of `GOLD`, it is the share of the other answers to these cells that differ. Else it is the share that explains
    how often two answers to one cell differ: if answers are wrong independently with the rate e, two of them differ with the
    probability 2 e (1 - e). Errors that both answers share are not seen then, so one person who answers twice gives a rate that
    is too low. The standard error is that of a share with half an answer more on either side, so it is above 0.

    >>> pair = [("i", "t", "yes"), ("i", "t", "no"), *[(f"i{n}", "t", "no") for n in range(15) for _ in "ab"]]
    >>> found = error_rate(pd.DataFrame(pair, columns=["image_id", "tag", "answer"]).assign(judge="anna"))
    >>> round(found.rate, 3), round(found.standard_error, 3)
    (0.032, 0.038)
    """
    judgements = distinct_answers(judgements)
    wrong = _checked_by_gold(judgements)
    if len(wrong):
        return ErrorRate(min(float(wrong.mean()), HIGHEST_RATE), share_error(float(wrong.sum()), len(wrong)))
    yes, size = _repeated(judgements[judgements["judge"] != GOLD])
    if not len(size):
        return ErrorRate(math.nan, math.nan)
    return rate_of_pairs(float((2 * yes * (size - yes) / (size * (size - 1))).sum()), len(size))


def has_gold(judgements: pd.DataFrame) -> bool:
    """Return whether gold answers, and not repeated cells, say how often the others are wrong."""
    return len(_checked_by_gold(judgements)) > 0


def _checked_by_gold(judgements: pd.DataFrame) -> Bools:
    """Return which of the clear answers to cells with a gold answer are wrong; bool (answers,)."""
    if not (judgements["judge"] == GOLD).any():
        return np.empty(0, np.bool_)
    clear = judgements[judgements["answer"] != "unclear"]
    gold = clear[clear["judge"] == GOLD].drop_duplicates(["image_id", "tag"]).set_index(["image_id", "tag"])["answer"]
    others = clear[clear["judge"] != GOLD]
    right = gold.reindex(pd.MultiIndex.from_frame(others[["image_id", "tag"]])).to_numpy()
    return np.asarray((others["answer"].to_numpy() != right)[~pd.isna(right)], np.bool_)


def useless(errors: ErrorRate) -> str:
    """Return that so many answers are wrong that nothing can be estimated; empty if it can."""
    if not errors.rate >= HIGHEST_RATE:  # NaN is unknown
        return ""
    return (
        f"about {100 * errors.rate:.0f} % of the answers are wrong or more, so they say nothing; agree on what each tag "
        "means, and answer the plan again"
    )


def _repeated(judgements: pd.DataFrame) -> tuple[Floats, Floats]:
    """Return the number of yes, and of clear answers, of each cell with two clear answers or more; (cells,)."""
    clear = judgements[judgements["answer"] != "unclear"]
    cell = clear.groupby(["image_id", "tag"], sort=False).ngroup().to_numpy()
    yes, size = (np.bincount(cell, weights) for weights in ((clear["answer"] == "yes").to_numpy(bool), None))
    return yes[size > 1].astype(np.float64), size[size > 1].astype(np.float64)
