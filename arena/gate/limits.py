"""Gates on what is known without an interval: calibration, coverage of tags, speed, size."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from arena.base import format as figures
from arena.base.format import shown
from arena.gate import keys
from arena.gate.cases import skipped
from arena.gate.requirement import Judged, Needs, Requirement
from arena.gate.verdict import Case, Measure, Outcome, TagLoss
from arena.metrics.registry import METRICS
from arena.tags.relations import read_aliases

_SIZES = {"weight_bytes": "bytes of weights", "parameters": "parameters"}
"""What sizes are called in a sentence."""


@dataclass(frozen=True)
class Calibration:
    """How much each error may rise."""

    ece: keys.Margin = keys.key(0.02, keys.margin)
    brier: keys.Margin = keys.key(0.01, keys.margin)


@dataclass(frozen=True)
class Coverage:
    """Of the baseline's tags; `aliases` is a file of renamed tags, and once that is read old name -> new name."""

    min_share: keys.Margin = keys.key(1.0, keys.margin)
    aliases: Path | Mapping[str, str] = keys.key(False, lambda value: keys.file(value) or {})

    @property
    def renamed(self) -> Mapping[str, str]:
        """Old name -> new name."""
        return self.aliases if isinstance(self.aliases, Mapping) else {}


@dataclass(frozen=True)
class Speed:
    """Images a second, at least this share of the baseline's."""

    min_share: float | None = keys.key(0.7, keys.number(0, math.inf, off=True))


@dataclass(frozen=True)
class Size:
    """At most so many times the baseline's."""

    weight_bytes: float | None = keys.key(1.1, keys.number(0, math.inf, off=True))
    parameters: float | None = keys.key(1.1, keys.number(0, math.inf, off=True))


def calibration_cases(judged: Judged, asked: Calibration) -> list[Case]:
    """Of the calibration error and the Brier score, which must not rise."""
    found = []
    for name, title in _error_titles(asked).items():
        margin, called = getattr(asked, name), METRICS[name].title
        one, other = (_number(model.get(name)) for model in judged.summaries)
        if one is None or other is None:
            found.append(skipped("calibration", name, title, f"{called} is undefined for a side"))
            continue
        outcome = Outcome.PASS if one - other <= margin else Outcome.FAIL
        message = (
            f"{called} {figures.figure(one)}, the baseline's {figures.figure(other)}: it "
            f"{_moved(one - other)}, and may rise by {figures.figure(margin)} (no interval)"
        )
        measure = Measure(name, one, other, one - other, limit=margin)
        found.append(Case("calibration", name, title, outcome, message, measure))
    return found


def _error_titles(asked: Calibration) -> dict[str, str]:
    return {
        name: f"calibration: {METRICS[name].title}" for name in ("ece", "brier") if getattr(asked, name) is not None
    }


def _moved(difference: float) -> str:
    return (
        f"{'rose' if difference > 0 else 'fell'} by {figures.figure(abs(difference))}" if difference else "is the same"
    )


