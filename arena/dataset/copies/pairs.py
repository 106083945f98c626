"""Find pairs of duplicate pictures, their class, and how each pair was found.

Equal digests identify identical pictures. Perceptual hashes of several variants (as is, without border, slightly cropped,
mirrored) find candidates. A comparison of aligned thumbnails then decides each candidate. If one picture is known only by its
hashes, as training data mostly is, the pair stays a candidate and is reported with its distance.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from arena.dataset.copies.alignment import (
    AlignmentDifference,
    Thumbnails,
    align_and_compare,
    is_blank,
    is_transparent,
    on_grey,
)
from arena.dataset.files import default_workers, in_threads
from arena.dataset.hamming.duplicates import Pairs, pairs_between, pairs_within
from arena.dataset.hashes.index import HashIndex

PAIR_CLASSES = ("identical", "near", "alternate", "rejected", "candidate")
"""Class of a pair, most certain first: equal pixels; a copy; another version of the picture; another picture; not decided."""

INDEX_MATCH_ORDER = ("identical", "near", "alternate", "candidate", "rejected")
"""Order in which classes of pairs with an index count for an image: a possible copy comes before a rejected one."""

COPY_COLUMNS = (
    "left", "right", "source", "class", "found_by", "phash_bits", "dhash_bits", *AlignmentDifference._fields,
)  # fmt: skip
"""Columns of `duplicates.parquet`. Those of `AlignmentDifference` are empty for identical pairs and for pairs without two
pictures."""

DHASH_RADIUS = 4
"""Largest dHash distance of a candidate, in bits; the pHash radius if that is smaller."""

NEAR_CORRELATION, NEAR_LARGEST = 0.95, 20.0
"""Thresholds of a copy: least correlation, and largest difference of a tile in levels. Watermarks over half of the width reach
18, crops by 5 % mostly stay below 10; drawings of the demo that differ by an arrow, a racket or a face start at 21."""

NEAR_COLOUR = 16.0
"""Largest colour difference of a tile of a copy, in levels; resized or re-encoded copies reach 14, another hue starts at 22."""

ALTERNATE_CORRELATION, ALTERNATE_CHANGED = 0.8, 0.25
"""Thresholds of another version: least correlation, and largest share of changed tiles. Below 0.8, sparse drawings correlate
through their white background alone: a rooster and a cube reached 0.63, a cello and a cocktail 0.76."""

RECOLOURED_CORRELATION = 0.93
"""Least correlation of another version of any difference: the same drawing in other colours or another brightness."""

_PAIRS_PER_BLOCK = 32
"""Pairs compared in one block: 20 MB."""


class _Search(NamedTuple):
    """A search for candidates: hashes of one variant of the left picture against hashes of a variant of the right one."""

    name: str
    left: str
    right: str
    mirrored: bool


_SEARCHES_WITHIN = (
    _Search("", "as is", "as is", False),
    _Search("trimmed ", "trimmed", "trimmed", False),
    _Search("cropped ", "cropped", "trimmed", False),
    _Search("mirrored ", "mirrored", "as is", True),
    _Search("mirrored trimmed ", "mirrored trimmed", "trimmed", True),
)
"""Searches within a dataset; a pair that several searches find is reported with the first."""

_SEARCHES_AGAINST = (
    _Search("", "as is", "as is", False),
    _Search("trimmed ", "trimmed", "as is", False),
    _Search("cropped ", "cropped", "as is", False),
    _Search("mirrored ", "mirrored", "as is", True),
    _Search("mirrored trimmed ", "mirrored trimmed", "as is", True),
)
"""Searches against an index, which holds only the hashes of the pictures as they are."""


class PerceptualHashes(NamedTuple):
    """The two perceptual hashes of many pictures; uint64 (n,)."""

    phash: NDArray[np.uint64]
    dhash: NDArray[np.uint64]


class Signatures(NamedTuple):
    """Digests and hashes of pictures, one row each.

    Attributes:
        digests: column name (`sha256`, `pixel_sha256`) -> digests.
        hashes: variant -> hashes.
        flat: bool (n,), whether the hashes are meaningless: the picture is one colour, one gradient, or plain stripes.
    """

    digests: Mapping[str, tuple[str, ...]]
    hashes: Mapping[str, PerceptualHashes]
    flat: NDArray[np.bool_]


def identical_pairs(signatures: Signatures) -> pd.DataFrame:
    """Pair each picture with the first one of the same digest; `left` and `right` are rows, not identifiers."""
    found = [_same(digests, digests, name) for name, digests in signatures.digests.items()]
    pairs = pd.concat(found, ignore_index=True)
    pairs = pairs[pairs["left"] < pairs["right"]]
    return pairs.drop_duplicates(["left", "right"]).sort_values(["left", "right"], ignore_index=True)


def identical_in_index(signatures: Signatures, index: HashIndex) -> pd.DataFrame:
    """Pair each picture with the first row of an index that has the same digest; empty if the index has no digests."""
    shared = [name for name in signatures.digests if name in index.digests]
    found = [_same(signatures.digests[name], index.digests[name], name) for name in shared]
    pairs = pd.concat(found, ignore_index=True) if found else _same((), (), "")
    return pairs.drop_duplicates(["left", "right"]).sort_values(["left", "right"], ignore_index=True)


def candidates_within(signatures: Signatures, rows: NDArray[np.int64], *, radius: int) -> pd.DataFrame:
    """Return the pairs among some rows whose hashes are near, each once with `left < right`."""
    found: list[pd.DataFrame] = []
    for way in _SEARCHES_WITHIN:
        left, right = (_some(signatures.hashes[name], rows) for name in (way.left, way.right))
        pairs = _candidates(left, right, way, radius=radius, within=way.left == way.right)
        ends = np.sort(rows[pairs[["left", "right"]].to_numpy(np.int64)], axis=1)
        pairs = pairs.assign(left=ends[:, 0], right=ends[:, 1])[ends[:, 0] != ends[:, 1]]
        found = [
            _first_found(pd.concat([*found, pairs], ignore_index=True))
        ]  # after each search: there may be millions
    return found[0]


def candidates_in_index(signatures: Signatures, index: HashIndex, *, radius: int) -> pd.DataFrame:
    """Return the pairs of a picture and a row of an index whose hashes are near; at radius 0, only equal pHashes."""
    empty = np.empty(0, np.uint64)
    right = PerceptualHashes(index.hashes.get("phash", empty), index.hashes.get("dhash", empty))
    rows = np.flatnonzero(~signatures.flat) if radius else np.arange(len(signatures.flat))
    found = [
        _candidates(_some(signatures.hashes[way.left], rows), right, way, radius=radius, within=False)
        for way in (_SEARCHES_AGAINST if radius else _SEARCHES_AGAINST[:1])
    ]
    pairs = pd.concat(found, ignore_index=True)
    pairs["left"] = rows[pairs["left"]]
    return _first_found(pairs if radius else pairs[pairs["phash_bits"] == 0])


def equal_phash_pairs(signatures: Signatures) -> pd.DataFrame:
    """Pair each picture with the first one of the same pHash, flat pictures included: JoyTag's rule."""
    hashes = tuple(map(str, signatures.hashes["as is"].phash))
    pairs = _same(hashes, hashes, "phash")
    return pairs[pairs["left"] < pairs["right"]].sort_values(["left", "right"], ignore_index=True)


