"""Terminal output and CI annotations of a verdict."""

import os
from pathlib import Path

import click
from rich.text import Text

from arena.cli.terminal.console import results_console, show_path
from arena.gate.verdict import Verdict
from arena.report.check import github
from arena.report.check.text import styled_lines


def show_verdict(verdict: Verdict, page: Path) -> None:
    """Print the verdict in the width there is, with colours if supported, and the path of its page."""
    console = results_console()
    for line in styled_lines(verdict, console.width):
        console.print(Text(line.text, style=line.style), soft_wrap=True)
    show_path(page)


def report_to_ci(verdict: Verdict) -> None:
    """In a GitHub workflow, print annotations and append to the step's summary."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        click.echo(github.annotations(verdict))
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8", newline="\n") as file:
            file.write(github.step_summary(verdict))
