"""Published CSV files: SmilingWolf's report, animetimm's list of tags, tables of counts, and other per-tag tables.

The format is detected from the names of the columns; a column may have several names.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from arena.base.errors import ArenaError
from arena.base.format import shown
from arena.results.published.record import Published
from arena.results.published.rows import (
    FLOATS,
    PublishedTag,
    count_decimals,
    line_error,
    publish_rows,
    read_number,
    read_published_text,
)
from arena.results.published.spreadsheet import unguard_formula
from arena.tags import CATEGORY_NAMES

REPORT, SELECTED, COUNTS, PER_TAG = "report-csv", "selected-tags", "counts-csv", "per-tag-csv"

_REPORT: Mapping[str, str] = {
    "tag": "tag", "category": "category", "actual_posts": "support", "predicted_posts": "predicted",
    "correct_predictions": "tp", "precision": "precision", "recall": "recall", "f_score": "f1",
}  # fmt: skip
"""Columns of SmilingWolf's report. Its frequencies are rounded, so the number of images cannot be derived from them.

Source: SmilingWolf/SW-CV-ModelZoo, make_report.py."""

_SELECTED: Mapping[str, str] = {
    "name": "tag", "category": "category", "count": "training_count", "post_count": "training_count",
    "best_threshold": "threshold", "best_f1": "f1", "best_precision": "precision", "best_recall": "recall",
}  # fmt: skip
"""Columns of animetimm's list: the metrics of each tag at the threshold of its best F1.

Source: animetimm's training code, which writes selected_tags.csv from test_tags.csv."""

_FIXED: Sequence[Mapping[str, str]] = (
    {"test_f1": "f1", "test_precision": "precision", "test_recall": "recall"},
    {"f1": "f1", "precision": "precision", "recall": "recall"},
    {"val_f1": "f1", "val_precision": "precision", "val_recall": "recall"},
)
"""Columns used if the list has no `best_f1`, in order of preference; the file does not state their threshold."""

_ALIASES: Mapping[str, Sequence[str]] = {
    "model": ("tagger",),
    "tag": ("name", "label", "class", "tag_name"),
    "category": ("tag_category",),
    "index": ("tag_index",),
    "training_count": ("cnt", "train_count", "training_images"),
    "support": ("positives", "num_positives", "n_positives", "pos", "actual_posts"),
    "threshold": ("best_threshold", "thresh", "thr"),
    "tp": ("true_positives", "true_positive"),
    "fp": ("false_positives", "false_positive"),
    "fn": ("false_negatives", "false_negative"),
    "tn": ("true_negatives", "true_negative"),
    "precision": ("p", "prec"),
    "recall": ("r", "rec"),
    "f1": ("f1_score", "f_score", "fscore", "f1score", "best_f1"),
    "ap": ("average_precision", "avg_precision"),
}
"""Other names of the columns of a per-tag table; a column with the arena's own name takes precedence."""

_IN_SAMPLE = "each tag's threshold was chosen on the images that it is scored on, so the metrics are too optimistic"


class _Table(NamedTuple):
    """A file's format, the arena's names of its columns (empty if unknown), and its rows with their line numbers."""

    form: str
    columns: list[str]
    rows: list[tuple[int, list[str]]]
    ours: bool
    """Whether the arena wrote the file, so that the spreadsheet guard must be removed."""
    notes: tuple[str, ...] = ()


def read_published_table(path: Path) -> dict[str, Published]:
    """Read every model of a CSV file; a file without a column `model` holds one model, named after the file.

    The separator is a comma, a tab or a semicolon. A missing column or an empty cell means unknown.

    Raises:
        ArenaError: a row is truncated, a cell is not a number, or a row contradicts itself.
    """
    table = _parsed(path, read_published_text(path))
    by_model: dict[str, list[PublishedTag]] = {}
    written: list[str] = []
    for line, cells in table.rows:
        if len(cells) != len(table.columns):
            fault = f"{len(cells)} cells, but the header has {len(table.columns)}"
            raise line_error(path, line, f"{fault}; the file is truncated or damaged, fetch it again")
        known = {name: cell.strip() for name, cell in zip(table.columns, cells, strict=True) if name}
        if table.ours:
            known["tag"] = unguard_formula(known["tag"])
        written += [known[name] for name in FLOATS if name != "threshold" and _known(known.get(name, ""))]
        by_model.setdefault(known.pop("model", path.stem), []).append(_row(path, line, known))
    if not by_model:
        raise ArenaError(f"{path}: no row below its header; fetch it again")
    digits = count_decimals(written)
    return {
        name: publish_rows(path, rows, name=name, form=table.form, digits=digits, notes=table.notes)
        for name, rows in by_model.items()
    }


