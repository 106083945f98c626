"""The first screen of the page: each model's headline metrics under every threshold policy, and the differences of all pairs.

A value here is that of the leaderboard; a difference and its verdict are those of the leaderboard's ranks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

from arena.base.format import clipped, count, estimate, known_digits, listed, plural, signed
from arena.metrics.registry import HEADLINES, METRICS, THRESHOLDED
from arena.report.columns import rounded_probability
from arena.report.view_model.forest import forest
from arena.report.view_model.leaderboard import MODEL_STYLES, under_policy, value_of
from arena.report.view_model.notes import FEW_CLUSTERS
from arena.report.view_model.regimes import POLICY_TEXTS
from arena.report.view_model.uncertainty import policy_verdict


class Policy(NamedTuple):
    """A threshold policy of the run: its key, title, description, and the verdict under it as one sentence."""

    name: str
    title: str
    what: str
    verdict: str


class Remark(NamedTuple):
    """A fact that changes the meaning of the headline, in one line, and the id of the part of the page that explains it."""

    text: str
    target: str


@dataclass(frozen=True)
class HeadlineRow:
    """One model's metric.

    Attributes:
        name, style: the model.
        value, low, high: the metric and its interval; None if undefined.
        text, range: the same as displayed.
        behind: difference from the highest value with its interval, as displayed; empty for the highest.
        words: `highest`, `lower`, `undetermined` or, if nothing was tested, empty.
    """

    name: str
    style: int
    value: float | None
    low: float | None
    high: float | None
    text: str
    range: str
    behind: str = ""
    words: str = ""


@dataclass(frozen=True)
class HeadlineMetric:
    """One headline metric: the rows of each policy, the highest value first; of one that needs no threshold only `own`."""

    key: str
    title: str
    by_policy: Mapping[str, Sequence[HeadlineRow]]


def policies(payload: Mapping[str, Any]) -> list[Policy]:
    """Return the threshold policies of the run; the models' own thresholds come first."""
    found = []
    for regime in payload["regimes"]:
        title, what = POLICY_TEXTS.get(regime["name"], (regime["name"], ""))
        verdict = policy_verdict(under_policy(payload, regime), regime["name"])
        found.append(Policy(regime["name"], title, what, verdict))
    return found


def headline_metrics(payload: Mapping[str, Any]) -> list[HeadlineMetric]:
    """Return the headline metrics with the rows of every model under every policy."""
    metrics = []
    for key in HEADLINES:
        regimes = [one for one in payload["regimes"] if METRICS[key].needs_threshold or one["name"] == "own"]
        rows = {one["name"]: _rows(under_policy(payload, one), key) for one in regimes}
        metrics.append(HeadlineMetric(key, METRICS[key].heading, rows))
    return metrics


def _rows(payload: Mapping[str, Any], key: str) -> list[HeadlineRow]:
    """Return the rows of a metric, the highest value first, undefined last."""
    models = payload["models"]
    order = sorted(range(len(models)), key=lambda place: _descending(value_of(models[place], key)))
    rows = []
    for place in order:
        model = models[place]
        low, high = model["intervals"].get(key) or (None, None)
        value = value_of(model, key)
        shown = estimate(value, low, high)
        behind, words = _behind(payload, key, str(model["name"]), str(models[order[0]]["name"]))
        rows.append(
            HeadlineRow(
                model["name"], place % MODEL_STYLES, value, low, high, shown.value, shown.interval, behind, words
            )
        )
    return rows


def _descending(value: float | None) -> float:
    return float("inf") if value is None else -value


def _behind(payload: Mapping[str, Any], key: str, name: str, leader: str) -> tuple[str, str]:
    """Return how far a model is behind the highest value, and the verdict on that."""
    if name == leader:
        return "", "highest" if len(payload["models"]) > 1 else ""
    pair = {name, leader}
    of_metric = (one for one in payload["differences"] if one["figure"] == key)
    row = next((one for one in of_metric if {one["first"], one["second"]} == pair), None)
    if row is None or row["difference"] is None:
        return "", ""
    three = [row["difference"], row["low"], row["high"]]
    if row["first"] == leader:
        three = [None if value is None else -value for value in (row["difference"], row["high"], row["low"])]
    words = {leader: "lower", None: "undetermined"}.get(row["higher"], "higher")
    return str(estimate(three[0], three[1], three[2], signed)), words


