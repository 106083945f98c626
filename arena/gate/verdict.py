"""What the gate found: a case for every requirement, and one outcome made of them.

Raw values decide; what is shown of them is rounded elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from arena.base.errors import ExitCode


class Outcome(StrEnum):
    """How a case, or all of them, came out."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    INCOMPARABLE = "incomparable"
    SKIPPED = "skipped"
    """What the requirement needs is not known of both sides; the reason says what."""


EXIT_CODES = {
    Outcome.PASS: ExitCode.DONE,
    Outcome.FAIL: ExitCode.FAILED,
    Outcome.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
    Outcome.INCOMPARABLE: ExitCode.INCOMPARABLE,
}
"""What a shell is told."""

_WORST_FIRST = (Outcome.INCOMPARABLE, Outcome.FAIL, Outcome.INCONCLUSIVE)


@dataclass(frozen=True)
class Measure:
    """One figure of one case: what was seen, how sure it is, and what it was held against.

    Attributes:
        figure: `macro_f1`, `images_per_second`, ...
        candidate, baseline: its value on each side; None where unknown.
        difference: candidate less baseline; negative is a loss for figures where more is better.
        low, high: 95 % interval of the difference; None where there is none.
        limit: what decides, in the units of `difference`: `-0.005` for a margin of 0.005.
        p: adjusted p or q; None where none was computed.
        images_needed: how many images would decide; None unless it is inconclusive and can be told.
    """

    figure: str
    candidate: float | None = None
    baseline: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    limit: float | None = None
    p: float | None = None
    images_needed: int | None = None


@dataclass(frozen=True)
class TagLoss:
    """A tag that a case names, the worst loss first in its case.

    Attributes:
        tag: as the truth spells it.
        support: positives among the images.
        measure: its figure on both sides.
    """

    tag: str
    category: str
    support: int
    measure: Measure


@dataclass(frozen=True)
class Case:
    """One requirement of the policy and how it came out.

    Attributes:
        gate: the table of the policy that asks for it, such as `margins`, `categories`, `critical_tags`, `tags`, `speed`.
        name: what within it, such as `macro_f1`, `character`, `1girl`; gate and name together are unique.
        title: the same for people.
        message: one sentence: what was seen, what was asked, and the fix where there is one.
        tags: what it names; at most the policy's `list_tags` of them, `tags_in_all` counts all.
    """

    gate: str
    name: str
    title: str
    outcome: Outcome
    message: str
    measure: Measure | None = None
    tags: Sequence[TagLoss] = ()
    tags_in_all: int = 0


@dataclass(frozen=True)
class JudgedModel:
    """One of the two models that a verdict is of.

    Attributes:
        name: of the model.
        source: what was given: a run, a card, a file.
        threshold: where its predictions begin, for people: `0.4`, `per tag`, `unknown`.
        digest: of its weights or of its file; None where unknown.
    """

    name: str
    source: str
    threshold: str = "unknown"
    digest: str | None = None


@dataclass(frozen=True)
class Verdict:
    """Everything that the gate says.

    Attributes:
        cases: in the order of the policy; at least one.
        paired: both sides were scored on the same images; otherwise `unpaired_cost` says in a sentence what that costs.
        causes: what explains a loss, likeliest first: `colour channels are swapped: ...`.
        images, tags: how many images both sides were judged on, and how many tags entered the means; None where unknown.
        policy: name and digest of the policy, for people.
        accept_inconclusive: inconclusive counts as a pass.
    """

    candidate: JudgedModel
    baseline: JudgedModel
    cases: Sequence[Case]
    dataset: str = ""
    images: int | None = None
    tags: int | None = None
    paired: bool = True
    unpaired_cost: str = ""
    causes: Sequence[str] = ()
    policy: str = ""
    signature: str = ""
    created: str = ""
    accept_inconclusive: bool = False
    notes: Sequence[str] = field(default=())

    @property
    def outcome(self) -> Outcome:
        """The worst of all cases; one that was skipped changes nothing, but where all were, nothing was shown.

        >>> one = Case("margins", "map", "mAP", Outcome.INCONCLUSIVE, "...")
        >>> model = JudgedModel("new", "runs/new")
        >>> Verdict(model, model, [one]).outcome, Verdict(model, model, [one], accept_inconclusive=True).exit_code
        (<Outcome.INCONCLUSIVE: 'inconclusive'>, <ExitCode.DONE: 0>)
        """
        found = {case.outcome for case in self.cases}
        if found <= {Outcome.SKIPPED}:
            return Outcome.INCONCLUSIVE
        return next((one for one in _WORST_FIRST if one in found), Outcome.PASS)

    @property
    def exit_code(self) -> ExitCode:
        """What the shell is told."""
        if self.outcome is Outcome.INCONCLUSIVE and self.accept_inconclusive:
            return ExitCode.DONE
        return EXIT_CODES[self.outcome]

    def of(self, *outcomes: Outcome) -> list[Case]:
        """The cases that came out so."""
        return [case for case in self.cases if case.outcome in outcomes]
