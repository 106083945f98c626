"""Intervals against margins: three outcomes, what lies on the edge, Holm by hand, and what must hold of any interval."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr

from arena.gate.decide import Seen, adjusted, decide, images_to_decide, p_of_loss
from arena.gate.keys import Rule
from arena.gate.verdict import Outcome
from arena.metrics.significance import holm

NAN = math.nan
numbers = st.floats(-1, 1).map(lambda number: number + 0.0)  # no negative zero
margins = st.floats(0, 1)
rules = st.sampled_from(list(Rule))


@st.composite
def intervals(draw: st.DrawFn) -> Seen:
    low, high = sorted((draw(numbers), draw(numbers)))
    return Seen(draw(st.floats(low, high)), low, high)


@pytest.mark.parametrize(
    ("seen", "non_inferiority", "regression"),
    [
        (Seen(0.0, -0.01, 0.02), "pass", "pass"),  # L = -margin passes
        (Seen(0.0, -0.0100001, 0.02), "inconclusive", "pass"),
        (Seen(-0.02, -0.03, -0.01), "inconclusive", "not_shown"),  # U = -margin does not fail
        (Seen(-0.01, -0.03, 0.01), "inconclusive", "pass"),  # a measured loss of the margin is not beyond it
        (Seen(-0.0624, -0.1167, -0.0), "inconclusive", "not_shown"),
        (Seen(-0.02, -0.03, -0.0100001), "fail", "fail"),
        (Seen(-0.01, -0.01, -0.01), "pass", "pass"),  # a loss of just the margin, known exactly
        (Seen(NAN, NAN, NAN), "inconclusive", "inconclusive"),
        (Seen(0.1, NAN, NAN), "inconclusive", "inconclusive"),
    ],
)
def test_outcomes_at_a_margin_of_a_hundredth(seen: Seen, non_inferiority: str, regression: str) -> None:
    assert decide(seen, 0.01) == non_inferiority
    assert decide(seen, 0.01, rule=Rule.REGRESSION) == regression


def test_holm_by_hand() -> None:
    # Middles 0.02, 0.015 and 0.012 below the margin with half intervals of 0.01: z of -3.92, -2.94 and -2.35.
    family = [Seen(-m, -m - 0.01, -m + 0.01) for m in (0.030, 0.025, 0.022)]
    p = adjusted(family, [0.01] * 3)
    assert p == pytest.approx([3 * 4.4278e-05, 2 * 0.00164, 0.00933], rel=2e-3)
    assert [decide(seen, 0.01, p=one) for seen, one in zip(family, p, strict=True)] == ["fail"] * 3
    # Five that just fail alone do not together: z of -2.156, p 0.0155, times five.
    five = [Seen(-0.021, -0.031, -0.011)] * 5
    held = adjusted(five, [0.01] * 5)
    assert held == pytest.approx([5 * 0.01555] * 5, rel=2e-3)
    assert {decide(seen, 0.01, p=one) for seen, one in zip(five, held, strict=True)} == {Outcome.INCONCLUSIVE}
    assert decide(five[0], 0.01, p=held[0], rule=Rule.REGRESSION) is Outcome.NOT_SHOWN


def test_an_undefined_part_costs_the_others_nothing() -> None:
    seen = Seen(-0.02, -0.03, -0.011)
    alone, with_nothing = adjusted([seen], [0.01]), adjusted([seen, Seen(NAN, NAN, NAN)], [0.01, 0.01])
    assert with_nothing[0] == alone[0] == p_of_loss(seen, 0.01)
    assert math.isnan(with_nothing[1])


@given(intervals(), margins, margins, rules)
def test_a_wider_margin_never_makes_it_worse(seen: Seen, one: float, other: float, rule: Rule) -> None:
    order = [Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.NOT_SHOWN, Outcome.PASS]
    narrow, wide = sorted((one, other))
    assert order.index(decide(seen, wide, rule=rule)) >= order.index(decide(seen, narrow, rule=rule))
    assert p_of_loss(seen, wide) >= p_of_loss(seen, narrow)


@given(intervals(), margins)
def test_alone_the_p_and_the_interval_say_the_same(seen: Seen, margin: float) -> None:
    [p] = adjusted([seen], [margin])
    assert decide(seen, margin, p=p) == decide(seen, margin)


@given(st.lists(intervals(), min_size=1, max_size=6), margins)
def test_holm_is_that_of_the_metrics_and_never_makes_a_part_fail(family: list[Seen], margin: float) -> None:
    p = adjusted(family, [margin] * len(family))
    assert p == pytest.approx(list(holm(np.array([p_of_loss(seen, margin) for seen in family]))))
    for seen, one in zip(family, p, strict=True):
        if decide(seen, margin) is not Outcome.FAIL:
            assert decide(seen, margin, p=one) is not Outcome.FAIL


@given(intervals(), margins)
def test_so_many_images_rule_out_the_loss_with_eighty_percent_power(seen: Seen, margin: float) -> None:
    needed = images_to_decide(seen, margin, 1000)
    if needed is None:
        return
    assert _power(seen, margin, needed) >= 0.8 - 1e-5
    assert needed == 1 or _power(seen, margin, needed - 1) < 0.8 + 1e-5, "no more images than necessary"


def _power(seen: Seen, margin: float, images: int) -> float:
    """The probability that the lower end is above -margin if the true difference is 0; the interval is of 1,000 images."""
    error = (seen.high - seen.low) / 2 / 1.959964 * math.sqrt(1000 / images)
    return 1.0 if error == 0 else float(ndtr(margin / error - 1.959964))


def test_images_needed_by_hand_and_whatever_the_measured_difference() -> None:
    # SE = 0.02 / 1.96; 1,000 * (2.8016 * 0.010204 / 0.01)^2
    assert {images_to_decide(Seen(d, d - 0.02, d + 0.02), 0.01, 1000) for d in (-0.01, 0.0, 0.005)} == {8173}


def test_what_no_number_of_images_decides() -> None:
    assert images_to_decide(Seen(0.0, -0.01, 0.01), 0.0, 100) is None
    assert images_to_decide(Seen(NAN, NAN, NAN), 0.01, 100) is None
    assert images_to_decide(Seen(0.0, -0.01, 0.01), 1e-9, 100) is None
