"""Gates on aggregates: all compared tags, and each part of them, with Holm's correction over the parts of a kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from arena.base import format as figures
from arena.gate import keys
from arena.gate.cases import interval_case, losses_of, skipped
from arena.gate.decide import adjusted
from arena.gate.evidence import Evidence, Part
from arena.gate.requirement import Judged, Requirement
from arena.gate.verdict import Case, Outcome
from arena.metrics.registry import HEADLINES, METRICS
from arena.metrics.slices import support_band
from arena.metrics.thresholds import CHOICES

REGIMES = ("own", *CHOICES)
"""Whose thresholds margins can be asked at."""

_TABLES = {"category": "categories", "group": "tag_groups"}
"""Kinds of parts that have a table of their own in the policy; all others are slices."""


@dataclass(frozen=True)
class Margins:
    """Of the headline metrics over all compared tags; a field for each of `registry.HEADLINES`."""

    regime: str = keys.key("own", keys.one_of(*REGIMES))
    macro_f1: keys.Margin = keys.key(0.01, keys.margin)
    micro_f1: keys.Margin = keys.key(0.01, keys.margin)
    map: keys.Margin = keys.key(0.01, keys.margin)

    @property
    def asked(self) -> dict[str, float]:
        """The margin of each headline metric that has one."""
        found = {name: getattr(self, name) for name in HEADLINES}
        return {name: margin for name, margin in found.items() if margin is not None}


@dataclass(frozen=True)
class Parts:
    """Of parts of the tags or images.

    Attributes:
        figure: a key of `registry.HEADLINES`.
        margins: by name, where a part has its own.
    """

    figure: str = keys.key("macro_f1", keys.headline)
    margin: keys.Margin = keys.key(0.02, keys.margin)
    rule: keys.Rule = keys.key("regression", keys.rule)
    margins: Mapping[str, keys.Margin] = keys.key({}, keys.margins)

    def margin_of(self, *names: str) -> keys.Margin:
        """Of a part, by the first of its names that has its own."""
        return next((self.margins[name] for name in names if name in self.margins), self.margin)


def _kinds(value: Any) -> tuple[str, ...] | None:
    """None for all of them."""
    try:
        return None if value == "all" else tuple(keys.some_of()(value))
    except keys.WrongValueError:
        raise keys.WrongValueError('"all", or a list of kinds such as ["support", "rating"]') from None


@dataclass(frozen=True)
class Slices(Parts):
    """Of slices of tags and images; `kinds` is None for all that there are."""

    margin: keys.Margin = keys.key(0.03, keys.margin)
    kinds: tuple[str, ...] | None = keys.key("all", _kinds)
    min_images: int = keys.key(100, keys.count)


@dataclass(frozen=True)
class TagGroups(Parts):
    """Of named groups of tags."""

    margin: keys.Margin = keys.key(0.05, keys.margin)


def margin_cases(judged: Judged, asked: Margins) -> list[Case]:
    """Of each headline metric over all compared tags."""
    evidence = judged.evidence
    if evidence.tags.empty and not evidence.why_none:
        return [_nothing_common(evidence)]
    found = []
    for name, margin in asked.asked.items():
        figure = evidence.overall[name]
        at_regime = METRICS[name].needs_threshold and evidence.regime != "own"
        regime = f", thresholds by {evidence.regime}" if at_regime else ""
        title = f"{METRICS[name].title} over all compared tags{regime}"
        if not evidence.paired and (figure.candidate is None or figure.baseline is None):
            reason = (
                f"{METRICS[name].title} is not known of both sides; the file of a side tells too little of its tags"
            )
            found.append(skipped("margins", name, title, reason))
            continue
        losses = losses_of(evidence.tags, METRICS[name].base, margin=margin)
        found.append(
            interval_case(
                "margins", name, title, figure, margin, evidence,
                images=evidence.images, losses=losses, list_tags=judged.list_tags,
            )
        )  # fmt: skip
    return found


def _nothing_common(evidence: Evidence) -> Case:
    both = len(evidence.candidate_tags & evidence.supports.keys())
    return Case(
        "margins", "tags", "tags to compare", Outcome.INCOMPARABLE,
        f"no tag can be compared: of the truth's tags the baseline knows {len(evidence.supports):,}, the candidate "
        f"{len(evidence.candidate_tags):,}, both {both:,}, none of enough positives; if tags are renamed, give an aliases file",
    )  # fmt: skip


def category_cases(judged: Judged, asked: Parts) -> list[Case]:
    """Of each category of tags."""
    return _family(judged, "categories", asked, "category")


def group_cases(judged: Judged, asked: TagGroups) -> list[Case]:
    """Of each named group of tags."""
    return _family(judged, "tag_groups", asked, "group")


def slice_cases(judged: Judged, asked: Slices) -> list[Case]:
    """Of each slice of every kind that is asked for; kinds are families of their own."""
    evidence = judged.evidence
    there = [kind for kind in dict.fromkeys(part.kind for part in evidence.parts) if kind not in _TABLES]
    found = []
    for kind in there if asked.kinds is None else asked.kinds:
        if kind not in there:
            reason = f"these figures are not sliced by {kind}; there are: {figures.listed(there) or 'none'}"
            found.append(skipped("slices", kind, kind, reason))
        found += _family(judged, "slices", asked, kind)
    return found


def _family(judged: Judged, gate: str, asked: Parts, kind: str) -> list[Case]:
    """A case a part; thin slices of images and what is undefined are skipped, and count for nothing in the correction."""
    evidence = judged.evidence
    parts = [part for part in evidence.parts if part.kind == kind]
    held = [(part, margin) for part in parts if (margin := asked.margin_of(*_names(gate, part))) is not None]
    p = adjusted(
        [part.figures[asked.figure].seen for part, _ in held if _why_left_out(part, asked, evidence) is None],
        [margin for part, margin in held if _why_left_out(part, asked, evidence) is None],
    )
    each, found = iter(p), []
    for part, margin in held:
        name, title = _names(gate, part)[0], f"{_title(gate, part)}: {METRICS[asked.figure].title}"
        reason = _why_left_out(part, asked, evidence)
        if reason is not None:
            found.append(skipped(gate, name, title, reason))
            continue
        losses = losses_of(_members(evidence.tags, part), METRICS[asked.figure].base, margin=margin)
        found.append(
            interval_case(
                gate, name, title, part.figures[asked.figure], margin, evidence, rule=asked.rule, p=next(each),
                family=len(p), images=part.images, losses=losses, list_tags=judged.list_tags,
            )
        )  # fmt: skip
    return found


def _names(gate: str, part: Part) -> tuple[str, ...]:
    """What a part is called in the policy, the closest first."""
    return (f"{part.kind}:{part.value}", part.kind) if gate == "slices" else (part.value,)


def _title(gate: str, part: Part) -> str:
    if gate == "categories":
        return f"category {part.value}"
    return part.title if part.kind in ("group", "support") else f"images with {part.kind} {part.value}"


def _why_left_out(part: Part, asked: Parts, evidence: Evidence) -> str | None:
    """Why a part is skipped; None where it is judged, be it as inconclusive."""
    figure = part.figures[asked.figure]
    if isinstance(asked, Slices) and part.of_images and part.images is not None and part.images < asked.min_images:
        return f"{figures.plural(part.images, 'image', 'images')}, fewer than the {asked.min_images} that are asked for"
    if not evidence.why_none and (figure.candidate is None or figure.baseline is None):
        return f"{METRICS[asked.figure].title} is undefined here"
    return None


def _members(tags: pd.DataFrame, part: Part) -> pd.DataFrame:
    """The rows of the tags that make up a part; none where that is not known, as of groups, or is not of tags."""
    if part.kind == "category":
        member = (tags["category"] == part.value).to_numpy(bool)
    elif part.kind == "support":
        member = support_band(tags["support"].to_numpy(np.int64)) == part.value
    else:
        member = np.zeros(len(tags), bool)
    return tags.loc[member]


def _margin_names(asked: Margins) -> dict[str, str]:
    return {name: f"{METRICS[name].title} over all compared tags" for name in asked.asked}


MARGINS = Requirement(
    "margins",
    Margins,
    """\
Over all compared tags, by non-inferiority. The regime says at whose thresholds: own (the models'), macro_f1, micro_f1,
break_even, category, precision_90, tag (cross-fitted; see the page). mAP needs no threshold and is the same under each.""",
    margin_cases,
    names=_margin_names,
)

CATEGORIES = Requirement(
    "categories",
    Parts,
    """\
Each category of tags at the models' own thresholds; figure: macro_f1, micro_f1 or map. A category with a margin of its own
stands in [categories.margins], such as character = 0.01, or rating = false.""",
    category_cases,
)

SLICES = Requirement(
    "slices",
    Slices,
    """\
Tags by support, images by rating, size and whatever else the run was sliced by; each kind is a family of its own. kinds: "all",
or a list such as ["support", "rating"]. Images are judged by slices of min_images or more. margins: by kind, or kind:value.""",
    slice_cases,
)

TAG_GROUPS = Requirement(
    "tag_groups",
    TagGroups,
    "Each named group of tags of the run; margins: by the name of a group.",
    group_cases,
)
