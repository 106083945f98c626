"""What baselines keep of a run: set one, read it again, and tell what was changed since.

The folder of baselines holds the log and, for each digest, a run folder of few files: enough for every figure over releases
when the run itself is gone. Scores stay where they are unless they are asked for.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from arena.base.errors import ArenaError
from arena.base.files import digest_file, make_folder
from arena.base.provenance import digest, now
from arena.results.baselines.log import SHORT, Baseline, add_line, newest, read_log
from arena.results.named import NamedRun, headlines, read_sound, refuse_damaged
from arena.results.run_folder import Result
from arena.scores.store import read_store

KEPT = ("run.json", "summary.json", "per_tag.parquet")
"""Files of a run that later comparisons need, a few hundred kilobytes."""

LOCK = ".baselines.lock"


class Set(NamedTuple):
    """What setting a baseline did; `is_new` is false where the same one held already."""

    baseline: Baseline
    is_new: bool


def set_baseline(run: NamedRun, home: Path, *, reason: str, name: str | None = None, with_scores: bool = False) -> Set:
    """Declare a run what releases are held against from now on.

    Args:
        home: the folder of baselines; made where there is none.
        reason: why; one line that is kept.
        name: of the release; None takes that of the run.
        with_scores: keep the model's scores too, so that later candidates can be compared image by image.

    Returns: the baseline; where the same one holds already, nothing is written but files of it that were changed since.

    Raises:
        ArenaError: no reason, a damaged run, or no scores to keep.
    """
    why = " ".join(reason.split())
    if not why:
        raise ArenaError('--reason: empty; say why this run is the baseline, as in --reason "release 1.2"')
    refuse_damaged(run.folder, run.result)
    files = _files(run, with_scores)
    make_folder(home)
    with _alone(home):
        log = read_log(home)
        made = _baseline(run, home, files, why, name or run.name)
        holds = log[-1] if log and (log[-1].digest, log[-1].name) == (made.digest, made.name) else None
        kept = next((one for one in reversed(log) if one.digest == made.digest and not fault(one)), None)
        if kept is None or (with_scores and not kept.has_scores):
            _keep(made, files)
        else:
            made = replace(made, files=kept.files)
        if holds is not None and not fault(holds) and (holds.has_scores or not with_scores):
            return Set(holds, is_new=False)
        add_line(made)
        return Set(made, is_new=True)


def current(home: Path, name: str | None = None) -> Baseline:
    """The baseline that holds, after a look at its files.

    Args:
        name: of a release, or the first digits of a digest; None is the one that was set last.

    Raises:
        ArenaError: none is set, or a file of it was changed.
    """
    found = newest(read_log(home), home, name)
    refuse_changed(found)
    return found


def result_of(baseline: Baseline) -> Result:
    """What was kept of its run: provenance, summary, and of the tables `per_tag`.

    Raises:
        ArenaError: a file of it was changed.
        IncomparableError: kept by a version of another schema.
    """
    refuse_changed(baseline)
    return read_sound(baseline.copy)


def scores_of(baseline: Baseline) -> Path | None:
    """The folder of its scores: the kept one, else that of its run where it is still as it was; None where there is none."""
    inside = Path("scores") / baseline.model
    if baseline.has_scores:
        refuse_changed(baseline)
        return baseline.copy / inside
    try:
        origin = NamedRun(baseline.origin, baseline.model, baseline.name, read_sound(baseline.origin))
        untouched = _digest(origin) == baseline.digest
    except ArenaError:
        return None
    return baseline.origin / inside if untouched and (baseline.origin / inside / "store.json").is_file() else None


def fault(baseline: Baseline) -> str:
    """What was changed of its files since it was set, in a line; empty where nothing was."""
    for name, wanted in baseline.files.items():
        path = baseline.copy / name
        seen = digest_file(path) if path.is_file() else None
        if seen != wanted:
            what = "is gone" if seen is None else f"was changed (SHA-256 {seen[:SHORT]}, was {wanted[:SHORT]})"
            return f"{path}: {what} since baseline {baseline.name} was set on {baseline.created[:10]}"
    return ""


def refuse_changed(baseline: Baseline) -> None:
    """Raise ArenaError where a file of a baseline is not what it was."""
    if told := fault(baseline):
        raise ArenaError(f"{told}; restore it, or set the run again")


def _baseline(named: NamedRun, home: Path, files: dict[str, Path], why: str, name: str) -> Baseline:
    scored, summary = named.result.recipe.dataset, named.result.summary
    dataset = {"name": scored.name, "title": scored.title, "digest": scored.digest, "images": summary["images"]}
    return Baseline(
        name=_one_line(name), model=named.model, run=_relative(named.folder, home), digest=_digest(named),
        signature=named.result.run["signature"], dataset=dataset, created=now(), reason=why,
        figures=headlines(named.result, named.model), home=home,
        files={inside: digest_file(path) for inside, path in files.items()},
    )  # fmt: skip


def _one_line(name: str) -> str:
    plain = " ".join(name.split())
    if not plain:
        raise ArenaError("--name: empty; name the release, or leave it out")
    return plain


def _digest(named: NamedRun) -> str:
    of = {"signature": named.result.run["signature"], "per_tag": digest_file(named.folder / "per_tag.parquet")}
    return digest({**of, "model": named.model})


def _files(named: NamedRun, with_scores: bool) -> dict[str, Path]:
    """What is kept of a run: path below the copy -> where it lies now."""
    files = {name: named.folder / name for name in KEPT}
    if with_scores:
        folder = named.folder / "scores" / named.model
        if not (folder / "store.json").is_file():
            raise ArenaError(
                f"--with-scores: {folder} holds no scores; they were given as a file. Leave the option out"
            )
        read_store(folder)  # refuses a damaged one
        files |= {
            path.relative_to(named.folder).as_posix(): path for path in sorted(folder.iterdir()) if path.is_file()
        }
    return files


def _keep(baseline: Baseline, files: dict[str, Path]) -> None:
    """Copy the files of a baseline; its folder appears whole, or stays as it was."""
    parts = baseline.copy.with_name(f".{baseline.copy.name}.part")
    shutil.rmtree(parts, ignore_errors=True)
    for inside, path in files.items():
        (parts / inside).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, parts / inside)
    if (baseline.copy / "scores").is_dir() and not (parts / "scores").exists():
        (baseline.copy / "scores").rename(parts / "scores")  # an earlier line of the log may name them
    shutil.rmtree(baseline.copy, ignore_errors=True)
    parts.rename(baseline.copy)


def _relative(folder: Path, home: Path) -> str:
    """A folder from the folder of baselines, with slashes; its name alone where no such way exists, as between drives."""
    try:
        return Path(os.path.relpath(folder.resolve(), home.resolve())).as_posix()
    except ValueError:
        return folder.name


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """One writer at a time."""
    try:
        with FileLock(home / LOCK, timeout=30):
            yield
    except Timeout:
        raise ArenaError(f"{home}: another arena baseline set is at work there; run this one again later") from None
