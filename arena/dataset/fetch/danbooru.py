"""Download posts and their images from Danbooru, or from a host with its API: at a low rate, checked and resumable.

Source of the API: Danbooru's help page `help:api`; `page=b<ID>` returns posts older than ID.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from arena.base.errors import ArenaError
from arena.base.progress import Progress, Silent
from arena.base.version import __version__
from arena.dataset.fetch.client import FetchClient
from arena.dataset.fetch.filter import (
    REPEATED,
    UNLAWFUL,
    InvalidPost,
    LeftOut,
    Post,
    PostFile,
    PostFilter,
    filter_post,
    post_id_of,
)
from arena.dataset.fetch.folder import FETCH_REJECTS, Checkpoint, FetchFolder
from arena.dataset.fetch.images import ImageFetch
from arena.dataset.records import Reject

PAGE_POSTS = 200
"""Posts per page; the maximum of Danbooru for every account."""

MAX_PAGE_BYTES = 1 << 25
"""Maximum size of a page, 32 MiB; a page of Danbooru has half a megabyte."""

_DANBOORU_DOMAIN, _DANBOORU_RATING_SCHEME = "donmai.us", "danbooru-2022"
"""Domain of Danbooru's own hosts, and their rating scheme."""


@dataclass(frozen=True)
class PostQuery:
    """The posts to fetch, newest first.

    Attributes:
        host: base URL of the API, for `fetch.toml` and messages.
        before_id: take only posts with a lower identifier.
        count: number of posts to take.
        after_id: take only posts with a higher identifier.
        wish: filter of the posts.

    Raises:
        ArenaError: no identifier lies between `after_id` and `before_id`.
    """

    host: str
    before_id: int
    count: int
    after_id: int = 0
    wish: PostFilter = field(default_factory=PostFilter)

    def __post_init__(self) -> None:
        if self.after_id >= self.before_id - 1:
            raise ArenaError(f"no post lies between {self.after_id} and {self.before_id}; give a lower --after-id")

    def asked(self) -> dict[str, Any]:
        """Return everything that determines the posts, for `fetch.toml`; without `count`, which a later run may raise."""
        return {
            "host": self.host, "before_id": self.before_id, "after_id": self.after_id, "ratings": ",".join(self.wish.ratings),
            "file_types": ",".join(self.wish.file_types), "tag_filter": bool(self.wish.unlawful),
        }  # fmt: skip


@dataclass(frozen=True)
class FetchTotals:
    """Totals of a folder after a fetch.

    Attributes:
        posts: number of posts taken.
        images: number of image files on disk.
        left_out: reason -> number of valid posts that the filter left out.
        rejects: reason -> number of invalid posts and files.
        ended: whether the host has no further post in the range.
    """

    posts: int
    images: int
    left_out: Counter[str]
    rejects: Counter[str]
    ended: bool

    def told(self, folder: Path, query: PostQuery) -> str:
        """Return the totals in a few lines of text; the count of the tag filter is shown even if it is zero."""
        lines = [f"{folder}: {self.posts} posts, {self.images} images"]
        counts = self.left_out | ({UNLAWFUL: self.left_out[UNLAWFUL]} if query.wish.unlawful else {})
        if counts:
            lines.append(f"left out: {_listed(counts)}")
        if self.rejects:
            lines.append(f"rejected: {_listed(self.rejects)}; see {folder / FETCH_REJECTS}")
        if self.posts < query.count:
            lines.append(
                f"{self.posts} of {query.count} posts: the host has no more between {query.after_id} and {query.before_id}"
            )
        return "\n".join(lines)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in sorted(counts.items()))


class _Page(NamedTuple):
    """Posts taken and rejected from one page, and the state after it."""

    posts: list[Post]
    rejects: list[Reject]
    checkpoint: Checkpoint


def fetch_posts(
    query: PostQuery, folder: Path, *, client: FetchClient, progress: Progress | None = None
) -> FetchTotals:
    """Download the posts of a query and their images into a folder, and return the totals.

    After an interruption, the same call continues. After completion, it sends no request; a larger `count` continues from
    there.

    Raises:
        ArenaError: the folder holds something else, or the host is unreachable, refuses, or does not send posts.
    """
    progress = progress or Silent()
    rated = {"rating_scheme": _DANBOORU_RATING_SCHEME} if f".{_host(query)}".endswith(f".{_DANBOORU_DOMAIN}") else {}
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
        return FetchTotals(
            posts=store.checkpoint.posts, images=images.there, left_out=store.checkpoint.left_out,
            rejects=Counter(reject.reason for reject in store.rejects.values()), ended=store.checkpoint.ended,
        )  # fmt: skip


def _host(query: PostQuery) -> str:
    return urlsplit(query.host).hostname or ""


def _read_page(client: FetchClient, before: Checkpoint, query: PostQuery) -> _Page:
    """Request and filter the posts before the cursor; an empty page is requested twice, because it ends the fetch."""
    address = f"/posts.json?limit={PAGE_POSTS}&page=b{before.cursor}"
    parse = partial(_posts, f"{query.host}/posts.json")
    rows = client.read(address, parse, most_bytes=MAX_PAGE_BYTES)
    return _sift_page(rows or client.read(address, parse, most_bytes=MAX_PAGE_BYTES), before, query)


def _sift_page(rows: list[Any], before: Checkpoint, query: PostQuery) -> _Page:
    """Filter the posts of a page, newest first, until `query.count` is reached, and return them with the new state.

    Raises:
        ArenaError: no post on the page is older than the cursor; the next request would return the same page.
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
            f"{query.host}: none of {len(rows)} posts on {where} is older than {before.cursor}; "
            "the host must support page=b<ID>"
        )
    for post_id in sorted((one for one in found if one > query.after_id), reverse=True):
        if before.posts + len(taken) == query.count:
            break
        after.cursor = post_id
        match filter_post(found[post_id], query.wish):
            case PostFile():
                taken.append(found[post_id])
            case LeftOut(reason):
                after.left_out[reason] += 1
            case InvalidPost(reason, detail):
                rejects.append(Reject(f"post {post_id}", str(post_id), reason, detail))
    else:
        after.ended = not found or min(found) <= query.after_id + 1
    return _Page(taken, rejects, after)


def _posts(where: str, body: bytes) -> list[Any]:
    """Return the rows of a page.

    Raises:
        ValueError: the body is not JSON.
        ArenaError: the body is JSON, but not a list.
    """
    rows = json.loads(body, parse_constant=_refuse_constant)
    if not isinstance(rows, list):
        message = rows.get("message") if isinstance(rows, dict) else None
        raise ArenaError(
            f"{where}: sent {type(rows).__name__}, not a list of posts"
            + (f": {str(message)[:200]!r}" if message else "")
        )
    return rows


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not valid JSON")
