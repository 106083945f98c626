"""Intervals, verdicts and evidence on the page, read off in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from arena.base.format import estimate, figure, probability

from ...browser import Opened, near
from ..payloads import Payload, set_value
from ..shared_pages import rendered
from ..test_dots import dots


def text_of(page: Any, selector: str) -> str:
    """The words of an element, which may be too far below the screen to have a layout."""
    return " ".join(page.locator(selector).first.evaluate(WORDS).split())


WORDS = """(element) => {
    const [walker, found] = [document.createTreeWalker(element, NodeFilter.SHOW_TEXT), []];
    while (walker.nextNode()) found.push(walker.currentNode.data);
    return found.join(" ");
}"""


def test_verdict_cards_and_leaderboard_show_intervals(opened: Opened, payload: Payload) -> None:
    set_value(payload, "map", (0.3, 0.4), higher="wd14-demo")
    for model, rank in zip(payload["models"], (2, 1), strict=True):
        model["intervals"]["map"] = [model["map"] - 0.02, model["map"] + 0.02]
        model["ranks"]["map"] = {"rank": rank, "tied_with_best": rank == 1}
    page = opened(payload)
    headline = "At their own thresholds wd14-demo has the higher mAP; macro F1 and micro F1 are undetermined."
    assert page.inner_text(".verdict:visible") == headline, "one sentence"
    assert str(page.text_content("#whole-verdict")).startswith(f"By recorded labels: {headline} ")
    assert [text.strip() for text in page.locator(".finding .lead").all_text_contents()] == [
        "undetermined", "undetermined", "wd14-demo",
    ]  # fmt: skip
    cell = page.locator('#leaderboard tr[data-model="wd14-demo"] td').first
    assert cell.locator("small").all_inner_texts()[:2] == [
        "[0.380, 0.420]",
        f"random {figure(payload['models'][1]['random_map'])}",
    ]
    assert cell.evaluate("(e) => e.classList.contains('best')")
    assert page.locator("#leaderboard td.best .range").count() == 1, "no headline figure but mAP is decided"


def test_regimes_slices_calibration_and_labels_are_there_without_javascript(scriptless: Any, varied: Payload) -> None:
    page = scriptless
    assert page.locator("#regimes tbody tr").count() == 9
    assert "(not a result)" in text_of(page, "#regimes .flatters th")
    assert text_of(page, "#regimes tbody tr:nth-child(7) td:nth-child(4)") == "0.4–0.9"
    assert page.locator("#slices tbody").count() == 3
    assert "undetermined, p 0.60" in text_of(page, "#slices .told")
    assert page.locator(".reliability path.curve").count() == 2
    drawn = page.locator(".reliability use").count()
    assert drawn == 2 * sum(one[4] >= 10 for one in varied["calibration"][0]["bins"]) < 40
    labels = text_of(page, "section[aria-labelledby=labels-title]")
    assert "1,894 labels look missing to every model" in labels
    assert "wd14-demo 1,000 250 25.0 %" in labels
    recorded = text_of(page, "#recorded-labels")
    assert recorded.startswith("Labels. All metrics are by recorded labels")
    assert "25.0 % of the false positives of joytag-demo and 25.0 % of those of wd14-demo" in recorded
    assert "Nothing was removed" in labels
    assert "Uncertainty." in text_of(page, "#recorded-labels + .caveat")


def test_the_leaderboard_of_a_regime_is_chosen_without_javascript(scriptless: Any, varied: Payload) -> None:
    page = scriptless
    assert page.locator(".board").count() == len(varied["regimes"]) == 7
    assert page.locator(".board:visible").count() == 1
    page.locator("#policy").select_option("tag")
    assert page.locator(".board:visible").get_attribute("aria-label") == "Leaderboard: By tag, scrolls sideways"
    assert "0.4–0.9" in page.inner_text(".board:visible tbody tr:first-child td:nth-last-child(4)")


def test_the_page_says_how_to_make_it_again(page: Any) -> None:
    near(page, ".recipe")
    recipe = page.locator(".recipe div").all_inner_texts()
    assert recipe[0] == "Command\narena run"
    assert any(line.startswith("Dataset\ndemo sha256:ab12") for line in recipe)


def test_the_table_shows_q_and_greys_what_is_undetermined(page: Any, varied: Payload) -> None:
    q = varied["tags"]["pairs"][0]["f1"]["q"]
    rendered(page)
    assert page.locator("#tags-box thead button[data-key=q]").count() == 1
    rows = page.locator("#tags-box tr.row")
    assert rows.nth(0).locator("td").last.inner_text() == f"{probability(q[0])}\njoytag-demo is higher"
    assert rows.nth(1).locator("td").last.get_attribute("title") == "undetermined"
    classes = [rows.nth(i).locator("td.figure").last.get_attribute("class").split() for i in (0, 1)]
    assert ["open" in names for names in classes] == [False, True]
    low, high = (varied["tags"]["models"]["joytag-demo"][f"f1_{end}"][0] for end in ("low", "high"))
    assert (
        rows.nth(0).locator("td.figure").nth(2).get_attribute("title")
        == f"95 % interval {estimate(None, low, high).interval}"
    )
    page.check("input[name=difference][value=ap]", force=True)
    assert rows.nth(0).locator("td").last.inner_text() == "0.032\nwd14-demo is higher"
    assert rows.nth(1).locator("td").last.text_content() == ">0.05 undetermined"


def test_q_sorts_the_surest_first_and_is_searched(page: Any, varied: Payload) -> None:
    q = varied["tags"]["pairs"][0]["f1"]["q"]
    page.locator("#tags-box thead button[data-key=q]").press("Enter")
    assert page.locator("th[aria-sort]").get_attribute("aria-sort") == "ascending"
    assert page.locator("#tags-box tr.row td:last-child").first.text_content() == "0.0004 joytag-demo is higher"
    for query, passes in {
        "q<0.05": lambda value: value < 0.05,
        "q<=0.01 sup>0": lambda value: value <= 0.01,
        "q>0.05": lambda value: value > 0.05,
    }.items():
        page.fill("#query", query)
        expected = sum(value is not None and passes(value) for value in q)
        assert page.text_content("#tags-status") == f"{expected} of 150 tags", query
    assert 0 < expected < 150


def test_an_open_row_shows_intervals_verdicts_and_images(page: Any, varied: Payload) -> None:
    page.locator("#tags-box .tag").first.press("Enter")
    columns = varied["tags"]["models"]["joytag-demo"]
    cells = page.locator(".detail-box table").first.locator("tbody tr").first.locator("td")
    shown = " ".join(cells.nth(2).inner_text().split())
    assert shown == str(estimate(*(columns[f"f1{end}"][0] for end in ("", "_low", "_high"))))
    lines = page.locator(".detail-box .differences li").all_inner_texts()
    assert lines[0].endswith("[−0.12, +0.06], q 0.0004: joytag-demo is higher.")
    page.wait_for_selector(".evidence")
    lists = page.locator(".evidence").first.locator("ol")
    assert lists.count() == 4
    assert lists.first.locator("li").all_inner_texts() == ["animals-bug_01 0.9100", "people-face_02 0.5000"]
    assert lists.nth(2).locator("li").first.inner_text() == "animals-bug_01 0.8100", "the second tagger's"
    assert lists.nth(1).locator("li").all_inner_texts() == ["<b>x</b> 0.0500"]
    name = varied["tags"]["name"][0]
    assert page.locator(".evidence ul li").first.inner_text() == f"{name} 4 images, 0.7 expected by chance"
    assert page.locator(".evidence h4").first.inner_text() == "False positives with the highest scores threshold 0.4"
    parted = page.locator(".evidence").nth(1)
    assert " ".join(parted.locator("h4").inner_text().split()) == "joytag-demo right, wd14-demo wrong"
    assert parted.locator("li").inner_text() == "people-face_02 tagged 0.7000 0.2000"
    assert [one.get_attribute("aria-label") for one in parted.locator("li svg").all()] == ["joytag-demo", "wd14-demo"]


def test_where_there_is_no_room_for_images_the_row_says_so(page: Any, varied: Payload) -> None:
    compared = [i for i, use in enumerate(varied["tags"]["compared"]) if use]
    page.fill("#query", f'"{varied["tags"]["name"][compared[5]]}"')
    page.locator("#tags-box tr.row").first.click()
    page.wait_for_selector("text=This page lists images for 3 of")
    assert page.locator(".evidence").count() == 0


def test_without_intervals_the_page_stays_with_point_estimates(opened: Opened, plain: Payload) -> None:
    page = opened(plain)
    assert page.locator("#pairs, #regimes, #slices, #labels, #leaderboard .range").count() == 0
    assert page.inner_text(".verdict").endswith("point estimates, not tested.")
    assert "No intervals were computed" in str(page.text_content("#recorded-labels + .caveat"))
    assert page.locator("#tags-box thead button[data-key=q]").count() == 0
    page.locator("#tags-box .tag").first.press("Enter")
    assert page.locator(".detail-box small, .detail-box .differences").count() == 0
    above = sum(a > b for a, b in dots(plain).values())
    tally = str(page.text_content("#scatter-tally"))
    assert tally.startswith(f"F1 is higher for joytag-demo on {above} tags, ")
    assert "equal on" in tally
    page.fill("#query", "q<0.05")
    assert page.inner_text("#query-problem") == "q needs a run of two or more taggers with intervals"


@pytest.mark.parametrize("names", [("a", "</script><b>bold</b>" + "y" * 500), ("\u202emodel", "b", "x" * 300)])
def test_nothing_widens_a_phone(opened: Opened, payload_of: Callable[..., Payload], names: tuple[str, ...]) -> None:
    payload = payload_of(names, tags=24)
    payload["slices"][0]["title"] = "<i>" + "s" * 300
    payload["evidence"]["images"][0] = "i" * 400
    set_value(payload, "map", tuple(0.3 + 0.1 * i for i in range(len(names))), higher=names[1])
    page = opened(payload, viewport={"width": 360, "height": 800})
    page.locator("#tags-box .tag").first.click()
    page.wait_for_selector(".evidence li")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.locator("b:text-is('bold'), main i:not(.out)").count() == 0
