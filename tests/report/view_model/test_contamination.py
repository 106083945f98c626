"""The section on training images: its sentences, its table, and where there is none."""

from __future__ import annotations

import html
import re
from functools import cache
from typing import Any

import numpy as np
import pytest

from arena.base.format import estimate, figure, signed
from arena.evaluate import Settings, evaluate
from arena.report.html import render_comparison
from arena.report.summary import summary_markdown
from arena.report.view import page_view
from arena.report.view_model.contamination import contamination_sentences, level_groups
from arena.results.headline import headline
from arena.results.run_folder import CONTAMINATION, Result

from ...browser import Opened
from ...evaluate.test_contamination import contamination_of, leaked
from ...evaluate.worlds import world

HOSTILE = "<script>alert(1)</script>|*x*.parquet"


@cache
def held(*, models: int = 2, replicates: int = 60, **counts: int) -> Result:
    """A leak, and what is left of it for one model, two or three."""
    truth, [fine, poor] = world()
    known = contamination_of(truth, **counts)
    entries = [leaked(truth, poor, known), poor, fine][:models]
    return evaluate(truth, entries, Settings(0, replicates=replicates), against=known)


@pytest.fixture(scope="module")
def leak() -> Result:
    return held(identical=20, close=30)


def told(result: Result) -> list[str]:
    return contamination_sentences(page_view(result))


def row_of(result: Result, level: str, first: str, second: str = "", key: str = "macro_f1") -> dict[str, Any]:
    table = result.tables[CONTAMINATION].query("level == @level and first == @first and second == @second")
    [row] = table[table["figure"] == key].to_dict("records")
    return row


def test_the_sentences_say_how_many_and_what_they_are_worth(leak: Result) -> None:
    first, f1, ap = told(leak)
    assert first == (
        "240 images were compared with train.parquet: 20 identical and 30 at distance 1–4 (0.5 pairs expected by chance)."
    )
    row = row_of(leak, "without distance <= 8", "leaked", "poor")
    whole = row_of(leak, "all images", "leaked", "poor")
    lead = estimate(whole["value"], whole["low"], whole["high"], signed).value
    assert f1 == (
        f"The lead of leaked over poor in macro F1 is {lead} on all images and 0.0000 without distance ≤ 8; the excluded "
        f"images add {estimate(row['change'], row['change_low'], row['change_high'], signed)}."
    )
    assert ap.startswith("The lead of leaked over poor in mAP is +")


def test_the_lead_is_told_of_the_model_that_has_it() -> None:
    truth, [_, poor] = world()
    known = contamination_of(truth, identical=50)
    result = evaluate(truth, [poor, leaked(truth, poor, known)], Settings(0, replicates=60), against=known)
    sentence = told(result)[1]
    row = row_of(result, "without distance <= 8", "poor", "leaked")
    assert sentence.startswith("The lead of leaked over poor in macro F1 is +")
    assert sentence.endswith(f"add {estimate(-row['change'], -row['change_high'], -row['change_low'], signed)}.")


@pytest.mark.parametrize(("models", "sentences"), [(1, 3), (2, 3), (3, 7)])
def test_one_model_two_and_more(models: int, sentences: int) -> None:
    result = held(models=models, identical=20, close=30)
    said = told(result)
    assert len(said) == sentences
    if models == 3:
        row = row_of(result, "without distance <= 8", "poor", key="map")
        whole = row_of(result, "all images", "poor", key="map")
        assert said[5].startswith(
            f"The mAP of poor is {estimate(whole['corrected'], whole['low'], whole['high']).value} on all images and "
            f"{estimate(row['corrected'], row['low'], row['high']).value} without "
        )
        assert str(estimate(row["change_corrected"], row["change_low"], row["change_high"], signed)) in said[5]
        assert said[5].endswith("possibly by chance.") == (row["change_low"] <= 0 <= row["change_high"])
    cells = {len(row.cells) for group in level_groups(page_view(result)) for row in group.rows}
    assert cells == {3 if models == 2 else models}
    assert 'id="contamination"' in render_comparison(page_view(result))


