"""The table of all tags in a real browser: bars, search language, columns, CSV, and the view in the address."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arena.metrics.registry import TAG_METRICS, TAG_TABLE, TESTED
from arena.report.view import page_view
from arena.report.view_model.findings import tag_text

from ..browser import Opened
from .payloads import Payload
from .results import result_of
from .shared_pages import BARRED, rendered, three_taggers, until, view


def status(page: Any) -> str:
    return str(page.text_content("#tags-status"))


def names(page: Any) -> list[str]:
    return list(page.locator("#tags-box .tag bdi").all_text_contents())


def placed(cell: Any) -> list[list[float]]:
    """[left, right] of tick and bar of a cell, as shares of its rail; read off what the browser lays out."""
    script = """(cell) => {
      const style = getComputedStyle(cell);
      const room = cell.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
      const [sizes, places] = [style.backgroundSize, style.backgroundPositionX].map((text) => text.split(", "));
      return [0, 1].map((layer) => {
        const [width] = sizes[layer].split(" ");
        const wide = width.endsWith("%") ? (parseFloat(width) / 100) * room : parseFloat(width);
        const left = ((room - wide) * parseFloat(places[layer])) / 100;
        return [left / room, (left + wide) / room];
      });
    }"""
    return list(cell.evaluate(script))


def test_a_bar_runs_from_low_to_high_with_a_tick_at_the_figure(page: Any) -> None:
    rendered(page)
    part, whole = BARRED
    cells = page.locator("#tags-box tr.row").nth(part).locator("td.figure")
    tick, bar = placed(cells.nth(2))
    assert bar == pytest.approx([0.25, 0.75], abs=0.005)
    assert sum(tick) / 2 == pytest.approx(0.4, abs=0.03)
    assert placed(page.locator("#tags-box tr.row").nth(whole).locator("td.figure").nth(2))[1] == pytest.approx([0, 1])
    tick, bar = placed(cells.last)
    title = page.locator("thead button[data-key=difference]").get_attribute("title")
    reach = float(title.rpartition("+")[2])
    assert f"from −{reach:g} to +{reach:g}" in title
    assert bar == pytest.approx([0.5 - 0.05 / reach, 0.5 + 0.075 / reach], abs=0.005)
    assert sum(tick) / 2 == pytest.approx(0.5 - 0.025 / reach, abs=0.03)


def test_bars_of_differences_are_scaled_to_the_differences(opened: Opened, payload_of: Callable[..., Payload]) -> None:
    payload = payload_of(tags=60)
    pair = payload["tags"]["pairs"][0]["f1"]
    known = [i for i, value in enumerate(pair["difference"]) if value is not None]
    for i in known:
        pair["difference"][i], pair["low"][i], pair["high"][i] = 0.04, -0.3, 0.38
    page = opened(payload)
    assert "from −0.05 to +0.05" in page.locator("thead button[data-key=difference]").get_attribute("title")
    rendered(page)
    first = next(i for i in range(60) if i in known)
    tick, bar = placed(page.locator("#tags-box tr.row").nth(first).locator("td.figure").last)
    assert bar == pytest.approx([0, 1], abs=0.005), "a longer interval goes on past the end"
    assert sum(tick) / 2 == pytest.approx(0.9, abs=0.03)


def test_what_is_undetermined_has_a_mark_that_needs_no_colour(page: Any) -> None:
    rendered(page)
    rows = page.locator("#tags-box tr.row")
    assert rows.nth(1).locator("td").last.locator(".undetermined").count() == 1
    assert rows.nth(1).locator("td.delta").evaluate("(e) => getComputedStyle(e).backgroundSize").count(" 1px,") >= 2, (
        "hollow"
    )
    assert rows.nth(0).locator("td").last.locator(".undetermined").count() == 0
    assert rows.nth(0).locator("td").last.locator("use").get_attribute("href") == "#mark-0"
    assert page.locator("#query-hint .undetermined").count() == 1


def test_without_intervals_a_bar_is_as_long_as_the_figure(opened: Opened, payload_of: Callable[..., Payload]) -> None:
    plain = payload_of(tags=12, replicates=0)
    columns = plain["tags"]["models"]["joytag-demo"]
    columns["f1"][0], columns["mcc"][0] = 0.5, -0.25
    page = opened(plain)
    rendered(page)
    cell = page.locator("#tags-box tr.row").first.locator("td.figure").nth(2)
    assert placed(cell)[1] == pytest.approx([0, 0.5], abs=0.005)
    assert cell.get_attribute("title") is None
    assert page.locator(".undetermined").count() == 0
    view(page, "columns=mcc")
    rendered(page)
    negative = page.locator("#tags-box tr.row").first.locator("td.figure").first
    assert negative.text_content().strip() == "-0.25"
    assert placed(negative)[1] == pytest.approx([0, 0], abs=0.005), "no length"


def queried(page: Any, queries: list[str]) -> list[list[str]]:
    """Return the problem and the status that the page shows for each query."""
    script = """(queries) => queries.map((query) => {
      const field = document.getElementById("query");
      field.value = query;
      field.dispatchEvent(new Event("input", { bubbles: true }));
      return ["query-problem", "tags-status"].map((id) => document.getElementById(id).textContent);
    })"""
    return list(page.evaluate(script, queries))


def test_the_search_language(page: Any, varied: Payload) -> None:
    tags, pair = varied["tags"], varied["tags"]["pairs"][0]["f1"]
    a, b = (tags["models"][model["name"]] for model in varied["models"])
    tested = [q is not None for q in pair["q"]]
    assert {0, 1, None} <= set(pair["higher"])
    cases: dict[str, Callable[[int], bool]] = {
        "is:undetermined": lambda i: tested[i] and pair["higher"][i] is None,
        "is:decided": lambda i: tested[i] and pair["higher"][i] is not None,
        "-is:compared": lambda i: not tags["compared"][i],
        "better:wd14-demo": lambda i: pair["higher"][i] == 1,
        "better:joy": lambda i: pair["higher"][i] == 0,
        "joytag-demo.f1>0.5": lambda i: (a["f1"][i] or 0) > 0.5,
        '"wd14-demo".r<=0.4': lambda i: b["recall"][i] is not None and b["recall"][i] <= 0.4,
        "#2.fp>20 #1.tp>=9": lambda i: (b["fp"][i] or 0) > 20 and (a["tp"][i] or 0) >= 9,
        "|d|>0.2": lambda i: pair["difference"][i] is not None and abs(pair["difference"][i]) > 0.2,
        'name:tree cat:"general"': lambda i: tags["name"][i] == "tree" and tags["category"][i] == "general",
        '"-_-"': lambda i: i == 7,
        '"tree_ico': lambda i: "tree_ico" in tags["name"][i],
        "f1=0.5": lambda i: any(m["f1"][i] is not None and abs(m["f1"][i] - 0.5) < 0.005 for m in (a, b)),
        "f1=0.4762": lambda i: any(m["f1"][i] is not None and abs(m["f1"][i] - 0.4762) < 0.00005 for m in (a, b)),
        "f1=1": lambda i: any(m["f1"][i] == 1 for m in (a, b)),
    }
    for (query, passes), (problem, shown) in zip(cases.items(), queried(page, list(cases)), strict=True):
        assert problem == "", query
        assert shown == f"{sum(map(passes, range(150)))} of 150 tags", query


def test_what_cannot_be_read_is_told_and_left_out(page: Any) -> None:
    wrong = {
        "sup>": "“sup>” needs a number, such as sup>50",
        "is:good": "is: accepts undetermined, decided or compared, not “good”",
        "better:nobody": "No tagger is called “nobody”; taggers: joytag-demo and wd14-demo",
        "cat:": "cat: needs a word after the colon",
        "group:hands": "group: cannot be searched; this page has tag groups only as slices",
        "x.f1>1 q<y": "No tagger is called “x”; taggers: joytag-demo and wd14-demo. “q<y” needs a number, such as q<0.5",
    }
    assert queried(page, list(wrong)) == [[told, "150 tags"] for told in wrong.values()]
    assert page.get_attribute("#query", "aria-invalid") == "true"
    page.fill("#query", "cat:nope")
    assert (
        page.inner_text("#query-problem") == "No category begins with “nope”; categories: general, meta and character"
    )
    assert page.text_content("#tags-box .none") == "No tag matches."
    page.fill("#query", "")
    assert page.get_attribute("#query", "aria-invalid") == "false"


def test_one_tagger_alone_has_no_scatter_and_no_terms_of_two(
    opened: Opened, payload_of: Callable[..., Payload]
) -> None:
    page = opened(payload_of(("solo",), tags=40))
    needs = "needs a run of two or more taggers with intervals"
    problems = [problem for problem, _ in queried(page, ["q<0.05", "is:decided", "better:solo", ""])]
    assert problems[0] == f"q {needs}"
    assert all(needs in problem for problem in problems[1:3])
    assert not page.locator("#scatter-section").is_visible()
    assert page.locator("#tags-box tr.row").count() > 10
    assert page.locator("#tags-box thead button[data-key=q]").count() == 0


def test_a_whole_name_goes_before_the_beginnings_of_others(page_of_three: Any) -> None:
    view(page_of_three, "pair=0.1")
    (first, _), (second, _) = queried(page_of_three, ["better:ac", "a.f1>0.5"])
    assert first == "better:ac must name one of the two compared taggers: a − ab"
    assert second == ""


def test_every_example_of_the_help_can_be_read_and_inserts_itself(
    opened: Opened, payload_of: Callable[..., Payload]
) -> None:
    payload = payload_of(('quo"ted', "two words", "plain"), tags=60)
    page = opened(payload)
    count = page.locator("#query-examples .example").count()
    assert count > 12
    for term, (value, active, problem) in page.evaluate(EVERY_EXAMPLE):
        assert (value, active, problem) == (term, "query", ""), term
    page.locator("#query-help summary").press("Enter")
    page.keyboard.press("Escape")
    assert page.get_attribute("#query-help", "open") is None
    page.fill("#query", "sup>1")
    page.locator("#query-help summary").click()
    page.locator(".example", has_text="is:compared").click()
    assert page.input_value("#query") == "sup>1 is:compared"


EVERY_EXAMPLE = """() => [...document.querySelectorAll("#query-examples .example")].map((example) => {
    const [query, help] = ["query", "query-help"].map((id) => document.getElementById(id));
    query.value = "";
    query.dispatchEvent(new Event("input", { bubbles: true }));
    help.open = true;
    const term = example.textContent.trim();
    example.click();
    return [term, [query.value, document.activeElement.id, document.getElementById("query-problem").textContent]];
})"""
"""Presses every example of the help with an empty field."""


def test_columns_are_chosen_and_kept_in_the_address(page_of_three: Any) -> None:
    page = page_of_three
    page.click("#columns-menu summary")
    for label in ("Precision (P)", "AP", "Category", "q and verdict"):
        page.locator("#columns-menu label", has_text=re.compile(f"^\\s*{re.escape(label)}$")).click()
    page.locator("#others label bdi", has_text="ab").click()
    page.keyboard.press("Escape")
    heads = ["Tag", "Support", "P Precision of a", "F1 F1 of a", "P Precision of ac", "F1 F1 of ac", "Δ F1"]
    assert page.locator("#tags-box thead button").all_text_contents() == heads
    page.wait_for_url(re.compile("columns=precision\\+f1&without=1\\+category\\+q"))
    page.reload()
    assert page.locator("#tags-box thead button").all_text_contents() == heads
    assert not page.locator("#others input[value=q]").is_checked()


def test_further_metrics_are_offered_and_hidden_at_first(page: Any, varied: Payload) -> None:
    tags = varied["tags"]
    own = tags["models"]["joytag-demo"]
    keys = page.locator("#figures input").evaluate_all("(all) => all.map((box) => box.value)")
    assert keys == [metric.key for metric in TAG_METRICS if metric.on_page]
    assert {"f2", "mcc", "informedness", "roc_auc", "best_f1", "break_even"} <= set(keys)
    assert page.locator("#figures input:checked").count() == len(TAG_TABLE)
    assert not page.locator('thead button[data-key="mcc.0"]').count()
    page.click("#columns-menu summary")
    for key in ("mcc", "roc_auc"):
        page.locator(f"#figures input[value={key}]").check()
    page.keyboard.press("Escape")
    heads = page.locator('thead button[data-key$=".0"]')
    assert heads.all_text_contents()[-2:] == ["MCC MCC of joytag-demo", "AUC ROC AUC of joytag-demo"]
    assert "Matthews" in str(heads.nth(4).get_attribute("title"))
    page.fill("#query", "joytag-demo.mcc<0.35 joytag-demo.auc>0.6")
    mcc, auc = own["mcc"], own["roc_auc"]
    pairs = zip(mcc, auc, strict=True)
    fitting = {tags["name"][i] for i, (m, a) in enumerate(pairs) if m is not None and m < 0.35 and (a or 0) > 0.6}
    assert set(names(page)) <= fitting
    assert status(page).startswith(f"{len(fitting)} of")
    rendered(page)
    shown = dict(zip(names(page), page.locator("tr.row td.figure:nth-child(8)").all_text_contents(), strict=False))
    assert shown
    assert all(
        text.strip() == tag_text(varied, "joytag-demo", "mcc", tags["name"].index(name)) for name, text in shown.items()
    )


def test_the_browser_derives_the_columns_that_are_not_packed(opened: Opened) -> None:
    view = page_view(result_of(("a", "b"), images=300, replicates=20))
    page = opened(view)
    _, (head, *rows), _ = saved(page)
    tags = view["tags"]
    for row in rows:
        cells, tag = dict(zip(head, row, strict=True)), tags["name"].index(row[0])
        for model, own in tags["models"].items():
            for key in {*own} - {"threshold"}:
                text, value = cells[f"{model} {key}"], own[key][tag]
                near = pytest.approx(value, abs=0.0000501)
                assert text == "" if value is None else float(text) == near, (row[0], key)
        for key in TESTED:
            told = float(cells[f"a minus b {key} difference"])
            assert told == pytest.approx(tags["pairs"][0][key]["difference"][tag], abs=0.0000501)


def test_sorting_by_any_column_ends_in_its_order(page: Any, varied: Payload) -> None:
    keys = page.locator("#tags-box thead button").evaluate_all("(all) => all.map((b) => b.dataset.key)")
    assert len(keys) == 13
    tags = varied["tags"]
    by_name = sorted(range(150), key=lambda i: tags["name"][i])
    told = {"name": tags["name"], "category": tags["category"], "support": tags["support"]}
    pair = tags["pairs"][0]["f1"]
    for key in keys:
        figure_name, _, model = key.partition(".")
        values = told.get(key) or pair.get(key) or tags["models"][varied["models"][int(model)]["name"]][figure_name]
        order, first_names = page.evaluate(SORTED_BY, key)
        up = order == "ascending"
        defined = sorted((i for i in by_name if values[i] is not None), key=lambda i: values[i], reverse=not up)
        if not up:  # ties by name whatever the direction
            defined = sorted(defined, key=lambda i: (-values[i], tags["name"][i]))
        assert first_names == [tags["name"][i] for i in defined[:12]], key


SORTED_BY = """async (key) => {
    location.hash = "";
    await new Promise((resolve) => setTimeout(resolve));
    document.querySelector(`#tags-box thead button[data-key="${key}"]`).click();
    const names = [...document.querySelectorAll("#tags-box .tag bdi")].slice(0, 12).map((one) => one.textContent);
    return [document.querySelector("#tags-box th[aria-sort]").ariaSort, names];
}"""
"""Sorts by a column and returns the order and the first 12 names."""


# CSV

HOSTILE = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "＝1",
    " =1",
    "a,b",
    'q"uote',
    "line\nbreak",
    "猫",
    "'kept",
    "a;=1",
]


def saved(page: Any) -> tuple[str, list[list[str]], bytes]:
    """File name, cells, and the bytes."""
    with page.expect_download() as waiting:
        page.click("#save-csv")
    download = waiting.value
    content = Path(download.path()).read_bytes()
    return download.suggested_filename, list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))), content


def test_the_rows_shown_are_saved_as_csv_in_their_order(page: Any, varied: Payload) -> None:
    page.fill("#query", "sup>5 tree")
    page.locator('thead button[data-key="f1.1"]').click()
    name, (head, *rows), content = saved(page)
    assert name == "arena-demo-joytag-demo-wd14-demo-2026-11-22-tags.csv"
    assert content.startswith(b"\xef\xbb\xbf")
    assert content.endswith(b"\r\n")
    shown = [row[0] for row in rows]
    assert shown == names(page)
    assert len(shown) == int(status(page).split(" ")[0])
    tags = varied["tags"]
    for row in rows:
        i = tags["name"].index(row[0])
        cells = dict(zip(head, row, strict=True))
        assert cells["support"] == str(tags["support"][i])
        assert cells["compared"] == ("yes" if tags["compared"][i] else "no")
        for model in varied["models"]:
            own = tags["models"][model["name"]]
            for key in ("precision", "recall", "f1", "ap", "f1_low", "f1_high", "threshold", "tp", "fp", "fn", "tn"):
                text, value = cells[f"{model['name']} {key}"], own[key][i]
                near = pytest.approx(value, abs=0.0000501)
                assert text == "" if value is None else float(text) == near, (row[0], key)
        pair, said = tags["pairs"][0]["ap"], cells["joytag-demo minus wd14-demo ap higher"]
        assert said == ("" if pair["q"][i] is None else "joytag-demo" if pair["higher"][i] == 0 else "undetermined")
    assert page.inner_text("#tags-told").startswith(f"{len(shown)} tags saved")


def test_what_the_browser_derives_is_saved_with_all_digits(page_of_three: Any) -> None:
    _, (head, *rows), _ = saved(page_of_three)
    for key in ("precision", "f1"):
        cells = {row[0]: row[head.index(f"ab {key}")] for row in rows}
        values = three_taggers()["tags"]["models"]["ab"][key]
        for name, value in zip(three_taggers()["tags"]["name"], values, strict=True):
            assert cells[name] == "" if value is None else float(cells[name]) == pytest.approx(value, abs=1e-12)


def test_no_cell_of_the_csv_is_a_formula(opened: Opened, payload_of: Callable[..., Payload]) -> None:
    payload = payload_of(("=cmd|'/C calc'!A0", "../../b"), tags=len(HOSTILE))
    payload["tags"]["name"] = list(HOSTILE)
    payload["tags"]["category"] = ["@x"] * len(HOSTILE)
    payload["dataset"]["name"] = '..\\..\\CON<>:"'
    page = opened(payload)
    name, (head, *rows), content = saved(page)
    assert re.fullmatch(r"arena-[A-Za-z0-9.-]+-tags\.csv", name)
    assert ".." not in name
    assert {row[0] for row in rows} == {
        "'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\tx", "'\rx", "'＝1", "' =1", "a,b", 'q"uote', "line\nbreak", "猫", "'kept",
        "a;=1",
    }  # fmt: skip
    assert {row[1] for row in rows} == {"'@x"}
    assert head[4].startswith("'=cmd|")
    assert {len(row) for row in rows} == {len(head)}
    assert b'"a;=1"' in content, "in quotes, so that no other separator can part it"
    negative = [cell for row in rows for cell in row if cell.startswith("-")]
    assert negative
    assert all(re.fullmatch(r"-\d+(\.\d+)?(e-\d+)?", cell) for cell in negative)


# The view in the address


def test_back_and_forward_open_and_close_tags(opened: Opened, payload: Payload) -> None:
    page = opened(payload)
    opener = page.locator('.tag[aria-expanded="true"] bdi')
    page.fill("#query", "tree")
    first, second = names(page)[:2]
    page.locator("#tags-box .tag").nth(0).click()
    page.locator("#tags-box .tag").nth(1).click()
    assert opener.all_text_contents() == [second]
    page.go_back()
    assert opener.all_text_contents() == [first]
    page.go_back()
    assert opener.count() == 0
    assert page.input_value("#query") == "tree", "a search is no step of its own, and stays"
    page.go_forward()
    assert opener.all_text_contents() == [first]
    page.locator(".detail-box").focus()
    page.keyboard.press("Escape")
    assert opener.count() == 0
    assert page.evaluate("document.activeElement.textContent") == first
    page.go_back()
    assert opener.all_text_contents() == [first]


def test_an_edited_address_is_taken_and_a_jump_keeps_the_view(page: Any) -> None:
    view(page, "q=icon&sort=name-up&d=ap&compared=1")
    assert page.input_value("#query") == "icon"
    assert names(page) == sorted(names(page))
    assert page.locator("input[name=difference][value=ap]").is_checked()
    assert page.locator("#compared-only").is_checked()
    page.locator(".skip").press("Enter")
    page.wait_for_url(re.compile("q=icon"))
    assert page.input_value("#query") == "icon"


def test_an_open_tag_tells_the_difference_of_the_two_compared_now(page_of_three: Any) -> None:
    page = page_of_three
    page.locator("#tags-box .tag").first.click()
    page.locator("#tags .pair-first").select_option("a")
    assert page.locator(".detail-box .differences li").first.inner_text().startswith("Difference in F1 (a − ac)")
    assert page.locator(".detail-box").count() == 1


def test_the_link_to_the_view_is_copied(page: Any) -> None:
    page.fill("#query", "cat:meta")
    page.click("#copy-link")
    until(page, "document.getElementById('tags-told').textContent !== ''")
    assert page.inner_text("#tags-told") == "Link to this view copied."
    page.fill("#query", "")
    page.focus("#query")
    page.keyboard.press("Control+V")
    assert page.input_value("#query").endswith("index.html#q=cat%3Ameta")


def test_cells_out_of_sight_are_filled_in_after_a_pause(opened: Opened, payload_of: Callable[..., Payload]) -> None:
    page = opened(payload_of(tuple("abcdefghij"), tags=80))
    rendered(page)
    texts = page.evaluate("""() => {
      document.querySelector('thead button[data-key="f1.0"]').click();
      return [...document.querySelectorAll('#tags-box tr.row')].map((row) => [...row.children].map((cell) => cell.textContent));
    }""")
    assert not any("" in row[:10] for row in texts), "what is in sight is there at once"
    assert any(row[-1] == "" for row in texts), "the rest is not"
    rendered(page)
    assert "" not in page.locator("#tags-box tr.row td").all_text_contents()
