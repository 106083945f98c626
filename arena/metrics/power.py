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


def power_at(effect: float, levels: Floats) -> float:
    """Return the probability that a two-sided test names the right side, over its possible levels.

    Args:
        effect: true difference divided by its standard error; 0 or more.
        levels: equally likely levels of the test, such as `holm_levels`.

    >>> round(power_at(2.8016, np.array([0.05])), 4), round(power_at(2.8016, np.array([0.05 / 7])), 4)
    (0.8, 0.5444)
    """
    return float(special.ndtr(effect + special.ndtri(levels / 2)).mean())


def detectable_effect(levels: Floats, power: float = 0.8) -> float:
    """Return the true difference, in standard errors, that has this power over the possible levels of the test.

    >>> round(detectable_effect(np.array([0.05])), 4), round(detectable_effect(np.array([0.05 / 7])), 4)
    (2.8016, 3.5317)
    """
    certain = special.ndtri(power) - special.ndtri(levels / 2)
    low, high = float(certain.min()), float(certain.max())
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if power_at(middle, levels) < power else (low, middle)
    return high


class TagSupports:
    """Supports of all tags in the images of a run, from which the supports in other numbers of images are predicted.

    The variance of a tag's metric is about inversely proportional to its positives. So a mean over tags has a variance
    proportional to the mean of 1 / positives divided by the number of tags. It falls more slowly than 1 / images where more
    images let tags with few positives into the mean.

    Args:
        supports: positives of each tag, int64 (tags,); a tag without one cannot be predicted, and is left out.
        min_positives: fewest positives of a tag in the means, 1 or more.
    """

    def __init__(self, supports: Integers, min_positives: int) -> None:
        values, self._times = np.unique(supports[supports > 0], return_counts=True)
        levels = (np.arange(RATES) + 0.5) / RATES
        self._expected: Floats = special.gammaincinv(values[:, None], levels)  # the prior is uniform in log frequency
        self._least = max(1, min_positives)
        kept = supports[supports >= self._least]
        self._now = float((1 / kept).sum()) / max(1, len(kept)) ** 2

    def variance_ratio(self, factor: float) -> float:
        """Return the variance of a mean over tags at `factor` times the images, divided by that of the run.

        >>> one = TagSupports(np.array([400, 400]), 10)
        >>> round(one.variance_ratio(4.0), 2)  # no tag enters
        0.25
        >>> two = TagSupports(np.array([400, 400, 5]), 10)
        >>> two.variance_ratio(4.0) > 1  # 20 positives of the third tag vary more than 400 of the others
        True
        """
        if not self._now:
            return 1 / factor
        expected = self._expected * factor
        entering = special.gammainc(self._least, expected)  # of a Poisson number, the chance to be `least` or more
        tags = self._times @ entering.mean(axis=1)
        total = self._times @ (entering / np.maximum(expected, self._least)).mean(axis=1)
        return float(total / max(tags, 1.0) ** 2 / self._now)
