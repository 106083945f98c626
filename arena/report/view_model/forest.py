"""The forest plot: the difference of each pair of models under each threshold policy, on each headline metric.

Its rows are one family: p is corrected (Holm) over all of them, so the chance of naming a better model is at most `DECIDED` if
none is. The leaderboard is another family, with the metrics at the models' own thresholds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from arena.base.format import DECIDED, clipped, estimate, listed, plural, probability, signed
from arena.metrics.registry import HEADLINES, METRICS
from arena.metrics.significance import holm
from arena.report.view_model.comparisons import MOST_PAIRS
from arena.report.view_model.leaderboard import MODEL_STYLES
from arena.report.view_model.regimes import POLICY_TEXTS, policy_name, why_undefined

OWN_POLICY, ANY_THRESHOLD = "Own thresholds", "Any threshold"
"""Title of the row at the models' own thresholds, and of that of a metric that needs no threshold."""


@dataclass(frozen=True)
class Contrast:
    """One row: the difference of two models under one threshold policy, the first minus the second.

    Attributes:
        metric: key of the headline metric.
        policy: key of the threshold policy; `own` for a metric that needs none.
        difference, low, high: None if undefined.
        p: corrected over all rows of the plot; None if undefined.
        higher: the model that is significantly higher; None if undetermined or undefined.
        style: style of that model; None without one.
        why: why the difference is undefined; empty if it is defined or the reason is unknown.
    """

    metric: str
    policy: str
    first: str
    second: str
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    higher: str | None = None
    style: int | None = None
    why: str = ""

    @property
    def title(self) -> str:
        """The title of the threshold policy."""
        if not METRICS[self.metric].needs_threshold:
            return ANY_THRESHOLD
        return OWN_POLICY if self.policy == "own" else POLICY_TEXTS.get(self.policy, (self.policy, ""))[0]

    @property
    def text(self) -> str:
        """The difference and its interval."""
        return str(estimate(self.difference, self.low, self.high, signed))

    @property
    def words(self) -> str:
        """Which model is higher, with p; or why that is unknown."""
        if self.difference is None:
            return self.why or "undefined"
        return f"{f'{clipped(self.higher, 30)} higher' if self.higher else 'undetermined'}, p {probability(self.p)}"


@dataclass(frozen=True)
class Forest:
    """All rows of the run, by pair of models, metric, and policy."""

    rows: Sequence[Contrast]

    @property
    def pairs(self) -> dict[tuple[str, str], dict[str, list[Contrast]]]:
        """The rows of each pair, by metric."""
        found: dict[tuple[str, str], dict[str, list[Contrast]]] = {}
        for row in self.rows:
            found.setdefault((row.first, row.second), {}).setdefault(row.metric, []).append(row)
        return found

    @property
    def listed(self) -> dict[tuple[str, str], dict[str, list[Contrast]]]:
        """The rows of the pairs that a table has room for: all, or those with the first model."""
        pairs = self.pairs
        if len(pairs) <= MOST_PAIRS:
            return pairs
        return {pair: rows for pair, rows in pairs.items() if pair[0] == self.rows[0].first}

    @property
    def tested(self) -> int:
        """Number of rows with a defined difference, over which p is corrected."""
        return sum(row.p is not None for row in self.rows)


def forest(payload: Mapping[str, Any]) -> Forest | None:
    """Return the forest plot of a run; None if nothing was tested: one model, no resamples, or no tag."""
    if not payload["replicates"] or not payload["differences"] or len(payload["models"]) < 2:
        return None
    names = [model["name"] for model in payload["models"]]
    pairs = combinations(names, 2)
    tested = {
        (regime["name"], row["figure"], row["first"], row["second"]): row
        for regime in payload["regimes"]
        for row in regime["differences"]
    }
    rows, alone = zip(*(found for pair in pairs for found in _rows(payload, pair, tested)), strict=True)
    return Forest(_corrected(rows, alone, names))


