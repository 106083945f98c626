"""Gates on single tags: those that must not get worse, and any that did."""

import numpy as np
import pandas as pd

from arena.base import format as figures
from arena.base.format import shown
from arena.gate.cases import FIGURE_TITLES, figure_of, interval_case, losses_of, skipped
from arena.gate.decide import adjusted
from arena.gate.evidence import Evidence
from arena.gate.policy import CriticalTag, Policy
from arena.gate.verdict import Case, Outcome
from arena.metrics.significance import benjamini_hochberg


def critical_cases(evidence: Evidence, policy: Policy) -> list[Case]:
    """Of each critical tag, corrected after Holm over all that are compared."""
    tags = {row["tag"]: row for row in evidence.tags.to_dict("records")}
    there = [asked for asked in policy.critical if asked.tag in tags]
    held = {asked.tag: figure_of(tags[asked.tag], asked.figure) for asked in there}
    family = adjusted([held[asked.tag].seen for asked in there], [asked.margin for asked in there])
    p = dict(zip(held, family, strict=True))
    found = []
    for asked in policy.critical:
        title = f"critical tag {shown(asked.tag)}: {FIGURE_TITLES[asked.figure]}"
        if asked.tag not in held:
            found.append(_not_compared(evidence, asked, title))
            continue
        losses = losses_of(evidence.tags[evidence.tags["tag"] == asked.tag], asked.figure, margin=asked.margin)
        found.append(
            interval_case(
                "critical", asked.tag, title, held[asked.tag], asked.margin, evidence, rule=asked.rule, p=p[asked.tag],
                family=len(p), images=evidence.images, losses=losses, list_tags=policy.list_tags,
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


def tag_cases(evidence: Evidence, policy: Policy) -> list[Case]:
    """Of every figure that is asked for: how many tags fell by more than the margin with q at the limit or below."""
    return [_regressions(evidence, policy, figure) for figure in policy.tags.figures]


def _regressions(evidence: Evidence, policy: Policy, figure: str) -> Case:
    asked, title = policy.tags, f"regressions of single tags: {FIGURE_TITLES[figure]}"
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
    message = _tag_message(figure, policy, [one.tag for one in lost], tested=len(tested), fell=int(fell.sum()))
    return Case("tags", figure, title, outcome, message, None, lost[: policy.list_tags], len(lost))


def _tag_message(figure: str, policy: Policy, lost: list[str], *, tested: int, fell: int) -> str:
    asked = policy.tags
    what = f"more than {figures.figure(asked.margin)} of {FIGURE_TITLES[figure]} with q of {asked.q:g} or less"
    message = f"{len(lost):,} of {figures.plural(tested, 'tag', 'tags')} lost {what}; {asked.allowed:,} may"
    if lost:
        message += f": {figures.listed([shown(tag) for tag in lost], keep=5)}"
    if fell > len(lost):
        message += f"; {fell - len(lost):,} more fell as far, which chance may have done"
    return message
