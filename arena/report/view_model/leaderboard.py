"""The leaderboard: one row per model, metrics with intervals, and a mark on values that no other significantly exceeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from arena.base.format import estimate, figure, percent, rate
from arena.metrics.registry import HEADLINES, LEADERBOARD, THRESHOLDED
from arena.report.view_model.cost import millions
from arena.report.view_model.regimes import POLICY_TEXTS, threshold_range

MODEL_STYLES = 10
"""Number of model styles (colour, marker, dash pattern) in page.css; an eleventh model reuses the first."""


@dataclass(frozen=True)
class Cell:
    """One value of the leaderboard.

    Attributes:
        text, value: the value as displayed, and as a number.
        over: number of tags in the mean; None if not applicable, or if it is that of the run.
        best: whether the value is marked as best or tied with the best.
        low, high, range: ends of the interval, and the interval as displayed; None and empty without one.
        rank: rank among the models as a text of its own; empty if not ranked.
        place: the rank in a column whose heading explains it, `#2`, or `#2=` if shared; also empty if all models share it, or
            if there are two, whose star says the same.
        plain, plain_value: the uncorrected mean, as published results state it, as displayed and as a number; empty and None
            if `value` is uncorrected.
    """

    text: str
    value: float | None = None
    over: int | None = None
    best: bool = False
    low: float | None = None
    high: float | None = None
    range: str = ""
    rank: str = ""
    place: str = ""
    plain: str = ""
    plain_value: float | None = None


@dataclass(frozen=True)
class Standing:
    """One model's row of the leaderboard; `style` picks its colour, marker and dash pattern."""

    model: Mapping[str, Any]
    style: int
    cells: Mapping[str, Cell]


def value_of(model: Mapping[str, Any], key: str) -> float | None:
    """Return the headline value of a metric of a model, by its key in `LEADERBOARD`.

    >>> value_of({"map": 0.5, "macro": {"f1": 0.4}}, "macro_f1")
    0.4
    """
    average, _, name = key.partition("_")
    value: float | None = model["map"] if key == "map" else model[average][name]
    return value


def plain_value_of(model: Mapping[str, Any], key: str) -> float | None:
    """Return the uncorrected value of a metric of a model, by its key in `LEADERBOARD`.

    >>> plain_value_of({"map": 0.4, "as_published": {"map": 0.5}}, "map")
    0.5
    """
    plain: float | None = model["as_published"].get(key)
    return value_of(model, key) if plain is None else plain


def tags_in_mean(model: Mapping[str, Any], key: str) -> int | None:
    """Return the number of tags in a mean; None for micro metrics, which are not means."""
    average, _, name = key.partition("_")
    if average == "micro":
        return None
    over: int = model["map_tags"] if key == "map" else model["macro"][f"{name}_tags"]
    return over


@dataclass(frozen=True)
class Board:
    """The leaderboard under one threshold policy; `name` is its key in `summary.json`."""

    name: str
    title: str
    what: str
    standings: Sequence[Standing]


def boards(payload: Mapping[str, Any]) -> list[Board]:
    """Return the leaderboard of each threshold policy of the run; the models' own thresholds come first."""
    found = []
    for regime in payload["regimes"]:
        name = regime["name"]
        title, what = POLICY_TEXTS.get(name, (name, ""))
        found.append(Board(name, title, what, leaderboard(under_policy(payload, regime))))
    return found


