"""Whether two sides count as the same, by tolerances, and the reason in one sentence."""

from dataclasses import dataclass, field

from arena.base.format import clipped, listed, percent, plural
from arena.diagnostics.parity.measure import Parity


@dataclass(frozen=True)
class Tolerances:
    """What may differ between two ports of one model.

    Attributes:
        score: the largest absolute difference of scores. Two runtimes in float32 stay below 1e-5, most often; float16
            moves scores by up to about 5e-3.
        flips: the share of positive decisions that may flip; one decision always may, for a score can lie on a threshold.
        common_only: whether tags that only one side has are passed over.
    """

    score: float = 1e-4
    flips: float = 0.01
    common_only: bool = False


@dataclass(frozen=True)
class Finding:
    """What would make B agree with A.

    Attributes:
        cause: `sigmoid`, `tags`, `channels`, `resize`, `layout`, `rounding`, `crop`, `pad`, `alpha`, `range`, or several,
            joined by `+`.
        says: the change to B, as it stands after "when".
        images: on how many images it was tried.
        before, after: the largest difference there without and with it.
        agrees: whether `after` is within the tolerance.
    """

    cause: str
    says: str
    images: int
    before: float
    after: float
    agrees: bool


@dataclass(frozen=True)
class Verdict:
    """`identical`, `same` or `different`, and why."""

    word: str
    reason: str

    @property
    def same(self) -> bool:
        """Whether B may stand in for A."""
        return self.word != "different"


@dataclass(frozen=True)
class Report:
    """Everything that `arena parity` tells.

    Attributes:
        finding: the likely cause; None where nothing differs, or nothing explains it.
        notes: what else a reader should know, a sentence each.
        tried_on: on how many images changes of B's preprocessing were tried; 0: none was.
    """

    parity: Parity
    tolerances: Tolerances
    verdict: Verdict
    finding: Finding | None = None
    notes: tuple[str, ...] = field(default_factory=tuple)
    tried_on: int = 0


def judge(parity: Parity, tolerances: Tolerances, missing_sigmoid: tuple[str, ...] = ()) -> Verdict:
    """Hold a comparison against the tolerances.

    Args:
        missing_sigmoid: sides that gave logits; what was measured is what a sigmoid makes of them.
    """
    if reasons := [*_of_form(parity, tolerances, missing_sigmoid), *_of_scores(parity, tolerances)]:
        return Verdict("different", "; ".join(reasons))
    if parity.largest == 0:
        return Verdict("identical", f"every score is the same{_flipped(parity)}")
    return Verdict(
        "same", f"the largest difference, {parity.largest:.2g}, is within {tolerances.score:g}{_flipped(parity)}"
    )


def _of_form(parity: Parity, tolerances: Tolerances, missing_sigmoid: tuple[str, ...]) -> list[str]:
    """What is wrong whatever the scores are."""
    reasons = [f"{name} gives logits, no probabilities: its sigmoid is missing" for name in missing_sigmoid]
    if not tolerances.common_only:
        for name, names in ((parity.a, parity.only_a), (parity.b, parity.only_b)):
            if names:
                some = listed([clipped(tag, 30) for tag in names], keep=3)
                reasons.append(f"only {name} has {plural(len(names), 'tag', 'tags')} ({some})")
    return reasons


def _of_scores(parity: Parity, tolerances: Tolerances) -> list[str]:
    reasons = []
    if parity.largest > tolerances.score:
        reasons.append(f"the largest difference, {parity.largest:.2g}, is above {tolerances.score:g}")
    flips = parity.flips
    if flips.flipped > max(1, tolerances.flips * flips.positives):
        share = percent(min(flips.flipped, flips.positives), flips.positives)
        reasons.append(f"{share} of the positive decisions flip ({flips.flipped:,} of {flips.positives:,})")
        if not parity.same_thresholds:
            reasons[-1] += f", {parity.flips_at_a.flipped:,} if both take {parity.a}'s thresholds"
    return reasons


def _flipped(parity: Parity) -> str:
    flips = parity.flips
    return f"; {flips.flipped:,} of {plural(flips.positives, 'positive decision', 'positive decisions')} flip"
