"""Rows of a published file: checked for contradictions, completed by what follows from them, and made into a table."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pandas as pd

from arena.base.errors import ArenaError, nearest
from arena.base.files import digest_file
from arena.base.format import shown
from arena.metrics.registry import AGGREGATES, TAG_TABLE
from arena.results.published.record import PUBLISHED_COLUMNS, Published
from arena.results.run_folder import Result

INTEGERS = ("tp", "fp", "fn", "tn", "support", "index", "training_count")
FLOATS = ("threshold", *TAG_TABLE)

FLOAT32_SLACK = 2e-6
"""How far a figure that others computed in float32, or with an epsilon, may lie from ours beyond its rounding."""


@dataclass(frozen=True)
class Row:
    """What a file says of one tag; None where it does not say.

    Attributes:
        line: where it begins, from 1.
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
        """How many there are, where all four counts are known."""
        counts = (self.tp, self.fp, self.fn, self.tn)
        return None if None in counts else sum(count or 0 for count in counts)


def publish_rows(
    path: Path, rows: Sequence[Row], *, name: str, form: str, digits: int | None, notes: Sequence[str] = ()
) -> Published:
    """The rows of one model as a published result.

    Args:
        digits: decimals of the figures as they are written; None where none is written.

    Raises:
        ArenaError: there is no row, a tag stands twice, or a row contradicts itself or another one.
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


def published_of(result: Result, model: str) -> Published:
    """One model of a run, at its own thresholds: every tag that the truth knows, as the model spells it, with its aggregates.

    The aggregates are the run's: they run over the tags that its models have in common.

    Raises:
        ArenaError: the run has no such model.
    """
    if model not in result.models:
        raise ArenaError(f"no model of the run is called {model!r}. {nearest(model, result.models)}")
    kinds = dict.fromkeys(INTEGERS, "Int64") | dict.fromkeys(FLOATS, "float64")
    tags: pd.DataFrame = result.tags_of(model)[list(PUBLISHED_COLUMNS)].reset_index(drop=True).astype(kinds)
    own = result.summary["models"][model]["regimes"]["own"]
    keys = [key for name in AGGREGATES for key in (name, f"{name}_tags")]
    figures = {key: own[key] for key in keys if own.get(key) is not None}
    digest = result.run.get("models", {}).get(model, {}).get("key", "")
    return Published(model, result.recipe.dataset.name, "result", digest, tags, int(result.summary["images"]), figures)


def refuse(path: Path, line: int, what: str) -> ArenaError:
    """An error about a line of a file."""
    return ArenaError(f"{path}:{line}: {what}")


def read_text(path: Path) -> str:
    """The text of a file in UTF-8; CR LF ends a line as LF does.

    Raises:
        ArenaError: it cannot be read, or is no text.
    """
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ArenaError(f"{path}: no text in UTF-8 (byte {error.start:,}); save it as UTF-8") from None
    except OSError as error:
        raise ArenaError(f"{path}: cannot be read ({error.strerror})") from None


def decimals(texts: Iterable[str]) -> int | None:
    """The most decimals that any of the figures is written with; None without a figure.

    >>> decimals(["0.5", "0.1234", ""]), decimals(["1e-05"]), decimals([""])
    (4, 5, None)
    """
    found = [-exponent for text in texts if text and isinstance(exponent := Decimal(text).as_tuple().exponent, int)]
    return max(0, *found) if found else None


def _refuse_twice(path: Path, rows: Sequence[Row]) -> None:
    first: dict[str, int] = {}
    for row in rows:
        if row.tag in first:
            before = f"it stands in line {first[row.tag]} already"
            raise refuse(
                path, row.line, f"tag {shown(row.tag)}: {before}; a published file has one row a tag and model"
            )
        first[row.tag] = row.line


def _completed(row: Row) -> Row:
    """With what follows from its counts: the support, or the missed positives."""
    if row.support is None and row.tp is not None and row.fn is not None:
        return replace(row, support=row.tp + row.fn)
    if row.fn is None and row.tp is not None and row.support is not None:
        return replace(row, fn=row.support - row.tp)
    return row


def _settled(path: Path, row: Row, images: int | None, digits: int | None) -> Row:
    """Completed by the number of images, with figures made exact by the counts, and free of contradictions."""
    row = _completed(row)
    if images is not None and row.tn is None and row.tp is not None and row.fp is not None and row.fn is not None:
        row = replace(row, tn=images - row.tp - row.fp - row.fn)
    if fault := _fault(row, images):
        raise refuse(path, row.line, f"tag {shown(row.tag)}: {fault}; the file is damaged, fetch it again")
    if row.tp is None or row.fp is None or row.fn is None:
        return row
    exact = {
        "precision": _ratio(row.tp, row.tp + row.fp),
        "recall": _ratio(row.tp, row.tp + row.fn),
        "f1": _ratio(2 * row.tp, 2 * row.tp + row.fp + row.fn),
    }
    for name, value in exact.items():
        if not _agree(getattr(row, name), value, digits):
            counts = f"TP {row.tp}, FP {row.fp} and FN {row.fn} make {'none' if value is None else f'{value:.4f}'}"
            seen = f"{name} is {getattr(row, name)}, but {counts}"
            raise refuse(path, row.line, f"tag {shown(row.tag)}: {seen}; the file is damaged, fetch it again")
    return replace(row, precision=exact["precision"], recall=exact["recall"], f1=exact["f1"])


def _fault(row: Row, images: int | None) -> str:
    """How the counts of a row contradict each other; empty where they do not."""
    for name in INTEGERS:
        if (value := getattr(row, name)) is not None and value < 0:
            return f"{name} is {value}, but less than 0 is no count"
    for name in FLOATS:
        if (value := getattr(row, name)) is not None and not 0 <= value <= 1:
            return f"{name} is {value}, but must lie in 0 to 1"
    if row.tp is not None and row.fn is not None and row.support != row.tp + row.fn:
        return f"TP {row.tp} and FN {row.fn} make {row.tp + row.fn}, but {row.support} positives are told"
    if images is not None and row.images not in (None, images):
        return f"its counts make {row.images:,} images, those of the first tag {images:,}"
    if images is not None and row.support is not None and row.support > images:
        return f"{row.support:,} positives among {images:,} images"
    return ""


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _agree(written: float | None, exact: float | None, digits: int | None) -> bool:
    """Whether a figure is the rounded one; where it is undefined, publishers write 0 or 1."""
    if written is None:
        return True
    if exact is None:
        return written in (0, 1)
    return math.isclose(written, exact, rel_tol=0, abs_tol=0.5 * 10.0 ** -(digits or 0) + FLOAT32_SLACK)
