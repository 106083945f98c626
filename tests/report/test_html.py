"""The comparison page, rendered and read off in a real browser, offline, with the network refused."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest

from arena.base.format import digits_of_support, estimate, figure, probability, signed
from arena.report.html import JUDGED_STYLE, PAGE_SCRIPTS, PAGE_STYLES, embedded_json, render_comparison
from arena.report.view_model.findings import run_subject, tag_text

from ..browser import Opened, near
from .payloads import Payload
from .shared_pages import CORNER

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "\"quoted\" 'twice' `thrice`",
    "<!--",
    "{{ 7 * 7 }}",
    "\u202ertl mark\u202c \u05d0\u05d1\u05d2",
    "x" * 500,
    "🐈‍⬛ emoji",
    "&amp; &lt;",
    "__proto__",
    "line\u2028separator",
]


def test_embedded_json_is_the_payload_and_holds_no_markup(payload: Payload) -> None:
    payload["tags"]["name"][: len(HOSTILE)] = HOSTILE
    del payload["histograms"]  # arrays, which the page packs
    text = embedded_json(payload)
    assert json.loads(text) == payload
    assert not set("<>&\u2028\u2029") & set(text)


def test_a_figure_that_is_no_number_is_refused(payload: Payload) -> None:
    payload["models"][0]["micro"]["f1"] = float("nan")
    with pytest.raises(ValueError, match="JSON"):
        embedded_json(payload)


def test_the_policy_allows_exactly_the_inline_script_and_style(payload: Payload) -> None:
    page = render_comparison(payload)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    directives = policy[1].replace("&#39;", "'")
    assert "default-src 'none'" in directives
    assert "unsafe" not in directives
    for element in ("script", "style"):
        body = re.search(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)
        assert body
        digest = base64.b64encode(hashlib.sha256(body[1].encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in directives


def test_the_page_refers_to_nothing_outside_itself(payload: Payload) -> None:
    page = render_comparison(payload)
    references = re.findall(r'\b(?:src|href|action|srcset)="([^"]*)"', page)
    assert references
    assert [r for r in references if not r.startswith(("#", "data:image/svg+xml,"))] == []
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|innerHTML|insertAdjacentHTML|document\.write", page)
    assert not re.search(r"<[^>]+\sstyle=", page.split("<script>")[0])


def test_every_script_and_style_file_is_part_of_the_page() -> None:
    templates = files("arena.report").joinpath("templates")
    assert {path.name for path in templates.joinpath("comparison", "js").iterdir()} == set(PAGE_SCRIPTS)
    styles = {f"comparison/css/{path.name}" for path in templates.joinpath("comparison", "css").iterdir()}
    assert styles | {"page.css"} == {*PAGE_STYLES, JUDGED_STYLE}


def test_a_name_that_is_not_unicode_does_not_stop_the_page(payload: Payload) -> None:
    payload["notes"] = ["could not read \udcff.png"]
    assert "could not read \ufffd.png" in render_comparison(payload).encode().decode()


def test_the_subject_fits_one_model_and_no_minimum(payload_of: Callable[..., Payload]) -> None:
    payload = payload_of(("solo",))
    payload.update(min_positives=0, compared_tags=1)
    expected = "1 tagger scored on 1,203 images (Open Clip Art, held out), and measured on the 1 tag that it knows."
    assert run_subject(payload) == expected


def column(page: Any, number: int) -> list[str]:
    """Texts of a column of the table of tags, of the rows in the document."""
    script = "(rows, n) => rows.map((row) => row.children[n].textContent.trim())"
    return list(page.locator("#tags-box tr.row").evaluate_all(script, number))


def scroll(page: Any, command: str) -> None:
    """Scroll the table's box and wait until the frame after it is painted."""
    frames = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    page.locator("#tags-box").evaluate(f"async (box) => {{ {command}; await {frames}; }}")


def visible_names(page: Any) -> list[str]:
    return list(page.locator("#tags-box .tag bdi").all_text_contents())


