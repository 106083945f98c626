"""Choose which candidate pairs to compare: the most similar ones first, and no pair that can change nothing.

Pictures of little detail share their hashes: of 1,000 icons, every fourth pair may be a candidate. So each picture is first
compared with the `NEAREST` candidates that are most similar on two coarse scales. A further round follows for the pictures that
a round joined to others. A picture with few candidates is compared with all of them.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from arena.dataset.copies.alignment import ALIGNMENT_SIDE, REC_601, Thumbnails
from arena.dataset.hamming.duplicates import Pairs, clusters

NEAREST = 4
"""Candidates of a picture that a round compares on each of the two scales."""

_SIDE = 8
"""Rows and columns of the coarse pictures, which are the means over blocks of a thumbnail."""

_PAIRS_PER_BLOCK = 16_384
"""Pairs whose coarse distances are computed at a time: 50 MB."""

_FLAT_LEVELS = 1.0
"""Added to the spread of a coarse picture in levels, so that one of a single colour has a shape of zeros."""

Compare = Callable[[pd.DataFrame], Iterable[pd.DataFrame]]
"""Pairs with `left` and `right` -> the same pairs with `class`, in blocks."""


class ComparedPairs(NamedTuple):
    """Pairs that were compared, and the number of candidates that were not."""

    pairs: pd.DataFrame
    left_out: int


def compare_nearest(
    candidates: pd.DataFrame, thumbnails: Thumbnails, compare: Compare, *, joined: Iterable[str], related: Iterable[str]
) -> ComparedPairs:
    """Compare candidates in rounds, until no picture with further candidates was joined to others in the last round.

    A pair of pictures in one cluster is not compared, because it can change neither clusters nor groups.

    Args:
        candidates: with `left` and `right` (rows of the thumbnails), and bool `straight` and `mirrored`: how they were found.
        thumbnails: uint8 (n, 2, SIDE, SIDE, 4): each picture as it is and trimmed.
        compare: called once for each round.
        joined, related: classes of pairs that form a cluster of copies, and a group of related pictures.
    """
    pending = candidates.reset_index(drop=True)
    if pending.empty:
        return ComparedPairs(pending.assign(**{"class": ""}), 0)
    distances = _CoarseDistances.of(pending, thumbnails)
    done: list[pd.DataFrame] = []
    left_out = 0
    sizes: list[NDArray[np.int64]] = [np.ones(len(thumbnails), np.int64)] * 2
    while len(pending):
        chosen = _is_nearest(pending, distances)
        done += compare(pending[chosen].reset_index(drop=True))
        found = pd.concat(done, ignore_index=True)
        labels = [_labels(found, classes, len(thumbnails)) for classes in (joined, related)]
        grown = [np.bincount(one)[one].astype(np.int64) for one in labels]
        wanted = [_is_wanted(pending, one, now > then) for one, now, then in zip(labels, grown, sizes, strict=True)]
        left, right = _ends(pending)
        apart = ~chosen & (labels[0][left] != labels[0][right])
        further = apart & (wanted[0] | wanted[1])
        left_out += int((apart & ~further).sum())
        pending, distances, sizes = pending[further].reset_index(drop=True), distances.some(further), grown
    return ComparedPairs(pd.concat(done, ignore_index=True), left_out)


def _is_wanted(pairs: pd.DataFrame, labels: NDArray[np.int64], is_grown: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which pairs could join two clusters, at least one of which the last round made larger."""
    left, right = _ends(pairs)
    wanted: NDArray[np.bool_] = (labels[left] != labels[right]) & (is_grown[left] | is_grown[right])
    return wanted


