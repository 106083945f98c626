"""Tables of the policy that change how other requirements are judged, or are judged where scores are at hand."""

from dataclasses import dataclass

from arena.gate import keys
from arena.gate.requirement import Requirement


@dataclass(frozen=True)
class Canary:
    """How far a score may move where only the code changed."""

    epsilon: float = keys.key(1e-4, keys.number(0, 1))


@dataclass(frozen=True)
class Unpaired:
    """How far a metric may fall that is known without counts."""

    points: keys.Margin = keys.key(False, keys.margin)


@dataclass(frozen=True)
class VerdictOptions:
    """Whether inconclusive counts as a pass, and how many tags a case names."""

    accept_inconclusive: bool = keys.key(False, keys.flag)
    list_tags: int = keys.key(20, keys.count)


CANARY = Requirement(
    "canary",
    Canary,
    "With equal weights only the code differs: no score may differ by more than this.",
)

UNPAIRED = Requirement(
    "unpaired",
    Unpaired,
    """\
A published file tells figures, not scores. Where it lacks counts too, nothing says how sure they are: inconclusive, unless the
figures of [margins] may fall by this much as they stand; false for none.""",
)

VERDICT = Requirement(
    "verdict",
    VerdictOptions,
    "accept_inconclusive: exit 0 instead of 3. list_tags: how many tags a case names.",
)
