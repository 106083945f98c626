"""Terminal output of a parity report."""

from rich.table import Table
from rich.text import Text

from arena.cli.terminal.console import results_console
from arena.diagnostics.parity.text import cause_sentences, difference_row, parity_headline, parity_lines
from arena.diagnostics.parity.verdict import ParityReport

_VERDICT_COLOURS = {"identical": "green", "same": "green", "different": "red"}
"""Colour of each verdict."""


def show_report(report: ParityReport) -> None:
    """Print the measurements, the largest differences, and the verdict with its reason and cause."""
    console, parity = results_console(), report.parity
    console.print(Text(f"{parity.a} (A) and {parity.b} (B)", style="bold"))
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for line in parity_lines(parity):
        table.add_row(Text(line.what), Text(line.seen))
    console.print(table)
    for title, worst in (("tag", parity.worst_tags), ("image", parity.worst_images)):
        if parity.largest > report.tolerances.score and worst:
            console.print()
            console.print(_worst(title, [difference_row(one) for one in worst]))
    console.print()
    for note in report.notes:
        console.print(Text(note, style="dim"))
    console.print(Text(parity_headline(report), style=f"bold {_VERDICT_COLOURS[report.verdict.word]}"))
    for sentence in cause_sentences(report):
        console.print(Text(sentence, style="bold"))


def _worst(title: str, rows: list[tuple[str, str, str, str]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(f"{title} that differs most", overflow="fold", min_width=40)
    for name in ("largest", "mean", "flips"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*map(Text, row))
    return table
