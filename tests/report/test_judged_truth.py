"""Metrics by judged truth on the page and in sentences: what is said where labels and answers agree, differ, or are too few."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from arena.metrics.registry import THRESHOLDED
from arena.report.html import render_comparison
from arena.report.page.judged_plot import judged_plot
from arena.report.view_model.judged import (
    completeness,
    judged_facts,
    judged_levels,
    judged_verdict,
    other_policies_judged,
)
from arena.report.view_model.recorded_labels import recorded_labels

from ..browser import Opened
from .payloads import Payload
from .test_access import COLOURS, PHONE, RULES, colours, violations

FACTS = {
    "answers": 2_959, "unclear": 41, "unsampled": 0, "elsewhere": 0, "unfinished": [], "assumed": False,
    "agreement": 0.95, "repeated": 290, "error_rate": 0.03,
    "error_rate_standard_error": 0.01, "undefined": "",
}  # fmt: skip


def row(figure: str, difference: float, *, higher: str | None = None, more: float | None = 1_233.2) -> dict[str, Any]:
    return {
        "regime": "own", "figure": figure, "first": "A", "second": "B", "difference": difference,
        "low": difference - 0.01, "high": difference + 0.01, "standard_error": 0.005, "p": 0.2, "p_adjusted": 0.4,
        "higher": higher, "image_error": 0.002, "effective_answers": 1_801.4, "wanted": 0.01, "more_answers": more,
        "error_shift": 0.004,
    }  # fmt: skip


def judged(*rows: dict[str, Any], **changes: Any) -> dict[str, Any]:
    levels = {f"{key}{end}": 0.6 for key in THRESHOLDED for end in ("", "_low", "_high", "_standard_error")}
    model = {"regimes": {"own": levels}, "error_shift": dict.fromkeys(THRESHOLDED, -0.07)}
    shares = {"complete": 0.701, "complete_low": 0.66, "complete_high": 0.742, "right": 0.99, "right_low": 0.98}
    labels = [
        {"slice": kind, "value": value, "tags": 9, "answers": 800, **shares, "right_high": 1.0}
        for kind, value in (("all", "all"), ("category", "general"), ("support", "10–29"))
    ]
    return FACTS | {"models": {"A": model, "B": model}, "labels": labels, "differences": list(rows)} | changes


@pytest.fixture
def pair(payload_of: Callable[..., Payload]) -> Payload:
    return payload_of(("A", "B"), tags=24)


def with_labels(payload: Payload, higher: str | None) -> Payload:
    for one in payload["differences"]:
        one["higher"] = higher
    return payload


@pytest.mark.parametrize(
    ("by_labels", "by_truth", "sentence"),
    [
        ("A", row("macro_f1", -0.02, higher="B"), "labels name A; by judged truth B is higher, 2,959 answers."),
        ("A", row("macro_f1", 0.02, higher="A"), "labels and judged truth name A, 2,959 answers."),
        (None, row("macro_f1", 0.02, higher="A"), "undecided by labels; by judged truth A is higher, 2,959 answers."),
        (
            "A",
            row("macro_f1", 0.002),
            "labels name A; by judged truth undecided: about 1,234 more answers would decide a difference of 0.0100.",
        ),
        (
            None,
            row("macro_f1", 0.002, more=None),
            "undecided by labels; by judged truth undecided: no number of answers would decide a difference of 0.0100 ",
        ),
        (
            None,
            row("macro_f1", 0.002, more=0.0),
            "undecided by labels; by judged truth undecided: these answers would show a difference of 0.0100 ",
        ),
    ],
)  # fmt: skip
def test_the_verdict_says_where_the_two_disagree(
    pair: Payload, by_labels: str | None, by_truth: dict[str, Any], sentence: str
) -> None:
    payload = with_labels(pair, by_labels) | {"judged": judged(by_truth)}
    [found] = judged_verdict(payload)
    assert found.startswith(f"Macro F1: {sentence}")


def test_pairs_of_three_models_are_named(payload_of: Callable[..., Payload]) -> None:
    payload = payload_of(("A", "B", "C"), tags=24) | {"judged": judged(row("micro_f1", 0.02, higher="A"))}
    assert judged_verdict(payload)[0].startswith("A and B, micro F1: undecided by labels; ")
    assert judged_levels(payload) == [], "C has no metric by judged truth"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({}, "2,959 clear answers, 41 unclear; agreement (Krippendorff's alpha) 0.95 on 290 cells answered twice."),
        ({}, "70.1 % [66.0 %, 74.2 %] of the true tags are recorded; 99.0 % [98.0 %, 100.0 %] of the recorded tags are "),
        ({}, "About 3.0 % of the answers are wrong (standard error 1.0 %), which would shift macro F1 by about −0.0700 and "),
        ({}, "(B); the difference A − B in macro F1 by about +0.0040. This is corrected, and the intervals are wider for it."),
        ({"error_rate": None, "agreement": None}, "2,959 clear answers, 41 unclear."),
        ({"error_rate": None}, "Wrong answers are not corrected, and their rate is unknown: no cell was answered twice."),
        ({"error_rate": 0.0}, "No answer is known to be wrong. The intervals allow for errors that were not seen."),
        ({"unsampled": 12}, "12 answered cells were not sampled and enter no estimate."),
        ({"elsewhere": 1}, "1 answered cell is on images or tags that are not compared here."),
        ({"unfinished": ["ab12"]}, "1 plan left out, because a cell has no answer: ab12."),
        ({"assumed": True}, "The judgements do not say which cells could be drawn; it is assumed that "),
    ],
)  # fmt: skip
def test_the_facts_on_the_answers(pair: Payload, change: dict[str, Any], sentence: str) -> None:
    assert sentence in " ".join(judged_facts(pair | {"judged": judged(row("macro_f1", 0.02), **change)}))


def test_too_few_answers_are_said_and_nothing_is_drawn(pair: Payload) -> None:
    why = "412 clear answers to sampled cells of this comparison; metrics need at least 600"
    payload = pair | {"judged": FACTS | {"undefined": why}}
    assert judged_verdict(payload) == [f"No metric by judged truth: {why}."]
    assert (judged_levels(payload), completeness(payload), judged_plot(payload)) == ([], [], None)
    page = render_comparison(payload)
    assert why in page
    assert '<table class="plain">' not in page.partition('id="judged"')[2].partition("</section>")[0]


def test_other_threshold_policies_and_the_caveat_on_labels(pair: Payload) -> None:
    other = row("macro_f1", 0.02, higher="A") | {"regime": "tag"}
    payload = pair | {"judged": judged(row("macro_f1", 0.0), other)}
    assert other_policies_judged(payload).startswith(
        "By judged truth under other threshold policies, higher: A, macro F1 ("
    )
    assert recorded_labels(payload)[0].startswith("All metrics that do not say “judged truth” are by recorded labels: ")
    assert "judged" not in recorded_labels(pair)[0]


def test_the_drawing_has_labels_and_judged_truth_on_one_axis(pair: Payload) -> None:
    rows = [row("macro_f1", -0.02, higher="B"), row("micro_f1", 0.002)]
    found = judged_plot(with_labels(pair, "A") | {"judged": judged(*rows)})
    assert found is not None
    [drawn] = found.pairs
    assert [one.title for one in drawn.panels] == ["Macro F1", "Micro F1"]
    labels, truth = drawn.panels[0].rows
    assert (labels.contrast.words, labels.contrast.style) == ("A higher", 0)
    assert truth.contrast.words.startswith("B higher; worth 1,801 answers")
    assert truth.contrast.style == 1
    assert truth.high is not None
    assert truth.high < found.zero, "the whole interval is on the side of B"


def test_axe_finds_no_violation_in_the_section_and_it_fits_a_phone(opened: Opened, pair: Payload) -> None:
    rows = [row("macro_f1", -0.02, higher="B"), row("micro_f1", 0.002)]
    page = opened(with_labels(pair, "A") | {"judged": judged(*rows)}, viewport=PHONE)
    section = page.locator("#judged")
    assert section.locator(".part").count() == 4
    assert "B higher" in section.inner_text()
    assert page.locator("#judged-verdict").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    dot, zero = (section.locator(one).nth(1).bounding_box() for one in (".strip.n1 > svg:last-of-type", ".zero"))
    assert dot["x"] + dot["width"] < zero["x"], "drawn on the side of B"
    assert violations(page, only={"type": "tag", "values": RULES}, without=COLOURS, part="#judged") == []
    assert colours(page, "#judged") == []
    page.emulate_media(media="print")
    assert section.locator("table").first.is_visible()
