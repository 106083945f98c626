"""Format a verdict for the terminal; `check_markdown` is re-exported."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from arena.base.format import clipped, encodable, listed, unturned
from arena.gate.cases import enough
from arena.gate.verdict import UNJUDGED, Case, Outcome, Verdict
from arena.report.check.markdown import check_markdown
from arena.report.check.words import (
    TITLES,
    facts,
    figures_of,
    loss_told,
    more_tags,
    name_of,
    ordered,
    sentence,
    sides_told,
    tally,
)  # fmt: skip

__all__ = ["Line", "check_markdown", "lines", "styled_lines"]

MESSAGE = 400
"""Largest length of a message, a cause or a note, in characters: five lines. The files hold the full text."""

SHOWN_TAGS = 8
"""Largest number of tags listed for a case; the others are counted."""

NAMED_PASSED = 6
"""Largest number of passed requirements that are named."""

STYLES = {
    Outcome.PASS: "green", Outcome.FAIL: "red", Outcome.INCONCLUSIVE: "yellow", Outcome.INCOMPARABLE: "magenta",
    Outcome.NOT_SHOWN: "yellow", Outcome.REPORTED: "dim", Outcome.SKIPPED: "dim",
}  # fmt: skip
"""Rich style of each outcome."""

MARKS = {
    Outcome.PASS: "PASS", Outcome.FAIL: "FAIL", Outcome.INCONCLUSIVE: "UNDECIDED", Outcome.INCOMPARABLE: "INCOMPARABLE",
}  # fmt: skip

_COMMAND = re.compile(r"^(\s*)::|##\[")
"""Text that a CI server interprets as a command: `::error::` at the start of a line, `##[error]` anywhere."""


class Line(NamedTuple):
    """A line of text and its rich style."""

    text: str
    style: str = ""


def lines(verdict: Verdict, width: int = 80) -> list[str]:
    """Return the verdict as plain lines of at most `width` columns."""
    return [line.text for line in styled_lines(verdict, width)]


def styled_lines(verdict: Verdict, width: int = 80) -> list[Line]:
    """Return the verdict as styled lines: sentence, facts, the cases by outcome, the worst first, then causes and notes."""
    return [Line(_COMMAND.sub(_defused, line.text), line.style) for line in _all(verdict, width)]


def _defused(found: re.Match[str]) -> str:
    return "## [" if found[0] == "##[" else f"{found[1]}: :"


def _all(verdict: Verdict, width: int) -> Iterator[Line]:
    bold = f"bold {STYLES[verdict.outcome]}"
    yield from _wrapped(f"{MARKS[verdict.outcome]}  {sentence(verdict)}", width, style=bold, further=6)
    yield from _wrapped(f"{tally(verdict)}.", width, first=6, further=6)
    yield Line("")
    for what, text in facts(verdict):
        yield from _wrapped(f"{what:<10} {text}", width, further=11)
    if not verdict.paired and verdict.unpaired_cost:
        yield from _wrapped(f"Not paired {_clipped(verdict.unpaired_cost)}", width, further=11, style="yellow")
    for outcome, cases in ordered(verdict.cases).items():
        yield Line("")
        yield from _section(outcome, cases, width)
    yield from _items("Likely causes", verdict.causes, width)
    yield from _items("Notes", verdict.notes, width, style="dim")


def _section(outcome: Outcome, cases: Sequence[Case], width: int) -> Iterator[Line]:
    if outcome is Outcome.PASS:
        names = listed([name_of(case.title, 30) for case in cases], keep=NAMED_PASSED)
        yield from _wrapped(f"Passed {len(cases):,}: {names}.", width, further=2, style=STYLES[outcome])
        return
    yield Line(f"{TITLES[outcome]} {len(cases):,}", "" if outcome in UNJUDGED else f"bold {STYLES[outcome]}")
    for case in cases:
        yield from _case(case, width)


def _case(case: Case, width: int) -> Iterator[Line]:
    """Yield title and message of a case, its numbers, the images needed, and its worst tags."""
    style = STYLES[case.outcome] if case.outcome is Outcome.SKIPPED else ""
    yield from _wrapped(f"{name_of(case.title)}: {_clipped(case.message)}", width, first=2, further=4, style=style)
    if case.measure is not None and case.outcome is not Outcome.SKIPPED and (numbers := _numbers(case)):
        yield from _wrapped(numbers, width, first=4, further=6, style="dim")
    if case.outcome in (Outcome.FAIL, Outcome.INCOMPARABLE, Outcome.INCONCLUSIVE):
        for loss in case.tags[:SHOWN_TAGS]:
            yield from _wrapped(loss_told(loss), width, first=4, further=6)
        if more := more_tags(case, min(SHOWN_TAGS, len(case.tags))):
            yield Line(f"    {more}", "dim")


def _numbers(case: Case) -> str:
    assert case.measure is not None
    shown, needed = figures_of(case.measure), case.measure.images_needed
    parts = [
        sides_told(shown),
        "" if case.measure.difference is None else f"{shown.difference} {shown.interval}".rstrip(),
        "" if case.measure.limit is None else f"limit {shown.limit}",
        "" if needed is None else enough(needed),
    ]
    return ", ".join(filter(None, parts))


def _items(title: str, items: Sequence[str], width: int, style: str = "") -> Iterator[Line]:
    if items:
        yield Line("")
        yield Line(title, style or "bold")
    for item in items:
        yield from _wrapped(f"- {_clipped(item)}", width, first=2, further=4, style=style)


def _clipped(text: str) -> str:
    return clipped(encodable(unturned(text)), MESSAGE)


def _wrapped(text: str, width: int, *, first: int = 0, further: int = 0, style: str = "") -> Iterator[Line]:
    """Yield lines of at most `width` columns; a wide character counts as two.

    Args:
        first: indent of the first line, at most `further`.
        further: indent of the other lines.
    """
    safe = text.replace("##[", "## [")  # before wrapping, because it makes a line longer; so does "::" at its start
    room = width - further - ("::" in safe)
    body = Text(safe).wrap(Console(width=width, file=None), max(10, room))
    for number, part in enumerate(body):
        yield Line(" " * (further if number else min(first, further)) + part.plain.rstrip(), style)
