"""The first pass over the tags: sort the columns of every model once and compute everything that depends on a single tag."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from arena.metrics import calibration, ranking
from arena.metrics.blocks import KnownColumns, ModelBlock, block_labels, over_blocks
from arena.metrics.break_even import HighCells, HighestScores
from arena.metrics.counts import Amounts, Counts, Floats, Integers, TagCounts, divide
from arena.metrics.known import KnownCells
from arena.metrics.ranking import Ordered, SortedBlock

WORST_PER_TAG = 8
"""Number of worst false positives, and of worst false negatives, kept for each tag and model."""


@dataclass(frozen=True)
class Sampling:
    """Grouping of the images and tags for estimates of uncertainty.

    Attributes:
        folds: uint8 (images,), ascending: the images of a fold are contiguous.
        units: int64 (images,), resampled unit of each image: a duplicate cluster, or a bag of them.
        groups: float64 (groups, truth tags), 1 where a tag enters the means of a group, else 0.
    """

    folds: NDArray[np.uint8]
    units: Integers
    groups: Floats

    @cached_property
    def independent(self) -> bool:
        """Whether each image is its own unit, in the order of the images."""
        return bool((self.units == np.arange(len(self.units))).all())

    def add_by_unit(self, images: NDArray[np.integer[Any]], values: Floats, into: Floats) -> None:
        """Add the values of distinct images to `into` at their units, float64 (units,)."""
        if self.independent:
            into[images] += values
        else:
            into += np.bincount(self.units[images], values, len(into))

    def fill_by_unit(self, images: NDArray[np.integer[Any]], values: Floats, into: Floats) -> None:
        """Do the same where `into` is 0 everywhere."""
        if self.independent:
            into[images.astype(np.intp)] = values  # half the time of an addition
        else:
            into[:] = np.bincount(self.units[images], values, len(into))

    @cached_property
    def bounds(self) -> Integers:
        """Start of each fold, and the end of the last; int64 (folds + 1,)."""
        return np.searchsorted(self.folds, np.arange(int(self.folds.max()) + 2)).astype(np.int64)


@dataclass
class Tally:
    """Result of the first pass for one model; NaN where undefined.

    All per-tag arrays are in the order of `KnownColumns.columns`.

    Attributes:
        thresholds: float32 (k,), strictly increasing.
        tp, fp: integers (folds, k, tags), int16 if the images of a fold are few; float64 sums of weights if images have
            weights. One fold without sampling. Sums over an axis are int64.
        own: counts over all folds, each tag at the model's own threshold.
        positives: int64 (folds, tags), or float64.
        images: int64 (folds,), or float64.
        known: as `positives`, (folds, tags), known images of each tag; None if every cell is known.
        support: int64 (tags,), number of images with the tag, whatever their weights.
        average_precision, roc_auc: float64 (tags,).
        best, break_even: float64 (2, tags), threshold and value: see `ranking.best_f1` and `ranking.break_even`.
        squares, positive_scores: float64 (tags,), sum of the squared scores, and sum of the scores of positives.
        bins: reliability bins, (tags, bins).
        ap_bias, ap_variance: float64 (tags,), see `ranking.average_precision_bias` and `ranking.influence`; NaN without
            sampling.
        ap_effect: float64 (tags,), factor by which clusters change the variance of AP; NaN without sampling.
        map_influence: float64 (groups, units), influence of each unit on the sum of AP over the tags of a group.
        worst_false, worst_missed: int32 (tags, WORST), images of the highest-scored negatives and of the lowest-scored
            positives; -1 where there are fewer, and everywhere without sampling.
        worst_false_scores, worst_missed_scores: float32 (tags, WORST), their scores.
    """

    thresholds: NDArray[np.float32]
    tp: Amounts
    fp: Amounts
    own: TagCounts
    positives: Amounts
    images: Amounts
    known: Amounts | None
    support: Integers
    average_precision: Floats
    roc_auc: Floats
    best: Floats
    break_even: Floats
    squares: Floats
    positive_scores: Floats
    bins: calibration.Bins
    ap_bias: Floats
    ap_variance: Floats
    ap_effect: Floats
    map_influence: Floats
    worst_false: NDArray[np.int32] = field(repr=False)
    worst_missed: NDArray[np.int32] = field(repr=False)
    worst_false_scores: NDArray[np.float32] = field(repr=False)
    worst_missed_scores: NDArray[np.float32] = field(repr=False)

    @property
    def all_images(self) -> float | Amounts:
        """Number of images in all folds, or the sum of their weights; that of the known images of each tag, (tags,)."""
        return self.images.sum().item() if self.known is None else np.asarray(self.known.sum(0))

    @property
    def counts(self) -> Counts:
        """Counts summed over all folds."""
        return Counts(self.thresholds, self.tp.sum(0), self.fp.sum(0), self.positives.sum(0), images=self.all_images)

    @property
    def brier(self) -> Floats:
        """Mean squared difference between score and label, float64 (tags,)."""
        return calibration.brier(self.squares, self.positive_scores, self.positives.sum(0), self.all_images)


def _count_type(images: int) -> np.dtype[Any]:
    """Return the smallest type that holds twice the number of images of a fold, because the sweep takes most of the memory.

    Ten models of 70,000 tags have 0.8 billion counts.
    """
    return np.dtype(next(kind for kind in (np.int16, np.int32, np.int64) if 2 * images <= np.iinfo(kind).max))


def _empty_tally(
    thresholds: NDArray[np.float32],
    own: NDArray[np.float32],
    images: Amounts,
    groups: int,
    units: int,
    *,
    partial: bool,
) -> Tally:
    folds, tags, kind = len(images), len(own), images.dtype
    # memory layout with the counts of a tag contiguous; otherwise each write would be a cache miss
    narrow = _count_type(int(images.max(initial=0))) if kind.kind == "i" else kind
    tp, fp = np.zeros((2, tags, len(thresholds), folds), narrow).transpose(0, 3, 2, 1)
    binned, carried, squared = np.zeros((3, tags, calibration.RELIABILITY_BINS), kind)
    ap, auc, bias, variance, effect = np.full((5, tags), np.nan)
    best, even = np.full((2, 2, tags), np.nan)
    false, missed = np.full((2, tags, WORST_PER_TAG), -1, np.int32)
    false_scores, missed_scores = np.zeros((2, tags, WORST_PER_TAG), np.float32)
    true, false_alarms, with_tag = np.zeros((3, tags), kind)
    scored = np.zeros(tags, kind) if partial else images.sum().item()
    return Tally(
        thresholds, tp, fp, TagCounts(own, true, false_alarms, with_tag, scored), np.zeros((folds, tags), kind), images,
        np.zeros((folds, tags), kind) if partial else None, np.zeros(tags, np.int64),
        average_precision=ap, roc_auc=auc, best=best, break_even=even,
        squares=np.zeros(tags), positive_scores=np.zeros(tags),
        bins=calibration.Bins(binned, carried, np.zeros(binned.shape), squared),
        ap_bias=bias, ap_variance=variance, ap_effect=effect, map_influence=np.zeros((groups, units)),
        worst_false=false, worst_missed=missed, worst_false_scores=false_scores, worst_missed_scores=missed_scores,
    )  # fmt: skip


class RankedColumn(NamedTuple):
    """One model's column for one tag."""

    scores: NDArray[np.float32]
    """float32 (images,), in the order of the images."""
    block: SortedBlock
    row: int
    """Row of the tag in the block."""


