"""animetimm's `metrics.json`: aggregates of a model, without tags."""

from pathlib import Path
from typing import Any

from arena.base.errors import ArenaError
from arena.base.files import digest_file
from arena.base.reading import parse_json
from arena.results.published.record import Published
from arena.results.published.rows import no_tags, read_published_text

_FORMAT = "metrics-json"

_SPLITS = ("test", "val")
"""Tables of the file, in order of preference."""

_AGGREGATE_KEYS = tuple(
    f"{mean}_{name}" for mean in ("macro", "micro") for name in ("precision", "recall", "f1", "mcc")
)


def read_metrics_json(path: Path) -> dict[str, Published]:
    """Read the aggregates of the test images, else of the validation images; the file has no metrics of tags.

    Raises:
        ArenaError: the file is not JSON, holds no aggregate, or one is outside its range.

    Source: animetimm's training code, which writes `{"test": {"macro_f1": ...}, "val": {...}}`.
    """
    split, table = _table(path)
    metrics: dict[str, float] = {}
    for name in _AGGREGATE_KEYS:
        value = table.get(name)
        if value is None:
            continue
        least = -1 if name.endswith("mcc") else 0
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= 1:
            raise ArenaError(f"{path}: {name} is {value!r}, but must lie in {least} to 1; fetch it again")
        metrics[name] = float(value)
    if not metrics:
        raise ArenaError(f"{path}: no aggregate in it; it needs one of {', '.join(_AGGREGATE_KEYS)}")
    notes = (f"metrics of the {split} images",) if split else ()
    return {
        path.stem: Published(path.stem, path.name, _FORMAT, digest_file(path), no_tags(), None, metrics, notes=notes)
    }


def _table(path: Path) -> tuple[str, dict[str, Any]]:
    """The name of a split and its aggregates; the name is empty if the file itself is the table."""
    content = parse_json(read_published_text(path), path, fix="fetch it again")
    if not isinstance(content, dict):
        raise ArenaError(f"{path}: not a JSON object with metrics; fetch it again")
    for split in _SPLITS:
        if isinstance(content.get(split), dict):
            return split, content[split]
    return "", content


def is_metrics_json(text: str) -> bool:
    """Whether text is a `metrics.json`: a JSON object with a known aggregate, at its top level or in a split."""
    try:
        content = parse_json(text, "")
    except ArenaError:
        return False
    if not isinstance(content, dict):
        return False
    tables = [content, *(content.get(split) for split in _SPLITS)]
    return any(isinstance(table, dict) and not table.keys().isdisjoint(_AGGREGATE_KEYS) for table in tables)
