"""Index files of training images for tests, and the module that reads them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from arena.errors import ArenaError
from arena.heldout.contamination import OWN_ALGORITHMS

try:
    from arena.heldout import index as index_module
except ImportError:  # until the reader of index files is there: the least of it, told by its name in sys.modules
    index_module = None  # type: ignore[assignment]


class Made(NamedTuple):
    """By which algorithm a column was made."""

    name: str
    version: int = 1
    bits: int = 64
    bit_order: str = "row-major, most significant first"
    signed: bool = False
    verified: bool = True


@dataclass(frozen=True)
class HashIndex:
    image_ids: tuple[str, ...]
    hashes: Mapping[str, np.ndarray]
    algorithms: Mapping[str, Any]
    digests: Mapping[str, tuple[str, ...]]


def make_index(
    count: int,
    *,
    digests: Mapping[str, Sequence[str]] | None = None,
    algorithms: Mapping[str, str] | None = None,
    **hashes: Sequence[int],
) -> Any:
    """An index in memory."""
    names = OWN_ALGORITHMS | dict(algorithms or {})
    kind = HashIndex if index_module is None else index_module.HashIndex
    return kind(
        tuple(f"train-{number}" for number in range(count)),
        {column: np.array(values, np.uint64) for column, values in hashes.items()},
        {column: Made(names[column]) for column in hashes},
        {column: tuple(values) for column, values in (digests or {}).items()},
    )


def write_index(path: Path, index: Any) -> Path:
    """An index file."""
    if index_module is not None:
        index_module.write_index(path, index)
        return path
    table = pd.DataFrame({"image_id": index.image_ids, **index.hashes, **index.digests})
    table.attrs = {column: one.name for column, one in index.algorithms.items()}
    table.to_parquet(path)
    return path


@pytest.fixture
def index_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Index files can be read."""
    if index_module is not None:
        return
    stand_in = ModuleType("arena.heldout.index")
    stand_in.read_index = _read_index  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "arena.heldout.index", stand_in)


def _read_index(path: Path) -> HashIndex:
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise ArenaError(f"{path}: no readable index ({str(error).splitlines()[0]})") from None
    digests = {name: tuple(table[name]) for name in ("sha256", "pixel_sha256") if name in table}
    hashes = {name: table[name].to_numpy(np.uint64) for name in table.columns.drop(["image_id", *digests])}
    algorithms = {name: Made(table.attrs[name]) for name in hashes}
    return HashIndex(tuple(table["image_id"]), hashes, algorithms, digests)