class Tallies(NamedTuple):
    """Result of the first pass."""

    models: list[Tally]
    ap_covariance: dict[tuple[int, int], Floats]
    """Covariance of AP of each pair of models, first < second; float64 (truth tags,); NaN where either AP is undefined."""


Inspect = Callable[[int, list[RankedColumn], NDArray[np.bool_]], None]
"""Called with a tag of the ground truth, the column of each model for it, and the labels, bool (images,)."""


class SweptModel(NamedTuple):
    """The columns of one model, and the thresholds at which they are counted."""

    scored: KnownColumns
    sweep: NDArray[np.float32]
    """float32 (k,), strictly increasing."""
    own: NDArray[np.float32]
    """One threshold per column, float32 (columns,); they need not be in the sweep."""
    crossing: NDArray[np.bool_] | None = None
    """bool (columns,), columns whose break-even thresholds are added to the sweep; None, or no sampling, adds none."""


class _BlockFound(NamedTuple):
    """Results of a block that are added to the totals in the order of the blocks, for each model; empty without sampling."""

    map_influence: list[Floats]
    """float64 (groups, units)."""
    high: list[HighCells | None]
    """Cells for `HighestScores`; None if no break-even threshold is wanted."""


def tally_models(
    models: Sequence[SweptModel],
    truth: csc_array,
    *,
    sampling: Sampling | None = None,
    weights: Floats | None = None,
    known: KnownCells | None = None,
    everything: bool = True,
    inspect: Inspect | None = None,
    workers: int = 1,
    advance: Callable[[int], None] = lambda tags: None,
) -> Tallies:
    """Return counts over the threshold sweep of each model, exact rankings, calibration sums, and their uncertainty.

    Args:
        models: columns of each model.
        truth: bool (images, truth tags).
        sampling: folds, units and groups; None leaves out the uncertainty.
        weights: float64 (images,), weight of each image; None counts each image as 1.
        known: known cells of the ground truth, which is false elsewhere; None if all are known.
        everything: False computes counts and average precision only.
        inspect: called from the threads with each tag of the ground truth that all models know.
        workers: number of threads.
        advance: called with the number of further tags of the ground truth that are done.
    """
    tags = truth.shape[1]
    fold_images = _fold_images(truth.shape[0], sampling, weights)
    groups, units = (0, 0) if sampling is None else (len(sampling.groups), int(sampling.units.max(initial=-1)) + 1)
    partial = known is not None
    found = [_empty_tally(one.sweep, one.own, fold_images, groups, units, partial=partial) for one in models]
    scored = [one.scored for one in models]
    highest = [_highest(one, truth, sampling, weights) for one in models]
    pairs = [(a, b) for a in range(len(models)) for b in range(a + 1, len(models))] if sampling is not None else []
    covariance = {pair: np.full(tags, np.nan) for pair in pairs}

    def count(truth_tags: slice, blocks: list[ModelBlock]) -> _BlockFound:
        """Fill in one block of every model; return what is added in order of tags."""
        labels = block_labels(truth, truth_tags)
        ordered = map(_ordered, found, highest) if sampling is not None else [None] * len(models)
        ranked = [
            _rank(model, block, labels, truth_tags.start, ordered=order, weights=weights, partial=partial)
            for model, block, order in zip(scored, blocks, ordered, strict=True)
        ]
        for into, one in zip(found, ranked, strict=True):
            _count_known(into, one, sampling)
            _count(into, one.known, one.sorted, sampling)
            if everything:
                _measure(into, one)
        if inspect is not None:
            for row in np.flatnonzero(np.all([one.stands_in() >= 0 for one in ranked], axis=0)):
                inspect(truth_tags.start + int(row), [one.ranked(int(row)) for one in ranked], labels[row])
        if sampling is None:
            return _BlockFound([], [])
        high = [None if kept is None else kept.above_floor(one.sorted, one.known.start)
                for kept, one in zip(highest, ranked, strict=True)]  # fmt: skip
        traces = [_trace(into, one, sampling) for into, one in zip(found, ranked, strict=True)]
        for a, b in pairs:
            both = np.flatnonzero(traces[a].defined & traces[b].defined)
            products = np.einsum(
                "ij,ij->i", traces[a].influence, traces[b].influence
            )  # all rows, because selecting `both` would copy them
            covariance[a, b][truth_tags.start + both] = products[both]
        return _BlockFound([sampling.groups[:, truth_tags] @ one.influence for one in traces], high)

    for done, of_block in over_blocks(scored, truth.shape, count, workers, known):
        for total, one in zip(found, of_block.map_influence, strict=False):
            total.map_influence += one
        for kept, cells in zip(highest, of_block.high, strict=False):
            if kept is not None and cells is not None:
                kept.add(cells)
        advance(done)
    for total, kept in zip(found, highest, strict=True):
        total.tp, total.fp = np.ascontiguousarray(total.tp), np.ascontiguousarray(total.fp)
        if kept is not None:
            _add_crossings(total, kept)
    return Tallies(found, covariance)


