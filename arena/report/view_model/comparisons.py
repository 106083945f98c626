"""Tables of a result as page payload: differences, verdicts by tag, threshold policies, slices, calibration, label issues."""

import math
from collections.abc import Hashable, Mapping, Sequence
from itertools import combinations
from typing import Any

import pandas as pd

from arena.base.tables import rows_of
from arena.metrics.registry import MACRO_THRESHOLDED, SLICED, TESTED, THRESHOLDED
from arena.report.columns import Number, exact_column, exact_number, rounded_column, rounded_probability
from arena.results.headline import as_published, headline
from arena.results.run_folder import CONTAMINATION, Result


def difference_rows(result: Result) -> list[dict[str, Any]]:
    """Return the difference of every metric over all compared tags, for each pair of models at their own thresholds."""
    table = result.tables["differences"]
    return _difference_rows(table[table["slice"] == "all"], "regime").get(("own",), [])


def _difference_rows(table: pd.DataFrame, *keys: str) -> dict[tuple[Hashable, ...], list[dict[str, Any]]]:
    """Return the rows as payload, by the values of the columns `keys`; a selection by pandas takes longer than all rows."""
    found: dict[tuple[Hashable, ...], list[dict[str, Any]]] = {}
    for row in rows_of(table):
        found.setdefault(tuple(row[key] for key in keys), []).append(_difference_row(row))
    return found


def _difference_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "figure": row["figure"], "first": row["first"], "second": row["second"],
        "difference": exact_number(row["difference"]), "low": exact_number(row["low"]), "high": exact_number(row["high"]),
        "p": rounded_probability(row["p_adjusted"]), "p_alone": _exact(row["p"]),
        "minimum_detectable": exact_number(row["minimum_detectable"]),
        "higher": None if row["higher"] == "undetermined" else row["higher"],
    }  # fmt: skip


def _exact(p: float) -> float | None:
    """Return a p without rounding, for a correction over other rows; None if undefined."""
    return None if math.isnan(p) else float(p)


def tag_verdicts(result: Result) -> list[dict[str, Any]]:
    """Return, for each metric and pair of models, on how many tags the first or the second is higher, or neither is decided."""
    table = result.tables["tag_differences"]
    found = []
    for (first, second), rows in table.groupby(["first", "second"], sort=False):
        for metric in TESTED:
            tested = rows[f"{metric}_q"].notna().to_numpy()
            higher = rows[f"{metric}_higher"].to_numpy(object)[tested]
            counts = {"first": int((higher == first).sum()), "second": int((higher == second).sum())}
            undetermined = len(higher) - sum(counts.values())
            found.append(
                {"figure": metric, "models": [first, second], **counts, "undetermined": undetermined, "tags": len(rows)}
            )
    return found


MOST_PAIRS = 10
"""Most pairs of models whose tests a page has tag by tag: all pairs of five models; with more, those with the best model."""


def tag_difference_columns(result: Result, names: "pd.Series[Any]") -> list[dict[str, Any]]:
    """Return, for each pair of models, the differences in F1 and AP by tag; with resamples also interval, q and `higher`.

    Models are referred to by number. A difference is the first model minus the second. `higher` is None if undetermined.

    Args:
        names: the tags in the order of the page.
    """
    pairs = list(combinations(range(len(result.models)), 2))
    if len(pairs) > MOST_PAIRS:
        best = _best(result)
        pairs = [pair for pair in pairs if best in pair]
    figures = {name: _figures_by_tag(result, name, names) for name in result.models}
    tested = {key: rows.set_index("tag") for key, rows in result.tables["tag_differences"].groupby(["first", "second"])}
    found = []
    for first, second in pairs:
        a, b = result.models[first], result.models[second]
        rows = tested[a, b].reindex(names) if (a, b) in tested else None
        columns = {
            key: {"difference": rounded_column((figures[a][key] - figures[b][key]).tolist())}
            | ({} if rows is None else _tested(rows, key, {a: first, b: second}))
            for key in TESTED
        }
        found.append({"first": first, "second": second, **columns})
    return found


def _best(result: Result) -> int:
    """Return the number of the model with the highest macro F1 at its own thresholds."""
    values = [headline(model["regimes"]["own"], "macro_f1") for model in result.summary["models"].values()]
    return max(range(len(values)), key=lambda place: -1.0 if values[place] is None else values[place])


def _figures_by_tag(result: Result, model: str, names: "pd.Series[Any]") -> pd.DataFrame:
    """Return `TESTED` by tag of the page; if two tags of a model map to the same ground truth tag, the compared one."""
    table = result.tags_of(model).sort_values("compared", ascending=False, kind="stable").drop_duplicates("truth_tag")
    return table.set_index("truth_tag").reindex(names)[list(TESTED)]


