"""The verdict in a terminal: the sentence first, within its width, and no command of a CI server in it."""

import re

import pytest
from rich.cells import cell_len
from rich.style import Style

from arena.gate.verdict import Outcome
from arena.report.check.text import plain_lines, styled_lines
from arena.report.check.words import badge_message, outcome_counts, verdict_sentence

from .verdicts import ALL, case, doubtful, failing, hostile, incomparable, inconclusive, passing, unpaired, verdict


@pytest.mark.parametrize("width", [60, 80, 140])
@pytest.mark.parametrize("name", ALL)
def test_no_line_is_wider_than_asked(name: str, width: int) -> None:
    assert max(map(cell_len, plain_lines(ALL[name](), width))) <= width


@pytest.mark.parametrize("name", ALL)
def test_styles_are_ones_that_rich_knows(name: str) -> None:
    for line in styled_lines(ALL[name]()):
        Style.parse(line.style)
        assert "\n" not in line.text


def test_no_name_is_a_command_of_a_ci_server() -> None:
    cases = [
        case(Outcome.FAIL, name=name) for name in ("::error::x", "##[error]y", "a " * 60 + "::set-output name=a::b")
    ]
    for one in (hostile(), verdict(cases)):
        for width in range(40, 120, 7):
            for line in plain_lines(one, width):
                assert not line.lstrip().startswith("::"), line
                assert "##[" not in line


def test_what_failed_stands_before_what_is_undecided_and_what_passed_is_counted() -> None:
    text = "\n".join(plain_lines(failing()))
    places = [
        text.index(part)
        for part in ("FAIL  joytag-new may not", "Failed 2", "Undecided 1", "Passed 1: macro f1", "Likely causes")
    ]
    assert places == sorted(places)
    assert "    hat: F1 0.7100 → 0.4200" in text
    assert "    and 5 more tags" in text
    assert "    120 → 80.0, −40.0, limit −12.0" in text
    assert "if the true difference is 0, about 9,400 images decide with 80 % power" in " ".join(text.split())


def test_each_outcome_is_a_sentence() -> None:
    told = {
        "pass": "joytag-new may replace joytag: the one requirement holds.",
        "fail": "joytag-new may not replace joytag: it fails 2 of 4 requirements (f1 and pace).",
        "accepted": "joytag-new may replace joytag: nothing failed, and the policy accepts that 1 of 2 requirements could not "
        "be decided.",
        "incomparable": "joytag-new cannot be compared with joytag: images.",
    }
    assert {name: verdict_sentence(ALL[name]()) for name in told} == told
    skipped = [case(Outcome.SKIPPED, name=name) for name in "ab"]
    told_of_none = "Whether joytag-new may replace joytag is undecided: none of 2 requirements could be checked."
    assert verdict_sentence(verdict(skipped)) == told_of_none
    assert verdict(skipped).exit_code == 3


def test_a_loss_that_is_not_shown_is_told_and_does_not_prevent_a_pass() -> None:
    told = verdict_sentence(doubtful())
    assert told == (
        "joytag-new may replace joytag: nothing failed, but 1 of 2 requirements lost more than the limit, not shown to be real."
    )
    assert outcome_counts(doubtful()) == "1 not shown and 1 passed; 1 reported"
    assert badge_message(doubtful()) == "passing, 1 not shown"
    assert doubtful().exit_code == 0
    text = "\n".join(plain_lines(doubtful()))
    assert (
        text.index("Loss beyond the limit, not shown 1") < text.index("Reported, not judged 1") < text.index("Passed 1")
    )


@pytest.mark.parametrize("name", ALL)
def test_the_numbers_of_a_verdict_add_up(name: str) -> None:
    one = ALL[name]()
    judged = [
        int(number) for number in re.findall(r"([\d,]+) \w", outcome_counts(one).partition(";")[0].replace(",", ""))
    ]
    assert sum(judged) == len(one.judged)
    whole = re.search(r"of ([\d,]+) requirement", verdict_sentence(one))
    assert whole is None or int(whole[1].replace(",", "")) == len(one.judged)


def test_the_cost_of_being_unpaired_is_told() -> None:
    assert any("3.1 times as wide" in line for line in plain_lines(unpaired()))
    assert not any(
        "Not paired" in line for one in (passing(), incomparable(), inconclusive()) for line in plain_lines(one)
    )
