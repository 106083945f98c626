"""Metrics of one model over all of its own tags. A run of several models averages only over the tags that all models know."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from arena.base.format import listed
from arena.metrics.registry import LEADERBOARD, METRICS
from arena.results.run_folder import Result


class OwnMetric(NamedTuple):
    """A metric at the model's own thresholds."""

    value: float | None
    """0 to 1; None if undefined."""
    tags: int | None
    """Number of tags in the mean; None for micro metrics."""


def other_models(result: Result, model: str) -> list[str]:
    """Return the other models of a run, whose tag lists limit the compared tags."""
    return [name for name in result.models if name != model]


def also_known(others: Sequence[str]) -> str:
    """Return the clause that names the other models that know the compared tags; empty without others.

    >>> also_known(["wd14"]), also_known(["a", "b"]), also_known([])
    (' that wd14 also knows', ' that a and b also know', '')
    """
    return f" that {listed(others, keep=3)} also know{'s' if len(others) == 1 else ''}" if others else ""


def own_tag_metrics(result: Result, model: str) -> dict[str, OwnMetric]:
    """Return the metrics of a model over all tags of the truth that it knows and that have enough positives.

    The tags of other models have no effect. The values are plain means and ratios of sums; their bias is not corrected.
    Undefined metrics follow the convention of the run, as stored in `per_tag`. If the truth treats two tags as one, only the
    compared tag counts, or the first one if neither is compared.

    Returns: key of `LEADERBOARD` -> value and number of tags.
    """
    rows = result.tags_of(model).sort_values("compared", ascending=False, kind="stable")
    rows = rows[rows["support"] >= result.summary["min_positives"]].drop_duplicates("truth_tag")
    return {key: _metric(rows, key) for key in LEADERBOARD}


def _metric(rows: pd.DataFrame, key: str) -> OwnMetric:
    """Return the metric over the rows of `per_tag`; micro metrics always follow from the sums of TP, FP and FN."""
    metric = METRICS[key]
    if metric.average != "micro":
        values = rows[metric.base].dropna()
        return OwnMetric(float(values.mean()) if len(values) else None, len(values))
    tp, fp, fn = (int(rows[name].sum()) for name in ("tp", "fp", "fn"))
    part, whole = {"precision": (tp, tp + fp), "recall": (tp, tp + fn), "f1": (2 * tp, 2 * tp + fp + fn)}[metric.base]
    return OwnMetric(part / whole if whole else None, None)