def classify_candidates(pairs: pd.DataFrame, thumbnails: Thumbnails) -> Iterator[pd.DataFrame]:
    """Classify candidates by their pixels; yield blocks of pairs with class and differences, in order of the blocks.

    A pair is aligned as it is, then trimmed, and mirrored if a mirrored hash found it, until it is `near`; the best try counts.
    The differences are those on white. Two transparent pictures are also compared on grey, and the worse class counts, because
    one background can hide a difference. Blocks are processed in threads.

    Args:
        pairs: with `left` and `right` (rows of the thumbnails), and bool `straight` and `mirrored`: how the pair was found.
        thumbnails: uint8 (n, 2, SIDE, SIDE, 4): each picture as it is and trimmed.
    """

    def confirmed(start: int) -> pd.DataFrame:
        return _confirmed(pairs.iloc[start : start + _PAIRS_PER_BLOCK].reset_index(drop=True), thumbnails)

    starts = range(0, len(pairs), _PAIRS_PER_BLOCK)
    with threadpool_limits(1):  # BLAS threads on top of these threads would only compete
        yield from in_threads(confirmed, starts, workers=default_workers(), advance=lambda done: None)


def _confirmed(block: pd.DataFrame, thumbnails: Thumbnails) -> pd.DataFrame:
    near: set[int] = set()
    tried: list[pd.DataFrame] = []
    repeated = _repeated_tries(block, thumbnails)
    for way, trimmed in (("straight", 0), ("straight", 1), ("mirrored", 0), ("mirrored", 1)):
        some = block[
            block[way] & ~block.index.isin(near) & ~repeated.get((way, trimmed), np.zeros(len(block), np.bool_))
        ]
        left, right = (thumbnails[some[end].to_numpy(np.int64), trimmed] for end in ("left", "right"))
        left = left[:, :, ::-1] if way == "mirrored" else left
        differences = align_and_compare(left, right)
        ranks = _ranks_on_both(left, right, _ranks(differences))
        near |= set(some.index[ranks == PAIR_CLASSES.index("near")])
        tried.append(some.assign(**differences._asdict(), rank=ranks))
    every = pd.concat(tried).sort_values("correlation", ascending=False, kind="stable")
    best = every.sort_values(["left", "right", "rank"], kind="stable").drop_duplicates(["left", "right"])
    return best.assign(**{"class": [PAIR_CLASSES[rank] for rank in best["rank"]]}).drop(columns="rank")


