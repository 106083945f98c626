"""Terminal output: progress on standard error, results on standard output."""

import os
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table
from rich.text import Text

from arena.base.format import UNDEFINED, figure, one_line, signed
from arena.base.progress import Unit

if TYPE_CHECKING:
    from arena.diagnostics.bench.costs import Cost
    from arena.evaluate.power import Power
    from arena.pipeline.catalogue import ListedModel

MIN_WIDTH = 80
"""Smallest width of a table of results, in columns."""

_UNLIMITED = 100_000
"""Width of output that is no terminal: nothing is wrapped."""

FACTS_WIDTH = 40
"""Width of a model's facts below its name; the numbers in the same row then fit `MIN_WIDTH`."""

_MAX_SKIPPED = 5
"""Largest number of unreadable images listed; the rest are counted."""

_MAX_FINDINGS = 10
"""Largest number of findings about tag relations listed; the rest are counted."""


class _Rate(ProgressColumn):
    """Column of images per second."""

    def render(self, task: Task) -> Text:
        """Return the rate, or an empty text until it is known."""
        return Text(f"{task.speed:.1f}/s" if task.speed else "", style="progress.data.speed")


class _Unread(Console):
    """A console that goes silent when its reader closes the pipe; the work continues."""

    def on_broken_pipe(self) -> None:
        """Stop printing; rich would end the process."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


class Terminal:
    """A Progress that prints on standard error."""

    def __init__(self) -> None:
        self.console = _Unread(stderr=True, highlight=False)

    def note(self, text: str) -> None:
        """Print one line."""
        self.console.print(text, markup=False, style="dim", soft_wrap=True)

    @contextmanager
    def count(
        self, what: str, total: int | None, done: int, *, unit: Unit = "items"
    ) -> Iterator[Callable[[int], None]]:
        """Show a bar with rate and remaining time; without a terminal, print a line at the start and at the end."""
        of_bytes = unit == "bytes"
        if not self.console.is_terminal:
            shown = format_size if of_bytes else str
            self.note(f"{what}: started" if total is None else f"{what}: {shown(total - done)} of {shown(total)} to do")
            yield lambda number: None
            self.note(f"{what}: done")
            return
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(None),
            DownloadColumn() if of_bytes else MofNCompleteColumn(),
            TransferSpeedColumn() if of_bytes else _Rate(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.console) as progress:
            task = progress.add_task(what, total=total, completed=done)
            yield lambda number: progress.advance(task, number)


def format_size(size_bytes: int) -> str:
    """Format a size in decimal units with three significant digits.

    >>> format_size(402), format_size(7_853_272), format_size(378_536_310), format_size(1_260_435_999)
    ('402 B', '7.85 MB', '379 MB', '1.26 GB')
    """
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= 0.9995 * scale:
            return f"{size_bytes / scale:.3g} {unit}"
    return f"{size_bytes} B"


class _Unpadded:
    """Standard output without the spaces that rich adds at the end of a line."""

    def write(self, text: str) -> int:
        """Write whole lines."""
        return sys.stdout.write(re.sub(r" +(?=\n)", "", text))

    def flush(self) -> None:
        """Write what is buffered."""
        sys.stdout.flush()


def results_console() -> Console:
    """Return a console on standard output.

    On a terminal it is at least `MIN_WIDTH` wide, because a cut number is worse than a wrapped line. In a pipe or a file lines
    are neither wrapped nor padded, unless the variable `COLUMNS` sets a width.
    """
    console = Console(highlight=False)
    if not console.is_terminal:
        width = max(console.width, MIN_WIDTH) if os.environ.get("COLUMNS", "").isdigit() else _UNLIMITED
        return Console(file=cast("IO[str]", _Unpadded()), highlight=False, width=width)
    return console if console.width >= MIN_WIDTH else Console(highlight=False, width=MIN_WIDTH)


def show_path(path: Path) -> None:
    """Print the path of a page, the last line of a verb; terminals that know links open it with a click."""
    console = results_console()
    style = f"link {path.absolute().as_uri()}" if console.is_terminal else ""
    console.print(Text(str(path), style=style), soft_wrap=True)


def show_power(rows: "Sequence[Power]") -> None:
    """Print the detectable difference of a run and the number of images needed."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("metric", "pair", "difference", "s.e.", "detectable", "to decide", "images needed"):
        table.add_column(name, justify="left" if name in ("metric", "pair") else "right", overflow="fold")
    for row in rows:
        needed = "–" if row.needed is None else f"{row.needed:,}"
        pair = Text(f"{row.first} - {row.second}")
        figures = (signed(row.difference), *map(figure, (row.standard_error, row.detectable, row.asked)))
        table.add_row(row.figure, pair, *figures, needed)
    console = results_console()
    console.print(table)
    console.print(
        f"{rows[0].images:,} images; detectable: the smallest true difference that this many images decide. Corrected for "
        f"{rows[0].tests} comparisons: all metrics and pairs of models.",
        markup=False,
    )


