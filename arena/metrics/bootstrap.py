"""Clustered bootstrap of every aggregate metric.

The resampled unit is an image, or a cluster of near duplicates, because near duplicates are not independent evidence. All
models share the same resamples, so differences between models are paired. The counts of all replicates come from one sparse
product: a row of the left matrix lists the images that have a tag, or that a model predicts it for; a column of the weights
holds how often a replicate drew each unit. Mean average precision is not a function of counts. Its replicates follow to first
order from the influence of each unit (see `ranking.influence`) under the same weights.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from arena.metrics import ranking
from arena.metrics.blocks import KnownColumns, ModelBlock, block_labels
from arena.metrics.cells import Cells, Decided, decide
from arena.metrics.counts import (
    Amounts,
    Convention,
    Floats,
    Integers,
    TagCounts,
    divide,
    mean_terms,
    means_of_terms,
    weights_of,
)
from arena.metrics.resamples import DrawnUnits
from arena.metrics.significance import Paired
from arena.metrics.tally import Sampling
from arena.metrics.threshold_replicates import (
    RECHOSEN,
    Drawn,
    Draws,
    ThresholdModel,
    changes,
    confident_threshold,
    draw_block,
    draw_positives,
)


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
        cross_fits: one per model, on what the thresholds of the other regimes were chosen.
        clustered: whether some duplicate cluster holds more than one image.
        slices: subsets of the images.
        min_positives: positives that a tag needs within a slice to enter its means.
        image_weights: float64 (images,), weight of each image; None counts each image as 1.
        partial: whether cells of the truth are unknown; their scores in the blocks are below 0.
    """

    truth: csc_array
    models: Sequence[KnownColumns]
    thresholds: Sequence[NDArray[np.float32]]
    sampling: Sampling
    weights: NDArray[np.float32]
    convention: Convention
    cross_fits: Sequence[ThresholdModel] = ()
    clustered: bool = False
    slices: Sequence[SliceRows] = ()
    min_positives: int = 0
    image_weights: Floats | None = None
    partial: bool = False

    @cached_property
    def drawn(self) -> DrawnUnits:
        """The weights, for products with cells."""
        return DrawnUnits(self.weights)

    @cached_property
    def first_drawn(self) -> DrawnUnits:
        """The resamples that choose their thresholds again, at most `RECHOSEN`."""
        return self.drawn.first(RECHOSEN)

    @cached_property
    def draws(self) -> Draws:
        """The same resamples, with what is known of the images."""
        return Draws(self.sampling.folds.astype(np.int64), self.sampling.units, self.first_drawn, self.image_weights)


@dataclass
class SliceMetrics:
    """Counts and AP of one model on slices of the images, per compared tag.

    Attributes:
        images: int64 (slices,), number of images; float64 sum of weights if images have weights.
        tp, fp, positives: as `images`, (slices, tags), at the model's own thresholds.
        support: int64 (slices, tags), number of images with the tag, whatever their weights.
        average_precision, ap_bias: float64 (slices, tags); NaN without a positive.
        map_influence: float64 (slices, units), influence of each unit on the sum of AP over the tags where AP is defined.
    """

    images: Amounts
    tp: Amounts
    fp: Amounts
    positives: Amounts
    support: Integers
    average_precision: Floats
    ap_bias: Floats
    map_influence: Floats


class Resampled(NamedTuple):
    """Result of the second pass."""

    replicates: list[Floats]
    """One per model: float64 (`registry.THRESHOLDED`, targets, replicates). The targets are the groups of tags at the model's
    own thresholds, then the other regimes over all compared tags, then the slices of images at the model's own thresholds
    over the tags with enough positives in the slice. The other regimes have `RECHOSEN` replicates, then NaN."""
    predictions: list[csc_array]
    """One per model: its predictions at its own thresholds; bool (images, compared tags)."""
    paired: dict[tuple[int, int], Paired]
    """Paired counts of each pair of models, (compared tags,)."""
    clustered: dict[tuple[int, int], dict[int, Integers]]
    """For each pair of models and tag, the clusters with more than one discordant image, as `significance.exact_p` takes
    them."""
    slices: list[SliceMetrics]
    """One per model."""
    paired_precision: dict[tuple[int, int], "PairedPrecision"]
    """Of each pair of models."""
    confident_thresholds: list[float]
    """One per model, see `threshold_replicates.confident_threshold`."""


