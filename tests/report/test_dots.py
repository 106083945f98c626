"""Scatter and funnel, and the brush over both, by mouse, by touch and by keyboard, in a real browser."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ..browser import Opened, near
from .payloads import Payload
from .shared_pages import view

Range = tuple[float, float]


def dots(payload: Payload, key: str = "f1") -> dict[int, tuple[float, float]]:
    """Of each tag that is a dot, both models' figures."""
    tags = payload["tags"]
    a, b = (tags["models"][model["name"]][key] for model in payload["models"][:2])
    return {i: (a[i], b[i]) for i, use in enumerate(tags["compared"]) if use and None not in (a[i], b[i])}


def inside(payload: Payload, across: Range, up: Range, key: str = "f1") -> list[int]:
    return [i for i, (x, y) in dots(payload, key).items() if across[0] <= x <= across[1] and up[0] <= y <= up[1]]


def place(page: Any, x: float, y: float, *, plot: str = "scatter") -> dict[str, float]:
    """Pixels in the page of two shares of the axes."""
    box = near(page, f"#{plot} canvas")
    return {"x": box["x"] + 50 + x * (box["width"] - 62), "y": box["y"] + 12 + (1 - y) * (box["height"] - 54)}


def drag(page: Any, start: Range, end: Range, *, plot: str = "scatter") -> None:
    first, last = place(page, *start, plot=plot), place(page, *end, plot=plot)
    page.mouse.move(**first)
    page.mouse.down()
    page.mouse.move(**last, steps=3)
    page.mouse.up()


def touch(page: Any, points: Sequence[dict[str, float]]) -> None:
    session = page.context.new_cdp_session(page)
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [points[0]]})
    for point in points[1:]:
        session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def chip_ranges(page: Any) -> list[float]:
    """The four numbers that the chip tells; the names of taggers and metrics have digits too."""
    text = page.inner_text("#brush-chip").replace("−", "-").replace("F1", "").replace("wd14", "")
    return [float(number) for number in re.findall(r"-?\d[\d.]*", text.split("(")[0])]


def end_of_axis(payload: Payload, key: str = "f1") -> float:
    return min(1, math.ceil(max(max(pair) for pair in dots(payload, key).values()) * 10 + 0.2) / 10)


def test_a_drag_narrows_the_table_to_the_dots_inside(page: Any, varied: Payload) -> None:
    drag(page, (0.3, 0.9), (0.8, 0.2))
    left, right, bottom, top = chip_ranges(page)
    end = end_of_axis(varied)
    assert [left, right, bottom, top] == pytest.approx([0.3 * end, 0.8 * end, 0.2 * end, 0.9 * end], abs=0.006)
    wanted = inside(varied, (left, right), (bottom, top))
    assert 5 < len(wanted) < len(dots(varied))
    assert (page.text_content("#brush-chip") or "").startswith("Remove the brush: F1 joytag-demo 0.")
    assert f"({len(wanted)} tags)" in page.inner_text("#brush-chip")
    assert page.text_content("#tags-status") == f"{len(wanted)} of 150 tags"
    page.locator("#scatter .brush").wait_for(state="attached")
    page.locator("#funnel .brush").wait_for(state="detached")
    assert page.locator('.tag[aria-expanded="true"]').count() == 0, "a drag is no click"
    names = page.locator("#tags-box .tag bdi").all_text_contents()
    assert set(names) < {varied["tags"]["name"][i] for i in wanted}


def test_a_brush_and_a_search_hold_together_and_go_one_by_one(page: Any, varied: Payload) -> None:
    view(page, "brush=scatter_f1_0.1_0.2_0.7_0.3_0.9")
    wanted = inside(varied, (0.2, 0.7), (0.3, 0.9))
    icons = [i for i in wanted if "icon" in varied["tags"]["name"][i]]
    assert 0 < len(icons) < len(wanted)
    assert chip_ranges(page) == [0.2, 0.7, 0.3, 0.9]
    page.fill("#query", "icon")
    assert page.text_content("#tags-status") == f"{len(icons)} of 150 tags"
    page.press("#query", "Escape")
    assert page.is_visible("#brush-chip"), "Escape in the search is the search's"
    page.fill("#query", "")
    page.click("#brush-chip")
    assert not page.is_visible("#brush-chip")
    assert page.text_content("#tags-status") == "150 tags"
    assert page.evaluate("document.activeElement.id") == "tags-box"
    page.wait_for_url(lambda url: "brush=" not in url)


