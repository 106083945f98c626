"""Score shards on a Ray cluster: one actor per device loads the models once, and a shard is a task that any actor can do.

This process, the driver, holds the leases of the shards and gives them to the actors. A shard whose actor has ended is given to
another one. The actors write to the stores, which are the only checkpoint, so all nodes see the folder of the run.
"""

import re
import signal
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from arena.base.errors import ArenaError
from arena.base.extras import extras_for
from arena.base.leases import Leases
from arena.base.progress import Progress
from arena.cards import ModelCard
from arena.engines.loaded import Hardware, Loaded
from arena.engines.shard_worker import ShardWorker
from arena.engines.shared import SharedWork
from arena.engines.workers import WorkerTask, failure_of
from arena.images.messages import add_library_messages
from arena.taggers.predict import ImageSource, PlannedShard, ScoringJob

_QUEUED = 2
"""Shards that an actor has at a time, so that it decodes the images of the second while it scores the first."""

_ATTEMPTS = 3
"""Actors that may fail with one shard, or on one node, before no other is tried."""

_CONNECT_S = 10.0
"""Time in seconds to wait for the address of a cluster."""

_HOST = re.compile(r"([\w.-]+):(\d{1,5})")

_ENDED = "its process or its node has ended"
"""Why an actor failed, if Ray has lost it."""

_LOOK_S = 2.0
"""Time in seconds between two looks at the nodes of the cluster."""

_PATIENCE_S = 15.0
"""Time in seconds to wait for the first actor before the user gets a note."""


@dataclass
class _Actor:
    """An actor as the driver knows it.

    Attributes:
        node: identifier of the node that it was started for.
        opening: the call that opens it; None before and after.
        is_open: whether it takes shards.
        running: its calls and their shards.
    """

    handle: Any
    node: str
    opening: Any = None
    is_open: bool = False
    running: dict[Any, PlannedShard] = field(default_factory=dict)


