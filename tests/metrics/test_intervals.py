"""Three layers: numbers worked by hand, scipy, numpy and simulation as references, properties."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import integrate, stats

from arena.metrics.intervals import (
    LEAST_P,
    Interval,
    agreeing_interval,
    ap_interval,
    difference_interval,
    f1_correlation,
    f1_interval,
    resampled_interval,
    resampled_p,
    wilson,
)
from arena.metrics.significance import Paired

shares = st.floats(0, 1)


def covered(interval: Interval, truth: float) -> float:
    return float(((interval.low <= truth) & (truth <= interval.high)).mean())


@given(st.integers(1, 500), shares, st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_is_scipys(trials: int, share: float, level: float) -> None:
    successes = round(share * trials)
    expected = stats.binomtest(successes, trials).proportion_ci(level, method="wilson")
    low, high = wilson(successes, trials, level=level)
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= low <= successes / trials <= high <= 1


def test_wilson_at_the_ends_and_without_trials() -> None:
    low, high = wilson(np.array([0, 10, 0]), np.array([10, 10, 0]))
    square = stats.norm.ppf(0.975) ** 2
    np.testing.assert_allclose(low, [0, 10 / (10 + square), np.nan])
    np.testing.assert_allclose(high, [square / (10 + square), 1, np.nan])


def test_related_images_count_as_fewer() -> None:
    np.testing.assert_allclose(wilson(30, 60, design_effect=np.array([1, 3])).low, wilson([30, 10], [60, 20]).low)
    assert f1_interval(30, 20, 10, design_effect=2) == pytest.approx(f1_interval(15, 10, 5))


def test_f1_by_hand() -> None:
    low, high = f1_interval(tp=8, fp=1, fn=1)
    j_low, j_high = wilson(8, 10)
    assert (low, high) == pytest.approx((2 * j_low / (1 + j_low), 2 * j_high / (1 + j_high)))
    assert np.isnan(f1_interval(0, 0, 0)).all()
    assert f1_interval(0, 2, 3).low == 0
    assert f1_interval(7, 0, 0).high == 1


def test_f1_intervals_hold_the_truth_on_thin_tags() -> None:
    rng = np.random.default_rng(0)
    for tp, fp, fn in ((8e-3, 2e-3, 4e-3), (2e-2, 1e-2, 1e-2), (5e-3, 3e-2, 5e-3)):
        counts = rng.multinomial(2000, [tp, fp, fn, 1 - tp - fp - fn], 20_000)[:, :3].T
        assert 0.94 < covered(f1_interval(*counts), 2 * tp / (2 * tp + fp + fn)) < 0.97


def test_average_precision_where_the_error_says_nothing() -> None:
    low, high = ap_interval(np.array([1.0, 0.0]), 0.0, 10)
    square = stats.t.ppf(0.975, 9) ** 2
    np.testing.assert_allclose(low, [20 / (20 + square), 0])
    np.testing.assert_allclose(high, [1, square / (20 + square)])


def test_average_precision_at_the_images_that_its_error_implies() -> None:
    # 0.5 * 0.5 / 0.125^2 = 16 images of 16 positives: 8 successes, with Student's quantile.
    quantile = stats.t.ppf(0.975, 15)
    half = quantile * math.sqrt(16 / 4 + quantile**2 / 4) / (16 + quantile**2)
    assert ap_interval(0.5, 0.125, 16) == pytest.approx((0.5 - half, 0.5 + half))
    assert ap_interval(0.6, 0.125, 16, bias=0.1).high == pytest.approx(max(0.5 + half, 0.6))
    assert ap_interval(0.6, 0.125, 16, bias=0.1).low == pytest.approx(0.5 - half)
    assert ap_interval(0.5, 1e-9, 16) == pytest.approx(ap_interval(0.5, math.sqrt(0.25 / 32), 16)), "2 a positive"
    assert ap_interval(0.5, 9.0, 16) == pytest.approx(ap_interval(0.5, 0.5, 16)), "1 image at least"


def test_average_precision_undefined() -> None:
    given_nan = (
        ap_interval(np.nan, np.nan, 0),
        ap_interval(0.5, np.nan, 10),
        ap_interval(0.5, 0.1, 10, bias=np.nan),
        ap_interval(np.nan, 0.0, 10),
    )
    assert all(np.isnan(interval).all() for interval in given_nan)


@example(ap=0.0, error=4e-162, positives=1, bias=-0.125)
@given(shares, st.floats(0, 1), st.integers(1, 5000), st.floats(-0.2, 0.2))
def test_average_precision_lies_inside(ap: float, error: float, positives: int, bias: float) -> None:
    low, high = ap_interval(ap, error, positives, bias=bias)
    assert 0 <= low <= ap <= high <= 1
    wider = ap_interval(ap, error, positives, bias=bias, level=0.99)
    assert wider.low <= low + 1e-12
    assert wider.high >= high - 1e-12


def ranked(rng: np.random.Generator, positives: int, separation: float, images: int) -> tuple[float, float, float]:
    """AP of normal scores with its error and bias, from the derivatives of AP in the weight of every image.

    Negatives between two neighbouring positives are alike, so only their number is drawn.
    """
    above = stats.norm.sf(np.sort(rng.normal(separation, 1, positives))[::-1])
    between = rng.multinomial(images - positives, np.diff(above, prepend=0, append=1))
    found = np.arange(1, positives + 1)
    seen = found + np.cumsum(between[:-1])
    precision, ap = found / seen, (found / seen).mean()

    def below(terms: np.ndarray) -> np.ndarray:
        return np.cumsum(terms[::-1])[::-1]

    own = precision + below(1 / seen - found / seen**2)
    other = np.append(below(-found / seen**2), 0)
    error = math.sqrt(((own - ap) ** 2).sum() + (between * other**2).sum()) / positives
    second_own = 2 * (1 - precision) / seen + below(2 * found / seen**3 - 2 / seen**2) - 2 * own / positives
    second_own += 2 * ap / positives
    second_other = np.append(below(2 * found / seen**3), 0)
    return ap, error, 0.5 * (second_own.sum() + (between * second_other).sum()) / positives


@pytest.mark.parametrize(
    ("positives", "separation", "lowest"), [(12, 2.5, 0.91), (12, 5, 0.94), (30, 3, 0.93), (100, 3.5, 0.93)]
)
def test_average_precision_intervals_hold_the_truth(positives: int, separation: float, lowest: float) -> None:
    rng, images = np.random.default_rng(0), 32_768
    share = positives / images

    def recall_times_precision(score: float) -> float:
        true, false = share * stats.norm.sf(score - separation), (1 - share) * stats.norm.sf(score)
        return stats.norm.pdf(score - separation) * true / (true + false)

    truth = integrate.quad(recall_times_precision, separation - 8, separation + 8)[0]
    drawn = np.maximum(rng.binomial(images, share, 1000), 5)
    ap, error, bias = np.array([ranked(rng, number, separation, images) for number in drawn]).T
    assert lowest < covered(ap_interval(ap, error, drawn, bias=bias), truth) < 0.995
    assert abs((ap - bias).mean() - truth) < abs(ap.mean() - truth) + 0.001, "the bias brings the mean nearer"


def test_difference_by_hand() -> None:
    one, two = Interval(0.7, 0.9), Interval(0.5, 0.9)
    low, high = difference_interval(first=0.8, first_interval=one, second=0.6, second_interval=two, correlation=0.5)
    assert low == pytest.approx(0.2 - math.sqrt(0.01 - 0.03 + 0.09))
    assert high == pytest.approx(0.2 + math.sqrt(0.01 - 0.01 + 0.01))


def test_difference_of_one_model_with_itself_is_certain() -> None:
    itself = wilson(np.array([3, 20]), 20)
    low, high = difference_interval(
        first=[0.15, 1], first_interval=itself, second=[0.15, 1], second_interval=itself, correlation=[1.5, 1]
    )
    assert low[1] == pytest.approx(-high[1])
    assert low[1] == pytest.approx(-(1 - itself.low[1])), "no error upwards: nothing to cancel"
    assert high[0] == pytest.approx(itself.high[0] - 0.15 - (0.15 - itself.low[0])), "correlation taken to 1"


def test_difference_undefined() -> None:
    known, unknown = wilson(3, 4), wilson(0, 0)
    one = difference_interval(first=0.75, first_interval=known, second=np.nan, second_interval=unknown, correlation=0)
    two = difference_interval(first=0.75, first_interval=known, second=0.75, second_interval=known, correlation=np.nan)
    assert np.isnan([one, two]).all()


@given(*[st.integers(0, 60)] * 2, *[st.integers(1, 60)] * 2, st.floats(-1, 1))
def test_difference_lies_inside_and_mirrors(a: int, b: int, more_a: int, more_b: int, correlation: float) -> None:
    p, q = a / (a + more_a), b / (b + more_b)
    one, two = wilson(a, a + more_a), wilson(b, b + more_b)
    there = difference_interval(first=p, first_interval=one, second=q, second_interval=two, correlation=correlation)
    back = difference_interval(first=q, first_interval=two, second=p, second_interval=one, correlation=correlation)
    assert -1 <= there.low <= p - q <= there.high <= 1
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=1e-12)


CELLS = ("both_hit", "first_hit", "second_hit", "missed", "both_false", "first_false", "second_false")


def sample_pairs(rng: np.random.Generator, shares: list[float], images: int, samples: int) -> Paired:
    cells = rng.multinomial(images, [*shares, 1 - sum(shares)], samples).T[:7]
    return Paired(*cells[:3], cells[:4].sum(axis=0), *cells[4:])


@pytest.mark.parametrize(
    "shares",
    [
        [0.10, 0.03, 0.01, 0.05, 0.03, 0.02, 0.04],
        [0.02, 0.06, 0.05, 0.02, 0.0, 0.05, 0.02],
        [0.15, 0.0, 0.02, 0.05, 0.1, 0.0, 0.01],
    ],
)
def test_paired_f1_matches_samples_of_images(shares: list[float]) -> None:
    rng = np.random.default_rng(0)
    paired = sample_pairs(rng, shares, 1500, 20_000)
    first, second = paired.f1()
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(f1_correlation(paired).mean(), abs=0.02)

    both, own_a, own_b, missed, false, false_a, false_b = shares
    positive = both + own_a + own_b + missed
    true_a = 2 * (both + own_a) / (both + own_a + false + false_a + positive)
    true_b = 2 * (both + own_b) / (both + own_b + false + false_b + positive)
    thin = sample_pairs(rng, shares, 100, 20_000)
    hits = thin.both_hit + thin.first_hit, thin.both_hit + thin.second_hit
    alarms = thin.both_false + thin.first_false, thin.both_false + thin.second_false
    one, two = (f1_interval(h, f, thin.positives - h) for h, f in zip(hits, alarms, strict=True))
    first, second = thin.f1()
    between = difference_interval(
        first=first, first_interval=one, second=second, second_interval=two, correlation=f1_correlation(thin)
    )
    assert 0.935 < covered(between, true_a - true_b) < 0.99


def test_f1_correlation_by_hand() -> None:
    # F1 1/2 each: of 4 images, one both hit (1, 1), one each alone hits (1, -1/2), one both miss (-1/2, -1/2).
    columns = {"both_hit": 1, "first_hit": 1, "second_hit": 1, "positives": 4, "both_false": 2}
    paired = Paired(**{name: np.array([columns.get(name, 0)]) for name in Paired._fields})
    assert paired.f1().first[0] == 0.5
    # Half an image more that either alone hits, and that either alone takes for a positive.
    covariance, variance = 1 - 1.5 / 2 - 1.5 / 2 + 3 / 4, 2.5 + (3 + 1.5 + 0.5) / 4
    assert f1_correlation(paired)[0] == pytest.approx(covariance / variance)


def test_f1_correlation_is_0_where_nothing_varies() -> None:
    nothing, perfect, hopeless = ([0] * 7), (5, 0, 0, 5, 0, 0, 0), (0, 3, 0, 5, 0, 0, 2)
    paired = Paired(*np.array([nothing, perfect, hopeless]).T)
    assert f1_correlation(paired).tolist() == [0, 0, 0]


def test_resampled_interval_by_hand() -> None:
    reach = stats.t.ppf(0.975, 9) * 0.1
    np.testing.assert_allclose(resampled_interval(0.5, 0.1, 9), [0.5 - reach, 0.5 + reach])
    np.testing.assert_allclose(resampled_interval(0.5, 0.1, 9, bias=0.05), [0.45 - reach, 0.45 + reach])
    assert resampled_interval(0.5, 0.01, 10, bias=0.1).high == 0.5, "extended to its estimate"
    undefined = resampled_interval([np.nan, 0.5, 0.5], np.array([0.1, np.nan, 0.1]), 9, bias=[0, 0, np.nan])
    assert np.isnan(undefined).all()


def test_bias_correction_contains_the_truth_where_the_plain_interval_does_not() -> None:
    """The mean of squares of Poisson counts: each sample adds its own variance, as rare tags do to a macro metric."""
    rng, rates = np.random.default_rng(0), np.full(400, 2.0)
    plain, corrected = 0.0, 0.0
    for _ in range(200):
        sample = rng.poisson(rates).astype(float)
        estimate, replicates = (sample**2).mean(), (rng.poisson(sample, (100, 400)) ** 2).mean(axis=1)
        error, bias = replicates.std(ddof=1), replicates.mean() - estimate
        plain += covered(resampled_interval(estimate, error, 99), 2.0**2) / 200
        corrected += covered(resampled_interval(estimate, error, 99, bias=bias), 2.0**2) / 200
    assert plain < 0.3
    assert corrected > 0.9


def test_resampled_p_by_hand() -> None:
    p = resampled_p([0.2, -0.2, 0.0, 0.0, 0.1, np.nan, 0.1], [0.1, 0.1, 0.1, 0.0, 0.0, 0.1, np.nan], 9)
    both = 2 * stats.t.sf(2, 9)
    np.testing.assert_allclose(p, [both, both, 1, 1, 0.05, np.nan, np.nan])


@given(st.floats(-1, 1), st.floats(1e-6, 1), st.integers(2, 2000), st.floats(-0.3, 0.3))
def test_a_resampled_interval_holds_its_estimate_and_agrees_with_its_test(
    difference: float, error: float, freedom: int, bias: float
) -> None:
    low, high = resampled_interval(difference, error, freedom, bias=bias)
    assert low <= difference <= high
    low, high = resampled_interval(difference, error, freedom)
    p = float(resampled_p(difference, error, freedom))
    assert LEAST_P <= p <= 1, "resamples say nothing about less"
    assert p == float(resampled_p(-difference, error, freedom)), "p has no side"
    if abs(p - 0.05) > 1e-9:
        assert (low > 0 or high < 0) == (p <= 0.05)


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_an_agreeing_interval_holds_its_difference_and_agrees_with_its_test(
    difference: float, down: float, up: float, p: float
) -> None:
    p = 1.0 if difference == 0 else p
    before = Interval(np.float64(max(difference - down, -1.0)), np.float64(min(difference + up, 1.0)))
    low, high = agreeing_interval(difference, before, p)
    assert -1 <= low <= difference <= high <= 1
    if abs(p - 0.05) > 1e-9 and abs(difference) > 1e-9:
        assert (low > 0 or high < 0) == (p <= 0.05)
    if (before.low > 0 or before.high < 0) == (p <= 0.05):
        assert (low, high) == before, "nothing moves where both agree"


def test_an_agreeing_interval_by_hand() -> None:
    before = Interval(np.array([-0.1, -0.5, 0.1]), np.array([0.5, 0.1, 0.4]))
    low, high = agreeing_interval([0.2, -0.2, 0.2], before, [0.01, 0.01, 0.5])
    near = 0.2 * (1 - stats.norm.ppf(0.975) / stats.norm.ppf(0.995))
    np.testing.assert_allclose(low, [near, -0.5, 0.2 * (1 - 2)])
    np.testing.assert_allclose(high, [0.5, -near, 0.4])
    kept = agreeing_interval(0.2, Interval(np.float64(0.1), np.float64(0.4)), np.nan)
    assert (float(kept.low), float(kept.high)) == (0.1, 0.4), "without a test the interval stays"


@pytest.mark.parametrize("freedom", [1, 9, 38, 999])
def test_a_difference_without_spread_agrees_with_its_test(freedom: int) -> None:
    low, high = resampled_interval(1.0, 0.0, freedom)
    assert (low > 0 or high < 0) == (resampled_p(1.0, 0.0, freedom) <= 0.05)
