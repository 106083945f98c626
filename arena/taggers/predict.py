"""Score images with several taggers: each image is decoded once, and each distinct square is computed once.

Threads decode ahead of the networks (Pillow releases the interpreter lock). The networks run one after another on each batch.
A shard is stored as soon as it is complete.
"""

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from arena.base.cores import usable_cores
from arena.base.errors import ScoresError, UnreadableImageError
from arena.base.memory import keep_freed_memory
from arena.cards import Preprocess
from arena.images.decode import CHANGED_IMAGE, RGB, decode_on, read_image_file
from arena.images.in_flight import picture_in_flight
from arena.scores.store import ScoreStore
from arena.taggers.adapters.ensemble import Ensemble, members_of
from arena.taggers.adapters.precomputed import Precomputed
from arena.taggers.base import Pixels, Tagger, check_scores
from arena.taggers.base import Probabilities as Probabilities
from arena.taggers.preprocess import square

SHARD_IMAGES = 256
"""Images per shard. A killed run loses at most this many: a few seconds to minutes of work."""

AUTO_BATCH = {"cpu": 32, "cuda": 64}
"""Default batch size by device type. On two cores, one of them shared with other work, the demo run took 37 s with 32 and 47 s
with 8. 64 on CUDA is not measured yet."""


@dataclass(frozen=True)
class ImageSource:
    """Images to score.

    Attributes:
        image_ids: unique identifiers, in the order of the score rows.
        paths: image files.
        digests: digest of each file in the cache key; if `verified`, the SHA-256 of its bytes.
        verified: whether a file with another SHA-256 is skipped.
    """

    image_ids: tuple[str, ...]
    paths: tuple[Path, ...]
    digests: tuple[str, ...]
    verified: bool

    @property
    def digest(self) -> str:
        """One SHA-256 over the identifiers and digests, in order."""
        lines = "".join(f"{name}\0{digest}\n" for name, digest in zip(self.image_ids, self.digests, strict=True))
        return hashlib.sha256(lines.encode()).hexdigest()

    @property
    def shards(self) -> list[tuple[str, ...]]:
        """The identifiers, split into shards of `SHARD_IMAGES`."""
        ids = iter(self.image_ids)
        return list(iter(lambda: tuple(islice(ids, SHARD_IMAGES)), ()))


class ScoringJob(NamedTuple):
    """A loaded tagger, the store for its scores, and the name of the machine that its speed is recorded with."""

    tagger: Tagger
    store: ScoreStore
    machine: str = ""


class _Prepared(NamedTuple):
    """One image with the squares for all taggers, or the reason why it is skipped."""

    image_id: str
    squares: Mapping[Preprocess, RGB]
    reason: str


