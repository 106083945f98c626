"""How much of a held-out set is in an index of training images: each image's class, and what chance alone would give.

An image that a model was trained on is answered from memory. Equal digests prove that it was there; equal or near hashes
suggest it. Where both pictures are at hand a comparison of them decides; where only hashes are known the distance is told,
and beside it how many pairs unrelated hashes would have brought so near.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from arena.base.errors import ArenaError, IncomparableError, refuse_twice
from arena.base.files import digest_file
from arena.base.progress import Progress
from arena.dataset.frozen import HeldOut
from arena.dataset.hamming.duplicates import Hashes, pairs_between
from arena.dataset.hashes.algorithms import ALGORITHMS
from arena.dataset.hashes.index import DIGESTS, HashIndex, read_index

if TYPE_CHECKING:
    from arena.dataset.listing import Listed

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

BAND_ENDS = (0, 4, 8)
"""Where each band of distances ends, in bits of pHash; what is further apart is another picture."""

RADIUS = BAND_ENDS[-1]
"""Bits of pHash up to which an image is a candidate."""

BAND_CLASSES = ("distance 0", *(f"distance {low + 1}-{high}" for low, high in pairwise(BAND_ENDS)))
"""What a candidate is called that no comparison of pictures can confirm."""

CLASSES = ("identical", "near", "alternate", *BAND_CLASSES)
"""From the most certain to the least; an image has the first that holds. What is none of these is clean."""

LEVELS = {
    "identical": "without identical",
    "near": "without near",
    "alternate": "without alternate",
    BAND_CLASSES[1]: f"without distance <= {BAND_ENDS[1]}",
    BAND_CLASSES[2]: f"without distance <= {BAND_ENDS[2]}",
}
"""Class -> the level of a comparison that leaves it out, and all classes before it."""

OWN_ALGORITHMS = {column: one.name for column, one in ALGORITHMS.items()}
"""What the columns of `images.parquet` are where its card does not say."""

WEIGHTS = {"dhash": 2}
"""How many bits of pHash one bit of another hash counts as: a dHash within 4 is as near as a pHash within 8."""

MOST_CHANCE = 0.5
"""Matches by chance from which on a hash says nothing of its image: flat pictures and gradients share one hash."""

BITS = 64


Confirm = Callable[[Integers, Integers], Sequence[str]]
"""Rows of held-out images and, of each, the row of a candidate in the index -> `near`, `alternate`, `rejected`, or `candidate`
where its picture is not at hand."""


@dataclass(frozen=True)
class Against:
    """An index that a held-out set is held against.

    Attributes:
        digest: SHA-256 of the index file.
        confirm: compares the pictures of candidates; None where the index has no pictures.
    """

    name: str
    digest: str
    index: HashIndex
    confirm: Confirm | None = None


class Level(NamedTuple):
    """The images that are left without some classes."""

    name: str
    kept: NDArray[np.bool_]
    """(images,)."""


@dataclass(frozen=True)
class Contamination:
    """Which held-out images are in the indexes, and how surely.

    Attributes:
        image_ids: of the held-out images.
        place: int64 (images,), the class of each by its place in `CLASSES`; `len(CLASSES)` for a clean image.
        untold: bool (images,), whether its hashes say nothing, so that only digests could tell.
        classes: those that could be told at all, of `CLASSES` in order.
        chance_pairs: class -> how many pairs of unrelated hashes would fall into it.
        indexes: name, digest, number of images, algorithms and digests of each index, and whether pictures were compared.
    """

    image_ids: tuple[str, ...]
    place: Integers
    untold: NDArray[np.bool_]
    classes: tuple[str, ...]
    chance_pairs: Mapping[str, float]
    indexes: tuple[Mapping[str, Any], ...]

    def take(self, image_ids: Sequence[str]) -> "Contamination":
        """Some of the images, in the order given."""
        row = {image_id: number for number, image_id in enumerate(self.image_ids)}
        rows = [row[image_id] for image_id in image_ids]
        place, untold = self.place[rows], self.untold[rows]
        return Contamination(tuple(image_ids), place, untold, self.classes, self.chance_pairs, self.indexes)

    @property
    def levels(self) -> list[Level]:
        """What is left without ever more classes, those least in doubt first."""
        return [
            Level(LEVELS[one], self.place > CLASSES.index(one))
            for one in CLASSES
            if one in self.classes and one in LEVELS
        ]

    @property
    def counts(self) -> dict[str, int]:
        """Class -> images."""
        return {one: int((self.place == CLASSES.index(one)).sum()) for one in self.classes}


def hold_against(
    heldout: HeldOut | None, paths: Sequence[Path], progress: Progress, *, pictures: Sequence[str] = (),
    root: Path | None = None,
) -> Contamination | None:  # fmt: skip
    """Find which held-out images are in index files of training images; None where no index is given.

    Args:
        pictures: where those of the indexes are, as `find_pictures` takes them; candidates are then compared.

    Raises:
        ArenaError: an index is missing or damaged, pictures of none are given, or there is no dataset that has hashes.
        IncomparableError: an index was hashed by other algorithms.
    """
    if not paths:
        if pictures:
            raise ArenaError(f"--pictures {pictures[0]}: of which index? Give it with --against")
        return None
    if heldout is None:
        raise ArenaError(f"--against {paths[0]}: a truth file has no hashes; give --dataset, whose images have them")
    from arena.dataset.copies.at_hand import find_pictures

    at_hand = find_pictures(pictures, paths, root)
    indexes = []
    for path in paths:
        if not path.is_file():
            raise ArenaError(f"--against {path}: no such file; name an index that arena hash wrote")
        index = read_index(path)
        progress.note(f"{path.name}: looking for {len(heldout):,} images among {len(index.image_ids):,}")
        sources = at_hand.get(path.name)
        confirm = _comparing(heldout, index, sources, progress) if sources else None
        indexes.append(Against(path.name, digest_file(path), index, confirm))
    return find_contamination(heldout, indexes)


def _comparing(heldout: HeldOut, index: HashIndex, sources: "Sequence[Listed]", progress: Progress) -> Confirm:
    """A comparison of held-out pictures with those of an index that are at hand."""
    from arena.dataset.copies.at_hand import compare, paths_of

    def confirm(rows: Integers, others: Integers) -> Sequence[str]:
        names = {row: index.image_ids[row] for row in np.unique(others).tolist()}
        paths = paths_of(names.values(), sources)
        pairs = pd.DataFrame({"left": rows, "right": others, "straight": True, "mirrored": False, "class": "candidate"})
        at_hand = {row: paths[name] for row, name in names.items() if name in paths}
        told = compare(pairs, heldout.paths, at_hand, progress).set_index(["left", "right"])["class"]
        words: list[str] = told.loc[pd.MultiIndex.from_frame(pairs[["left", "right"]])].tolist()
        return words

    return confirm


def find_contamination(heldout: HeldOut, indexes: Sequence[Against]) -> Contamination:
    """Class of each held-out image against training images; of several indexes the surest one counts.

    Raises:
        ArenaError: an index is named twice, or a hash of the set is none.
        IncomparableError: an index was hashed by other algorithms, or shares no column with the set.
    """
    refuse_twice("--against", "index", [one.name for one in indexes])
    place, untold = np.full(len(heldout), len(CLASSES)), np.ones(len(heldout), np.bool_)
    chance, told, facts = dict.fromkeys(BAND_CLASSES, 0.0), set[str](), list[Mapping[str, Any]]()
    for one in indexes:
        found = _search(heldout, one)
        place, untold = np.minimum(place, found.place), untold & found.untold
        told |= found.told
        facts.append(found.facts)
        chance = {name: chance[name] + found.chance[name] for name in chance}
    classes = tuple(name for name in CLASSES if name in told)
    chance_pairs = {name: value for name, value in chance.items() if name in told}
    return Contamination(heldout.image_ids, place, untold, classes, chance_pairs, tuple(facts))


class _Found(NamedTuple):
    """What one index says."""

    place: Integers
    untold: NDArray[np.bool_]
    told: set[str]
    chance: dict[str, float]
    facts: Mapping[str, Any]


def _search(heldout: HeldOut, against: Against) -> _Found:
    """Digests, then hashes, column by column."""
    images, index = heldout.images, against.index
    columns, digests = _common(heldout, against), _common_digests(heldout, index)
    place, told = np.full(len(images), len(CLASSES)), {"identical"} if digests else set()
    for name in digests:
        wanted = {str(value).lower() for value in images[name].dropna()} - {""}
        there = wanted.intersection(map(str.lower, index.digests[name]))
        place[images[name].astype(str).str.lower().isin(there).to_numpy()] = CLASSES.index("identical")
    untold, chance = np.ones(len(images), np.bool_), dict.fromkeys(BAND_CLASSES, 0.0)
    for column, left in columns.items():
        weight, right = WEIGHTS.get(column, 1), index.hashes[column]
        within = [expected_matches(left.hashes, right, radius=end // weight) for end in BAND_ENDS]
        use = within[-1] < MOST_CHANCE
        untold[left.rows[use]] = False
        ends = np.array([0.0, *(float(expected[use].sum()) for expected in within)])
        chance = {name: chance[name] + more for name, more in zip(chance, np.diff(ends).tolist(), strict=True)}
        searched = _Hashed(left.rows[use], left.hashes[use])
        found = _classify(searched, right, weight, against.confirm)
        np.minimum.at(place, found.rows, found.places)
        told |= {CLASSES[one] for one in np.unique(found.places[found.places < len(CLASSES)])}
    if columns:
        told |= set(BAND_CLASSES) if against.confirm is None else {"near", "alternate"}
    return _Found(place, untold, told, chance, _facts(against, columns, digests))


class _Hashed(NamedTuple):
    """The images that have a hash."""

    rows: Integers
    hashes: Hashes


class _Classified(NamedTuple):
    """Held-out rows of candidates, and the place of each one's class in `CLASSES`."""

    rows: Integers
    places: Integers


