"""Sampling plans for human answers.

A plan has two waves. The first asks 30 % of the cells, where proxies from recorded labels and scores say that an answer is
most useful. The second asks the rest, with proxies learnt from the answers of the first; these answers also say how many the
rest is. Every cell of the compared tags can be drawn, with a known probability. So the estimates need no assumption on the
labels that are missing.
"""

import hashlib
import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from arena.dataset.judgements import Judgements, PlannedCells
from arena.evaluate.answers import LEAST_ANSWERS, error_rate, has_gold, sampled_answers
from arena.evaluate.judged import Cells, answers_to
from arena.metrics.counts import Floats, Integers
from arena.metrics.judged import NO_CELLS, Bools, ErrorRate, JudgedCells
from arena.metrics.judged_design import (
    REPEATED,
    Forecast,
    Outlook,
    answer_noise,
    answers_needed,
    asking_intensity,
    inclusion_probabilities,
)
from arena.metrics.judged_estimates import estimate_all

FIRST_WAVE = 0.3
"""Share of the answers that the first wave asks for."""

FIRST_WAVE_COLUMN = "first_wave_probability"
"""Column of a plan: inclusion probability in the first wave alone, float64; plans of earlier versions lack it."""

PLAN_COLUMNS = ("image_id", "tag", "inclusion_probability", "wave", "repeat", "plan")
"""Columns of a plan: strings; `inclusion_probability` float64; `wave` int64, 1 or 2; `repeat` bool."""

_SIZED_BY_ANSWERS = "second wave sized by answers"
"""Part of the identifier. A second wave of the earlier version, which was not, is never mixed with one that is."""


class Differences(NamedTuple):
    """True differences of macro F1 and of micro F1 that a plan is to show, above 0; an infinite one asks for nothing."""

    macro: float
    micro: float


class WavesOfPlan(NamedTuple):
    """The cells to ask.

    Attributes:
        table: columns `PLAN_COLUMNS` and `FIRST_WAVE_COLUMN`.
        needed: clear answers that the differences need, by the answers of the first wave; None before these are given, and
            for a plan without differences.
    """

    table: pd.DataFrame
    needed: Forecast | None


def forecast(cells: Cells, differences: Differences) -> Forecast:
    """Return the clear answers that differences of F1 between the first two models need, before any is given.

    It assumes that the labels hold half of the positives, so that the number suffices if they hold more, and that no answer is
    wrong. That no answer is wrong is not known, so the uncertainty that the repeated cells leave on it counts.
    """
    proxy = cells.forecast_proxy
    pair = list(cells.predicted.values())[:2]
    intensity = asking_intensity(list(cells.predicted.values()), proxy)
    return answers_needed(Outlook(pair, proxy, _image_errors(cells, proxy)), intensity, differences)


def _image_errors(cells: Cells, proxy: Floats) -> tuple[float, float]:
    """Return the standard errors that the images leave, were the proxies the labels."""
    first, second = list(cells.predicted)[:2]
    predicted = {name: cells.predicted[name] for name in (first, second)}
    found = estimate_all(predicted, proxy, NO_CELLS, cells.clusters)[1][first, second]
    return found["macro_f1"].standard_error, found["micro_f1"].standard_error


def plan_identifier(cells: Cells, answers: int, seed: int, differences: Differences | None = None) -> str:
    """Return what identifies a plan: its models, images, tags, labels, decisions, size and seed."""
    parts = (cells.digest, str(answers), str(seed), _SIZED_BY_ANSWERS, *map(str, differences or ()))
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=8).hexdigest()


