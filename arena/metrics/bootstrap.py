"""The clustered bootstrap: what every aggregate would have been on other images of the same kind.

What is resampled is a unit: an image, or a cluster of near duplicates, because such images are no independent evidence. The
same resamples serve every model, so that differences are paired. Counts of all replicates come from one sparse product: the
rows say which images a tag has, or a model predicts, and the columns of the weights how often a replicate drew each unit.
Mean average precision, which is no function of counts, follows to first order from the influence of each unit (see
`ranking.influence`) under the same weights.
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
"""Resamples of every interval."""

DRAWN_TOGETHER = 32
"""Resamples drawn before they are written across the weights: 0.25 s for 1,000 of 32,768 units, where turning all of them at
the end takes 0.85 s and twice the memory."""

MAX_UNITS = 1 << 15
"""Units that are resampled; more clusters than that are dealt into so many bags, which bounds the memory of the weights."""


def units_of(groups: Sequence[str]) -> Integers:
    """A number for each image's group, dealt into at most `MAX_UNITS` bags in order of first appearance; int64 (images,).

    >>> units_of(["x", "y", "x"]).tolist()
    [0, 1, 0]
    """
    number = {group: place for place, group in enumerate(dict.fromkeys(groups))}
    return np.array([number[group] % MAX_UNITS for group in groups], np.int64)


def draw_weights(units: int, replicates: int, seed: int) -> NDArray[np.float32]:
    """How often each replicate draws each unit, with replacement, as many as there are; float32 (units, replicates)."""
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
    """Ascending; int64 (images of the slice,)."""
    member: NDArray[np.bool_]
    """bool (all images,)."""


@dataclass(frozen=True)
class Plan:
    """What is resampled.

    Attributes:
        truth: bool (images, compared tags).
        models: each with one column a compared tag.
        thresholds: one a model, float32 (regimes, folds, compared tags); the first regime is each model's own.
        sampling: its groups are over the compared tags, the first of them all.
        weights: float32 (units, replicates).
        convention: how figures follow from counts.
        clustered: whether some unit holds more than one image of a duplicate cluster.
        slices: parts of the images.
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
    """One model on parts of the images, per compared tag.

    Attributes:
        images: int64 (slices,).
        tp, fp, positives: int64 (slices, tags), at its own thresholds.
        average_precision, ap_bias: float64 (slices, tags); NaN without a positive.
        map_influence: float64 (slices, units), on the sum of AP over the tags where it is defined.
    """

    images: Integers
    tp: Integers
    fp: Integers
    positives: Integers
    average_precision: Floats
    ap_bias: Floats
    map_influence: Floats


class Resampled(NamedTuple):
    """What the second pass gives."""

    replicates: list[Floats]
    """One a model: float64 (`registry.THRESHOLDED`, targets, replicates). Targets are first the groups at the model's own
    thresholds, then the other regimes over all compared tags, then the slices at its own thresholds over all compared tags."""
    predictions: list[csc_array]
    """One a model: which images it predicts each compared tag for at its own thresholds; bool (images, compared tags)."""
    paired: dict[tuple[int, int], Paired]
    clustered: dict[tuple[int, int], dict[int, Integers]]
    """Of each pair and tag: the clusters that hold more than one discordant image, as `significance.exact_p` takes them."""
    slices: list[SliceFigures]


class Part(NamedTuple):
    """One block's share."""

    sums: list[Floats]
    predicted: list[list[Integers]]
    influence: list[Floats]


class Resampler:
    """Decides at every regime's thresholds, and resamples the images: `block` in any thread, `add` in the order of tags."""

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
        """One block's share, of what `decide` gave for each model."""
        labels = labels_of(self.plan.truth, span)
        for pair, paired in self.paired.items():
            _pair(self.plan, span, labels, [decided[number][0] for number in pair], paired, self.clustered[pair])
        influence = [
            _rank_slices(self.plan, span, labels, one, into) for one, into in zip(blocks, self.slices, strict=True)
        ]
        own = [_cells(one[0]).by_row() for one in decided]
        return Part(_sum_replicates(self.plan, span, labels, decided, self.slices), own, influence)

    def add(self, part: Part) -> None:
        """Take up the next block's share."""
        for number, figures in enumerate(self.slices):
            self.totals[number] += part.sums[number]
            self.predicted[number].extend(part.predicted[number])
            figures.map_influence += part.influence[number]

    def result(self) -> Resampled:
        """After the last block."""
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
    """Of each regime, which images a model predicts each tag of a block for; bool (tags, images)."""
    decided = []
    for by_fold in plan.thresholds[number][:, :, span]:
        predicted = np.empty(block.scores.shape, np.bool_)
        for fold, (start, stop) in enumerate(zip(plan.sampling.bounds, plan.sampling.bounds[1:], strict=False)):
            np.greater_equal(block.scores[:, start:stop], by_fold[fold][:, None], out=predicted[:, start:stop])
        decided.append(predicted)
    return decided


