"""Every figure that a reader sees on the page stands in the run folder's files: read off the page, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from arena.base.format import EstimateText, count, estimate, figure, probability, signed
from arena.pipeline.stages import write_reports
from arena.results.headline import as_published, headline
from arena.results.run_folder import Result, write_result
from tests.conftest import without_plots

from ..browser import Opened, SharedPage, Tabs
from .shared_pages import rendered, view
from .test_view import small

FIGURES = ("precision", "recall", "f1", "ap")
LEADERBOARD = ("map", "macro_f1", "macro_precision", "macro_recall", "micro_f1", "micro_precision", "micro_recall")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models, written as a run writes them."""
    folder = tmp_path_factory.mktemp("run")
    result = small(3)
    with without_plots():
        write_reports(result, folder)
    write_result(Result({"models": {}, **result.run}, result.summary, result.tables), folder)
    return folder


@pytest.fixture(scope="module")
def _page_of_run(run: Path, tabs: Tabs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedPage]:
    opener = Opened(tabs, tmp_path_factory.mktemp("page"))
    yield SharedPage(opener, (run / "index.html").read_text(encoding="utf-8"))
    opener.close()


@pytest.fixture
def page(_page_of_run: SharedPage) -> Iterator[Any]:
    """The page of the run with its four standard columns."""
    shown = _page_of_run.fresh()
    view(shown, "columns=precision+recall+f1+ap")
    yield shown
    _page_of_run.silent()


def test_the_leaderboard_under_every_regime_is_that_of_the_summary(run: Path, page: Any) -> None:
    models = json.loads((run / "summary.json").read_text())["models"]
    boards = page.evaluate(BOARDS)
    regimes = list(models["model-0"]["regimes"])
    for rows, regime in zip(boards, regimes, strict=True):
        assert sorted(row["model"] for row in rows) == sorted(models)
        for row in rows:
            regime_metrics = models[row["model"]]["regimes"]
            for cell, key in zip(row["cells"], LEADERBOARD, strict=False):
                own = regime_metrics["own" if key == "map" else regime]
                shown = estimate(headline(own, key), own[f"{key}_low"], own[f"{key}_high"])
                assert cell["value"].partition(" (")[0] == shown.value, (regime, key)
                plain = as_published(own, key)
                published = [text for text in cell["small"] if "as published" in text]
                assert published == ([] if plain is None else [f"as published {figure(plain)}"]), (regime, key)
                assert cell["range"] == ([shown.interval] if shown.interval else []), (regime, key)


BOARDS = """() => {
    const texts = (part, selector) => [...part.querySelectorAll(selector)].map((one) => one.textContent);
    return [...document.querySelectorAll(".board")].map((board) =>
        [...board.querySelectorAll("tbody tr")].map((row) => ({
            model: row.dataset.model,
            cells: [...row.querySelectorAll("td")].map((cell) => ({
                value: texts(cell, ".value")[0], small: texts(cell, "small"), range: texts(cell, ".range") })) })));
}"""
"""Reads every leaderboard at once: a call per cell takes longer than the page."""


def ends_of(row: Any, key: str, value: float | None = None) -> EstimateText:
    """A metric of a row of a table as the page shows it, or another value with the digits of its interval."""
    return estimate(row[key] if value is None else value, row[f"{key}_low"], row[f"{key}_high"])


def test_every_row_of_the_table_is_that_of_the_files(run: Path, page: Any) -> None:
    per_tag = pd.read_parquet(run / "per_tag.parquet").set_index(["truth_tag", "model"])
    tested = pd.read_parquet(run / "tag_differences.parquet").set_index(["tag", "first", "second"])
    rendered(page)
    chosen = page.locator("#tags .choice select").evaluate_all("(selects) => selects.map((one) => one.value)")
    pair_shown = [f"model-{number}" for number in chosen]
    rows = page.evaluate(ROWS)
    assert len(rows) == per_tag.index.get_level_values(0).nunique()
    for tag, *texts in rows:
        assert texts[0] == count(int(per_tag.loc[(tag, "model-0"), "support"]))
        wanted = [ends_of(per_tag.loc[(tag, f"model-{m}")], key).value for m in range(3) for key in FIGURES]
        assert [text.split()[0] for text in texts[1:13]] == wanted, tag
        pair = tested.loc[(tag, *pair_shown)]
        assert texts[13].split()[0] == estimate(pair["f1_difference"], pair["f1_low"], pair["f1_high"], signed).value, (
            tag
        )
        assert probability(pair["f1_q"]) in texts[14], tag


ROWS = """() => [...document.querySelectorAll("#tags-box tr.row")].map((row) =>
    [row.querySelector("button.tag bdi"), ...row.querySelectorAll("td.num")].map((cell) => cell.textContent.trim()))"""
"""Reads the name and the numbers of every row at once."""


def test_the_open_row_holds_the_counts_and_intervals_of_the_files(run: Path, page: Any) -> None:
    per_tag = pd.read_parquet(run / "per_tag.parquet").set_index(["truth_tag", "model"])
    page.locator("#tags-box .tag").first.press("Enter")
    tag = page.locator("#tags-box .tag bdi").first.text_content()
    for number, row in enumerate(page.locator(".detail-box table").first.locator("tbody tr").all()):
        own = per_tag.loc[(tag, f"model-{number}")]
        cells = [" ".join(cell.inner_text().split()) for cell in row.locator("td").all()]
        assert cells[:4] == [str(ends_of(own, key)) for key in FIGURES]
        assert cells[5:] == [count(int(own[k])) for k in ("tp", "fp", "fn", "tn")]


def test_the_slider_shows_the_sweep(run: Path, page: Any) -> None:
    sweep, models = pd.read_parquet(run / "sweep.parquet"), json.loads((run / "summary.json").read_text())["models"]
    for at in (0, 35, 80):
        page.locator("#sweep-range").evaluate(
            "(e, at) => { e.value = at; e.dispatchEvent(new Event('input', { bubbles: true })); }", at
        )
        threshold = float(page.text_content("#sweep-at"))
        rows = sweep[(sweep["threshold"] - threshold).abs() < 1e-6].set_index("model")
        for number, row in enumerate(page.locator("#sweep-readout tbody tr").all()):
            cells = [cell.text_content().split(" ")[0] for cell in row.locator("td").all()][:6]
            own = rows.loc[f"model-{number}"]
            keys = [f"{mean}_{name}" for mean in ("macro", "micro") for name in ("precision", "recall", "f1")]
            wanted = [ends_of(models[f"model-{number}"]["regimes"]["own"], key, own[key]).value for key in keys]
            assert [cell.partition("over")[0] for cell in cells] == wanted, (at, number)
