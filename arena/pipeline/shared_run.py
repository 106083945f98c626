"""Any number of processes share a run folder: all of them score, one of them writes the reports.

A process shows that it takes part by a lease next to the lock of the folder, with the key of its run. The lock is held for the
opening of the folder, and for the evaluation. The one that finds all scores finished first writes the reports; then it lists in
`.arena-served.json` the processes that wait for them.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from arena.base import provenance
from arena.base.files import OWN_PREFIX, remove_temporary, write_whole
from arena.base.leases import Leases
from arena.base.locks import OutputLockedError, live_workers, lock_output, worker_file
from arena.base.owners import describe_owner, read_facts
from arena.base.progress import Progress
from arena.base.version import __version__
from arena.engines.shared import remove_leases
from arena.pipeline.stages import Compute
from arena.results.recipe import Recipe
from arena.results.written import RUN_FILE

Found = Literal["opened", "joined", "served"]

_SERVED = f"{OWN_PREFIX}-served.json"
"""File that names the processes whose reports another one has written."""


def run_key(planned: Recipe, scores: Mapping[str, str]) -> str:
    """Return what the processes of one run have in common: all that its result depends on.

    Args:
        planned: the recipe before anything is scored.
        scores: name of a model -> key of its scores.
    """
    settings = asdict(replace(planned.settings, workers=0))
    inputs = sorted((one.kind, one.name, one.digest or Path(one.path).name) for one in planned.inputs)
    thresholds = {name: asdict(used) for name, used in planned.thresholds.items()}
    return provenance.digest({
        "version": __version__, "dataset": asdict(planned.dataset), "settings": settings, "thresholds": thresholds,
        "renamed": dict(planned.renamed), "inputs": inputs, "scores": dict(scores),
    })  # fmt: skip


def launch_of(environment: Mapping[str, str] = os.environ) -> str:
    """Return the name of the launch that this process belongs to with others; empty if it was started alone.

    The tasks of a Slurm array, and the processes of a step with several, run one command. One that starts late finds the
    reports written.

    >>> launch_of({"SLURM_ARRAY_JOB_ID": "17"}), launch_of({"SLURM_JOB_ID": "18", "SLURM_STEP_ID": "0"})
    ('slurm 17', '')
    """
    if array := environment.get("SLURM_ARRAY_JOB_ID"):
        return f"slurm {array}"
    if environment.get("SLURM_STEP_NUM_TASKS", "1") != "1":
        return f"slurm {environment.get('SLURM_JOB_ID')}.{environment.get('SLURM_STEP_ID')}"
    return ""


@dataclass(frozen=True)
class SharedRun:
    """This process among those that share a run folder.

    Attributes:
        leases: the leases of this process.
        found: what this process found: it `opened` the folder, `joined` others that score in it, or came when another one had
            written the reports of its launch (`served`).
    """

    folder: Path
    key: str
    leases: Leases
    progress: Progress
    found: Found

    @property
    def served(self) -> bool:
        """Whether there is nothing to do."""
        return self.found == "served"

    def compute(self, compute: Compute) -> Compute:
        """Return how this process runs the networks, with the others."""
        return replace(compute, leases=self.leases, recheck=self.found == "opened")

    @contextmanager
    def reports(self) -> Iterator[bool]:
        """Wait until no other process writes the reports; yield whether this one must, which then holds the lock."""

        def waiting(holder: str) -> None:
            self.progress.note(f"{self.folder}: waiting for {holder}, which writes the reports")

        with lock_output(self.folder, "run", waiting=waiting):
            if _is_served(self.folder, self.key, self.leases.token):
                self.progress.note(f"{self.folder}: another process has written the reports")
                yield False
                return
            yield True
            served = [facts["token"] for facts in live_workers(self.folder) if facts.get("key") == self.key]
            content = {"key": self.key, "tokens": served, "launch": launch_of()}
            write_whole(self.folder / _SERVED, json.dumps(content))


@contextmanager
def shared_run(folder: Path, key: str, open_folder: Callable[[], None], progress: Progress) -> Iterator[SharedRun]:
    """Take part in a run for the block: open its folder, or join the processes that score in it.

    Args:
        key: see `run_key`.
        open_folder: opens the folder, or refuses it; called if no other process takes part.

    Raises:
        OutputLockedError: another verb writes to the folder, or processes score another recipe in it.
    """
    with Leases("run") as leases:
        path = worker_file(folder, leases.token)

        def waiting(holder: str) -> None:
            progress.note(f"{folder}: waiting for {holder}")
            leases.claim(path, key=key, opened=False)  # so that it writes the reports for this process as well

        with lock_output(folder, "run", waiting=waiting):
            found = _open_or_join(folder, key, leases.token, open_folder, progress)
            leases.claim(path, key=key, opened=True)
            leases.change(path, opened=True)
        try:
            yield SharedRun(folder, key, leases, progress, found)
        finally:
            leases.give_back(path)
            _tidy(folder)


def _open_or_join(folder: Path, key: str, token: str, open_folder: Callable[[], None], progress: Progress) -> Found:
    """Open a run folder, or join the processes in it."""
    others = [facts for facts in live_workers(folder) if facts.get("opened") and facts.get("token") != token]
    for facts in others:
        if facts.get("key") != key:
            raise OutputLockedError(
                f"{folder}: {describe_owner(facts)} scores in it by another recipe; wait until it has ended, or name another "
                "output"
            )
    if _is_served(folder, key, token):
        progress.note(f"{folder}: another process has written the reports")
        return "served"
    if others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        progress.note(f"{folder}: shared with {describe_owner(others[0])}{more}; every image is scored by one of them")
        return "joined"
    open_folder()
    remove_leases(folder / "scores")
    (folder / _SERVED).unlink(missing_ok=True)
    return "opened"


def _is_served(folder: Path, key: str, token: str) -> bool:
    """Return whether the reports of a run are written, for this process by name or for all of its launch."""
    try:
        served: dict[str, Any] = read_facts((folder / _SERVED).read_bytes())
    except OSError:
        return False
    launch = launch_of()
    mine = token in served.get("tokens", ()) or (launch and served.get("launch") == launch)
    return bool(served.get("key") == key and mine and (folder / RUN_FILE).exists())


def _tidy(folder: Path) -> None:
    """Remove what killed processes left in a run folder, if no other process takes part in the run."""
    with suppress(OutputLockedError), lock_output(folder, "run"):
        if not folder.is_dir():
            return
        remove_temporary(folder, recursive=True)
        remove_leases(folder / "scores")
        if not launch_of():
            (folder / _SERVED).unlink(missing_ok=True)
