"""Set a baseline, read it again, and detect changes of its files.

The folder of baselines holds the log and, for each digest, a run folder with few files, which suffice for all metrics over
releases if the run itself is gone. Scores are copied only on request.
"""

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from arena.base.errors import ArenaError
from arena.base.files import copy_file, digest_file, make_folder, remove_temporary, write_whole
from arena.base.locks import lock_output
from arena.base.provenance import digest, now
from arena.results.baselines.log import DIGEST_DIGITS, Baseline, add_line, find_baseline, read_log
from arena.results.named import ModelOfRun, headlines, read_complete_run, refuse_damaged
from arena.results.run_folder import Result, read_result
from arena.results.shareable import with_local_paths, without_local_paths
from arena.results.written import RUN_FILE, run_file_text
from arena.scores.store import read_store

_STORED_FILES = ("summary.json", "per_tag.parquet")
"""Files of a run that a baseline stores besides `run.json`, a few hundred kilobytes."""

_STORED_IF_THERE = ("slices.parquet",)
"""Files that a check reads if a baseline has them: the intervals of slices say what the images can decide."""

_Content = Path | bytes
"""A file to copy, or the content of one."""


class SetBaseline(NamedTuple):
    """Result of setting a baseline; `is_new` is false if the same one was current already."""

    baseline: Baseline
    is_new: bool


def set_baseline(
    run: ModelOfRun, home: Path, *, reason: str, name: str | None = None, with_scores: bool = False
) -> SetBaseline:
    """Make one model of a run the baseline that releases are compared with from now on.

    Args:
        home: the folder of baselines; it is created if missing.
        reason: why this run is the baseline; stored as one line.
        name: name of the release; None takes the name of the run's model.
        with_scores: store the model's scores too, so that later candidates can be compared image by image.

    Returns: the baseline. If the same one is current already, only its missing or changed files are written.

    Raises:
        ArenaError: the reason is empty, the run is damaged, or there are no scores to store.
    """
    why = " ".join(reason.split())
    if not why:
        raise ArenaError('--reason: empty; say why this run is the baseline, as in --reason "release 1.2"')
    refuse_damaged(run.folder, run.result)
    files = _files(run, with_scores)
    with lock_output(home, "baseline set"):
        make_folder(home)
        remove_temporary(home)
        log = read_log(home)
        made = _baseline(run, home, files, why, name or run.name)
        same = log[-1] if log and (log[-1].digest, log[-1].name) == (made.digest, made.name) else None
        kept = next((one for one in reversed(log) if one.digest == made.digest and not changed_file(one)), None)
        if kept is None or (with_scores and not kept.has_scores):
            _keep(made, files)
        else:
            made = replace(made, files=kept.files)
        if same is not None and not changed_file(same) and (same.has_scores or not with_scores):
            return SetBaseline(same, is_new=False)
        add_line(made)
        return SetBaseline(made, is_new=True)


def current_baseline(home: Path, name: str | None = None) -> Baseline:
    """The current baseline, with its files checked.

    Args:
        name: name of a release, or the first digits of a digest; None takes the baseline that was set last.

    Raises:
        ArenaError: there is none, or one of its files has changed.
    """
    found = find_baseline(read_log(home), home, name)
    refuse_changed(found)
    return found


def read_baseline_result(baseline: Baseline) -> Result:
    """Read the stored part of a baseline's run: provenance, summary, and the table `per_tag`.

    The paths of its inputs, which are not stored, are those of its run folder if that is found.

    Raises:
        ArenaError: a file has changed.
        IncomparableError: the run has another schema.
    """
    refuse_changed(baseline)
    result = read_complete_run(baseline.copy)
    if baseline.origin is None:
        return result
    try:
        private = read_result(baseline.origin, ()).run
    except ArenaError:  # its metrics are those of the stored part
        return result
    return replace(result, run=with_local_paths(result.run, private))


def find_baseline_scores(baseline: Baseline) -> Path | None:
    """The folder of a baseline's scores: the stored one, else that of its run if the run has not changed; else None."""
    inside = Path("scores") / baseline.model
    if baseline.has_scores:
        refuse_changed(baseline)
        return baseline.copy / inside
    folder = baseline.origin
    if folder is None or not (folder / inside / "store.json").is_file():
        return None
    try:
        origin = ModelOfRun(folder, baseline.model, baseline.name, read_complete_run(folder))
    except ArenaError:
        return None
    return folder / inside if _digest(origin) == baseline.digest else None


