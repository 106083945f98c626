"""Evidence from a paired run: both models evaluated together on the same images."""

from typing import Any

import numpy as np
import pandas as pd

from arena.base.errors import ArenaError, nearest
from arena.base.tables import rows_of
from arena.gate.decide import DifferenceInterval
from arena.gate.evidence import EVIDENCE_TAG_COLUMNS, Evidence, EvidenceSlice, MetricPair
from arena.metrics.registry import HEADLINES, METRICS, TESTED
from arena.results.headline import headline
from arena.results.run_folder import Result

_NO_INTERVALS = "the result has no resamples, so no intervals; score it with --bootstrap 1000"
"""Why a run cannot be decided, and the fix."""

_TAG_SLICES = ("category", "support", "group")

_UNKNOWN = DifferenceInterval(np.nan, np.nan, np.nan)


def evidence_from_run(result: Result, *, candidate: str, baseline: str, regime: str) -> Evidence:
    """Return the evidence on two models of a run, whatever their order in it.

    Args:
        regime: threshold policy of `Evidence.overall`.

    Raises:
        ArenaError: the run has no such model.
    """
    for name in (candidate, baseline):
        if name not in result.models:
            raise ArenaError(f"the paired run has no model {name!r}. {nearest(name, result.models)}")
    differences = _oriented(result.tables["differences"], [""], candidate=candidate, baseline=baseline)
    per_tag = result.per_tag
    known = {name: per_tag[per_tag["model"] == name] for name in (candidate, baseline)}
    compared = {name: rows[rows["compared"]].set_index("truth_tag") for name, rows in known.items()}
    return Evidence(
        regime,
        _overall(result, differences, regime, candidate=candidate, baseline=baseline),
        _parts(result, differences, candidate=candidate, baseline=baseline),
        _tags(result, candidate=compared[candidate], baseline=compared[baseline], names=(candidate, baseline)),
        dict(zip(known[baseline]["truth_tag"], known[baseline]["support"].astype(int), strict=True)),
        frozenset(known[candidate]["truth_tag"]),
        int(result.summary["images"]),
        "" if result.summary["replicates"] else _NO_INTERVALS,
    )


def _oriented(table: pd.DataFrame, figures: list[str], *, candidate: str, baseline: str) -> pd.DataFrame:
    """Return the rows of two models, with `difference`, `low` and `high` as candidate minus baseline.

    Args:
        table: `differences` or `tag_differences`, which hold first minus second.
        figures: prefixes of the three columns, such as `f1_`.
    """
    forward = (table["first"] == candidate) & (table["second"] == baseline)
    reverse = (table["first"] == baseline) & (table["second"] == candidate)
    rows, same = table[forward | reverse], forward[forward | reverse].to_numpy(bool)
    changed = {}
    for prefix in figures:
        difference, low, high = (rows[prefix + name].to_numpy(np.float64) for name in ("difference", "low", "high"))
        changed[f"{prefix}difference"] = np.where(same, difference, -difference)
        changed[f"{prefix}low"], changed[f"{prefix}high"] = np.where(same, low, -high), np.where(same, high, -low)
    return rows.assign(**changed)


def _by_key(differences: pd.DataFrame) -> dict[tuple[str, str, str, str], DifferenceInterval]:
    """Return the differences by slice, value, regime and metric."""
    keys = zip(*(differences[name] for name in ("slice", "value", "regime", "figure")), strict=True)
    values = zip(*(differences[name].astype(float) for name in ("difference", "low", "high")), strict=True)
    return {key: DifferenceInterval(*value) for key, value in zip(keys, values, strict=True)}


def _overall(
    result: Result, differences: pd.DataFrame, regime: str, *, candidate: str, baseline: str
) -> dict[str, MetricPair]:
    by_key = _by_key(differences[differences["slice"] == "all"])
    found = {}
    for name in HEADLINES:
        at = regime if METRICS[name].needs_threshold else "own"
        regimes = [result.summary["models"][model]["regimes"].get(at, {}) for model in (candidate, baseline)]
        one, other = (headline(regime, name) if name in regime else None for regime in regimes)
        found[name] = MetricPair(name, _defined(one), _defined(other), by_key.get(("all", "all", at, name), _UNKNOWN))
    return found


def _parts(result: Result, differences: pd.DataFrame, *, candidate: str, baseline: str) -> list[EvidenceSlice]:
    by_key, slices = _by_key(differences[differences["regime"] == "own"]), result.tables["slices"]
    rows = {name: [*rows_of(slices[slices["model"] == name])] for name in (candidate, baseline)}
    found = []
    for one, other in zip(rows[candidate], rows[baseline], strict=True):
        kind, value = str(one["slice"]), str(one["value"])
        if kind != "all":
            figures = {
                name: MetricPair(
                    name,
                    _defined(headline(one, name)),
                    _defined(headline(other, name)),
                    by_key.get((kind, value, "own", name), _UNKNOWN),
                )
                for name in HEADLINES
            }
            of_images = kind not in _TAG_SLICES
            found.append(
                EvidenceSlice(kind, value, str(one["title"]), int(one["images"]), int(one["tags"]), figures, of_images)
            )
    return found


def _tags(result: Result, *, candidate: pd.DataFrame, baseline: pd.DataFrame, names: tuple[str, str]) -> pd.DataFrame:
    rows = _oriented(
        result.tables["tag_differences"], [f"{key}_" for key in TESTED], candidate=names[0], baseline=names[1]
    )
    metrics = {
        f"{figure}_{role}": values
        for role, known in (("candidate", candidate), ("baseline", baseline))
        for figure, values in known[list(TESTED)].reindex(rows["tag"]).astype(float).items()
    }
    columns = {name: values.to_numpy() for name, values in metrics.items()}
    return rows.assign(**columns)[list(EVIDENCE_TAG_COLUMNS)].reset_index(drop=True)


def _defined(value: Any) -> float | None:
    return None if value is None or np.isnan(value) else float(value)