@dataclass
class _Shard:
    """Scores of one shard, collected batch by batch, for each job."""

    jobs: Sequence[ScoringJob]
    values: list[list[np.ndarray]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.values = [[] for _ in self.jobs]
        self.seconds = [0.0 for _ in self.jobs]


class PlannedShard(NamedTuple):
    """A shard that this process is to score, by its number, and the jobs that lack it."""

    number: int
    jobs: Sequence[ScoringJob]


def missing_shards(jobs: Sequence[ScoringJob]) -> list[PlannedShard]:
    """Return every shard that a job's store lacks, in order."""
    missing = [set(job.store.missing()) for job in jobs]
    numbers = sorted(set().union(*missing))
    return [
        PlannedShard(number, [job for job, lacking in zip(jobs, missing, strict=True) if number in lacking])
        for number in numbers
    ]


def predict_scores(
    source: ImageSource,
    jobs: Sequence[ScoringJob],
    *,
    batch_size: int | None = None,
    advance: Callable[[int], None] = lambda images: None,
    shards: Iterable[PlannedShard] | None = None,
    finished: Callable[[int], None] = lambda number: None,
) -> None:
    """Compute shards, and store each in the stores of the jobs that lack it.

    Args:
        batch_size: images per batch; None: the largest `AUTO_BATCH` of the taggers' devices.
        advance: called after each batch with its number of images.
        shards: what to compute, read while the decoding runs ahead; None: all that is missing.
        finished: called with the number of each shard that is stored.

    Raises:
        ScoresError: a tagger's output is not a matrix of probabilities.
    """
    sizes = [len(image_ids) for image_ids in source.shards]
    first = np.cumsum([0, *sizes])
    begun: deque[PlannedShard] = deque()

    def tasks() -> Iterator[Callable[[], _Prepared]]:
        for shard in missing_shards(jobs) if shards is None else shards:
            begun.append(shard)
            preprocesses = _preprocesses_of(shard.jobs)
            for row in range(first[shard.number], first[shard.number + 1]):
                yield partial(_prepare, source, row, preprocesses)

    size = batch_size or max(_auto_batch(one) for job in jobs for one in members_of(job.tagger))
    workers = usable_cores()
    keep_freed_memory()
    with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        prepared = _ahead(pool, tasks(), lead=2 * size + workers)
        for image in prepared:
            shard = begun.popleft()
            images = chain([image], islice(prepared, sizes[shard.number] - 1))
            _fill(shard.number, shard.jobs, images, size, advance)
            finished(shard.number)


def score_picture(content: bytes, taggers: Sequence[Tagger]) -> list[Probabilities]:
    """Return the scores of one image by each tagger, float32 (tags,); the image is decoded as in `predict_scores`.

    Args:
        content: bytes of the file.
        taggers: no precomputed scores among them.

    Raises:
        UnreadableImageError: the image cannot be decoded.
        ScoresError: a tagger's output is not a matrix of probabilities.
    """
    preprocesses = {member.preprocess for one in taggers for member in members_of(one)}
    with picture_in_flight("image"):
        batch = _Batch([_Prepared("image", _squares(content, preprocesses), "")])
    return [batch.score(one).values[0] for one in taggers]


def recheck_skipped_images(source: ImageSource, store: ScoreStore) -> None:
    """Mark each shard as missing in which a skipped image has become readable."""
    rows = {image_id: row for row, image_id in enumerate(source.image_ids)}
    for number, image_ids in store.skipped().items():
        if any(not _prepare(source, rows[image_id], set()).reason for image_id in image_ids):
            store.forget(number)


def refuse_missing_scores(source: ImageSource, tagger: Tagger) -> None:
    """Raise if precomputed scores are missing for a readable image, before anything is computed.

    Raises:
        ScoresError: a readable image has no scores. Unreadable images need none.
    """
    for one in members_of(tagger):
        if not isinstance(one, Precomputed):
            continue
        unscored = [row for row, image_id in enumerate(source.image_ids) if image_id not in one.row_of]
        readable = next((row for row in unscored if not _prepare(source, row, set()).reason), None)
        if readable is not None:
            raise ScoresError(one.told_missing(source.image_ids[readable], len(unscored), len(source.image_ids)))


def _preprocesses_of(jobs: Sequence[ScoringJob]) -> set[Preprocess]:
    """Return the distinct preprocessings of the jobs' networks; precomputed scores have none."""
    networks = (one for job in jobs for one in members_of(job.tagger) if not isinstance(one, Precomputed))
    return {network.preprocess for network in networks}


def _auto_batch(tagger: Tagger) -> int:
    return AUTO_BATCH.get(tagger.device.partition(":")[0], AUTO_BATCH["cpu"])


def _fill(
    number: int, jobs: Sequence[ScoringJob], images: Iterator[_Prepared], size: int, advance: Callable[[int], None]
) -> None:
    """Score one shard and store it.

    Args:
        number: the shard's.
        size: images per batch.
    """
    shard = _Shard(jobs)
    while batch := list(islice(images, size)):
        shard.skipped |= {image.image_id: image.reason for image in batch if image.reason}
        if readable := [image for image in batch if not image.reason]:
            _score_batch(shard, readable)
        advance(len(batch))
    for job, values, seconds in zip(jobs, shard.values, shard.seconds, strict=True):
        rows = np.concatenate(values) if values else np.empty((0, len(job.tagger.tags)), np.float32)
        job.store.write(number, rows, shard.skipped, seconds=seconds, machine=job.machine)


def _score_batch(shard: _Shard, images: Sequence[_Prepared]) -> None:
    """Run every job's network on one batch."""
    batch = _Batch(images)
    for index, job in enumerate(shard.jobs):
        timed = batch.score(job.tagger)
        shard.seconds[index] += timed.seconds
        shard.values[index].append(timed.values)


class _Timed(NamedTuple):
    """Scores of one batch, and the networks' time for them in seconds."""

    values: Probabilities
    seconds: float


class _Batch:
    """One batch of images. Each square is stacked once and each network runs once, also if an ensemble shares it."""

    def __init__(self, images: Sequence[_Prepared]) -> None:
        self.images = images
        self.pixels: dict[Preprocess, Pixels] = {}
        self.done: dict[int, _Timed] = {}

    def score(self, tagger: Tagger) -> _Timed:
        """Return a tagger's checked scores; an ensemble's time is the sum of its members', including shared members."""
        if id(tagger) not in self.done:
            found = self._compute(tagger)
            values = check_scores(tagger.card.name, found.values, images=len(self.images), tags=len(tagger.tags))
            self.done[id(tagger)] = found._replace(values=values)
        return self.done[id(tagger)]

    def _compute(self, tagger: Tagger) -> _Timed:
        if isinstance(tagger, Precomputed):
            return _Timed(tagger.look_up([image.image_id for image in self.images]), 0.0)
        if isinstance(tagger, Ensemble):
            parts = [self.score(member) for member in tagger.members]
            return _Timed(tagger.mean([part.values for part in parts]), sum(part.seconds for part in parts))
        pixels = self._stack(tagger.preprocess)
        start = time.perf_counter()
        values = tagger.scores(pixels)
        return _Timed(values, time.perf_counter() - start)

    def _stack(self, preprocess: Preprocess) -> Pixels:
        if preprocess not in self.pixels:
            self.pixels[preprocess] = np.stack([image.squares[preprocess] for image in self.images])
        return self.pixels[preprocess]


def _prepare(source: ImageSource, row: int, preprocesses: set[Preprocess]) -> _Prepared:
    """Read, verify and decode one image, and compute its square for each preprocessing."""
    image_id = source.image_ids[row]
    with picture_in_flight(image_id):
        return _squares_of(source, row, preprocesses)


def _squares_of(source: ImageSource, row: int, preprocesses: set[Preprocess]) -> _Prepared:
    image_id = source.image_ids[row]
    try:
        content = read_image_file(source.paths[row])
        if source.verified and hashlib.sha256(content).hexdigest() != source.digests[row]:
            return _Prepared(image_id, {}, CHANGED_IMAGE)
        return _Prepared(image_id, _squares(content, preprocesses), "")
    except UnreadableImageError as error:
        return _Prepared(image_id, {}, str(error))
    except OSError as error:
        return _Prepared(image_id, {}, error.strerror or "the file cannot be read")


def _squares(content: bytes, preprocesses: set[Preprocess]) -> Mapping[Preprocess, RGB]:
    """Decode an image once, and return its square for each preprocessing."""
    pixels = decode_on(content, {preprocess.alpha for preprocess in preprocesses})
    return {preprocess: square(pixels[preprocess.alpha], preprocess) for preprocess in preprocesses}


def _ahead(pool: ThreadPoolExecutor, tasks: Iterable[Callable[[], _Prepared]], lead: int) -> Iterator[_Prepared]:
    """Yield the results of the tasks in order, with at most `lead` tasks submitted ahead."""
    waiting: deque[Future[_Prepared]] = deque()
    remaining = iter(tasks)
    try:
        waiting.extend(pool.submit(task) for task in islice(remaining, lead))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(task) for task in islice(remaining, 1))
            yield result
    finally:
        for future in waiting:
            future.cancel()
