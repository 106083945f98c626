"""Lines of a CSV file in the encodings and with the delimiters that spreadsheets write."""

import csv
import io
from pathlib import PurePath
from typing import IO

from arena.base.text_files import DELIMITERS, named_delimiter, text_encoding
from arena.images.formats import has_image_suffix

MAX_ROW_BYTES = 64_000_000
"""Maximum length of a line or cell that is read into memory, in bytes."""


def is_image_name(cell: str) -> bool:
    """Return whether a cell is the name of an image file.

    >>> is_image_name("img/0.png "), is_image_name("0.png;1girl")
    (True, False)
    """
    return has_image_suffix(PurePath(cell.strip()).name)


class TextLines:
    """Iterator over the lines of a file in UTF-8, or in UTF-16 with a byte order mark.

    A line of more than `MAX_ROW_BYTES` characters raises `csv.Error` once and is skipped; iteration can then continue.

    Args:
        file: the file, at its start.
        usual: delimiter to use if the first line does not show another.

    Attributes:
        delimiter: delimiter of the cells. A first line such as `sep=;` names it and is skipped. Otherwise it is the one that
            splits the first line into most cells, but one that makes a cell the name of an image is preferred.
        uncounted: number of lines of the file that were read, minus the number of lines that the iterator returned, apart from
            pushed lines that are still to come.
    """

    def __init__(self, file: IO[bytes], usual: str) -> None:
        encoding = text_encoding(file.read(2))
        file.seek(0)
        # Bytes that are not UTF-8 become lone surrogates; only the row that contains them is rejected later.
        self._text = io.TextIOWrapper(file, encoding, "surrogateescape", newline="")
        self._pushed: list[str] = []
        self.uncounted = 0
        self.delimiter = self._find_delimiter(usual)

    def __iter__(self) -> "TextLines":
        return self

    def __next__(self) -> str:
        if line := self._pushed.pop() if self._pushed else self._read():
            return line
        raise StopIteration

    def push(self, line: str) -> None:
        """Make a line that was returned the next one again."""
        self._pushed.append(line)
        self.uncounted -= 1

    def _find_delimiter(self, usual: str) -> str:
        first = next(self, "")
        if named := named_delimiter(first):
            self.uncounted = 1
            return named
        self.push(first)
        self.uncounted = 0

        def preference(delimiter: str) -> tuple[bool, int]:
            cells = next(csv.reader([first], delimiter=delimiter), [])
            return len(cells) > 1 and any(map(is_image_name, cells)), len(cells)

        return max((usual, *DELIMITERS), key=preference)

    def _read(self) -> str:
        line = self._text.readline(MAX_ROW_BYTES)
        if len(line) < MAX_ROW_BYTES or line.endswith("\n"):
            return line
        while (more := self._text.readline(MAX_ROW_BYTES)) and not more.endswith("\n"):
            pass
        raise csv.Error(f"a line of more than {MAX_ROW_BYTES:,} characters")