class PairedPrecision(NamedTuple):
    """Macro precision of two models over the tags where it is defined for both, so that both means run over the same tags."""

    replicates: Floats
    """float64 (2, targets, replicates); NaN where no tag is in both."""
    tags: Integers
    """Number of tags; int64 (targets,)."""


class BlockSums(NamedTuple):
    """Contribution of one block of tags, per model."""

    sums: list[Floats]
    predicted: list[list[Integers]]
    influence: list[Floats]
    drawn: list[Drawn]
    precision: dict[tuple[int, int], "_PrecisionSums"]


class Resampler:
    """Sums the replicates block by block.

    Call `block` in any thread, then `add` in the order of the tags, then `result`.
    """

    def __init__(self, plan: Plan) -> None:
        images, tags = plan.truth.shape
        replicates = plan.weights.shape[1]
        targets = len(plan.sampling.groups) + len(plan.thresholds[0]) - 1 + len(plan.slices)
        models = range(len(plan.models))
        pairs = [(a, b) for a in models for b in models if a < b]
        self.plan = plan
        self.images = images
        self.totals = [np.zeros((9, targets, replicates)) for _ in models]
        kind = np.int64 if plan.image_weights is None else np.float64
        self.paired = {pair: Paired(*np.zeros((7, tags), kind)) for pair in pairs}
        self.clustered: dict[tuple[int, int], dict[int, Integers]] = {pair: {} for pair in pairs}
        self.slices = [_empty_slices(plan, tags) for _ in models]
        self.predicted: list[list[Integers]] = [[] for _ in models]
        self.drawn: list[Drawn] = []
        self.precision = {pair: _PrecisionSums(np.zeros((2, targets, replicates)), np.zeros(targets)) for pair in pairs}

    def block(self, span: slice, decided: Sequence[Decided], blocks: Sequence[ModelBlock]) -> BlockSums:
        """Compute the contribution of one block from the predictions that `predict_block` returned for each model."""
        plan, labels, own = self.plan, block_labels(self.plan.truth, span), [one.own for one in decided]
        for pair, paired in self.paired.items():
            _pair(plan, span, labels, [own[number] for number in pair], paired, self.clustered[pair])
        influence = [_rank_slices(plan, span, labels, one, into) for one, into in zip(blocks, self.slices, strict=True)]
        positives = draw_positives(Cells.of_truth(plan.truth, span), plan.draws)
        drawn = [
            draw_block(model, span, one.scores, labels, positives, plan.draws)
            for model, one in zip(plan.cross_fits, blocks, strict=bool(plan.cross_fits))
        ]
        sums, precision = _sum_replicates(plan, span, labels, decided, self.slices)
        return BlockSums(sums, [one.by_row() for one in own], influence, drawn, precision)

    def add(self, part: BlockSums) -> None:
        """Add the contribution of the next block."""
        for number, figures in enumerate(self.slices):
            self.totals[number] += part.sums[number]
            self.predicted[number].extend(part.predicted[number])
            figures.map_influence += part.influence[number]
        for pair, sums in part.precision.items():
            _add(self.precision[pair], sums)
        if self.drawn:
            for total, drawn in zip(self.drawn, part.drawn, strict=True):
                _add(total, drawn)
        else:
            self.drawn = part.drawn

    def result(self) -> Resampled:
        """Return the result; call it after the last block."""
        predictions = [_by_tag(rows, self.images) for rows in self.predicted]
        replicates = [means_of_terms(total) for total in self.totals]
        precision = {pair: PairedPrecision(divide(sums, tags[:, None]), tags.astype(np.int64))
                     for pair, (sums, tags) in self.precision.items()}  # fmt: skip
        for number, (model, drawn) in enumerate(zip(self.plan.cross_fits, self.drawn, strict=False)):
            first = len(self.plan.sampling.groups)
            for place, change in enumerate(changes(model, drawn).values(), first):
                wider = _widening(replicates[number][:, place], change)
                replicates[number][:, place] += wider
                for pair, found in precision.items():
                    if number in pair:
                        found.replicates[pair.index(number), place] += wider[0]
        confident = [float("nan")] * len(self.plan.models)
        for number, one in enumerate(zip(self.plan.cross_fits, self.drawn, strict=False)):  # none drawn without a tag
            confident[number] = confident_threshold(*one)
        return Resampled(replicates, predictions, self.paired, self.clustered, self.slices, precision, confident)


