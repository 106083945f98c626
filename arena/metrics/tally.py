"""The pass over the tags: every model's columns are sorted once, and all that depends on one tag alone is taken from them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from arena.metrics import calibration, ranking
from arena.metrics.blocks import Block, Scored, labels_of, over_blocks
from arena.metrics.counts import Counts, Floats, Integers, TagCounts, divide
from arena.metrics.ranking import SortedBlock

WORST = 8
"""Worst false alarms and misses kept for each tag and model."""


@dataclass(frozen=True)
class Sampling:
    """How images are grouped when uncertainty is asked for.

    Attributes:
        folds: uint8 (images,), ascending: the images of a fold stand together.
        units: int64 (images,), what is resampled as one: a duplicate cluster, or a bag of them.
        groups: float64 (groups, truth tags), 1 where a tag enters the means of a group.
    """

    folds: NDArray[np.uint8]
    units: Integers
    groups: Floats

    @cached_property
    def independent(self) -> bool:
        """Whether each image is a unit of its own, in the order of the images."""
        return bool((self.units == np.arange(len(self.units))).all())

    def add_by_unit(self, images: NDArray[np.integer[Any]], values: Floats, into: Floats) -> None:
        """Add values of some different images to their units', float64 (units,)."""
        if self.independent:
            into[images] += values
        else:
            into += np.bincount(self.units[images], values, len(into))

    @cached_property
    def bounds(self) -> Integers:
        """Where each fold starts and the last one ends; int64 (folds + 1,)."""
        return np.searchsorted(self.folds, np.arange(int(self.folds.max()) + 2)).astype(np.int64)


@dataclass
class Tally:
    """What one pass gives for one model; NaN where undefined. All per-tag arrays are in the order of `Scored.columns`.

    Attributes:
        thresholds: float32 (k,), strictly increasing.
        tp, fp: int64 (folds, k, tags); one fold where none were asked for.
        own: counts over all folds, each tag at a threshold of its own.
        positives: int64 (folds, tags).
        images: int64 (folds,).
        average_precision, roc_auc: float64 (tags,).
        best, break_even: float64 (2, tags), threshold and value: see `ranking.best_f1` and `ranking.break_even`.
        squares, positive_scores: float64 (tags,), the sum of squared scores, and of the scores of positives.
        bins: reliability bins, (tags, bins).
        ap_bias, ap_variance: float64 (tags,), see `ranking.optimism` and `ranking.influence`; with sampling only.
        ap_effect: float64 (tags,), what units of related images multiply the variance of AP by; with sampling only.
        map_influence: float64 (groups, units), the influence of each unit on the sum of AP over a group's tags.
        worst_false, worst_missed: int32 (tags, WORST), images, -1 where there are fewer; with sampling only.
        worst_false_scores, worst_missed_scores: float32 (tags, WORST), their scores.
    """

    thresholds: NDArray[np.float32]
    tp: Integers
    fp: Integers
    own: TagCounts
    positives: Integers
    images: Integers
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
    def counts(self) -> Counts:
        """Over all folds."""
        return Counts(
            self.thresholds, self.tp.sum(0), self.fp.sum(0), self.positives.sum(0), images=int(self.images.sum())
        )

    @property
    def brier(self) -> Floats:
        """Mean squared difference of score and label, float64 (tags,)."""
        return calibration.brier(self.squares, self.positive_scores, self.positives.sum(0), int(self.images.sum()))


