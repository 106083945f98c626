"""The parts of an import made one dataset: sorted, each identifier once, counted, with a card that tells what was dropped."""

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

from arena.dataset.cutoffs import moments
from arena.dataset.frozen import IMAGE_COLUMNS, digest_line
from arena.dataset.importing.parts import FIXED, UNKEPT, read_part
from arena.dataset.ratings import Scheme, detect_scheme
from arena.dataset.records import Reject

BLOCK_ROWS = 16_384
"""Rows written at a time."""

REASONS: Mapping[str, str] = {
    "unreadable row": "the row or what it names cannot be read",
    "not text": "a name or a tag that is no text",
    "deleted": "the post is deleted",
    "banned": "the post is banned",
    "no tags": "nothing tells its tags",
    "tags too long": "tags of more than a million characters",
    "outside the folder": "a path or a link that leaves the source",
    "missing": "no such image file",
    "empty": "an image file of zero bytes",
    "file too large": "an image file of more than 512 MB",
    "not an image": "no image by its content",
    "too many pixels": "more pixels than the policy takes",
    "animated": "an animation, which the policy drops",
    "transparent": "a picture with transparency, which the policy drops",
    "truncated": "the image does not decode to its end",
    "duplicate id": "another image of this identifier is kept, the one whose SHA-256 comes first",
}
"""Why a row is rejected, in the order of the steps."""


RANKED = ["image_id", "sha256", "rank", "where"]
"""Columns that order the rows; of those with one identifier the first is kept."""


class Assembled(NamedTuple):
    """What the parts came to.

    Attributes:
        positives: images of each tag.
        untagged: images without a tag.
        rejected: rows by reason.
        scheme: what the letters of the ratings mean; None where no image is rated.
        paths: the files of the images that are kept.
        twice: the rows whose identifier another row has.
    """

    images: int
    digest: str
    positives: Counter[str]
    categories: Mapping[str, str]
    untagged: int
    rejected: Counter[str]
    scheme: Scheme | None
    paths: frozenset[str]
    twice: list[Reject]


class _Order(NamedTuple):
    """Row numbers over all parts."""

    kept: NDArray[np.int64]
    """In the order of the identifiers."""
    twice: NDArray[np.int64]
    """Those whose identifier is kept already."""


def assemble(parts: Sequence[Path], images: Path) -> Assembled:
    """Write `images.parquet` from the parts, sorted by identifier.

    Of several rows with one identifier that with the smallest SHA-256 is kept, then the one whose row has the smallest
    digest: never the first that was read, so that the order of the source does not matter. Memory grows with identifiers
    and digests, and with the tags of `BLOCK_ROWS` images.
    """
    whole = pa.concat_tables(map(read_part, parts), promote_options="default")
    order = _order(whole)
    positives: Counter[str] = Counter()
    digest, untagged, paths = hashlib.sha256(), 0, set[str]()
    with pq.ParquetWriter(images, _schema(whole)) as writer:
        for block in _blocks(whole, order.kept):
            writer.write_table(block)
            paths.update(block["path"].to_pylist())
            for row in block.select(["image_id", "sha256", "tags"]).to_pylist():
                digest.update(digest_line(row["image_id"], row["sha256"], row["tags"]))
                positives.update(row["tags"])
                untagged += not row["tags"]
    rejected = Counter({row["values"]: row["counts"] for row in pc.value_counts(whole["reason"]).to_pylist()})
    del rejected[""]
    rejected += Counter({"duplicate id": len(order.twice)})
    twice = [
        Reject(row["where"], row["image_id"], "duplicate id", f"sha256 {row['sha256'][:12]}")
        for row in whole.select(["where", "image_id", "sha256"]).take(pa.array(order.twice)).to_pylist()
    ]
    categories = _categories(parts)
    return Assembled(
        len(order.kept), digest.hexdigest(), positives, categories, untagged, rejected, _scheme(whole, order.kept),
        frozenset(paths), twice,
    )  # fmt: skip


def _scheme(whole: pa.Table, kept: NDArray[np.int64]) -> Scheme | None:
    """What the letters mean, by the words that the source has for them and by the newest date in it."""
    counted = pc.value_counts(whole["rated"].take(pa.array(kept)))
    ratings = {row["values"]: row["counts"] for row in counted.to_pylist() if row["values"]}
    if not ratings:
        return None
    dates = whole["created_at"].take(pa.array(kept)).to_pandas() if "created_at" in whole.schema.names else pd.Series()
    newest = moments(dates).max()
    return detect_scheme(ratings, newest=None if pd.isna(newest) else newest.to_pydatetime())


def rejects(parts: Sequence[Path], assembled: Assembled) -> Iterator[Reject]:
    """Every reject in the order of the source, then the rows whose identifier is kept already."""
    for path in parts:
        part = read_part(path)
        for row in part.filter(pc.not_equal(part["reason"], "")).select(list(Reject._fields)).to_pylist():
            yield Reject(**row)
    yield from assembled.twice


def steps(rows: int, found: str, rejected: Mapping[str, int]) -> list[dict[str, Any]]:
    """What every reason dropped, as the card logs it."""
    log: list[dict[str, Any]] = [{"name": "read", "kept": rows, "dropped": 0, "why": f"rows of the source: {found}"}]
    for reason in [*REASONS, *sorted(rejected.keys() - REASONS.keys())]:
        if dropped := rejected.get(reason, 0):
            rows -= dropped
            log.append({"name": reason, "kept": rows, "dropped": dropped, "why": REASONS.get(reason, reason)})
    return log


def _order(whole: pa.Table) -> _Order:
    taken = np.flatnonzero(pc.equal(whole["reason"], "").to_numpy())
    keys = whole.select(RANKED).take(pa.array(taken))
    order = pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in RANKED])
    ids = keys["image_id"].take(order)
    again = np.zeros(len(ids), bool)
    again[1:] = pc.equal(ids[1:], ids[:-1]).to_numpy()
    places = taken[order.to_numpy()]
    return _Order(places[~again], places[again])


def _schema(whole: pa.Table) -> pa.Schema:
    names = [name for name, _ in FIXED]
    facts = sorted(set(whole.schema.names) - {*names, *(name for name, _ in UNKEPT)})
    ordered = [*IMAGE_COLUMNS, *(name for name in names if name not in IMAGE_COLUMNS), *facts]
    return pa.schema([whole.schema.field(name) for name in ordered])


def _blocks(whole: pa.Table, rows: NDArray[np.int64]) -> Iterator[pa.Table]:
    """The rows in the order given, `BLOCK_ROWS` at a time.

    Each part gives its few rows by itself: `take` over the whole would first copy every part's texts into one array, for
    each block again.
    """
    batches = whole.select(_schema(whole).names).replace_schema_metadata(None).to_batches()
    ends = np.cumsum([len(batch) for batch in batches])
    for start in range(0, len(rows), BLOCK_ROWS):
        block = rows[start : start + BLOCK_ROWS]
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
    """The category that each tag was most often said to be of, the alphabetically first of several."""
    counts: dict[str, Counter[str]] = {}
    for path in parts:
        for tag, said in json.loads(read_part(path).schema.metadata[b"categories"]).items():
            counts.setdefault(tag, Counter()).update(said)
    return {tag: min(said, key=lambda name: (-said[name], name)) for tag, said in counts.items()}
