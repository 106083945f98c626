"""What was measured, as a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from arena.base import provenance
from arena.base.errors import ArenaError
from arena.base.files import write_json, write_whole
from arena.base.version import __version__
from arena.diagnostics.bench.costs import SCHEMA, Cost, to_json
from arena.diagnostics.bench.table import markdown

SUFFIXES = (".json", ".md")
"""Kinds of file that `write_costs` knows."""


def document(costs: Sequence[Cost]) -> dict[str, Any]:
    """What was found, when, where and by which versions."""
    return {
        "schema": SCHEMA,
        "created": provenance.now(),
        "arena_version": __version__,
        "machine": provenance.machine(),
        "versions": provenance.versions(),
        "models": [to_json(cost) for cost in costs],
    }


def check_output(path: Path) -> None:
    """Refuse a file that could not be written in the end.

    Raises:
        ArenaError: another suffix than `SUFFIXES`, or no folder to write into.
    """
    if path.suffix not in SUFFIXES:
        raise ArenaError(f"--output {path}: {path.suffix or 'no suffix'}; name a file that ends in .json or .md")
    if not path.parent.is_dir() or path.is_dir():
        raise ArenaError(f"--output {path}: no file can be written there; name one in a folder that exists")


def write_costs(costs: Sequence[Cost], path: Path) -> None:
    """Write JSON or Markdown, by the suffix; whole or not at all."""
    if path.suffix == ".json":
        write_json(path, document(costs))
        return
    write_whole(path, f"# What taggers cost\n\n{markdown(costs)}")
