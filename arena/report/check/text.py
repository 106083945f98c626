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
    OUTCOME_TITLES,
    baseline_to_candidate,
    cases_by_outcome,
    format_measure,
    more_tags,
    outcome_counts,
    safe_name,
    tag_loss_line,
    verdict_facts,
    verdict_sentence,
)  # fmt: skip

__all__ = ["StyledLine", "check_markdown", "plain_lines", "styled_lines"]

_MAX_MESSAGE_LENGTH = 400
"""Largest length of a message, a cause or a note, in characters: five lines. The files hold the full text."""

_SHOWN_TAGS = 8
"""Largest number of tags listed for a case; the others are counted."""

_NAMED_PASSED = 6
"""Largest number of passed requirements that are named."""

_OUTCOME_STYLES = {
    Outcome.PASS: "green", Outcome.FAIL: "red", Outcome.INCONCLUSIVE: "yellow", Outcome.INCOMPARABLE: "magenta",
    Outcome.NOT_SHOWN: "yellow", Outcome.REPORTED: "dim", Outcome.SKIPPED: "dim",
}  # fmt: skip
"""Rich style of each outcome."""

_OUTCOME_MARKS = {
    Outcome.PASS: "PASS", Outcome.FAIL: "FAIL", Outcome.INCONCLUSIVE: "UNDECIDED", Outcome.INCOMPARABLE: "INCOMPARABLE",
}  # fmt: skip

_COMMAND = re.compile(r"^(\s*)::|##\[")
"""Text that a CI server interprets as a command: `::error::` at the start of a line, `##[error]` anywhere."""


class StyledLine(NamedTuple):
    """A line of text and its rich style."""

    text: str
    style: str = ""


def plain_lines(verdict: Verdict, width: int = 80) -> list[str]:
    """Return the verdict as plain lines of at most `width` columns."""
    return [line.text for line in styled_lines(verdict, width)]


def styled_lines(verdict: Verdict, width: int = 80) -> list[StyledLine]:
    """Return the verdict as styled lines: sentence, facts, the cases by outcome, the worst first, then causes and notes."""
    return [StyledLine(_COMMAND.sub(_defused, line.text), line.style) for line in _all(verdict, width)]


def _defused(found: re.Match[str]) -> str:
    return "## [" if found[0] == "##[" else f"{found[1]}: :"


def _all(verdict: Verdict, width: int) -> Iterator[StyledLine]:
    bold = f"bold {_OUTCOME_STYLES[verdict.outcome]}"
    yield from _wrapped(f"{_OUTCOME_MARKS[verdict.outcome]}  {verdict_sentence(verdict)}", width, style=bold, further=6)
    yield from _wrapped(f"{outcome_counts(verdict)}.", width, first=6, further=6)
    yield StyledLine("")
    for what, text in verdict_facts(verdict):
        yield from _wrapped(f"{what:<10} {text}", width, further=11)
    if not verdict.paired and verdict.unpaired_cost:
        yield from _wrapped(f"Not paired {_clipped(verdict.unpaired_cost)}", width, further=11, style="yellow")
    for outcome, cases in cases_by_outcome(verdict.cases).items():
        yield StyledLine("")
        yield from _section(outcome, cases, width)
    yield from _items("Likely causes", verdict.causes, width)
    yield from _items("Notes", verdict.notes, width, style="dim")


def _section(outcome: Outcome, cases: Sequence[Case], width: int) -> Iterator[StyledLine]:
    if outcome is Outcome.PASS:
        names = listed([safe_name(case.title, 30) for case in cases], keep=_NAMED_PASSED)
        yield from _wrapped(f"Passed {len(cases):,}: {names}.", width, further=2, style=_OUTCOME_STYLES[outcome])
        return
    yield StyledLine(
        f"{OUTCOME_TITLES[outcome]} {len(cases):,}", "" if outcome in UNJUDGED else f"bold {_OUTCOME_STYLES[outcome]}"
    )
    for case in cases:
        yield from _case(case, width)


def _case(case: Case, width: int) -> Iterator[StyledLine]:
    """Yield title and message of a case, its numbers, the images needed, and its worst tags."""
    style = _OUTCOME_STYLES[case.outcome] if case.outcome is Outcome.SKIPPED else ""
    yield from _wrapped(f"{safe_name(case.title)}: {_clipped(case.message)}", width, first=2, further=4, style=style)
    if case.measure is not None and case.outcome is not Outcome.SKIPPED and (numbers := _numbers(case)):
        yield from _wrapped(numbers, width, first=4, further=6, style="dim")
    if case.outcome in (Outcome.FAIL, Outcome.INCOMPARABLE, Outcome.INCONCLUSIVE):
        for loss in case.tags[:_SHOWN_TAGS]:
            yield from _wrapped(tag_loss_line(loss), width, first=4, further=6)
        if more := more_tags(case, min(_SHOWN_TAGS, len(case.tags))):
            yield StyledLine(f"    {more}", "dim")


def _numbers(case: Case) -> str:
    assert case.measure is not None
    shown, needed = format_measure(case.measure), case.measure.images_needed
    parts = [
        baseline_to_candidate(shown),
        "" if case.measure.difference is None else f"{shown.difference} {shown.interval}".rstrip(),
        "" if case.measure.limit is None else f"limit {shown.limit}",
        "" if needed is None else enough(needed),
    ]
    return ", ".join(filter(None, parts))


def _items(title: str, items: Sequence[str], width: int, style: str = "") -> Iterator[StyledLine]:
    if items:
        yield StyledLine("")
        yield StyledLine(title, style or "bold")
    for item in items:
        yield from _wrapped(f"- {_clipped(item)}", width, first=2, further=4, style=style)


def _clipped(text: str) -> str:
    return clipped(encodable(unturned(text)), _MAX_MESSAGE_LENGTH)


def _wrapped(text: str, width: int, *, first: int = 0, further: int = 0, style: str = "") -> Iterator[StyledLine]:
    """Yield lines of at most `width` columns; a wide character counts as two.

    Args:
        first: indent of the first line, at most `further`.
        further: indent of the other lines.
    """
    safe = text.replace("##[", "## [")  # before wrapping, because it makes a line longer; so does "::" at its start
    room = width - further - ("::" in safe)
    body = Text(safe).wrap(Console(width=width, file=None), max(10, room))
    for number, part in enumerate(body):
        yield StyledLine(" " * (further if number else min(first, further)) + part.plain.rstrip(), style)
