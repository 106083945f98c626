"""Write a history to files: page, table, plots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from arena.base.errors import ArenaError, nearest
from arena.base.files import write_json, write_whole
from arena.base.locks import lock_output
from arena.report.history.page import render_history
from arena.report.history.rows import history_csv, history_records
from arena.report.history.series import History

_PLOT_SUFFIXES = (".svg", ".png")
_SUFFIXES = (".html", ".csv", ".json", *_PLOT_SUFFIXES)


def check_history_outputs(outputs: Sequence[Path]) -> None:
    """Check the output files before any work is done.

    Raises:
        ArenaError: a file has an unknown suffix, or is a folder.
    """
    for path in outputs:
        if path.suffix not in _SUFFIXES or path.is_dir():
            known = nearest(path.suffix, _SUFFIXES)
            raise ArenaError(f"--output {path}: not a file type of a history. {known}")


def write_history(history: History, outputs: Sequence[Path]) -> list[Path]:
    """Write the output files, each atomically. A plot is written as SVG and PNG, each in a light and a dark theme.

    Returns: paths of the written files.
    """
    written: list[Path] = []
    for path in outputs:
        with lock_output(path, "baseline history"):
            written += [one for one in _write_one(history, path) if one not in written]
    return written


def _write_one(history: History, path: Path) -> list[Path]:
    if path.suffix in _PLOT_SUFFIXES:
        return _write_pictures(history, path.with_suffix(""))
    if path.suffix == ".json":
        write_json(path, history_records(history))
    else:
        write_whole(path, render_history(history) if path.suffix == ".html" else history_csv(history))
    return [path]


def _write_pictures(history: History, base: Path) -> list[Path]:
    from arena.report.plots.canvas import save, theme_of
    from arena.report.plots.history import draw
    from arena.report.styles import THEMES

    paths: list[Path] = []
    for theme in THEMES:
        with theme_of(theme):
            picture = draw(history, theme)
            paths += save(picture, base.with_name(base.name + theme.suffix), title="Metrics over releases")
    return paths
