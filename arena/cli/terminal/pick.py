"""Terminal output of `arena pick`."""

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from arena.base.format import one_line
from arena.cli.terminal.console import results_console, show_path, show_skipped
from arena.pipeline.pick.folder import read_pick_document
from arena.report.pick.tables import TextTable, agreement_table, expected_table, rule_table
from arena.report.pick.words import alarm, notes


def show_pick(folder: Path) -> None:
    """Print the conclusion of a result, its main tables, and the path of its page."""
    document, console = read_pick_document(folder), results_console()
    for table in (expected_table(document), agreement_table(document), rule_table(document)):
        _print(console, table)
    for line in [*filter(None, [alarm(document)]), *notes(document)]:
        console.print(one_line(line), markup=False)
    show_skipped(document["images"]["skipped"])
    console.print(one_line(" ".join(document["conclusion"])), markup=False, style="bold")
    show_path(folder / "index.html")


def _print(console: Console, found: TextTable) -> None:
    if not found.rows:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, name in enumerate(found.header):
        table.add_column(name, justify="left" if number < found.text_columns else "right", overflow="fold")
    for row in found.rows:
        table.add_row(*(Text("\n".join(map(one_line, cell.split("\n")))) for cell in row))
    console.print(table)
