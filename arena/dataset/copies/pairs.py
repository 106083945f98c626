"""Which pictures are copies of which, how surely, and how each pair was found.

Digests tell identical pictures. Perceptual hashes name candidates: of the picture as it is, without its border, cropped a
little, and mirrored. Small pixels laid over each other decide about each candidate. Where one side is known by hashes alone,
as training data mostly is, candidates stay candidates and are told by distance.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from arena.dataset.copies.alignment import Overlay, Thumbnails, overlay
from arena.dataset.files import default_workers, in_threads
from arena.dataset.hamming.duplicates import Pairs, pairs_between, pairs_within
from arena.dataset.hashes.index import HashIndex

CLASSES = ("identical", "near", "alternate", "rejected", "candidate")
"""What a pair is, surest first: the same pixels; a copy; another version of the picture; another picture; not decided."""

SEEN_CLASSES = ("identical", "near", "alternate", "candidate", "rejected")
"""Classes of pairs with an index in the order in which they count for an image: what may be a copy before what is none."""

COPY_COLUMNS = (
    "left", "right", "source", "class", "found_by", "phash_bits", "dhash_bits", *Overlay._fields,
)  # fmt: skip
"""Columns of `duplicates.parquet`. Figures are empty for identical pairs and where one side has only hashes."""

DHASH_RADIUS = 4
"""Bits of dHash, or the radius of pHash where that is less."""

NEAR_CORRELATION, NEAR_LARGEST = 0.95, 20.0
"""A copy: no part differs by more levels. Watermarks over half of the width reach 18, crops by 5 % mostly stay below 10; the
drawings of the demo that differ by an arrow, a racket or a face begin at 21."""

NEAR_COLOUR = 16.0
"""Levels of colour that a part of a copy may differ by; resized and re-encoded copies reach 14, another hue begins at 22."""

ALTERNATE_CORRELATION, ALTERNATE_CHANGED = 0.8, 0.25
"""Another version: three quarters of its parts agree, colours too. Below 0.8 sparse drawings agree by their white alone:
a rooster and a cube reached 0.63, a cello and a cocktail 0.76."""

RECOLOURED_CORRELATION = 0.93
"""Or the drawing is the same in other colours or another brightness."""

PAIRS_A_TIME = 32
"""Pairs compared at once: 20 MB."""


class Way(NamedTuple):
    """How candidates are looked for: which variant of the one picture against which of the other."""

    name: str
    left: str
    right: str
    mirrored: bool


WITHIN = (
    Way("", "as is", "as is", False),
    Way("trimmed ", "trimmed", "trimmed", False),
    Way("cropped ", "cropped", "trimmed", False),
    Way("mirrored ", "mirrored", "as is", True),
    Way("mirrored trimmed ", "mirrored trimmed", "trimmed", True),
)
"""Among pictures at hand; the order in which a pair found in several ways is told."""

AGAINST = (
    Way("", "as is", "as is", False),
    Way("trimmed ", "trimmed", "as is", False),
    Way("cropped ", "cropped", "as is", False),
    Way("mirrored ", "mirrored", "as is", True),
    Way("mirrored trimmed ", "mirrored trimmed", "as is", True),
)
"""Against an index, which knows only the hashes of pictures as they are."""


class Pair(NamedTuple):
    """The two perceptual hashes of many pictures; uint64 (n,)."""

    phash: NDArray[np.uint64]
    dhash: NDArray[np.uint64]


class Signatures(NamedTuple):
    """What pictures are looked up by, one row each.

    Attributes:
        digests: by column name (`sha256`, `pixel_sha256`).
        hashes: by variant.
        flat: where the hashes say nothing; bool (n,).
    """

    digests: Mapping[str, tuple[str, ...]]
    hashes: Mapping[str, Pair]
    flat: NDArray[np.bool_]


def identical_pairs(signatures: Signatures) -> pd.DataFrame:
    """Each picture with the first one of the same digest; rows, not identifiers, in `left` and `right`."""
    found = [_same(digests, digests, name) for name, digests in signatures.digests.items()]
    pairs = pd.concat(found, ignore_index=True)
    pairs = pairs[pairs["left"] < pairs["right"]]
    return pairs.drop_duplicates(["left", "right"]).sort_values(["left", "right"], ignore_index=True)


def identical_against(signatures: Signatures, index: HashIndex) -> pd.DataFrame:
    """Each picture with the first one of an index that has the same digest, where the index knows digests."""
    shared = [name for name in signatures.digests if name in index.digests]
    found = [_same(signatures.digests[name], index.digests[name], name) for name in shared]
    pairs = pd.concat(found, ignore_index=True) if found else _same((), (), "")
    return pairs.drop_duplicates(["left", "right"]).sort_values(["left", "right"], ignore_index=True)


def candidates_within(signatures: Signatures, rows: NDArray[np.int64], *, radius: int) -> pd.DataFrame:
    """Pairs among some rows that a hash finds, each once with `left < right`."""
    found = []
    for way in WITHIN:
        left, right = (_some(signatures.hashes[name], rows) for name in (way.left, way.right))
        found.append(_candidates(left, right, way, radius=radius, within=way.left == way.right))
    pairs = pd.concat(found, ignore_index=True)
    pairs["left"], pairs["right"] = rows[pairs["left"]], rows[pairs["right"]]
    pairs = pairs[pairs["left"] != pairs["right"]]
    swap = pairs["left"] > pairs["right"]
    pairs.loc[swap, ["left", "right"]] = pairs.loc[swap, ["right", "left"]].to_numpy()
    return _first_found(pairs)


def candidates_against(signatures: Signatures, index: HashIndex, *, radius: int) -> pd.DataFrame:
    """Pairs of a picture and a row of an index that a hash finds; at radius 0, equal pHashes alone."""
    empty = np.empty(0, np.uint64)
    right = Pair(index.hashes.get("phash", empty), index.hashes.get("dhash", empty))
    rows = np.flatnonzero(~signatures.flat) if radius else np.arange(len(signatures.flat))
    found = [
        _candidates(_some(signatures.hashes[way.left], rows), right, way, radius=radius, within=False)
        for way in (AGAINST if radius else AGAINST[:1])
    ]
    pairs = pd.concat(found, ignore_index=True)
    pairs["left"] = rows[pairs["left"]]
    return _first_found(pairs if radius else pairs[pairs["phash_bits"] == 0])


def equal_hashes(signatures: Signatures) -> pd.DataFrame:
    """Each picture with the first one of the same pHash: JoyTag's rule, flat pictures too."""
    hashes = tuple(map(str, signatures.hashes["as is"].phash))
    pairs = _same(hashes, hashes, "phash")
    return pairs[pairs["left"] < pairs["right"]].sort_values(["left", "right"], ignore_index=True)


