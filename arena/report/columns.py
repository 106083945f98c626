"""Numbers as the page's data stores them: null if undefined, and only as many digits as the page needs."""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

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
    return _plain(_rounded(_numbers(values), DIGITS))


def rounded_column(values: Iterable[float | int | None]) -> list[Number]:
    """Return the values of a column, each through `rounded_number`.

    >>> rounded_column([0.123456, -0.00001, None, 1.0])
    [0.1235, -1e-05, None, 1]
    """
    return _plain(rounded_values(_numbers(values)))


def rounded_values(exact: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each value through `rounded_number`, as an array; NaN stays NaN."""
    short = _rounded(exact, 4)
    moved = np.isin(short, (-1.0, 0.0, 1.0)) & (short != exact)
    short[moved] = np.copysign(np.where(short[moved] == 0, NEARLY[0], NEARLY[1]), exact[moved])
    return short


def _numbers(values: Iterable[float | int | None]) -> NDArray[np.float64]:
    """Return values as an array; None becomes NaN."""
    return np.array([math.nan if value is None else value for value in values], np.float64)


def _rounded(exact: NDArray[np.float64], digits: int) -> NDArray[np.float64]:
    """Return each value rounded as by `round`; `round` itself is used near a tie, where the scaled product may be inexact."""
    scaled = exact * 10.0**digits
    short = np.rint(scaled) / 10.0**digits
    unsure = (np.abs(np.abs(scaled - np.trunc(scaled)) - 0.5) < 1e-3) | (np.abs(scaled) > 2.0**50)
    for place in np.flatnonzero(unsure).tolist():
        short[place] = round(exact[place].item(), digits)
    return short


def _plain(values: NDArray[np.float64]) -> list[Number]:
    """Return numbers for JSON: integers where they are whole, None where they are NaN."""
    plain: list[Number] = values.tolist()
    for place in np.flatnonzero(values == np.trunc(values)).tolist():
        plain[place] = int(values[place])
    for place in np.flatnonzero(np.isnan(values)).tolist():
        plain[place] = None
    return plain
