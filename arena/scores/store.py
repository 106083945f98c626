"""A sharded store of one model's scores; each shard is written completely or not at all.

A folder holds `store.json` (model, dataset and tags), and for every finished shard `NNNNN.npy` (float32, images x tags; or only
the high scores, see `high_scores`) and `NNNNN.json` (the images of its rows, and the images that could not be scored, with
reasons). The JSON is written last; a shard without it is unfinished. Re-scoring needs only this folder.

Every JSON holds its own digest. That of a shard also covers the `.npy` file, the key of the store and the tags.
"""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.base.errors import ScoresError
from arena.base.files import digest_bytes, is_temporary, write_whole
from arena.base.locks import lock_output
from arena.base.provenance import DIGEST, is_sealed, seal
from arena.base.reading import read_json
from arena.base.schema import COUNT, TABLE, TEXT, Schema, list_of, optional, table_of
from arena.scores.cut import Cut, cut_note
from arena.scores.high_scores import pack_scores, selection_of
from arena.scores.matrix import Matrix
from arena.scores.shards import MAKE_AGAIN, SHARD_RECORD, Binding, Shard, digest_ahead, read_shard
from arena.scores.throughput import MachineTime, sum_by_machine
from arena.tags import TagSpace
from arena.tags.spelling import spell_names

STORE_SCHEMA = 1
"""Version of this layout; a store of another version is computed again."""

ROUNDING = 1e-6
"""Largest distance from [0, 1] of a score that is clipped: a mean or a softmax in float32 may round to 1.0000001."""

_HEADER = Schema(
    table_of({
        "key": TEXT, "facts": TABLE, "shards": COUNT,
        "tags": table_of({
            "names": list_of("string"), "categories": optional(list_of("string")), "counts": optional(list_of("integer")),
        }),
    })
)  # fmt: skip

_HEADER_KEYS = frozenset(("schema", "key", "facts", "shards", "tags"))
"""Keys of `store.json` without a digest, as earlier versions wrote it."""

