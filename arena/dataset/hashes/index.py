"""An index of hashes: a Parquet file with the hashes and digests of each image, and the algorithms that made them.

Each row is an image: `image_id`, one column for each hash (uint64, or int64 if the algorithm is signed) and one for each digest
(32 bytes). The metadata of the schema holds, under `arena.index`, the version of this layout, the `Algorithm` of each hash and
further facts about the file. Row groups are written and read one at a time, so that millions of rows need little memory.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from arena.base.errors import ArenaError, IncomparableError
from arena.base.files import open_whole
from arena.base.reading import parse_json
from arena.dataset.hashes.algorithms import Algorithm

INDEX_SCHEMA = 1
"""Version of this layout; a file of another version is refused."""

METADATA = b"arena.index"
"""Key of this layout in the metadata of the schema."""

DIGESTS = ("sha256", "pixel_sha256")
"""Digest columns: SHA-256 of the file's bytes, and of the pixels."""

_COMPARED_FIELDS = ("name", "version", "bits", "bit_order", "signed")
"""Fields of an `Algorithm` that must be equal for two hashes to be compared."""

GROUP_ROWS = 65_536
"""Rows of a row group, which is read at once."""


@dataclass(frozen=True)
class HashIndex:
    """Hashes and digests of the images of a set.

    Attributes:
        image_ids: image of each row.
        hashes: column name -> uint64 (n,).
        algorithms: column name -> algorithm of the hashes.
        digests: column name -> digests in hexadecimal; a subset of `DIGESTS`.
        name: name in error messages.
    """

    image_ids: tuple[str, ...]
    hashes: Mapping[str, NDArray[np.uint64]]
    algorithms: Mapping[str, Algorithm]
    digests: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    name: str = "index"

    def __len__(self) -> int:
        return len(self.image_ids)

    def refuse_unlike(self, other: "HashIndex") -> None:
        """Raise `IncomparableError` if the indexes share no hash, or if a shared hash has different algorithms."""
        shared = sorted(self.algorithms.keys() & other.algorithms.keys())
        if not shared:
            raise IncomparableError(
                f"{other.name}: has {_listed(other.algorithms)}, {self.name} has {_listed(self.algorithms)}; no hash is in "
                "both. Hash one of them again: arena hash --algorithms"
            )
        for column in shared:
            mine, others = self.algorithms[column], other.algorithms[column]
            differing = [key for key in _COMPARED_FIELDS if getattr(mine, key) != getattr(others, key)]
            if differing:
                details = "; ".join(f"{key} {getattr(others, key)!r}, not {getattr(mine, key)!r}" for key in differing)
                raise IncomparableError(
                    f"{other.name}: its {column} has another algorithm than in {self.name} ({details}). Hash one of them again"
                )


def _listed(columns: Iterable[str]) -> str:
    return ", ".join(sorted(columns)) or "no hash"


def write_blocks(
    path: Path,
    blocks: Iterable[HashIndex],
    *,
    algorithms: Mapping[str, Algorithm],
    digests: Sequence[str] = (),
    facts: Mapping[str, Any] | None = None,
) -> int:
    """Write an index from blocks of any size, completely or not at all.

    Args:
        algorithms, digests: the columns of every block.
        facts: further facts about the file, as JSON values; `read_index_facts` returns them.

    Returns: the number of rows.
    """
    schema = _schema(algorithms, digests, facts or {})
    with open_whole(path, durable=True) as file:
        return _write_tables(file, schema, (_table(block, schema) for block in blocks))


def _write_tables(file: BinaryIO, schema: pa.Schema, tables: Iterable[pa.Table]) -> int:
    rows = 0
    with pq.ParquetWriter(file, schema, compression="zstd", use_dictionary=False) as writer:
        for table in _regrouped(tables):
            writer.write_table(table, row_group_size=GROUP_ROWS)
            rows += table.num_rows
    return rows


def read_index(path: Path, *, columns: Sequence[str] | None = None) -> HashIndex:
    """Read an index into memory.

    Args:
        columns: names of the hashes and digests to read; None: all. Four million file digests take half a gigabyte.

    Raises:
        ArenaError: no such file, not a Parquet file, damaged, or not an index.
        IncomparableError: an index of another `INDEX_SCHEMA`.
    """
    header = _Header(path)
    blocks = list(read_blocks(path, columns=columns))
    algorithms = header.wanted_algorithms(columns)
    return HashIndex(
        image_ids=tuple(image_id for block in blocks for image_id in block.image_ids),
        hashes={
            name: np.concatenate([np.empty(0, np.uint64), *(block.hashes[name] for block in blocks)])
            for name in algorithms
        },
        algorithms=algorithms,
        digests={
            name: tuple(digest for block in blocks for digest in block.digests[name])
            for name in header.wanted_digests(columns)
        },
        name=str(path),
    )


def read_blocks(path: Path, *, columns: Sequence[str] | None = None) -> Iterator[HashIndex]:
    """Yield an index one row group at a time; arguments and errors as for `read_index`."""
    header = _Header(path)
    algorithms, digests = header.wanted_algorithms(columns), header.wanted_digests(columns)
    try:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, columns=["image_id", *algorithms, *digests]).combine_chunks()
                yield _block(path, table, algorithms, digests)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from None


