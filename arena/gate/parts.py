"""Requirements on aggregates: all compared tags, and slices of tags or images, with Holm's correction within each kind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from arena.base import format as figures
from arena.base.errors import nearest
from arena.gate import keys
from arena.gate.by_answers import BY_LABELS, BY_TRUTH, JUDGED_METRICS, answers_clause, judged_pair, why_undefined
from arena.gate.cases import MarginTest, interval_case, skipped_case, tag_losses
from arena.gate.decidable import DecidableLosses, MetricOfPart, overall
from arena.gate.decide import holm_adjusted
from arena.gate.evidence import Evidence, EvidenceSlice, MetricPair
from arena.gate.requirement import JudgedData, Requirement
from arena.gate.verdict import Case, Outcome, TagLoss
from arena.metrics.registry import HEADLINES, METRICS
from arena.metrics.slices import support_band
from arena.metrics.thresholds import THRESHOLD_CHOICES

_REGIMES = ("own", *THRESHOLD_CHOICES)
"""Threshold policies that `[margins] regime` can name."""

_TABLES = {"category": "categories", "group": "tag_groups"}
"""Kinds of slices that have their own table in the policy; all others belong to `[slices]`."""


AUTO, POOLED = "auto", "pooled"
"""Values of a key: chosen by what the images can decide (see `decidable`); non-inferiority for pooled metrics only."""


@dataclass(frozen=True)
class MarginSettings:
    """Settings of `[margins]`: a field for each of `registry.HEADLINES`, over all compared tags.

    Attributes:
        rule: a `DecisionRule`, `POOLED` or `AUTO`.
        judged: answers of people decide the metrics that they can estimate, in place of the recorded labels.
    """

    regime: str = keys.policy_key("own", keys.one_of(*_REGIMES))
    rule: str = keys.policy_key(AUTO, keys.one_of(AUTO, POOLED, *keys.DecisionRule))
    macro_f1: keys.Margin = keys.policy_key(0.01, keys.margin)
    micro_f1: keys.Margin = keys.policy_key(0.01, keys.margin)
    map: keys.Margin = keys.policy_key(0.01, keys.margin)
    judged: bool = keys.policy_key(False, keys.true_or_false)

    @property
    def asked(self) -> dict[str, float]:
        """The headline metrics that have a margin, with it."""
        found = {name: getattr(self, name) for name in HEADLINES}
        return {name: margin for name, margin in found.items() if margin is not None}

    def rule_of(self, name: str, known: DecidableLosses) -> keys.DecisionRule:
        """Return the rule for a metric that has a margin.

        `POOLED` is regression for a mean over tags. `AUTO` is the rule measured for a mean over tags whose margin the images
        do not decide. Both are non-inferiority for all other metrics, and for every metric if no pooled one has a margin.
        """
        if self.rule not in (AUTO, POOLED):
            return keys.DecisionRule(self.rule)
        pooled = any(METRICS[one].average == "micro" for one in self.asked)
        if METRICS[name].average == "micro" or not pooled:
            return keys.DecisionRule.NON_INFERIORITY
        if self.rule == POOLED:
            return keys.DecisionRule.REGRESSION
        return rule_if(known.decides(overall(name), self.asked[name]))


def rule_if(decides: bool) -> keys.DecisionRule:
    """Return the rule that `AUTO` is for a margin that the images decide, and for one that they do not."""
    return keys.DecisionRule.NON_INFERIORITY if decides else keys.DecisionRule.MEASURED


@dataclass(frozen=True)
class _SliceSettings:
    """Settings of a table on slices; as such, of `[categories]`.

    Attributes:
        figure: a key of `registry.HEADLINES`, or `AUTO`.
        margin: default for slices without their own.
        margins: margins by the name of a slice.
        missing: outcome if the policy names a slice that the run does not have: `fail` or `skip`.
    """

    figure: str = keys.policy_key(AUTO, keys.one_of(AUTO, *HEADLINES))
    margin: keys.Margin = keys.policy_key(0.02, keys.margin)
    rule: keys.DecisionRule = keys.policy_key("regression", keys.rule)
    margins: Mapping[str, keys.Margin] = keys.policy_key({}, keys.margins)
    missing: str = keys.policy_key("fail", keys.one_of("fail", "skip"))

    def margin_of(self, *names: str) -> keys.Margin:
        """Return the margin of the first of these names that has its own, else the default."""
        return next((self.margins[name] for name in names if name in self.margins), self.margin)

    def figure_of(self, kind: str, value: str, margin: float, known: DecidableLosses) -> str:
        """Return the metric of a slice; `AUTO` is macro F1 where the images decide its margin, else micro F1."""
        if self.figure != AUTO:
            return self.figure
        return "macro_f1" if known.decides(MetricOfPart(kind, value, "macro_f1"), margin) else "micro_f1"


def _kinds(value: Any) -> tuple[str, ...] | None:
    """Check `[slices] kinds`; "all" becomes None."""
    try:
        return None if value == "all" else tuple(keys.some_of()(value))
    except keys.WrongValueError:
        raise keys.WrongValueError('"all", or a list of kinds such as ["support", "rating"]') from None


@dataclass(frozen=True)
class _ImageSliceSettings(_SliceSettings):
    """Settings of `[slices]`; `kinds` is None for every kind in the run."""

    margin: keys.Margin = keys.policy_key(0.03, keys.margin)
    kinds: tuple[str, ...] | None = keys.policy_key("all", _kinds)
    min_images: int = keys.policy_key(100, keys.whole_number)


@dataclass(frozen=True)
class _TagGroupSettings(_SliceSettings):
    """Settings of `[tag_groups]`."""

    margin: keys.Margin = keys.policy_key(0.05, keys.margin)


def _margin_cases(judged: JudgedData, settings: MarginSettings) -> list[Case]:
    """Return a case for each headline metric with a margin, over all compared tags."""
    evidence = judged.evidence
    if evidence.tags.empty and not evidence.why_none:
        return [_nothing_common(evidence)]
    found = []
    for name, margin in settings.asked.items():
        if settings.judged and name in JUDGED_METRICS:
            found.append(_judged_case(judged, settings, name, margin))
            continue
        figure = evidence.overall[name]
        at_regime = METRICS[name].needs_threshold and evidence.regime != "own"
        over = "all compared tags" if evidence.averaged is None else _common(evidence.averaged, name)
        regime = f", thresholds by {evidence.regime}" if at_regime else ""
        title = f"{METRICS[name].title} over {over}{regime}"
        title = f"{BY_LABELS}: {title}" if settings.judged else title
        if not evidence.paired and (figure.candidate is None or figure.baseline is None):
            without = "candidate" if figure.candidate is None else "baseline"
            reason = f"{METRICS[name].title} of the {without} is unknown; its file has too few columns per tag"
            found.append(skipped_case("margins", name, title, reason))
            continue
        losses = partial(tag_losses, evidence.tags, METRICS[name].base, margin=margin)
        test = MarginTest(
            "margins", name, title, margin, settings.rule_of(name, judged.decidable), images=evidence.images,
            list_tags=judged.list_tags,
        )  # fmt: skip
        found.append(interval_case(test, figure, evidence, losses=losses))
    return found


def _judged_case(judged: JudgedData, settings: MarginSettings, name: str, margin: float) -> Case:
    """Return the case of a headline metric that the answers of people decide."""
    assert judged.result is not None
    of = {"candidate": judged.candidate, "baseline": judged.baseline, "regime": settings.regime}
    regime = f", thresholds by {settings.regime}" if settings.regime != "own" else ""
    title = f"{BY_TRUTH}: {METRICS[name].title} over all compared tags{regime}"
    rule = settings.rule_of(name, judged.decidable)
    test = MarginTest("margins", name, title, margin, rule, list_tags=judged.list_tags)
    evidence = replace(judged.evidence, why_none=why_undefined(judged.result))
    case = interval_case(test, judged_pair(judged.result, name, **of), evidence, losses=list)
    return replace(case, message=case.message + answers_clause(judged.result, name, margin, case.outcome, **of))


def _common(averaged: int, name: str) -> str:
    """Return the tags of an unpaired mean; only the number of tags of macro F1 is known here."""
    tags = figures.plural(averaged, "common tag", "common tags")
    return tags if METRICS[name].base == "f1" else "all common tags with AP"


def _nothing_common(evidence: Evidence) -> Case:
    both = len(evidence.candidate_tags & evidence.supports.keys())
    return Case(
        "margins", "tags", "tags to compare", Outcome.INCOMPARABLE,
        f"no tag can be compared: of the ground truth's tags the baseline knows {len(evidence.supports):,}, the candidate "
        f"{len(evidence.candidate_tags):,}, both {both:,}, none with enough positives; if tags are renamed, give an aliases "
        "file",
    )  # fmt: skip


def _category_cases(judged: JudgedData, settings: _SliceSettings) -> list[Case]:
    """Return a case for each category of tags."""
    return _tag_family(judged, "categories", settings, "category")


def _group_cases(judged: JudgedData, settings: _TagGroupSettings) -> list[Case]:
    """Return a case for each named group of tags."""
    return _tag_family(judged, "tag_groups", settings, "group")


def _tag_family(judged: JudgedData, gate: str, settings: _SliceSettings, kind: str) -> list[Case]:
    """Return a case for each slice of tags of a kind, and for each slice that only the policy names."""
    available = [part.value for part in judged.evidence.parts if part.kind == kind]
    missing = [name for name in _with_own_margin(settings) if name not in available]
    found = _family(judged, gate, settings, kind)
    return found + [
        _missing_case(judged, gate, settings, name, f"no compared tag is in {kind} {name}") for name in missing
    ]


def _slice_cases(judged: JudgedData, settings: _ImageSliceSettings) -> list[Case]:
    """Return a case for each slice of every kind in `kinds`; Holm's correction runs within a kind."""
    evidence = judged.evidence
    available = [kind for kind in dict.fromkeys(part.kind for part in evidence.parts) if kind not in _TABLES]
    wanted = available if settings.kinds is None else settings.kinds
    found = [case for kind in wanted for case in _family(judged, "slices", settings, kind)]
    named = dict.fromkeys([*(settings.kinds or ()), *_with_own_margin(settings)])
    return found + [
        _missing_case(judged, "slices", settings, name, why)
        for name in named
        if (why := _why_missing(name, wanted, available, evidence.parts))
    ]


