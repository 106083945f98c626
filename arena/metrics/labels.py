"""Labels that are likely missing or likely wrong, because every model says so.

Confident learning's rule (Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty in dataset labels",
JAIR 2021), tag by tag: a model expects of an image with the tag the mean score of those that carry it, and of an image
without it the mean score of those that do not. A label is suspected where every model scores the image as it would
expect of the other label. Models that err independently seldom agree by chance; with one model the rule stands, but the
evidence is weaker, and a model trained on these images has learnt some of their errors. The rule is computed here
rather than by cleanlab because what is wanted is the agreement of several models, over a million images, in one pass
over the tags.

A suspicion is a reason to look, and its strength an order to look in, not a probability.
"""

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.metrics.counts import Floats, Integers

Scores = NDArray[np.float32]

MIN_POSITIVES_FOR_SUSPECTS = 5
"""Images with the tag, and images without, below which a mean score says nothing."""

SUSPECTS_PER_TAG = 50
"""Suspects of each kind that a tag gives: what one sitting can look at."""


class Suspects(NamedTuple):
    """Labels to look at, (k,) each: the missing first, then the wrong, each kind in descending order of strength."""

    tag: Integers
    image: Integers
    missing: NDArray[np.bool_]
    """Whether the image lacks the tag and should likely have it; else it has the tag and likely should not."""
    strength: Floats
    """0 to 1; to be compared with other suspects of the same kind, of any tag."""


class Column(NamedTuple):
    """What one model says of one tag."""

    scores: Scores
    """float32 (images,)."""
    carried: Scores
    """float32 (positives,), scores of the images that carry the tag."""
    ascending: Scores
    """float32 (images,), all scores in ascending order."""
    mean_carried: np.float32
    """t1, the mean of `carried`."""
    mean_others: np.float32
    """t0, the mean of the other images."""


def find_suspects(
    scores: Sequence[Scores],
    labels: NDArray[np.bool_],
    *,
    ascending: Sequence[Scores] | None = None,
    tag: int = 0,
) -> Suspects:
    """The labels of one tag that every model contradicts, at most `SUSPECTS_PER_TAG` of each kind, the strongest.

    Args:
        scores: of one model or more, float32 (images,) each, 0 to 1.
        labels: bool (images,), whether the image is said to carry the tag.
        ascending: the same scores, each model's in ascending order, where the caller has sorted them: saves 0.1 ms a
            model for 32,768 images.
        tag: the number that the suspects get.

    A missing label is suspected where an image without the tag scores t1 or more with every model, a wrong one where an
    image with the tag scores t0 or less (means are rounded to float32). The strength is the least over the models of
    `share_carried` for the missing, of `likelihood_without` for the wrong: both read off the tag's own images what a
    score is worth, where the score's distance from the mean is worth more with one tag than with another. Those equally
    strong come in order of how far the score that contradicts the label least does so, then in order of the images.

    None are found where fewer than `MIN_POSITIVES_FOR_SUSPECTS` images have the tag, or lack it, or where a model
    scores the images that carry it no higher than the others: it does not know the tag.

    >>> labels = np.array([True] * 6 + [False] * 6)
    >>> scores = np.float32([0.9, 0.9, 0.9, 0.9, 0.9, 0, 0.1, 0.1, 0.1, 0.1, 0.1, 1])
    >>> found = find_suspects([scores, scores], labels)
    >>> found.image.tolist(), found.missing.tolist(), found.strength.tolist()
    ([11, 5], [True, False], [0.75, 0.75])
    """
    assert len(scores) > 0, "no model to ask"
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
    """The suspects of many tags, in any order, as one list; those equally strong in order of tag, then as found."""
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
    """The empty list."""
    return Suspects(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.bool_), np.empty(0))