def test_nothing_found_nothing_left_and_no_resamples_are_said() -> None:
    assert told(held()) == ["240 images were compared with train.parquet: none is identical or within 8 bits."]
    assert told(held(identical=240))[1].startswith("No image is left without distance ≤ 8")
    assert told(held(replicates=0, identical=3))[1].endswith("need resamples, but this run has none.")
    for result in (held(), held(identical=240), held(replicates=0, identical=3)):
        assert 'id="contamination"' in render_comparison(page_view(result))
        assert "## Training images in this set" in summary_markdown(result)


def test_hashes_that_say_nothing_and_lost_tags_are_told(leak: Result) -> None:
    view = page_view(leak)
    view["contamination"]["untold"] = 1
    view["contamination"]["levels"][-1]["tags_without_positives"] = 2
    said = contamination_sentences(view)
    assert said[1] == "1 image has no distinctive hash, so only digests were compared."
    assert said[-1].startswith("2 compared tags have no image left without distance ≤ 8")


def test_without_an_index_there_is_no_section() -> None:
    truth, models = world(60)
    result = evaluate(truth, models, Settings(0, replicates=0))
    view = page_view(result)
    assert (view["contamination"], contamination_sentences(view), level_groups(view)) == (None, [], [])
    assert "Training images" not in render_comparison(view) + summary_markdown(result)


def test_levels_are_in_their_own_table_and_not_among_the_slices(leak: Result) -> None:
    view = page_view(leak)
    assert "contamination" not in {one["slice"] for one in view["slices"]}
    assert {"rating", "size"} <= {one["slice"] for one in view["slices"]}


def test_the_table_shows_the_results_own_figures(leak: Result) -> None:
    groups = level_groups(page_view(leak))
    assert [group.title for group in groups] == ["Macro F1", "mAP"]
    for group, key in zip(groups, ("macro_f1", "map"), strict=True):
        levels = list(dict.fromkeys(leak.tables[CONTAMINATION]["level"]))
        assert [row.title for row in group.rows] == [
            "All images", "Without identical", "Without distance ≤ 4", "Without distance ≤ 8",
        ]  # fmt: skip
        for row, level in zip(group.rows, levels, strict=True):
            for cell, who in zip(row.cells, (("leaked",), ("poor",), ("leaked", "poor")), strict=True):
                known, show = row_of(leak, level, *who, key=key), signed if len(who) == 2 else figure
                assert (cell.value, cell.interval) == estimate(known["corrected"], known["low"], known["high"], show)
                assert (cell.worth == "") == (level == "all images")
                effect = estimate(known["change_corrected"], known["change_low"], known["change_high"], signed)
                assert str(effect) in cell.worth or level == "all images"


def test_the_page_and_the_summary_tell_it_and_escape_names() -> None:
    result = held(identical=20, close=30)
    result.summary[CONTAMINATION]["indexes"][0]["name"] = HOSTILE
    result.run["against"] = [dict(result.summary[CONTAMINATION]["indexes"][0])]
    page, text = render_comparison(page_view(result)), summary_markdown(result)
    body = page.split('<script type="application/json"', 1)[0]
    assert HOSTILE not in body
    assert body.count(html.escape(HOSTILE)) >= 2, "in the sentence and in the provenance"
    assert "240 images were compared with \\<script\\>alert(1)\\</script\\>\\|\\*x\\*.parquet: 20 identical" in text
    assert "a lead changes if only one of the two was trained on them" in text


def test_the_section_as_a_reader_sees_it(opened: Opened, leak: Result) -> None:
    page = opened(page_view(leak))
    section = page.locator("section[aria-labelledby=contamination-title]")
    texts = section.locator("tbody tr:not(.kind) th").all_text_contents()
    assert texts[:2] == ["All images240 images, 0 excluded", "Without identical220 images, 20 excluded"]
    cells = section.locator("tbody tr:nth-child(2) td").all_text_contents()
    own = leak.summary["models"]["leaked"]["regimes"]["own"]
    assert cells[0] == "".join(estimate(headline(own, "macro_f1"), own["macro_f1_low"], own["macro_f1_high"]))
    assert section.locator(".multiples use.dot").count() == 2 * sum(
        len(one.rows) for one in level_groups(page_view(leak))
    )
    assert section.locator(".reading li").all_text_contents() == told(leak)
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert re.search("effect", section.inner_text())
    assert np.isfinite(leak.tables[CONTAMINATION]["change"]).all()