def _with_own_margin(settings: _SliceSettings) -> list[str]:
    """Return the names of slices that have their own margin in the policy."""
    return [name for name, margin in settings.margins.items() if margin is not None]


def _why_missing(name: str, wanted: Sequence[str], available: Sequence[str], parts: Sequence[EvidenceSlice]) -> str:
    """Return why the run has no slice of this name, such as `support` or `rating:general`; empty if it has one.

    Args:
        name: a kind, or kind:value, as in the policy.
        wanted: the kinds that the policy judges.
        available: the kinds of the run.
        parts: the slices of the run.
    """
    kind, _, value = name.partition(":")
    if kind not in available:
        return f"there are no slices by {kind}. {nearest(kind, available)}"
    if kind not in wanted:
        return f"[slices] kinds does not list {kind}"
    values = [f"{part.kind}:{part.value}" for part in parts if part.kind == kind]
    return f"there is no slice {name}. {nearest(name, values)}" if value and name not in values else ""


def _missing_case(judged: JudgedData, gate: str, settings: _SliceSettings, name: str, why: str) -> Case:
    """Return the case of a slice that the policy names and the run does not have.

    The case is always skipped for published files, because they have no slices of images and no tag groups.
    """
    fails = settings.missing == "fail" and judged.evidence.paired
    fix = f'; correct the policy, or set [{gate}] missing = "skip"' if fails else ""
    return Case(gate, name, name, Outcome.FAIL if fails else Outcome.SKIPPED, f"not judged: {why.rstrip('.')}{fix}")


