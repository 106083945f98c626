"""Resamples of cross-fitted metrics: each resample chooses its thresholds again.

A threshold that is chosen on the images varies with the images, and so does every metric at it. Resamples at fixed thresholds
leave this out: their spread is a fifth to a half of the true spread. Here each resample chooses from its own curves over the
sweep, which follow from its counts of each tag at each step. The result is the change from the same resample at the
thresholds of the run, to be added to the exact resamples at these thresholds.

Micro metrics are exact. Macro metrics of a shared threshold are linear in the counts of a resample (first order), so that no
count of a single tag has to be kept. Those of one threshold per tag are exact.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special
from scipy.sparse import csr_array

from arena.metrics.cells import Cells
from arena.metrics.counts import (
    PRF,
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
from arena.metrics.thresholds import (
    PRECISION,
    RULES,
    SHRINKAGE,
    UNREACHABLE,
    Curve,
    FoldCounts,
    Rule,
    choosing_categories,
    highest_macro_f1,
)

RECHOSEN = 100
"""Resamples that choose again. They give a standard error to 7 %, which Student's quantile allows for; they take time."""

TAGS_AT_ONCE = 32
"""Tags whose counts in all resamples are held at once."""

CHOSEN_AT_ONCE = 4
"""Tags whose thresholds are chosen at once: the arrays over all steps stay in the L2 cache. 32 tags take twice as long."""

LOWEST_SHARE = 0.5
"""No resample chooses a threshold below this share of the lowest one of the run: most scores are below, and not counted."""

_MACRO = 3
"""Macro precision, recall and F1 are the first figures, micro precision, recall and F1 the others."""


