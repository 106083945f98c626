"""How far taggers agree, and which rules between tags they break: figures that need no label.

Decisions are sparse: an image carries about 30 of thousands of tags. Every figure is a ratio of two sums over images, so its
standard error follows from the influence of each image, or of each cluster of near duplicates.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

from arena.metrics.counts import Floats, Integers, divide
from arena.metrics.intervals import resampled_interval, wilson


class Share(NamedTuple):
    """A share of cases with its 95 % interval.

    Attributes:
        hits, cases: sums over the images.
        value: hits / cases; NaN without a case.
        low, high: ends of the interval; NaN without a case.
    """

    hits: float
    cases: float
    value: float
    low: float
    high: float


def share_of(hits: Floats, cases: Floats, units: Integers | None = None) -> Share:
    """Return the share of cases that are hits, with Wilson's interval at the design effect of the images.

    The cases of one image, and the images of one cluster, depend on each other. The design effect is the variance of the share
    over clusters, divided by that of as many independent cases; it is at least 1.

    Args:
        hits, cases: float64 (images,), 0 <= hits <= cases.
        units: int64 (images,), cluster of each image; None if every image is one.

    >>> one = share_of(np.array([1.0, 0, 0, 1]), np.array([2.0, 2, 2, 2]))
    >>> one.value, round(one.low, 3), round(one.high, 3)
    (0.25, 0.037, 0.742)
    """
    hit, case = (_by_unit(one, units) for one in (hits, cases))
    some = case > 0
    hit, case = hit[some], case[some]
    total, number = float(case.sum()), len(case)
    if not number:
        return Share(0.0, 0.0, math.nan, math.nan, math.nan)
    value = float(hit.sum()) / total
    spread = (hit - value * case) ** 2
    variance = number / max(number - 1, 1) * float(spread.sum()) / total**2
    binomial = value * (1 - value) / total
    effect = max(1.0, variance / binomial) if binomial > 0 else 1.0
    low, high = wilson(float(hit.sum()), total, design_effect=effect, clusters=float(number))
    return Share(float(hit.sum()), total, value, float(low), float(high))


class MeanOf(NamedTuple):
    """A mean over images with its 95 % interval; NaN where undefined."""

    value: float
    low: float
    high: float
    images: int
    """Number of images where the figure is defined."""


def mean_over_images(values: Floats, units: Integers | None = None) -> MeanOf:
    """Return the mean of a figure from 0 to 1 over the images where it is defined, with its interval.

    Args:
        values: float64 (images,); NaN where undefined.
        units: as in `share_of`.

    >>> mean_over_images(np.array([1.0, np.nan, 1.0]))
    MeanOf(value=1.0, low=1.0, high=1.0, images=2)
    """
    defined = ~np.isnan(values)
    images = int(defined.sum())
    if not images:
        return MeanOf(math.nan, math.nan, math.nan, 0)
    value = float(values[defined].mean())
    moved = _by_unit(np.where(defined, values - value, 0.0) / images, units)
    number = int((_by_unit(defined.astype(np.float64), units) > 0).sum())
    if number < 2:
        return MeanOf(value, math.nan, math.nan, images)
    error = math.sqrt(number / (number - 1) * float((moved**2).sum()))
    low, high = (float(np.clip(end, 0.0, 1.0)) for end in resampled_interval(value, error, number - 1))
    return MeanOf(value, low, high, images)


def _by_unit(values: Floats, units: Integers | None) -> Floats:
    return values if units is None else np.bincount(units, values).astype(np.float64)


class PairSums(NamedTuple):
    """Per image, the tags that both models give and that either gives; float64 (images,)."""

    both: Floats
    either: Floats

    @property
    def jaccard(self) -> Floats:
        """Shared tags divided by all tags of the two; NaN for an image without a tag of either."""
        return divide(self.both, self.either)


def pair_sums(first: csr_array, second: csr_array) -> PairSums:
    """Return the sums of two models over the same images and tags.

    Args:
        first, second: bool (images, tags), the decisions.

    >>> one, other = csr_array(np.array([[True, True, False]])), csr_array(np.array([[True, False, True]]))
    >>> pair_sums(one, other).jaccard.round(3).tolist()
    [0.333]
    """
    both = row_sums(first.multiply(second))
    return PairSums(both, row_sums(first) + row_sums(second) - both)


def row_sums(matrix: csr_array) -> Floats:
    """Return the number of true cells of each row; float64 (rows,)."""
    found = csr_array(matrix)
    found.eliminate_zeros()
    return np.asarray(np.diff(found.indptr), np.float64)


class Broken(NamedTuple):
    """Broken rules of one model.

    Attributes:
        broken: float64 (images,), number of broken cases.
        cases: float64 (images,), number of cases where a rule applies.
        by_rule: int64 (rules,), broken cases of each rule.
    """

    broken: Floats
    cases: Floats
    by_rule: Integers


class Rules(NamedTuple):
    """Rules between two tags: int64 (rules,) columns of the first and the second tag."""

    first: Integers
    second: Integers

    def __len__(self) -> int:
        return len(self.first)

    def known(self, columns: NDArray[np.bool_]) -> "Rules":
        """Return the rules of which both tags are in `columns`, bool (tags,)."""
        kept = columns[self.first] & columns[self.second]
        return Rules(self.first[kept], self.second[kept])


def broken_implications(predicted: csc_array, rules: Rules) -> Broken:
    """Return where a tag is predicted but a tag that it implies is not; at least one of the two decisions is wrong.

    A case is a predicted tag with one tag that it implies, so a tag that implies two has two cases.

    Args:
        predicted: bool (images, tags).
        rules: the first tag implies the second.

    >>> cat_animal = Rules(np.array([0]), np.array([1]))
    >>> found = broken_implications(csc_array(np.array([[True, False], [True, True], [False, True]])), cat_animal)
    >>> found.broken.tolist(), found.cases.tolist(), found.by_rule.tolist()
    ([1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1])
    """
    return _broken(predicted, rules, implied=True)


def broken_exclusions(predicted: csc_array, rules: Rules) -> Broken:
    """Return where two tags that exclude each other are both predicted; at least one of the two decisions is wrong.

    A case is a predicted tag with at least one tag that excludes it; it is broken if such a tag is predicted as well. The
    broken cases of a rule are the images with both tags.

    Args:
        predicted: bool (images, tags).
        rules: pairs of tags, each pair once.

    >>> day_night = Rules(np.array([0]), np.array([1]))
    >>> found = broken_exclusions(csc_array(np.array([[True, True, False], [True, False, True]])), day_night)
    >>> found.broken.tolist(), found.cases.tolist(), found.by_rule.tolist()
    ([2.0, 0.0], [2.0, 1.0], [1])
    """
    return _broken(predicted, rules, implied=False)


def _broken(predicted: csc_array, rules: Rules, *, implied: bool) -> Broken:
    """Go through the rules by their first tag: only the images with it can break one."""
    images, tags = predicted.shape
    cases, by_rule = np.zeros(images), np.zeros(len(rules), np.int64)
    broken = np.zeros(images)
    rows = [predicted.indices[predicted.indptr[tag] : predicted.indptr[tag + 1]] for tag in range(tags)]
    inside, conflicting = (
        np.zeros(images, np.bool_),
        {int(tag): np.zeros(len(rows[tag]), np.bool_) for tag in rules.first},
    )
    conflicting |= {int(tag): np.zeros(len(rows[tag]), np.bool_) for tag in rules.second}
    for number in np.argsort(rules.first, kind="stable"):
        first, second = int(rules.first[number]), int(rules.second[number])
        inside[rows[second]] = True
        both = inside[rows[first]]
        inside[rows[second]] = False
        if implied:
            by_rule[number] = int((~both).sum())
            broken[rows[first]] += ~both
            cases[rows[first]] += 1
            continue
        by_rule[number] = int(both.sum())
        conflicting[first] |= both
        inside[rows[first]] = True
        conflicting[second] |= inside[rows[second]]
        inside[rows[first]] = False
    if not implied:
        for tag, conflict in conflicting.items():
            cases[rows[tag]] += 1
            broken[rows[tag]] += conflict
    return Broken(broken, cases, by_rule)


class OnlyOne(NamedTuple):
    """Decisions of one model that no other model makes.

    Attributes:
        images: int64 (tags,), number of images on which only this model gives each tag.
        where: bool (images, tags), these decisions.
    """

    images: Integers
    where: csc_array


def only_one(predicted: csc_array, others: list[csc_array]) -> OnlyOne:
    """Return the decisions of a model that none of the others makes.

    >>> one, other = csc_array(np.array([[True, True]])), csc_array(np.array([[True, False]]))
    >>> only_one(one, [other]).images.tolist()
    [0, 1]
    """
    alone = predicted.astype(np.int8)
    for other in others:
        alone = alone - alone.multiply(other.astype(np.int8))
    where = csc_array(alone).astype(np.bool_)
    where.eliminate_zeros()
    where.sort_indices()
    return OnlyOne(np.diff(where.indptr).astype(np.int64), where)