class _Cells(NamedTuple):
    """Some cells of a block, in the order of its tags, then images."""

    flat: Integers
    """tag * images + image."""
    shape: tuple[int, int]
    """(tags, images)."""

    @property
    def ends(self) -> Integers:
        """Where each tag's cells start, and the last one's end; int64 (tags + 1,)."""
        return np.searchsorted(self.flat, np.arange(self.shape[0] + 1) * self.shape[1]).astype(np.int64)

    @property
    def images(self) -> Integers:
        """The image of each cell."""
        return self.flat - np.repeat(np.arange(self.shape[0]) * self.shape[1], np.diff(self.ends))

    def where(self, mask: NDArray[np.bool_]) -> "_Cells":
        """The cells that a mask of the block, (tags, images), holds."""
        return _Cells(self.flat[mask.ravel()[self.flat]], self.shape)

    def inside(self, part: SliceRows) -> "_Cells":
        """The cells whose images belong to a slice."""
        return _Cells(self.flat[part.member[self.images]], self.shape)

    def by_row(self) -> list[Integers]:
        """The images of each tag."""
        return np.split(self.images, self.ends[1:-1])

    @property
    def counts(self) -> Integers:
        """How many of each tag; int64 (tags,)."""
        return np.diff(self.ends)


def _cells(mask: NDArray[np.bool_]) -> _Cells:
    return _Cells(np.flatnonzero(mask), (mask.shape[0], mask.shape[1]))


def _pair(
    plan: Plan, span: slice, labels: NDArray[np.bool_], predicted: Sequence[NDArray[np.bool_]], paired: Paired,
    clustered: dict[int, Integers],
) -> None:  # fmt: skip
    """Fill in the paired counts of a block."""
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
    for total, own in zip(paired, columns, strict=True):
        total[span] = own
    if not plan.clustered:
        return
    for row, images in enumerate(discordant.by_row()):
        cluster, member, size = np.unique(plan.sampling.units[images], return_inverse=True, return_counts=True)
        if (size > 1).any():
            kind = 2 * ~labels[row, images] + second[row, images]
            table = np.bincount(4 * member + kind, minlength=4 * len(cluster)).reshape(-1, 4)
            clustered[span.start + row] = table[size > 1]


def _rank_slices(plan: Plan, span: slice, labels: NDArray[np.bool_], block: Block, found: SliceFigures) -> Floats:
    """Fill in AP of a block on every slice; the influence of each unit, (slices, units), summed over its tags."""
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
    """Of each model, a block's share in the sums behind each target's figures; float64 (9, targets, replicates)."""
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
    """How many cells of each tag every replicate drew; float32 (tags of all parts, replicates), whole numbers.

    Args:
        signs: 1 or -1 for each cell of all parts, where they are counted so; None counts all as 1.
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
    """What predictions, then hits, of a block gain over those of another regime as every replicate drew them.

    Regimes differ in few predictions, so the difference is quicker to draw than the whole. Float32 (2 x tags, replicates).
    """
    changed = _cells(predicted != before)
    hits = changed.where(labels)
    gained = predicted.ravel()[np.concatenate([changed.flat, hits.flat])]
    return _draw(plan, changed, hits, signs=np.where(gained, np.float32(1), np.float32(-1)))


def _share(plan: Plan, drawn: NDArray[np.float32], positives: NDArray[np.float32], groups: Floats) -> Floats:
    """Sums of precision, recall and F1, over how many tags each is defined, and counts: (9, groups, replicates)."""
    predicted, tp = np.split(drawn, 2)
    counts = TagCounts(np.empty(0, np.float32), tp, predicted - tp, positives, images=0)  # type: ignore[arg-type]
    values = plan.convention.ratios(counts)
    defined = [~np.isnan(value) for value in values]
    filled = [np.where(known, value, 0.0) for known, value in zip(defined, values, strict=True)]
    return np.stack([groups @ column for column in (*filled, *defined, tp, predicted, positives)])


def _figures(sums: Floats) -> Floats:
    """From sums to `registry.THRESHOLDED`, (6, targets, replicates); NaN where undefined."""
    macro = divide(sums[:3], sums[3:6])
    tp, predicted, positives = sums[6:]
    micro = [divide(tp, predicted), divide(tp, positives), divide(2 * tp, predicted + positives)]
    return np.concatenate([macro, np.stack(micro)])


def _by_tag(rows: Sequence[Integers], images: int) -> csc_array:
    indptr = np.cumsum([0, *map(len, rows)])
    indices = np.concatenate([np.empty(0, np.int64), *rows]).astype(np.int32)
    return csc_array((np.ones(len(indices), np.bool_), indices, indptr), shape=(images, len(rows)))