def _rows(
    payload: Mapping[str, Any], pair: tuple[str, str], tested: Mapping[tuple[str, str, str, str], Mapping[str, Any]]
) -> Iterator[tuple[Contrast, float]]:
    """Yield the rows of a pair of models, each with its p before correction; NaN if undefined."""
    names = [model["name"] for model in payload["models"]]
    for metric in HEADLINES:
        for regime in payload["regimes"]:
            if not METRICS[metric].needs_threshold and regime["name"] != "own":
                continue
            found = tested.get((regime["name"], metric, *pair))
            row = Contrast(metric, regime["name"], *pair)
            if found is None:
                reasons = [why_undefined(regime["name"], regime["models"][names.index(name)]) for name in pair]
                of = [f"{clipped(name, 30)}: {reason}" for name, reason in zip(pair, reasons, strict=True) if reason]
                yield replace(row, why="; ".join(of)), math.nan
            else:
                known = {key: found[key] for key in ("difference", "low", "high")}
                yield replace(row, **known), math.nan if found["p_alone"] is None else found["p_alone"]


def _corrected(rows: Sequence[Contrast], alone: Sequence[float], names: Sequence[str]) -> list[Contrast]:
    """Return the rows with p corrected over all of them, and with the model that is higher where that is decided."""
    found = []
    for row, p in zip(rows, holm(np.array(alone, np.float64)).tolist(), strict=True):
        if math.isnan(p):
            found.append(row)
            continue
        higher = (row.first if (row.difference or 0.0) > 0 else row.second) if p <= DECIDED else None
        style = None if higher is None else names.index(higher) % MODEL_STYLES
        found.append(replace(row, p=p, higher=higher, style=style))
    return found


def caption(found: Forest, what: str = "plot") -> str:
    """Return what the rows show and over which of them p is corrected; `what` they are: a plot, or a table."""
    more = len(found.pairs) - len(found.listed)
    others = (
        f" The other {plural(more, 'pair is', 'pairs are')} in differences.parquet." if what == "table" and more else ""
    )
    of_pairs = f" for all {len(found.pairs)} pairs" if len(found.pairs) > 1 else ""
    return (
        f"p is corrected (Holm) over the {plural(found.tested, 'row', 'rows')} of this {what}{of_pairs}, and "
        "a difference is decided if "
        f"it is at most {DECIDED}; the leaderboard corrects over its own table. An interval is not corrected: it can exclude 0 "
        "though the row is undetermined. All thresholds but the taggers’ own are cross-fitted." + others
    )


def other_policies(payload: Mapping[str, Any]) -> str:
    """Return the sentence on differences under other threshold policies than `own`; empty if there are none."""
    found = forest(payload)
    rows = [row for row in found.rows if row.policy != "own"] if found else []
    if not rows:
        return ""
    decided = [row for row in rows if row.higher]
    if not decided:
        return "Under the other threshold policies no difference is decided."
    if len(payload["models"]) > 2:
        are = "is" if len(decided) == 1 else "are"
        of_all = f"{len(decided)} of {plural(len(rows), 'difference', 'differences')}"
        return f"Under other threshold policies, {of_all} {are} decided."
    return f"Under other threshold policies, {_who_is_higher(payload, rows)}."


def _who_is_higher(payload: Mapping[str, Any], rows: Sequence[Contrast]) -> str:
    """Return which of two models is higher in which metrics, and under which policies; metrics of equal policies together."""
    parts = []
    for model in payload["models"]:
        metrics: dict[str, list[str]] = {}
        for key, title in HEADLINES.items():
            if where := _where_higher([row for row in rows if row.metric == key], model["name"]):
                metrics.setdefault(where, []).append(title)
        if metrics:
            found = [f"{listed(titles)} ({where})" for where, titles in metrics.items()]
            parts.append(f"{clipped(model['name'])} has the higher {listed(found)}")
    return "; ".join(parts)


def _where_higher(rows: Sequence[Contrast], name: str) -> str:
    """Return the policies under which a model is higher in a metric; empty if there are none."""
    higher = [policy_name(row.policy) for row in rows if row.higher == name]
    others = [policy_name(row.policy) for row in rows if row.higher != name]
    if len(higher) > 1 and not others:
        return f"all {len(higher)}"
    return f"all but {others[0]}" if len(higher) > len(others) == 1 else listed(higher)
