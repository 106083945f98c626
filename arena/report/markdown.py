"""GitHub's Markdown: text that is shown as it is, tables, code, folded parts, and pictures for light and dark readers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from arena.report.static_pictures import Picture, file_of
from arena.report.styles import DARK, LIGHT
from arena.base.format import encodable, one_line

_MARKS = re.compile(r"([\\`*_{}\[\]<>|#~$&])")
_FIRST = re.compile(r"^([-+=](?=[-+=\s]|$)|\d+(?=[.)](?:\s|$)))")
"""What makes a list, a heading or a rule of a line that begins with it."""

_REFERENCES = re.compile(r"@|#(?=\d)|(?i:gh-(?=\d)|www(?=\.))|:(?=//)|:(?=[\w+-]+:)")
"""Where a mention, a number of an issue, an address or an emoji's name begins that GitHub would follow or replace."""

_DIRECTIONS = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Marks that turn round what stands after a name; the letters themselves have their direction without them."""

APART = "<!-- -->"
"""A comment: it is not shown, and what stands on either side of it is not read as one word."""


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it is, on one line: no markup, no HTML, no link, no mention, no cell's end.

    >>> escape_markdown("a|b <b>"), escape_markdown("@x of www.y.z")
    ('a\\\\|b \\\\<b\\\\>', '@<!-- -->x of www<!-- -->.y.z')
    """
    line = re.sub(" +", " ", _DIRECTIONS.sub("", encodable(one_line(text)))).strip()
    parts = (_MARKS.sub(r"\\\1", part) for part in _apart(line))
    return _FIRST.sub(lambda found: f"\\{found[0]}" if found[0] in "-+=" else f"{found[0]}\\", APART.join(parts))


def _apart(line: str) -> list[str]:
    """The line cut after every character that begins a reference."""
    ends = [found.end() for found in _REFERENCES.finditer(line)]
    return [line[start:end] for start, end in zip([0, *ends], [*ends, None], strict=True)]


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
