"""Requirements on values without an interval: coverage of tags, speed, size."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from arena.base import format as figures
from arena.base.format import shown
from arena.gate import keys
from arena.gate.cases import skipped_case
from arena.gate.requirement import JudgedData, RequiredData, Requirement
from arena.gate.verdict import Case, Measure, Outcome, TagLoss
from arena.tags.relations import read_aliases

SPEED_NOISE = 0.2
"""Share by which the ratio of two measured speeds may be too low by chance: two models, timed again and again on a shared
machine, gave 0.57 to 0.74."""

_SIZES = {"weight_bytes": "bytes of weights", "parameters": "parameters"}
"""Noun of each size in a sentence."""


@dataclass(frozen=True)
class _CoverageSettings:
    """Settings of `[coverage]`.

    Attributes:
        min_share: smallest share of the baseline's tags that the candidate must know.
        aliases: file of renamed tags; once the policy is read, old name -> new name.
    """

    min_share: float | None = keys.policy_key(1.0, keys.share)
    aliases: Path | Mapping[str, str] = keys.policy_key(False, lambda value: keys.file_or_false(value) or {})

    @property
    def renamed(self) -> Mapping[str, str]:
        """Old name -> new name."""
        return self.aliases if isinstance(self.aliases, Mapping) else {}


@dataclass(frozen=True)
class _SpeedSettings:
    """Settings of `[speed]`: images per second, at least this share of the baseline's."""

    min_share: float | None = keys.policy_key(0.7, keys.number_in(0, math.inf, off=True))


@dataclass(frozen=True)
class _SizeSettings:
    """Settings of `[size]`: at most this multiple of the baseline's."""

    weight_bytes: float | None = keys.policy_key(1.1, keys.number_in(0, math.inf, off=True))
    parameters: float | None = keys.policy_key(1.1, keys.number_in(0, math.inf, off=True))


def _coverage_cases(judged: JudgedData, settings: _CoverageSettings) -> list[Case]:
    """Return the case for coverage: how many of the tags that the baseline and the ground truth know the candidate knows.

    A renamed tag counts as known if the aliases name it.
    """
    evidence, title = judged.evidence, "tags that the baseline knows"
    if settings.min_share is None:
        return []
    if not evidence.paired and not evidence.candidate_tags:
        return [skipped_case("coverage", "tags", title, "the candidate's file lists no tags")]
    if not evidence.supports:
        return [skipped_case("coverage", "tags", title, "the baseline knows no tag of the ground truth")]
    lost = sorted(
        (tag for tag in evidence.supports if not {tag, settings.renamed.get(tag, tag)} & evidence.candidate_tags),
        key=lambda tag: (-evidence.supports[tag], tag),
    )
    total = len(evidence.supports)
    kept = total - len(lost)
    outcome = Outcome.PASS if kept / total >= settings.min_share else Outcome.FAIL
    message = f"the candidate knows {kept:,} of the {figures.plural(total, 'tag', 'tags')} that the baseline knows"
    if lost:
        required = figures.percent(round(settings.min_share * 10**6), 10**6)
        message += f" ({figures.percent(kept, total)}; the policy requires {required})"
        message += f"; missing: {figures.listed([shown(tag) for tag in lost], keep=5)}"
        message += "; if tags are renamed, give an aliases file" if outcome is Outcome.FAIL else ""
    measure = Measure("tags", kept, total, kept - total, limit=settings.min_share * total - total)
    named = [TagLoss(tag, "", evidence.supports[tag], Measure("known", candidate=0.0, baseline=1.0)) for tag in lost]
    return [Case("coverage", "tags", title, outcome, message, measure, named[: judged.list_tags], len(named))]


def _speed_cases(judged: JudgedData, settings: _SpeedSettings) -> list[Case]:
    """Return the case for images per second; skipped unless both models were timed on the same device."""
    return [] if settings.min_share is None else [judge_speed(settings.min_share, *judged.facts)]


