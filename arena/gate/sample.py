"""What the images can decide by a policy, in words, before a candidate is scored.

A mean over tags (macro F1, mAP) is as uncertain as its rare tags. Few images seldom show that it has not fallen by 0.01.
Micro F1 pools the counts of all tags, and needs a fifth of the images. So requirements that are `auto` fit what the images can
decide.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from arena.base import format as figures
from arena.base.format import shown
from arena.gate.by_tag import CRITICAL
from arena.gate.decidable import MetricOfPart, losses_of_run, overall
from arena.gate.decide import _MAX_IMAGES_TO_DECIDE
from arena.gate.keys import DecisionRule
from arena.gate.options import SAMPLE
from arena.gate.parts import AUTO, MARGINS, slice_settings
from arena.gate.policy import Policy
from arena.metrics.registry import METRICS
from arena.results.run_folder import Result


def fitted(policy: Policy, result: Result, baseline: str, *, images: int | None = None) -> Policy:
    """Return the policy fitted to what the images can decide; a policy that is fitted already is returned as it is.

    Args:
        result: a run with the baseline.
        images: number of images of the check; None for those of the run.
    """
    if policy.decidable is not None:
        return policy
    known = losses_of_run(
        result, baseline, regime=policy.of(MARGINS).regime, small=policy.of(SAMPLE).small,
        tags={one.tag for one in policy.of(CRITICAL).each}, images=images,
    )  # fmt: skip
    return replace(policy, decidable=known)


_SURE = 0.95
"""A required metric that is decided less often is named before scoring."""


@dataclass(frozen=True)
class Reach:
    """What a set can decide about one headline metric.

    Attributes:
        margin: the largest loss that the policy allows.
        decidable: the smallest margin within which a retrained candidate without a loss is shown to be, with 80 % power.
        needed: images that decide the margin; None if more than `_MAX_IMAGES_TO_DECIDE`.
        power: probability that non-inferiority is decided if the true loss is 0 or twice the margin.
        required: the policy requires non-inferiority of this metric.
    """

    name: str
    margin: float
    decidable: float
    needed: int | None
    power: float
    required: bool


def reach_of(policy: Policy) -> list[Reach]:
    """Return what the images can decide about each headline metric with a margin and an interval of the baseline."""
    known, margins, found = policy.decidable, policy.of(MARGINS), []
    assert known is not None, "the policy is not fitted"
    for name, margin in margins.asked.items():
        least, power = known.decidable(overall(name)), known.power(overall(name), margin)
        if least is None or power is None or not known.images:
            continue
        ratio = least / margin if margin else math.inf
        number = known.images * ratio * ratio
        needed = math.ceil(number) if number <= _MAX_IMAGES_TO_DECIDE else None
        required = margins.rule_of(name, known) is DecisionRule.NON_INFERIORITY
        found.append(Reach(name, margin, least, needed, power, required))
    return found


def reach_told(policy: Policy) -> str:
    """Return what the images can decide, in a few sentences, and which requirements of a fitted policy that weakens."""
    reaches = reach_of(policy)
    told = [_decidable(policy, reaches)] if reaches else []
    told += _weakened(policy, reaches)
    if unsure := _unsure(policy, reaches):
        each = [f"{name} {_share(1 - power)}" for name, power in unsure.items()]
        told.append(
            f"share of undecided checks if the true loss is 0 or twice the margin: {figures.listed(each, keep=8)} (more images "
            "or a wider margin decide more)"
        )
    return "; ".join(told)


def _decidable(policy: Policy, reaches: list[Reach]) -> str:
    assert policy.decidable is not None
    few = figures.plural(policy.decidable.images or 0, "image", "images")
    each = [f"{METRICS[one.name].title} within {figures.figure(one.decidable)} {_judged(one)}" for one in reaches]
    return (
        f"{few} can decide (80 % power, a retrained candidate without a loss, estimated from the baseline's intervals): "
        f"{figures.listed(each)}"
    )


def _judged(one: Reach) -> str:
    needed = "" if one.needed is None else f", which takes about {figures.count(one.needed)} images"
    return f"(margin {figures.figure(one.margin)}{needed})"


def _share(probability: float) -> str:
    return figures.percent(round(probability * 1000), 1000)


def _unsure(policy: Policy, reaches: list[Reach]) -> dict[str, float]:
    """Return the power of each metric and critical tag whose non-inferiority is required, and decided too seldom."""
    known = policy.decidable
    assert known is not None
    found = {METRICS[one.name].title: one.power for one in reaches if one.required}
    for one in policy.of(CRITICAL).each:
        power = known.power(MetricOfPart("tag", one.tag, one.figure), one.margin)
        if power is not None and one.rule_of(known) is DecisionRule.NON_INFERIORITY:
            found[f"critical tag {shown(one.tag)}"] = power
    return {name: power for name, power in found.items() if power < _SURE}


def _weakened(policy: Policy, reaches: list[Reach]) -> Iterator[str]:
    """Yield a sentence for each kind of requirement that is `auto` and that the images cannot decide."""
    known, margins = policy.decidable, policy.of(MARGINS)
    assert known is not None
    if not known.errors:
        if margins.rule == AUTO and not known.decides(overall("macro_f1"), 1.0):
            yield (
                f"fewer than {figures.count(known.small)} images ([sample] small), and the baseline has no intervals: only "
                "micro F1 must be shown not to be lower; the rule of other requirements that are auto is measured"
            )
        return
    weak = {
        METRICS[one.name].title: known.overlooked(overall(one.name), one.margin)
        for one in reaches
        if margins.rule == AUTO and not one.required
    }
    weak |= {
        f"critical tag {shown(one.tag)}": known.overlooked(MetricOfPart("tag", one.tag, one.figure), one.margin)
        for one in policy.of(CRITICAL).each
        if one.rule == AUTO and one.rule_of(known) is DecisionRule.MEASURED
    }
    if weak:
        yield (
            f"{figures.listed(list(weak), keep=8)} cannot be decided: each fails only if a loss beyond the margin is shown, "
            "and is inconclusive if one is measured (rule measured); a loss of twice the margin in one of them alone passes in "
            f"up to {_share(max(weak.values()))} of checks"
        )
    pooled = [f"{part.kind} {shown(part.value)}" for part in known.errors if _is_pooled(policy, part)]
    if pooled:
        yield f"judged by micro F1, because macro F1 cannot be decided: {figures.listed(pooled, keep=8)}"


def _is_pooled(policy: Policy, part: MetricOfPart) -> bool:
    """Whether a slice is judged by micro F1 because the images do not decide macro F1; true of its macro F1 only."""
    if part.metric != "macro_f1" or part.kind in ("all", "tag"):
        return False
    settings, margin = slice_settings(policy.tables, part.kind, part.value)
    known = policy.decidable
    assert known is not None
    if settings is None or margin is None or settings.figure != AUTO:
        return False
    return settings.figure_of(part.kind, part.value, margin, known) == "micro_f1"
