"""Parse the tags of one image from text or tables.

Every tag is normalised the same way: brackets are unescaped, white space becomes underscores, control characters are
removed. So `hatsune miku \\(cosplay\\)` in a caption and `hatsune_miku_(cosplay)` in a post are one tag.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from arena.dataset.ratings import rating_word
from arena.dataset.records import RowRefusedError
from arena.tags import CATEGORY_NAMES

_NAMESPACES = {"creator": "artist", "series": "copyright"} | {
    name: name for name in ("artist", "copyright", "character", "meta")
}
"""Prefix of a tag in a file with one tag per line, as hydrus exports it -> category."""

_CATEGORIES = tuple(name for number, name in CATEGORY_NAMES.items() if number < 9)

MAX_TAG_CHARACTERS = 1_000_000
"""Maximum length of the tags of one image; a long list of tags has a few thousand characters."""

_ESCAPED = re.compile(r"\\([()\[\]{}])")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f]")


class Labels(NamedTuple):
    """Tags, their categories and the rating of one image."""

    tags: tuple[str, ...]
    categories: Mapping[str, str] = {}
    rating: str = ""
    """As `rating_word` returns it."""


def normalise_tag(tag: str) -> str:
    r"""Return a tag in its normalised spelling.

    >>> normalise_tag(r" hatsune miku  \(cosplay\) ")
    'hatsune_miku_(cosplay)'
    """
    return "_".join(_CONTROL.sub("", _ESCAPED.sub(r"\1", tag)).split())


def refuse_long_tags(characters: int) -> None:
    """Raise if the tags of one image have more than `MAX_TAG_CHARACTERS` characters.

    Raises:
        RefusedError: `tags too long`.
    """
    if characters > MAX_TAG_CHARACTERS:
        raise RowRefusedError("tags too long", f"{characters:,} characters")


def split_tags(text: str, separator: str) -> list[str]:
    r"""Return the normalised tags in a text, each once, in order.

    Args:
        separator: `comma` (or a new line), `line` or `space`.

    Raises:
        RefusedError: `tags too long`.

    >>> split_tags("1girl, blue eyes,, 1girl", "comma"), split_tags("blue eyes\nsolo\n", "line"), split_tags("a b", "space")
    (['1girl', 'blue_eyes'], ['blue_eyes', 'solo'], ['a', 'b'])
    """
    refuse_long_tags(len(text))
    parts = {
        "comma": lambda: re.split(r"[,\n]", text),
        "line": text.splitlines,
        "space": text.split,
    }[separator]()
    return list(dict.fromkeys(filter(None, map(normalise_tag, parts))))


def parse_caption(text: str, separator: str = "auto") -> Labels:
    r"""Return the labels in a sidecar text; `auto` separates tags at commas if there is one, else at line ends.

    In a text with one tag per line, a prefix such as `character:` sets the category, and `rating:` sets the rating.

    >>> parse_caption("character:hatsune miku\nrating:safe\nre:zero")
    Labels(tags=('hatsune_miku', 're:zero'), categories={'hatsune_miku': 'character'}, rating='safe')
    """
    chosen = separator if separator != "auto" else "comma" if "," in text else "line"
    found: dict[str, str] = {}
    rating = ""
    for tag in split_tags(text, chosen):
        prefix, colon, rest = tag.partition(":")
        if chosen == "line" and colon and prefix == "rating":
            rating = rating_word(rest)
        elif chosen == "line" and colon and prefix in _NAMESPACES and rest.strip("_"):
            found[rest.strip("_")] = _NAMESPACES[prefix]
        else:
            found.setdefault(tag, "")
    return Labels(tuple(found), {tag: category for tag, category in found.items() if category}, rating)


def parse_labels(table: Mapping[str, Any], separator: str = "auto") -> Labels | None:
    """Return the labels in the metadata of a booru site, a downloader or a trainer; None if no field of tags is present.

    The fields are `tag_string`, `tags`, and per category `tag_string_character`, `tags_character` and so on. A value is a list
    or a text; `tag_string` and `tags` may also map categories to either. `auto` separates a text at commas if there is one,
    else at spaces.

    Raises:
        RefusedError: a value has another type, or the tags are too long.

    >>> parse_labels({"tag_string": "1girl solo miku", "tag_string_character": "miku", "rating": "g"})
    Labels(tags=('1girl', 'solo', 'miku'), categories={'miku': 'character'}, rating='g')
    >>> parse_labels({"caption": "a girl"}) is None
    True
    """
    found: dict[str, str] = {}
    present = False
    for key in ("tag_string", "tags"):
        if (value := table.get(key)) is not None:
            present = True
            groups = value if isinstance(value, Mapping) else {"": value}
            for category, content in groups.items():
                found |= dict.fromkeys(parse_tags(content, separator), category if category in _CATEGORIES else "")
    for category in _CATEGORIES:
        for key in (f"tag_string_{category}", f"tags_{category}"):
            if (value := table.get(key)) is not None:
                present = True
                found |= dict.fromkeys(parse_tags(value, separator), category)
    if not present:
        return None
    categories = {tag: category for tag, category in found.items() if category}
    return Labels(tuple(found), categories, rating_word(table.get("rating")))


def parse_tags(value: Any, separator: str = "auto", names: Sequence[str] = ()) -> list[str]:
    """Return the normalised tags in one cell, each once.

    Args:
        value: a list of names or numbers, one number, a text, or None for no tag.
        separator: of a text; `auto` is commas if there is one, else spaces.
        names: tag names; a number is an index into them.

    Raises:
        RefusedError: a number has no name, a value has another type, or the tags are too long.
    """
    if value is None:
        return []
    if isinstance(value, str):
        chosen = separator if separator != "auto" else "comma" if "," in value else "space"
        return split_tags(value, chosen)
    items: Iterable[Any] = value if isinstance(value, (list, tuple)) else [value]
    tags = [item if isinstance(item, str) else _tag_name(item, names) for item in items]
    refuse_long_tags(sum(map(len, tags)) + len(tags))
    return list(dict.fromkeys(filter(None, map(normalise_tag, tags))))


def _tag_name(item: Any, names: Sequence[str]) -> str:
    if isinstance(item, bool) or not isinstance(item, int):
        raise RowRefusedError("unreadable row", f"a tag is {type(item).__name__}, not a name or an integer")
    if not 0 <= item < len(names):
        raise RowRefusedError("unreadable row", f"tag number {item}, but the list has {len(names)} names")
    return names[item]
