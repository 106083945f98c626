"""Score images with several taggers: each image is decoded once, and each distinct square is computed once.

Threads decode ahead of the networks (Pillow releases the interpreter lock). The networks run one after another on each batch.
On CUDA the next batch is copied and started before the scores of this one are read, so that the device does not wait for the
host. A shard is stored as soon as it is complete.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from typing import Any, NamedTuple

import numpy as np

from arena.base import provenance
from arena.base.cores import usable_cores
from arena.base.errors import ScoresError, UnreadableImageError
from arena.base.memory import keep_freed_memory
from arena.cards import Preprocess
from arena.images.decode import CHANGED_IMAGE, RGB, decode_on
from arena.images.in_flight import picture_in_flight
from arena.images.places import ImagePlace, is_remote, read_image_file
from arena.scores.cut import Selection
from arena.scores.high_scores import stored_cut
from arena.scores.store import ScoreStore
from arena.taggers.adapters.ensemble import Ensemble, members_of
from arena.taggers.adapters.precomputed import Precomputed
from arena.taggers.base import Pixels, Tagger, TimedScores, batch_buffer, begin_batch, check_scores
from arena.taggers.base import Probabilities as Probabilities
from arena.taggers.preprocess import square

SHARD_IMAGES = 256
"""Images per shard. A killed run loses at most this many: a few seconds to minutes of work."""

AUTO_BATCH = {"cpu": 32, "cuda": 64}
"""Default batch size by device type. On two cores, one of them shared with other work, the demo run took 37 s with 32 and 47 s
with 8. 64 on CUDA is not measured yet."""


REMOTE_THREADS = 8
"""Threads per core that read and decode images of an object store, because most of them wait for it."""


@dataclass(frozen=True)
class ImageSource:
    """Images to score.

    Attributes:
        image_ids: unique identifiers, in the order of the score rows.
        paths: where each image is read.
        digests: digest of each file in the cache key; if `verified`, the SHA-256 of its bytes.
        verified: whether a file with another SHA-256 is skipped.
    """

    image_ids: tuple[str, ...]
    paths: Sequence[ImagePlace]
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


def scores_key(facts: Mapping[str, Any], source: ImageSource, selection: Selection | None = None) -> str:
    """Return the key of the store of a model's scores of some images.

    Args:
        facts: what identifies the model, from `taggers.identify`.
        selection: which scores are stored; None stores all.
    """
    return provenance.digest({**facts, "images": source.digest, **stored_cut(selection)})


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


class PlannedShard(NamedTuple):
    """A shard that this process is to score, by its number, and the jobs that lack it."""

    number: int
    jobs: Sequence[ScoringJob]


@dataclass
class _Shard:
    """Scores of one shard, collected batch by batch, for each of its jobs."""

    planned: PlannedShard
    values: list[list[np.ndarray]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.values = [[] for _ in self.planned.jobs]
        self.seconds = [0.0 for _ in self.planned.jobs]

    def add(self, batch: "_Batch") -> None:
        """Wait for the scores of a batch, and add them."""
        self.skipped |= batch.skipped
        for index, job in enumerate(self.planned.jobs if batch.images else ()):
            timed = batch.score(job.tagger)
            self.seconds[index] += timed.seconds
            self.values[index].append(timed.values)

    def store(self) -> None:
        """Write the complete shard to the store of each job."""
        for job, values, seconds in zip(self.planned.jobs, self.values, self.seconds, strict=True):
            rows = np.concatenate(values) if values else np.empty((0, len(job.tagger.tags)), np.float32)
            job.store.write(self.planned.number, rows, self.skipped, seconds=seconds, machine=job.machine)


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
    workers = usable_cores() * (REMOTE_THREADS if any(map(is_remote, source.paths[:1])) else 1)
    keep_freed_memory()
    with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        prepared = _ahead(pool, tasks(), lead=2 * size + workers)
        for step in _in_flight(_begun_batches(prepared, begun, sizes, size), _batches_ahead(jobs)):
            step.shard.add(step.batch)
            advance(step.images)
            if step.last:
                step.shard.store()
                finished(step.shard.planned.number)


class _Step(NamedTuple):
    """A batch whose networks have been started, its shard, its number of images, and whether it is the shard's last."""

    shard: _Shard
    batch: "_Batch"
    images: int
    last: bool


