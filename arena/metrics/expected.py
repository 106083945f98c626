"""Expected precision, recall and F1 of decisions on pictures without labels, from calibrated probabilities.

A decision is right with the calibrated probability that its tag is present, and a tag has as many positives as the sum of its
probabilities. Metrics are ratios of these sums. Their uncertainty has two parts: the pictures are a sample, and so are the
labelled images of the calibration. Both follow from the influence of each image. A third one, that the pictures are of another
kind than the labelled images, is in no interval; see `metrics/prevalence.py`.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.metrics.counts import Floats, Integers, divide
from arena.metrics.judged import METRICS, Bools


class TagTerms(NamedTuple):
    """What the expected metrics follow from, for some tags at one set of decisions.

    Attributes:
        predicted, hits, positives: float64 (tags,), decisions, expected right ones, expected positives.
        hits_moved, positives_moved: float64 (tags, directions), change of the last two for a change of 1 in a weight of the
            calibration curve. The first direction is a shift.
        of_images: float64 (3, images), decisions, expected right ones and expected positives of each image.
        macro_moved: metric -> float64 (images,), influence of each image on the sum of the tags' metrics.
    """

    predicted: Floats
    hits: Floats
    positives: Floats
    hits_moved: Floats
    positives_moved: Floats
    of_images: Floats
    macro_moved: dict[str, Floats]


def tag_terms(predicted: Bools, probabilities: Floats, directions: Floats | None = None) -> TagTerms:
    """Return the terms of a block of tags.

    Args:
        predicted: bool (images, tags).
        probabilities: float64 (images, tags), that the tag is present.
        directions: float64 (images, tags, directions), change of the logit for a change of 1 in each weight; None: a shift.
    """
    hits, moved = predicted * probabilities, probabilities * (1 - probabilities)
    along = np.ones((*moved.shape, 1)) if directions is None else directions
    sums = [one.sum(0, dtype=np.float64) for one in (predicted, hits, probabilities)]
    sums += [np.einsum("it,itd->td", one, along) for one in (predicted * moved, moved)]
    images = np.stack([one.sum(1, dtype=np.float64) for one in (predicted, hits, probabilities)])
    upper, lower = _ratio_terms(*(one.astype(np.float64) for one in (predicted, hits, probabilities)))
    by_image = {}
    for metric in METRICS:
        size = lower[metric].sum(0)
        used = size > 0
        ratio = upper[metric].sum(0)[used] / size[used]
        by_image[metric] = ((upper[metric][:, used] - ratio * lower[metric][:, used]) / size[used]).sum(1)
    predicted_sum, hit_sum, positive_sum, hits_moved, positives_moved = sums
    return TagTerms(predicted_sum, hit_sum, positive_sum, hits_moved, positives_moved, images, by_image)


def _ratio_terms(predicted: Floats, hits: Floats, positives: Floats) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Return numerator and denominator of precision, recall and F1."""
    upper = dict(zip(METRICS, (hits, hits, 2 * hits), strict=True))
    return upper, dict(zip(METRICS, (predicted, positives, predicted + positives), strict=True))


def joined_terms(parts: Sequence[TagTerms]) -> TagTerms:
    """Return the terms of several blocks of tags as one."""
    of_tags = [np.concatenate(column) for column in zip(*(part[:5] for part in parts), strict=True)]
    predicted, hits, positives, hits_moved, positives_moved = of_tags
    images = np.sum([part.of_images for part in parts], axis=0)
    moved = {metric: np.sum([part.macro_moved[metric] for part in parts], axis=0) for metric in METRICS}
    return TagTerms(predicted, hits, positives, hits_moved, positives_moved, images, moved)


class Expected(NamedTuple):
    """An expected metric, or a difference of two.

    Attributes:
        value: NaN where undefined.
        by_picture: float64 (pictures,), influence of each picture.
        by_weight: float64 (tags, directions), derivative to the weights of the calibration, through each tag.
    """

    value: float
    by_picture: Floats
    by_weight: Floats


