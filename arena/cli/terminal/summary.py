"""Print the results of a run on standard output."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from arena.base.format import figure, interval, one_line, signed
from arena.cli.terminal.console import results_console, show_path, show_skipped
from arena.cli.terminal.judged import show_judged
from arena.metrics.registry import HEADLINES
from arena.report.view import HEADLINE_TABLES, headline_view
from arena.report.view_model.contamination import contamination_sentences
from arena.report.view_model.cost import cost_line
from arena.report.view_model.forest import other_policies
from arena.report.view_model.notes import run_notes
from arena.report.view_model.published import published_line, published_rows
from arena.report.view_model.recorded_labels import recorded_labels
from arena.results.headline import as_published, headline
from arena.results.run_folder import Result, read_result

_MAX_DIFFERENCES = 9
"""Largest number of differences listed; three models have this many. For more models the ranks are printed."""


def show_summary(folder: Path) -> None:
    """Print the leaderboard of a run with intervals, the differences between models, and the path of its page."""
    result = read_result(folder, HEADLINE_TABLES)  # all of them, of 5,813 tags and two models, take 0.5 s
    summary, console = result.summary, results_console()
    console.print(_leaderboard_table(summary))
    compared, least = summary["compared_tags"], summary["min_positives"]
    console.print(f"{summary['images']:,} images; means over {compared:,} common tags with {least} positives or more")
    payload = headline_view(result)
    policies = filter(None, [other_policies(payload)])
    for line in [*run_notes(result), *_differences(result), *policies]:
        console.print(line, markup=False)
    show_judged(console, payload)
    for name, model in summary["models"].items():
        if cost := cost_line(name, model, result.run["models"].get(name, {})):
            console.print(one_line(cost), markup=False)
    for sentence in recorded_labels(payload):
        console.print(one_line(f"labels: {sentence}"), markup=False)
    for sentence in contamination_sentences(payload):
        console.print(one_line(f"memory: {sentence}"), markup=False)
    for row in published_rows(summary.get("published", [])):
        console.print(one_line(published_line(row)), markup=False)
    show_skipped(result.run["skipped"])
    show_path(folder / "index.html")


def _leaderboard_table(summary: dict[str, Any]) -> Table:
    """Return a row for each model, with rows for the intervals and for the plain means as published."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("model", "threshold", *HEADLINES.values(), "tags known"):
        fold = name == "model"
        table.add_column(name, justify="left" if fold else "right", no_wrap=not fold, overflow="fold")
    for name, model in summary["models"].items():
        own = model["regimes"]["own"]
        figures = [figure(headline(own, key)) for key in HEADLINES]
        threshold, *others = model["threshold"].split(", ")
        table.add_row(Text(name), threshold, *figures, f"{model['known_tags']}/{summary['dataset_tags']}")
        ends = [interval(own[f"{key}_low"], own[f"{key}_high"]) for key in HEADLINES] if summary["replicates"] else []
        if ends or others:
            table.add_row("", "\n".join(others), *(Text(end, style="dim") for end in ends))
        plain = [as_published(own, key) for key in HEADLINES]
        if any(value is not None for value in plain):
            cells = ["" if value is None else figure(value) for value in plain]
            table.add_row(Text("as published", style="dim"), "", *(Text(cell, style="dim") for cell in cells))
    return table


def _differences(result: Result) -> list[str]:
    """Return a line for each headline metric and pair: difference, interval and decision; of many models the ranks."""
    table = result.tables["differences"]
    if table.empty:
        return []
    own = table[(table["slice"] == "all") & (table["regime"] == "own") & table["figure"].isin(HEADLINES)]
    if len(own) > _MAX_DIFFERENCES:
        return _ranks(result.summary["ranks"])
    lines = [
        f"{HEADLINES[row['figure']]}: {one_line(row['first'])} - {one_line(row['second'])} = {signed(row['difference'])} "
        f"{interval(row['low'], row['high'], signed)}: "
        + ("undetermined" if row["higher"] == "undetermined" else f"{one_line(row['higher'])} is higher")
        for row in own.to_dict("records")
    ]
    return ["at their own thresholds:", *lines]


def _ranks(ranks: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    """Return a line for each headline metric: the ranks, each with the models that share it."""
    lines = ["ranks at their own thresholds (1 + the number of taggers that are significantly better):"]
    for key, of_models in ranks.items():
        by_rank: dict[int, list[str]] = {}
        for name, one in of_models.items():
            by_rank.setdefault(one["rank"], []).append(one_line(name))
        lines.append(
            f"{HEADLINES[key]}: " + "; ".join(f"{rank} {', '.join(by_rank[rank])}" for rank in sorted(by_rank))
        )
    return [*lines, "the difference of every pair, with its interval, is in differences.parquet and on the page"]
