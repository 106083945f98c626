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


def test_a_mean_over_tags_with_many_positives_varies_with_one_over_the_images() -> None:
    supports = TagSupports(np.array([500, 900, 2_000]), 10)
    assert [supports.variance_ratio(factor) for factor in (0.5, 1, 8)] == pytest.approx([2, 1, 1 / 8], rel=0.01)


def test_a_tag_that_enters_is_weighted_by_its_positives() -> None:
    supports = TagSupports(np.array([1_000, 1_000, 40]), 100)
    now, then = (2 / 1_000) / 4, (2 / 10_000 + 1 / 400) / 9
    assert supports.variance_ratio(10) == pytest.approx(then / now, rel=0.05)
    assert supports.variance_ratio(1) == pytest.approx(1, rel=0.01)


def test_without_tags_the_images_alone_count() -> None:
    assert TagSupports(np.array([3, 0]), 10).variance_ratio(4) == 0.25
