"""Tag spaces: ordered names with categories, and how one maps to another."""

import hashlib
from collections.abc import Mapping
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
"""Danbooru's category numbers, with 9 as SmilingWolf's files add it."""

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
"""e621's category numbers: 5 means another thing than on Danbooru."""

VENDOR_CATEGORIES = ("style", "year", "quality", "model")
"""Further categories that taggers (Camie, PixAI, cl_tagger) tell by name."""

UNKNOWN_CATEGORY = "general"
"""The category of a tag whose tagger and dataset know none; JoyTag's list has no categories."""


@dataclass(frozen=True)
class TagSpace:
    """Ordered tag names: what the columns of a score matrix mean.

    Attributes:
        names: one a column, unique.
        categories: one a name (`general`, `character`, ...), or None where the source has none.
        counts: training images a tag, or None where unknown.

    Raises:
        ArenaError: no tag, an empty name, a name twice, or lengths that disagree.
    """

    names: tuple[str, ...]
    categories: tuple[str, ...] | None = None
    counts: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if not self.names:
            raise ArenaError("tag list: no tag in it")
        if not all(self.names):
            raise ArenaError(f"tag list: the name in place {self.names.index('')} is empty")
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
        """The category of a column, `UNKNOWN_CATEGORY` where the source has none."""
        return self.categories[column] if self.categories else UNKNOWN_CATEGORY

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the names in order, in hexadecimal: two models with one digest have the same columns."""
        return hashlib.sha256("\n".join(self.names).encode()).hexdigest()


def project(source: TagSpace, target: TagSpace, relations: TagRelations) -> NDArray[np.int64]:
    """For each target tag the source column that means it, or -1.

    A column matches by its own spelling or by its canonical one. Where several do, the exact spelling wins, then the first
    column: scores are never added up or chosen by their outcome.

    Returns: int64 (len(target),).

    >>> project(TagSpace(("pup", "cat")), TagSpace(("cat", "dog", "sun")), TagRelations.of(aliases=[("pup", "dog")]))
    array([ 1,  0, -1])
    """
    columns: dict[str, int] = {}
    for column, name in enumerate(source.names):
        columns.setdefault(relations.canonical(name), column)
    columns |= source.index
    wanted = ((name, relations.canonical(name)) for name in target.names)
    found = [columns.get(name, columns.get(canonical, -1)) for name, canonical in wanted]
    return np.array(found, dtype=np.int64)
