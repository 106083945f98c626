"""Tag spaces: ordered tag names with categories, and the mapping from one to another."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from arena.base.errors import ArenaError, refuse_twice
from arena.tags.relations import TagRelations

CATEGORY_NAMES: Mapping[int, str] = {
    0: "general",
    1: "artist",
    3: "copyright",
    4: "character",
    5: "meta",
    9: "rating",
}
"""Danbooru's category numbers, and 9, which SmilingWolf's files add."""

E621_CATEGORY_NAMES: Mapping[int, str] = {
    0: "general",
    1: "artist",
    2: "contributor",
    3: "copyright",
    4: "character",
    5: "species",
    6: "invalid",
    7: "meta",
    8: "lore",
}
"""e621's category numbers; 5 is `species`, which is `meta` on Danbooru."""

VENDOR_CATEGORIES = ("style", "year", "quality", "model")
"""Further categories that taggers (Camie, PixAI, cl_tagger) give by name."""

UNKNOWN_CATEGORY = "general"
"""Category of a tag if neither tagger nor dataset has one; JoyTag's tag list has no categories."""


@dataclass(frozen=True)
class TagSpace:
    """Ordered tag names: the columns of a score matrix.

    Attributes:
        names: one per column, unique.
        categories: one per name (`general`, `character`, ...), or None if the source has none.
        counts: number of training images per tag, or None if unknown.

    Raises:
        ArenaError: there is no tag, an empty name, a name twice, or the lengths differ.
    """

    names: tuple[str, ...]
    categories: tuple[str, ...] | None = None
    counts: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if not self.names:
            raise ArenaError("tag list: it has no tag")
        if not all(self.names):
            raise ArenaError(f"tag list: the name at index {self.names.index('')} is empty")
        refuse_twice("tag list", "tag", self.names)
        for what, column in (("categories", self.categories), ("counts", self.counts)):
            if column is not None and len(column) != len(self.names):
                raise ArenaError(f"tag list: {len(self.names)} names but {len(column)} {what}")

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def index(self) -> Mapping[str, int]:
        """Column of each name."""
        return {name: column for column, name in enumerate(self.names)}

    def category(self, column: int) -> str:
        """Return the category of a column; `UNKNOWN_CATEGORY` if the source has none."""
        return self.categories[column] if self.categories else UNKNOWN_CATEGORY

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the names in order, in hexadecimal; models with the same digest have the same columns."""
        return hashlib.sha256("\n".join(self.names).encode()).hexdigest()


def project(source: TagSpace, target: TagSpace, relations: TagRelations) -> NDArray[np.int64]:
    """Return for each target tag the matching source column, or -1.

    A column matches by its exact name, by its name after aliases, or by its name in lower case if that is unique in both
    spaces; in this order. If several match by aliases, the first column is used; scores are never summed or selected by value.

    Returns: int64 (len(target),).

    >>> project(TagSpace(("pup", "cat")), TagSpace(("cat", "dog", "sun")), TagRelations.of(aliases=[("pup", "dog")]))
    array([ 1,  0, -1])
    """
    columns: dict[str, int] = {}
    for column, name in enumerate(source.names):
        columns.setdefault(relations.canonical(name), column)
    columns |= source.index
    lower = _by_lower_case(source.names)
    only = {names[0] for names in _by_lower_case(target.names).values() if len(names) == 1}

    def column_of(name: str) -> int:
        found = columns.get(name, columns.get(relations.canonical(name), -1))
        alike = lower.get(name.lower(), []) if found < 0 and name in only else []
        return source.index[alike[0]] if len(alike) == 1 else found

    return np.array([column_of(name) for name in target.names], dtype=np.int64)


def _by_lower_case(names: Iterable[str]) -> dict[str, list[str]]:
    """Return the names of each spelling in lower case, in order."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(name.lower(), []).append(name)
    return found