def _empty_tally(
    thresholds: NDArray[np.float32], own: NDArray[np.float32], images: Integers, groups: int, units: int
) -> Tally:
    folds, tags = len(images), len(own)
    # a tag's counts lie together while they are filled in; written across the tags each would be a cache miss
    tp, fp = np.zeros((2, tags, len(thresholds), folds), np.int64).transpose(0, 3, 2, 1)
    binned, carried = np.zeros((2, tags, calibration.RELIABILITY_BINS), np.int64)
    ap, auc, bias, variance, effect = np.full((5, tags), np.nan)
    best, even = np.full((2, 2, tags), np.nan)
    false, missed = np.full((2, tags, WORST), -1, np.int32)
    false_scores, missed_scores = np.zeros((2, tags, WORST), np.float32)
    true, false_alarms, with_tag = np.zeros((3, tags), np.int64)
    return Tally(
        thresholds, tp, fp, TagCounts(own, true, false_alarms, with_tag, int(images.sum())),
        np.zeros((folds, tags), np.int64), images,
        average_precision=ap, roc_auc=auc, best=best, break_even=even,
        squares=np.zeros(tags), positive_scores=np.zeros(tags),
        bins=calibration.Bins(binned, carried, np.zeros(binned.shape)),
        ap_bias=bias, ap_variance=variance, ap_effect=effect, map_influence=np.zeros((groups, units)),
        worst_false=false, worst_missed=missed, worst_false_scores=false_scores, worst_missed_scores=missed_scores,
    )  # fmt: skip


class Ranked(NamedTuple):
    """One model's column of a tag."""

    scores: NDArray[np.float32]
    """In the order of the images."""
    block: SortedBlock
    row: int
    """Which of the block's tags it is."""


class Tallies(NamedTuple):
    """What the pass gives."""

    models: list[Tally]
    ap_covariance: dict[tuple[int, int], Floats]
    """Of each pair of models, first < second: covariance of their AP, float64 (truth tags,); NaN where either lacks it."""


Inspect = Callable[[int, list[Ranked], NDArray[np.bool_]], None]
"""Called with a tag of the truth, each model's column of it, and the labels, bool (images,)."""


def tally(
    models: Sequence[Scored],
    truth: csc_array,
    thresholds: Sequence[NDArray[np.float32]],
    own: Sequence[NDArray[np.float32]],
    *,
    sampling: Sampling | None = None,
    everything: bool = True,
    inspect: Inspect | None = None,
    workers: int = 1,
    advance: Callable[[int], None] = lambda tags: None,
) -> Tallies:
    """Counts over each model's threshold sweep, exact rankings, calibration sums, and with `sampling` their uncertainty.

    Args:
        truth: bool (images, truth tags).
        thresholds: one sweep a model, float32 (k,), strictly increasing.
        own: of each model one threshold a column, float32 (columns,); they need not be in the sweep.
        everything: False leaves out what neither counts nor average precision need.
        inspect: called from the threads with each tag of the truth that all models know.
        advance: told how many more tags of the truth are done.
    """
    images, tags = truth.shape
    fold_images = np.array([images]) if sampling is None else np.diff(sampling.bounds)
    groups, units = (0, 0) if sampling is None else (len(sampling.groups), int(sampling.units.max(initial=-1)) + 1)
    found = [_empty_tally(sweep, each, fold_images, groups, units) for sweep, each in zip(thresholds, own, strict=True)]
    pairs = [(a, b) for a in range(len(models)) for b in range(a + 1, len(models))] if sampling is not None else []
    covariance = {pair: np.full(tags, np.nan) for pair in pairs}

    def count(truth_tags: slice, blocks: list[Block]) -> list[Floats]:
        """Fill in one block of every model; the share of its tags in `map_influence` is given back, to be added in order."""
        labels = labels_of(truth, truth_tags)
        ranked = [
            _rank(model, block, labels, truth_tags.start, images=sampling is not None)
            for model, block in zip(models, blocks, strict=True)
        ]
        for into, one in zip(found, ranked, strict=True):
            _count(into, one.known, one.sorted, sampling)
            if everything:
                _measure(into, one)
        if inspect is not None:
            for row in np.flatnonzero(np.all([one.stands_in() >= 0 for one in ranked], axis=0)):
                inspect(truth_tags.start + int(row), [one.ranked(int(row)) for one in ranked], labels[row])
        if sampling is None:
            return []
        traces = [_trace(into, one, sampling) for into, one in zip(found, ranked, strict=True)]
        for a, b in pairs:
            both = np.flatnonzero(traces[a].defined & traces[b].defined)
            products = np.einsum(
                "ij,ij->i", traces[a].influence, traces[b].influence
            )  # of all rows: `both` would copy them
            covariance[a, b][truth_tags.start + both] = products[both]
        return [sampling.groups[:, truth_tags] @ one.influence for one in traces]

    for done, partial in over_blocks(models, truth.shape, count, workers):
        for one, total in zip(partial, found, strict=bool(partial)):
            total.map_influence += one
        advance(done)
    for total in found:
        total.tp, total.fp = np.ascontiguousarray(total.tp), np.ascontiguousarray(total.fp)
    return Tallies(found, covariance)


