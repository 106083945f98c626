"""Label issues: labels that are likely missing, because every model scores the image like the images that have the tag.

The rule is that of confident learning (Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty in dataset
labels", JAIR 2021), applied to each tag: the expected score of an image with the tag is the mean score of the images that
have it (t1). A label is suspected to be missing if every model scores the image t1 or more. Models with independent errors
seldom agree by chance. With one model the rule is the same but the evidence is weaker. A model that was trained on these
images has learnt some of their label errors. The rule is implemented here, not taken from cleanlab, because it needs the
agreement of several models over a million images in one pass over the tags.

The opposite rule, which suspects a recorded label to be wrong if every model scores the image low, is not used. It finds the
difficult positives: where no label is wrong, it still calls hundreds wrong. Asking also that no similar image has the tag, or
that a tag is there which rarely occurs together with it, does not help enough (reports/benchmarks/label_issues.md).

A label issue is a reason to look at the label. Its strength gives the order of review; it is not a probability.
"""

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.metrics.counts import Floats, Integers

_Scores = NDArray[np.float32]

MIN_IMAGES_FOR_LABEL_ISSUES = 5
"""Least number of images with the tag, and of images without it, for label issues to be searched."""

LABEL_ISSUES_PER_TAG = 50
"""Most label issues listed per tag, so that one review session can handle them."""


class LabelIssues(NamedTuple):
    """Labels that are likely missing, (k,) each, in descending order of strength."""

    tag: Integers
    image: Integers
    """Images that lack the tag and likely should have it."""
    strength: Floats
    """0 to 1; comparable across tags."""

    def strongest(self, number: int) -> "LabelIssues":
        """Return the first `number` label issues."""
        return LabelIssues(self.tag[:number], self.image[:number], self.strength[:number])


class _Column(NamedTuple):
    """One model's scores of one tag."""

    scores: _Scores
    """float32 (images,)."""
    carried: _Scores
    """float32 (positives,), scores of the images that have the tag."""
    ascending: _Scores
    """float32 (images,), all scores in ascending order."""
    mean_carried: np.float32
    """t1, the mean of `carried`."""
    mean_others: np.float32
    """The mean score of the other images."""


def find_label_issues(
    scores: Sequence[_Scores],
    labels: NDArray[np.bool_],
    *,
    ascending: Sequence[_Scores] | None = None,
    tag: int = 0,
) -> LabelIssues:
    """Return the labels of one tag that are likely missing.

    Args:
        scores: one array per model, at least one, float32 (images,) each, 0 to 1.
        labels: bool (images,), whether the ground truth gives the image the tag.
        ascending: the scores of each model in ascending order, if the caller has sorted them already; saves 0.1 ms per
            model for 32,768 images.
        tag: value of `LabelIssues.tag`.

    A label is suspected if the image lacks the tag and every model scores it t1 or more (means are rounded to float32). The
    strength is the minimum of `_share_positive` over the models. It estimates the evidence of a score from the images of the
    tag, because the distance of a score from the mean has a different weight for each tag. Equal strengths are ordered by the
    score that supports the tag least, the highest first, then by image.

    Nothing is found if fewer than `MIN_IMAGES_FOR_LABEL_ISSUES` images have the tag, or lack it, or if a model scores the
    images with the tag no higher on average than the others: then it does not know the tag.

    >>> labels = np.array([True] * 6 + [False] * 6)
    >>> scores = np.float32([0.9, 0.9, 0.9, 0.9, 0.9, 0, 0.1, 0.1, 0.1, 0.1, 0.1, 1])
    >>> found = find_label_issues([scores, scores], labels)
    >>> found.image.tolist(), found.strength.tolist()
    ([11], [0.75])
    """
    assert len(scores) > 0, "scores of at least one model are needed"
    carriers = np.flatnonzero(labels)
    if min(len(carriers), len(labels) - len(carriers)) < MIN_IMAGES_FOR_LABEL_ISSUES:
        return _no_label_issues()
    ranked = [np.sort(one) for one in scores] if ascending is None else ascending
    columns = [_column_of(*each, carriers) for each in zip(scores, ranked, strict=True)]
    if any(one.mean_carried <= one.mean_others for one in columns):
        return _no_label_issues()
    return _find_missing(columns, labels, tag)


def rank_label_issues(found: Iterable[LabelIssues]) -> LabelIssues:
    """Return the label issues of many tags as one ranked list; equal strengths are ordered by tag, then as found."""
    parts = [_no_label_issues(), *found]
    tag, image, strength = (np.concatenate(values) for values in zip(*parts, strict=True))
    order = np.lexsort((tag, -strength))
    return LabelIssues(tag[order], image[order], strength[order])


def _no_label_issues() -> LabelIssues:
    """Return an empty list of label issues."""
    return LabelIssues(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))


def _column_of(scores: _Scores, ascending: _Scores, carriers: Integers) -> _Column:
    """Return the `_Column` of one model; some images must have the tag (`carriers`, their row numbers) and some must not."""
    carried = scores[carriers]
    total = carried.sum(dtype=np.float64)
    mean_others = (scores.sum(dtype=np.float64) - total) / (len(scores) - len(carried))
    return _Column(scores, carried, ascending, np.float32(total / len(carried)), np.float32(mean_others))


def _find_missing(columns: Sequence[_Column], labels: NDArray[np.bool_], tag: int) -> LabelIssues:
    """Return the images without the tag that every model scores t1 or more, the strongest first."""
    suspected = ~labels
    for one in columns:
        suspected &= one.scores >= one.mean_carried
    images = np.flatnonzero(suspected)
    if not len(images):
        return _no_label_issues()
    scores = [one.scores[images] for one in columns]
    strength = reduce(np.minimum, map(_share_positive, columns, scores))
    order = np.lexsort((-reduce(np.minimum, scores), -strength))
    return LabelIssues(np.full(len(images), tag, np.int64), images[order], strength[order])


def _share_positive(column: _Column, scores: _Scores) -> Floats:
    """Return the share of images that have the tag among those that score at least as high.

    If every tag lacks the same share of its labels, the odds that an image without the label should have it are the odds of
    that share times the odds of the label at its score. So this value orders the missing labels of all tags by their odds.

    The share is (positives + 1) / (images + 2), Laplace's rule, over all images that score x or more. The x between t1 and
    the score of the image that gives the largest share is used. Otherwise the most certain label issues, with few images
    above them, would get the lowest strength.

    Args:
        column: scores of one model.
        scores: float32 (k,), scores of images, each t1 or more.

    Returns:
        float64 (k,), 0 to 1, non-decreasing in the score.
    """
    high = np.sort(column.carried[column.carried >= column.mean_carried])
    cuts = np.sort(np.concatenate([high, scores]))  # between two cuts the share only rises
    carried_above = len(high) - np.searchsorted(high, cuts)
    images_above = len(column.ascending) - np.searchsorted(column.ascending, cuts)
    best = np.maximum.accumulate((carried_above + 1) / (images_above + 2))
    return best[np.searchsorted(cuts, scores)]
