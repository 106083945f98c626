"""Packs the counts of each tag under every threshold policy of a run except the models' own thresholds.

The counts of a model change little from one policy to the next, so each column is stored as the difference from that of the
policy before it, in the order of true positives. `templates/comparison/js/policies.js` is the reader.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from arena.report.page.packed import PackedColumn, pack_columns, pack_integers, pack_values
from arena.results.parted import model_rows
from arena.results.run_folder import Result

PLAIN_CONVENTION = "arena"
"""The convention under which the metrics follow from the counts of a policy alone."""

MOST_CELLS = 15_000
"""Most models times tags of which a page has the counts of every tag; a larger page has those of the compared tags."""


def policy_counts(
    result: Result, rows: pd.DataFrame, names: Sequence[str]
) -> dict[str, dict[str, dict[str, list[Any]]]]:
    """Return, for each model and threshold policy, the counts and thresholds of the tags of the page.

    Counts follow from the recall and the precision in `thresholds.csv`. The number of false positives is None (unknown, at
    least 1) where no prediction is true. A model is left out of a policy whose rule holds at no threshold. A large page has the
    compared tags only.

    Args:
        result: the result.
        rows: one row per model and ground truth tag.
        names: the tags in the order of the page; a column is None where the model lacks the tag.

    Returns: model -> policy -> `tp`, `fp`, `threshold`; empty without resamples, and under a convention by which an
    undefined metric counts as a number.
    """
    table = result.tables["thresholds"]
    if table.empty or result.summary["convention"] != PLAIN_CONVENTION:
        return {}
    shown = rows if len(rows) <= MOST_CELLS else rows[rows["compared"]]
    return {
        name: _of_model(model_rows(table, name), model_rows(shown, name).set_index("truth_tag").reindex(list(names)))
        for name in result.models
    }


def _of_model(table: pd.DataFrame, own: pd.DataFrame) -> dict[str, dict[str, list[Any]]]:
    support = (own["tp"] + own["fn"]).to_numpy(np.float64)
    found: dict[str, dict[str, list[Any]]] = {}
    for policy, part in table.groupby("regime", sort=False):
        if policy == "own" or part["recall"].isna().all():
            continue
        values = part.set_index("tag")[["threshold", "precision", "recall"]].reindex(own["tag"].tolist())
        precision, recall = (values[key].to_numpy(np.float64) for key in ("precision", "recall"))
        known = own["tag"].notna().to_numpy()
        tp = np.where(support > 0, np.rint(recall * support), 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            fp = np.where(np.isnan(precision), 0, np.where(tp > 0, np.rint(tp / precision - tp), np.nan))
        found[str(policy)] = {
            "tp": _integers(tp, known), "fp": _integers(fp, known), "threshold": _plain(values["threshold"], known),
        }  # fmt: skip
    return found


def _integers(values: NDArray[np.float64], known: NDArray[np.bool_]) -> list[int | None]:
    there = known & ~np.isnan(values)
    return [int(value) if here else None for value, here in zip(values.tolist(), there.tolist(), strict=True)]


def _plain(values: "pd.Series[float]", known: NDArray[np.bool_]) -> list[float | None]:
    there = known & values.notna().to_numpy()
    return [value if here else None for value, here in zip(values.tolist(), there.tolist(), strict=True)]


def chains(counts: Mapping[str, Mapping[str, Mapping[str, Sequence[Any]]]]) -> list[list[str]]:
    """Return, for each model, its policies by number of true positives, the most first: the order of the differences."""
    return [sorted(policies, key=lambda name: (-_total(policies[name]["tp"]), name)) for policies in counts.values()]


def _total(values: Sequence[int | None]) -> int:
    return sum(value or 0 for value in values)


def policy_block(payload: Mapping[str, Any]) -> str:
    """Return the packed counts of a payload: `0.tag.tp`, `0.tag.fp` and `0.tag.threshold` of the first model, and so on."""
    counts, models = payload["policy_counts"]["models"], payload["tags"]["models"]
    columns: dict[str, PackedColumn] = {}
    for place, (name, order) in enumerate(zip(counts, chains(counts), strict=True)):
        before = {key: _filled(models[name][key]) for key in ("tp", "fp")}
        for policy in order:
            values = counts[name][policy]
            for key in ("tp", "fp"):
                now = _filled(values[key], before[key])
                columns[f"{place}.{policy}.{key}"] = pack_integers(_steps(now - before[key], values[key]))
                before[key] = now
            columns[f"{place}.{policy}.threshold"] = pack_values(values["threshold"])
    return pack_columns(columns)


def _filled(values: Sequence[int | None], before: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Return counts as integers; an unknown one is that of the policy before, or 0."""
    others = np.zeros(len(values), np.int64) if before is None else before
    return np.array(
        [other if value is None else value for value, other in zip(values, others.tolist(), strict=True)], np.int64
    )


def _steps(differences: NDArray[np.int64], values: Sequence[int | None]) -> list[int | None]:
    """Return differences as integers of at least 0: 0, -1, 1, -2, 2 ... become 0, 1, 2, 3, 4 ...; None where unknown."""
    codes = np.where(differences < 0, -2 * differences - 1, 2 * differences)
    return [None if value is None else code for value, code in zip(values, codes.tolist(), strict=True)]
