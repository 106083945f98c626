"""A tag list that is out of step with its columns, told from how scores go together: it holds for retrained weights too."""

from typing import NamedTuple

import numpy as np

from arena.diagnostics.parity.measure import Doubles, logits
from arena.diagnostics.parity.pairs import Floats, Pair

FARTHEST = 5
"""Columns by which a list is thought to be shifted at most."""

LEAST_GAIN = 0.2
"""By how much the mean correlation of the moved tags must rise before a shift is named; that of chance is far below it."""

LEAST_TAGS = 8
"""Tags that must have moved together: a few neighbours may go together by their meaning."""

LEAST_AGREEING = 0.8
"""The part of the moved tags that must go better with their neighbour's column than with their own."""

DEEP = 25.0
"""Where logits are cut off, to tell columns of rare tags apart."""


class Shift(NamedTuple):
    """A tag list shifted by some columns from a tag on.

    Attributes:
        columns: to where the scores of each tag are in fact; positive is further right.
        before, after: mean correlation of the moved tags with the baseline's, as they stand and moved back.
    """

    columns: int
    first: str
    tags: int
    before: float
    after: float


def find_shift(pair: Pair, images: int = 1024) -> Shift | None:
    """The shift of B's list against its columns that explains most, if any does.

    Args:
        images: how many of the common images are looked at.
    """
    a, b = pair.values(rows=slice(0, images))
    order = np.argsort(pair.columns_b)
    ours, theirs = _standard(b[:, order]), _standard(a[:, order])
    tags = [pair.tags[place] for place in order]
    own = (theirs * ours).mean(axis=0)
    found = [shift for step in _steps(len(tags)) if (shift := _shift(theirs, ours, own, step, tags)) is not None]
    return max(found, key=lambda shift: (shift.after - shift.before) * shift.tags, default=None)


def _steps(tags: int) -> list[int]:
    reach = min(FARTHEST, tags - 1)
    return [step for size in range(1, reach + 1) for step in (size, -size)]


def _shift(theirs: Doubles, ours: Doubles, own: Doubles, step: int, tags: list[str]) -> Shift | None:
    """One step: from which tag on it explains most, and whether that is enough."""
    places = np.arange(max(0, -step), min(len(tags), len(tags) - step))
    moved = (theirs[:, places] * ours[:, places + step]).mean(axis=0)
    gain = moved - own[places]
    start = int(np.cumsum(gain[::-1])[::-1].argmax())
    chosen = places[start:]
    agreeing = float((gain[start:] > 0).mean())
    if len(chosen) < LEAST_TAGS or gain[start:].mean() < LEAST_GAIN or agreeing < LEAST_AGREEING:
        return None
    before, after = float(own[chosen].mean()), float(moved[start:].mean())
    return Shift(step, tags[int(chosen[0])], len(chosen), before, after)


def _standard(scores: Floats) -> Doubles:
    """Logits of each column with mean 0 and deviation 1; a constant column becomes 0."""
    values = logits(scores, DEEP)
    values -= values.mean(axis=0)
    deviation = values.std(axis=0)
    standard: Doubles = np.divide(values, deviation, out=np.zeros_like(values), where=deviation > 0)
    return standard