def read_index_facts(path: Path) -> Mapping[str, Any]:
    """Return the facts that were written with an index; errors as for `read_index`."""
    facts: Mapping[str, Any] = _Header(path).content["facts"]
    return facts


def count_index_rows(path: Path) -> int:
    """Return the number of images of an index; errors as for `read_index`."""
    return int(_Header(path).rows)


class _Header:
    """The metadata of an index, checked against its columns."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise ArenaError(f"{path}: no such file; arena hash FOLDER -o {path} makes an index")
        try:
            with pq.ParquetFile(path) as file:
                schema, self.rows = file.schema_arrow, file.metadata.num_rows
        except (pa.ArrowException, OSError) as error:
            raise _damaged(path, error) from None
        self.content = _metadata(path, schema)
        self.algorithms = {name: Algorithm(**made) for name, made in self.content["algorithms"].items()}
        self.digests = tuple(name for name in DIGESTS if name in schema.names)
        for expected in _schema(self.algorithms, self.digests, {}):
            found = schema.field(expected.name).type if expected.name in schema.names else "no such column"
            if found != expected.type:
                raise ArenaError(
                    f"{path}: column {expected.name} must be {expected.type}, found: {found}; hash it again"
                )

    def wanted_algorithms(self, columns: Sequence[str] | None) -> dict[str, Algorithm]:
        return {name: made for name, made in self.algorithms.items() if columns is None or name in columns}

    def wanted_digests(self, columns: Sequence[str] | None) -> tuple[str, ...]:
        return tuple(name for name in self.digests if columns is None or name in columns)


def _metadata(path: Path, schema: pa.Schema) -> dict[str, Any]:
    """Return the parsed metadata of the schema; raise if it is missing, damaged or of another version."""
    text = (schema.metadata or {}).get(METADATA)
    if text is None:
        raise ArenaError(
            f"{path}: a Parquet file, but not an index: it does not record how its hashes were made (columns "
            f"{', '.join(schema.names[:9])}). arena hash makes an index"
        )
    content: dict[str, Any] = parse_json(text, f"{path}: {METADATA.decode()}", fix="it is damaged; hash it again")
    try:
        if content["schema"] != INDEX_SCHEMA:
            raise IncomparableError(
                f"{path}: an index of schema {content['schema']!r:.40}, this release reads {INDEX_SCHEMA}; hash it again"
            )
        for made in content["algorithms"].values():
            Algorithm(**made)
        content.setdefault("facts", {})
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ArenaError(f"{path}: its metadata {METADATA.decode()} is damaged; hash it again") from None
    return content


def _schema(algorithms: Mapping[str, Algorithm], digests: Sequence[str], facts: Mapping[str, Any]) -> pa.Schema:
    made = {name: algorithm._asdict() for name, algorithm in algorithms.items()}
    content = {"schema": INDEX_SCHEMA, "algorithms": made, "facts": dict(facts)}
    fields = [
        pa.field("image_id", pa.string(), nullable=False),
        *(
            pa.field(name, pa.int64() if made.signed else pa.uint64(), nullable=False)
            for name, made in algorithms.items()
        ),
        *(pa.field(name, pa.binary(32), nullable=False) for name in digests),
    ]
    return pa.schema(fields, {METADATA: json.dumps(content, ensure_ascii=False)})


def _table(block: HashIndex, schema: pa.Schema) -> pa.Table:
    """Convert a block to a table of the file's schema."""
    columns: dict[str, Any] = {"image_id": pa.array(block.image_ids, pa.string())}
    for name, made in block.algorithms.items():
        columns[name] = pa.array(block.hashes[name].view(np.int64) if made.signed else block.hashes[name])
    for name, digests in block.digests.items():
        columns[name] = pa.array([bytes.fromhex(digest) for digest in digests], pa.binary(32))
    return pa.table(columns).select(schema.names).cast(schema)


def _block(path: Path, table: pa.Table, algorithms: Mapping[str, Algorithm], digests: Sequence[str]) -> HashIndex:
    """Convert a row group to a `HashIndex`."""
    for column in table.column_names:
        if table.column(column).null_count:
            raise ArenaError(f"{path}: {table.column(column).null_count} rows have no {column}; hash it again")
    return HashIndex(
        image_ids=tuple(table.column("image_id").to_numpy()),
        hashes={name: table.column(name).to_numpy().view(np.uint64) for name in algorithms},
        algorithms=dict(algorithms),
        digests={name: _hexadecimal(table.column(name).to_numpy()) for name in digests},
        name=str(path),
    )


def _hexadecimal(digests: Iterable[bytes]) -> tuple[str, ...]:
    text = b"".join(digests).hex()  # one call for all takes a third of the time of one call each
    return tuple(text[at : at + 64] for at in range(0, len(text), 64))


def _regrouped(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yield the same rows in tables of at least `GROUP_ROWS`, except the last."""
    pending: list[pa.Table] = []
    for table in tables:
        pending.append(table)
        if sum(part.num_rows for part in pending) >= GROUP_ROWS:
            yield pa.concat_tables(pending)
            pending = []
    if pending:
        yield pa.concat_tables(pending)


def _damaged(path: Path, error: Exception) -> ArenaError:
    return ArenaError(f"{path}: not a readable Parquet file ({str(error).splitlines()[0]}); hash it again")
