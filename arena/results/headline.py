"""The headline value of an aggregate: the value without its bias, which is the one that its interval is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from arena.metrics.registry import METRICS


def headline(figures: Mapping[Any, Any] | pd.DataFrame, key: str) -> Any:
    """Return the bias-corrected value of a metric; the plain one if the run has none.

    A run has none without resamples, and if an older version made it.

    Args:
        figures: aggregates by key, such as a regime of `summary.json`; or rows of `slices`, which give a column.
        key: key of the metric.

    >>> headline({"map": 0.5, "map_corrected": 0.4}, "map"), headline({"map": 0.5}, "map")
    (0.4, 0.5)
    """
    corrected = f"{key}_corrected"
    return figures[corrected] if corrected in figures else figures[key]


def as_published(figures: Mapping[Any, Any], key: str) -> Any:
    """Return the plain mean over tags, as published results state it; None if `headline` already returns it.

    Micro averages are ratios of sums, which have no bias to correct.

    >>> as_published({"map": 0.5, "map_corrected": 0.4}, "map"), as_published({"map": 0.5}, "map")
    (0.5, None)
    """
    corrected = METRICS[key].average == "macro" and f"{key}_corrected" in figures
    return figures[key] if corrected else None


def notes_on_values(summary: Mapping[str, Any]) -> list[str]:
    """Return the note on values beside their differences: both are corrected, but not in the same way; empty if uncorrected."""
    regimes = [model["regimes"]["own"] for model in summary["models"].values()]
    if not any("map_corrected" in own for own in regimes):
        return []
    return [
        (
            "macro metrics and mAP are without the bias of means over rare tags; a difference is that of the plain means, "
            "because the bias of both models cancels in it, so it can deviate from the difference of the two values"
        )
    ]
