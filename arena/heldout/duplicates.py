"""Exact search of near duplicates by Hamming distance, and the clusters that they form."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Hashes = NDArray[np.uint64]
"""Perceptual hashes, (n,)."""

BLOCK_PAIRS = 4_000_000
"""Pairs compared at a time: 32 MB of distances."""


class Pairs(NamedTuple):
    """Rows that lie within the radius of each other, with their Hamming distance in bits; all (k,)."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    hamming_bits: NDArray[np.int64]


def pairs_between(left: Hashes, right: Hashes, *, radius: int) -> Pairs:
    """Every pair of a left and a right hash at most `radius` bits apart, in order of left, then right.

    >>> pairs_between(np.array([0b0000], np.uint64), np.array([0b0001, 0b0111], np.uint64), radius=1)
    Pairs(left=array([0]), right=array([0]), hamming_bits=array([1]))
    """
    found: list[Pairs] = []
    step = max(1, BLOCK_PAIRS // max(1, len(right)))
    for start in range(0, len(left), step):
        distance = np.bitwise_count(left[start : start + step, None] ^ right[None, :])
        rows, columns = np.nonzero(distance <= radius)
        found.append(Pairs(rows + start, columns, distance[rows, columns].astype(np.int64)))
    empty = Pairs(*(np.empty(0, np.int64) for _ in range(3)))
    return Pairs(*(np.concatenate(parts) for parts in zip(empty, *found, strict=True)))


def pairs_within(hashes: Hashes, *, radius: int) -> Pairs:
    """Every pair of different rows of one set at most `radius` bits apart, each once with `left < right`."""
    pairs = pairs_between(hashes, hashes, radius=radius)
    once = pairs.left < pairs.right
    return Pairs(*(column[once] for column in pairs))


def clusters(count: int, *pairs: Pairs) -> NDArray[np.int64]:
    """Connected components: rows joined by any chain of pairs share a label.

    Args:
        count: number of rows.
        pairs: pairs by any criteria; they are united.

    Returns: int64 (count,), labels from 0 in order of each component's first row.

    >>> clusters(4, pairs_within(np.array([0, 255, 1, 254], np.uint64), radius=1))
    array([0, 1, 0, 1])
    """
    left = np.concatenate([p.left for p in pairs]) if pairs else np.empty(0, np.int64)
    right = np.concatenate([p.right for p in pairs]) if pairs else np.empty(0, np.int64)
    graph = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(count, count))
    labels = connected_components(graph, directed=False)[1]
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.int64)
