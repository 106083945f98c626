"""The pass over the tags: every model's column is sorted once, and all that depends on one tag alone is taken from it.

Tags are worked on in blocks, turned tag-major, by several threads; columns come from disk in panels. Memory is bounded by a
panel and a block a thread, whatever the number of images and tags.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from arena.metrics import calibration, ranking
from arena.metrics.counts import Counts, Floats, Integers
from arena.metrics.ranking import SortedColumn, count_sorted

Result = TypeVar("Result")

BLOCK_TAGS = 16
"""Tags turned tag-major and sorted at a time, unless a block would exceed `BLOCK_BYTES`; sorting 64 of 32,768 images takes half
again as long, because they do not stay in the cache."""

BLOCK_BYTES = 64 << 20
"""Scores of a block; each thread needs about four times as much."""

TILE_IMAGES = 256
"""Images of a block turned at a time: 64 kB, which stay in the second cache; a fifth of the time of the whole at once."""

PANEL_BYTES = 1 << 30
"""Columns held in memory at a time, over all models; scores of 32,768 images and 6,000 tags come in one or two panels."""

WORST = 8
"""Worst false alarms and misses kept for each tag and model."""


class Columns(Protocol):
    """A score matrix that can be read by columns."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the scores."""

    def columns(self, wanted: Integers, place: Integers | None) -> NDArray[Any]:
        """Some columns, each row where `place` says, (images, len(wanted))."""


@dataclass(frozen=True)
class Scored:
    """One model's columns that the truth knows.

    Attributes:
        matrix: scores, 0 to 1.
        columns: int64 (known,), the column of each.
        truth_columns: int64 (known,), the truth's column of each, ascending.
        first: bool (known,), which of several columns for one tag of the truth stands for it in comparisons.
        place: int64 (rows of the matrix,), at which image of the truth each row goes, -1 for nowhere; None where they agree.
    """

    matrix: Columns
    columns: Integers
    truth_columns: Integers
    first: NDArray[np.bool_]
    place: Integers | None = None

    def within(self, truth_tags: slice) -> slice:
        """Which of `columns` belong to a range of tags of the truth."""
        start, stop = np.searchsorted(self.truth_columns, [truth_tags.start, truth_tags.stop])
        return slice(int(start), int(stop))


class Block(NamedTuple):
    """One model's columns of a block of tags."""

    known: slice
    """Which of `Scored.columns` they are."""
    scores: NDArray[np.float32]
    """(known, images)."""


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
        positives: int64 (folds, tags).
        images: int64 (folds,).
        average_precision, roc_auc: float64 (tags,).
        best, break_even: float64 (2, tags), threshold and value: see `ranking.best_f1` and `ranking.break_even`.
        squares, positive_scores: float64 (tags,), the sum of squared scores, and of the scores of positives.
        bins: reliability bins, (tags, bins).
        ap_bias, ap_variance: float64 (tags,), see `ranking.influence`; with sampling only.
        map_influence: float64 (groups, units), the influence of each unit on the sum of AP over a group's tags.
        worst_false, worst_missed: int32 (tags, WORST), images, -1 where there are fewer; with sampling only.
        worst_false_scores, worst_missed_scores: float32 (tags, WORST), their scores.
    """

    thresholds: NDArray[np.float32]
    tp: Integers
    fp: Integers
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


def _empty_tally(thresholds: NDArray[np.float32], tags: int, images: Integers, groups: int, units: int) -> Tally:
    folds = len(images)
    # a tag's counts lie together while they are filled in; written across the tags each would be a cache miss
    tp, fp = np.zeros((2, tags, len(thresholds), folds), np.int64).transpose(0, 3, 2, 1)
    binned, carried = np.zeros((2, tags, calibration.RELIABILITY_BINS), np.int64)
    ap, auc, bias, variance = np.full((4, tags), np.nan)
    best, even = np.full((2, 2, tags), np.nan)
    false, missed = np.full((2, tags, WORST), -1, np.int32)
    false_scores, missed_scores = np.zeros((2, tags, WORST), np.float32)
    return Tally(
        thresholds, tp, fp, np.zeros((folds, tags), np.int64), images,
        average_precision=ap, roc_auc=auc, best=best, break_even=even,
        squares=np.zeros(tags), positive_scores=np.zeros(tags),
        bins=calibration.Bins(binned, carried, np.zeros(binned.shape)),
        ap_bias=bias, ap_variance=variance, map_influence=np.zeros((groups, units)),
        worst_false=false, worst_missed=missed, worst_false_scores=false_scores, worst_missed_scores=missed_scores,
    )  # fmt: skip


class Ranked(NamedTuple):
    """One model's column of a tag."""

    scores: NDArray[np.float32]
    """In the order of the images."""
    column: SortedColumn


class Tallies(NamedTuple):
    """What the pass gives."""

    models: list[Tally]
    ap_covariance: dict[tuple[int, int], Floats]
    """Of each pair of models, first < second: covariance of their AP, float64 (truth tags,); NaN where either lacks it."""


