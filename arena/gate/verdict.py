"""The verdict of the gate: the cases of every requirement, and one outcome from all of them.

Values are unrounded; they are rounded for display only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from arena.base.errors import ExitCode


class Outcome(StrEnum):
    """Outcome of a case, or of a verdict."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    INCOMPARABLE = "incomparable"
    NOT_SHOWN = "not_shown"
    """The measured loss is beyond the limit, but it is not proven. Only the rule `regression` has this outcome; it does not
    prevent a pass."""
    REPORTED = "reported"
    """The policy does not judge this metric; its values are given for information."""
    SKIPPED = "skipped"
    """Data that the requirement needs is missing for one or both models; the message says which."""


EXIT_CODES = {
    Outcome.PASS: ExitCode.DONE,
    Outcome.FAIL: ExitCode.FAILED,
    Outcome.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
    Outcome.INCOMPARABLE: ExitCode.INCOMPARABLE,
}
"""Exit code of each outcome of a verdict."""

UNJUDGED = (Outcome.REPORTED, Outcome.SKIPPED)
"""Outcomes of cases that do not count in the verdict."""

_WORST_FIRST = (Outcome.INCOMPARABLE, Outcome.FAIL, Outcome.INCONCLUSIVE)


@dataclass(frozen=True)
class Measure:
    """The values behind a case: a metric of both models, its difference with the interval, and the limit.

    Attributes:
        figure: `macro_f1`, `images_per_second`, ...
        candidate, baseline: the metric's value; None where unknown.
        difference: candidate minus baseline; negative is a loss if higher values are better.
        low, high: 95 % interval of the difference; None without one.
        limit: the value that `difference` is compared with: `-0.005` for a margin of 0.005.
        p: adjusted p or q; None if not computed.
        images_needed: images that decide with 80 % power if the true difference is 0; None unless the case is inconclusive
            and the number can be estimated.
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
    """A tag that a case names.

    Attributes:
        tag: as the ground truth spells it.
        support: number of positives.
        measure: its metric for both models.
    """

    tag: str
    category: str
    support: int
    measure: Measure


@dataclass(frozen=True)
class Case:
    """One check of a requirement, with its outcome.

    Attributes:
        gate: table of the policy, such as `margins`, `categories`, `critical`, `tags`, `speed`.
        name: part of the table, such as `macro_f1`, `character`, `1girl`; gate and name together are unique.
        title: gate and name for display.
        message: one sentence: the values, the limit, and the fix if there is one.
        tags: tags that the case names, worst loss first; at most the policy's `list_tags`.
        tags_in_all: number of tags before that limit.
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
    """One of the two models of a verdict.

    Attributes:
        name: name of the model.
        source: the run, card or file that it comes from, as the user wrote it.
        threshold: decision threshold for display: `0.4`, `per tag`, `unknown`.
        digest: digest of its weights or of its file; None where unknown.
    """

    name: str
    source: str
    threshold: str = "unknown"
    digest: str | None = None


@dataclass(frozen=True)
class Verdict:
    """The result of the gate.

    Attributes:
        cases: in the order of the policy; at least one.
        images, tags: numbers of images scored and of tags in the means; None where unknown.
        paired: both models were scored on the same images.
        unpaired_cost: if not, a sentence on what the comparison cannot detect.
        labels: what the recorded labels mean for the metrics, in sentences; empty where nothing was scored.
        causes: explanations of a loss, most likely first: `colour channels are swapped: ...`.
        policy: name and digest of the policy for display.
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
    labels: str = ""

    @property
    def outcome(self) -> Outcome:
        """The worst outcome of all cases: incomparable, fail, inconclusive or pass.

        Skipped and reported cases do not count; the verdict is inconclusive if there are no others. Losses that are not shown
        do not prevent a pass.

        >>> one = Case("margins", "map", "mAP", Outcome.INCONCLUSIVE, "...")
        >>> model = JudgedModel("new", "runs/new")
        >>> Verdict(model, model, [one]).outcome, Verdict(model, model, [one], accept_inconclusive=True).exit_code
        (<Outcome.INCONCLUSIVE: 'inconclusive'>, <ExitCode.DONE: 0>)
        """
        found = {case.outcome for case in self.cases}
        if found <= set(UNJUDGED):
            return Outcome.INCONCLUSIVE
        return next((one for one in _WORST_FIRST if one in found), Outcome.PASS)

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of `outcome`; 0 for inconclusive with `accept_inconclusive`."""
        if self.outcome is Outcome.INCONCLUSIVE and self.accept_inconclusive:
            return ExitCode.DONE
        return EXIT_CODES[self.outcome]

    @property
    def judged(self) -> list[Case]:
        """The cases that have an outcome: all but the skipped and the reported ones."""
        return [case for case in self.cases if case.outcome not in UNJUDGED]

    def of(self, *outcomes: Outcome) -> list[Case]:
        """Return the cases with one of these outcomes."""
        return [case for case in self.cases if case.outcome in outcomes]
