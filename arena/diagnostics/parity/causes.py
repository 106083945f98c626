"""Search for causes that scores alone reveal: one sigmoid too many, and tag names assigned to the wrong columns."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.diagnostics.parity.measure import logits
from arena.diagnostics.parity.pairs import ModelPair, ParityIntegers, ScoreFloats
from arena.diagnostics.parity.verdict import CauseFinding

MAX_CAUSE_IMAGES = 256
"""Number of images for the search: enough to distinguish 10,000 columns, and fast."""

_MIN_CAUSE_IMAGES = 12
"""Smallest number of images; with fewer, columns of different tags are similar by chance."""

MAX_REMAINING_SHARE = 0.5
"""A change of B is reported if it reduces the mean difference below this share of its value before."""

_MIN_AGREEING_SHARE = 0.9
"""Smallest share of tags that must agree in their new columns before the tag list is reported as the cause."""

_MIN_SHIFTED_SHARE = 0.8
"""Smallest share of the moved tags that must have moved by the same number of columns to be called a shift."""

_COLUMN_LOGIT_LIMIT = 25.0
"""Limit of logits when columns are compared: high enough to distinguish rare tags, whose probabilities are small."""

ScoreTransform = Callable[[ScoreFloats], ScoreFloats]


class CauseSearch(NamedTuple):
    """State of the search for the cause.

    Attributes:
        before: largest absolute difference without any change.
        after, mean: largest and mean absolute difference with the changes found so far.
        cause, says: key and description of each change of B so far.
        transform: the change of B's scores.
    """

    before: float
    after: float
    mean: float
    cause: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    transform: ScoreTransform = lambda values: values

    def finding(self, images: int, tolerance: float) -> CauseFinding | None:
        """Return the changes found so far; None without any."""
        if not self.says:
            return None
        what = "+".join(self.cause), " and ".join(self.says)
        return CauseFinding(*what, images, before=self.before, after=self.after, agrees=self.after <= tolerance)


def search_scores(pair: ModelPair, tolerance: float) -> CauseSearch:
    """Search for one sigmoid too many, then for shifted tags, on the first `MAX_CAUSE_IMAGES` common images."""
    a, b = pair.values(rows=slice(0, MAX_CAUSE_IMAGES))
    return _search_columns(pair, a, _search_sigmoid(a, b), tolerance)


class _ScoreDistance(NamedTuple):
    """Absolute difference of two blocks of scores."""

    largest: float
    mean: float


def score_distance(a: ScoreFloats, b: ScoreFloats) -> _ScoreDistance:
    """Return the largest and the mean absolute difference."""
    difference = np.abs(a.astype(np.float64) - b)
    return _ScoreDistance(float(difference.max()), float(difference.mean()))


def _search_sigmoid(a: ScoreFloats, b: ScoreFloats) -> CauseSearch:
    """Try one sigmoid less and one more on B; keep the better if it reduces the mean difference enough."""
    before, mean = score_distance(a, b)
    start = CauseSearch(before, before, mean)
    tried = [
        start._replace(after=largest, mean=apart, cause=("sigmoid",), says=(says,), transform=transform)
        for says, transform in (
            ("one sigmoid is removed from its scores, which have been through two", _one_less),
            ("its scores go through another sigmoid, as A's have been through two", _one_more),
        )
        for largest, apart in [score_distance(a, transform(b))]
    ]
    best = min(tried, key=lambda search: search.mean)
    return best if best.mean < MAX_REMAINING_SHARE * mean else start


def _one_less(values: ScoreFloats) -> ScoreFloats:
    """Invert a sigmoid of values in [0, 1]; values that it cannot have produced become 0 or 1."""
    return np.clip(logits(values), 0, 1).astype(np.float32)


def _one_more(values: ScoreFloats) -> ScoreFloats:
    return (1 / (1 + np.exp(-values.astype(np.float64)))).astype(np.float32)


def _search_columns(pair: ModelPair, a: ScoreFloats, so_far: CauseSearch, tolerance: float) -> CauseSearch:
    """Test whether B's columns belong to other tags than its list says."""
    if len(a) < _MIN_CAUSE_IMAGES or so_far.after <= tolerance:
        return so_far
    images = slice(0, MAX_CAUSE_IMAGES)
    every = replace(pair, columns_b=np.arange(len(pair.b.scores.tags))).values(rows=images).b
    every = so_far.transform(every)
    found = _nearest_columns(a, every)
    moved = found != pair.columns_b
    agree = np.abs(a - every[:, found]).max(axis=0) <= tolerance
    if not moved.any() or agree.mean() < _MIN_AGREEING_SHARE or not (agree & moved).any():
        return so_far
    largest, mean = score_distance(a, every[:, found])
    return so_far._replace(
        after=largest, mean=mean, cause=(*so_far.cause, "tags"), says=(*so_far.says, _how_moved(pair, found))
    )


def _nearest_columns(a: ScoreFloats, b: ScoreFloats) -> ParityIntegers:
    """Return for each column of `a` the nearest column of `b`, by squared distance of logits; ties take the first.

    Returns: int64 (columns of a,).

    >>> scores = np.array([[0.1, 0.7, 0.2], [0.3, 0.9, 0.1]], np.float32)
    >>> _nearest_columns(scores, scores[:, [2, 0, 1]]).tolist()
    [1, 2, 0]
    """
    left, right = logits(a, _COLUMN_LOGIT_LIMIT), logits(b, _COLUMN_LOGIT_LIMIT)
    lengths = (right**2).sum(axis=0)
    blocks = (left[:, start : start + 1024] for start in range(0, left.shape[1], 1024))
    return np.concatenate([np.argmin(lengths - 2 * block.T @ right, axis=1) for block in blocks])


def _how_moved(pair: ModelPair, found: NDArray[np.int64]) -> str:
    """Describe the most common shift and the first tag that it moves; or a new order."""
    steps = found - pair.columns_b
    moved = np.flatnonzero(steps)
    offsets, counts = np.unique(steps[moved], return_counts=True)
    offset = int(offsets[counts.argmax()])
    if counts.max() < _MIN_SHIFTED_SHARE * len(moved):
        name = pair.tags[int(moved[0])]
        return f"its tag list is reordered ({len(moved):,} of {len(pair.tags):,} tags move, first {name!r})"
    rows = np.where(steps == offset, pair.columns_b, len(pair.b.scores.tags))
    first = int(rows.argmin())
    return f"its tag list is shifted by {offset:+d}, starting at {pair.tags[first]!r} (row {int(rows[first])})"