def test_every_figure_of_the_table_equals_the_payload(page: Any, varied: Payload) -> None:
    tags = varied["tags"]
    seen: dict[str, list[str]] = {}
    for _ in range(7):
        rows = page.locator("#tags-box tr.row").evaluate_all(
            "(rows) => rows.map((r) => [...r.children].map((c, i) => (i ? c : c.querySelector('bdi')).textContent.trim()))"
        )
        seen.update({row[0]: row[1:] for row in rows})
        scroll(page, "box.scrollBy(0, 800)")
    assert len(seen) == len(tags["name"])
    for i, name in enumerate(tags["name"]):
        figures = [
            tag_text(varied, model["name"], key, i)
            for model in varied["models"]
            for key in ("precision", "recall", "f1", "ap")
        ]
        q = probability(tags["pairs"][0]["f1"]["q"][i])
        assert seen[name][:-2] == [tags["category"][i], f"{tags['support'][i]:,}", *figures], name
        assert seen[name][-1].split(" ")[0] == q, name
    pair = tags["pairs"][0]["f1"]
    for i in range(len(tags["name"])):
        assert seen[tags["name"][i]][-2] == difference_text(pair, i, tags["support"][i]), i


def difference_text(pair: Payload, i: int, support: int) -> str:
    value, low, high = (pair[name][i] for name in ("difference", "low", "high"))
    return signed(value, digits_of_support(support)) if low is None else estimate(value, low, high, signed).value


def test_the_leaderboard_equals_the_payload(page: Any, varied: Payload) -> None:
    for model in varied["models"]:
        row = page.locator(f'#leaderboard tr[data-model="{model["name"]}"]')
        shown = [text.split(" (best")[0] for text in row.locator(".value").all_text_contents()]
        macro, micro = model["macro"], model["micro"]
        keys = ("f1", "precision", "recall")
        figures = [model["map"], *(macro[k] for k in keys), *(micro[k] for k in keys)]
        ends = [model["intervals"][key] for key in ("map", *(f"{one}_{k}" for one in ("macro", "micro") for k in keys))]
        assert f"random {figure(model['random_map'])}" in row.locator("small").all_text_contents()
        assert shown[:7] == [estimate(value, *low_high).value for value, low_high in zip(figures, ends, strict=True)]
        assert shown[7] == model["threshold"]
        over = [text for text in row.locator("small").all_text_contents() if text.startswith("over ")]
        wanted = [model["map_tags"], *(macro[f"{key}_tags"] for key in keys)]
        assert over == [f"over {number}" for number in wanted if number != varied["compared_tags"]]


def test_sorting_by_click_and_keyboard_puts_undefined_last(page: Any, varied: Payload) -> None:
    key = 'thead button[data-key="f1.0"]'
    values = varied["tags"]["models"]["joytag-demo"]["f1"]
    order = sorted((i for i, value in enumerate(values) if value is not None), key=lambda i: values[i])
    defined = [tag_text(varied, "joytag-demo", "f1", i) for i in order]
    page.click(key)
    assert page.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
    assert column(page, 5)[:3] == defined[:-4:-1]
    page.keyboard.press("Enter")
    assert page.locator("th[aria-sort]").get_attribute("aria-sort") == "ascending"
    assert column(page, 5)[:3] == defined[:3]
    scroll(page, "box.scrollTo(0, box.scrollHeight)")
    assert column(page, 5)[-1] == "–"
    page.locator(key).press("Space")
    assert page.locator("th[aria-sort]").text_content() == "Support", "a third time goes back to the first order"
    assert visible_names(page)[:3] == varied["tags"]["name"][:3]
    page.locator(key).press("Space")
    scroll(page, "box.scrollTo(0, box.scrollHeight)")
    assert column(page, 5)[-1] == "–"


