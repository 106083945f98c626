"""Quality against cost: where the dots are, and that a model without a cost is named and not drawn at 0."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.report.page.cost_plot import cost_plot, log_axis

from ...browser import Opened
from ..payloads import Payload


@settings(max_examples=20)
@given(st.lists(st.floats(1e-3, 1e12), min_size=1, max_size=10))
def test_a_logarithmic_axis_holds_every_value_and_has_few_ticks(values: list[float]) -> None:
    axis = log_axis(values)
    assert all(0 < axis.place(value) < 100 for value in values)
    assert 2 <= len(axis.ticks) <= 16
    places = [at for at, _ in axis.ticks]
    assert places == sorted(places)
    assert -0.01 <= places[0] < places[-1] <= 100.01


def test_equal_ratios_are_equally_far(payload_of: Callable[..., Payload]) -> None:
    payload = payload_of(("a", "b", "c"), tags=12)
    for model, speed, size in zip(payload["models"], (10, 100, 1000), (2_000_000, None, 8_000_000), strict=True):
        model.update(images_per_second=speed, parameters=size)
    plot = cost_plot(payload)
    assert plot is not None
    speed, size = plot.panels
    first, second, third = (dot.across for dot in speed.dots)
    assert second - first == pytest.approx(third - second, abs=0.02)
    assert speed.missing == []
    assert ([dot.name for dot in size.dots], size.missing) == (["a", "c"], ["b"])
    assert [dot.style for dot in size.dots] == [0, 2]
    for model in payload["models"]:
        model.update(images_per_second=None, parameters=None)
    assert cost_plot(payload) is None


AXES = """(plot) => {
    const [across, up] = [...plot.querySelectorAll(".axis")].map((line) => line.getBoundingClientRect());
    return [up.x, up.y, across.width, up.height];
}"""


def test_drawn_where_the_figures_say(opened: Opened, payload_of: Callable[..., Payload]) -> None:
    payload = payload_of(("a", "b"), tags=12)
    payload["models"][0].update(images_per_second=50.0, parameters=None, map=0.31)
    payload["models"][1].update(images_per_second=200.0, parameters=4_000_000, map=0.58)
    plot = cost_plot(payload)
    assert plot is not None
    page = opened(payload, java_script_enabled=False)
    assert page.locator("#cost .missing").all_text_contents() == ["not known:\u00a0a"]
    for number, panel in enumerate(plot.panels):
        left, top, width, height = page.locator(".cost-plot").nth(number).evaluate(AXES)
        marks = page.locator(".cost-plot").nth(number).locator("use.dot").all()
        assert len(marks) == len(panel.dots)
        for mark, dot in zip(marks, panel.dots, strict=True):
            drawn = mark.bounding_box()
            x, y = drawn["x"] + drawn["width"] / 2, drawn["y"] + drawn["height"] / 2
            assert x == pytest.approx(left + dot.across / 100 * width, abs=1.5)
            assert y == pytest.approx(top + (1 - dot.up / 100) * height, abs=1.5)
