"""A sharded store of one model's scores; each shard is written completely or not at all.

A folder holds `store.json` (model, dataset and tags), and for every finished shard `NNNNN.npy` (float32, images x tags) and
`NNNNN.json` (the images of its rows, and the images that could not be scored, with reasons). The JSON is written last; a shard
without it is unfinished. Re-scoring needs only this folder.
"""

import json
import math
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.base.errors import ScoresError
from arena.base.files import is_temporary, open_whole, remove_temporary, write_whole
from arena.scores.matrix import Matrix, StoredMatrix, stored_npy
from arena.tags import TagSpace
from arena.tags.spelling import spell_names

STORE_SCHEMA = 1
"""Version of this layout; a store of another version is computed again."""

ROUNDING = 1e-6
"""Largest distance from [0, 1] of a score that is clipped: a mean or a softmax in float32 may round to 1.0000001."""

STORE_FILES = re.compile(r"store\.json|\d{5}\.(npy|json)")
"""Names of the files of a store."""


class MachineTime(NamedTuple):
    """Number of images that one machine scored, and the time of its network."""

    images: int
    seconds: float


@dataclass(frozen=True)
class Scores:
    """Scores with their axes.

    Attributes:
        image_ids: image of each row.
        tags: tag of each column.
        values: probabilities, floating point (images, tags), in memory or on disk.
        skipped: image_id -> reason for missing scores; such images have no row.
        seconds: time of the network for all images; 0 if unknown.
        timed: time of the network by machine.
        respelled: one line on tag names that were respelled; empty if none was.
        clipped: number of scores that were outside [0, 1] by at most `ROUNDING`; `values` has them clipped.
    """

    image_ids: tuple[str, ...]
    tags: TagSpace
    values: Matrix
    skipped: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    timed: Mapping[str, MachineTime] = field(default_factory=dict)
    respelled: str = ""
    clipped: int = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user on what the reader changed in the scores, one line each."""
        found = [self.respelled] if self.respelled else []
        if self.clipped:
            scores = "1 score was" if self.clipped == 1 else f"{self.clipped:,} scores were"
            found.append(f"{scores} outside [0, 1] by at most {ROUNDING:g}, which is rounding, and clipped")
        return tuple(found)

    @classmethod
    def of(cls, image_ids: Sequence[str], tags: TagSpace, values: NDArray[Any]) -> "Scores":
        """Make scores from a matrix in memory."""
        return cls(tuple(image_ids), tags, Matrix.of(values))


class ScoreStore:
    """One model's scores in a folder.

    Args:
        folder: created by `prepare`.
        key: digest of everything that the scores depend on; `prepare` removes a store of another key.
        shards: the image ids of each shard.
    """

    def __init__(self, folder: Path, *, key: str, shards: list[tuple[str, ...]]) -> None:
        self.folder = folder
        self.key = key
        self.shards = shards

    def prepare(self, tags: TagSpace, facts: Mapping[str, Any]) -> bool:
        """Prepare the folder for shards of this key.

        Args:
            tags: tags of the columns.
            facts: provenance, stored with the scores.

        Returns: whether a store of another key was removed.
        """
        if _read_header(self.folder).get("key") == self.key:
            remove_temporary(self.folder)
            return False
        stale = self.folder.exists() and any(self.folder.iterdir())
        if stale:
            _remove(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        columns = {"names": tags.names, "categories": tags.categories, "counts": tags.counts}
        content = {"schema": STORE_SCHEMA, "key": self.key, "facts": dict(facts), "shards": len(self.shards)}
        text = json.dumps({**content, "tags": columns}, ensure_ascii=False)
        write_whole(self.folder / "store.json", text, durable=True)
        return stale

    def missing(self) -> list[int]:
        """Return the numbers of the shards that are unfinished or damaged."""
        finished = self._finished()
        return [number for number in range(len(self.shards)) if number not in finished]

    def skipped(self) -> dict[int, list[str]]:
        """Return the images without scores, by number of the finished shard; shards without any are left out."""
        return {number: list(shard.skipped) for number, shard in self._finished().items() if shard.skipped}

    def forget(self, number: int) -> None:
        """Make a finished shard count as missing."""
        self._path(number, "json").unlink()

    def write(
        self,
        number: int,
        values: NDArray[np.float32],
        skipped: Mapping[str, str],
        *,
        seconds: float = 0.0,
        machine: str = "",
    ) -> None:
        """Write one shard: one row for each of its images, in order, without the skipped ones.

        Args:
            seconds: time of the network for this shard; stored, so that a continued run can report its throughput.
            machine: machine of the network; a run may continue on another machine.
        """
        scored = [image_id for image_id in self.shards[number] if image_id not in skipped]
        assert len(values) == len(scored), "one row per image"
        with open_whole(self._path(number, "npy"), durable=True) as file:
            np.save(file, values.astype(np.float32, copy=False))
        rows = {"image_ids": scored, "skipped": dict(skipped), "seconds": seconds, "machine": machine}
        write_whole(self._path(number, "json"), json.dumps(rows), durable=True)

    def _finished(self) -> "dict[int, _Shard]":
        """Return the complete shards by number; their values stay on disk."""
        header = _read_header(self.folder)
        if header.get("key") != self.key:
            return {}
        columns, found = len(header["tags"]["names"]), {}
        for number in range(len(self.shards)):
            try:
                found[number] = _read_shard(self.folder, number, columns)
            except ScoresError:
                continue
        return found

    def _path(self, number: int, suffix: str) -> Path:
        return self.folder / f"{number:05d}.{suffix}"


def read_store(folder: Path) -> Scores:
    """Read a finished store.

    Raises:
        ScoresError: no store, an unfinished store, a damaged shard, or a score outside [0, 1].
    """
    header = _read_header(folder)
    if not header:
        raise ScoresError(f"{folder}: no scores in it; make some with arena run or arena predict")
    listed = header["tags"]
    names, note = spell_names(folder, listed["names"])
    tags = TagSpace(names, *(None if listed[key] is None else tuple(listed[key]) for key in ("categories", "counts")))
    shards = [_read_shard(folder, number, len(tags)) for number in range(header["shards"])]
    image_ids = tuple(image_id for shard in shards for image_id in shard.image_ids)
    values = Matrix([shard.values for shard in shards])
    values, clipped = check_values(folder, values, image_ids, tags.names)
    skipped = {image_id: reason for shard in shards for image_id, reason in shard.skipped.items()}
    timed = _sum_by_machine((shard.machine, len(shard.image_ids), shard.seconds) for shard in shards)
    seconds = sum(shard.seconds for shard in shards)
    return Scores(image_ids, tags, values, skipped, seconds, timed, note, clipped)


def read_store_facts(folder: Path) -> dict[str, Any]:
    """Return the provenance stored with the scores; empty if there is none."""
    return dict(_read_header(folder).get("facts", {}))


class CheckedValues(NamedTuple):
    """Scores in [0, 1], and the number of those that were clipped."""

    values: Matrix
    clipped: int


def check_values(where: object, values: Matrix, image_ids: Sequence[str], tags: Sequence[str]) -> CheckedValues:
    """Return the values, all in [0, 1], and the number of clipped ones; a value outside by at most `ROUNDING` is clipped.

    Args:
        where: file or folder, for the error.
        values: (images, tags), in the order of `image_ids` and `tags`.

    Raises:
        ScoresError: a value is NaN or further outside [0, 1]; the message names the first.
    """
    clipped = 0
    for start, block in values.tiles():
        if not block.size or (block.min() >= 0 and block.max() <= 1):  # NaN fails both comparisons
            continue
        wrong = np.argwhere(~((block >= -ROUNDING) & (block <= 1 + ROUNDING)))
        if len(wrong):
            row, column = wrong[0]
            value = block[row, column]
            hint = "is the network's output damaged?" if np.isnan(value) else "does this model need a sigmoid?"
            raise ScoresError(
                f"{where}: score {value!s} of image {image_ids[start + row]!r}, tag {tags[column]!r}; "
                f"scores must lie in [0, 1]: {hint}"
            )
        clipped += int(((block < 0) | (block > 1)).sum())
    return CheckedValues(values.clipped() if clipped else values, clipped)


def _sum_by_machine(shards: Iterable[tuple[str, int, float]]) -> dict[str, MachineTime]:
    """Sum images and seconds of shards (machine, images, seconds) by machine; shards without a time are left out.

    >>> _sum_by_machine([("a", 8, 2.0), ("b", 4, 1.0), ("a", 8, 1.0), ("a", 8, 0.0)])
    {'a': MachineTime(images=16, seconds=3.0), 'b': MachineTime(images=4, seconds=1.0)}
    """
    found: dict[str, MachineTime] = {}
    for machine, images, seconds in shards:
        if images and seconds:
            before = found.get(machine, MachineTime(0, 0.0))
            found[machine] = MachineTime(before.images + images, before.seconds + seconds)
    return found


def describe_throughput(timed: Mapping[str, MachineTime]) -> dict[str, float | int | str]:
    """Return the images per second of the network alone, on the machine that scored the most images; empty if no time is known.

    Other machines of a shared run are left out, because a mean over machines is the speed of none of them.

    >>> describe_throughput({"a": MachineTime(16, 3.0), "b": MachineTime(4, 1.0)})
    {'images_per_second': 5.33, 'images_timed': 16, 'timed_on': 'a'}
    """
    if not timed:
        return {}
    machine = max(timed, key=lambda name: timed[name].images)
    images, seconds = timed[machine]
    facts: dict[str, float | int | str] = {"images_per_second": round(images / seconds, 2), "images_timed": images}
    return facts | ({"timed_on": machine} if machine else {})


class _Shard(NamedTuple):
    """One finished shard."""

    image_ids: list[str]
    skipped: dict[str, str]
    seconds: float
    values: StoredMatrix
    machine: str


def _read_shard(folder: Path, number: int, columns: int) -> _Shard:
    path = folder / f"{number:05d}.npy"
    try:
        rows = json.loads(path.with_suffix(".json").read_text(encoding="utf-8-sig"))
        stored = stored_npy(path)
        if stored is None or path.stat().st_size < stored.offset + stored.dtype.itemsize * math.prod(stored.shape):
            raise ValueError("truncated, or not a matrix")
        shard = _Shard(rows["image_ids"], rows["skipped"], rows["seconds"], stored, rows.get("machine", ""))
        if shard.values.shape == (len(shard.image_ids), columns) and shard.values.dtype.kind == "f":
            return shard
        reason = f"{shard.values.dtype} {shard.values.shape} for {len(shard.image_ids)} images and {columns} tags"
    except (OSError, ValueError, EOFError, KeyError, TypeError) as error:
        reason = str(error)
    raise ScoresError(f"{path}: unfinished or damaged ({reason}); run the command that made it again")


def _read_header(folder: Path) -> dict[str, Any]:
    """Return the content of `store.json`; empty if there is none of this schema."""
    try:
        header = json.loads((folder / "store.json").read_text(encoding="utf-8-sig"))
    except (FileNotFoundError, ValueError):
        return {}
    return header if isinstance(header, dict) and header.get("schema") == STORE_SCHEMA else {}


def _remove(folder: Path) -> None:
    """Remove a store. It is renamed first, so that an interruption leaves no partial store under its name."""
    names = [path.name for path in folder.iterdir()]
    if foreign := [name for name in names if not (STORE_FILES.fullmatch(name) or is_temporary(name))]:
        raise ScoresError(
            f"{folder}: holds {foreign[0]}, which is not a file of a score store; name another folder with --output"
        )
    removed = folder.with_name(folder.name + ".old")
    shutil.rmtree(removed, ignore_errors=True)
    folder.rename(removed)
    shutil.rmtree(removed)
