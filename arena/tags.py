"""Tags: ordered names with categories, and the relations (aliases, implications, blacklist) between them."""

import csv
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arena.errors import ArenaError, refuse_twice

CATEGORY_NAMES: Mapping[int, str] = {
    0: "general",
    1: "artist",
    3: "copyright",
    4: "character",
    5: "meta",
    9: "rating",
}
"""Danbooru's category numbers, with 9 as SmilingWolf's files add it."""

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


@dataclass(frozen=True)
class TagRelations:
    """What one tag says about another.

    Attributes:
        aliases: spelling -> canonical name, already resolved (no chains).
        implications: canonical name -> every name it implies, closed transitively.
        blacklist: canonical name -> why it is no label.
    """

    aliases: Mapping[str, str] = field(default_factory=dict)
    implications: Mapping[str, frozenset[str]] = field(default_factory=dict)
    blacklist: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        *,
        aliases: Iterable[tuple[str, str]] = (),
        implications: Iterable[tuple[str, str]] = (),
        blacklist: Mapping[str, str] | None = None,
    ) -> "TagRelations":
        """Resolve alias chains, canonicalise implications, and close them transitively.

        A cycle of aliases resolves to the alphabetically first of its names; of two aliases for one spelling the first
        listed holds.

        >>> r = TagRelations.of(aliases=[("pup", "doggy"), ("doggy", "dog")], implications=[("doggy", "animal")])
        >>> sorted(r.close(["pup"]))
        ['animal', 'dog']
        """
        direct: dict[str, str] = {}
        for old, new in aliases:
            direct.setdefault(old, new)
        resolved = {old: canonical for old in direct if (canonical := _follow(old, direct)) != old}
        edges: dict[str, set[str]] = {}
        for specific, general in implications:
            source, target = resolved.get(specific, specific), resolved.get(general, general)
            if source != target:
                edges.setdefault(source, set()).add(target)
        closed = {name: frozenset(_reachable(name, edges)) for name in edges}
        return cls(aliases=resolved, implications=closed, blacklist=dict(blacklist or {}))

    @classmethod
    def read(cls, folder: Path) -> "TagRelations":
        """Read `tag_aliases.csv`, `tag_implications.csv` and `tag_blacklist.csv`; an absent file is an empty one.

        The first two have Danbooru's columns `antecedent_name,consequent_name,status`, of which only `active` rows
        count; the last has `name,reason`.
        """
        return cls.of(
            aliases=_read_relation(folder / "tag_aliases.csv"),
            implications=_read_relation(folder / "tag_implications.csv"),
            blacklist={
                row["name"]: row["reason"] for row in read_csv(folder / "tag_blacklist.csv", ("name", "reason"))
            },
        )

    def canonical(self, name: str) -> str:
        """The name that stands for this spelling; itself where no alias is known."""
        return self.aliases.get(name, name)

    def close(self, names: Iterable[str]) -> set[str]:
        """Canonical names of one image with everything they imply, less the blacklist."""
        direct = {self.canonical(name) for name in names}
        implied = {general for name in direct for general in self.implications.get(name, ())}
        return (direct | implied) - self.blacklist.keys()


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


def read_csv(path: Path, required: tuple[str, ...]) -> list[dict[str, str]]:
    """Rows of a CSV file as text, so that a tag called `nan` stays one; an absent file has none.

    Raises:
        ArenaError: a required column is missing, or the file is no CSV.
    """
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in required if name not in (reader.fieldnames or ())]
            if missing:
                raise ArenaError(f"{path}: no column {', '.join(missing)}; its header is {reader.fieldnames}")
            return list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ArenaError(f"{path}: no readable CSV in UTF-8 ({error})") from None


def _read_relation(path: Path) -> list[tuple[str, str]]:
    rows = read_csv(path, ("antecedent_name", "consequent_name"))
    return [(r["antecedent_name"], r["consequent_name"]) for r in rows if (r.get("status") or "active") == "active"]


def _follow(name: str, direct: Mapping[str, str]) -> str:
    """The end of an alias chain."""
    path = [name]
    while (following := direct.get(path[-1])) is not None:
        if following in path:
            return min(path[path.index(following) :])
        path.append(following)
    return path[-1]


def _reachable(name: str, edges: Mapping[str, set[str]]) -> set[str]:
    """Everything implied by a name, itself left out."""
    found: set[str] = set()
    queue = [name]
    while queue:
        new = edges.get(queue.pop(), set()) - found
        found |= new
        queue.extend(new)
    return found - {name}
