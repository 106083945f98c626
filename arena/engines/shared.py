"""Score the missing shards of stores together with other processes: each shard is claimed by a lease, and scored once."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from arena.base.files import OWN_PREFIX
from arena.base.leases import Leases
from arena.taggers.predict import ImageSource, PlannedShard, ScoringJob, missing_shards, predict_scores

_LEASE = re.compile(r"\.arena-shard-(\d+)\.lease")
"""Name of the lease of a shard, in the folder of the stores."""

LOOK_S = 2.0
"""Time in seconds between two looks at what other processes have finished. One look lists the folder of each store."""


def lease_file(folder: Path, number: int) -> Path:
    """Return the path of the lease of a shard.

    Args:
        folder: the folder that holds the stores of all models, which are scored together.
    """
    return folder / f"{OWN_PREFIX}-shard-{number:05d}.lease"


def remove_leases(folder: Path) -> None:
    """Remove leases and locks from the folder of the stores. Call it only if no process scores there."""
    for path in folder.glob(f"{OWN_PREFIX}-*"):
        if _LEASE.fullmatch(path.name) or path.suffix == ".lock":
            path.unlink(missing_ok=True)


@dataclass
class SharedWork:
    """The shards of some stores that were missing at first, and what has become of them.

    Attributes:
        source: the images.
        jobs: taggers and their prepared stores.
        folder: the folder of the stores; it holds the leases.
        leases: the leases of this process.
        advance: called with the number of images that any process has finished.
        note: called with a line of text, if this process has to wait for others.
        pause: called with a time in seconds to wait for.
        predict: computes shards, as `predict_scores` does.
    """

    source: ImageSource
    jobs: Sequence[ScoringJob]
    folder: Path
    leases: Leases
    advance: Callable[[int], None] = lambda images: None
    note: Callable[[str], None] = lambda text: None
    pause: Callable[[float], None] = time.sleep
    predict: Callable[..., None] = predict_scores
    _open: dict[int, int] = field(default_factory=dict)
    _mine: set[int] = field(default_factory=set)
    _counted: set[int] = field(default_factory=set)
    _looked: float = 0.0
    _waited: bool = False

    def score(self, batch_size: int | None) -> None:
        """Score shards until every one is finished by some process.

        Raises:
            ScoresError: a tagger's output is not a matrix of probabilities, or another command has replaced a store.
        """
        sizes = [len(image_ids) for image_ids in self.source.shards]
        self._open = {shard.number: sizes[shard.number] for shard in missing_shards(self.jobs)}
        self._forget_damaged()
        while self._open:
            self.predict(
                self.source, self.jobs, batch_size=batch_size, advance=self._scored, shards=self._claimed(),
                finished=self._finished,
            )  # fmt: skip
            self._look()
            if self._open:
                self._wait()

    def _wait(self) -> None:
        """Wait a moment for shards that other processes score."""
        if not self._waited:
            shards = "1 shard" if len(self._open) == 1 else f"{len(self._open):,} shards"
            self.note(f"waiting for {shards} that other processes score; one that has ended is replaced")
        self._waited = True
        self.pause(LOOK_S / 4)
        self._refuse_replaced()

    def _forget_damaged(self) -> None:
        """Remove the records of damaged shards, because a shard with a record counts as finished from now on."""
        for number in sorted(set().union(*(job.store.present() for job in self.jobs)) & self._open.keys()):
            if self.leases.claim(lease_file(self.folder, number)):
                for job in self.jobs:
                    if not job.store.is_finished(number):
                        job.store.forget(number)
                self.leases.give_back(lease_file(self.folder, number))

    def _claimed(self) -> Iterator[PlannedShard]:
        """Yield shards that this process is to score, until the others are finished or claimed by other processes."""
        for number in list(self._open):
            path = lease_file(self.folder, number)
            if number not in self._open or self.leases.holds(path) or not self.leases.claim(path):
                continue
            jobs = [job for job in self.jobs if not job.store.is_finished(number)]
            if jobs:
                self._mine.add(number)
                yield PlannedShard(number, jobs)
            else:
                self.leases.give_back(path)

    def _finished(self, number: int) -> None:
        self.leases.give_back(lease_file(self.folder, number))
        self._open.pop(number, None)

    def _scored(self, images: int) -> None:
        """Count images of this process; from time to time, also those of the others."""
        self.advance(images)
        if time.monotonic() - self._looked >= LOOK_S:
            self._look()

    def _look(self) -> None:
        """Find out which shards other processes have finished, and count their images.

        A shard with a record is finished unless it has a lease: then it is being written again, or its process has ended.
        """
        self._looked = time.monotonic()
        leased = {int(found[1]) for path in self.folder.iterdir() if (found := _LEASE.fullmatch(path.name))}
        present = set.intersection(*(job.store.present() for job in self.jobs))
        for number in present & self._open.keys() - self._mine - self._counted:
            self._counted.add(number)
            self.advance(self._open[number])
        for number in present & self._open.keys() - leased:
            del self._open[number]

    def _refuse_replaced(self) -> None:
        for job in self.jobs:
            job.store.refuse_other_key()
