"""The graphs behind tag relations: where every alias ends, what every tag implies, and what was wrong with the rows.

The order of the rows never matters: whatever has to be settled is settled by dates and names, and told in a line.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from arena.base.errors import ArenaError
from arena.base.format import shown

MAX_IMPLIED = 20_000_000
"""Pairs of a tag and one that it implies, all steps taken; Danbooru has some hundred thousand, and so many take gigabytes."""


class Link(NamedTuple):
    """One row of an export: the antecedent is another name of the consequent, or implies it."""

    antecedent: str
    consequent: str
    when: float = 0.0
    """Creation in seconds since 1970; 0 where unknown, which is older than any date."""
    number: int = 0
    """Identifier, which grows with time too; 0 where unknown."""


class Resolved(NamedTuple):
    """Aliases without chains."""

    canonical: dict[str, str]
    """Spelling -> canonical name, which is never a spelling itself."""
    findings: list[str]


class Closed(NamedTuple):
    """Implications with all their consequences."""

    implied: dict[str, frozenset[str]]
    """Canonical name -> every name it implies, itself left out."""
    findings: list[str]


def link_of(row: Mapping[str, Any]) -> Link:
    """The link in a row with `antecedent_name`, `consequent_name` and, where it is known, `created_at` and `id`.

    >>> link_of({"antecedent_name": "pup", "consequent_name": "dog", "created_at": "1970-01-01T00:01:00Z", "id": "7"})
    Link(antecedent='pup', consequent='dog', when=60.0, number=7)
    """
    number = str(row.get("id") or "")
    return Link(
        row["antecedent_name"],
        row["consequent_name"],
        _seconds(str(row.get("created_at") or row.get("updated_at") or "")),
        int(number) if number.isascii() and number.isdecimal() and len(number) < 20 else 0,
    )


def resolve_aliases(links: Iterable[Link]) -> Resolved:
    """Follow every alias to its end.

    Of several targets of one spelling the newest row's holds, or the alphabetically first of equally new ones. In a cycle
    the name whose own alias is the oldest stands for all, or the alphabetically first of equally old ones.

    >>> resolve_aliases([Link("pup", "doggy"), Link("doggy", "dog"), Link("pup", "puppy")])
    Resolved(canonical={'doggy': 'dog', 'pup': 'dog'}, findings=['alias pup: leads to doggy, puppy; doggy holds'])
    """
    rows: dict[str, set[Link]] = {}
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
            findings.append(f"alias {shown(spelling)}: leads to {named}; {shown(link.consequent)} holds")
    ends = _ends(direct, findings)
    canonical = {spelling: ends[spelling] for spelling in sorted(direct) if ends[spelling] != spelling}
    return Resolved(canonical, sorted(set(findings)))


def close_implications(links: Iterable[Link], canonical: Mapping[str, str]) -> Closed:
    """Read every implication by canonical names, and add what follows from it in any number of steps.

    Names in a cycle imply each other.

    Raises:
        ArenaError: more than `MAX_IMPLIED` pairs follow.

    >>> closed = close_implications([Link("puppy", "doggy"), Link("dog", "animal")], {"doggy": "dog"})
    >>> sorted(closed.implied["puppy"])
    ['animal', 'dog']
    """
    edges: dict[str, set[str]] = {}
    findings: list[str] = []
    for link in links:
        source, target = (canonical.get(name, name) for name in link[:2])
        told = f"implication {shown(link.antecedent)} -> {shown(link.consequent)}"
        if source == target:
            findings.append(f"{told}: both are {shown(source)}; left out")
            continue
        if (source, target) != link[:2]:
            findings.append(f"{told}: names an alias; read as {shown(source)} -> {shown(target)}")
        edges.setdefault(source, set()).add(target)
    implied: dict[str, frozenset[str]] = {}
    pairs = 0
    for name in sorted(edges):
        implied[name] = frozenset(_reachable(name, edges))
        pairs += len(implied[name])
        if pairs > MAX_IMPLIED:
            raise ArenaError(
                f"implications: more than {MAX_IMPLIED:,} follow from them; is that a file of implications?"
            )
    findings += (f"implications in a cycle: {cycle}; each implies the others" for cycle in _cycles(implied))
    return Closed({name: names - {name} for name, names in implied.items()}, sorted(set(findings)))


def _newest_first(link: Link) -> tuple[float, int, str]:
    return -link.when, -link.number, link.consequent


def _ends(direct: Mapping[str, Link], findings: list[str]) -> dict[str, str]:
    """Where each chain of aliases ends."""
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
            findings.append(f"aliases in a cycle: {', '.join(map(shown, sorted(cycle)))}; {shown(end)} stands for all")
        ends |= dict.fromkeys(place, end)
    return ends


def _reachable(name: str, edges: Mapping[str, set[str]]) -> set[str]:
    """Every name that follows from one, in any number of steps; itself only where a cycle leads back."""
    found: set[str] = set()
    queue = [name]
    while queue:
        new = edges.get(queue.pop(), set()) - found
        found |= new
        queue.extend(new)
    return found


def _cycles(implied: Mapping[str, frozenset[str]]) -> Iterator[str]:
    """The names of each cycle; a name that follows from itself is in one."""
    told: set[str] = set()
    for name, names in implied.items():
        if name in names and name not in told:
            cycle = sorted(other for other in names if name in implied.get(other, ()))
            told |= set(cycle)
            yield ", ".join(map(shown, cycle))


def _seconds(text: str) -> float:
    """An ISO date and time, UTC where it names no zone, in seconds since 1970; 0 for any other text."""
    try:
        moment = datetime.fromisoformat(text.removesuffix(" UTC"))
    except ValueError:
        return 0.0
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
