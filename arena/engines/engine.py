"""Score the missing shards of a command: in this process alone, with workers on other devices, or with other commands."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace

from arena.base.cores import usable_cores
from arena.base.leases import Leases
from arena.base.progress import Progress
from arena.engines.ray import RayCluster
from arena.engines.shared import SharedWork
from arena.engines.workers import WorkerTask, started_workers
from arena.taggers.predict import ScoringJob, predict_scores


@dataclass(frozen=True)
class Engine:
    """Where and with whom the missing shards are scored.

    Attributes:
        task: what this process scores, as the first worker.
        others: the devices of the other workers.
        leases: the leases of this process if other commands may share the stores; None if no other command writes to them.
        cluster: a Ray cluster whose actors score; this process then gives out the shards.
    """

    task: WorkerTask
    others: Sequence[str] = ()
    leases: Leases | None = None
    cluster: RayCluster | None = None

    def score(self, jobs: Sequence[ScoringJob], progress: Progress, advance: Callable[[int], None]) -> None:
        """Compute every missing shard of the jobs' stores, or wait for other processes that compute it.

        Args:
            jobs: the loaded taggers of this process, and their prepared stores.
            advance: called with the number of images that any process has finished.

        Raises:
            ScoresError: a tagger's output is not a matrix of probabilities, or another command has replaced a store.
        """
        own = self.task
        if self.cluster is not None:
            with self._leases() as held:
                self.cluster.score(own, jobs, held, advance)
            return
        if self.leases is None and not self.others:
            predict_scores(own.source, jobs, batch_size=own.batch_size, advance=advance)
            return
        tasks = [replace(own, device=device) for device in self.others]
        with self._leases() as held, started_workers(tasks, progress), _part_of_torch_threads(own.workers):
            SharedWork(own.source, jobs, own.folder, held, advance, progress.note).score(own.batch_size)

    def _leases(self) -> AbstractContextManager[Leases]:
        return Leases("worker") if self.leases is None else nullcontext(self.leases)


@contextmanager
def _part_of_torch_threads(workers: int) -> Iterator[None]:
    """Let torch, if it is loaded, use this worker's part of the cores in the block."""
    torch = sys.modules.get("torch")
    if workers == 1 or torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(min(before, usable_cores()))
    try:
        yield
    finally:
        torch.set_num_threads(before)
