"""The folder of a fetch: posts, images, rejects and the state of the fetch.

`posts.jsonl` holds the posts that were taken, one per line, and `images/<first 2 of md5>/<md5>.<suffix>` their files.
`rejects.csv` holds invalid posts and files with their reasons. `fetch.toml` holds the query, the state of the fetch and the
number of posts that were left out. `fetch.toml` is replaced after every page, and records the valid length of `posts.jsonl` in
bytes. A later run cuts off anything after that length, such as a partial last line, and requests those posts again. So a fetch
that was stopped at any point ends with the same folder.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from arena.base.errors import ArenaError
from arena.base.files import make_folder, own_name, remove_temporary, write_whole
from arena.base.locks import lock_output
from arena.base.reading import parse_json, read_toml
from arena.dataset.fetch.filter import Post, post_id_of
from arena.dataset.records import Reject
from arena.dataset.rejects import read_rejects, write_rejects

FETCH_SCHEMA = 1
"""Version of the folder's layout."""

_MAX_DETAIL = 500
"""Maximum length of a reject's detail; a URL may have thousands of characters."""

_OLD_LOCK = ".fetch.lock"
"""Lock that earlier versions left in the folder."""

FETCH_STATE, _POSTS_FILE, FETCH_REJECTS = "fetch.toml", "posts.jsonl", "rejects.csv"


def _is_lock(path: Path) -> bool:
    return own_name(path.name) or path.name == _OLD_LOCK


