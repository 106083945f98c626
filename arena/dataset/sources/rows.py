"""Read the rows of a table of any format one at a time; a row that cannot be read becomes a reject."""

import csv
import gzip
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from arena.base.errors import ArenaError
from arena.base.reading import parse_json
from arena.base.text_files import UTF_16_MARKS
from arena.dataset.records import Reject
from arena.dataset.sources.text_lines import MAX_ROW_BYTES, TextLines, is_image_name

JSON_CHUNK = 1 << 20
"""Characters of a JSON array read at a time."""

JSON_HEAD = 4_096
"""Bytes that are searched for the first character, which distinguishes an array from JSON lines."""

BATCH_ROWS = 64
"""Rows of a Parquet or Arrow file in memory at a time; a row may contain an image."""

_SUFFIXES = {
    ".csv": "csv", ".tsv": "tsv", ".json": "json", ".jsonl": "json", ".ndjson": "json", ".parquet": "parquet",
    ".arrow": "arrow",
}  # fmt: skip

TAG_COLUMN_NAMES = ("tags", "tag_string", "labels", "label", "tag", "caption")
"""Usual names of the column of tags, in lower case, by priority."""

_BETWEEN = re.compile(r"[\s,]*")


class TableRow(NamedTuple):
    """One row, and its file and number."""

    where: str
    values: Mapping[str, Any]


_Rows = Iterator[TableRow | Reject]


def is_table_name(path: Path) -> bool:
    """Return whether the file name has the suffix of a table."""
    return _format(path) != ""


def read_table_rows(path: Path, name: str) -> _Rows:
    """Return an iterator over the rows of a file in CSV, TSV, JSON (lines, or one array), Parquet or Arrow.

    Args:
        name: name of the file in `Row.where`.

    Raises:
        ArenaError: the file name has another suffix.
    """
    kind = _format(path)
    if kind in ("csv", "tsv"):
        return _csv_rows(path, name, "," if kind == "csv" else "\t")
    if kind == "json":
        return _json_rows(path, name)
    if kind == "parquet":
        return _parquet_rows(path, name)
    if kind == "arrow":
        return _arrow_rows(path, name)
    raise ArenaError(f"{path}: not a table; the file name must end with one of {', '.join(sorted(_SUFFIXES))}")


def read_schema(path: Path) -> pa.Schema:
    """Return the schema of a Parquet or Arrow file.

    Raises:
        ArenaError: the file cannot be read.
    """
    try:
        if _format(path) == "parquet":
            return pq.read_schema(path)
        with pa.memory_map(str(path)) as file:
            return _open_arrow(file).schema
    except (pa.ArrowException, OSError) as error:
        raise ArenaError(f"{path}: not a readable {path.suffix[1:]} file ({_first_line(error)}); restore it") from None


def read_column_names(path: Path) -> list[str]:
    """Return the columns of a table: those of the schema (Parquet, Arrow), else those of the first readable row."""
    return list(read_schema(path).names) if _format(path) in ("parquet", "arrow") else list(read_first_row(path))


def read_first_row(path: Path) -> Mapping[str, Any]:
    """Return the values of the first readable row; empty if there is none."""
    return next((row.values for row in read_table_rows(path, path.name) if isinstance(row, TableRow)), {})


def count_rows(path: Path) -> int | None:
    """Return the number of rows of a Parquet file; None for other formats and for a file that cannot be read."""
    try:
        return int(pq.read_metadata(path).num_rows) if _format(path) == "parquet" else None
    except (pa.ArrowException, OSError):
        return None


