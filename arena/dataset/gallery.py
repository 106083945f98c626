"""Gallery of the pairs that a duplicate search found, as two thumbnails each, so that a person can judge the radius.

Pairs are sampled from every class and every distance, at random but reproducibly, so that pairs at the radius are shown as
well as pairs far below it.
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from arena.base.errors import UnreadableImageError
from arena.base.progress import Progress, Silent
from arena.base.tables import Kind, read_frame
from arena.dataset.copies.at_hand import find_image_files
from arena.dataset.files import DROPPED_FILE, DUPLICATES_FILE, default_workers, in_threads, is_inside
from arena.dataset.frozen import HeldOut, random_order, read_image_table
from arena.dataset.listing import list_source
from arena.dataset.tars import TAR, TAR_KINDS, row_place
from arena.images.thumbnails import webp_thumbnail

DISPLAY_CLASSES = ("identical", "near", "alternate", "rejected", "candidate")
"""Classes of pairs in display order; other classes follow by name."""

_SHOWN_TAGS = 8
"""Number of tags shown under a picture."""

SAMPLE_PICTURES = 24
"""Number of pictures that show what a dataset holds: about 100 kB."""

_NAMED_COLUMNS = ("left", "right", "source", "class", "found_by", "phash_bits", "dhash_bits")
"""Columns of `duplicates.parquet` that are fields of `DuplicateRow`; every other numeric column goes to `Pair.figures`."""

_PAIR_KINDS = {"left": Kind.IDENTIFIER, "right": Kind.IDENTIFIER, "class": Kind.TEXT}

_DROPPED_KINDS = {
    "image_id": Kind.IDENTIFIER, "path": Kind.TEXT, "tags": Kind.TEXTS, "rating": Kind.TEXT, "width": Kind.INTEGER,
    "height": Kind.INTEGER,
}  # fmt: skip


class DuplicateRow(NamedTuple):
    """A row of `duplicates.parquet`.

    Attributes:
        source: the index that contains `right`; empty if `right` is in the dataset itself.
        kind: class of the pair.
        phash_bits: None if the pair was found without hashes.
        figures: value of every other numeric column, by column name.
    """

    left: str
    right: str
    source: str
    kind: str
    found_by: str
    phash_bits: int | None
    dhash_bits: int | None
    figures: Mapping[str, float]


class PairPicture(NamedTuple):
    """One picture of a pair, as plain values.

    Attributes:
        thumbnail: WebP in base64; empty if there is none.
        missing: reason for a missing thumbnail; empty if there is one.
    """

    image_id: str
    rating: str
    width: int
    height: int
    tags: list[str]
    thumbnail: str
    missing: str


class _PictureFolder(NamedTuple):
    """A folder with pictures of one source, and their rows of the image table by identifier."""

    folder: Path
    rows: Mapping[str, Mapping[str, Any]]


def sample_pictures(
    heldout: HeldOut, *, most: int = SAMPLE_PICTURES, progress: Progress | None = None
) -> list[dict[str, Any]]:
    """Return some images of a dataset as plain values, see `PairPicture`; images without a readable file are left out.

    Which images they are depends only on the digests of the files.
    """
    ids = heldout.image_ids
    order = random_order(heldout.images["sha256"], ids, seed=0)[:most]
    shelf = _shelf(heldout.card.folder, {ids[row] for row in order})
    with (progress or Silent()).count("pictures", len(order), 0) as advance:
        loaded = in_threads(
            lambda row: _picture([shelf], ids[row]), sorted(order), workers=default_workers(), advance=advance
        )
        return [one._asdict() for one in loaded if one.thumbnail]


def gallery(
    folder: Path, pictures: Sequence[tuple[str, Path]], *, most: int, progress: Progress | None = None
) -> dict[str, Any] | None:
    """Return the content of the duplicates section of a dataset page, or None if the folder has no `duplicates.parquet`.

    Args:
        pictures: (source, folder): the folder with the pictures of a source, either a dataset or a folder of images. The empty
            source is the dataset itself, which also stores thumbnails of the images that it dropped.
        most: largest number of pairs to show.

    Raises:
        ArenaError: a table cannot be read, or lacks a column.
    """
    if not (folder / DUPLICATES_FILE).exists():
        return None
    pairs = read_pairs(folder / DUPLICATES_FILE)
    chosen = sample_duplicates(pairs, most=most)
    wanted = {name for pair in chosen for name in (pair.left, pair.right)}
    shelves: dict[str, list[_PictureFolder]] = {"": [_shelf(folder, wanted)]}
    for source, picture_folder in pictures:
        shelves.setdefault(source, []).append(_shelf(picture_folder, wanted))
    members = [member for pair in chosen for member in (("", pair.left), (pair.source, pair.right))]

    def load(member: tuple[str, str]) -> PairPicture:
        source, image_id = member
        return _picture(shelves.get(source, []), image_id)

    with (progress or Silent()).count("thumbnails", len(members), 0) as advance:
        loaded = list(in_threads(load, members, workers=default_workers(), advance=advance))
    shown = [
        {**pair._asdict(), "pictures": [left._asdict(), right._asdict()]}
        for pair, left, right in zip(chosen, loaded[::2], loaded[1::2], strict=True)
    ]
    return {"pairs": len(pairs), "distances": _distances(pairs), "classes": _classes(pairs, shown)}


def read_pairs(path: Path) -> list[DuplicateRow]:
    """Read every row of `duplicates.parquet`; distances and other figures may be absent.

    Raises:
        ArenaError: not a readable Parquet file, or one of the columns `left`, `right` and `class` is missing.
    """
    optional = {"source": Kind.TEXT, "found_by": Kind.TEXT, "phash_bits": Kind.INTEGER, "dhash_bits": Kind.INTEGER}
    table = read_frame(path, _PAIR_KINDS, optional=optional, others=True, fix="search again")
    others = [name for name in table.select_dtypes("number").columns if name not in _NAMED_COLUMNS]
    return [
        DuplicateRow(
            left=str(row["left"]), right=str(row["right"]), source=_text(row.get("source")), kind=_text(row["class"]),
            found_by=_text(row.get("found_by")), phash_bits=_bits(row.get("phash_bits")),
            dhash_bits=_bits(row.get("dhash_bits")),
            figures={name: float(row[name]) for name in others if not pd.isna(row[name])},
        )
        for row in table.to_dict("records")
    ]  # fmt: skip


def sample_duplicates(pairs: Sequence[DuplicateRow], *, most: int) -> list[DuplicateRow]:
    """Return at most `most` pairs, sampled as evenly as possible from every class and every pHash distance.

    Within a class and distance the order is random but reproducible, by a hash of the identifiers. If `most` is smaller than
    the number of (class, distance) slices, the slices shown are evenly spaced among all.
    """
    slices: dict[tuple[int, str, int], list[DuplicateRow]] = {}
    for pair in pairs:
        slices.setdefault(_slice_key(pair), []).append(pair)
    each = _per_slice([len(part) for part in slices.values()], most)
    chosen = [pair for key in sorted(slices) for pair in sorted(slices[key], key=_random_key)[:each]]
    return chosen if len(chosen) <= most else [chosen[number * len(chosen) // most] for number in range(most)]


def _slice_key(pair: DuplicateRow) -> tuple[int, str, int]:
    rank = DISPLAY_CLASSES.index(pair.kind) if pair.kind in DISPLAY_CLASSES else len(DISPLAY_CLASSES)
    return rank, pair.kind, -1 if pair.phash_bits is None else pair.phash_bits


def _random_key(pair: DuplicateRow) -> bytes:
    return hashlib.sha256("\0".join((pair.left, pair.right, pair.source)).encode("utf-8", "backslashreplace")).digest()


def _per_slice(sizes: Sequence[int], most: int) -> int:
    """Return the largest number of pairs per slice that keeps the total within `most`; at least 1.

    >>> _per_slice([100, 2, 100], 12), _per_slice([3, 3], 100), _per_slice([5, 5, 5], 2)
    (5, 3, 1)
    """
    each = 1
    while each < max(sizes, default=0) and sum(min(size, each + 1) for size in sizes) <= most:
        each += 1
    return each


def _distances(pairs: Sequence[DuplicateRow]) -> list[dict[str, Any]]:
    """Return the number of pairs of each class at each pHash distance; pairs without a distance come first."""
    counts = Counter((-1 if pair.phash_bits is None else pair.phash_bits, pair.kind) for pair in pairs)
    return [
        {"bits": None if bits < 0 else bits, "pairs": {kind: n for (b, kind), n in sorted(counts.items()) if b == bits}}
        for bits in sorted({bits for bits, _ in counts})
    ]


def _classes(pairs: Sequence[DuplicateRow], shown: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the pairs that are shown, by class, then by distance."""
    totals = Counter(pair.kind for pair in pairs)
    order = sorted(
        totals,
        key=lambda kind: (DISPLAY_CLASSES.index(kind) if kind in DISPLAY_CLASSES else len(DISPLAY_CLASSES), kind),
    )
    classes = []
    for kind in order:
        own = [row for row in shown if row["kind"] == kind]
        slices = [
            {"bits": bits, "pairs": [row for row in own if row["phash_bits"] == bits]}
            for bits in dict.fromkeys(row["phash_bits"] for row in own)
        ]
        classes.append({"kind": kind, "pairs": totals[kind], "shown": len(own), "slices": slices})
    return classes


