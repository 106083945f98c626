"""Search a held-out set for training images: the class of each image, and the matches expected by chance.

A model may have memorised an image that it was trained on. Equal digests prove that the image is in the training data; equal
or near hashes suggest it. If both pictures are available, a comparison of their pixels decides. If only hashes are known, the
Hamming distance is reported, together with the number of pairs that unrelated hashes would give at that distance.
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
    from arena.dataset.listing import ImageListing

_Floats = NDArray[np.float64]
_Integers = NDArray[np.int64]

BAND_ENDS = (0, 4, 8)
"""Upper end of each distance band, in bits of pHash; a larger distance means another picture."""

RADIUS = BAND_ENDS[-1]
"""Largest distance of a candidate, in bits of pHash."""

BAND_CLASSES = ("distance 0", *(f"distance {low + 1}-{high}" for low, high in pairwise(BAND_ENDS)))
"""Classes of candidates for which no pictures can be compared: one per distance band."""

CONTAMINATION_CLASSES = ("identical", "near", "alternate", *BAND_CLASSES)
"""Classes from the most to the least certain; an image gets the first that applies. An image of no class is clean."""

LEVEL_NAMES = {
    "identical": "without identical",
    "near": "without near",
    "alternate": "without alternate",
    BAND_CLASSES[1]: f"without distance <= {BAND_ENDS[1]}",
    BAND_CLASSES[2]: f"without distance <= {BAND_ENDS[2]}",
}
"""Class -> name of the comparison level that excludes this class and all classes before it."""

DEFAULT_ALGORITHMS = {column: one.name for column, one in ALGORITHMS.items()}
"""Algorithm of each hash column of `images.parquet` if the card does not name one."""

_BIT_WEIGHTS = {"dhash": 2}
"""Bits of pHash that one bit of another hash counts as: dHash within 4 bits corresponds to pHash within 8."""

_MAX_CHANCE_MATCHES = 0.5
"""A hash with at least this many expected chance matches is not used: flat pictures and gradients share one hash."""

BITS = 64


PictureComparison = Callable[[_Integers, _Integers], Sequence[str]]
"""(Rows of held-out images, row of the candidate in the index for each) -> class of each pair: `near`, `alternate`,
`rejected`, or `candidate` if its picture is not available."""


@dataclass(frozen=True)
class ComparedIndex:
    """An index that a held-out set is compared with.

    Attributes:
        digest: SHA-256 of the index file.
        confirm: compares the pictures of candidates; None if no pictures of the index are available.
    """

    name: str
    digest: str
    index: HashIndex
    confirm: PictureComparison | None = None


class ContaminationLevel(NamedTuple):
    """The images that remain when some classes are excluded."""

    name: str
    kept: NDArray[np.bool_]
    """bool (images,): whether the image remains."""


@dataclass(frozen=True)
class Contamination:
    """Which held-out images are in the indexes, and with what certainty.

    Attributes:
        image_ids: the held-out images, one per row.
        place: int64 (images,), position of each image's class in `CONTAMINATION_CLASSES`; `len(CLASSES)` for a clean image.
        untold: bool (images,), whether no hash of the image could be used, so that only digests were compared.
        classes: the classes that this search can assign, in the order of `CONTAMINATION_CLASSES`.
        chance_pairs: class -> expected number of pairs if the hashes were unrelated.
        indexes: name, digest, number of images, algorithms and digests of each index, and whether pictures were compared.
    """

    image_ids: tuple[str, ...]
    place: _Integers
    untold: NDArray[np.bool_]
    classes: tuple[str, ...]
    chance_pairs: Mapping[str, float]
    indexes: tuple[Mapping[str, Any], ...]

    def take(self, image_ids: Sequence[str]) -> "Contamination":
        """Return the result for some images, in the order of `image_ids`."""
        row = {image_id: number for number, image_id in enumerate(self.image_ids)}
        rows = [row[image_id] for image_id in image_ids]
        place, untold = self.place[rows], self.untold[rows]
        return Contamination(tuple(image_ids), place, untold, self.classes, self.chance_pairs, self.indexes)

    @property
    def levels(self) -> list[ContaminationLevel]:
        """Comparison levels: each excludes one more class than the one before, the most certain class first."""
        return [
            ContaminationLevel(LEVEL_NAMES[one], self.place > CONTAMINATION_CLASSES.index(one))
            for one in CONTAMINATION_CLASSES
            if one in self.classes and one in LEVEL_NAMES
        ]

    @property
    def counts(self) -> dict[str, int]:
        """Class -> number of images."""
        return {one: int((self.place == CONTAMINATION_CLASSES.index(one)).sum()) for one in self.classes}


def search_index_files(
    heldout: HeldOut | None, paths: Sequence[Path], progress: Progress, *, pictures: Sequence[str] = (),
    root: Path | None = None,
) -> Contamination | None:  # fmt: skip
    """Find which held-out images are in index files of training images; None if `paths` is empty.

    Args:
        heldout: None if the ground truth is a file without hashes.
        pictures: the pictures of the indexes, as `find_pictures` takes them; candidates are then compared.

    Raises:
        ArenaError: an index is missing or damaged, pictures are given without an index, or there is no dataset with hashes.
        IncomparableError: an index was hashed with other algorithms.
    """
    if not paths:
        if pictures:
            raise ArenaError(
                f"--pictures {pictures[0]}: no index to take candidates from; name the index with --against"
            )
        return None
    if heldout is None:
        raise ArenaError(f"--against {paths[0]}: a truth file has no hashes; give --dataset, whose images have them")
    from arena.dataset.copies.at_hand import find_pictures

    available = find_pictures(pictures, paths, root)
    indexes = []
    for path in paths:
        if not path.is_file():
            raise ArenaError(f"--against {path}: no such file; name an index that arena hash wrote")
        index = read_index(path)
        progress.note(f"{path.name}: looking for {len(heldout):,} images among {len(index.image_ids):,}")
        sources = available.get(path.name)
        confirm = _comparing(heldout, index, sources, progress) if sources else None
        indexes.append(ComparedIndex(path.name, digest_file(path), index, confirm))
    return find_contamination(heldout, indexes)


def _comparing(
    heldout: HeldOut, index: HashIndex, sources: "Sequence[ImageListing]", progress: Progress
) -> PictureComparison:
    """Return a function that compares held-out pictures with the available pictures of an index."""
    from arena.dataset.copies.at_hand import compare_candidates, find_image_files

    def confirm(rows: _Integers, others: _Integers) -> Sequence[str]:
        names = {row: index.image_ids[row] for row in np.unique(others).tolist()}
        paths = find_image_files(names.values(), sources)
        pairs = pd.DataFrame({"left": rows, "right": others, "straight": True, "mirrored": False, "class": "candidate"})
        available = {row: paths[name] for row, name in names.items() if name in paths}
        compared = compare_candidates(pairs, heldout.paths, available, progress).set_index(["left", "right"])["class"]
        classes: list[str] = compared.loc[pd.MultiIndex.from_frame(pairs[["left", "right"]])].tolist()
        return classes

    return confirm


def find_contamination(heldout: HeldOut, indexes: Sequence[ComparedIndex]) -> Contamination:
    """Return the class of each held-out image against training images; of several indexes the most certain class counts.

    Raises:
        ArenaError: an index is listed twice, or a hash of the set is malformed.
        IncomparableError: an index was hashed with other algorithms, or shares no column with the set.
    """
    refuse_twice("--against", "index", [one.name for one in indexes])
    place, untold = np.full(len(heldout), len(CONTAMINATION_CLASSES)), np.ones(len(heldout), np.bool_)
    chance, assignable, facts = dict.fromkeys(BAND_CLASSES, 0.0), set[str](), list[Mapping[str, Any]]()
    for one in indexes:
        found = _search(heldout, one)
        place, untold = np.minimum(place, found.place), untold & found.untold
        assignable |= found.assignable
        facts.append(found.facts)
        chance = {name: chance[name] + found.chance[name] for name in chance}
    classes = tuple(name for name in CONTAMINATION_CLASSES if name in assignable)
    chance_pairs = {name: value for name, value in chance.items() if name in assignable}
    return Contamination(heldout.image_ids, place, untold, classes, chance_pairs, tuple(facts))


class _Found(NamedTuple):
    """Result of the search in one index; fields as in `Contamination`."""

    place: _Integers
    untold: NDArray[np.bool_]
    assignable: set[str]
    chance: dict[str, float]
    facts: Mapping[str, Any]


def _search(heldout: HeldOut, against: ComparedIndex) -> _Found:
    """Compare digests, then hashes, column by column."""
    images, index = heldout.images, against.index
    columns, digests = _common(heldout, against), _common_digests(heldout, index)
    place, assignable = np.full(len(images), len(CONTAMINATION_CLASSES)), {"identical"} if digests else set()
    for name in digests:
        wanted = {str(value).lower() for value in images[name].dropna()} - {""}
        shared = wanted.intersection(map(str.lower, index.digests[name]))
        place[images[name].astype(str).str.lower().isin(shared).to_numpy()] = CONTAMINATION_CLASSES.index("identical")
    untold, chance = np.ones(len(images), np.bool_), dict.fromkeys(BAND_CLASSES, 0.0)
    for column, left in columns.items():
        weight, right = _BIT_WEIGHTS.get(column, 1), index.hashes[column]
        within = [expected_matches(left.hashes, right, radius=end // weight) for end in BAND_ENDS]
        use = within[-1] < _MAX_CHANCE_MATCHES
        untold[left.rows[use]] = False
        ends = np.array([0.0, *(float(expected[use].sum()) for expected in within)])
        chance = {name: chance[name] + more for name, more in zip(chance, np.diff(ends).tolist(), strict=True)}
        searched = _Hashed(left.rows[use], left.hashes[use])
        found = _classify(searched, right, weight, against.confirm)
        np.minimum.at(place, found.rows, found.places)
        assignable |= {
            CONTAMINATION_CLASSES[one] for one in np.unique(found.places[found.places < len(CONTAMINATION_CLASSES)])
        }
    if columns:
        assignable |= set(BAND_CLASSES) if against.confirm is None else {"near", "alternate"}
    return _Found(place, untold, assignable, chance, _facts(against, columns, digests))


class _Hashed(NamedTuple):
    """The images that have a hash: their rows and hashes."""

    rows: _Integers
    hashes: Hashes


class _Classified(NamedTuple):
    """Held-out rows of candidates, and the position of each one's class in `CONTAMINATION_CLASSES`."""

    rows: _Integers
    places: _Integers