def confirm(pairs: pd.DataFrame, thumbnails: Thumbnails) -> Iterator[pd.DataFrame]:
    """Class and figures of candidates by their pixels, a block of them at a time, in their order; blocks in threads.

    A pair is laid over as it is, then trimmed, mirrored where a mirrored hash found it, until it is near; the best counts.

    Args:
        pairs: with `left` and `right` into the thumbnails, `straight` and `mirrored`: how they were found.
        thumbnails: uint8 (n, 2, SIDE, SIDE, 3): of each picture as it is and trimmed.
    """

    def confirmed(start: int) -> pd.DataFrame:
        return _confirmed(pairs.iloc[start : start + PAIRS_A_TIME].reset_index(drop=True), thumbnails)

    starts = range(0, len(pairs), PAIRS_A_TIME)
    with threadpool_limits(1):  # each thread multiplies for itself
        yield from in_threads(confirmed, starts, workers=default_workers(), advance=lambda done: None)


def _confirmed(block: pd.DataFrame, thumbnails: Thumbnails) -> pd.DataFrame:
    near: set[int] = set()
    tried = []
    for way, trimmed in (("straight", 0), ("straight", 1), ("mirrored", 0), ("mirrored", 1)):
        some = block[block[way] & ~block.index.isin(near)]
        left, right = (thumbnails[some[end].to_numpy(np.int64), trimmed] for end in ("left", "right"))
        figures = overlay(left[:, :, ::-1] if way == "mirrored" else left, right)
        ranks = _ranks(figures)
        near |= set(some.index[ranks == CLASSES.index("near")])
        tried.append(some.assign(**figures._asdict(), rank=ranks))
    every = pd.concat(tried).sort_values("correlation", ascending=False, kind="stable")
    best = every.sort_values(["left", "right", "rank"], kind="stable").drop_duplicates(["left", "right"])
    return best.assign(**{"class": [CLASSES[rank] for rank in best["rank"]]}).drop(columns="rank")