def _classify(left: _Hashed, right: Hashes, weight: int, confirm: Confirm | None) -> _Classified:
    """Every candidate by its distance, or by a comparison; without one, equal hashes of the index are looked at once."""
    pairs = pairs_between(left.hashes, np.unique(right) if confirm is None else right, radius=RADIUS // weight)
    rows = left.rows[pairs.left]
    places = np.searchsorted(BAND_ENDS, weight * pairs.hamming_bits) + CLASSES.index(BAND_CLASSES[0])
    if confirm is not None and len(rows):
        told = {"candidate": -1, **{name: CLASSES.index(name) for name in ("near", "alternate")}}
        decided = np.array([told.get(word, len(CLASSES)) for word in confirm(rows, pairs.right)])
        places = np.where(decided < 0, places, decided)
    return _Classified(rows, places)


def _common(heldout: HeldOut, against: Against) -> dict[str, _Hashed]:
    """The held-out hashes of each column that the index has too.

    Raises:
        IncomparableError: a column of another algorithm, or neither a hash nor a digest in common.
    """
    found = {}
    for column in sorted(against.index.hashes):
        if column not in heldout.images or not len((hashed := _hashes_of(heldout, column)).rows):
            continue
        own, theirs = _algorithm(heldout, column), against.index.algorithms[column].name
        if own != theirs:
            raise IncomparableError(
                f"--against {against.name}: its {column} is {theirs}, that of dataset {heldout.card.name} is {own}; "
                "hash one of them again by the other's algorithm"
            )
        found[column] = hashed
    if not found and not _common_digests(heldout, against.index):
        there = ", ".join(sorted([*against.index.hashes, *against.index.digests])) or "nothing"
        raise IncomparableError(
            f"--against {against.name}: it has {there}, none of which the images of dataset {heldout.card.name} have; "
            "hash the training images by phash"
        )
    return found


def _common_digests(heldout: HeldOut, index: HashIndex) -> list[str]:
    return [name for name in DIGESTS if name in index.digests and name in heldout.images]


def _algorithm(heldout: HeldOut, column: str) -> str:
    """By which algorithm a column of the set was hashed, as its card says."""
    return str(heldout.card.facts.get(column, OWN_ALGORITHMS.get(column, "not told by its card")))


def _hashes_of(heldout: HeldOut, column: str) -> _Hashed:
    """The hashes of a set, written as integers (signed or not) or as hexadecimal text; empty ones are left out.

    Raises:
        ArenaError: a value is neither.
    """
    values = heldout.images[column]
    known = np.flatnonzero(values.notna() & (values.astype(str) != ""))
    some = values.iloc[known]
    if some.dtype.kind in "iu":
        return _Hashed(known, some.to_numpy().astype(np.uint64))
    try:
        numbers = [int(value, 16) if isinstance(value, str) else int(value) % 2**BITS for value in some.astype(object)]
        if values.dtype.kind == "f" and len(known):
            raise ValueError
        return _Hashed(known, np.array(numbers, np.uint64))
    except (ValueError, TypeError, OverflowError):
        raise ArenaError(
            f"{heldout.card.folder}: images.parquet has a {column} that is no hash of {BITS} bits; "
            "write integers of 64 bits, or 16 hexadecimal digits"
        ) from None


def _facts(against: Against, columns: Iterable[str], digests: Sequence[str]) -> dict[str, Any]:
    """What a result keeps of an index."""
    index = against.index
    used = {column: index.algorithms[column] for column in columns}
    return {
        "name": against.name,
        "digest": against.digest,
        "images": len(index.image_ids),
        "hashes": {column: one.name + ("" if one.verified else " (unverified)") for column, one in used.items()},
        "digests": list(digests),
        "pictures": against.confirm is not None,
    }


def expected_matches(left: Hashes, right: Hashes, *, radius: int) -> Floats:
    """How many hashes of the right lie within the radius of each of the left, were they unrelated; float64 (left,).

    Unrelated hashes of a and b ones have them at any places alike. Real pictures are less random, so more match by chance.

    >>> half = np.array([0x00000000FFFFFFFF], np.uint64)  # 32 ones, as a hash about its median has
    >>> pairs = expected_matches(half, half, radius=8) * 32_768 * 4_000_000
    >>> round(float(pairs[0]))
    94
    """
    theirs = np.bincount(np.bitwise_count(right), minlength=BITS + 1)
    by_ones: Floats = chance_within(radius) @ theirs
    return by_ones[np.bitwise_count(left)]


@cache
def chance_within(radius: int) -> Floats:
    """The chance that two unrelated hashes of a and b ones differ in at most `radius` bits; float64 (65, 65)."""
    a, b, shared = np.ix_(*[np.arange(BITS + 1)] * 3)
    chance = special.comb(a, shared) * special.comb(BITS - a, b - shared) / special.comb(BITS, b)
    within: Floats = (chance * (a + b - 2 * shared <= radius)).sum(axis=2)
    return within
