"""Parts of an unfinished import: the results of up to 1,024 rows in one Arrow file, written whole or not at all.

The file name has the number of the part and a digest of everything that it depends on: the rows of the source, the size and
modification time of each file, and the settings. So a continued import reuses exactly the parts that are still valid.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from arena.base.files import open_whole
from arena.dataset.frozen import KNOWN_COLUMNS
from arena.dataset.importing.examine import ExaminedImage
from arena.dataset.records import Record, Reject, SourceItems
from arena.dataset.sources.facts import INTEGER_FACTS
from arena.dataset.tars import TAR_LENGTH, TAR_OFFSET

PART_FILES = re.compile(r"\d{6,}-[0-9a-f]{24}\.arrow")
"""Names of the parts."""

PART_ROWS = 1_024
"""Rows per part: seconds to minutes of work, the most that a killed import loses."""

PART_BYTES = 256_000_000
"""A part ends earlier if the images and tags that its rows hold in memory reach this size."""

_TAG_LISTS = pa.large_list(pa.large_string())

DATASET_COLUMNS = (
    ("image_id", pa.large_string()), ("path", pa.large_string()),
    ("sha256", pa.large_string()), ("pixel_sha256", pa.large_string()), ("width", pa.int64()), ("height", pa.int64()),
    ("phash", pa.uint64()), ("dhash", pa.uint64()), ("tags", _TAG_LISTS),
    ("rating", pa.large_string()), ("group", pa.large_string()),
)  # fmt: skip
"""Columns that every dataset has."""

IMPORT_COLUMNS = tuple((name, pa.large_string()) for name in ("where", "reason", "detail", "rank", "rated"))
"""Columns that a dataset does not keep.

`where`, `reason` and `detail` are those of a reject (`reason` is empty for an accepted image), `rank` is a digest of the row,
and `rated` is the rating as the source spells it.
"""

SourceRows = list[Record | Reject]


def split_rows(found: SourceItems) -> Iterator[SourceRows]:
    """Yield the rows of a source in parts; the parts are the same each time that the same source is read."""
    rows: SourceRows = []
    held_bytes = 0
    for row in found:
        rows.append(row)
        held_bytes += _held_bytes(row)
        if len(rows) == PART_ROWS or held_bytes >= PART_BYTES:
            yield rows
            rows, held_bytes = [], 0
    if rows:
        yield rows


def _held_bytes(row: Record | Reject) -> int:
    """Return the approximate memory of a row's tags and image."""
    if isinstance(row, Reject):
        return 0
    return sum(map(len, row.tags)) + (len(row.content) if isinstance(row.content, bytes) else 0)


def part_path(folder: Path, number: int, rows: SourceRows, settings: str) -> Path:
    """Return the path of the part with these rows, whether or not it exists."""
    digest = hashlib.sha256(settings.encode())
    for row in rows:
        digest.update(json.dumps(_identity(row), default=str).encode() + b"\n")
    return folder / f"{number:06d}-{digest.hexdigest()[:24]}.arrow"


def write_part(path: Path, rows: Iterable[ExaminedImage | Reject]) -> None:
    """Write the results of the rows of one part."""
    table = [_row(row) for row in rows]
    facts = sorted({name for row in table for name in row["facts"]})
    columns = {
        name: pa.array([row.get(name) for row in table], kind) for name, kind in (*DATASET_COLUMNS, *IMPORT_COLUMNS)
    }
    for name in facts:
        kind = (
            pa.int64()
            if name in (*INTEGER_FACTS, TAR_OFFSET, TAR_LENGTH)
            else _TAG_LISTS
            if name in KNOWN_COLUMNS
            else pa.large_string()
        )
        columns[name] = pa.array([row["facts"].get(name) for row in table], kind)
    described = {b"categories": json.dumps(_categories(table), sort_keys=True).encode()}
    whole = pa.table(columns).replace_schema_metadata(described)
    with open_whole(path) as file, pa.ipc.new_file(file, whole.schema) as writer:
        writer.write_table(whole)


def read_part(path: Path) -> pa.Table:
    """Return a part, memory-mapped from its file."""
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()


def _identity(row: Record | Reject) -> list[Any]:
    """Return everything that the result of a row depends on."""
    if isinstance(row, Reject):
        return list(row)
    return [row.image_id, row.tags, row.rating, sorted(row.facts.items()), sorted(row.categories.items()), row.where,
            _content_identity(row)]  # fmt: skip


def _content_identity(row: Record) -> Sequence[Any]:
    """Return the digest of the image's bytes, or the path, size and modification time of its file."""
    if isinstance(row.content, bytes):
        return [hashlib.sha256(row.content).hexdigest()]
    try:
        status = row.content.stat()
    except OSError:
        return [str(row.content)]
    return [str(row.content), status.st_size, status.st_mtime_ns]


def _row(row: ExaminedImage | Reject) -> dict[str, Any]:
    """Return the values of a part's columns for one row; `facts` and `categories` stay mappings."""
    if isinstance(row, ExaminedImage):
        values = row._asdict()
        rank = hashlib.sha256(json.dumps(values | {"where": ""}, sort_keys=True).encode()).hexdigest()[:16]
        return values | {"reason": "", "detail": "", "rank": rank}
    # A name from the source may be invalid text, but a reject must always be writable.
    texts = {name: text.encode("utf-8", "backslashreplace").decode() for name, text in row._asdict().items()}
    return texts | {"facts": {}, "categories": {}}


def _categories(table: Sequence[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Return how often each tag has each category in the source: tag -> category -> count."""
    found: dict[str, dict[str, int]] = {}
    for row in table:
        for tag, category in row["categories"].items():
            counts = found.setdefault(tag, {})
            counts[category] = counts.get(category, 0) + 1
    return found
