"""Text of a verdict: its sentence, its facts, and numbers formatted by unit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from arena.base.format import (
    UNDEFINED,
    clipped,
    count,
    encodable,
    figure,
    interval,
    listed,
    plural,
    probability,
    rate,
    signed,
    unturned,
)
from arena.base.local_paths import shorten_word
from arena.gate.cases import enough
from arena.gate.verdict import UNJUDGED, Case, Measure, Outcome, TagLoss, Verdict
from arena.metrics.registry import METRICS
from arena.report.view_model.cost import megabytes, millions

_NAME_LENGTH = 60
"""Largest length of a name in a sentence or a row, in characters."""

LABELS = 1_000
"""Largest length of the sentences on recorded labels, in characters."""

NAMED_CASES = 4
"""Largest number of requirements that the sentence names."""

OUTCOME_WORDS = {
    Outcome.PASS: "passed",
    Outcome.FAIL: "failed",
    Outcome.INCONCLUSIVE: "undecided",
    Outcome.INCOMPARABLE: "incomparable",
    Outcome.NOT_SHOWN: "not shown",
    Outcome.SKIPPED: "skipped",
    Outcome.REPORTED: "reported",
}
"""Each outcome as a word in a sentence."""

OUTCOME_TITLES = {
    Outcome.INCOMPARABLE: "Cannot be compared",
    Outcome.FAIL: "Failed",
    Outcome.INCONCLUSIVE: "Undecided",
    Outcome.NOT_SHOWN: "Loss beyond the limit, not shown",
    Outcome.REPORTED: "Reported, not judged",
    Outcome.SKIPPED: "Skipped",
    Outcome.PASS: "Passed",
}
"""Headings of the outcomes, in the order of display: the most urgent first."""


class FormattedMeasure(NamedTuple):
    """A measure as formatted text. An unknown value is –; a missing interval is empty."""

    name: str
    baseline: str
    candidate: str
    difference: str
    interval: str
    limit: str
    p: str


def safe_name(text: str, length: int = _NAME_LENGTH) -> str:
    """Return a name that is safe in one line: clipped, valid UTF-8, without control of text direction."""
    return clipped(encodable(unturned(text)), length)


def verdict_sentence(verdict: Verdict) -> str:
    """Return the verdict in one sentence.

    >>> from arena.gate.verdict import JudgedModel
    >>> one = Case("margins", "map", "mAP", Outcome.FAIL, "...")
    >>> verdict_sentence(Verdict(JudgedModel("new", "runs/new"), JudgedModel("old", "runs/old"), [one]))
    'new may not replace old: it fails 1 of 1 requirement (mAP).'
    """
    new, old, cases = safe_name(verdict.candidate.name), safe_name(verdict.baseline.name), verdict.cases
    found, checked = verdict.of(verdict.outcome), len(verdict.judged)
    of_all = _of_all(len(found), verdict)
    if not checked:
        whole = plural(len(cases), "requirement", "requirements")
        return f"Whether {new} may replace {old} is undecided: none of {whole} could be checked."
    if verdict.outcome is Outcome.INCOMPARABLE:
        return f"{new} cannot be compared with {old}: {_named(found)}."
    if verdict.outcome is Outcome.FAIL:
        return f"{new} may not replace {old}: it fails {of_all} ({_named(found)})."
    if verdict.outcome is Outcome.INCONCLUSIVE and verdict.accept_inconclusive:
        return f"{new} may replace {old}: nothing failed, and the policy accepts that {of_all} could not be decided."
    if verdict.outcome is Outcome.INCONCLUSIVE:
        return f"Whether {new} may replace {old} is undecided: {of_all} ({_named(found)}){_needed(found)}."
    if doubtful := verdict.of(Outcome.NOT_SHOWN):
        of_all = _of_all(len(doubtful), verdict)
        return f"{new} may replace {old}: nothing failed, but {of_all} lost more than the limit, not shown to be real."
    return f"{new} may replace {old}: {_all_hold(checked)}."


def _of_all(number: int, verdict: Verdict) -> str:
    return f"{count(number)} of {plural(len(verdict.judged), 'requirement', 'requirements')}"


def _named(cases: Sequence[Case]) -> str:
    return listed([safe_name(case.title) for case in cases], keep=NAMED_CASES)


def _needed(cases: Sequence[Case]) -> str:
    images = images_to_decide_all(cases)
    return "" if images is None else f"; {enough(images)}"


def images_to_decide_all(cases: Sequence[Case]) -> int | None:
    """Return the number of images that decide each of these cases; None if it is unknown for every case.

    >>> one = Case("margins", "map", "mAP", Outcome.INCONCLUSIVE, "...", Measure("map", images_needed=9000))
    >>> images_to_decide_all([one]), images_to_decide_all([])
    (9000, None)
    """
    known = [case.measure.images_needed for case in cases if case.measure and case.measure.images_needed is not None]
    return max(known, default=None)


def enough_told(cases: Sequence[Case]) -> str:
    """Return the sentence on the images that decide these cases; empty if their number is unknown."""
    images = images_to_decide_all(cases)
    return "" if images is None else f"{enough(images).capitalize()}{' each of them' if len(cases) > 1 else ''}."


def _all_hold(checked: int) -> str:
    return "the one requirement holds" if checked == 1 else f"all {count(checked)} requirements hold"


def badge_message(verdict: Verdict) -> str:
    """Return the outcome as the short text of a badge.

    >>> from arena.gate.verdict import JudgedModel
    >>> model = JudgedModel("new", "runs/new")
    >>> badge_message(Verdict(model, model, [Case("margins", "map", "mAP", Outcome.PASS, "...")]))
    'passing'
    """
    found, doubtful = len(verdict.of(verdict.outcome)), len(verdict.of(Outcome.NOT_SHOWN))
    return {
        Outcome.PASS: f"passing, {count(doubtful)} not shown" if doubtful else "passing",
        Outcome.FAIL: f"failing, {count(found)} of {count(len(verdict.judged))}",
        Outcome.INCONCLUSIVE: "passing, undecided" if verdict.accept_inconclusive else "undecided",
        Outcome.INCOMPARABLE: "incomparable",
    }[verdict.outcome]


def outcome_counts(verdict: Verdict) -> str:
    """Return the number of requirements by outcome, the worst first; outcomes without requirements are left out.

    The requirements before the semicolon add up to the number in `verdict_sentence`.

    >>> from arena.gate.verdict import JudgedModel
    >>> cases = [Case("margins", "map", "mAP", one, "") for one in (Outcome.FAIL, Outcome.PASS, Outcome.SKIPPED)]
    >>> outcome_counts(Verdict(JudgedModel("new", ""), JudgedModel("old", ""), cases))
    '1 failed and 1 passed; 1 skipped'
    """
    counts = {one: f"{count(len(verdict.of(one)))} {OUTCOME_WORDS[one]}" for one in OUTCOME_TITLES if verdict.of(one)}
    apart = [text for one, text in counts.items() if one in UNJUDGED]
    judged = [text for one, text in counts.items() if one not in UNJUDGED]
    return "; ".join(filter(None, [listed(judged), listed(apart)]))


def cases_by_outcome(cases: Sequence[Case]) -> dict[Outcome, list[Case]]:
    """Return the cases by outcome: outcomes in the order of `OUTCOME_TITLES`, cases in the order of the policy; no list is
    empty."""
    found = {outcome: [case for case in cases if case.outcome is outcome] for outcome in OUTCOME_TITLES}
    return {outcome: cases for outcome, cases in found.items() if cases}


def baseline_to_candidate(shown: FormattedMeasure) -> str:
    """Return `baseline → candidate`; empty if both are unknown.

    >>> known, unknown = FormattedMeasure("", "0.5", "–", "", "", "", ""), FormattedMeasure("", "–", "–", "", "", "", "")
    >>> baseline_to_candidate(known), baseline_to_candidate(unknown)
    ('0.5 → –', '')
    """
    return "" if shown.baseline == shown.candidate == UNDEFINED else f"{shown.baseline} → {shown.candidate}"


def _general(value: float | None) -> str:
    """Format a number of unknown unit: three significant digits, or its integer part from 100 on."""
    if value is None:
        return UNDEFINED
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _whole(value: float | None) -> str:
    return UNDEFINED if value is None else f"{value:,.0f}"


_Formatter = Callable[[float | None], str]

_FORMATTERS: Mapping[str, _Formatter] = {
    "images_per_second": rate,
    "weight_bytes": lambda value: UNDEFINED if value is None else megabytes(round(value)),
    "parameters": lambda value: UNDEFINED if value is None else millions(round(value)),
    "known": lambda value: "no" if value == 0 else "yes" if value == 1 else _general(value),
    "tags": _whole,
    "images": _whole,
}
"""Formatter of each metric that is not a share. Other metrics have four decimals if their values are in -1 to 1."""


def _metric_title(name: str) -> str:
    """Return the title of a metric.

    >>> _metric_title("macro_f1"), _metric_title("f1"), _metric_title("images_per_second")
    ('macro F1', 'F1', 'images per second')
    """
    return METRICS[name].title if name in METRICS else safe_name(name.replace("_", " "))


def format_measure(measure: Measure) -> FormattedMeasure:
    """Return a measure as formatted text.

    >>> format_measure(Measure("macro_f1", 0.401, 0.412, -0.011, -0.016, -0.006, limit=-0.005))[1:6]
    ('0.4120', '0.4010', '−0.0110', '[−0.0160, −0.0060]', '−0.0050')
    """
    show, change = _formatters(measure)
    return FormattedMeasure(
        _metric_title(measure.figure), show(measure.baseline), show(measure.candidate), change(measure.difference),
        interval(measure.low, measure.high, change), change(measure.limit), probability(measure.p),
    )  # fmt: skip


def _formatters(measure: Measure) -> tuple[_Formatter, _Formatter]:
    """Return the formatter of the values of a metric, and that of their differences."""
    known = [
        value for value in (measure.candidate, measure.baseline, measure.difference, measure.limit) if value is not None
    ]
    unit = _FORMATTERS.get(measure.figure)
    if unit is None and all(abs(value) <= 1 for value in known):
        return figure, signed
    show = unit or _general
    return show, lambda value: _with_sign(value, show)


def _with_sign(value: float | None, show: _Formatter) -> str:
    if not value:
        return show(value)
    return f"{'+' if value > 0 else '−'}{show(abs(value))}"


def measure_line(measure: Measure) -> str:
    """Return a measure in one line: baseline, candidate, difference, interval, limit and q.

    >>> measure_line(Measure("map", 0.5, 0.52, -0.02, -0.03, -0.01, limit=-0.005))
    'mAP 0.5200 → 0.5000, −0.0200 [−0.0300, −0.0100], limit −0.0050'
    """
    shown = format_measure(measure)
    changed = "" if measure.difference is None else f"{shown.difference} {shown.interval}".rstrip()
    parts = [f"{shown.name} {', '.join(filter(None, [baseline_to_candidate(shown), changed]))}".rstrip()]
    if measure.limit is not None:
        parts.append(f"limit {shown.limit}")
    if measure.p is not None:
        parts.append(f"q {shown.p}")
    return ", ".join(parts)


def tag_loss_line(loss: TagLoss) -> str:
    """Return a tag and its measure in one line.

    >>> tag_loss_line(TagLoss("hat", "general", 30, Measure("f1", 0.42, 0.71, -0.29, limit=-0.1, p=0.001)))
    'hat: F1 0.7100 → 0.4200, −0.2900, q 0.001; 30 images'
    """
    measure = measure_line(replace(loss.measure, limit=None))  # all tags of a case have its limit, which its line shows
    return f"{safe_name(loss.tag)}: {measure}; {plural(loss.support, 'image', 'images')}"


def more_tags(case: Case, shown: int) -> str:
    """Return `and N more tags` for the tags that are not shown; empty if all are."""
    rest = max(case.tags_in_all, len(case.tags)) - shown
    return f"and {plural(rest, 'more tag', 'more tags')}" if rest > 0 else ""


def verdict_facts(verdict: Verdict) -> list[tuple[str, str]]:
    """Return name and text of each fact: both models, dataset, sample, labels and policy; unknown ones are left out."""
    models = [("Candidate", verdict.candidate), ("Baseline", verdict.baseline)]
    rows = [
        (
            role,
            f"{safe_name(model.name)} ({safe_name(shorten_word(model.source), 120)}), threshold {safe_name(model.threshold)}",
        )
        for role, model in models
    ]
    rows.append(("Dataset", safe_name(verdict.dataset)))
    rows.append(("Judged on", _judged_on(verdict)))
    rows.append(("Labels", safe_name(verdict.labels, LABELS)))
    rows.append(("Policy", safe_name(verdict.policy)))
    return [(name, text) for name, text in rows if text]


def _judged_on(verdict: Verdict) -> str:
    parts = [] if verdict.images is None else [plural(verdict.images, "image", "images")]
    parts += [] if verdict.tags is None else [plural(verdict.tags, "tag", "tags")]
    return listed(parts) + ("" if verdict.paired else ", unpaired" if parts else "unpaired")
