"""The first screen: one sentence a policy, rows on an axis, the best pair, and every pair's difference."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from arena.report.page.headline_plot import headline_plot
from arena.report.view_model.headline import (
    best_pair,
    decided_slices,
    headline_metrics,
    pair_differences,
    policies,
    remarks,
)

from ..payloads import REGIMES, Payload, set_value


def test_each_policy_has_one_sentence_that_names_it(payload: Payload, payload_of: Callable[..., Payload]) -> None:
    found = {one.name: one.verdict for one in policies(payload)}
    assert list(found) == list(REGIMES)
    names = "joytag-demo and wd14-demo cannot be told apart on macro F1, micro F1 or mAP."
    assert found["own"] == f"At their own thresholds {names}"
    assert found["tag"] == f"At one threshold per tag {names}"
    assert len(set(found.values())) == len(REGIMES)
    assert policies(payload_of(("solo",)))[0].verdict == ""


def test_a_difference_decided_under_a_policy_is_in_its_sentence_only(payload: Payload) -> None:
    regime = next(one for one in payload["regimes"] if one["name"] == "tag")
    row = next(row for row in regime["differences"] if row["figure"] == "macro_f1")
    row["higher"] = "wd14-demo"
    found = {one.name: one.verdict for one in policies(payload)}
    assert found["tag"].startswith("At one threshold per tag wd14-demo has the higher macro F1;")
    assert "cannot be told apart" in found["own"]


def test_of_many_taggers_the_sentence_counts_those_it_cannot_part(payload_of: Callable[..., Payload]) -> None:
    payload = payload_of(tuple("abcdef"), tags=24)
    for model in payload["models"][:2]:
        model["ranks"]["macro_f1"] = {"rank": 3, "tied_with_best": False}
    assert "the highest macro F1 is undetermined among 4 of 6 taggers" in policies(payload)[0].verdict


def test_without_resamples_the_sentence_says_that_nothing_was_tested(plain: Payload) -> None:
    assert policies(plain)[0].verdict.endswith(": point estimates, not tested.")
    assert remarks(plain)[0].text == "Point estimates: no intervals, nothing tested"


def test_rows_are_sorted_and_drawn_at_their_values(payload_of: Callable[..., Payload]) -> None:
    payload = payload_of(("a", "b", "c"), tags=24)
    set_value(payload, "macro_f1", (0.5, 0.7, 0.6), higher="b")
    for model in payload["models"]:
        model["intervals"]["macro_f1"] = [model["macro"]["f1"] - 0.02, model["macro"]["f1"] + 0.02]
    for row in payload["differences"]:
        if (row["figure"], row["second"]) == ("macro_f1", "c"):
            row.update(difference={"a": -0.1, "b": 0.1}[row["first"]], low=0.08, high=0.12, higher=None)
    block = headline_plot(headline_metrics(payload))[0].blocks[0]
    assert [one.row.name for one in block.rows] == ["b", "c", "a"]
    assert [one.row.words for one in block.rows] == ["highest", "undetermined", "lower"]
    assert block.rows[1].row.behind == "−0.100 [−0.120, −0.080]", "b minus c, turned"
    for one, value in zip(block.rows, (0.7, 0.6, 0.5), strict=True):
        assert one.at == pytest.approx(100 * (value - block.axis.start) / (block.axis.end - block.axis.start), abs=0.01)
        assert one.low < one.at < one.high


def test_the_best_two_have_the_highest_macro_f1(payload_of: Callable[..., Payload]) -> None:
    payload = payload_of(("a", "b", "c"), tags=24)
    set_value(payload, "macro_f1", (0.7, 0.5, 0.6))
    assert best_pair(payload) == (0, 2)
    assert best_pair(payload_of(("solo",))) is None


def test_every_pair_has_its_difference_and_both_verdicts(payload_of: Callable[..., Payload]) -> None:
    payload = payload_of(("a", "b", "c"), tags=24)
    row = next(
        one for one in payload["differences"] if (one["figure"], one["first"], one["second"]) == ("map", "b", "c")
    )
    row.update(difference=0.123456789, low=0.1, high=0.2, p=0.01, higher="b")
    found = pair_differences(payload)
    assert list(found["map"]) == ["own"]
    assert list(found["macro_f1"]) == list(REGIMES)
    assert found["map"]["own"][2][:5] == [0.1234568, 0.1, 0.2, 0.01, 1]
    assert all(len(cell) == 7 for by_policy in found.values() for cells in by_policy.values() for cell in cells)


def test_decided_slices_name_pair_and_difference(payload: Payload) -> None:
    assert decided_slices(payload) == {"of": 3, "rows": []}
    payload["slices"][1]["figures"]["map"]["differences"][0].update(difference=-0.25, higher="wd14-demo")
    assert decided_slices(payload)["rows"] == [["meta", "map", 0, 1, -0.25, 1, 3]]


def test_remarks_lead_to_what_explains_them(payload: Payload) -> None:
    payload["models"][0]["threshold_source"] = "default"
    payload["clusters"] = 60
    found = {one.text: one.target for one in remarks(payload)}
    assert found == {
        "By recorded labels; 1,894 labels look missing": "recorded-labels",
        "Only 60 independent images or groups: intervals can be too narrow": "notes-title",
        "Threshold of joytag-demo: the default, none recorded": "leaderboard-title",
        "Unverified: wd14-demo": "leaderboard-title",
    }
