"""The forest plot: one family of tests, and a sentence that names what is decided under other threshold policies."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from arena.metrics.registry import HEADLINES
from arena.report.html import render_comparison
from arena.report.page.forest_plot import forest_plot, signed_axis
from arena.report.view_model.comparisons import MOST_PAIRS
from arena.report.view_model.forest import Forest, caption, forest, other_policies
from arena.report.view_model.regimes import why_undefined

from ..payloads import REGIMES, Payload

POLICIES = len(REGIMES)


def row_at(payload: Payload, policy: str, figure: str) -> Payload:
    regime = next(one for one in payload["regimes"] if one["name"] == policy)
    row: Payload = next(row for row in regime["differences"] if row["figure"] == figure)
    return row


def rows_of(payload: Payload) -> Forest:
    found = forest(payload)
    assert found is not None
    return found


def test_it_has_a_row_for_each_policy_and_headline_metric_but_one_for_map(payload: Payload) -> None:
    rows = rows_of(payload).rows
    assert [(row.metric, row.policy) for row in rows] == [
        *[("macro_f1", name) for name in REGIMES], *[("micro_f1", name) for name in REGIMES], ("map", "own"),
    ]  # fmt: skip
    assert [rows[0].title, rows[1].title, rows[-1].title] == ["Own thresholds", "Global, by macro F1", "Any threshold"]


def test_p_is_corrected_over_the_rows_of_the_plot(payload: Payload) -> None:
    """15 rows: .001 becomes .015, .004 becomes .056, and the others, at .2, become 1."""
    row_at(payload, "macro_f1", "micro_f1").update(p_alone=0.001, difference=0.02, low=0.01, high=0.03)
    row_at(payload, "category", "macro_f1").update(p_alone=0.004, difference=-0.02, low=-0.03, high=-0.01)
    found = rows_of(payload)
    by_key = {(row.metric, row.policy): row for row in found.rows}
    first, second = by_key["micro_f1", "macro_f1"], by_key["macro_f1", "category"]
    assert (first.p, first.higher, first.style) == (pytest.approx(0.015), "joytag-demo", 0)
    assert first.text == "+0.020 [+0.010, +0.030]"
    assert first.words == "joytag-demo higher, p 0.015"
    assert (second.p, second.higher, second.style) == (pytest.approx(0.056), None, None)
    assert second.words == "undetermined, p 0.056"
    assert {row.p for row in found.rows} - {first.p, second.p} == {1.0}
    assert found.tested == 2 * POLICIES + 1
    assert f"over the {2 * POLICIES + 1} rows of this plot" in caption(found)


def test_the_verdict_names_what_is_decided_under_other_policies(payload: Payload) -> None:
    assert other_policies(payload) == "Under the other threshold policies no difference is decided."
    row_at(payload, "macro_f1", "micro_f1").update(p_alone=1e-7, difference=0.02)
    row_at(payload, "category", "macro_f1").update(p_alone=1e-7, difference=-0.02)
    row_at(payload, "tag", "macro_f1").update(p_alone=1e-7, difference=-0.02)
    assert other_policies(payload) == (
        "Under other threshold policies, joytag-demo has the higher micro F1 (global by macro F1); "
        "wd14-demo has the higher macro F1 (by category and by tag)."
    )
    for name in REGIMES[1:]:
        row_at(payload, name, "macro_f1").update(p_alone=1e-7, difference=-0.02)
    assert f"wd14-demo has the higher macro F1 (all {POLICIES - 1})." in other_policies(payload)
    row_at(payload, "tag", "macro_f1").update(p_alone=0.5)
    for name in REGIMES[1:-1]:
        row_at(payload, name, "micro_f1").update(p_alone=1e-7, difference=-0.02)
    assert other_policies(payload) == (
        "Under other threshold policies, wd14-demo has the higher macro F1 and micro F1 (all but by tag)."
    )


def test_own_thresholds_are_the_business_of_the_headline(payload: Payload) -> None:
    row_at(payload, "own", "macro_f1").update(p_alone=1e-7)
    assert other_policies(payload) == "Under the other threshold policies no difference is decided."


def test_of_three_the_decided_differences_are_counted(payload_of: Callable[..., Payload]) -> None:
    payload = payload_of(("a", "b", "c"))
    row_at(payload, "tag", "micro_f1").update(p_alone=1e-9)
    assert (
        other_policies(payload)
        == f"Under other threshold policies, 1 of {3 * 2 * (POLICIES - 1)} differences is decided."
    )
    assert list(rows_of(payload).pairs) == [("a", "b"), ("a", "c"), ("b", "c")]


def test_of_many_models_every_pair_is_tested_and_a_table_lists_those_with_the_first(
    payload_of: Callable[..., Payload],
) -> None:
    names = [f"m{i}" for i in range(6)]
    found = rows_of(payload_of(names))
    assert len(found.pairs) == 15 > MOST_PAIRS
    assert found.tested == 15 * (2 * POLICIES + 1)
    assert list(found.listed) == [("m0", other) for other in names[1:]]
    assert "The other 10 pairs are in differences.parquet." in caption(found, "table")
    assert f"over the {15 * (2 * POLICIES + 1)} rows of this plot for all 15 pairs" in caption(found)


def test_an_undefined_policy_is_a_dash_with_its_reason(payload: Payload) -> None:
    regime = next(one for one in payload["regimes"] if one["name"] == "precision_90")
    regime["models"][1].update(macro_f1=None, micro_f1=None, lowest_threshold=None, highest_threshold=None)
    regime["differences"] = []
    found = rows_of(payload)
    row = next(row for row in found.rows if row.policy == "precision_90")
    assert (row.text, row.p) == ("–", None)
    assert row.words == "wd14-demo: no threshold reaches a precision of 90 %"
    assert found.tested == 2 * POLICIES - 1
    page = render_comparison(payload)
    assert page.count("wd14-demo: no threshold reaches a precision of 90 %") == 2
    assert '<small class="remark">no threshold reaches a precision of 90 %</small>' in page
    assert '<small class="remark">with 95 % confidence: 0.8</small>' in page


def test_without_compared_tags_no_threshold_is_blamed() -> None:
    assert why_undefined("precision_90", {"tags": 0, "micro_f1": None, "lowest_threshold": None}) == ""


def test_there_is_none_where_nothing_was_row_at(payload_of: Callable[..., Payload], plain: Payload) -> None:
    assert forest(plain) is None
    assert forest(payload_of(("solo",))) is None
    assert other_policies(plain) == ""
    assert 'id="forest"' not in render_comparison(plain)


def test_every_mark_is_drawn_at_its_value(payload: Payload) -> None:
    row_at(payload, "own", "macro_f1").update(p_alone=1e-7, difference=0.02, low=0.01, high=0.03)
    plot = forest_plot(forest(payload), payload)
    assert plot is not None
    axis = plot.axis
    row = plot.pairs[0].panels[0].rows[0]
    for at, value in ((plot.zero, 0.0), (row.at, 0.02), (row.low, 0.01), (row.high, 0.03)):
        assert at == pytest.approx(100 * (value - axis.start) / (axis.end - axis.start), abs=0.01)
    page = render_comparison(payload)
    strip = page.split('<div id="forest"')[1].split('<svg class="strip')[1]
    assert f'<line class="whisker" x1="{row.low}%" x2="{row.high}%"' in strip
    assert f'<svg x="{row.at}%" y="50%" overflow="visible"><use class="dot" href="#mark-0"' in strip
    assert f'<line class="zero" x1="{plot.zero}%" x2="{plot.zero}%"' in strip


def test_the_text_of_the_plot_has_every_row(payload: Payload) -> None:
    page = render_comparison(payload).split('<div id="forest"')[1].split("</section>")[0]
    for row in rows_of(payload).rows:
        assert f"<bdi>{row.title}</bdi><small>{row.text}</small>" in page
    assert page.count('<li class="part">') == 2 * POLICIES + 1
    assert page.count('aria-hidden="true"') >= 2 * POLICIES + 1
    assert page.count('role="group"') == len(HEADLINES)


def test_labels_of_the_axis_have_signs() -> None:
    assert [text for _, text in signed_axis([None, -0.0004, 0.0011]).ticks] == ["−0.001", "0", "+0.001", "+0.002"]
