"""Significance: paired tests of two models on a tag, corrections for multiple tests, and ranks.

A difference that is not significant is undetermined; it does not mean that the models are equal. In a paired test, the
images of a tag on which both models predict the same have no weight of their own; they enter only through F1.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from arena.metrics.counts import Amounts, Floats, Integers, divide

_F1_TOLERANCE = 1e-12
"""Differences of F1 closer than this are ties: equal fractions can differ by about 1e-16 after rounding."""

_CLUSTERED_AT_ONCE = 64
"""Tags with clusters whose grids are in memory at the same time."""


class F1Pair(NamedTuple):
    """F1 of two models on the same images, float64 (tags,) each; NaN where undefined."""

    first: Floats
    second: Floats


class Paired(NamedTuple):
    """Counts of the predictions of two models on the same images, int64 (tags,) each; float64 if images have weights."""

    both_hit: Amounts
    """True positives of both models."""
    first_hit: Amounts
    """True positives of the first model only."""
    second_hit: Amounts
    """True positives of the second model only."""
    positives: Amounts
    """All positives, predicted or not."""
    both_false: Amounts
    """False positives of both models."""
    first_false: Amounts
    """False positives of the first model only."""
    second_false: Amounts
    """False positives of the second model only."""

    @property
    def discordance(self) -> float:
        """Share of the predictions that only one of the two models makes, over all tags; 0 to 1, 0 without a prediction."""
        only_one = sum(
            column.sum() for column in (self.first_hit, self.second_hit, self.first_false, self.second_false)
        )
        both = self.both_hit.sum() + self.both_false.sum()
        return float(only_one / max(1, only_one + 2 * both))

    def f1(self) -> F1Pair:
        """Return F1 = 2 TP / (predicted + positives) of each model; NaN where nothing is predicted and nothing positive."""
        return F1Pair(
            _f1(self.both_hit + self.first_hit, self.both_false + self.first_false, self.positives),
            _f1(self.both_hit + self.second_hit, self.both_false + self.second_false, self.positives),
        )


def exact_p(paired: Paired, clustered: Mapping[int, Integers] | None = None) -> Floats:
    """Return p of the exact two-sided paired randomisation test of equal F1; float64 (tags,).

    Under the null hypothesis the names of the two models can be swapped on any image. Over all swaps, the number of true
    positives of the first model only is binomial among the discordant positives, with probability 1/2. The number of false
    positives of the first model only is binomial among the discordant negatives, independently. p is the share of swaps
    where |difference of F1| is at least the observed one; ties count. Nothing is sampled or truncated: for a fixed number of
    true positives the difference decreases with the false positives, so one binomial tail per number of true positives
    covers the whole grid.

    Args:
        paired: counts of every tag.
        clustered: tag -> int (clusters, 4), the discordant images of each cluster of near duplicates with more than one of
            them, in the columns first_hit, second_hit, first_false, second_false. The names are swapped on a cluster as a
            whole. `paired` counts these images too.

    Returns: p, 0 (underflow of float64) to 1; 1 where no image is discordant; NaN where the F1 of either model is undefined.

    Source: Yeh 2000 (randomisation tests of F1), here enumerated exactly.

    >>> one = (np.array([n]) for n in (5, 3, 0, 10, 0, 0, 0))  # three positives that only the first predicts
    >>> float(exact_p(Paired(*one)).round(12)[0])
    0.25
    """
    first, second = paired.f1()
    observed = np.abs(first - second)
    p = np.where(np.isnan(observed), np.nan, 1.0)
    clustered = clustered or {}
    decided = observed > _F1_TOLERANCE
    single = decided.copy()
    single[list(clustered)] = False
    p[single] = _p_of_singles(_pick(paired, single), observed[single])
    with_clusters = [tag for tag in clustered if decided[tag]]
    for start in range(0, len(with_clusters), _CLUSTERED_AT_ONCE):
        tags = with_clusters[start : start + _CLUSTERED_AT_ONCE]
        tables = [np.asarray(clustered[tag], np.int64).reshape(-1, 4) for tag in tags]
        p[tags] = _p_of_clusters(_pick(paired, tags), observed[tags], tables)
    return p


def _p_of_singles(paired: Paired, observed: Floats) -> Floats:
    """Return p of tags without clusters, all at once.

    Each number of true positives that the first model alone could have is one row.
    """
    hits, false = paired.first_hit + paired.second_hit, paired.first_false + paired.second_false
    tags = np.repeat(np.arange(len(hits)), hits + 1)
    own_hits = np.arange(len(tags)) - np.repeat(np.cumsum(hits + 1) - (hits + 1), hits + 1)
    most = _most_false(_pick(paired, tags), own_hits, observed[tags])
    share = _binomial(own_hits, hits[tags]) * _at_most(most, false[tags])
    return _two_sided(np.bincount(tags, weights=share, minlength=len(hits)).astype(np.float64))


class _Grid(NamedTuple):
    """Distribution of the true and false positives of the first model only, over all swaps of one tag."""

    shares: Floats
    """Probability of each number of true positives, and of false positives in clusters, above the least; float64."""
    least_hits: int
    least_false: int
    single_false: int
    """Discordant negatives that are swapped one by one; their distribution is not in `shares`."""


def _p_of_clusters(paired: Paired, observed: Floats, clusters: Sequence[Integers]) -> Floats:
    """Return p of tags with clusters: the binomial grid of single images convolved with both outcomes of each cluster.

    Args:
        paired: counts of the tags.
        observed: float64 (tags,).
        clusters: for each tag, int64 (clusters, 4).
    """
    hits, false = paired.first_hit + paired.second_hit, paired.first_false + paired.second_false
    grids = [_grid(*one) for one in zip(hits.tolist(), false.tolist(), clusters, strict=True)]
    tags = np.repeat(np.arange(len(grids)), [len(one.shares) for one in grids])
    own_hits = np.concatenate([one.least_hits + np.arange(len(one.shares)) for one in grids])
    most = np.split(_most_false(_pick(paired, tags), own_hits, observed[tags]), np.flatnonzero(np.diff(tags)) + 1)
    left = [
        rows[:, None] - one.least_false - np.arange(one.shares.shape[1]) for one, rows in zip(grids, most, strict=True)
    ]
    singles = np.repeat([one.single_false for one in grids], [one.size for one in left])
    at_most = np.split(
        _at_most(np.concatenate([one.ravel() for one in left]), singles), np.cumsum([one.size for one in left])
    )
    sums = [(one.shares * each.reshape(one.shares.shape)).sum() for one, each in zip(grids, at_most, strict=False)]
    return _two_sided(np.array(sums))


def _grid(hits: int, false: int, clusters: Integers) -> _Grid:
    """Return the grid of one tag.

    A cluster where the two models differ by one true positive, or by one false positive, equals a single image plus a
    constant, so it joins the binomials.

    Args:
        hits, false: number of discordant positives and negatives.
        clusters: int64 (clusters, 4).
    """
    floor = np.minimum(clusters[:, 0], clusters[:, 1]).sum(), np.minimum(clusters[:, 2], clusters[:, 3]).sum()
    net = clusters[:, [0, 2]] - clusters[:, [1, 3]]
    size = np.abs(net).sum(axis=1)
    single_hits = hits - int(clusters[:, :2].sum()) + int(((size == 1) & (net[:, 0] != 0)).sum())
    single_false = false - int(clusters[:, 2:].sum()) + int(((size == 1) & (net[:, 1] != 0)).sum())
    assert single_hits >= 0 <= single_false, "the clusters hold more discordant images than the tag"

    among = _cluster_grid(net[size > 1])
    hit_share = _binomial(np.arange(single_hits + 1), np.full(single_hits + 1, single_hits))
    grid = np.zeros((single_hits + len(among), among.shape[1]))
    for shift, row in enumerate(among):
        grid[shift : shift + len(hit_share)] += np.multiply.outer(hit_share, row)
    return _Grid(grid, int(floor[0]), int(floor[1]), single_false)


def _cluster_grid(net: Integers) -> Floats:
    """Return the joint distribution of the true and false positives that clusters add above their minimum.

    A cluster adds its whole net count to a coordinate, or nothing: to both coordinates at once if its nets have the same
    sign, else to one or the other. Equal clusters are handled together, as a binomial number of them.

    Args:
        net: int64 (clusters, 2), true and false positives of the first model minus those of the second.

    Returns: float64 (true positives + 1, false positives + 1).
    """
    step, opposed = np.abs(net), (net[:, 0] * net[:, 1] < 0).astype(np.int64)
    grid = np.zeros(step.sum(axis=0) + 1)
    grid[0, 0] = 1.0
    wide = int(step.max(initial=0)) + 1
    kinds, times = np.unique((step[:, 0] * wide + step[:, 1]) * 2 + opposed, return_counts=True)
    for kind, number in zip(kinds.tolist(), times.tolist(), strict=True):
        hits, false, opposite = kind // 2 // wide, kind // 2 % wide, kind % 2
        chosen = np.arange(number + 1)
        before, grid = grid, np.zeros_like(grid)
        for k, share in zip(chosen.tolist(), _binomial(chosen, np.full_like(chosen, number)), strict=True):
            down, right = hits * k, false * (number - k if opposite else k)
            grid[down:, right:] += share * before[: len(before) - down, : before.shape[1] - right]
    return grid


def _most_false(paired: Paired, own_hits: Integers, observed: Floats) -> Integers:
    """Return the most false positives of the first model only at which it still leads by the observed difference; -1 if none.

    Bisection works because the difference decreases as false positives move from the second model to the first.
    """
    hits, false = paired.first_hit + paired.second_hit, paired.first_false + paired.second_false

    def leads(own_false: Integers) -> NDArray[np.bool_]:
        first = _f1(paired.both_hit + own_hits, paired.both_false + own_false, paired.positives)
        second = _f1(paired.both_hit + hits - own_hits, paired.both_false + false - own_false, paired.positives)
        return first - second >= observed - _F1_TOLERANCE

    low, high = np.full_like(own_hits, -1), false.copy()
    for _ in range(int(false.max(initial=0) + 1).bit_length()):
        middle = (low + high + 1) // 2
        up = leads(np.maximum(middle, 0))
        low, high = np.where(up, middle, low), np.where(up, high, middle - 1)
    return low


def _f1(hits: Amounts, false: Amounts, positives: Amounts) -> Floats:
    """Return 2 TP / (TP + FP + positives), element by element; NaN where that is 0 / 0."""
    return divide(2 * hits, hits + false + positives)


def _pick(paired: Paired, tags: Integers | NDArray[np.bool_] | list[int]) -> Paired:
    return Paired(*(np.asarray(column, np.int64)[tags] for column in paired))


def _binomial(k: Integers, n: Integers) -> Floats:
    """Return P(X = k) for X binomial with n trials and probability 1/2."""
    log: Floats = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1) - n * math.log(2)
    return np.exp(log)


def _at_most(k: Integers, n: Integers) -> Floats:
    """Return P(X <= k) for X binomial with n trials and probability 1/2; 0 for k < 0, 1 for k >= n."""
    inside: Floats = special.bdtr(np.clip(k, 0, n).astype(np.float64), n, 0.5)
    return np.where(k < 0, 0.0, inside)


def _two_sided(one_sided: Floats) -> Floats:
    """Return the two-sided p. Both tails are equal, because swapping every name mirrors the difference; at most 1."""
    return np.asarray(np.minimum(2.0 * one_sided, 1.0))


def benjamini_hochberg(p: Floats) -> Floats:
    """Return q of each test: the smallest false discovery rate at which it is rejected; float64 (tests,).

    NaN is not a test: it stays NaN and does not count.

    Source: Benjamini and Hochberg 1995, step-up.

    >>> benjamini_hochberg(np.array([0.01, np.nan, 0.04, 0.03])).tolist()
    [0.03, nan, 0.04, 0.04]
    """
    order, tests = _ascending(p)
    scaled = p[order] * (tests / np.arange(1, tests + 1))
    q = np.full(len(p), np.nan)
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q


def holm(p: Floats) -> Floats:
    """Return the adjusted p of each test, which controls the family-wise error rate; float64 (tests,).

    The probability that the adjusted p of any true null hypothesis is at or below a level is at most that level. NaN is not
    a test: it stays NaN and does not count.

    Source: Holm 1979, step-down.

    >>> holm(np.array([0.01, np.nan, 0.04, 0.03])).tolist()
    [0.03, nan, 0.06, 0.06]
    """
    order, tests = _ascending(p)
    adjusted = np.full(len(p), np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(tests, 0, -1)), 1.0)
    return adjusted


class _Ascending(NamedTuple):
    order: NDArray[np.intp]
    tests: int


def _ascending(p: Floats) -> _Ascending:
    """Return the indices of the tests by ascending p, and their number; NaN is left out."""
    tests = int((~np.isnan(p)).sum())
    return _Ascending(np.argsort(p, kind="stable")[:tests], tests)


class Rank(NamedTuple):
    """Rank of a model among several."""

    rank: int
    """1 + the number of models significantly better."""
    tied_with_best: bool
    """Whether it is not significantly worse than the model with the highest value."""


def ranks_by_significance(values: Floats, better: NDArray[np.bool_]) -> list[Rank]:
    """Return the rank of each model, counting significant differences only.

    Args:
        values: float64 (models,), higher is better; a model with NaN is last and never tied with the best.
        better: bool (models, models), whether model i is significantly better than model j at [i, j].

    >>> better = np.array([[False, False, True], [False, False, False], [False, False, False]])
    >>> ranks_by_significance(np.array([0.7, 0.6, 0.5]), better)
    [Rank(rank=1, tied_with_best=True), Rank(rank=1, tied_with_best=True), Rank(rank=2, tied_with_best=False)]
    """
    defined = ~np.isnan(values)
    if not defined.any():
        return [Rank(len(values), False)] * len(values)
    best = int(np.nanargmax(values))
    above = 1 + (better & defined[:, None]).sum(axis=0)
    return [
        Rank(int(rank), not loses) if known else Rank(len(values), False)
        for rank, loses, known in zip(above, better[best], defined, strict=True)
    ]


def minimum_detectable(standard_error: ArrayLike, *, power: float = 0.8, alpha: float = 0.05) -> Floats:
    """Return the smallest true difference that a two-sided test detects with this power: 2.80 standard errors by default.

    Args:
        standard_error: standard error of the difference; a number or an array.
        power: probability of detecting it.
        alpha: level of the test.

    >>> round(float(minimum_detectable(0.01)), 4)
    0.028
    """
    return np.asarray(standard_error, np.float64) * float(special.ndtri(1 - alpha / 2) + special.ndtri(power))


def images_needed(
    images: int, standard_error: float, difference: float, *, power: float = 0.8, alpha: float = 0.05
) -> int:
    """Return how many images make this difference detectable; its standard error shrinks with their square root.

    Args:
        images: number of images that gave this standard error.
        standard_error: standard error of the difference.
        difference: true difference to detect; its sign does not matter.
        power: probability of detecting it.
        alpha: level of the test.

    Raises:
        ValueError: the difference is 0, which no number of images detects, or an input is not finite.

    >>> images_needed(1000, 0.01, 0.014)
    4005
    """
    if difference == 0 or not math.isfinite(difference) or not math.isfinite(standard_error):
        raise ValueError(f"no number of images detects a difference of {difference} (standard error {standard_error})")
    return math.ceil(images * (float(minimum_detectable(standard_error, power=power, alpha=alpha)) / difference) ** 2)