def _family(judged: JudgedData, gate: str, settings: _SliceSettings, kind: str) -> list[Case]:
    """Return a case for each slice of a kind.

    Slices with too few images and undefined ones are skipped and do not count in Holm's correction.
    """
    evidence = judged.evidence
    judgeable = [
        _Judged(part, settings.figure_of(part.kind, part.value, margin, judged.decidable), margin)
        for part in evidence.parts
        if part.kind == kind and (margin := settings.margin_of(*_names(gate, kind, part.value))) is not None
    ]
    reasons = [_why_skipped(one, settings, evidence) for one in judgeable]
    tested = [one for one, reason in zip(judgeable, reasons, strict=True) if reason is None]
    p = holm_adjusted([one.pair.seen for one in tested], [one.margin for one in tested])
    each, found = iter(p), []
    for one, reason in zip(judgeable, reasons, strict=True):
        name, title = _names(gate, kind, one.part.value)[0], f"{_title(gate, one.part)}: {METRICS[one.figure].title}"
        if reason is not None:
            found.append(skipped_case(gate, name, title, reason))
            continue
        losses = partial(_losses, evidence.tags, one)
        test = MarginTest(
            gate, name, title, one.margin, settings.rule, next(each), len(p), one.part.images, judged.list_tags
        )
        found.append(interval_case(test, one.pair, evidence, losses=losses))
    return found


