"""Place the images of a frozen folder: link image files and tars, or write the images into new tars."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from arena.base.errors import ArenaError, UnreadableImageError
from arena.base.files import digest_bytes, open_whole
from arena.base.progress import Progress
from arena.dataset.files import in_threads, link_or_copy, link_tar, stored_path
from arena.dataset.frozen import NAMED_MISSING_FILES
from arena.dataset.tars import (
    TAR_BYTES,
    TAR_KINDS,
    Packed,
    Stored,
    pack,
    stored_images,
    write_tar,
)
from arena.images.places import digest_image, read_image_file


class SourceImage(NamedTuple):
    """An image of the source, and its expected digest."""

    stored: Stored
    sha256: str


@dataclass(frozen=True)
class Placement:
    """What a frozen folder holds, and where it comes from.

    Attributes:
        images: the table, with the places of the images in the frozen folder.
        files: path of an image file -> its image.
        linked: path of a tar that is linked from the source -> its images.
        written: path of a tar that is written -> name of each image in it -> the image.
    """

    images: pd.DataFrame
    files: Mapping[str, SourceImage]
    linked: Mapping[str, Sequence[SourceImage]]
    written: Mapping[str, Mapping[str, SourceImage]]


def plan_links(images: pd.DataFrame) -> Placement:
    """Return the placement that keeps each image as it is: a file under its digest, or a part of the source's tar."""
    files: dict[str, SourceImage] = {}
    linked: dict[str, list[SourceImage]] = {}
    paths = []
    for stored, sha256 in zip(stored_images(images), images["sha256"].tolist(), strict=True):
        target = stored.path if stored.tar else stored_path(sha256, _suffix(stored.path))
        paths.append(target)
        if stored.tar:
            linked.setdefault(stored.tar, []).append(SourceImage(stored, sha256))
        else:
            files[target] = SourceImage(stored, sha256)
    return Placement(images.assign(path=paths), files, linked, {})


def plan_tars(folder: Path, images: pd.DataFrame, most_bytes: int = TAR_BYTES) -> Placement:
    """Return the placement in new tars, in the order of identifiers; images with equal files share one member.

    Args:
        folder: folder of the source; sizes of image files are read from it.
    """
    ordered = images.sort_values("image_id")
    sources = [SourceImage(*one) for one in zip(stored_images(ordered), ordered["sha256"].tolist(), strict=True)]
    names = [f"{one.sha256}{_suffix(stored_path(one.sha256, _suffix(one.stored.path)))}" for one in sources]
    members = dict(zip(names, sources, strict=True))
    lengths = {name: one.stored.length or _size(folder / one.stored.path) for name, one in members.items()}
    written, places = {}, {}
    for number, offsets in enumerate(pack([Packed(*one) for one in lengths.items()], most_bytes)):
        tar = f"images/{number:05d}-{_content_digest(offsets)}.tar"
        written[tar] = {name: members[name] for name in offsets}
        places.update({name: (f"{tar}/{name}", tar, offset, lengths[name]) for name, offset in offsets.items()})
    columns = zip(*(places[name] for name in names), strict=True)
    named = dict(zip(("path", *TAR_KINDS), map(list, columns), strict=True))
    return Placement(ordered.assign(**named), {}, {}, written)


def _content_digest(offsets: Mapping[str, int]) -> str:
    """Return eight digits that differ between tars with other images, so that a tar of an interrupted call is known."""
    return hashlib.sha256("\n".join(offsets).encode()).hexdigest()[:8]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # placing the image reports it


def _suffix(path: str) -> str:
    """Return the suffix as `PurePosixPath` does, which would take a tenth of a millisecond for each of a million paths.

    >>> [_suffix(path) for path in ("a/b.tar.gz", "a.b/c", "a/.png", "a.")]
    ['.gz', '', '', '']
    """
    name = path.rpartition("/")[2]
    at = name.rfind(".")
    return name[at:] if 0 < at < len(name) - 1 else ""


