"""Verdicts, findings and the leaderboard in words: only what is decided is called higher."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest

from arena.base.format import DECIDED, probability, signed
from arena.evaluate.differences import FAMILY_WISE_ERROR
from arena.evaluate.per_tag import Q_LIMIT
from arena.metrics.registry import HEADLINES
from arena.metrics.significance import minimum_detectable
from arena.report.html import render_comparison
from arena.report.view_model.findings import findings, highest_ap, tag_findings, tag_verdicts_by_pair
from arena.report.view_model.leaderboard import boards, leaderboard
from arena.report.view_model.regimes import regime_rows
from arena.report.view_model.slices import slice_groups
from arena.report.view_model.uncertainty import POWER, pair_evidence, run_verdict, uncertainty_note

from ..payloads import Payload, set_value

NONE_ELSEWHERE = "Under the other threshold policies no difference is decided."
TAG_BY_TAG = "Of 89 tags, 23 have a significantly different AP: joytag-demo is higher on 23, wd14-demo on 0."


def test_the_words_follow_the_constants_of_the_tests() -> None:
    assert DECIDED == FAMILY_WISE_ERROR == Q_LIMIT
    defaults = inspect.signature(minimum_detectable).parameters
    assert POWER == "four times in five"
    assert defaults["power"].default == 0.8
    assert defaults["alpha"].default == DECIDED


def test_what_is_not_decided_is_undetermined_and_names_no_one(payload: Payload) -> None:
    set_value(payload, "macro_f1", (0.3138, 0.3131))
    row = next(row for row in payload["differences"] if row["figure"] == "macro_f1")
    row.update(low=-0.0152, high=0.0184, p=0.94, minimum_detectable=0.0246)
    assert run_verdict(payload) == (
        "By recorded labels: At their own thresholds joytag-demo and wd14-demo cannot be told apart on macro F1, "
        "micro F1 or mAP. "
        f"{NONE_ELSEWHERE} {TAG_BY_TAG}"
    )
    first = findings(payload)[0]
    assert (first.label, first.lead, first.style) == ("Macro F1", "undetermined", None)
    assert first.detail == (
        f"Difference +0.001 [−0.015, +0.018], p 0.94, over {payload['compared_tags']} tags. "
        "These images would have revealed a true difference of 0.025 four times in five"
    )
    assert not any(s.cells[key].best for s in leaderboard(payload) for key in HEADLINES)
    assert {s.cells["macro_f1"].rank for s in leaderboard(payload)} == {"rank 1, shared"}
    page = render_comparison(payload)
    assert "winner" not in page


def test_what_is_decided_is_said_with_its_numbers(payload: Payload) -> None:
    set_value(payload, "map", (0.31, 0.41), higher="wd14-demo")
    row = next(row for row in payload["differences"] if row["figure"] == "map")
    row.update(low=-0.12, high=-0.08)
    for model, rank in zip(payload["models"], (2, 1), strict=True):
        model["intervals"]["map"] = [model["map"] - 0.02, model["map"] + 0.02]
        model["ranks"]["map"] = {"rank": rank, "tied_with_best": rank == 1}
        model["map_tags"] = 93
    assert run_verdict(payload) == (
        "By recorded labels: At their own thresholds wd14-demo has the higher mAP; macro F1 and micro F1 are undetermined. "
        f"{NONE_ELSEWHERE} {TAG_BY_TAG}"
    )
    last = findings(payload)[-1]
    assert (last.label, last.lead, last.style) == ("Higher mAP", "wd14-demo", 1)
    assert last.figures[0] == ("wd14-demo", 1, "0.410", "[0.390, 0.430]")
    assert pair_evidence(payload["models"], row) == (
        "0.410 [0.390, 0.430] (wd14-demo) against 0.310 [0.290, 0.330] (joytag-demo), over 93 tags; "
        "difference +0.100 [+0.080, +0.120], p 0.001"
    )
    cells = {s.model["name"]: s.cells["map"] for s in leaderboard(payload)}
    assert [(name, cell.best, cell.rank) for name, cell in cells.items()] == [
        ("wd14-demo", True, "rank 1"),
        ("joytag-demo", False, "rank 2"),
    ]


def test_both_may_be_higher_in_something(payload: Payload) -> None:
    set_value(payload, "macro_f1", (0.5, 0.4), higher="joytag-demo")
    set_value(payload, "micro_f1", (0.5, 0.4), higher="joytag-demo")
    set_value(payload, "map", (0.4, 0.5), higher="wd14-demo")
    expected = (
        "By recorded labels: At their own thresholds joytag-demo has the higher macro F1 and micro F1; "
        "wd14-demo has the higher mAP."
    )
    assert run_verdict(payload) == f"{expected} {NONE_ELSEWHERE} {TAG_BY_TAG}"


def test_the_verdict_counts_tags_and_names_categories(payload: Payload) -> None:
    for row in payload["tag_verdicts"]:
        row.update(first=30, second=10, undetermined=60)
    character = next(one for one in payload["slices"] if one["title"] == "meta")
    character["figures"]["macro_f1"]["differences"][0]["higher"] = "wd14-demo"
    said = run_verdict(payload)
    assert "Of 100 tags, 40 have a significantly different AP: joytag-demo is higher on 30, wd14-demo on 10." in said
    assert said.endswith("By category (macro F1), wd14-demo is better on meta tags.")
    for row in payload["tag_verdicts"]:
        row.update(first=0, second=0, undetermined=100)
    assert "Of 100 tags, none has a significantly different AP for joytag-demo and wd14-demo." in run_verdict(payload)
    for row in payload["tag_verdicts"]:
        row.update(first=0, second=1)
    assert "1 has a significantly different AP: joytag-demo is higher on 0, wd14-demo on 1." in run_verdict(payload)


def test_every_regime_has_a_leaderboard_of_its_own(payload: Payload) -> None:
    regime = payload["regimes"][1]
    regime["models"][0].update(macro_f1=0.61, macro_f1_low=0.6, macro_f1_high=0.62)
    for row in regime["differences"]:
        if row["figure"] == "macro_f1":
            row["higher"] = "joytag-demo"
    own, other = boards(payload)[:2]
    assert (own.name, other.name) == ("own", "macro_f1")
    cells = {s.model["name"]: s.cells for s in other.standings}
    assert cells["joytag-demo"]["macro_f1"].range == "[0.600, 0.620]"
    assert (cells["joytag-demo"]["macro_f1"].best, cells["wd14-demo"]["macro_f1"].best) == (True, False)
    assert (cells["joytag-demo"]["macro_f1"].rank, cells["wd14-demo"]["macro_f1"].rank) == ("rank 1", "rank 2")
    assert cells["wd14-demo"]["map"].text == {s.model["name"]: s.cells for s in own.standings}["wd14-demo"]["map"].text
    assert other.standings[0].model["threshold"] == "0.4"


def test_of_three_only_those_tied_with_the_best_are_marked(payload_of: Callable[..., Payload]) -> None:
    payload = payload_of(("a", "b", "c"))
    set_value(payload, "macro_f1", (0.4, 0.39, 0.3))
    for model, rank in zip(payload["models"], (1, 1, 3), strict=True):
        model["ranks"]["macro_f1"] = {"rank": rank, "tied_with_best": rank == 1}
        model["ranks"]["map"] = {"rank": rank, "tied_with_best": model["name"] == "b"}
    for row in payload["differences"]:
        if row["figure"] == "macro_f1" and row["second"] == "c":
            row["higher"] = row["first"]
    assert run_verdict(payload) == (
        "By recorded labels: At their own thresholds b has the highest mAP; the highest macro F1 is undetermined "
        "among a and b; "
        f"no tagger is significantly better than all others on micro F1. {NONE_ELSEWHERE} "
        "Of 85 tags, 22 have a significantly different AP: b is higher on 22, c on 0."
    )
    first = findings(payload)[0]
    assert (first.lead, first.detail) == ("undetermined", "Not significantly below the highest: a and b")
    cells = {s.model["name"]: s.cells["macro_f1"] for s in leaderboard(payload)}
    assert {name: (cell.best, cell.rank) for name, cell in cells.items()} == {
        "a": (True, "rank 1, shared"), "b": (True, "rank 1, shared"), "c": (False, "rank 3"),
    }  # fmt: skip
    assert tag_findings(payload) == []
    assert [pair[:2] for pair in tag_verdicts_by_pair(payload)] == [("a", "b"), ("a", "c"), ("b", "c")]


def test_tag_verdicts_are_counted_and_what_is_left_is_undetermined(payload: Payload) -> None:
    payload["tag_verdicts"][1].update(first=2, second=1, undetermined=56)
    found = tag_findings(payload)[1]
    assert (found.label, found.other) == ("AP, tag by tag", "undetermined")
    assert found.detail.startswith(
        "On AP, joytag-demo is higher on 2 tags and wd14-demo on 1; 56 are undetermined (decided: q ≤ 0.05"
    )
    assert [(share.name, share.tags) for share in found.shares] == [("joytag-demo", 2), ("wd14-demo", 1), (None, 56)]


def test_without_intervals_nothing_is_decided(plain: Payload) -> None:
    assert run_verdict(plain) == ""
    page = render_comparison(plain)
    assert "No intervals were computed for this run" in page
    assert "95 %" not in page.split("What the terms mean")[0]
    assert regime_rows(plain) == []
    assert tag_findings(plain)[0].other == "equal"


def test_one_model_has_intervals_and_no_verdict(payload_of: Callable[..., Payload]) -> None:
    payload = payload_of(("solo",))
    payload["models"][0].update(map=0.4, map_tags=12)
    payload["models"][0]["intervals"]["map"] = [0.38, 0.42]
    assert run_verdict(payload) == ""
    assert findings(payload)[0].detail.startswith("interval [0.380, 0.420], over 12 tags; ")
    assert "Undetermined" not in uncertainty_note(payload)


def test_regimes_say_what_the_pull_buys_and_what_flatters(payload: Payload) -> None:
    payload["regimes"][-1]["models"][0]["macro_f1"] = 0.5
    payload["models"][0].update(unshrunk_macro_f1=0.45, in_sample_best_macro_f1=0.61)
    rows = regime_rows(payload)
    assert [row.flatters for row in rows] == [False] * 8 + [True]
    assert all("cross-fitted" in row.what for row in rows[1:-1])
    assert (rows[-3].cells[0].macro_f1, rows[-3].cells[0].thresholds) == ("0.50", "0.4–0.9")
    assert (rows[-2].cells[0].macro_f1, rows[-2].cells[0].macro_aside) == ("0.4500", "(shrinkage adds +0.0500)")
    assert rows[-1].cells[0].macro_f1 == "0.6100"


def test_slices_are_grouped_and_decided_ones_named(payload: Payload) -> None:
    payload["slices"][0]["figures"]["map"]["differences"][0].update(higher="wd14-demo", p=0.02, difference=-0.03)
    groups = slice_groups(payload)
    assert [(group.title, len(group.rows)) for group in groups][:2] == [
        ("Category", 2),
        ("Support: images with the tag", 1),
    ]
    verdicts = [figure.verdict for figure in groups[0].rows[0].figures]
    assert verdicts[0] is not None
    assert verdicts[1] is not None
    assert verdicts[0].words == "undetermined, p 0.60"
    assert (verdicts[1].words, verdicts[1].difference, verdicts[1].style) == ("wd14-demo higher, p 0.02", "−0.030", 1)


def test_of_three_a_slice_names_the_decided_pairs(payload_of: Callable[..., Payload]) -> None:
    payload = payload_of(("a", "b", "c"))
    payload["slices"][0]["figures"]["map"]["differences"][1].update(higher="c")  # a against c
    told_there = slice_groups(payload)[0].rows[0].figures
    assert [one.verdict and one.verdict.words for one in told_there] == [
        "undetermined",
        "c over a; 2 pairs undetermined",
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0500001, ">0.05"), (0.05, "0.05"), (0.9999, ">0.99"), (1.0, "1"), (0.0, "<0.0001"), (float("nan"), "–")],
)
def test_a_p_is_never_rounded_over_its_limit(value: float, shown: str) -> None:
    assert probability(value) == shown


def test_a_difference_keeps_its_sign() -> None:
    assert [signed(value) for value in (0.99999, -0.99999, 0.00001, 1.0)] == [
        ">+0.9999",
        "<−0.9999",
        "<+0.0001",
        "+1.0000",
    ]


def test_findings_name_the_higher_figure_and_over_how_many_tags(plain: Payload) -> None:
    for model, value in zip(plain["models"], (0.38, 0.41), strict=True):
        model.update(map=value, map_tags=93, random_map=0.02)
    first = findings(plain)[0]
    assert (first.label, first.lead) == ("Higher mAP", "wd14-demo")
    assert first.detail == "0.4100 against 0.3800 (joytag-demo), over 93 tags; random scores would reach 0.0200"


def test_a_tie_names_no_one(plain: Payload) -> None:
    for model, value in zip(plain["models"], (0.38001, 0.38002), strict=True):
        model.update(map=value, map_tags=93)
    first = findings(plain)[0]
    assert (first.label, first.lead, first.style) == ("Same mAP to four digits", "0.3800", None)
    assert not any(standing.cells["map"].best for standing in leaderboard(plain))


def test_a_shared_lead_among_three_says_so(payload_of: Callable[..., Payload]) -> None:
    plain = payload_of(("a", "b", "c"), replicates=0)
    for model, value in zip(plain["models"], (0.4, 0.3, 0.4), strict=True):
        model.update(map=value, map_tags=90)
    first = findings(plain)[0]
    assert (first.label, first.lead) == ("Highest mAP, shared", "0.4000")
    assert first.detail.startswith("a and c against 0.3000 (b), over 90 tags")
    assert [s.model["name"] for s in leaderboard(plain) if s.cells["map"].best] == ["a", "c"]


def test_undefined_means_are_said_and_never_best(plain: Payload) -> None:
    plain["models"][0].update(map=None, map_tags=0)
    assert leaderboard(plain)[-1].model["name"] == "joytag-demo"
    plain["models"][1].update(map=None, map_tags=0)
    assert findings(plain)[0].detail == "undefined: no tag to average over"
    assert ">–<" in render_comparison(plain)


def test_shares_count_compared_tags_with_every_ap_defined(plain: Payload) -> None:
    tags = plain["tags"]
    tags["compared"] = [True, True, True, True, False] + [False] * (len(tags["name"]) - 5)
    tags["models"]["joytag-demo"]["ap"][:5] = [0.5, 0.2, 0.4, None, 1.0]
    tags["models"]["wd14-demo"]["ap"][:5] = [0.1, 0.3, 0.4, 0.9, 0.0]
    assert [(part.name, part.tags) for part in highest_ap(plain)] == [("joytag-demo", 1), ("wd14-demo", 1), (None, 1)]
