"""What intervals and tests found, for a page: differences, verdicts by tag, regimes, slices, calibration, label quality."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from arena.report.columns import column, number, probability, rounded
from arena.result import CONTAMINATION, HEADLINES, Result

SLICED = ("macro_f1", "map")
"""Figures that the table of slices shows."""

TAG_FIGURES = ("f1", "ap")
"""Figures whose difference is tested on every tag."""

REGIME_FIGURES = ("macro_f1", "micro_f1")
"""Figures that the table of threshold regimes shows."""


def differences(result: Result) -> list[dict[str, Any]]:
    """Every figure of all compared tags and each pair of models, at the models' own thresholds."""
    table = result.tables["differences"]
    return _difference_rows(table[(table["slice"] == "all") & (table["regime"] == "own")])


def _difference_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            "figure": row["figure"], "first": row["first"], "second": row["second"],
            "difference": number(row["difference"]), "low": number(row["low"]), "high": number(row["high"]),
            "p": probability(row["p_adjusted"]), "minimum_detectable": number(row["minimum_detectable"]),
            "higher": None if row["higher"] == "undetermined" else row["higher"],
        }
        for row in table.to_dict("records")
    ]  # fmt: skip


def tag_verdicts(result: Result) -> list[dict[str, Any]]:
    """Of each figure and pair of models: on how many tags the first is higher, the second, and on how many neither is told."""
    table = result.tables["tag_differences"]
    found = []
    for (first, second), rows in table.groupby(["first", "second"], sort=False):
        for figure in TAG_FIGURES:
            higher = rows[f"{figure}_higher"].where(rows[f"{figure}_q"].notna(), None)
            counts = {"first": int((higher == first).sum()), "second": int((higher == second).sum())}
            undetermined = int(rows[f"{figure}_q"].notna().sum()) - sum(counts.values())
            found.append(
                {"figure": figure, "models": [first, second], **counts, "undetermined": undetermined, "tags": len(rows)}
            )
    return found


def tag_pair(result: Result, names: "pd.Series[Any]") -> dict[str, Any] | None:
    """Of two models, each tag's interval of the difference, q, and which is higher (0, 1; null: undetermined); else None.

    Args:
        names: the page's tags, in its order.
    """
    table = result.tables["tag_differences"]
    if len(result.models) != 2 or table.empty:
        return None
    table = table.set_index("tag").reindex(names)
    numbers = {name: place for place, name in enumerate(result.models)}
    return {
        figure: {
            "low": [rounded(value) for value in table[f"{figure}_low"].tolist()],
            "high": [rounded(value) for value in table[f"{figure}_high"].tolist()],
            "q": [probability(value) for value in table[f"{figure}_q"].tolist()],
            "higher": [numbers.get(name) for name in table[f"{figure}_higher"].tolist()],
        }
        for figure in TAG_FIGURES
    }


def regimes(result: Result) -> list[dict[str, Any]]:
    """A row a regime: its name, and of each model figures, intervals and the range of thresholds."""
    models = result.summary["models"]
    names = next(iter(models.values()))["regimes"] if models else ()
    keys = [f"{figure}{end}" for figure in REGIME_FIGURES for end in ("", "_low", "_high")]
    keys += ["lowest_threshold", "highest_threshold"]
    return [
        {"name": name, "models": [{key: number(model["regimes"][name].get(key)) for key in keys} for model in models.values()]}
        for name in names
    ]  # fmt: skip


def slices(result: Result) -> list[dict[str, Any]]:
    """A row a slice: kind, title, size, and of `SLICED` figures each model's with interval, and differences.

    The slice of all is the leaderboard, and levels of contamination have a section of their own.
    """
    table, tested = result.tables["slices"], result.tables["differences"]
    tested = tested[tested["regime"] == "own"]
    apart = {"all", CONTAMINATION} if CONTAMINATION in result.summary else {"all"}
    found = []
    for (kind, value), part in table[~table["slice"].isin(apart)].groupby(["slice", "value"], sort=False):
        rows = part.set_index("model").reindex(result.models)
        pairs = _difference_rows(tested[(tested["slice"] == kind) & (tested["value"] == value)])
        found.append(
            {
                "slice": kind, "title": str(rows["title"].iloc[0]), "images": int(rows["images"].iloc[0]),
                "tags": int(rows["tags"].iloc[0]),
                "figures": {name: _sliced(rows, name, pairs) for name in SLICED},
            }
        )  # fmt: skip
    return found


def _sliced(rows: pd.DataFrame, name: str, pairs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    columns = [column(rows[f"{name}{end}"].tolist()) for end in ("", "_low", "_high")]
    return {
        "models": [list(cell) for cell in zip(*columns, strict=True)],
        "differences": [pair for pair in pairs if pair["figure"] == name],
    }


def calibration(result: Result) -> list[dict[str, Any]]:
    """Of each model the Brier score, the calibration error, and each bin's mean score, share that carry the tag, and cells."""
    table = result.tables["calibration"]
    found = []
    for name, model in result.summary["models"].items():
        rows = table[table["model"] == name]
        bins = zip(
            *(column(rows[key].tolist()) for key in ("low", "high", "mean_score", "share_positive", "cells")),
            strict=True,
        )
        found.append(
            {"model": name, "ece": number(model["ece"]), "brier": number(model["brier"]), "bins": [list(one) for one in bins]}
        )  # fmt: skip
    return found


def labels(result: Result) -> dict[str, Any] | None:
    """How many labels every model contradicts, and each model's figures with and without them; None where none were sought."""
    found = result.summary["labels"]
    if not found:
        return None
    models = []
    for name, model in result.summary["models"].items():
        without = found["without_suspects"].get(name, {})
        own = model["regimes"]["own"]
        models.append({key: [number(own[key]), number(without.get(key))] for key in HEADLINES})
    return {"missing": found["missing"], "wrong": found["wrong"], "models": models}
