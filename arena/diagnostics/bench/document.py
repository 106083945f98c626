"""Output of `arena bench` as a JSON or Markdown file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from arena.base import provenance
from arena.base.errors import ArenaError
from arena.base.files import write_json, write_whole
from arena.base.version import __version__
from arena.diagnostics.bench.costs import COSTS_SCHEMA, Cost, cost_to_json
from arena.diagnostics.bench.table import costs_markdown

_SUFFIXES = (".json", ".md")
"""File suffixes that `write_costs` accepts."""


def costs_document(costs: Sequence[Cost]) -> dict[str, Any]:
    """Return the costs with the time, the machine and the versions."""
    return {
        "schema": COSTS_SCHEMA,
        "created": provenance.now(),
        "arena_version": __version__,
        "machine": provenance.machine(),
        "versions": provenance.versions(),
        "models": [cost_to_json(cost) for cost in costs],
    }


def check_output(path: Path) -> None:
    """Check before measuring that the output file can be written.

    Raises:
        ArenaError: the suffix is not in `_SUFFIXES`, or the folder does not exist.
    """
    if path.suffix not in _SUFFIXES:
        raise ArenaError(f"--output {path}: {path.suffix or 'no suffix'}; the file name must end in .json or .md")
    if not path.parent.is_dir() or path.is_dir():
        raise ArenaError(f"--output {path}: cannot write a file there; name one in an existing folder")


def write_costs(costs: Sequence[Cost], path: Path) -> None:
    """Write JSON or Markdown, depending on the suffix; the file is replaced as a whole."""
    if path.suffix == ".json":
        write_json(path, costs_document(costs))
        return
    write_whole(path, f"# Cost of taggers\n\n{costs_markdown(costs)}")
