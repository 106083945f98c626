"""Check that no value of a run lies outside its own interval: in the reports, as printed, and in the files, in full precision.

Usage: python scripts/check_intervals.py RUN [RUN ...]

Renders the page, summary.md and the terminal output of each run again, and reads every `value [low, high]` in them. Lists what
is outside, and the number of checked intervals; the exit code is 1 if anything is outside.
"""

import argparse
import contextlib
import html
import io
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from arena.cli.terminal.summary import show_summary
from arena.metrics.registry import AGGREGATES, TAG_INTERVALS, TESTED
from arena.report.html import render_comparison
from arena.report.summary import summary_markdown
from arena.report.view import page_view
from arena.results.headline import headline
from arena.results.run_folder import Result, read_result

NUMBER = r"[<>]?[+−-]?[<>]?\d\.\d{4}"
"""A number of the terminal."""

KNOWN = r"[<>]?[+−-]?[<>]?\d\.\d{2,4}"
"""A number of a report, with the digits that are known."""

PRINTED = re.compile(rf"(?P<value>{KNOWN})(?: \(best[a-z ]*\))? (?:★ )?\[(?P<low>{KNOWN}), (?P<high>{KNOWN})\]")
"""A value and its interval in the text of a report."""

ROUNDING = 1e-9
"""Largest distance from the interval of a value in full precision that counts as inside."""


class Found(NamedTuple):
    """A value and the ends of its interval."""

    where: str
    value: float
    low: float
    high: float

    @property
    def is_outside(self) -> bool:
        """Whether the value is outside its interval; False if any of the three is undefined."""
        return bool(self.value < self.low - ROUNDING or self.value > self.high + ROUNDING)


def all_intervals(folder: Path) -> list[Found]:
    """Return every interval of a run with its value: of the reports and of the files."""
    result = read_result(folder)
    return [*printed_intervals(result, folder), *stored_intervals(result)]


def printed_intervals(result: Result, folder: Path) -> Iterator[Found]:
    """Yield the intervals of the page, of summary.md and of the terminal output."""
    yield from in_text("index.html", text_of_page(render_comparison(page_view(result))))
    yield from in_text("summary.md", summary_markdown(result).replace("\\", ""))
    terminal = io.StringIO()
    with contextlib.redirect_stdout(terminal):
        show_summary(folder)
    yield from in_terminal(terminal.getvalue())


def text_of_page(page: str) -> str:
    """Return the text of an HTML page, without scripts and styles.

    >>> text_of_page("<style>a</style><b>0.5</b>\\n<i>[0, 1]</i>")
    ' 0.5 [0, 1] '
    """
    bare = re.sub(r"(?s)<(script|style)\b.*?</\1>", "", page)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", bare)))


def in_text(where: str, text: str) -> Iterator[Found]:
    """Yield each `value [low, high]` of a text.

    >>> [tuple(one) for one in in_text("a", "mAP −0.2000 [−0.3000, >+0.9999], 0.5 [0, 1]")]
    [('a: −0.2000 [−0.3000, >+0.9999]', -0.2, -0.3, 0.9999)]
    """
    for found in PRINTED.finditer(text):
        yield Found(f"{where}: {found[0]}", *(number_of(found[name]) for name in ("value", "low", "high")))


def in_terminal(text: str) -> Iterator[Found]:
    """Yield the values of a row of the leaderboard with the intervals of the next row, and the differences.

    >>> [one[1:] for one in in_terminal("a  0.5  0.3000  9/9\\n  [0.2000, 0.4000]\\nF1: a - b = +0.1000 [-0.1000, +0.2000]")]
    [(0.3, 0.2, 0.4), (0.1, -0.1, 0.2)]
    """
    values: list[str] = []
    for line in text.splitlines():
        ends = [] if " = " in line else re.findall(rf"\[({NUMBER}), ({NUMBER})\]", line)
        for value, (low, high) in zip(values, ends, strict=False):
            yield Found(f"terminal: {value} [{low}, {high}]", *map(number_of, (value, low, high)))
        values = re.findall(rf"(?<!\S){NUMBER}(?!\S)", line)
    for value, low, high in re.findall(rf"= ({NUMBER}) \[({NUMBER}), ({NUMBER})\]", text):
        yield Found(f"terminal: {value} [{low}, {high}]", *map(number_of, (value, low, high)))


def number_of(text: str) -> float:
    """Return a printed number; `<0.0001` counts as 0.0001."""
    return float(text.replace("−", "-").replace("<", "").replace(">", ""))


def stored_intervals(result: Result) -> Iterator[Found]:
    """Yield the intervals of summary.json and of the tables: around the headline value and around the plain one."""
    for name, model in result.summary["models"].items():
        for regime, figures in model["regimes"].items():
            yield from _of_row(f"summary.json {name} {regime}", figures)
    for row in result.tables["slices"].to_dict("records"):
        yield from _of_row(f"slices {row['model']} {row['slice']} {row['value']}", row)
    for row in result.per_tag.to_dict("records"):
        for key in TAG_INTERVALS:
            yield _found(f"per_tag {row['model']} {row['tag']} {key}", row[key], row[f"{key}_low"], row[f"{key}_high"])
    yield from _differences(result)


def _of_row(where: str, figures: Mapping[Any, Any]) -> Iterator[Found]:
    for key in AGGREGATES:
        ends = [figures.get(f"{key}_{end}") for end in ("low", "high")]
        if key in figures:
            yield _found(f"{where} {key}", headline(figures, key), *ends)
            yield _found(f"{where} {key} as published", figures[key], *ends)


def _differences(result: Result) -> Iterator[Found]:
    for row in result.tables["differences"].to_dict("records"):
        where = " ".join(str(row[key]) for key in ("slice", "value", "regime", "figure", "first", "second"))
        yield _found(f"differences {where}", row["difference"], row["low"], row["high"])
    for row in result.tables["tag_differences"].to_dict("records"):
        for key in TESTED:
            values = (row[f"{key}_{name}"] for name in ("difference", "low", "high"))
            yield _found(f"tag_differences {row['tag']} {row['first']} {row['second']} {key}", *values)


def _found(where: str, *values: Any) -> Found:
    return Found(where, *(float("nan") if value is None or pd.isna(value) else float(value) for value in values))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="run folder")
    outside = 0
    for folder in parser.parse_args().runs:
        found = all_intervals(folder)
        wrong = [one for one in found if one.is_outside]
        for one in wrong:
            print(f"{one.where}: {one.value:.6f} is outside [{one.low:.6f}, {one.high:.6f}]")
        print(f"{folder}: {len(found):,} intervals, {len(wrong):,} values outside")
        outside += len(wrong)
    sys.exit(1 if outside else 0)


if __name__ == "__main__":
    main()