class _CoarseDistances(NamedTuple):
    """Distances of pairs, the least of all ways in which a pair is compared; float32 (k,).

    Attributes:
        colour: mean difference of the colours, in levels; small for copies.
        shape: mean difference of the grey levels at equal mean and contrast; small also for other colours.
    """

    colour: NDArray[np.float32]
    shape: NDArray[np.float32]

    @classmethod
    def of(cls, pairs: pd.DataFrame, thumbnails: Thumbnails) -> "_CoarseDistances":
        """Return the distances of pairs of thumbnails."""
        colours = _coarse(thumbnails)
        shapes = _normalised(colours)
        values = [_block_distances(block, colours, shapes) for block in _blocks(pairs)]
        return cls(*(np.concatenate(column) for column in zip(*values, strict=True)))

    def some(self, chosen: NDArray[np.bool_]) -> "_CoarseDistances":
        """Return the distances of some pairs."""
        return _CoarseDistances(self.colour[chosen], self.shape[chosen])


def _blocks(pairs: pd.DataFrame) -> Iterator[pd.DataFrame]:
    for start in range(0, len(pairs), _PAIRS_PER_BLOCK):
        yield pairs.iloc[start : start + _PAIRS_PER_BLOCK]


def _coarse(thumbnails: Thumbnails) -> NDArray[np.float32]:
    """Return the mean colours of blocks, float32 (n, 2, 8, 8, 3)."""
    part = ALIGNMENT_SIDE // _SIDE
    means = np.empty((*thumbnails.shape[:2], _SIDE, _SIDE, 3), np.float32)
    for row, pair in enumerate(thumbnails):  # one by one: the thumbnails are mapped from a file
        means[row] = pair[..., :3].reshape(2, _SIDE, part, _SIDE, part, 3).mean((2, 4))
    return means


def _normalised(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the grey levels at mean 0 and spread 1, float32 (n, 2, 8, 8)."""
    grey = colours @ REC_601.astype(np.float32)
    grey -= grey.mean((2, 3), keepdims=True)
    shapes: NDArray[np.float32] = grey / (grey.std((2, 3), keepdims=True) + np.float32(_FLAT_LEVELS))
    return shapes


def _block_distances(
    pairs: pd.DataFrame, colours: NDArray[np.float32], shapes: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    left, right = _ends(pairs)
    least = [np.full(len(pairs), np.inf, np.float32) for _ in range(2)]
    for way in ("straight", "mirrored"):
        used = pairs[way].to_numpy(bool)
        for values, distance in zip((colours, shapes), least, strict=True):
            ours, theirs = values[left[used]], values[right[used]]
            ours = ours[:, :, :, ::-1] if way == "mirrored" else ours
            found = np.abs(ours - theirs).mean(tuple(range(2, ours.ndim))).min(1)
            distance[used] = np.minimum(distance[used], found)
    return least[0], least[1]


def _is_nearest(pairs: pd.DataFrame, distances: _CoarseDistances) -> NDArray[np.bool_]:
    """Return which pairs are among the `NEAREST` of either picture on either scale, or the first of a picture."""
    left, right = _ends(pairs)
    ends, others = np.concatenate([left, right]), np.concatenate([right, left])
    number = np.tile(np.arange(len(pairs)), 2)
    chosen = np.zeros(len(pairs), np.bool_)
    # The first candidate by row is shared by all pictures of one hash, so that it joins them where the nearest do not.
    for values, most in ((distances.colour, NEAREST), (distances.shape, NEAREST), (np.zeros(len(pairs)), 1)):
        order = np.lexsort((others, np.tile(values, 2), ends))
        starts = np.flatnonzero(np.diff(ends[order], prepend=-1))
        place = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
        chosen[number[order[place < most]]] = True
    return chosen


def _labels(pairs: pd.DataFrame, classes: Iterable[str], count: int) -> NDArray[np.int64]:
    some = pairs[pairs["class"].isin([*classes])]
    left, right = _ends(some)
    return clusters(count, Pairs(left, right, np.zeros(len(some), np.int64)))


def _ends(pairs: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return pairs["left"].to_numpy(np.int64), pairs["right"].to_numpy(np.int64)