STORE_FILES = re.compile(r"store\.json|\d{5,}\.(npy|json)")
"""Names of the files of a store."""


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
        checked: whether digests or checksums in the file confirm the scores; false for a store of an earlier version.
        cut: which scores the file holds; None if it holds all.
    """

    image_ids: tuple[str, ...]
    tags: TagSpace
    values: Matrix
    skipped: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    timed: Mapping[str, MachineTime] = field(default_factory=dict)
    respelled: str = ""
    clipped: int = 0
    checked: bool = True
    cut: Cut | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user on what the reader changed in the scores, one line each."""
        found = [self.respelled] if self.respelled else []
        if self.clipped:
            scores = "1 score was" if self.clipped == 1 else f"{self.clipped:,} scores were"
            found.append(f"{scores} outside [0, 1] by at most {ROUNDING:g}, which is rounding, and clipped")
        if not self.checked:
            found.append(
                "an earlier version stored the scores without digests, so a later change of them is not noticed"
            )
        if self.cut is not None:
            found.append(cut_note(self.cut))
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
        with lock_output(
            self.folder, "run", waiting=lambda holder: None
        ):  # processes that share a run prepare it at once
            if self._header().get("key") == self.key:
                return False
            stale = self.folder.exists() and any(self.folder.iterdir())
            if stale:
                _remove(self.folder)
            self.folder.mkdir(parents=True, exist_ok=True)
            columns = {"names": tags.names, "categories": tags.categories, "counts": tags.counts}
            content = {"schema": STORE_SCHEMA, "key": self.key, "facts": dict(facts), "shards": len(self.shards)}
            text = json.dumps(seal({**content, "tags": columns}), ensure_ascii=False)
            write_whole(self.folder / "store.json", text, durable=True)
            return stale

    def read(self) -> Scores:
        """Read the scores, see `read_store`.

        Raises:
            ScoresError: also if another command has replaced the store.
        """
        return read_store(self.folder, key=self.key)

    def refuse_other_key(self) -> None:
        """Raise ScoresError if another command has replaced the store by one of another key."""
        _refuse_other_key(self.folder, self._header(), self.key)

    def missing(self) -> list[int]:
        """Return the numbers of the shards that are unfinished or damaged."""
        finished = self._finished()
        return [number for number in range(len(self.shards)) if number not in finished]

    def is_finished(self, number: int) -> bool:
        """Return whether a shard is complete and undamaged."""
        header = self._header()
        if header.get("key") != self.key:
            return False
        try:
            read_shard(self.folder, number, Binding.of(header))
        except ScoresError:
            return False
        return True

    def present(self) -> set[int]:
        """Return the numbers of the shards that some process has completed; unlike `missing`, without reading them."""
        names = (path.name for path in self.folder.glob("*.json"))
        return {int(name.partition(".")[0]) for name in names if SHARD_RECORD.fullmatch(name)}

    def damaged(self) -> list[str]:
        """Return one line for each shard that was completed, but was changed or damaged since."""
        header, found = self._header(), []
        for number in self.missing() if header.get("key") == self.key else ():
            if self._path(number, "json").exists() and self._path(number, "npy").exists():
                try:
                    read_shard(self.folder, number, Binding.of(header))
                except ScoresError as error:
                    found.append(str(error))
        return found

    def skipped(self) -> dict[int, list[str]]:
        """Return the images without scores, by number of the finished shard; shards without any are left out."""
        return {number: list(shard.skipped) for number, shard in self._finished().items() if shard.skipped}

    def forget(self, number: int) -> None:
        """Make a finished shard count as missing."""
        self._path(number, "json").unlink(missing_ok=True)

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

        Raises:
            ScoresError: another command has replaced the store by one of another key.
        """
        header = self._header()
        _refuse_other_key(self.folder, header, self.key)
        scored = [image_id for image_id in self.shards[number] if image_id not in skipped]
        assert len(values) == len(scored), "one row per image"
        content = BytesIO()
        values, selection = values.astype(np.float32, copy=False), selection_of(header["facts"])
        np.save(content, values if selection is None else pack_scores(values, selection))
        write_whole(self._path(number, "npy"), content.getbuffer(), durable=True)
        rows = {"image_ids": scored, "skipped": dict(skipped), "seconds": seconds, "machine": machine}
        rows["values"] = digest_bytes(content.getbuffer())
        text = json.dumps(seal(rows, {"store": Binding.of(header).digest}))
        write_whole(self._path(number, "json"), text, durable=True)

    def _finished(self) -> "dict[int, Shard]":
        """Return the complete shards by number; their values stay on disk."""
        header = self._header()
        if header.get("key") != self.key:
            return {}
        binding, found = Binding.of(header), {}
        digest_ahead(self.folder, len(self.shards))
        for number in range(len(self.shards)):
            try:
                found[number] = read_shard(self.folder, number, binding)
            except ScoresError:
                continue
        return found

    def _header(self) -> dict[str, Any]:
        """Return the content of `store.json`; empty if it is missing or damaged, because the scores are then made again."""
        try:
            return _read_header(self.folder)
        except ScoresError:
            return {}

    def _path(self, number: int, suffix: str) -> Path:
        return self.folder / f"{number:05d}.{suffix}"


def read_store(folder: Path, *, key: str | None = None) -> Scores:
    """Read a finished store; every shard is compared with its digest.

    Args:
        key: the key that the store must have; None accepts any.

    Raises:
        ScoresError: no store, an unfinished store, a damaged or changed shard, a score outside [0, 1], or another key.
    """
    header = _read_header(folder)
    if not header:
        raise ScoresError(f"{folder}: no scores in it; make some with arena run or arena predict")
    _refuse_other_key(folder, header, key)
    listed = header["tags"]
    names, note = spell_names(folder, listed["names"])
    tags = TagSpace(names, *(None if listed[key] is None else tuple(listed[key]) for key in ("categories", "counts")))
    digest_ahead(folder, header["shards"])
    shards = [read_shard(folder, number, Binding.of(header)) for number in range(header["shards"])]
    image_ids = tuple(image_id for shard in shards for image_id in shard.image_ids)
    values = Matrix([shard.values for shard in shards])
    values, clipped = check_values(folder, values, image_ids, tags.names)
    skipped = {image_id: reason for shard in shards for image_id, reason in shard.skipped.items()}
    timed = sum_by_machine((shard.machine, len(shard.image_ids), shard.seconds) for shard in shards)
    seconds = sum(shard.seconds for shard in shards)
    return Scores(image_ids, tags, values, skipped, seconds, timed, note, clipped, DIGEST in header)


def read_store_facts(folder: Path, *, key: str | None = None) -> dict[str, Any]:
    """Return the provenance stored with the scores; empty if there is none.

    Raises:
        ScoresError: `store.json` is damaged, or the store has another key than `key`.
    """
    header = _read_header(folder)
    _refuse_other_key(folder, header, key)
    return dict(header.get("facts", {}))


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


def _read_header(folder: Path) -> dict[str, Any]:
    """Return the content of `store.json`; empty if there is none of this schema.

    Raises:
        ScoresError: it is damaged.
    """
    path = folder / "store.json"
    if not path.is_file():
        return {}
    header = read_json(path, fix=MAKE_AGAIN, error=ScoresError)
    if not isinstance(header, dict) or header.get("schema") != STORE_SCHEMA:
        return {}
    _HEADER.check(header, path, fix=MAKE_AGAIN, error=ScoresError)
    if not (is_sealed(header) if DIGEST in header else header.keys() == _HEADER_KEYS):
        raise ScoresError(f"{path}: damaged (it differs from its digest); {MAKE_AGAIN}")
    return header


def _refuse_other_key(folder: Path, header: Mapping[str, Any], key: str | None) -> None:
    """Raise ScoresError if a store has another key than `key`; None accepts any."""
    found = header.get("key", "")
    if key is not None and found != key:
        what = f"it has the key {found[:8]}" if found else "its store.json is missing or damaged"
        raise ScoresError(
            f"{folder}: no scores of these weights, images and settings ({what}, expected {key[:8]}), so another command "
            "may have written to it; run again with another --output"
        )


def _remove(folder: Path) -> None:
    """Remove a store. It is renamed first, so that an interruption leaves no partial store under its name."""
    names = [path.name for path in folder.iterdir()]
    if foreign := [name for name in names if not (STORE_FILES.fullmatch(name) or is_temporary(name))]:
        raise ScoresError(
            f"{folder}: holds {foreign[0]}, which is not a file of a score store; name another folder with --output"
        )
    removed = folder.with_name(folder.name + ".old")
    shutil.rmtree(removed, ignore_errors=True)
    try:
        folder.rename(removed)
    except OSError as error:
        raise ScoresError(f"{folder}: another command is replacing it ({error.strerror}); run again later") from None
    shutil.rmtree(removed, ignore_errors=True)
