"""A sharded store of one model's scores: written shard by shard, each whole or not there at all.

A folder holds `store.json` (what the scores are of), and for every finished shard `NNNNN.npy` (float32, images x tags) and
`NNNNN.json` (which images its rows are, and which could not be scored and why). The JSON is written last; without it a
shard does not count. Re-scoring needs nothing but this folder.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena.errors import ScoresError
from arena.tags import TagSpace

STORE_SCHEMA = 1
"""Version of this layout; another one is computed again."""


@dataclass(frozen=True)
class Scores:
    """Scores with their axes.

    Attributes:
        image_ids: what the rows are.
        tags: what the columns are.
        values: probabilities, float32 (images, tags).
        skipped: image_id -> why it has no scores; such images have no row.
        seconds: how long the network took for all of them, 0 where unknown.
    """

    image_ids: tuple[str, ...]
    tags: TagSpace
    values: NDArray[np.float32]
    skipped: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0


class ScoreStore:
    """One model's scores in a folder.

    Args:
        folder: created by `prepare`.
        key: everything that the scores depend on; `prepare` throws away a store of another key.
        shards: the image ids of each shard.
    """

    def __init__(self, folder: Path, *, key: str, shards: list[tuple[str, ...]]) -> None:
        self.folder = folder
        self.key = key
        self.shards = shards

    def prepare(self, tags: TagSpace, facts: Mapping[str, Any]) -> bool:
        """Make the folder ready for shards of this key.

        Args:
            tags: the columns to come.
            facts: provenance, kept beside the scores.

        Returns: whether shards of another key lay there and were removed.
        """
        header = _read_header(self.folder)
        stale = header is not None and header.get("key") != self.key
        if stale:
            shutil.rmtree(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        if stale or header is None:
            columns = {"names": tags.names, "categories": tags.categories, "counts": tags.counts}
            content = {"schema": STORE_SCHEMA, "key": self.key, "facts": dict(facts), "shards": len(self.shards)}
            _write_text(self.folder / "store.json", json.dumps({**content, "tags": columns}, ensure_ascii=False))
        return stale

    def missing(self) -> list[int]:
        """Numbers of the shards that are not finished."""
        header = _read_header(self.folder)
        if header is None or header.get("key") != self.key:
            return list(range(len(self.shards)))
        return [number for number in range(len(self.shards)) if not self._path(number, "json").exists()]

    def write(
        self, number: int, values: NDArray[np.float32], skipped: Mapping[str, str], *, seconds: float = 0.0
    ) -> None:
        """Write one shard: rows for its images in order, without those that were skipped.

        Args:
            seconds: how long the network took for it; kept, so that a continued run still knows its rate.
        """
        scored = [image_id for image_id in self.shards[number] if image_id not in skipped]
        assert len(values) == len(scored), "a row an image"
        temporary = self._path(number, "npy.part")
        with temporary.open("wb") as file:
            np.save(file, values.astype(np.float32, copy=False))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path(number, "npy"))
        rows = {"image_ids": scored, "skipped": dict(skipped), "seconds": seconds}
        _write_text(self._path(number, "json"), json.dumps(rows))

    def _path(self, number: int, suffix: str) -> Path:
        return self.folder / f"{number:05d}.{suffix}"


def read_store(folder: Path) -> Scores:
    """Read a finished store.

    Raises:
        ScoresError: no store, an unfinished one, or a damaged shard.
    """
    header = _read_header(folder)
    if not header:
        raise ScoresError(f"{folder}: no scores in it; make some with arena run or arena predict")
    listed = header["tags"]
    tags = TagSpace(*(None if column is None else tuple(column) for column in listed.values()))  # type: ignore[arg-type]
    parts: list[NDArray[np.float32]] = []
    image_ids: list[str] = []
    skipped: dict[str, str] = {}
    seconds = 0.0
    for number in range(header["shards"]):
        rows, values = _read_shard(folder, number)
        parts.append(values)
        image_ids += rows["image_ids"]
        skipped |= rows["skipped"]
        seconds += rows["seconds"]
    values = np.concatenate(parts) if parts else np.empty((0, len(tags)), np.float32)
    return Scores(tuple(image_ids), tags, values, skipped, seconds)


def read_facts(folder: Path) -> dict[str, Any]:
    """The provenance that was kept with a store; empty where there is none."""
    header = _read_header(folder)
    return dict(header["facts"]) if header else {}


def _read_shard(folder: Path, number: int) -> tuple[dict[str, Any], NDArray[np.float32]]:
    path = folder / f"{number:05d}.npy"
    try:
        rows: dict[str, Any] = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        values = np.load(path)
    except (OSError, ValueError, EOFError) as error:
        raise ScoresError(
            f"{path}: unfinished or damaged ({error}); delete its .json and run the same command again"
        ) from None
    if len(values) != len(rows["image_ids"]):
        raise ScoresError(
            f"{path}: {len(values)} rows for {len(rows['image_ids'])} images; delete its .json and run again"
        )
    return rows, values


def _read_header(folder: Path) -> dict[str, Any] | None:
    try:
        header: dict[str, Any] = json.loads((folder / "store.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    return header if header.get("schema") == STORE_SCHEMA else {}


def _write_text(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".part")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