def _first_line(error: Exception) -> str:
    """Return the first line of an error message, or the name of the error if the message is empty."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _format(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    found = _SUFFIXES.get(Path(name).suffix, "")
    return found if found in ("csv", "tsv", "json") or path.suffix.lower() != ".gz" else ""


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")  # type: ignore[return-value]


def _bad(where: str, detail: object) -> Reject:
    return Reject(where, "", "unreadable row", str(detail)[:200])


def _csv_rows(path: Path, name: str, delimiter: str) -> _Rows:
    csv.field_size_limit(MAX_ROW_BYTES)
    with _open(path) as file:
        try:
            lines = TextLines(file, delimiter)
            reader = csv.reader(lines, delimiter=lines.delimiter)
            header = _header(next(reader, []), lines)
        except (csv.Error, OSError, EOFError, UnicodeError) as error:
            yield _bad(name, error)
            return
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except (csv.Error, OSError, EOFError, UnicodeError) as error:
                yield _bad(f"{name}:{reader.line_num + lines.uncounted}", error)
                if not isinstance(error, csv.Error):
                    return
                continue
            if (values := _row_values(header, cells)) is not None:
                yield TableRow(f"{name}:{reader.line_num + lines.uncounted}", values)
            elif cells:
                yield _bad(
                    f"{name}:{reader.line_num + lines.uncounted}",
                    f"{len(cells)} cells, but the header has {len(header)}; quote the separator",
                )


def _row_values(header: Sequence[str], cells: list[str]) -> dict[str, str] | None:
    """Return column -> cell; None if their numbers differ.

    If tags are the last column, all cells from there on are tags: of an unquoted text with commas, or one tag in each cell.
    """
    if len(cells) == len(header):
        return dict(zip(header, cells, strict=True))
    last = len(header) - 1
    if (
        not 0 < last < len(cells)
        or header[last].lower() not in TAG_COLUMN_NAMES
        or not any(map(is_image_name, cells[:last]))
    ):
        return None
    return dict(zip(header, [*cells[:last], ",".join(cells[last:])], strict=True))


def _header(cells: list[str], lines: TextLines) -> list[str]:
    """Return the column names; a table whose first row names an image has no header.

    Its columns are then `path` and `tags`, in the order of the first row if that has two cells. More cells are one tag each, so
    the first names the image and no other has a comma.
    """
    names = [cell.strip() for cell in cells]
    images = list(map(is_image_name, names))
    if len(names) < 2 or sum(images) != 1:
        return names
    if len(names) > 2 and (not images[0] or any("," in name for name in names[1:])):
        return names
    row = io.StringIO()
    csv.writer(row, delimiter=lines.delimiter).writerow(cells)
    lines.push(row.getvalue())
    return ["path" if image else "tags" for image in images[:2]]


def _json_rows(path: Path, name: str) -> _Rows:
    with _open(path) as file:
        try:
            start = file.read(JSON_HEAD)
        except (OSError, EOFError) as error:
            yield _bad(name, error)
            return
    if start.startswith(UTF_16_MARKS):
        yield _bad(name, "JSON in UTF-16; save it as UTF-8")
        return
    head = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    with _open(path) as file:
        yield from _json_array(file, name) if head.startswith(b"[") else _json_lines(file, name)


def _json_lines(file: IO[bytes], name: str) -> _Rows:
    number, complete = 0, True
    while True:
        try:
            line = file.readline(MAX_ROW_BYTES)
        except (OSError, EOFError) as error:
            yield _bad(f"{name}:{number + 1}", error)
            return
        if not line:
            return
        begins, complete = complete, line.endswith(b"\n") or len(line) < MAX_ROW_BYTES
        number += begins
        if not complete or not begins:
            if begins:
                yield Reject(f"{name}:{number}", "", "tags too long", f"a line of more than {MAX_ROW_BYTES:,} bytes")
        elif line.strip():
            yield _json_row(f"{name}:{number}", line)


def _json_row(where: str, line: bytes) -> TableRow | Reject:
    try:
        return _mapping(where, parse_json(line, where, strict=False))
    except ArenaError as error:
        return _bad(where, error)


def _mapping(where: str, value: Any) -> TableRow | Reject:
    return (
        TableRow(where, value)
        if isinstance(value, dict)
        else _bad(where, f"{type(value).__name__} instead of an object")
    )


def _json_array(file: IO[bytes], name: str) -> _Rows:
    """Yield the items of one array; they are decoded while the file is read, so the whole array is never in memory."""
    decoder = json.JSONDecoder()
    number = 0
    with io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape") as text:
        buffer, start = text.read(JSON_HEAD).lstrip(), 1
        while not buffer.startswith("]", start := _skip_between(buffer, start)):
            try:
                value, start = decoder.raw_decode(buffer, start)
            except (ValueError, RecursionError) as error:
                more = "" if isinstance(error, RecursionError) else _read_more(text, len(buffer) - start)
                if not more:
                    yield _bad(f"{name}:{number + 1}", f"{_first_line(error)}; nothing after it can be read")
                    return
                buffer, start = buffer[start:] + more, 0
                continue
            number += 1
            yield _mapping(f"{name}:{number}", value)


def _read_more(text: TextIO, held: int) -> str:
    """Return more text; empty at the end of the file or over the limit.

    The amount doubles with what is held already, so that a long item is not decoded many times.
    """
    try:
        return text.read(max(JSON_CHUNK, held)) if held <= MAX_ROW_BYTES else ""
    except (OSError, EOFError):
        return ""


def _skip_between(buffer: str, start: int) -> int:
    found = _BETWEEN.match(buffer, start)
    return found.end() if found else start


def _parquet_rows(path: Path, name: str) -> _Rows:
    try:
        with pq.ParquetFile(path) as file:
            yield from _batch_rows(file.iter_batches(batch_size=BATCH_ROWS), name)
    except (pa.ArrowException, OSError) as error:
        yield _bad(name, f"{_first_line(error)}; nothing after it can be read")


def _arrow_rows(path: Path, name: str) -> _Rows:
    try:
        with pa.memory_map(str(path)) as file:
            opened = _open_arrow(file)
            batches = (
                opened
                if isinstance(opened, pa.RecordBatchStreamReader)
                else map(opened.get_batch, range(opened.num_record_batches))
            )
            parts = (batch.slice(start, BATCH_ROWS) for batch in batches for start in range(0, len(batch), BATCH_ROWS))
            yield from _batch_rows(parts, name)
    except (pa.ArrowException, OSError) as error:
        yield _bad(name, f"{_first_line(error)}; nothing after it can be read")


def _open_arrow(file: Any) -> Any:
    """Open an Arrow file in the stream or the file format; `datasets` writes the stream format."""
    try:
        return pa.ipc.open_stream(file)
    except pa.ArrowInvalid:
        file.seek(0)
        return pa.ipc.open_file(file)


def _batch_rows(batches: Any, name: str) -> _Rows:
    number = 0
    for batch in batches:
        for value in _values(batch):
            number += 1
            where = f"{name}:{number}"
            yield TableRow(where, value) if isinstance(value, dict) else _bad(where, _first_line(value))


def _values(batch: Any) -> list[Any]:
    """Return each row as a mapping, or its error if Python cannot represent it (invalid UTF-8, a date out of range)."""
    if len(batch) == 0:
        return []
    try:
        return list(batch.to_pylist())
    except (ValueError, OverflowError, pa.ArrowException) as error:
        if len(batch) == 1:
            return [error]
        half = len(batch) // 2
        return _values(batch.slice(0, half)) + _values(batch.slice(half))