def utc_now() -> str:
    """Return the current time in UTC as ISO 8601, in whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Checkpoint:
    """State of a fetch; the attributes are keys of `fetch.toml`.

    Attributes:
        cursor: every post from `before_id` down to this identifier is done.
        posts: number of posts taken.
        posts_bytes: length of `posts.jsonl` that holds them.
        ended: whether the host has no further post in the range.
        left_out: reason -> number of valid posts that the filter left out.
        started: time of the first run, in UTC.
    """

    cursor: int
    posts: int = 0
    posts_bytes: int = 0
    ended: bool = False
    left_out: Counter[str] = field(default_factory=Counter)
    started: str = field(default_factory=utc_now)


def fetched_scheme(folder: Path) -> str:
    """Return the rating scheme of the posts of a fetch; empty if the folder holds no fetch or the scheme is unknown."""
    try:
        return str(read_toml(folder / FETCH_STATE).get("rating_scheme", ""))
    except ArenaError:
        return ""


class FetchFolder:
    """A fetch on disk.

    Args:
        folder: created if it does not exist.
        asked: the query, from `PostQuery.asked`; a folder with another query is refused.
        facts: further keys of `fetch.toml`, for information.
    """

    def __init__(self, folder: Path, asked: Mapping[str, Any], *, facts: Mapping[str, Any]) -> None:
        self.folder, self.asked, self.facts = folder, dict(asked), dict(facts)
        self.rejects: dict[tuple[str, str], Reject] = {}
        self.checkpoint = Checkpoint(cursor=self.asked["before_id"])

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Lock the folder for this process and read the state of the fetch.

        Raises:
            ArenaError: another process uses the folder, it holds something else or another fetch, or it is damaged.
        """
        with lock_output(self.folder, "dataset fetch"):
            make_folder(self.folder)
            self._resume()
            yield

    def image_path(self, md5: str, suffix: str) -> Path:
        """Return the path of the file of a post."""
        return self.folder / "images" / md5[:2] / f"{md5}.{suffix}"

    def posts(self) -> Iterator[Post]:
        """Yield the posts that were taken, in their order; the file is read line by line."""
        if not self.checkpoint.posts:
            return
        with (self.folder / _POSTS_FILE).open("rb") as file:
            for number, line in enumerate(file, 1):
                yield self._post(number, line)

    def take(self, posts: Sequence[Post], rejects: Iterable[Reject], checkpoint: Checkpoint) -> None:
        """Write the posts and rejects of a page and the state after it; they are on disk when this returns."""
        # ASCII, because other readers end a line at some characters that JSON does not escape.
        lines = "".join(json.dumps(post, ensure_ascii=True) + "\n" for post in posts).encode("ascii")
        with (self.folder / _POSTS_FILE).open("ab") as file:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
        checkpoint.posts += len(posts)
        checkpoint.posts_bytes += len(lines)
        for reject in rejects:
            self.reject(reject)
        self.save(checkpoint)

    def save(self, checkpoint: Checkpoint) -> None:
        """Write the rejects and the state of the fetch."""
        from arena.dataset.frozen import toml_text

        if self.rejects:
            write_rejects(self.folder / FETCH_REJECTS, sorted(self.rejects.values()))
        else:
            (self.folder / FETCH_REJECTS).unlink(missing_ok=True)
        flat = {name: value for name, value in vars(checkpoint).items() if name != "left_out"}
        left_out = [{"reason": reason, "posts": count} for reason, count in sorted(checkpoint.left_out.items())]
        table = {"schema": FETCH_SCHEMA, **self.asked, **self.facts, **flat, "updated": utc_now(), "left_out": left_out}
        write_whole(self.folder / FETCH_STATE, toml_text(table), durable=True)
        self.checkpoint = checkpoint

    def reject(self, reject: Reject) -> None:
        """Add a reject; it is written with the next checkpoint."""
        self.rejects[reject.where, reject.image_id] = reject._replace(detail=reject.detail[:_MAX_DETAIL])

    def forgive(self, reject: Reject) -> None:
        """Remove a reject."""
        del self.rejects[reject.where, reject.image_id]

    def _post(self, number: int, line: bytes) -> Post:
        try:
            post = parse_json(line, number, strict=False)
        except ArenaError:
            post = None
        if post_id_of(post) is None:
            raise ArenaError(
                f"{self.folder / _POSTS_FILE}: line {number} is not a post; restore the file, or fetch into another folder"
            )
        return cast(Post, post)

    def _resume(self) -> None:
        """Read the state of an earlier run, or write the state of a new fetch."""
        remove_temporary(self.folder)
        path = self.folder / FETCH_STATE
        if not path.exists():
            if others := sorted(entry.name for entry in self.folder.iterdir() if not _is_lock(entry)):
                raise ArenaError(
                    f"{self.folder}: not empty ({others[0]}) and without {FETCH_STATE}; use another folder"
                )
            self.save(self.checkpoint)
            return
        try:
            table = read_toml(path)
            self._refuse_other(path, table)
            left_out = Counter({row["reason"]: row["posts"] for row in table.get("left_out", [])})
            known = {one.name: table[one.name] for one in fields(Checkpoint) if one.name != "left_out"}
            if any(type(known[name]) is not int for name in ("cursor", "posts", "posts_bytes")):
                raise TypeError("cursor, posts and posts_bytes must be integers")
            self.checkpoint = Checkpoint(**known, left_out=left_out)
        except (ValueError, KeyError, TypeError) as error:
            raise ArenaError(f"{path}: damaged ({type(error).__name__}: {error}); fetch into another folder") from None
        self._cut_posts()
        self.rejects = {(row.where, row.image_id): row for row in read_rejects(self.folder / FETCH_REJECTS)}

    def _refuse_other(self, path: Path, table: Mapping[str, Any]) -> None:
        """Raise if the folder holds the fetch of another query."""
        for key, wanted in {"schema": FETCH_SCHEMA, **self.asked}.items():
            if table[key] != wanted:
                raise ArenaError(f"{path}: fetched with {key} {table[key]!r}, now {wanted!r}; use another folder")

    def _cut_posts(self) -> None:
        """Cut off anything in `posts.jsonl` that was written after the last checkpoint."""
        path, valid = self.folder / _POSTS_FILE, self.checkpoint.posts_bytes
        size = path.stat().st_size if path.exists() else 0
        if size < valid:
            raise ArenaError(
                f"{path}: {size} bytes, {FETCH_STATE} says {valid}; restore it, or fetch into another folder"
            )
        if size > valid:
            os.truncate(path, valid)
