"""Label issues: labels that are likely missing or likely wrong, because every model contradicts them.

The rule is that of confident learning (Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty in dataset
labels", JAIR 2021), applied to each tag: the expected score of an image with the tag is the mean score of the images that
have it (t1); without the tag, the mean score of the others (t0). A label is suspected if every model scores the image as
expected for the opposite label. Models with independent errors seldom agree by chance. With one model the rule is the same
but the evidence is weaker. A model that was trained on these images has learnt some of their label errors. The rule is
implemented here, not taken from cleanlab, because it needs the agreement of several models over a million images in one pass
over the tags.

A label issue is a reason to look at the label. Its strength gives the order of review; it is not a probability.
"""

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.metrics.counts import Floats, Integers

Scores = NDArray[np.float32]

MIN_POSITIVES_FOR_SUSPECTS = 5
"""Least number of images with the tag, and of images without it, for label issues to be searched."""

SUSPECTS_PER_TAG = 50
"""Most label issues of each kind per tag, so that one review session can handle them."""


class Suspects(NamedTuple):
    """Label issues, (k,) each: missing labels first, then wrong labels, each kind in descending order of strength."""

    tag: Integers
    image: Integers
    missing: NDArray[np.bool_]
    """True: the image lacks the tag and likely should have it. False: it has the tag and likely should not."""
    strength: Floats
    """0 to 1; comparable between label issues of the same kind, also across tags."""


class Column(NamedTuple):
    """One model's scores of one tag."""

    scores: Scores
    """float32 (images,)."""
    carried: Scores
    """float32 (positives,), scores of the images that have the tag."""
    ascending: Scores
    """float32 (images,), all scores in ascending order."""
    mean_carried: np.float32
    """t1, the mean of `carried`."""
    mean_others: np.float32
    """t0, the mean score of the other images."""


def find_suspects(
    scores: Sequence[Scores],
    labels: NDArray[np.bool_],
    *,
    ascending: Sequence[Scores] | None = None,
    tag: int = 0,
) -> Suspects:
    """Return the labels of one tag that every model contradicts, the strongest `SUSPECTS_PER_TAG` of each kind.

    Args:
        scores: one array per model, at least one, float32 (images,) each, 0 to 1.
        labels: bool (images,), whether the ground truth gives the image the tag.
        ascending: the scores of each model in ascending order, if the caller has sorted them already; saves 0.1 ms per
            model for 32,768 images.
        tag: value of `Suspects.tag`.

    A missing label is suspected if an image without the tag scores t1 or more with every model; a wrong label if an image
    with the tag scores t0 or less with every model (means are rounded to float32). The strength is the minimum over the
    models of `share_carried` for missing labels and of `likelihood_without` for wrong labels. Both estimate the evidence of
    a score from the images of the tag, because the distance of a score from the mean has a different weight for each tag.
    Equal strengths are ordered by the score that contradicts the label least, the strongest contradiction first, then by
    image.

    Nothing is found if fewer than `MIN_POSITIVES_FOR_SUSPECTS` images have the tag, or lack it, or if a model scores the
    images with the tag no higher on average than the others: then it does not know the tag.

    >>> labels = np.array([True] * 6 + [False] * 6)
    >>> scores = np.float32([0.9, 0.9, 0.9, 0.9, 0.9, 0, 0.1, 0.1, 0.1, 0.1, 0.1, 1])
    >>> found = find_suspects([scores, scores], labels)
    >>> found.image.tolist(), found.missing.tolist(), found.strength.tolist()
    ([11, 5], [True, False], [0.75, 0.75])
    """
    assert len(scores) > 0, "scores of at least one model are needed"
    carriers = np.flatnonzero(labels)
    if min(len(carriers), len(labels) - len(carriers)) < MIN_POSITIVES_FOR_SUSPECTS:
        return no_suspects()
    ranked = [np.sort(one) for one in scores] if ascending is None else ascending
    columns = [column_of(*each, carriers) for each in zip(scores, ranked, strict=True)]
    if any(one.mean_carried <= one.mean_others for one in columns):
        return no_suspects()
    missing, wrong = find_missing(columns, labels), find_wrong(columns, carriers)
    image = np.concatenate([missing.image, wrong.image])
    return Suspects(
        np.full(len(image), tag, np.int64),
        image,
        np.arange(len(image)) < len(missing.image),
        np.concatenate([missing.strength, wrong.strength]),
    )


