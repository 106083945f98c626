"""Parse the tags of one image from text or tables.

Every tag gets the canonical spelling, so `hatsune miku \\(cosplay\\)` in a caption and `hatsune_miku_(cosplay)` in a post are
one tag. `forms` splits texts. A prefix such as `character:` sets the category of a tag, and `rating:` sets the rating.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from arena.dataset.frozen import KNOWN_COLUMNS
from arena.dataset.ratings import rating_word
from arena.dataset.records import RowRefusedError
from arena.dataset.sources.forms import TagForms
from arena.tags import CATEGORY_NAMES

_CATEGORIES = tuple(name for number, name in CATEGORY_NAMES.items() if number < 9)

TAG_KEYS = ("tag_string", "tags", *(f"{key}_{category}" for category in _CATEGORIES for key in ("tag_string", "tags")))
"""Fields of tags in the metadata of booru sites, downloaders and trainers."""

_NAMESPACES = {"creator": "artist", "series": "copyright"} | {name: name for name in _CATEGORIES}
"""Prefix of a tag, as hydrus, Grabber and Danbooru's upload form write it -> category."""

_NAME_KEYS, _CATEGORY_KEYS = ("name", "tag", "tagName"), ("category", "type")
"""Keys of the name and the category of a tag that is an object, as sites and their downloaders write it."""

_MAX_NESTED = 3
"""Depth at which tags are looked for in nested objects."""

MAX_TAG_CHARACTERS = 1_000_000
"""Maximum length of the tags of one image; a long list of tags has a few thousand characters."""

SIDECAR_TEXTS = "text files"
"""Place of the texts of sidecar files, for `TagForms`."""


class Labels(NamedTuple):
    """Tags, their categories and the rating of one image."""

    tags: tuple[str, ...]
    categories: Mapping[str, str] = {}
    rating: str = ""
    """As `rating_word` returns it."""


def refuse_long_tags(characters: int) -> None:
    """Raise if the tags of one image have more than `MAX_TAG_CHARACTERS` characters.

    Raises:
        RowRefusedError: `tags too long`.
    """
    if characters > MAX_TAG_CHARACTERS:
        raise RowRefusedError("tags too long", f"{characters:,} characters")


def parse_caption(text: str, forms: TagForms | None = None) -> Labels:
    r"""Return the labels in a sidecar text; without a separator, a text of two words is one tag (`TextTally.best_form`).

    Args:
        forms: splits the text; None recognises its form from the text alone.

    Raises:
        RowRefusedError: the tags are too long, or the text is a list that cannot be read.

    >>> parse_caption("character:hatsune miku\nrating:safe\nre:zero")
    Labels(tags=('hatsune_miku', 're:zero'), categories={'hatsune_miku': 'character'}, rating='safe')
    """
    refuse_long_tags(len(text))
    return _labelled({"": (forms or TagForms()).split(text, SIDECAR_TEXTS, "line")})


def parse_labels(table: Mapping[str, Any], forms: TagForms | None = None, rating: Any = None) -> Labels | None:
    """Return the labels in the metadata of a booru site, a downloader or a trainer; None if no field of tags is present.

    The fields are `tag_string`, `tags`, and per category `tag_string_character`, `tags_character` and so on. A value is a list
    or a text; `tag_string` and `tags` may also map categories to either. An item of a list is a name, or an object with the
    name and the category. Without such a field they are looked for in the objects of the table, as hydrus nests them.

    Args:
        forms: splits texts; None recognises the form of each text by itself.
        rating: rating of the image; None: the field `rating`, or else a tag such as `rating:safe`.

    Raises:
        RowRefusedError: a value has another type, the tags are too long, or a text is a list that cannot be read.

    >>> parse_labels({"tag_string": "1girl solo miku", "tag_string_character": "miku", "rating": "g"})
    Labels(tags=('1girl', 'solo', 'miku'), categories={'miku': 'character'}, rating='g')
    >>> parse_labels({"metadata": {"urls": [], "tags": [{"name": "miku", "type": "character"}]}})
    Labels(tags=('miku',), categories={'miku': 'character'}, rating='')
    >>> parse_labels({"caption": "a girl"}) is None
    True
    """
    forms = forms or TagForms()
    table = _tagged_object(table)
    found: dict[str, list[str]] = {}
    present = False
    for key in TAG_KEYS:
        if (value := table.get(key)) is not None:
            present = True
            groups = _groups(value) if isinstance(value, Mapping) else {_category_of(key): value}
            for category, content in groups.items():
                found.setdefault(category, []).extend(_names(content, forms, key, ()))
    return _labelled(found, table.get("rating") if rating is None else rating) if present else None


