"""Which cells (image, tag) to ask people about, and how many answers a difference of F1 needs.

The forecast is the variance that the estimator of `metrics/judged.py` will print, as a function of the number of answers. It
has three parts. The images differ: this part stays. Each cell adds `pull^2 (q (1 - q) + noise) / p`, where q is its proxy, p
its inclusion probability, and `noise` the variance that the correction of wrong answers adds. The rate of wrong answers is
uncertain, and less so the more cells are asked twice.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

from arena.metrics.counts import Floats
from arena.metrics.judged import Bools, Estimated, JudgedCells, difference_of_pulls, pulls, rate_of_pairs
from arena.metrics.significance import minimum_detectable

SHARES = (0.55, 0.25, 0.20)
"""Shares of the answers that go to the difference of macro F1, to the difference of micro F1, and to the metrics of each model
alone. The last part also bounds the weights of all other cells."""

LEAST_VARIANCE = 0.002
"""Smallest variance of a label that the last share assumes, so that a proxy of nearly 0 or 1 is checked as well."""

REPEATED = 0.1
"""Share of the cells that are asked twice, or of two people, to measure how far answers agree."""


EFFICIENCY = 0.9
"""Share of the answers of a plan for one difference alone that go to the best cells for it."""


def answer_noise(rate: float) -> float:
    """Return the variance that wrong answers of this rate add to a corrected answer; see `JudgedCells.without_errors`."""
    return rate * (1 - rate) / (1 - 2 * rate) ** 2


def asking_intensity(predicted: Sequence[Bools], proxy: Floats, noise: float = 0.0) -> Floats:
    """Return how useful an answer on each cell is; float64 (images, tags), the sum is 1.

    Args:
        predicted: bool (images, tags) of each model. The first two are compared; one model alone is estimated by itself.
        proxy: float (images, tags), 0 to 1.
        noise: from `answer_noise`.
    """
    variance = proxy * (1 - proxy)
    spread, least = np.sqrt(variance + noise), np.sqrt(np.maximum(variance, LEAST_VARIANCE) + noise)
    each = [pulls(one, proxy) for one in predicted]
    squares = sum(one.macro**2 + one.micro**2 for one in each)
    parts = [spread * np.abs(part) for part in difference_of_pulls(each)] + [least * np.sqrt(squares)]
    sums = [float(part.sum()) for part in parts]
    total = sum(share for share, amount in zip(SHARES, sums, strict=True) if amount > 0)
    found = np.zeros(proxy.shape)
    for share, part, amount in zip(SHARES, parts, sums, strict=True):
        if amount > 0:
            found += part * (share / total / amount)
    return found


def inclusion_probabilities(intensity: Floats, answers: float, counted: Bools | None = None) -> Floats:
    """Return min(1, c * intensity) with the sum `answers`; float64, of the same shape.

    Args:
        intensity: 0 or more, at least one above 0.
        answers: expected number of cells; more than there are cells with an intensity gives 1 for all of them.
        counted: bool, cells that the sum is over; None for all.

    >>> inclusion_probabilities(np.array([0.6, 0.3, 0.1]), 1.5).round(3).tolist()
    [0.9, 0.45, 0.15]
    >>> inclusion_probabilities(np.array([0.6, 0.3, 0.1]), 2).round(3).tolist()
    [1.0, 0.75, 0.25]
    >>> inclusion_probabilities(np.array([0.6, 0.3, 0.1]), 0.8, np.array([False, True, True])).round(3).tolist()
    [1.0, 0.6, 0.2]
    """
    weights = intensity if counted is None else np.where(counted, intensity, 0.0)
    every, number = float(weights.sum()), -1
    certain = np.zeros(intensity.shape, np.bool_)
    while True:
        # cells that are certain count as one each; the others share the rest
        before, number = number, int((certain & (weights > 0)).sum())
        left, weight = answers - number, every - float(weights[certain].sum())
        if number == before or left <= 0 or weight <= 1e-12 * every:
            break
        scale = left / weight
        certain = scale * intensity >= 1
    return np.where(certain, 1.0, scale * intensity)


class Forecast(NamedTuple):
    """Clear answers that show a true difference with 80 % power at p <= 0.05.

    Attributes:
        macro, micro: number of cells with a clear answer for each metric; infinite if no number shows it.
    """

    macro: float
    micro: float


class Outlook(NamedTuple):
    """What is known when answers are forecast.

    Attributes:
        predicted: bool (images, tags) of the two models.
        proxy: float64 (images, tags).
        image_errors: standard errors of the differences of macro F1 and of micro F1 at the proxies, from `estimate_all`.
        asked: float64 (images, tags), inclusion probability of the cells that have been asked; None if none has.
        clear: share of the answers that are clear, above 0.
        error_rate: share of wrong answers.
        gold: the rate is that of gold answers, so repeated cells do not make it better known.
        error_rate_error: standard error of the rate; used with `gold` only.
    """

    predicted: Sequence[Bools]
    proxy: Floats
    image_errors: tuple[float, float]
    asked: Floats | None = None
    clear: float = 1.0
    error_rate: float = 0.0
    gold: bool = False
    error_rate_error: float = 0.0


@dataclass(frozen=True)
class _Variance:
    """Variance of a difference after more cells were asked with probabilities in proportion to an intensity."""

    outlook: Outlook
    pull: Floats
    intensity: Floats
    image_error: float

    @cached_property
    def _of_answer(self) -> Floats:
        """Expected square of pull times deviation of the corrected answer from the proxy."""
        proxy = self.outlook.proxy
        return np.asarray(self.pull**2 * (proxy * (1 - proxy) + answer_noise(self.outlook.error_rate)))

    @cached_property
    def _of_rate(self) -> float:
        """Derivative of the difference to the rate of wrong answers."""
        return float((self.pull * (2 * self.outlook.proxy - 1)).sum()) / (1 - 2 * self.outlook.error_rate)

    def inclusion(self, scale: float) -> Floats:
        """Return the probability that each cell is asked; the scale is the number of further cells if none is certain."""
        more = np.minimum(1.0, scale * self.intensity)
        asked = self.outlook.asked
        return more if asked is None else asked + more - asked * more

    def at(self, scale: float) -> float:
        """Return the variance."""
        inclusion, clear = self.inclusion(scale), self.outlook.clear
        cells = self._of_answer / np.maximum(inclusion, 1e-300)
        of_rate = (self._of_rate * self._rate_error(float(inclusion.sum()))) ** 2
        return self.image_error**2 + float(cells.sum()) / clear + of_rate

    def _rate_error(self, cells: float) -> float:
        """Return the standard error of the rate of wrong answers."""
        one = self.outlook
        if one.gold:
            return one.error_rate_error
        pairs = max(1.0, REPEATED * cells * one.clear**2)
        return rate_of_pairs(2 * one.error_rate * (1 - one.error_rate) * pairs, pairs).standard_error


def answers_needed(outlook: Outlook, intensity: Floats, differences: Sequence[float]) -> Forecast:
    """Return the number of clear answers, those that were given included, that show a true difference of F1 of two models.

    Args:
        outlook: what is known.
        intensity: from `asking_intensity`, for the cells that will be asked.
        differences: true differences of macro F1 and of micro F1, above 0; an infinite one needs no answers.
    """
    pair = difference_of_pulls([pulls(one, outlook.proxy) for one in outlook.predicted])
    return Forecast(
        *(
            _needed(_Variance(outlook, pull, intensity, error), (wanted / float(minimum_detectable(1.0))) ** 2)
            for pull, error, wanted in zip(pair, outlook.image_errors, differences, strict=True)
        )
    )


_PRECISION = 0.002
"""Precision of the logarithm of a number of answers."""


def _needed(variance: _Variance, allowed: float) -> float:
    """Return the number of clear answers that leave the variance; infinite if no number does."""
    least, most = 1.0, 1 / max(float(variance.intensity[variance.intensity > 0].min(initial=1.0)), 1e-12)
    if variance.at(least) > allowed:
        if variance.at(most) > allowed:
            return math.inf
        least = math.exp(
            brentq(lambda one: math.log(variance.at(math.exp(one)) / allowed), 0.0, math.log(most), xtol=_PRECISION)
        )
    return variance.outlook.clear * float(variance.inclusion(least).sum())


class AnswersWorth(NamedTuple):
    """What answers are worth for a difference of two models.

    Attributes:
        effective: number of answers of a plan for this difference alone that leave the same standard error; infinite if the
            answers leave none.
        image_error: standard error that the images alone leave.
    """

    effective: float
    image_error: float


def answers_worth(pull: Floats, proxy: Floats, cells: JudgedCells, found: Estimated, of_errors: float) -> AnswersWorth:
    """Return what answers are worth for a difference.

    Args:
        pull: float64 (images, tags), derivative of the difference to the label of each cell.
        proxy: float (images, tags), 0 to 1.
        cells: the answers.
        found: the difference, with its standard error from images, cells and the rate of wrong answers.
        of_errors: part of the standard error that is due to the rate of wrong answers, `Influence.of_errors`.
    """
    here = (cells.image, cells.tag)
    deviation = cells.shares * pull[here] * (cells.answer - proxy[here])
    of_cells = float(((1 - np.minimum(cells.inclusion, 1)) / cells.inclusion**2 * deviation**2).sum()) + of_errors**2
    of_cells = min(of_cells, found.standard_error**2)
    scale = float((np.sqrt(proxy * (1 - proxy)) * np.abs(pull)).sum())
    effective = scale**2 / (EFFICIENCY * of_cells) if of_cells > 0 else math.inf
    return AnswersWorth(effective, math.sqrt(found.standard_error**2 - of_cells))


def answers_missing(effective: float, standard_error: float, image_error: float, difference: float) -> float:
    """Return how many more answers show a true difference with 80 % power, 0 or more; infinite if no number does.

    The variance that cells and wrong answers leave falls with the number of answers, that of the images does not.

    Args:
        effective, image_error: from `answers_worth`.
        standard_error: of the difference.
        difference: above 0.

    >>> round(answers_missing(1000, 0.005, 0.003, 0.0112))  # standard error 0.0112 / 2.80; the cells leave 0.004 of 0.005
    1292
    """
    left = (difference / float(minimum_detectable(1.0))) ** 2 - image_error**2
    of_cells = standard_error**2 - image_error**2
    return max(0.0, effective * of_cells / left - effective) if left > 0 else math.inf
