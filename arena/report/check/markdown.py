"""`check.md`: a verdict for a pull request, a README or a step's summary, in GitHub's Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from arena.base.format import clipped, count, escape_markdown, plural
from arena.gate.verdict import Case, Outcome, Verdict
from arena.report.check.words import (
    TITLES,
    WORDS,
    facts,
    figures_of,
    more_tags,
    most_images,
    name_of,
    ordered,
    sentence,
    tally,
)  # fmt: skip
from arena.report.markdown import bullets, code, folded, table

SIGNS = {
    Outcome.PASS: "✅", Outcome.FAIL: "❌", Outcome.INCONCLUSIVE: "❔", Outcome.INCOMPARABLE: "⛔", Outcome.SKIPPED: "➖",
}  # fmt: skip
"""Beside the words, never in place of them."""


class Lists(NamedTuple):
    """How much is listed."""

    cases: int | None = None
    """Of each outcome; None lists all."""
    tags: int | None = None
    """Of each case."""
    characters: int = 4_000
    """Of a message."""


def check_markdown(verdict: Verdict, lists: Lists = Lists()) -> str:
    """The verdict first, then what failed, what is undecided and what would decide it, causes, and what passed as a count."""
    parts = [
        f"# {SIGNS[verdict.outcome]} {escape_markdown(sentence(verdict))}",
        escape_markdown(f"{tally(verdict)}."),
        table([("", "")] + [(f"{what}", text) for what, text in facts(verdict)]),
        _unpaired(verdict),
        _causes(verdict, lists),
        *(_section(verdict, outcome, cases, lists) for outcome, cases in ordered(verdict.cases).items()),
        _notes(verdict, lists),
        f"Signature: {code(clipped(verdict.signature, 1_000))}" if verdict.signature else "",
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _unpaired(verdict: Verdict) -> str:
    if verdict.paired:
        return ""
    cost = verdict.unpaired_cost or "its intervals are wider than those of a paired one."
    return f"**{escape_markdown('Not paired:')}** {escape_markdown(clipped(cost, 1_000))}"


def _causes(verdict: Verdict, lists: Lists) -> str:
    found = verdict.causes[: lists.cases]
    return f"## Likely causes\n\n{_numbered([clipped(one, lists.characters) for one in found])}" if found else ""


def _numbered(items: Sequence[str]) -> str:
    return "\n".join(f"{number}. {escape_markdown(item)}" for number, item in enumerate(items, 1))


def _section(verdict: Verdict, outcome: Outcome, cases: Sequence[Case], lists: Lists) -> str:
    """The cases of one outcome; those that passed or were skipped are folded."""
    shown = cases[: lists.cases]
    told = f"{TITLES[outcome]}: {plural(len(cases), 'requirement', 'requirements')}"
    if not shown:
        return f"{SIGNS[outcome]} {told}; not listed here, it would be too large: `check.json` has all."
    rest = f"{count(len(cases) - len(shown))} more are not listed here, it would be too large: `check.json` has all."
    cut = rest if len(shown) < len(cases) else ""
    if outcome in (Outcome.PASS, Outcome.SKIPPED):
        return folded(told, "\n\n".join(filter(None, [_rows(shown, lists), cut])))
    parts = [f"## {told}", _deciding(outcome, cases), _rows(shown, lists), *(_tags(case, lists) for case in shown), cut]
    return "\n\n".join(filter(None, parts))


def _deciding(outcome: Outcome, cases: Sequence[Case]) -> str:
    images = most_images(cases) if outcome is Outcome.INCONCLUSIVE else None
    return "" if images is None else f"About {plural(images, 'image', 'images')} would decide all of them."


_HEADER = ("requirement", "what was seen", "baseline", "candidate", "difference", "limit", "images needed")


def _rows(cases: Sequence[Case], lists: Lists) -> str:
    """A row a case; a column that no case has a figure for is left out."""
    rows = [_row(case, lists) for case in cases]
    kept = [place for place in range(len(_HEADER)) if place < 2 or any(row[place] for row in rows)]
    return table([[row[place] for place in kept] for row in (_HEADER, *rows)])


def _row(case: Case, lists: Lists) -> Sequence[str]:
    about = (name_of(case.title, 120), clipped(case.message, max(1, lists.characters)))
    if case.measure is None:
        return (*about, "", "", "", "", "")
    shown, needed = figures_of(case.measure), case.measure.images_needed
    difference = "" if case.measure.difference is None else f"{shown.difference} {shown.interval}".rstrip()
    limit = "" if case.measure.limit is None else shown.limit
    sides = (shown.baseline, shown.candidate)
    return (*about, *sides, difference, limit, "" if needed is None else count(needed))


def _tags(case: Case, lists: Lists) -> str:
    """The tags that a case names."""
    shown = case.tags[: lists.tags]
    if not shown:
        return ""
    header = ("tag", "category", "images", "figure", "baseline", "candidate", "difference", "q")
    rows = []
    for loss in shown:
        told = figures_of(loss.measure)
        about = (name_of(loss.tag, 120), name_of(loss.category), count(loss.support), told.name)
        rows.append((*about, told.baseline, told.candidate, f"{told.difference} {told.interval}".rstrip(), told.p))
    title = f"### {escape_markdown(name_of(case.title, 120))} {WORDS[case.outcome]}: tags"
    return "\n\n".join(filter(None, [title, table([header, *rows]), escape_markdown(more_tags(case, len(shown)))]))


def _notes(verdict: Verdict, lists: Lists) -> str:
    notes = [clipped(note, lists.characters) for note in verdict.notes[: lists.cases]]
    return f"## Notes\n\n{bullets(notes)}" if notes else ""
