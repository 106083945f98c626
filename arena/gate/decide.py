"""Decision rules: the outcome of an interval and a margin; images needed to decide; Holm's correction.

All values are unrounded. A margin is 0 or more. An interval [low, high] is of the difference candidate minus baseline.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from arena.gate.keys import DecisionRule
from arena.gate.verdict import Outcome
from arena.metrics.intervals import LEVEL
from arena.metrics.significance import holm, minimum_detectable

ONE_SIDED = (1 - LEVEL) / 2
"""Probability that the true difference is above the interval; the same for below."""

_Z = float(-special.ndtri(ONE_SIDED))

_ROUNDING = 1 + 1e-9
"""Tolerance for p: 0.025 changes in its last digits when it is converted to a normal quantile and back."""

_MAX_IMAGES_TO_DECIDE = 10**9
"""Largest number of images that is worth naming; no held-out set is larger."""


class DifferenceInterval(NamedTuple):
    """A difference with its 95 % interval; NaN where undefined."""

    difference: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether all three values are defined."""
        return not any(map(math.isnan, self))


def p_of_loss(interval: DifferenceInterval, margin: float) -> float:
    """Return the one-sided p of the null hypothesis "no loss beyond the margin"; NaN where undefined.

    The distribution is taken as normal about the middle of the interval, so that p and interval agree: p is 0.025 exactly where
    the interval ends at -margin.

    >>> at_margin, exact = DifferenceInterval(-0.02, -0.03, -0.01), DifferenceInterval(-0.02, -0.02, -0.02)
    >>> round(p_of_loss(at_margin, 0.01), 6), p_of_loss(exact, 0.01)
    (0.025, 0.0)
    """
    if not interval.known:
        return math.nan
    low, high = interval.low + margin, interval.high + margin  # added first: no cancellation for ends near -margin
    if low == high:
        return 0.0 if high < 0 else 1.0
    return float(special.ndtr(_Z * (low + high) / (high - low)))


def decide_outcome(
    interval: DifferenceInterval,
    margin: float,
    *,
    rule: DecisionRule = DecisionRule.NON_INFERIORITY,
    p: float | None = None,
) -> Outcome:
    """Compare an interval with a margin.

    Args:
        rule: each rule fails if a loss beyond the margin is shown. Non-inferiority passes only if one is ruled out, measured
            only if none is measured, regression in all other cases: there a measured loss that is not proven is "not shown".
        p: p of a loss beyond the margin, adjusted for the parts tested together; None for a single test. A part does not fail
            if its interval is below -margin but its adjusted p is above 0.025.

    Returns: pass, fail, inconclusive or not shown; inconclusive where the interval is undefined.

    >>> ends = [(0, -0.01, 0.01), (-0.02, -0.03, -0.011), (-0.02, -0.03, -0.01)]
    >>> cases = [DifferenceInterval(*one) for one in ends]
    >>> [str(decide_outcome(one, 0.01)) for one in cases], str(decide_outcome(cases[2], 0.01, rule=DecisionRule.REGRESSION))
    (['pass', 'fail', 'inconclusive'], 'not_shown')
    """
    if not interval.known:
        return Outcome.INCONCLUSIVE
    if interval.high < -margin and (p is None or p <= ONE_SIDED * _ROUNDING):
        return Outcome.FAIL
    if interval.low >= -margin:
        return Outcome.PASS
    if rule is DecisionRule.NON_INFERIORITY:
        return Outcome.INCONCLUSIVE
    if interval.difference >= -margin:
        return Outcome.PASS
    return Outcome.INCONCLUSIVE if rule is DecisionRule.MEASURED else Outcome.NOT_SHOWN


def holm_adjusted(family: Sequence[DifferenceInterval], margins: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p of a loss beyond the margin, for each part; NaN for undefined parts, which are not counted.

    >>> ends = [(-0.02, -0.03, -0.01), (-0.03, -0.035, -0.025), (0, -0.01, 0.01)]
    >>> [round(p, 4) for p in holm_adjusted([DifferenceInterval(*one) for one in ends], [0.01] * 3)]
    [0.05, 0.0, 0.975]
    """
    return [
        float(p) for p in holm(np.array([p_of_loss(interval, m) for interval, m in zip(family, margins, strict=True)]))
    ]


def images_to_decide(interval: DifferenceInterval, margin: float, images: int) -> int | None:
    """Return how many images rule out a loss beyond the margin with 80 % power if the true difference is 0.

    The number is n ((1.96 + 0.84) SE / margin)². It depends on the width of the interval, not on the measured difference,
    which in a repetition would be another.

    Args:
        images: number of images n behind the interval, 1 or more.

    Returns: None where the interval is undefined, the margin is 0, or more than `_MAX_IMAGES_TO_DECIDE` are needed.

    >>> even, better = DifferenceInterval(0.0, -0.02, 0.02), DifferenceInterval(0.005, -0.015, 0.025)
    >>> images_to_decide(even, 0.01, 1000), images_to_decide(better, 0.01, 1000)
    (8173, 8173)
    """
    if not interval.known:
        return None
    ratio = detectable(interval) / margin if margin else math.inf
    needed = images * ratio * ratio  # not ratio**2: that raises OverflowError for a tiny margin, this gives infinity
    return max(1, math.ceil(round(needed, 6))) if needed <= _MAX_IMAGES_TO_DECIDE else None


def detectable(interval: DifferenceInterval) -> float:
    """Return the true loss that an interval of this width detects with 80 % power: 2.80 standard errors.

    It is also the smallest margin within which a candidate without a loss is shown to be, four times in five.
    """
    return float(minimum_detectable((interval.high - interval.low) / 2 / _Z))