def _shelf(folder: Path, wanted: set[str]) -> _PictureFolder:
    """Return the rows of the wanted images of a folder; a folder of images without a dataset gives only their paths."""
    if not (folder / "dataset.toml").exists():
        found = find_image_files(wanted, [list_source(str(folder), None)])
        unknown = {"tags": [], "rating": "", "width": 0, "height": 0}
        files = {name: str(place.relative_to(folder)) for name, place in found.items() if isinstance(place, Path)}
        return _PictureFolder(folder, {name: {**unknown, "path": path} for name, path in files.items()})
    tables = [read_image_table(folder / "images.parquet")]
    if (folder / DROPPED_FILE).exists():
        dropped = read_frame(
            folder / DROPPED_FILE,
            _DROPPED_KINDS,
            optional={"thumbnail": Kind.BYTES, **TAR_KINDS},
            fix="run dedup again",
        )
        tables.insert(0, dropped.dropna(subset=["image_id", "path", "tags"]))
    rows = [row for table in tables for row in table[table["image_id"].isin(wanted)].to_dict("records")]
    return _PictureFolder(
        folder, {str(row["image_id"]): {str(key): value for key, value in row.items()} for row in rows}
    )


def _picture(shelves: Sequence[_PictureFolder], image_id: str) -> PairPicture:
    """Return the picture of an identifier from the first shelf that has it."""
    for folder, rows in shelves:
        if (row := rows.get(image_id)) is not None:
            image, missing = _thumbnail(folder, row)
            tags, rating = list(map(str, row["tags"]))[:_SHOWN_TAGS], _text(row["rating"])
            return PairPicture(
                image_id, rating, _bits(row["width"]) or 0, _bits(row["height"]) or 0, tags, image, missing
            )
    return PairPicture(image_id, "", 0, 0, [], "", "picture not available")


class _Thumbnail(NamedTuple):
    """A thumbnail in base64, or the reason why there is none."""

    image: str
    missing: str


def _thumbnail(folder: Path, row: Mapping[str, Any]) -> _Thumbnail:
    """Return the stored thumbnail of a dropped image, or make one from the file."""
    stored = row.get("thumbnail")
    if not stored and not _inside(row):
        return _Thumbnail("", "outside the folder")
    try:
        return _Thumbnail(base64.b64encode(stored or webp_thumbnail(row_place(folder, row))).decode(), "")
    except UnreadableImageError as error:
        return _Thumbnail("", str(error))


def _inside(row: Mapping[str, Any]) -> bool:
    """Return whether the path of an image, and that of its tar, lie below the folder."""
    return is_inside(str(row["path"])) and (not _text(row.get(TAR)) or is_inside(str(row[TAR])))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None or pd.isna(value) else str(value)


def _bits(value: Any) -> int | None:
    return None if value is None or pd.isna(value) else int(value)
