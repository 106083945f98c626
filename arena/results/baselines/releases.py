"""The releases of a history: the baselines in order, then other runs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from arena.base.errors import ArenaError
from arena.base.names import disambiguate
from arena.results.baselines.log import DIGEST_DIGITS, read_log
from arena.results.baselines.release import Release
from arena.results.baselines.store import read_baseline_result
from arena.results.named import ModelOfRun, refuse_damaged


def releases_of(home: Path, runs: Sequence[ModelOfRun] = ()) -> list[Release]:
    """All baselines in the order in which they were set, without repetition, then the runs.

    Raises:
        ArenaError: there is neither a baseline nor a run, or one is damaged.
        IncomparableError: one has another schema.
    """
    log = read_log(home)
    latest = {(one.digest, one.name): one for one in log}  # a baseline that was set again keeps its first position
    found = [
        (Release(one.name, one.model, one.created, one.reason, read_baseline_result(one)), one.digest[:DIGEST_DIGITS])
        for one in latest.values()
    ]
    for run in runs:
        refuse_damaged(run.folder, run.result)
        created = run.result.recipe.created
        found.append((Release(run.name, run.model, created, "", run.result), run.folder.name))
    if not found:
        raise ArenaError(
            f"{home}: no baseline is set, and no run is named; set a baseline with arena baseline set, or name runs"
        )
    return _with_unique_names(found)


def _with_unique_names(found: Sequence[tuple[Release, str]]) -> list[Release]:
    """Make equal names unique by appending the date, else the name of the folder, else that and a number."""
    count: Counter[str] = Counter()
    placed, numbered = [], []
    for release, folder in found:
        placed.append(f"{release.name} {folder}")
        count[placed[-1]] += 1
        numbered.append(f"{placed[-1]} ({count[placed[-1]]})" if count[placed[-1]] > 1 else placed[-1])
    plain = [release.name for release, _ in found]
    dated = [f"{release.name} {release.created[:10]}".rstrip() for release, _ in found]
    names = disambiguate(plain, dated, placed, numbered)
    return [replace(release, name=name) for name, (release, _) in zip(names, found, strict=True)]