def coverage_cases(judged: Judged, asked: Coverage) -> list[Case]:
    """Of the tags that the baseline and the truth know: how many the candidate knows too, under their name or a new one."""
    evidence, title = judged.evidence, "tags that the baseline knows"
    if asked.min_share is None:
        return []
    if not evidence.paired and not evidence.candidate_tags:
        return [skipped("coverage", "tags", title, "the candidate's file lists no tags")]
    if not evidence.supports:
        return [skipped("coverage", "tags", title, "the baseline knows no tag of the truth")]
    lost = sorted(
        (tag for tag in evidence.supports if not {tag, asked.renamed.get(tag, tag)} & evidence.candidate_tags),
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
    return [Case("coverage", "tags", title, outcome, message, measure, named[: judged.list_tags], len(named))]


def speed_cases(judged: Judged, asked: Speed) -> list[Case]:
    """Images a second, where both sides were timed on the same device."""
    return [] if asked.min_share is None else [speed_case(asked.min_share, *judged.facts)]


def speed_case(min_share: float, candidate: Mapping[str, Any], baseline: Mapping[str, Any]) -> Case:
    """Judge the images a second that a run recorded of each side."""
    title, name = "speed", "images_per_second"
    for side, facts in (("candidate", candidate), ("baseline", baseline)):
        if _number(facts.get(name)) is None or not facts.get("timed_on"):
            return skipped("speed", name, title, f"the {side} was not timed; arena run times a model as it scores")
    if (candidate["timed_on"], candidate.get("device")) != (baseline["timed_on"], baseline.get("device")):
        here, there = (f"{facts['timed_on']} ({facts.get('device')})" for facts in (candidate, baseline))
        reason = f"timed on different devices: the candidate on {shown(here)}, the baseline on {shown(there)}"
        return skipped("speed", name, title, reason)
    fast, was = float(candidate[name]), float(baseline[name])
    outcome = Outcome.PASS if fast >= min_share * was else Outcome.FAIL
    message = (
        f"{figures.rate(fast)} images a second, the baseline {figures.rate(was)}: {fast / was:.2f} times, "
        f"at least {min_share:g} times is asked for"
    )
    return Case(
        "speed", name, title, outcome, message, Measure(name, fast, was, fast - was, limit=(min_share - 1) * was)
    )


def size_cases(judged: Judged, asked: Size) -> list[Case]:
    """Bytes of weights and number of parameters."""
    found = []
    for name, title in _size_titles(asked).items():
        most = getattr(asked, name)
        one, other = (_size(facts, name) for facts in judged.facts)
        if one is None or other is None:
            side = "candidate" if one is None else "baseline"
            found.append(skipped("size", name, title, f"how many {_SIZES[name]} the {side} has is not known"))
            continue
        outcome = Outcome.PASS if one <= most * other else Outcome.FAIL
        message = (
            f"{figures.count(one)} {_SIZES[name]}, the baseline {figures.count(other)}: {one / other:.2f} times, "
            f"at most {most:g} times is allowed"
        )
        measure = Measure(name, one, other, one - other, limit=(most - 1) * other)
        found.append(Case("size", name, title, outcome, message, measure))
    return found


def _size_titles(asked: Size) -> dict[str, str]:
    return {name: f"size: {called}" for name, called in _SIZES.items() if getattr(asked, name) is not None}


def _size(facts: Mapping[str, Any], name: str) -> int | None:
    value = _number(facts.get(name))
    return int(value) if value else None


def _number(value: Any) -> float | None:
    return None if value is None or math.isnan(value) else value


CALIBRATION = Requirement(
    "calibration",
    Calibration,
    """\
How much the calibration error (ECE, over all scores of compared tags) and the Brier score (the mean of the tags') may rise.
Both are held against the limit as they are, without an interval.""",
    calibration_cases,
    Needs.RUN,
    _error_titles,
)


def _coverage_names(asked: Coverage) -> dict[str, str]:
    return {} if asked.min_share is None else {"tags": "tags that the baseline knows"}


def _with_aliases(asked: Coverage, folder: Path) -> Coverage:
    return replace(asked, aliases=read_aliases(folder / asked.aliases)) if isinstance(asked.aliases, Path) else asked


COVERAGE = Requirement(
    "coverage",
    Coverage,
    """\
Which share of the tags that the baseline and the truth know the candidate must know too; a critical tag is never to be lost.
aliases: a CSV file of renamed tags beside the policy, with the columns antecedent_name,consequent_name or old,new; false for
none.""",
    coverage_cases,
    Needs.TAGS,
    _coverage_names,
    _with_aliases,
)


def _speed_names(asked: Speed) -> dict[str, str]:
    return {} if asked.min_share is None else {"images_per_second": "speed"}


SPEED = Requirement(
    "speed",
    Speed,
    """\
Images a second, as a share of the baseline's; only where both were timed on the same device. Shared machines vary by
30 %.""",
    speed_cases,
    Needs.RUN,
    _speed_names,
)

SIZE = Requirement(
    "size",
    Size,
    "Bytes of weights and number of parameters, at most so many times the baseline's.",
    size_cases,
    Needs.RUN,
    _size_titles,
)
