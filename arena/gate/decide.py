"""When an interval of a difference passes, fails, or decides nothing; how many images would decide; Holm over parts.

Everything here is of raw values. A margin m is 0 or more, an interval [low, high] is of candidate less baseline.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from arena.gate.keys import Rule
from arena.gate.verdict import Outcome
from arena.metrics.intervals import LEVEL
from arena.metrics.significance import holm

ONE_SIDED = (1 - LEVEL) / 2
"""The chance that a true loss of just the margin lies above an interval, and that it lies below."""

_Z = float(-special.ndtri(ONE_SIDED))

_ROUNDING = 1 + 1e-9
"""A p of 0.025 stays one after it went to a normal quantile and back."""

MOST_IMAGES = 10**9
"""More than that nobody holds out."""


class Seen(NamedTuple):
    """A difference with its interval; any may be NaN, where it is undefined."""

    difference: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether it can decide anything."""
        return not any(map(math.isnan, self))


def p_of_loss(seen: Seen, margin: float) -> float:
    """One-sided p of "no loss beyond the margin": 0.025 exactly where the interval ends at -margin; NaN where undefined.

    The interval is taken as normal about its own middle, so that p and interval say the same.

    >>> round(p_of_loss(Seen(-0.02, -0.03, -0.01), 0.01), 6), p_of_loss(Seen(-0.02, -0.02, -0.02), 0.01)
    (0.025, 0.0)
    """
    if not seen.known:
        return math.nan
    low, high = seen.low + margin, seen.high + margin  # first, so that nothing cancels where an end is close to -margin
    if low == high:
        return 0.0 if high < 0 else 1.0
    return float(special.ndtr(_Z * (low + high) / (high - low)))


def decide(seen: Seen, margin: float, *, rule: Rule = Rule.NON_INFERIORITY, p: float | None = None) -> Outcome:
    """Hold an interval against a margin.

    Args:
        rule: by non-inferiority the candidate must show that it is no worse; by regression the loss must be shown.
        p: of a loss beyond the margin, adjusted for the other parts it was asked with; None without any. A part whose
            interval fails and whose adjusted p does not is undecided.

    Returns: inconclusive where the interval is undefined.

    >>> cases = [Seen(0, -0.01, 0.01), Seen(-0.02, -0.03, -0.011), Seen(-0.02, -0.03, -0.01)]
    >>> [str(decide(one, 0.01)) for one in cases], str(decide(cases[2], 0.01, rule=Rule.REGRESSION))
    (['pass', 'fail', 'inconclusive'], 'pass')
    """
    if not seen.known:
        return Outcome.INCONCLUSIVE
    if seen.high < -margin and (p is None or p <= ONE_SIDED * _ROUNDING):
        return Outcome.FAIL
    if rule is Rule.REGRESSION or seen.low >= -margin:
        return Outcome.PASS
    return Outcome.INCONCLUSIVE


def adjusted(family: Sequence[Seen], margins: Sequence[float]) -> list[float]:
    """Holm's p of a loss beyond its margin for each part; NaN for those that are undefined, which do not count.

    >>> shown = Seen(-0.03, -0.035, -0.025)
    >>> [round(p, 4) for p in adjusted([Seen(-0.02, -0.03, -0.01), shown, Seen(0, -0.01, 0.01)], [0.01] * 3)]
    [0.05, 0.0, 0.975]
    """
    return [float(p) for p in holm(np.array([p_of_loss(seen, m) for seen, m in zip(family, margins, strict=True)]))]


def images_to_decide(seen: Seen, margin: float, images: int) -> int | None:
    """How many images would decide, were the difference to stay: each side of the interval shrinks with their root.

    Returns: None where the difference is the margin exactly or undefined, or more than `MOST_IMAGES` are needed.

    >>> images_to_decide(Seen(0.0, -0.02, 0.02), 0.01, 1000), images_to_decide(Seen(-0.01, -0.02, 0.0), 0.01, 1000)
    (4000, None)
    """
    if not seen.known or seen.difference == -margin:
        return None
    side = seen.difference - seen.low if seen.difference > -margin else seen.high - seen.difference
    ratio = side / (seen.difference + margin)
    needed = (
        images * ratio * ratio
    )  # a power would raise where a difference is all but the margin, and this is infinite
    return max(images, math.ceil(round(needed, 6))) if needed <= MOST_IMAGES else None
