"""Which posts of a host are taken, and why the others are not."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from arena.base.errors import ArenaError

Post = Mapping[str, Any]
"""A post as the host sends it; nothing about it is certain."""

RATINGS = ("g", "s", "q", "e")
"""General, sensitive, questionable, explicit; on older hosts `s` is safe, and there is no `g`."""

FILE_TYPES = ("jpg", "jpeg", "png", "webp", "gif", "avif")
"""Suffixes that are fetched unless others are asked for: pictures, no films."""

REPEATED = "repeated"
"""Why a post that the host sent before is left out."""

UNLAWFUL = "unlawful tags"
"""Why a post is left out by `unlawful_tags.txt`."""

NO_FILTER_WARNING = (
    "WARNING: --no-tag-filter: posts are taken whatever their tags; some show what is a crime to possess in many countries. "
    "You answer for what this fetches."
)

_MD5 = re.compile(r"[0-9a-f]{32}")
_TAG_FIELDS = (
    "tag_string",
    *(f"tag_string_{name}" for name in ("general", "character", "copyright", "artist", "meta")),
)


@cache
def unlawful_tags() -> Mapping[str, frozenset[str]]:
    """Tag -> ratings with which a post that carries it is left out, from `unlawful_tags.txt`.

    >>> sorted(unlawful_tags()["loli"]), sorted(unlawful_tags()["child"])
    (['', 'e', 'g', 'q', 's'], ['', 'e', 'q'])
    """
    text = files("arena.dataset.fetch").joinpath("unlawful_tags.txt").read_text(encoding="utf-8")
    rows = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {tag: frozenset(ratings or RATINGS) | {""} for tag, *ratings in rows}


@dataclass(frozen=True)
class Wish:
    """Which posts are wanted.

    Attributes:
        ratings: some of `RATINGS`.
        file_types: suffixes without the dot, lower case.
        unlawful: tag -> ratings with which a post that carries it is left out; empty where all posts are wanted.
    """

    ratings: tuple[str, ...] = ("g", "s")
    file_types: tuple[str, ...] = FILE_TYPES
    unlawful: Mapping[str, frozenset[str]] = field(default_factory=unlawful_tags)


class PostFile(NamedTuple):
    """The file of a post that is wanted."""

    post_id: int
    url: str
    """As the post has it; relative to the host where it is."""
    md5: str
    suffix: str
    """Without the dot, lower case."""
    size_bytes: int | None
    """None where the post does not say."""


class LeftOut(NamedTuple):
    """Why a sound post is not wanted; counted."""

    reason: str


class Wrong(NamedTuple):
    """What is wrong with a post that should not be so; rejected by name."""

    reason: str
    detail: str


def wish_of(ratings: Sequence[str], file_types: Sequence[str], *, tag_filter: bool) -> Wish:
    """A wish as a person writes it.

    Raises:
        ArenaError: an unknown rating, a suffix that is none, or nothing wanted at all.

    >>> wish_of(["e", "g"], [".JPG"], tag_filter=False)
    Wish(ratings=('g', 'e'), file_types=('jpg',), unlawful={})
    """
    if unknown := [name for name in ratings if name not in RATINGS]:
        raise ArenaError(f"--ratings {unknown[0]!r}: not one of {', '.join(RATINGS)}")
    suffixes = tuple(sorted({name.lower().removeprefix(".") for name in file_types}))
    if wrong := [name for name in suffixes if not (name.isascii() and name.isalnum())]:
        raise ArenaError(f"--types {wrong[0]!r}: not a suffix; such as {','.join(FILE_TYPES)}")
    if not (ratings and suffixes):
        raise ArenaError(f"--ratings and --types need one name each at least; such as g,s and {','.join(FILE_TYPES)}")
    return Wish(tuple(name for name in RATINGS if name in ratings), suffixes, unlawful_tags() if tag_filter else {})


def sift(post: Post, wish: Wish) -> PostFile | LeftOut | Wrong:
    """Say whether a post is wanted: its file, or why not.

    The tag filter comes before ratings and files, so that its count is of all posts that were met. A post whose tags are
    not told cannot pass it.

    >>> sift({"id": 7, "tag_string": "solo loli", "rating": "g"}, Wish())
    LeftOut(reason='unlawful tags')
    >>> sift({"id": 7, "tag_string": "solo", "rating": "e"}, Wish())
    LeftOut(reason='rating')
    """
    for flag, reason in (("is_deleted", "deleted"), ("is_banned", "banned")):
        if post.get(flag):
            return LeftOut(reason)
    rating = rating_of(post)
    if wish.unlawful:
        tags = tags_of(post)
        if not tags:
            return Wrong("no tags", "the tag filter cannot judge it")
        if any(rating in wish.unlawful.get(tag, ()) for tag in tags):
            return LeftOut(UNLAWFUL)
    if rating not in wish.ratings:
        return LeftOut("rating" if rating else "no rating")
    return _file_of(post, wish)


def post_id_of(post: object) -> int | None:
    """The identifier of a post, or None where it has none or is no post at all."""
    found = post.get("id") if isinstance(post, dict) else None
    return found if type(found) is int and found > 0 else None


def rating_of(post: Post) -> str:
    """`g`, `s`, `q` or `e`, from a letter or a word; empty where it is neither.

    >>> rating_of({"rating": "sensitive"}), rating_of({"rating": 3})
    ('s', '')
    """
    letter = str(post.get("rating") or "")[:1].lower()
    return letter if letter in RATINGS else ""


def tags_of(post: Post) -> frozenset[str]:
    """Every tag of a post in lower case, from one field or from one a category; empty where there is none.

    >>> sorted(tags_of({"tag_string_general": "Solo 1girl", "tag_string_meta": "highres"}))
    ['1girl', 'highres', 'solo']
    """
    texts = [post[name] for name in _TAG_FIELDS if isinstance(post.get(name), str)]
    return frozenset(" ".join(texts).lower().split())


def _file_of(post: Post, wish: Wish) -> PostFile | LeftOut | Wrong:
    url, md5, size = post.get("file_url"), post.get("md5"), post.get("file_size")
    if not url:
        return LeftOut("no file")
    if not isinstance(url, str):
        return Wrong("no address", f"file_url is {type(url).__name__}")
    if not (isinstance(md5, str) and _MD5.fullmatch(md5.lower())):
        return Wrong("no md5", f"md5 is {str(md5)[:40]!r}")
    suffix = _suffix_of(post, url)
    if suffix not in wish.file_types:
        return LeftOut(f"file type {suffix}" if suffix.isalnum() and len(suffix) <= 5 else "file type")
    post_id = post_id_of(post)
    assert post_id is not None, "posts without an identifier are told apart before"
    return PostFile(post_id, url, md5.lower(), suffix, size if type(size) is int and size > 0 else None)


def _suffix_of(post: Post, url: str) -> str:
    told = post.get("file_ext")
    name = url.partition("?")[0].rpartition("/")[2]
    return (told if isinstance(told, str) and told else name.rpartition(".")[2]).lower()
