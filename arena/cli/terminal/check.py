"""A verdict as a person sees it in the terminal, and as a CI server is told of it."""

import os
from pathlib import Path

import click
from rich.text import Text

from arena.cli.terminal.console import results_console
from arena.gate.verdict import Verdict
from arena.report.check import github
from arena.report.check.text import styled_lines


def show_verdict(verdict: Verdict, page: Path) -> None:
    """The verdict at 80 columns, in colours where there are any, and last where its page is."""
    console = results_console()
    for line in styled_lines(verdict):
        console.print(Text(line.text, style=line.style), soft_wrap=True)
    console.print(Text(str(page)), soft_wrap=True)


def tell_ci(verdict: Verdict) -> None:
    """Print annotations in a GitHub workflow, and append to the summary of its step."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        click.echo(github.annotations(verdict))
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8", newline="\n") as file:
            file.write(github.step_summary(verdict))