def _losses(tags: pd.DataFrame, one: "_Judged") -> list[TagLoss]:
    """Return the tags of a slice with a negative difference."""
    return tag_losses(_members(tags, one.part), METRICS[one.figure].base, margin=one.margin)


class _Judged(NamedTuple):
    """A slice with the metric that it is judged by, and the margin."""

    part: EvidenceSlice
    figure: str
    margin: float

    @property
    def pair(self) -> MetricPair:
        """The metric of both models."""
        return self.part.figures[self.figure]


def _names(gate: str, kind: str, value: str) -> tuple[str, ...]:
    """Return the names of a slice in the policy, most specific first."""
    return (f"{kind}:{value}", kind) if gate == "slices" else (value,)


def _title(gate: str, part: EvidenceSlice) -> str:
    if gate == "categories":
        return f"category {part.value}"
    return part.title if part.kind in ("group", "support") else f"images with {part.kind} {part.value}"


def _why_skipped(one: _Judged, settings: _SliceSettings, evidence: Evidence) -> str | None:
    """Return why a slice is skipped; None if it is judged, even as inconclusive."""
    part, pair = one.part, one.pair
    if (
        isinstance(settings, _ImageSliceSettings)
        and part.of_images
        and part.images is not None
        and part.images < settings.min_images
    ):
        return f"{figures.plural(part.images, 'image', 'images')}, fewer than min_images = {settings.min_images}"
    if not evidence.why_none and (pair.candidate is None or pair.baseline is None):
        return f"{METRICS[one.figure].title} is undefined"
    return None


def _members(tags: pd.DataFrame, part: EvidenceSlice) -> pd.DataFrame:
    """Return the tags of a slice by category or support; empty for groups, whose members are unknown, and slices of images."""
    if part.kind == "category":
        member = (tags["category"] == part.value).to_numpy(bool)
    elif part.kind == "support":
        member = support_band(tags["support"].to_numpy(np.int64)) == part.value
    else:
        member = np.zeros(len(tags), bool)
    return tags.loc[member]


def slice_settings(
    policy_tables: Mapping[str, Any], kind: str, value: str
) -> tuple[_SliceSettings | None, keys.Margin]:
    """Return the settings that a slice is judged by, and its margin; None and None where its kind is not judged."""
    gate = _TABLES.get(kind, "slices")
    settings = policy_tables[gate]
    if isinstance(settings, _ImageSliceSettings) and settings.kinds is not None and kind not in settings.kinds:
        return None, None
    return settings, settings.margin_of(*_names(gate, kind, value))


def _margin_names(settings: MarginSettings) -> dict[str, str]:
    return {name: f"{METRICS[name].title} over all compared tags" for name in settings.asked}


MARGINS = Requirement(
    "margins",
    MarginSettings,
    """\
Over all compared tags. rule, for each metric: non-inferiority, measured, regression, or pooled (non-inferiority for micro F1,
and regression for macro F1 and mAP); auto is non-inferiority for micro F1 and for what the images can decide, else measured.
regime names the thresholds: own (the models'), macro_f1, micro_f1, break_even, category, precision_90 or tag (cross-fitted; see
the report page). mAP needs no threshold and is the same for each. judged = true: answers of people (arena check --judgements)
decide macro F1 and micro F1; all other requirements stay by recorded labels, and their titles say so.""",
    _margin_cases,
    names=_margin_names,
)

CATEGORY_MARGINS = Requirement(
    "categories",
    _SliceSettings,
    """\
Each category of tags at the models' own thresholds. figure: macro_f1, micro_f1, map, or auto: macro_f1 where the images can
decide its margin, else micro_f1. [categories.margins] sets the margin of single categories, such as character = 0.01, or
rating = false. missing: the outcome if the policy names a slice that the run does not have, "fail" or "skip".""",
    _category_cases,
)

SLICE_MARGINS = Requirement(
    "slices",
    _ImageSliceSettings,
    """\
Tags by support, and images by rating, size and every other kind of slice in the run; Holm's correction runs within each kind.
kinds: "all", or a list such as ["support", "rating"]. Slices with fewer than min_images images are skipped. margins: by kind
or by kind:value. missing: as in [categories].""",
    _slice_cases,
)

TAG_GROUP_MARGINS = Requirement(
    "tag_groups",
    _TagGroupSettings,
    "Each named group of tags of the run; margins: by the name of a group. missing: as in [categories].",
    _group_cases,
)
