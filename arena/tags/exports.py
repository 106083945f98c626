"""What sites publish about their tags, read as relations and categories.

Danbooru's exports of aliases, implications and tags (JSON lines, an array, CSV), e621's (CSV, gzipped), and the tag-complete
lists of web interfaces. Aliases and implications have the same columns, so only the name of the file, or who gives it, tells
them apart. Of deprecated tags the blacklist says so.

Sources: Danbooru's API of `tag_aliases`, `tag_implications`, `tags`; e621's `db_export`; a1111-sd-webui-tagcomplete.
"""

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from arena.base.errors import ArenaError
from arena.base.format import shown
from arena.tags.relations import Link, TagRelations, active_link, is_link
from arena.tags.rows import Row, Tally, read_rows
from arena.tags.space import CATEGORY_NAMES, E621_CATEGORY_NAMES, UNKNOWN_CATEGORY

DEPRECATED = "deprecated"
"""Why a deprecated tag is no label."""


RELATION_FILES = ("tag_aliases.csv", "tag_implications.csv", "tag_blacklist.csv")
"""What `write_relations` writes into a dataset's folder; their names tell what they hold."""

MERGED_OFFSET = 7
"""What lists that hold both sites' tags add to e621's category numbers."""


_TELLING = {"aliases": "aliases", "implications": "implications", "blacklist": "is_deprecated"}
"""The column by which a list of tags tells each kind of relation; none has implications."""


class Categories(NamedTuple):
    """What kind of tag each is."""

    by_name: dict[str, str]
    """Tag -> `general`, `character`, ..."""
    findings: list[str]


@dataclass
class _Collected:
    """What was read so far."""

    aliases: list[Link] = field(default_factory=list)
    implications: list[Link] = field(default_factory=list)
    blacklist: dict[str, str] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)

    def blame(self, name: str, reason: str) -> None:
        """Put a tag on the blacklist; of several reasons the alphabetically first holds, whatever the order."""
        self.blacklist[name] = min(reason, self.blacklist.get(name, reason))


def read_relations(
    paths: Iterable[Path] = (),
    *,
    aliases: Iterable[Path] = (),
    implications: Iterable[Path] = (),
    blacklist: Iterable[Path] = (),
) -> TagRelations:
    """Read any number of files, of any format that is known, as one set of relations.

    Args:
        paths: files that tell by themselves what they are, aliases and implications by the name of the file.
        aliases, implications: files of which is known what they hold.
        blacklist: CSV of `name,reason`, a name a line, or an export of tags, of which the deprecated ones count.

    Returns: the relations; their findings count the rows that could not be used.

    Raises:
        ArenaError: a file is missing, damaged, of no known format, or holds something else than it was given as.
    """
    found = _Collected()
    for role, files in (("", paths), ("aliases", aliases), ("implications", implications), ("blacklist", blacklist)):
        for path in files:
            _read(path, role, found)
    return TagRelations.of(
        aliases=found.aliases, implications=found.implications, blacklist=found.blacklist, findings=found.findings
    )


def relation_files(folder: Path) -> list[Path]:
    """The files of relations that a dataset's folder has."""
    return [path for path in (folder / name for name in RELATION_FILES) if path.exists()]


def read_categories(paths: Iterable[Path]) -> Categories:
    """The categories that exports of tags, tag-complete lists or `tags.csv` files tell; an earlier file's word holds.

    A number is read by the numbers of the site that the whole file shows it to be of; a number that is in no scheme, as
    `general`.

    Raises:
        ArenaError: a file is missing, damaged, or tells no categories.
    """
    by_name: dict[str, str] = {}
    findings: list[str] = []
    for path in paths:
        tally, given = Tally(path), dict[str, str]()
        danbooru = False
        for row in read_rows(path, tally):
            if "category" not in row:
                raise ArenaError(
                    f"{path}: no column category, but {', '.join(map(shown, row))}; give an export of tags"
                )
            danbooru |= "is_deprecated" in row
            if name := tally.name(row.get("name")):
                category = "" if row["category"] is None else str(row["category"]).strip()
                given[name] = min(category, given.get(name, category))
        scheme = category_scheme(given.values(), danbooru=danbooru)
        if scheme.told:
            findings.append(f"{path.name}: {scheme.told}")
        for name, category in given.items():
            by_name.setdefault(name, scheme.names.get(category) or _spelled(category))
        findings += tally.findings()
    return Categories(by_name, findings)


class CategoryScheme(NamedTuple):
    """What the numbers of a file mean."""

    names: Mapping[str, str]
    told: str
    """A line where the numbers alone do not settle it; empty otherwise."""