def _add(totals: Iterable[Floats], arrays: Iterable[Floats]) -> None:
    """Add arrays to their totals, in place."""
    for total, array in zip(totals, arrays, strict=True):
        np.add(total, array, out=total)


def _widening(fixed: Floats, change: Floats) -> Floats:
    """Return the change of each metric where it makes the replicates at fixed thresholds spread more, else 0; NaN where it is.

    Where choosing again holds a metric in place, as it holds the precision of `precision_90`, the interval still has to say
    how far the threshold in use may be from it.

    Args:
        fixed: float64 (6, replicates), at the thresholds of the run; NaN from the resamples on that do not choose again.
        change: float64 (6, resamples that choose again).
    """
    change = _padded(change, fixed.shape[-1])
    with np.errstate(invalid="ignore"):
        known = ~np.isnan(fixed + change)
        centre = divide(np.where(known, fixed, 0.0).sum(-1), known.sum(-1))[:, None]
        spreads = [np.std(np.where(known, x, 0.0), axis=-1) for x in (fixed - centre, fixed + change - centre)]
    return np.where((spreads[1] < spreads[0])[:, None] & known, 0.0, change)


def _empty_slices(plan: Plan, tags: int) -> SliceMetrics:
    slices, w = plan.slices, plan.image_weights
    images = np.array([len(part.images) if w is None else w[part.images].sum() for part in slices])
    tp, fp, positives = np.zeros((3, len(slices), tags), np.int64 if w is None else np.float64)
    ap, bias = np.full((2, len(slices), tags), np.nan)
    support = np.zeros(positives.shape, np.int64)
    return SliceMetrics(images, tp, fp, positives, support, ap, bias, np.zeros((len(slices), len(plan.weights))))


def predict_block(plan: Plan, number: int, span: slice, block: ModelBlock) -> Decided:
    """Return the predictions of a model for a block under each regime."""
    return decide(block.scores, plan.thresholds[number][:, :, span], plan.sampling.folds)


def _inside(cells: Cells, part: SliceRows) -> Cells:
    """Return the cells whose images belong to a slice."""
    return cells.pick(part.member[cells.images])


def _amounts(cells: Cells, plan: Plan) -> Amounts:
    """Return the number of cells of each tag, int64 (tags,), or the sum of the weights of their images, float64."""
    if plan.image_weights is None:
        return cells.counts
    return ranking.segment_sums(plan.image_weights[cells.images], cells.ends)


def _pair(
    plan: Plan, span: slice, labels: NDArray[np.bool_], predicted: Sequence[Cells], paired: Paired,
    clustered: dict[int, Integers],
) -> None:  # fmt: skip
    """Fill in the paired counts of a block, and its clusters with more than one discordant image."""
    first, second = predicted
    in_both = np.isin(first.flat, second.flat, assume_unique=True)
    both, one = first.pick(in_both), first.pick(~in_both)
    other = second.pick(~np.isin(second.flat, first.flat, assume_unique=True))
    counts = [
        [_amounts(cells.pick(kind), plan) for cells in (both, one, other) for kind in (cells.of(mask),)]
        for mask in (labels, ~labels)
    ]
    for total, column in zip(
        paired, (*counts[0], _amounts(Cells.of_truth(plan.truth, span), plan), *counts[1]), strict=True
    ):
        total[span] = column
    if not plan.clustered:
        return
    for row, images in enumerate(one.joined(other).by_row()):
        cluster, member, size = np.unique(plan.sampling.units[images], return_inverse=True, return_counts=True)
        if (size > 1).any():
            by_second = np.isin(images + row * labels.shape[1], other.flat, assume_unique=True)
            kind = 2 * ~labels[row, images] + by_second
            table = np.bincount(4 * member + kind, minlength=4 * len(cluster)).reshape(-1, 4)
            clustered[span.start + row] = table[size > 1]


