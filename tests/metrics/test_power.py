"""Power of one test of a family, and supports in more images than those of a run."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from arena.metrics.power import TagSupports, detectable_effect, holm_levels, power_at
from arena.metrics.significance import holm

statistics = st.lists(st.floats(-6, 6), max_size=8).map(np.array)


@given(statistics, st.floats(0, 8), st.integers(0, 1000))
def test_a_test_is_rejected_at_its_level_exactly_where_holm_rejects_it(
    others: np.ndarray, own: float, seed: int
) -> None:
    """One draw: the level that the others leave decides as Holm's procedure over all tests does."""

    drawn = others + np.random.default_rng(0).standard_normal((3, len(others)))
    levels = holm_levels(others, draws=3)
    p = 2 * ndtr(-own)
    for row, level in zip(drawn, levels, strict=True):
        adjusted = holm(np.append(2 * ndtr(-np.abs(row)), p))[-1]
        assert (p <= level) == (adjusted <= 0.05) or abs(adjusted - 0.05) < 1e-9


def test_levels_lie_between_bonferroni_and_a_single_test() -> None:
    levels = holm_levels(np.array([2.7, 2.7, 0.0]))
    assert set(np.round(0.05 / levels).astype(int)) <= {1, 2, 3, 4}
    assert holm_levels(np.empty(0)).tolist() == [0.05] * len(levels)


@given(statistics, st.floats(0.1, 0.99))
@settings(max_examples=30)
def test_the_detectable_effect_has_the_power(others: np.ndarray, power: float) -> None:
    levels = holm_levels(others, draws=20)
    assert power_at(detectable_effect(levels, power), levels) == pytest.approx(power, abs=1e-9)


def test_the_power_of_a_draw_equals_a_simulation_of_holm() -> None:
    rng, truth = np.random.default_rng(1), np.array([3.0, 2.5, 2.0, 0.0, 0.0])

    found = np.mean([holm(2 * ndtr(-np.abs(truth + rng.standard_normal(5))))[0] <= 0.05 for _ in range(4_000)])
    assert power_at(truth[0], holm_levels(truth[1:], draws=2_000)) == pytest.approx(found, abs=0.025)


def supports_of(positives: list[int], errors: list[float] | None = None, least: int = 10) -> TagSupports:
    return TagSupports(np.array(positives), np.array(errors or positives, np.float64), least)


def test_without_new_tags_the_variance_falls_with_the_images() -> None:
    supports = supports_of([500, 900, 2_000])
    for ratio in (supports.macro_ratio, supports.micro_ratio):
        assert [ratio(factor) for factor in (0.5, 1, 8)] == pytest.approx([2, 1, 1 / 8], rel=0.01)


def test_a_tag_that_enters_a_mean_is_weighted_by_its_positives() -> None:
    supports = supports_of([1_000, 1_000, 40], least=100)
    now, then = (2 / 1_000) / 4, (2 / 10_000 + 1 / 400) / 9
    assert supports.macro_ratio(10) == pytest.approx(then / now, rel=0.05)
    assert supports.macro_ratio(1) == pytest.approx(1, rel=0.01)


def test_a_tag_that_enters_a_micro_metric_is_weighted_by_its_errors() -> None:
    supports = supports_of([1_000, 1_000, 40], [100.0, 100.0, 80.0], least=100)
    now, then = 200 / 2_000**2, 2_800 / 20_400**2
    assert supports.micro_ratio(10) == pytest.approx(then / now, rel=0.02)


def test_without_tags_the_images_alone_count() -> None:
    nothing = supports_of([3, 0])
    assert nothing.macro_ratio(4) == nothing.micro_ratio(4) == 0.25


def test_few_resamples_need_a_larger_effect() -> None:
    levels = np.array([0.05 / 70])
    assert detectable_effect(levels, freedom=999) == pytest.approx(detectable_effect(levels), abs=0.02)
    assert detectable_effect(levels, freedom=99) == pytest.approx(0.8416 + 3.496, abs=0.01), "Student's, 99 degrees"