def category_scheme(numbers: Iterable[str], *, danbooru: bool = False) -> CategoryScheme:
    """Whose category numbers a file has, by those that occur in all of it.

    10 and above occur in lists of both sites only; 2, 6, 7, 8 on e621 only. Without these it is Danbooru's, and that is told
    where 5 occurs, which is `meta` there and `species` on e621.

    Args:
        danbooru: the file has columns that only Danbooru's have.

    >>> category_scheme(["0", "5", "7"]).names["5"], category_scheme(["0", "5"]).names["5"]
    ('species', 'meta')
    """
    seen = set(numbers)
    own = {str(number): name for number, name in CATEGORY_NAMES.items()}
    other = {str(number): name for number, name in E621_CATEGORY_NAMES.items()} | {"-1": "invalid"}
    if danbooru:
        return CategoryScheme(own, "")
    if seen & {str(number) for number in range(10, MERGED_OFFSET + len(E621_CATEGORY_NAMES))}:
        merged = {str(number + MERGED_OFFSET): name for number, name in E621_CATEGORY_NAMES.items()}
        return CategoryScheme(own | merged, "")
    if seen & {"-1", "2", "6", "7", "8"}:
        return CategoryScheme(other, "")
    return CategoryScheme(
        own, "category 5 read as Danbooru's meta, for no number of e621's own occurs" if "5" in seen else ""
    )


def write_relations(folder: Path, relations: TagRelations) -> None:
    """Write the three files of relations into a dataset's folder, each whole or not at all, sorted.

    Implications are written closed: a row for every name that a tag implies in any number of steps. Where there is nothing
    to write no file is left.
    """
    links = ("antecedent_name", "consequent_name", "status")
    aliases = [(spelling, name, "active") for spelling, name in sorted(relations.aliases.items())]
    implied = [(a, b, "active") for a, names in sorted(relations.implications.items()) for b in sorted(names)]
    blacklist = sorted(relations.blacklist.items())
    _write(folder / RELATION_FILES[0], links, aliases)
    _write(folder / RELATION_FILES[1], links, implied)
    _write(folder / RELATION_FILES[2], ("name", "reason"), blacklist)


def _write(path: Path, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if not rows:
        path.unlink(missing_ok=True)
        return
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    part = path.with_name(path.name + ".part")
    part.write_text(text.getvalue(), encoding="utf-8", newline="")
    os.replace(part, path)  # noqa: PTH105


def _read(path: Path, role: str, found: _Collected) -> None:
    """Take what one file says."""
    tally = Tally(path)
    for row in read_rows(path, tally, header=("name",) if role == "blacklist" else ()):
        if is_link(row):
            kind = role or ("aliases" if "old" in row else _role_of(path))
            if kind == "blacklist":
                raise ArenaError(f"{path}: holds aliases or implications, no names for a blacklist")
            if kind == "implications" and "old" in row:
                raise ArenaError(f"{path}: old,new are columns of aliases, not of implications")
            if link := active_link(row, tally):
                (found.aliases if kind == "aliases" else found.implications).append(link)
        elif "category" in row or "is_deprecated" in row:
            if role and _TELLING[role] not in row:
                raise ArenaError(f"{path}: a list of tags; without a column {_TELLING[role]} it tells no {role}")
            _take_tag(row, found, tally)
        elif "name" in row and role in ("", "blacklist"):
            if name := tally.name(row["name"]):
                found.blame(name, str(row.get("reason") or "blacklisted"))
        elif role and "name" in row:
            raise ArenaError(f"{path}: has names but no {role}; its columns are {', '.join(map(shown, row))}")
        else:
            tally.refuse("neither names of two tags nor the name of one")
    found.findings += tally.findings()


def _role_of(path: Path) -> str:
    """What a file of links holds, by its name."""
    name = path.name.lower()
    if ("alias" in name) == ("implication" in name):
        raise ArenaError(
            f"{path}: aliases and implications have the same columns, and its name does not tell which they are; "
            "give it as the one or the other"
        )
    return "aliases" if "alias" in name else "implications"


def _take_tag(row: Row, found: _Collected, tally: Tally) -> None:
    """Other spellings of a tag, and whether it is deprecated."""
    name = tally.name(row.get("name"))
    if not name:
        return
    if _is_true(row.get("is_deprecated")):
        found.blame(name, DEPRECATED)
    aliases = row.get("aliases")
    for spelling in aliases.split(",") if isinstance(aliases, str) else ():
        if spelling.strip() and (other := tally.name(spelling)):
            found.aliases.append(Link(other, name))


def _is_true(value: Any) -> bool:
    """A flag of JSON, or as databases write it into CSV."""
    return str(value).lower() in ("true", "t", "1")


def _spelled(category: str) -> str:
    """A category given by its name."""
    known = {*CATEGORY_NAMES.values(), *E621_CATEGORY_NAMES.values()}
    return category if category in known else UNKNOWN_CATEGORY