def judge_speed(min_share: float, candidate: Mapping[str, Any], baseline: Mapping[str, Any]) -> Case:
    """Judge the images per second that a run recorded for each model.

    Args:
        min_share: smallest share of the baseline's images per second.
        candidate, baseline: recorded facts with `images_per_second`, `timed_on` (machine) and `device`.
    """
    title, name = "speed", "images_per_second"
    for model, facts in (("candidate", candidate), ("baseline", baseline)):
        if _number(facts.get(name)) is None or not facts.get("timed_on"):
            return skipped_case(
                "speed", name, title, f"the {model} was not timed; arena run times each model while scoring"
            )
    if (candidate["timed_on"], candidate.get("device")) != (baseline["timed_on"], baseline.get("device")):
        here, there = (f"{facts['timed_on']} ({facts.get('device')})" for facts in (candidate, baseline))
        reason = f"timed on different devices: the candidate on {shown(here)}, the baseline on {shown(there)}"
        return skipped_case("speed", name, title, reason)
    rate, reference = float(candidate[name]), float(baseline[name])
    outcome = _speed_outcome(rate / reference, min_share)
    near = f", and times up to {SPEED_NOISE:.0%} below it do not decide" if outcome is Outcome.INCONCLUSIVE else ""
    message = (
        f"{figures.rate(rate)} images per second, the baseline {figures.rate(reference)}: {rate / reference:.2f} times; "
        f"the policy requires at least {min_share:g} times{near}"
    )
    measure = Measure(name, rate, reference, rate - reference, limit=(min_share - 1) * reference)
    return Case("speed", name, title, outcome, message, measure)


def _speed_outcome(share: float, min_share: float) -> Outcome:
    """Return the outcome of a share of the baseline's images per second; just below the limit it is undecided.

    >>> [_speed_outcome(share, 0.7).value for share in (0.7, 0.69, 0.56, 0.55)]
    ['pass', 'inconclusive', 'inconclusive', 'fail']
    """
    if share >= min_share:
        return Outcome.PASS
    return Outcome.INCONCLUSIVE if share >= (1 - SPEED_NOISE) * min_share else Outcome.FAIL


def _size_cases(judged: JudgedData, settings: _SizeSettings) -> list[Case]:
    """Return cases for bytes of weights and number of parameters."""
    found = []
    for name, title in _size_titles(settings).items():
        most = getattr(settings, name)
        candidate, baseline = (_size(facts, name) for facts in judged.facts)
        if candidate is None or baseline is None:
            unknown = "candidate" if candidate is None else "baseline"
            found.append(skipped_case("size", name, title, f"the number of {_SIZES[name]} of the {unknown} is unknown"))
            continue
        outcome = Outcome.PASS if candidate <= most * baseline else Outcome.FAIL
        message = (
            f"{figures.count(candidate)} {_SIZES[name]}, the baseline {figures.count(baseline)}: "
            f"{candidate / baseline:.2f} times; the policy allows at most {most:g} times"
        )
        measure = Measure(name, candidate, baseline, candidate - baseline, limit=(most - 1) * baseline)
        found.append(Case("size", name, title, outcome, message, measure))
    return found


def _size_titles(settings: _SizeSettings) -> dict[str, str]:
    return {name: f"size: {called}" for name, called in _SIZES.items() if getattr(settings, name) is not None}


def _size(facts: Mapping[str, Any], name: str) -> int | None:
    value = _number(facts.get(name))
    return int(value) if value else None


def _number(value: Any) -> float | None:
    return None if value is None or math.isnan(value) else value


def _coverage_names(settings: _CoverageSettings) -> dict[str, str]:
    return {} if settings.min_share is None else {"tags": "tags that the baseline knows"}


def _with_aliases(settings: _CoverageSettings, folder: Path) -> _CoverageSettings:
    aliases = settings.aliases
    return replace(settings, aliases=read_aliases(folder / aliases)) if isinstance(aliases, Path) else settings


COVERAGE = Requirement(
    "coverage",
    _CoverageSettings,
    """\
The share of the tags known to the baseline and the ground truth that the candidate must know too. A lost critical tag always
fails. aliases: a CSV file of renamed tags, relative to the policy's folder, with the columns antecedent_name,consequent_name or
old,new; false for none.""",
    _coverage_cases,
    RequiredData.TAGS,
    _coverage_names,
    _with_aliases,
)


def _speed_names(settings: _SpeedSettings) -> dict[str, str]:
    return {} if settings.min_share is None else {"images_per_second": "speed"}


SPEED = Requirement(
    "speed",
    _SpeedSettings,
    """\
Images per second, as a share of the baseline's; skipped unless both were timed on the same device. The speed of a shared
machine varies by 30 %, so a share of up to 20 % below the limit is inconclusive.""",
    _speed_cases,
    RequiredData.RUN,
    _speed_names,
)

SIZE = Requirement(
    "size",
    _SizeSettings,
    "Bytes of weights and number of parameters: at most this multiple of the baseline's.",
    _size_cases,
    RequiredData.RUN,
    _size_titles,
)
