"""Output for GitHub Actions: a step summary in Markdown and annotations, within the limits of GitHub."""

from collections.abc import Sequence

from arena.base.format import clipped, encodable, plural, unturned
from arena.gate.verdict import UNJUDGED, Case, Outcome, Verdict
from arena.report.check.markdown import ListLimits, check_markdown
from arena.report.check.words import cases_by_outcome, safe_name, verdict_sentence

SUMMARY_BYTES = 1_000_000
"""Largest size of the step summary. GitHub refuses more than 1 MiB (1,048,576 bytes), and other commands may add to it."""

MAX_ANNOTATIONS = 10
"""Largest number of errors, and of warnings, of one step. GitHub drops further ones silently."""

_MAX_MESSAGE_LENGTH = 4_000
"""Largest length of an annotation, in characters."""

_ROW_BYTES = 70
"""Smallest size of a table row of one tag."""

_FEWER = (
    ListLimits(),
    ListLimits(200, 20, 1_000),
    ListLimits(60, 10, 600),
    ListLimits(20, 5, 400),
    ListLimits(5, 0, 200),
    ListLimits(0, 0, 0),
)
"""Limits of the lists, tried in this order until the summary fits. The last one leaves only the verdict, a few kilobytes."""


def step_summary(verdict: Verdict) -> str:
    """Return the verdict in Markdown for `$GITHUB_STEP_SUMMARY`. If it is too large, its lists are cut, and it says so.

    Source: GitHub's documentation, workflow commands, adding a job summary.
    """
    for lists in _FEWER[:-1]:
        if least_bytes(verdict, lists) <= SUMMARY_BYTES:  # escaping a far too large text takes minutes
            text = check_markdown(verdict, lists)
            if len(text.encode()) <= SUMMARY_BYTES:
                return text
    return check_markdown(verdict, _FEWER[-1])


def least_bytes(verdict: Verdict, lists: ListLimits) -> int:
    """Return a lower bound of the size: messages and tag rows, without markup. Fast to compute."""
    cases = [case for found in cases_by_outcome(verdict.cases).values() for case in found[: lists.cases]]
    messages = sum(min(len(case.message), lists.characters) for case in cases)
    listed = (case.tags[: lists.tags] for case in cases if case.outcome not in (Outcome.PASS, *UNJUDGED))
    return messages + sum(len(tags) for tags in listed) * _ROW_BYTES


def annotations(verdict: Verdict) -> str:
    """Return workflow commands, one a line: an error for each case that prevents a pass, a warning for each other loss.

    Other losses are undecided cases that the policy accepts, and losses beyond the limit that are not shown.

    There are at most `MAX_ANNOTATIONS` of each kind; the last one names the rest. The text is empty if all cases passed or were
    skipped.

    Source: GitHub's documentation, workflow commands, setting an error message.
    """
    errors = verdict.of(Outcome.INCOMPARABLE) + verdict.of(Outcome.FAIL)
    undecided = verdict.of(Outcome.INCONCLUSIVE)
    accepted = undecided if verdict.accept_inconclusive else []
    warnings = accepted + verdict.of(Outcome.NOT_SHOWN)
    lines = _commands("error", errors + ([] if accepted else undecided)) + _commands("warning", warnings)
    if lines and not verdict.paired:
        lines.append(
            _command("notice", "Not paired", verdict.unpaired_cost or "The two models were scored on different images.")
        )
    if errors and verdict.causes:
        lines.append(_command("notice", "Likely cause", verdict.causes[0]))
    if lines:
        lines.append(_command("notice", "arena check", verdict_sentence(verdict)))
    return "".join(f"{line}\n" for line in lines)


def _commands(kind: str, cases: Sequence[Case]) -> list[str]:
    shown = cases if len(cases) <= MAX_ANNOTATIONS else cases[: MAX_ANNOTATIONS - 1]
    lines = [_command(kind, f"{case.title}: {str(case.outcome).replace('_', ' ')}", case.message) for case in shown]
    if rest := cases[len(shown) :]:
        names = ", ".join(safe_name(case.title) for case in rest)
        lines.append(_command(kind, f"{plural(len(rest), 'more requirement', 'more requirements')}", names))
    return lines


def _command(kind: str, title: str, message: str) -> str:
    """Return a workflow command; its title and message are escaped.

    >>> _command("error", "a, b: c", "50 %")
    '::error title=a%2C b%3A c::50 %25'
    """
    text = clipped(unturned(message), _MAX_MESSAGE_LENGTH)
    return f"::{kind} title={_property(clipped(unturned(title), 200))}::{_data(text)}"


def _data(text: str) -> str:
    return encodable(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
