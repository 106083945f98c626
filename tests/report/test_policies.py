"""One threshold policy for the whole page, any pair of taggers, and hovering that changes nothing, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from arena.base.format import estimate
from arena.report.html import render_comparison

from ..browser import Opened, SharedPage, Tabs, near
from .payloads import Payload, make_payload
from .shared_pages import rendered, until, view

TEN = tuple(f"tagger-{letter}" for letter in "abcdefghij")


@pytest.fixture(scope="module")
def ten() -> Payload:
    """The page of ten models, whose tests by tag are those of the pairs with the best."""
    payload = make_payload(TEN, tags=40)
    best = max(range(len(TEN)), key=lambda place: payload["models"][place]["macro"]["f1"])
    payload["tags"]["pairs"] = [one for one in payload["tags"]["pairs"] if best in (one["first"], one["second"])]
    return payload


@pytest.fixture(scope="module")
def _page_of_ten(ten: Payload, tabs: Tabs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedPage]:
    opener = Opened(tabs, tmp_path_factory.mktemp("ten"))
    yield SharedPage(opener, render_comparison(ten))
    opener.close()


@pytest.fixture
def page_of_ten(_page_of_ten: SharedPage) -> Iterator[Any]:
    yield _page_of_ten.fresh()
    _page_of_ten.silent()


def number(text: str) -> float:
    """Return a printed number, which has as many digits as are known."""
    return float(text.strip().replace("−", "-"))


def test_one_switch_changes_every_part_of_the_page(page: Any, varied: Payload) -> None:
    before = page.text_content("#scatter-tally")
    page.locator("#policy").select_option("tag")
    page.wait_for_url(re.compile("thresholds=tag"))
    assert page.inner_text(".verdict:visible").startswith("At one threshold per tag ")
    assert page.locator(".board:visible").get_attribute("aria-label") == "Leaderboard: By tag, scrolls sideways"
    rendered(page)
    tag = varied["tags"]["name"].index(page.locator("#tags-box .tag bdi").first.text_content())
    for place, counts in enumerate(varied["policy_counts"]["models"].values()):
        tp, fp, support = counts["tag"]["tp"][tag], counts["tag"]["fp"][tag], varied["tags"]["support"][tag]
        wanted = [tp / (tp + fp), tp / support, 2 * tp / (tp + fp + support)]
        cells = page.locator("#tags-box tr.row").first.locator("td.figure").all_inner_texts()
        assert [number(text) for text in cells[4 * place : 4 * place + 3]] == pytest.approx(wanted, abs=0.006)
    assert page.text_content("#scatter-tally") != before
    assert "tested at own thresholds only" in str(page.text_content("#scatter-tally"))
    assert page.locator("#tags-title + .policy-name").inner_text() == "thresholds “By tag”"
    assert page.locator("#slices-section .only-own").is_visible(), "slices exist at own thresholds only"
    assert "thresholds “By tag”" in page.inner_text("#sweep-readout")
    assert page.locator("#tags-box thead button[data-key=q]").count() == 0
    page.fill("#query", "is:decided")
    assert page.inner_text("#query-problem") == "is:decided of F1 was computed at the own thresholds only"


def test_a_link_opens_the_page_under_its_policy(opened: Opened, varied: Payload) -> None:
    page = opened(varied, address="#thresholds=break_even&metric=micro_f1")
    assert page.input_value("#policy") == "break_even"
    assert page.inner_text(".verdict:visible").startswith("At one threshold for all tags, with P = R, ")
    assert page.locator(".standing:visible").count() == 1
    cell = next(one for one in varied["regimes"] if one["name"] == "break_even")["models"]
    shown = page.locator(".standing:visible .values").all_inner_texts()
    values = sorted((one["micro_f1"] for one in cell), reverse=True)
    assert [" ".join(text.split()) for text in shown] == [str(estimate(value, 0.3, 0.4)) for value in values]
    view(page, "q=icon")
    until(page, "document.getElementById('policy').value === 'own'")
    assert page.inner_text(".verdict:visible").startswith("At their own thresholds ")


def test_counts_unknown_at_a_policy_are_dashes_and_their_metrics_zero(page: Any, varied: Payload) -> None:
    first = next(iter(varied["policy_counts"]["models"].values()))["tag"]
    tag = next(i for i, (tp, fp) in enumerate(zip(first["tp"], first["fp"], strict=True)) if tp == 0 and fp is None)
    view(page, f"thresholds=tag&tag={varied['tags']['name'][tag]}")
    page.wait_for_selector(".detail-box")
    until(page, "document.querySelector('.detail-box').textContent.includes('0.46')")
    cells = page.locator(".detail-box table").first.locator("tbody tr").first.locator("td").all_inner_texts()
    assert number(cells[0]) == number(cells[2]) == 0
    assert cells[-4:] == ["0", "–", str(varied["tags"]["support"][tag]), "–"]


def test_every_pair_of_ten_can_be_chosen_in_either_order(page_of_ten: Any, ten: Payload) -> None:
    page = page_of_ten
    assert page.locator("#pairs .pair-first option").count() == 10
    columns = ten["tags"]["models"]
    for first, second in ((7, 2), (9, 0)):
        page.locator("#pairs .pair-first").select_option(str(first))
        page.locator("#pairs .pair-second").select_option(str(second))
        page.wait_for_url(re.compile(f"pair={first}.{second}"))
        tag = ten["tags"]["name"].index(page.locator("#tags-box .tag bdi").first.text_content())
        a, b = (columns[TEN[place]]["f1"][tag] for place in (first, second))
        rendered(page)
        shown = page.locator("#tags-box tr.row td.delta").first.inner_text()
        assert number(shown) == pytest.approx(a - b, abs=0.006)
        assert f"F1 is higher for {TEN[first]} on" in str(page.text_content("#scatter-tally"))
        assert f"{TEN[first]} minus {TEN[second]}" in page.inner_text("#forest .panel-title >> nth=0")
    page.locator("#pairs .pair-second").select_option("9")
    page.wait_for_url(re.compile("pair=0.9"))  # the same tagger twice: the two change places


def test_the_matrix_has_every_pair_with_interval_and_verdict(page_of_ten: Any, ten: Payload) -> None:
    page = page_of_ten
    cells = page.locator("#matrix tbody td:not(.same)")
    assert cells.count() == 90
    row = next(
        one
        for one in ten["differences"]
        if (one["figure"], one["first"], one["second"]) == ("macro_f1", TEN[1], TEN[4])
    )
    there, back = (page.locator(f'#matrix button[data-pair="{pair}"]') for pair in ("1.4", "4.1"))
    value = f"{abs(row['difference']):.3f}".removeprefix("0")
    signs = ("+", "−") if row["difference"] > 0 else ("−", "+")
    for button, sign in zip((there, back), signs, strict=True):
        assert f"? {sign}{value}" in button.inner_text()
        assert "undetermined" in str(button.text_content())
    there.click()
    page.wait_for_url(re.compile("pair=1.4"))
    assert there.get_attribute("aria-pressed") == "true"


def test_a_decided_pair_is_higher_in_its_row_and_lower_in_the_other(
    opened: Opened, payload_of: Callable[..., Payload]
) -> None:
    payload = payload_of(("a", "b", "c"), tags=24)
    row = next(
        one for one in payload["differences"] if (one["figure"], one["first"], one["second"]) == ("macro_f1", "a", "c")
    )
    row.update(difference=-0.05, low=-0.07, high=-0.03, higher="c", p=0.001)
    page = opened(payload)
    assert page.inner_text('#matrix button[data-pair="2.0"]').startswith("▲ +.050")
    assert page.inner_text('#matrix button[data-pair="0.2"]').startswith("▼ −.050")
    assert page.locator("#matrix td.higher").count() == page.locator("#matrix td.lower").count() == 1


def test_hovering_shows_and_changes_nothing(page: Any) -> None:
    box = near(page, "#sweep")
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + box["height"] / 2)
    held = page.evaluate("[location.href, document.getElementById('sweep-range').value]")
    shown = page.text_content("#sweep-at")
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + box["height"] / 2)
    assert page.text_content("#sweep-at") != shown, "the table follows the pointer"
    page.wait_for_timeout(300)  # longer than the pause after which the address would change
    assert page.evaluate("[location.href, document.getElementById('sweep-range').value]") == held
    page.mouse.move(5, 5)
    until(page, f"document.getElementById('sweep-at').textContent === (Number({held[1]}) / 100).toFixed(2)")
    page.mouse.click(box["x"] + 0.8 * box["width"], box["y"] + box["height"] / 2)
    page.wait_for_url(re.compile("at=0"))


def test_a_heading_has_an_anchor_and_the_contents_lead_to_it(page: Any) -> None:
    page.locator(".contents summary").press("Enter")
    targets = page.locator(".contents a").evaluate_all("(links) => links.map((a) => a.hash.slice(1))")
    assert page.evaluate("(ids) => ids.every((id) => document.getElementById(id) !== null)", targets)
    page.locator('.contents a[href="#slices-title"]').click()
    assert not page.locator(".contents nav").is_visible()
    page.wait_for_url(re.compile("section=slices-title"))
    top = page.locator("#slices-title").evaluate("(e) => e.getBoundingClientRect().top")
    assert 0 < top < 120, "below the bar"
    anchor = page.locator("#slices-title + .anchor")
    anchor.focus()
    assert anchor.evaluate("(e) => getComputedStyle(e).opacity") == "1"
    page.locator(".topbar .up").click()
    until(page, "window.scrollY === 0")


@pytest.mark.parametrize("width", [1280, 1920])
def test_every_column_of_the_leaderboard_is_on_the_screen(page_of_ten: Any, width: int) -> None:
    page = page_of_ten
    page.set_viewport_size({"width": width, "height": 900})
    box = page.locator(".board:visible")
    assert box.evaluate("(e) => e.scrollWidth <= e.clientWidth")
    head = box.locator("thead th", has_text="Parameters").bounding_box()
    assert head["x"] + head["width"] <= width


SIGNS = """() => [...document.querySelectorAll(".scroll")].filter((box) => box.checkVisibility()).map((box) => [
    box.scrollWidth - box.clientWidth > 2, !box.nextElementSibling.querySelector(".more-right").hidden])"""
"""Reads of each box that scrolls whether it has more to the right, and whether it has the sign of that."""


def test_what_is_off_the_screen_has_a_sign(page_of_ten: Any) -> None:
    page = page_of_ten
    page.set_viewport_size({"width": 360, "height": 800})
    near(page, "#leaderboard")
    boxes = page.evaluate(SIGNS)
    assert len(boxes) > 5
    assert [more for more, _ in boxes] == [sign for _, sign in boxes]
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_slices_of_ten_have_no_tall_rows(page_of_ten: Any) -> None:
    page = page_of_ten
    page.locator("#slices-table").evaluate("(e) => (e.open = true)")
    heights = page.locator("#slices tbody tr").evaluate_all("(rows) => rows.map((row) => row.offsetHeight)")
    assert max(heights) < 80


def test_the_first_screen_has_the_verdict_the_picture_and_the_differences(page: Any, tmp_path: Path) -> None:
    bottom = page.viewport_size["height"]
    for part in (".verdict:visible", ".standing:visible", "#decided-list li >> nth=2"):
        found = page.locator(part).bounding_box()
        assert found["y"] + found["height"] < bottom, part
    assert page.locator("#behind").evaluate("(e) => !e.open")
    link = page.locator("#decided-list a").first
    name = link.text_content()
    link.click()
    assert page.locator('.tag[aria-expanded="true"]').text_content() == name
