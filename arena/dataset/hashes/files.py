"""Hashes and digests of image files, in this process or in several.

Processes and not threads: what is done to a picture besides decoding holds the interpreter, so that two threads are hardly
quicker than one. This module is all that they import.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from threadpoolctl import threadpool_limits

from arena.base.errors import UnreadableImageError
from arena.base.files import digest_file
from arena.dataset.hashes.algorithms import SCALED_SIDE, dhash_grey, grey_601, joytag, phash_grey
from arena.dataset.records import Reject
from arena.images.decode import RGB, pixel_digest, read_picture

CHUNK = 16
"""Images that a process takes at a time."""


class Item(NamedTuple):
    """One image file and what it is called."""

    image_id: str
    path: str


class _Views:
    """One image file as the hashes want it, each view made when it is asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def picture(self) -> Image.Image:
        return read_picture(self.path).image

    @cached_property
    def grey(self) -> Image.Image:
        return grey_601(self.picture)

    @cached_property
    def pixels(self) -> RGB:
        return np.asarray(self.picture)

    @cached_property
    def scaled_grey(self) -> Image.Image:
        return grey_601(read_picture(self.path, least_side=SCALED_SIDE).image)

    @cached_property
    def file_digest(self) -> str:
        return digest_file(self.path)


COLUMNS: Mapping[str, Callable[[_Views], int | str]] = {
    "phash": lambda views: phash_grey(views.grey),
    "dhash": lambda views: dhash_grey(views.grey),
    "joytag": lambda views: joytag(views.pixels),
    "scaled": lambda views: phash_grey(views.scaled_grey),
    "pixel_sha256": lambda views: pixel_digest(views.pixels),
    "sha256": lambda views: views.file_digest,
}
"""What can be computed, and how; the file's digest comes last, for a file that is no image needs none."""


def hash_file(path: Path, columns: Sequence[str]) -> dict[str, int | str]:
    """Hashes and digests of one image file, by column; it is decoded once for all of them.

    Raises:
        UnreadableImageError: the file cannot be decoded or read.
    """
    views = _Views(path)
    try:
        return {name: compute(views) for name, compute in COLUMNS.items() if name in columns}
    except OSError as error:
        raise UnreadableImageError(error.strerror or str(error)) from None


def hash_item(item: Item, columns: Sequence[str]) -> dict[str, int | str] | Reject:
    """The same of one image of a source; a reject where it cannot be read."""
    try:
        return hash_file(Path(item.path), columns)
    except UnreadableImageError as error:
        return Reject(
            os.fsencode(item.path).decode("utf-8", "backslashreplace"), item.image_id, "unreadable", str(error)
        )


HashAll = Callable[[Sequence[Item], Sequence[str]], Iterable[Mapping[str, int | str] | Reject]]
"""Hashes images by columns, in their order."""


@contextmanager
def hashing(workers: int) -> Iterator[HashAll]:
    """What hashes many images, in so many processes; with one worker in this one."""
    with threadpool_limits(1):  # BLAS threads besides would only wait for one another
        if workers == 1:
            yield lambda items, columns: map(partial(hash_item, columns=columns), items)
            return
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_begin) as pool:
            try:
                yield lambda items, columns: pool.map(partial(hash_item, columns=columns), items, chunksize=CHUNK)
            finally:
                pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """A worker leaves an interrupt to its parent, and ends when the parent is gone, however it went."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threadpool_limits(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
