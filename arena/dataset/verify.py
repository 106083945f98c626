"""Verify a frozen dataset: every file against its digest, every table against the card."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from arena.base.errors import FailedError, UnreadableImageError
from arena.base.format import plural
from arena.base.progress import Progress, Silent
from arena.cards import DatasetCard
from arena.dataset.files import default_workers, in_threads, is_inside
from arena.dataset.frozen import digest_images, read_image_table, read_tag_table, tag_columns
from arena.dataset.pins import Fault, file_faults, row_faults
from arena.dataset.tars import Stored, stored_images
from arena.images.decode import decode
from arena.images.places import ImagePlace, digest_image
from arena.tags import TagRelations
from arena.tags.rows import read_csv

NAMED_FAULTS = 20
"""Largest number of faults that are listed; further ones are only counted."""


@dataclass(frozen=True)
class Verification:
    """Result of a verification.

    Attributes:
        images: number of rows of `images.parquet`.
        size_bytes: total size of the image files that were read.
        digest: digest of the dataset as it is now.
        faults: faults of the tables, then of images by path, then surplus files.
    """

    images: int
    size_bytes: int
    digest: str
    faults: tuple[Fault, ...]


class _Image(NamedTuple):
    """The columns of `images.parquet` that an image file is checked against."""

    stored: Stored
    sha256: str
    width: int
    height: int


class _Checked(NamedTuple):
    size_bytes: int
    what: str


def verify_dataset(
    card: DatasetCard, *, decoding: bool = False, workers: int | None = None, progress: Progress | None = None
) -> Verification:
    """Compare the files of a frozen folder with its card and tables.

    Args:
        decoding: also decode every image and compare its size in pixels.

    Raises:
        ArenaError: `images.parquet` or `tags.csv` cannot be read at all.
    """
    folder = card.folder
    images = read_image_table(folder / "images.parquet")
    faults = [*_table_faults(card, images), *_tag_faults(folder, images)]
    columns = (images[name].tolist() for name in _Image._fields[1:])
    rows = sorted(_Image(*cells) for cells in zip(stored_images(images), *columns, strict=True))

    def check(row: _Image) -> _Checked:
        return _check_image(folder, row, decoding)

    with (progress or Silent()).count("images", len(rows), 0) as advance:
        checked = list(in_threads(check, rows, workers=workers or default_workers(), advance=advance))
    faults += [Fault(row.stored.path, one.what) for row, one in zip(rows, checked, strict=True) if one.what]
    faults += [
        Fault(path, "no row of images.parquet lists it") for path in _surplus(folder, {row.stored.file for row in rows})
    ]
    return Verification(len(rows), sum(one.size_bytes for one in checked), digest_images(images), tuple(faults))


def _table_faults(card: DatasetCard, images: pd.DataFrame) -> Iterator[Fault]:
    """Yield the differences between the card and the tables."""
    if not card.digest:
        yield Fault("dataset.toml", "it has no digest, so nothing pins the dataset; freeze it")
    elif card.digest != (found := digest_images(images)):
        yield Fault("images.parquet", f"its digest is {found[:12]}, the card says {card.digest[:12]}")
    declared = card.facts.get("images", len(images))
    if declared != len(images):
        yield Fault("images.parquet", f"it has {len(images)} rows, the card says {declared}")
    yield from row_faults(card)
    yield from file_faults(card)


def _tag_faults(folder: Path, images: pd.DataFrame) -> Iterator[Fault]:
    """Yield the differences between `tags.csv`, the relations and the tags of the images."""
    tags, relations = read_tag_table(folder / "tags.csv"), TagRelations.read(folder)
    carried = Counter(name for names in images["tags"] for name in set(names))
    for name in sorted(carried.keys() - tags.index.keys()):
        yield Fault("tags.csv", f"it lacks {name}, which {carried[name]} images carry")
    for column in tag_columns(images)[1:]:
        unknown = {name for names in images[column] for name in names} - tags.index.keys()
        for name in sorted(unknown - carried.keys()):
            yield Fault("tags.csv", f"it lacks {name}, which the column {column} lists")
    for name in tags.names:
        if relations.canonical(name) != name:
            yield Fault("tags.csv", f"{name} is an alias of {relations.canonical(name)}")
    for row in read_csv(folder / "tags.csv", ("name",), complete=True):
        declared = row.get("positives")
        if declared and declared != str(carried[row["name"]]):
            yield Fault(
                "tags.csv", f"{row['name']} has {declared} positives, but {carried[row['name']]} images carry it"
            )


def _check_image(folder: Path, row: _Image, decoding: bool) -> _Checked:
    """Check one image file; `what` is empty if the file is correct."""
    path = folder / row.stored.file
    if not is_inside(row.stored.file):
        return _Checked(0, "not a path below the folder")
    if not path.exists():
        return _Checked(0, "missing")
    if not path.is_file():
        return _Checked(0, "not a regular file")
    if not path.resolve().is_relative_to(folder.resolve()):
        return _Checked(0, "a link that leaves the folder")
    try:
        place = row.stored.place(folder)
        size, found = row.stored.length or path.stat().st_size, digest_image(place)
    except UnreadableImageError as error:
        return _Checked(0, str(error))
    except OSError as error:
        return _Checked(0, f"not readable ({error.strerror})")
    if found != row.sha256:
        return _Checked(size, f"its sha256 is {found[:12]}, images.parquet says {row.sha256[:12]} ({size:,} bytes)")
    return _Checked(size, _decode_fault(place, row) if decoding else "")


def _decode_fault(place: ImagePlace, row: _Image) -> str:
    try:
        height, width, _ = decode(place).shape
    except UnreadableImageError as error:
        return f"it does not decode: {error}"
    if (width, height) != (row.width, row.height):
        return f"it is {width} x {height}, images.parquet says {row.width} x {row.height}"
    return ""


def _surplus(folder: Path, named: set[str]) -> list[str]:
    """Return the files below `images/` that no row lists."""
    found = []
    for place, _, files in os.walk(folder / "images"):
        below = Path(place).relative_to(folder)
        found += [path for name in files if (path := (below / name).as_posix()) not in named]
    return sorted(found)


def fault_lines(verification: Verification) -> list[str]:
    """Return one line per fault, at most `NAMED_FAULTS`, then a count of the others; control characters are escaped."""
    lines = [
        "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in f"{path}: {what}")
        for path, what in verification.faults[:NAMED_FAULTS]
    ]
    more = len(verification.faults) - len(lines)
    return [*lines, f"and {more:,} more"] if more else lines


def refuse_faults(card: DatasetCard, verification: Verification) -> None:
    """Raise `FailedError` if a verification found faults."""
    if verification.faults:
        raise FailedError(
            f"{card.folder}: {plural(len(verification.faults), 'fault', 'faults')} in a dataset of "
            f"{plural(verification.images, 'image', 'images')}; restore the files, or freeze the dataset again"
        )
