"""Where the figures of a result differ from those computed again."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from arena.base.format import clipped, shown
from arena.results.run_folder import CONTAMINATION, TABLES, Result

TOLERANCE = 1e-9
"""By how much a figure may differ, as it does between releases of numpy and orders of summing."""

GIVEN = ("threshold", "threshold_source", "title")
"""What a summary tells of a model that is no figure."""

KEYS = ("model", "tag", "slice", "value", "regime", "figure", "first", "second", "image_id")
"""Columns that name a row."""


def differing(published: Result, again: Result) -> Iterator[str]:
    """A line for every part that differs, each with its first difference: the summary, then the tables."""
    first, *more = [*differing_values("summary.json", _comparable(published.summary), _comparable(again.summary)), ""]
    if first:
        yield first + (f"; and {len(more) - 1:,} more figures in it" if len(more) > 1 else "")
    for name, kind in TABLES.items():
        if told := differing_tables(f"{name}.{kind}", _rows(published.tables[name]), _rows(again.tables[name])):
            yield told


def _comparable(summary: dict[str, Any]) -> dict[str, Any]:
    """The summary without what does not follow from scores and truth."""
    models = {
        name: {key: value for key, value in told.items() if key not in GIVEN}
        for name, told in summary["models"].items()
    }
    left = {key: value for key, value in summary.items() if key not in (CONTAMINATION, "published")}
    return left | {"models": models}


def _rows(table: pd.DataFrame) -> pd.DataFrame:
    """A table without the slices that training images make."""
    kept = table[table["slice"] != CONTAMINATION] if "slice" in table.columns else table
    return kept.reset_index(drop=True)


def differing_values(where: str, published: Any, again: Any) -> Iterator[str]:
    """Lines for the values of nested tables that differ; NaN and null are the same.

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
    """The first difference of two tables; empty where there is none."""
    if list(published.columns) != list(again.columns):
        return f"{where}: columns {', '.join(published.columns)}, computed again {', '.join(again.columns)}"
    if len(published) != len(again):
        return f"{where}: {len(published):,} rows, computed again {len(again):,}"
    worst = {name: _first_difference(published[name], again[name]) for name in published.columns}
    found = {name: row for name, row in worst.items() if row is not None}
    if not found:
        return ""
    row = min(found.values())
    name = next(name for name, first in found.items() if first == row)
    of = ", ".join(shown(clipped(str(published[key][row]))) for key in KEYS if key in published.columns and key != name)
    seen, computed = published[name][row], again[name][row]
    return f"{where}: row {row + 1} ({of}): {name} is {_text(seen)}, computed again {_text(computed)}"


def _first_difference(published: "pd.Series[Any]", again: "pd.Series[Any]") -> int | None:
    """The first row in which two columns differ."""
    numbers = [pd.to_numeric(column, errors="coerce") for column in (published, again)]
    if all(pd.api.types.is_numeric_dtype(column.dtype) for column in (published, again)):
        one, other = (column.to_numpy(np.float64, na_value=np.nan) for column in numbers)
        different = ~np.isclose(one, other, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
    else:
        different = np.array([not _same(a, b) for a, b in zip(published, again, strict=True)], np.bool_)
    return int(np.argmax(different)) if different.any() else None


def _same(one: Any, other: Any) -> bool:
    if _nothing(one) or _nothing(other):
        return _nothing(one) and _nothing(other)
    if isinstance(one, (list, tuple, np.ndarray)) and isinstance(other, (list, tuple, np.ndarray)):
        return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True))
    if _is_number(one) and _is_number(other):
        return bool(np.isclose(float(one), float(other), rtol=TOLERANCE, atol=TOLERANCE))
    return bool(one == other)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, (bool, np.bool_))


def _nothing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, (float, np.floating)) and bool(np.isnan(value)))


def _text(value: Any) -> str:
    return "nothing" if _nothing(value) else shown(clipped(str(value)))


def differing_bytes(files: Sequence[tuple[str, bytes | None, bytes]]) -> Iterator[str]:
    """A line for every file that is not as it would be written: its name, what is there (None: nothing), what should be."""
    for name, there, expected in files:
        if there is None:
            yield f"{name}: not there"
        elif there != expected:
            yield f"{name}: {_first_line(there, expected)}"


def _first_line(there: bytes, expected: bytes) -> str:
    """Where two files part, by line where they are text."""
    try:
        one, other = there.decode().split("\n"), expected.decode().split("\n")
    except UnicodeDecodeError:
        return "other bytes than the run gives"
    pairs = enumerate(zip(one, other, strict=False), 1)
    number, seen = next(((number, a) for number, (a, b) in pairs if a != b), (min(len(one), len(other)) + 1, ""))
    wanted = other[number - 1] if number <= len(other) else ""
    return f"line {number} is {shown(clipped(seen))!r}, the run gives {shown(clipped(wanted))!r}"