def _highest(
    one: SweptModel, truth: csc_array, sampling: Sampling | None, weights: Floats | None
) -> HighestScores | None:
    """Return an empty store for the scores that determine the break-even thresholds; None if none are wanted."""
    if one.crossing is None or sampling is None:
        return None
    positive = truth[:, one.scored.truth_columns[one.crossing]].indices
    return HighestScores(sampling.folds, one.crossing, positive, weights)


def _add_crossings(found: Tally, highest: HighestScores) -> None:
    """Add the break-even thresholds and the counts at them to the sweep."""
    new = np.setdiff1d(highest.crossings(), found.thresholds)
    at = np.searchsorted(found.thresholds, new)
    false, true = highest.counts(new)
    found.thresholds = np.insert(found.thresholds, at, new)
    found.tp, found.fp = np.insert(found.tp, at, true, axis=1), np.insert(found.fp, at, false, axis=1)


def _fold_images(images: int, sampling: Sampling | None, weights: Floats | None) -> Amounts:
    """Return the number of images of each fold, int64 (folds,), or the sum of their weights, float64."""
    bounds = np.array([0, images]) if sampling is None else sampling.bounds
    return np.diff(bounds) if weights is None else ranking.segment_sums(weights, bounds)


@dataclass(frozen=True)
class _Columns:
    """One model's columns for a block of tags.

    Attributes:
        known: range of `KnownColumns.columns`.
        rows: int64 (known,), tag of the block of each column.
        first: bool (known,), whether the column represents its tag.
        tags: number of tags in the block.
        scores: float32 (known, images).
        sorted: the same columns, sorted.
    """

    known: slice
    rows: Integers
    first: NDArray[np.bool_]
    tags: int
    scores: NDArray[np.float32]
    sorted: SortedBlock

    def stands_in(self) -> Integers:
        """Return the column that represents each tag of the block, -1 where there is none; int64 (tags,)."""
        columns = np.full(self.tags, -1)
        columns[self.rows[self.first]] = np.flatnonzero(self.first)
        return columns

    def ranked(self, row: int) -> RankedColumn:
        """Return the column that represents a tag of the block."""
        column = int(self.stands_in()[row])
        return RankedColumn(self.scores[column], self.sorted, column)