def changed_file(baseline: Baseline) -> str:
    """A line about the first stored file that has changed since the baseline was set; empty if none has."""
    for name, wanted in baseline.files.items():
        path = baseline.copy / name
        found = digest_file(path) if path.is_file() else None
        if found != wanted:
            what = (
                "is gone"
                if found is None
                else f"was changed (SHA-256 {found[:DIGEST_DIGITS]}, was {wanted[:DIGEST_DIGITS]})"
            )
            return f"{path}: {what} since baseline {baseline.name} was set on {baseline.created[:10]}"
    return ""


def refuse_changed(baseline: Baseline) -> None:
    """Raise ArenaError if a stored file of a baseline has changed."""
    if line := changed_file(baseline):
        raise ArenaError(f"{line}; restore it, or set the run again")


def _baseline(named: ModelOfRun, home: Path, files: Mapping[str, _Content], why: str, name: str) -> Baseline:
    scored, summary = named.result.recipe.dataset, named.result.summary
    dataset = {"name": scored.name, "title": scored.title, "digest": scored.digest, "images": summary["images"]}
    return Baseline(
        name=_one_line(name), model=named.model, run=named.folder.resolve().name, digest=_digest(named),
        signature=named.result.run["signature"], dataset=dataset, created=now(), reason=why,
        figures=headlines(named.result, named.model), home=home,
        files={inside: _digest_content(content) for inside, content in files.items()},
    )  # fmt: skip


def _one_line(name: str) -> str:
    plain = " ".join(name.split())
    if not plain:
        raise ArenaError("--name: empty; name the release, or leave it out")
    return plain


def _digest(named: ModelOfRun) -> str:
    of = {"signature": named.result.run["signature"], "per_tag": digest_file(named.folder / "per_tag.parquet")}
    return digest({**of, "model": named.model})


def _digest_content(content: _Content) -> str:
    return hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else digest_file(content)


def _files(named: ModelOfRun, with_scores: bool) -> dict[str, _Content]:
    """The files of a run to store: path below the copy -> the file, or its content without local paths."""
    files: dict[str, _Content] = {RUN_FILE: run_file_text(without_local_paths(named.result.run)).encode()}
    files |= {name: named.folder / name for name in _STORED_FILES}
    files |= {name: named.folder / name for name in _STORED_IF_THERE if (named.folder / name).is_file()}
    if with_scores:
        folder = named.folder / "scores" / named.model
        if not (folder / "store.json").is_file():
            raise ArenaError(
                f"--with-scores: {folder} holds no scores, because they were read from a file; leave the option out"
            )
        read_store(folder)  # raises if it is damaged
        files |= {
            path.relative_to(named.folder).as_posix(): path for path in sorted(folder.iterdir()) if path.is_file()
        }
    return files


def _keep(baseline: Baseline, files: Mapping[str, _Content]) -> None:
    """Copy the files of a baseline to a temporary folder, then put that in place of its folder.

    The earlier folder is renamed, not removed, until the new one is in place, so that an interruption loses neither. An
    earlier folder that an interruption left aside is put back first.
    """
    parts = baseline.copy.with_name(f".{baseline.copy.name}.part")
    aside = baseline.copy.with_name(f".{baseline.copy.name}.old")
    if aside.is_dir() and not baseline.copy.is_dir():
        aside.rename(baseline.copy)
    for left in (parts, aside):
        shutil.rmtree(left, ignore_errors=True)
    for inside, content in files.items():
        (parts / inside).parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            write_whole(parts / inside, content)
        else:
            copy_file(content, parts / inside)
    if baseline.copy.is_dir():
        baseline.copy.rename(aside)
    if (aside / "scores").is_dir() and not (parts / "scores").exists():
        shutil.copytree(aside / "scores", parts / "scores")  # an earlier line of the log may list them
    parts.rename(baseline.copy)
    shutil.rmtree(aside, ignore_errors=True)
