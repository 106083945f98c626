"""animetimm's `metrics.json`: aggregates of a model without its tags."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from arena.base.errors import ArenaError
from arena.base.files import digest_file
from arena.results.published.record import PUBLISHED_COLUMNS, Published
from arena.results.published.rows import FLOATS, INTEGERS, read_text

FORM = "metrics-json"

SPLITS = ("test", "val")
"""Tables of the file, the one that is taken first."""

FIGURES = tuple(f"{mean}_{name}" for mean in ("macro", "micro") for name in ("precision", "recall", "f1", "mcc"))


def read_metrics_json(path: Path) -> dict[str, Published]:
    """The aggregates of the test images, or else of the validation images; no tag is told.

    Raises:
        ArenaError: no JSON, no aggregate in it, or one outside its range.

    Source: animetimm's training code, which writes `{"test": {"macro_f1": ...}, "val": {...}}`.
    """
    split, table = _table(path)
    figures: dict[str, float] = {}
    for name in FIGURES:
        value = table.get(name)
        if value is None:
            continue
        least = -1 if name.endswith("mcc") else 0
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= 1:
            raise ArenaError(f"{path}: {name} is {value!r}, but must lie in {least} to 1; fetch it again")
        figures[name] = float(value)
    if not figures:
        raise ArenaError(f"{path}: no aggregate in it; it needs one of {', '.join(FIGURES)}")
    kinds = dict.fromkeys(INTEGERS, "Int64") | dict.fromkeys(FLOATS, "float64")
    empty = pd.DataFrame({name: [] for name in PUBLISHED_COLUMNS}).astype(kinds)
    notes = (f"figures of the {split} images",) if split else ()
    return {path.stem: Published(path.stem, path.name, FORM, digest_file(path), empty, None, figures, notes=notes)}


def _table(path: Path) -> tuple[str, dict[str, Any]]:
    """The name of a split and its aggregates; the file may be such a table itself."""
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise ArenaError(f"{path}: no readable JSON ({error}); fetch it again") from None
    if not isinstance(content, dict):
        raise ArenaError(f"{path}: a list, no table of figures; fetch it again")
    for split in SPLITS:
        if isinstance(content.get(split), dict):
            return split, content[split]
    return "", content


def is_metrics_json(text: str) -> bool:
    """Whether text is such a file: a small table, or tables of splits, with an aggregate by name."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return False
    if not isinstance(content, dict):
        return False
    tables = [content, *(content.get(split) for split in SPLITS)]
    return any(isinstance(table, dict) and not table.keys().isdisjoint(FIGURES) for table in tables)