def place_images(folder: Path, plan: Placement, partial_folder: Path, workers: int, progress: Progress) -> None:
    """Place every image whose bytes match its digest, then remove what an earlier call with other options left.

    Raises:
        ArenaError: images differ from their digests; the message names the first ones.
    """
    damaged = [*_place_files(folder, plan, partial_folder, workers, progress)]
    for tar, images in plan.linked.items():
        damaged += _damaged(folder, images, workers, progress)
        link_tar(folder / tar, partial_folder / tar)
    todo = [tar for tar in plan.written if not (partial_folder / tar).exists()]
    with progress.count("tars", len(plan.written), len(plan.written) - len(todo)) as advance:
        write = partial(_write_tar, folder, plan.written, partial_folder)
        damaged += [path for path in in_threads(write, todo, workers=workers, advance=advance) if path]
    if damaged:
        some = ", ".join(damaged[:NAMED_MISSING_FILES]) + (" ..." if len(damaged) > NAMED_MISSING_FILES else "")
        raise ArenaError(
            f"{folder}: {len(damaged)} images are missing or differ from their sha256: {some}. "
            "Restore them, or import again"
        )
    _remove_surplus(partial_folder, {*plan.files, *plan.linked, *plan.written})


def _place_files(
    folder: Path, plan: Placement, partial_folder: Path, workers: int, progress: Progress
) -> Iterator[str]:
    """Link the image files, and yield the paths of damaged ones."""
    todo = [target for target in plan.files if not (partial_folder / target).exists()]

    def place_one(target: str) -> str:
        if path := _fault(folder, plan.files[target]):
            return path
        link_or_copy(folder / plan.files[target].stored.path, partial_folder / target)
        return ""

    with progress.count("images", len(plan.files), len(plan.files) - len(todo)) as advance:
        yield from filter(None, in_threads(place_one, todo, workers=workers, advance=advance))


def _damaged(folder: Path, images: Sequence[SourceImage], workers: int, progress: Progress) -> list[str]:
    """Return the names of the images of a tar that differ from their digests."""
    with progress.count("images", len(images), 0) as advance:
        return list(filter(None, in_threads(partial(_fault, folder), images, workers=workers, advance=advance)))


def _fault(folder: Path, image: SourceImage) -> str:
    """Return the path of an image that is missing or differs from its digest; empty if it is sound."""
    place = image.stored.place(folder)
    try:
        sound = (not isinstance(place, Path) or place.is_file()) and digest_image(place) == image.sha256
    except UnreadableImageError:
        sound = False
    return "" if sound else image.stored.path


def _write_tar(
    folder: Path, written: Mapping[str, Mapping[str, SourceImage]], partial_folder: Path, tar: str
) -> str:  # fmt: skip
    """Write one tar whole or not at all; return the path of an image that differs from its digest, empty if none does."""
    path = partial_folder / tar
    path.parent.mkdir(exist_ok=True)
    try:
        with open_whole(path) as file:
            write_tar(file, _contents(folder, written[tar]))
    except _DamagedError as error:
        return str(error)
    return ""


class _DamagedError(Exception):
    """An image differs from its digest; the message is its path."""


def _contents(folder: Path, images: Mapping[str, SourceImage]) -> Iterator[tuple[str, bytes]]:
    for name, image in images.items():
        try:
            content = read_image_file(image.stored.place(folder))
        except UnreadableImageError:
            raise _DamagedError(image.stored.path) from None
        if digest_bytes(content) != image.sha256:
            raise _DamagedError(image.stored.path)
        yield name, content


def _remove_surplus(partial_folder: Path, wanted: set[str]) -> None:
    """Remove images that an earlier, interrupted call with other options left.

    Args:
        wanted: paths below the folder, with slashes.
    """
    for folder, folders, files in os.walk(partial_folder / "images", topdown=False):
        below = Path(folder).relative_to(partial_folder).as_posix()
        for name in [*files, *(one for one in folders if Path(folder, one).is_symlink())]:
            if f"{below}/{name}" not in wanted:
                Path(folder, name).unlink()
        if not os.listdir(folder) and below != "images":  # noqa: PTH208
            Path(folder).rmdir()