def test_search_takes_words_and_comparisons(page: Any, varied: Payload) -> None:
    tags = varied["tags"]
    a, b = (tags["models"][model["name"]]["f1"] for model in varied["models"])
    differences = tags["pairs"][0]["f1"]["difference"]

    def expected(passes: Callable[[int], bool]) -> str:
        return f"{sum(map(passes, range(len(a))))} of 150 tags"

    cases: dict[str, Callable[[int], bool]] = {
        "TREE icon": lambda i: "tree" in tags["name"][i] and "icon" in tags["name"][i],
        "cat:meta sup>50": lambda i: tags["category"][i] == "meta" and tags["support"][i] > 50,
        "d<-0.05": lambda i: differences[i] is not None and differences[i] < -0.05,
        "f1>=0.8 -icon": lambda i: max(a[i] or 0, b[i] or 0) >= 0.8 and "icon" not in tags["name"][i],
        ">_<": lambda i: tags["name"][i] == ">_<",
        '"d>e"': lambda i: tags["name"][i] == "d>e",
        "--icon": lambda i: "icon" in tags["name"][i],
        "---icon": lambda i: "icon" not in tags["name"][i],
        "-" * 50_001: lambda i: (
            "-" in tags["name"][i]
        ),  # a function that calls itself for each dash would run out of stack
    }
    for query, passes in cases.items():
        page.fill("#query", query)
        assert page.text_content("#tags-status") == expected(passes), query
    page.fill("#query", "sup>many")
    assert "needs a number" in (page.text_content("#query-problem") or "")
    page.fill("#query", "no_such_tag")
    assert page.text_content("#tags-box .none") == "No tag matches."
    page.fill("#query", "")
    page.check("#compared-only")
    assert page.text_content("#tags-status") == f"{sum(tags['compared'])} of 150 tags"


def test_a_row_opens_to_its_counts_and_says_why_it_is_not_compared(page: Any, varied: Payload) -> None:
    tags = varied["tags"]
    lacking = tags["models"]["joytag-demo"]["tp"].index(None)
    page.locator("#tags-box .tag").first.press("Enter")
    cells = [
        text.split("[")[0] for text in page.locator(".detail-box tbody tr").first.locator("td").all_text_contents()
    ]
    first = {key: values[0] for key, values in tags["models"]["joytag-demo"].items()}
    assert cells[:4] == [tag_text(varied, "joytag-demo", key, 0) for key in ("precision", "recall", "f1", "ap")]
    assert cells[5:] == [f"{first[key]:,}" for key in ("tp", "fp", "fn", "tn")]
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.textContent") == tags["name"][1]
    page.fill("#query", f'"{tags["name"][lacking]}"')
    page.locator("#tags-box tr.row").first.click()
    assert "joytag-demo does not know it" in (page.text_content(".detail-box") or "")
    assert page.locator(".detail-box tbody tr").first.locator("td").all_text_contents() == ["–"] * 9


def test_hostile_names_are_shown_as_text(opened: Opened, payload_of: Callable[..., Payload]) -> None:
    models = ("__proto__", "</script><b>bold</b>" + "y" * 500)
    payload = payload_of(models)
    payload["tags"]["name"][: len(HOSTILE)] = HOSTILE
    payload["notes"] = payload["provenance"][0]["rows"][0] = HOSTILE[:2]
    payload["dataset"]["title"] = HOSTILE[0]
    page = opened(payload, viewport={"width": 360, "height": 800})
    assert visible_names(page)[: len(HOSTILE)] == HOSTILE
    assert page.locator("h1").inner_text().replace("\n", " ") == " vs ".join(models)
    assert page.locator(".notes li").all_text_contents() == HOSTILE[:2]
    assert page.locator("img, b:text-is('bold')").count() == 0
    for i in (1, 6):
        page.locator("#tags-box .tag").nth(i).click()
        assert page.text_content(".detail-box .full") == HOSTILE[i]
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_a_dot_of_the_scatter_opens_its_tag(page: Any, varied: Payload) -> None:
    tags = varied["tags"]
    page.fill("#query", "nothing_like_it")
    page.fill("#query", "")
    canvas = page.locator("#scatter canvas")
    box = near(page, "#scatter canvas")
    x = 50 + 0.02 * (box["width"] - 62)
    y = box["height"] - 42 - 0.98 * (box["height"] - 54)
    canvas.hover(position={"x": x, "y": y})
    assert page.text_content("#scatter .tip b") == tags["name"][CORNER]
    canvas.click(position={"x": x, "y": y})
    opener = page.locator('.tag[aria-expanded="true"]')
    assert opener.text_content() == tags["name"][CORNER]
    assert opener.evaluate("(e) => e === document.activeElement")
    canvas.focus()
    page.keyboard.press("ArrowRight")
    assert page.text_content("#scatter .tip b") == tags["name"][CORNER]


