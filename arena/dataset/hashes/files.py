"""Hashes and digests of image files, computed in this process or in several worker processes.

Processes are used instead of threads: most steps after decoding hold the GIL, so that two threads are hardly faster than one.
A worker imports only this module, which keeps its start short.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from threadpoolctl import threadpool_limits

from arena.base.errors import ArenaError, UnreadableImageError
from arena.base.memory import keep_freed_memory
from arena.dataset.hashes.algorithms import SCALED_SIDE, dhash_grey, grey_601, joytag, phash_grey
from arena.dataset.records import Reject
from arena.images.decode import CHANGED_IMAGE, RGB, DecodedImage, pixel_digest, read_grey, read_picture
from arena.images.in_flight import MAX_PIXELS_IN_FLIGHT, PixelBudget, picture_in_flight, share_budget
from arena.images.messages import LibraryMessages, add_library_messages, collect_library_messages
from arena.images.places import ImagePlace, TarMember, digest_image

CHUNK = 16
"""Images sent to a worker process at a time."""

_Row = dict[str, int | str] | Reject
"""Hashes and digests of an image by column, or the reject of an unreadable one."""


class ImageFile(NamedTuple):
    """One image file and its identifier."""

    image_id: str
    path: str
    sha256: str = ""
    """Digest of the file in a frozen dataset; empty for other files."""
    offset: int = 0
    length: int = 0
    """Bytes of an image inside the tar file `path`; 0 for an image file."""

    @property
    def place(self) -> ImagePlace:
        """Where the image is read."""
        path = Path(self.path)
        return TarMember(path, self.offset, self.length) if self.length else path

    @classmethod
    def of(cls, image_id: str, place: ImagePlace, sha256: str = "") -> "ImageFile":
        """Make the item of an image at a place."""
        if isinstance(place, TarMember):
            return cls(image_id, str(place.tar), sha256, place.offset, place.length)
        return cls(image_id, str(place), sha256)


class _Views:
    """The inputs of the hashes for one image file; each is computed on first use."""

    def __init__(self, path: ImagePlace, columns: Sequence[str]) -> None:
        self.path = path
        self.coloured = not _COLOURED.isdisjoint(columns)

    @cached_property
    def picture(self) -> DecodedImage:
        return read_picture(self.path)

    @cached_property
    def grey(self) -> Image.Image:
        return grey_601(self.picture.image) if self.coloured else read_grey(self.path)

    @cached_property
    def pixels(self) -> RGB:
        return self.picture.pixels

    @cached_property
    def scaled_grey(self) -> Image.Image:
        return grey_601(read_picture(self.path, least_side=SCALED_SIDE).image)

    @cached_property
    def file_digest(self) -> str:
        return digest_image(self.path)


_COLOURED = frozenset({"joytag", "pixel_sha256"})
"""Columns that need the colours; without them, a picture is decoded to grey."""

HASH_COLUMNS: Mapping[str, Callable[[_Views], int | str]] = {
    "phash": lambda views: phash_grey(views.grey),
    "dhash": lambda views: dhash_grey(views.grey),
    "joytag": lambda views: joytag(views.pixels),
    "scaled": lambda views: phash_grey(views.scaled_grey),
    "pixel_sha256": lambda views: pixel_digest(views.pixels, views.picture.alpha),
    "sha256": lambda views: views.file_digest,
}
"""Column -> function that computes it. The file's digest is last, so that a file that does not decode needs none."""


def hash_file(path: ImagePlace, columns: Sequence[str]) -> dict[str, int | str]:
    """Return hashes and digests of one image file by column; all columns share one decode, except `scaled`.

    Raises:
        UnreadableImageError: the file cannot be decoded or read.
    """
    try:
        with picture_in_flight(str(path)):
            return _compute_columns(_Views(path, columns), columns)
    except OSError as error:
        raise UnreadableImageError(error.strerror or str(error)) from None


def _compute_columns(views: _Views, columns: Sequence[str]) -> dict[str, int | str]:
    return {name: compute(views) for name, compute in HASH_COLUMNS.items() if name in columns}


def hash_item(item: ImageFile, columns: Sequence[str]) -> _Row:
    """Return hashes and digests of one image of a source, or a reject if it cannot be read or was changed.

    Args:
        columns: with `sha256`, the file of a frozen dataset is compared with its digest.
    """
    try:
        row = hash_file(item.place, columns)
        if not item.sha256 or row.get("sha256") in (None, item.sha256):
            return row
        reason = CHANGED_IMAGE
    except UnreadableImageError as error:
        reason = str(error)
    where = item.path if isinstance(item.place, Path) else str(item.place)
    return Reject(os.fsencode(where).decode("utf-8", "backslashreplace"), item.image_id, "unreadable", reason)


def _hash_in_worker(item: ImageFile, columns: Sequence[str]) -> tuple[_Row, LibraryMessages]:
    """Return `hash_item` with the messages of libraries, which the parent collects."""
    with collect_library_messages() as messages:
        return hash_item(item, columns), messages


HashImages = Callable[[Sequence[ImageFile], Sequence[str]], Iterable[Mapping[str, int | str] | Reject]]
"""(Items, columns) -> the hashes of each item or its reject, in order."""


@contextmanager
def image_hasher(workers: int) -> Iterator[HashImages]:
    """Provide a function that hashes many images in `workers` processes; with one worker, in this process."""
    with threadpool_limits(1):  # BLAS threads in every process would only compete for the cores
        if workers == 1:
            keep_freed_memory()
            yield lambda items, columns: map(partial(hash_item, columns=columns), items)
            return
        context = multiprocessing.get_context("spawn")
        budget = PixelBudget(MAX_PIXELS_IN_FLIGHT, context)
        with ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(budget,)) as pool:

            def hash_images(items: Sequence[ImageFile], columns: Sequence[str]) -> Iterator[_Row]:
                for row, messages in pool.map(partial(_hash_in_worker, columns=columns), items, chunksize=CHUNK):
                    add_library_messages(messages)
                    yield row

            try:
                yield hash_images
            except BrokenProcessPool:
                raise ArenaError(
                    "a process that hashes images was killed, probably for lack of memory; "
                    f"use fewer --workers than {workers}"
                ) from None
            finally:
                pool.shutdown(cancel_futures=True)


def _begin(budget: PixelBudget) -> None:
    """Initialise a worker: ignore interrupts, which the parent handles, and exit when the parent has ended for any reason.

    SIGTERM still ends a worker, because the pool sends it to the others after one was killed, and waits for them.

    Args:
        budget: the pixels that all workers together may hold.
    """
    share_budget(budget)
    keep_freed_memory()
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    threadpool_limits(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
