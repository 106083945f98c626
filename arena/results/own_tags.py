"""Metrics of one model over all of its own tags: a run of several models averages over the tags that all of them know."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from arena.base.format import listed
from arena.metrics.registry import LEADERBOARD, METRICS
from arena.results.run_folder import Result


class OwnMetric(NamedTuple):
    """A metric at the model's own thresholds, and its number of tags; None if undefined, and for micro metrics."""

    value: float | None
    tags: int | None


def other_models(result: Result, model: str) -> list[str]:
    """Return the other models of a run, whose tag lists limit the compared tags."""
    return [name for name in result.models if name != model]


def also_known(others: Sequence[str]) -> str:
    """Return the clause that says which other models know the compared tags; empty without others.

    >>> also_known(["wd14"]), also_known(["a", "b"]), also_known([])
    (' that wd14 also knows', ' that a and b also know', '')
    """
    return f" that {listed(others, keep=3)} also know{'s' if len(others) == 1 else ''}" if others else ""


def own_tag_metrics(result: Result, model: str) -> dict[str, OwnMetric]:
    """Return every average over the tags of the truth that the model knows and that have enough positives.

    Other models do not matter. The values are plain means and ratios of sums, without a correction of their bias. The rules for
    undefined metrics are those of the run, as stored in `per_tag`. Of two tags that the truth treats as one, the compared one
    counts, else the first.

    Returns: key of `LEADERBOARD` -> value and number of tags.
    """
    rows = result.tags_of(model).sort_values("compared", ascending=False, kind="stable")
    rows = rows[rows["support"] >= result.summary["min_positives"]].drop_duplicates("truth_tag")
    return {key: _metric(rows, key) for key in LEADERBOARD}


def _metric(rows: pd.DataFrame, key: str) -> OwnMetric:
    metric = METRICS[key]
    if metric.average != "micro":
        values = rows[metric.base].dropna()
        return OwnMetric(float(values.mean()) if len(values) else None, len(values))
    tp, fp, fn = (int(rows[name].sum()) for name in ("tp", "fp", "fn"))
    part, whole = {"precision": (tp, tp + fp), "recall": (tp, tp + fn), "f1": (2 * tp, 2 * tp + fp + fn)}[metric.base]
    return OwnMetric(part / whole if whole else None, None)