def _repeated_tries(block: pd.DataFrame, thumbnails: Thumbnails) -> dict[tuple[str, int], NDArray[np.bool_]]:
    """Return for each try but the first whether an earlier one compares the same pixels, bool (pairs,).

    Pictures without a border are equal to their trimmed ones, and a symmetric picture is equal to its mirror image.
    """
    left, right = (thumbnails[block[end].to_numpy(np.int64)] for end in ("left", "right"))
    bare = (left[:, 0] == left[:, 1]).all((1, 2, 3)) & (right[:, 0] == right[:, 1]).all((1, 2, 3))
    symmetric = (left == left[:, :, :, ::-1]).all((2, 3, 4)) & block["straight"].to_numpy(bool)[:, None]
    return {("straight", 1): bare, ("mirrored", 0): symmetric[:, 0], ("mirrored", 1): bare | symmetric[:, 1]}


def _ranks(figures: AlignmentDifference) -> NDArray[np.int64]:
    """Return the position in `PAIR_CLASSES` of each pair: `near`, `alternate` or `rejected`."""
    near = (
        (figures.correlation >= NEAR_CORRELATION) & (figures.largest <= NEAR_LARGEST) & (figures.colour <= NEAR_COLOUR)
    )
    most = (figures.correlation >= ALTERNATE_CORRELATION) & (figures.changed <= ALTERNATE_CHANGED)
    return np.select([near, most | (figures.correlation >= RECOLOURED_CORRELATION)], [1, 2], 3)


