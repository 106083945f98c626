"""Find where the metrics of a result differ from the metrics computed again."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from arena.base.format import clipped, shown
from arena.results.run_folder import CONTAMINATION, TABLES, Result

_TOLERANCE = 1e-6
"""Largest relative and absolute difference of equal metrics. Processors differ in the order of sums: resamples in float32 then
differ by some 1e-8. A metric is printed with four decimals."""

_NOT_METRICS = ("threshold", "threshold_source", "title")
"""Fields of a model in `summary.json` that are not metrics."""

_NOT_POINT_ESTIMATES = ("_low", "_high", "_bias", "_corrected")
"""Ends of the names of values that come from resamples."""

_POINT_TABLES = ("per_tag", "slices", "calibration", "errors", "confusions", "disagreements")
"""Tables of metrics at the models' own thresholds."""

_KEY_COLUMNS = ("model", "tag", "slice", "value", "regime", "figure", "first", "second", "image_id")
"""Columns that identify a row."""


def differing_parts(published: Result, again: Result) -> Iterator[str]:
    """One line per part that differs, the summary first, then the tables; each line shows the first difference."""
    first, *more = [*differing_values("summary.json", _comparable(published.summary), _comparable(again.summary)), ""]
    if first:
        yield first + (f"; and {len(more) - 1:,} more values in it" if len(more) > 1 else "")
    for name in published.tables:
        kind = TABLES[name]
        if line := differing_tables(f"{name}.{kind}", _rows(published.tables[name]), _rows(again.tables[name])):
            yield line


def has_older_statistics(published: Result, again: Result) -> bool:
    """Whether a stored table lacks columns that this version writes."""
    return any(set(again.tables[name].columns) > set(published.tables[name].columns) for name in TABLES)


def point_estimates(published: Result, again: Result) -> tuple[Result, Result]:
    """Both results with only those values that every version of the statistics computes alike.

    These are the metrics at the models' own thresholds, without intervals, in the fields and columns of the stored result.
    """
    return _point_estimates(published, published), _point_estimates(again, published)


def _point_estimates(result: Result, published: Result) -> Result:
    models: dict[str, dict[str, Any]] = {}
    for name, stored in published.summary["models"].items():
        facts, own = result.summary["models"][name], stored["regimes"]["own"]
        models[name] = {key: facts.get(key) for key in stored if key != "regimes"}
        metrics = {key: facts["regimes"]["own"].get(key) for key in own if _is_point_estimate(key)}
        models[name]["regimes"] = {"own": metrics}
    tables = {
        name: result.tables[name][[key for key in published.tables[name].columns if _is_point_estimate(key)]]
        for name in _POINT_TABLES
    }
    return replace(result, summary={"images": result.summary["images"], "models": models}, tables=tables)


def _is_point_estimate(name: str) -> bool:
    return not name.endswith(_NOT_POINT_ESTIMATES)


def _comparable(summary: dict[str, Any]) -> dict[str, Any]:
    """The part of a summary that follows from scores and truth."""
    models = {
        name: {key: value for key, value in facts.items() if key not in _NOT_METRICS}
        for name, facts in summary["models"].items()
    }
    others = {key: value for key, value in summary.items() if key not in (CONTAMINATION, "published")}
    return others | {"models": models}


def _rows(table: pd.DataFrame) -> pd.DataFrame:
    """A table without the slices by overlap with training images."""
    kept = table[table["slice"] != CONTAMINATION] if "slice" in table.columns else table
    return kept.reset_index(drop=True)


def differing_values(where: str, published: Any, again: Any) -> Iterator[str]:
    """One line per value that differs in nested dicts and lists; NaN equals null.

    >>> list(differing_values("a", {"f1": 0.5}, {"f1": 0.75}))
    ['a: f1 is 0.5, computed again 0.75']
    """
    yield from _values(where, "", published, again)


