"""Fetch the files of posts, each checked by size and MD5 before it gets its name."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from arena.base.errors import ArenaError
from arena.dataset.fetch.address import RefusedError
from arena.dataset.fetch.client import Asker, OutOfReachError
from arena.dataset.fetch.filter import Post, PostFile, Wish, sift
from arena.dataset.fetch.folder import FetchFolder
from arena.dataset.records import Reject

MOST_FILE_BYTES = 1 << 28
"""256 MiB, for posts that do not tell their size."""

FAILURES_IN_A_ROW = 10
"""So many files in a row that cannot be had are a fault of the host or the way there, not of the files."""


class ImageFetch:
    """Fetches the files of posts, one after the other.

    Attributes:
        there: files that are in place, of the posts that were seen.
    """

    def __init__(self, store: FetchFolder, client: Asker, wish: Wish, advance: Callable[[int], None]) -> None:
        self.store, self.client, self.wish, self.advance = store, client, wish, advance
        self.there = 0
        self._failures: list[Reject] = []

    def fetch_all(self, posts: Iterable[Post]) -> None:
        """Fetch what is neither there nor known to be wrong.

        Raises:
            ArenaError: `FAILURES_IN_A_ROW` files could not be had. They do not count as rejects, and are tried again.
        """
        for post in posts:
            file = sift(post, self.wish)
            if isinstance(file, PostFile):  # or else the tag list grew since the post was taken
                self._fetch(file)
            self.advance(1)

    def _fetch(self, file: PostFile) -> None:
        where, path = f"post {file.post_id}", self.store.image_path(file.md5, file.suffix)
        known = self.store.rejects.get((where, str(file.post_id)))
        if not _is_whole(path, file.size_bytes):
            if known and known.reason != OutOfReachError.reason:
                return
            try:
                fetch_checked(self.client, file, path)
            except (RefusedError, OutOfReachError) as error:
                self._failed(Reject(where, str(file.post_id), error.reason, str(error)))
                return
            self._failures.clear()
        self.there += 1
        if known:
            self.store.forgive(known)

    def _failed(self, reject: Reject) -> None:
        self.store.reject(reject)
        self._failures.append(reject)
        if len(self._failures) == FAILURES_IN_A_ROW:
            for one in self._failures:
                self.store.forgive(one)
            raise ArenaError(f"{FAILURES_IN_A_ROW} files in a row could not be fetched, the last: {reject.detail}")


def fetch_checked(client: Asker, file: PostFile, path: Path) -> None:
    """Fetch one file to its place, if its MD5 is what the post says.

    A file with another MD5 is fetched once more from its first byte, for a continued one may be of two versions.

    Raises:
        RefusedError, OutOfReachError: as `Asker.save`; or another MD5, twice.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")  # of a fixed name, unlike `write_whole`'s: a later fetch continues it
    for _ in range(2):
        try:
            client.save(file.url, part, size_bytes=file.size_bytes, most_bytes=MOST_FILE_BYTES)
        except RefusedError:
            part.unlink(missing_ok=True)
            raise
        if (seen := _md5(part)) == file.md5:
            part.replace(path)
            return
        part.unlink()
    raise RefusedError("md5", f"{file.url}: md5 is {seen}, the post says {file.md5}")


def _is_whole(path: Path, size_bytes: int | None) -> bool:
    return path.is_file() and size_bytes in (None, path.stat().st_size)


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
