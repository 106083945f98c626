"""Rows of a published file: check them for contradictions, derive missing values, and make a table."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pandas as pd

from arena.base.errors import ArenaError, nearest
from arena.base.files import digest_file
from arena.base.format import shown
from arena.base.reading import read_text
from arena.metrics.registry import AGGREGATES, TAG_TABLE
from arena.results.published.record import PUBLISHED_COLUMNS, Published
from arena.results.run_folder import Result

INTEGERS = ("tp", "fp", "fn", "tn", "support", "index", "training_count")
FLOATS = ("threshold", *TAG_TABLE)

_MAX_BYTES = 256 << 20
"""Largest size of a published file; a table of 70,000 tags has about 10 MB."""

FLOAT32_SLACK = 2e-6
"""Allowed difference, beyond rounding, of a metric that the publisher computed in float32 or with an epsilon."""


@dataclass(frozen=True)
class PublishedTag:
    """The values of one tag in a file; None if unknown.

    Attributes:
        line: number of its first line, from 1.
    """

    line: int
    tag: str
    category: str | None = None
    index: int | None = None
    training_count: int | None = None
    support: int | None = None
    threshold: float | None = None
    tp: int | None = None
    fp: int | None = None
    fn: int | None = None
    tn: int | None = None
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    ap: float | None = None

    @property
    def images(self) -> int | None:
        """Number of images, the sum of the four counts; None if one is unknown."""
        counts = (self.tp, self.fp, self.fn, self.tn)
        return None if None in counts else sum(count or 0 for count in counts)


def publish_rows(
    path: Path, rows: Sequence[PublishedTag], *, name: str, form: str, digits: int | None, notes: Sequence[str] = ()
) -> Published:
    """Make a published result from the rows of one model.

    Args:
        form: the file's format, see `Published`.
        digits: decimals of the metrics in the file; None if it has no metrics.

    Raises:
        ArenaError: there is no row, a tag occurs twice, or a row contradicts itself or another row.
    """
    if not rows:
        raise ArenaError(f"{path}: no tag in it; fetch it again")
    _refuse_twice(path, rows)
    images = next((row.images for row in map(_completed, rows) if row.images is not None), None)
    settled = [_settled(path, row, images, digits) for row in rows]
    exact = all(None not in (row.tp, row.fp, row.fn) for row in settled)
    frame = pd.DataFrame([{column: getattr(row, column) for column in PUBLISHED_COLUMNS} for row in settled])
    kinds = dict.fromkeys(INTEGERS, "Int64") | dict.fromkeys(FLOATS, "float64")
    return Published(
        name, path.name, form, digest_file(path), frame.astype(kinds), images, {}, None if exact else digits, notes
    )


def no_tags() -> pd.DataFrame:
    """Return the table of tags of a file without tags."""
    kinds = dict.fromkeys(INTEGERS, "Int64") | dict.fromkeys(FLOATS, "float64")
    return pd.DataFrame({name: [] for name in PUBLISHED_COLUMNS}).astype(kinds)


def published_of(result: Result, model: str) -> Published:
    """One model of a run as a published result, at the model's own thresholds.

    It holds every tag that the truth knows, in the model's spelling, and the aggregates of the run, which are averages over the
    tags that all its models have.

    Raises:
        ArenaError: the run has no such model.
    """
    if model not in result.models:
        raise ArenaError(f"the run has no model {model!r}. {nearest(model, result.models)}")
    kinds = dict.fromkeys(INTEGERS, "Int64") | dict.fromkeys(FLOATS, "float64")
    tags: pd.DataFrame = result.tags_of(model)[list(PUBLISHED_COLUMNS)].reset_index(drop=True).astype(kinds)
    own = result.summary["models"][model]["regimes"]["own"]
    keys = [key for name in AGGREGATES for key in (name, f"{name}_tags")]
    figures = {key: own[key] for key in keys if own.get(key) is not None}
    digest = result.run.get("models", {}).get(model, {}).get("key", "")
    return Published(model, result.recipe.dataset.name, "result", digest, tags, int(result.summary["images"]), figures)


def line_error(path: Path, line: int, what: str) -> ArenaError:
    """Return an error about a line of a file; the caller raises it."""
    return ArenaError(f"{path}:{line}: {what}")


def read_published_text(path: Path) -> str:
    """Read a UTF-8 text file; CR LF becomes LF.

    Raises:
        ArenaError: the file cannot be read, or is not UTF-8.
    """
    text = read_text(path, most=_MAX_BYTES, fix="save the published file as UTF-8")
    return text.replace("\r\n", "\n")


def count_decimals(texts: Iterable[str]) -> int | None:
    """The largest number of decimals in the texts; None if there is no number.

    >>> count_decimals(["0.5", "0.1234", ""]), count_decimals(["1e-05"]), count_decimals([""])
    (4, 5, None)
    """
    found = [-exponent for text in texts if text and isinstance(exponent := Decimal(text).as_tuple().exponent, int)]
    return max(0, *found) if found else None


def _refuse_twice(path: Path, rows: Sequence[PublishedTag]) -> None:
    first: dict[str, int] = {}
    for row in rows:
        if row.tag in first:
            before = f"already in line {first[row.tag]}"
            raise line_error(
                path, row.line, f"tag {shown(row.tag)}: {before}; a published file has one row per tag and model"
            )
        first[row.tag] = row.line


def _completed(row: PublishedTag) -> PublishedTag:
    """The row with support or false negatives derived from its other counts."""
    if row.support is None and row.tp is not None and row.fn is not None:
        return replace(row, support=row.tp + row.fn)
    if row.fn is None and row.tp is not None and row.support is not None:
        return replace(row, fn=row.support - row.tp)
    return row


def _settled(path: Path, row: PublishedTag, images: int | None, digits: int | None) -> PublishedTag:
    """The row with all derived counts, and with exact metrics if its counts are known.

    Raises:
        ArenaError: the row contradicts itself or the number of images.
    """
    row = _completed(row)
    if images is not None and row.tn is None and row.tp is not None and row.fp is not None and row.fn is not None:
        row = replace(row, tn=images - row.tp - row.fp - row.fn)
    if fault := _fault(row, images):
        raise line_error(path, row.line, f"tag {shown(row.tag)}: {fault}; the file is damaged, fetch it again")
    if row.tp is None or row.fp is None or row.fn is None:
        return row
    exact = {
        "precision": _ratio(row.tp, row.tp + row.fp),
        "recall": _ratio(row.tp, row.tp + row.fn),
        "f1": _ratio(2 * row.tp, 2 * row.tp + row.fp + row.fn),
    }
    for name, value in exact.items():
        if not _agree(getattr(row, name), value, digits):
            counts = f"TP {row.tp}, FP {row.fp} and FN {row.fn} give {'none' if value is None else f'{value:.4f}'}"
            fault = f"{name} is {getattr(row, name)}, but {counts}"
            raise line_error(path, row.line, f"tag {shown(row.tag)}: {fault}; the file is damaged, fetch it again")
    return replace(row, precision=exact["precision"], recall=exact["recall"], f1=exact["f1"])


def _fault(row: PublishedTag, images: int | None) -> str:
    """The contradiction in the values of a row; empty if there is none."""
    for name in INTEGERS:
        if (value := getattr(row, name)) is not None and value < 0:
            return f"{name} is {value}, but must not be negative"
    for name in FLOATS:
        if (value := getattr(row, name)) is not None and not 0 <= value <= 1:
            return f"{name} is {value}, but must lie in 0 to 1"
    if row.tp is not None and row.fn is not None and row.support != row.tp + row.fn:
        return f"TP {row.tp} and FN {row.fn} give {row.tp + row.fn} positives, but the file has {row.support}"
    if images is not None and row.images not in (None, images):
        why = "if labels of the run were unknown, name the run folder instead"
        return f"its counts give {row.images:,} images, those of the first tag {images:,} ({why})"
    if images is not None and row.support is not None and row.support > images:
        return f"{row.support:,} positives among {images:,} images"
    return ""


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _agree(written: float | None, exact: float | None, digits: int | None) -> bool:
    """Whether a written metric equals the exact one after rounding; for an undefined metric, publishers write 0 or 1."""
    if written is None:
        return True
    if exact is None:
        return written in (0, 1)
    return math.isclose(written, exact, rel_tol=0, abs_tol=0.5 * 10.0 ** -(digits or 0) + FLOAT32_SLACK)


def read_number(path: Path, line: int, name: str, cell: str) -> float:
    """Return a cell as a number.

    Raises:
        ArenaError: it is not a finite number.
    """
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise line_error(path, line, f"{name} is {shown(cell)}, not a number; fetch it again")
    return value
