"""Tables of the policy without cases of their own: options of other requirements, and the canary, which needs scores."""

from dataclasses import dataclass

from arena.gate import keys
from arena.gate.requirement import Requirement


@dataclass(frozen=True)
class SampleSettings:
    """Settings of `[sample]`: number of images below which `auto` means pooled requirements, if nothing else is known."""

    small: int = keys.policy_key(10_000, keys.whole_number)


@dataclass(frozen=True)
class _CanarySettings:
    """Settings of `[canary]`: largest change of a score if only the code changed."""

    epsilon: float = keys.policy_key(1e-4, keys.required_margin)


@dataclass(frozen=True)
class _UnpairedSettings:
    """Settings of `[unpaired]`: largest allowed loss of a metric that is published without counts."""

    points: keys.Margin = keys.policy_key(False, keys.margin)


@dataclass(frozen=True)
class _VerdictSettings:
    """Settings of `[verdict]`: whether inconclusive counts as a pass, and how many tags a case names."""

    accept_inconclusive: bool = keys.policy_key(False, keys.true_or_false)
    list_tags: int = keys.policy_key(20, keys.whole_number)


SAMPLE = Requirement(
    "sample",
    SampleSettings,
    """\
auto fits a requirement to what the images can decide, and arena check says so before it scores. The baseline's own intervals
say which margins a candidate without a loss is shown to keep, four times in five. Those are required. Of the others, macro F1,
mAP and critical tags follow the rule measured, and categories, slices and groups are judged by micro F1, which pools all tags.
Micro F1 over all tags is always required. Without intervals of the baseline, fewer images than `small` decide only pooled
metrics.""",
)

CANARY_OPTIONS = Requirement(
    "canary",
    _CanarySettings,
    "If the weights are equal, only the code differs: no score may differ by more than epsilon.",
)

UNPAIRED_OPTIONS = Requirement(
    "unpaired",
    _UnpairedSettings,
    """\
A published file holds metrics, not scores. Without counts of each tag its metrics have no interval, and [margins] is
inconclusive unless `points` allows a loss, which is then compared without an interval; false for none.""",
)

VERDICT_OPTIONS = Requirement(
    "verdict",
    _VerdictSettings,
    "accept_inconclusive: exit 0 instead of 3. list_tags: how many tags a case names.",
)