@dataclass(frozen=True)
class _Columns:
    """One model's columns of a block of tags.

    Attributes:
        known: which of `Scored.columns` they are.
        rows: int64 (known,), which tag of the block each is of.
        first: bool (known,), whether it stands for that tag.
        tags: of the block.
        scores: float32 (known, images).
    """

    known: slice
    rows: Integers
    first: NDArray[np.bool_]
    tags: int
    scores: NDArray[np.float32]
    sorted: SortedBlock

    def stands_in(self) -> Integers:
        """The column that stands for each tag of the block, -1 where none does; int64 (tags,)."""
        columns = np.full(self.tags, -1)
        columns[self.rows[self.first]] = np.flatnonzero(self.first)
        return columns

    def ranked(self, row: int) -> Ranked:
        """The column that stands for a tag."""
        column = int(self.stands_in()[row])
        return Ranked(self.scores[column], self.sorted, column)


def _rank(model: Scored, block: Block, labels: NDArray[np.bool_], start: int, *, images: bool) -> _Columns:
    rows = model.truth_columns[block.known] - start
    ranked = ranking.sort_block(block.scores, labels[rows], images=images)
    return _Columns(block.known, rows, model.first[block.known], len(labels), block.scores, ranked)


def _count(found: Tally, known: slice, block: SortedBlock, sampling: Sampling | None) -> None:
    """Counts and average precision; with sampling by fold, and the worst errors."""
    found.average_precision[known] = ranking.average_precision(block)
    _count_own(found.own, known, block)
    if sampling is None:
        tp, fp = ranking.count_sorted(block, found.thresholds)
        found.tp[0, :, known], found.fp[0, :, known] = tp.T, fp.T
        found.positives[0, known] = block.positives
        return
    _count_folds(found, known, block, sampling)
    _keep_worst(found, known, block)


def _count_own(own: TagCounts, known: slice, block: SortedBlock) -> None:
    """Counts of each tag at its own threshold."""
    below = block.before(ranking.key_of(own.thresholds[known])[:, None])
    true = block.hits(below)
    own.tp[known], own.fp[known] = true[:, 0], (block.keys.shape[1] - below - true)[:, 0]
    own.positives[known] = block.positives


def _measure(found: Tally, one: _Columns) -> None:
    """The other figures."""
    block, known = one.sorted, one.known
    found.roc_auc[known] = ranking.roc_auc(block)
    found.best[:, known] = ranking.best_f1(block)
    found.break_even[:, known] = ranking.break_even(block)
    found.squares[known] = [exact @ exact for exact in (scores.astype(np.float64) for scores in one.scores)]
    found.positive_scores[known] = ranking.sums(block.carried.astype(np.float64), block.ends)
    for total, binned in zip(found.bins, calibration.bin_sorted(block), strict=True):
        total[known] = binned


class _Trace(NamedTuple):
    """What moves one model's AP of a block of tags; of the columns that stand for them."""

    influence: Floats
    """Of each unit; float64 (tags, units)."""
    defined: NDArray[np.bool_]
    """Whether there is an AP; bool (tags,)."""