def is_published_table(text: str) -> bool:
    """Whether text starts with the header of a table of metrics."""
    return bool(_form(_header(text.split("\n", 1)[0]))[0])


def _header(line: str) -> list[str]:
    return [cell.strip().lower().replace(" ", "_").replace("-", "_") for cell in _cells(line, _delimiter(line))]


def _delimiter(line: str) -> str:
    return max(",\t;", key=line.count)


def _cells(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter), [])


def _parsed(path: Path, text: str) -> _Table:
    first = text.split("\n", 1)[0]
    form, columns, notes = _form(_header(first))
    if not form:
        raise ArenaError(
            f"{path}: no published metrics in it; the header needs tag (or name) and one of tp, precision, recall, f1, ap, not "
            f"{shown(first)}"
        )
    twice = next((name for name in columns if name and columns.count(name) > 1), "")
    if twice:
        raise ArenaError(f"{path}: two columns for {twice}; keep one")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(first), strict=True)
    rows: list[tuple[int, list[str]]] = []
    try:
        next(reader)
        rows += ((reader.line_num, cells) for cells in reader if cells)
    except csv.Error as error:
        raise line_error(
            path, reader.line_num, f"not readable CSV ({error}); the file is truncated or damaged"
        ) from None
    return _Table(form, columns, rows, {"truth_tag", "compared"} <= set(_header(first)), notes)


def _form(header: Sequence[str]) -> tuple[str, list[str], tuple[str, ...]]:
    """The format of a header, the arena's names of its columns, and notes; an empty format if it has no column of metrics."""
    known = set(header)
    if {"tag", "actual_posts", "predicted_posts", "correct_predictions"} <= known:
        return REPORT, [_REPORT.get(name, "") for name in header], ()
    if {"name", "category"} <= known and known & {"best_threshold", "best_f1", "test_f1", "val_f1"}:
        return _selected(header)
    ours = {alias: name for name, aliases in _ALIASES.items() for alias in (name, *aliases)}
    columns = [name if name in _ALIASES else ours.get(name, "") for name in header]
    columns = [name if name == own or name not in known else "" for name, own in zip(columns, header, strict=True)]
    named = set(columns)
    if "tag" not in named or not named & {"tp", "precision", "recall", "f1", "ap"}:
        return "", [], ()
    return (PER_TAG if named & {"precision", "recall", "f1", "ap"} else COUNTS), columns, ()


def _selected(header: Sequence[str]) -> tuple[str, list[str], tuple[str, ...]]:
    """The format of animetimm's list: the metrics at each tag's best threshold, else those of `_FIXED`."""
    chosen = dict(_SELECTED)
    if "best_f1" in header:
        return SELECTED, [chosen.get(name, "") for name in header], (_IN_SAMPLE,)
    fixed = next((columns for columns in _FIXED if set(columns) & set(header)), {})
    if not fixed:
        return "", [], ()
    alone = set(fixed) == set(_FIXED[1])
    if not alone:  # these metrics were not measured at the thresholds in the list
        del chosen["best_threshold"]
    chosen |= fixed
    return SELECTED, [chosen.get(name, "") for name in header], (_IN_SAMPLE,) if alone else ()


def _row(path: Path, line: int, cells: dict[str, str]) -> PublishedTag:
    if not cells["tag"]:
        raise line_error(path, line, "a row without a tag name; fetch it again")
    counts = {
        name: _count(path, line, name, cells[name])
        for name in ("index", "training_count", "support", "tp", "fp", "fn", "tn", "predicted")
        if _known(cells.get(name, ""))
    }
    predicted = counts.pop("predicted", None)
    if predicted is not None and "tp" in counts:
        counts["fp"] = predicted - counts["tp"]
    metrics = {name: read_number(path, line, name, cells[name]) for name in FLOATS if _known(cells.get(name, ""))}
    return PublishedTag(line, cells["tag"], _category(cells.get("category", "")), **counts, **metrics)  # type: ignore[arg-type]


def _known(cell: str) -> bool:
    return cell.lower() not in ("", "nan", "null", "none", "–", "-")


def _count(path: Path, line: int, name: str, cell: str) -> int:
    """A whole number; pandas may have written it as `12.0`."""
    value = read_number(path, line, name, cell)
    if not value.is_integer():
        raise line_error(path, line, f"{name} is {shown(cell)}, not a whole number; fetch it again")
    return int(value)


def _category(cell: str) -> str | None:
    """The arena's name of a category, from its number or its name; None if unknown."""
    if not _known(cell):
        return None
    return CATEGORY_NAMES.get(int(cell), f"category_{int(cell)}") if cell.isdecimal() else cell.lower()
