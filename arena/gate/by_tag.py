"""Gates on single tags: those that must not get worse, and any that did."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from arena.base import format as figures
from arena.base.format import shown
from arena.gate import keys
from arena.gate.cases import figure_of, interval_case, losses_of, skipped
from arena.gate.decide import adjusted
from arena.gate.evidence import Evidence
from arena.gate.requirement import Judged, Needs, Requirement
from arena.gate.verdict import Case, Outcome
from arena.metrics.registry import METRICS, TESTED
from arena.metrics.significance import benjamini_hochberg


@dataclass(frozen=True)
class CriticalTag:
    """A tag that must not get worse."""

    tag: str
    margin: float
    figure: str
    rule: keys.Rule


_ENTRY: Mapping[str, keys.Check] = {
    "tag": str, "margin": keys.number(0, 1), "figure": keys.tested, "rule": keys.rule,
}  # fmt: skip
"""What the entry of a critical tag may hold."""


def _critical(value: Any) -> tuple[dict[str, Any], ...]:
    """Each tag with those keys that its entry holds."""
    if not isinstance(value, list):
        raise keys.WrongValueError('a list of tags, such as ["solo", { tag = "1girl", margin = 0.01 }]')
    entries = tuple({"tag": one} if isinstance(one, str) else _entry(one) for one in value)
    names = [entry["tag"] for entry in entries]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise keys.WrongValueError(f"a list that names each tag once; {twice!r} stands in it twice")
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
class Critical:
    """Of tags that must not get worse.

    Attributes:
        tags: in the order of the file, each with those keys that its entry holds.
        figure, margin, rule: of an entry that does not have its own.
    """

    tags: tuple[Mapping[str, Any], ...] = keys.key([], _critical)
    figure: str = keys.key("f1", keys.tested)
    margin: float = keys.key(0.05, keys.number(0, 1))
    rule: keys.Rule = keys.key("non-inferiority", keys.rule)

    @property
    def each(self) -> list[CriticalTag]:
        """Every tag with all that is asked of it."""
        shared = {"figure": self.figure, "margin": self.margin, "rule": self.rule}
        return [CriticalTag(**{**shared, **entry}) for entry in self.tags]


@dataclass(frozen=True)
class Tags:
    """Of any tag."""

    figures: tuple[str, ...] = keys.key(["f1"], keys.some_of(*TESTED))
    margin: float = keys.key(0.05, keys.number(0, 1))
    q: float = keys.key(0.05, keys.number(0, 1))
    min_support: int = keys.key(20, keys.count)
    allowed: int = keys.key(0, keys.count)


def critical_cases(judged: Judged, settings: Critical) -> list[Case]:
    """Of each critical tag, corrected after Holm over all that are compared."""
    evidence = judged.evidence
    tags = {row["tag"]: row for row in evidence.tags.to_dict("records")}
    there = [asked for asked in settings.each if asked.tag in tags]
    held = {asked.tag: figure_of(tags[asked.tag], asked.figure) for asked in there}
    family = adjusted([held[asked.tag].seen for asked in there], [asked.margin for asked in there])
    p = dict(zip(held, family, strict=True))
    found = []
    for asked in settings.each:
        title = f"critical tag {shown(asked.tag)}: {METRICS[asked.figure].title}"
        if asked.tag not in held:
            found.append(_not_compared(evidence, asked, title))
            continue
        losses = losses_of(evidence.tags[evidence.tags["tag"] == asked.tag], asked.figure, margin=asked.margin)
        found.append(
            interval_case(
                "critical", asked.tag, title, held[asked.tag], asked.margin, evidence, rule=asked.rule, p=p[asked.tag],
                family=len(p), images=evidence.images, losses=losses, list_tags=judged.list_tags,
            )
        )  # fmt: skip
    return found


def _not_compared(evidence: Evidence, asked: CriticalTag, title: str) -> Case:
    """A critical tag without figures: lost, unknown, too thin, or nothing was resampled."""
    tag, known = shown(asked.tag), asked.tag in evidence.supports
    if known and asked.tag not in evidence.candidate_tags:
        message = f"the candidate does not know {tag}, which the baseline does; if it is renamed, give an aliases file"
        return Case("critical", asked.tag, title, Outcome.FAIL, message)
    if not known:
        beside = "though the candidate does" if asked.tag in evidence.candidate_tags else "nor does the candidate"
        message = f"the baseline or the truth does not know {tag}, {beside}; spell it as the dataset does"
        return Case("critical", asked.tag, title, Outcome.INCOMPARABLE, message)
    few = f"{tag} has {figures.plural(evidence.supports[asked.tag], 'positive', 'positives')}, too few to be compared"
    return Case("critical", asked.tag, title, Outcome.INCONCLUSIVE, evidence.why_none or few)


def tag_cases(judged: Judged, asked: Tags) -> list[Case]:
    """Of every metric that is asked for: how many tags fell by more than the margin with q at the limit or below."""
    return [_regressions(judged, asked, figure, title) for figure, title in _titles(asked).items()]


def _titles(asked: Tags) -> dict[str, str]:
    return {figure: f"regressions of single tags: {METRICS[figure].title}" for figure in asked.figures}


def _regressions(judged: Judged, asked: Tags, figure: str, title: str) -> Case:
    evidence = judged.evidence
    if evidence.why_none:
        return Case("tags", figure, title, Outcome.INCONCLUSIVE, f"no test of any tag: {evidence.why_none}")
    rows = evidence.tags[evidence.tags["support"] >= asked.min_support]
    tested = rows[rows[f"{figure}_p"].notna() & rows[f"{figure}_difference"].notna()]
    if tested.empty:
        reason = f"no tag has the {asked.min_support} positives that are asked for and a figure on both sides"
        return skipped("tags", figure, title, reason)
    q = pd.Series(benjamini_hochberg(tested[f"{figure}_p"].to_numpy(np.float64)), index=tested.index)
    fell = tested[f"{figure}_difference"] < -asked.margin
    lost = losses_of(tested[fell & (q <= asked.q)], figure, margin=asked.margin, q=q)
    outcome = Outcome.FAIL if len(lost) > asked.allowed else Outcome.PASS
    message = _tag_message(figure, asked, [one.tag for one in lost], tested=len(tested), fell=int(fell.sum()))
    return Case("tags", figure, title, outcome, message, None, lost[: judged.list_tags], len(lost))


def _tag_message(figure: str, asked: Tags, lost: list[str], *, tested: int, fell: int) -> str:
    what = f"more than {figures.figure(asked.margin)} of {METRICS[figure].title} with q of {asked.q:g} or less"
    message = f"{len(lost):,} of {figures.plural(tested, 'tag', 'tags')} lost {what}; {asked.allowed:,} may"
    if lost:
        message += f": {figures.listed([shown(tag) for tag in lost], keep=5)}"
    if fell > len(lost):
        message += f"; {fell - len(lost):,} more fell as far, which chance may have done"
    return message


CRITICAL = Requirement(
    "critical",
    Critical,
    """\
Tags that must not get worse, whatever else does. An entry is a name, or a table with a margin, figure (f1 or ap) and rule of
its own: tags = ["solo", { tag = "1girl", margin = 0.01, figure = "ap", rule = "regression" }].""",
    critical_cases,
    needs=Needs.TAGS,
)

TAGS = Requirement(
    "tags",
    Tags,
    """\
Any tag: it has regressed where its figure fell by more than the margin and q <= this q (Benjamini and Hochberg over the tags of
at least min_support positives). More than `allowed` of them fail. figures: of f1 and ap, none turns the requirement off.""",
    tag_cases,
    names=_titles,
)
