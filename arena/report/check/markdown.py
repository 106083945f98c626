"""Write `check.md`: a verdict in GitHub's Markdown, for a pull request, a README or a step summary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from arena.base.format import clipped, count, escape_markdown, plural
from arena.gate.verdict import UNJUDGED, Case, Outcome, Verdict
from arena.report.check.words import (
    OUTCOME_TITLES,
    OUTCOME_WORDS,
    cases_by_outcome,
    enough_told,
    format_measure,
    more_tags,
    outcome_counts,
    safe_name,
    verdict_facts,
    verdict_sentence,
)  # fmt: skip
from arena.report.markdown import bullets, code, folded, table

_OUTCOME_SYMBOLS = {
    Outcome.PASS: "✅", Outcome.FAIL: "❌", Outcome.INCONCLUSIVE: "❔", Outcome.INCOMPARABLE: "⛔", Outcome.SKIPPED: "➖",
    Outcome.NOT_SHOWN: "⚠️", Outcome.REPORTED: "ℹ️",
}  # fmt: skip
"""Symbol of each outcome. The text always names the outcome too."""


class ListLimits(NamedTuple):
    """Limits of the lists."""

    cases: int | None = None
    """Largest number of cases for each outcome; None for all."""
    tags: int | None = None
    """Largest number of tags for each case; None for all."""
    characters: int = 4_000
    """Largest number of characters of a message."""


def check_markdown(verdict: Verdict, lists: ListLimits = ListLimits()) -> str:
    """Return the verdict as Markdown: sentence, facts, causes, then the cases by outcome, the worst first, and notes."""
    parts = [
        f"# {_OUTCOME_SYMBOLS[verdict.outcome]} {escape_markdown(verdict_sentence(verdict))}",
        escape_markdown(f"{outcome_counts(verdict)}."),
        table([("", "")] + [(f"{what}", text) for what, text in verdict_facts(verdict)]),
        _unpaired(verdict),
        _causes(verdict, lists),
        *(_section(verdict, outcome, cases, lists) for outcome, cases in cases_by_outcome(verdict.cases).items()),
        _notes(verdict, lists),
        f"Signature: {code(clipped(verdict.signature, 1_000))}" if verdict.signature else "",
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _unpaired(verdict: Verdict) -> str:
    if verdict.paired:
        return ""
    cost = verdict.unpaired_cost or "intervals are wider than those of a paired comparison."
    return f"**{escape_markdown('Not paired:')}** {escape_markdown(clipped(cost, 1_000))}"


def _causes(verdict: Verdict, lists: ListLimits) -> str:
    found = verdict.causes[: lists.cases]
    return f"## Likely causes\n\n{_numbered([clipped(one, lists.characters) for one in found])}" if found else ""


def _numbered(items: Sequence[str]) -> str:
    return "\n".join(f"{number}. {escape_markdown(item)}" for number, item in enumerate(items, 1))


def _section(verdict: Verdict, outcome: Outcome, cases: Sequence[Case], lists: ListLimits) -> str:
    """Return the cases of one outcome; passed, reported and skipped ones are folded."""
    shown = cases[: lists.cases]
    title = f"{OUTCOME_TITLES[outcome]}: {plural(len(cases), 'requirement', 'requirements')}"
    if not shown:
        return f"{_OUTCOME_SYMBOLS[outcome]} {title}; too many to list here: `check.json` has all."
    rest = f"{count(len(cases) - len(shown))} more are not listed here: `check.json` has all."
    cut = rest if len(shown) < len(cases) else ""
    if outcome in (Outcome.PASS, *UNJUDGED):
        return folded(title, "\n\n".join(filter(None, [_rows(shown, lists), cut])))
    parts = [
        f"## {title}",
        _deciding(outcome, cases),
        _rows(shown, lists),
        *(_tags(case, lists) for case in shown),
        cut,
    ]
    return "\n\n".join(filter(None, parts))


def _deciding(outcome: Outcome, cases: Sequence[Case]) -> str:
    return enough_told(cases) if outcome is Outcome.INCONCLUSIVE else ""


_HEADER = ("requirement", "result", "baseline", "candidate", "difference", "limit", "images needed")


def _rows(cases: Sequence[Case], lists: ListLimits) -> str:
    """Return a table with one row for each case, without the columns that are empty in all rows."""
    rows = [_row(case, lists) for case in cases]
    kept = [place for place in range(len(_HEADER)) if place < 2 or any(row[place] for row in rows)]
    return table([[row[place] for place in kept] for row in (_HEADER, *rows)])


def _row(case: Case, lists: ListLimits) -> Sequence[str]:
    about = (safe_name(case.title, 120), clipped(case.message, max(1, lists.characters)))
    if case.measure is None:
        return (*about, "", "", "", "", "")
    shown, needed = format_measure(case.measure), case.measure.images_needed
    difference = "" if case.measure.difference is None else f"{shown.difference} {shown.interval}".rstrip()
    limit = "" if case.measure.limit is None else shown.limit
    values = (shown.baseline, shown.candidate)
    return (*about, *values, difference, limit, "" if needed is None else count(needed))


def _tags(case: Case, lists: ListLimits) -> str:
    """Return the table of the tags that a case lists; empty if it lists none."""
    shown = case.tags[: lists.tags]
    if not shown:
        return ""
    header = ("tag", "category", "images", "metric", "baseline", "candidate", "difference", "q")
    rows = []
    for loss in shown:
        measured = format_measure(loss.measure)
        about = (safe_name(loss.tag, 120), safe_name(loss.category), count(loss.support), measured.name)
        difference = f"{measured.difference} {measured.interval}".rstrip()
        rows.append((*about, measured.baseline, measured.candidate, difference, measured.p))
    title = f"### {escape_markdown(safe_name(case.title, 120))} {OUTCOME_WORDS[case.outcome]}: tags"
    return "\n\n".join(filter(None, [title, table([header, *rows]), escape_markdown(more_tags(case, len(shown)))]))


def _notes(verdict: Verdict, lists: ListLimits) -> str:
    notes = [clipped(note, lists.characters) for note in verdict.notes[: lists.cases]]
    return f"## Notes\n\n{bullets(notes)}" if notes else ""
