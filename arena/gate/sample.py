"""The policy fitted to the number of images, and what those images can decide, before a candidate is scored.

A mean over tags (macro F1, mAP) is as uncertain as its rare tags. A few thousand images seldom show that it has not fallen by
0.01. Micro F1 pools the counts of all tags, and needs a fifth of the images. So a small set judges by pooled requirements.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from arena.base import format as figures
from arena.gate import keys
from arena.gate.by_tag import CRITICAL
from arena.gate.decide import _MAX_IMAGES_TO_DECIDE
from arena.gate.options import SAMPLE
from arena.gate.parts import AUTO, CATEGORY_MARGINS, MARGINS, POOLED, SLICE_MARGINS, TAG_GROUP_MARGINS
from arena.gate.policy import Policy
from arena.gate.requirement import Requirement
from arena.metrics.intervals import LEVEL
from arena.metrics.registry import METRICS
from arena.metrics.significance import minimum_detectable

PAIRED = 0.95
"""Standard error of the difference of a retrained candidate, as a multiple of the standard error of the baseline's metric.
Simulated with 75 % common noise (`scripts/simulate_gate.py`; 6,000 images, 64 tags): 0.95 for macro F1, 0.91 for micro F1, 0.78
for mAP. With less in common it is up to 1.4."""


def fitted(policy: Policy, images: int | None) -> Policy:
    """Return the policy with every `auto` replaced by the choice for this number of images; unknown numbers count as large."""
    small = is_small(policy, images)
    found = policy
    if policy.of(MARGINS).rule == AUTO:
        found = found.changed(MARGINS, rule=POOLED if small else keys.DecisionRule.NON_INFERIORITY)
    if policy.of(CRITICAL).rule == AUTO:
        found = found.changed(
            CRITICAL, rule=keys.DecisionRule.REGRESSION if small else keys.DecisionRule.NON_INFERIORITY
        )
    tables: tuple[Requirement[Any], ...] = (CATEGORY_MARGINS, SLICE_MARGINS, TAG_GROUP_MARGINS)
    for parts in tables:
        if policy.of(parts).figure == AUTO:
            found = found.changed(parts, figure="micro_f1" if small else "macro_f1")
    return found


def is_small(policy: Policy, images: int | None) -> bool:
    """Whether a set of this size is judged by pooled requirements."""
    return images is not None and images < policy.of(SAMPLE).small


@dataclass(frozen=True)
class Reach:
    """What a set can decide about one headline metric.

    Attributes:
        margin: the largest loss that the policy allows.
        decidable: the smallest margin within which a retrained candidate without a loss is shown to be, with 80 % power.
        needed: images that decide the margin; None if more than `_MAX_IMAGES_TO_DECIDE`.
        required: the policy requires non-inferiority of this metric.
    """

    name: str
    margin: float
    decidable: float
    needed: int | None
    required: bool


def reach_of(policy: Policy, own: Mapping[str, Any], *, scored: int, images: int) -> list[Reach]:
    """Return what `images` images can decide about each headline metric with a margin, from the baseline's own intervals.

    Args:
        own: metrics of the baseline with `<metric>_low` and `<metric>_high`; metrics without an interval are left out.
        scored: number of images behind these intervals.
    """
    margins, found = fitted(policy, images).of(MARGINS), []
    for name, margin in margins.asked.items():
        low, high = own.get(f"{name}_low"), own.get(f"{name}_high")
        if low is None or high is None or not scored or not images:
            continue
        least = PAIRED * float(minimum_detectable((high - low) / 2 / _REACH)) * math.sqrt(scored / images)
        ratio = least / margin if margin else math.inf
        needed = images * ratio * ratio
        required = margins.rule_of(name) is keys.DecisionRule.NON_INFERIORITY
        found.append(
            Reach(name, margin, least, math.ceil(needed) if needed <= _MAX_IMAGES_TO_DECIDE else None, required)
        )
    return found


_REACH = float(minimum_detectable(1.0, power=0.5, alpha=1 - LEVEL))
"""Half of an interval, in standard errors."""


def reach_told(policy: Policy, reaches: list[Reach], images: int) -> str:
    """Return what this number of images can decide, in a few sentences, and how the policy is fitted to it."""
    few = figures.plural(images, "image", "images")
    told = []
    if reaches:
        each = [f"{METRICS[one.name].title} within {figures.figure(one.decidable)} {_judged(one)}" for one in reaches]
        told.append(
            f"{few} can decide (80 % power, a retrained candidate without a loss, estimated from the baseline's intervals): "
            f"{figures.listed(each)}"
        )
    if is_small(policy, images) and policy.of(MARGINS).rule == AUTO:
        told.append(
            f"fewer than {figures.count(policy.of(SAMPLE).small)} images ([sample] small): only micro F1 must be shown not to "
            "be lower; a mean over tags fails only if a loss is shown"
        )
    if undecidable := [one for one in reaches if one.required and one.decidable > one.margin]:
        names = figures.listed([METRICS[one.name].title for one in undecidable])
        told.append(f"{names} may stay undecided: use more images or a wider margin")
    return "; ".join(told)


def _judged(one: Reach) -> str:
    needed = "" if one.needed is None else f", which takes about {figures.count(one.needed)} images"
    return f"(margin {figures.figure(one.margin)}{needed})"
