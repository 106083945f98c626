"""Metrics per image: precision and recall at k, F1 averaged over images, and heads that choose one class.

If tags are tied across rank k, the metric is its mean over every order of the tied tags, so the order in which a model lists
its tags has no effect.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.metrics.counts import Amounts, Floats, Integers


class AtK(NamedTuple):
    """Mean precision and recall of the k highest-scored tags of each image; NaN over no image."""

    k: int
    precision: float
    recall: float
    precision_images: int
    """Number of images in the mean precision: all, but those of which no tag is known."""
    recall_images: int
    """Number of images in the mean recall: those that have at least one tag."""


def hits_at_k(scores: NDArray[np.float32], rows: Integers, columns: Integers, ks: Sequence[int]) -> Floats:
    """Return how many of the k highest-scored tags each image has; the mean over every order of tied tags.

    Args:
        scores: float32 (n, t), no NaN. Images are independent, so a matrix may be passed in blocks of rows; 1,024 rows
            of 5,813 tags need 24 MB of extra memory.
        rows, columns: int64 (p,), image and tag of every positive label, each pair once, in any order: `np.nonzero` of a
            ground-truth matrix.
        ks: each 1 or more; if k exceeds t, all t tags are used.

    Returns:
        float64 (len(ks), n), 0 to min(k, t).

    If a tags are strictly above the k-th score, and c of the m tags at the k-th score are positive, the result is the hits
    among the a tags plus (k - a) c / m.

    >>> hits_at_k(np.float32([[0.9, 0.5, 0.5, 0.5]]), np.array([0, 0]), np.array([0, 2]), [1, 2, 4]).tolist()
    [[1.0], [1.3333333333333333], [2.0]]
    """
    images, tags = scores.shape
    assert tags > 0, "there are no tags to rank"
    assert min(ks) > 0, "every k must be 1 or more"
    places = [min(k, tags) for k in ks]
    top = _highest(scores, min(max(places) + 1, tags))  # one rank beyond the last k, to detect a tie across it
    tied_at_end = _count_tied_at_end(scores, top)
    carried = scores[rows, columns]
    hits = np.empty((len(ks), images))
    for row, k in enumerate(places):
        last = top[:, k - 1]
        above = np.count_nonzero(top[:, :k] > last[:, None], axis=1)
        tied = np.where(last == top[:, -1], tied_at_end, np.count_nonzero(top == last[:, None], axis=1))
        sure = np.bincount(rows[carried > last[rows]], minlength=images)
        tied_carried = np.bincount(rows[carried == last[rows]], minlength=images)
        hits[row] = sure + (k - above) * tied_carried / tied
    return hits


def _highest(scores: NDArray[np.float32], kept: int) -> NDArray[np.float32]:
    """Return the highest scores of each image in descending order, float32 (n, kept)."""
    start = scores.shape[1] - kept  # a partition takes less than half the time of a full sort
    return np.sort(np.partition(scores, start, axis=1)[:, start:], axis=1)[:, ::-1]


def _count_tied_at_end(scores: NDArray[np.float32], top: NDArray[np.float32]) -> Integers:
    """Return how many tags of each image have the lowest score of `top`, int64 (n,).

    Only rows where the last two scores of `top` are equal are read completely. In the others no rank is tied with the last.

    Args:
        scores: float32 (n, t).
        top: float32 (n, kept), from `_highest`.
    """
    tied: Integers = np.count_nonzero(top == top[:, -1:], axis=1)
    if top.shape[1] < scores.shape[1]:
        unsure = np.flatnonzero(top[:, -1] == top[:, -2])
        tied[unsure] = np.count_nonzero(scores[unsure] == top[unsure, -1:], axis=1)
    return tied


def precision_recall_at_k(
    hits: Floats, positives: Integers, ks: Sequence[int], weights: Floats | None = None, most: Integers | None = None
) -> list[AtK]:
    """Return mean precision at k over all images and mean recall at k over the images that have a tag.

    Args:
        hits: float64 (len(ks), n), from `hits_at_k`.
        positives: int64 (n,), number of tags of each image.
        ks: as passed to `hits_at_k`.
        weights: float64 (n,), weight of each image in the means; None gives all the same weight.
        most: int64 (n,), largest number by which precision divides, for an image of which few tags are known; 0 leaves the
            image out of the mean precision. None always divides by k.

    Precision divides by k even if the image has fewer tags, or the model knows fewer, as in information retrieval. A mean
    over no image is NaN.

    >>> precision_recall_at_k(np.array([[1.0, 0.0]]), np.array([3, 0]), [2])
    [AtK(k=2, precision=0.25, recall=0.3333333333333333, precision_images=2, recall_images=1)]
    """
    tagged = positives > 0
    recalls = hits[:, tagged] / positives[tagged]
    of_tagged = None if weights is None else weights[tagged]
    if most is None:
        precisions, images = [_mean(hit, weights) / k for k, hit in zip(ks, hits, strict=True)], hits.shape[1]
    else:
        some = most > 0
        of_some, images = None if weights is None else weights[some], int(some.sum())
        precisions = [_mean(hit[some] / np.minimum(k, most[some]), of_some) for k, hit in zip(ks, hits, strict=True)]
    return [
        AtK(k, precision, _mean(recall, of_tagged), images, recalls.shape[1])
        for k, precision, recall in zip(ks, precisions, recalls, strict=True)
    ]


class SamplesF1(NamedTuple):
    """Mean F1 of images and the number of images in it; the mean of none is NaN."""

    value: float
    images: int


def samples_f1(tp: Integers, predicted: Integers, positives: Integers, weights: Floats | None = None) -> SamplesF1:
    """Return the mean over images of 2TP/(predicted + positives); an image with neither is undefined and left out.

    Args:
        tp: int64 (n,), true positive tags of each image.
        predicted: int64 (n,), predicted tags of each image.
        positives: int64 (n,), positive labels of each image.
        weights: float64 (n,), weight of each image in the mean; None gives all the same weight.

    Source: scikit-learn's `f1_score(average="samples")`, which replaces an undefined F1 by a number.

    >>> samples_f1(np.array([1, 0, 0]), np.array([2, 1, 0]), np.array([2, 0, 0]))
    SamplesF1(value=0.25, images=2)
    """
    tags = predicted + positives
    defined = tags > 0
    f1 = 2 * tp[defined] / tags[defined]
    return SamplesF1(_mean(f1, None if weights is None else weights[defined]), int(defined.sum()))


class MultiClass(NamedTuple):
    """Metrics of a head that chooses exactly one class for each image, such as a rating."""

    classes: tuple[str, ...]
    confusion: Amounts
    """int64 (classes, classes), or float64 sums of weights: rows are ground truth, columns are predictions."""
    accuracy: float
    """Share of images with the correct class; NaN without an image."""
    macro_f1: float
    """Mean F1 of the classes that occur in ground truth or predictions; NaN if none occurs."""
    images: int
    """Number of images whose class is known."""


def multi_class(
    scores: NDArray[np.float32], label: Integers, classes: Sequence[str], weights: Floats | None = None
) -> MultiClass:
    """Return confusion matrix, accuracy and macro F1 of the highest-scored class of each image; the first class wins a tie.

    Args:
        scores: float32 (n, c).
        label: int64 (n,), class of each image; -1 if it is unknown: the image is left out.
        classes: the c names, in the order of the columns.
        weights: float64 (n,), weight of each image; None counts each image as 1.

    >>> head = multi_class(np.float32([[0.9, 0.1], [0.5, 0.5], [0, 1]]), np.array([0, 1, -1]), ["safe", "unsafe"])
    >>> head.confusion.tolist(), head.accuracy, round(head.macro_f1, 4), head.images
    ([[1, 0], [1, 0]], 0.5, 0.3333, 2)
    """
    count = len(classes)
    assert scores.shape == (len(label), count)
    known = label >= 0
    pairs = label[known] * count + scores[known].argmax(axis=1)
    of_pairs = None if weights is None else weights[known]
    confusion = np.bincount(pairs, of_pairs, minlength=count * count).reshape(count, count)
    right, images = confusion.diagonal(), len(pairs)
    occurrences = confusion.sum(axis=0) + confusion.sum(axis=1)
    occurs = occurrences > 0
    accuracy = float(right.sum() / confusion.sum()) if images else float("nan")
    return MultiClass(tuple(classes), confusion, accuracy, _mean(2 * right[occurs] / occurrences[occurs]), images)


def _mean(values: Floats, weights: Floats | None = None) -> float:
    """Return the mean as a number, weighted if there are weights; NaN if there are no values."""
    if not len(values):
        return float("nan")
    return float(values.mean() if weights is None else np.average(values, weights=weights))
