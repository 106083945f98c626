"""Tags: ordered names with categories, and the relations (aliases, implications, blacklist) between them."""

import csv
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arena.base.errors import ArenaError, refuse_twice
from arena.base.format import shown
from arena.tags.relations import Link, close_implications, link_of, resolve_aliases

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


@dataclass(frozen=True)
class TagRelations:
    """What one tag says about another.

    Attributes:
        aliases: spelling -> canonical name, already resolved (no chains).
        implications: canonical name -> every name it implies, closed transitively.
        blacklist: canonical name -> why it is no label.
        findings: what was wrong with the rows and how it was settled, a line each, sorted.
    """

    aliases: Mapping[str, str] = field(default_factory=dict)
    implications: Mapping[str, frozenset[str]] = field(default_factory=dict)
    blacklist: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        *,
        aliases: Iterable[tuple[str, str] | Link] = (),
        implications: Iterable[tuple[str, str] | Link] = (),
        blacklist: Mapping[str, str] | None = None,
        findings: Iterable[str] = (),
    ) -> "TagRelations":
        """Resolve alias chains, canonicalise implications and the blacklist, and close implications transitively.

        The order of the rows does not matter. Of two aliases for one spelling the newer holds, the alphabetically first where
        no date is known; a cycle resolves to the name that was aliased first, likewise. Both are told in `findings`, to which
        those of a reader may be added.

        >>> r = TagRelations.of(aliases=[("pup", "doggy"), ("doggy", "dog")], implications=[("doggy", "animal")])
        >>> sorted(r.close(["pup"]))
        ['animal', 'dog']
        >>> r.findings
        ('implication doggy -> animal: names an alias; read as dog -> animal',)
        """
        resolved = resolve_aliases(Link(*row) for row in aliases)
        closed = close_implications((Link(*row) for row in implications), resolved.canonical)
        reasons: dict[str, str] = {}
        found = [*findings, *resolved.findings, *closed.findings]
        for name, reason in sorted((blacklist or {}).items()):
            canonical = resolved.canonical.get(name, name)
            reasons.setdefault(canonical, reason)
            if canonical != name:
                found.append(f"blacklist {shown(name)}: an alias; read as {shown(canonical)}")
        return cls(resolved.canonical, closed.implied, reasons, tuple(sorted(set(found))))

    @classmethod
    def read(cls, folder: Path) -> "TagRelations":
        """Read `tag_aliases.csv`, `tag_implications.csv` and `tag_blacklist.csv`; an absent file is an empty one.

        The first two have Danbooru's columns `antecedent_name,consequent_name,status`, of which only `active` rows
        count; the last has `name,reason`.
        """
        aliases, wrong = _read_relation(folder / "tag_aliases.csv")
        implications, more = _read_relation(folder / "tag_implications.csv")
        blacklist = read_csv(folder / "tag_blacklist.csv", ("name", "reason"))
        return cls.of(
            aliases=aliases,
            implications=implications,
            blacklist={row["name"]: row["reason"] or "" for row in blacklist if row["name"]},
            findings=wrong + more,
        )

    def canonical(self, name: str) -> str:
        """The name that stands for this spelling; itself where no alias is known."""
        return self.aliases.get(name, name)

    def close(self, names: Iterable[str]) -> set[str]:
        """Canonical names of one image with everything they imply, less the blacklist.

        What a blacklisted tag implies stays.
        """
        direct = {self.canonical(name) for name in names}
        implied = {general for name in direct for general in self.implications.get(name, ())}
        return (direct | implied) - self.blacklist.keys()

    def about(self, names: Iterable[str]) -> "TagRelations":
        """What matters for some canonical tags and those they imply: what implies them, and every other spelling of all.

        Of the blacklist it keeps what is among these, so that closing their images again changes nothing.
        """
        direct = set(names)
        wanted = direct.union(*(self.implications.get(name, ()) for name in direct))
        implications = {name: kept for name, implied in self.implications.items() if (kept := implied & wanted)}
        known = wanted | implications.keys()
        return TagRelations(
            {spelling: name for spelling, name in self.aliases.items() if name in known},
            implications,
            {name: reason for name, reason in self.blacklist.items() if name in known},
            self.findings,
        )


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


def _read_relation(path: Path) -> tuple[list[Link], list[str]]:
    """The active rows of a file, and a line about those that lack a name."""
    rows = read_csv(path, ("antecedent_name", "consequent_name"))
    active = [row for row in rows if (row.get("status") or "active") == "active"]
    named = [row for row in active if row["antecedent_name"] and row["consequent_name"]]
    nameless = len(active) - len(named)
    return [link_of(row) for row in named], [f"{path.name}: {nameless} rows lack a name; left out"] if nameless else []
