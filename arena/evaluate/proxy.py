"""Proxies: an estimate of the probability that each tag is truly present, from recorded labels, scores and answers.

Before any answer, recorded labels are assumed to miss a share of the positives, and the probability of a recorded label given
the scores is inflated accordingly (Elkan and Noto 2008, Learning classifiers from only positive and unlabeled data). With
answers, a logistic regression on the answered cells takes its place. The estimator of `metrics/judged.py` is nearly unbiased
with any proxy; a better proxy gives shorter intervals.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from arena.metrics.counts import Floats, Integers
from arena.metrics.judged import Bools, JudgedCells
from arena.metrics.logistic import Logistic, fit_logistic

RECORDED = 0.8
"""Share of the positives that are assumed to be recorded before any answer is given."""

RECORDED_AT_LEAST = 0.5
"""Share of the positives that a forecast of the number of answers assumes to be recorded: fewer recorded ones need more
answers, and the number has to suffice."""

OF_RECORDED = 0.97
"""Proxy of a recorded label before any answer."""

MOST = 0.9
"""Largest proxy of a cell without a recorded label before any answer."""

TRAINED_ON = 60_000
"""Most cells that the first regression is fitted on."""

LEAST_ANSWERS = 50
"""Answers of each kind (yes and no) that a regression on the answers needs."""

_LARGEST_LOGIT = 12.0
_LEAST = 6e-6
"""Smallest proxy, that of the largest logit."""


def logits(scores: NDArray[np.float32]) -> Floats:
    """Return the log odds of scores, each limited to 1e-4 to 1 - 1e-4; float64, of the same shape."""
    inside = np.clip(scores.astype(np.float64), 1e-4, 1 - 1e-4)
    return np.asarray(np.log(inside / (1 - inside)))


def first_proxy(labels: Bools, log_odds: Sequence[Floats], recorded: float = RECORDED) -> Floats:
    """Return the proxies before any answer; float64 (images, tags).

    Args:
        labels: bool (images, tags), as recorded.
        log_odds: float64 (images, tags) of each model, from `logits`.
        recorded: share of the positives that are assumed to be recorded, above 0.
    """
    some = np.random.default_rng(0).permutation(labels.size)[:TRAINED_ON]
    fitted = fit_logistic(np.column_stack([one.ravel()[some] for one in log_odds]), labels.ravel()[some])
    predictor = np.full(labels.shape, fitted.start)
    for weight, one in zip(fitted.weights, log_odds, strict=True):
        predictor += weight * one
    has_label = _probability(predictor)
    odds = (1 - recorded) / recorded * has_label / np.maximum(1 - has_label, 1e-6)
    return np.where(labels, OF_RECORDED, np.minimum(odds / (1 + odds), MOST))


def learnt_proxy(
    labels: Bools, log_odds: Sequence[Floats], cells: JudgedCells, fold: Integers, fallback: Floats, wrong: float = 0.0
) -> Floats:
    """Return the proxies by a logistic regression on the answers; no cell helps to predict itself.

    The features are the recorded label, the log odds of every model, their products, and the log odds of the tag.

    Args:
        labels, log_odds: as in `first_proxy`.
        cells: the answers.
        fold: int64 (images,); the proxies of a fold come from the answers of the other folds.
        fallback: float64 (images, tags), proxies of a fold for which the other folds have too few answers.
        wrong: share of wrong answers, below 0.5; the regression predicts answers, and this is taken out of it.
    """
    found, yes = np.array(fallback, np.float64), cells.answer >= 0.5
    share = (labels.sum(0) + 1) / (len(labels) + 2)
    of_tag = np.log(share / (1 - share))
    recorded = labels[cells.image, cells.tag].astype(np.float64)
    asked = [one[cells.image, cells.tag] for one in log_odds]
    features = np.column_stack([recorded, *asked, *(recorded * one for one in asked), of_tag[cells.tag]])
    for number in np.unique(fold):
        train = fold[cells.image] != number
        if min(yes[train].sum(), (~yes[train]).sum()) < LEAST_ANSWERS:
            continue
        here = fold == number
        answered = _probability(
            _of_fold(fit_logistic(features[train], yes[train]), labels[here], [one[here] for one in log_odds], of_tag)
        )
        found[here] = np.clip((answered - wrong) / (1 - 2 * wrong), _LEAST, 1 - _LEAST)
    return found


def _of_fold(fitted: Logistic, labels: Bools, log_odds: Sequence[Floats], of_tag: Floats) -> Floats:
    """Return the linear predictors of some images; the products are computed where there is a label."""
    number = len(log_odds)
    of_label, alone, together = fitted.weights[0], fitted.weights[1 : number + 1], fitted.weights[number + 1 : -1]
    found: Floats = np.zeros(labels.shape) + (fitted.start + fitted.weights[-1] * of_tag)
    for weight, one in zip(alone, log_odds, strict=True):
        found += weight * one
    found[labels] += of_label + sum(weight * one[labels] for weight, one in zip(together, log_odds, strict=True))
    return found


def _probability(predictor: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(predictor, -_LARGEST_LOGIT, _LARGEST_LOGIT))))
