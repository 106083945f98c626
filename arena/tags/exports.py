"""Reads relations and categories from the tag exports of sites.

Supported are Danbooru's exports of aliases, implications and tags (JSON lines, a JSON array, CSV), e621's (CSV, gzipped), and
tag-complete lists. Aliases and implications have the same columns, so they are distinguished by the file name or by the caller.
Deprecated tags are added to the blacklist.

Sources: Danbooru's API of `tag_aliases`, `tag_implications`, `tags`; e621's `db_export`; a1111-sd-webui-tagcomplete.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from arena.base.errors import ArenaError
from arena.base.files import write_whole
from arena.base.format import shown
from arena.tags.relations import TagLink, TagRelations, active_link, is_link
from arena.tags.rows import RowTally, TagRow, read_tag_rows
from arena.tags.space import CATEGORY_NAMES, E621_CATEGORY_NAMES, UNKNOWN_CATEGORY

_DEPRECATED = "deprecated"
"""Reason on the blacklist for a deprecated tag."""


RELATION_FILES = ("tag_aliases.csv", "tag_implications.csv", "tag_blacklist.csv")
"""Files that `write_relations` writes into a dataset's folder; a file's name determines its content."""

_E621_OFFSET = 7
"""Offset of e621's category numbers in lists with the tags of both sites."""


_COLUMN_OF = {"aliases": "aliases", "implications": "implications", "blacklist": "is_deprecated"}
"""Column of a list of tags that holds each kind of relation; no known list has implications."""


class TagCategories(NamedTuple):
    """Categories of tags."""

    by_name: dict[str, str]
    """Tag -> `general`, `character`, ..."""
    findings: list[str]


@dataclass
class _Collected:
    """Relations read so far."""

    aliases: list[TagLink] = field(default_factory=list)
    implications: list[TagLink] = field(default_factory=list)
    blacklist: dict[str, str] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)

    def ban(self, name: str, reason: str) -> None:
        """Add a tag to the blacklist; of several reasons the alphabetically first is kept, independent of their order."""
        self.blacklist[name] = min(reason, self.blacklist.get(name, reason))


def read_relations(
    paths: Iterable[Path] = (),
    *,
    aliases: Iterable[Path] = (),
    implications: Iterable[Path] = (),
    blacklist: Iterable[Path] = (),
) -> TagRelations:
    """Read files of any known format as one set of relations.

    Args:
        paths: files of any kind; aliases and implications are recognised by the file name.
        aliases, implications: files of that kind.
        blacklist: CSV with `name,reason`, one name per line, or an export of tags, whose deprecated tags are used.

    Returns: the relations; their findings count the rows that were left out.

    Raises:
        ArenaError: a file is missing, damaged, of unknown format, or of another kind than its argument.
    """
    found = _Collected()
    for role, files in (("", paths), ("aliases", aliases), ("implications", implications), ("blacklist", blacklist)):
        for path in files:
            _read(path, role, found)
    return TagRelations.of(
        aliases=found.aliases, implications=found.implications, blacklist=found.blacklist, findings=found.findings
    )


def relation_files(folder: Path) -> list[Path]:
    """Return the files of `RELATION_FILES` that exist in a dataset's folder."""
    return [path for path in (folder / name for name in RELATION_FILES) if path.exists()]


def read_categories(paths: Iterable[Path]) -> TagCategories:
    """Read the categories of tags from exports of tags, tag-complete lists or `tags.csv` files.

    If files disagree, the first file that has the tag decides. All numbers of a file are read by the scheme of one site (see
    `category_scheme`); an unknown number becomes `general`.

    Raises:
        ArenaError: a file is missing, damaged, or has no column `category`.
    """
    by_name: dict[str, str] = {}
    findings: list[str] = []
    for path in paths:
        tally, of_file = RowTally(path), dict[str, str]()
        danbooru = False
        for row in read_tag_rows(path, tally):
            if "category" not in row:
                raise ArenaError(
                    f"{path}: no column category; its columns are {', '.join(map(shown, row))}; give an export of tags"
                )
            danbooru |= "is_deprecated" in row
            if name := tally.name(row.get("name")):
                category = "" if row["category"] is None else str(row["category"]).strip()
                of_file[name] = min(category, of_file.get(name, category))
        scheme = category_scheme(of_file.values(), danbooru=danbooru)
        if scheme.told:
            findings.append(f"{path.name}: {scheme.told}")
        for name, category in of_file.items():
            by_name.setdefault(name, scheme.names.get(category) or _known_category(category))
        findings += tally.findings()
    return TagCategories(by_name, findings)


