"""Causes that scores alone can show: a sigmoid too many, and a tag list that is out of step with its columns."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.diagnostics.parity.measure import logits
from arena.diagnostics.parity.pairs import Floats, Integers, Pair
from arena.diagnostics.parity.verdict import Finding

LOOKED_AT = 256
"""Images by which causes are searched: enough to tell 10,000 columns apart, and quick."""

LEAST_IMAGES = 12
"""With fewer images, columns of other tags come near by chance."""

HALVED = 0.5
"""A change of B that brings the mean difference below this part of what it was is worth a word, if not the whole cause."""

AGREEING = 0.9
"""The part of the tags that must agree, each in its new column, before their list is blamed."""

SHIFTED = 0.8
"""The part of the moved tags that must have moved by the same number of columns before it is called a shift."""

DEEP = 25.0
"""Where logits are cut off to tell columns of rare tags apart: float32 holds small probabilities well."""

Transform = Callable[[Floats], Floats]


class Search(NamedTuple):
    """Where the search for the cause stands.

    Attributes:
        before: the largest difference at first.
        after, mean: what remains of it, and of the mean one.
        cause, says: one a change of B so far.
        transform: what was done to B's scores.
    """

    before: float
    after: float
    mean: float
    cause: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    transform: Transform = lambda values: values

    def finding(self, images: int, tolerance: float) -> Finding | None:
        """What was found, or None."""
        if not self.says:
            return None
        what = "+".join(self.cause), " and ".join(self.says)
        return Finding(*what, images, before=self.before, after=self.after, agrees=self.after <= tolerance)


def search_scores(pair: Pair, tolerance: float) -> Search:
    """Look for a sigmoid too many, then for shifted tags, on the first `LOOKED_AT` common images."""
    a, b = pair.values(rows=slice(0, LOOKED_AT))
    return _search_columns(pair, a, _search_sigmoid(a, b), tolerance)


class Distance(NamedTuple):
    """Of two blocks of scores, absolute."""

    largest: float
    mean: float


def distances(a: Floats, b: Floats) -> Distance:
    """The largest and the mean absolute difference."""
    difference = np.abs(a.astype(np.float64) - b)
    return Distance(float(difference.max()), float(difference.mean()))


def _search_sigmoid(a: Floats, b: Floats) -> Search:
    """Whether B comes nearer with one sigmoid less, or one more."""
    before, mean = distances(a, b)
    start = Search(before, before, mean)
    tried = [
        start._replace(after=largest, mean=apart, cause=("sigmoid",), says=(says,), transform=transform)
        for says, transform in (
            ("one sigmoid is taken off its scores: they have been through two", _one_less),
            ("its scores go through one more sigmoid: A's have been through two", _one_more),
        )
        for largest, apart in [distances(a, transform(b))]
    ]
    best = min(tried, key=lambda search: search.mean)
    return best if best.mean < HALVED * mean else start


def _one_less(values: Floats) -> Floats:
    """What a sigmoid made of values in [0, 1]; those that it cannot have made become 0 or 1."""
    return np.clip(logits(values), 0, 1).astype(np.float32)


def _one_more(values: Floats) -> Floats:
    return (1 / (1 + np.exp(-values.astype(np.float64)))).astype(np.float32)


def _search_columns(pair: Pair, a: Floats, so_far: Search, tolerance: float) -> Search:
    """Whether B's columns belong to other tags than its list says."""
    if len(a) < LEAST_IMAGES or so_far.after <= tolerance:
        return so_far
    images = slice(0, LOOKED_AT)
    every = replace(pair, columns_b=np.arange(len(pair.b.scores.tags))).values(rows=images).b
    every = so_far.transform(every)
    found = nearest_columns(a, every)
    moved = found != pair.columns_b
    agree = np.abs(a - every[:, found]).max(axis=0) <= tolerance
    if not moved.any() or agree.mean() < AGREEING or not (agree & moved).any():
        return so_far
    largest, mean = distances(a, every[:, found])
    return so_far._replace(
        after=largest, mean=mean, cause=(*so_far.cause, "tags"), says=(*so_far.says, _how_moved(pair, found))
    )


def nearest_columns(a: Floats, b: Floats) -> Integers:
    """For each column of `a` the column of `b` that is nearest in logits, by squared distance; the first of equal ones.

    Returns: int64 (columns of a,).

    >>> scores = np.array([[0.1, 0.7, 0.2], [0.3, 0.9, 0.1]], np.float32)
    >>> nearest_columns(scores, scores[:, [2, 0, 1]]).tolist()
    [1, 2, 0]
    """
    left, right = logits(a, DEEP), logits(b, DEEP)
    lengths = (right**2).sum(axis=0)
    blocks = (left[:, start : start + 1024] for start in range(0, left.shape[1], 1024))
    return np.concatenate([np.argmin(lengths - 2 * block.T @ right, axis=1) for block in blocks])


def _how_moved(pair: Pair, found: NDArray[np.int64]) -> str:
    """The shift that explains most, and from which tag on; or that the order is another."""
    steps = found - pair.columns_b
    moved = np.flatnonzero(steps)
    offsets, counts = np.unique(steps[moved], return_counts=True)
    offset = int(offsets[counts.argmax()])
    if counts.max() < SHIFTED * len(moved):
        name = pair.tags[int(moved[0])]
        return f"its tag list is put in another order ({len(moved):,} of {len(pair.tags):,} tags, the first {name!r})"
    rows = np.where(steps == offset, pair.columns_b, len(pair.b.scores.tags))
    first = int(rows.argmin())
    return f"its tag list is shifted by {offset:+d} from {pair.tags[first]!r} (row {int(rows[first])}) on"
