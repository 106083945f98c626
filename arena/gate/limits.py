"""Gates on what is known without an interval: calibration, coverage of tags, speed, size."""

import math
from collections.abc import Mapping
from typing import Any

from arena.base import format as figures
from arena.base.format import shown
from arena.gate.cases import FIGURE_TITLES, skipped
from arena.gate.evidence import Evidence
from arena.gate.policy import Policy
from arena.gate.verdict import Case, Measure, Outcome, TagLoss
from arena.results.run_folder import Result


def calibration_cases(result: Result, policy: Policy, *, candidate: str, baseline: str) -> list[Case]:
    """Of the calibration error and the Brier score, which must not rise."""
    found = []
    for name, margin in (("ece", policy.calibration.ece), ("brier", policy.calibration.brier)):
        if margin is None:
            continue
        title = f"calibration: {FIGURE_TITLES[name]}"
        one, other = (_number(result.summary["models"][side].get(name)) for side in (candidate, baseline))
        if one is None or other is None:
            found.append(skipped("calibration", name, title, f"{FIGURE_TITLES[name]} is undefined for a side"))
            continue
        outcome = Outcome.PASS if one - other <= margin else Outcome.FAIL
        message = (
            f"{FIGURE_TITLES[name]} {figures.figure(one)}, the baseline's {figures.figure(other)}: it "
            f"{_moved(one - other)}, and may rise by {figures.figure(margin)} (no interval)"
        )
        measure = Measure(name, one, other, one - other, limit=margin)
        found.append(Case("calibration", name, title, outcome, message, measure))
    return found


def _moved(difference: float) -> str:
    return (
        f"{'rose' if difference > 0 else 'fell'} by {figures.figure(abs(difference))}" if difference else "is the same"
    )


def coverage_cases(evidence: Evidence, policy: Policy) -> list[Case]:
    """Of the tags that the baseline and the truth know: how many the candidate knows too, under their name or a new one."""
    asked, title = policy.coverage, "tags that the baseline knows"
    if asked.min_share is None:
        return []
    if not evidence.supports:
        return [skipped("coverage", "tags", title, "the baseline knows no tag of the truth")]
    lost = sorted(
        (tag for tag in evidence.supports if not {tag, asked.aliases.get(tag, tag)} & evidence.candidate_tags),
        key=lambda tag: (-evidence.supports[tag], tag),
    )
    total = len(evidence.supports)
    kept = total - len(lost)
    outcome = Outcome.PASS if kept / total >= asked.min_share else Outcome.FAIL
    message = f"the candidate knows {kept:,} of the {figures.plural(total, 'tag', 'tags')} that the baseline knows"
    if lost:
        message += (
            f" ({figures.percent(kept, total)}, {figures.percent(round(asked.min_share * 10**6), 10**6)} are asked for)"
        )
        message += f"; not {figures.listed([shown(tag) for tag in lost], keep=5, last='nor')}"
        message += "; if tags are renamed, give an aliases file" if outcome is Outcome.FAIL else ""
    measure = Measure("tags", kept, total, kept - total, limit=asked.min_share * total - total)
    named = [TagLoss(tag, "", evidence.supports[tag], Measure("known", candidate=0.0, baseline=1.0)) for tag in lost]
    return [Case("coverage", "tags", title, outcome, message, measure, named[: policy.list_tags], len(named))]


def speed_cases(result: Result, policy: Policy, *, candidate: str, baseline: str) -> list[Case]:
    """Images a second, where both sides were timed on the same device."""
    if policy.speed is None:
        return []
    title, name = "speed", "images_per_second"
    one, other = (result.run["models"].get(side, {}) for side in (candidate, baseline))
    for side, facts in (("candidate", one), ("baseline", other)):
        if _number(facts.get(name)) is None or not facts.get("timed_on"):
            return [skipped("speed", name, title, f"the {side} was not timed; arena run times a model as it scores")]
    if (one["timed_on"], one.get("device")) != (other["timed_on"], other.get("device")):
        here, there = (f"{facts['timed_on']} ({facts.get('device')})" for facts in (one, other))
        reason = f"timed on different devices: the candidate on {shown(here)}, the baseline on {shown(there)}"
        return [skipped("speed", name, title, reason)]
    fast, was = float(one[name]), float(other[name])
    outcome = Outcome.PASS if fast >= policy.speed * was else Outcome.FAIL
    message = (
        f"{figures.rate(fast)} images a second, the baseline {figures.rate(was)}: {fast / was:.2f} times, "
        f"at least {policy.speed:g} times is asked for"
    )
    measure = Measure(name, fast, was, fast - was, limit=(policy.speed - 1) * was)
    return [Case("speed", name, title, outcome, message, measure)]


def size_cases(result: Result, policy: Policy, *, candidate: str, baseline: str) -> list[Case]:
    """Bytes of weights and number of parameters."""
    found = []
    for name, most in (("weight_bytes", policy.weight_bytes), ("parameters", policy.parameters)):
        if most is None:
            continue
        title = f"size: {FIGURE_TITLES[name]}"
        one, other = (_size(result.run["models"].get(side, {}), name) for side in (candidate, baseline))
        if one is None or other is None:
            side = "candidate" if one is None else "baseline"
            found.append(skipped("size", name, title, f"how many {FIGURE_TITLES[name]} the {side} has is not known"))
            continue
        outcome = Outcome.PASS if one <= most * other else Outcome.FAIL
        message = (
            f"{figures.count(one)} {FIGURE_TITLES[name]}, the baseline {figures.count(other)}: {one / other:.2f} times, "
            f"at most {most:g} times is allowed"
        )
        measure = Measure(name, one, other, one - other, limit=(most - 1) * other)
        found.append(Case("size", name, title, outcome, message, measure))
    return found


def _size(facts: Mapping[str, Any], name: str) -> int | None:
    value = _number(facts.get(name))
    return int(value) if value else None


def _number(value: Any) -> float | None:
    return None if value is None or math.isnan(value) else value
