"""From a figure and its margin to a case: outcome, measure, and one sentence that says what was seen and asked."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from arena.base import format as figures
from arena.gate.decide import ONE_SIDED, Seen, decide, images_to_decide
from arena.gate.evidence import Evidence, Figure
from arena.gate.keys import Rule
from arena.gate.verdict import Case, Measure, Outcome, TagLoss
from arena.metrics.intervals import LEVEL
from arena.metrics.registry import METRICS
from arena.metrics.significance import minimum_detectable


def interval_case(
    gate: str,
    name: str,
    title: str,
    figure: Figure,
    margin: float,
    evidence: Evidence,
    *,
    rule: Rule = Rule.NON_INFERIORITY,
    p: float | None = None,
    family: int = 1,
    images: int | None = None,
    losses: Sequence[TagLoss] = (),
    list_tags: int = 0,
) -> Case:
    """A figure's interval held against a margin.

    Args:
        p: of a loss beyond the margin, adjusted for `family` parts; None where it was asked alone.
        images: how many the figure is of.
        losses: what a failing case names, the worst first.
    """
    outcome = decide(figure.seen, margin, rule=rule, p=p)
    undecided = outcome is Outcome.INCONCLUSIVE and images is not None
    needed = images_to_decide(figure.seen, margin, images) if undecided and images is not None else None
    message = _sentence(METRICS[figure.name].title, figure, margin, outcome, p, family, evidence)
    if undecided and figure.seen.known:
        message += _how_many(needed, images)
    if not evidence.paired and figure.seen.known:
        message += f"; unpaired: what is less than {figures.figure(detectable(figure.seen))} cannot be told"
    named = list(losses) if outcome is Outcome.FAIL else []
    measure = measure_of(figure, limit=-margin, p=p, images_needed=needed)
    return Case(gate, name, title, outcome, message, measure, named[:list_tags], len(named))


def measure_of(figure: Figure, *, limit: float, p: float | None = None, images_needed: int | None = None) -> Measure:
    """With None for what is undefined."""
    difference, low, high, p = (None if value is None or np.isnan(value) else value for value in (*figure.seen, p))
    return Measure(figure.name, figure.candidate, figure.baseline, difference, low, high, limit, p, images_needed)


def _sentence(
    title: str, figure: Figure, margin: float, outcome: Outcome, p: float | None, family: int, evidence: Evidence
) -> str:
    seen, limit = figure.seen, figures.signed(-margin)
    if not seen.known:
        return f"{title}: no interval of the difference; {_why_unknown(figure, evidence)}"
    moved = f"{title} {figures.signed(seen.difference)} {figures.interval(seen.low, seen.high, figures.signed)}"
    if outcome is Outcome.FAIL:
        return f"{moved}: all of the interval lies below {limit}"
    if seen.low >= -margin:
        return f"{moved}: no part of the interval lies below {limit}"
    if seen.high < -margin and p is not None:
        parts = f"Holm's correction over {family} parts (p {figures.probability(p)}, {ONE_SIDED:g} would)"
        return f"{moved}: below {limit}, which does not hold after {parts}"
    if outcome is Outcome.PASS:
        return f"{moved}: no loss beyond {figures.figure(margin)} is shown, nor is one ruled out"
    return f"{moved}: the interval reaches to both sides of {limit}"


def _why_unknown(figure: Figure, evidence: Evidence) -> str:
    if evidence.why_none:
        return evidence.why_none
    without = [
        side for side, value in (("candidate", figure.candidate), ("baseline", figure.baseline)) if value is None
    ]
    return f"undefined for the {' and the '.join(without)}" if without else "too few resamples define it"


def _how_many(needed: int | None, images: int | None) -> str:
    if needed is None or images is None:
        return ", and no number of images that can be had would decide"
    return f"; about {figures.count(needed)} images would decide, these are {figures.count(images)}"


def detectable(seen: Seen) -> float:
    """The true loss that an interval of this width shows with a chance of 80 %."""
    reach = float(minimum_detectable(1.0, power=0.5, alpha=1 - LEVEL))  # standard errors that half an interval is long
    return float(minimum_detectable((seen.high - seen.low) / 2 / reach))


def losses_of(rows: pd.DataFrame, figure: str, *, margin: float, q: pd.Series | None = None) -> list[TagLoss]:
    """The tags among some rows of `Evidence.tags` that lost at all, the worst first, ties by name.

    Args:
        figure: `f1` or `ap`.
        margin: what each is held against.
        q: by the index of the rows, where it was computed.
    """
    lost = rows[rows[f"{figure}_difference"] < 0].sort_values([f"{figure}_difference", "tag"])
    found = []
    for place, row in zip(lost.index, lost.to_dict("records"), strict=True):
        one = figure_of(row, figure)
        measure = measure_of(one, limit=-margin, p=None if q is None else float(q.loc[place]))
        found.append(TagLoss(str(row["tag"]), str(row["category"]), int(row["support"]), measure))
    return found


def figure_of(row: Mapping[Hashable, Any], name: str) -> Figure:
    """A figure of a row of `Evidence.tags`."""
    keys = ("candidate", "baseline", "difference", "low", "high")
    candidate, baseline, *seen = (float(row[f"{name}_{key}"]) for key in keys)
    one, other = (None if np.isnan(value) else value for value in (candidate, baseline))
    return Figure(name, one, other, Seen(*seen))


def skipped(gate: str, name: str, title: str, reason: str) -> Case:
    """A requirement that needs what is not known of both sides."""
    return Case(gate, name, title, Outcome.SKIPPED, reason)
