"""Detect the format of a published file from its content, and read it."""

from collections.abc import Callable
from pathlib import Path

from arena.base.errors import ArenaError, nearest
from arena.results.published.detailed_metrics import DETAILED_METRICS_LINE, read_detailed_metrics
from arena.results.published.full_metrics import FULL_METRICS_FIRST_LINE, read_full_metrics
from arena.results.published.metrics_json import is_metrics_json, read_metrics_json
from arena.results.published.model_index import is_model_index, read_model_index
from arena.results.published.record import Published
from arena.results.published.results_json import is_results_json, read_results_json
from arena.results.published.rows import read_published_text
from arena.results.published.runs_table import is_runs_table, read_runs_table
from arena.results.published.tables import is_published_table, read_published_table

FORMATS = (
    "JoyTag's full-metrics.txt and detailed_metrics.txt, SmilingWolf's report.csv and table of runs, animetimm's "
    "selected_tags.csv and metrics.json, arena's results.json, a model-index, or a CSV file with tags and their counts or "
    "metrics"
)

_BEGINNING = 1 << 16
"""Number of characters at the start of a file that the format is detected from."""

_Reader = Callable[[Path], dict[str, Published]]


def read_published(path: Path, name: str | None = None) -> dict[str, Published]:
    """Read a published file: name of a model -> its published result, in the order of the file.

    Args:
        name: return only this model; if the file holds only one model, rename it to this.

    Raises:
        ArenaError: the file is missing, damaged, of an unknown format, or has no model of that name.
    """
    if path.is_dir() or not path.exists():
        raise ArenaError(f"{path}: {'a folder' if path.is_dir() else 'no such file'}; name a published file: {FORMATS}")
    reader = _reader(read_published_text(path)[:_BEGINNING])
    if reader is None:
        raise ArenaError(f"{path}: no published metrics in a known format: {FORMATS}")
    found = reader(path)
    if name is None or name in found:
        return found if name is None else {name: found[name]}
    if len(found) > 1:
        raise ArenaError(f"{path}: several models, but none is called {name!r}. {nearest(name, found)}")
    (only,) = found.values()
    return {name: renamed(only, name)}


def renamed(published: Published, name: str) -> Published:
    """A copy with another name."""
    return Published(**{**vars(published), "name": name})


def is_published(path: Path) -> bool:
    """Whether a file starts like published metrics; the rest of it may be damaged."""
    try:
        with path.open("rb") as file:
            text = file.read(_BEGINNING).decode("utf-8-sig", errors="ignore")
    except OSError:
        return False
    return "\0" not in text and _reader(text.replace("\r\n", "\n")) is not None


def _reader(text: str) -> _Reader | None:
    """The reader for a file that starts with this text; None if the format is unknown."""
    lines = text.lstrip("\n").split("\n", 2)
    if FULL_METRICS_FIRST_LINE.fullmatch(lines[0]):
        return read_full_metrics
    if is_results_json(text):
        return read_results_json
    if is_model_index(text):
        return read_model_index
    if is_metrics_json(text):
        return read_metrics_json
    if is_runs_table(text):
        return read_runs_table
    if len(lines) > 1 and DETAILED_METRICS_LINE.fullmatch(lines[1]):
        return read_detailed_metrics
    return read_published_table if is_published_table(text) else None
