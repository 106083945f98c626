"""Pairs that other tools call duplicates on the same files."""

import importlib.metadata
from typing import NamedTuple

import numpy as np

from arena.dataset.copies.pairs import Signatures
from arena.dataset.frozen import HeldOut
from arena.dataset.hamming.duplicates import Pairs, pairs_within

Ends = tuple[int, int]

IMAGEDEDUP_BITS = 10
"""imagededup's default of `max_distance_threshold`."""


class Peer(NamedTuple):
    """Another tool, and the pairs of rows that it calls duplicates, `left < right`."""

    name: str
    version: str
    pairs: set[Ends]


def peers(heldout: HeldOut, signatures: Signatures, *, radius: int) -> list[Peer]:
    """Return the results of every peer that is installed."""
    hashes = signatures.hashes["as is"].phash
    return [
        Peer("imagehash equality", version("imagehash"), ends(pairs_within(hashes, radius=0))),
        imagededup(heldout, hashes),
        *faiss(hashes, radius=radius),
    ]


def imagededup(heldout: HeldOut, hashes: np.ndarray) -> Peer:
    """Return the pairs of imagededup's PHash; if it is not installed, those of its rule on imagehash's hashes."""
    try:
        from imagededup.methods import PHash
    except ImportError:
        return Peer("imagededup's rule", "not installed; 10 bits of imagehash's", ends(pairs_within(hashes, radius=10)))
    hasher = PHash(verbose=False)
    own = np.array([int(hasher.encode_image(image_file=str(path)), 16) for path in heldout.paths], np.uint64)
    return Peer("imagededup PHash", version("imagededup"), ends(pairs_within(own, radius=IMAGEDEDUP_BITS)))


def faiss(hashes: np.ndarray, *, radius: int) -> list[Peer]:
    """Return the pairs of faiss's exact binary search on imagehash's hashes; its range excludes the radius itself."""
    try:
        from faiss import IndexBinaryFlat
    except ImportError:
        return []
    packed = np.ascontiguousarray(hashes).view(np.uint8).reshape(-1, 8)
    index = IndexBinaryFlat(64)
    index.add(packed)
    limits, _, labels = index.range_search(packed, radius + 1)
    left = np.repeat(np.arange(len(hashes)), np.diff(limits.astype(np.int64)))
    pairs = zip(left.tolist(), labels.tolist(), strict=True)
    return [Peer(f"faiss, {radius} bits", version("faiss-cpu"), {pair for pair in pairs if pair[0] < pair[1]})]


def ends(pairs: Pairs) -> set[Ends]:
    return set(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True))


def version(package: str) -> str:
    return f"{package} {importlib.metadata.version(package)}"
