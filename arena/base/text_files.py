"""Encodings and delimiters of the text files that spreadsheets, editors and shells write."""

import codecs
import csv
import re
from collections.abc import Callable

UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""Byte order marks of UTF-16, which Notepad, Excel and PowerShell write as Unicode text."""

DELIMITERS = (",", ";", "\t")
"""Delimiters of cells; a spreadsheet writes `;` where the comma is the decimal sign."""


def text_encoding(start: bytes) -> str:
    r"""Return the encoding of a file that starts with these bytes: UTF-16 with a byte order mark, else UTF-8.

    >>> text_encoding(b"\xff\xfet\x00"), text_encoding(b"\xef\xbb\xbft")
    ('utf-16', 'utf-8-sig')
    """
    return "utf-16" if start.startswith(UTF_16_MARKS) else "utf-8-sig"


def decode_text(content: bytes) -> str:
    """Return the text of a file in UTF-8, or in UTF-16 with a byte order mark.

    Raises:
        UnicodeDecodeError: it is neither.
    """
    return content.decode(text_encoding(content))


def named_delimiter(line: str) -> str:
    """Return the delimiter that a first line such as `sep=;` names; empty for any other line."""
    found = re.fullmatch(r"sep=(.)\s*", line)
    return found[1] if found else ""


def fitting_delimiter(line: str, fits: Callable[[list[str]], bool]) -> str:
    """Return the first of `DELIMITERS` that splits a line into cells that fit; the comma if none does.

    >>> fitting_delimiter("name;category", lambda cells: "name" in cells)
    ';'
    """
    return next((one for one in DELIMITERS if fits(next(csv.reader([line], delimiter=one), []))), ",")