def _rank_slices(plan: Plan, span: slice, labels: NDArray[np.bool_], block: ModelBlock, found: SliceMetrics) -> Floats:
    """Fill in the AP of a block on every slice; return the influence of each unit, (slices, units), summed over the tags."""
    total = np.zeros((len(plan.slices), len(plan.weights)))
    for number, part in enumerate(plan.slices):
        weights = None if plan.image_weights is None else plan.image_weights[part.images]
        scores, carried = block.scores[:, part.images], labels[:, part.images]
        ranked = ranking.sort_block(scores, carried, images=True, weights=weights, partial=plan.partial)
        assert ranked.images is not None
        influence = ranking.influence(ranked)
        found.average_precision[number, span] = ranking.average_precision(ranked)
        found.ap_bias[number, span] = ranking.average_precision_bias(ranked)
        for row in np.flatnonzero(ranked.positives >= max(1, plan.min_positives)).tolist():
            images = part.images[ranked.images[row, influence.start[row] :]]
            values = influence.of(row)
            if plan.image_weights is not None:
                values = values * plan.image_weights[images]
            plan.sampling.add_by_unit(images, values, total[number])
    return total


class _PrecisionSums(NamedTuple):
    """Sums over the tags where precision is defined for both models of a pair."""

    values: Floats
    """float64 (2, targets, replicates)."""
    tags: Floats
    """float64 (targets,), number of tags."""


class _Share(NamedTuple):
    """Contribution of a block to some targets of one model."""

    sums: Floats
    """Sums of `counts.mean_terms`; float64 (9, targets, replicates)."""
    precision: NDArray[np.float32]
    """float32 (tags, replicates)."""
    defined: NDArray[np.bool_]
    """bool (tags,), where precision is defined on all images."""
    members: Floats
    """float64 (targets, tags), 1 where a tag enters the means of a target."""


def _sum_replicates(
    plan: Plan, span: slice, labels: NDArray[np.bool_], decided: Sequence[Decided], slices: Sequence[SliceMetrics]
) -> tuple[list[Floats], dict[tuple[int, int], _PrecisionSums]]:  # fmt: skip
    """Return the contribution of a block to the sums of each model, float64 (9, targets, replicates), and of each pair."""
    carrying = Cells.of_truth(plan.truth, span)
    positives = _draw(plan.drawn, plan, carrying)
    groups = plan.sampling.groups[:, span]
    whole = groups[:1]
    parts = [_inside(carrying, part) for part in plan.slices]
    part_positives = [_draw(plan.drawn, plan, part) for part in parts]
    shares = []
    for one, figures in zip(decided, slices, strict=True):
        carried = one.cells.of(labels)
        false, hits = (one.cells.pick(one.regimes[0] & kind) for kind in (~carried, carried))
        drawn, counts = _draw(plan.drawn, plan, false, hits), np.stack([_amounts(false, plan), _amounts(hits, plan)])
        of_model = [_share(plan, drawn, positives, groups, *counts)]
        rechosen = plan.first_drawn.weights.shape[1]
        drawn = drawn[:, :rechosen]
        for before, predicted in pairwise(one.regimes):
            changed = [(predicted != before) & kind for kind in (~carried, carried)]
            drawn = drawn + _draw_changes(plan, one.cells, changed, predicted)
            counts = counts + [
                2 * _amounts(one.cells.pick(part & predicted), plan) - _amounts(one.cells.pick(part), plan)
                for part in changed
            ]
            of_model.append(_share(plan, drawn, positives[:, :rechosen], whole, *counts))
        for number, part in enumerate(plan.slices):
            alarms, hit = _inside(false, part), _inside(hits, part)
            at_all = _amounts(alarms, plan), _amounts(hit, plan)
            figures.tp[number, span] = at_all[1]
            figures.fp[number, span] = at_all[0]
            figures.positives[number, span] = _amounts(parts[number], plan)
            figures.support[number, span] = parts[number].counts
            enough = whole * (parts[number].counts >= plan.min_positives)
            drawn = _draw(plan.drawn, plan, alarms, hit)
            of_model.append(_share(plan, drawn, part_positives[number], enough, *at_all))
        shares.append(of_model)
    replicates = plan.weights.shape[1]
    sums = [np.concatenate([_padded(one.sums, replicates) for one in of_model], axis=1) for of_model in shares]
    pairs = [(a, b) for a in range(len(shares)) for b in range(a + 1, len(shares))]
    return sums, {(a, b): _sum_precision(shares[a], shares[b], replicates) for a, b in pairs}


