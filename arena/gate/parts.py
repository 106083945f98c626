"""Gates on aggregates: all compared tags, and each part of them, with Holm's correction over the parts of a kind."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from arena.base import format as figures
from arena.gate.cases import FIGURE_TITLES, interval_case, losses_of, skipped
from arena.gate.decide import adjusted
from arena.gate.evidence import Evidence, Part
from arena.gate.policy import Parts, Policy, Slices
from arena.gate.verdict import Case, Outcome
from arena.metrics.registry import METRICS
from arena.metrics.slices import support_band

_TABLES = {"category": "categories", "group": "tag_groups"}
"""Kinds of parts that have a table of their own in the policy; all others are slices."""


def margin_cases(evidence: Evidence, policy: Policy) -> list[Case]:
    """Of each headline figure over all compared tags."""
    if evidence.tags.empty and not evidence.why_none:
        return [_nothing_common(evidence)]
    found = []
    for name, figure in evidence.overall.items():
        margin: float | None = getattr(policy.margins, name)
        if margin is None:
            continue
        at_regime = METRICS[name].needs_threshold and evidence.regime != "own"
        regime = f", thresholds by {evidence.regime}" if at_regime else ""
        title = f"{FIGURE_TITLES[name]} over all compared tags{regime}"
        if not evidence.paired and (figure.candidate is None or figure.baseline is None):
            reason = (
                f"{FIGURE_TITLES[name]} is not known of both sides; the file of a side tells too little of its tags"
            )
            found.append(skipped("margins", name, title, reason))
            continue
        losses = losses_of(evidence.tags, METRICS[name].base, margin=margin)
        found.append(
            interval_case(
                "margins", name, title, figure, margin, evidence,
                images=evidence.images, losses=losses, list_tags=policy.list_tags,
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


def category_cases(evidence: Evidence, policy: Policy) -> list[Case]:
    """Of each category of tags."""
    return _family(evidence, "categories", policy.categories, _kind(evidence, "category"), policy)


def group_cases(evidence: Evidence, policy: Policy) -> list[Case]:
    """Of each named group of tags."""
    return _family(evidence, "tag_groups", policy.tag_groups, _kind(evidence, "group"), policy)


def slice_cases(evidence: Evidence, policy: Policy) -> list[Case]:
    """Of each slice of every kind that is asked for; kinds are families of their own."""
    there = [kind for kind in dict.fromkeys(part.kind for part in evidence.parts) if kind not in _TABLES]
    asked = policy.slices.kinds
    found = []
    for kind in there if asked is None else asked:
        if kind not in there:
            reason = f"these figures are not sliced by {kind}; there are: {figures.listed(there) or 'none'}"
            found.append(skipped("slices", kind, kind, reason))
        found += _family(evidence, "slices", policy.slices, _kind(evidence, kind), policy)
    return found


def _kind(evidence: Evidence, kind: str) -> list[Part]:
    return [part for part in evidence.parts if part.kind == kind]


def _family(evidence: Evidence, gate: str, asked: Parts, parts: Sequence[Part], policy: Policy) -> list[Case]:
    """A case a part; thin slices of images and what is undefined are skipped, and count for nothing in the correction."""
    held = [(part, margin) for part in parts if (margin := asked.margin_of(*_names(gate, part))) is not None]
    p = adjusted(
        [part.figures[asked.figure].seen for part, _ in held if _why_left_out(part, asked, evidence) is None],
        [margin for part, margin in held if _why_left_out(part, asked, evidence) is None],
    )
    each, found = iter(p), []
    for part, margin in held:
        name, title = _names(gate, part)[0], f"{_title(gate, part)}: {FIGURE_TITLES[asked.figure]}"
        reason = _why_left_out(part, asked, evidence)
        if reason is not None:
            found.append(skipped(gate, name, title, reason))
            continue
        losses = losses_of(_members(evidence.tags, part), METRICS[asked.figure].base, margin=margin)
        found.append(
            interval_case(
                gate, name, title, part.figures[asked.figure], margin, evidence, rule=asked.rule, p=next(each),
                family=len(p), images=part.images, losses=losses, list_tags=policy.list_tags,
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
        return f"{FIGURE_TITLES[asked.figure]} is undefined here"
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