def test_the_address_keeps_the_view(page: Any) -> None:
    page.fill("#query", "sup>20 icon")
    page.click('thead button[data-key="ap.1"]')
    page.check("#compared-only")
    page.locator("#tags-box .tag").first.click()
    before = visible_names(page)
    page.wait_for_url(re.compile("tag="))
    page.reload()
    page.wait_for_selector("#tags-box tr.row")
    assert visible_names(page)[:2] == before[:2]
    assert page.input_value("#query") == "sup>20 icon"
    assert page.locator("th[aria-sort]").text_content() == "AP AP of wd14-demo"
    assert page.locator('.tag[aria-expanded="true"]').text_content() == before[0]


def test_many_tags_need_few_rows_in_the_document(opened: Opened, payload_of: Callable[..., Payload]) -> None:
    page = opened(payload_of(tuple("abcd"), tags=1013, images=32768))
    assert page.text_content("#tags-status") == "1,013 tags"
    assert page.locator("#tags-box tr.row").count() < 60
    assert page.locator("#tags .pair-first option").count() == 4
    page.locator("#tags-box .tag").first.press("End")
    assert page.locator("#tags-box tr.row").last.get_attribute("aria-rowindex") == "1015"


def test_the_best_two_are_compared_first_and_the_reader_picks_others(page_of_three: Any) -> None:
    page = page_of_three
    chosen = page.locator("#tags .choice select")
    assert [one.input_value() for one in chosen.all()] == ["1", "2"]
    assert page.locator("#tags-box tr.row").first.locator("td").nth(-2).inner_text().strip() == "+0.12"
    assert str(page.text_content("#scatter-tally")).startswith("F1 is higher for ab")
    page.fill("#query", "d=0.1234")
    assert page.text_content("#tags-status") == "1 of 150 tags"
    chosen.first.select_option("a")
    assert str(page.text_content("#scatter-tally")).startswith("F1 is higher for a on"), "the scatter follows"
    assert [one.input_value() for one in page.locator("#scatter-section .choice select").all()] == ["0", "2"]
    page.wait_for_url("**pair=0.2**")


def test_nothing_to_compare_still_opens(opened: Opened, payload_of: Callable[..., Payload]) -> None:
    page = opened(payload_of(tags=40, images=20))
    assert page.text_content(".finding .detail") == "undefined: no tag to average over."
    assert str(page.text_content("#scatter-tally")).startswith("F1 is higher for joytag-demo on 0 tags")
    assert page.locator("#tags-box tr.out").count() > 10
    opened(payload_of(tags=0)).locator("#tags-box .none").wait_for()


def test_without_javascript_the_summary_and_top_tags_are_there(scriptless: Any, varied: Payload) -> None:
    page = scriptless
    assert page.locator("#leaderboard tbody tr").count() == 2
    assert page.locator(".static tbody tr").count() == 50
    assert not page.locator("#charts").is_visible()
    first = page.locator(".static tbody tr").first.locator("td").all_text_contents()
    assert first[1] == tag_text(varied, "joytag-demo", "precision", 0)
