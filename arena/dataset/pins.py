"""The digests in the card of a frozen dataset: those of its small files, and that of every column of `images.parquet`.

They are compared whenever a dataset is opened. The digest of each image is in `images.parquet`, and is compared when the image
is read. A dataset that was not frozen has no such digests.
"""

import hashlib
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from json.encoder import encode_basestring_ascii
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from arena.base.errors import ArenaError
from arena.base.files import digest_file
from arena.base.remote import readable
from arena.cards import DatasetCard
from arena.dataset.files import is_inside
from arena.tags.exports import RELATION_FILES

FILES, ROWS = "files", "rows_digest"
"""Keys of the card: a table `name`, `sha256` of each small file; and `digest_rows` of `images.parquet`."""

_ROWS_PER_BATCH = 8_192


class Fault(NamedTuple):
    """A fault of a file of the folder; displayed as `path: what`."""

    path: str
    what: str


def refuse_changed_files(card: DatasetCard) -> None:
    """Raise `ArenaError` if a small file of a frozen dataset differs from its digest in the card, or is missing."""
    _refuse(card, file_faults(card))


def refuse_changed_rows(card: DatasetCard) -> None:
    """Raise `ArenaError` if a cell of `images.parquet` differs from what was frozen; 10 s for a million images."""
    _refuse(card, row_faults(card))


def file_faults(card: DatasetCard) -> Iterator[Fault]:
    """Yield the pinned files that are missing or differ, and files of tag relations that the card does not pin."""
    rows = card.facts.get(FILES)
    if rows is None:
        return
    for row in rows if isinstance(rows, Sequence) else [rows]:
        yield from _faults_of_file(card.folder, row)
    named = {row.get("name") for row in rows if isinstance(row, Mapping)}
    for name in RELATION_FILES:
        if name not in named and (card.folder / name).exists():
            yield Fault(name, "the card does not list it, so it was added after the dataset was frozen")


def row_faults(card: DatasetCard) -> Iterator[Fault]:
    """Yield a fault if the digest of all columns of `images.parquet` differs."""
    pinned = card.facts.get(ROWS)
    try:
        rows = digest_rows(card.folder / "images.parquet") if pinned else ""
    except (ValueError, OSError, pa.ArrowException) as error:
        yield Fault("images.parquet", f"not readable ({str(error).splitlines()[0]})")
        return
    if pinned and pinned != rows:
        yield Fault("images.parquet", f"the digest of all its columns is {rows[:12]}, the card says {str(pinned)[:12]}")


def digest_rows(path: Path) -> str:
    """Return the SHA-256 (hexadecimal) over every column of every row of a Parquet file; independent of the writer.

    `digest_images` pins identifiers, files and tags; this digest also pins size, hashes, rating, group and any other column.
    Each row is the JSON of its cells, in order of column names, and a line end. It is encoded column by column, which is
    several times faster than row by row.
    """
    digest = hashlib.sha256()
    with pq.ParquetFile(readable(path)) as file:
        for batch in file.iter_batches(batch_size=_ROWS_PER_BATCH):
            names = sorted(batch.schema.names)
            columns = [_encoded(batch.column(batch.schema.get_field_index(name))) for name in names]
            keys = [f"{json.dumps(name)}: " for name in names]
            for cells in zip(*columns, strict=True):
                row = ", ".join(map(str.__add__, keys, cells))
                digest.update(f"{{{row}}}\n".encode())
    return digest.hexdigest()


def _encoded(column: pa.Array) -> list[str]:
    """Return each cell as JSON."""
    if column.null_count == 0:
        if _is_text(column.type):
            return list(map(encode_basestring_ascii, _cells(column)))
        if pa.types.is_integer(column.type):
            return list(map(str, _cells(column)))
        if pa.types.is_list(column.type) and _is_text(column.type.value_type):
            return _encoded_lists(column)
    return [json.dumps(_plain(cell)) for cell in column.to_pylist()]


def _encoded_lists(column: pa.Array) -> list[str]:
    """Return each list of strings as JSON."""
    items, ends = _encoded(column.flatten()), (column.offsets.to_numpy() - column.offsets[0].as_py()).tolist()
    return [f"[{', '.join(items[start:end])}]" for start, end in itertools.pairwise(ends)]


def _cells(column: pa.Array) -> list[Any]:
    """Return the cells of a column without nulls, several times faster than pyarrow's `to_pylist`."""
    cells: list[Any] = column.to_numpy(zero_copy_only=False).tolist()
    return cells


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _plain(value: Any) -> Any:
    """Convert a cell to a JSON value; NaN and a missing cell both become None."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in sorted(value.items())}
    if isinstance(value, bytes):
        return value.hex()
    return value if isinstance(value, str | int | float | bool | None) else _moment(value)


def _moment(value: Any) -> str:
    return value.isoformat() if isinstance(value, date | datetime | pd.Timestamp) else str(value)


def _faults_of_file(folder: Path, row: object) -> Iterator[Fault]:
    """Yield the faults of one row of `FILES`: a name and a digest."""
    name, sha256 = (row.get("name"), row.get("sha256")) if isinstance(row, Mapping) else (None, None)
    if not isinstance(name, str) or not is_inside(name) or not isinstance(sha256, str):
        yield Fault("dataset.toml", f"a row of files is {row!r}; it must be a name and its sha256")
    elif not (folder / name).is_file():
        yield Fault(name, "missing")
    elif (found := digest_file(folder / name)) != sha256:
        yield Fault(name, f"its sha256 is {found[:12]}, the card says {sha256[:12]}")


def _refuse(card: DatasetCard, faults: Iterator[Fault]) -> None:
    for fault in faults:
        raise ArenaError(
            f"{card.folder}: {fault.path}: {fault.what}; the dataset was changed after it was frozen. "
            "Restore it, or freeze it under a new name"
        )