@contextmanager
def ray_cluster(address: str, device: str, workers: int, progress: Progress) -> Iterator["RayCluster"]:
    """Connect to a Ray cluster for the block; the actors end with it.

    Args:
        address: as `ray.init` takes it, such as `auto` or `host:6379`.
        device: `cuda`, `cpu`, or `auto`: CUDA if the cluster has a GPU.
        workers: actors per GPU, or per node without CUDA.

    Raises:
        ArenaError: Ray is not installed, no cluster answers, or it has no such device.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise ArenaError(f"--device {device}: Ray gives each of its actors a device; use auto, cpu or cuda")
    with extras_for("--engine ray"):
        import ray
    known = ray.is_initialized()
    if not known:
        _connect(ray, address)
    try:
        cluster = RayCluster(ray, _kind_of_device(device, ray.cluster_resources(), address), workers, progress)
        try:
            yield cluster
        finally:
            cluster.end()
    finally:
        if not known:
            ray.shutdown()


def _connect(ray: Any, address: str) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    try:
        if host := _HOST.fullmatch(address):  # Ray itself tries for minutes
            socket.create_connection((host[1], int(host[2])), _CONNECT_S).close()
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", namespace="arena")
    except (OSError, RuntimeError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ArenaError(
            f"--engine ray --address {address}: no Ray cluster answers ({reason}); start one with: ray start --head"
        ) from None
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)  # Ray's own would end this process without its clean-up


def _kind_of_device(device: str, resources: dict[str, float], address: str) -> str:
    """Return `cuda` or `cpu`."""
    if device == "auto":
        return "cuda" if resources.get("GPU") else "cpu"
    if not resources.get("GPU" if device == "cuda" else "CPU"):
        raise ArenaError(f"--engine ray --device {device}: the Ray cluster at {address} has no such device")
    return device


class RayCluster:
    """The actors of a run on a Ray cluster. Nodes that join later get actors too.

    Attributes:
        device: kind of the actors' devices, `cpu` or `cuda`.
    """

    def __init__(self, ray: Any, device: str, workers: int, progress: Progress) -> None:
        self.device = device
        self._ray, self._workers, self._progress = ray, workers, progress
        self._class = ray.remote(ShardWorker)
        self._actors: list[_Actor] = []
        self._failures: Counter[str] = Counter()
        self._reason = ""
        self._arguments: tuple[Any, ...] = ()
        self._task: Any = None
        self._looked = 0.0

    def load(self, card: ModelCard, hardware: Hardware, source: ImageSource) -> Loaded:
        """Load a tagger on an actor, and return its description; the other actors load it when the scoring begins.

        Raises:
            ArenaError: as `load_tagger` raises it on the node.
        """
        if not self._arguments:
            hardware = replace(hardware, device=self.device)
            self._arguments = (self._ray.put(hardware), self._ray.put(source))
        while True:
            self._look()
            actor = self._actors[0]
            try:
                return self._loaded(actor.handle.load.remote(card))
            except self._ray.exceptions.RayTaskError as error:
                if isinstance(error.cause, ArenaError):
                    raise type(error.cause)(str(error.cause)) from None
                raise
            except self._ray.exceptions.RayError:
                self._drop(actor, _ENDED)

    def _loaded(self, call: Any) -> Loaded:
        """Wait for a call that loads a tagger, and return its result."""
        done, _ = self._ray.wait([call], timeout=_PATIENCE_S)
        if not done:
            self._progress.note("waiting for an actor; the devices of the Ray cluster may be in use")
        loaded: Loaded = self._ray.get(call)
        return loaded

    def score(
        self, task: WorkerTask, jobs: Sequence[ScoringJob], leases: Leases, advance: Callable[[int], None]
    ) -> None:
        """Compute every missing shard of the jobs' stores on the actors.

        Args:
            task: what each actor scores; its source is sent with `load`.
            jobs: the prepared stores of the loaded taggers.
            leases: the leases of this process, so that further commands can share the run.
            advance: called with the number of images that any process has finished.

        Raises:
            ArenaError: no actor is left, or one shard has failed on several.
        """
        empty = ImageSource((), (), (), verified=False)
        self._task = self._ray.put(replace(task, folder=task.folder.absolute(), source=empty))
        for actor in self._actors:
            self._open(actor)
        SharedWork(
            task.source, jobs, task.folder, leases, advance, self._progress.note, predict=self._predict
        ).score(task.batch_size)  # fmt: skip

    def end(self) -> None:
        """Collect the messages of the actors, and end them."""
        calls = [actor.handle.close.remote() for actor in self._actors if actor.is_open]
        done, _ = self._ray.wait(calls, num_returns=len(calls), timeout=_LOOK_S) if calls else ([], [])
        for call in done:
            try:
                add_library_messages(self._ray.get(call))
            except self._ray.exceptions.RayError:
                continue
        for actor in self._actors:
            self._ray.kill(actor.handle)
        self._actors.clear()

    def _predict(
        self,
        source: ImageSource,
        jobs: Sequence[ScoringJob],
        *,
        batch_size: int | None,
        advance: Callable[[int], None],
        shards: Iterable[PlannedShard],
        finished: Callable[[int], None],
    ) -> None:
        """Compute shards on the actors; as `predict_scores`."""
        sizes, left = [len(image_ids) for image_ids in source.shards], iter(shards)
        again: deque[PlannedShard] = deque()
        failures: Counter[int] = Counter()
        while self._give_out(left, again):
            self._look()
            for actor, call in self._finished_calls():
                shard, failure = actor.running.get(call), self._failure_of(call)
                if not failure:
                    if shard is None:
                        actor.opening, actor.is_open = None, True
                    else:
                        del actor.running[call]
                        advance(sizes[shard.number])
                        finished(shard.number)
                    continue
                again.extend(actor.running.values())
                self._drop(actor, failure)
                if shard is not None:
                    failures[shard.number] += 1
                    if failures[shard.number] == _ATTEMPTS:
                        raise ArenaError(
                            f"--engine ray: {_ATTEMPTS} actors failed with shard {shard.number}: {failure}"
                        )
                break  # the other calls of this actor are void

    def _give_out(self, left: Iterator[PlannedShard], again: "deque[PlannedShard]") -> bool:
        """Give shards to open actors, and return whether any shard is still to be finished."""
        more = True
        for place in range(_QUEUED):
            for actor in self._actors:
                if not actor.is_open or len(actor.running) > place:
                    continue
                shard = again.popleft() if again else next(left, None)
                if shard is None:
                    more = False
                    break
                names = [job.tagger.card.name for job in shard.jobs]
                actor.running[actor.handle.score.remote(shard.number, names)] = shard
        return more or bool(again) or any(actor.running for actor in self._actors)

    def _finished_calls(self) -> list[tuple[_Actor, Any]]:
        """Wait a moment for calls, and return those that have ended."""
        calls = {call: actor for actor in self._actors for call in (*actor.running, actor.opening) if call is not None}
        if not calls:
            time.sleep(_LOOK_S / 4)
            return []
        done, _ = self._ray.wait(list(calls), num_returns=1, timeout=_LOOK_S)
        return [(calls[call], call) for call in done]

    def _failure_of(self, call: Any) -> str:
        """Return why a finished call failed; empty if it did not."""
        try:
            self._ray.get(call)
        except self._ray.exceptions.RayTaskError as error:
            return str(error.cause) if isinstance(error.cause, ArenaError) else failure_of(error.cause)
        except self._ray.exceptions.RayError:
            return _ENDED
        return ""

    def _drop(self, actor: _Actor, failure: str) -> None:
        """Forget an actor that has failed."""
        self._failures[actor.node] += 1
        self._reason = failure
        self._actors.remove(actor)
        self._progress.note(f"an actor on Ray node {actor.node[:8]} failed, and others score its images: {failure}")
        self._ray.kill(actor.handle)
        self._looked = 0.0

    def _look(self) -> None:
        """Start the actors that are missing on the nodes of the cluster.

        Raises:
            ArenaError: there is none, and none can be started.
        """
        if time.monotonic() - self._looked < _LOOK_S:
            return
        self._looked = time.monotonic()
        nodes = [node for node in self._ray.nodes() if node["Alive"]]
        for node in nodes:
            name, wanted = node["NodeID"], self._wanted(node["Resources"])
            present = sum(actor.node == name for actor in self._actors)
            if self._failures[name] < _ATTEMPTS:
                for _ in range(present, wanted):
                    self._start(name, node["Resources"], wanted)
        if not self._actors:
            reason = f": {self._reason}" if self._reason else ""
            raise ArenaError(f"--engine ray: no actor is left on the {len(nodes)} nodes of the cluster{reason}")

    def _wanted(self, resources: dict[str, float]) -> int:
        """Return the number of actors of a node."""
        if self.device == "cuda":
            return int(resources.get("GPU", 0)) * self._workers
        return min(int(resources.get("CPU", 0)), self._workers)

    def _start(self, node: str, resources: dict[str, float], wanted: int) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        strategy = NodeAffinitySchedulingStrategy(node, soft=True)
        cores = int(resources.get("CPU", 0))
        options = {
            "num_cpus": min(cores, 1) if self.device == "cuda" else cores // wanted,  # Ray sets OMP_NUM_THREADS to it
            "num_gpus": 1 / self._workers if self.device == "cuda" else 0, "scheduling_strategy": strategy,
            "max_concurrency": _QUEUED + 2,
        }  # fmt: skip
        actor = _Actor(self._class.options(**options).remote(*self._arguments, wanted), node)
        self._actors.append(actor)
        if self._task is not None:
            self._open(actor)

    def _open(self, actor: _Actor) -> None:
        actor.opening = actor.handle.open.remote(self._task)