def tally(
    models: Sequence[Scored],
    truth: csc_array,
    thresholds: Sequence[NDArray[np.float32]],
    *,
    sampling: Sampling | None = None,
    everything: bool = True,
    inspect: Callable[[int, list[Ranked], NDArray[np.bool_]], None] | None = None,
    workers: int = 1,
    advance: Callable[[int], None] = lambda tags: None,
) -> Tallies:
    """Counts over each model's threshold sweep, exact rankings, calibration sums, and with `sampling` their uncertainty.

    Args:
        truth: bool (images, truth tags).
        thresholds: one sweep a model, float32 (k,), strictly increasing.
        everything: False leaves out what neither counts nor average precision need, which takes half the time.
        inspect: called from the threads with each tag of the truth that all models know, each one's column, and the labels.
        advance: told how many more tags of the truth are done.
    """
    images, tags = truth.shape
    fold_images = np.array([images]) if sampling is None else np.diff(sampling.bounds)
    groups, units = (0, 0) if sampling is None else (len(sampling.groups), int(sampling.units.max(initial=-1)) + 1)
    found = [
        _empty_tally(sweep, len(model.columns), fold_images, groups, units)
        for model, sweep in zip(models, thresholds, strict=True)
    ]
    pairs = [(a, b) for a in range(len(models)) for b in range(a + 1, len(models))] if sampling is not None else []
    covariance = {pair: np.full(tags, np.nan) for pair in pairs}

    def count(truth_tags: slice, blocks: list[Block]) -> list[Floats]:
        labels = labels_of(truth, truth_tags)
        influences = [np.zeros((len(labels), units)) for _ in models] if sampling is not None else []
        defined = np.zeros((len(models), len(labels)), np.bool_)
        stand_ins: list[dict[int, Ranked]] = [{} for _ in models]
        for number, (model, block) in enumerate(zip(models, blocks, strict=True)):
            rows = model.truth_columns[block.known] - truth_tags.start
            columns = ranking.sort_block(block.scores, labels[rows], images=sampling is not None)
            if everything:
                found[number].squares[block.known] = np.einsum(
                    "ij,ij->i", block.scores, block.scores, dtype=np.float64, casting="unsafe"
                )
            for known, row, scores, column in zip(_range(block.known), rows, block.scores, columns, strict=True):
                _count(found[number], known, column, sampling)
                if everything:
                    _measure(found[number], known, column)
                if sampling is not None and len(column.positions):
                    first = bool(model.first[known])
                    own = influences[number][row] if first else np.zeros(units)
                    _trace(found[number], known, column, sampling, own)
                    defined[number, row] |= first
                if model.first[known]:
                    stand_ins[number][int(row)] = Ranked(scores, column)
        for a, b in pairs:
            both = np.flatnonzero(defined[a] & defined[b])
            products = np.einsum("ij,ij->i", influences[a][both], influences[b][both])
            covariance[a, b][truth_tags.start + both] = products
        if inspect is not None:
            for row in sorted(set.intersection(*(set(one) for one in stand_ins))):
                inspect(truth_tags.start + row, [one[row] for one in stand_ins], labels[row])
        return [] if sampling is None else [sampling.groups[:, truth_tags] @ one for one in influences]

    for done, partial in over_blocks(models, truth.shape, count, workers):
        for one, total in zip(partial, found, strict=bool(partial)):
            total.map_influence += one
        advance(done)
    for total in found:
        total.tp, total.fp = np.ascontiguousarray(total.tp), np.ascontiguousarray(total.fp)
    return Tallies(found, covariance)


def labels_of(truth: csc_array, tags: slice) -> NDArray[np.bool_]:
    """Which images carry each of some tags; bool (tags, images)."""
    labels = np.zeros((tags.stop - tags.start, truth.shape[0]), np.bool_)
    inside = slice(truth.indptr[tags.start], truth.indptr[tags.stop])
    rows = np.repeat(np.arange(len(labels)), np.diff(truth.indptr[tags.start : tags.stop + 1]))
    labels[rows, truth.indices[inside]] = True
    return labels


def _range(some: slice) -> range:
    return range(some.start, some.stop)


def _count(found: Tally, known: int, column: SortedColumn, sampling: Sampling | None) -> None:
    """Counts and average precision of one column; with sampling by fold, and the worst errors."""
    found.average_precision[known] = ranking.average_precision(column)
    if sampling is None:
        found.tp[0, :, known], found.fp[0, :, known] = count_sorted(column, found.thresholds)
        found.positives[0, known] = len(column.positions)
        return
    _count_folds(found, known, column, sampling)
    _keep_worst(found, known, column)


