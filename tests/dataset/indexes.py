"""Indexes of training images for tests."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from arena.dataset.contamination import DEFAULT_ALGORITHMS
from arena.dataset.hashes.algorithms import Algorithm
from arena.dataset.hashes.index import HashIndex, write_blocks


def make_index(
    count: int,
    *,
    digests: Mapping[str, Sequence[str]] | None = None,
    algorithms: Mapping[str, str] | None = None,
    **hashes: Sequence[int],
) -> HashIndex:
    """An index in memory."""
    names = dict(DEFAULT_ALGORITHMS) | dict(algorithms or {})
    return HashIndex(
        tuple(f"train-{number}" for number in range(count)),
        {column: np.array(values, np.uint64) for column, values in hashes.items()},
        {column: Algorithm(names[column]) for column in hashes},
        {column: tuple(values) for column, values in (digests or {}).items()},
    )


def write_index(path: Path, index: HashIndex) -> Path:
    """An index file."""
    write_blocks(path, [index], algorithms=index.algorithms, digests=tuple(index.digests))
    return path
