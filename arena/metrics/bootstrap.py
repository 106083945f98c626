"""The clustered bootstrap: what every aggregate would have been on other images of the same kind.

What is resampled is a unit: an image, or a cluster of near duplicates, because such images are no independent evidence. The
same resamples serve every model, so that differences are paired. Counts of all replicates come from one sparse product: the
rows say which images a tag has, or a model predicts, and the columns of the weights how often a replicate drew each unit.
Mean average precision, which is no function of counts, follows to first order from the influence of each unit (see
`ranking.influence`) under the same weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

from arena.metrics import ranking
from arena.metrics.counts import Convention, Floats, Integers, TagCounts, divide
from arena.metrics.significance import Paired
from arena.metrics.tally import Block, Sampling, Scored

REPLICATES = 1000
"""Resamples of every interval."""

MAX_UNITS = 1 << 15
"""Units that are resampled; more clusters than that are dealt into so many bags, which bounds the memory of the weights."""

FIGURES = ("macro_precision", "macro_recall", "macro_f1", "micro_precision", "micro_recall", "micro_f1")
"""Aggregates of counts, in the order of the arrays here."""


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
    weights = np.empty((replicates, units), np.float32)
    for row in weights:
        row[:] = np.bincount(rng.integers(0, units, units), minlength=units)
    return np.ascontiguousarray(weights.T)


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
        tp, fp, positives: int64 (slices, tags), at its own thresholds.
        average_precision, ap_bias: float64 (slices, tags); NaN without a positive.
        map_influence: float64 (slices, units), on the sum of AP over the tags where it is defined.
    """

    tp: Integers
    fp: Integers
    positives: Integers
    average_precision: Floats
    ap_bias: Floats
    map_influence: Floats


class Resampled(NamedTuple):
    """What the second pass gives."""

    replicates: list[Floats]
    """One a model: float64 (FIGURES, targets, replicates). Targets are first the groups at the model's own thresholds, then
    the other regimes over all compared tags, then the slices at its own thresholds over all compared tags."""
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
        self.slices = [_empty_slices(len(plan.slices), tags, units) for _ in models]
        self.predicted: list[list[Integers]] = [[] for _ in models]

    def block(self, span: slice, decided: Sequence[Sequence[NDArray[np.bool_]]], blocks: Sequence[Block]) -> Part:
        """One block's share, of what `decide` gave for each model."""
        for pair, paired in self.paired.items():
            _pair(self.plan, span, [decided[number][0] for number in pair], paired, self.clustered[pair])
        influence = [_rank_slices(self.plan, span, one, into) for one, into in zip(blocks, self.slices, strict=True)]
        own = [[np.flatnonzero(row) for row in one[0]] for one in decided]
        return Part(_sum_replicates(self.plan, span, decided, self.slices), own, influence)

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


def _empty_slices(slices: int, tags: int, units: int) -> SliceFigures:
    tp, fp, positives = np.zeros((3, slices, tags), np.int64)
    ap, bias = np.full((2, slices, tags), np.nan)
    return SliceFigures(tp, fp, positives, ap, bias, np.zeros((slices, units)))


def decide(plan: Plan, number: int, span: slice, block: Block) -> list[NDArray[np.bool_]]:
    """Of each regime, which images a model predicts each tag of a block for; bool (tags, images)."""
    decided = []
    for by_fold in plan.thresholds[number][:, :, span]:
        predicted = np.empty(block.scores.shape, np.bool_)
        for fold, (start, stop) in enumerate(zip(plan.sampling.bounds, plan.sampling.bounds[1:], strict=False)):
            np.greater_equal(block.scores[:, start:stop], by_fold[fold][:, None], out=predicted[:, start:stop])
        decided.append(predicted)
    return decided


def _carrying(plan: Plan, tag: int) -> Integers:
    """The images that carry a tag."""
    found: Integers = plan.truth.indices[plan.truth.indptr[tag] : plan.truth.indptr[tag + 1]]
    return found


def _pair(
    plan: Plan, span: slice, predicted: Sequence[NDArray[np.bool_]], paired: Paired, clustered: dict[int, Integers]
) -> None:
    """Fill in the paired counts of a block."""
    for row, tag in enumerate(range(span.start, span.stop)):
        first, second = predicted[0][row], predicted[1][row]
        carrying = _carrying(plan, tag)
        hit, other_hit = first[carrying], second[carrying]
        both, both_hit = np.count_nonzero(first & second), np.count_nonzero(hit & other_hit)
        one, one_hit = np.count_nonzero(first), np.count_nonzero(hit)
        other, other_hits = np.count_nonzero(second), np.count_nonzero(other_hit)
        paired.both_hit[tag], paired.first_hit[tag], paired.second_hit[tag] = (
            both_hit,
            one_hit - both_hit,
            other_hits - both_hit,
        )
        paired.positives[tag] = len(carrying)
        paired.both_false[tag] = both - both_hit
        paired.first_false[tag] = one - both - (one_hit - both_hit)
        paired.second_false[tag] = other - both - (other_hits - both_hit)
        if not plan.clustered:
            continue
        discordant = np.flatnonzero(first != second)
        cluster, member, size = np.unique(plan.sampling.units[discordant], return_inverse=True, return_counts=True)
        if (size > 1).any():
            kind = 2 * ~np.isin(discordant, carrying) + second[discordant]
            table = np.bincount(4 * member + kind, minlength=4 * len(cluster)).reshape(-1, 4)
            clustered[tag] = table[size > 1]


