"""Relations between tags: aliases, implications and the blacklist, read from rows and resolved.

The result does not depend on the order of the rows: conflicts are resolved by date and name, and each is listed as a finding.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from arena.base.errors import ArenaError
from arena.base.format import shown
from arena.tags.rows import LINK_HEADERS, RowTally, TagRow, read_csv, read_tag_rows
from arena.tags.spelling import canonical_spelling

MAX_IMPLIED = 20_000_000
"""Largest number of implications after transitive closure; Danbooru has a few hundred thousand, this many take gigabytes."""


class TagLink(NamedTuple):
    """One row of an export: the antecedent is an alias of the consequent, or implies it."""

    antecedent: str
    consequent: str
    when: float = 0.0
    """Creation time in seconds since 1970; 0 if unknown, which counts as the oldest."""
    number: int = 0
    """Identifier, which also increases with time; 0 if unknown."""


class ResolvedAliases(NamedTuple):
    """Resolved aliases, without chains."""

    canonical: dict[str, str]
    """Spelling -> canonical name; a canonical name is never a key."""
    findings: list[str]


class ClosedImplications(NamedTuple):
    """Transitively closed implications."""

    implied: dict[str, frozenset[str]]
    """Canonical name -> every name that it implies, except itself."""
    findings: list[str]


@dataclass(frozen=True)
class TagRelations:
    """Aliases, implications and the blacklist.

    Attributes:
        aliases: spelling -> canonical name, resolved (no chains).
        implications: canonical name -> every name it implies, transitively closed.
        blacklist: canonical name -> why it is not used as a label.
        findings: faults of the rows and their resolution, one line each, sorted.
    """

    aliases: Mapping[str, str] = field(default_factory=dict)
    implications: Mapping[str, frozenset[str]] = field(default_factory=dict)
    blacklist: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        *,
        aliases: Iterable[tuple[str, str] | TagLink] = (),
        implications: Iterable[tuple[str, str] | TagLink] = (),
        blacklist: Mapping[str, str] | None = None,
        findings: Iterable[str] = (),
    ) -> "TagRelations":
        """Resolve alias chains, canonicalise implications and the blacklist, and close implications transitively.

        The order of the rows does not matter. If a spelling has several aliases, the newest is used, or the alphabetically
        first of equally new ones. A cycle resolves to the name that was aliased first, with the same rule for ties. Both are
        listed in `findings`.

        Args:
            findings: findings of the reader, to be included.

        >>> r = TagRelations.of(aliases=[("pup", "doggy"), ("doggy", "dog")], implications=[("doggy", "animal")])
        >>> sorted(r.close(["pup"]))
        ['animal', 'dog']
        >>> r.findings
        ('implication doggy -> animal: names an alias; read as dog -> animal',)
        """
        resolved = resolve_aliases(TagLink(*row) for row in aliases)
        closed = close_implications((TagLink(*row) for row in implications), resolved.canonical)
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
        """Read `tag_aliases.csv`, `tag_implications.csv` and `tag_blacklist.csv`; a missing file counts as empty.

        The first two have Danbooru's columns `antecedent_name,consequent_name,status`, or `old,new` for aliases; only rows with
        status `active` or without a status are used. The last has `name,reason`.
        """
        aliases, wrong = _read_relation(folder / "tag_aliases.csv")
        implications, more = _read_relation(folder / "tag_implications.csv")
        blacklist = read_csv(folder / "tag_blacklist.csv", ("name", "reason"), complete=True)
        return cls.of(
            aliases=aliases,
            implications=implications,
            blacklist={canonical_spelling(row["name"]): row["reason"] or "" for row in blacklist if row["name"]},
            findings=wrong + more,
        )

    def canonical(self, name: str) -> str:
        """Return the canonical name of a spelling; the spelling itself if it has no alias."""
        return self.aliases.get(name, name)

    def close(self, names: Iterable[str]) -> set[str]:
        """Return the canonical names of one image's tags and all that they imply, without the blacklist.

        Names that a blacklisted tag implies are kept.
        """
        direct = {self.canonical(name) for name in names}
        implied = {general for name in direct for general in self.implications.get(name, ())}
        return (direct | implied) - self.blacklist.keys()

    def about(self, names: Iterable[str]) -> "TagRelations":
        """Return the subset of the relations that is relevant for some canonical tags.

        Kept are the tags, the tags that they imply, the tags that imply any of these, and all aliases and blacklist entries of
        these. So closing the images of `names` again changes nothing.
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