def under_policy(payload: Mapping[str, Any], regime: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the payload with the models' metrics under a threshold policy; mAP does not depend on it."""
    if regime["name"] == "own":
        return payload
    rows = [row for row in payload["differences"] if row["figure"] == "map"] + regime["differences"]
    models = []
    for model, cell in zip(payload["models"], regime["models"], strict=True):
        figures: dict[str, dict[str, Any]] = {"macro": {}, "micro": {}}
        intervals, plain = {"map": model["intervals"]["map"]}, {"map": model["as_published"].get("map")}
        for key in THRESHOLDED:
            average, _, name = key.partition("_")
            figures[average][name], ends = cell[key], [cell[f"{key}_low"], cell[f"{key}_high"]]
            plain[key] = cell[f"{key}_as_published"]
            intervals[key] = None if None in ends else ends
            if average == "macro":
                figures[average][f"{name}_tags"] = cell[f"{key}_tags"]
        threshold = threshold_range(cell["lowest_threshold"], cell["highest_threshold"])
        models.append(
            {**model, **figures, "intervals": intervals, "ranks": {},
             "threshold": threshold, "threshold_source": "cross-fitted", "as_published": plain}
        )  # fmt: skip
    if payload["replicates"] and len(models) > 1:
        for key in HEADLINES:
            tied = not_exceeded(rows, key, {model["name"]: value_of(model, key) for model in models})
            for model, one in zip(models, tied, strict=True):
                model["ranks"][key] = {"rank": _rank_of(rows, key, model["name"]), "tied_with_best": one}
    return {**payload, "models": models, "differences": rows}


def _rank_of(rows: Sequence[Mapping[str, Any]], key: str, name: str) -> int:
    """Return 1 + the number of models that are significantly higher."""
    own = (row for row in rows if row["figure"] == key and name in (row["first"], row["second"]))
    return 1 + sum(1 for row in own if row["higher"] not in (None, name))


def leaderboard(payload: Mapping[str, Any]) -> list[Standing]:
    """Return the models by mAP descending (undefined last, ties in run order), with intervals, ranks and marks."""
    models: Sequence[Mapping[str, Any]] = payload["models"]
    columns = {key: _column(payload, key) for key in LEADERBOARD}
    columns["coverage"] = _highest(
        [Cell(percent(m["known_tags"], m["dataset_tags"]), m["known_tags"]) for m in models],
    )
    columns["size"] = [Cell(millions(m["parameters"]), m["parameters"]) for m in models]
    rates = [Cell(rate(m["images_per_second"]), m["images_per_second"]) for m in models]
    one_machine = len({m["timed_on"] for m in models}) == 1
    columns["rate"] = _highest(rates) if one_machine else rates
    standings = [
        Standing(model=model, style=i % MODEL_STYLES, cells={key: cells[i] for key, cells in columns.items()})
        for i, model in enumerate(models)
    ]
    return sorted(standings, key=lambda s: -s.model["map"] if s.model["map"] is not None else float("inf"))


def _column(payload: Mapping[str, Any], key: str) -> list[Cell]:
    models = payload["models"]
    cells = []
    for model in models:
        value, (low, high) = value_of(model, key), model["intervals"].get(key) or (None, None)
        over = tags_in_mean(model, key)
        plain, (text, ends) = model["as_published"].get(key), estimate(value, low, high)
        cells.append(
            Cell(
                text, value, None if over == payload["compared_tags"] else over, low=low, high=high, range=ends,
                rank=_rank_text(models, model, key), place=_place_text(models, model, key),
                plain="" if plain is None else figure(plain), plain_value=plain,
            )
        )  # fmt: skip
    if not payload["replicates"]:
        return _highest(cells)
    values = {model["name"]: cell.value for model, cell in zip(models, cells, strict=True)}
    return _marked(cells, not_exceeded(payload["differences"], key, values))


def _rank_text(models: Sequence[Mapping[str, Any]], model: Mapping[str, Any], key: str) -> str:
    if key not in model["ranks"] or value_of(model, key) is None:
        return ""
    rank = model["ranks"][key]["rank"]
    shared = sum(m["ranks"][key]["rank"] == rank for m in models) > 1
    return f"rank {rank}{', shared' if shared else ''}"


def _place_text(models: Sequence[Mapping[str, Any]], model: Mapping[str, Any], key: str) -> str:
    ranks = [one["ranks"][key]["rank"] for one in models if key in one["ranks"]]
    if len(models) < 3 or len(set(ranks)) < 2 or value_of(model, key) is None:
        return ""
    rank = model["ranks"][key]["rank"]
    return f"#{rank}{'=' if ranks.count(rank) > 1 else ''}"


def not_exceeded(differences: Sequence[Mapping[str, Any]], key: str, values: Mapping[str, float | None]) -> list[bool]:
    """Return, for each model, whether the highest value does not significantly exceed its own; true for the highest itself."""
    defined = {name: value for name, value in values.items() if value is not None}
    if not defined:
        return [False] * len(values)
    top = max(defined, key=lambda name: defined[name])
    below = {
        row["second"] if row["first"] == top else row["first"]
        for row in differences
        if row["figure"] == key and row["higher"] == top
    }
    return [name in defined and name not in below for name in values]


def _highest(cells: Sequence[Cell]) -> list[Cell]:
    """Mark the highest point estimate. Equal displayed values share the mark; if all are equal, none is marked."""
    defined = [cell for cell in cells if cell.value is not None]
    if len({cell.text for cell in cells}) < 2 or len(defined) < 2:
        return list(cells)
    best = max(defined, key=lambda cell: cell.value or 0.0).text
    return _marked(cells, [cell.text == best for cell in cells])


def _marked(cells: Sequence[Cell], best: Sequence[bool]) -> list[Cell]:
    """Return the cells with marks; none if every defined cell would be marked, or only one is defined."""
    defined = [cell for cell in cells if cell.value is not None]
    if len(defined) < 2 or sum(best) == len(defined):
        return list(cells)
    return [replace(cell, best=mark) for cell, mark in zip(cells, best, strict=True)]
