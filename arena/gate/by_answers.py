"""Evidence by judged truth: the metrics of both models that answers of people estimate."""

import math
from collections.abc import Mapping
from typing import Any

from arena.base import format as figures
from arena.gate.decide import DifferenceInterval
from arena.gate.evidence import MetricPair
from arena.gate.verdict import Outcome
from arena.metrics.judged_design import answers_missing
from arena.metrics.registry import HEADLINES, THRESHOLDED
from arena.results.run_folder import JUDGED, Result

BY_TRUTH, BY_LABELS = "judged truth", "recorded labels"
"""Start of the title of a case, where a policy says that answers decide."""

JUDGED_METRICS = tuple(name for name in HEADLINES if name in THRESHOLDED)
"""Headline metrics that answers estimate; the others stay by recorded labels."""

_UNDEFINED = DifferenceInterval(math.nan, math.nan, math.nan)


def judged_pair(result: Result, name: str, *, candidate: str, baseline: str, regime: str) -> MetricPair:
    """Return a metric of both models by judged truth, with the difference candidate minus baseline.

    Args:
        result: a run with the summary entry `judged`.
        regime: threshold policy.
    """
    models = result.summary[JUDGED].get("models", {})
    one, other = (models.get(model, {}).get("regimes", {}).get(regime, {}).get(name) for model in (candidate, baseline))
    row = _row(result, name, {candidate, baseline}, regime)
    if row is None or None in (row["difference"], row["low"], row["high"]):
        return MetricPair(name, one, other, _UNDEFINED)
    seen = DifferenceInterval(row["difference"], row["low"], row["high"])
    if row["first"] == baseline:
        seen = DifferenceInterval(-seen.difference, -seen.high, -seen.low)
    return MetricPair(name, one, other, seen)


def why_undefined(result: Result) -> str:
    """Return why the answers give no metric; empty if they do."""
    return str(result.summary[JUDGED]["undefined"])


def answers_clause(
    result: Result, name: str, margin: float, outcome: Outcome, *, candidate: str, baseline: str, regime: str
) -> str:
    """Return the clause on the answers behind a case, and on how many more decide one that is inconclusive."""
    answers = result.summary[JUDGED]["answers"]
    found = f"; {figures.plural(answers, 'answer', 'answers')}"
    row = _row(result, name, {candidate, baseline}, regime)
    if outcome is not Outcome.INCONCLUSIVE or row is None or row.get("effective_answers") is None or not margin:
        return found
    more = answers_missing(row["effective_answers"], row["standard_error"], row["image_error"], margin)
    if not math.isfinite(more):
        return f"{found}; no number of answers decides the margin on these images"
    number = figures.plural(math.ceil(more), "more answer decides", "more answers decide")
    return f"{found}; if the true difference is 0, about {number} with 80 % power"


def _row(result: Result, name: str, pair: set[str], regime: str) -> Mapping[str, Any] | None:
    rows = result.summary[JUDGED].get("differences", [])
    wanted = (one for one in rows if (one["regime"], one["figure"]) == (regime, name))
    return next((one for one in wanted if {one["first"], one["second"]} == pair), None)
