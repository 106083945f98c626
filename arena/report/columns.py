"""Numbers as the page's data stores them: null if undefined, and only as many digits as the page needs."""

import math
from collections.abc import Iterable

from arena.base.format import DECIDED

DIGITS = 10
"""Digits after the point in the page's data; with fewer, the four displayed digits could be rounded twice."""

NEARLY = (0.00001, 0.99999, -0.00001, -0.99999)
"""Values that `rounded_number` returns for values near 0, 1 or -1 that would otherwise be rounded to 0, 1 or -1."""

Number = float | int | None


def exact_number(value: float | int | None) -> Number:
    """Return a value with `DIGITS` digits, so that the page rounds it as it would the exact value; None if undefined."""
    if value is None or math.isnan(value):
        return None
    return int(value) if float(value).is_integer() else round(value, DIGITS)


def rounded_number(value: float | None) -> Number:
    """Return a value rounded to the four displayed digits; only an exact -1, 0 or 1 gives -1, 0 or 1.

    >>> [rounded_number(value) for value in (0.123456, 0.00001, -0.99999, 1.0, float("nan"))]
    [0.1235, 1e-05, -0.99999, 1, None]
    """
    if value is None or math.isnan(value):
        return None
    short = round(value, 4)
    if short in (-1, 0, 1) and short != value:
        return math.copysign(NEARLY[0] if short == 0 else NEARLY[1], value)
    return int(short) if float(short).is_integer() else short


def rounded_probability(value: float | None) -> Number:
    """Return a p or q value with two significant digits, never rounded down to `DECIDED` or up to 1; at least 0.00001.

    >>> [rounded_probability(value) for value in (0.46956321, 0.0500001, 2e-23, 0.999, None)]
    [0.47, 0.0501, 1e-05, 0.999, None]
    """
    if value is None or math.isnan(value):
        return None
    short = max(float(f"{value:.2f}" if value >= 0.0995 else f"{value:.2g}"), 0.00001)
    if short <= DECIDED < value:
        short = 0.0501
    if short == 1 != value:
        short = 0.999
    return int(short) if short.is_integer() else short


def exact_column(values: Iterable[float | int | None]) -> list[Number]:
    """Return the values of a column, each through `exact_number`."""
    return [exact_number(value) for value in values]
