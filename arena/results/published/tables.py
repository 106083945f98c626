"""Published CSV files: SmilingWolf's report, animetimm's list of tags, tables of counts, and per-tag tables of anybody.

Which one it is, the names of its columns tell; the same column has several names.
"""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from arena.base.errors import ArenaError
from arena.base.format import shown
from arena.results.published.record import Published
from arena.results.published.rows import FLOATS, Row, decimals, publish_rows, read_text, refuse
from arena.results.published.spreadsheet import unguarded
from arena.tags import CATEGORY_NAMES

REPORT, SELECTED, COUNTS, PER_TAG = "report-csv", "selected-tags", "counts-csv", "per-tag-csv"

_REPORT: Mapping[str, str] = {
    "tag": "tag", "category": "category", "actual_posts": "support", "predicted_posts": "predicted",
    "correct_predictions": "tp", "precision": "precision", "recall": "recall", "f_score": "f1",
}  # fmt: skip
"""Columns of SmilingWolf's report. Its frequencies are rounded, so the number of images does not follow from them.

Source: SmilingWolf/SW-CV-ModelZoo, make_report.py."""

_SELECTED: Mapping[str, str] = {
    "name": "tag", "category": "category", "count": "training_count", "post_count": "training_count",
    "best_threshold": "threshold", "best_f1": "f1", "best_precision": "precision", "best_recall": "recall",
}  # fmt: skip
"""Columns of animetimm's list: the figures of each tag at the threshold of its best F1.

Source: animetimm's training code, which writes selected_tags.csv from test_tags.csv."""

_FIXED: Sequence[Mapping[str, str]] = (
    {"test_f1": "f1", "test_precision": "precision", "test_recall": "recall"},
    {"f1": "f1", "precision": "precision", "recall": "recall"},
    {"val_f1": "f1", "val_precision": "precision", "val_recall": "recall"},
)
"""Figures that stand there where the best ones do not, the first that are there; at which threshold, the file does not tell."""

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
"""What the columns of a per-tag table are called elsewhere; a column of our own name comes before those."""

IN_SAMPLE = "each tag's threshold was chosen on the images that it is scored on: figures at it flatter"


class _Table(NamedTuple):
    """A file's format, the names of its columns as we call them (empty where unknown to us), and its rows with their lines."""

    form: str
    columns: list[str]
    rows: list[tuple[int, list[str]]]
    ours: bool
    """Whether a spreadsheet's guard is to be taken off again."""
    notes: tuple[str, ...] = ()


def read_table(path: Path) -> dict[str, Published]:
    """Every model of a CSV file; one without a column `model` holds one, called as the file.

    Columns are parted by commas, tabs or semicolons. What a column does not tell is unknown, and an empty cell as well.

    Raises:
        ArenaError: a row is cut short, a cell is no number, or a row contradicts itself.
    """
    table = _parsed(path, read_text(path))
    by_model: dict[str, list[Row]] = {}
    written: list[str] = []
    for line, cells in table.rows:
        if len(cells) != len(table.columns):
            told = f"{len(cells)} cells, but the header has {len(table.columns)}"
            raise refuse(path, line, f"{told}; the file is cut short or damaged, fetch it again")
        told_cells = {name: cell.strip() for name, cell in zip(table.columns, cells, strict=True) if name}
        if table.ours:
            told_cells["tag"] = unguarded(told_cells["tag"])
        written += [told_cells[name] for name in FLOATS if name != "threshold" and _known(told_cells.get(name, ""))]
        by_model.setdefault(told_cells.pop("model", path.stem), []).append(_row(path, line, told_cells))
    if not by_model:
        raise ArenaError(f"{path}: no row below its header; fetch it again")
    digits = decimals(written)
    return {
        name: publish_rows(path, rows, name=name, form=table.form, digits=digits, notes=table.notes)
        for name, rows in by_model.items()
    }


