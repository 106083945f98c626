"""Parts of an unfinished import: what was found of up to 1,024 rows, one Arrow file each, written whole or not at all.

A part is named by its number and by a digest over everything that it depends on: the rows as the source gives them, each
file's size and time, and the settings. So a continued import takes up the parts that still hold, and no others.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from arena.base.files import open_whole
from arena.dataset.importing.examine import Examined
from arena.dataset.records import Found, Record, Reject
from arena.dataset.sources.facts import NUMBERS

PART_ROWS = 1_024
"""Rows a part: some seconds to minutes of work, which is what a killed import loses at most."""

PART_BYTES = 256_000_000
"""A part ends earlier where the images and tags that its rows carry with them reach this."""

FIXED = (
    ("image_id", pa.large_string()), ("path", pa.large_string()),
    ("sha256", pa.large_string()), ("pixel_sha256", pa.large_string()), ("width", pa.int64()), ("height", pa.int64()),
    ("phash", pa.uint64()), ("dhash", pa.uint64()), ("tags", pa.large_list(pa.large_string())),
    ("rating", pa.large_string()), ("group", pa.large_string()),
)  # fmt: skip
"""Columns that every dataset has."""

UNKEPT = tuple((name, pa.large_string()) for name in ("where", "reason", "detail", "rank", "rated"))
"""Columns that a dataset does not keep: of a reject, whose `reason` is empty where the image was taken; `rank`, a digest of the
row; and the rating as the source spells it."""

Rows = list[Record | Reject]


def split_rows(found: Found) -> Iterator[Rows]:
    """The rows of a source in parts, which are the same whenever it is read."""
    rows: Rows = []
    carried = 0
    for row in found:
        rows.append(row)
        carried += _carried_bytes(row)
        if len(rows) == PART_ROWS or carried >= PART_BYTES:
            yield rows
            rows, carried = [], 0
    if rows:
        yield rows


def _carried_bytes(row: Record | Reject) -> int:
    if isinstance(row, Reject):
        return 0
    return sum(map(len, row.tags)) + (len(row.content) if isinstance(row.content, bytes) else 0)


def part_path(folder: Path, number: int, rows: Rows, settings: str) -> Path:
    """Where the part of these rows lies, or will."""
    digest = hashlib.sha256(settings.encode())
    for row in rows:
        digest.update(json.dumps(_identity(row), default=str).encode() + b"\n")
    return folder / f"{number:06d}-{digest.hexdigest()[:24]}.arrow"


def write_part(path: Path, rows: Iterable[Examined | Reject]) -> None:
    """Write what was found of the rows of one part."""
    table = [_row(row) for row in rows]
    facts = sorted({name for row in table for name in row["facts"]})
    columns = {name: pa.array([row.get(name) for row in table], kind) for name, kind in (*FIXED, *UNKEPT)}
    for name in facts:
        kind = pa.int64() if name in NUMBERS else pa.large_string()
        columns[name] = pa.array([row["facts"].get(name) for row in table], kind)
    described = {b"categories": json.dumps(_categories(table), sort_keys=True).encode()}
    whole = pa.table(columns).replace_schema_metadata(described)
    with open_whole(path) as file, pa.ipc.new_file(file, whole.schema) as writer:
        writer.write_table(whole)


def read_part(path: Path) -> pa.Table:
    """A part, mapped from its file: it takes memory only where it is looked at."""
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()


def _identity(row: Record | Reject) -> list[Any]:
    """What the outcome of a row depends on."""
    if isinstance(row, Reject):
        return list(row)
    return [row.image_id, row.tags, row.rating, sorted(row.facts.items()), sorted(row.categories.items()), row.where,
            _content_identity(row)]  # fmt: skip


def _content_identity(row: Record) -> Sequence[Any]:
    if isinstance(row.content, bytes):
        return [hashlib.sha256(row.content).hexdigest()]
    try:
        status = row.content.stat()
    except OSError:
        return [str(row.content)]
    return [str(row.content), status.st_size, status.st_mtime_ns]


def _row(row: Examined | Reject) -> dict[str, Any]:
    if isinstance(row, Examined):
        values = row._asdict()
        rank = hashlib.sha256(json.dumps(values | {"where": ""}, sort_keys=True).encode()).hexdigest()[:16]
        return values | {"reason": "", "detail": "", "rank": rank}
    # A name from outside may be no text; the row of a reject must be writable all the same.
    texts = {name: text.encode("utf-8", "backslashreplace").decode() for name, text in row._asdict().items()}
    return texts | {"facts": {}, "categories": {}}


def _categories(table: Sequence[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """How often each tag was said to be of each category."""
    found: dict[str, dict[str, int]] = {}
    for row in table:
        for tag, category in row["categories"].items():
            counts = found.setdefault(tag, {})
            counts[category] = counts.get(category, 0) + 1
    return found
