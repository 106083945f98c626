"""Paired differences between models: their intervals and tests, Holm's correction, and ranks."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from arena.evaluate.aggregate import Aggregates, Estimate
from arena.metrics import significance
from arena.metrics.counts import Floats
from arena.metrics.intervals import resampled_p, standard_error_of
from arena.metrics.power import detectable_effect
from arena.metrics.registry import AGGREGATES, HEADLINES, METRICS, TESTED

FAMILY_WISE_ERROR = 0.05
"""Family-wise error rate over all headline metrics and pairs of models: the chance of naming a better model if none is."""

TagTests = Mapping[tuple[str, str], Mapping[str, float]]
"""Columns of `tag_differences` of one tag, by pair of models."""


class _PairByTarget(NamedTuple):
    """Difference of one metric of a pair of models."""

    seen: Estimate
    """Arrays (targets,)."""
    ends_and_p: Floats
    """Low end, high end and p; float64 (3, targets)."""

    @classmethod
    def of(cls, seen: Estimate) -> "_PairByTarget":
        return cls(seen, np.stack([*np.clip(seen.interval, -1, 1), resampled_p(seen.value, seen.error, seen.freedom)]))


def difference_table(
    found: Aggregates, models: Sequence[str], tests: Mapping[int, TagTests] = MappingProxyType({})
) -> pd.DataFrame:
    """Return one row per target, metric and pair of models: difference, interval, p, and minimum detectable difference.

    Columns: `DIFFERENCE_COLUMNS`. Empty with one model or without resamples.

    Args:
        found: the aggregates.
        models: names of the models.
        tests: target of one tag -> the tests of that tag, whose interval, p and degrees of freedom it takes.
    """
    if found.replicates is None or len(models) < 2:
        return pd.DataFrame(columns=list(DIFFERENCE_COLUMNS))
    rows: list[dict[str, Any]] = []
    by_target = {
        (figure, a, b): _PairByTarget.of(found.by_target([a, b], figure))
        for figure in range(len(AGGREGATES)) for a, b in combinations(range(len(models)), 2)
    }  # fmt: skip
    for place, target in enumerate(found.targets):
        for figure, name in enumerate(AGGREGATES):
            for a, b in combinations(range(len(models)), 2):
                seen = by_target[figure, a, b].seen.at(place)
                if np.isnan(seen.value):
                    continue
                low, high, p = by_target[figure, a, b].ends_and_p[:, place].tolist()
                if place in tests and (base := METRICS[name].base) in TESTED:
                    test = tests[place][models[a], models[b]]
                    low, high, p, freedom = (test[f"{base}_{column}"] for column in ("low", "high", "p", "freedom"))
                    seen = seen._replace(error=standard_error_of(low, high, freedom=freedom), freedom=freedom)
                rows.append(
                    {
                        "slice": target.slice, "value": target.value, "regime": target.regime, "figure": name,
                        "first": models[a], "second": models[b], "difference": seen.value,
                        "low": low, "high": high, "standard_error": seen.error, "p": p,
                        "degrees_of_freedom": seen.freedom, "images": target.images, "tags": seen.tags,
                    }
                )  # fmt: skip
    computed = [name for name in DIFFERENCE_COLUMNS if name not in ("minimum_detectable", "p_adjusted", "higher")]
    return correct_differences(pd.DataFrame(rows, columns=computed))[list(DIFFERENCE_COLUMNS)]


DIFFERENCE_COLUMNS = (
    "slice", "value", "regime", "figure", "first", "second", "difference", "low", "high", "standard_error",
    "degrees_of_freedom", "p", "minimum_detectable", "images", "tags", "p_adjusted", "higher",
)  # fmt: skip
"""Columns of `differences.parquet`; `higher` is the model that is significantly higher, or `undetermined`."""


def correct_differences(table: pd.DataFrame) -> pd.DataFrame:
    """Add Holm's correction, the higher model and the minimum detectable difference to the table of differences.

    A family is what a reader sees in one table: all values, metrics and pairs of models of a slice under one regime. The
    minimum detectable difference is decided with a power of 80 % whatever the other differences of the family are: its test
    has the level `FAMILY_WISE_ERROR` divided by the number of tests.
    """
    families: dict[tuple[str, str], list[int]] = {}
    for row, family in enumerate(zip(table["slice"], table["regime"], strict=True)):
        families.setdefault(family, []).append(row)
    p, errors, freedom = (table[name].to_numpy(np.float64) for name in ("p", "standard_error", "degrees_of_freedom"))
    adjusted, detectable = np.full((2, len(table)), np.nan)
    for rows in families.values():
        adjusted[rows] = significance.holm(p[rows])
        level = FAMILY_WISE_ERROR / max(1, int(np.isfinite(p[rows]).sum()))
        effects = {one: detectable_effect(np.array([level]), freedom=one) for one in np.unique(freedom[rows])}
        detectable[rows] = errors[rows] * [effects[one] for one in freedom[rows]]
    first = np.where(table["difference"] > 0, table["first"], table["second"])
    higher = np.where(adjusted <= FAMILY_WISE_ERROR, first, "undetermined")
    return table.assign(minimum_detectable=detectable, p_adjusted=adjusted, higher=higher)


def headline_ranks(table: pd.DataFrame, estimates: Floats, models: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the rank of each model on each headline metric, and whether it is tied with the best.

    Args:
        table: differences, from `difference_table`.
        estimates: float64 (models, AGGREGATES), over all compared tags at the models' own thresholds.
        models: names of the models.

    Returns: metric -> model -> {"rank", "tied_with_best"}.
    """
    found: dict[str, dict[str, Any]] = {}
    rows = table[(table["slice"] == "all") & (table["regime"] == "own")]
    tests = [*zip(*(rows[name].tolist() for name in ("figure", "first", "second", "higher")), strict=True)]
    for name in HEADLINES:
        better = np.zeros((len(models), len(models)), np.bool_)
        for figure, first, second, higher in tests:
            if figure == name:
                a, b = models.index(first), models.index(second)
                better[a, b], better[b, a] = higher == first, higher == second
        values = estimates[:, AGGREGATES.index(name)]
        found[name] = {
            model: {"rank": one.rank, "tied_with_best": one.tied_with_best}
            for model, one in zip(models, significance.ranks_by_significance(values, better), strict=True)
        }
    return found
