"""Images of a dataset inside tar files without compression, such as the shards of webdataset.

A row of `images.parquet` with a `tar` is read in place: `tar` is the path of the tar below the dataset folder, `tar_offset` the
first byte of the image, and `tar_length` its number of bytes. `path` then only names the image. A row without these columns, or
with an empty `tar`, is the file `path`.
"""

import os
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, overload

import pandas as pd

from arena.base.errors import ArenaError
from arena.base.files import digest_bytes
from arena.base.tables import Kind
from arena.images.formats import HEAD_BYTES, IMAGE_SUFFIXES, is_image_head
from arena.images.places import ImagePlace, TarMember

TAR, TAR_OFFSET, TAR_LENGTH = "tar", "tar_offset", "tar_length"

TAR_KINDS = {TAR: Kind.TEXT, TAR_OFFSET: Kind.INTEGER, TAR_LENGTH: Kind.INTEGER}
"""Optional columns of `images.parquet`, all three or none."""

TAR_BYTES = 1_000_000_000
"""Largest size of a tar file that is written, unless one image is larger."""

_PLAIN_TAR = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}\.tar")

_BLOCK = 512
"""Bytes of a header; contents are padded to a multiple of it."""


class Stored(NamedTuple):
    """Where the table says that an image is, relative to the dataset folder; `tar` is empty for an image file."""

    path: str
    tar: str = ""
    offset: int = 0
    length: int = 0

    @property
    def file(self) -> str:
        """Path of the file that holds the image."""
        return self.tar or self.path

    def place(self, folder: Path) -> ImagePlace:
        """Return where the image is read."""
        return TarMember(folder / self.tar, self.offset, self.length) if self.tar else folder / self.path


def stored_images(images: pd.DataFrame) -> Iterator[Stored]:
    """Return where each row of `images.parquet` says that its image is."""
    return map(Stored, *_columns(images))


class ImagePlaces(Sequence[ImagePlace]):
    """Where each image of a table is read; a place is made when it is asked for, because a million paths take 400 MB."""

    def __init__(self, folder: Path, stored: Sequence[Sequence[Any]]) -> None:
        """Take the columns of the table: paths, and for a table with tars the columns of `TAR_KINDS`."""
        self._folder, self._columns = folder, stored

    def __len__(self) -> int:
        return len(self._columns[0])

    @overload
    def __getitem__(self, row: int) -> ImagePlace: ...

    @overload
    def __getitem__(self, row: slice) -> "ImagePlaces": ...

    def __getitem__(self, row: int | slice) -> "ImagePlace | ImagePlaces":
        """Return the place of a row, or some rows."""
        if isinstance(row, slice):
            return ImagePlaces(self._folder, [column[row] for column in self._columns])
        return Stored(*(column[row] for column in self._columns)).place(self._folder)


def image_places(folder: Path, images: pd.DataFrame) -> ImagePlaces:
    """Return where each image of a table is read."""
    return ImagePlaces(folder, _columns(images))


def _columns(images: pd.DataFrame) -> list[list[Any]]:
    """Return the columns of `Stored`, only the first if no image is in a tar."""
    paths = images["path"].tolist()
    if TAR not in images.columns:
        return [paths]
    return [
        paths,
        images[TAR].fillna("").tolist(),
        *(images[name].fillna(0).tolist() for name in TAR_KINDS if name != TAR),
    ]


def tar_columns(folder: Path, places: Sequence[ImagePlace]) -> dict[str, list[Any]]:
    """Return the columns of `TAR_KINDS` of images below a folder; empty if none of them is in a tar."""
    if not any(isinstance(place, TarMember) for place in places):
        return {}
    rows = [
        (place.tar.relative_to(folder).as_posix(), place.offset, place.length)
        if isinstance(place, TarMember)
        else ("", 0, 0)
        for place in places
    ]
    return dict(zip(TAR_KINDS, map(list, zip(*rows, strict=True)), strict=True))


def refuse_incomplete_tars(where: Path, images: pd.DataFrame) -> None:
    """Raise if a table has some of the columns of `TAR_KINDS`, or a row of a tar has no valid offset and length.

    Raises:
        ArenaError: as said above.
    """
    found = [name for name in TAR_KINDS if name in images.columns]
    if found and len(found) < len(TAR_KINDS):
        missing = ", ".join(name for name in TAR_KINDS if name not in found)
        raise ArenaError(f"{where}: it has a column {found[0]}, but no column {missing}; add it, or remove {found[0]}")
    for one in stored_images(images) if found else ():
        if one.tar and (one.offset < _BLOCK or one.length < 1):
            raise ArenaError(
                f"{where}: image {one.path!r} is said to be at byte {one.offset} of {one.tar!r}, {one.length} bytes long; "
                "an image starts after a header of 512 bytes, and is not empty"
            )