def _measure(found: Tally, known: int, column: SortedColumn) -> None:
    """The other figures of one column."""
    found.roc_auc[known] = ranking.roc_auc(column)
    found.best[:, known] = ranking.best_f1(column)
    found.break_even[:, known] = ranking.break_even(column)
    positive_scores = column.scores[column.positions]
    found.positive_scores[known] = positive_scores.sum(dtype=np.float64)
    for total, binned in zip(found.bins, calibration.bin_sorted(column.scores, positive_scores), strict=True):
        total[known] = binned


def _trace(found: Tally, known: int, column: SortedColumn, sampling: Sampling, into: Floats) -> None:
    """The influence of each unit on one column's AP, float64 (units,), and what follows from it."""
    assert column.images is not None
    influence = ranking.influence(column)
    sampling.add_by_unit(column.images[influence.start :], influence.values, into)
    found.ap_bias[known] = influence.bias
    found.ap_variance[known] = into @ into


def _count_folds(found: Tally, known: int, column: SortedColumn, sampling: Sampling) -> None:
    """Counts at every threshold fold by fold. All images reach a first threshold of 0, so that only those that reach the
    second one need to be looked at, which are few of a tagger's scores.
    """
    assert column.images is not None
    folds, steps = len(found.images), len(found.thresholds)
    starts = np.searchsorted(column.keys, ranking.key_of(found.thresholds))
    all_reach = int(starts[0] == 0)
    tail = int(starts[all_reach]) if all_reach < steps else len(column.keys)
    step_of = np.repeat(np.arange(all_reach, steps) * folds, np.diff(starts[all_reach:], append=len(column.keys)))
    step_of += sampling.folds[column.images[tail:]]
    above = np.bincount(step_of, minlength=steps * folds).reshape(steps, folds)
    hits = column.positions[np.searchsorted(column.positions, tail) :] - tail
    true = np.bincount(step_of[hits], minlength=steps * folds).reshape(steps, folds)
    positives = np.bincount(sampling.folds[column.images[column.positions]], minlength=folds)
    above, true = (np.cumsum(x[::-1], axis=0)[::-1] for x in (above, true))
    if all_reach:
        above[0], true[0] = found.images, positives
    found.tp[:, :, known] = true.T
    found.fp[:, :, known] = (above - true).T
    found.positives[:, known] = positives


def _keep_worst(found: Tally, known: int, column: SortedColumn) -> None:
    """The images of the highest-scored negatives and of the lowest-scored positives."""
    assert column.images is not None
    missed = column.positions[:WORST]
    found.worst_missed[known, : len(missed)] = column.images[missed]
    found.worst_missed_scores[known, : len(missed)] = column.scores[missed]
    top, images = 4 * WORST, len(column.keys)
    while True:
        start = max(0, images - top)
        false = np.flatnonzero((column.keys[start:] & np.uint32(1)) == 0)[::-1][:WORST]
        if len(false) == WORST or not start:
            break
        top *= 8
    found.worst_false[known, : len(false)] = column.images[start + false]
    found.worst_false_scores[known, : len(false)] = column.scores[start + false]


def over_blocks(
    models: Sequence[Scored],
    shape: tuple[int, int],
    work: Callable[[slice, list[Block]], Result],
    workers: int,
) -> Iterator[tuple[int, Result]]:
    """Call `work` with every block of tags of the truth and every model's columns of it, in threads.

    Args:
        shape: of the truth, (images, tags).

    Yields: the number of tags of a block and what `work` gave, in the order of the tags whatever the threads do.
    """
    images, tags = shape
    step = max(1, min(BLOCK_TAGS, BLOCK_BYTES // max(1, 4 * images)))
    row_bytes = sum(model.matrix.dtype.itemsize * len(model.columns) for model in models) / max(1, tags)
    panel = max(step, int(PANEL_BYTES / max(1, images) / max(1, row_bytes)) // step * step)
    with ThreadPoolExecutor(workers) as pool:
        for first in range(0, tags, panel):
            span = slice(first, min(first + panel, tags))
            known = [model.within(span) for model in models]
            held = list(pool.map(lambda model, k: model.matrix.columns(model.columns[k], model.place), models, known))

            def turned(
                start: int, span: slice = span, known: list[slice] = known, held: list[NDArray[Any]] = held
            ) -> Result:
                truth_tags = slice(start, min(start + step, span.stop))
                blocks = []
                for model, k, matrix in zip(models, known, held, strict=True):
                    own = model.within(truth_tags)
                    blocks.append(Block(own, tag_major(matrix[:, own.start - k.start : own.stop - k.start])))
                return work(truth_tags, blocks)

            starts = range(span.start, span.stop, step)
            for start, result in zip(starts, pool.map(turned, starts), strict=True):
                yield min(step, span.stop - start), result


def tag_major(matrix: NDArray[Any]) -> NDArray[np.float32]:
    """An (images, tags) matrix turned to contiguous rows a tag, float32 (tags, images)."""
    images, tags = matrix.shape
    turned = np.empty((tags, images), np.float32)
    for start in range(0, images, TILE_IMAGES):
        part = slice(start, start + TILE_IMAGES)
        turned[:, part] = matrix[part].T
    return turned