def draw_plan(
    cells: Cells, answers: int, seed: int, judgements: pd.DataFrame | None = None, differences: Differences | None = None
) -> WavesOfPlan:  # fmt: skip
    """Return the cells to ask: the first wave, or both waves once the first is answered.

    The second wave changes the inclusion probabilities of the first, so both are listed. It has as many cells as the clear
    answers of the first leave to ask, if they are as often unclear.

    Args:
        answers: number of clear answers over both waves, about.
        seed: seed of the random numbers.
        judgements: earlier answers; those of the first wave of this plan make the second wave possible.
        differences: what the second wave is sized for, in place of `answers`, if a number of answers shows it.
    """
    plan = plan_identifier(cells, answers, seed, differences)
    first = inclusion_probabilities(cells.first_intensity, FIRST_WAVE * answers)
    drawn = cells.random_numbers(seed, 1) < first
    table = _plan_table(cells, plan, drawn, first, first, np.ones(drawn.shape, np.int64), seed)
    if judgements is None or not is_answered(table, judgements):
        return WavesOfPlan(table, None)
    wave = _FirstWave.of(cells, table, judgements)
    proxy = cells.proxy(wave.answers, wave.errors.rate)
    intensity = asking_intensity(list(cells.predicted.values()), proxy, answer_noise(wave.rate))
    needed = None if differences is None else _needed(cells, wave, proxy, first, intensity, differences)
    wanted = answers if needed is None or not math.isfinite(max(needed)) else max(*needed, LEAST_ANSWERS)
    second = inclusion_probabilities(intensity, _more_cells(wave, wanted), ~drawn)
    also = cells.random_numbers(seed, 2) < second
    both = 1 - (1 - first) * (1 - second)
    return WavesOfPlan(_plan_table(cells, plan, drawn | also, both, first, np.where(drawn, 1, 2), seed), needed)


class _FirstWave(NamedTuple):
    """What the answers of the first wave say."""

    answers: JudgedCells
    clear: float
    """Share of the cells with a clear answer."""
    errors: ErrorRate
    gold: bool

    @classmethod
    def of(cls, cells: Cells, table: pd.DataFrame, judgements: pd.DataFrame) -> "_FirstWave":
        rows = answers_to(judgements, table)
        found = sampled_answers(cells.image_ids, cells.tags, Judgements(rows)).cells
        return cls(found, max(len(found), 1) / max(len(table), 1), error_rate(rows), has_gold(rows))

    @property
    def rate(self) -> float:
        """Share of wrong answers; 0 if unknown, as answers are then not corrected."""
        return 0.0 if math.isnan(self.errors.rate) else self.errors.rate


def _needed(
    cells: Cells, wave: _FirstWave, proxy: Floats, first: Floats, intensity: Floats, differences: Differences
) -> Forecast:
    outlook = Outlook(
        list(cells.predicted.values())[:2], proxy, _image_errors(cells, proxy), first, wave.clear, wave.rate, wave.gold,
        wave.errors.standard_error,
    )  # fmt: skip
    return answers_needed(outlook, intensity, differences)


def _more_cells(wave: _FirstWave, answers: float) -> float:
    """Return the expected number of further cells of the second wave, so that both waves give so many clear answers.

    As the number is random, the least that metrics need is exceeded by two standard deviations.
    """
    left = max(answers - len(wave.answers), 1.0)
    least = LEAST_ANSWERS - len(wave.answers)
    if answers >= LEAST_ANSWERS and least > 0:
        left = max(left, least + 2 * math.sqrt(least))
    return left / wave.clear


def _plan_table(
    cells: Cells, plan: str, drawn: Bools, inclusion: Floats, first: Floats, wave: Integers, seed: int
) -> pd.DataFrame:
    image, tag = np.nonzero(drawn)
    # in a random order, so that an interruption loses no kind of cell
    order = np.lexsort((cells.random_numbers_of(seed, 3, image, tag), wave[image, tag]))
    image, tag = image[order], tag[order]
    values = {
        "image_id": [cells.image_ids[row] for row in image],
        "tag": [cells.tags[column] for column in tag],
        "inclusion_probability": inclusion[image, tag],
        "wave": wave[image, tag],
        "repeat": cells.random_numbers_of(seed, 4, image, tag) < REPEATED,
        "plan": plan,
        FIRST_WAVE_COLUMN: first[image, tag],
    }
    return pd.DataFrame(values, columns=[*PLAN_COLUMNS, FIRST_WAVE_COLUMN])


def is_answered(plan: pd.DataFrame, judgements: pd.DataFrame) -> bool:
    """Return whether every cell of a plan has an answer, unclear ones included."""
    return not len(unanswered(plan, judgements))


def unanswered(plan: pd.DataFrame, judgements: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a plan without an answer."""
    of_plan = judgements[judgements["plan"] == plan["plan"].iloc[0]] if len(plan) else judgements
    known = pd.MultiIndex.from_frame(of_plan[["image_id", "tag"]])
    return plan[~pd.MultiIndex.from_frame(plan[["image_id", "tag"]]).isin(known)]


def planned_cells(cells: Cells, plan: pd.DataFrame) -> PlannedCells:
    """Return what a plan could ask: every cell of the compared tags."""
    return PlannedCells(len(plan), cells.tags, cells.image_ids)
