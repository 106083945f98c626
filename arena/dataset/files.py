"""Files of a dataset folder: check paths, link or copy files, and process files in threads."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TypeVar

from arena.base.files import copy_file
from arena.dataset.definitions import DEFINITIONS_FILE
from arena.images.formats import IMAGE_SUFFIXES
from arena.tags.exports import RELATION_FILES

_Item = TypeVar("_Item")
_Outcome = TypeVar("_Outcome")

CARRIED_FILES = (*RELATION_FILES, "tag_groups.toml", DEFINITIONS_FILE)
"""Optional files of a dataset that are copied together with its images."""

DUPLICATES_FILE, DROPPED_FILE = "duplicates.parquet", "dropped.parquet"
"""Pairs that a duplicate search found, and the images that it dropped, with thumbnails. They are shown on the dataset's page
and are not part of the dataset."""

_PLAINLY_INSIDE = re.compile(r"[^/:\\\0][^:\\\0]*")
"""Relative paths on every operating system, recognised without taking them apart, which takes 30 times as long. With `..` in
them they may still leave the folder."""

ITEMS_PER_BATCH = 1_024
"""Items queued for the threads at a time; this bounds the queue for a million files."""


def default_workers() -> int:
    """Return the number of threads for reading files: one per core, at least 2, because a thread may wait for the disk."""
    return max(2, os.cpu_count() or 1)


def is_inside(path: str) -> bool:
    """Return whether a path of `images.parquet` lies below the dataset folder on every operating system.

    >>> is_inside("images/0f/a.png"), is_inside("../a.png"), is_inside("/etc/passwd"), is_inside("C:\\\\a.png"), is_inside("")
    (True, False, False, False, False)
    """
    if ".." not in path and _PLAINLY_INSIDE.fullmatch(path):
        return True
    posix, windows = PurePosixPath(path), PureWindowsPath(path)
    rooted = posix.is_absolute() or bool(windows.anchor)
    return bool(path) and "\0" not in path and not rooted and ".." not in (*posix.parts, *windows.parts)


def stored_path(sha256: str, suffix: str) -> str:
    """Return the path of an image in a dataset folder: its digest, so that a hostile file name has no effect.

    >>> stored_path("0f3a", ".PNG"), stored_path("0f3a", ".aspx")
    ('images/0f/0f3a.png', 'images/0f/0f3a')
    """
    known = suffix.lower()
    return f"images/{sha256[:2]}/{sha256}{known if known in IMAGE_SUFFIXES else ''}"


def file_stamp(path: Path) -> str:
    """Return `SIZE:MTIME` of a file, in bytes and nanoseconds, which identifies its content; `missing` if there is none."""
    try:
        found = path.stat()
    except OSError:
        return "missing"
    return f"{found.st_size}:{found.st_mtime_ns}"


def link_or_copy(source: Path, target: Path) -> None:
    """Hard-link a file to `target`, or copy it if no link can be made; an existing file is kept."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), target)
    except FileExistsError:
        return
    except OSError:
        copy_file(source, target)


def link_tar(source: Path, target: Path) -> None:
    """Link or copy a tar; another tar with this name, which an interrupted call left, is replaced."""
    if target.exists() and not target.samefile(source):
        target.unlink()
    link_or_copy(source, target)


def in_threads(
    work: Callable[[_Item], _Outcome], items: Sequence[_Item], *, workers: int, advance: Callable[[int], None]
) -> Iterator[_Outcome]:
    """Yield the result of `work` for each item, in order; `advance(1)` is called after each."""
    with ThreadPoolExecutor(workers, thread_name_prefix="files") as pool:
        try:
            for start in range(0, len(items), ITEMS_PER_BATCH):
                for outcome in pool.map(work, items[start : start + ITEMS_PER_BATCH]):
                    advance(1)
                    yield outcome
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
