"""The files of one finished shard of a score store: its values, its images, and their digests."""

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, NamedTuple

from arena.base import provenance
from arena.base.errors import ScoresError
from arena.base.files import digest_known
from arena.base.provenance import DIGEST, is_sealed
from arena.base.reading import read_json
from arena.base.schema import NUMBER, TEXT, Schema, list_of, table_of
from arena.scores.high_scores import HighScores, stored_high_scores
from arena.scores.matrix import StoredMatrix, stored_npy

SHARD_RECORD = re.compile(r"\d{5,}\.json")
"""Name of the file that is written last of a shard."""

MAKE_AGAIN = "run the command that made it again"
"""What a user can do about damaged or missing scores."""

_SHARD = Schema(
    table_of(
        {"image_ids": list_of("string"), "skipped": table_of(others=TEXT), "seconds": NUMBER},
        {"machine": TEXT, "values": TEXT},
    )
)


class Shard(NamedTuple):
    """One finished shard."""

    image_ids: list[str]
    skipped: dict[str, str]
    seconds: float
    values: StoredMatrix | HighScores
    machine: str


class Binding(NamedTuple):
    """What a shard must agree with: number of tags, and digest of key and tags; `required` is false in an older store."""

    columns: int
    digest: str
    required: bool

    @classmethod
    def of(cls, header: Mapping[str, Any]) -> "Binding":
        """Return the binding of a store by the content of its `store.json`."""
        digest = provenance.digest({"key": header["key"], "tags": header["tags"]})
        return cls(len(header["tags"]["names"]), digest, DIGEST in header)


def digest_ahead(folder: Path, shards: int) -> None:
    """Compute the digests of all shards in threads; `digest_known` keeps them, so that each file is read once."""
    paths = [folder / f"{number:05d}.npy" for number in range(shards)]
    with ThreadPoolExecutor() as pool:  # hashlib releases the interpreter lock
        wait([pool.submit(digest_known, path) for path in paths])  # a missing file is an error where the shard is read


def read_shard(folder: Path, number: int, binding: Binding) -> Shard:
    """Read a shard; its values stay on disk.

    Raises:
        ScoresError: it is unfinished, damaged, or its digest differs.
    """
    path = folder / f"{number:05d}.npy"
    if not path.with_suffix(".json").is_file():
        raise ScoresError(f"{path}: unfinished or damaged (no {path.with_suffix('.json').name}); {MAKE_AGAIN}")
    try:
        rows = read_json(path.with_suffix(".json"), _SHARD, fix=MAKE_AGAIN, error=ScoresError)
        if binding.required or DIGEST in rows:
            _refuse_changed(path, rows, binding)
        stored: StoredMatrix | HighScores | None = stored_npy(path)
        if stored is None:
            stored = stored_high_scores(path, (len(rows["image_ids"]), binding.columns))
        if stored is None or (isinstance(stored, StoredMatrix) and path.stat().st_size < stored.end):
            raise ValueError("truncated, or not a matrix")
        shard = Shard(rows["image_ids"], rows["skipped"], rows["seconds"], stored, rows.get("machine", ""))
        if shard.values.shape == (len(shard.image_ids), binding.columns) and shard.values.dtype.kind == "f":
            return shard
        reason = (
            f"{shard.values.dtype} {shard.values.shape} for {len(shard.image_ids)} images and {binding.columns} tags"
        )
    except (OSError, ValueError, EOFError, KeyError, TypeError, AttributeError) as error:
        reason = str(error)
    raise ScoresError(f"{path}: unfinished or damaged ({reason}); {MAKE_AGAIN}")


def _refuse_changed(path: Path, rows: Mapping[str, Any], binding: Binding) -> None:
    """Raise ValueError if a shard or its JSON differs from its digest."""
    name = path.with_suffix(".json").name
    if not is_sealed(rows, {"store": binding.digest}):
        raise ValueError(f"{name} differs from its digest")
    if digest_known(path) != rows["values"]:
        raise ValueError(f"its digest differs from the one in {name}")
