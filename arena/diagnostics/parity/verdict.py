"""Verdict on two ports: identical, same within tolerances, or different, with the reason in one sentence."""

from dataclasses import dataclass, field

from arena.base.format import clipped, listed, percent, plural
from arena.diagnostics.parity.measure import Parity


@dataclass(frozen=True)
class Tolerances:
    """Allowed differences between two ports of one model.

    Attributes:
        score: largest absolute difference of scores. Two float32 runtimes usually stay below 1e-5; float16 changes scores by up
            to about 5e-3.
        flips: largest share of positive decisions that may flip; one flip is always allowed, as a score can equal a threshold.
        common_only: ignore tags that only one model has.
    """

    score: float = 1e-4
    flips: float = 0.01
    common_only: bool = False


@dataclass(frozen=True)
class CauseFinding:
    """A change of B that makes it agree with A, or reduces the difference.

    Attributes:
        cause: `sigmoid`, `tags`, `channels`, `resize`, `layout`, `rounding`, `crop`, `pad`, `alpha`, `range`, or several,
            joined by `+`.
        says: description of the change, for use after "when".
        images: number of images that it was tried on.
        before, after: largest difference on these images without and with the change.
        agrees: whether `after` is within the tolerance.
    """

    cause: str
    says: str
    images: int
    before: float
    after: float
    agrees: bool


@dataclass(frozen=True)
class ParityVerdict:
    """`identical`, `same` or `different`, and why."""

    word: str
    reason: str

    @property
    def same(self) -> bool:
        """Whether B can replace A."""
        return self.word != "different"


@dataclass(frozen=True)
class ParityReport:
    """The report of `arena parity`.

    Attributes:
        finding: the likely cause; None if the scores agree or no cause was found.
        notes: further notes, a sentence each.
        tried_on: number of images that changes of B's preprocessing were tried on; 0 if none was tried.
    """

    parity: Parity
    tolerances: Tolerances
    verdict: ParityVerdict
    finding: CauseFinding | None = None
    notes: tuple[str, ...] = field(default_factory=tuple)
    tried_on: int = 0


def judge_parity(parity: Parity, tolerances: Tolerances, missing_sigmoid: tuple[str, ...] = ()) -> ParityVerdict:
    """Compare the differences with the tolerances.

    Args:
        missing_sigmoid: names of models that gave logits; `parity` was measured after a sigmoid.
    """
    if reasons := [*_of_form(parity, tolerances, missing_sigmoid), *_of_scores(parity, tolerances)]:
        return ParityVerdict("different", "; ".join(reasons))
    if parity.largest == 0:
        return ParityVerdict("identical", f"every score is the same{_flipped(parity)}")
    return ParityVerdict(
        "same", f"the largest difference, {parity.largest:.2g}, is within {tolerances.score:g}{_flipped(parity)}"
    )


def _of_form(parity: Parity, tolerances: Tolerances, missing_sigmoid: tuple[str, ...]) -> list[str]:
    """Return the faults that do not depend on the differences of scores."""
    reasons = [f"{name} gives logits, not probabilities: its sigmoid is missing" for name in missing_sigmoid]
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
            reasons[-1] += f", {parity.flips_at_a.flipped:,} if both use {parity.a}'s thresholds"
    return reasons


def _flipped(parity: Parity) -> str:
    flips = parity.flips
    return f"; {flips.flipped:,} of {plural(flips.positives, 'positive decision', 'positive decisions')} flip"
