"""Figures as the page's data holds them: null where undefined, and only as many digits as are needed."""

import math
from collections.abc import Iterable

from arena.base.format import DECIDED

DIGITS = 10
"""Digits of a figure in the page's data; with fewer, the four that are shown could be rounded twice."""

NEARLY = (0.00001, 0.99999, -0.00001, -0.99999)
"""What `rounded` makes of what is nearly 0 or 1, and would be shown as it."""

Number = float | int | None


def number(value: float | int | None) -> Number:
    """A figure with more digits than a page shows, so that it rounds as the exact one; null where undefined."""
    if value is None or math.isnan(value):
        return None
    return int(value) if float(value).is_integer() else round(value, DIGITS)


def rounded(value: float | None) -> Number:
    """A figure with the four digits that are shown, for columns that are only shown; never 0 or 1 for what is not.

    >>> rounded(0.123456), rounded(0.00001), rounded(-0.99999), rounded(1.0), rounded(float("nan"))
    (0.1235, 1e-05, -0.99999, 1, None)
    """
    if value is None or math.isnan(value):
        return None
    short = round(value, 4)
    if short in (-1, 0, 1) and short != value:
        return math.copysign(NEARLY[0] if short == 0 else NEARLY[1], value)
    return int(short) if float(short).is_integer() else short


def probability(value: float | None) -> Number:
    """A p or q as far as it is shown: two digits, more only to stay on the side of `DECIDED` and of 1; at least 0.00001.

    >>> probability(0.46956321), probability(0.0500001), probability(2e-23), probability(0.999), probability(None)
    (0.47, 0.0501, 1e-05, 0.999, None)
    """
    if value is None or math.isnan(value):
        return None
    short = max(float(f"{value:.2f}" if value >= 0.0995 else f"{value:.2g}"), 0.00001)
    if short <= DECIDED < value:
        short = 0.0501
    if short == 1 != value:
        short = 0.999
    return int(short) if short.is_integer() else short


def column(values: Iterable[float | int | None]) -> list[Number]:
    """Numbers as `number` gives them."""
    return [number(value) for value in values]