def _trace(found: Tally, one: _Columns, sampling: Sampling) -> _Trace:
    """The influence of each unit on AP, and what follows from it."""
    block, units = one.sorted, found.map_influence.shape[1]
    assert block.images is not None
    influence = ranking.influence(block)
    found.ap_bias[one.known] = ranking.optimism(block)
    trace = _Trace(np.zeros((one.tags, units)), np.zeros(one.tags, np.bool_))
    for column in np.flatnonzero(block.positives).tolist():
        row, first = one.rows[column], one.first[column]
        own = trace.influence[row] if first else np.zeros(units)
        values, place = influence.of(column), one.known.start + column
        sampling.add_by_unit(block.images[column, influence.start[column] :], values, own)
        found.ap_variance[place] = own @ own
        found.ap_effect[place] = divide(own @ own, values @ values)
        trace.defined[row] |= first
    return trace


def _count_folds(found: Tally, known: slice, block: SortedBlock, sampling: Sampling) -> None:
    """Counts at every threshold fold by fold. All images reach a first threshold of 0, so that only those that reach the
    second one need to be looked at, which are few of a tagger's scores.
    """
    assert block.images is not None
    (tags, images), folds, steps = block.keys.shape, len(found.images), len(found.thresholds)
    below = block.below(found.thresholds)
    all_reach = int((below[:, 0] == 0).all())
    tail = below[:, all_reach] if all_reach < steps else np.full(tags, images)
    parts = [own[start:] for own, start in zip(block.images, tail, strict=True)]
    looked_at = np.concatenate([block.images[:0].ravel(), *parts])
    cells = (np.arange(tags)[:, None] * steps + np.arange(all_reach, steps)) * folds
    cell = np.repeat(cells.ravel(), np.diff(below[:, all_reach:], append=images).ravel())
    cell += sampling.folds[looked_at]
    place = block.positions - block.rows[block.tag]
    inside = place >= tail[block.tag]
    moved = np.cumsum(images - tail) - images  # from places of a tag's order to those of `looked_at`
    hits = (place + moved[block.tag])[inside]
    shape = (tags, steps, folds)
    above, true = (np.bincount(some, minlength=tags * steps * folds).reshape(shape) for some in (cell, cell[hits]))
    above, true = (np.cumsum(some[:, ::-1], axis=1)[:, ::-1] for some in (above, true))
    carriers = sampling.folds[block.images.ravel()[block.positions]]
    positives = np.bincount(block.tag * folds + carriers, minlength=tags * folds).reshape(tags, folds)
    if all_reach:
        above[:, 0], true[:, 0] = found.images, positives
    found.tp[:, :, known] = true.transpose(2, 1, 0)
    found.fp[:, :, known] = (above - true).transpose(2, 1, 0)
    found.positives[:, known] = positives.T


def _keep_worst(found: Tally, known: slice, block: SortedBlock) -> None:
    """The images of the highest-scored negatives and of the lowest-scored positives."""
    assert block.images is not None
    images = block.keys.shape[1]
    at = block.ends[:-1, None] + np.arange(WORST)
    row, rank = np.nonzero(at < block.ends[1:, None])
    position = block.positions[at[row, rank]]
    found.worst_missed[known][row, rank] = block.images.ravel()[position]
    found.worst_missed_scores[known][row, rank] = block.scores.ravel()[position]
    top = min(images, 4 * WORST)
    while True:
        negative = (block.keys[:, images - top :][:, ::-1] & np.uint32(1)) == 0
        order = np.cumsum(negative, axis=1)
        if top == images or (order[:, -1] >= WORST).all():
            break
        top = min(images, 8 * top)
    row, back = np.nonzero(negative & (order <= WORST))
    rank, place = order[row, back] - 1, images - 1 - back
    found.worst_false[known][row, rank] = block.images[row, place]
    found.worst_false_scores[known][row, rank] = block.scores[row, place]