def _ranks(figures: Overlay) -> NDArray[np.int64]:
    """Place in `CLASSES` of each pair."""
    near = (
        (figures.correlation >= NEAR_CORRELATION) & (figures.largest <= NEAR_LARGEST) & (figures.colour <= NEAR_COLOUR)
    )
    most = (figures.correlation >= ALTERNATE_CORRELATION) & (figures.changed <= ALTERNATE_CHANGED)
    return np.select([near, most | (figures.correlation >= RECOLOURED_CORRELATION)], [1, 2], 3)


def of_class(pairs: pd.DataFrame, name: str) -> pd.DataFrame:
    """Pairs, all of one class."""
    return pairs.assign(**{"class": pd.Series(name, index=pairs.index, dtype=str)})


def _same(left: Sequence[str], right: Sequence[str], name: str) -> pd.DataFrame:
    """Every left row with the first right row of the same text."""
    wanted, first = set(left) - {""}, dict[str, int]()
    for row, text in enumerate(right):
        if text in wanted:
            first.setdefault(text, row)
    rows = [(row, first[text]) for row, text in enumerate(left) if text in first]
    ends = np.array(rows, np.int64).reshape(-1, 2)
    ends = np.sort(ends, axis=1) if left is right else ends
    return pd.DataFrame({"left": ends[:, 0], "right": ends[:, 1], "found_by": name})


def _candidates(left: Pair, right: Pair, way: Way, *, radius: int, within: bool) -> pd.DataFrame:
    """What one way finds, with the distances of both hashes; a hash that the right side lacks has none."""
    parts = []
    for kind, bits in (("phash", radius), ("dhash", min(DHASH_RADIUS, radius))):
        lefts, rights = getattr(left, kind), getattr(right, kind)
        found = pairs_within(lefts, radius=bits) if within else pairs_between(lefts, rights, radius=bits)
        distances = {
            f"{other}_bits": _distances(getattr(left, other), getattr(right, other), found) for other in Pair._fields
        }
        ends = {"left": found.left, "right": found.right}
        parts.append(pd.DataFrame({**ends, **distances, "found_by": f"{way.name}{kind}", "mirrored": way.mirrored}))
    return pd.concat(parts, ignore_index=True)


def _distances(left: NDArray[np.uint64], right: NDArray[np.uint64], pairs: Pairs) -> pd.Series:
    if not len(right):
        return pd.Series([pd.NA] * len(pairs.left), dtype="Int64")
    return pd.Series(np.bitwise_count(left[pairs.left] ^ right[pairs.right]).astype(np.int64), dtype="Int64")


def _first_found(pairs: pd.DataFrame) -> pd.DataFrame:
    """Each pair once: told by the first way that found it, and whether any found it straight or mirrored."""
    if pairs.empty:
        return pairs.assign(straight=True)
    order = [f"{way.name}{kind}" for way in WITHIN for kind in Pair._fields]
    pairs = pairs.assign(straight=~pairs["mirrored"], rank=pairs["found_by"].map(order.index))
    ends = pairs.groupby(["left", "right"])
    pairs["straight"], pairs["mirrored"] = ends["straight"].transform("any"), ends["mirrored"].transform("any")
    first = pairs.sort_values(["left", "right", "rank"]).drop_duplicates(["left", "right"])
    return first.drop(columns="rank").reset_index(drop=True)


def _some(hashes: Pair, rows: NDArray[np.int64]) -> Pair:
    return Pair(*(column[rows] for column in hashes))
