"""Filter of the posts of a host: decide whether a post is taken, and why not."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from arena.base.errors import ArenaError

Post = Mapping[str, Any]
"""A post as the host sends it; no field is checked."""

_RATINGS = ("g", "s", "q", "e")
"""General, sensitive, questionable, explicit; on older hosts `s` means safe, and there is no `g`."""

FILE_TYPES = ("jpg", "jpeg", "png", "webp", "gif", "avif")
"""Default suffixes: images, no videos."""

REPEATED = "repeated"
"""Reason for a post that the host has sent before."""

UNLAWFUL = "unlawful tags"
"""Reason for a post that `unlawful_tags.txt` excludes."""

NO_FILTER_WARNING = (
    "WARNING: --no-tag-filter: posts are taken whatever their tags. In many countries, possession of some of these images is "
    "a crime. You are responsible for what this command downloads."
)

_MD5 = re.compile(r"[0-9a-f]{32}")
_TAG_FIELDS = (
    "tag_string",
    *(f"tag_string_{name}" for name in ("general", "character", "copyright", "artist", "meta")),
)


@cache
def unlawful_tags() -> Mapping[str, frozenset[str]]:
    """Return tag -> ratings with which a post with this tag is left out, from `unlawful_tags.txt`; `""` is no rating.

    >>> sorted(unlawful_tags()["loli"]), sorted(unlawful_tags()["child"])
    (['', 'e', 'g', 'q', 's'], ['', 'e', 'q'])
    """
    text = files("arena.dataset.fetch").joinpath("unlawful_tags.txt").read_text(encoding="utf-8")
    rows = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {tag: frozenset(ratings or _RATINGS) | {""} for tag, *ratings in rows}


@dataclass(frozen=True)
class PostFilter:
    """Filter of posts.

    Attributes:
        ratings: ratings to take, some of `_RATINGS`.
        file_types: suffixes to take, without the dot, lower case.
        unlawful: tag -> ratings with which a post with this tag is left out; empty for no tag filter.
    """

    ratings: tuple[str, ...] = ("g", "s")
    file_types: tuple[str, ...] = FILE_TYPES
    unlawful: Mapping[str, frozenset[str]] = field(default_factory=unlawful_tags)


class PostFile(NamedTuple):
    """The file of a post that passed the filter."""

    post_id: int
    url: str
    """As in the post: absolute, or relative to the host."""
    md5: str
    suffix: str
    """Without the dot, lower case."""
    size_bytes: int | None
    """None if the post does not have it."""


class LeftOut(NamedTuple):
    """The reason why the filter leaves out a valid post; only counted."""

    reason: str


class InvalidPost(NamedTuple):
    """The reason why a post is invalid; it becomes a reject."""

    reason: str
    detail: str


def make_post_filter(ratings: Sequence[str], file_types: Sequence[str], *, tag_filter: bool) -> PostFilter:
    """Return the filter for the options of the user.

    Raises:
        ArenaError: a rating is unknown, a suffix is invalid, or a list is empty.

    >>> make_post_filter(["e", "g"], [".JPG"], tag_filter=False)
    PostFilter(ratings=('g', 'e'), file_types=('jpg',), unlawful={})
    """
    if unknown := [name for name in ratings if name not in _RATINGS]:
        raise ArenaError(f"--ratings {unknown[0]!r}: not one of {', '.join(_RATINGS)}")
    suffixes = tuple(sorted({name.lower().removeprefix(".") for name in file_types}))
    if wrong := [name for name in suffixes if not (name.isascii() and name.isalnum())]:
        raise ArenaError(f"--types {wrong[0]!r}: not a suffix; give some such as {','.join(FILE_TYPES)}")
    if not (ratings and suffixes):
        raise ArenaError(
            f"--ratings and --types need at least one name each; give some such as g,s and {','.join(FILE_TYPES)}"
        )
    return PostFilter(
        tuple(name for name in _RATINGS if name in ratings), suffixes, unlawful_tags() if tag_filter else {}
    )


def filter_post(post: Post, wish: PostFilter) -> PostFile | LeftOut | InvalidPost:
    """Return the file of a post that passes the filter, or the reason why it does not.

    The tag filter comes before ratings and files, so that its count covers every post that is neither deleted nor banned. It
    rejects a post without tags.

    >>> filter_post({"id": 7, "tag_string": "solo loli", "rating": "g"}, PostFilter())
    LeftOut(reason='unlawful tags')
    >>> filter_post({"id": 7, "tag_string": "solo", "rating": "e"}, PostFilter())
    LeftOut(reason='rating')
    """
    for flag, reason in (("is_deleted", "deleted"), ("is_banned", "banned")):
        if post.get(flag):
            return LeftOut(reason)
    rating = _post_rating(post)
    if wish.unlawful:
        tags = _post_tags(post)
        if not tags:
            return InvalidPost("no tags", "the tag filter needs tags")
        if any(rating in wish.unlawful.get(tag, ()) for tag in tags):
            return LeftOut(UNLAWFUL)
    if rating not in wish.ratings:
        return LeftOut("rating" if rating else "no rating")
    return _file_of(post, wish)


def post_id_of(post: object) -> int | None:
    """Return the identifier of a post; None if it has no valid one or is not a post."""
    found = post.get("id") if isinstance(post, dict) else None
    return found if type(found) is int and found > 0 else None


def _post_rating(post: Post) -> str:
    """Return the letter of a post's rating, from a letter or a word; empty if it is unknown.

    >>> _post_rating({"rating": "sensitive"}), _post_rating({"rating": 3})
    ('s', '')
    """
    letter = str(post.get("rating") or "")[:1].lower()
    return letter if letter in _RATINGS else ""


def _post_tags(post: Post) -> frozenset[str]:
    """Return every tag of a post in lower case, from the fields for all tags and for each category; may be empty.

    >>> sorted(_post_tags({"tag_string_general": "Solo 1girl", "tag_string_meta": "highres"}))
    ['1girl', 'highres', 'solo']
    """
    texts = [post[name] for name in _TAG_FIELDS if isinstance(post.get(name), str)]
    return frozenset(" ".join(texts).lower().split())


def _file_of(post: Post, wish: PostFilter) -> PostFile | LeftOut | InvalidPost:
    url, md5, size = post.get("file_url"), post.get("md5"), post.get("file_size")
    if not url:
        return LeftOut("no file")
    if not isinstance(url, str):
        return InvalidPost("no address", f"file_url is {type(url).__name__}")
    if not (isinstance(md5, str) and _MD5.fullmatch(md5.lower())):
        return InvalidPost("no md5", f"md5 is {str(md5)[:40]!r}")
    suffix = _suffix_of(post, url)
    if suffix not in wish.file_types:
        return LeftOut(f"file type {suffix}" if suffix.isalnum() and len(suffix) <= 5 else "file type")
    post_id = post_id_of(post)
    assert post_id is not None, "posts without an identifier are rejected earlier"
    return PostFile(post_id, url, md5.lower(), suffix, size if type(size) is int and size > 0 else None)


def _suffix_of(post: Post, url: str) -> str:
    """Return the suffix in the post, else that of the URL; without the dot, lower case."""
    suffix = post.get("file_ext")
    name = url.partition("?")[0].rpartition("/")[2]
    return (suffix if isinstance(suffix, str) and suffix else name.rpartition(".")[2]).lower()
