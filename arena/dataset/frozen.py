"""A frozen held-out dataset: images, their ground-truth tags, and the digest that pins both.

A folder holds `dataset.toml` (the card), `images.parquet` (one row per image), `tags.csv` (the tags of the ground truth),
optional `tag_aliases.csv` and `tag_implications.csv`, and `images/`.
"""

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, time
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.sparse import coo_array, csc_array, csr_array

from arena.base.errors import ArenaError, refuse_twice
from arena.base.files import open_whole, write_whole
from arena.base.remote import RemotePath
from arena.base.tables import Kind, read_frame
from arena.cards import DatasetCard
from arena.dataset.files import is_inside
from arena.dataset.pins import refuse_changed_files, refuse_changed_rows
from arena.dataset.tars import TAR_KINDS, image_places, refuse_incomplete_tars, stored_images, tar_problems
from arena.images.places import ImagePlace
from arena.metrics.known import KnownCells
from arena.tags import TagRelations, TagSpace
from arena.tags.rows import read_csv
from arena.tags.spelling import canonical_spelling, respelling_note

IMAGE_COLUMNS = ("image_id", "path", "sha256", "width", "height", "phash", "dhash", "tags", "rating", "group")
"""Required columns of `images.parquet`; further columns are kept."""

WEIGHT = "weight"
"""Optional column of `images.parquet`: the number of images of the population that an image represents, which is 1 / its
inclusion probability in the sample. Without it each image has the weight 1."""

ABSENT, CHECKED = "absent", "checked"
"""Optional columns of `images.parquet`, lists of tags of each image: those that were verified to be absent, and those that were
checked. With either column, only the cells of `tags`, `absent` and `checked` are known; every other cell is unknown."""

KNOWN_COLUMNS = (ABSENT, CHECKED)

_IMAGE_KINDS = {
    "image_id": Kind.IDENTIFIER, "path": Kind.TEXT, "sha256": Kind.TEXT, "width": Kind.INTEGER, "height": Kind.INTEGER,
    "phash": Kind.IDENTIFIER, "dhash": Kind.IDENTIFIER, "tags": Kind.TEXTS, "rating": Kind.TEXT, "group": Kind.IDENTIFIER,
}  # fmt: skip

IDENTIFYING_COLUMNS = ("image_id", "path", "sha256", "phash", "dhash", "tags", "group", *TAR_KINDS)
"""Columns of `images.parquet` that identify images; every other column but `WEIGHT` and `KNOWN_COLUMNS` can define slices."""

_SUM_BITS = 46
"""Bits of the sum of all weights; float64 holds 53, so the sum of up to 128 such sums is exact too."""

