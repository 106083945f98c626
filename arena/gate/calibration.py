"""The requirement on calibration: reported always, judged only if the policy asks for it."""

import math
from dataclasses import dataclass
from typing import Any

from arena.base import format as figures
from arena.gate import keys
from arena.gate.cases import skipped_case, to_measure
from arena.gate.decide import DifferenceInterval, decide_outcome
from arena.gate.evidence import MetricPair
from arena.gate.requirement import JudgedData, RequiredData, Requirement
from arena.gate.verdict import Case, Measure, Outcome
from arena.metrics.registry import METRICS


@dataclass(frozen=True)
class CalibrationSettings:
    """Settings of `[calibration]`: how much each error may rise; None reports it only."""

    ece: keys.Margin = keys.policy_key(False, keys.margin)
    brier: keys.Margin = keys.policy_key(False, keys.margin)
    rule: keys.DecisionRule = keys.policy_key("regression", keys.rule)


def calibration_cases(judged: JudgedData, settings: CalibrationSettings) -> list[Case]:
    """Return a case for the calibration error and one for the Brier score.

    Both are compared after one fitted shift and scale of each model's logits, because a change of the training loss alone moves
    them. Without such a comparison in `JudgedData.calibration` the errors of the run are reported, and a case that the policy
    asks for is skipped.
    """
    return [_case(judged, settings, name) for name in _TITLES]


_TITLES = {name: f"calibration: {METRICS[name].title}" for name in ("ece", "brier")}


def _case(judged: JudgedData, settings: CalibrationSettings, name: str) -> Case:
    margin, title, metric = getattr(settings, name), _TITLES[name], METRICS[name].title
    candidate, baseline = (_number(model.get(name)) for model in judged.summaries)
    if candidate is None or baseline is None:
        without = "candidate" if candidate is None else "baseline"
        return skipped_case("calibration", name, title, f"{metric} is undefined for the {without}")
    raw = f"{metric} {figures.figure(candidate)}, the baseline's {figures.figure(baseline)}"
    fitted = judged.calibration.get(name)
    if fitted is None:
        if margin is not None:
            return skipped_case("calibration", name, title, f"{raw}; the scores of both models are needed to judge it")
        measure = Measure(name, candidate, baseline, candidate - baseline)
        return Case("calibration", name, title, Outcome.REPORTED, f"{raw}; {_not_asked(name)}", measure)
    message = f"{raw}; {_told(fitted)}"
    if margin is None:
        return Case(
            "calibration",
            name,
            title,
            Outcome.REPORTED,
            f"{message}; {_not_asked(name)}",
            to_measure(fitted, limit=None),
        )
    rise = fitted.seen
    outcome = decide_outcome(DifferenceInterval(-rise.difference, -rise.high, -rise.low), margin, rule=settings.rule)
    message += f"; it may rise by {figures.figure(margin)}"
    return Case("calibration", name, title, outcome, message, to_measure(fitted, limit=margin))


def _told(fitted: MetricPair) -> str:
    seen = fitted.seen
    interval = f" {figures.interval(seen.low, seen.high, figures.signed)}" if seen.known else ", no interval"
    return (
        f"after one fitted shift and scale of the logits {figures.figure(fitted.candidate)} and "
        f"{figures.figure(fitted.baseline)}: {figures.signed(seen.difference)}{interval}"
    )


def _not_asked(name: str) -> str:
    return f"not judged, because the policy has no [calibration] {name}"


def _number(value: Any) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def _names(settings: CalibrationSettings) -> dict[str, str]:
    return {name: title for name, title in _TITLES.items() if getattr(settings, name) is not None}


CALIBRATION = Requirement(
    "calibration",
    CalibrationSettings,
    """\
How much the calibration error (ECE, over all scores of compared tags) and the Brier score may rise; false reports them without
judging. Both are judged after one shift and one scale of the logits are fitted to each model, by the paired interval: another
training loss shifts the logits of all tags, and the thresholds move along. rule: as above.""",
    calibration_cases,
    RequiredData.RUN,
    _names,
)