def _rank(
    model: KnownColumns, block: ModelBlock, labels: NDArray[np.bool_], start: int, *, ordered: Ordered | None,
    weights: Floats | None, partial: bool,
) -> _Columns:  # fmt: skip
    """Sort the columns of a block. `ordered` is None where the order of the images is not needed."""
    rows, images = model.truth_columns[block.known] - start, ordered is not None or weights is not None
    ranked = ranking.sort_block(
        block.scores, labels[rows], images=images, weights=weights, partial=partial, ordered=ordered
    )
    return _Columns(block.known, rows, model.first[block.known], len(labels), block.scores, ranked)


def _ordered(found: Tally, highest: HighestScores | None) -> Ordered:
    """Return which images of a tag the first pass needs in order.

    The counts by fold need those that reach the second step of the sweep if all reach the first one, which is 0; the
    break-even thresholds those that reach the floor of the highest scores.
    """
    steps = found.thresholds
    lowest = steps[1] if len(steps) > 1 and steps[0] == 0 else steps[0]
    return Ordered(lowest if highest is None else min(lowest, highest.floor), WORST_PER_TAG)


def _count_known(found: Tally, one: _Columns, sampling: Sampling | None) -> None:
    """Fill in the known images of each tag; nothing if every cell is known."""
    if found.known is None:
        return
    assert isinstance(found.own.images, np.ndarray)
    is_known, weights = one.scores >= 0, one.sorted.weights
    bounds = np.array([0, is_known.shape[1]]) if sampling is None else sampling.bounds
    for fold, (start, stop) in enumerate(pairwise(bounds.tolist())):
        inside = is_known[:, start:stop]
        found.known[fold, one.known] = inside.sum(axis=1) if weights is None else inside @ weights[start:stop]
    found.own.images[one.known] = found.known[:, one.known].sum(axis=0)


