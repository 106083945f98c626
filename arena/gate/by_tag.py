"""Requirements on single tags: the critical tags, and the number of tags that regressed."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from arena.base import format as figures
from arena.base.format import shown
from arena.base.tables import rows_of
from arena.gate import keys
from arena.gate.cases import MarginTest, interval_case, metric_of_tag, skipped_case, tag_losses
from arena.gate.decidable import DecidableLosses, MetricOfPart
from arena.gate.decide import holm_adjusted
from arena.gate.evidence import Evidence
from arena.gate.parts import AUTO, rule_if
from arena.gate.requirement import JudgedData, RequiredData, Requirement
from arena.gate.verdict import Case, Outcome
from arena.metrics.registry import METRICS, TESTED
from arena.tags.spelling import canonical_spelling


@dataclass(frozen=True)
class _CriticalTag:
    """A critical tag with its margin, metric and rule."""

    tag: str
    margin: float
    figure: str
    rule: str
    """A `DecisionRule`, or `AUTO`."""

    def rule_of(self, known: DecidableLosses) -> keys.DecisionRule:
        """Return the rule; `AUTO` depends on whether the images decide the margin."""
        if self.rule != AUTO:
            return keys.DecisionRule(self.rule)
        return rule_if(known.decides(MetricOfPart("tag", self.tag, self.figure), self.margin))


_ENTRY: Mapping[str, keys.KeyCheck] = {
    "tag": str, "margin": keys.required_margin, "figure": keys.tested_metric, "rule": keys.rule,
}  # fmt: skip
"""Keys of an entry of `[critical] tags`, with the check of each value."""


def _critical(value: Any) -> tuple[dict[str, Any], ...]:
    """Check `[critical] tags`; return each tag with the keys that its entry has."""
    if not isinstance(value, list):
        raise keys.WrongValueError('a list of tags, such as ["solo", { tag = "1girl", margin = 0.01 }]')
    entries = tuple({"tag": one} if isinstance(one, str) else _entry(one) for one in value)
    entries = tuple({**entry, "tag": canonical_spelling(entry["tag"])} for entry in entries)
    names = [entry["tag"] for entry in entries]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise keys.WrongValueError(f"a list that names each tag once; {twice!r} is in it twice")
    if "" in names:
        raise keys.WrongValueError("a list of tags; one name is empty")
    return entries


def _entry(one: Any) -> dict[str, Any]:
    if not isinstance(one, dict) or not isinstance(one.get("tag"), str):
        raise keys.WrongValueError(
            f'a list of names and of tables with a tag, such as {{ tag = "1girl" }}; {one!r} is neither'
        )
    entry = {}
    for name, value in one.items():
        if name not in _ENTRY:
            raise keys.WrongValueError(f"a list of tables with the keys {', '.join(_ENTRY)}; {name!r} is none of them")
        try:
            entry[name] = _ENTRY[name](value)
        except keys.WrongValueError as wrong:
            raise keys.WrongValueError(f"a list in which the {name} of {one['tag']!r} is {wrong}") from None
    return entry


@dataclass(frozen=True)
class _CriticalTags:
    """Settings of `[critical]`.

    Attributes:
        tags: in the order of the file, each with the keys that its entry has.
        figure, margin, rule: defaults for entries without these keys.
    """

    tags: tuple[Mapping[str, Any], ...] = keys.policy_key([], _critical)
    figure: str = keys.policy_key("f1", keys.tested_metric)
    margin: float = keys.policy_key(0.05, keys.required_margin)
    rule: str = keys.policy_key(AUTO, keys.one_of(AUTO, *keys.DecisionRule))

    @property
    def each(self) -> list[_CriticalTag]:
        """Every critical tag, with the defaults filled in."""
        shared = {"figure": self.figure, "margin": self.margin, "rule": self.rule}
        return [_CriticalTag(**{**shared, **entry}) for entry in self.tags]


@dataclass(frozen=True)
class _TagRegressions:
    """Settings of `[tags]`."""

    figures: tuple[str, ...] = keys.policy_key(["f1"], keys.some_of(*TESTED))
    margin: float = keys.policy_key(0.05, keys.required_margin)
    q: float = keys.policy_key(0.05, keys.number_in(0, 1))
    min_support: int = keys.policy_key(20, keys.whole_number)
    allowed: int = keys.policy_key(0, keys.whole_number)


def _critical_cases(judged: JudgedData, settings: _CriticalTags) -> list[Case]:
    """Return a case for each critical tag, with Holm's correction over those that are compared."""
    evidence = judged.evidence
    tags = {row["tag"]: row for row in rows_of(evidence.tags)}
    compared = [critical for critical in settings.each if critical.tag in tags]
    metrics = {critical.tag: metric_of_tag(tags[critical.tag], critical.figure) for critical in compared}
    family = holm_adjusted(
        [metrics[critical.tag].seen for critical in compared], [critical.margin for critical in compared]
    )
    p = dict(zip(metrics, family, strict=True))
    found = []
    for critical in settings.each:
        tag = critical.tag
        title = f"critical tag {shown(tag)}: {METRICS[critical.figure].title}"
        if tag not in metrics:
            found.append(_not_compared(evidence, critical, title))
            continue
        rows = evidence.tags[evidence.tags["tag"] == tag]
        losses = partial(tag_losses, rows, critical.figure, margin=critical.margin)
        rule = critical.rule_of(judged.decidable)
        test = MarginTest(
            "critical", tag, title, critical.margin, rule, p[tag], len(p), evidence.images, judged.list_tags
        )
        found.append(interval_case(test, metrics[tag], evidence, losses=losses))
    return found


