"""The threshold lab and the curves of a tag, moved and read off in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from arena.base.format import digits_of_support, figure, known_digits
from arena.cards import Thresholds
from arena.dataset.frozen import Truth
from arena.evaluate import Settings, evaluate
from arena.metrics.counts import CONVENTIONS, TagCounts
from arena.metrics.thresholds import on_sweep
from arena.report.html import render_comparison
from arena.report.page import histograms
from arena.report.view import page_view
from arena.results.run_folder import Result
from arena.tags import TagSpace

from ..browser import Opened, near
from ..evaluate.worlds import entry, labels_of, see
from .payloads import Payload
from .shared_pages import view

FIGURES = ("precision", "recall", "f1")
MARGIN = {"left": 46, "right": 16, "top": 14, "bottom": 40}


def shown(page: Any) -> list[list[str]]:
    """A row a model: macro precision, recall and F1, then micro; each macro with what its mean ran over."""
    script = """(rows) => rows.map((row) => [...row.querySelectorAll("td:not(.unprinted)")].map(
        (cell) => [...cell.children].map((part) => part.textContent).join(" ")))"""
    return list(page.locator("#sweep-readout tbody tr").evaluate_all(script))


def move(page: Any, place: int) -> None:
    page.locator("#sweep-range").evaluate(
        "(range, place) => { range.value = place; range.dispatchEvent(new Event('input', { bubbles: true })); }", place
    )


def published(view: Payload, name: str, place: int) -> list[str]:
    """What a row should show at a threshold; how many tags a mean is over is said only where it is not over all."""
    [model] = (one for one in view["models"] if one["name"] == name)
    curves = {key: values[place] for key, values in view["sweep"]["models"][name].items()}
    return cells_of(model, curves, view["compared_tags"])


def cells_of(model: Payload, figures: Payload, tags: int) -> list[str]:
    macro = [
        f"{mean_text(model, f'macro_{name}', figures[f'macro_{name}'])} {fewer(figures[f'macro_{name}_tags'], tags)}"
        for name in FIGURES
    ]
    return macro + [mean_text(model, f"micro_{name}", figures[f"micro_{name}"]) for name in FIGURES]


def mean_text(model: Payload, key: str, value: float | None) -> str:
    ends = model["intervals"][key]
    return figure(value, known_digits(*ends) if ends else 4)


def fewer(number: int, tags: int) -> str:
    return "" if number == tags else f"over {number}"


def test_the_slider_moves_every_figure_to_the_sweeps(page: Any, varied: Payload) -> None:
    curves = varied["sweep"]["models"]
    for place in (0, 35, 97, 100):
        move(page, place)
        assert shown(page) == [published(varied, model["name"], place) for model in varied["models"]]
        assert page.text_content("#sweep-at") == f"{place / 100:.2f}"
    assert shown(page)[0][0] == "– ", "precision is undefined there"
    page.focus("#sweep-range")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert shown(page)[1] == published(varied, "wd14-demo", 1)
    told = page.get_attribute("#sweep-range", "aria-valuetext")
    assert told == "0.01: macro F1 " + ", ".join(
        f"{model['name']} {mean_text(model, 'macro_f1', curves[model['name']]['macro_f1'][1])}"
        for model in varied["models"]
    )


def test_pointer_slider_and_crosshairs_are_in_step(page: Any, varied: Payload) -> None:
    box = near(page, "#sweep")
    width = box["width"] - MARGIN["left"] - MARGIN["right"]
    page.locator("#sweep").click(position={"x": MARGIN["left"] + 0.7 * width, "y": 100})
    assert page.text_content("#sweep-at") == "0.70"
    assert page.input_value("#sweep-range") == "70"
    line = page.locator("#sweep .cross")
    assert float(line.get_attribute("x1")) == pytest.approx(MARGIN["left"] + 0.7 * width, abs=0.5)
    thumb = page.locator("#sweep-range").bounding_box()
    centre = thumb["x"] + 8 + 0.7 * (thumb["width"] - 16)
    assert centre == pytest.approx(box["x"] + MARGIN["left"] + 0.7 * width, abs=1), "under the crosshair"
    curve = varied["sweep"]["models"]["wd14-demo"]
    dot = page.locator("#sweep-pr .crosshair circle").nth(1)
    place = place_of(page.locator("#sweep-pr"), curve["macro_recall"][70], curve["macro_precision"][70])
    assert (float(dot.get_attribute("cx")), float(dot.get_attribute("cy"))) == pytest.approx(place, abs=0.1)
    x, y = place_of(page.locator("#sweep-pr"), curve["macro_recall"][20], curve["macro_precision"][20])
    page.locator("#sweep-pr").hover(position={"x": x, "y": y})
    assert page.text_content("#sweep-at") == "0.20"


def place_of(plot: Any, x: float, y: float) -> tuple[float, float]:
    """Return the place of a point in a plot, in its pixels."""
    return place_in(size_of(plot), x, y)


def size_of(plot: Any) -> tuple[float, float]:
    width, height = plot.evaluate("(box) => [box.clientWidth, box.clientHeight]")
    return width, height


def place_in(size: tuple[float, float], x: float, y: float) -> tuple[float, float]:
    width, height = size
    return (
        MARGIN["left"] + x * (width - MARGIN["left"] - MARGIN["right"]),
        height - MARGIN["bottom"] - y * (height - MARGIN["top"] - MARGIN["bottom"]),
    )


def test_the_address_keeps_threshold_and_choices(opened: Opened, payload: Payload) -> None:
    page = opened(payload, address="#at=0.35&over=shown&average=micro&curve=recall&q=icon")
    near(page, "#sweep")
    page.locator("#sweep-over:text('12 tags')").wait_for()
    assert page.text_content("#sweep-at") == "0.35"
    assert page.locator("#sweep .title").all_text_contents() == ["threshold", "micro recall"]
    assert page.is_checked("#sweep-shown")
    move(page, 61)
    page.check("input[name=average][value=macro]", force=True)
    page.wait_for_url("**at=0.61&over=shown&curve=recall")
    page.reload()
    assert page.text_content("#sweep-at") == "0.61"
    view(page, "at=1.5&average=median&curve=__proto__")
    assert page.text_content("#sweep-at") == "0.40", "the first model's own"


def test_printed_it_shows_each_model_at_its_own_threshold(page: Any, varied: Payload) -> None:
    move(page, 80)
    page.emulate_media(media="print")
    page.locator("#sweep-readout thead th:text('At each tagger’s own threshold')").wait_for()
    tags = varied["compared_tags"]
    assert shown(page) == [
        cells_of(
            model, {f"{mean}_{name}": value for mean in ("macro", "micro") for name, value in model[mean].items()}, tags
        )
        for model in varied["models"]
    ]
    assert page.text_content("#sweep-readout thead th[scope=col]") == "At each tagger’s own threshold"
    assert not page.locator("#sweep .crosshair").is_visible()
    page.emulate_media(media="screen")
    page.locator("#sweep-readout thead th:text('At each tagger’s own threshold')").wait_for(state="detached")
    assert shown(page)[0] == published(varied, "joytag-demo", 80)
    drawn = page.locator("#sweep svg").get_attribute("viewBox")
    assert drawn == "0 0 {:.0f} {:.0f}".format(*size_of(page.locator("#sweep"))), "drawn again for the screen"


def test_a_phone_scrolls_the_table_alone(opened: Opened, payload_of: Callable[..., Payload]) -> None:
    page = opened(
        payload_of(("y" * 200, "b", "c"), tags=30), viewport={"width": 360, "height": 800}, address="#tag=tree"
    )
    page.locator(".tag-curves .hindsight li").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.locator("#sweep-range").bounding_box()["width"] > 200


# Figures over the tags shown, and a tag's curves, against a brute force over the tables of a real run

WORLD = 24


@cache
def evaluated(convention: str) -> Result:
    """Two models of 24 tags: general ones and characters, some too rare to enter means, one that the second lacks."""
    rng = np.random.default_rng(8)
    ids, names = [f"i{n}" for n in range(220)], [f"tag_{n}" for n in range(WORLD)]
    labels = labels_of(rng, len(ids), WORLD)
    kinds = tuple("character" if n % 3 == 0 else "general" for n in range(WORLD))
    first = entry("first", ids, names, see(rng, labels), Thresholds(0.35), categories=kinds)
    kept = [n for n in range(WORLD) if n != 20]
    second = entry(
        "second", ids, [names[n] for n in kept], see(rng, labels, 1.2)[:, kept], Thresholds(0.5, {"tag_9": 0.6137})
    )
    truth = Truth.of(ids, TagSpace(tuple(names), kinds), labels)
    return evaluate(truth, [first, second], Settings(convention=convention, replicates=0))


def brute_force(result: Result, chosen: Sequence[str], threshold: float, model: str) -> list[str]:
    """What the table should show, from `tag_sweep.parquet`."""
    rows = result.tag_sweep
    rows = rows[(rows["model"] == model) & (rows["threshold"] == np.float32(threshold)) & rows["tag"].isin(chosen)]
    tp, fp, fn = (rows[name].to_numpy() for name in ("tp", "fp", "fn"))
    counts = TagCounts(rows["threshold"].to_numpy(), tp, fp, tp + fn, 220)
    per_tag = CONVENTIONS[result.summary["convention"]].ratios(counts)
    cells = []
    for values in per_tag:
        defined = values[~np.isnan(values)]
        cells.append(f"{figure(float(np.mean(defined)) if len(defined) else None)} {fewer(len(defined), len(chosen))}")
    sums = (tp.sum(), tp.sum() + fp.sum()), (tp.sum(), (tp + fn).sum()), (2 * tp.sum(), (2 * tp + fp + fn).sum())
    return cells + [figure(part / whole if whole else None) for part, whole in sums]


@pytest.mark.parametrize(("convention", "width"), [("arena", 1), ("animetimm", 5), ("smilingwolf", 2)])
def test_over_the_tags_shown_figures_are_those_of_the_counts(
    opened: Opened, convention: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(histograms, "_BIN_WIDTHS", ((10**9, width),))
    result = evaluated(convention)
    compared = result.per_tag[(result.per_tag["model"] == "first") & result.per_tag["compared"]]
    page = opened(page_view(result))
    page.fill("#query", "cat:character")
    near(page, "#sweep")
    page.check("#sweep-shown")
    chosen = compared[compared["category"] == "character"]["tag"].tolist()
    assert 3 < len(chosen) < 8
    page.locator(f"#sweep-over:text('{len(chosen)} tags')").wait_for()
    assert f"in steps of {width / 100:g}; {8 - len(chosen)} other" in page.text_content("#sweep-over")
    assert page.get_attribute("#sweep-range", "max") == str(100 // width)
    for place in (0, 1, 40 // width, 90 // width, 100 // width):
        move(page, place)
        threshold = place * width / 100
        assert page.text_content("#sweep-at") == f"{threshold:.2f}"
        assert shown(page) == [brute_force(result, chosen, threshold, model) for model in ("first", "second")]
    page.emulate_media(media="print")
    page.locator("#sweep-readout thead th:text('At each tagger’s own threshold')").wait_for()
    own = result.per_tag[(result.per_tag["model"] == "second") & result.per_tag["tag"].isin(chosen)]
    recall = own["tp"].sum() / own["support"].sum()
    assert shown(page)[1][4] == figure(recall), "printed at the thresholds of each tag"


def test_all_tags_shown_are_as_published_and_none_have_no_figure(opened: Opened) -> None:
    result = evaluated("joytag")
    drawn = page_view(result)
    page = opened(drawn, address="#over=shown")
    near(page, "#sweep")
    page.locator("#sweep-over:text('Over all')").wait_for()
    move(page, 37)
    assert shown(page) == [published(drawn, model, 37) for model in ("first", "second")]
    even = result.sweep[on_sweep(result.sweep["threshold"].to_numpy(np.float32)) & (result.sweep["model"] == "first")]
    assert shown(page)[0][3] == figure(even["micro_precision"].iloc[37])
    page.fill("#query", "no_such_tag")
    page.locator("#sweep-over:text('0 tags')").wait_for()
    assert shown(page) == [["– "] * 3 + ["–"] * 3] * 2


def vertices(plot: Any, model: int) -> list[tuple[float, float]]:
    path = plot.locator("path.curve").nth(model).get_attribute("d")
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", path)]


def own_mark(plot: Any, model: int) -> tuple[float, float]:
    mark = plot.locator("use.dot").nth(model)
    x, y, width = (float(mark.get_attribute(name)) for name in ("x", "y", "width"))
    return x + width / 2, y + width / 2


def test_a_tags_curves_are_its_counts_and_pass_through_its_own_point(opened: Opened) -> None:
    result = evaluated("arena")
    page = opened(page_view(result), address="#tag=tag_9")
    check_curves(page, result, "tag_9")
    view(page, "tag=tag_15")
    check_curves(page, result, "tag_15")


def check_stair(drawn: Any, points: Any, size: tuple[float, float]) -> None:
    """Each point holds its precision up to the next smaller recall, and the last to recall 0: no line to (0, 0)."""
    np.testing.assert_allclose(drawn[::2], points, atol=0.06)
    nexts = [*points[1:, 0].tolist(), place_in(size, 0, 0)[0]]
    np.testing.assert_allclose(drawn[1::2], np.column_stack([nexts, points[:, 1]]), atol=0.06)


def test_with_ten_curves_the_one_under_the_pointer_is_named(opened: Opened, payload_of: Callable[..., Payload]) -> None:
    payload = payload_of(tuple("abcdefghij"), tags=40)
    page = opened(payload)
    box = near(page, "#sweep")
    places = [vertices(page.locator("#sweep"), model)[50] for model in range(10)]
    lone = max(range(10), key=lambda one: min(abs(places[one][1] - y) for n, (_, y) in enumerate(places) if n != one))
    page.mouse.move(box["x"] + places[lone][0], box["y"] + places[lone][1])
    assert page.locator("#sweep .named").text_content() == "abcdefghij"[lone]
    pointed = page.locator("#sweep path.curve").evaluate_all(
        "(all) => all.map((one) => one.classList.contains('pointed'))"
    )
    assert pointed == [one == lone for one in range(10)]
    page.mouse.move(5, 5)
    assert not page.locator("#sweep .named").is_visible()


def check_curves(page: Any, result: Result, tag: str) -> None:
    """Compare the panel of an open tag with the counts of a result."""
    page.locator(".tag-curves .hindsight li").first.wait_for()
    plots = page.locator(".tag-curves .plot")
    own_rows = result.per_tag[result.per_tag["tag"] == tag].set_index("model")
    panel = page.locator(".detail-box tbody tr")
    size = size_of(plots.nth(1))
    best = []
    for number, model in enumerate(("first", "second")):
        rows = result.tag_sweep[(result.tag_sweep["model"] == model) & (result.tag_sweep["tag"] == tag)]
        rows = rows[on_sweep(rows["threshold"].to_numpy(np.float32))].sort_values("threshold")
        own = own_rows.loc[model]
        told = panel.nth(number).locator("td").all_text_contents()
        assert told[5:8] == [str(own[name]) for name in ("tp", "fp", "fn")], "the panel's counts"
        both = rows[["threshold", "tp", "fp", "fn"]]
        if own["threshold"] not in set(rows["threshold"]):
            both = pd.concat([both, own[["threshold", "tp", "fp", "fn"]].to_frame().T]).sort_values("threshold")
        tp, fp, fn = (both[name].to_numpy(float) for name in ("tp", "fp", "fn"))
        precise = tp + fp > 0
        recall, precision = (tp / (tp + fn))[precise], tp[precise] / (tp + fp)[precise]
        drawn, mark = np.array(vertices(plots.nth(1), number)), own_mark(plots.nth(1), number)
        expected = np.array([place_in(size, x, y) for x, y in zip(recall, precision, strict=True)])
        check_stair(drawn, expected[recall > 0], size)
        assert mark == pytest.approx(place_in(size, own["recall"], own["precision"]), abs=0.06)
        assert np.abs(drawn - mark).max(axis=1).min() <= 0.11, "the curve passes through the tagger's own point"
        scores = 2 * rows["tp"] / (2 * rows["tp"] + rows["fp"] + rows["fn"])
        place = int(np.argmax(scores))
        digits = digits_of_support(int(own["support"]))
        start = f"{model}best in hindsight: F1 {figure(scores.iloc[place], digits)} at {place / 100:.2f}; at its own threshold "
        best.append((start, f": {figure(own['f1'], digits)}"))
    words = page.locator(".tag-curves .hindsight li").all_text_contents()
    for text, (start, end) in zip(words, best, strict=True):
        assert text.startswith(start)
        assert text.endswith(end)
    assert "(not a result)" in page.text_content(".tag-curves .hint")


def test_a_tag_without_positives_or_that_a_model_lacks(page: Any, varied: Payload) -> None:
    tags = varied["tags"]
    lacking = tags["models"]["joytag-demo"]["tp"].index(None)
    empty = tags["support"].index(0) if 0 in tags["support"] else None
    view(page, f"tag={tags['name'][lacking]}")
    page.locator(".tag-curves .hindsight li").wait_for()
    assert page.locator(".tag-curves .plot").first.locator("path.curve").nth(0).get_attribute("d") == ""
    assert len(vertices(page.locator(".tag-curves .plot").first, 1)) == 101
    if empty is not None:
        page.fill("#query", f'"{tags["name"][empty]}"')
        page.locator("#tags-box tr.row").first.click()
        assert page.locator(".tag-curves *").count() == 0


def test_histograms_are_unpacked_once_and_only_when_asked_for(opened: Opened, payload: Payload) -> None:
    count = """window.unpacked = 0; const Stream = DecompressionStream;
        window.DecompressionStream = class { constructor(kind) { window.unpacked += 1; return new Stream(kind); } };"""
    page = opened.show(render_comparison(payload), init=count)
    at_first = page.evaluate("window.unpacked")
    page.locator("#tags-box .tag").first.click()
    page.locator(".tag-curves .hindsight li").first.wait_for()
    assert page.evaluate("window.unpacked") == at_first + 3, "one a model, and the evidence"
    page.locator("#tags-box .tag").nth(1).click()
    page.locator(".tag-curves .hindsight li").first.wait_for()
    page.fill("#query", "icon")
    near(page, "#sweep")
    page.check("#sweep-shown")
    page.locator("#sweep-over:text('12 tags')").wait_for()
    assert page.evaluate("window.unpacked") == at_first + 3


def test_the_row_under_a_panel_that_grew_comes_into_sight(opened: Opened, payload_of: Callable[..., Payload]) -> None:
    """The words beside the curves come after the panel is measured."""
    page = opened(payload_of(tuple("abcd"), tags=60, images=400), viewport={"width": 700, "height": 700})
    page.locator("#tags-box .tag").nth(3).press("Enter")
    page.locator(".tag-curves .hindsight li").nth(3).wait_for()
    page.keyboard.press("ArrowDown")
    box, row = (page.locator(what).bounding_box() for what in ("#tags-box", "tr.row:has(:focus)"))
    assert row["y"] + row["height"] <= box["y"] + box["height"]


def test_thousands_of_tags_follow_the_slider(
    opened: Opened, payload_of: Callable[..., Payload], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(histograms, "_BIN_WIDTHS", ((10**9, 2),))
    payload = payload_of(("a", "b", "c"), tags=600, images=32768)
    page = opened(payload, address="#over=shown&q=sup>120&average=micro")
    near(page, "#sweep")
    page.locator("#sweep-over:text('in steps of 0.02')").wait_for()
    page.evaluate(EVERY_STEP)
    supports = payload["tags"]["support"]
    for name, cells in zip("abc", shown(page), strict=True):
        known = [place for place, tp in enumerate(payload["tags"]["models"][name]["tp"]) if tp is not None]
        chosen = [n for n, place in enumerate(known) if payload["tags"]["compared"][place] and supports[place] > 120]
        tp, fp = payload["histograms"]["models"][name][:, 1 + 45 :, chosen].sum((1, 2))
        positives = sum(supports[known[n]] for n in chosen)
        ratios = tp / (tp + fp), tp / positives, 2 * tp / (tp + fp + positives)
        [model] = (one for one in payload["models"] if one["name"] == name)
        texts = [mean_text(model, f"micro_{key}", float(value)) for key, value in zip(FIGURES, ratios, strict=True)]
        assert cells[3:] == texts, "at 0.90, where the slider stopped"


EVERY_STEP = """async () => {
    const range = document.getElementById("sweep-range");
    for (let place = 0; place <= 45; place += 1) {
        range.value = place;
        range.dispatchEvent(new Event("input", { bubbles: true }));
        await new Promise(requestAnimationFrame);
    }
}"""
"""Moves the slider from 0 to its 45th place, a frame each."""
