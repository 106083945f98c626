"""Reads rows of a file about tags: JSON lines, one JSON array, or CSV with or without a header; gzipped or not.

The format is detected from the content, not from the suffix. Rows that cannot be read are counted, and the first is named.
"""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from pathlib import Path
from typing import IO, Any

from arena.base.errors import ArenaError
from arena.base.format import clipped, shown
from arena.base.reading import parse_json
from arena.base.text_files import fitting_delimiter, named_delimiter, text_encoding
from arena.tags.spelling import canonical_spelling, respelling_note

TAG_LIST_HEADER = ("name", "category", "post_count", "aliases")
"""Columns of a tag-complete CSV, which has no header. Its aliases are in one cell, separated by commas."""

LINK_HEADERS = (("antecedent_name", "consequent_name"), ("old", "new"))
"""Columns of a relation between two tags: those of Danbooru and e621, and the short form, which is for aliases only."""

MAX_CSV_BYTES = 64 << 20
"""Largest size of a CSV file that is read at once."""

_MAX_BYTES = 512 << 20
"""Largest size of a file of rows, decompressed; the list of all tags of a site has about 100 MB."""

_MAX_EXPANSION = 30
"""Largest size of a gzip file of rows, decompressed, as a multiple of its own size. Lists of tags have 3 to 12; a file that was
made to take hours has a thousand."""

_FREE_BYTES = 4 << 20
"""Bytes of text that every gzip file may hold."""

MAX_ROWS = 3_000_000
"""Largest number of rows; no site has as many tags."""

_MAX_LINE = 1 << 20
"""Largest number of characters of a line; the rest is skipped, so that a hostile file cannot fill the memory."""

_MAX_JSON_ARRAY = 64 << 20
"""Largest number of characters of a JSON array, which has to be read at once."""

_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters, line separators and surrogates; no site has them in a name."""

TagRow = Mapping[str, Any]
"""Cells by column name; text from CSV, any value from JSON."""


@dataclass
class RowTally:
    """Counts the rows of one file, and those that could not be used.

    Attributes:
        path: path of the file.
        rows: number of rows read, good or bad.
        bad: number of rows that could not be used.
        first: position and fault of the first bad row.
        respelled: names that were changed to the canonical spelling -> that spelling.
    """

    path: Path
    rows: int = 0
    bad: int = 0
    first: str = ""
    respelled: dict[str, str] = field(default_factory=dict)

    def refuse(self, reason: str) -> None:
        """Count the current row as bad."""
        self.bad += 1
        self.first = self.first or f"row {self.rows}: {reason}"

    def findings(self) -> list[str]:
        """Return a line on the bad rows and one on respelled names, if there are any."""
        bad = f"{self.path.name}: {self.bad} of {self.rows} rows left out; {self.first}" if self.bad else ""
        return [*filter(None, (bad, respelling_note(self.path.name, self.respelled.items())))]

    def name(self, value: Any) -> str:
        """Return a cell as a tag name in its canonical spelling; if it cannot be one, count the row as bad and return ""."""
        fault = _fault(value)
        if fault:
            self.refuse(fault)
            return ""
        name = str(value).strip()
        if (spelling := canonical_spelling(name)) != name:
            self.respelled[name] = spelling
        return spelling


def read_csv(path: Path, required: tuple[str, ...], *, complete: bool = False) -> list[dict[str, str]]:
    """Read the rows of a CSV file as text, so that a tag named `nan` stays text; a missing file has no rows.

    The file may be UTF-16 with a byte order mark, and its delimiter `;` or a tab, as spreadsheets write it.

    Args:
        complete: refuse a row that is shorter than the required columns; else its missing cells are None.

    Raises:
        ArenaError: a required column or cell is missing, the file is not CSV, or it has more than `MAX_CSV_BYTES`.
    """
    if not path.exists():
        return []
    if path.stat().st_size > MAX_CSV_BYTES:
        raise ArenaError(f"{path}: more than {MAX_CSV_BYTES:,} bytes, the most that is read")
    try:
        with path.open("rb") as raw, io.TextIOWrapper(raw, text_encoding(raw.peek(2)), newline="") as file:
            delimiter = _delimiter(file, lambda cells: set(required) <= set(cells))
            reader = csv.DictReader(file, delimiter=delimiter)
            missing = [name for name in required if name not in (reader.fieldnames or ())]
            if missing:
                raise ArenaError(
                    f"{path}: no column {', '.join(missing)}; its header is {clipped(str(reader.fieldnames), 200)}"
                )
            rows = list(reader)
            for number, row in enumerate(rows if complete else (), 2):
                if lacking := [name for name in required if row[name] is None]:
                    raise ArenaError(
                        f"{path}: row {number} has no {lacking[0]}; write {','.join(required)} in each row"
                    )
            return rows
    except (UnicodeDecodeError, csv.Error) as error:
        raise ArenaError(f"{path}: not valid CSV in UTF-8 ({error})") from None


def read_tag_rows(path: Path, tally: RowTally, *, header: tuple[str, ...] = ()) -> Iterator[TagRow]:
    """Yield the rows of a file.

    Args:
        tally: counts the rows, and those that cannot be read.
        header: column names for a CSV without a known header; empty rejects such a file.

    Raises:
        ArenaError: the file is missing, damaged or of unknown format.
    """
    try:
        with _text(path) as file:
            start = file.read(_MAX_LINE).lstrip()
            file.seek(0)
            if start.startswith("{"):
                rows = _json_lines(file, tally)
            elif start.startswith("[") and start[1:].lstrip()[:1] in ("{", "]"):
                rows = _json_array(file, tally)
            else:
                rows = _csv_rows(file, tally, header)
            for row in rows:
                if tally.rows > MAX_ROWS:
                    raise ArenaError(f"{path}: more than {MAX_ROWS:,} rows, the most that are read; divide it")
                yield row
    except FileNotFoundError:
        raise ArenaError(f"{path}: no such file") from None
    except (OSError, EOFError, zlib.error) as error:
        raise ArenaError(f"{path}: cannot be read ({error.__class__.__name__}: {error}); fetch it again") from None


def _text(path: Path) -> IO[str]:
    """Open a file as text, decompressed if gzipped; bytes of no character become surrogates, which no name contains."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    raw: Any = gzip.open(path) if packed else path.open("rb")  # noqa: SIM115  # the text closes it
    encoding = text_encoding(raw.read(2))
    raw.seek(0)
    most = _MAX_BYTES if not packed else min(_MAX_BYTES, max(_FREE_BYTES, _MAX_EXPANSION * path.stat().st_size))
    bounded = io.BufferedReader(_Bounded(raw, path, most), 1 << 18)
    return io.TextIOWrapper(bounded, encoding, "surrogateescape", newline="")


