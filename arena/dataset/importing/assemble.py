"""Merge the parts of an import into one dataset: sorted, each identifier once, with counts of images, tags and rejects."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from arena.base.files import open_whole
from arena.dataset.cutoffs import to_timestamps
from arena.dataset.frozen import IMAGE_COLUMNS, KNOWN_COLUMNS, digest_line
from arena.dataset.importing.parts import DATASET_COLUMNS, IMPORT_COLUMNS, read_part
from arena.dataset.ratings import Scheme, detect_scheme
from arena.dataset.records import Reject
from arena.dataset.tars import TAR

ASSEMBLE_BLOCK_ROWS = 16_384
"""Rows that are written at a time."""

_REJECT_REASONS: Mapping[str, str] = {
    "unreadable row": "the row or a file that it names cannot be read",
    "not text": "a name or a tag is not valid text",
    "deleted": "the post is deleted",
    "banned": "the post is banned",
    "no tags": "the source has no tags for it",
    "tags too long": "the tags have more than a million characters",
    "outside the folder": "the path, or a link to a folder, leads out of the source",
    "missing": "the image file is missing",
    "empty": "the image file has zero bytes",
    "file too large": "the image file is larger than 512 MB",
    "not an image": "the content of the file is not an image",
    "no decoder": "the format, or this variant of it, needs a decoder that is not installed",
    "too many pixels": "the image has more pixels than the policy allows",
    "animated": "the image is animated, and the policy drops these",
    "transparent": "the image has transparent pixels, and the policy drops these",
    "truncated": "the image file is incomplete",
    "duplicate id": "another image has this identifier; the one with the smallest SHA-256 is kept",
}
"""Reason of a reject -> explanation on the card, in the order of the steps."""


_SORT_KEYS = ["image_id", "sha256", "rank", "where"]
"""Sort keys of the rows; the first row of each identifier is kept."""


class ImportTotals(NamedTuple):
    """Totals of all parts.

    Attributes:
        images: number of images.
        digest: of the identifiers, image digests and tags, as of a frozen dataset.
        positives: number of images of each tag; 0 for a tag that was checked and is nowhere present.
        categories: tag -> category, for tags whose category the source knows.
        untagged: number of images without a tag.
        single: tag -> number of images that have only this tag.
        rejected: number of rejected rows by reason.
        scheme: meaning of the rating letters; None if no image has a rating.
        files: image files and tars of the kept rows, relative to the dataset folder.
        twice: rejects of the rows whose identifier belongs to a kept row.
    """

    images: int
    digest: str
    positives: Counter[str]
    categories: Mapping[str, str]
    untagged: int
    single: Counter[str]
    rejected: Counter[str]
    scheme: Scheme | None
    files: frozenset[str]
    twice: list[Reject]


class _Order(NamedTuple):
    """Row numbers, counted over all parts."""

    kept: NDArray[np.int64]
    """Rows to keep, sorted by identifier."""
    duplicate: NDArray[np.int64]
    """Rows whose identifier belongs to a kept row."""


def assemble_parts(parts: Sequence[Path], images: Path) -> ImportTotals:
    """Write `images.parquet` from the parts, sorted by identifier, and return the totals.

    Of several rows with one identifier, the row with the smallest SHA-256 of the image is kept, then the row with the smallest
    digest of its values. The choice does not depend on the order of the source. Memory grows with the identifiers and digests
    of all rows, and with the tags of `ASSEMBLE_BLOCK_ROWS` images.

    Args:
        parts: files of `write_part`.
        images: path of the file to write.
    """
    whole = _with_lists(pa.concat_tables(map(read_part, parts), promote_options="default"))
    order, checked = _order(whole), [name for name in KNOWN_COLUMNS if name in whole.schema.names]
    positives: Counter[str] = Counter()
    digest, untagged, single, files = hashlib.sha256(), 0, Counter[str](), set[str]()
    with open_whole(images) as file, pq.ParquetWriter(file, _schema(whole)) as writer:
        for block in _blocks(whole, order.kept):
            writer.write_table(block)
            files.update(_files(block).to_pylist())
            for row in block.select(["image_id", "sha256", "tags", *checked]).to_pylist():
                known = {name: row[name] for name in checked}
                digest.update(digest_line(row["image_id"], row["sha256"], row["tags"], known=known))
                positives.update(row["tags"])
                positives.update({name: 0 for names in known.values() for name in names})
                untagged += not row["tags"]
                single.update(row["tags"] if len(row["tags"]) == 1 else ())
    rejected = Counter({row["values"]: row["counts"] for row in pc.value_counts(whole["reason"]).to_pylist()})
    del rejected[""]
    rejected += Counter({"duplicate id": len(order.duplicate)})
    duplicates = [
        Reject(row["where"], row["image_id"], "duplicate id", f"sha256 {row['sha256'][:12]}")
        for row in whole.select(["where", "image_id", "sha256"]).take(pa.array(order.duplicate)).to_pylist()
    ]
    categories = _categories(parts)
    return ImportTotals(
        len(order.kept), digest.hexdigest(), positives, categories, untagged, single, rejected, _scheme(whole, order.kept),
        frozenset(files), duplicates,
    )  # fmt: skip


def _files(block: pa.Table) -> pa.Array:
    """Return the files that hold the images of some rows, each once."""
    files = pc.coalesce(block[TAR], block["path"]) if TAR in block.schema.names else block["path"]
    return pc.unique(files)


def _with_lists(whole: pa.Table) -> pa.Table:
    """Return the table with an empty list where a row of a table with checked tags has none, such as a row of another file."""
    for name in KNOWN_COLUMNS:
        if name in whole.schema.names:
            place, column = whole.schema.get_field_index(name), whole[name]
            whole = whole.set_column(place, name, pc.coalesce(column, pa.scalar([], column.type)))
    return whole


def _scheme(whole: pa.Table, kept: NDArray[np.int64]) -> Scheme | None:
    """Return the scheme of the ratings, detected from the source's spelling of them and its newest date of creation."""
    counted = pc.value_counts(whole["rated"].take(pa.array(kept)))
    ratings = {row["values"]: row["counts"] for row in counted.to_pylist() if row["values"]}
    if not ratings:
        return None
    dates = whole["created_at"].take(pa.array(kept)).to_pandas() if "created_at" in whole.schema.names else pd.Series()
    newest = to_timestamps(dates).max()
    return detect_scheme(ratings, newest=None if pd.isna(newest) else newest.to_pydatetime())


