"""The pages for everyone: axe finds no violation; keyboard, forced colours, less motion, print, phones, no JavaScript."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from arena.report.dataset.page import render_dataset

from ..browser import Opened, near
from .dataset.test_page import page as dataset  # noqa: F401
from .payloads import Payload

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
"""The rules of WCAG 2.2 at level A and AA."""

PHONE, DESK = {"width": 360, "height": 740}, {"width": 1280, "height": 900}


COLOURS = ["color-contrast", "link-in-text-block"]
"""The rules that colours can break; they take two thirds of the time of all."""


def violations(page: Any, *, only: dict[str, Any], without: Sequence[str] = (), part: str = "html") -> list[str]:
    """Return what axe finds in a part of the page as it is, in short."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    options = {"runOnly": only, "resultTypes": ["violations"], "rules": {rule: {"enabled": False} for rule in without}}
    found = axe.run(page, part, options).response["violations"]
    return [f"{one['id']}: {node['target']} {node['html'][:120]}" for one in found for node in one["nodes"][:3]]


def structure(page: Any) -> list[str]:
    """Return what breaks any rule but those of colours."""
    return violations(page, only={"type": "tag", "values": RULES}, without=COLOURS)


def colours(page: Any, part: str = "html", schemes: Sequence[str] = ("light", "dark")) -> list[str]:
    """Return what breaks the rules of colours in a part of the page, in light and in dark."""
    found = []
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        found += violations(page, only={"type": "rule", "values": COLOURS}, part=part)
    page.emulate_media(color_scheme="light")
    return found


def everything(page: Any) -> list[str]:
    """Return what breaks any rule: all of them in light, those of colours in dark too."""
    return violations(page, only={"type": "tag", "values": RULES}) + colours(page, schemes=["dark"])


CASES = [(1, 1000, DESK), (2, 0, DESK), (3, 1000, PHONE), (10, 0, PHONE)]
"""Models, resamples, window: each with some of the others."""


@pytest.mark.parametrize(("models", "replicates", "viewport"), CASES)
def test_axe_finds_no_violation_on_a_comparison(
    opened: Opened,
    payload_of: Callable[..., Payload],
    models: int,
    replicates: int,
    viewport: dict[str, int],
) -> None:
    payload = payload_of(tuple("abcdefghij"[:models]), tags=4, replicates=replicates)
    page = opened(payload, viewport=viewport)
    page.locator("#tags-box .tag").first.click()
    assert page.locator(".detail-box").is_visible()
    assert structure(page) == []
    assert models < 10 or colours(page, ".board") == [], "ten models have every colour"
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_axe_finds_no_violation_in_open_menus_and_problems(opened: Opened, payload_of: Callable[..., Payload]) -> None:
    page = opened(payload_of(("a", "b"), tags=4, replicates=0), viewport=PHONE)
    page.fill("#query", "cat:nope")
    for menu in ("#query-help", "#columns-menu"):
        page.locator(f"{menu} summary").click()
        for viewport in (DESK, PHONE):
            page.set_viewport_size(viewport)
            assert page.locator(f"{menu} .panel-box").is_visible()
            box = page.locator(f"{menu} .panel-box").bounding_box()
            assert 0 <= box["x"] <= box["x"] + box["width"] <= viewport["width"]
        assert structure(page) == [], "on a phone; it looks the same on a desk"
        assert colours(page, f"{menu} .panel-box") == []


def test_axe_finds_no_violation_with_a_brush_a_moved_slider_and_everything_open(
    opened: Opened, payload_of: Callable[..., Payload]
) -> None:
    page = opened(payload_of(tags=6), viewport=PHONE, address="#over=shown&at=0.3&d=ap")
    for part in page.locator("details:not(.popover)").all():
        part.evaluate("(e) => (e.open = true)")
    box = near(page, "#scatter canvas")
    page.mouse.move(box["x"] + 60, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.7 * box["height"], steps=3)
    page.mouse.up()
    page.locator("#tags-status:text('of 6 tags')").wait_for()
    page.locator("#tags-box .tag").first.click()
    assert everything(page) == []


