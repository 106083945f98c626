"""Marks, overlays and their canvas are drawn at the same places, in pixels of the window, for every plot at several widths."""

from __future__ import annotations

from typing import Any

import pytest

from ..browser import Opened, near
from .shared_pages import varied_payload, view

BOXES = """(id) => {
    const plot = document.getElementById(id);
    const at = (element) => {
        const { x, y, width, height } = element.getBoundingClientRect();
        return [x, y, width, height];
    };
    return [plot, ...plot.querySelectorAll(":scope > canvas, :scope > svg")].map(at);
}"""

DRAWN = """(id) => {
    const plot = document.getElementById(id);
    const box = plot.getBoundingClientRect();
    return [...plot.querySelectorAll(".over .ring, .over .brush, .curve, .crosshair .dot, use.dot")].map((mark) => {
        const { x, y, width, height } = mark.getBoundingClientRect();
        const own = mark.localName === "use" || mark.localName === "path" ? null : mark.getBBox();
        return [x - box.x, y - box.y, width, height, own && [own.x, own.y, own.width, own.height]];
    });
}"""

PLOTS = ("scatter", "funnel", "sweep", "sweep-pr")


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_every_layer_of_a_plot_covers_its_box_and_no_unit_is_scaled(opened: Opened, width: int) -> None:
    page = opened(
        varied_payload(),
        address="#brush=scatter_f1_0.1_0.2_0.7_0.3_0.9&tag=" + varied_payload()["tags"]["name"][0],
        viewport={"width": width, "height": 900},
    )
    for plot in PLOTS:
        near(page, f"#{plot}")
        box, *layers = page.evaluate(BOXES, plot)
        assert layers, plot
        for layer in layers:
            assert layer == pytest.approx(box, abs=0.6), (plot, width)
        for x, y, wide, high, own in page.evaluate(DRAWN, plot):
            assert -1 <= x <= box[2] + 1, (plot, width)
            assert -1 <= y <= box[3] + 1, (plot, width)
            if own is not None and wide:
                stroke = (wide - own[2]) / 2
                assert [x + stroke, y + stroke, own[2], own[3]] == pytest.approx(own, abs=1.1), (plot, width)
                assert high - own[3] == pytest.approx(2 * stroke, abs=0.6)


@pytest.mark.parametrize("plot", ["scatter", "funnel"])
def test_ring_and_rectangle_are_where_the_pointer_was(page: Any, plot: str) -> None:
    box = near(page, f"#{plot} canvas")
    start = {"x": box["x"] + 0.3 * box["width"], "y": box["y"] + 0.3 * box["height"]}
    end = {"x": box["x"] + 0.8 * box["width"], "y": box["y"] + 0.7 * box["height"]}
    page.mouse.move(**start)
    page.mouse.down()
    page.mouse.move(**end, steps=2)
    drawn = page.locator(f"#{plot} .over .brush").bounding_box()
    page.mouse.up()
    corners = [drawn["x"], drawn["y"], drawn["x"] + drawn["width"], drawn["y"] + drawn["height"]]
    assert corners == pytest.approx([start["x"], start["y"], end["x"], end["y"]], abs=4), "values of few digits"
    view(page, "q=")
    page.locator(f"#{plot} canvas").focus()
    page.keyboard.press("Home")
    ring = page.locator(f"#{plot} .over .ring").bounding_box()
    spot = {"x": ring["x"] + ring["width"] / 2, "y": ring["y"] + ring["height"] / 2}
    name = page.text_content(f"#{plot} .tip b")
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    page.mouse.move(**spot)
    assert page.text_content(f"#{plot} .tip b") == name, "the pointer finds the dot where its ring is drawn"


def test_the_crosshair_is_under_the_pointer(page: Any) -> None:
    box = near(page, "#sweep")
    x = box["x"] + 46 + 0.5 * (box["width"] - 62)
    page.mouse.move(x, box["y"] + 100)
    line = page.locator("#sweep .cross").bounding_box()
    assert line["x"] + line["width"] / 2 == pytest.approx(x, abs=1.5)