def _classify(left: _Hashed, right: Hashes, weight: int, confirm: PictureComparison | None) -> _Classified:
    """Classify every candidate by its distance, or by a comparison of pictures if there is one."""
    # Without a comparison only distances count, so each distinct hash of the index is searched once.
    pairs = pairs_between(left.hashes, np.unique(right) if confirm is None else right, radius=RADIUS // weight)
    rows = left.rows[pairs.left]
    places = np.searchsorted(BAND_ENDS, weight * pairs.hamming_bits) + CONTAMINATION_CLASSES.index(BAND_CLASSES[0])
    if confirm is not None and len(rows):
        positions = {"candidate": -1, **{name: CONTAMINATION_CLASSES.index(name) for name in ("near", "alternate")}}
        decided = np.array([positions.get(name, len(CONTAMINATION_CLASSES)) for name in confirm(rows, pairs.right)])
        places = np.where(decided < 0, places, decided)
    return _Classified(rows, places)


def _common(heldout: HeldOut, against: ComparedIndex) -> dict[str, _Hashed]:
    """Return the held-out hashes of each column that the index also has.

    Raises:
        IncomparableError: a column has another algorithm, or the set and the index share neither a hash nor a digest.
    """
    found = {}
    for column in sorted(against.index.hashes):
        if column not in heldout.images or not len((hashed := _hashes_of(heldout, column)).rows):
            continue
        own, theirs = _algorithm(heldout, column), against.index.algorithms[column].name
        if own != theirs:
            raise IncomparableError(
                f"--against {against.name}: its {column} is {theirs}, that of dataset {heldout.card.name} is {own}; "
                "hash one of them again with the algorithm of the other"
            )
        found[column] = hashed
    if not found and not _common_digests(heldout, against.index):
        present = ", ".join(sorted([*against.index.hashes, *against.index.digests])) or "nothing"
        raise IncomparableError(
            f"--against {against.name}: it has {present}, none of which the images of dataset {heldout.card.name} have; "
            "hash the training images with phash"
        )
    return found


def _common_digests(heldout: HeldOut, index: HashIndex) -> list[str]:
    return [name for name in DIGESTS if name in index.digests and name in heldout.images]


def _algorithm(heldout: HeldOut, column: str) -> str:
    """Return the hash algorithm of a column of the set, from its card or else from `DEFAULT_ALGORITHMS`."""
    return str(heldout.card.facts.get(column, DEFAULT_ALGORITHMS.get(column, "not named by its card")))


def _hashes_of(heldout: HeldOut, column: str) -> _Hashed:
    """Return the hashes of a column, stored as integers (signed or not) or as hexadecimal text; rows without one are left out.

    Raises:
        ArenaError: a value is neither an integer of 64 bits nor 16 hexadecimal digits.
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
            f"{heldout.card.folder}: images.parquet has a {column} that is not a hash of {BITS} bits; "
            "write integers of 64 bits, or 16 hexadecimal digits"
        ) from None


def _facts(against: ComparedIndex, columns: Iterable[str], digests: Sequence[str]) -> dict[str, Any]:
    """Return what a result records about an index."""
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


def expected_matches(left: Hashes, right: Hashes, *, radius: int) -> _Floats:
    """Return the expected number of right hashes within the radius of each left hash if all were unrelated; float64 (left,).

    Unrelated hashes with a and b one bits have them at uniformly random positions. Hashes of real pictures are less random,
    so more of them match by chance.

    >>> half = np.array([0x00000000FFFFFFFF], np.uint64)  # 32 one bits, as a hash thresholded at its median has
    >>> pairs = expected_matches(half, half, radius=8) * 32_768 * 4_000_000
    >>> round(float(pairs[0]))
    94
    """
    right_ones = np.bincount(np.bitwise_count(right), minlength=BITS + 1)
    by_ones: _Floats = chance_within(radius) @ right_ones
    return by_ones[np.bitwise_count(left)]


@cache
def chance_within(radius: int) -> _Floats:
    """Return the probability that unrelated hashes with a and b one bits differ in at most `radius` bits; float64 (65, 65)."""
    a, b, shared = np.ix_(*[np.arange(BITS + 1)] * 3)
    chance = special.comb(a, shared) * special.comb(BITS - a, b - shared) / special.comb(BITS, b)
    within: _Floats = (chance * (a + b - 2 * shared <= radius)).sum(axis=2)
    return within