def _rank_slices(plan: Plan, span: slice, block: Block, found: SliceFigures) -> Floats:
    """Fill in AP of a block on every slice; the influence of each unit, (slices, units), summed over its tags."""
    total = np.zeros((len(plan.slices), len(plan.weights)))
    labels = np.zeros(block.scores.shape[1], np.bool_)
    for row, tag in enumerate(range(span.start, span.stop)) if plan.slices else ():
        carrying = _carrying(plan, tag)
        labels[carrying] = True
        for number, part in enumerate(plan.slices):
            column = ranking.sort_images(block.scores[row][part.images], labels[part.images])
            if len(column.positions):
                assert column.images is not None
                influence = ranking.influence(column)
                units = plan.sampling.units[part.images[column.images[influence.start :]]]
                total[number] += np.bincount(units, influence.values, minlength=total.shape[1])
                found.average_precision[number, tag] = ranking.average_precision(column)
                found.ap_bias[number, tag] = influence.bias
        labels[carrying] = False
    return total


def _sum_replicates(
    plan: Plan, span: slice, decided: Sequence[Sequence[NDArray[np.bool_]]], slices: Sequence[SliceFigures]
) -> list[Floats]:
    """Of each model, a block's share in the sums behind each target's figures; float64 (9, targets, replicates)."""
    tags = range(span.start, span.stop)
    carrying = [_carrying(plan, tag) for tag in tags]
    positives = _draw(plan, carrying)
    groups = plan.sampling.groups[:, span]
    whole = groups[:1]
    parts = [[rows[part.member[rows]] for rows in carrying] for part in plan.slices]
    part_positives = [_draw(plan, part) for part in parts]
    sums = []
    for regimes, figures in zip(decided, slices, strict=True):
        shares = []
        drawn: NDArray[np.float32] | None = None
        for number, predicted in enumerate(regimes):
            drawn = _draw_predicted(plan, predicted, carrying, drawn, regimes[number - 1])
            shares.append(_share(plan, drawn, positives, whole if number else groups))
        for number, part in enumerate(plan.slices):
            rows = [images[part.member[images]] for images in map(np.flatnonzero, regimes[0])]
            hits = [images[row[images]] for images, row in zip(parts[number], regimes[0], strict=True)]
            figures.tp[number, span] = [len(one) for one in hits]
            figures.fp[number, span] = [len(one) - len(hit) for one, hit in zip(rows, hits, strict=True)]
            figures.positives[number, span] = [len(one) for one in parts[number]]
            shares.append(_share(plan, _draw(plan, [*rows, *hits]), part_positives[number], whole))
        sums.append(np.concatenate(shares, axis=1))
    return sums


def _draw(plan: Plan, rows: Sequence[Integers], signs: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """How many of each row's images every replicate drew; float32 (rows, replicates), whole numbers.

    Args:
        signs: 1 or -1 for each image of all rows, where they are counted so; None counts all as 1.
    """
    indptr = np.cumsum([0, *map(len, rows)])
    units = plan.sampling.units[np.concatenate(rows)]
    signs = np.ones(len(units), np.float32) if signs is None else signs
    drawn: NDArray[np.float32] = csr_array((signs, units, indptr), shape=(len(rows), len(plan.weights))) @ plan.weights
    return drawn


def _draw_predicted(
    plan: Plan,
    predicted: NDArray[np.bool_],
    carrying: Sequence[Integers],
    drawn: NDArray[np.float32] | None,
    before: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Predictions, then hits, of a block as every replicate drew them; float32 (2 x tags, replicates).

    Regimes differ in few predictions, so what another regime's gave is taken over and only the difference is drawn.

    Args:
        drawn: the same for the predictions `before`; None where there are none.
    """
    if drawn is None:
        rows = [np.flatnonzero(row) for row in predicted]
        hits = [images[row[images]] for images, row in zip(carrying, predicted, strict=True)]
        return _draw(plan, [*rows, *hits])
    changed = predicted != before
    rows = [np.flatnonzero(row) for row in changed]
    hits = [images[row[images]] for images, row in zip(carrying, changed, strict=True)]
    added = [now[some] for part in (rows, hits) for now, some in zip(predicted, part, strict=True)]
    return drawn + _draw(plan, [*rows, *hits], np.where(np.concatenate(added), np.float32(1), np.float32(-1)))


def _share(plan: Plan, drawn: NDArray[np.float32], positives: NDArray[np.float32], groups: Floats) -> Floats:
    """Sums of precision, recall and F1, over how many tags each is defined, and counts: (9, groups, replicates)."""
    predicted, tp = np.split(drawn, 2)
    counts = TagCounts(np.empty(0, np.float32), tp, predicted - tp, positives, images=0)  # type: ignore[arg-type]
    values = plan.convention.ratios(counts)
    defined = [~np.isnan(value) for value in values]
    filled = [np.where(known, value, 0.0) for known, value in zip(defined, values, strict=True)]
    return np.stack([groups @ column for column in (*filled, *defined, tp, predicted, positives)])


def _figures(sums: Floats) -> Floats:
    """From sums to FIGURES, (6, targets, replicates); NaN where undefined."""
    macro = divide(sums[:3], sums[3:6])
    tp, predicted, positives = sums[6:]
    micro = [divide(tp, predicted), divide(tp, positives), divide(2 * tp, predicted + positives)]
    return np.concatenate([macro, np.stack(micro)])


def _by_tag(rows: Sequence[Integers], images: int) -> csc_array:
    indptr = np.cumsum([0, *map(len, rows)])
    indices = np.concatenate([np.empty(0, np.int64), *rows]).astype(np.int32)
    return csc_array((np.ones(len(indices), np.bool_), indices, indptr), shape=(images, len(rows)))
