"""Precision, recall and F1 from incomplete labels and the answers of people on a sample of cells (image, tag).

Every cell has a proxy, an estimate of the probability that the tag is truly present. Some cells were drawn, each with a known
probability, and a person answered them. The proxies give a first estimate, and the answers correct it by their mean deviation
from the proxies, weighted by the inverse of the inclusion probability. The estimates are nearly unbiased, however bad the
proxies are; better proxies make the intervals shorter. The estimator is a one-step difference estimator (Särndal, Swensson and
Wretman 1992, Model assisted survey sampling, chapter 6) of a ratio, or of a mean of ratios.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.metrics.counts import Floats, Integers

Bools = NDArray[np.bool_]

METRICS = ("precision", "recall", "f1")


class Pulls(NamedTuple):
    """How much one more true label in a cell changes the macro F1 and the micro F1 of a model; float64 (images, tags)."""

    macro: Floats
    micro: Floats


def pulls(predicted: Bools, proxy: Floats) -> Pulls:
    """Return the derivative of macro F1 and of micro F1 to the label of each cell.

    Args:
        predicted: bool (images, tags).
        proxy: float (images, tags), 0 to 1.
    """
    f1, size = _f1_per_tag(predicted, proxy)
    total = 2 * float((proxy * predicted).sum(dtype=np.float64)) / size.sum()
    tags, every = len(size), float(size.sum())
    macro = np.where(predicted, (2 - f1) / size / tags, -f1 / size / tags)
    return Pulls(macro, np.where(predicted, (2 - total) / every, -total / every))


def _f1_per_tag(predicted: Bools, proxy: Floats) -> tuple[Floats, Floats]:
    """Return F1 and the number of predictions plus positives of each tag; (tags,)."""
    size = np.maximum(predicted.sum(0) + proxy.sum(0, dtype=np.float64), 1e-9)
    return 2 * (proxy * predicted).sum(0, dtype=np.float64) / size, size


def difference_of_pulls(each: Sequence[Pulls]) -> Pulls:
    """Return the pulls on the difference of the first two models; of the only model if there is one."""
    if len(each) == 1:
        return each[0]
    return Pulls(each[0].macro - each[1].macro, each[0].micro - each[1].micro)


@dataclass(frozen=True)
class JudgedCells:
    """Cells with an answer.

    Attributes:
        image, tag: int64 (cells,), row and column. A cell occurs once for every plan that asked it.
        inclusion: float64 (cells,), probability that the plan asked the cell and that it was answered, above 0.
        answer: float64 (cells,), 1 for yes, 0 for no; a mean if several people answered.
        certain: bool (cells,), marks answers that are known to be right; None if none is.
        share: float64 (cells,), weight of the plan among all plans that could ask the cell; None if there is one plan. The
            weights of a cell's plans have the sum 1, so the mean of their unbiased estimates is unbiased.
    """

    image: Integers
    tag: Integers
    inclusion: Floats
    answer: Floats
    share: Floats | None = None
    certain: Bools | None = None

    def __len__(self) -> int:
        return len(self.image)

    @property
    def shares(self) -> Floats:
        """`share`, or ones."""
        return np.ones(len(self)) if self.share is None else self.share

    def without_errors(self, rate: float) -> "JudgedCells":
        """Return the cells with the answers that are expected without errors, if every answer is wrong with the same rate.

        Args:
            rate: probability that an answer is wrong, 0 to below 0.5.
        """
        right = (self.answer - rate) / (1 - 2 * rate)
        return replace(self, answer=right if self.certain is None else np.where(self.certain, self.answer, right))


NO_CELLS = JudgedCells(*(np.empty(0, np.int64),) * 2, *(np.empty(0),) * 2)
"""No answers: the estimates are then those of the proxies."""


class ErrorRate(NamedTuple):
    """How often an answer is wrong, if answers are wrong independently of each other and of the cell.

    Attributes:
        rate: share of wrong answers, 0 to below 0.5; NaN if unknown.
        standard_error: of the rate.
    """

    rate: float
    standard_error: float


NO_ERRORS = ErrorRate(0.0, 0.0)
"""Answers that are all right."""

HIGHEST_RATE = 0.45
"""Highest rate of wrong answers whose effect can be taken out; at 0.5 answers say nothing."""


def rate_of_pairs(differing: float, pairs: float) -> ErrorRate:
    """Return the rate of wrong answers that explains how many pairs of answers differ.

    If answers are wrong independently with the rate e, two of them differ with the probability 2 e (1 - e).

    Args:
        differing: number of pairs that differ; a fraction for a cell with more than two answers.
        pairs: number of pairs, above 0.
    """
    share = min(differing / pairs, 2 * HIGHEST_RATE * (1 - HIGHEST_RATE))
    root = math.sqrt(1 - 2 * share)
    return ErrorRate((1 - root) / 2, share_error(differing, pairs) / (2 * root))


def share_error(hits: float, number: float) -> float:
    """Return the standard error of a share, with half a case more on either side; so it is above 0 for 0 and for all."""
    share = (hits + 0.5) / (number + 1)
    return math.sqrt(share * (1 - share) / number)


class Estimated(NamedTuple):
    """A metric, or a difference of two models, by judged truth."""

    value: float
    """NaN where undefined."""
    standard_error: float
    """Of the sampling of images (or clusters of images) and of cells, and of the rate of wrong answers together."""


class Corrections(NamedTuple):
    """What answers add to the proxies; the sum is not limited to 0 to 1.

    Attributes:
        image, tag: int64 (cells,).
        amount: float64 (cells,).
    """

    image: Integers
    tag: Integers
    amount: Floats

    def of_tags(self, member: Bools) -> "Corrections":
        """Return those of some tags, which get new numbers; `member` is bool (tags,)."""
        kept = member[self.tag]
        return Corrections(self.image[kept], (np.cumsum(member) - 1)[self.tag[kept]], self.amount[kept])


def corrections(proxy: Floats, cells: JudgedCells) -> Corrections:
    """Return the weighted deviation of each answer from its proxy, float (images, tags)."""
    deviation = cells.answer - proxy[cells.image, cells.tag]
    return Corrections(cells.image, cells.tag, cells.shares * deviation / cells.inclusion)


class AnsweredLabels(NamedTuple):
    """Labels by the answers.

    Attributes:
        change: what the answers add to the proxies, with the effect of wrong answers taken out.
        more_errors: the same for a rate of wrong answers that is one standard error higher; None if the rate is exact.
    """

    change: Corrections
    more_errors: Corrections | None = None

    def of_tags(self, member: Bools) -> "AnsweredLabels":
        """Return those of some tags; `member` is bool (tags,)."""
        more = self.more_errors
        return AnsweredLabels(self.change.of_tags(member), None if more is None else more.of_tags(member))


def answered_labels(proxy: Floats, cells: JudgedCells, errors: ErrorRate = NO_ERRORS) -> AnsweredLabels:
    """Return the labels by the answers, without the effect of wrong answers; with it if their rate is unknown.

    Args:
        proxy: float (images, tags), 0 to 1.
        cells: the answers.
        errors: how often they are wrong.
    """
    if math.isnan(errors.rate) or not errors.standard_error:
        rate = 0.0 if math.isnan(errors.rate) else errors.rate
        return AnsweredLabels(corrections(proxy, cells.without_errors(rate)))
    rates = (errors.rate, min(errors.rate + errors.standard_error, HIGHEST_RATE))
    return AnsweredLabels(*(corrections(proxy, cells.without_errors(rate)) for rate in rates))


class Influence(NamedTuple):
    """A metric with the influence of every image, and of the rate of wrong answers, on it."""

    value: float
    by_image: Floats
    """float64 (images,), sum 0 at the proxies."""
    of_errors: float = 0.0
    """Change of the metric if the rate of wrong answers is one standard error higher."""


class _Ratio(NamedTuple):
    """A metric as a ratio: hits times a number, over predictions and positives, each counted or not."""

    hits: int
    predictions: int
    positives: int


_RATIOS = {"precision": _Ratio(1, 1, 0), "recall": _Ratio(1, 0, 1), "f1": _Ratio(2, 1, 1)}


class AtProxies:
    """Precision, recall and F1 of a model at the proxies, and how answers change them.

    Macro metrics are a mean over the tags where the proxies define them. A ratio of two answers of one tag is never taken:
    the ratio of the proxies is corrected by its influence, so a tag without an answer keeps its proxy.

    Args:
        predicted: bool (images, tags).
        proxy: float (images, tags), 0 to 1.
    """

    def __init__(self, predicted: Bools, proxy: Floats) -> None:
        self._predicted, self._images = predicted, len(predicted)
        decided = predicted.astype(np.float64)
        parts = (decided * proxy, decided, proxy)
        of_tag = [np.ones(self._images) @ one for one in parts]
        self._weights = {name: _weights(ratio, *of_tag) for name, ratio in _RATIOS.items()}
        upper, lower = (np.column_stack([one[part] for one in self._weights.values()]) for part in (0, 1))
        counted = np.array([[one.predictions, one.positives] for one in _RATIOS.values()], np.float64)
        weights = (upper, -lower * counted[:, 0], -lower * counted[:, 1])
        # the last column counts: a matrix product is several times faster than a sum along an axis
        found = [part @ np.column_stack([one, np.ones(len(one))]) for part, one in zip(parts, weights, strict=True)]
        self._of_image = [one[:, -1] for one in found]
        self._moved = dict(zip(_RATIOS, (found[0] + found[1] + found[2]).T[:-1], strict=True))

    def corrected(self, change: Corrections) -> dict[str, Influence]:
        """Return the metrics, macro and micro, with the influence of every image."""
        image, tag, amount = change
        hit = amount * self._predicted[image, tag]

        def by_image(values: Floats) -> Floats:
            return np.asarray(np.bincount(image, values, self._images), np.float64)

        hits, decided, positives = self._of_image
        hits, positives = hits + by_image(hit), positives + by_image(amount)
        found = {}
        for metric, ratio in _RATIOS.items():
            upper, lower, macro = self._weights[metric]
            moved = self._moved[metric] + by_image(hit * upper[tag] - ratio.positives * amount * lower[tag])
            found[f"macro_{metric}"] = Influence(macro + float(moved.sum()), moved)
            part, size = ratio.hits * hits, ratio.predictions * decided + ratio.positives * positives
            below = float(size.sum())
            micro = float(part.sum()) / below if below > 0 else float("nan")
            found[f"micro_{metric}"] = Influence(micro, (part - micro * size) / below)
        return found

    def answered(self, labels: AnsweredLabels) -> dict[str, Influence]:
        """Return the metrics by the answers, with the influence of the rate of wrong answers."""
        found = self.corrected(labels.change)
        if labels.more_errors is None:
            return found
        moved = self.corrected(labels.more_errors)
        return {name: one._replace(of_errors=moved[name].value - one.value) for name, one in found.items()}


class _Weights(NamedTuple):
    """Influence of a hit, and of a prediction or positive, on a macro metric by tag; and the metric at the proxies."""

    upper: Floats
    lower: Floats
    macro: float


def _weights(ratio: _Ratio, hits: Floats, decided: Floats, positives: Floats) -> _Weights:
    size = ratio.predictions * decided + ratio.positives * positives
    used = size > 0
    value = np.divide(ratio.hits * hits, size, out=np.zeros_like(size), where=used)
    one = np.divide(1.0, size * max(1, used.sum()), out=np.zeros_like(size), where=used)
    return _Weights(ratio.hits * one, value * one, float(value[used].mean()) if used.any() else float("nan"))


def estimated(influence: Influence, clusters: Integers | None = None) -> Estimated:
    """Return a metric with its standard error; images of a cluster count as one.

    Args:
        influence: from `AtProxies`, or a difference of two.
        clusters: int64 (images,), cluster of each image from 0 on; None if every image is one.
    """
    moved = influence.by_image if clusters is None else np.bincount(clusters, influence.by_image)
    number = len(moved)
    variance = number * float(moved.var(ddof=1)) if number > 1 else float("nan")
    return Estimated(influence.value, math.sqrt(variance + influence.of_errors**2))


def difference(first: Influence, second: Influence) -> Influence:
    """Return the first metric minus the second."""
    of_errors = first.of_errors - second.of_errors
    return Influence(first.value - second.value, first.by_image - second.by_image, of_errors)
