"""Confidence intervals of metrics, at 95 % by default.

Images are the sampling unit. Images of one duplicate cluster are not independent. A design effect (1 or more: the variance
divided by that of independent images) reduces the number of images to the effective number. The interval of an undefined
metric is NaN.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from arena.metrics.counts import Floats, divide
from arena.metrics.significance import Paired

LEVEL = 0.95
"""Default confidence level: how often an interval should contain the true value."""

_MOST_PER_POSITIVE = 2.0
"""Largest effective number of images per positive in the interval of an average precision. Near 0 and near 1 the standard
error of AP is often far too small, or 0, and would imply more. With 1, the intervals of AP above 0.9 are half as wide again
(0.29 instead of 0.19 at 10 to 20 positives) and contain the truth in 98 to 99 % of cases. With 3, they contain it in only
93 % of cases where the scores of positives spread widely."""

LEAST_P = 1e-6
"""Least p from a standard error. Hundreds of resamples, and a normal distribution of a mean, do not reach further into the
tails: a p of 1e-260 would be a property of the formula, not of the images."""

_LEAST_VARIANCE = 1e-300
"""A smaller variance counts as 0, because a proportion divided by it would overflow."""


_EXTRA_DISCORDANT = 0.5
"""Images added to each of the four discordant counts when the correlation of two F1 is estimated. If few images are
discordant, their number is uncertain: models that agree on 12 positives need not agree on all. In simulations with 12 to 500
positives, of which 2 to 40 % are discordant, intervals of the difference contained the truth in as few as 73 % of cases with
0, in 88 % with 0.25 and in 94 % with 0.5. With 1 they are wider than necessary."""


class Interval(NamedTuple):
    """Both ends of an interval: float64 arrays of the same shape, or numbers; NaN where undefined."""

    low: Floats
    high: Floats


def wilson(
    successes: ArrayLike,
    trials: ArrayLike,
    *,
    design_effect: ArrayLike = 1.0,
    clusters: ArrayLike = np.inf,
    level: float = LEVEL,
) -> Interval:
    """Return Wilson's score interval of a binomial proportion, such as precision or recall.

    Args:
        successes, trials: counts, arrays or numbers, 0 <= successes <= trials.
        design_effect: 1 or more; divides both.
        clusters: effective number of clusters that the design effect is estimated from; the quantile is Student's with one
            degree of freedom less. Infinite for independent images.
        level: confidence level.

    Returns: 0 to 1; contains the proportion; NaN where there are no trials.

    Source: Wilson 1927.

    >>> [round(float(end), 4) for end in wilson(8, 10)]
    [0.4902, 0.9433]
    """
    successes, trials = np.asarray(successes, np.float64), np.asarray(trials, np.float64)
    effective = trials / np.asarray(design_effect, np.float64)
    return _score_interval(
        divide(successes, trials), effective, _student_quantile(level, np.asarray(clusters, np.float64))
    )


def f1_interval(
    tp: ArrayLike,
    fp: ArrayLike,
    fn: ArrayLike,
    *,
    design_effect: ArrayLike = 1.0,
    clusters: ArrayLike = np.inf,
    level: float = LEVEL,
) -> Interval:
    """Return the interval of F1, by way of the Jaccard index J = TP / (TP + FP + FN).

    F1 = 2J / (1 + J) increases with J. Among the images that have the tag or are predicted to have it, J is the binomial
    proportion of those where both hold. So Wilson's interval of J, transformed, is an interval of F1.

    Args:
        tp, fp, fn: counts, arrays or numbers.
        design_effect: 1 or more.
        clusters: as in `wilson`.
        level: confidence level.

    Returns: 0 to 1; NaN where TP + FP + FN = 0.

    >>> [round(float(end), 4) for end in f1_interval(8, 1, 1)]  # J = 8/10
    [0.6579, 0.9708]
    """
    tp, fp, fn = (np.asarray(count, np.float64) for count in (tp, fp, fn))
    low, high = wilson(tp, tp + fp + fn, design_effect=design_effect, clusters=clusters, level=level)
    return Interval(2 * low / (1 + low), 2 * high / (1 + high))


def ap_interval(
    average_precision: ArrayLike,
    standard_error: ArrayLike,
    positives: ArrayLike,
    *,
    bias: ArrayLike = 0.0,
    level: float = LEVEL,
) -> Interval:
    """Return the interval of a tag's average precision: Wilson's interval at the effective number of images.

    A proportion of n images has the variance AP (1 - AP) / n, so a standard error implies a number n. It is kept between 1
    and `_MOST_PER_POSITIVE` times the positives, which also covers AP = 1 with a standard error of 0. The quantile is
    Student's, because the standard error is estimated from the positives. Simulations: 32,768 images, prevalences from 1 in
    4,700 to 1 in 3, AP from 0.001 to 0.9999, normal scores, with positives spread as widely as negatives, 1.7 times as
    widely, or with a quarter of them scored like negatives. With the bias, intervals contained the truth in 94.8 to 96.5 %
    of cases at 10 to 20, 20 to 50, 50 to 200 and 200 or more positives. The worst case, below 50 positives with AP from
    0.01 to 0.1, is 92 %; without the bias it is 88 %.

    Args:
        average_precision: 0 to 1; NaN where undefined.
        standard_error: from the influence of every image (infinitesimal jackknife).
        positives: number of images that have the tag; the effective number if images are clustered.
        bias: expected excess of AP over the truth. The centre of the interval is AP - bias, clipped to 0 to 1. AP of rare
            tags is too high: at 15 positives and a true AP of 0.11 the mean AP is 0.15.
        level: confidence level.

    Returns: 0 to 1; contains AP; NaN where AP, its standard error or its bias is NaN.

    >>> [round(float(end), 4) for end in ap_interval(1.0, 0.0, 10)]  # 20 of 20, with Student's t: 20 / (20 + 2.262^2)
    [0.7963, 1.0]
    """
    ap, error, positives, bias = np.broadcast_arrays(
        *(np.asarray(value, np.float64) for value in (average_precision, standard_error, positives, bias))
    )
    centre = np.clip(ap - bias, 0.0, 1.0)
    most = np.maximum(_MOST_PER_POSITIVE * positives, 1.0)
    variance = error**2
    implied = np.divide(
        centre * (1 - centre), variance, out=np.full(ap.shape, np.inf), where=variance > _LEAST_VARIANCE
    )
    effective = np.where(centre * (1 - centre) > 0, np.clip(implied, 1.0, most), most)
    low, high = _score_interval(centre, effective, _student_quantile(level, positives))
    defined = ~np.isnan(ap + error + bias)
    return Interval(
        np.where(defined, np.minimum(low, ap), np.nan)[()], np.where(defined, np.maximum(high, ap), np.nan)[()]
    )


def difference_interval(
    *,
    first: ArrayLike,
    first_interval: Interval,
    second: ArrayLike,
    second_interval: Interval,
    correlation: ArrayLike,
) -> Interval:
    """Return the interval of first - second, from the two intervals and the correlation of the two estimates.

    A variance is recovered from each interval at the end that matters: the low end of the difference uses the low end of
    the first and the high end of the second; the high end uses the other two.

    Args:
        first, second: two estimates, 0 to 1.
        first_interval, second_interval: their intervals.
        correlation: correlation of the two estimates; clipped to -1 to 1.

    Returns: -1 to 1; contains the difference; NaN where any input is NaN.

    Source: Zou and Donner 2008; for paired proportions, Newcombe 1998.

    >>> one, two = Interval(0.7, 0.9), Interval(0.5, 0.9)  # 0.8 - 0.1, 0.8 + 0.1 and 0.6 - 0.1, 0.6 + 0.3
    >>> low, high = difference_interval(
    ...     first=0.8, first_interval=one, second=0.6, second_interval=two, correlation=0.0
    ... )
    >>> round(float(low), 4), round(float(high), 4)  # 0.2 - root(0.01 + 0.09), 0.2 + root(0.01 + 0.01)
    (-0.1162, 0.3414)
    """
    p1, p2 = np.asarray(first, np.float64), np.asarray(second, np.float64)
    rho = np.clip(np.asarray(correlation, np.float64), -1.0, 1.0)
    down = _distance(p1 - first_interval.low, second_interval.high - p2, rho)
    up = _distance(first_interval.high - p1, p2 - second_interval.low, rho)
    defined = ~np.isnan(down + up)
    low, high = np.clip(p1 - p2 - down, -1.0, 1.0), np.clip(p1 - p2 + up, -1.0, 1.0)
    return Interval(np.where(defined, low, np.nan)[()], np.where(defined, high, np.nan)[()])


def standard_error_of(low: float, high: float, *, freedom: float = np.inf, level: float = LEVEL) -> float:
    """Return the standard error of an estimate with this interval.

    Args:
        freedom: degrees of freedom of Student's distribution; infinite: the normal distribution.

    >>> round(standard_error_of(-0.196, 0.196), 4), round(standard_error_of(-0.2262, 0.2262, freedom=9), 4)
    (0.1, 0.1)
    """
    normal = _normal_quantile(level)
    return (high - low) / (2 * (float(special.stdtrit(freedom, (1 + level) / 2)) if np.isfinite(freedom) else normal))


def agreeing_interval(difference: ArrayLike, interval: Interval, p: ArrayLike, *, level: float = LEVEL) -> Interval:
    """Return intervals of differences that agree with their tests: 0 is outside exactly where p is at most 1 - level.

    Where interval and test disagree, the end next to 0 is moved to where a normal statistic with this p puts it.

    Args:
        difference: the estimates, -1 to 1.
        interval: of the differences.
        p: two-sided p against 0; where it is NaN, the interval stays.
        level: of the interval, 0 to 1.

    Returns: each interval with its difference inside, -1 to 1.

    >>> low, high = agreeing_interval(0.16, Interval(np.float64(-0.01), np.float64(0.32)), 0.01)
    >>> round(float(low), 3), float(high)
    (0.038, 0.32)
    """
    difference, low, high, p = np.broadcast_arrays(
        *(np.asarray(x, np.float64) for x in (difference, interval.low, interval.high, p))
    )
    decided, outside = p <= 1 - level, (low > 0) | (high < 0)
    statistic = special.ndtri(1 - np.clip(p, 1e-300, 1) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = _normal_quantile(level) / statistic  # 0 for the least p, infinite for p = 1
        near = difference * (1 - np.minimum(ratio, 2.0))
    moved = ~np.isnan(p) & (decided != outside) & (difference != 0)
    low = np.where(moved & (difference > 0), near, low)
    high = np.where(moved & (difference < 0), near, high)
    return Interval(low[()], high[()])


def f1_correlation(paired: Paired) -> Floats:
    """Return the correlation of the F1 of two models over samples of images; float64 (tags,), -1 to 1.

    F1 = 2 TP / (predicted + positives) is linear in small changes of its counts. An image changes it in proportion to
    2 hit - F1 (predicted + positive): 2 - 2 F1 for a true positive, -F1 for a false negative or a false positive, 0
    otherwise. These values sum to 0 over the images, so their products give the variances and the covariance.
    `_EXTRA_DISCORDANT` images keep the correlation below 1.

    Returns: 0 where the F1 of either model does not vary (it is 0, 1 or undefined).

    >>> same = (np.array([n]) for n in (60, 0, 0, 80, 20, 0, 0))  # both predict the same: 37.125 / 38.1875
    >>> float(f1_correlation(Paired(*same)).round(3)[0])
    0.972
    """
    first, second = paired.f1()
    varies = (first > 0) & (first < 1) & (second > 0) & (second < 1)
    missed = paired.positives - paired.both_hit - paired.first_hit - paired.second_hit
    hit_first, hit_second = 2 - 2 * first, 2 - 2 * second
    own_first, own_second = paired.first_hit + _EXTRA_DISCORDANT, paired.second_hit + _EXTRA_DISCORDANT
    wrong_both = missed + paired.both_false
    wrong_first = wrong_both + own_second + paired.first_false + _EXTRA_DISCORDANT
    wrong_second = wrong_both + own_first + paired.second_false + _EXTRA_DISCORDANT
    covariance = (
        paired.both_hit * hit_first * hit_second
        - own_first * hit_first * second
        - own_second * first * hit_second
        + wrong_both * first * second
    )
    variance_first = (paired.both_hit + own_first) * hit_first**2 + wrong_first * first**2
    variance_second = (paired.both_hit + own_second) * hit_second**2 + wrong_second * second**2
    correlation = np.zeros(len(first))
    np.divide(covariance, np.sqrt(variance_first * variance_second), out=correlation, where=varies)
    return np.clip(correlation, -1.0, 1.0)


def resampled_interval(
    estimate: ArrayLike, standard_error: ArrayLike, freedom: ArrayLike, *, bias: ArrayLike = 0.0, level: float = LEVEL
) -> Interval:
    """Return the interval of a metric or of a difference from the standard error of its resamples.

    The centre is the estimate minus its bias. The quantile is Student's, because a standard error from a limited number of
    resamples and clusters is itself uncertain. `resampled_p` is the test of the same interval. If the bias is larger than the
    half width, the interval is extended to the estimate: no printed interval excludes its own estimate.

    Args:
        estimate: the metric on all images.
        standard_error: standard deviation over the resamples; 0 or more.
        freedom: degrees of freedom of the standard error, 1 or more: the number of resamples minus 1, or less if clusters or
            weights reduce the effective number of images.
        bias: expected excess of the estimate over the true value.
        level: 0 to 1.

    Returns: NaN where an argument is. Not limited to the range of the metric.

    >>> [round(float(end), 3) for end in resampled_interval(0.5, 0.1, 999)]
    [0.304, 0.696]
    >>> [round(float(end), 3) for end in resampled_interval(0.5, 0.1, 999, bias=-0.3)]
    [0.5, 0.996]
    """
    estimate, centre = np.asarray(estimate, np.float64), np.asarray(estimate, np.float64) - np.asarray(bias, np.float64)
    reach = special.stdtrit(np.maximum(np.asarray(freedom, np.float64), 1), (1 + level) / 2) * standard_error
    return Interval(np.minimum(centre - reach, estimate)[()], np.maximum(centre + reach, estimate)[()])


def resampled_p(difference: ArrayLike, standard_error: ArrayLike, freedom: ArrayLike) -> Floats:
    """Return the two-sided p of a difference against 0: at most 0.05 exactly where the 95 % `resampled_interval` excludes 0.

    Args:
        difference: the estimate.
        standard_error: standard deviation over the resamples. Where it is 0, p is 1 for no difference, else the least that
            the resamples can show, 2 / (freedom + 2), and at most 0.05.
        freedom: as in `resampled_interval`.

    Returns: `LEAST_P` to 1; NaN where an argument is.

    >>> round(float(resampled_p(0.2, 0.1, 999)), 4), float(resampled_p(0.2, 0.001, 999))
    (0.0458, 1e-06)
    """
    difference, error, number = np.broadcast_arrays(
        *(np.asarray(x, np.float64) for x in (difference, standard_error, freedom))
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * special.stdtr(np.maximum(number, 1), -np.abs(difference) / error)
    exact = np.where(difference == 0, 1.0, np.minimum(2 / (number + 2), 0.05))
    return np.where(np.isnan(difference + error), np.nan, np.where(error > 0, np.maximum(p, LEAST_P), exact))[()]


def _score_interval(proportion: Floats, trials: Floats, quantile: ArrayLike) -> Interval:
    """Return Wilson's interval. An end is exactly 0 or 1 where the proportion is, despite rounding."""
    spread = np.asarray(quantile, np.float64) ** 2
    whole = trials + spread
    centre = (trials * proportion + spread / 2) / whole
    half = np.sqrt(spread * (trials * proportion * (1 - proportion) + spread / 4)) / whole
    low = np.where(proportion == 0, 0.0, np.clip(centre - half, 0.0, proportion))
    high = np.where(proportion == 1, 1.0, np.clip(centre + half, proportion, 1.0))
    return Interval(low[()], high[()])


def _distance(down: Floats, up: Floats, correlation: Floats) -> Floats:
    """Return the half-length of the interval of a difference, from the half-lengths of two intervals; (...).

    The variance is kept at 0 or more despite rounding.
    """
    return np.sqrt(np.maximum(down**2 - 2 * correlation * down * up + up**2, 0.0))


def _normal_quantile(level: float) -> float:
    return float(special.ndtri((1 + level) / 2))


def _student_quantile(level: float, positives: Floats) -> Floats:
    """Return Student's quantile with positives - 1 degrees of freedom, at least 1."""
    quantile: Floats = special.stdtrit(np.maximum(positives - 1, 1.0), (1 + level) / 2)
    return quantile
