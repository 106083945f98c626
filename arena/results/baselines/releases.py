"""Which releases a history is of: the baselines in order, and runs beside them."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from arena.base.errors import ArenaError
from arena.results.baselines.log import SHORT, read_log
from arena.results.baselines.release import Release
from arena.results.baselines.store import result_of
from arena.results.named import read_named
from arena.tags import TagRelations
from arena.tags.relations import Link
from arena.tags.rows import read_csv


def releases_of(home: Path, runs: Sequence[str] = ()) -> list[Release]:
    """Every baseline in the order in which they were set, each once, then the runs as they were named.

    Raises:
        ArenaError: neither a baseline nor a run, or one that is damaged.
        IncomparableError: of another schema.
    """
    log = read_log(home)
    latest = {(one.digest, one.name): one for one in log}  # one that was set again stands where it was set first
    found = [
        (Release(one.name, one.model, one.created, one.reason, result_of(one)), one.digest[:SHORT])
        for one in latest.values()
    ]
    for spec in runs:
        named = read_named(spec)
        created = named.result.recipe.created
        found.append((Release(named.model, named.model, created, "", named.result), named.folder.name))
    if not found:
        raise ArenaError(
            f"{home}: no baseline is set, and no run is named; set one with arena baseline set, or name runs"
        )
    return _told_apart(found)


def _told_apart(found: Sequence[tuple[Release, str]]) -> list[Release]:
    """Releases of one name are told apart by what else is known of them, then by number."""
    for tell in (_plain, _dated, _beside):
        names = [tell(release, beside) for release, beside in found]
        if len(set(names)) == len(names):
            break
    seen: Counter[str] = Counter()
    made = []
    for name, (release, _) in zip(names, found, strict=True):
        seen[name] += 1
        made.append(replace(release, name=name if seen[name] == 1 else f"{name} ({seen[name]})"))
    return made


def _plain(release: Release, beside: str) -> str:
    return release.name


def _dated(release: Release, beside: str) -> str:
    return f"{release.name} {release.created[:10]}".rstrip()


def _beside(release: Release, beside: str) -> str:
    return f"{release.name} {beside}"


def read_aliases(path: Path | None) -> Callable[[str], str]:
    """What a spelling is called now, by a file with the columns `antecedent_name,consequent_name`; without one, itself.

    Raises:
        ArenaError: no such file, or no such columns.
    """
    if path is None:
        return lambda name: name
    if not path.is_file():
        raise ArenaError(f"--aliases {path}: no such file; give a CSV with antecedent_name,consequent_name")
    rows = read_csv(path, ("antecedent_name", "consequent_name"))
    links = [Link(row["antecedent_name"], row["consequent_name"]) for row in rows]
    return TagRelations.of(aliases=[link for link in links if all(link[:2])]).canonical
