"""What GitHub shows: nothing in a name ends a command, and all of it fits the limits."""

import re

import pytest

from arena.gate.verdict import Outcome
from arena.report.check.github import MAX_ANNOTATIONS, SUMMARY_BYTES, annotations, least_bytes, step_summary
from arena.report.check.markdown import ListLimits, check_markdown

from .verdicts import (
    ALL,
    case,
    doubtful,
    failing,
    hostile,
    incomparable,
    inconclusive,
    many,
    passing,
    unpaired,
    verdict,
)

COMMAND = re.compile(r"::(error|warning|notice) title=[^:,\n\r]*::[^\n\r]*")


def kinds(text: str) -> list[str]:
    return re.findall(r"^::(\w+)", text, re.MULTILINE)


@pytest.mark.parametrize("name", ALL)
def test_every_line_is_one_whole_command(name: str) -> None:
    text = annotations(ALL[name]())
    assert all(COMMAND.fullmatch(line) for line in text.split("\n")[:-1])
    assert text == "" or text.endswith("\n")
    assert max(kinds(text).count(kind) for kind in ("error", "warning", "notice")) <= MAX_ANNOTATIONS


def test_what_is_sent_is_read_back() -> None:
    one = case(Outcome.FAIL, name="a: b, 100 %\n::warning::x")
    line = annotations(verdict([one])).splitlines()[0]
    assert line.startswith(
        "::error title=a%3A b%2C 100 %25 %3A%3Awarning%3A%3Ax%3A fail::what was seen of a: b, 100 %25 "
    )


def test_each_outcome_has_its_kind() -> None:
    assert annotations(passing()) == ""
    assert kinds(annotations(failing())) == ["error", "error", "error", "notice", "notice"]
    assert kinds(annotations(incomparable())) == ["error", "notice"]
    assert kinds(annotations(inconclusive())) == ["error", "notice"]
    assert kinds(annotations(inconclusive(accept=True))) == ["warning", "notice"]
    assert kinds(annotations(doubtful())) == ["warning", "notice"]
    assert "3.1 times as wide" in annotations(unpaired())


def test_ten_are_sent_whole_and_more_are_summed_up() -> None:
    cases = [case(Outcome.FAIL, name=f"tag_{i}") for i in range(11)]
    assert "more requirement" not in annotations(verdict(cases[:10]))
    errors = [line for line in annotations(verdict(cases)).splitlines() if line.startswith("::error")]
    assert len(errors) == 10
    assert errors[-1] == "::error title=2 more requirements::tag 9, tag 10"


def test_a_summary_is_whole_where_it_fits_and_says_what_was_cut_where_not() -> None:
    assert step_summary(failing()) == check_markdown(failing())
    large = many(400, 100, 9)
    whole = check_markdown(large)
    assert least_bytes(large, ListLimits()) < len(whole.encode())
    assert len(whole.encode()) > SUMMARY_BYTES
    text = step_summary(large)
    assert 100_000 < len(text.encode()) <= SUMMARY_BYTES
    assert "not listed here: `check.json` has all." in text
    assert text.startswith("# ❌ joytag-new may not replace joytag: it fails 400 of 400 requirements")


def test_the_largest_summary_fits() -> None:
    largest = many(1_500, 5_000, 20)
    assert least_bytes(largest, ListLimits()) > SUMMARY_BYTES
    assert len(step_summary(largest).encode()) <= SUMMARY_BYTES


@pytest.mark.parametrize("name", ALL)
def test_markdown_renders_as_text(name: str) -> None:
    """Tables keep their columns, and nothing in a name is markup."""
    from markdown_it import MarkdownIt

    html = MarkdownIt("gfm-like", {"linkify": False}).render(check_markdown(ALL[name]()))
    for row in re.findall("<tr>.*?</tr>", html, re.DOTALL):
        assert len(re.findall("<t[hd]", row)) in (2, 3, 4, 5, 6, 7, 8)
    assert "<script" not in html
    assert "<img" not in html
    assert "<a " not in html


def test_markdown_tells_what_decides() -> None:
    text = check_markdown(inconclusive())
    assert text.startswith(
        "# ❔ Whether joytag-new may replace joytag is undecided: 1 of 2 requirements (map); if the true difference is 0, "
        "about 9,400 images decide with 80 % power."
    )
    assert "| 0.4100 | 0.4060 | −0.0040 \\[−0.0100, +0.0020\\] | −0.0050 | 9,400 |" in text
    assert "**Not paired:** intervals are 3.1 times as wide as paired ones" in check_markdown(unpaired())
    assert "1. colour channels are swapped" in check_markdown(failing())
    assert "and 5 more tags" in check_markdown(failing())
    assert "<summary>Passed: 1 requirement</summary>" in check_markdown(failing())
    assert "\u202e" not in check_markdown(hostile())