def test_escape_drops_a_drag_then_the_tip_then_the_brush(opened: Opened, payload_of: Callable[..., Payload]) -> None:
    page = opened(payload_of(tags=60), address="#brush=funnel_ap_0.1_10_40_-0.2_0.1")
    assert page.locator("input[name=dots-figure][value=ap]").is_checked()
    start = place(page, 0.2, 0.2)
    page.locator("#funnel .brush").wait_for(state="attached")
    page.mouse.move(**start)
    page.mouse.down()
    page.mouse.move(start["x"] + 80, start["y"] - 80, steps=2)
    assert re.fullmatch(r"\d+ tags?", page.text_content("#scatter .over text") or "")
    page.keyboard.press("Escape")
    page.mouse.up()
    page.locator("#scatter .brush").wait_for(state="detached")
    assert "support 10 to 40" in page.inner_text("#brush-chip")
    page.locator("#scatter canvas").focus()
    page.keyboard.press("Home")
    page.keyboard.press("Escape")
    assert not page.is_visible("#scatter .tip")
    assert page.is_visible("#brush-chip")
    page.keyboard.press("Escape")
    assert not page.is_visible("#brush-chip")


def test_the_address_keeps_the_brush(page: Any) -> None:
    near(page, "#funnel")
    page.check("input[name=dots-figure][value=ap]", force=True)
    drag(page, (0.1, 0.9), (0.6, 0.6), plot="funnel")
    told = page.inner_text("#brush-chip")
    assert "AP joytag-demo − wd14-demo" in told
    page.wait_for_url("**brush=funnel_ap_0.1_**")
    page.reload()
    assert page.inner_text("#brush-chip") == told
    near(page, "#funnel")
    page.locator("#funnel .brush").wait_for(state="attached")
    page.check("input[name=dots-figure][value=f1]", force=True)
    assert page.inner_text("#brush-chip") == told, "it goes on holding, of the figure that it was of"
    page.locator(".brush").wait_for(state="detached")


UNREADABLE = [
    "", "scatter", "scatter_f1_0.1_0_1_0", "scatter_f1_0.9_0_1_0_1", "toString_f1_0.1_0_1_0_1", "funnel_f1_0.1_0_x_0_1",
]  # fmt: skip


def test_a_brush_that_cannot_be_read_is_passed_over(page: Any) -> None:
    for brush in UNREADABLE:
        view(page, "brush=scatter_f1_0.1_0.2_0.7_0.3_0.9")
        assert page.locator("#brush-chip").get_attribute("hidden") is None
        view(page, f"brush={brush}")
        assert page.locator("#brush-chip").get_attribute("hidden") == "", brush
        assert page.text_content("#tags-status") == "150 tags", brush


def test_numbers_set_the_same_brush_by_keyboard(page: Any, varied: Payload) -> None:
    near(page, "#funnel")
    page.locator(".ranges summary").first.press("Enter")
    inputs = page.locator("#scatter + .ranges input")
    inputs.nth(0).fill("0.6")
    inputs.nth(0).press("Tab")
    end = end_of_axis(varied)
    assert chip_ranges(page) == [0.6, end, 0, end]
    inputs.nth(1).fill("0.25")
    inputs.nth(1).press("Enter")
    assert chip_ranges(page) == [0.25, 0.6, 0, end], "the lower number is the lower end"
    wanted = inside(varied, (0.25, 0.6), (0, 1))
    assert page.text_content("#tags-status") == f"{len(wanted)} of 150 tags"
    for i in range(4):
        inputs.nth(i).fill("")
    inputs.nth(3).press("Enter")
    assert not page.is_visible("#brush-chip")
    page.locator(".ranges summary").nth(1).press("Enter")
    funnel = page.locator("#funnel + .ranges input")
    assert page.locator("#funnel + .ranges legend").all_inner_texts() == [
        "positive images",
        "F1 of joytag-demo − wd14-demo",
    ]
    for i, value in enumerate(("20", "40", "-0.1", "0.1")):
        funnel.nth(i).fill(value)
    funnel.nth(3).press("Enter")
    tags = varied["tags"]
    differences = tags["pairs"][0]["f1"]["difference"]
    found = [i for i in dots(varied) if 20 <= tags["support"][i] <= 40 and abs(round(differences[i], 4)) <= 0.1]
    told = f"support 20 to 40, F1 joytag-demo − wd14-demo −0.1 to 0.1 ({len(found)} tags)"
    assert told in page.inner_text("#brush-chip")
    assert chip_ranges(page) == [20, 40, -0.1, 0.1]
    funnel.nth(3).press("Escape")
    assert not page.is_visible("#brush-chip")