def is_table(text: str) -> bool:
    """Whether text begins with the header of a table of figures."""
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
            f"{path}: no published figures in it; the header needs tag (or name) and one of tp, precision, recall, f1, ap, not "
            f"{shown(first)}"
        )
    twice = next((name for name in columns if name and columns.count(name) > 1), "")
    if twice:
        raise ArenaError(f"{path}: two columns tell {twice}; keep one")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(first), strict=True)
    rows: list[tuple[int, list[str]]] = []
    try:
        next(reader)
        rows += ((reader.line_num, cells) for cells in reader if cells)
    except csv.Error as error:
        raise refuse(path, reader.line_num, f"no readable CSV ({error}); the file is cut short or damaged") from None
    return _Table(form, columns, rows, {"truth_tag", "compared"} <= set(_header(first)), notes)


def _form(header: Sequence[str]) -> tuple[str, list[str], tuple[str, ...]]:
    """The format of a header, our names of its columns, and what is to be told of it; no format where it holds no figures."""
    known = set(header)
    if {"tag", "actual_posts", "predicted_posts", "correct_predictions"} <= known:
        return REPORT, [_REPORT.get(name, "") for name in header], ()
    if {"name", "category"} <= known and known & {"best_threshold", "best_f1", "test_f1", "val_f1"}:
        return _selected(header)
    ours = {alias: name for name, aliases in _ALIASES.items() for alias in (name, *aliases)}
    columns = [name if name in _ALIASES else ours.get(name, "") for name in header]
    columns = [name if name == own or name not in known else "" for name, own in zip(columns, header, strict=True)]
    told = set(columns)
    if "tag" not in told or not told & {"tp", "precision", "recall", "f1", "ap"}:
        return "", [], ()
    return (PER_TAG if told & {"precision", "recall", "f1", "ap"} else COUNTS), columns, ()


def _selected(header: Sequence[str]) -> tuple[str, list[str], tuple[str, ...]]:
    """animetimm's list: its best figures, or those at one threshold for all where it has no others."""
    chosen = dict(_SELECTED)
    if "best_f1" in header:
        return SELECTED, [chosen.get(name, "") for name in header], (IN_SAMPLE,)
    fixed = next((columns for columns in _FIXED if set(columns) & set(header)), {})
    if not fixed:
        return "", [], ()
    alone = set(fixed) == set(_FIXED[1])
    if not alone:  # they stand beside thresholds that they were not measured at
        del chosen["best_threshold"]
    chosen |= fixed
    return SELECTED, [chosen.get(name, "") for name in header], (IN_SAMPLE,) if alone else ()


def _row(path: Path, line: int, cells: dict[str, str]) -> Row:
    if not cells["tag"]:
        raise refuse(path, line, "a row without the name of a tag; fetch it again")
    counts = {
        name: _count(path, line, name, cells[name])
        for name in ("index", "training_count", "support", "tp", "fp", "fn", "tn", "predicted")
        if _known(cells.get(name, ""))
    }
    if "predicted" in counts:
        counts["fp"] = counts.pop("predicted") - counts["tp"]
    figures = {name: _figure(path, line, name, cells[name]) for name in FLOATS if _known(cells.get(name, ""))}
    return Row(line, cells["tag"], _category(cells.get("category", "")), **counts, **figures)  # type: ignore[arg-type]


def _known(cell: str) -> bool:
    return cell.lower() not in ("", "nan", "null", "none", "–", "-")


def _count(path: Path, line: int, name: str, cell: str) -> int:
    """A whole number, which pandas may have written as `12.0`."""
    value = _figure(path, line, name, cell)
    if not value.is_integer():
        raise refuse(path, line, f"{name} is {shown(cell)}, no whole number; fetch it again")
    return int(value)


def _figure(path: Path, line: int, name: str, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise refuse(path, line, f"{name} is {shown(cell)}, no number; fetch it again")
    return value


def _category(cell: str) -> str | None:
    """A category as the arena calls it, from its number or its name."""
    if not _known(cell):
        return None
    return CATEGORY_NAMES.get(int(cell), f"category_{int(cell)}") if cell.isdecimal() else cell.lower()
