"""Numbers as the page's data stores them."""

import math
import random

from arena.report.columns import exact_column, exact_number, rounded_column, rounded_number


def values() -> list[float | int | None]:
    """Return values at random, values in the middle of two rounded ones, and special ones."""
    rng = random.Random(0)
    middles = [k / 20_000 for k in range(-20_000, 20_001, 3)]
    special = [None, math.nan, 0.0, -0.0, 1, -1.0, 1e-6, -1e-6, 0.99996, -0.99996, 123456.123456789, 10**17, 40_000]
    return [*(rng.uniform(-1, 1) for _ in range(5_000)), *middles, *special, *(k / 2**11 for k in range(2_049))]


def test_a_column_is_rounded_as_its_numbers() -> None:
    assert list(map(repr, rounded_column(values()))) == [repr(rounded_number(value)) for value in values()]
    assert list(map(repr, exact_column(values()))) == [repr(exact_number(value)) for value in values()]
