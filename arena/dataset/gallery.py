"""The pairs that a search for duplicates found, as pictures side by side, so that a person can judge the radius.

Of every class and every distance some pairs are taken, at random yet always the same ones: what lies at the radius is seen
as well as what lies far below it.
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from arena.base.errors import ArenaError, UnreadableImageError
from arena.base.progress import Progress, Silent
from arena.dataset.copies.at_hand import paths_of
from arena.dataset.files import DROPPED_FILE, DUPLICATES_FILE, default_workers, in_threads, is_inside
from arena.dataset.frozen import read_images
from arena.dataset.listing import list_source
from arena.images.thumbnails import webp_thumbnail

CLASSES = ("identical", "near", "alternate", "rejected", "candidate")
"""Classes of pairs in the order in which they are shown; others follow by name."""

SHOWN_TAGS = 8
"""Tags that stand under a picture."""

_TOLD = ("left", "right", "source", "class", "found_by", "phash_bits", "dhash_bits")
"""Columns of `duplicates.parquet` that have a place of their own; every other number stands beside them."""


class Pair(NamedTuple):
    """A row of `duplicates.parquet`.

    Attributes:
        source: the index that `right` is of; empty where it is of the set itself.
        kind: the class.
        phash_bits: None where the pair was found without hashes.
        figures: every other number of the row, by column.
    """

    left: str
    right: str
    source: str
    kind: str
    found_by: str
    phash_bits: int | None
    dhash_bits: int | None
    figures: Mapping[str, float]


class Picture(NamedTuple):
    """One side of a pair, as plain values.

    Attributes:
        thumbnail: WebP, base64; empty where there is none, and then `missing` says why.
    """

    image_id: str
    rating: str
    width: int
    height: int
    tags: list[str]
    thumbnail: str
    missing: str


class Shelf(NamedTuple):
    """Where pictures of one source are: a folder, and what is known of those in it, by identifier."""

    folder: Path
    rows: Mapping[str, Mapping[str, Any]]


def gallery(
    folder: Path, pictures: Sequence[tuple[str, Path]], *, most: int, progress: Progress | None = None
) -> dict[str, Any] | None:
    """What a page shows of `duplicates.parquet`, or None where the folder has none.

    Args:
        pictures: (source, folder) in which the pictures of that source are looked up, a dataset or images alone; the empty
            source is the set itself. Of images that it dropped itself it has thumbnails.
        most: pairs that are shown in all.

    Raises:
        ArenaError: a table cannot be read, or lacks a column.
    """
    if not (folder / DUPLICATES_FILE).exists():
        return None
    pairs = read_pairs(folder / DUPLICATES_FILE)
    chosen = choose(pairs, most=most)
    wanted = {name for pair in chosen for name in (pair.left, pair.right)}
    shelves: dict[str, list[Shelf]] = {"": [_shelf(folder, wanted)]}
    for source, place in pictures:
        shelves.setdefault(source, []).append(_shelf(place, wanted))
    sides = [side for pair in chosen for side in (("", pair.left), (pair.source, pair.right))]

    def take(side: tuple[str, str]) -> Picture:
        return _picture(shelves.get(side[0], []), side[1])

    with (progress or Silent()).count("thumbnails", len(sides), 0) as advance:
        taken = list(in_threads(take, sides, workers=default_workers(), advance=advance))
    shown = [
        {**pair._asdict(), "pictures": [left._asdict(), right._asdict()]}
        for pair, left, right in zip(chosen, taken[::2], taken[1::2], strict=True)
    ]
    return {"pairs": len(pairs), "distances": _distances(pairs), "classes": _classes(pairs, shown)}


def read_pairs(path: Path) -> list[Pair]:
    """Every row of `duplicates.parquet`; distances and other figures may be absent."""
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise ArenaError(f"{path}: no readable Parquet file ({str(error).splitlines()[0]}); search again") from None
    if lacking := [name for name in ("left", "right", "class") if name not in table.columns]:
        raise ArenaError(f"{path}: no column {', '.join(lacking)}; it has {', '.join(map(str, table.columns))}")
    others = [name for name in table.select_dtypes("number").columns if name not in _TOLD]
    return [
        Pair(
            left=str(row["left"]), right=str(row["right"]), source=_text(row.get("source")), kind=_text(row["class"]),
            found_by=_text(row.get("found_by")), phash_bits=_bits(row.get("phash_bits")),
            dhash_bits=_bits(row.get("dhash_bits")),
            figures={name: float(row[name]) for name in others if not pd.isna(row[name])},
        )
        for row in table.to_dict("records")
    ]  # fmt: skip


def choose(pairs: Sequence[Pair], *, most: int) -> list[Pair]:
    """At most so many pairs, as evenly as can be from every class and every distance of pHash.

    Within a class and distance the pairs come at random, by a hash of their names. Where `most` is less than there are
    classes and distances, the distances shown are spread over all.
    """
    slices: dict[tuple[int, str, int], list[Pair]] = {}
    for pair in pairs:
        slices.setdefault(_place(pair), []).append(pair)
    each = _share([len(part) for part in slices.values()], most)
    chosen = [pair for key in sorted(slices) for pair in sorted(slices[key], key=_lot)[:each]]
    return chosen if len(chosen) <= most else [chosen[place * len(chosen) // most] for place in range(most)]


def _place(pair: Pair) -> tuple[int, str, int]:
    rank = CLASSES.index(pair.kind) if pair.kind in CLASSES else len(CLASSES)
    return rank, pair.kind, -1 if pair.phash_bits is None else pair.phash_bits


def _lot(pair: Pair) -> bytes:
    return hashlib.sha256("\0".join((pair.left, pair.right, pair.source)).encode("utf-8", "backslashreplace")).digest()


def _share(sizes: Sequence[int], most: int) -> int:
    """The largest number of each that keeps the total within `most`; at least 1.

    >>> _share([100, 2, 100], 12), _share([3, 3], 100), _share([5, 5, 5], 2)
    (5, 3, 1)
    """
    each = 1
    while each < max(sizes, default=0) and sum(min(size, each + 1) for size in sizes) <= most:
        each += 1
    return each


def _distances(pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """How many pairs of each class lie at each distance of pHash; those without a distance come first."""
    counts = Counter((-1 if pair.phash_bits is None else pair.phash_bits, pair.kind) for pair in pairs)
    return [
        {"bits": None if bits < 0 else bits, "pairs": {kind: n for (b, kind), n in sorted(counts.items()) if b == bits}}
        for bits in sorted({bits for bits, _ in counts})
    ]


def _classes(pairs: Sequence[Pair], shown: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The pairs that are shown, by class, then by distance."""
    totals = Counter(pair.kind for pair in pairs)
    order = sorted(totals, key=lambda kind: (CLASSES.index(kind) if kind in CLASSES else len(CLASSES), kind))
    classes = []
    for kind in order:
        own = [row for row in shown if row["kind"] == kind]
        slices = [
            {"bits": bits, "pairs": [row for row in own if row["phash_bits"] == bits]}
            for bits in dict.fromkeys(row["phash_bits"] for row in own)
        ]
        classes.append({"kind": kind, "pairs": totals[kind], "shown": len(own), "slices": slices})
    return classes


