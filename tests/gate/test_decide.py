"""Intervals against margins: three outcomes, what lies on the edge, Holm by hand, and what must hold of any interval."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr

from arena.gate.decide import DifferenceInterval, decide_outcome, holm_adjusted, images_to_decide, p_of_loss
from arena.gate.keys import DecisionRule
from arena.gate.verdict import Outcome
from arena.metrics.significance import holm

NAN = math.nan
numbers = st.floats(-1, 1).map(lambda number: number + 0.0)  # no negative zero
margins = st.floats(0, 1)
rules = st.sampled_from(list(DecisionRule))


@st.composite
def intervals(draw: st.DrawFn) -> DifferenceInterval:
    low, high = sorted((draw(numbers), draw(numbers)))
    return DifferenceInterval(draw(st.floats(low, high)), low, high)


@pytest.mark.parametrize(
    ("seen", "non_inferiority", "regression"),
    [
        (DifferenceInterval(0.0, -0.01, 0.02), "pass", "pass"),  # L = -margin passes
        (DifferenceInterval(0.0, -0.0100001, 0.02), "inconclusive", "pass"),
        (DifferenceInterval(-0.02, -0.03, -0.01), "inconclusive", "not_shown"),  # U = -margin does not fail
        (
            DifferenceInterval(-0.01, -0.03, 0.01),
            "inconclusive",
            "pass",
        ),  # a measured loss of the margin is not beyond it
        (DifferenceInterval(-0.0624, -0.1167, -0.0), "inconclusive", "not_shown"),
        (DifferenceInterval(-0.02, -0.03, -0.0100001), "fail", "fail"),
        (DifferenceInterval(-0.01, -0.01, -0.01), "pass", "pass"),  # a loss of just the margin, known exactly
        (DifferenceInterval(NAN, NAN, NAN), "inconclusive", "inconclusive"),
        (DifferenceInterval(0.1, NAN, NAN), "inconclusive", "inconclusive"),
    ],
)
def test_outcomes_at_a_margin_of_a_hundredth(seen: DifferenceInterval, non_inferiority: str, regression: str) -> None:
    assert decide_outcome(seen, 0.01) == non_inferiority
    assert decide_outcome(seen, 0.01, rule=DecisionRule.REGRESSION) == regression
    measured = "inconclusive" if regression == "not_shown" else regression
    assert decide_outcome(seen, 0.01, rule=DecisionRule.MEASURED) == measured


def test_holm_by_hand() -> None:
    # Middles 0.02, 0.015 and 0.012 below the margin with half intervals of 0.01: z of -3.92, -2.94 and -2.35.
    family = [DifferenceInterval(-m, -m - 0.01, -m + 0.01) for m in (0.030, 0.025, 0.022)]
    p = holm_adjusted(family, [0.01] * 3)
    assert p == pytest.approx([3 * 4.4278e-05, 2 * 0.00164, 0.00933], rel=2e-3)
    assert [decide_outcome(seen, 0.01, p=one) for seen, one in zip(family, p, strict=True)] == ["fail"] * 3
    # Five that just fail alone do not together: z of -2.156, p 0.0155, times five.
    five = [DifferenceInterval(-0.021, -0.031, -0.011)] * 5
    held = holm_adjusted(five, [0.01] * 5)
    assert held == pytest.approx([5 * 0.01555] * 5, rel=2e-3)
    assert {decide_outcome(seen, 0.01, p=one) for seen, one in zip(five, held, strict=True)} == {Outcome.INCONCLUSIVE}
    assert decide_outcome(five[0], 0.01, p=held[0], rule=DecisionRule.REGRESSION) is Outcome.NOT_SHOWN


def test_an_undefined_part_costs_the_others_nothing() -> None:
    seen = DifferenceInterval(-0.02, -0.03, -0.011)
    alone, with_nothing = (
        holm_adjusted([seen], [0.01]),
        holm_adjusted([seen, DifferenceInterval(NAN, NAN, NAN)], [0.01, 0.01]),
    )
    assert with_nothing[0] == alone[0] == p_of_loss(seen, 0.01)
    assert math.isnan(with_nothing[1])


@given(intervals(), margins, margins, rules)
def test_a_wider_margin_never_makes_it_worse(
    seen: DifferenceInterval, one: float, other: float, rule: DecisionRule
) -> None:
    order = [Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.NOT_SHOWN, Outcome.PASS]
    narrow, wide = sorted((one, other))
    assert order.index(decide_outcome(seen, wide, rule=rule)) >= order.index(decide_outcome(seen, narrow, rule=rule))
    assert p_of_loss(seen, wide) >= p_of_loss(seen, narrow)


@given(intervals(), margins)
def test_alone_the_p_and_the_interval_say_the_same(seen: DifferenceInterval, margin: float) -> None:
    [p] = holm_adjusted([seen], [margin])
    assert decide_outcome(seen, margin, p=p) == decide_outcome(seen, margin)


@given(st.lists(intervals(), min_size=1, max_size=6), margins)
def test_holm_is_that_of_the_metrics_and_never_makes_a_part_fail(
    family: list[DifferenceInterval], margin: float
) -> None:
    p = holm_adjusted(family, [margin] * len(family))
    assert p == pytest.approx(list(holm(np.array([p_of_loss(seen, margin) for seen in family]))))
    for seen, one in zip(family, p, strict=True):
        if decide_outcome(seen, margin) is not Outcome.FAIL:
            assert decide_outcome(seen, margin, p=one) is not Outcome.FAIL


@given(intervals(), margins)
def test_so_many_images_rule_out_the_loss_with_eighty_percent_power(seen: DifferenceInterval, margin: float) -> None:
    needed = images_to_decide(seen, margin, 1000)
    if needed is None:
        return
    assert _power(seen, margin, needed) >= 0.8 - 1e-5
    assert needed == 1 or _power(seen, margin, needed - 1) < 0.8 + 1e-5, "no more images than necessary"


def _power(seen: DifferenceInterval, margin: float, images: int) -> float:
    """The probability that the lower end is above -margin if the true difference is 0; the interval is of 1,000 images."""
    error = (seen.high - seen.low) / 2 / 1.959964 * math.sqrt(1000 / images)
    return 1.0 if error == 0 else float(ndtr(margin / error - 1.959964))


def test_images_needed_by_hand_and_whatever_the_measured_difference() -> None:
    # SE = 0.02 / 1.96; 1,000 * (2.8016 * 0.010204 / 0.01)^2
    assert {images_to_decide(DifferenceInterval(d, d - 0.02, d + 0.02), 0.01, 1000) for d in (-0.01, 0.0, 0.005)} == {
        8173
    }


def test_what_no_number_of_images_decides() -> None:
    assert images_to_decide(DifferenceInterval(0.0, -0.01, 0.01), 0.0, 100) is None
    assert images_to_decide(DifferenceInterval(NAN, NAN, NAN), 0.01, 100) is None
    assert images_to_decide(DifferenceInterval(0.0, -0.01, 0.01), 1e-9, 100) is None
