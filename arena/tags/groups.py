"""Named groups of tags that are measured together, to test claims on what a tagger is good or weak at.

A TOML file has one table per group: `tags`, optional `except`, and the texts `title` and `why` for the report.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena.base.errors import ArenaError, nearest, refuse_twice
from arena.base.reading import read_toml
from arena.tags.space import TagSpace
from arena.tags.spelling import spell_names

GROUP_KEYS = ("title", "why", "tags", "except")
"""Keys of a group's table."""


@dataclass(frozen=True)
class TagGroup:
    """Tags that are measured together.

    Attributes:
        name: lower-case letters, digits and `_`.
        title: display name.
        why: one line on the purpose of the group; may be empty.
        tags: names or patterns; `*` matches any text, also none. All other characters are literal, including `?` and brackets,
            which Danbooru's names contain. No Danbooru name contains `*`, because its search uses it as a wildcard too.
        exceptions: names and patterns that are removed from the group.
    """

    name: str
    title: str
    why: str
    tags: tuple[str, ...]
    exceptions: tuple[str, ...] = ()

    def members(self, space: TagSpace) -> NDArray[np.int64]:
        """Return the columns of the tags in the group; names that the space lacks are ignored.

        Returns: int64 (members,), ascending, unique; may be empty.

        >>> group = TagGroup("focus", "Focus", "", ("*_focus", "close-up"), ("text_*",))
        >>> group.members(TagSpace(("animal_focus", "smile", "text_focus", "close-up")))
        array([0, 3])
        """
        found = _columns(self.tags, space) - _columns(self.exceptions, space)
        return np.array(sorted(found), dtype=np.int64)


def read_tag_groups(path: Path) -> tuple[TagGroup, ...]:
    """Read the groups of a TOML file, in its order.

    Raises:
        ArenaError: the file is missing, not TOML, or has no group; or a group has an invalid name, no tags, an unknown key, a
            value of the wrong type, or a tag twice.
    """
    content = read_toml(path)
    if not content:
        raise ArenaError(f"{path}: no group in it; add a table such as [hats] with tags = ['hat', '*_hat']")
    return tuple(_group(path, name, table) for name, table in content.items())


def _group(path: Path, name: str, table: Any) -> TagGroup:
    where = f"{path}: [{name}]"
    if not re.fullmatch("[a-z0-9_]+", name):
        raise ArenaError(f"{where}: the name of a group may contain only the letters a to z, digits and _")
    if not isinstance(table, dict):
        raise ArenaError(f"{path}: {name} = {table!r} is outside a group; write a group as a table, [{name}]")
    for key in table:
        if key not in GROUP_KEYS:
            raise ArenaError(f"{where}: a tag group has no key {key}. {nearest(key, GROUP_KEYS)}")
    tags = _names(where, table, "tags")
    if not tags:
        raise ArenaError(f"{where}: no tags; list at least one name or pattern, such as tags = ['hat', '*_hat']")
    title = _line(where, table, "title") or name.replace("_", " ").capitalize()
    return TagGroup(name, title, _line(where, table, "why"), tags, _names(where, table, "except"))


def _line(where: str, table: Mapping[str, Any], key: str) -> str:
    """Return a text of one line; empty if the key is missing."""
    value = table.get(key, "")
    if not isinstance(value, str) or "\n" in value:
        raise ArenaError(f"{where}: {key} = {value!r}; it must be one line of text")
    return value.strip()


def _names(where: str, table: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Return a list of unique names; empty if the key is missing."""
    values = table.get(key, [])
    if not isinstance(values, list) or not all(isinstance(value, str) and value for value in values):
        raise ArenaError(f"{where}: {key} = {values!r}; it must be a list of names")
    refuse_twice(f"{where}: {key}", "tag", values)
    return spell_names(f"{where}: {key}", values).names


def _columns(names: Iterable[str], space: TagSpace) -> set[int]:
    """Return the columns of the tags that match a name or pattern."""
    names = tuple(names)
    patterns = "|".join(".*".join(map(re.escape, name.split("*"))) for name in names if "*" in name)
    found = {space.index[name] for name in names if name in space.index}
    if patterns:
        fits = re.compile(patterns).fullmatch
        found |= {column for column, name in enumerate(space.names) if fits(name)}
    return found