def read_aliases(path: Path) -> dict[str, str]:
    """Read a file of renamed tags: CSV, gzipped or not, with the columns `antecedent_name,consequent_name` or `old,new`.

    Other columns are ignored, except that rows with a `status` other than `active` are skipped.

    Returns: old name -> new name, with chains resolved.

    Raises:
        ArenaError: the file is missing or damaged, has other columns, a row without two names, an old name with two new names,
            or a cycle.
    """
    tally, renamed = RowTally(path), dict[str, str]()
    for link in read_links(path, tally):
        other = renamed.setdefault(link.antecedent, link.consequent)
        if other != link.consequent:
            both = f"{shown(other)} and to {shown(link.consequent)}"
            raise ArenaError(f"{path}: {shown(link.antecedent)} is renamed to {both}; each old name needs one new name")
    if tally.bad:
        raise ArenaError(f"{path}: {tally.first}; each row needs two names")
    resolved = resolve_aliases(TagLink(*names) for names in renamed.items())
    for finding in resolved.findings:
        if "in a cycle" in finding:
            raise ArenaError(f"{path}: {finding.partition(';')[0]}; remove the row of the name to keep")
    return resolved.canonical


def read_links(path: Path, tally: RowTally) -> Iterator[TagLink]:
    """Yield the active links of a file with the columns of `LINK_HEADERS`; rows without two names are counted as bad.

    Raises:
        ArenaError: the file is missing or damaged, or has other columns.
    """
    for row in read_tag_rows(path, tally):
        if not is_link(row):
            columns = " or ".join(map(",".join, LINK_HEADERS))
            raise ArenaError(f"{path}: its columns are {', '.join(map(shown, row))}; give a CSV with {columns}")
        if link := active_link(row, tally):
            yield link


def is_link(row: TagRow) -> bool:
    """Return whether a row has the columns of a link."""
    return any(set(columns) <= row.keys() for columns in LINK_HEADERS)


def active_link(row: TagRow, tally: RowTally) -> TagLink | None:
    """Return the link of a row with the columns of `LINK_HEADERS`; None if it is not active or lacks a name."""
    if str(row.get("status") or "active") != "active":
        return None
    first, second = next(columns for columns in LINK_HEADERS if set(columns) <= row.keys())
    antecedent = tally.name(row[first])
    consequent = tally.name(row[second]) if antecedent else ""
    return link_of({**row, "antecedent_name": antecedent, "consequent_name": consequent}) if consequent else None


def link_of(row: Mapping[str, Any]) -> TagLink:
    """Return the link of a row with `antecedent_name` and `consequent_name`, and optional `created_at`, `updated_at` and `id`.

    >>> link_of({"antecedent_name": "pup", "consequent_name": "dog", "created_at": "1970-01-01T00:01:00Z", "id": "7"})
    TagLink(antecedent='pup', consequent='dog', when=60.0, number=7)
    """
    number = str(row.get("id") or "")
    return TagLink(
        row["antecedent_name"],
        row["consequent_name"],
        _seconds(str(row.get("created_at") or row.get("updated_at") or "")),
        int(number) if number.isascii() and number.isdecimal() and len(number) < 20 else 0,
    )


def resolve_aliases(links: Iterable[TagLink]) -> ResolvedAliases:
    """Resolve chains of aliases.

    If a spelling has several targets, the newest row is used, or the alphabetically first of equally new ones. In a cycle the
    canonical name is the one whose own alias is the oldest, or the alphabetically first of equally old ones.

    >>> resolve_aliases([TagLink("pup", "doggy"), TagLink("doggy", "dog"), TagLink("pup", "puppy")])
    ResolvedAliases(canonical={'doggy': 'dog', 'pup': 'dog'}, findings=['alias pup: leads to doggy, puppy; doggy is used'])
    """
    rows: dict[str, set[TagLink]] = {}
    findings: list[str] = []
    for link in links:
        if link.antecedent == link.consequent:
            findings.append(f"alias {shown(link.antecedent)}: leads to itself; left out")
        else:
            rows.setdefault(link.antecedent, set()).add(link)
    direct = {spelling: min(links, key=_newest_first) for spelling, links in rows.items()}
    for spelling, link in direct.items():
        if len(targets := {one.consequent for one in rows[spelling]}) > 1:
            named = ", ".join(map(shown, sorted(targets)))
            findings.append(f"alias {shown(spelling)}: leads to {named}; {shown(link.consequent)} is used")
    ends = _ends(direct, findings)
    canonical = {spelling: ends[spelling] for spelling in sorted(direct) if ends[spelling] != spelling}
    return ResolvedAliases(canonical, sorted(set(findings)))


