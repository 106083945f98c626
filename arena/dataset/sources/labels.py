"""Tags as people write them down, in text or in tables, made the tags of one image.

A tag is tidied in one way everywhere: brackets unescaped, white space inside it made underscores, control characters
dropped. So `hatsune miku \\(cosplay\\)` in a caption and `hatsune_miku_(cosplay)` in a post are one tag.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from arena.dataset.ratings import rating_word
from arena.dataset.records import RefusedError
from arena.tags import CATEGORY_NAMES

NAMESPACES = {"creator": "artist", "series": "copyright"} | {
    name: name for name in ("artist", "copyright", "character", "meta")
}
"""Prefixes of tags written one a line, as hydrus exports them, and the category that each means."""

CATEGORIES = tuple(name for number, name in CATEGORY_NAMES.items() if number < 9)

MAX_TAG_CHARACTERS = 1_000_000
"""Longest text of the tags of one image: a page of tags has some kilobytes."""

_ESCAPED = re.compile(r"\\([()\[\]{}])")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f]")


class Labels(NamedTuple):
    """What is known of one image's content."""

    tags: tuple[str, ...]
    categories: Mapping[str, str] = {}
    rating: str = ""
    """As `rating_word` gives it."""


def tidy(tag: str) -> str:
    r"""A tag in the one spelling.

    >>> tidy(r" hatsune miku  \(cosplay\) ")
    'hatsune_miku_(cosplay)'
    """
    return "_".join(_CONTROL.sub("", _ESCAPED.sub(r"\1", tag)).split())


def refuse_long(characters: int) -> None:
    """Refuse tags that no image has.

    Raises:
        RefusedError: `tags too long`.
    """
    if characters > MAX_TAG_CHARACTERS:
        raise RefusedError("tags too long", f"{characters:,} characters")


def split_tags(text: str, separator: str) -> list[str]:
    r"""The tags in a text, tidied, each once, in order.

    >>> split_tags("1girl, blue eyes,, 1girl", "comma"), split_tags("blue eyes\nsolo\n", "line"), split_tags("a b", "space")
    (['1girl', 'blue_eyes'], ['blue_eyes', 'solo'], ['a', 'b'])
    """
    refuse_long(len(text))
    parts = {
        "comma": lambda: re.split(r"[,\n]", text),
        "line": text.splitlines,
        "space": text.split,
    }[separator]()
    return list(dict.fromkeys(filter(None, map(tidy, parts))))


def caption(text: str, separator: str = "auto") -> Labels:
    r"""The labels in a sidecar text: commas part the tags where there is one, otherwise lines do.

    In lines, a prefix such as `character:` tells the category, and `rating:` the rating.

    >>> caption("character:hatsune miku\nrating:safe\nre:zero")
    Labels(tags=('hatsune_miku', 're:zero'), categories={'hatsune_miku': 'character'}, rating='safe')
    """
    chosen = separator if separator != "auto" else "comma" if "," in text else "line"
    found: dict[str, str] = {}
    rating = ""
    for tag in split_tags(text, chosen):
        prefix, colon, rest = tag.partition(":")
        if chosen == "line" and colon and prefix == "rating":
            rating = rating_word(rest)
        elif chosen == "line" and colon and prefix in NAMESPACES and rest.strip("_"):
            found[rest.strip("_")] = NAMESPACES[prefix]
        else:
            found.setdefault(tag, "")
    return Labels(tuple(found), {tag: category for tag, category in found.items() if category}, rating)


def labels_of(table: Mapping[str, Any], separator: str = "auto") -> Labels | None:
    """The labels in a mapping as booru sites, their downloaders and trainers write it, or None where it holds none.

    Read are `tag_string`, `tags`, and by category `tag_string_character`, `tags_character` and so on. A value is a list, a
    text parted by commas or else by spaces, or a mapping of category to either.

    Raises:
        RefusedError: a value that is none of these.

    >>> labels_of({"tag_string": "1girl solo miku", "tag_string_character": "miku", "rating": "g"})
    Labels(tags=('1girl', 'solo', 'miku'), categories={'miku': 'character'}, rating='g')
    >>> labels_of({"caption": "a girl"}) is None
    True
    """
    found: dict[str, str] = {}
    known = False
    for key in ("tag_string", "tags"):
        if (value := table.get(key)) is not None:
            known = True
            groups = value if isinstance(value, Mapping) else {"": value}
            for category, content in groups.items():
                found |= dict.fromkeys(tags_in(content, separator), category if category in CATEGORIES else "")
    for category in CATEGORIES:
        for key in (f"tag_string_{category}", f"tags_{category}"):
            if (value := table.get(key)) is not None:
                known = True
                found |= dict.fromkeys(tags_in(value, separator), category)
    if not known:
        return None
    categories = {tag: category for tag, category in found.items() if category}
    return Labels(tuple(found), categories, rating_word(table.get("rating")))


def tags_in(value: Any, separator: str = "auto", names: Sequence[str] = ()) -> list[str]:
    """The tags in one cell: a list of names or of numbers, one number, or a text parted by commas or else by spaces.

    Raises:
        RefusedError: a number without a name, or a value of another kind.
    """
    if value is None:
        return []
    if isinstance(value, str):
        chosen = separator if separator != "auto" else "comma" if "," in value else "space"
        return split_tags(value, chosen)
    items: Iterable[Any] = value if isinstance(value, (list, tuple)) else [value]
    tags = [item if isinstance(item, str) else _named(item, names) for item in items]
    refuse_long(sum(map(len, tags)) + len(tags))
    return list(dict.fromkeys(filter(None, map(tidy, tags))))


def _named(item: Any, names: Sequence[str]) -> str:
    if isinstance(item, bool) or not isinstance(item, int):
        raise RefusedError("unreadable row", f"a tag is {type(item).__name__}, neither a name nor a number")
    if not 0 <= item < len(names):
        raise RefusedError("unreadable row", f"tag number {item} of a list of {len(names)} names")
    return names[item]