def _sum_precision(first: Sequence[_Share], second: Sequence[_Share], replicates: int) -> _PrecisionSums:
    """Sum the precision of two models over the tags where both have one."""
    values, tags = [], []
    for one, other in zip(first, second, strict=True):
        both = one.members * (one.defined & other.defined)
        values.append(_padded(np.stack([both @ one.precision, both @ other.precision]), replicates))
        tags.append(both.sum(1))
    return _PrecisionSums(np.concatenate(values, axis=1), np.concatenate(tags))


def _padded(values: Floats, replicates: int) -> Floats:
    """Fill up the last axis with NaN to the number of replicates."""
    missing = replicates - values.shape[-1]
    return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, missing)], constant_values=np.nan) if missing else values


def _draw(drawn: DrawnUnits, plan: Plan, *parts: Cells, gained: NDArray[np.bool_] | None = None) -> NDArray[np.float32]:
    """Return how many cells of each tag every replicate drew; float32 (tags of all parts, replicates).

    With weights, each cell counts as the weight of its image.

    Args:
        drawn: how often each replicate drew each unit.
        plan: supplies the sampling and the weights of the images.
        parts: sets of cells; their tags are concatenated.
        gained: cells of all parts that count 1, all others count -1; None counts each cell as 1.
    """
    before = np.cumsum([0, *(len(part.flat) for part in parts)])
    ends = np.concatenate([[0], *(start + part.ends[1:] for start, part in zip(before, parts, strict=False))])
    images = np.concatenate([part.images for part in parts])
    units = plan.sampling.units[images]
    if plan.image_weights is None:
        return drawn.count(units, ends, distinct=plan.sampling.independent, gained=gained)
    values = weights_of(images, plan.image_weights)
    if gained is not None:
        values *= np.where(gained, np.float32(1), np.float32(-1))
    return drawn.sum(values, units, ends)


def _draw_changes(
    plan: Plan, cells: Cells, changed: Sequence[NDArray[np.bool_]], predicted: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Return by how much a regime changes the resampled false positives, then hits; float32 (2 * tags, replicates).

    Regimes differ in few predictions, so resampling the difference is faster than resampling all of them.

    Args:
        plan: supplies the first resamples.
        cells: cells that some regime predicts.
        changed: cells whose prediction the regime changes, without the tag, then with it; bool (cells,) each.
        predicted: bool (cells,), predictions under the regime.
    """
    gained = np.concatenate([predicted[part] for part in changed])
    return _draw(plan.first_drawn, plan, *(cells.pick(part) for part in changed), gained=gained)


def _share(
    plan: Plan, drawn: NDArray[np.float32], positives: NDArray[np.float32], members: Floats,
    false_images: Amounts, true_images: Amounts,
) -> _Share:  # fmt: skip
    """Return the contribution of a block to some targets.

    A replicate that draws no prediction of a tag has no precision of it. It takes the precision on all images, so that all
    replicates average the same tags.

    Args:
        plan: its convention is used.
        drawn: false positives, then hits, float32 (2 * tags, replicates).
        positives: float32 (tags, replicates).
        members: float64 (targets, tags).
        false_images, true_images: (tags,), false positives and hits on all images.
    """
    fp, tp = np.split(drawn, 2)
    counts = TagCounts(np.empty(0, np.float32), tp, fp, positives, images=0)
    terms = mean_terms(counts, plan.convention)
    on_all = TagCounts(counts.thresholds, true_images, false_images, true_images, images=0)
    precision = plan.convention.ratios(on_all).precision
    defined = ~np.isnan(precision)
    terms[0] = np.where((terms[3] == 0) & defined[:, None], precision[:, None], terms[0])
    terms[3] = defined[:, None]
    return _Share(np.stack([members @ term for term in terms]), terms[0].astype(np.float32), defined, members)


def _by_tag(rows: Sequence[Integers], images: int) -> csc_array:
    indptr = np.cumsum([0, *map(len, rows)])
    indices = np.concatenate([np.empty(0, np.int64), *rows]).astype(np.int32)
    return csc_array((np.ones(len(indices), np.bool_), indices, indptr), shape=(images, len(rows)))