def best_pair(payload: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the two models with the highest macro F1 at their own thresholds, by number; the page compares them first."""
    models = payload["models"]
    if len(models) < 2:
        return None
    key = next(iter(HEADLINES))
    order = sorted(range(len(models)), key=lambda place: _descending(value_of(models[place], key)))
    first, second = sorted(order[:2])
    return first, second


def pair_differences(payload: Mapping[str, Any]) -> dict[str, dict[str, list[list[Any]]]]:
    """Return, for each headline metric and policy, the differences of all pairs of models, in the order of `combinations`.

    A difference is [first minus second, low, high, p, number of the higher model or None]. p and the verdict are those of the
    leaderboard, then, in the same way, those of the forest plot. A pair without a difference is an empty list.
    """
    names = [model["name"] for model in payload["models"]]
    pairs = {pair: place for place, pair in enumerate(combinations(names, 2))}
    found: dict[str, dict[str, list[list[Any]]]] = {key: {} for key in HEADLINES}
    for regime in payload["regimes"]:
        for row in under_policy(payload, regime)["differences"]:
            key = row["figure"]
            if key in HEADLINES and (METRICS[key].needs_threshold or regime["name"] == "own"):
                cells = found[key].setdefault(regime["name"], [[] for _ in pairs])
                values = [_rounded(row[name]) for name in ("difference", "low", "high")]
                cells[pairs[row["first"], row["second"]]] = [*values, row["p"], _number(names, row["higher"])]
    plot = forest(payload)
    for one in plot.rows if plot else ():
        if cell := found[one.metric].get(one.policy, [[]] * len(pairs))[pairs[one.first, one.second]]:
            cell += [rounded_probability(one.p), _number(names, one.higher)]
    return found


def _number(names: Sequence[str], name: str | None) -> int | None:
    return None if name is None else names.index(name)


def decided_slices(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the decided differences of slices of tags: the number of slices, and one row per slice, metric and pair.

    A row is [title, metric, number of the first model, of the second, difference, number of the higher model, known digits].
    """
    names = [model["name"] for model in payload["models"]]
    slices = [one for one in payload["slices"] if one["slice"] in ("category", "group")]
    rows = [
        [
            one["title"], key, names.index(row["first"]), names.index(row["second"]), _rounded(row["difference"]),
            names.index(row["higher"]), _digits(row),
        ]
        for one in slices
        for key, found in one["figures"].items()
        for row in found["differences"]
        if row["higher"] is not None
    ]  # fmt: skip
    return {"of": len(slices), "rows": rows}


def _digits(row: Mapping[str, Any]) -> int:
    """Return the digits of a difference that its interval allows."""
    return 4 if row["low"] is None or row["high"] is None else known_digits(row["low"], row["high"])


_DECIMALS = 7


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DECIMALS)


def operating_points(payload: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return, for each cross-fitted policy, every model's plain metrics and, if it is a single number, its threshold."""
    return {
        regime["name"]: [
            {
                **{key: _rounded(_plain(cell, key)) for key in THRESHOLDED},
                "threshold": cell["lowest_threshold"]
                if cell["lowest_threshold"] == cell["highest_threshold"]
                else None,
            }
            for cell in regime["models"]
        ]
        for regime in payload["regimes"]
        if regime["name"] != "own"
    }


def _plain(cell: Mapping[str, Any], key: str) -> float | None:
    """Return a metric without correction for bias, as the curves over thresholds have it."""
    plain: float | None = cell[f"{key}_as_published"]
    return cell[key] if plain is None else plain


def remarks(payload: Mapping[str, Any]) -> list[Remark]:
    """Return what changes the meaning of the headline, most important first."""
    models, labels = payload["models"], payload["labels"]
    found = []
    if not payload["replicates"]:
        found.append(Remark("Point estimates: no intervals, nothing tested", "behind"))
    missing = (
        f"; {plural(labels['missing'], 'label looks', 'labels look')} missing" if labels and labels["missing"] else ""
    )
    found.append(Remark(f"By recorded labels{missing}", "recorded-labels"))
    if payload["replicates"] and payload["clusters"] < FEW_CLUSTERS:
        found.append(
            Remark(
                f"Only {count(payload['clusters'])} independent images or groups: intervals can be too narrow",
                "notes-title",
            )
        )
    if defaults := [clipped(model["name"], 30) for model in models if model["threshold_source"] == "default"]:
        found.append(
            Remark(f"Threshold of {listed(defaults, keep=3)}: the default, none recorded", "leaderboard-title")
        )
    if unverified := [clipped(model["name"], 30) for model in models if model["verified"] is False]:
        found.append(Remark(f"Unverified: {listed(unverified, keep=3)}", "leaderboard-title"))
    return found