def _values(where: str, path: str, published: Any, again: Any) -> Iterator[str]:
    if isinstance(published, dict) and isinstance(again, dict):
        for key in [*published, *(key for key in again if key not in published)]:
            yield from _values(where, f"{path}.{key}".lstrip("."), published.get(key), again.get(key))
    elif isinstance(published, (list, tuple)) and isinstance(again, (list, tuple)) and len(published) == len(again):
        for place, (one, other) in enumerate(zip(published, again, strict=True)):
            yield from _values(where, f"{path}[{place}]", one, other)
    elif not _same(published, again):
        yield f"{where}: {shown(path)} is {_text(published)}, computed again {_text(again)}"


def differing_tables(where: str, published: pd.DataFrame, again: pd.DataFrame) -> str:
    """A line with the first difference of two tables; empty if they are equal."""
    if list(published.columns) != list(again.columns):
        return f"{where}: columns {', '.join(published.columns)}, computed again {', '.join(again.columns)}"
    if len(published) != len(again):
        return f"{where}: {len(published):,} rows, computed again {len(again):,}"
    first_rows = {name: _first_difference(published[name], again[name]) for name in published.columns}
    found = {name: row for name, row in first_rows.items() if row is not None}
    if not found:
        return ""
    row = min(found.values())
    name = next(name for name, first in found.items() if first == row)
    keys = [key for key in _KEY_COLUMNS if key in published.columns and key != name]
    of = ", ".join(shown(clipped(str(published[key][row]))) for key in keys)
    stored, computed = published[name][row], again[name][row]
    return f"{where}: row {row + 1} ({of}): {name} is {_text(stored)}, computed again {_text(computed)}"


def _first_difference(published: "pd.Series[Any]", again: "pd.Series[Any]") -> int | None:
    """The first row in which two columns differ; None if they are equal."""
    numbers = [pd.to_numeric(column, errors="coerce") for column in (published, again)]
    if all(pd.api.types.is_numeric_dtype(column.dtype) for column in (published, again)):
        one, other = (column.to_numpy(np.float64, na_value=np.nan) for column in numbers)
        different = ~np.isclose(one, other, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True)
    else:
        different = np.array([not _same(a, b) for a, b in zip(published, again, strict=True)], np.bool_)
    return int(np.argmax(different)) if different.any() else None


def _same(one: Any, other: Any) -> bool:
    if _nothing(one) or _nothing(other):
        return _nothing(one) and _nothing(other)
    if isinstance(one, (list, tuple, np.ndarray)) and isinstance(other, (list, tuple, np.ndarray)):
        return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True))
    if _is_number(one) and _is_number(other):
        return bool(np.isclose(float(one), float(other), rtol=_TOLERANCE, atol=_TOLERANCE))
    return bool(one == other)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, (bool, np.bool_))


def _nothing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, (float, np.floating)) and bool(np.isnan(value)))


def _text(value: Any) -> str:
    return "nothing" if _nothing(value) else shown(clipped(str(value)))


def differing_bytes(files: Sequence[tuple[str, bytes | None, bytes]]) -> Iterator[str]:
    """One line per file whose content is not the expected one.

    Args:
        files: name, content (None for a missing file), expected content.
    """
    for name, content, expected in files:
        if content is None:
            yield f"{name}: missing"
        elif content != expected:
            yield f"{name}: {_first_line(content, expected)}"


def _first_line(content: bytes, expected: bytes) -> str:
    """The first difference of two files: the line if both are text."""
    try:
        one, other = content.decode().split("\n"), expected.decode().split("\n")
    except UnicodeDecodeError:
        return "its bytes differ from those made from the run"
    pairs = enumerate(zip(one, other, strict=False), 1)
    number, line = next(((number, a) for number, (a, b) in pairs if a != b), (min(len(one), len(other)) + 1, ""))
    wanted = other[number - 1] if number <= len(other) else ""
    return f"line {number} is {shown(clipped(line))!r}, the run gives {shown(clipped(wanted))!r}"