@dataclass(frozen=True)
class ThresholdModel:
    """The cross-fit of one model, over the compared tags.

    Attributes:
        steps: float32 (k,), the sweep.
        counts: counts by fold.
        fold_images: int64 (folds,), or float64 sums of weights.
        chosen: int64 (folds, tags) of each cross-fitted regime, `tag` included: steps of the sweep.
        convention: how undefined metrics of a tag count.
    """

    steps: NDArray[np.float32]
    counts: FoldCounts
    fold_images: Amounts
    chosen: Mapping[str, Integers]
    convention: Convention

    @cached_property
    def groups(self) -> Integers:
        """Group of each tag, int64 (tags,): 0 for the small categories, then one per category with its own threshold."""
        groups = np.zeros(len(self.counts.compared), np.int64)
        for number, category in enumerate(choosing_categories(self.counts.categories, self.counts.compared), 1):
            groups[self.counts.categories == category] = number
        return groups

    @cached_property
    def group_sizes(self) -> Integers:
        """Number of tags of each group."""
        return np.bincount(self.groups, minlength=1)

    @cached_property
    def lowest_shared(self) -> int:
        """Lowest step that a resample may choose for several tags."""
        chosen = np.concatenate([steps.ravel() for name, steps in self.chosen.items() if name != "tag"])
        return int(self._lowered(chosen[chosen != UNREACHABLE].min(initial=len(self.steps) - 1)))

    @cached_property
    def lowest(self) -> Integers:
        """Lowest step that a resample may choose for each tag; int64 (tags,)."""
        return np.asarray(np.minimum(self.lowest_shared, self._lowered(self.chosen["tag"].min(axis=0))))

    def last_step(self, scores: NDArray[np.float32]) -> Integers:
        """Return the highest step that each score reaches, int64 (n,).

        A table of the high bits of scores gives a first step; `np.searchsorted` takes ten times as long.

        Args:
            scores: float32 (n,), 0 to 1, each at least the first step.
        """
        last = self._step_of_bits[_high_bits(scores)]
        after = np.append(self.steps, np.float32(np.inf))
        for _ in range(int(np.diff(self._step_of_bits).max())):
            last += scores >= after[last + 1]
        return last

    @cached_property
    def _step_of_bits(self) -> Integers:
        """The last step at or below the least score that has the given `_high_bits`, -1 if there is none; int64 (bits,)."""
        least = (np.arange(int(_high_bits(np.ones(1, np.float32))[0]) + 2, dtype=np.uint32) << 15).view(np.float32)
        return np.asarray(np.searchsorted(self.steps, least, side="right") - 1)

    def _lowered(self, step: Any) -> Any:
        return np.searchsorted(self.steps, np.float32(LOWEST_SHARE) * self.steps[step])

    @cached_property
    def averages(self) -> list[NDArray[np.float32]]:
        """`TrainingCounts.average` of the folds other than each fold; float32 (2, k) each."""
        return [self.counts.without(fold).average for fold in range(len(self.fold_images))]

    @cached_property
    def coefficients(self) -> Floats:
        """Derivative of precision, recall and F1 by TP, FP and positives at the counts of all images; (3, 3, k, tags).

        The first axis is the metric, the second the count. 0 where the metric is undefined.
        """
        tp, fp = (x.sum(0).astype(np.float64) for x in (self.counts.tp, self.counts.fp))
        positives = np.broadcast_to(self.counts.positives.sum(0).astype(np.float64), tp.shape)
        per_predicted, per_positive, per_union = (
            np.nan_to_num(divide(1.0, total)) for total in (tp + fp, positives, tp + fp + positives)
        )
        precision, recall, f1, none = tp * per_predicted, tp * per_positive, 2 * tp * per_union, np.zeros_like(tp)
        return np.array(
            [
                [(1 - precision) * per_predicted, -precision * per_predicted, none],
                [per_positive, none, -recall * per_positive],
                [(2 - f1) * per_union, -f1 * per_union, -f1 * per_union],
            ]
        )

    @cached_property
    def linear_f1(self) -> Floats:
        """The linear term of F1 of each fold and tag, as the run counted them; float64 (folds, k, tags)."""
        by_tp, by_fp, by_positives = self.coefficients[2]
        linear = by_tp * self.counts.tp + by_fp * self.counts.fp + by_positives * self.counts.positives[:, None]
        return np.asarray(linear, np.float64)

    @cached_property
    def metrics(self) -> Floats:
        """Sums of precision, recall and F1 over the tags of each group, on all images; (groups, 3, k)."""
        return np.stack([self.by_group(np.nan_to_num(value)) for value in self._ratios], axis=1)

    @cached_property
    def defined(self) -> Floats:
        """Number of tags of each group where precision, recall and F1 are defined, on all images; (groups, 3, k)."""
        return np.stack([self.by_group(~np.isnan(value)) for value in self._ratios], axis=1).astype(np.float64)

    @cached_property
    def _ratios(self) -> PRF:
        """Precision, recall and F1 on all images, (k, tags) each."""
        tp, fp = self.counts.tp.sum(0), self.counts.fp.sum(0)
        positives = np.broadcast_to(self.counts.positives.sum(0), tp.shape)
        return self.convention.ratios(TagCounts(np.empty(0, np.float32), tp, fp, positives, self.counts.images))

    def by_group(self, values: NDArray[Any]) -> Floats:
        """Sum over the tags of each group, from (k, tags) to (groups, k)."""
        return np.stack([values[:, self.groups == number].sum(1) for number in range(len(self.group_sizes))])


class Drawn(NamedTuple):
    """Sums over a block of tags, in the resamples that choose again."""

    curves: Floats
    """float64 (groups, 5, k, folds, resamples): linear terms of precision, recall and F1; TP and FP."""
    positives: Floats
    """float64 (groups, folds, resamples)."""
    by_tag: Floats
    """float64 (2, 9, resamples): sums of `counts.mean_terms` at one threshold per tag, the run's, then one chosen again."""