def _tested(rows: pd.DataFrame, key: str, numbers: Mapping[str, int]) -> dict[str, list[Any]]:
    return {
        "low": rounded_column(rows[f"{key}_low"].tolist()),
        "high": rounded_column(rows[f"{key}_high"].tolist()),
        "q": [rounded_probability(value) for value in rows[f"{key}_q"].tolist()],
        "higher": [numbers.get(name) for name in rows[f"{key}_higher"].tolist()],
    }


def regime_results(result: Result) -> list[dict[str, Any]]:
    """Return one row per threshold policy: name, each model's metrics with intervals and threshold range, and differences."""
    models, tested = result.summary["models"], result.tables["differences"]
    names = next(iter(models.values()))["regimes"] if models else ()
    differences = _difference_rows(tested[tested["slice"] == "all"], "regime")
    return [
        {
            "name": name,
            "models": [_under_policy(model["regimes"][name]) for model in models.values()],
            "differences": differences.get((name,), []),
        }
        for name in names
    ]


def _under_policy(found: Mapping[str, Any]) -> dict[str, Number]:
    """Return a model's metrics under a threshold policy: headline and plain values, intervals, numbers of tags, thresholds."""
    keys = [f"{metric}{end}" for metric in THRESHOLDED for end in ("_low", "_high")]
    keys += [f"{metric}_tags" for metric in MACRO_THRESHOLDED]
    keys += ["tags", "lowest_threshold", "highest_threshold", "confident_threshold"]
    return (
        {metric: exact_number(headline(found, metric)) for metric in THRESHOLDED}
        | {f"{metric}_as_published": exact_number(as_published(found, metric)) for metric in THRESHOLDED}
        | {key: exact_number(found.get(key)) for key in keys}
    )


def slice_results(result: Result) -> list[dict[str, Any]]:
    """Return one row per slice: kind, title, size, and for each metric in `SLICED` the values, intervals and differences.

    The slice of all images is omitted, because it is the leaderboard; so are contamination levels, which have a section.
    """
    table, tested = result.tables["slices"], result.tables["differences"]
    differences = _difference_rows(tested[tested["regime"] == "own"], "slice", "value")
    omitted = {"all", CONTAMINATION} if CONTAMINATION in result.summary else {"all"}
    parts: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for row in rows_of(table):
        if row["slice"] not in omitted:
            parts.setdefault((row["slice"], row["value"]), {})[row["model"]] = row
    unknown: dict[str, Any] = dict.fromkeys(table.columns, math.nan)
    found = []
    for (kind, value), by_model in parts.items():
        rows = [by_model.get(name, unknown) for name in result.models]
        pairs = differences.get((kind, value), [])
        found.append(
            {
                "slice": kind, "title": str(rows[0]["title"]), "images": int(rows[0]["images"]), "tags": int(rows[0]["tags"]),
                "figures": {name: _sliced(rows, name, pairs) for name in SLICED},
            }
        )  # fmt: skip
    return found


def _sliced(rows: Sequence[Mapping[str, Any]], name: str, pairs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return each model's headline value with its interval, and the differences of the pairs."""
    return {
        "models": [
            [exact_number(value) for value in (headline(row, name), row[f"{name}_low"], row[f"{name}_high"])]
            for row in rows
        ],
        "differences": [pair for pair in pairs if pair["figure"] == name],
    }


def calibration(result: Result) -> list[dict[str, Any]]:
    """Return, for each model, the Brier score, the calibration error, that of a calibrated model, and the bins.

    A bin is (low, high, mean score, share of positives, cells).
    """
    table = result.tables["calibration"]
    found = []
    for name, model in result.summary["models"].items():
        rows = table[table["model"] == name]
        bins = zip(
            *(exact_column(rows[key].tolist()) for key in ("low", "high", "mean_score", "share_positive", "cells")),
            strict=True,
        )
        found.append(
            {
                "model": name,
                "ece": exact_number(model["ece"]),
                "ece_if_calibrated": exact_number(model.get("ece_if_calibrated")),  # older runs lack it
                "brier": exact_number(model["brier"]),
                "bins": [list(one) for one in bins],
            }
        )
    return found


def labels(result: Result) -> dict[str, Any] | None:
    """Return the number of label issues, and of each model's false positives those suspected; None if not computed.

    `false_positives` is empty for an older run.
    """
    found = result.summary["labels"]
    return {"missing": found["missing"], "false_positives": found.get("false_positives", {})} if found else None
