"""Three layers: numbers worked by hand, scipy and brute force over every swap as references, properties."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from arena.metrics.significance import (
    Paired,
    Rank,
    benjamini_hochberg,
    exact_p,
    holm,
    images_needed,
    minimum_detectable,
    ranks_by_significance,
)

few = st.integers(0, 3)
clusters_of_a_tag = st.lists(
    st.tuples(*[st.integers(0, 2)] * 4).filter(lambda discordant: sum(discordant) > 1), max_size=4
)
p_values = st.lists(st.one_of(st.floats(0, 1), st.just(math.nan)), max_size=6)


def one_tag(*, both_hit=0, first_hit=0, second_hit=0, missed=0, both_false=0, first_false=0, second_false=0) -> Paired:
    positives = both_hit + first_hit + second_hit + missed
    counts = (both_hit, first_hit, second_hit, positives, both_false, first_false, second_false)
    return Paired(*(np.array([count], np.int64) for count in counts))


def stack(tags: list[Paired]) -> Paired:
    return Paired(*(np.concatenate(columns) for columns in zip(*tags, strict=True)))


def by_brute_force(paired: Paired, clusters: list[tuple[int, int, int, int]] = []) -> float:  # noqa: B006
    """Every swap of every unit, in exact fractions."""
    both, first_hit, second_hit, positives, both_false, first_false, second_false = (int(c[0]) for c in paired)
    inside = np.array(clusters, int).reshape(-1, 4).sum(axis=0)
    singles = np.array([first_hit, second_hit, first_false, second_false]) - inside
    units = [tuple(row) for row, n in zip(np.eye(4, dtype=int).tolist(), singles, strict=True) for _ in range(n)]
    units += [tuple(cluster) for cluster in clusters]

    def difference(swaps: tuple[bool, ...]) -> Fraction | None:
        hits, false = [both, both], [both_false, both_false]
        for (hit_a, hit_b, false_a, false_b), swap in zip(units, swaps, strict=True):
            hits[swap] += hit_a
            hits[not swap] += hit_b
            false[swap] += false_a
            false[not swap] += false_b
        totals = [h + f + positives for h, f in zip(hits, false, strict=True)]
        if 0 in totals:
            return None
        return Fraction(2 * hits[0], totals[0]) - Fraction(2 * hits[1], totals[1])

    observed = difference((False,) * len(units))
    if observed is None:
        return math.nan
    swapped = [difference(swaps) for swaps in itertools.product([False, True], repeat=len(units))]
    return sum(abs(d or 0) >= abs(observed) for d in swapped) / len(swapped)


def test_swaps_counted_by_hand() -> None:
    # F1 1 and 2/3; with the false alarm on the other side 6/7 and 4/5: two of the four swaps are as far apart.
    paired = one_tag(both_hit=2, first_hit=1, second_false=1)
    assert exact_p(paired)[0] == pytest.approx(0.5, abs=1e-15)
    three = one_tag(both_hit=2, first_hit=3, second_hit=0)
    assert exact_p(three)[0] == pytest.approx(2 / 8, abs=1e-15)
    as_one_cluster = {0: np.array([[3, 0, 0, 0]])}
    assert exact_p(three, as_one_cluster)[0] == 1, "one unit has two swaps, each as far as the other"


def test_undefined_is_not_one() -> None:
    nothing = one_tag()
    only_the_first_predicts = one_tag(first_false=2)
    no_positive = one_tag(first_false=2, second_false=1)
    nothing_discordant = one_tag(both_hit=3, missed=2, both_false=1)
    p = exact_p(stack([nothing, only_the_first_predicts, no_positive, nothing_discordant]))
    assert np.isnan(p[:2]).all()
    assert p[2:].tolist() == [1, 1]


def test_no_tag_at_all() -> None:
    none = Paired(*(np.zeros(0, np.int64),) * 7)
    assert exact_p(none).shape == (0,)
    assert exact_p(one_tag(missed=1), {}).tolist() == [1]


@pytest.mark.parametrize(("first", "second"), [(7, 2), (0, 12), (260, 200), (2700, 2500), (3, 3)])
def test_without_false_alarms_it_is_the_sign_test(first: int, second: int) -> None:
    p = exact_p(one_tag(both_hit=5, first_hit=first, second_hit=second, missed=3))[0]
    assert p == pytest.approx(stats.binomtest(first, first + second).pvalue, rel=1e-10)


def test_thousands_of_discordant_images_match_the_whole_grid() -> None:
    paired = one_tag(both_hit=900, first_hit=420, second_hit=380, missed=300, first_false=700, second_false=560)
    x, y = np.meshgrid(np.arange(801), np.arange(1261), indexing="ij")
    share = stats.binom.pmf(x, 800, 0.5) * stats.binom.pmf(y, 1260, 0.5)
    lead = 2 * (900 + x) / (2900 + x + y) - 2 * (1700 - x) / (2900 + 800 + 1260 - x - y)
    expected = share[np.abs(lead) >= abs(lead[420, 700]) - 1e-12].sum()
    assert 0.01 < expected < 0.99
    assert exact_p(paired)[0] == pytest.approx(expected, rel=1e-9)


@given(st.lists(st.tuples(few, few, few, few, few, few, few), min_size=1, max_size=4))
def test_every_swap_of_single_images(counts: list[tuple[int, ...]]) -> None:
    names = ("both_hit", "first_hit", "second_hit", "missed", "both_false", "first_false", "second_false")
    tags = [one_tag(**dict(zip(names, row, strict=True))) for row in counts]
    np.testing.assert_allclose(exact_p(stack(tags)), [by_brute_force(tag) for tag in tags], atol=1e-12)


@given(st.tuples(few, few, few, few), st.tuples(*[st.integers(0, 1)] * 4), clusters_of_a_tag)
def test_every_swap_of_clusters(rest: tuple[int, ...], singles: tuple[int, ...], clusters: list) -> None:
    both_hit, missed, both_false, other = rest
    first_hit, second_hit, first_false, second_false = np.array(singles) + np.array(clusters, int).reshape(-1, 4).sum(0)
    tag = one_tag(
        both_hit=both_hit,
        missed=missed,
        both_false=both_false,
        first_hit=first_hit,
        second_hit=second_hit,
        first_false=first_false,
        second_false=second_false,
    )
    unclustered = one_tag(both_hit=1, first_hit=other, first_false=1)
    p = exact_p(stack([unclustered, tag]), {1: np.array(clusters, np.int64)})
    expected = [by_brute_force(unclustered), by_brute_force(tag, clusters)]
    np.testing.assert_allclose(p, expected, atol=1e-12)


def test_many_equal_clusters() -> None:
    clusters = [(2, 0, 0, 0), (0, 2, 0, 0), (2, 0, 0, 1), (0, 2, 1, 0), (1, 0, 1, 0), (1, 1, 0, 2), (1, 1, 1, 1)]
    first_hit, second_hit, first_false, second_false = np.array([*clusters, (1, 0, 0, 2)]).sum(axis=0)
    tag = one_tag(
        both_hit=4,
        first_hit=first_hit,
        second_hit=second_hit,
        first_false=first_false,
        second_false=second_false,
        missed=1,
    )
    p = exact_p(tag, {0: np.array(clusters)})[0]
    assert p == pytest.approx(by_brute_force(tag, clusters), abs=1e-12)
    assert p != pytest.approx(exact_p(tag)[0], abs=1e-3)


@given(st.tuples(*[st.integers(0, 40)] * 7))
def test_the_names_of_the_models_do_not_matter(counts: tuple[int, ...]) -> None:
    both_hit, first_hit, second_hit, missed, both_false, first_false, second_false = counts
    shared = {"both_hit": both_hit, "missed": missed, "both_false": both_false}
    one = one_tag(
        **shared, first_hit=first_hit, second_hit=second_hit, first_false=first_false, second_false=second_false
    )
    two = one_tag(
        **shared, first_hit=second_hit, second_hit=first_hit, first_false=second_false, second_false=first_false
    )
    np.testing.assert_allclose(exact_p(one), exact_p(two), rtol=1e-9)
    assert np.isnan(exact_p(one)[0]) or 0 < exact_p(one)[0] <= 1


def test_f1_of_each_model() -> None:
    first, second = one_tag(both_hit=2, first_hit=1, second_hit=2, missed=1, both_false=1, second_false=3).f1()
    assert first[0] == pytest.approx(6 / (3 + 1 + 6))
    assert second[0] == pytest.approx(8 / (4 + 4 + 6))


def test_corrections_by_hand() -> None:
    p = np.array([0.01, 0.02, 0.03, 0.9])
    np.testing.assert_allclose(benjamini_hochberg(p), [0.04, 0.04, 0.04, 0.9])
    np.testing.assert_allclose(holm(p), [0.04, 0.06, 0.06, 0.9])


@given(p_values)
def test_benjamini_hochberg_is_scipys(values: list[float]) -> None:
    p = np.array(values, np.float64)
    q, known = benjamini_hochberg(p), ~np.isnan(p)
    assert np.array_equal(np.isnan(q), ~known)
    if known.any():
        np.testing.assert_allclose(q[known], stats.false_discovery_control(p[known]), rtol=1e-12)


@given(p_values)
def test_holm_is_bonferroni_on_every_subset(values: list[float]) -> None:
    p = np.array(values, np.float64)
    known = np.flatnonzero(~np.isnan(p)).tolist()
    expected = np.full(len(p), np.nan)
    for i in known:
        others = [j for j in known if j != i]
        subsets = (s for size in range(len(known)) for s in itertools.combinations(others, size))
        expected[i] = max(min(1.0, (len(s) + 1) * min(p[[i, *s]])) for s in subsets)
    np.testing.assert_allclose(holm(p), expected, rtol=1e-12)


def test_ranks_count_only_what_is_significant() -> None:
    better = np.zeros((4, 4), bool)
    better[0, 2] = better[1, 2] = better[0, 1] = True
    better[3] = True  # a model without a value beats nobody, whatever is said of it
    placed = ranks_by_significance(np.array([0.9, 0.8, 0.7, np.nan]), better)
    assert placed == [Rank(1, True), Rank(2, False), Rank(3, False), Rank(4, False)]
    assert ranks_by_significance(np.array([0.5, 0.6]), np.zeros((2, 2), bool)) == [Rank(1, True), Rank(1, True)]
    assert ranks_by_significance(np.array([np.nan, np.nan]), np.zeros((2, 2), bool)) == [Rank(2, False), Rank(2, False)]


def test_beaten_by_the_second_is_still_tied_with_the_best() -> None:
    better = np.zeros((3, 3), bool)
    better[1, 2] = True
    assert ranks_by_significance(np.array([0.9, 0.8, 0.7]), better)[2] == Rank(2, True)


@given(st.floats(0.001, 0.2), st.floats(0.5, 0.99), st.sampled_from([0.01, 0.05, 0.1]))
def test_the_detectable_difference_is_found_as_often_as_said(error: float, power: float, alpha: float) -> None:
    true = float(minimum_detectable(error, power=power, alpha=alpha))
    found = stats.norm.sf(stats.norm.isf(alpha / 2) * error, loc=true, scale=error)
    assert found == pytest.approx(power, abs=1e-9)
    assert images_needed(500, error, -true, power=power, alpha=alpha) in (500, 501)


def test_images_needed_grow_with_the_square() -> None:
    assert minimum_detectable(np.array([1.0, 2.0])) == pytest.approx([2.8016, 5.6032], abs=1e-4)
    assert images_needed(1000, 0.01, 2.8015 * 0.01) == 1001
    assert images_needed(1000, 0.01, 2.8017 * 0.01) == 1000
    assert images_needed(1000, 0.01, 2.8015 * 0.005) == 4001


@pytest.mark.parametrize("difference", [0.0, math.nan])
def test_no_number_of_images_finds_nothing(difference: float) -> None:
    with pytest.raises(ValueError, match="no number of images"):
        images_needed(1000, 0.01, difference)
