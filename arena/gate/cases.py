"""Cases from a metric and its margin: the outcome, the values, and one sentence that explains them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from arena.base import format as figures
from arena.base.tables import rows_of
from arena.gate.decide import ONE_SIDED, DifferenceInterval, decide_outcome, detectable, images_to_decide
from arena.gate.evidence import Evidence, MetricPair
from arena.gate.keys import DecisionRule
from arena.gate.verdict import Case, Measure, Outcome, TagLoss
from arena.metrics.registry import METRICS


@dataclass(frozen=True)
class MarginTest:
    """What a policy requires of one metric, and the inputs of its decision.

    Attributes:
        gate, name, title: of the case.
        margin: largest loss that the policy allows.
        rule: how the interval decides.
        p: p of a loss beyond the margin, adjusted for the `family` parts; None for a single test.
        family: number of parts that are corrected together.
        images: number of images behind the metric; None if unknown.
        list_tags: largest number of tags to name.
    """

    gate: str
    name: str
    title: str
    margin: float
    rule: DecisionRule = DecisionRule.NON_INFERIORITY
    p: float | None = None
    family: int = 1
    images: int | None = None
    list_tags: int = 0


def interval_case(
    test: MarginTest, figure: MetricPair, evidence: Evidence, *, losses: Callable[[], Sequence[TagLoss]]
) -> Case:
    """Return the case that compares a metric's interval with its margin.

    Args:
        test: what the policy requires.
        figure: the metric of both models.
        evidence: all evidence of the check.
        losses: returns the tags that the case names, worst first; called only if it fails.
    """
    margin, p, family, images = test.margin, test.p, test.family, test.images
    outcome = decide_outcome(figure.seen, margin, rule=test.rule, p=p)
    undecided = outcome is Outcome.INCONCLUSIVE and images is not None
    needed = images_to_decide(figure.seen, margin, images) if undecided and images is not None else None
    message = _sentence(METRICS[figure.name].title, figure, margin, outcome, p, family, evidence)
    if undecided and figure.seen.known:
        message += _how_many(needed, images)
    if not evidence.paired and figure.seen.known:
        message += f"; unpaired: 80 % power only for a true loss of {figures.figure(detectable(figure.seen))} or more"
    named = list(losses()) if outcome is Outcome.FAIL else []
    measure = to_measure(figure, limit=-margin, p=p, images_needed=needed)
    return Case(test.gate, test.name, test.title, outcome, message, measure, named[: test.list_tags], len(named))


def to_measure(
    figure: MetricPair, *, limit: float | None, p: float | None = None, images_needed: int | None = None
) -> Measure:
    """Return the values of a case; undefined ones are None."""
    difference, low, high, p = (None if value is None or np.isnan(value) else value for value in (*figure.seen, p))
    return Measure(figure.name, figure.candidate, figure.baseline, difference, low, high, limit, p, images_needed)


def _sentence(
    title: str, figure: MetricPair, margin: float, outcome: Outcome, p: float | None, family: int, evidence: Evidence
) -> str:
    interval, limit = figure.seen, figures.signed(-margin)
    if not interval.known:
        return f"{title}: no interval for the difference; {_why_unknown(figure, evidence)}"
    moved = (
        f"{title} {figures.signed(interval.difference)} {figures.interval(interval.low, interval.high, figures.signed)}"
    )
    if outcome is Outcome.FAIL:
        return f"{moved}: the whole interval is below {limit}"
    if interval.low >= -margin:
        return f"{moved}: no part of the interval is below {limit}"
    if interval.high < -margin and p is not None:
        holm = f"Holm's correction over {family} parts (p {figures.probability(p)}, limit {ONE_SIDED:g})"
        return f"{moved}: the interval is below {limit}, but not significantly after {holm}"
    if outcome in (Outcome.PASS, Outcome.NOT_SHOWN):
        return f"{moved}: a loss of more than {figures.figure(margin)} is neither shown nor ruled out"
    return f"{moved}: the interval contains {limit}"


def _why_unknown(figure: MetricPair, evidence: Evidence) -> str:
    if evidence.why_none:
        return evidence.why_none
    without = [
        model for model, value in (("candidate", figure.candidate), ("baseline", figure.baseline)) if value is None
    ]
    return f"undefined for the {' and the '.join(without)}" if without else "it is defined in too few resamples"


def _how_many(needed: int | None, images: int | None) -> str:
    if needed is None or images is None:
        return "; no feasible number of images would decide"
    return f"; {enough(needed)}, {figures.count(images)} were scored"


def enough(images: int) -> str:
    """Return the clause that says how many images decide.

    >>> enough(8173)
    'if the true difference is 0, about 8,173 images decide with 80 % power'
    """
    return f"if the true difference is 0, about {figures.plural(images, 'image', 'images')} decide with 80 % power"


def tag_losses(rows: pd.DataFrame, figure: str, *, margin: float, q: pd.Series | None = None) -> list[TagLoss]:
    """Return the tags of some rows of `Evidence.tags` with a negative difference, worst first, ties by name.

    Args:
        figure: `f1` or `ap`.
        margin: becomes the `limit` of each measure.
        q: by the index of the rows; None if it was not computed.
    """
    lost = rows[rows[f"{figure}_difference"] < 0].sort_values([f"{figure}_difference", "tag"])
    found = []
    for place, row in zip(lost.index, rows_of(lost), strict=True):
        one = metric_of_tag(row, figure)
        measure = to_measure(one, limit=-margin, p=None if q is None else float(q.loc[place]))
        found.append(TagLoss(str(row["tag"]), str(row["category"]), int(row["support"]), measure))
    return found


def metric_of_tag(row: Mapping[str, Any], name: str) -> MetricPair:
    """Return one metric of a row of `Evidence.tags`."""
    keys = ("candidate", "baseline", "difference", "low", "high")
    candidate, baseline, *difference = (float(row[f"{name}_{key}"]) for key in keys)
    one, other = (None if np.isnan(value) else value for value in (candidate, baseline))
    return MetricPair(name, one, other, DifferenceInterval(*difference))


def skipped_case(gate: str, name: str, title: str, reason: str) -> Case:
    """Return the case of a requirement that cannot be judged for lack of data on one of the models."""
    return Case(gate, name, title, Outcome.SKIPPED, reason)
