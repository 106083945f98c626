"""Rows of a file about tags, whatever its format: JSON lines, one JSON array, CSV with or without a header; gzipped or not.

The format is told by the content, not by the suffix. A row that cannot be read is counted, and the first one is named.
"""

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import IO, Any

from arena.base.errors import ArenaError
from arena.base.format import shown

TAG_LIST_HEADER = ("name", "category", "post_count", "aliases")
"""What the columns of a tag-complete CSV are; the file itself has no header. Its aliases stand in one cell, with commas."""

LINK_HEADERS = (("antecedent_name", "consequent_name"), ("old", "new"))
"""The columns of a relation of two tags: those of Danbooru and e621, and short ones, which are aliases."""

LONGEST_LINE = 1 << 20
"""Characters of a line; what comes after is passed over, so that a hostile file cannot fill the memory."""

LARGEST_ARRAY = 64 << 20
"""Characters of a JSON array, which has to be read at once."""

_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters, line separators and surrogates, which no site has in a name."""

Row = Mapping[str, Any]
"""Cells by name of the column; text in a CSV, any value in JSON."""


@dataclass
class Tally:
    """What became of the rows of one file.

    Attributes:
        path: of the file.
        rows: how many were read, good or bad.
        bad: how many of them could not be used.
        first: where the first bad one stands and what is wrong with it.
    """

    path: Path
    rows: int = 0
    bad: int = 0
    first: str = ""

    def refuse(self, reason: str) -> None:
        """Count the present row as bad."""
        self.bad += 1
        self.first = self.first or f"row {self.rows}: {reason}"

    def findings(self) -> list[str]:
        """A line where rows are bad."""
        return [f"{self.path.name}: {self.bad} of {self.rows} rows left out; {self.first}"] if self.bad else []

    def name(self, value: Any) -> str:
        """A cell as the name of a tag; empty, and counted as bad, where it cannot be one."""
        fault = _fault(value)
        if fault:
            self.refuse(fault)
        return "" if fault else str(value).strip()


def read_csv(path: Path, required: tuple[str, ...]) -> list[dict[str, str]]:
    """Rows of a CSV file as text, so that a tag called `nan` stays one; an absent file has none.

    Raises:
        ArenaError: a required column is missing, or the file is no CSV.
    """
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in required if name not in (reader.fieldnames or ())]
            if missing:
                raise ArenaError(f"{path}: no column {', '.join(missing)}; its header is {reader.fieldnames}")
            return list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ArenaError(f"{path}: no readable CSV in UTF-8 ({error})") from None


def read_rows(path: Path, tally: Tally, *, header: tuple[str, ...] = ()) -> Iterator[Row]:
    """The rows of a file, one after the other.

    Args:
        tally: counts what cannot be read.
        header: names of the columns where the file has none that is known; empty refuses such a file.

    Raises:
        ArenaError: no such file, a damaged archive, or no format that is known.
    """
    try:
        with _text(path) as file:
            start = file.read(LONGEST_LINE).lstrip()
            file.seek(0)
            if start.startswith("{"):
                yield from _json_lines(file, tally)
            elif start.startswith("[") and start[1:].lstrip()[:1] in ("{", "]"):
                yield from _json_array(file, tally)
            else:
                yield from _csv_rows(file, tally, header)
    except FileNotFoundError:
        raise ArenaError(f"{path}: no such file") from None
    except (OSError, EOFError, zlib.error) as error:
        raise ArenaError(f"{path}: cannot be read ({error.__class__.__name__}: {error}); fetch it again") from None


def _text(path: Path) -> IO[str]:
    """The text of a file, unpacked where it is gzipped; bytes that are no UTF-8 become surrogates, which no name has."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    raw: Any = gzip.open(path) if packed else path.open("rb")  # noqa: SIM115  # the text closes it
    return io.TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape", newline="")


def _lines(file: IO[str]) -> Iterator[str]:
    """The lines of a file, each cut where it is too long; a cut one fails to parse, and is counted for it."""
    while line := file.readline(LONGEST_LINE):
        yield line
        while len(line) == LONGEST_LINE and not line.endswith("\n"):
            line = file.readline(LONGEST_LINE)


def _json_lines(file: IO[str], tally: Tally) -> Iterator[Row]:
    for line in _lines(file):
        if not line.strip():
            continue
        tally.rows += 1
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            tally.refuse("no JSON")
            continue
        yield from _only_objects([row], tally)


def _json_array(file: IO[str], tally: Tally) -> Iterator[Row]:
    text = file.read(LARGEST_ARRAY + 1)
    if len(text) > LARGEST_ARRAY:
        raise ArenaError(
            f"{tally.path}: a JSON array over {LARGEST_ARRAY >> 20} MiB; write it as JSON lines, one row a line"
        )
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArenaError(f"{tally.path}: no readable JSON ({error}); fetch it again") from None
    for row in rows:
        tally.rows += 1
        yield from _only_objects([row], tally)


def _only_objects(rows: Iterable[Any], tally: Tally) -> Iterator[Row]:
    for row in rows:
        if isinstance(row, dict):
            yield row
        else:
            tally.refuse("no object with names")


def _csv_rows(file: IO[str], tally: Tally, header: tuple[str, ...]) -> Iterator[Row]:
    """Rows of a CSV by its header, as the tag-complete list that has none, or by the one given."""
    reader = csv.reader(_lines(file))
    first = next((cells for cells in _cells(reader, tally) if cells), [])
    names: tuple[str, ...]
    if len(first) >= 3 and _is_number(first[1]) and _is_number(first[2]):
        names, rows = TAG_LIST_HEADER, [first]
    elif any(set(columns) <= set(first) for columns in LINK_HEADERS) or "name" in first:
        names, rows = tuple(first), []
    elif header and len(first) <= len(header):
        names, rows = header, [first]
    else:
        raise ArenaError(
            f"{tally.path}: its first row is {shown(','.join(first))!r}; known are CSV with antecedent_name,consequent_name, "
            "old,new or name,..., tag-complete lists (name,category,count,aliases), and JSON lines of these"
        )
    tally.rows = len(rows)
    for cells in chain(rows, _cells(reader, tally)):
        if cells:
            yield dict(zip_longest(names, cells[: len(names)]))


def _cells(reader: Iterator[list[str]], tally: Tally) -> Iterator[list[str]]:
    """The rows of a CSV reader, which can go on after one that it refuses."""
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            tally.rows += 1
            tally.refuse(str(error))
            continue
        tally.rows += bool(cells)
        yield cells


def _is_number(text: str) -> bool:
    """Whether a cell is a whole number."""
    digits = text.strip().removeprefix("-")
    return digits.isascii() and digits.isdecimal()


def _fault(value: Any) -> str:
    """Why a cell is no name of a tag; empty where it is one."""
    if not isinstance(value, str) or not value.strip():
        return "a name is missing"
    if _UNFIT.search(value.strip()):
        return "a name with control characters, or bytes that are no UTF-8"
    return ""