def close_implications(links: Iterable[TagLink], canonical: Mapping[str, str]) -> ClosedImplications:
    """Replace names by canonical names and close the implications transitively; names in a cycle imply each other.

    Raises:
        ArenaError: the closure has more than `MAX_IMPLIED` pairs.

    >>> closed = close_implications([TagLink("puppy", "doggy"), TagLink("dog", "animal")], {"doggy": "dog"})
    >>> sorted(closed.implied["puppy"])
    ['animal', 'dog']
    """
    edges: dict[str, set[str]] = {}
    findings: list[str] = []
    for link in links:
        source, target = (canonical.get(name, name) for name in link[:2])
        row = f"implication {shown(link.antecedent)} -> {shown(link.consequent)}"
        if source == target:
            findings.append(f"{row}: both are {shown(source)}; left out")
            continue
        if (source, target) != link[:2]:
            findings.append(f"{row}: names an alias; read as {shown(source)} -> {shown(target)}")
        edges.setdefault(source, set()).add(target)
    implied: dict[str, frozenset[str]] = {}
    pairs = 0
    for name in sorted(edges):
        implied[name] = frozenset(_reachable(name, edges))
        pairs += len(implied[name])
        if pairs > MAX_IMPLIED:
            raise ArenaError(
                f"implications: more than {MAX_IMPLIED:,} follow by closure; check that the file contains implications"
            )
    findings += (f"implications in a cycle: {cycle}; each implies the others" for cycle in _cycles(implied))
    return ClosedImplications({name: names - {name} for name, names in implied.items()}, sorted(set(findings)))


def _newest_first(link: TagLink) -> tuple[float, int, str]:
    return -link.when, -link.number, link.consequent


def _ends(direct: Mapping[str, TagLink], findings: list[str]) -> dict[str, str]:
    """Return the last name of each chain of aliases; add a finding for each cycle."""
    ends: dict[str, str] = {}
    for start in direct:
        place: dict[str, int] = {}
        name = start
        while name in direct and name not in ends and name not in place:
            place[name] = len(place)
            name = direct[name].consequent
        end = ends.get(name, name)
        if name in place:
            cycle = list(place)[place[name] :]
            end = min(cycle, key=lambda one: (direct[one].when, direct[one].number, one))
            findings.append(f"aliases in a cycle: {', '.join(map(shown, sorted(cycle)))}; {shown(end)} is used for all")
        ends |= dict.fromkeys(place, end)
    return ends


def _reachable(name: str, edges: Mapping[str, set[str]]) -> set[str]:
    """Return every name that one implies in any number of steps; itself only if it is in a cycle."""
    found: set[str] = set()
    queue = [name]
    while queue:
        new = edges.get(queue.pop(), set()) - found
        found |= new
        queue.extend(new)
    return found


def _cycles(implied: Mapping[str, frozenset[str]]) -> Iterator[str]:
    """Yield the names of each cycle; a name that implies itself is in one."""
    found: set[str] = set()
    for name, names in implied.items():
        if name in names and name not in found:
            cycle = sorted(other for other in names if name in implied.get(other, ()))
            found |= set(cycle)
            yield ", ".join(map(shown, cycle))


def _seconds(text: str) -> float:
    """Return an ISO date and time in seconds since 1970, as UTC if it has no zone; 0 for any other text."""
    try:
        moment = datetime.fromisoformat(text.removesuffix(" UTC"))
    except ValueError:
        return 0.0
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _read_relation(path: Path) -> tuple[list[TagLink], list[str]]:
    """Return the active links of a file, and a finding on bad rows; both empty if the file is missing."""
    tally = RowTally(path)
    links = list(read_links(path, tally)) if path.exists() else []
    return links, tally.findings()