def _shelf(folder: Path, wanted: set[str]) -> Shelf:
    """The rows of a folder that are asked for; of images alone nothing is known but where they are."""
    if not (folder / "dataset.toml").exists():
        found = paths_of(wanted, [list_source(str(folder), None)])
        unknown = {"tags": [], "rating": "", "width": 0, "height": 0}
        return Shelf(folder, {name: {**unknown, "path": str(path.relative_to(folder))} for name, path in found.items()})
    tables = [read_images(folder / "images.parquet")]
    if (folder / DROPPED_FILE).exists():
        tables.insert(0, pd.read_parquet(folder / DROPPED_FILE))
    rows = [row for table in tables for row in table[table["image_id"].isin(wanted)].to_dict("records")]
    return Shelf(folder, {str(row["image_id"]): {str(key): value for key, value in row.items()} for row in rows})


def _picture(shelves: Sequence[Shelf], image_id: str) -> Picture:
    """The picture of an identifier from the first shelf that has it."""
    for folder, rows in shelves:
        if (row := rows.get(image_id)) is not None:
            image, missing = _thumbnail(folder, row)
            tags, rating = list(map(str, row["tags"]))[:SHOWN_TAGS], _text(row["rating"])
            return Picture(image_id, rating, int(row["width"]), int(row["height"]), tags, image, missing)
    return Picture(image_id, "", 0, 0, [], "", "picture not at hand")


class _Thumbnail(NamedTuple):
    """In base64, or why there is none."""

    image: str
    missing: str


def _thumbnail(folder: Path, row: Mapping[str, Any]) -> _Thumbnail:
    """The thumbnail that was kept of a dropped image, or one of the file."""
    path, kept = str(row["path"]), row.get("thumbnail")
    if not kept and not is_inside(path):
        return _Thumbnail("", "outside the folder")
    try:
        return _Thumbnail(base64.b64encode(kept or webp_thumbnail(folder / path)).decode(), "")
    except UnreadableImageError as error:
        return _Thumbnail("", str(error))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None or pd.isna(value) else str(value)


def _bits(value: Any) -> int | None:
    return None if value is None or pd.isna(value) else int(value)
