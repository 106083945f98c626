"""Write the plots of a large result in a process of their own, while this one makes the page.

Both are Python code, which threads of one process do not run at the same time. At 2 x 5,813 tags the plots take 5 s.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from arena.report import plots
from arena.results.run_folder import Result

LARGE = 5_000
"""Rows of `per_tag` from which on a process of its own saves time: its imports take 1 s."""

_TABLES = ("per_tag", "sweep", "tag_differences")
"""Tables that the plots read."""


class PlotWriter:
    """Writes the plots of one result; use it as a context, then call `begin` and `finish`.

    The process starts at once, because its imports take time. A small result is drawn by `finish`, in this process.
    """

    def __init__(self, result: Result) -> None:
        """Start the process if the result is large."""
        self._process = _start() if len(result.per_tag) >= LARGE else None
        self._thread = ThreadPoolExecutor(1)
        self._answer: Future[tuple[bytes, Any]] | None = None

    def __enter__(self) -> PlotWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the process if `finish` was not reached."""
        if self._process is not None:
            self._process.kill()
        self._thread.shutdown()
        if self._process is not None and self._answer is None:
            self._process.communicate()

    def begin(self, result: Result, folder: Path, payload: Mapping[str, Any]) -> None:
        """Begin to write the plots; arguments as for `write_plots`."""
        self._task = (result, folder, payload)
        if self._process is not None:
            small = replace(result, tables={name: result.tables[name] for name in _TABLES})
            self._answer = self._thread.submit(self._process.communicate, pickle.dumps((small, folder, payload)))

    def finish(self) -> list[Path]:
        """Return the paths of all plots when they are written.

        Raises:
            ArenaError: a plot cannot be written.
        """
        answer = b"" if self._answer is None else self._answer.result()[0]
        if not answer:  # a small result, or the process could not work
            return plots.write_plots(*self._task)
        found: list[Path] | Exception = pickle.loads(answer)
        if isinstance(found, Exception):
            raise found
        return found


def _start() -> subprocess.Popen[bytes] | None:
    """Start a process that runs `_serve`; None if this is not possible."""
    try:
        return subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    except OSError:
        return None


def _serve() -> None:
    """Read the arguments of `write_plots` from standard input; write its result, or its error, to standard output."""
    from arena.report.plots import canvas, leaderboard, scatter, slices, sweep  # noqa: F401  the imports take time

    answer = sys.stdout.buffer
    with redirect_stdout(sys.stderr):
        try:
            found: list[Path] | Exception = plots.write_plots(*pickle.load(sys.stdin.buffer))
        except Exception as error:
            found = error
    answer.write(pickle.dumps(found))


if __name__ == "__main__":
    _serve()