def _high_bits(scores: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Return exponent and first 8 bits of the fraction of scores in 0 to 1, uint32 (n,).

    Their order is the order of the scores. The shift drops the sign bit, so negative zero equals zero.
    """
    return (scores.view(np.uint32) << np.uint32(1)) >> np.uint32(16)


class Draws(NamedTuple):
    """Which units every resample drew, and what each image counts."""

    fold: Integers
    """int64 (images,), fold of each image."""
    unit: Integers
    """int64 (images,), unit of each image."""
    drawn: DrawnUnits
    """How often each resample drew each unit."""
    image_weights: Floats | None = None
    """float64 (images,); None counts each image as 1."""

    @property
    def resamples(self) -> int:
        """Number of resamples."""
        return int(self.drawn.weights.shape[1])

    def sums(self, kind: Integers, image: Integers, kinds: int) -> NDArray[np.float32]:
        """Return how many cells of each kind every resample drew, float32 (kinds, resamples).

        A cell counts as the weight of its image.

        Args:
            kind: int64 (cells,), 0 to `kinds` - 1.
            image: int64 (cells,), image of each cell.
            kinds: number of kinds.
        """
        if self.image_weights is not None:
            values, shape = weights_of(image, self.image_weights), (kinds, len(self.drawn.weights))
            found: NDArray[np.float32] = csr_array((values, (kind, self.unit[image])), shape=shape) @ self.drawn.weights
            return found
        order = np.argsort(
            kind.astype(np.min_scalar_type(max(kinds - 1, 0))), kind="stable"
        )  # radix sort up to 16 bits
        ends = np.concatenate([[0], np.cumsum(np.bincount(kind, minlength=kinds))])
        return self.drawn.count(self.unit[image[order]], ends, distinct=False)


def draw_block(
    model: ThresholdModel, span: slice, scores: NDArray[np.float32], labels: NDArray[np.bool_],
    positives: NDArray[np.float32], draws: Draws,
) -> Drawn:  # fmt: skip
    """Count a block of tags in every resample, and choose the thresholds of single tags.

    Args:
        model: its cross-fit.
        span: which of the compared tags the block holds.
        scores: float32 (tags, images).
        labels: bool (tags, images).
        positives: from `draw_positives`.
        draws: the resamples.
    """
    total = empty_drawn(model, draws.resamples)
    for start in range(0, len(scores), TAGS_AT_ONCE):
        rows = slice(start, min(start + TAGS_AT_ONCE, len(scores)))
        part = slice(span.start + rows.start, span.start + rows.stop)
        first = int(model.lowest[part].min())
        above = _count_above(model, part, first, scores[rows], labels[rows], draws)
        _add_curves(total, model, part, first, above, positives[rows])
        total.by_tag[:] += _by_tag(model, part, first, above, positives[rows])
    return total


def draw_positives(carriers: Cells, draws: Draws) -> NDArray[np.float32]:
    """Return the positives of each tag and fold in every resample; float32 (tags, folds, resamples).

    Args:
        carriers: the cells with the tag.
        draws: the resamples.
    """
    tags, folds, image = carriers.shape[0], int(draws.fold.max()) + 1, carriers.images
    kind = np.repeat(np.arange(tags), carriers.counts) * folds + draws.fold[image]
    return draws.sums(kind, image, tags * folds).reshape(tags, folds, -1)


def empty_drawn(model: ThresholdModel, resamples: int) -> Drawn:
    """Return sums over no tag."""
    groups, folds = len(model.group_sizes), len(model.fold_images)
    return Drawn(
        np.zeros((groups, 5, len(model.steps), folds, resamples)), np.zeros((groups, folds, resamples)),
        np.zeros((2, 9, resamples)),
    )  # fmt: skip


def _count_above(
    model: ThresholdModel, span: slice, first: int, scores: NDArray[np.float32], labels: NDArray[np.bool_], draws: Draws
) -> NDArray[np.float32]:  # fmt: skip
    """Return FP, then TP, at each step from `first` on, in every resample; float32 (2, k, tags, folds, resamples)."""
    (tags, images), folds = scores.shape, len(model.fold_images)
    steps = model.steps[first:]
    cells = np.flatnonzero(scores >= model.steps[model.lowest[span]][:, None])
    ends = np.searchsorted(cells, np.arange(tags + 1) * images)
    tag = np.repeat(np.arange(tags), np.diff(ends))  # a division of 64-bit integers takes ten times as long
    image = cells - tag * images
    last = model.last_step(scores.ravel()[cells]) - first
    kind = ((labels.ravel()[cells] * len(steps) + last) * tags + tag) * folds + draws.fold[image]
    above = draws.sums(kind, image, 2 * len(steps) * tags * folds).reshape(2, len(steps), tags, folds, -1)
    for step in range(len(steps) - 2, -1, -1):
        above[:, step] += above[:, step + 1]
    return above


def _add_curves(
    total: Drawn,
    model: ThresholdModel,
    span: slice,
    first: int,
    above: NDArray[np.float32],
    positives: NDArray[np.float32],
) -> None:
    """Add some tags to the first two fields of `Drawn`, from the lowest step on that several tags may share."""
    skipped = model.lowest_shared - first
    size, tags, folds, resamples = above[0, skipped:].shape
    coefficients = model.coefficients[:, :, model.lowest_shared :, span].astype(np.float32)  # (3, 3, k, tags)
    ones, none = np.ones((size, tags), np.float32), np.zeros((size, tags), np.float32)
    of_tp = np.stack([*coefficients[:, 0], ones, none], axis=1)  # (k, 5, tags)
    of_fp = np.stack([*coefficients[:, 1], none, ones], axis=1)
    of_positives = np.stack([*coefficients[:, 2], none, none], axis=1)
    fp, tp = above[:, skipped:].reshape(2, size, tags, folds * resamples)
    wide = positives.reshape(tags, folds * resamples)
    groups = np.unique(model.groups[span])
    member = (model.groups[span] == groups[:, None]).astype(np.float32)  # (groups, tags)
    sums = np.zeros((size, 5 * len(groups), folds * resamples), np.float32)
    for values, derivative in ((tp, of_tp), (fp, of_fp), (wide, of_positives)):
        sums += (member[None, :, None] * derivative[:, None]).reshape(size, -1, tags) @ values
    shape = (size, len(groups), 5, folds, resamples)
    total.curves[groups, :, model.lowest_shared :] += sums.reshape(shape).transpose(1, 2, 0, 3, 4)
    total.positives[groups] += (member @ wide).reshape(len(groups), folds, resamples)


def _by_tag(
    model: ThresholdModel,
    span: slice,
    first: int,
    above: NDArray[np.float32],
    positives: NDArray[np.float32],
) -> Floats:
    """Return `Drawn.by_tag` of a block, float64 (2, 9, resamples)."""
    tags, resamples = above.shape[2], above.shape[4]
    fixed, again = np.zeros((2, 2, tags, resamples))
    for start in range(0, tags, CHOSEN_AT_ONCE):
        rows = slice(start, min(start + CHOSEN_AT_ONCE, tags))
        part = slice(span.start + rows.start, span.start + rows.stop)
        lowest = int(model.lowest[part].min())
        found = _choose_by_tag(model, part, lowest, above[:, lowest - first :, rows], positives[rows])
        fixed[:, rows], again[:, rows] = found
    no_threshold, all_positives = np.empty(0, np.float32), positives.sum(axis=1)
    both = (TagCounts(no_threshold, tp, fp, all_positives, images=0) for fp, tp in (fixed, again))
    return np.stack([mean_terms(counts, model.convention).sum(1) for counts in both])


def _choose_by_tag(
    model: ThresholdModel,
    span: slice,
    first: int,
    above: NDArray[np.float32],
    positives: NDArray[np.float32],
) -> Floats:
    """Return FP and TP of some tags at the thresholds of the run, then at those that each resample chooses.

    Arrays over all steps are allocated once, because the allocation of new memory takes longer than the arithmetic.

    Returns: float64 (2, 2, tags, resamples).
    """
    tags, resamples = above.shape[2], above.shape[4]
    fixed, again = np.zeros((2, 2, tags, resamples))
    total, all_positives = above[..., 0, :].copy(), positives.sum(axis=1)
    for fold in range(1, above.shape[3]):
        total += above[..., fold, :]
    others, highest = np.empty_like(total), _Highest(total.shape[1:])
    unused = np.arange(above.shape[1])[:, None] < model.lowest[span] - first
    everyone, average = np.arange(tags), np.float32(SHRINKAGE)
    for fold, chosen in enumerate(model.chosen["tag"][:, span] - first):
        fixed += above[:, chosen, everyone, fold]
        fp, tp = np.subtract(total, above[:, :, :, fold], out=others)
        trained = all_positives - positives[:, fold]
        true, false = average * model.averages[fold][:, first:]
        tp += true[:, None, None]
        fp += tp
        fp += false[:, None, None]
        fp += trained + average
        tp /= fp  # half of F1, with the positives of an average tag
        tp[unused] = 0
        best = np.where(trained > 0, highest.first_step(tp), chosen[:, None])
        again += above[:, best, everyone[:, None], fold, np.arange(resamples)]
    return np.stack([fixed, again])


class _Highest:
    """Find the first highest value along the first axis, in a third of the time of `argmax`, which transposes the array.

    Args:
        shape: shape of the values, (k, ...).
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.equal, self.rank = np.empty(shape, np.bool_), np.empty(shape, np.uint16)
        self.from_end = np.arange(shape[0], 0, -1, dtype=np.uint16).reshape(-1, *[1] * (len(shape) - 1))

    def first_step(self, values: NDArray[np.float32]) -> Integers:
        """Return the index of the first highest value along the first axis; int64 (...)."""
        np.equal(values, values.max(axis=0), out=self.equal)
        np.multiply(self.equal, self.from_end, out=self.rank)
        return np.asarray(len(values) - self.rank.max(axis=0).astype(np.int64))


def changes(model: ThresholdModel, drawn: Drawn) -> dict[str, Floats]:
    """Return by how much each metric of each resample changes where it chooses again: regime to float64 (6, resamples).

    Each has a mean of 0: the resamples tell the spread of the choice, not its bias. NaN where a resample, or the run, finds
    no threshold.

    Args:
        model: the cross-fit.
        drawn: summed over all blocks.
    """
    found, everything = {}, np.arange(len(model.group_sizes))
    shared = [_curve(model, drawn, everything, fold) for fold in range(len(model.fold_images))]
    for name, steps in model.chosen.items():
        if name == "tag":
            continue
        again = _choose_again(model, drawn, name, shared)
        found[name] = _change(model, drawn, _group_steps(model, steps), again)
    found["tag"] = means_of_terms(drawn.by_tag[1]) - means_of_terms(drawn.by_tag[0])
    return {name: change - _mean(change) for name, change in found.items()}


def confident_threshold(model: ThresholdModel, drawn: Drawn) -> float:
    """Return the lowest threshold whose micro precision is `PRECISION` or more with 95 % confidence; NaN if there is none.

    The threshold that has `PRECISION` on these images has it on new images only about every second time.

    Args:
        model: the cross-fit.
        drawn: summed over all blocks.
    """
    resamples = drawn.curves.shape[-1]
    if resamples < 2:
        return float("nan")
    tp, fp = drawn.curves[:, 3:].sum(axis=(0, 3))  # (k, resamples)
    observed = model.counts.without().curve(model.counts.compared)
    precision = divide(observed.tp, observed.tp + observed.fp)
    drawn_precision = np.nan_to_num(divide(tp, tp + fp))
    lower = precision - special.stdtrit(resamples - 1, 0.95) * drawn_precision.std(axis=1, ddof=1)
    enough = np.flatnonzero(np.nan_to_num(lower) >= PRECISION)
    enough = enough[enough >= model.lowest_shared]
    return float(str(model.steps[enough[0]])) if len(enough) else float("nan")


def _mean(change: Floats) -> Floats:
    """The mean over the resamples where it is defined, (6, 1)."""
    known = ~np.isnan(change)
    return divide(np.where(known, change, 0).sum(-1, keepdims=True), known.sum(-1, keepdims=True))


def _group_steps(model: ThresholdModel, steps: Integers) -> Integers:
    """The steps of each group and fold, (groups, folds), from those of each tag; an empty group has 0."""
    found = np.zeros((len(model.group_sizes), len(steps)), np.int64)
    for number in np.flatnonzero(model.group_sizes):
        found[number] = steps[:, np.argmax(model.groups == number)]
    return found


def _choose_again(model: ThresholdModel, drawn: Drawn, regime: str, shared: Sequence[Curve]) -> Integers:
    """Return the step of each group and fold in each resample; int64 (groups, folds, resamples).

    Args:
        model: the cross-fit.
        drawn: summed over all blocks.
        regime: a key of `model.chosen`, except `tag`.
        shared: for each fold the curve of all tags on the other folds.
    """
    groups, rule = len(model.group_sizes), RULES.get(regime, highest_macro_f1)
    again = np.empty((groups, len(shared), drawn.curves.shape[-1]), np.int64)
    for fold, curve in enumerate(shared):
        again[:, fold] = _apply_rule(model, rule, curve)
        if regime == "category":
            for number in range(1, groups):
                again[number, fold] = _apply_rule(model, rule, _curve(model, drawn, np.array([number]), fold))
    return again


def _apply_rule(model: ThresholdModel, rule: Rule, curve: Curve) -> Integers:
    """Choose a step of the sweep from a curve that begins at the lowest shared step; int64 (resamples,)."""
    chosen = rule(curve)
    return np.where(chosen == UNREACHABLE, UNREACHABLE, chosen + model.lowest_shared)


def _curve(model: ThresholdModel, drawn: Drawn, groups: Integers, fold: int) -> Curve:
    """Return the curves of some groups on all folds but one, in each resample, from the lowest shared step on."""
    tags, start = np.isin(model.groups, groups), model.lowest_shared
    others = np.arange(len(model.fold_images)) != fold
    f1, tp, fp = (drawn.curves[groups, row].sum(0)[:, others].sum(1) for row in (2, 3, 4))  # (k, resamples)
    share = model.fold_images[others].sum() / model.fold_images.sum()
    linear = divide(f1 - _linear_f1(model, tags, others)[:, None], share)
    trained = model.counts.without(fold).curve(tags).macro_f1[:, None]
    macro = trained + np.nan_to_num(linear) / max(1, int(tags.sum()))
    return Curve(macro[start:], tp[start:], fp[start:], drawn.positives[groups][:, others].sum((0, 1)))


def _linear_f1(model: ThresholdModel, tags: NDArray[np.bool_], folds: NDArray[np.bool_]) -> Floats:
    """The linear term of F1 of some tags and folds, as the run counted them; float64 (k,)."""
    return np.asarray(model.linear_f1[folds].sum(0)[:, tags].sum(1))


def _change(model: ThresholdModel, drawn: Drawn, steps: Integers, again: Integers) -> Floats:
    """Return the metrics at the steps of each resample less those at the steps of the run, (6, resamples)."""
    if (steps[model.group_sizes > 0] == UNREACHABLE).any():
        return np.full((2 * _MACRO, drawn.curves.shape[-1]), np.nan)
    unreachable = (again[model.group_sizes > 0] == UNREACHABLE).any(axis=(0, 1))
    fixed = np.broadcast_to(steps[..., None], again.shape)
    change = _metrics_at(model, drawn, np.maximum(again, 0)) - _metrics_at(model, drawn, fixed)
    return np.where(unreachable, np.nan, change)


def _metrics_at(model: ThresholdModel, drawn: Drawn, at: Integers) -> Floats:
    """Return the metrics at one step per group, fold and resample, (6, resamples); macro ones but for a constant."""
    groups, folds, resamples = at.shape
    g, f, r = np.ogrid[:groups, :folds, :resamples]
    shares = (model.fold_images / model.fold_images.sum())[:, None]
    taken = drawn.curves[g, :, at, f, r]  # (groups, folds, resamples, 5)
    base, defined = model.metrics[g, :, at], model.defined[g, :, at]  # (groups, folds, resamples, 3)
    weights = shares[..., None]
    macro = divide((taken[..., :_MACRO] + base * weights).sum((0, 1)), (defined * weights).sum((0, 1))).T
    tp, fp = taken[..., 3:].sum((0, 1)).T
    positives = drawn.positives.sum((0, 1))
    micro = np.stack([divide(tp, tp + fp), divide(tp, positives), divide(2 * tp, tp + fp + positives)])
    return np.concatenate([macro, micro])
