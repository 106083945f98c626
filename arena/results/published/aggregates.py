"""Macro and micro averages of a published result, and the number of tags in each."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from arena.metrics.counts import CONVENTIONS, PRF, Mean, TagCounts, macro, micro
from arena.metrics.registry import AGGREGATES
from arena.results.published.record import Published

CONVENTION_OF: Mapping[str, str] = {
    "full-metrics": "joytag",
    "detailed-metrics": "joytag",
    "report-csv": "smilingwolf",
    "runs-csv": "smilingwolf",
    "selected-tags": "animetimm",
    "metrics-json": "animetimm",
}
"""Format -> convention for undefined metrics; `arena` for the other formats."""


def aggregates_of(published: Published, convention: str | None = None) -> dict[str, Any]:
    """The averages of `registry.AGGREGATES` (None if unknown), the number of tags of each (`macro_f1_tags`), and their source.

    The entry `made_of` is the source: `file` for aggregates in the file, `counts`, or `figures` for means of the published
    metrics of tags, without unknown ones. Micro averages need counts.

    Args:
        convention: a name of `CONVENTIONS`. None takes aggregates in the file if there are any, else the format's convention.
    """
    named = convention or published.convention or CONVENTION_OF.get(published.format, "arena")
    found: dict[str, Any] = {"convention": named, "tags": len(published.tags)} | dict.fromkeys(AGGREGATES)
    if convention is None and published.figures:
        return found | {"made_of": "file"} | dict(published.figures)
    tags = published.tags
    counted = len(tags) > 0 and not tags[["tp", "fp", "fn"]].isna().any(axis=None)
    if counted:
        counts = counts_of(published)
        per_tag = CONVENTIONS[named].ratios(counts)
        found |= {f"micro_{name}": _number(value) for name, value in micro(counts)._asdict().items()}
    else:
        per_tag = PRF(*(tags[name].to_numpy(np.float64) for name in PRF._fields))
    found["made_of"] = "counts" if counted else "figures"
    means = {f"macro_{name}": macro(np.asarray(values)) for name, values in per_tag._asdict().items()}
    means["map"] = macro(tags["ap"].to_numpy(np.float64))
    return found | _with_tags(means)


def counts_of(published: Published) -> TagCounts:
    """The counts of every tag; an unknown threshold becomes NaN, an unknown number of images 0."""
    tags = published.tags
    tp, fp, fn = (tags[name].to_numpy(np.int64) for name in ("tp", "fp", "fn"))
    return TagCounts(tags["threshold"].to_numpy(np.float32), tp, fp, tp + fn, published.images or 0)


def _with_tags(means: Mapping[str, Mean]) -> dict[str, Any]:
    """Means and their numbers of tags; the mean over no tag is None."""
    values = {name: _number(mean.value) for name, mean in means.items()}
    return values | {f"{name}_tags": mean.tags for name, mean in means.items()}


def _number(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)
