"""The digits of the page: Python and the scripts print the same text."""

from __future__ import annotations

from typing import Any

import numpy as np

from arena.base.format import digits_of_support, estimate, figure, known_digits, signed
from arena.report.html import template_text

SHOW = """(cases) => {{
{script}
return cases.map(([value, low, high, support]) => [
    figure(value, knownDigits([low, high])), signed(value, knownDigits([low, high])), rangeText([low, high]),
    rangeText([low, high], signed), figure(value, digitsOfSupport(support)), figure(value),
]);
}}"""

SPECIAL = [
    (0.125, 0.0, 0.5, 10), (0.0625, 0.0, 0.05, 762), (0.03125, 0.03, 0.035, 763), (0.00001, 0.0, 0.1, 76_000),
    (0.99999, 0.9, 1.0, 77_000), (0.0, 0.0, 0.0, 0), (1.0, 0.9, 1.0, 1), (-0.0004, -0.02, 0.02, 5), (-0.99999, -1.0, -0.9, 5),
    (0.996, 0.9, 1.0, 5), (0.12496, 0.0, 0.5, 5), (0.0355, 0.0, 0.071, 5),
    (0.5, 0.46455, 0.53545, 5), (0.5, 0.49645, 0.50355, 5),
]  # fmt: skip


def test_python_and_the_scripts_print_the_same_digits(page: Any) -> None:
    rng = np.random.default_rng(0)
    drawn = rng.uniform(-1, 1, (400, 1)), 10 ** rng.uniform(-4, -0.5, (400, 2)), 10 ** rng.uniform(0, 6, (400, 1))
    cases = [*SPECIAL, *((v, v - a, v + b, int(n)) for v, a, b, n in np.hstack(drawn).tolist())]
    # The page stores four digits.
    cases = [(value, round(low, 4), round(high, 4), support) for value, low, high, support in cases]
    shown = page.evaluate(SHOW.format(script=template_text("comparison/js/format.js")), cases)
    for case, texts in zip(cases, shown, strict=True):
        value, low, high, support = case
        plain, difference = estimate(value, low, high), estimate(value, low, high, signed)
        wanted = [plain.value, difference.value, plain.interval, difference.interval]
        assert texts == [*wanted, figure(value, digits_of_support(support)), figure(value)], case


def test_the_digits_follow_the_interval() -> None:
    assert str(estimate(0.8519, 0.6640, 0.9430)) == "0.85 [0.66, 0.94]", "23 positives"
    assert str(estimate(0.8519, 0.8319, 0.8719)) == "0.852 [0.832, 0.872]"
    assert str(estimate(0.8519, 0.8491, 0.8547)) == "0.8519 [0.8491, 0.8547]"
    assert [known_digits(0.5 - half, 0.5 + half) for half in (0.4, 0.0356, 0.0354, 0.0036, 0.0035, 0)] == [
        2,
        2,
        3,
        3,
        4,
        4,
    ]
    assert str(estimate(0.0002, -0.1, 0.1, signed)) == "<+0.01 [−0.10, +0.10]", "rounding shows no 0 that is none"
    assert str(estimate(0.04, 0.001, 0.08, signed)) == "+0.04 [<+0.01, +0.08]", (
        "an interval above 0 does not seem to reach it"
    )
