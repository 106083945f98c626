"""Download the files of posts; size and MD5 of each file are checked before it gets its final name."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from arena.base.errors import ArenaError
from arena.dataset.fetch.address import RequestRefusedError
from arena.dataset.fetch.client import FetchClient, UnreachableError
from arena.dataset.fetch.filter import Post, PostFile, PostFilter, filter_post
from arena.dataset.fetch.folder import FetchFolder
from arena.dataset.records import Reject

MAX_FETCHED_BYTES = 1 << 28
"""Maximum size of a file, 256 MiB."""

FAILURES_IN_A_ROW = 10
"""Number of consecutive failures that stop the fetch: the cause is then the host or the network, not the files."""


class ImageFetch:
    """Downloads the files of posts, one after the other.

    Attributes:
        there: number of posts so far whose file is on disk.
    """

    def __init__(
        self, store: FetchFolder, client: FetchClient, wish: PostFilter, advance: Callable[[int], None]
    ) -> None:
        self.store, self.client, self.wish, self.advance = store, client, wish, advance
        self.there = 0
        self._failures: list[Reject] = []

    def fetch_all(self, posts: Iterable[Post]) -> None:
        """Download the files that are neither on disk nor rejected.

        Raises:
            ArenaError: `FAILURES_IN_A_ROW` consecutive downloads failed. They are not rejects, and a later run tries again.
        """
        for post in posts:
            file = filter_post(post, self.wish)
            if isinstance(file, PostFile):  # otherwise the list of tags has grown since the post was taken
                self._fetch(file)
            self.advance(1)

    def _fetch(self, file: PostFile) -> None:
        """Download one file unless it is on disk or rejected; a reject for no response is tried again."""
        where, path = f"post {file.post_id}", self.store.image_path(file.md5, file.suffix)
        known = self.store.rejects.get((where, str(file.post_id)))
        if not _is_whole(path, file.size_bytes):
            if known and known.reason != UnreachableError.reason:
                return
            try:
                _fetch_checked(self.client, file, path)
            except (RequestRefusedError, UnreachableError) as error:
                self._failed(Reject(where, str(file.post_id), error.reason, str(error)))
                return
            self._failures.clear()
        self.there += 1
        if known:
            self.store.forgive(known)

    def _failed(self, reject: Reject) -> None:
        """Add a reject; withdraw the consecutive ones and raise if there are too many."""
        self.store.reject(reject)
        self._failures.append(reject)
        if len(self._failures) == FAILURES_IN_A_ROW:
            for one in self._failures:
                self.store.forgive(one)
            raise ArenaError(f"{FAILURES_IN_A_ROW} downloads in a row failed, the last one: {reject.detail}")


def _fetch_checked(client: FetchClient, file: PostFile, path: Path) -> None:
    """Download one file to its final path, and check its MD5.

    A file with another MD5 is downloaded once more from its first byte, because a continued download may mix two versions.

    Raises:
        RequestRefusedError: as `PoliteClient.save`; `md5` if the second download has another MD5 too.
        OutOfReachError, HostRestsError: as `PoliteClient.save`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")  # unlike `write_whole`, a fixed name, so that a later run continues it
    for _ in range(2):
        try:
            client.save(file.url, part, size_bytes=file.size_bytes, most_bytes=MAX_FETCHED_BYTES)
        except RequestRefusedError:
            part.unlink(missing_ok=True)
            raise
        if (md5 := _md5(part)) == file.md5:
            part.replace(path)
            return
        part.unlink()
    raise RequestRefusedError("md5", f"{file.url}: md5 is {md5}, the post says {file.md5}")


def _is_whole(path: Path, size_bytes: int | None) -> bool:
    return path.is_file() and size_bytes in (None, path.stat().st_size)


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