def rank_suspects(found: Iterable[Suspects]) -> Suspects:
    """Return the label issues of many tags as one ranked list; equal strengths are ordered by tag, then as found."""
    parts = [no_suspects(), *found]
    tag = np.concatenate([part.tag for part in parts])
    missing = np.concatenate([part.missing for part in parts])
    strength = np.concatenate([part.strength for part in parts])
    order = np.lexsort((tag, -strength, ~missing))
    return Suspects(
        tag[order],
        np.concatenate([part.image for part in parts])[order],
        missing[order],
        strength[order],
    )


def no_suspects() -> Suspects:
    """Return an empty list of label issues."""
    return Suspects(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.bool_), np.empty(0))


def column_of(scores: Scores, ascending: Scores, carriers: Integers) -> Column:
    """Return the `Column` of one model; some images must have the tag (`carriers`, their row numbers) and some must not."""
    carried = scores[carriers]
    total = carried.sum(dtype=np.float64)
    mean_others = (scores.sum(dtype=np.float64) - total) / (len(scores) - len(carried))
    return Column(scores, carried, ascending, np.float32(total / len(carried)), np.float32(mean_others))


class Strongest(NamedTuple):
    """Label issues of one kind and tag, (k,) each, the strongest first."""

    image: Integers
    strength: Floats


def find_missing(columns: Sequence[Column], labels: NDArray[np.bool_]) -> Strongest:
    """Return the images without the tag that every model scores t1 or more."""
    suspected = ~labels
    for one in columns:
        suspected &= one.scores >= one.mean_carried
    images = np.flatnonzero(suspected)
    if not len(images):
        return Strongest(images, np.empty(0))
    scores = [one.scores[images] for one in columns]
    strength = reduce(np.minimum, map(share_carried, columns, scores))
    return strongest(images, strength, reduce(np.minimum, scores))


def find_wrong(columns: Sequence[Column], carriers: Integers) -> Strongest:
    """Return the images with the tag that every model scores t0 or less."""
    suspected = reduce(np.logical_and, [one.carried <= one.mean_others for one in columns])
    images = carriers[suspected]
    if not len(images):
        return Strongest(images, np.empty(0))
    scores = [one.carried[suspected] for one in columns]
    strength = reduce(np.minimum, map(likelihood_without, columns, scores))
    return strongest(images, strength, -reduce(np.maximum, scores))


def strongest(images: Integers, strength: Floats, second: Scores) -> Strongest:
    """Return the `SUSPECTS_PER_TAG` strongest images; ties are ordered by `second`, descending, then by image.

    `images` must be ascending.
    """
    kept = np.lexsort((-second, -strength))[:SUSPECTS_PER_TAG]
    return Strongest(images[kept], strength[kept])


def share_carried(column: Column, scores: Scores) -> Floats:
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


def likelihood_without(column: Column, scores: Scores) -> Floats:
    """Return how much more likely a score this low is without the tag than with it: F0 / (F0 + F1).

    F0 and F1 are the shares of images with at most this score among the images without and with the tag, by Laplace's rule:
    (images at or below the score + 1) / (all images + 2). If every tag has the same share of wrong labels, placed on images
    that lack the tag, the probability that a label is wrong decreases with F1 / F0, whatever the frequency of the tag.
    One minus the share of positives would rank every rare tag first, because nearly all images lack it. As in
    `share_carried`, the cut between the score of the image and t0 that gives the largest value is used.

    Args:
        column: scores of one model.
        scores: float32 (k,), scores of images that have the tag, each t0 or less.

    Returns:
        float64 (k,), 0 to 1, non-increasing in the score.
    """
    low = np.sort(column.carried[column.carried <= column.mean_others])
    ends = np.append(low, np.nextafter(column.mean_others, np.float32(2)))  # the ratio rises up to just below each end
    carried_below = np.searchsorted(low, ends)
    others_below = np.searchsorted(column.ascending, ends) - carried_below
    share_with = (carried_below + 1) / (len(column.carried) + 2)
    share_without = (others_below + 1) / (len(column.scores) - len(column.carried) + 2)
    best = np.maximum.accumulate((share_without / (share_without + share_with))[::-1])[::-1]
    return best[np.searchsorted(ends, scores, side="right")]