def parse_tags(value: Any, forms: TagForms | None = None, names: Sequence[str] = (), place: str = "tags") -> Labels:
    """Return the labels in one cell.

    Args:
        value: a list of names or numbers, one number, a text, or None for no tag.
        forms: splits a text; None recognises its form from the text alone.
        names: tag names; a number is an index into them.
        place: the column of the cell.

    Raises:
        RowRefusedError: a number has no name, a value has another type, the tags are too long, or a text is a list that cannot
            be read.
    """
    return _labelled({"": _names(value, forms or TagForms(), place, names)})


def parse_checked(
    values: Mapping[str, Any], forms: TagForms, names: Sequence[str] = (), place: str = ""
) -> dict[str, list[str]]:
    """Return the tags that were checked, or verified to be absent, by column; an empty list for a cell without any.

    Args:
        values: column, or key of an object, -> value; a missing one says nothing.
        forms, names: as in `parse_tags`.
        place: column of the tags, whose form the texts have; empty if each column has its own.

    Raises:
        RowRefusedError: as `parse_tags`.
    """
    found = {}
    for name in KNOWN_COLUMNS:
        if name in values:
            cell = [] if values[name] in (None, "") else values[name]
            found[name] = sorted(set(parse_tags(cell, forms, names, place or name).tags))
    return found


def _names(value: Any, forms: TagForms, place: str, names: Sequence[str]) -> list[str]:
    """Return the tags in one cell in the canonical spelling."""
    if value is None:
        return []
    if isinstance(value, str):
        refuse_long_tags(len(value))
        return forms.split(value, place)
    items: Iterable[Any] = value if isinstance(value, (list, tuple)) else [value]
    tags = [item if isinstance(item, str) else _tag_name(item, names) for item in items]
    refuse_long_tags(sum(map(len, tags)) + len(tags))
    return forms.names(tags)


def _labelled(groups: Mapping[str, Sequence[str]], rating: Any = None) -> Labels:
    """Return the labels from tags by category; a prefix such as `artist:` also sets the category.

    A tag in two groups gets the category of the later one.

    >>> _labelled({"": ["rating:s", "miku", "artist:x"], "character": ["miku"]})
    Labels(tags=('miku', 'x'), categories={'miku': 'character', 'x': 'artist'}, rating='s')
    """
    found: dict[str, str] = {}
    for category, names in groups.items():
        for name in names:
            prefix, colon, rest = name.partition(":")
            prefix = prefix.lower()
            if colon and prefix == "rating" and (word := rating_word(rest)):
                rating = rating or word
            elif colon and prefix in _NAMESPACES and rest.strip("_"):
                found[rest.strip("_")] = _NAMESPACES[prefix]
            else:
                found[name] = category if category in _CATEGORIES else found.get(name, "")
    return Labels(tuple(found), {tag: category for tag, category in found.items() if category}, rating_word(rating))


def _tagged_object(table: Mapping[str, Any], depth: int = _MAX_NESTED) -> Mapping[str, Any]:
    """Return the table itself if it has a field of tags, else the first object in it that has one, else the table itself."""
    if any(table.get(key) is not None for key in TAG_KEYS) or not depth:
        return table
    inner = (_tagged_object(one, depth - 1) for one in table.values() if isinstance(one, Mapping))
    return next((one for one in inner if any(one.get(key) is not None for key in TAG_KEYS)), table)


def _groups(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return category -> tags; a mapping of tags to scores, as waifuc writes it, has one group without a category."""
    scored = bool(value) and all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in value.values())
    return {"": list(value)} if scored else value


def _category_of(key: str) -> str:
    """Return the category of a field such as `tags_character`; empty for `tags` and `tag_string`."""
    return key.removeprefix("tag_string").removeprefix("tags").removeprefix("_")


def _tag_name(item: Any, names: Sequence[str]) -> str:
    """Return the name of an item that is not a text: an index into `names`, or an object, with its category as a prefix."""
    if isinstance(item, Mapping) and isinstance(
        name := next((item[key] for key in _NAME_KEYS if key in item), None), str
    ):
        category = next((item[key] for key in _CATEGORY_KEYS if isinstance(item.get(key), str)), "").lower()
        return f"{category}:{name}" if category in _NAMESPACES else name
    if isinstance(item, bool) or not isinstance(item, int):
        raise RowRefusedError("unreadable row", f"a tag is {type(item).__name__}, not a name or an integer")
    if not 0 <= item < len(names):
        raise RowRefusedError("unreadable row", f"tag number {item}, but the list has {len(names)} names")
    return names[item]
