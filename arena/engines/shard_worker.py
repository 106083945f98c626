"""A process of a cluster that loads the models once, and scores the shards that it is given on its device.

Ray runs `ShardWorker` as an actor; this module does not need Ray.
"""

import queue
import socket
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import replace
from typing import NamedTuple

from arena import taggers
from arena.base.cores import divided_cores
from arena.base.errors import ScoresError
from arena.base.provenance import device_name
from arena.cards import ModelCard
from arena.engines.loaded import Hardware, Loaded, RemoteTagger, load_tagger
from arena.engines.workers import WorkerTask, failure_of
from arena.images.messages import LibraryMessages, collect_library_messages
from arena.scores.store import ScoreStore
from arena.taggers.base import Tagger
from arena.taggers.predict import ImageSource, PlannedShard, ScoringJob, predict_scores, scores_key


class ShardWorker:
    """Loads models, and scores shards with them.

    Args:
        hardware: its device, `cpu` or `cuda`, and precision.
        workers: number of actors on this node, among which the cores are divided.
    """

    def __init__(self, hardware: Hardware, source: ImageSource, workers: int) -> None:
        self._context = ExitStack()
        self._context.enter_context(divided_cores(workers))
        self._messages = self._context.enter_context(collect_library_messages())
        self._hardware, self._source = hardware, source
        self._taggers: dict[str, Tagger] = {}
        self._jobs: dict[str, ScoringJob] = {}
        self._queue: queue.Queue[_Asked | None] = queue.Queue()

    def load(self, card: ModelCard) -> Loaded:
        """Load a tagger, and return its description."""
        found = load_tagger(card, self._hardware, self._source, list(self._taggers.values()))
        self._taggers[card.name] = found.tagger
        return found._replace(tagger=RemoteTagger.of(found.tagger))

    def open(self, task: WorkerTask) -> None:
        """Load the taggers that are not loaded yet, and open their stores.

        Raises:
            ScoresError: the files of a model on this node are not those of the driver.
        """
        for card, key in zip(task.cards, task.keys, strict=True):
            own = replace(self._hardware, device=task.device)
            facts = taggers.identify(
                card, device=own.device, precision=own.precision, relations=own.relations, remote=True
            )
            if scores_key(facts, self._source) != key:
                raise ScoresError(f"{card.name}: its files on {socket.gethostname()} are not those of the driver")
            if card.name not in self._taggers:
                self.load(card)
            store = ScoreStore(task.folder / card.name, key=key, shards=self._source.shards)
            self._jobs[card.name] = ScoringJob(
                self._taggers[card.name], store, device_name(self._taggers[card.name].device)
            )
        threading.Thread(target=self._score_always, args=(task.batch_size,), daemon=True).start()

    def score(self, number: int, names: Sequence[str]) -> None:
        """Score a shard with some of the models, and store it. Other shards may be asked for meanwhile."""
        asked = _Asked(PlannedShard(number, [self._jobs[name] for name in names]), Future())
        self._queue.put(asked)
        asked.done.result()

    def close(self) -> LibraryMessages:
        """End the work, and return the messages of image libraries."""
        self._queue.put(None)
        self._context.close()
        return self._messages

    def _score_always(self, batch_size: int | None) -> None:
        """Score what is in the queue, until None is in it."""
        while (first := self._queue.get()) is not None:
            begun: dict[int, Future[None]] = {}
            try:
                predict_scores(
                    self._source, list(self._jobs.values()), batch_size=batch_size, shards=self._asked(first, begun),
                    finished=lambda number, begun=begun: begun.pop(number).set_result(None),  # type: ignore[misc]
                )  # fmt: skip
            except Exception as error:
                for done in begun.values():
                    done.set_exception(ScoresError(failure_of(error)))

    def _asked(self, first: "_Asked", begun: "dict[int, Future[None]]") -> Iterator[PlannedShard]:
        """Yield a shard and those behind it in the queue, so that decoding goes on from one to the next."""
        one: _Asked | None = first
        while one is not None:
            begun[one.shard.number] = one.done
            yield one.shard
            one = None if self._queue.empty() else self._queue.get()


class _Asked(NamedTuple):
    """A shard that the driver asks for, and the future that is done when it is stored."""

    shard: PlannedShard
    done: "Future[None]"
