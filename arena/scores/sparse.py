"""The high scores of many images as one Parquet file, for matrices that are too large: 12,476 tags of 10 million images.

One row an image: `image_id` text, `tags` a list of names, `scores` a list of as many float32. A score that is not stored counts
as 0. The metadata `arena.scores` is a JSON table: `tags` are the columns of the matrix, with `categories` and `counts`;
`top_k`, `min_score` and `complete_above` say what was left out; `skipped` holds the images that could not be read.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from arena.base.errors import ArenaError, ScoresError, refuse_twice
from arena.base.files import open_whole
from arena.base.reading import parse_json
from arena.base.schema import COUNT, NUMBER, TEXT, Schema, list_of, optional, table_of
from arena.scores.cut import Cut, Selection
from arena.scores.matrix import Matrix, MatrixPart
from arena.scores.store import Scores, check_values
from arena.tags import TagSpace
from arena.tags.spelling import spell_names

METADATA = b"arena.scores"
"""Key of the metadata."""

SUFFIX = ".parquet"

ROWS_PER_GROUP = 65_536
"""Images of a row group. Each group holds the names of its tags, so a small group would hold little else."""

MAX_STORED = 2_000_000_000
"""Largest number of stored scores that are read; 8 bytes each."""

_SCHEMA = pa.schema(
    {
        "image_id": pa.string(),
        "tags": pa.list_(pa.dictionary(pa.int32(), pa.string())),
        "scores": pa.list_(pa.float32()),
    }
)
_FACTS = Schema(table_of(
    {"tags": list_of("string"), "complete_above": NUMBER},
    {
        "top_k": optional(COUNT),
        "min_score": NUMBER, "skipped": table_of(others=TEXT),
    },
))  # fmt: skip


@dataclass(frozen=True)
class SparsePart:
    """Rows of a matrix of which only some scores are stored; the others are 0.

    Attributes:
        starts: int64 (rows + 1,), where the stored scores of each row start.
        columns: int32 (stored,).
        values: float32 (stored,).
        width: number of columns.
    """

    starts: NDArray[np.int64]
    columns: NDArray[np.int32]
    values: NDArray[np.float32]
    width: int

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, columns)."""
        return len(self.starts) - 1, self.width

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type of the scores."""
        return self.values.dtype

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        """Return some rows with all columns."""
        start, stop, _ = rows.indices(self.shape[0])
        starts = self.starts[start : max(start, stop) + 1]
        dense = np.zeros((len(starts) - 1, self.width), self.values.dtype)
        stored = slice(starts[0], starts[-1])
        dense[np.repeat(np.arange(len(dense)), np.diff(starts)), self.columns[stored]] = self.values[stored]
        return dense


def write_sparse(path: Path, scores: Scores, selection: Selection) -> Cut:
    """Write the selected scores, whole or not at all; one row group is in memory at a time.

    Returns: what the file holds.
    """
    complete_above, names = selection.min_score, pa.array(scores.tags.names, pa.string())
    with open_whole(path) as file, pq.ParquetWriter(file, _SCHEMA, compression="zstd") as writer:
        group: list[pa.Table] = []
        for first, block in scores.values.tiles():
            kept = selection.of(block)
            complete_above = max(complete_above, selection.complete_above(block, kept))
            group.append(_rows(scores.image_ids[first : first + len(block)], block, kept, names))
            if sum(map(len, group)) >= ROWS_PER_GROUP:
                _write_group(writer, group)
        _write_group(writer, group)
        cut = Cut(selection.top_k, selection.min_score, complete_above)
        tags = scores.tags
        facts = {
            "tags": tags.names, "categories": tags.categories, "counts": tags.counts, **cut._asdict(),
            "skipped": dict(scores.skipped),
        }  # fmt: skip
        writer.add_key_value_metadata({METADATA: json.dumps(facts).encode()})
    return cut


def _write_group(writer: pq.ParquetWriter, group: list[pa.Table]) -> None:
    """Write tables as one row group, and empty the list."""
    if group:
        writer.write_table(pa.concat_tables(group).combine_chunks(), ROWS_PER_GROUP)
    group.clear()


def _rows(ids: tuple[str, ...], block: NDArray[Any], kept: NDArray[np.bool_], names: pa.Array) -> pa.Table:
    starts = np.concatenate([[0], kept.sum(1).cumsum()]).astype(np.int32)
    tags = pa.DictionaryArray.from_arrays(np.nonzero(kept)[1].astype(np.int32), names)
    return pa.table(
        [
            pa.array(ids, pa.string()),
            pa.ListArray.from_arrays(starts, tags),
            pa.ListArray.from_arrays(starts, block[kept].astype(np.float32)),
        ],
        schema=_SCHEMA,
    )


def read_sparse(path: Path) -> Scores:
    """Read a file of `write_sparse`, or one of another tool with the same columns and no metadata.

    Without metadata the tags are those that occur, and nothing is known of the scores that are not stored.

    Raises:
        ScoresError: the file is missing or damaged, lacks a column, names an image twice or a tag twice for an image, or holds
            a value that is no score.
    """
    try:
        with pq.ParquetFile(path) as file:
            _check_columns(path, file)
            given = (file.metadata.metadata or {}).get(METADATA)
            facts = None if given is None else _facts(path, given)
            image_ids, part, names = _read_rows(path, file, None if facts is None else facts["tags"])
    except FileNotFoundError:
        raise ScoresError(f"{path}: no such file") from None
    except (OSError, ValueError, MemoryError, pa.ArrowException) as error:
        raise ScoresError(
            f"{path}: not a readable Parquet file of scores ({str(error).splitlines()[0]}); write it again with arena predict"
        ) from None
    refuse_twice(path, "image", image_ids)
    spelled, note = spell_names(path, names)
    values, clipped = check_values(path, Matrix([part]), image_ids, names)
    facts = facts or {}
    columns = [None if facts.get(key) is None else tuple(facts[key]) for key in ("categories", "counts")]
    try:
        tags = TagSpace(spelled, *columns)
    except ArenaError as error:
        raise ScoresError(f"{path}: {error}") from None
    cut = Cut(facts.get("top_k"), facts.get("min_score", 0.0), facts["complete_above"]) if facts else Cut()
    return replace(
        Scores(image_ids, tags, values), skipped=facts.get("skipped", {}), respelled=note, clipped=clipped, cut=cut
    )


def _check_columns(path: Path, file: pq.ParquetFile) -> None:
    schema = file.schema_arrow
    for name in _SCHEMA.names:
        if schema.names.count(name) != 1:
            raise ScoresError(
                f"{path}: {schema.names.count(name)} columns {name}; scores have image_id, tags and scores"
            )
    kinds = {"tags": pa.types.is_string, "scores": pa.types.is_floating}
    for name, fits in kinds.items():
        found = schema.field(name).type
        inner = found.value_type if pa.types.is_list(found) or pa.types.is_large_list(found) else None
        inner = inner.value_type if inner is not None and pa.types.is_dictionary(inner) else inner
        if inner is None or not fits(inner):
            wanted = "lists of text" if name == "tags" else "lists of floating point numbers"
            raise ScoresError(f"{path}: column {name} holds {found}; it must hold {wanted}")


def _facts(path: Path, content: bytes) -> dict[str, Any]:
    facts: dict[str, Any] = parse_json(content, f"{path}: metadata", _FACTS, fix="write it again", error=ScoresError)
    refuse_twice(path, "tag", facts["tags"])
    return facts


def _read_rows(
    path: Path, file: pq.ParquetFile, names: list[str] | None
) -> tuple[tuple[str, ...], MatrixPart, tuple[str, ...]]:
    """Return the image ids, the stored scores and the tags.

    Args:
        names: the tags by the metadata; None takes those that occur, in the order of their first occurrence.
    """
    column = {name: number for number, name in enumerate(names or [])}
    ids: list[str] = []
    lengths, columns, values = [], [], []
    stored = 0
    for batch in file.iter_batches(ROWS_PER_GROUP, columns=list(_SCHEMA.names)):
        tags, scores = batch["tags"], batch["scores"]
        of_image = scores.value_lengths().fill_null(0).to_numpy().astype(np.int64)
        if not np.array_equal(of_image, tags.value_lengths().fill_null(0).to_numpy()):
            raise ScoresError(f"{path}: an image has lists of tags and of scores of different lengths")
        stored += int(of_image.sum())
        if stored > MAX_STORED or len(ids) + len(of_image) > MAX_STORED:
            raise ScoresError(f"{path}: more than {MAX_STORED:,} scores; split the file by images")
        found = _columns(path, tags.flatten(), column, known=names is not None)
        _refuse_repeated(path, found, of_image, len(column))
        if batch["image_id"].null_count:
            raise ScoresError(f"{path}: an image_id is missing; every row needs one")
        ids += [str(image) for image in batch["image_id"].to_pylist()]
        lengths.append(of_image)
        columns.append(found)
        values.append(scores.flatten().cast(pa.float32()).fill_null(np.nan).to_numpy())
    starts = np.concatenate([[0], *lengths]).cumsum().astype(np.int64)
    part = SparsePart(
        starts, np.concatenate([np.empty(0, np.int32), *columns]), np.concatenate([np.empty(0, np.float32), *values]),
        len(column),
    )  # fmt: skip
    return tuple(ids), part, tuple(column)


def _columns(path: Path, tags: pa.Array, column: dict[str, int], *, known: bool) -> NDArray[np.int32]:
    """Return the column of each tag; a new tag gets the next column unless the tags are known."""
    encoded = tags if pa.types.is_dictionary(tags.type) else tags.dictionary_encode()
    if encoded.null_count:
        raise ScoresError(f"{path}: a tag is missing; remove it with its score")
    listed = encoded.dictionary.to_pylist()
    used = np.unique(encoded.indices.to_numpy())
    place = np.full(len(listed), -1, np.int32)
    for number in used.tolist():
        name = str(listed[number])
        if known and name not in column:
            raise ScoresError(f"{path}: tag {name!r} is not in the file's own list of tags")
        place[number] = column.setdefault(name, len(column))
    return np.asarray(place[encoded.indices.to_numpy()], np.int32)


def _refuse_repeated(path: Path, columns: NDArray[np.int32], of_image: NDArray[np.int64], width: int) -> None:
    cells = np.repeat(np.arange(len(of_image)), of_image) * np.int64(max(1, width)) + columns
    if len(np.unique(cells)) < len(cells):
        raise ScoresError(f"{path}: an image names a tag twice; keep one score of each tag")
