"""Tables of the policy without cases of their own: options of other requirements, and the canary, which needs scores."""

from dataclasses import dataclass

from arena.gate import keys
from arena.gate.requirement import Requirement


@dataclass(frozen=True)
class SampleSettings:
    """Settings of `[sample]`: sets with fewer images than `small` have pooled requirements where a key is `auto`."""

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
Fewer images than this are a small set. There a mean over tags is too uncertain to show that it has not fallen, so auto means
pooled requirements: micro F1 must be non-inferior, macro F1, mAP and critical tags follow the rule regression, and categories,
slices and groups are judged by micro F1. Before scoring, arena check says what the images can decide.""",
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