def column_of(scores: Scores, ascending: Scores, carriers: Integers) -> Column:
    """One model's scores of a tag that some images carry, and some do not; `carriers` says which do."""
    carried = scores[carriers]
    total = carried.sum(dtype=np.float64)
    mean_others = (scores.sum(dtype=np.float64) - total) / (len(scores) - len(carried))
    return Column(scores, carried, ascending, np.float32(total / len(carried)), np.float32(mean_others))


class Strongest(NamedTuple):
    """Suspects of one kind and tag, (k,) each, strongest first."""

    image: Integers
    strength: Floats


def find_missing(columns: Sequence[Column], labels: NDArray[np.bool_]) -> Strongest:
    """The images without the tag that every model scores t1 or more."""
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
    """The images with the tag that every model scores t0 or less."""
    suspected = reduce(np.logical_and, [one.carried <= one.mean_others for one in columns])
    images = carriers[suspected]
    if not len(images):
        return Strongest(images, np.empty(0))
    scores = [one.carried[suspected] for one in columns]
    strength = reduce(np.minimum, map(likelihood_without, columns, scores))
    return strongest(images, strength, -reduce(np.maximum, scores))


def strongest(images: Integers, strength: Floats, second: Scores) -> Strongest:
    """The strongest suspects; ties by the second figure, then by image. The images given ascend."""
    kept = np.lexsort((-second, -strength))[:SUSPECTS_PER_TAG]
    return Strongest(images[kept], strength[kept])


def share_carried(column: Column, scores: Scores) -> Floats:
    """How likely an image of such a score carries the tag, by the labels of the images scored at least so high.

    If every tag lacks the same share of its labels, the odds that an image without the label should have it are that
    share's odds times the odds of the label at its score: so this orders the missing labels of all tags by their odds.

    The share, (carried + 1) / (images + 2) after Laplace, is taken of all images scored x or more, for the x from t1 to
    the image's score that gives the most. Otherwise the surest suspects, above which few images stand, would be the
    weakest.

    Args:
        column: one model's.
        scores: float32 (k,), of images, t1 or more each.

    Returns:
        float64 (k,), 0 to 1, non-decreasing in the score.
    """
    high = np.sort(column.carried[column.carried >= column.mean_carried])
    cuts = np.sort(np.concatenate([high, scores]))  # between these the share only rises
    carried_above = len(high) - np.searchsorted(high, cuts)
    images_above = len(column.ascending) - np.searchsorted(column.ascending, cuts)
    best = np.maximum.accumulate((carried_above + 1) / (images_above + 2))
    return best[np.searchsorted(cuts, scores)]


def likelihood_without(column: Column, scores: Scores) -> Floats:
    """How much likelier so low a score is without the tag than with it: F0 / (F0 + F1).

    F0 and F1 are the shares, (scored at most so low + 1) / (all + 2) after Laplace, of the images without and with the
    tag. If of every tag the same share of labels is wrong, put on images that lack it, the chance that a label is wrong
    falls as F1 / F0 rises, whatever the tag's frequency: one minus the share carried would put every rare tag first,
    because nearly all images lack it. As with `share_carried`, the cut from the image's score to t0 that gives the most
    is taken.

    Args:
        column: one model's.
        scores: float32 (k,), of images that carry the tag, t0 or less each.

    Returns:
        float64 (k,), 0 to 1, non-increasing in the score.
    """
    low = np.sort(column.carried[column.carried <= column.mean_others])
    ends = np.append(low, np.nextafter(column.mean_others, np.float32(2)))  # the ratio only rises till just below each
    carried_below = np.searchsorted(low, ends)
    others_below = np.searchsorted(column.ascending, ends) - carried_below
    share_carried = (carried_below + 1) / (len(column.carried) + 2)
    share_others = (others_below + 1) / (len(column.scores) - len(column.carried) + 2)
    best = np.maximum.accumulate((share_others / (share_others + share_carried))[::-1])[::-1]
    return best[np.searchsorted(ends, scores, side="right")]