def expected_metrics(terms: TagTerms) -> dict[str, Expected]:
    """Return `macro_precision`, `micro_precision`, ..., `micro_f1` from the terms of all tags.

    A macro metric is a mean over the tags where it is defined.

    >>> terms = tag_terms(np.array([[True], [False]]), np.array([[0.8], [0.4]]))
    >>> found = expected_metrics(terms)
    >>> [round(found[f"micro_{metric}"].value, 3) for metric in METRICS]
    [0.8, 0.667, 0.727]
    """
    upper, lower = _ratio_terms(terms.predicted, terms.hits, terms.positives)
    nothing = np.zeros_like(terms.hits_moved)
    upper_moved, lower_moved = _ratio_terms(nothing, terms.hits_moved, terms.positives_moved)
    image_upper, image_lower = _ratio_terms(*terms.of_images)
    found = {}
    for metric in METRICS:
        ratio = divide(upper[metric], lower[metric])
        used = ~np.isnan(ratio)
        tags = max(1, int(used.sum()))
        change = upper_moved[metric] - np.nan_to_num(ratio)[:, None] * lower_moved[metric]
        slopes = np.where(used[:, None], divide(change, lower[metric][:, None]), 0.0)
        macro = float(ratio[used].mean()) if used.any() else math.nan
        found[f"macro_{metric}"] = Expected(macro, terms.macro_moved[metric] / tags, slopes / tags)
        total = float(lower[metric].sum())
        micro = float(upper[metric].sum()) / total if total > 0 else math.nan
        moved = (image_upper[metric] - micro * image_lower[metric]) / (total or math.nan)
        slopes = (upper_moved[metric] - micro * lower_moved[metric]) / (total or math.nan)
        found[f"micro_{metric}"] = Expected(micro, moved, slopes)
    return found


def standard_error(by_picture: Floats, by_label: Floats, units: Integers | None = None) -> float:
    """Return the standard error of an expected metric from the influences of the pictures and of the labelled images.

    Args:
        by_picture, by_label: float64, the influences on the metric. Those of labelled images are already summed by cluster.
        units: int64 (pictures,), cluster of each picture; None if every picture is one.
    """
    moved = by_picture if units is None else np.bincount(units, by_picture)
    return math.sqrt(sum(len(one) * float(one.var(ddof=1)) for one in (moved, by_label) if len(one) > 1))


class Sweep(NamedTuple):
    """Expected decisions at each threshold; float64 (thresholds, tags)."""

    predicted: Floats
    hits: Floats


def sweep_block(scores: NDArray[np.float32], probabilities: Floats, thresholds: NDArray[np.float32]) -> Sweep:
    """Return the decisions of a block of tags at thresholds, and how many of them are expected to be right.

    Args:
        scores: float32 (images, tags).
        probabilities: float64 (images, tags).
        thresholds: float32 (k,), strictly increasing.

    >>> one = sweep_block(np.float32([[0.2], [0.6]]), np.array([[0.1], [0.9]]), np.float32([0, 0.5, 0.9]))
    >>> one.predicted.tolist(), one.hits.tolist()
    ([[2.0], [1.0], [0.0]], [[1.0], [0.9], [0.0]])
    """
    steps, tags = len(thresholds) + 1, scores.shape[1]
    place = np.searchsorted(thresholds, scores, side="right") + np.arange(tags) * steps
    found = []
    for weights in (None, probabilities.ravel()):
        counts = np.bincount(place.ravel(), weights, minlength=steps * tags).reshape(tags, steps).astype(np.float64)
        found.append(counts[:, ::-1].cumsum(1)[:, ::-1][:, 1:].T)
    return Sweep(*found)


class BestThreshold(NamedTuple):
    """The threshold with the highest expected F1, and that F1."""

    threshold: float
    f1: float


def best_threshold(sweep: Sweep, positives: Floats, thresholds: NDArray[np.float32], *, macro: bool) -> BestThreshold:
    """Return the threshold, the same for all tags, with the highest expected macro or micro F1; the lowest of equal ones.

    Args:
        sweep: of all tags.
        positives: float64 (tags,), expected positives.
        macro: whether to take the mean of the tags' F1.

    >>> sweep = sweep_block(np.float32([[0.2], [0.6]]), np.array([[0.1], [0.9]]), np.float32([0, 0.5, 0.9]))
    >>> best_threshold(sweep, np.array([1.0]), np.float32([0, 0.5, 0.9]), macro=False)
    BestThreshold(threshold=0.5, f1=0.9)
    """
    upper, lower = 2 * sweep.hits, sweep.predicted + positives
    if macro:
        defined = lower > 0
        f1 = divide(np.where(defined, np.nan_to_num(divide(upper, lower)), 0).sum(1), defined.sum(1))
    else:
        f1 = divide(upper.sum(1), lower.sum(1))
    best = int(np.argmax(np.nan_to_num(f1, nan=-1.0)))
    return BestThreshold(round(float(thresholds[best]), 6), float(f1[best]))
