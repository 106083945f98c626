"""Clustered bootstrap of every aggregate metric.

The resampled unit is an image, or a cluster of near duplicates, because near duplicates are not independent evidence. All
models share the same resamples, so differences between models are paired. The counts of all replicates come from one sparse
product: a row of the left matrix lists the images that have a tag, or that a model predicts it for; a column of the weights
holds how often a replicate drew each unit. Mean average precision is not a function of counts. Its replicates follow to first
order from the influence of each unit (see `ranking.influence`) under the same weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

from arena.metrics import ranking
from arena.metrics.blocks import Block, Scored, labels_of
from arena.metrics.counts import Convention, Floats, Integers, TagCounts, divide
from arena.metrics.significance import Paired
from arena.metrics.tally import Sampling

REPLICATES = 1000
"""Default number of resamples."""

DRAWN_TOGETHER = 32
"""Resamples drawn before they are written to the columns of the weights: 0.25 s for 1,000 resamples of 32,768 units.
Transposing all of them at the end takes 0.85 s and twice the memory."""

MAX_UNITS = 1 << 15
"""Largest number of resampled units. More clusters than this are merged into this many bags, which bounds the memory of the
weights."""


def units_of(groups: Sequence[str]) -> Integers:
    """Return the unit of each image; int64 (images,), 0 to `MAX_UNITS` - 1.

    Groups are numbered in order of first appearance, modulo `MAX_UNITS`.

    >>> units_of(["x", "y", "x"]).tolist()
    [0, 1, 0]
    """
    number = {group: place for place, group in enumerate(dict.fromkeys(groups))}
    return np.array([number[group] % MAX_UNITS for group in groups], np.int64)


def draw_weights(units: int, replicates: int, seed: int) -> NDArray[np.float32]:
    """Return how often each replicate draws each unit; float32 (units, replicates).

    Each replicate draws `units` units with replacement.
    """
    rng = np.random.default_rng(seed)
    weights = np.empty((units, replicates), np.float32)
    some = np.empty((DRAWN_TOGETHER, units), np.float32)
    for start in range(0, replicates, DRAWN_TOGETHER):
        rows = some[: replicates - start]
        for row in rows:
            row[:] = np.bincount(rng.integers(0, units, units), minlength=units)
        weights[:, start : start + len(rows)] = rows.T
    return weights


class SliceRows(NamedTuple):
    """The images of one slice."""

    images: Integers
    """Row numbers, ascending; int64 (images of the slice,)."""
    member: NDArray[np.bool_]
    """bool (all images,)."""


@dataclass(frozen=True)
class Plan:
    """Inputs of the bootstrap.

    Attributes:
        truth: bool (images, compared tags).
        models: one per model, each with one column per compared tag.
        thresholds: one per model, float32 (regimes, folds, compared tags); the first regime is the model's own thresholds.
        sampling: its groups are over the compared tags; the first group holds all of them.
        weights: float32 (units, replicates).
        convention: how precision, recall and F1 follow from counts.
        clustered: whether some duplicate cluster holds more than one image.
        slices: subsets of the images.
    """

    truth: csc_array
    models: Sequence[Scored]
    thresholds: Sequence[NDArray[np.float32]]
    sampling: Sampling
    weights: NDArray[np.float32]
    convention: Convention
    clustered: bool = False
    slices: Sequence[SliceRows] = ()


@dataclass
class SliceFigures:
    """Counts and AP of one model on slices of the images, per compared tag.

    Attributes:
        images: int64 (slices,), number of images.
        tp, fp, positives: int64 (slices, tags), at the model's own thresholds.
        average_precision, ap_bias: float64 (slices, tags); NaN without a positive.
        map_influence: float64 (slices, units), influence of each unit on the sum of AP over the tags where AP is defined.
    """

    images: Integers
    tp: Integers
    fp: Integers
    positives: Integers
    average_precision: Floats
    ap_bias: Floats
    map_influence: Floats


class Resampled(NamedTuple):
    """Result of the second pass."""

    replicates: list[Floats]
    """One per model: float64 (`registry.THRESHOLDED`, targets, replicates). The targets are the groups of tags at the model's
    own thresholds, then the other regimes over all compared tags, then the slices of images at the model's own thresholds
    over all compared tags."""
    predictions: list[csc_array]
    """One per model: its predictions at its own thresholds; bool (images, compared tags)."""
    paired: dict[tuple[int, int], Paired]
    """Paired counts of each pair of models, (compared tags,)."""
    clustered: dict[tuple[int, int], dict[int, Integers]]
    """For each pair of models and tag, the clusters with more than one discordant image, as `significance.exact_p` takes
    them."""
    slices: list[SliceFigures]
    """One per model."""


class Part(NamedTuple):
    """Contribution of one block of tags, per model."""

    sums: list[Floats]
    predicted: list[list[Integers]]
    influence: list[Floats]


class Resampler:
    """Sums the replicates block by block.

    Call `block` in any thread, then `add` in the order of the tags, then `result`.
    """

    def __init__(self, plan: Plan) -> None:
        images, tags = plan.truth.shape
        units, replicates = plan.weights.shape
        targets = len(plan.sampling.groups) + len(plan.thresholds[0]) - 1 + len(plan.slices)
        models = range(len(plan.models))
        pairs = [(a, b) for a in models for b in models if a < b]
        self.plan = plan
        self.images = images
        self.totals = [np.zeros((9, targets, replicates)) for _ in models]
        self.paired = {pair: Paired(*np.zeros((7, tags), np.int64)) for pair in pairs}
        self.clustered: dict[tuple[int, int], dict[int, Integers]] = {pair: {} for pair in pairs}
        self.slices = [_empty_slices(plan.slices, tags, units) for _ in models]
        self.predicted: list[list[Integers]] = [[] for _ in models]

    def block(self, span: slice, decided: Sequence[Sequence[NDArray[np.bool_]]], blocks: Sequence[Block]) -> Part:
        """Compute the contribution of one block from the predictions that `decide` returned for each model."""
        labels = labels_of(self.plan.truth, span)
        for pair, paired in self.paired.items():
            _pair(self.plan, span, labels, [decided[number][0] for number in pair], paired, self.clustered[pair])
        influence = [
            _rank_slices(self.plan, span, labels, one, into) for one, into in zip(blocks, self.slices, strict=True)
        ]
        own = [_cells(one[0]).by_row() for one in decided]
        return Part(_sum_replicates(self.plan, span, labels, decided, self.slices), own, influence)

    def add(self, part: Part) -> None:
        """Add the contribution of the next block."""
        for number, figures in enumerate(self.slices):
            self.totals[number] += part.sums[number]
            self.predicted[number].extend(part.predicted[number])
            figures.map_influence += part.influence[number]

    def result(self) -> Resampled:
        """Return the result; call it after the last block."""
        predictions = [_by_tag(rows, self.images) for rows in self.predicted]
        return Resampled(
            [_figures(total) for total in self.totals], predictions, self.paired, self.clustered, self.slices
        )


def _empty_slices(slices: Sequence[SliceRows], tags: int, units: int) -> SliceFigures:
    images = np.array([len(part.images) for part in slices], np.int64)
    tp, fp, positives = np.zeros((3, len(slices), tags), np.int64)
    ap, bias = np.full((2, len(slices), tags), np.nan)
    return SliceFigures(images, tp, fp, positives, ap, bias, np.zeros((len(slices), units)))


def decide(plan: Plan, number: int, span: slice, block: Block) -> list[NDArray[np.bool_]]:
    """Return the predictions of a model for a block under each regime; one bool (tags, images) per regime."""
    decided = []
    for by_fold in plan.thresholds[number][:, :, span]:
        predicted = np.empty(block.scores.shape, np.bool_)
        for fold, (start, stop) in enumerate(zip(plan.sampling.bounds, plan.sampling.bounds[1:], strict=False)):
            np.greater_equal(block.scores[:, start:stop], by_fold[fold][:, None], out=predicted[:, start:stop])
        decided.append(predicted)
    return decided


class _Cells(NamedTuple):
    """A set of cells of a block, ordered by tag, then by image."""

    flat: Integers
    """tag * images + image."""
    shape: tuple[int, int]
    """(tags, images)."""

    @property
    def ends(self) -> Integers:
        """Start of the cells of each tag, and the end of the last; int64 (tags + 1,)."""
        return np.searchsorted(self.flat, np.arange(self.shape[0] + 1) * self.shape[1]).astype(np.int64)

    @property
    def images(self) -> Integers:
        """Image of each cell."""
        return self.flat - np.repeat(np.arange(self.shape[0]) * self.shape[1], np.diff(self.ends))

    def where(self, mask: NDArray[np.bool_]) -> "_Cells":
        """Return the cells that are true in a mask of the block, (tags, images)."""
        return _Cells(self.flat[mask.ravel()[self.flat]], self.shape)

    def inside(self, part: SliceRows) -> "_Cells":
        """Return the cells whose images belong to a slice."""
        return _Cells(self.flat[part.member[self.images]], self.shape)

    def by_row(self) -> list[Integers]:
        """Return the images of each tag, one array per tag."""
        return np.split(self.images, self.ends[1:-1])

    @property
    def counts(self) -> Integers:
        """Number of cells of each tag; int64 (tags,)."""
        return np.diff(self.ends)


def _cells(mask: NDArray[np.bool_]) -> _Cells:
    return _Cells(np.flatnonzero(mask), (mask.shape[0], mask.shape[1]))


def _pair(
    plan: Plan, span: slice, labels: NDArray[np.bool_], predicted: Sequence[NDArray[np.bool_]], paired: Paired,
    clustered: dict[int, Integers],
) -> None:  # fmt: skip
    """Fill in the paired counts of a block, and its clusters with more than one discordant image."""
    first, second = predicted
    one = _cells(first)
    discordant = _cells(first != second)
    by_first, hits = discordant.where(first), one.where(labels)
    first_hit, second_hit = by_first.where(labels).counts, discordant.where(labels & ~first).counts
    both_hit = hits.counts - first_hit
    columns = (
        both_hit, first_hit, second_hit, np.diff(plan.truth.indptr[span.start : span.stop + 1]),
        one.counts - hits.counts - (by_first.counts - first_hit), by_first.counts - first_hit,
        discordant.counts - by_first.counts - second_hit,
    )  # fmt: skip
    for total, counts in zip(paired, columns, strict=True):
        total[span] = counts
    if not plan.clustered:
        return
    for row, images in enumerate(discordant.by_row()):
        cluster, member, size = np.unique(plan.sampling.units[images], return_inverse=True, return_counts=True)
        if (size > 1).any():
            kind = 2 * ~labels[row, images] + second[row, images]
            table = np.bincount(4 * member + kind, minlength=4 * len(cluster)).reshape(-1, 4)
            clustered[span.start + row] = table[size > 1]


def _rank_slices(plan: Plan, span: slice, labels: NDArray[np.bool_], block: Block, found: SliceFigures) -> Floats:
    """Fill in the AP of a block on every slice; return the influence of each unit, (slices, units), summed over the tags."""
    total = np.zeros((len(plan.slices), len(plan.weights)))
    for number, part in enumerate(plan.slices):
        ranked = ranking.sort_block(block.scores[:, part.images], labels[:, part.images], images=True)
        assert ranked.images is not None
        influence = ranking.influence(ranked)
        found.average_precision[number, span] = ranking.average_precision(ranked)
        found.ap_bias[number, span] = ranking.optimism(ranked)
        for row in np.flatnonzero(ranked.positives).tolist():
            images = part.images[ranked.images[row, influence.start[row] :]]
            plan.sampling.add_by_unit(images, influence.of(row), total[number])
    return total


def _sum_replicates(
    plan: Plan,
    span: slice,
    labels: NDArray[np.bool_],
    decided: Sequence[Sequence[NDArray[np.bool_]]],
    slices: Sequence[SliceFigures],
) -> list[Floats]:
    """Return the contribution of a block to the sums of `_share` for each model; float64 (9, targets, replicates)."""
    carrying = _cells(labels)
    positives = _draw(plan, carrying)
    groups = plan.sampling.groups[:, span]
    whole = groups[:1]
    parts = [carrying.inside(part) for part in plan.slices]
    part_positives = [_draw(plan, part) for part in parts]
    sums = []
    for regimes, figures in zip(decided, slices, strict=True):
        own = _cells(regimes[0])
        hits = own.where(labels)
        drawn = _draw(plan, own, hits)
        shares = [_share(plan, drawn, positives, groups)]
        for before, predicted in pairwise(regimes):
            drawn = drawn + _draw_changes(plan, before, predicted, labels)
            shares.append(_share(plan, drawn, positives, whole))
        for number, part in enumerate(plan.slices):
            some, hit = own.inside(part), hits.inside(part)
            figures.tp[number, span] = hit.counts
            figures.fp[number, span] = some.counts - hit.counts
            figures.positives[number, span] = parts[number].counts
            shares.append(_share(plan, _draw(plan, some, hit), part_positives[number], whole))
        sums.append(np.concatenate(shares, axis=1))
    return sums


def _draw(plan: Plan, *parts: _Cells, signs: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """Return how many cells of each tag every replicate drew; float32 (tags of all parts, replicates), whole numbers.

    Args:
        plan: its sampling and weights are used.
        parts: sets of cells; their tags are concatenated.
        signs: 1 or -1 for each cell of all parts; None counts each cell as 1.
    """
    before = np.cumsum([0, *(len(part.flat) for part in parts)])
    indptr = np.concatenate([[0], *(start + part.ends[1:] for start, part in zip(before, parts, strict=False))])
    units = plan.sampling.units[np.concatenate([part.images for part in parts])]
    signs = np.ones(len(units), np.float32) if signs is None else signs
    shape = (len(indptr) - 1, len(plan.weights))
    drawn: NDArray[np.float32] = csr_array((signs, units, indptr), shape=shape) @ plan.weights
    return drawn


def _draw_changes(
    plan: Plan, before: NDArray[np.bool_], predicted: NDArray[np.bool_], labels: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Return the change of the resampled predictions, then hits, from one regime to another; float32 (2 x tags, replicates).

    Regimes differ in few predictions, so resampling the difference is faster than resampling all of them.
    """
    changed = _cells(predicted != before)
    hits = changed.where(labels)
    gained = predicted.ravel()[np.concatenate([changed.flat, hits.flat])]
    return _draw(plan, changed, hits, signs=np.where(gained, np.float32(1), np.float32(-1)))


