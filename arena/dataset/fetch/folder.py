"""The folder of a fetch: posts, images, rejects, and how far it came.

`posts.jsonl` holds the posts that were taken, one a line; `images/<first 2 of md5>/<md5>.<suffix>` their files; `rejects.csv`
what could not be taken, and why; `fetch.toml` what was asked for, how far the fetch came and what it left out. `fetch.toml` is
replaced after every page and says how many bytes of `posts.jsonl` count: what a killed fetch wrote after that, a torn last line
with it, is cut off and asked for again. So a fetch that was stopped anywhere ends with the same folder.
"""

import json
import os
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from filelock import FileLock
from filelock import Timeout as LockTimeout

from arena.base.errors import ArenaError
from arena.base.files import remove_temporary, write_whole
from arena.dataset.fetch.filter import Post, post_id_of
from arena.dataset.records import Reject
from arena.dataset.rejects import read_rejects, write_rejects

FETCH_SCHEMA = 1
"""Version of this layout."""

LONGEST_DETAIL = 500
"""Characters of a reject that are kept; an address may have thousands."""

LOCK = ".fetch.lock"
STATE, POSTS, REJECTS = "fetch.toml", "posts.jsonl", "rejects.csv"


def utc_now() -> str:
    """The time to the second, as ISO 8601 in UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Checkpoint:
    """How far a fetch came.

    Attributes:
        cursor: every post from `before_id` down to this one was seen.
        posts: how many were taken; `posts_bytes` of `posts.jsonl` hold them.
        ended: whether the host has no older one.
        left_out: reason -> how many sound posts were not wanted.
        started: when, UTC.
    """

    cursor: int
    posts: int = 0
    posts_bytes: int = 0
    ended: bool = False
    left_out: Counter[str] = field(default_factory=Counter)
    started: str = field(default_factory=utc_now)


def fetched_scheme(folder: Path) -> str:
    """By which scheme the posts of a fetch are rated; empty where the folder holds no fetch, or one that does not say."""
    try:
        return str(tomllib.loads((folder / STATE).read_text(encoding="utf-8")).get("rating_scheme", ""))
    except (OSError, ValueError):
        return ""


class FetchFolder:
    """A fetch on disk.

    Args:
        folder: created where it is not there.
        asked: what the posts depend on; a folder that holds another fetch is refused.
        facts: what else `fetch.toml` tells a reader.
    """

    def __init__(self, folder: Path, asked: Mapping[str, Any], *, facts: Mapping[str, Any]) -> None:
        self.folder, self.asked, self.facts = folder, dict(asked), dict(facts)
        self.rejects: dict[tuple[str, str], Reject] = {}
        self.checkpoint = Checkpoint(cursor=self.asked["before_id"])

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Take the folder for this process, and read how far the fetch came.

        Raises:
            ArenaError: another process fetches into it, it holds something else or another fetch, or is damaged.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / LOCK)
        try:
            lock.acquire(timeout=0)
        except LockTimeout:
            raise ArenaError(
                f"{self.folder}: another process fetches into it; wait for it, or use another folder"
            ) from None
        try:
            self._resume()
            yield
        finally:
            lock.release()

    def image_path(self, md5: str, suffix: str) -> Path:
        """Where the file of a post belongs."""
        return self.folder / "images" / md5[:2] / f"{md5}.{suffix}"

    def posts(self) -> Iterator[Post]:
        """The posts that were taken, in their order, read as they are asked for."""
        if not self.checkpoint.posts:
            return
        with (self.folder / POSTS).open("rb") as file:
            for number, line in enumerate(file, 1):
                yield self._post(number, line)

    def take(self, posts: Sequence[Post], rejects: Iterable[Reject], checkpoint: Checkpoint) -> None:
        """Add what a page came to; once this returns, it counts."""
        # ASCII: some characters that JSON lets stand end a line for other readers.
        lines = "".join(json.dumps(post, ensure_ascii=True) + "\n" for post in posts).encode("ascii")
        with (self.folder / POSTS).open("ab") as file:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
        checkpoint.posts += len(posts)
        checkpoint.posts_bytes += len(lines)
        for reject in rejects:
            self.reject(reject)
        self.save(checkpoint)

    def save(self, checkpoint: Checkpoint) -> None:
        """Write down rejects, and how far the fetch came."""
        from arena.dataset.frozen import toml_text

        if self.rejects:
            write_rejects(self.folder / REJECTS, sorted(self.rejects.values()))
        else:
            (self.folder / REJECTS).unlink(missing_ok=True)
        flat = {name: value for name, value in vars(checkpoint).items() if name != "left_out"}
        left_out = [{"reason": reason, "posts": count} for reason, count in sorted(checkpoint.left_out.items())]
        table = {"schema": FETCH_SCHEMA, **self.asked, **self.facts, **flat, "updated": utc_now(), "left_out": left_out}
        write_whole(self.folder / STATE, toml_text(table), durable=True)
        self.checkpoint = checkpoint

    def reject(self, reject: Reject) -> None:
        """Note what could not be taken; written with the next checkpoint."""
        self.rejects[reject.where, reject.image_id] = reject._replace(detail=reject.detail[:LONGEST_DETAIL])

    def forgive(self, reject: Reject) -> None:
        """Take a reject back."""
        del self.rejects[reject.where, reject.image_id]

    def _post(self, number: int, line: bytes) -> Post:
        try:
            post = json.loads(line)
        except (ValueError, RecursionError):
            post = None
        if post_id_of(post) is None:
            raise ArenaError(
                f"{self.folder / POSTS}: line {number} is no post; restore it, or fetch into another folder"
            )
        return cast(Post, post)

    def _resume(self) -> None:
        remove_temporary(self.folder)
        path = self.folder / STATE
        if not path.exists():
            if others := sorted(entry.name for entry in self.folder.iterdir() if entry.name != LOCK):
                raise ArenaError(f"{self.folder}: not empty ({others[0]}), and no fetch is in it; use another folder")
            self.save(self.checkpoint)
            return
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
            self._refuse_other(path, table)
            left_out = Counter({row["reason"]: row["posts"] for row in table.get("left_out", [])})
            known = {one.name: table[one.name] for one in fields(Checkpoint) if one.name != "left_out"}
            if any(type(known[name]) is not int for name in ("cursor", "posts", "posts_bytes")):
                raise TypeError("cursor, posts and posts_bytes are whole numbers")
            self.checkpoint = Checkpoint(**known, left_out=left_out)
        except (ValueError, KeyError, TypeError) as error:
            raise ArenaError(f"{path}: damaged ({type(error).__name__}: {error}); fetch into another folder") from None
        self._cut_posts()
        self.rejects = {(row.where, row.image_id): row for row in read_rejects(self.folder / REJECTS)}

    def _refuse_other(self, path: Path, table: Mapping[str, Any]) -> None:
        for key, wanted in {"schema": FETCH_SCHEMA, **self.asked}.items():
            if table[key] != wanted:
                raise ArenaError(f"{path}: fetched with {key} {table[key]!r}, now {wanted!r}; use another folder")

    def _cut_posts(self) -> None:
        """Cut off what was written after the last checkpoint."""
        path, counted = self.folder / POSTS, self.checkpoint.posts_bytes
        size = path.stat().st_size if path.exists() else 0
        if size < counted:
            raise ArenaError(f"{path}: {size} bytes, {STATE} says {counted}; restore it, or fetch into another folder")
        if size > counted:
            os.truncate(path, counted)