class _CategoryScheme(NamedTuple):
    """Meaning of the category numbers of a file."""

    names: Mapping[str, str]
    """Number -> category."""
    told: str
    """A finding if the numbers are ambiguous; empty otherwise."""


def category_scheme(numbers: Iterable[str], *, danbooru: bool = False) -> _CategoryScheme:
    """Determine the site of a file's category numbers from all numbers that occur in it.

    10 and above occur only in lists of both sites; -1, 2, 6, 7 and 8 only on e621. Otherwise the scheme is Danbooru's; then 5
    is ambiguous (`meta` on Danbooru, `species` on e621), and a finding says so.

    Args:
        danbooru: the file has columns that only Danbooru's exports have.

    >>> category_scheme(["0", "5", "7"]).names["5"], category_scheme(["0", "5"]).names["5"]
    ('species', 'meta')
    """
    present = set(numbers)
    own = {str(number): name for number, name in CATEGORY_NAMES.items()}
    other = {str(number): name for number, name in E621_CATEGORY_NAMES.items()} | {"-1": "invalid"}
    if danbooru:
        return _CategoryScheme(own, "")
    if present & {str(number) for number in range(10, _E621_OFFSET + len(E621_CATEGORY_NAMES))}:
        merged = {str(number + _E621_OFFSET): name for number, name in E621_CATEGORY_NAMES.items()}
        return _CategoryScheme(own | merged, "")
    if present & {"-1", "2", "6", "7", "8"}:
        return _CategoryScheme(other, "")
    ambiguous = "category 5 is read as Danbooru's meta, because no e621-only number occurs"
    return _CategoryScheme(own, ambiguous if "5" in present else "")


def write_relations(folder: Path, relations: TagRelations) -> None:
    """Write `RELATION_FILES` into a dataset's folder, sorted; each file is replaced as a whole.

    Implications are closed transitively: one row for every name that a tag implies in any number of steps. A file without rows
    is removed.
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
    write_whole(path, text.getvalue())


def _read(path: Path, role: str, found: _Collected) -> None:
    """Add the relations of one file to `found`."""
    tally = RowTally(path)
    for row in read_tag_rows(path, tally, header=("name",) if role == "blacklist" else ()):
        if is_link(row):
            kind = role or ("aliases" if "old" in row else _role_of(path))
            if kind == "blacklist":
                raise ArenaError(f"{path}: contains aliases or implications, not names for a blacklist")
            if kind == "implications" and "old" in row:
                raise ArenaError(f"{path}: old,new are columns of aliases, not of implications")
            if link := active_link(row, tally):
                (found.aliases if kind == "aliases" else found.implications).append(link)
        elif "category" in row or "is_deprecated" in row:
            if role and _COLUMN_OF[role] not in row:
                raise ArenaError(f"{path}: a list of tags without a column {_COLUMN_OF[role]}, so without {role}")
            _take_tag(row, found, tally)
        elif "name" in row and role in ("", "blacklist"):
            if name := tally.name(row["name"]):
                found.ban(name, str(row.get("reason") or "blacklisted"))
        elif role and "name" in row:
            raise ArenaError(f"{path}: has names but no {role}; its columns are {', '.join(map(shown, row))}")
        else:
            tally.refuse("neither a tag nor a pair of tags")
    found.findings += tally.findings()


def _role_of(path: Path) -> str:
    """Return `aliases` or `implications`, by the name of the file."""
    name = path.name.lower()
    if ("alias" in name) == ("implication" in name):
        raise ArenaError(
            f"{path}: aliases and implications have the same columns, and the file name contains neither word (or both); "
            "give the file with the option for aliases or for implications"
        )
    return "aliases" if "alias" in name else "implications"


def _take_tag(row: TagRow, found: _Collected, tally: RowTally) -> None:
    """Add the other spellings of a tag, and the tag to the blacklist if it is deprecated."""
    name = tally.name(row.get("name"))
    if not name:
        return
    if _is_true(row.get("is_deprecated")):
        found.ban(name, _DEPRECATED)
    aliases = row.get("aliases")
    for spelling in aliases.split(",") if isinstance(aliases, str) else ():
        if spelling.strip() and (other := tally.name(spelling)):
            found.aliases.append(TagLink(other, name))


def _is_true(value: Any) -> bool:
    """Return whether a value is true, in JSON or in a database's CSV."""
    return str(value).lower() in ("true", "t", "1")


def _known_category(category: str) -> str:
    """Return a category given by name; `UNKNOWN_CATEGORY` if no site has it."""
    known = {*CATEGORY_NAMES.values(), *E621_CATEGORY_NAMES.values()}
    return category if category in known else UNKNOWN_CATEGORY
