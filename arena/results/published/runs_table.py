"""SmilingWolf's tables of runs: a row a model with its micro averages, without tags."""

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from arena.base.errors import ArenaError
from arena.base.files import digest_file
from arena.base.format import shown
from arena.results.published.record import Published
from arena.results.published.rows import line_error, no_tags, read_number, read_published_text

_FORMAT = "runs-csv"

_NAME, _THRESHOLD = "run_name", "thres"

_METRICS: Mapping[str, str] = {
    "F1": "micro_f1", "F2": "micro_f2", "MCC": "micro_mcc", "A": "micro_accuracy", "R": "micro_recall", "P": "micro_precision",
}  # fmt: skip
"""Columns of metrics, all over the cells of all tags together.

Source: SmilingWolf/SW-CV-ModelZoo, tools/analyze_metrics.py and results/."""

_IN_SAMPLE = "the threshold was chosen on the scored images, where precision and recall are nearly equal"
_STRICT = "a tag is predicted if its score is greater than the threshold, not if it is equal"

_ROUNDED = 0.00015
"""Allowed difference of an F1 from that of its precision and recall, which are rounded to four digits too."""

_EQUAL = 0.001
"""Largest difference of precision and recall at a threshold that was chosen to make them equal."""

_Row = Mapping[str, str]


def is_runs_table(text: str) -> bool:
    """Whether text starts with the header of such a table."""
    header = set(_cells(text.split("\n", 1)[0]))
    return {_NAME, _THRESHOLD, "F1"} <= header


def read_runs_table(path: Path) -> dict[str, Published]:
    """Read every row as a model, in the order of the file. Rows of one name are told apart by a column in which they differ.

    Raises:
        ArenaError: a row is truncated, occurs twice, or has a metric that is no number, out of range or contradicted by others.
    """
    text, digest = read_published_text(path), digest_file(path)
    rows = _rows(path, text)
    found: dict[str, Published] = {}
    for name, (line, row) in zip(_names([row for _, row in rows]), rows, strict=True):
        if name in found:
            raise line_error(path, line, f"run {shown(name)} occurs twice; keep one row")
        figures = {
            key: value for column, key in _METRICS.items() if (value := _metric(path, line, row, column)) is not None
        }
        _refuse_contradiction(path, line, figures)
        threshold = _number(path, line, row, _THRESHOLD)
        found[name] = Published(
            name, path.name, _FORMAT, digest, no_tags(), None, figures, notes=_notes(figures), threshold=threshold
        )
    if not found:
        raise ArenaError(f"{path}: no row below its header; fetch it again")
    return found


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line]), [])]


def _rows(path: Path, text: str) -> list[tuple[int, _Row]]:
    """Return the rows with their line numbers."""
    header = _cells(text.split("\n", 1)[0])
    if twice := next((name for name in header if header.count(name) > 1), ""):
        raise ArenaError(f"{path}: two columns {twice}; keep one")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[tuple[int, _Row]] = []
    try:
        next(reader)
        for cells in reader:
            if cells and len(cells) != len(header):
                fault = f"{len(cells)} cells, but the header has {len(header)}"
                raise line_error(path, reader.line_num, f"{fault}; the file is truncated or damaged, fetch it again")
            if cells:
                rows.append((reader.line_num, dict(zip(header, map(str.strip, cells), strict=True))))
    except csv.Error as error:
        raise line_error(path, reader.line_num, f"not readable CSV ({error}); fetch it again") from None
    return rows


def _names(rows: Sequence[_Row]) -> list[str]:
    """Return the name of each row; where rows share one, with the first other column in which they differ."""
    number = Counter(row[_NAME] for row in rows)
    return [_distinct(row, rows) if number[row[_NAME]] > 1 else row[_NAME] for row in rows]


def _distinct(row: _Row, rows: Sequence[_Row]) -> str:
    same = [other for other in rows if other[_NAME] == row[_NAME]]
    for column in row:
        if column not in (_NAME, _THRESHOLD, *_METRICS) and len({other[column] for other in same}) == len(same):
            return f"{row[_NAME]} ({column} {row[column]})"
    return row[_NAME]


def _number(path: Path, line: int, row: _Row, column: str) -> float | None:
    """Return a cell as a number; None if it is empty or the table has no such column."""
    if not (cell := row.get(column, "")):
        return None
    return read_number(path, line, column, cell)


def _metric(path: Path, line: int, row: _Row, column: str) -> float | None:
    value = _number(path, line, row, column)
    least = -1 if column == "MCC" else 0
    if value is not None and not least <= value <= 1:
        raise line_error(path, line, f"{column} is {value}, but must lie in {least} to 1; fetch it again")
    return value


def _refuse_contradiction(path: Path, line: int, figures: Mapping[str, float]) -> None:
    precision, recall, f1 = (figures.get(f"micro_{key}") for key in ("precision", "recall", "f1"))
    if precision is None or recall is None or f1 is None or precision + recall == 0:
        return
    exact = 2 * precision * recall / (precision + recall)
    if abs(exact - f1) > _ROUNDED:
        raise line_error(path, line, f"F1 is {f1}, but P {precision} and R {recall} give {exact:.4f}; fetch it again")


def _notes(figures: Mapping[str, float]) -> tuple[str, ...]:
    precision, recall = figures.get("micro_precision"), figures.get("micro_recall")
    if precision is not None and recall is not None and abs(precision - recall) <= _EQUAL:
        return _IN_SAMPLE, _STRICT
    return (_STRICT,)