def _count(found: Tally, known: slice, block: SortedBlock, sampling: Sampling | None) -> None:
    """Fill in counts and average precision; with sampling, counts by fold and the worst errors."""
    found.average_precision[known] = ranking.average_precision(block)
    found.support[known] = block.positives
    _count_own(found.own, known, block)
    if sampling is None:
        tp, fp = ranking.count_sorted(block, found.thresholds)
        found.tp[0, :, known], found.fp[0, :, known] = tp.T, fp.T
        found.positives[0, known] = block.positive_weight
        return
    _count_folds(found, known, block, sampling)
    _keep_worst(found, known, block)


def _count_own(own: TagCounts, known: slice, block: SortedBlock) -> None:
    """Fill in the counts of each tag at the model's own threshold."""
    below = block.before(block.key_of(own.thresholds[known])[:, None])
    true = block.hits(below)
    own.tp[known], own.fp[known] = true[:, 0], (block.not_below(below) - true)[:, 0]
    own.positives[known] = block.positive_weight


def _measure(found: Tally, one: _Columns) -> None:
    """Fill in the metrics besides counts and average precision."""
    block, known = one.sorted, one.known
    found.roc_auc[known] = ranking.roc_auc(block)
    found.best[:, known] = ranking.best_f1(block)
    found.break_even[:, known] = ranking.break_even(block)
    scored = one.scores if block.unknown is None else np.maximum(one.scores, 0)
    exact, carried = (scores.astype(np.float64) for scores in scored), block.carried.astype(np.float64)
    if block.weights is None:
        found.squares[known] = [scores @ scores for scores in exact]
    else:
        found.squares[known] = [(block.weights * scores) @ scores for scores in exact]
        carried *= block.carried_weights
    found.positive_scores[known] = ranking.segment_sums(carried, block.ends)
    for total, binned in zip(found.bins, calibration.bin_sorted(block), strict=True):
        total[known] = binned


class _Trace(NamedTuple):
    """Influence on one model's AP for a block of tags, from the columns that represent them."""

    influence: Floats
    """Influence of each unit; float64 (tags, units)."""
    defined: NDArray[np.bool_]
    """Whether AP is defined; bool (tags,)."""


def _trace(found: Tally, one: _Columns, sampling: Sampling) -> _Trace:
    """Return the influence of each unit on AP; fill in bias, variance and design effect of AP."""
    block, units = one.sorted, found.map_influence.shape[1]
    assert block.images is not None
    influence = ranking.influence(block)
    found.ap_bias[one.known] = ranking.average_precision_bias(block)
    trace = _Trace(np.zeros((one.tags, units)), np.zeros(one.tags, np.bool_))
    for column in np.flatnonzero(block.positives).tolist():
        row, first = one.rows[column], one.first[column]
        own = trace.influence[row] if first else np.zeros(units)
        values, place = influence.of(column), one.known.start + column
        images = block.images[column, influence.start[column] :]
        if block.weights is not None:
            values = values * block.weights[images]
        sampling.fill_by_unit(images, values, own)
        found.ap_variance[place] = own @ own
        found.ap_effect[place] = divide(own @ own, values @ values)
        trace.defined[row] |= first
    return trace