def _share(plan: Plan, drawn: NDArray[np.float32], positives: NDArray[np.float32], groups: Floats) -> Floats:
    """Return sums over the tags of each group, float64 (9, groups, replicates).

    The rows are precision, recall and F1, then the number of tags where each is defined, then TP, predicted and positives.
    """
    predicted, tp = np.split(drawn, 2)
    counts = TagCounts(np.empty(0, np.float32), tp, predicted - tp, positives, images=0)  # type: ignore[arg-type]
    values = plan.convention.ratios(counts)
    defined = [~np.isnan(value) for value in values]
    filled = [np.where(known, value, 0.0) for known, value in zip(defined, values, strict=True)]
    return np.stack([groups @ column for column in (*filled, *defined, tp, predicted, positives)])


def _figures(sums: Floats) -> Floats:
    """Return `registry.THRESHOLDED` from the sums of `_share`, (6, targets, replicates); NaN where undefined."""
    macro = divide(sums[:3], sums[3:6])
    tp, predicted, positives = sums[6:]
    micro = [divide(tp, predicted), divide(tp, positives), divide(2 * tp, predicted + positives)]
    return np.concatenate([macro, np.stack(micro)])


def _by_tag(rows: Sequence[Integers], images: int) -> csc_array:
    indptr = np.cumsum([0, *map(len, rows)])
    indices = np.concatenate([np.empty(0, np.int64), *rows]).astype(np.int32)
    return csc_array((np.ones(len(indices), np.bool_), indices, indptr), shape=(images, len(rows)))
