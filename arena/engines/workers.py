"""Worker processes of one command, one per device: each loads the models, decodes its own images and claims shards.

This process is the first worker, and starts the others. They are spawned, because CUDA cannot be used after a fork.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

from arena import taggers
from arena.base.cores import divided_cores, usable_cores
from arena.base.errors import ArenaError, is_out_of_memory
from arena.base.leases import Leases
from arena.base.progress import Progress
from arena.base.provenance import device_name
from arena.cards import ModelCard
from arena.engines.shared import SharedWork
from arena.images.messages import LibraryMessages, add_library_messages, collect_library_messages
from arena.scores.store import ScoreStore
from arena.taggers.base import Tagger
from arena.taggers.predict import ImageSource, ScoringJob
from arena.tags import TagRelations

_END_S = 5.0
"""Time in seconds for a worker to end after SIGTERM, before it is killed."""


@dataclass(frozen=True)
class WorkerTask:
    """What a worker scores; it can be sent to another process.

    Attributes:
        keys: name of a model with missing scores -> the key of its store.
        folder: the folder of the stores.
        device: the device of this worker.
        batch_size: images per batch; None chooses by device.
        workers: number of workers among which the cores are divided.
    """

    cards: Sequence[ModelCard]
    keys: Sequence[str]
    source: ImageSource
    folder: Path
    device: str
    precision: str
    batch_size: int | None
    relations: TagRelations
    workers: int


class _Report(NamedTuple):
    """What a worker says at its end: why it failed, empty if it did not, and the messages of image libraries."""

    failure: str
    messages: LibraryMessages


class _Worker(NamedTuple):
    """A started worker, and the end of its pipe in this process."""

    task: WorkerTask
    process: BaseProcess
    reports: Connection


@contextmanager
def started_workers(tasks: Sequence[WorkerTask], progress: Progress) -> Iterator[None]:
    """Run workers for other devices while the block scores on the first one.

    The block ends when all shards are finished; the workers then end by themselves. If the block raises, they are ended. A
    worker that failed is a note of one line, because the others have scored its shards.
    """
    context = multiprocessing.get_context("spawn")
    workers: list[_Worker] = []
    try:
        for task in tasks:
            receiver, sender = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(task, sender), daemon=True)
            process.start()
            sender.close()  # so that the pipe ends with the worker
            workers.append(_Worker(task, process, receiver))
        yield
        for worker in workers:
            if failure := _ending_of(worker):
                progress.note(f"a worker on {worker.task.device} failed, and the others scored its images: {failure}")
    finally:
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            worker.process.join(_END_S)
            worker.process.kill()
            worker.process.join()


def _ending_of(worker: _Worker) -> str:
    """Wait for the end of a worker, and return why it failed; empty if it did not."""
    try:
        report: _Report = worker.reports.recv()
    except EOFError:
        worker.process.join()
        code = worker.process.exitcode or 0
        return f"it was ended by signal {-code}" if code < 0 else f"it ended with code {code}"
    add_library_messages(report.messages)
    return report.failure


def _work(task: WorkerTask, reports: Connection) -> None:
    """Score shards in a worker process until all are finished, and report."""
    for name in ("SIGINT", "SIGHUP"):  # the parent handles them
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with collect_library_messages() as messages, divided_cores(task.workers):
        os.environ.setdefault("OMP_NUM_THREADS", str(usable_cores()))  # read by torch when it is imported
        failure = ""
        try:
            _score(task)
        except Exception as error:
            failure = failure_of(error)
        with suppress(OSError):
            reports.send(_Report(failure, messages))


def failure_of(error: Exception) -> str:
    """Return in one line why a worker failed."""
    if isinstance(error, ArenaError):
        return str(error)
    if is_out_of_memory(error):
        return f"not enough memory ({_first_line(error)}); use a smaller --batch-size, or fewer workers"
    return f"{type(error).__name__}: {_first_line(error)}"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no reason given"])[0]


def _score(task: WorkerTask) -> None:
    loaded: list[Tagger] = []
    for card in task.cards:
        loaded.append(
            taggers.load(
                card, device=task.device, precision=task.precision, among=loaded, relations=task.relations
            )
        )  # fmt: skip
    shards = task.source.shards
    stores = [
        ScoreStore(task.folder / card.name, key=key, shards=shards)
        for card, key in zip(task.cards, task.keys, strict=True)
    ]
    jobs = [ScoringJob(tagger, store, device_name(tagger.device)) for tagger, store in zip(loaded, stores, strict=True)]
    with Leases("worker") as leases:
        SharedWork(task.source, jobs, task.folder, leases).score(task.batch_size)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