def _count_folds(found: Tally, known: slice, block: SortedBlock, sampling: Sampling) -> None:
    """Fill in the counts at every threshold, by fold.

    If the first threshold is 0, all known images reach it. Then only the images that reach the second threshold are read,
    which are few for a tagger.
    """
    assert block.images is not None
    (tags, images), folds, steps = block.keys.shape, len(found.images), len(found.thresholds)
    below = block.below(found.thresholds)
    all_reach = int((below[:, 0] == (0 if block.unknown is None else block.unknown)).all())
    tail = below[:, all_reach] if all_reach < steps else np.full(tags, images)
    parts = [images_of_tag[start:] for images_of_tag, start in zip(block.images, tail, strict=True)]
    looked_at = np.concatenate([block.images[:0].ravel(), *parts])
    cells = (np.arange(tags)[:, None] * steps + np.arange(all_reach, steps)) * folds
    cell = np.repeat(cells.ravel(), np.diff(below[:, all_reach:], append=images).ravel())
    cell += sampling.folds[looked_at]
    place = block.positions - block.rows[block.tag]
    inside = place >= tail[block.tag]
    moved = np.cumsum(images - tail) - images  # offset from a rank within a tag to an index of `looked_at`
    hits = (place + moved[block.tag])[inside]
    shape = (tags, steps, folds)
    of_cell = None if block.weights is None else block.weights[looked_at]
    of_hit = None if of_cell is None else of_cell[hits]
    sums = (_sum_by(some, w, tags * steps * folds) for some, w in ((cell, of_cell), (cell[hits], of_hit)))
    above, true = (np.cumsum(some.reshape(shape)[:, ::-1], axis=1)[:, ::-1] for some in sums)
    carriers = sampling.folds[block.images.ravel()[block.positions]]
    of_carrier = None if block.weights is None else block.carried_weights
    positives = _sum_by(block.tag * folds + carriers, of_carrier, tags * folds).reshape(tags, folds)
    if all_reach:
        above[:, 0] = found.images if found.known is None else found.known[:, known].T
        true[:, 0] = positives
    found.tp[:, :, known] = true.transpose(2, 1, 0)
    found.fp[:, :, known] = (above - true).transpose(2, 1, 0)
    found.positives[:, known] = positives.T


def _sum_by(kind: Integers, weights: Floats | None, kinds: int) -> Amounts:
    """Return the number of elements of each kind, int64 (kinds,), or the sum of their weights, float64."""
    return np.asarray(np.bincount(kind, weights, minlength=kinds))


def _keep_worst(found: Tally, known: slice, block: SortedBlock) -> None:
    """Fill in the images of the highest-scored negatives and of the lowest-scored positives."""
    assert block.images is not None
    images = block.keys.shape[1]
    at = block.ends[:-1, None] + np.arange(WORST_PER_TAG)
    row, rank = np.nonzero(at < block.ends[1:, None])
    position = block.positions[at[row, rank]]
    found.worst_missed[known][row, rank] = block.images.ravel()[position]
    found.worst_missed_scores[known][row, rank] = block.scores.ravel()[position]
    top = min(images, 4 * WORST_PER_TAG)
    while True:
        highest = block.keys[:, images - top :][:, ::-1]
        negative = ((highest & np.uint32(1)) == 0) & (highest >= block.shift)
        order = np.cumsum(negative, axis=1)
        if top == images or (order[:, -1] >= WORST_PER_TAG).all():
            break
        top = min(images, 8 * top)
    row, back = np.nonzero(negative & (order <= WORST_PER_TAG))
    rank, place = order[row, back] - 1, images - 1 - back
    found.worst_false[known][row, rank] = block.images[row, place]
    found.worst_false_scores[known][row, rank] = block.scores[row, place]
