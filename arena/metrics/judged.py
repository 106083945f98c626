"""Precision, recall and F1 from incomplete labels and the answers of people on a sample of cells (image, tag).

Every cell has a proxy, an estimate of the probability that the tag is truly present. Some cells were drawn, each with a known
probability, and a person answered them. The proxies give a first estimate, and the answers correct it by their mean deviation
from the proxies, weighted by the inverse of the inclusion probability. The estimates are nearly unbiased, however bad the
proxies are; better proxies make the intervals shorter. The estimator is a one-step difference estimator (Särndal, Swensson and
Wretman 1992, Model assisted survey sampling, chapter 6) of a ratio, or of a mean of ratios.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.metrics.counts import Floats, Integers
from arena.metrics.significance import minimum_detectable

Bools = NDArray[np.bool_]

SHARES = (0.55, 0.25, 0.20)
"""Shares of the answers that go to the difference of macro F1, to the difference of micro F1, and to the metrics of each model
alone. The last part also bounds the weights of all other cells."""

LEAST_VARIANCE = 0.002
"""Smallest variance of a label that the last share assumes, so that a proxy of nearly 0 or 1 is checked as well."""

EFFICIENCY = 0.9
"""Share of the answers that count when the answers needed are forecast; the rest goes to other cells than the best ones."""

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
    return Pulls((2 * predicted - f1) / size / len(size), (2 * predicted - total) / size.sum())


def _f1_per_tag(predicted: Bools, proxy: Floats) -> tuple[Floats, Floats]:
    """Return F1 and the number of predictions plus positives of each tag; (tags,)."""
    size = np.maximum(predicted.sum(0) + proxy.sum(0, dtype=np.float64), 1e-9)
    return 2 * (proxy * predicted).sum(0, dtype=np.float64) / size, size


def asking_intensity(predicted: Sequence[Bools], proxy: Floats) -> Floats:
    """Return how useful an answer on each cell is; float64 (images, tags), the sum is 1.

    Args:
        predicted: bool (images, tags) of each model. The first two are compared; one model alone is estimated by itself.
        proxy: float (images, tags), 0 to 1.
    """
    spread = np.sqrt(proxy * (1 - proxy))
    least = np.sqrt(np.maximum(proxy * (1 - proxy), LEAST_VARIANCE))
    each = [pulls(one, proxy) for one in predicted]
    alone = least * np.sqrt(sum(one.macro**2 + one.micro**2 for one in each))
    parts = [spread * np.abs(part) for part in difference_of_pulls(each)] + [alone]
    sums = [float(part.sum()) for part in parts]
    total = sum(share for share, amount in zip(SHARES, sums, strict=True) if amount > 0)
    return np.asarray(
        sum(
            share / total * part / amount for share, part, amount in zip(SHARES, parts, sums, strict=True) if amount > 0
        )
    )


def difference_of_pulls(each: Sequence[Pulls]) -> Pulls:
    """Return the pulls on the difference of the first two models; of the only model if there is one."""
    if len(each) == 1:
        return each[0]
    return Pulls(each[0].macro - each[1].macro, each[0].micro - each[1].micro)


def inclusion_probabilities(intensity: Floats, answers: float) -> Floats:
    """Return min(1, c * intensity) with the sum `answers`; float64, of the same shape.

    Args:
        intensity: 0 or more, at least one above 0.
        answers: expected number of cells; more than there are cells with an intensity gives 1 for all of them.

    >>> inclusion_probabilities(np.array([0.6, 0.3, 0.1]), 1.5).round(3).tolist()
    [0.9, 0.45, 0.15]
    >>> inclusion_probabilities(np.array([0.6, 0.3, 0.1]), 2).tolist()
    [1.0, 0.75, 0.25]
    """
    wanted = intensity / intensity.sum()
    found = np.minimum(1.0, answers * wanted)
    while True:
        certain = found >= 1
        rest, weight = answers - certain.sum(), wanted[~certain].sum()
        if rest <= 0 or weight <= 0:
            return np.where(certain, 1.0, found)
        again = np.where(certain, 1.0, np.minimum(1.0, rest * wanted / weight))
        if (again >= 1).sum() == certain.sum():
            return np.asarray(again)
        found = again


class Forecast(NamedTuple):
    """Answers that a difference needs, before any is given.

    Attributes:
        macro, micro: number of answers that show a true difference with 80 % power at p <= 0.05; infinite if the images alone
            leave more uncertainty than that.
    """

    macro: float
    micro: float


def answers_needed(predicted: Sequence[Bools], proxy: Floats, difference: float, images: Sequence[float]) -> Forecast:
    """Return the number of answers that decide a difference of F1 between the first two models.

    Args:
        predicted, proxy: as in `asking_intensity`.
        difference: true difference, above 0.
        images: standard errors of the differences of macro F1 and of micro F1 from the sampling of the images.
    """
    spread = np.sqrt(proxy * (1 - proxy))
    allowed = (difference / float(minimum_detectable(1.0))) ** 2
    found = []
    for part, of_images in zip(difference_of_pulls([pulls(one, proxy) for one in predicted]), images, strict=True):
        left = allowed - of_images**2
        scale = float((spread * np.abs(part)).sum())
        found.append(scale**2 / (EFFICIENCY * left) if left > 0 else math.inf)
    return Forecast(*found)


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


class Estimated(NamedTuple):
    """A metric, or a difference of two models, by judged truth."""

    value: float
    """NaN where undefined."""
    standard_error: float
    """Of the sampling of images (or clusters of images) and of cells, and of the rate of wrong answers together."""


def corrected_labels(proxy: Floats, cells: JudgedCells) -> Floats:
    """Return the proxy plus the weighted deviation of each answer from it; float64 (images, tags), not limited to 0 to 1."""
    found = np.array(proxy, np.float64)
    here = (cells.image, cells.tag)
    np.add.at(found, here, cells.shares * (cells.answer - proxy[here]) / cells.inclusion)
    return found


class AnsweredLabels(NamedTuple):
    """Labels by the answers.

    Attributes:
        labels: from `corrected_labels`, float64 (images, tags), with the effect of wrong answers taken out.
        more_errors: the same for a rate of wrong answers that is one standard error higher; None if the rate is exact.
    """

    labels: Floats
    more_errors: Floats | None = None


def answered_labels(proxy: Floats, cells: JudgedCells, errors: ErrorRate = NO_ERRORS) -> AnsweredLabels:
    """Return the labels by the answers, without the effect of wrong answers; with it if their rate is unknown.

    Args:
        proxy: float (images, tags), 0 to 1.
        cells: the answers.
        errors: how often they are wrong.
    """
    if math.isnan(errors.rate) or not errors.standard_error:
        rate = 0.0 if math.isnan(errors.rate) else errors.rate
        return AnsweredLabels(corrected_labels(proxy, cells.without_errors(rate)))
    rates = (errors.rate, min(errors.rate + errors.standard_error, HIGHEST_RATE))
    return AnsweredLabels(*(corrected_labels(proxy, cells.without_errors(rate)) for rate in rates))


HIGHEST_RATE = 0.45
"""Highest rate of wrong answers whose effect can be taken out; at 0.5 answers say nothing."""


class Influence(NamedTuple):
    """A metric with the influence of every image, and of the rate of wrong answers, on it."""

    value: float
    by_image: Floats
    """float64 (images,), sum 0 at the proxies."""
    of_errors: float = 0.0
    """Change of the metric if the rate of wrong answers is one standard error higher."""


def influences_of_answers(predicted: Bools, proxy: Floats, answered: AnsweredLabels) -> dict[str, Influence]:
    """Return `influences`, with the influence of the rate of wrong answers.

    Args:
        predicted, proxy: as in `influences`.
        answered: the labels by the answers.
    """
    found = influences(predicted, proxy, answered.labels)
    if answered.more_errors is None:
        return found
    moved = influences(predicted, proxy, answered.more_errors)
    return {name: one._replace(of_errors=moved[name].value - one.value) for name, one in found.items()}


def influences(predicted: Bools, proxy: Floats, labels: Floats) -> dict[str, Influence]:
    """Return precision, recall and F1 of a model, macro and micro, with the influence of every image.

    Macro metrics are a mean over the tags where the proxies define them. A ratio of two answers of one tag is never taken:
    the ratio of the proxies is corrected by its influence, so a tag without an answer keeps its proxy.

    Args:
        predicted: bool (images, tags).
        proxy: float (images, tags), 0 to 1.
        labels: float (images, tags), from `corrected_labels`.
    """
    found = {}
    for metric, (upper, lower) in _ratios(predicted, labels).items():
        at_proxy = _ratios(predicted, proxy)[metric]
        size, part = (side.sum(0, dtype=np.float64) for side in (at_proxy[1], at_proxy[0]))
        used = size > 0
        ratio = part[used] / size[used]
        moved = ((upper[:, used] - ratio * lower[:, used]) / size[used]).sum(1) / max(1, used.sum())
        macro = float(ratio.mean()) if used.any() else float("nan")
        found[f"macro_{metric}"] = Influence(macro + float(moved.sum()), moved)
        total, below = float(upper.sum()), float(lower.sum())
        micro = total / below if below > 0 else float("nan")
        found[f"micro_{metric}"] = Influence(micro, (upper.sum(1) - micro * lower.sum(1)) / below)
    return found


def _ratios(predicted: Bools, labels: Floats) -> dict[str, tuple[Floats, Floats]]:
    """Return numerator and denominator of each metric by cell."""
    hits = predicted * labels
    return dict(
        zip(
            METRICS, ((hits, predicted.astype(np.float64)), (hits, labels), (2 * hits, predicted + labels)), strict=True
        )
    )


def estimated(influence: Influence, clusters: Integers | None = None) -> Estimated:
    """Return a metric with its standard error; images of a cluster count as one.

    Args:
        influence: from `influences`, or a difference of two.
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


