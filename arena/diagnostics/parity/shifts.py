"""Search for a tag list that is shifted against its columns, by correlation; this works for retrained weights too."""

from typing import NamedTuple

import numpy as np

from arena.diagnostics.parity.measure import Float64s, logits
from arena.diagnostics.parity.pairs import ModelPair, ScoreFloats

_MAX_SHIFT_COLUMNS = 5
"""Largest shift that is tested, in columns."""

_MIN_CORRELATION_GAIN = 0.2
"""Smallest gain of the mean correlation of the moved tags that is reported; gains by chance are far smaller."""

_MIN_SHIFTED_TAGS = 8
"""Smallest number of moved tags; a few neighbouring tags may correlate because of their meaning."""

_MIN_IMPROVED_SHARE = 0.8
"""Smallest share of the moved tags that must correlate better with the shifted column than with their own."""

_SHIFT_LOGIT_LIMIT = 25.0
"""Limit of logits; high enough to distinguish the columns of rare tags."""


class Shift(NamedTuple):
    """A shift of a tag list against its columns.

    Attributes:
        columns: where the scores of a moved tag really are, relative to its column; positive is to the right.
        first: first moved tag.
        tags: number of moved tags.
        before, after: mean correlation of the moved tags with A's, in their columns and in the shifted ones.
    """

    columns: int
    first: str
    tags: int
    before: float
    after: float


def find_shift(pair: ModelPair, images: int = 1024) -> Shift | None:
    """Return the shift of B's tag list with the largest total gain in correlation; None if there is none.

    Args:
        images: largest number of common images to use.
    """
    a, b = pair.values(rows=slice(0, images))
    order = np.argsort(pair.columns_b)
    ours, theirs = _standard(b[:, order]), _standard(a[:, order])
    tags = [pair.tags[place] for place in order]
    own = (theirs * ours).mean(axis=0)
    found = [shift for step in _steps(len(tags)) if (shift := _shift(theirs, ours, own, step, tags)) is not None]
    return max(found, key=lambda shift: (shift.after - shift.before) * shift.tags, default=None)


def _steps(tags: int) -> list[int]:
    reach = min(_MAX_SHIFT_COLUMNS, tags - 1)
    return [step for size in range(1, reach + 1) for step in (size, -size)]


def _shift(theirs: Float64s, ours: Float64s, own: Float64s, step: int, tags: list[str]) -> Shift | None:
    """Return the shift by one step, starting at the tag with the largest gain; None if it fails a limit."""
    places = np.arange(max(0, -step), min(len(tags), len(tags) - step))
    moved = (theirs[:, places] * ours[:, places + step]).mean(axis=0)
    gain = moved - own[places]
    start = int(np.cumsum(gain[::-1])[::-1].argmax())
    chosen = places[start:]
    agreeing = float((gain[start:] > 0).mean())
    if len(chosen) < _MIN_SHIFTED_TAGS or gain[start:].mean() < _MIN_CORRELATION_GAIN or agreeing < _MIN_IMPROVED_SHARE:
        return None
    before, after = float(own[chosen].mean()), float(moved[start:].mean())
    return Shift(step, tags[int(chosen[0])], len(chosen), before, after)


def _standard(scores: ScoreFloats) -> Float64s:
    """Return the logits of each column, scaled to mean 0 and standard deviation 1; a constant column becomes 0."""
    values = logits(scores, _SHIFT_LOGIT_LIMIT)
    values -= values.mean(axis=0)
    deviation = values.std(axis=0)
    standard: Float64s = np.divide(values, deviation, out=np.zeros_like(values), where=deviation > 0)
    return standard