def show_costs(costs: "Sequence[Cost]") -> None:
    """Print the costs of models: one row per metric, one column per model."""
    from arena.diagnostics.bench.table import cost_table

    shown = cost_table(costs)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", no_wrap=True)
    for name in shown.header[1:]:
        table.add_column(Text(name), justify="right", overflow="fold")
    for row in shown.rows:
        table.add_row(*map(Text, row))
    console = results_console()
    console.print(table)
    for note in shown.notes:
        console.print(one_line(note), markup=False, style="dim")


def show_skipped(skipped: Mapping[str, str]) -> None:
    """Print the images without scores and the reasons."""
    console = Console(stderr=True, highlight=False)
    for image_id, reason in list(skipped.items())[:_MAX_SKIPPED]:
        console.print(one_line(f"skipped {image_id}: {reason}"), markup=False, soft_wrap=True)
    if len(skipped) > _MAX_SKIPPED:
        console.print(f"skipped {len(skipped) - _MAX_SKIPPED} more", markup=False)


def show_outcome(name: str, *, passed: bool, detail: str) -> None:
    """Print one line about one check."""
    results_console().print(
        one_line(f"{'pass' if passed else 'FAIL'}  {name:<20}  {detail}"), markup=False, soft_wrap=True
    )


def show_findings(findings: Sequence[str]) -> None:
    """Print the faults found in tag relations and how each was resolved."""
    console = Console(stderr=True, highlight=False)
    for finding in findings[:_MAX_FINDINGS]:
        console.print(one_line(finding), markup=False, soft_wrap=True)
    if len(findings) > _MAX_FINDINGS:
        console.print(f"and {len(findings) - _MAX_FINDINGS} more findings", markup=False)


_NUMBER_COLUMNS = ("px", "tags", "threshold", "here")
"""Columns in the list of models that are never wrapped."""

WIDE = 140
"""Terminal width from which the list of models also shows the hub."""


def show_models(models: Sequence["ListedModel"]) -> None:
    """Print one row per model; on a narrow terminal, licence and cut-off are below the name."""
    console = results_console()
    wide = console.width >= WIDE
    words = ["licence", "cut-off"]
    columns = ["model", *(words if wide else []), *_NUMBER_COLUMNS[:3], "run", "here", *(["hub"] if wide else [])]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        is_figure = name in _NUMBER_COLUMNS
        is_fixed = is_figure or name == "model"
        table.add_column(name, justify="right" if is_figure else "left", overflow="fold", no_wrap=is_fixed)
    for model in models:
        licence = "licence unknown" if model.licence == "unknown" else model.licence
        cut_off = "cut-off unknown" if model.trained_until == "unknown" else f"until {model.trained_until}"
        unpinned = ["unpinned"] if model.unpinned else []
        below = "" if wide else f"\n  {'; '.join([licence, cut_off, *unpinned])}"
        cells = {
            "model": model.name + below, "licence": model.licence, "cut-off": model.trained_until,
            "hub": " ".join([model.hub or UNDEFINED, *unpinned]),
            "px": UNDEFINED if model.image_side is None else str(model.image_side),
            "tags": UNDEFINED if model.tag_count is None else f"{model.tag_count:,}",
            "threshold": UNDEFINED if model.threshold is None else f"{model.threshold:g}",
            "run": "yes" if model.verified else "no",
            "here": UNDEFINED if model.size_bytes is None else format_size(model.size_bytes),
        }  # fmt: skip
        cells["model"] = _hanging(cells["model"])
        table.add_row(*(Text(cells[name]) for name in columns))
    _print_whole(console, table)
    if not all(model.verified for model in models):
        console.print("run: no = this project has not run the published weights yet (verified = false)", markup=False)
    if any(model.unpinned for model in models):
        console.print("unpinned: the card names no commit of the hub, so the files may change", markup=False)


def _hanging(text: str) -> str:
    """Wrap the facts below a name to `FACTS_WIDTH`; continuation lines are indented more than a new fact.

    >>> print(_hanging("wd14\\n  Apache-2.0; until Danbooru, about post 5,944,504"))
    wd14
      Apache-2.0; until Danbooru, about post
        5,944,504
    """
    name, *facts = text.splitlines()
    return "\n".join([name, *(textwrap.fill(line, FACTS_WIDTH, subsequent_indent="    ") for line in facts)])


def show_groups(groups: Mapping[str, Sequence[str]], patterns: Sequence[str]) -> None:
    """Print groups of models, other names and families."""
    several = [f"{name} ({len(members)})" for name, members in sorted(groups.items()) if len(members) > 1]
    others = [f"{name} = {members[0]}" for name, members in sorted(groups.items()) if len(members) == 1]
    families = [pattern.replace("{arch}", "ARCH") for pattern in patterns]
    for what, names in (("groups of models", several), ("other names", others), ("families", families)):
        if names:
            results_console().print(f"{what}: {', '.join(names)}", markup=False)


def show_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows of text under a header."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, name in enumerate(header):
        table.add_column(name, overflow="fold", no_wrap=number == 0)
    for row in rows:
        table.add_row(*map(Text, row))
    _print_whole(results_console(), table)


def _print_whole(console: Console, table: Table) -> None:
    """Print a table without breaking a word; rows that are too long for the terminal reach past its edge."""
    console.width = max(console.width, console.measure(table, options=console.options.update(width=_UNLIMITED)).minimum)
    console.print(table)
