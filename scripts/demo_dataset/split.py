"""Split the drawings into training and held-out parts by whole clusters of near duplicates."""

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from arena.dataset.hamming.duplicates import Hashes, Pairs, clusters, pairs_between, pairs_within

PHASH_RADIUS = 8
DHASH_RADIUS = 4
"""Two drawings are near duplicates if either hash differs by at most this many bits."""

HELD_OUT_SHARE = 0.4
"""Share of the clusters that are held out; some of their images are dropped later."""

LARGEST_HELD_OUT_CLUSTER = 24
"""A larger cluster goes to training as a whole, because in the held-out part one drawing would count too often."""


def cluster_labels(pool: pd.DataFrame) -> NDArray[np.int64]:
    """Return the cluster of each row by single linkage: chains of near duplicates stay together; int64 (n,)."""
    near = [
        pairs_within(_hashes(pool, prefix + kind), radius=radius)
        for kind, radius in (("phash", PHASH_RADIUS), ("dhash", DHASH_RADIUS))
        for prefix in ("", "source_")
    ]
    return clusters(len(pool), *near)


def held_out_by_cluster(pool: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which rows are held out, decided per cluster by a hash of its first `image_id`; bool (n,)."""
    first = pool.groupby("cluster")["image_id"].transform("min")
    size = pool.groupby("cluster")["image_id"].transform("size")
    chosen = first.map(unit_hash).to_numpy() < HELD_OUT_SHARE
    return np.asarray(chosen & (size.to_numpy() <= LARGEST_HELD_OUT_CLUSTER))


def held_out_at_random(image_ids: Sequence[str], count: int) -> NDArray[np.bool_]:
    """Return which rows are held out if each image is drawn alone: the `count` smallest hashes; bool (n,)."""
    order = np.argsort([unit_hash(f"random {image_id}") for image_id in image_ids])
    chosen = np.zeros(len(image_ids), dtype=bool)
    chosen[order[:count]] = True
    return chosen


def resembling(held_out: pd.DataFrame, train: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which held-out rows are near a training row when mirrored, or when both are trimmed; bool (n,)."""
    found = np.zeros(len(held_out), dtype=bool)
    for kind, radius in (("phash", PHASH_RADIUS), ("dhash", DHASH_RADIUS)):
        for left, right in (("mirrored_", "source_"), ("trimmed_", "trimmed_")):
            pairs = _pairs(held_out, train, left + kind, right + kind, radius)
            found[pairs.left] = True
    return found


def share_with_training_neighbour(held_out: pd.DataFrame, train: pd.DataFrame) -> float:
    """Return the share of held-out rows with a training row within `PHASH_RADIUS` bits, by pHash of the PNG."""
    pairs = _pairs(held_out, train, "source_phash", "source_phash", PHASH_RADIUS)
    return len(np.unique(pairs.left)) / len(held_out)


def unit_hash(text: str) -> float:
    """Return a number in [0, 1) that depends on the text only."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64


def _pairs(left: pd.DataFrame, right: pd.DataFrame, left_column: str, right_column: str, radius: int) -> Pairs:
    return pairs_between(_hashes(left, left_column), _hashes(right, right_column), radius=radius)


def _hashes(table: pd.DataFrame, column: str) -> Hashes:
    return table[column].to_numpy(dtype=np.uint64)
