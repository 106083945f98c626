"""Thumbnails for pages: create one, and write and read the thumbnails of a run folder.

`thumbnails/` holds a WebP of each image, and `thumbnails.parquet` maps images to files. A file is named by a digest of the
image's identifier and content. The name reveals nothing, is safe for any identifier, and identifies an existing thumbnail.
"""

import hashlib
import io
import os
import re
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from PIL import Image

from arena.base.errors import ArenaError, UnreadableImageError
from arena.base.files import digest_file, open_whole, remove_temporary, write_whole
from arena.base.progress import Progress, Silent
from arena.base.tables import Kind, read_frame
from arena.images.decode import read_picture
from arena.images.in_flight import picture_in_flight
from arena.images.places import ImagePlace

THUMBNAIL_SIDE = 160
"""Longest side, pixels: enough to see what is drawn, and 2 to 6 kB."""

QUALITY = 50
"""WebP quality, 0 to 100."""

THUMBNAIL_FOLDER, TABLE = "thumbnails", "thumbnails.parquet"
"""Folder of the thumbnails in a run folder, and the table in that folder."""

_BATCH = 64
"""Images queued at a time; at most this many thumbnails too many are made when the size limit is reached."""

_COLUMNS = {
    "image_id": Kind.IDENTIFIER, "file": Kind.TEXT, "rating": Kind.TEXT, "width": Kind.INTEGER, "height": Kind.INTEGER,
}  # fmt: skip

_OPTIONAL = {"sha256": Kind.TEXT}
"""Columns that a table of an earlier version does not have."""

_OWN = re.compile(r"[0-9a-f]{16}\.webp")
"""Names of the files written here; other files are never removed."""


class ThumbnailSource(NamedTuple):
    """An image that needs a thumbnail."""

    image_id: str
    path: ImagePlace
    sha256: str
    """Digest of the file; a changed file gets a new thumbnail."""
    rating: str


class Thumbnail(NamedTuple):
    """A thumbnail in the folder."""

    file: str
    rating: str
    """Rating of the image, as a word of the dataset."""
    width: int
    height: int
    sha256: str = ""
    """Digest of the thumbnail's bytes; empty in a table of an earlier version."""


class Limits(NamedTuple):
    """Largest number and total size of a run folder's thumbnails."""

    images: int
    bytes: int


class WrittenThumbnails(NamedTuple):
    """Result of `write_thumbnails`."""

    images: int
    bytes: int
    unreadable: int
    """Images without a thumbnail because their files could not be read."""


def webp_thumbnail(path: ImagePlace, side: int = THUMBNAIL_SIDE) -> bytes:
    """Return the thumbnail of an image file as WebP bytes.

    Args:
        path: where the image is read.
        side: longest side in pixels.

    Raises:
        UnreadableImageError: the file cannot be decoded.
    """
    with picture_in_flight(str(path)):
        image = read_picture(path, least_side=side).image
        image.thumbnail((side, side))
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=QUALITY)
    return buffer.getvalue()


def write_thumbnails(
    run: Path, sources: Sequence[ThumbnailSource], *, limits: Limits, progress: Progress | None = None
) -> WrittenThumbnails:
    """Write thumbnails of the first readable sources to a run folder, as many as the limits allow.

    Existing thumbnails are kept, unless they were changed. Thumbnails of other images are removed. The table is written last.
    """
    folder, sources = run / THUMBNAIL_FOLDER, sources[: limits.images]
    folder.mkdir(parents=True, exist_ok=True)
    changed = _changed_files(run)
    rows, total, unreadable = [], 0, 0
    with (progress or Silent()).count("thumbnails", len(sources), 0) as advance:
        for source, made in _in_threads(lambda source: _make(folder, source, changed), sources, advance):
            if made is None:
                unreadable += 1
            elif total + made.bytes > limits.bytes:
                break
            else:
                total += made.bytes
                rows.append({"image_id": source.image_id, **made.thumbnail._asdict()})
    _write_table(folder, rows)
    kept = {row["file"] for row in rows}
    for path in folder.iterdir():
        if _OWN.fullmatch(path.name) and path.name not in kept:
            path.unlink()
    remove_temporary(folder)
    return WrittenThumbnails(len(rows), total, unreadable)


def read_thumbnails(run: Path) -> dict[str, Thumbnail]:
    """Return the thumbnails of a run folder by image, without files that are missing or were changed; empty without a table.

    Raises:
        ArenaError: the table cannot be read.
    """
    folder = run / THUMBNAIL_FOLDER
    return {
        image: one
        for image, one in _listed(run).items()
        if _OWN.fullmatch(one.file) and (folder / one.file).is_file() and not _is_changed(folder, one)
    }


