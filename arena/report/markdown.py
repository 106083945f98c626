"""GitHub's Markdown: text that is shown as it is, tables, code, folded parts, and pictures for light and dark readers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from arena.base.format import encodable, escape_markdown, one_line
from arena.report.static_pictures import Picture, file_of
from arena.report.styles import DARK, LIGHT


def code(text: str) -> str:
    """Text as code, whatever backticks are in it.

    >>> code("a"), code("`x``y`")
    ('`a`', '``` `x``y` ```')
    """
    line = encodable(one_line(text)).strip() or " "
    longest = max(map(len, re.findall("`+", line)), default=0)
    fence, edge = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{edge}{line}{edge}{fence}"


def table(rows: Sequence[Sequence[str]], *, numbers_from: int | None = None) -> str:
    """A table, the header first; columns from `numbers_from` on are aligned to the right."""
    lines = ["| " + " | ".join(map(escape_markdown, row)) + " |" for row in rows]
    columns = range(len(rows[0]))
    rule = " | ".join("---:" if numbers_from is not None and column >= numbers_from else "---" for column in columns)
    return "\n".join([lines[0], f"| {rule} |", *lines[1:]])


def bullets(items: Sequence[str]) -> str:
    """A list of texts."""
    return "\n".join(f"- {escape_markdown(item)}" for item in items)


def folded(title: str, body: str) -> str:
    """A part that opens on a click; `title` is text, `body` Markdown."""
    return f"<details>\n<summary>{escape(encodable(one_line(title)))}</summary>\n\n{body}\n\n</details>"


def picture(one: Picture) -> str:
    """A picture in the reader's theme, from beside the file. No line of it is empty: that would end the HTML."""
    light, dark = (file_of(one, suffix=theme.suffix, kind="svg") for theme in (LIGHT, DARK))
    return (
        "<picture>\n"
        f'  <source media="(prefers-color-scheme: dark)" srcset="{dark}">\n'
        f'  <img alt="{escape(encodable(one_line(one.alt)))}" src="{light}">\n'
        "</picture>"
    )