def tar_problems(folder: Path, images: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Yield (path of the tar, what is wrong) for each tar of a table that is missing, or ends before its last image does."""
    ends: dict[str, int] = {}
    for one in stored_images(images):
        if one.tar:
            ends[one.tar] = max(ends.get(one.tar, 0), one.offset + one.length)
    for name, end in sorted(ends.items()):
        try:
            size = (folder / name).stat().st_size
        except OSError:
            yield name, "missing"
            continue
        if size < end:
            yield name, f"it has {size:,} bytes, but images.parquet lists an image that ends at byte {end:,}"


def linked_name(relative: str) -> str:
    """Return the path, in a dataset folder, of a tar that an import links.

    Args:
        relative: path of the tar below the source, with slashes; a plain name is kept.

    >>> linked_name("00000.tar"), linked_name("a/00000.tar")
    ('images/00000.tar', 'images/a70f6b37fc0809f7.tar')
    """
    plain = relative if _PLAIN_TAR.fullmatch(relative) else f"{digest_bytes(os.fsencode(relative))[:16]}.tar"
    return f"images/{plain}"


class NamedMember(NamedTuple):
    """An image of a tar file, and its name there."""

    name: str
    place: TarMember


def list_tar_images(path: Path) -> Iterator[NamedMember]:
    """Yield every image of a tar file in its order; only the headers are read.

    Images are recognised by suffix, or by content if the suffix is unknown. Links and sparse files are left out.

    Raises:
        ArenaError: it is not a tar file without compression, or it is damaged.
    """
    try:
        size_bytes = path.stat().st_size
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            for info in iterate_members(tar):
                if info.offset_data + info.size > size_bytes:
                    what = f"the header of {info.name!r} says {info.size:,} bytes, more than the file has"
                    raise ArenaError(f"{path}: {what}; write the tar again")
                if info.isreg() and not info.issparse() and _is_image(file, info):
                    yield NamedMember(info.name, TarMember(path, info.offset_data, info.size))
            if stray := stray_header(path, tar.offset):
                raise ArenaError(f"{path}: {stray}; write the tar again")
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error).splitlines()[0][:100]
        raise ArenaError(f"{path}: not a readable tar without compression ({reason}); write the tar again") from None


def iterate_members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield the members of a tar without keeping them, which would take a kilobyte each."""
    while (info := tar.next()) is not None:
        tar.members = []  # type: ignore[attr-defined]
        yield info


def stray_header(path: Path, offset: int) -> str:
    """Return what is wrong where the members of a tar ended: `tarfile` takes a damaged header as the end; empty if nothing is.

    Args:
        offset: where the next header would be.
    """
    with path.open("rb") as file:
        file.seek(offset)
        block = file.read(_BLOCK)
    return f"no header at byte {offset:,}, where one should be" if block.strip(b"\0") else ""


def _is_image(file: BinaryIO, info: tarfile.TarInfo) -> bool:
    """Return whether a member is an image; the position in the file is restored."""
    last = info.name.rpartition("/")[2].lower()
    suffix = last[last.index(".") :] if "." in last else ""
    if suffix in IMAGE_SUFFIXES:
        return True
    if suffix.count(".") > 1:  # it belongs to another image, such as `.seg.png`
        return False
    before = file.tell()
    file.seek(info.offset_data)
    head = file.read(min(HEAD_BYTES, info.size))
    file.seek(before)
    return is_image_head(head)


class Packed(NamedTuple):
    """An image that is written to a tar: its name there, and its number of bytes."""

    name: str
    length: int


def pack(images: Sequence[Packed], most_bytes: int = TAR_BYTES) -> Iterator[dict[str, int]]:
    """Yield the content of each tar, in order: name of an image -> offset of its bytes.

    Args:
        images: in order; no name occurs twice.
        most_bytes: a tar ends before it would have more bytes; it has one image at least.
    """
    offsets: dict[str, int] = {}
    end = 0
    for name, length in images:
        size = _BLOCK + -(-length // _BLOCK) * _BLOCK
        if offsets and end + size > most_bytes:
            yield offsets
            offsets, end = {}, 0
        offsets[name] = end + _BLOCK
        end += size
    if offsets:
        yield offsets


def write_tar(file: BinaryIO, contents: Iterator[tuple[str, bytes]]) -> None:
    """Write a tar whose bytes depend only on the names and contents: no time, no owner, one format."""
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in contents:
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o644
            tar.addfile(info)
            tar.members = []  # type: ignore[attr-defined]
            file.write(content + b"\0" * (-len(content) % _BLOCK))
            tar.offset += -(-len(content) // _BLOCK) * _BLOCK


def row_place(folder: Path, row: Mapping[str, Any]) -> ImagePlace:
    """Return where the image of one row is read; the row may lack the columns of `TAR_KINDS`."""
    tar = row.get(TAR)
    if isinstance(tar, str) and tar:
        return TarMember(folder / tar, int(row[TAR_OFFSET]), int(row[TAR_LENGTH]))
    return folder / str(row["path"])