def _not_compared(evidence: Evidence, critical: _CriticalTag, title: str) -> Case:
    """Return the case of a critical tag without metrics: lost, unknown, too few positives, or no resamples."""
    tag, known = shown(critical.tag), critical.tag in evidence.supports
    if known and critical.tag not in evidence.candidate_tags:
        message = f"the baseline knows {tag}, the candidate does not; if it is renamed, give an aliases file"
        return Case("critical", critical.tag, title, Outcome.FAIL, message)
    if not known:
        candidate = "the candidate knows it" if critical.tag in evidence.candidate_tags else "nor does the candidate"
        message = f"the baseline or the ground truth does not know {tag}, {candidate}; spell it as the dataset does"
        return Case("critical", critical.tag, title, Outcome.INCOMPARABLE, message)
    few = f"{tag} has {figures.plural(evidence.supports[critical.tag], 'positive', 'positives')}, too few to compare"
    return Case("critical", critical.tag, title, Outcome.INCONCLUSIVE, evidence.why_none or few)


def _tag_cases(judged: JudgedData, settings: _TagRegressions) -> list[Case]:
    """Return a case for each metric of `figures`: how many tags lost more than the margin with q at most `q`."""
    return [_regressions(judged, settings, figure, title) for figure, title in _titles(settings).items()]


def _titles(settings: _TagRegressions) -> dict[str, str]:
    return {figure: f"regressions of single tags: {METRICS[figure].title}" for figure in settings.figures}


def _regressions(judged: JudgedData, settings: _TagRegressions, figure: str, title: str) -> Case:
    evidence = judged.evidence
    if evidence.why_none:
        return Case("tags", figure, title, Outcome.INCONCLUSIVE, f"no test of any tag: {evidence.why_none}")
    rows = evidence.tags[evidence.tags["support"] >= settings.min_support]
    tested = rows[rows[f"{figure}_q"].notna() & rows[f"{figure}_difference"].notna()]
    if tested.empty:
        reason = f"no tag has at least {settings.min_support} positives and a defined {METRICS[figure].title} for both models"
        return skipped_case("tags", figure, title, reason)
    q = tested[f"{figure}_q"].astype(float)
    fell = tested[f"{figure}_difference"] < -settings.margin
    lost = tag_losses(tested[fell & (q <= settings.q)], figure, margin=settings.margin, q=q)
    outcome = Outcome.FAIL if len(lost) > settings.allowed else Outcome.PASS
    message = _tag_message(figure, settings, [one.tag for one in lost], tested=len(tested), fell=int(fell.sum()))
    return Case("tags", figure, title, outcome, message, None, lost[: judged.list_tags], len(lost))


def _tag_message(figure: str, settings: _TagRegressions, lost: list[str], *, tested: int, fell: int) -> str:
    names = f" ({figures.listed([shown(tag) for tag in lost], keep=5)})" if lost else ""
    what = f"more than {figures.figure(settings.margin)} {METRICS[figure].title} (q ≤ {settings.q:g})"
    of_tags = f"{figures.plural(tested, 'tag', 'tags')} with at least {figures.count(settings.min_support)} positives"
    message = f"{len(lost):,} of {of_tags}{names} lost {what}; "
    message += f"the policy allows {figures.count(settings.allowed) if settings.allowed else 'none'}"
    if fell > len(lost):
        message += f"; {figures.plural(fell - len(lost), 'other', 'others')} fell as far, possibly by chance"
    return message


CRITICAL = Requirement(
    "critical",
    _CriticalTags,
    """\
Tags that must not get worse. An entry is a name, or a table with its own margin, figure (f1 or ap) and rule:
tags = ["solo", { tag = "1girl", margin = 0.01, figure = "ap", rule = "regression" }].
rule = "auto" is non-inferiority where the images can decide the margin of the tag, else measured.""",
    _critical_cases,
    needs=RequiredData.TAGS,
)

TAG_REGRESSIONS = Requirement(
    "tags",
    _TagRegressions,
    """\
Every tag with at least min_support positives. A tag has regressed if its metric fell by more than the margin and q <= this q
(Benjamini-Hochberg over all compared tags and both metrics, as in the comparison). More than `allowed` regressed tags fail.
figures: f1, ap or both; [] turns this off.""",
    _tag_cases,
    names=_titles,
)
