"""GitHub Markdown: escaped text, tables, code, folded sections, and pictures for light and dark themes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from arena.base.format import encodable, escape_markdown, one_line
from arena.report.static_pictures import Plot, plot_path
from arena.report.styles import DARK, LIGHT


def code(text: str) -> str:
    """Return text as inline code; backticks in it are allowed.

    >>> code("a"), code("`x``y`")
    ('`a`', '``` `x``y` ```')
    """
    line = encodable(one_line(text)).strip() or " "
    longest = max(map(len, re.findall("`+", line)), default=0)
    fence, edge = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{edge}{line}{edge}{fence}"


def table(rows: Sequence[Sequence[str]], *, numbers_from: int | None = None) -> str:
    """Return a table; the first row is the header, and columns from `numbers_from` on are aligned to the right."""
    lines = ["| " + " | ".join(map(escape_markdown, row)) + " |" for row in rows]
    columns = range(len(rows[0]))
    rule = " | ".join("---:" if numbers_from is not None and column >= numbers_from else "---" for column in columns)
    return "\n".join([lines[0], f"| {rule} |", *lines[1:]])


def bullets(items: Sequence[str]) -> str:
    """Return a bulleted list of texts."""
    return "\n".join(f"- {escape_markdown(item)}" for item in items)


def folded(title: str, body: str) -> str:
    """Return a section that opens on a click; `title` is plain text, `body` is Markdown."""
    return f"<details>\n<summary>{escape(encodable(one_line(title)))}</summary>\n\n{body}\n\n</details>"


def picture(one: Plot) -> str:
    """Return an HTML picture that follows the reader's theme. It has no empty line: in Markdown that would end the HTML."""
    light, dark = (plot_path(one, suffix=theme.suffix, kind="svg") for theme in (LIGHT, DARK))
    return (
        "<picture>\n"
        f'  <source media="(prefers-color-scheme: dark)" srcset="{dark}">\n'
        f'  <img alt="{escape(encodable(one_line(one.alt)))}" src="{light}">\n'
        "</picture>"
    )