def test_by_touch_a_drag_sideways_selects_and_one_downwards_scrolls(opened: Opened, payload: Payload) -> None:
    page = opened(payload, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    start = place(page, 0.2, 0.3)
    steps = [{"x": start["x"] + 12 * i, "y": start["y"] - 8 * i} for i in range(13)]
    touch(page, steps)
    page.wait_for_selector("#brush-chip:not([hidden])")
    left, right, bottom, top = chip_ranges(page)
    assert left < right
    assert page.text_content("#tags-status") == f"{len(inside(payload, (left, right), (bottom, top)))} of 150 tags"
    told = page.text_content("#brush-chip")
    before = page.evaluate("scrollY")
    start = place(page, 0.5, 0.3)
    touch(page, [{"x": start["x"], "y": start["y"] - 15 * i} for i in range(13)])
    for _ in range(40):  # the browser scrolls in its own time
        if page.evaluate("scrollY") > before + 50:
            break
        page.wait_for_timeout(50)
    assert page.evaluate("scrollY") > before + 50
    assert page.text_content("#brush-chip") == told
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_the_funnel_has_the_dots_of_the_scatter_and_their_verdicts(page: Any, varied: Payload) -> None:
    told = varied["tags"]["pairs"][0]["f1"]
    counts = [sum(told["higher"][i] == model for i in dots(varied)) for model in (0, 1, None)]
    assert all(counts)
    near(page, "#funnel")
    tally = page.inner_text("#scatter-tally")
    higher = f"joytag-demo on {counts[0]} tags, for wd14-demo on {counts[1]}"
    assert tally == f"F1 is higher for {higher}; undetermined on {counts[2]}."
    for plot in ("scatter", "funnel"):
        assert f"for {sum(counts)} tags" in page.locator(f"#{plot} canvas").get_attribute("aria-label")
    assert page.locator("#funnel text.side").all_text_contents() == ["joytag-demo higher", "wd14-demo higher"]
    page.fill("#query", "q<0.05")
    shown = f"The table shows {counts[0] + counts[1]} of them: {counts[0]}, {counts[1]} and 0."
    page.locator(f"#scatter-tally:text('{shown}')").wait_for()


def test_a_dot_of_the_funnel_is_read_and_opened(page: Any, varied: Payload) -> None:
    tags = varied["tags"]
    most = 0  # the most common tag is alone at the right
    supports = [tags["support"][i] for i in dots(varied)]
    low, high = min(supports) / 1.15, max(supports) * 1.15
    largest = max(abs(tags["pairs"][0]["f1"]["difference"][i]) for i in dots(varied))
    end = min(1, math.ceil(largest * 10 + 0.2) / 10)
    x = math.log(tags["support"][most] / low) / math.log(high / low)
    spot = place(page, x, (0.8 + end) / (2 * end), plot="funnel")
    page.mouse.move(**spot)
    assert page.text_content("#funnel .tip b") == tags["name"][most]
    assert "+0.80" in page.inner_text("#funnel .tip")
    page.mouse.click(**spot)
    assert page.locator('.tag[aria-expanded="true"]').text_content() == tags["name"][most]
    canvas = page.locator("#funnel canvas")
    canvas.focus()
    page.keyboard.press("End")
    differences = tags["pairs"][0]["f1"]["difference"]
    last = max(dots(varied), key=lambda i: differences[i])
    assert page.text_content("#funnel .tip b") == tags["name"][last], "the largest difference comes last"
    page.keyboard.press("ArrowLeft")
    assert page.text_content("#funnel .tip b") != tags["name"][last]


def test_a_dot_that_the_brush_hides_is_shown_when_it_is_asked_for(
    opened: Opened, payload_of: Callable[..., Payload]
) -> None:
    payload = payload_of(tags=60)
    hidden = next(i for i in dots(payload) if i not in inside(payload, (0.5, 0.6), (0.5, 0.6)))
    name = payload["tags"]["name"][hidden]
    page = opened(payload, address=f"#brush=scatter_f1_0.1_0.5_0.6_0.5_0.6&tag={name}")
    assert page.locator('.tag[aria-expanded="true"]').text_content() == name
    assert not page.is_visible("#brush-chip")


def test_plots_of_few_dots_and_of_tags_without_an_image(opened: Opened, payload_of: Callable[..., Payload]) -> None:
    payload = payload_of(("a", "b"), tags=12, images=60)
    payload["tags"]["compared"] = [True] * 12
    payload["tags"]["support"][-1] = 0
    page = opened(payload)
    near(page, "#funnel")
    page.locator("#funnel .ground text", has_text="positive images").wait_for(state="attached")
    assert page.locator("#funnel .ground text").first.text_content() == "0"
