"""Named groups of tags, so that what a tagger is said to be weak at, or to care for, is measured.

A TOML file holds a table a group: `tags`, optional `except`, and what readers are told, `title` and `why`.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena.base.errors import ArenaError, nearest, refuse_twice
from arena.tags.space import TagSpace

GROUP_KEYS = ("title", "why", "tags", "except")
"""What the table of a group may hold."""


@dataclass(frozen=True)
class TagGroup:
    """Tags that are measured together.

    Attributes:
        name: lower-case letters, digits and `_`.
        title: the name for readers.
        why: one line on what the group is for; may be empty.
        tags: names, in which `*` stands for any text, also none. Everything else is meant literally, `?`, `[` and brackets
            too, which Danbooru's names contain; `*` they never do, since its search uses it likewise.
        exceptions: names and patterns that are taken out again.
    """

    name: str
    title: str
    why: str
    tags: tuple[str, ...]
    exceptions: tuple[str, ...] = ()

    def members(self, space: TagSpace) -> NDArray[np.int64]:
        """The columns of the tags that belong to the group; names that the space lacks are passed over.

        Returns: int64 (members,), ascending, each once; empty where no tag belongs.

        >>> group = TagGroup("focus", "Focus", "", ("*_focus", "close-up"), ("text_*",))
        >>> group.members(TagSpace(("animal_focus", "smile", "text_focus", "close-up")))
        array([0, 3])
        """
        found = _columns(self.tags, space) - _columns(self.exceptions, space)
        return np.array(sorted(found), dtype=np.int64)


def read_tag_groups(path: Path) -> tuple[TagGroup, ...]:
    """Read the groups of a TOML file, in its order.

    Raises:
        ArenaError: no such file, no TOML, no group; or a group of another name than letters, digits and `_`, without tags,
            with a key that is not known, with a value of another kind, or with a tag listed twice.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ArenaError(f"{path}: no file of tag groups can be read there ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ArenaError(f"{path}: no readable TOML ({error})") from None
    if not content:
        raise ArenaError(f"{path}: no group in it; add a table such as [hats] with tags = ['hat', '*_hat']")
    return tuple(_group(path, name, table) for name, table in content.items())


def _group(path: Path, name: str, table: Any) -> TagGroup:
    where = f"{path}: [{name}]"
    if not re.fullmatch("[a-z0-9_]+", name):
        raise ArenaError(f"{where}: the name of a group is made of the letters a to z, digits and _")
    if not isinstance(table, dict):
        raise ArenaError(f"{path}: {name} = {table!r} stands outside a group; a group is a table, [{name}]")
    for key in table:
        if key not in GROUP_KEYS:
            raise ArenaError(f"{where}: {key} is no field of a tag group. {nearest(key, GROUP_KEYS)}")
    tags = _names(where, table, "tags")
    if not tags:
        raise ArenaError(f"{where}: no tags; list at least one name or pattern, such as tags = ['hat', '*_hat']")
    title = _line(where, table, "title") or name.replace("_", " ").capitalize()
    return TagGroup(name, title, _line(where, table, "why"), tags, _names(where, table, "except"))


def _line(where: str, table: Mapping[str, Any], key: str) -> str:
    """A text on one line; empty where it is left out."""
    value = table.get(key, "")
    if not isinstance(value, str) or "\n" in value:
        raise ArenaError(f"{where}: {key} = {value!r}; it must be one line of text")
    return value.strip()


def _names(where: str, table: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """A list of names, each once; empty where it is left out."""
    values = table.get(key, [])
    if not isinstance(values, list) or not all(isinstance(value, str) and value for value in values):
        raise ArenaError(f"{where}: {key} = {values!r}; it must be a list of names")
    refuse_twice(f"{where}: {key}", "tag", values)
    return tuple(values)


def _columns(names: Iterable[str], space: TagSpace) -> set[int]:
    """Columns of the tags that a name or pattern holds for."""
    names = tuple(names)
    patterns = "|".join(".*".join(map(re.escape, name.split("*"))) for name in names if "*" in name)
    found = {space.index[name] for name in names if name in space.index}
    if patterns:
        fits = re.compile(patterns).fullmatch
        found |= {column for column, name in enumerate(space.names) if fits(name)}
    return found
