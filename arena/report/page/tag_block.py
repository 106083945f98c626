"""Packs the page's table of tags into one block.

A column that follows from the counts is omitted, and the browser computes it. A column that differs, because of the
convention or because of intervals widened for near duplicates, is packed.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from arena.metrics.counts import Floats, Integers, TagCounts, ratios
from arena.metrics.intervals import f1_interval, wilson
from arena.metrics.registry import METRICS, TESTED
from arena.report.columns import exact_column, rounded_column
from arena.report.page.packed import PackedColumn, PageColumn, pack_columns, pack_integers, pack_ratios, pack_values

_TAG_COLUMNS: dict[str, Callable[[PageColumn], PackedColumn]] = {
    "name": pack_values, "category": pack_values, "support": pack_integers, "compared": pack_values, "known": pack_integers,
}  # fmt: skip
"""Columns of a tag that do not depend on the model, and how each is packed; `known` only where cells are unknown."""

_INTEGER_COLUMNS = ("tp", "fp", "fn", "tn")
"""Columns of a model that are integers."""

DERIVED_METRICS = ("f2", "mcc", "informedness")
"""Metrics that the browser derives from counts in `js/data.js`, in addition to precision, recall and F1 with intervals."""


def tag_block(tags: Mapping[str, Any], images: int) -> str:
    """Return the packed tags of a payload: `name` ..., `0.tp` ... of the first model, `0.1.f1.q` ... of the first pair."""
    columns = {name: how(tags[name]) for name, how in _TAG_COLUMNS.items() if name in tags}
    models: list[Mapping[str, PageColumn]] = list(tags["models"].values())
    derived = [_derived(own, tags["support"], images) for own in models]
    for place, own in enumerate(models):
        columns |= {f"{place}.{name}": _packed(name, own[name]) for name in own if name not in derived[place]}
    for pair in tags["pairs"]:
        first, second = pair["first"], pair["second"]
        for key, name, values in _of_pair(pair):
            exact = name == "difference" and key in derived[first] & derived[second]
            if not (exact and _as_shown(values) == _differences(models[first][key], models[second][key])):
                columns[f"{first}.{second}.{key}.{name}"] = _packed(name, values)
    return pack_columns(columns)


def _packed(name: str, values: PageColumn) -> PackedColumn:
    if name in _INTEGER_COLUMNS:
        return pack_integers(values)
    return pack_values(values) if name in ("threshold", "q", "higher") else pack_ratios(values)


def _of_pair(pair: Mapping[str, Any]) -> list[tuple[str, str, PageColumn]]:
    return [(key, name, values) for key in TESTED for name, values in pair[key].items()]


def _differences(first: PageColumn, second: PageColumn) -> list[Any]:
    """Return the first column minus the second, rounded as displayed."""
    return _as_shown([None if a is None or b is None else a - b for a, b in zip(first, second, strict=True)])


def _as_shown(values: PageColumn) -> list[Any]:
    return rounded_column(values)


def _derived(own: Mapping[str, PageColumn], support: PageColumn, images: int) -> set[str]:
    """Return the columns of a model that the browser can derive: intervals equal as displayed, others in all digits."""
    counts = tag_counts(own["tp"], own["fp"], support, images)
    known = [count is not None for count in own["tp"]]
    found = {
        name
        for name, values in derive_metrics(counts).items()
        if name in own and _same(own[name], null_undefined(values, known))
    }
    ends = {name: null_undefined(values, known) for name, values in derive_intervals(counts).items() if name in own}
    return found | {name for name, values in ends.items() if _as_shown(own[name]) == _as_shown(values)}


def _same(values: PageColumn, others: PageColumn) -> bool:
    """Return whether two columns are equal in all digits of the page's data."""
    return exact_column(values) == exact_column(others)


def tag_counts(tp: PageColumn, fp: PageColumn, support: PageColumn, images: int) -> TagCounts:
    """Return columns of a page as counts; 0 for a tag that the model lacks."""
    hits, alarms = (np.array([count or 0 for count in column], np.int64) for column in (tp, fp))
    return TagCounts(np.zeros(len(hits), np.float32), hits, alarms, np.array(support, np.int64), images)


def derive_metrics(counts: TagCounts) -> dict[str, Floats | Integers]:
    """Return false negatives, true negatives, precision, recall, F1 and `DERIVED_METRICS` of every tag; NaN if undefined.

    >>> found = derive_metrics(tag_counts([6], [2], [8], 100))
    >>> int(found["tn"][0]), float(found["f1"][0]), round(float(found["informedness"][0]), 4)
    (90, 0.75, 0.7283)
    """
    derived = {key: of_counts(counts) for key in DERIVED_METRICS if (of_counts := METRICS[key].of_counts) is not None}
    return {"fn": counts.fn, "tn": counts.tn, **ratios(counts)._asdict(), **derived}


def derive_intervals(counts: TagCounts) -> dict[str, Floats]:
    """Return the ends of the intervals of precision, recall and F1 of every tag, for independent images; NaN if undefined."""
    intervals = {
        "precision": wilson(counts.tp, counts.tp + counts.fp),
        "recall": wilson(counts.tp, counts.positives),
        "f1": f1_interval(counts.tp, counts.fp, counts.fn),
    }
    return {f"{key}_{end}": values for key, ends in intervals.items() for end, values in ends._asdict().items()}


def null_undefined(values: Floats | Integers, known: Sequence[bool]) -> list[Any]:
    """Return values as a column of the page: None if the model lacks the tag or the value is undefined."""
    return [value if here and value == value else None for value, here in zip(values.tolist(), known, strict=True)]