_MEAN_TOLERANCE = 1e-9
"""Rounding error that is allowed in the mean of weights that were normalised to a mean of 1."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")

_ROWS_PER_GROUP = 1 << 17
"""Rows that are written to `images.parquet` at a time."""

NAMED_MISSING_FILES = 5
"""Number of missing files that an error names."""


@dataclass(frozen=True)
class Truth:
    """Ground truth: which image carries which tag.

    Attributes:
        image_ids: image of each row.
        tags: tag of each column.
        values: bool (images, tags), sparse by column, because each of a million images carries about 30 of thousands of tags.
        relations: aliases that map a tagger's spelling to a column.
        images: further columns of `images.parquet` by name, such as rating or width, one value a row.
        groups: label of each row; rows with equal labels belong together (near duplicates, one post). None if unknown.
        weights: number of images of the population that each row represents, as `exact_weights` returns them; float64
            (images,). None if every weight is 1.
        note: one line on tag names that were respelled; empty if none was.
        known: which cells are known; None if all are. `values` is false in an unknown cell.
    """

    image_ids: tuple[str, ...]
    tags: TagSpace
    values: csc_array
    relations: TagRelations = field(default_factory=TagRelations)
    images: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    groups: tuple[str, ...] | None = None
    weights: NDArray[np.float64] | None = None
    note: str = ""
    known: KnownCells | None = None

    @classmethod
    def of(
        cls, image_ids: Sequence[str], tags: TagSpace, values: Any, *, known: KnownCells | None = None, **more: Any
    ) -> "Truth":
        """Make a truth from a matrix of bool, dense or sparse; `more` are further attributes.

        Values of unknown cells are ignored. A truth of which every cell is known is equal to one without `known`.
        """
        if isinstance(values, np.ndarray):
            values = sparse_rows(values.shape, [values])
        sparse = csc_array(values, dtype=np.bool_)
        if known is not None and known.complete:
            known = None
        if known is not None:
            columns = np.repeat(np.arange(sparse.shape[1]), np.diff(sparse.indptr))
            sparse.data &= known.at(sparse.indices, columns)
        sparse.eliminate_zeros()
        sparse.sort_indices()
        return cls(tuple(image_ids), tags, sparse, known=known, **more)

    def take(self, rows: NDArray[np.int64]) -> "Truth":
        """Return some rows, in the order of `rows`."""
        values = csc_array(self.values.tocsr()[rows])
        values.sort_indices()
        images = {name: [column[row] for row in rows] for name, column in self.images.items()}
        groups = None if self.groups is None else tuple(self.groups[row] for row in rows)
        weights = None if self.weights is None else self.weights[rows]
        ids = tuple(self.image_ids[row] for row in rows)
        known = None if self.known is None else self.known.take(rows)
        return Truth(ids, self.tags, values, self.relations, images, groups, weights, self.note, known)


def exact_weights(where: object, weights: Any, images: int) -> NDArray[np.float64]:
    """Return weights of images, float64 (images,), rounded so that every sum of them is exact: their order has no effect.

    The rounding changes no integer. It changes any other weight of a million images by less than 10^-7 of the mean weight.

    Args:
        where: file or argument, for errors.
        weights: (images,), above 0, with a mean of 1 or more.
        images: number of images.

    Raises:
        ArenaError: the shape differs, a weight is not a number above 0, or the mean is below 1.

    >>> exact_weights("truth", [1, 2.5], 2).tolist()
    [1.0, 2.5]
    """
    try:
        found = np.asarray(weights, np.float64)
    except (TypeError, ValueError):
        raise ArenaError(f"{where}: {WEIGHT} must hold numbers; write 1 / inclusion probability") from None
    if found.shape != (images,):
        raise ArenaError(
            f"{where}: {WEIGHT} has shape {found.shape}, but there are {images} images; give one weight for each image"
        )
    wrong = np.flatnonzero(~(np.isfinite(found) & (found > 0)))
    if len(wrong):
        raise ArenaError(f"{where}: {WEIGHT} {found[wrong[0]]:g} in row {wrong[0]}; a weight is a number above 0")
    if images and found.mean() < 1 - _MEAN_TOLERANCE:
        raise ArenaError(
            f"{where}: {WEIGHT} has the mean {found.mean():g}; a weight is the number of images that an image represents "
            "(1 / inclusion probability), so the mean must be 1 or more"
        )
    step = 2.0 ** (np.ceil(np.log2(found.sum())) - _SUM_BITS) if images else 1.0
    return np.asarray(np.maximum(np.round(found / step), 1) * step, np.float64)


def effective_number(weights: NDArray[np.float64]) -> float:
    """Return Kish's effective sample size, (sum of w)^2 / sum of w^2; 0 for no image.

    A mean over this number of images of equal weight has the same variance.

    Args:
        weights: (images,), above 0.

    Source: Kish 1965, Survey Sampling.

    >>> effective_number(np.array([1.0, 1.0])), effective_number(np.array([3.0, 1.0]))
    (2.0, 1.6)
    """
    return float(weights.sum() ** 2 / (weights**2).sum()) if len(weights) else 0.0


def sparse_rows(shape: tuple[int, ...], tiles: Iterable[NDArray[np.bool_]]) -> csr_array:
    """Convert blocks of rows of a dense bool matrix to one sparse matrix, in a third of the time of scipy's conversion."""
    columns, counts = [np.empty(0, np.int32)], [np.zeros(1, np.int64)]
    for tile in tiles:
        positives = np.count_nonzero(tile, axis=1)
        first = np.repeat(np.arange(len(tile)) * shape[1], positives)
        columns.append((np.flatnonzero(tile) - first).astype(np.int32))
        counts.append(positives)
    indices = np.concatenate(columns)
    return csr_array((np.ones(len(indices), np.bool_), indices, np.cumsum(np.concatenate(counts))), shape=shape)


