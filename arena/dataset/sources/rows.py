"""Rows of a table, one at a time, whatever its format; a row that cannot be read is a reject, and the next one is tried."""

import csv
import gzip
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from arena.base.errors import ArenaError
from arena.dataset.records import Reject

MAX_ROW_BYTES = 64_000_000
"""Longest line or cell that is read into memory."""

JSON_CHUNK = 1 << 20
"""Characters of a JSON array read at a time."""

JSON_HEAD = 4_096
"""Bytes in which the first sign tells an array from lines."""

BATCH_ROWS = 64
"""Rows of a Parquet file held at a time; they may hold whole images."""

_SUFFIXES = {
    ".csv": "csv", ".tsv": "tsv", ".json": "json", ".jsonl": "json", ".ndjson": "json", ".parquet": "parquet",
    ".arrow": "arrow",
}  # fmt: skip

_BETWEEN = re.compile(r"[\s,]*")


class Row(NamedTuple):
    """One row and its place."""

    where: str
    values: Mapping[str, Any]


Rows = Iterator[Row | Reject]


def is_table(path: Path) -> bool:
    """Whether rows can be read of a file, by its name."""
    return _format(path) != ""


def read_rows(path: Path, name: str) -> Rows:
    """The rows of a file in CSV, TSV, JSON (lines, or one array), Parquet or Arrow.

    Args:
        name: how the file is called in `where`.

    Raises:
        ArenaError: it has no such format.
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
    raise ArenaError(f"{path}: no table; its name must end with {', '.join(sorted(_SUFFIXES))}")


def read_schema(path: Path) -> pa.Schema:
    """The schema of a Parquet or Arrow file.

    Raises:
        ArenaError: it cannot be read.
    """
    try:
        if _format(path) == "parquet":
            return pq.read_schema(path)
        with pa.memory_map(str(path)) as file:
            return _open_arrow(file).schema
    except (pa.ArrowException, OSError) as error:
        raise ArenaError(f"{path}: no readable {path.suffix[1:]} file ({first_line(error)}); restore it") from None


def columns_of(path: Path) -> list[str]:
    """The columns that a table has: of its schema, its header, or its first row."""
    if _format(path) in ("parquet", "arrow"):
        return list(read_schema(path).names)
    first = next((row for row in read_rows(path, path.name) if isinstance(row, Row)), None)
    return [] if first is None else list(first.values)


def count_rows(path: Path) -> int | None:
    """The number of rows, where a file tells it without being read."""
    try:
        return int(pq.read_metadata(path).num_rows) if _format(path) == "parquet" else None
    except (pa.ArrowException, OSError):
        return None


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _format(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    found = _SUFFIXES.get(Path(name).suffix, "")
    return found if found in ("csv", "tsv", "json") or path.suffix.lower() != ".gz" else ""


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")  # type: ignore[return-value]


def _bad(where: str, detail: object) -> Reject:
    return Reject(where, "", "unreadable row", str(detail)[:200])


def _csv_rows(path: Path, name: str, delimiter: str) -> Rows:
    csv.field_size_limit(MAX_ROW_BYTES)
    with _open(path) as file:
        # Bytes that are no UTF-8 become lone surrogates, which reject their own row later and no other.
        lines = (line.decode("utf-8", "surrogateescape") for line in _lines(file))
        reader = csv.reader(lines, delimiter=delimiter)
        try:
            header = [cell.removeprefix("\ufeff").strip() for cell in next(reader, [])]
        except (csv.Error, OSError, EOFError) as error:
            yield _bad(name, error)
            return
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except (csv.Error, OSError, EOFError) as error:
                yield _bad(f"{name}:{reader.line_num}", error)
                if not isinstance(error, csv.Error):
                    return
                continue
            if len(cells) == len(header):
                yield Row(f"{name}:{reader.line_num}", dict(zip(header, cells, strict=True)))
            elif cells:
                yield _bad(
                    f"{name}:{reader.line_num}", f"{len(cells)} cells under a header of {len(header)}; quote a comma"
                )


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    while line := file.readline(MAX_ROW_BYTES):
        yield line


def _json_rows(path: Path, name: str) -> Rows:
    with _open(path) as file:
        try:
            head = file.read(JSON_HEAD).lstrip(b"\xef\xbb\xbf \t\r\n")
        except (OSError, EOFError) as error:
            yield _bad(name, error)
            return
    with _open(path) as file:
        yield from _json_array(file, name) if head.startswith(b"[") else _json_lines(file, name)


def _json_lines(file: IO[bytes], name: str) -> Rows:
    number, whole = 0, True
    while True:
        try:
            line = file.readline(MAX_ROW_BYTES)
        except (OSError, EOFError) as error:
            yield _bad(f"{name}:{number + 1}", error)
            return
        if not line:
            return
        begins, whole = whole, line.endswith(b"\n") or len(line) < MAX_ROW_BYTES
        number += begins
        if not whole or not begins:
            if begins:
                yield Reject(f"{name}:{number}", "", "tags too long", f"a line of more than {MAX_ROW_BYTES:,} bytes")
        elif line.strip():
            yield _json_row(f"{name}:{number}", line)


def _json_row(where: str, line: bytes) -> Row | Reject:
    try:
        return _mapping(where, json.loads(line))
    except (ValueError, RecursionError) as error:
        return _bad(where, error)


def _mapping(where: str, value: Any) -> Row | Reject:
    return (
        Row(where, value) if isinstance(value, dict) else _bad(where, f"{type(value).__name__} in place of an object")
    )


def _json_array(file: IO[bytes], name: str) -> Rows:
    """The items of one array, decoded as they come, so that the whole never lies in memory."""
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
                    yield _bad(f"{name}:{number + 1}", f"{first_line(error)}; nothing after it can be read")
                    return
                buffer, start = buffer[start:] + more, 0
                continue
            number += 1
            yield _mapping(f"{name}:{number}", value)


def _read_more(text: TextIO, held: int) -> str:
    """As much again as is held already, so that a long item is not decoded often; nothing at the end, or over the limit."""
    try:
        return text.read(max(JSON_CHUNK, held)) if held <= MAX_ROW_BYTES else ""
    except (OSError, EOFError):
        return ""


def _skip_between(buffer: str, start: int) -> int:
    found = _BETWEEN.match(buffer, start)
    return found.end() if found else start


def _parquet_rows(path: Path, name: str) -> Rows:
    try:
        with pq.ParquetFile(path) as file:
            yield from _batch_rows(file.iter_batches(batch_size=BATCH_ROWS), name)
    except (pa.ArrowException, OSError) as error:
        yield _bad(name, f"{first_line(error)}; nothing after it can be read")


def _arrow_rows(path: Path, name: str) -> Rows:
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
        yield _bad(name, f"{first_line(error)}; nothing after it can be read")


def _open_arrow(file: Any) -> Any:
    """An Arrow file in either of its two forms; `datasets` writes the stream."""
    try:
        return pa.ipc.open_stream(file)
    except pa.ArrowInvalid:
        file.seek(0)
        return pa.ipc.open_file(file)


def _batch_rows(batches: Any, name: str) -> Rows:
    number = 0
    for batch in batches:
        for value in _values(batch):
            number += 1
            where = f"{name}:{number}"
            yield Row(where, value) if isinstance(value, dict) else _bad(where, first_line(value))


def _values(batch: Any) -> list[Any]:
    """The rows as mappings; where one holds what Python cannot (text that is no UTF-8, a date out of range), its error."""
    if len(batch) == 0:
        return []
    try:
        return list(batch.to_pylist())
    except (ValueError, OverflowError, pa.ArrowException) as error:
        if len(batch) == 1:
            return [error]
        half = len(batch) // 2
        return _values(batch.slice(0, half)) + _values(batch.slice(half))