class AnswersWorth(NamedTuple):
    """What answers are worth for a difference of two models.

    Attributes:
        effective: number of answers of a plan for this difference alone that leave the same standard error; infinite if the
            answers leave none.
        image_error: standard error that the images alone leave.
    """

    effective: float
    image_error: float


def answers_worth(pull: Floats, proxy: Floats, cells: JudgedCells, standard_error: float) -> AnswersWorth:
    """Return what answers are worth for a difference.

    Args:
        pull: float64 (images, tags), derivative of the difference to the label of each cell.
        proxy: float (images, tags), 0 to 1.
        cells: the answers.
        standard_error: of the difference, from images and cells.
    """
    here = (cells.image, cells.tag)
    deviation = cells.shares * pull[here] * (cells.answer - proxy[here])
    of_cells = float(((1 - np.minimum(cells.inclusion, 1)) / cells.inclusion**2 * deviation**2).sum())
    of_cells = min(of_cells, standard_error**2)
    scale = float((np.sqrt(proxy * (1 - proxy)) * np.abs(pull)).sum())
    effective = scale**2 / (EFFICIENCY * of_cells) if of_cells > 0 else math.inf
    return AnswersWorth(effective, math.sqrt(standard_error**2 - of_cells))


def answers_missing(effective: float, standard_error: float, image_error: float, difference: float) -> float:
    """Return how many more answers show a true difference with 80 % power, 0 or more; infinite if no number does.

    The variance that the cells leave falls with the number of answers, that of the images does not.

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


def estimate_all(
    predicted: Mapping[str, Bools],
    proxy: Floats,
    cells: JudgedCells,
    clusters: Integers | None = None,
    errors: ErrorRate = NO_ERRORS,
) -> tuple[dict[str, dict[str, Estimated]], dict[tuple[str, str], dict[str, Estimated]]]:
    """Return the metrics of every model, and the differences of every pair of models, by judged truth.

    Args:
        predicted: model -> bool (images, tags).
        proxy: float (images, tags).
        cells: the answers.
        clusters: as in `estimated`.
        errors: how often the answers are wrong.
    """
    labels = answered_labels(proxy, cells, errors)
    each = {name: influences_of_answers(one, proxy, labels) for name, one in predicted.items()}
    models = {name: {key: estimated(one, clusters) for key, one in found.items()} for name, found in each.items()}
    names = list(each)
    pairs = {
        (first, second): {
            key: estimated(difference(each[first][key], each[second][key]), clusters) for key in each[first]
        }
        for number, first in enumerate(names)
        for second in names[number + 1 :]
    }
    return models, pairs