class _Bounded(io.RawIOBase):
    """A file that raises `ArenaError` after `most` bytes; a gzip file of 2 MB may hold 2 GB."""

    def __init__(self, raw: IO[bytes], path: Path, most: int) -> None:
        self._raw, self._path, self._most = raw, path, most

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        return self._raw.tell()

    def readinto(self, buffer: Any) -> int:
        if self._raw.tell() > self._most:
            raise ArenaError(
                f"{self._path}: more than {self._most:,} bytes of text, the most that is read from a file of its size; "
                "unpack or divide it"
            )
        content = self._raw.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _delimiter(file: IO[str], is_header: Callable[[list[str]], bool]) -> str:
    """Return the delimiter of a CSV file, and leave the file at its first row, after a line such as `sep=;`."""
    first = file.readline(_MAX_LINE)
    if named := named_delimiter(first):
        return named
    file.seek(0)
    return fitting_delimiter(first, is_header)


def _lines(file: IO[str]) -> Iterator[str]:
    """Yield the lines of a file, cut at `_MAX_LINE`."""
    while line := file.readline(_MAX_LINE):
        yield line
        while len(line) == _MAX_LINE and not line.endswith("\n"):
            line = file.readline(_MAX_LINE)


def _json_lines(file: IO[str], tally: RowTally) -> Iterator[TagRow]:
    for line in _lines(file):
        if not line.strip():
            continue
        tally.rows += 1
        try:
            row = parse_json(line, "", strict=False)
        except ArenaError:
            tally.refuse("not JSON")
            continue
        yield from _only_objects([row], tally)


def _json_array(file: IO[str], tally: RowTally) -> Iterator[TagRow]:
    text = file.read(_MAX_JSON_ARRAY + 1)
    if len(text) > _MAX_JSON_ARRAY:
        raise ArenaError(
            f"{tally.path}: a JSON array over {_MAX_JSON_ARRAY >> 20} MiB; write it as JSON lines, one row per line"
        )
    rows = parse_json(text, tally.path, fix="fetch it again", strict=False)
    for row in rows:
        tally.rows += 1
        yield from _only_objects([row], tally)


def _only_objects(rows: Iterable[Any], tally: RowTally) -> Iterator[TagRow]:
    for row in rows:
        if isinstance(row, dict):
            yield row
        else:
            tally.refuse("not a JSON object")


def _csv_rows(file: IO[str], tally: RowTally, header: tuple[str, ...]) -> Iterator[TagRow]:
    """Yield the rows of a CSV with a known header, of a tag-complete list, or with the columns `header`."""
    reader = csv.reader(_lines(file), delimiter=_delimiter(file, _is_known))
    first = next((cells for cells in _cells(reader, tally) if cells), [])
    names: tuple[str, ...]
    if _is_tag_list(first):
        names, rows = TAG_LIST_HEADER, [first]
    elif _is_header(first):
        names, rows = tuple(first), []
    elif header and len(first) <= len(header):
        names, rows = header, [first]
    else:
        raise ArenaError(
            f"{tally.path}: unknown format, its first row is {shown(','.join(first))!r}; give CSV with "
            "antecedent_name,consequent_name, old,new or name,..., a tag-complete list (name,category,count,aliases), or JSON "
            "lines with these keys"
        )
    tally.rows = len(rows)
    for cells in chain(rows, _cells(reader, tally)):
        if cells:
            yield dict(zip_longest(names, cells[: len(names)]))


def _cells(reader: Iterator[list[str]], tally: RowTally) -> Iterator[list[str]]:
    """Yield the rows of a CSV reader; a row that it cannot parse is counted as bad."""
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


def _is_known(cells: Sequence[str]) -> bool:
    return _is_tag_list(cells) or _is_header(cells)


def _is_tag_list(cells: Sequence[str]) -> bool:
    return len(cells) >= 3 and _is_number(cells[1]) and _is_number(cells[2])


def _is_header(cells: Sequence[str]) -> bool:
    return any(set(columns) <= set(cells) for columns in LINK_HEADERS) or "name" in cells


def _is_number(text: str) -> bool:
    """Return whether a cell is an integer."""
    digits = text.strip().removeprefix("-")
    return digits.isascii() and digits.isdecimal()


def _fault(value: Any) -> str:
    """Return why a cell cannot be the name of a tag; empty if it can."""
    if not isinstance(value, str) or not value.strip():
        return "a name is missing"
    if _UNFIT.search(value.strip()):
        return "a name with control characters, or bytes that are not UTF-8"
    return ""