def test_axe_finds_no_violation_on_a_dataset(opened: Opened, dataset: dict[str, Any]) -> None:  # noqa: F811
    dataset["dataset"]["tags"] = dataset["dataset"]["tags"][:20]
    page = opened.show(render_dataset(dataset), viewport=PHONE)
    page.locator("details").first.evaluate("(e) => (e.open = true)")
    for viewport, found in ((PHONE, structure), (DESK, colours)):
        page.set_viewport_size(viewport)
        assert found(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_axe_finds_no_violation_without_javascript(opened: Opened, payload_of: Callable[..., Payload]) -> None:
    """axe needs scripts, so the page is put as it is without them: its own script is taken away."""
    from arena.report.html import render_comparison

    html = render_comparison(payload_of(tags=8))
    start = html.rindex("<script>")
    page = opened.show(html[:start] + html[html.rindex("</script>") :], wait=False)
    assert page.locator("#static-tags").is_visible()
    assert not page.locator("#tags").is_visible()
    assert structure(page) == []
    assert page.locator(page.locator(".skip").get_attribute("href")).is_visible(), "the skip link leads somewhere"
    assert "need JavaScript" in page.inner_text("#static-tags .hint")


def test_axe_sees_a_fault(page: Any) -> None:
    for label, hint in (("", ""), ("Search", "a hint")):
        page.evaluate(NAMED, [label, hint])
        found = violations(page, only={"type": "tag", "values": RULES}, part=".toolbar")
        assert any(one.startswith("label: ") for one in found) == (label == "")


NAMED = """([label, hint]) => {
    const field = document.getElementById("query");
    field.closest("label").firstElementChild.textContent = label;
    field.placeholder = hint;
}"""
"""Gives the search box another label and hint."""


def test_every_control_of_the_table_is_reached_by_tab(page: Any) -> None:
    page.focus("#query")
    seen = []
    script = """(() => {
      const e = document.activeElement;
      return e.id || e.name || e.dataset.key || e.className || e.closest('details')?.id;
    })()"""
    for _ in range(26):
        seen.append(page.evaluate(script))
        page.keyboard.press("Tab")
    toolbar = [
        "query",
        "query-help",
        "compared-only",
        "difference",
        "columns-menu",
        "save-csv",
        "copy-link",
        "tags-box",
    ]
    assert seen[:8] == toolbar
    assert seen[8:21] == page.locator("thead button").evaluate_all("(all) => all.map((b) => b.dataset.key)")
    assert seen[21] == "tag"
    assert "tag" not in seen[22:], "one row is a tab stop, arrow keys go on"


def test_menus_work_by_keyboard(page: Any) -> None:
    page.focus("#columns-menu summary")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert "Precision" not in " ".join(page.locator("#tags-box thead button").all_text_contents())
    page.keyboard.press("Escape")
    assert page.get_attribute("#columns-menu", "open") is None
    assert page.evaluate("document.activeElement === document.querySelector('#columns-menu summary')")
    page.keyboard.press("Space")
    page.locator("#compared-only").focus()
    assert page.get_attribute("#columns-menu", "open") is None, "it closes when the focus leaves it"


def test_bars_and_choices_stay_visible_in_forced_colours(page: Any) -> None:
    page.emulate_media(forced_colors="active")
    cell = page.locator("#tags-box td.figure").first
    image = cell.evaluate("(e) => getComputedStyle(e).backgroundImage")
    assert image.count("linear-gradient") == 3
    assert "rgba(0, 0, 0, 0)" not in image
    chosen, other = (
        page.locator(f"#difference input[value={value}] + span").evaluate("(e) => getComputedStyle(e).backgroundColor")
        for value in ("f1", "ap")
    )
    assert chosen != other


def test_less_motion_moves_nothing(page: Any) -> None:
    script = "getComputedStyle(document.querySelector('#tags-box .tag'), '::before').transitionDuration"
    assert page.evaluate(script) == "0.12s"
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(script) == "0s"


def test_print_is_light_without_controls_and_with_200_rows(opened: Opened, payload_of: Callable[..., Payload]) -> None:
    page = opened(payload_of(tags=230), color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#tags-box tr.row").count() == 200
    assert page.inner_text("#print-note") == "The first 200 of 230 tags in the order chosen on the page."
    for selector in (".toolbar", ".controls", "#query-hint", ".skip"):
        assert not page.locator(selector).first.is_visible(), selector
    last = page.locator("#tags-box tr.row").last
    assert last.is_visible()
    assert "" not in last.locator("td").all_inner_texts()
    background = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert background == "rgb(255, 255, 255)"
    assert page.locator("#tags-box").evaluate("(e) => e.scrollHeight <= e.clientHeight + 1"), "nothing is cut off"
    page.emulate_media(media="screen")
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("#tags-box tr.row").count() < 60


def test_touch_targets_of_a_phone_are_large_enough(opened: Opened, payload_of: Callable[..., Payload]) -> None:
    page = opened(payload_of(("a", "b", "c"), tags=12), viewport=PHONE, has_touch=True)
    page.locator("#tags-box .tag").first.click()
    page.locator("#query-help").evaluate("(e) => (e.open = true)")
    script = """() => ['button', 'summary', 'select', 'label', 'input[type=search]']
      .flatMap((kind) => [...document.querySelectorAll(`#tags ${kind}`)])
      .filter((e) => e.checkVisibility() && e.offsetWidth > 2)
      .map((e) => [e.tagName, e.textContent.slice(0, 30), e.offsetWidth, e.offsetHeight])
      .filter(([, , width, height]) => width < 24 || height < 24)"""
    assert page.evaluate(script) == []
