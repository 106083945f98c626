"""Worker processes: what they score, and what becomes of one that fails."""

import os
import signal
import time
from dataclasses import replace
from multiprocessing import Pipe, active_children
from pathlib import Path

import pytest

from arena.base.cores import divided_cores, usable_cores
from arena.cards import find_model
from arena.engines import workers as module
from arena.engines.engine import Engine
from arena.engines.workers import WorkerTask, started_workers
from arena.scores.store import ScoreStore
from arena.taggers import load
from arena.taggers.predict import ImageSource, ScoringJob
from arena.tags import TagRelations

from ..conftest import Wd
from ..pipeline.test_run import Notes


@pytest.fixture
def task(source: ImageSource, onnx_folder: Wd, tmp_path: Path) -> WorkerTask:
    card = find_model(f"wd={onnx_folder.folder}")
    store = ScoreStore(tmp_path / "scores" / card.name, key="k", shards=source.shards)
    store.prepare(load(card, device="cpu").tags, {})
    return WorkerTask([card], ["k"], source, tmp_path / "scores", "cpu", "auto", 4, TagRelations(), 2)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that runs in this process keeps its signals and variables."""
    monkeypatch.setattr(signal, "signal", lambda *given: None)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def store_of(task: WorkerTask) -> ScoreStore:
    return ScoreStore(task.folder / "wd", key="k", shards=task.source.shards)


@pytest.mark.usefixtures("here")
def test_a_worker_scores_what_is_missing_and_reports(task: WorkerTask) -> None:
    receiver, sender = Pipe(duplex=False)
    module._work(task, sender)
    assert receiver.recv().failure == ""
    assert store_of(task).missing() == []


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("change", "failure"),
    [
        ({"device": "tpu"}, "--device tpu: no such device"),
        ({"keys": ["other"]}, "no scores of these weights, images and settings"),
        ({"folder": Path("missing")}, "missing/.arena-shard-00000.lease: cannot be written"),
    ],
)
def test_a_worker_that_fails_says_why_in_one_line(task: WorkerTask, change: dict[str, object], failure: str) -> None:
    receiver, sender = Pipe(duplex=False)
    module._work(replace(task, **change), sender)  # type: ignore[arg-type]
    told = receiver.recv().failure
    assert (failure in told, "\n" in told) == (True, False), told


def test_processes_score_together_and_a_killed_one_is_a_note(task: WorkerTask) -> None:
    notes, before = Notes(), time.monotonic()
    with started_workers([task], notes):
        os.kill(active_children()[0].pid or 0, signal.SIGKILL)
    assert notes.lines == ["a worker on cpu failed, and the others scored its images: it was ended by signal 9"]
    with pytest.raises(KeyboardInterrupt), started_workers([task], notes):
        raise KeyboardInterrupt
    assert time.monotonic() - before < 4, "the process is ended, not waited for"
    assert active_children() == []
    job = ScoringJob(load(task.cards[0], device="cpu"), store_of(task))
    Engine(task, ["cpu"]).score([job], notes, lambda images: None)
    assert sum("failed" in line for line in notes.lines) == 1, notes.lines
    assert store_of(task).missing() == []


def test_cores_are_divided() -> None:
    every = usable_cores()
    with divided_cores(2):
        assert usable_cores() == max(1, every // 2)
        with divided_cores(1000):
            assert usable_cores() == 1
    assert usable_cores() == every
