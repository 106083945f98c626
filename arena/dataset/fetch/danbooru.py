"""Fetch posts and their images from Danbooru, or a host with its API: politely, checked, and continued where it stopped.

Source of the API: Danbooru's own help pages, `help:api`; `page=b<ID>` asks for posts older than one.
"""

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from arena.base.errors import ArenaError
from arena.base.progress import Progress, Silent
from arena.base.version import __version__
from arena.dataset.fetch.client import Asker
from arena.dataset.fetch.filter import REPEATED, UNLAWFUL, LeftOut, Post, PostFile, Wish, Wrong, post_id_of, sift
from arena.dataset.fetch.folder import REJECTS, Checkpoint, FetchFolder
from arena.dataset.fetch.images import ImageFetch
from arena.dataset.records import Reject

PAGE_POSTS = 200
"""Posts a page; the most that Danbooru gives to any account."""

MOST_PAGE_BYTES = 1 << 25
"""32 MiB; a page of Danbooru has half a megabyte."""

DANBOORU, RATING_SCHEME = "donmai.us", "danbooru-2022"
"""The domain of Danbooru's own hosts, and by which scheme they rate."""


@dataclass(frozen=True)
class Query:
    """What to fetch.

    Attributes:
        host: address of the API, for the record.
        before_id: only posts with a lower identifier, newest first.
        after_id: only posts with a higher one.
        count: how many posts to take.
    """

    host: str
    before_id: int
    count: int
    after_id: int = 0
    wish: Wish = field(default_factory=Wish)

    def __post_init__(self) -> None:
        if self.after_id >= self.before_id - 1:
            raise ArenaError(f"no post lies between {self.after_id} and {self.before_id}; give a lower --after-id")

    def asked(self) -> dict[str, Any]:
        """What the posts depend on, `count` apart: more may be asked for later."""
        return {
            "host": self.host, "before_id": self.before_id, "after_id": self.after_id, "ratings": ",".join(self.wish.ratings),
            "file_types": ",".join(self.wish.file_types), "tag_filter": bool(self.wish.unlawful),
        }  # fmt: skip


@dataclass(frozen=True)
class Fetched:
    """What a folder holds after a fetch.

    Attributes:
        left_out: reason -> posts that were sound, and not wanted.
        rejects: reason -> posts and files that were wrong.
        ended: whether the host had no older post.
    """

    posts: int
    images: int
    left_out: Counter[str]
    rejects: Counter[str]
    ended: bool

    def told(self, folder: Path, query: Query) -> str:
        """The outcome in a few lines; what the tag filter left out is said even where it is nothing."""
        lines = [f"{folder}: {self.posts} posts, {self.images} images"]
        counts = self.left_out | ({UNLAWFUL: self.left_out[UNLAWFUL]} if query.wish.unlawful else {})
        if counts:
            told = ", ".join(f"{reason} {count}" for reason, count in sorted(counts.items()))
            lines.append(f"left out: {told}")
        if self.rejects:
            told = ", ".join(f"{reason} {count}" for reason, count in sorted(self.rejects.items()))
            lines.append(f"rejected: {told}; see {folder / REJECTS}")
        if self.posts < query.count:
            lines.append(
                f"{self.posts} of {query.count} posts: the host has no more between {query.after_id} and {query.before_id}"
            )
        return "\n".join(lines)


class _Page(NamedTuple):
    """What a page of the host comes to."""

    posts: list[Post]
    rejects: list[Reject]
    checkpoint: Checkpoint


def fetch(query: Query, folder: Path, *, client: Asker, progress: Progress | None = None) -> Fetched:
    """Fetch posts older than `query.before_id`, and their images, into a folder.

    Stopped at any point, the same call continues; finished, it asks for nothing. A larger `count` goes on from there.

    Raises:
        ArenaError: the folder holds something else, or the host cannot be asked, refuses, or answers no posts.
    """
    progress = progress or Silent()
    rated = {"rating_scheme": RATING_SCHEME} if _host(query).endswith(DANBOORU) else {}
    store = FetchFolder(folder, query.asked(), facts={"count": query.count, "arena": __version__, **rated})
    with store.opened(), progress.count("posts", max(query.count, store.checkpoint.posts), 0) as advance:
        images = ImageFetch(store, client, query.wish, advance)
        try:
            images.fetch_all(store.posts())
            while store.checkpoint.posts < query.count and not store.checkpoint.ended:
                page = _read_page(client, store.checkpoint, query)
                store.take(page.posts, page.rejects, page.checkpoint)
                images.fetch_all(page.posts)
            store.facts["images"] = images.there
        finally:
            store.save(store.checkpoint)
        return Fetched(
            posts=store.checkpoint.posts, images=images.there, left_out=store.checkpoint.left_out,
            rejects=Counter(reject.reason for reject in store.rejects.values()), ended=store.checkpoint.ended,
        )  # fmt: skip


def _host(query: Query) -> str:
    return urlsplit(query.host).hostname or ""


def _read_page(client: Asker, before: Checkpoint, query: Query) -> _Page:
    """Ask for the posts before the cursor, and sift them; an empty page ends the fetch, so it is believed the second time."""
    address = f"/posts.json?limit={PAGE_POSTS}&page=b{before.cursor}"
    parse = partial(_posts, f"{query.host}/posts.json")
    rows = client.read(address, parse, most_bytes=MOST_PAGE_BYTES)
    return _sift_page(rows or client.read(address, parse, most_bytes=MOST_PAGE_BYTES), before, query)


def _sift_page(rows: list[Any], before: Checkpoint, query: Query) -> _Page:
    """Take what is wanted of a page, newest first, until there are enough; count and name the rest.

    Raises:
        ArenaError: nothing on the page is older than the cursor, so that the next page would be no other.
    """
    where = f"page=b{before.cursor}"
    after = replace(before, left_out=Counter(before.left_out))
    taken, rejects, found = list[Post](), list[Reject](), dict[int, Post]()
    for number, row in enumerate(rows, 1):
        post_id = post_id_of(row)
        if post_id is None:
            rejects.append(Reject(f"{where} row {number}", "", "no id", "" if isinstance(row, dict) else "not a post"))
        elif post_id >= before.cursor or post_id in found:
            after.left_out[REPEATED] += 1
        else:
            found[post_id] = row
    if rows and not found:
        raise ArenaError(
            f"{query.host}: {len(rows)} posts on {where}, none of them older than {before.cursor}; does it know page=b<ID>?"
        )
    for post_id in sorted((one for one in found if one > query.after_id), reverse=True):
        if before.posts + len(taken) == query.count:
            break
        after.cursor = post_id
        match sift(found[post_id], query.wish):
            case PostFile():
                taken.append(found[post_id])
            case LeftOut(reason):
                after.left_out[reason] += 1
            case Wrong(reason, detail):
                rejects.append(Reject(f"post {post_id}", str(post_id), reason, detail))
    else:
        after.ended = not found or min(found) <= query.after_id + 1
    return _Page(taken, rejects, after)


def _posts(where: str, body: bytes) -> list[Any]:
    """The rows of a page.

    Raises:
        ValueError: no JSON.
        ArenaError: JSON, but no list.
    """
    rows = json.loads(body, parse_constant=_refuse_constant)
    if not isinstance(rows, list):
        said = rows.get("message") if isinstance(rows, dict) else None
        raise ArenaError(
            f"{where}: no list of posts, but {type(rows).__name__}" + (f": {str(said)[:200]!r}" if said else "")
        )
    return rows


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