def _begun_batches(
    prepared: Iterator[_Prepared], planned: deque[PlannedShard], sizes: Sequence[int], size: int
) -> Iterator[_Step]:
    """Yield every batch of every shard, with its networks started.

    Args:
        prepared: the images of all shards.
        planned: the shards of these images, filled as their decoding begins.
        sizes: number of images of each shard of the source.
        size: images per batch.
    """
    for first in prepared:
        shard = _Shard(planned.popleft())
        left = sizes[shard.planned.number]
        images = chain([first], islice(prepared, left - 1))
        while batch := list(islice(images, size)):
            left -= len(batch)
            yield _Step(shard, _Batch(batch, [job.tagger for job in shard.planned.jobs]), len(batch), not left)


def _batches_ahead(jobs: Sequence[ScoringJob]) -> int:
    """Return the number of batches that are started before the scores of an earlier one are read: 1 on CUDA, else 0."""
    return int(any(one.device.startswith("cuda") for job in jobs for one in members_of(job.tagger)))


def _in_flight(steps: Iterator[_Step], ahead: int) -> Iterator[_Step]:
    """Yield the steps in order; `ahead` further ones are started before each."""
    waiting: deque[_Step] = deque()
    for step in steps:
        waiting.append(step)
        if len(waiting) > ahead:
            yield waiting.popleft()
    yield from waiting


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
        batch = _Batch([_Prepared("image", _squares(content, preprocesses), "")], taggers)
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


class _Batch:
    """One batch of images. Each square is stacked once and each network runs once, also if an ensemble shares it.

    Args:
        images: readable images, and skipped ones.
        taggers: their networks are started at once.
    """

    def __init__(self, images: Sequence[_Prepared], taggers: Sequence[Tagger]) -> None:
        self.images = [image for image in images if not image.reason]
        self.skipped = {image.image_id: image.reason for image in images if image.reason}
        self.pixels: dict[Preprocess, Pixels] = {}
        self.done: dict[int, TimedScores] = {}
        self.begun: dict[int, Callable[[], TimedScores]] = {}
        for one in (member for tagger in taggers for member in members_of(tagger)) if self.images else ():
            if id(one) not in self.begun and not isinstance(one, Precomputed):
                self.begun[id(one)] = begin_batch(one, self._stack(one))

    def score(self, tagger: Tagger) -> TimedScores:
        """Return a tagger's checked scores; an ensemble's time is the sum of its members', including shared members."""
        if id(tagger) not in self.done:
            found = self._compute(tagger)
            values = check_scores(tagger.card.name, found.values, images=len(self.images), tags=len(tagger.tags))
            self.done[id(tagger)] = found._replace(values=values)
        return self.done[id(tagger)]

    def _compute(self, tagger: Tagger) -> TimedScores:
        if isinstance(tagger, Precomputed):
            return TimedScores(tagger.look_up([image.image_id for image in self.images]), 0.0)
        if isinstance(tagger, Ensemble):
            parts = [self.score(member) for member in tagger.members]
            return TimedScores(tagger.mean([part.values for part in parts]), sum(part.seconds for part in parts))
        return self.begun.pop(id(tagger))()

    def _stack(self, tagger: Tagger) -> Pixels:
        if tagger.preprocess not in self.pixels:
            squares = [image.squares[tagger.preprocess] for image in self.images]
            room = batch_buffer(tagger, (len(squares), *squares[0].shape))
            self.pixels[tagger.preprocess] = np.stack(squares, out=room)
        return self.pixels[tagger.preprocess]


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