def _ranks_on_both(left: Thumbnails, right: Thumbnails, on_white: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the ranks with those of transparent pairs replaced by the worse one on white and on grey.

    A background on which both pictures of a pair are one colour does not count.

    Args:
        left, right: uint8 (k, SIDE, SIDE, 4).
        on_white: ranks of the pairs on white, as `_ranks` returns them, int64 (k,).
    """
    both = is_transparent(left) & is_transparent(right)
    if not both.any():
        return on_white
    left, right = left[both], right[both]
    greys = [np.concatenate([on_grey(one[..., :3], one[..., 3]), one[..., 3:]], axis=-1) for one in (left, right)]
    best = PAIR_CLASSES.index("near")
    white = np.where(is_blank(left) & is_blank(right), best, on_white[both])
    grey = np.where(is_blank(greys[0]) & is_blank(greys[1]), best, _ranks(align_and_compare(*greys)))
    ranks = on_white.copy()
    ranks[both] = np.maximum(white, grey)
    return ranks


def with_class(pairs: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the pairs with column `class` set to one class."""
    return pairs.assign(**{"class": pd.Series(name, index=pairs.index, dtype=str)})


def _same(left: Sequence[str], right: Sequence[str], name: str) -> pd.DataFrame:
    """Pair every left row with the first right row of the same text; empty texts match nothing."""
    wanted, first = set(left) - {""}, dict[str, int]()
    for row, text in enumerate(right):
        if text in wanted:
            first.setdefault(text, row)
    rows = [(row, first[text]) for row, text in enumerate(left) if text in first]
    ends = np.array(rows, np.int64).reshape(-1, 2)
    ends = np.sort(ends, axis=1) if left is right else ends
    return pd.DataFrame({"left": ends[:, 0], "right": ends[:, 1], "found_by": name})


def _candidates(
    left: PerceptualHashes, right: PerceptualHashes, way: _Search, *, radius: int, within: bool
) -> pd.DataFrame:
    """Return the pairs of one search, with the distances of both hashes; NA for a hash that the right pictures lack."""
    parts = []
    for kind, bits in (("phash", radius), ("dhash", min(DHASH_RADIUS, radius))):
        lefts, rights = getattr(left, kind), getattr(right, kind)
        found = pairs_within(lefts, radius=bits) if within else pairs_between(lefts, rights, radius=bits)
        distances = {
            f"{other}_bits": _distances(getattr(left, other), getattr(right, other), found)
            for other in PerceptualHashes._fields
        }
        ends = {"left": found.left, "right": found.right}
        how = {"found_by": f"{way.name}{kind}", "straight": not way.mirrored, "mirrored": way.mirrored}
        parts.append(pd.DataFrame({**ends, **distances, **how}))
    return pd.concat(parts, ignore_index=True)


def _distances(left: NDArray[np.uint64], right: NDArray[np.uint64], pairs: Pairs) -> pd.Series:
    if not len(right):
        return pd.Series([pd.NA] * len(pairs.left), dtype="Int64")
    return pd.Series(np.bitwise_count(left[pairs.left] ^ right[pairs.right]).astype(np.int64), dtype="Int64")


def _first_found(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return each pair once, with the first search that found it, and whether any search found it straight or mirrored."""
    if pairs.empty:
        return pairs
    names = [f"{way.name}{kind}" for way in _SEARCHES_WITHIN for kind in PerceptualHashes._fields]
    rank = pairs["found_by"].map({name: place for place, name in enumerate(names)}).to_numpy(np.int64)
    left, right = (pairs[end].to_numpy(np.int64) for end in ("left", "right"))
    order = np.lexsort((rank, right, left))
    new = np.diff(left[order], prepend=-1).astype(bool) | np.diff(right[order], prepend=-1).astype(bool)
    starts = np.flatnonzero(new)
    ways = {way: np.logical_or.reduceat(pairs[way].to_numpy(bool)[order], starts) for way in ("straight", "mirrored")}
    return pairs.iloc[order[starts]].reset_index(drop=True).assign(**ways)


def _some(hashes: PerceptualHashes, rows: NDArray[np.int64]) -> PerceptualHashes:
    return PerceptualHashes(*(column[rows] for column in hashes))
