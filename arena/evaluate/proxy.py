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

RECORDED = 0.8
"""Share of the positives that are assumed to be recorded before any answer is given."""

OF_RECORDED = 0.97
"""Proxy of a recorded label before any answer."""

MOST = 0.9
"""Largest proxy of a cell without a recorded label before any answer."""

TRAINED_ON = 60_000
"""Most cells that the first regression is fitted on."""

LEAST_ANSWERS = 50
"""Answers of each kind (yes and no) that a regression on the answers needs."""

_LARGEST_LOGIT = 12.0


def first_proxy(labels: Bools, scores: Sequence[NDArray[np.float32]], seed: int = 0) -> Floats:
    """Return the proxies before any answer; float64 (images, tags).

    Args:
        labels: bool (images, tags), as recorded.
        scores: float32 (images, tags) of each model.
        seed: chooses the cells of the regression.
    """
    some = np.random.default_rng(seed).permutation(labels.size)[:TRAINED_ON]
    logits = np.column_stack([_logits(one).ravel() for one in scores])
    recorded = _predict(logits[some], labels.ravel()[some], logits).reshape(labels.shape)
    odds = (1 - RECORDED) / RECORDED * recorded / np.maximum(1 - recorded, 1e-6)
    return np.where(labels, OF_RECORDED, np.minimum(odds / (1 + odds), MOST))


def learnt_proxy(
    labels: Bools, scores: Sequence[NDArray[np.float32]], cells: JudgedCells, fold: Integers, fallback: Floats
) -> Floats:
    """Return the proxies by a logistic regression on the answers; no cell helps to predict itself.

    Args:
        labels, scores: as in `first_proxy`.
        cells: the answers.
        fold: int64 (images,); the proxies of a fold come from the answers of the other folds.
        fallback: float64 (images, tags), proxies of a fold for which the other folds have too few answers.
    """
    features, found = _features(labels, scores), np.array(fallback, np.float64)
    asked = cells.image * labels.shape[1] + cells.tag
    yes = cells.answer >= 0.5
    for number in np.unique(fold):
        train = fold[cells.image] != number
        if min(yes[train].sum(), (~yes[train]).sum()) < LEAST_ANSWERS:
            continue
        here = np.repeat(fold == number, labels.shape[1])
        of_fold = _predict(features[asked[train]], yes[train], features[here])
        found[fold == number] = of_fold.reshape(-1, labels.shape[1])
    return found


def _features(labels: Bools, scores: Sequence[NDArray[np.float32]]) -> Floats:
    """Return the recorded label, the logit of every model, their products, and the log odds of the tag; (cells, features)."""
    recorded = labels.ravel().astype(np.float64)
    logits = [_logits(one).ravel() for one in scores]
    share = (labels.sum(0) + 1) / (len(labels) + 2)
    of_tag = np.broadcast_to(np.log(share / (1 - share)), labels.shape).ravel()
    return np.column_stack([recorded, *logits, *(recorded * one for one in logits), of_tag])


def _logits(scores: NDArray[np.float32]) -> Floats:
    inside = np.clip(scores.astype(np.float64), 1e-4, 1 - 1e-4)
    return np.asarray(np.log(inside / (1 - inside)))


def _predict(features: Floats, labels: Bools, wanted: Floats) -> Floats:
    """Fit a logistic regression, and return the probabilities of the wanted cells; of equal labels, that label's share."""
    from sklearn.linear_model import LogisticRegression  # imported here, because it takes a second

    if labels.all() or not labels.any():
        return np.full(len(wanted), (labels.sum() + 0.5) / (len(labels) + 1))
    model = LogisticRegression(max_iter=200).fit(features, labels)
    logits = wanted @ model.coef_[0] + model.intercept_[0]
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -_LARGEST_LOGIT, _LARGEST_LOGIT))))