def changed_thumbnails(run: Path) -> list[str]:
    """Return the names of thumbnails that the table of a run folder lists, but that are missing or were changed.

    Raises:
        ArenaError: the table cannot be read.
    """
    folder = run / THUMBNAIL_FOLDER
    return [one.file for one in _listed(run).values() if not (folder / one.file).is_file() or _is_changed(folder, one)]


def _changed_files(run: Path) -> set[str]:
    """Return `changed_thumbnails`; empty if the table cannot be read, because it is then written again."""
    try:
        return set(changed_thumbnails(run))
    except ArenaError:
        return set()


def _is_changed(folder: Path, one: Thumbnail) -> bool:
    return bool(one.sha256) and digest_file(folder / one.file) != one.sha256


def _listed(run: Path) -> dict[str, Thumbnail]:
    """Return the rows of the table by image; empty if there is none.

    Raises:
        ArenaError: the table cannot be read.
    """
    path = run / THUMBNAIL_FOLDER / TABLE
    if not path.exists():
        return {}
    table = read_frame(path, _COLUMNS, optional=_OPTIONAL, fix="remove the folder, or score again")
    complete = table.dropna(subset=list(_COLUMNS))
    return {str(row["image_id"]): _of_row(row) for row in complete.to_dict("records")}


def _of_row(row: Mapping[Hashable, Any]) -> Thumbnail:
    sizes = int(row["width"]), int(row["height"])
    return Thumbnail(str(row["file"]), str(row["rating"]), *sizes, str(row.get("sha256", "")))


def remove_thumbnails(run: Path) -> None:
    """Remove the thumbnails of a run folder, and their folder if nothing else is in it."""
    folder = run / THUMBNAIL_FOLDER
    if not folder.is_dir():
        return
    remove_temporary(folder)
    for path in folder.iterdir():
        if path.name == TABLE or _OWN.fullmatch(path.name):
            path.unlink()
    with suppress(OSError):  # it holds other files
        folder.rmdir()


def file_name(source: ThumbnailSource) -> str:
    """Return the file name of an image's thumbnail: 16 hexadecimal digits and the suffix.

    >>> file_name(ThumbnailSource("../a", Path("a.png"), "ab" * 32, "general"))
    '74818781f1b55dc4.webp'
    """
    identity = "\0".join((source.image_id, source.sha256, str(THUMBNAIL_SIDE), str(QUALITY)))
    return f"{hashlib.sha256(identity.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}.webp"


class _Made(NamedTuple):
    """A thumbnail and the size of its file."""

    thumbnail: Thumbnail
    bytes: int


def _make(folder: Path, source: ThumbnailSource, changed: Collection[str]) -> _Made | None:
    """Return the existing thumbnail, or write a new one; None if the image cannot be read.

    Args:
        changed: names of existing thumbnails that are made again.
    """
    path = folder / file_name(source)
    if path.name in changed:
        path.unlink(missing_ok=True)
    try:
        size = _size_of(path)
    except (OSError, SyntaxError):  # missing or damaged
        try:
            content = webp_thumbnail(source.path)
        except UnreadableImageError:
            return None
        write_whole(path, content)
        size = _size_of(path)
    return _Made(Thumbnail(path.name, source.rating, *size, digest_file(path)), path.stat().st_size)


def _size_of(path: Path) -> tuple[int, int]:
    """Read width and height from the header of a file."""
    with Image.open(path, formats=("WEBP",)) as image:
        return image.size


def _in_threads(
    make: Callable[[ThumbnailSource], _Made | None], sources: Sequence[ThumbnailSource], advance: Callable[[int], None]
) -> Iterator[tuple[ThumbnailSource, _Made | None]]:
    """Yield each source with its thumbnail, in order; if the caller stops early, at most one more batch is finished."""
    with ThreadPoolExecutor(max(2, os.cpu_count() or 1), thread_name_prefix="thumbnails") as pool:
        try:
            for start in range(0, len(sources), _BATCH):
                batch = sources[start : start + _BATCH]
                for pair in zip(batch, pool.map(make, batch), strict=True):
                    advance(1)
                    yield pair
        finally:
            pool.shutdown(cancel_futures=True)


def _write_table(folder: Path, rows: Sequence[dict[str, object]]) -> None:
    table = pd.DataFrame(rows, columns=["image_id", *Thumbnail._fields])
    with open_whole(folder / TABLE) as file:
        table.to_parquet(file, index=False)