@dataclass(frozen=True)
class HeldOut:
    """Held-out images with their ground truth.

    Attributes:
        card: the dataset card.
        images: one row per image with `IMAGE_COLUMNS`, sorted by `image_id`.
        tags: the tags of the ground truth, sorted by name.
        relations: aliases and implications of the tag vocabulary.
        note: one line on tag names that were respelled; empty if none was.
    """

    card: DatasetCard
    images: pd.DataFrame
    tags: TagSpace
    relations: TagRelations
    note: str = ""

    def __len__(self) -> int:
        return len(self.images)

    @cached_property
    def image_ids(self) -> tuple[str, ...]:
        """Identifiers of the images, in the order of the rows."""
        return tuple(self.images["image_id"])

    @cached_property
    def paths(self) -> Sequence[ImagePlace]:
        """Where each image is read, in the order of the rows."""
        return image_places(self.card.folder, self.images)

    @cached_property
    def truth(self) -> Truth:
        """The ground truth: which image carries which tag."""
        rows, columns = self._cells("tags")
        values = coo_array((np.ones(len(rows), np.bool_), (rows, columns)), shape=(len(self), len(self.tags)))
        return Truth.of(
            self.image_ids,
            self.tags,
            values,
            relations=self.relations,
            images={
                name: self.images[name].tolist()
                for name in self.images.columns
                if name not in (*IDENTIFYING_COLUMNS, WEIGHT, *KNOWN_COLUMNS)
            },
            groups=tuple(map(str, self.images["group"])),
            weights=self.weights,
            note=self.note,
            known=self.known,
        )

    def _cells(self, column: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return image and tag of every cell that a column of lists of tags names; int64 (cells,) each."""
        lists = self.images[column]
        columns = [self.tags.index[name] for names in lists for name in names]
        return np.repeat(np.arange(len(self)), [len(names) for names in lists]), np.array(columns, np.int64)

    @cached_property
    def known(self) -> KnownCells | None:
        """The known cells; None without a column of `KNOWN_COLUMNS`."""
        named = [self._cells(name) for name in KNOWN_COLUMNS if name in self.images.columns]
        if not named:
            return None
        rows, columns = map(np.concatenate, zip(self._cells("tags"), *named, strict=True))
        return KnownCells.of_cells(rows, columns, len(self), len(self.tags))

    @cached_property
    def weights(self) -> NDArray[np.float64] | None:
        """Weights of the images, see `Truth.weights`; None without a column `WEIGHT`."""
        if WEIGHT not in self.images.columns:
            return None
        return exact_weights(f"{self.card.folder}: images.parquet", self.images[WEIGHT].tolist(), len(self))

    @cached_property
    def digest(self) -> str:
        """SHA-256 over identifier, file, tags, weight and known cells of every image; equal datasets have equal digests."""
        return digest_images(self.images)

    def sample(self, limit: int | None, seed: int) -> "HeldOut":
        """Return a random sample of at most `limit` images, in the order of `random_order`.

        The sample of a larger limit contains the sample of a smaller one. None: all images.
        """
        if limit is None or limit >= len(self):
            return self
        chosen = sorted(random_order(self.images["sha256"], self.image_ids, seed=seed)[:limit])
        return replace(self, images=self.images.iloc[chosen].reset_index(drop=True))


def random_order(digests: Iterable[str], image_ids: Iterable[str], *, seed: int) -> list[int]:
    """Return the rows in a random but reproducible order: by SHA-256 of seed and file digest, ties by identifier."""
    keys = [
        (hashlib.sha256(f"{seed}:{digest}".encode()).digest(), image_id)
        for digest, image_id in zip(digests, image_ids, strict=True)
    ]
    return sorted(range(len(keys)), key=keys.__getitem__)


def random_numbers(digests: Iterable[str], *, seed: int) -> list[float]:
    """Return the random number by which `random_order` sorts each image: uniform in 0 to 1, from seed and file digest."""
    keys = (hashlib.sha256(f"{seed}:{digest}".encode()).digest() for digest in digests)
    return [(int.from_bytes(key[:8], "big") + 0.5) / 2**64 for key in keys]


def digest_images(images: pd.DataFrame) -> str:
    """Return the SHA-256 (hexadecimal) over identifier, file digest, sorted tags, weight and known cells of every row.

    Rows are in order of identifier. Optional columns are left out if the table has none, so its digest equals that of earlier
    versions.
    """
    ordered = images.sort_values("image_id")
    digest = hashlib.sha256()
    weights = ordered[WEIGHT].tolist() if WEIGHT in ordered.columns else [None] * len(ordered)
    known = [ordered[name].tolist() for name in KNOWN_COLUMNS if name in ordered.columns]
    names = [name for name in KNOWN_COLUMNS if name in ordered.columns]
    lists = [dict(zip(names, row, strict=True)) for row in zip(*known, strict=True)] or [{}] * len(ordered)
    columns = (*(ordered[name].tolist() for name in ("image_id", "sha256", "tags")), weights, lists)
    for image_id, sha256, tags, weight, named in zip(*columns, strict=True):
        digest.update(digest_line(image_id, sha256, tags, weight, named))
    return digest.hexdigest()


def digest_line(
    image_id: str, sha256: str, tags: Sequence[str], weight: float | None = None,
    known: Mapping[str, Sequence[str]] = {},
) -> bytes:  # fmt: skip
    """Return the bytes that one image adds to the digest of a dataset.

    Args:
        weight: None in a dataset without weights.
        known: column of `KNOWN_COLUMNS` -> its tags; empty in a dataset without these columns.
    """
    more: list[Any] = [] if weight is None else [weight]
    if known:
        more.append({name: sorted(names) for name, names in known.items()})
    return json.dumps([image_id, sha256, sorted(tags), *more]).encode() + b"\n"


def read_frozen(card: DatasetCard) -> HeldOut:
    """Read the frozen dataset of a card, and check that its files agree.

    Raises:
        ArenaError: a file is missing or damaged, there is no image, a path leaves the folder, an identifier is listed twice, a
            tag is missing from `tags.csv` or is an alias, or a file or a cell differs from what was frozen.
    """
    images = read_image_table(card.folder / "images.parquet")
    refuse_changed_files(card)
    refuse_changed_rows(card)
    _refuse_outside(card, images)
    tags = read_tag_table(card.folder / "tags.csv")
    known = set(map(canonical_spelling, tags.names))
    for column in tag_columns(images):
        carried = {name for names in images[column] for name in names} - tags.index.keys()
        if unknown := sorted(name for name in carried if canonical_spelling(name) not in known):
            where = "has tags" if column == "tags" else f"has in its column {column} tags"
            raise ArenaError(f"{card.folder}: images.parquet {where} that tags.csv lacks: {', '.join(unknown[:5])}")
    _refuse_missing_files(card, images)
    relations = TagRelations.read(card.folder)
    if aliased := [name for name in tags.names if relations.canonical(name) != name]:
        canonical = relations.canonical(aliased[0])
        raise ArenaError(f"{card.folder}: tags.csv lists {aliased[0]}, an alias of {canonical}; keep only {canonical}")
    dataset = HeldOut(card, images, tags, relations)
    if card.digest and card.digest != dataset.digest:
        raise ArenaError(
            f"{card.folder}: digest is {dataset.digest[:12]}, the card says {card.digest[:12]}; "
            "the dataset was changed after it was frozen. Restore it, or freeze it under a new name"
        )
    respelled = _respelled(dataset)
    _refuse_contradictions(respelled)
    return respelled


def tag_columns(images: pd.DataFrame) -> list[str]:
    """Return the columns that hold lists of tags."""
    return ["tags", *(name for name in KNOWN_COLUMNS if name in images.columns)]


def _refuse_contradictions(dataset: HeldOut) -> None:
    """Raise if an image has a tag that is also verified to be absent."""
    images = dataset.images
    if ABSENT not in images.columns:
        return
    for image_id, names, absent in zip(images["image_id"], images["tags"], images[ABSENT], strict=True):
        if both := sorted(set(names) & set(absent)):
            raise ArenaError(
                f"{dataset.card.folder}: images.parquet: image {image_id} has {both[0]} in tags and in {ABSENT}; "
                "a tag is either present or absent, remove it from one of the two columns"
            )


def _refuse_outside(card: DatasetCard, images: pd.DataFrame) -> None:
    """Raise if a path leaves the folder: a dataset must not read, show or copy other files of its user."""
    for path in {file for one in stored_images(images) for file in (one.path, one.file)}:
        if not isinstance(path, str) or not is_inside(path):
            raise ArenaError(
                f"{card.folder}: images.parquet lists {path!r}, which is not a path below the folder; "
                "copy the image into the folder, and list that path"
            )


def _refuse_missing_files(card: DatasetCard, images: pd.DataFrame) -> None:
    """Raise if image files are missing; the message names the first ones."""
    for name, what in tar_problems(card.folder, images):
        raise ArenaError(f"{card.folder}: {name}: {what}. Restore the folder images/ of dataset {card.name}")
    files = (one.path for one in stored_images(images) if not one.tar)
    if isinstance(card.folder, RemotePath):
        present = card.folder.files_below()
        missing = [path for path in files if path not in present]
    else:
        missing = [path for path in files if not os.path.exists(f"{card.folder}/{path}")]  # noqa: PTH110
    if missing:
        named = ", ".join(missing[:NAMED_MISSING_FILES]) + (" ..." if len(missing) > NAMED_MISSING_FILES else "")
        raise ArenaError(
            f"{card.folder}: lists {len(images)} images, {len(images) - len(missing)} found; missing {named}. "
            f"Restore the folder images/ of dataset {card.name}"
        )


def _respelled(dataset: HeldOut) -> HeldOut:
    """Return a dataset with every tag in its canonical spelling; tags with one canonical spelling are merged."""
    tags, images = dataset.tags, dataset.images
    columns = tag_columns(images)
    every_name = {*tags.names}.union(*(names for column in columns for names in images[column]))
    spelled = {name: canonical_spelling(name) for name in every_name}
    note = respelling_note(dataset.card.folder, spelled.items())
    if not note:
        return dataset
    categories = dict(sorted((spelled[name], tags.category(number)) for number, name in enumerate(tags.names)))
    labels = {
        column: pd.Series(
            [sorted({spelled[name] for name in names}) for names in images[column]], images.index, dtype=object
        )
        for column in columns
    }
    space = TagSpace(tuple(categories), tuple(categories.values()))
    return HeldOut(dataset.card, images.assign(**labels), space, dataset.relations, note)


def write_frozen(
    folder: Path, *, card: Mapping[str, Any], images: pd.DataFrame, tags: Sequence[tuple[str, str]]
) -> str:
    """Write `images.parquet`, `tags.csv` and `dataset.toml` of a frozen dataset whose image files exist already.

    Args:
        folder: the folder that holds `images/`.
        card: content of `dataset.toml`; `digest` and the number of images are added.
        images: one row per image, with `IMAGE_COLUMNS` and any further columns.
        tags: (name, category) of each tag of the ground truth.

    Returns: the digest of the dataset.
    """
    ordered = images.sort_values("image_id").reset_index(drop=True)
    more = [name for name in ordered.columns if name not in IMAGE_COLUMNS]
    _write_image_table(folder / "images.parquet", ordered[[*IMAGE_COLUMNS, *more]])
    write_tags(folder / "tags.csv", tags, Counter(name for names in ordered["tags"].tolist() for name in names))
    digest = digest_images(ordered)
    write_whole(folder / "dataset.toml", toml_text({**card, "images": len(ordered), "digest": digest}))
    return digest


def _write_image_table(path: Path, images: pd.DataFrame) -> None:
    """Write `images.parquet` in groups of `_ROWS_PER_GROUP` rows, because a Parquet table takes 1.5 kB of memory a row."""
    schema = pa.Schema.from_pandas(images.drop(columns=tag_columns(images)), preserve_index=False)
    known = {field.name: field for field in schema}
    fields = [known.get(name, pa.field(name, pa.list_(pa.string()))) for name in images.columns]
    whole = pa.Table.from_pandas(images.iloc[:_ROWS_PER_GROUP], schema=pa.schema(fields), preserve_index=False)
    with open_whole(path) as file, pq.ParquetWriter(file, whole.schema) as writer:
        writer.write_table(whole)
        for start in range(_ROWS_PER_GROUP, len(images), _ROWS_PER_GROUP):
            group = images.iloc[start : start + _ROWS_PER_GROUP]
            writer.write_table(pa.Table.from_pandas(group, schema=whole.schema, preserve_index=False))


def write_tags(path: Path, tags: Sequence[tuple[str, str]], positives: Mapping[str, int]) -> None:
    """Write `tags.csv`: name, category and number of positives of each tag, sorted by name."""
    rows = [
        {"name": name, "category": category, "positives": int(positives.get(name, 0))}
        for name, category in sorted(tags)
    ]
    write_whole(path, pd.DataFrame(rows).to_csv(index=False, lineterminator="\n"))


def toml_text(table: Mapping[str, Any]) -> str:
    """Format a table as TOML: strings, numbers, booleans, dates, lists of these, and arrays of flat tables.

    Raises:
        ArenaError: a value that a card cannot hold, such as a nested table.
    """
    arrays = {
        key: rows for key, rows in table.items() if isinstance(rows, list) and rows and isinstance(rows[0], Mapping)
    }
    flat = _toml_lines({key: value for key, value in table.items() if key not in arrays})
    blocks = ["\n".join([f"\n[[{_toml_key(key)}]]", *_toml_lines(row)]) for key, rows in arrays.items() for row in rows]
    return "\n".join(flat + blocks) + "\n"


def _toml_lines(table: Mapping[str, Any]) -> list[str]:
    return [f"{_toml_key(key)} = {_toml_value(key, value)}" for key, value in table.items()]


def _toml_key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _toml_value(key, key)


def _toml_value(key: str, value: Any) -> str:
    if isinstance(value, str):
        # Every escape that json.dumps writes is valid in a TOML basic string; TOML also requires DEL to be escaped.
        return json.dumps(value.encode("utf-8", "backslashreplace").decode(), ensure_ascii=False).replace(
            "\x7f", "\\u007f"
        )
    if isinstance(value, bool | int | float):
        return json.dumps(value).replace("NaN", "nan").replace("Infinity", "inf")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, list):
        return f"[{', '.join(_toml_value(key, item) for item in value)}]"
    raise ArenaError(
        f"dataset.toml: {key} is a {type(value).__name__}; a card holds text, numbers, and lists of tables"
    )


def read_image_table(path: Path) -> pd.DataFrame:
    """Read `images.parquet`, sorted by identifier.

    Raises:
        ArenaError: no such file, not a readable Parquet file, a required column or cell is missing, no row, or an identifier
            is listed twice or is neither text nor a whole number.
    """
    optional = {WEIGHT: Kind.NUMBER, **dict.fromkeys(KNOWN_COLUMNS, Kind.TEXTS), **TAR_KINDS}
    images = read_frame(path, _IMAGE_KINDS, optional=optional, others=True)
    if images.empty:
        raise ArenaError(f"{path}: no image in it; a held-out dataset needs at least one")
    for name in ("image_id", "path", "sha256", "tags"):
        if images[name].isna().any():
            raise ArenaError(f"{path}: {int(images[name].isna().sum())} rows have no {name}")
    for name in KNOWN_COLUMNS:
        if name in images.columns and (missing := int(images[name].isna().sum())):
            raise ArenaError(
                f"{path}: {missing} rows have no {name}; list the tags, or an empty list for an image without any"
            )
    refuse_incomplete_tars(path, images)
    images["image_id"] = [_identifier(path, value) for value in images["image_id"]]
    refuse_twice(path, "image_id", images["image_id"].tolist())
    return images.sort_values("image_id").reset_index(drop=True)


def _identifier(path: Path, value: Any) -> str:
    """Return an identifier as text; a whole number, such as a post id, is written without a decimal point.

    Raises:
        ArenaError: it is neither text nor a whole number.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    raise ArenaError(f"{path}: image_id is {value!r} ({type(value).__name__}); it must be text or a whole number")


def read_tag_table(path: Path) -> TagSpace:
    """Read `tags.csv`, sorted by name.

    Raises:
        ArenaError: no readable file, no tag, or a tag is listed twice.
    """
    rows = sorted(read_csv(path, ("name", "category"), complete=True), key=lambda row: row["name"])
    if not rows:
        raise ArenaError(f"{path}: no tag in it; list every tag of the ground truth as name,category")
    refuse_twice(path, "tag", [row["name"] for row in rows])
    return TagSpace(tuple(row["name"] for row in rows), tuple(row["category"] for row in rows))
