"""Small multiples: where figures stand on an axis, and the panels in a browser without JavaScript."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.base.format import estimate
from arena.report.page.small_multiples import FOLDED_ROWS, MOST_TICKS, axis_over, slice_multiples

from ...browser import Opened
from ..payloads import Payload

FIGURES = st.lists(st.none() | st.floats(0, 1), max_size=30)


@given(FIGURES)
def test_an_axis_holds_every_figure_in_few_round_steps(values: list[float | None]) -> None:
    axis = axis_over(values)
    places = [axis.place(value) for value in values if value is not None]
    assert all(-0.01 <= place <= 100.01 for place in places)
    assert 0 <= axis.start < axis.end <= 1
    assert 2 <= len(axis.ticks) <= MOST_TICKS + 1
    assert axis.ticks[0] == (0, axis.ticks[0][1])
    assert axis.ticks[-1][0] == 100
    assert [float(text) for _, text in axis.ticks] == pytest.approx(
        [axis.start + at / 100 * (axis.end - axis.start) for at, _ in axis.ticks], abs=1e-3 * (axis.end - axis.start)
    )


@given(FIGURES, st.floats(0, 1), st.floats(0, 1))
def test_a_higher_figure_stands_further_right(values: list[float | None], one: float, other: float) -> None:
    axis = axis_over([*values, one, other])
    low, high = sorted((one, other))
    assert axis.place(low) <= axis.place(high)
    assert axis.start + axis.place(one) / 100 * (axis.end - axis.start) == pytest.approx(one, abs=1e-4)


def test_an_axis_is_as_short_as_its_steps_allow() -> None:
    axis = axis_over([0.6278, 0.6397])
    assert (axis.start, axis.end) == (0.625, 0.64)
    assert [text for _, text in axis_over([0.5]).ticks] == ["0.500", "0.501"]
    assert (axis_over([1.0]).start, axis_over([1.0]).end) == (0.999, 1.0)
    assert (axis_over([]).start, axis_over([None]).end) == (0, 1)


def test_every_dot_is_a_figure_of_the_payload(payload: Payload) -> None:
    payload["slices"][1]["figures"]["map"]["models"][0] = [None, None, None]
    found = slice_multiples(payload)
    assert [one.figure for one in found] == ["Macro F1", "mAP"]
    for one in found:
        assert one.panels[0].title == "Category"
        rows = [row for panel in one.panels for row in panel.rows]
        assert [row.title for row in rows] == [part["title"] for part in payload["slices"]]
        for row, part in zip(rows, payload["slices"], strict=True):
            for dot, values in zip(row.dots, part["figures"][one.key]["models"], strict=True):
                placed = [None if value is None else one.axis.place(value) for value in values]
                assert [dot.at, dot.low, dot.high] == placed
            assert [dot.down for dot in row.dots] == [25, 75]


def boxes(page: Any, selector: str) -> list[dict[str, float]]:
    script = "(nodes) => nodes.map((n) => { const r = n.getBoundingClientRect(); return {x: r.x + r.width / 2, w: r.width}; })"
    return list(page.locator(selector).evaluate_all(script))


def test_the_panels_are_there_without_javascript_and_switch(opened: Opened, payload: Payload) -> None:
    figures = payload["slices"][0]["figures"]
    figures["macro_f1"]["models"] = [[0.2, 0.1, 0.3], [0.8, 0.7, 0.9]]
    figures["map"]["models"] = [[0.25, None, None], [None, None, None]]
    figures["map"]["differences"][0].update(higher="joytag-demo", p=0.002)
    page = opened(payload, java_script_enabled=False)
    shown, other = page.locator(".multiples.macro_f1"), page.locator(".multiples.map")
    assert shown.is_visible()
    assert not other.is_visible()
    assert shown.get_by_role("img").count() == 3, "a panel a kind"
    panel = ".multiples.macro_f1 .panel-of-rows:first-child"
    grid, dots = (boxes(page, f"{panel} .part:nth-of-type(1) {mark}") for mark in ("line.grid", "use.dot"))
    labels = page.locator(f"{panel} .scale text").all_text_contents()
    unit = (grid[-1]["x"] - grid[0]["x"]) / (float(labels[-1]) - float(labels[0]))
    for dot, value in zip(dots, (0.2, 0.8), strict=True):
        assert dot["x"] == pytest.approx(grid[0]["x"] + unit * (value - float(labels[0])), abs=1)
    whiskers = boxes(page, f"{panel} .part:nth-of-type(1) line.whisker")
    assert [line["w"] for line in whiskers] == pytest.approx([0.2 * unit] * 2, abs=3)
    page.check("input[name=slice-figure][value=map]", force=True)
    assert other.is_visible()
    assert not shown.is_visible()
    row = page.locator(".multiples.map .part").first
    assert "joytag-demo higher, p 0.002" in row.inner_text()
    assert row.locator(".decided .mark.m0").count() == 1
    assert row.locator("text").all_text_contents() == ["undefined"]
    assert row.locator("line.whisker").count() == 0


@pytest.mark.parametrize("models", [1, 2, 3, 10])
def test_panels_of_any_number_of_models_fit(opened: Opened, payload_of: Callable[..., Payload], models: int) -> None:
    payload = payload_of(tuple(f"model-{i}" for i in range(models)), tags=4)
    payload["slices"][0]["title"] = "</svg><b>" + "s" * 300
    payload["slices"][1]["slice"] = "<i>kind" * 30
    page = opened(payload, java_script_enabled=False)
    assert page.locator(".part b, .panel-title i").count() == 0
    dots = page.locator(".multiples.macro_f1 .part").first.locator("use.dot")
    assert dots.count() == models
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") == width
        tops = dots.evaluate_all("(all) => all.map((dot) => dot.getBoundingClientRect().top)")
        assert all(b - a >= 9 for a, b in pairwise(tops)), "dots of two models do not cover one another"


def test_a_long_table_is_folded_and_paper_has_everything(
    opened: Opened, payload_of: Callable[..., Payload], scriptless: Any
) -> None:
    assert scriptless.locator("#slices").is_visible()
    payload = payload_of(tags=12)
    payload["slices"] *= FOLDED_ROWS
    page = opened(payload, java_script_enabled=False)
    assert not page.locator("#slices").is_visible()
    page.click("#slices-table summary")
    cell = page.locator("#slices tbody td.first").first.inner_text()
    assert cell.split() == str(estimate(*payload["slices"][0]["figures"]["macro_f1"]["models"][0])).split()
    page.click("#slices-table summary")
    page.emulate_media(media="print")
    for part in (".multiples.macro_f1", ".multiples.map", "#slices"):
        assert page.locator(part).is_visible(), part
