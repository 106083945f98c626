"""Power of a test that is one of a family: it must be decided after Holm's correction, and more images bring thinner tags.

A test is rejected at the level alpha / (tests - R), where R counts the other tests that Holm's procedure rejects before it. So
its level depends on how large the other differences are: it is alpha / tests if all others are 0, and alpha if all are large.
"""

import numpy as np
from scipy import special

from arena.metrics.counts import Floats, Integers

DRAWS = 200
"""Draws of the other tests of a family. The power of the test itself is exact given their number, so few are enough."""

RATES = 16
"""Quantiles of the unknown frequency of a tag."""


def holm_levels(others: Floats, *, alpha: float = 0.05, draws: int = DRAWS) -> Floats:
    """Return levels at which Holm's procedure rejects one more test, in random draws of the other tests; float64 (draws,).

    The other tests are drawn as independent normal statistics, always with the same seed.

    Args:
        others: expected statistics of the other tests (difference divided by its standard error), float64 (tests - 1,).
        alpha: family-wise error rate.
        draws: number of draws.

    >>> [float(x) for x in holm_levels(np.array([9.0, 9.0]), draws=2)]  # both others are rejected first
    [0.05, 0.05]
    >>> [round(float(x), 6) for x in holm_levels(np.zeros(4), alpha=1e-6, draws=2)]  # none is
    [0.0, 0.0]
    """
    tests = len(others) + 1
    drawn = others + np.random.default_rng(0).standard_normal((draws, tests - 1))
    p = np.sort(2 * special.ndtr(-np.abs(drawn)), axis=1)
    rejected = np.logical_and.accumulate(p <= alpha / (tests - np.arange(tests - 1)), axis=1).sum(axis=1)
    return np.asarray(alpha / (tests - rejected))


def power_at(effect: float, levels: Floats, freedom: float = np.inf) -> float:
    """Return the probability that a two-sided test names the right side, over its possible levels.

    Args:
        effect: true difference divided by its standard error; 0 or more.
        levels: equally likely levels of the test, such as `holm_levels`.
        freedom: degrees of freedom of Student's distribution, which the test uses; infinite: the normal distribution.

    >>> round(power_at(2.8016, np.array([0.05])), 4), round(power_at(2.8016, np.array([0.05 / 7])), 4)
    (0.8, 0.5444)
    """
    return float(special.ndtr(effect - _critical(levels, freedom)).mean())


def detectable_effect(levels: Floats, power: float = 0.8, freedom: float = np.inf) -> float:
    """Return the true difference, in standard errors, that has this power over the possible levels of the test.

    Args:
        levels, freedom: as in `power_at`.
        power: 0 to 1.

    >>> round(detectable_effect(np.array([0.05])), 4), round(detectable_effect(np.array([0.05 / 7])), 4)
    (2.8016, 3.5317)
    """
    critical = _critical(levels, freedom)
    certain = special.ndtri(power) + critical
    low, high = float(certain.min()), float(certain.max())
    if low == high:  # one level, as for every difference of a run
        return high
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if special.ndtr(middle - critical).mean() < power else (low, middle)
    return high


def _critical(levels: Floats, freedom: float) -> Floats:
    """Return the critical value of the statistic for a two-sided test at each level; float64 (levels,)."""
    return np.asarray(-special.stdtrit(freedom, levels / 2) if np.isfinite(freedom) else -special.ndtri(levels / 2))


class TagSupports:
    """Positives and errors of all tags in the images of a run, from which the variances with more images are predicted.

    The variance of a tag's metric is about inversely proportional to its positives. So a mean over tags has a variance
    proportional to the mean of 1 / positives divided by the number of tags. It falls more slowly than 1 / images where more
    images let tags with few positives into the mean. A micro metric has a variance proportional to the errors of all tags
    divided by the square of their positives; tags with few positives add more errors than positives.

    Args:
        positives: of each tag, int64 (tags,); a tag without one cannot be predicted, and is left out.
        errors: false positives and false negatives of each tag, a mean over the models; float64 (tags,).
        min_positives: fewest positives of a tag in the means.
    """

    def __init__(self, positives: Integers, errors: Floats, min_positives: int) -> None:
        known = positives > 0
        values, place, self._tags = np.unique(positives[known], return_inverse=True, return_counts=True)
        self._errors, self._positives = np.bincount(place, errors[known], len(values)), values * self._tags
        levels = (np.arange(RATES) + 0.5) / RATES
        self._expected: Floats = special.gammaincinv(values[:, None], levels)  # the prior is uniform in log frequency
        self._least = max(1, min_positives)
        kept = (values >= self._least).astype(np.float64)
        self._macro = _mean_variance(kept, kept / np.maximum(values, 1), self._tags)
        self._micro = self._micro_variance(kept)

    def macro_ratio(self, factor: float) -> float:
        """Return the variance of a mean over tags at `factor` times the images, divided by that of the run.

        >>> one = TagSupports(np.array([400, 400]), np.array([40.0, 40.0]), 10)
        >>> round(one.macro_ratio(4.0), 2)  # no tag enters
        0.25
        >>> two = TagSupports(np.array([400, 400, 5]), np.array([40.0, 40.0, 4.0]), 10)
        >>> two.macro_ratio(4.0) > 1  # 20 positives of the third tag vary more than 400 of the others
        True
        """
        entering, expected = self._entering(factor)
        weights = (entering / np.maximum(expected, self._least)).mean(axis=1)
        then = _mean_variance(entering.mean(axis=1), weights, self._tags)
        return then / self._macro if self._macro else 1 / factor

    def micro_ratio(self, factor: float) -> float:
        """Return the variance of a micro metric at `factor` times the images, divided by that of the run.

        >>> two = TagSupports(np.array([400, 400, 5]), np.array([40.0, 40.0, 4.0]), 10)
        >>> round(two.micro_ratio(4.0), 2)  # the third tag has 5 % of the errors, and 0.6 % of the positives
        0.26
        """
        then = self._micro_variance(self._entering(factor)[0].mean(axis=1))
        return then / factor / self._micro if self._micro else 1 / factor

    def _entering(self, factor: float) -> tuple[Floats, Floats]:
        """Return the chance to be in the means, and the expected positives, of tags of each frequency; (values, RATES)."""
        expected = self._expected * factor
        return np.asarray(special.gammainc(self._least, expected)), expected  # Poisson numbers of `least` or more

    def _micro_variance(self, entering: Floats) -> float:
        return float(self._errors @ entering / max(float(self._positives @ entering), 1.0) ** 2)


def _mean_variance(entering: Floats, variances: Floats, tags: Integers) -> float:
    """Return the variance of a mean over the tags that enter, of each frequency."""
    return float(tags @ variances / max(float(tags @ entering), 1.0) ** 2)