def iterate_rejects(parts: Sequence[Path], assembled: ImportTotals) -> Iterator[Reject]:
    """Yield every reject in the order of the source, then the rows whose identifier belongs to a kept row."""
    for path in parts:
        part = read_part(path)
        for row in part.filter(pc.not_equal(part["reason"], "")).select(list(Reject._fields)).to_pylist():
            yield Reject(**row)
    yield from assembled.twice


def card_steps(rows: int, found: str, rejected: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return the card's log of steps: the rows that were read, then the rows that each reason dropped.

    Args:
        rows: number of rows of the source.
        found: kind of the source.
        rejected: number of rejected rows by reason.
    """
    log: list[dict[str, Any]] = [{"name": "read", "kept": rows, "dropped": 0, "why": f"rows of the source ({found})"}]
    for reason in [*_REJECT_REASONS, *sorted(rejected.keys() - _REJECT_REASONS.keys())]:
        if dropped := rejected.get(reason, 0):
            rows -= dropped
            log.append({"name": reason, "kept": rows, "dropped": dropped, "why": _REJECT_REASONS.get(reason, reason)})
    return log


def _order(whole: pa.Table) -> _Order:
    """Return the rows to keep and the rows with an identifier that is already used."""
    taken = np.flatnonzero(pc.equal(whole["reason"], "").to_numpy())
    keys = whole.select(_SORT_KEYS).take(pa.array(taken))
    order = pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in _SORT_KEYS])
    ids = keys["image_id"].take(order)
    repeated = np.zeros(len(ids), bool)
    repeated[1:] = pc.equal(ids[1:], ids[:-1]).to_numpy()
    rows = taken[order.to_numpy()]
    return _Order(rows[~repeated], rows[repeated])


def _schema(whole: pa.Table) -> pa.Schema:
    """Return the schema of `images.parquet`: required columns, other fixed columns, then metadata of the source."""
    names = [name for name, _ in DATASET_COLUMNS]
    facts = sorted(set(whole.schema.names) - {*names, *(name for name, _ in IMPORT_COLUMNS)})
    ordered = [*IMAGE_COLUMNS, *(name for name in names if name not in IMAGE_COLUMNS), *facts]
    return pa.schema([whole.schema.field(name) for name in ordered])


def _blocks(whole: pa.Table, rows: NDArray[np.int64]) -> Iterator[pa.Table]:
    """Yield the rows in the given order, `ASSEMBLE_BLOCK_ROWS` at a time.

    Rows are taken from each part separately: `take` on the whole table would copy the texts of all parts into one array, again
    for each block.
    """
    batches = whole.select(_schema(whole).names).replace_schema_metadata(None).to_batches()
    ends = np.cumsum([len(batch) for batch in batches])
    for start in range(0, len(rows), ASSEMBLE_BLOCK_ROWS):
        block = rows[start : start + ASSEMBLE_BLOCK_ROWS]
        owners = np.searchsorted(ends, block, side="right")
        order = np.argsort(owners, kind="stable")
        cuts = np.flatnonzero(np.diff(owners[order])) + 1
        pieces = [
            batches[owners[group[0]]].take(
                pa.array(block[group] - (ends[owners[group[0]]] - len(batches[owners[group[0]]])))
            )
            for group in np.split(order, cuts)
        ]
        yield pa.Table.from_batches(pieces).combine_chunks().take(pa.array(np.argsort(order)))


def _categories(parts: Sequence[Path]) -> dict[str, str]:
    """Return the most frequent category of each tag; of equally frequent ones, the alphabetically first."""
    counts: dict[str, Counter[str]] = {}
    for path in parts:
        for tag, per_category in json.loads(read_part(path).schema.metadata[b"categories"]).items():
            counts.setdefault(tag, Counter()).update(per_category)
    return {tag: min(found, key=lambda name: (-found[name], name)) for tag, found in counts.items()}
