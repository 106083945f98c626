"""Aggregate metrics with their intervals: the estimates of models, slices and threshold policies, and their resamples."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from arena.evaluate.passes import Measured
from arena.evaluate.slices import ImageSlice, TagSlice
from arena.metrics.bootstrap import Resampled
from arena.metrics.counts import Convention, Floats, Integers, Mean, TagCounts, divide, macro, micro
from arena.metrics.intervals import Interval, resampled_interval
from arena.metrics.registry import AGGREGATES, METRICS
from arena.results.recipe import Settings

_ROUNDING = 1e-12
"""Largest bias that is a rounding error of float64 sums."""

_POWER_OF_MEAN = 1
"""Power of `small_sample_factor` for macro recall and macro F1: the variance of a tag with P independent positives, taken about
a mean of the same data, is too low by (P - 1) / P."""

_POWER_OF_AP = 2
"""Power of `small_sample_factor` for mAP. One, because a variance about a mean of the same data is too low by (P - 1) / P; and
one more, because the effect of a positive on its own precision is not in its influence. In simulations with 8 to 16 positives
and AP of 0.4 to 0.8, variances were 1.05 to 1.24 times the estimate from the influences, which are powers of 0.8 to 1.6."""

_POWER_OF_CORRECTED = 3
"""Power of `small_sample_factor` for mAP minus its bias. The bias is itself estimated from few positives: variances were 1.2
to 1.6 times the estimate, which are powers of 3 and more."""


_LEAST_MEAN_SUPPORT = 2
"""Positives that an average tag of a slice of images needs for intervals, as a multiple of `min_positives`. Tags with fewer are
in the slice because these images have more of them by chance than others, so precision and AP are too high. In simulations with
12 to 30 positives a tag in all images, micro precision of slices was .05 to .12 too high, and intervals held in 65 to 83 %."""


class Target(NamedTuple):
    """Subset of the tags and images, and regime, that an aggregate covers."""

    slice: str
    """What it is sliced by: `all`, `category`, `support`, `group`, or a column of the images."""
    value: str
    title: str
    regime: str
    images: int
    """Number of images."""
    tags: int
    """Number of tags."""
    positives: int
    """Number of positives of these tags in these images."""


@dataclass(frozen=True)
class Aggregates:
    """Aggregate metrics of every model and target.

    Attributes:
        targets: what each aggregate covers.
        estimates: float64 (models, AGGREGATES, targets); NaN where undefined.
        tags: int64 (models, AGGREGATES, targets), number of tags in each mean.
        replicates: float64 (models, AGGREGATES, targets, replicates), or None without resamples.
        bias: float64 (models, AGGREGATES, targets), expected excess over the true value: mean of the resamples minus the
            estimate; for mAP the mean of `ranking.average_precision_bias` over the tags.
        widening: float64 (models, targets), factor by which the spread of mAP grows when its bias is subtracted.
        selected: bool (targets,), slices of images with fewer than `_LEAST_MEAN_SUPPORT` times `min_positives` positives in an
            average tag; a model has no interval there.
        freedom: float64 (targets,), degrees of freedom of the standard errors, from `Measured.freedom`.
        unseen: float64 (models, targets), variance of macro precision that resamples do not show: see `unseen_variance`.
        paired_precision: of each pair of models; empty without resamples.
        single_tags: target of one tag -> the intervals of that tag, by model and metric of a tag. A group of one tag has the
            intervals of its tag.
    """

    targets: list[Target]
    estimates: Floats
    tags: Integers
    replicates: Floats | None
    bias: Floats
    widening: Floats
    selected: NDArray[np.bool_]
    freedom: Floats
    unseen: Floats
    paired_precision: dict[tuple[int, int], "PairedMeans"]
    single_tags: Mapping[int, Sequence[Mapping[str, Interval]]] = field(default_factory=dict)

    @cached_property
    def corrected(self) -> Floats:
        """Estimates minus their bias, within 0 to 1; (models, AGGREGATES, targets). The estimates without resamples."""
        return self.estimates if self.replicates is None else np.clip(self.estimates - np.nan_to_num(self.bias), 0, 1)

    @cached_property
    def intervals(self) -> Interval:
        """Intervals of every metric, (models, AGGREGATES, targets); NaN without resamples."""
        low, high = np.full((2, *self.estimates.shape), np.nan)
        if self.replicates is not None:
            for model, figure in np.ndindex(self.estimates.shape[:2]):
                low[model, figure], high[model, figure] = np.clip(self.by_target([model], figure).interval, 0, 1)
                for place, of_tag in self.single_tags.items():
                    ends = of_tag[model][METRICS[AGGREGATES[figure]].base]
                    low[model, figure, place], high[model, figure, place] = np.clip(ends, 0, 1)
        low[..., self.selected] = high[..., self.selected] = np.nan
        return Interval(low, high)

    def estimate(self, subject: Sequence[int], figure: int, signs: Mapping[int, float]) -> "Estimate":
        """Return a signed sum of one metric over targets, of a model or of the first of two models minus the second.

        The two models of macro precision are averaged over the tags where both have one.

        Args:
            subject: one model or two.
            figure: index in `registry.AGGREGATES`.
            signs: target -> factor.
        """
        found = self._terms(subject, figure)
        places, factors = list(signs), np.array(list(signs.values()))
        moved = None if found.moved is None else factors @ found.moved[places]
        widening = found.widening[places].max(initial=0.0) if places else 1.0
        error, resamples = _standard_errors(moved, factors**2 @ found.variances[places])
        freedom = float(_combined(resamples, self.freedom[places].min(initial=np.inf)))
        value, bias = float(factors @ found.values[places]), float(factors @ found.biases[places])
        return Estimate(value, bias, float(error * widening), freedom, int(min(found.tags[places], default=0)))

    def by_target(self, subject: Sequence[int], figure: int) -> "Estimate":
        """Return one metric of a model, or of the first of two models minus the second, at each target; arrays (targets,)."""
        found = self._terms(subject, figure)
        error, resamples = _standard_errors(found.moved, found.variances)
        freedom = _combined(resamples, self.freedom)
        return Estimate(found.values, found.biases, error * found.widening, freedom, found.tags)

    def _terms(self, subject: Sequence[int], figure: int) -> "_Terms":
        rows, paired = list(subject), len(subject) == 2
        factors = np.array([1.0, -1.0][: len(rows)])
        values, tags, of_precision = self.estimates[rows, figure], self.tags[rows, figure].min(0), figure == _PRECISION
        replicates = None if self.replicates is None else self.replicates[rows, figure]
        variances = self.unseen[rows].sum(0) if of_precision else np.zeros(len(tags))
        if of_precision and paired and self.paired_precision:
            both = self.paired_precision[subject[0], subject[1]]
            values, replicates, variances, tags = both.estimates, both.replicates, both.unseen, both.tags
        biases = np.zeros(len(tags)) if paired else self.bias[rows[0], figure]
        widening = self.widening[rows[0]] if AGGREGATES[figure] == "map" and not paired else np.ones(len(tags))
        moved = None if replicates is None else np.tensordot(factors, replicates, 1)
        return _Terms(factors @ values, biases, variances, tags, widening, moved)


_PRECISION = AGGREGATES.index("macro_precision")


class _Terms(NamedTuple):
    """One metric of a model, or of one model minus another, at each target; (targets,) each."""

    values: Floats
    biases: Floats
    variances: Floats
    """Variance that resamples do not show."""
    tags: Integers
    widening: Floats
    """Factor of the standard error."""
    moved: Floats | None
    """Resamples, float64 (targets, replicates)."""


def _standard_errors(moved: Floats | None, variances: Floats) -> tuple[Floats, Integers]:
    """Return the standard error from the resamples that are defined, and their number, (...).

    Args:
        moved: float64 (..., replicates), or None without resamples: then the error is NaN.
        variances: (...), to be added.
    """
    if moved is None:
        return np.full(np.shape(variances), np.nan), np.zeros(np.shape(variances), np.int64)
    known = np.isfinite(moved)
    number = known.sum(-1)
    filled = np.where(known, moved, 0.0)
    centred = np.where(known, filled - np.nan_to_num(divide(filled.sum(-1), number))[..., None], 0.0)
    variance = divide((centred**2).sum(-1), np.maximum(number - 1, 0))
    return np.sqrt(variance + variances), number


def _combined(resamples: ArrayLike, of_clusters: ArrayLike) -> Floats:
    """Return the degrees of freedom of a standard error from some resamples of some clusters: their inverses add up."""
    of_resamples = np.maximum(np.asarray(resamples, np.float64) - 1, 1)
    return np.asarray(1 / (1 / of_resamples + 1 / np.asarray(of_clusters, np.float64)))


class Estimate(NamedTuple):
    """One metric, or a difference: numbers, or an array with a place for each target."""

    value: Any
    """NaN where undefined."""
    bias: Any
    """Expected excess over the true value; 0 for a difference of two models, whose biases cancel."""
    error: Any
    """Standard error; NaN without resamples."""
    freedom: Any
    """Degrees of freedom of the standard error."""
    tags: Any
    """Number of tags in the means."""

    @property
    def interval(self) -> Interval:
        """Not limited to the range of the metric; NaN without resamples."""
        return resampled_interval(self.value, self.error, self.freedom, bias=np.nan_to_num(self.bias))

    def at(self, place: int) -> "Estimate":
        """Return the numbers of one target."""
        return Estimate(*(values[place].item() for values in self))


class PairedMeans(NamedTuple):
    """Macro precision of two models over the tags where both have one."""

    estimates: Floats
    """float64 (2, targets)."""
    replicates: Floats
    """float64 (2, targets, replicates)."""
    unseen: Floats
    """As `Aggregates.unseen`, of both models together; (targets,)."""
    tags: Integers
    """int64 (targets,)."""


def thresholded_means(counts: TagCounts, convention: Convention) -> list[Mean]:
    """Return the metrics of `registry.THRESHOLDED` from the counts of some tags, with the number of tags in each."""
    per_tag, total = convention.ratios(counts), micro(counts)
    return [macro(np.asarray(column)) for column in per_tag] + [
        Mean(float(value), len(counts.positives)) for value in total
    ]


class _Part(NamedTuple):
    """Inputs of the aggregates of one model and target."""

    counts: TagCounts
    average_precision: Floats
    """float64 (tags,); empty if the target has no mAP, which is so under every regime except `own`."""
    bias: Floats
    """Bias of each average precision, float64 (tags,); NaN where undefined."""
    influence: Floats | None
    """Influence of each unit on the sum of AP; float64 (units,). None without resamples, or without mAP."""
    independent: Floats
    """Effective number of positives of each tag for AP: positives divided by the design effect; float64 (tags,)."""
    units: Floats
    """Effective number of images, or of duplicate clusters, with each tag; float64 (tags,)."""
    unseen: Floats
    """Variance of the precision of each tag that resamples do not show; float64 (tags,)."""
    reachable: bool = True
    """Whether the rule of the regime holds at some threshold."""


def aggregate(
    measured: Measured, tag_slices: Sequence[TagSlice], image_slices: Sequence[ImageSlice], settings: Settings
) -> Aggregates:
    """Return the aggregates of all slices at the models' own thresholds, and of all compared tags under other regimes."""
    found = measured.uncertainty
    regimes = [] if found is None else [name for name in found.regimes[0].by_name if name != "own"]
    targets = [*_targets(measured, tag_slices, image_slices, regimes, settings)]
    shape = (len(measured.models), len(AGGREGATES), len(targets))
    estimates, bias = np.full((2, *shape), np.nan)
    tags, widening = np.zeros(shape, np.int64), np.ones((shape[0], shape[2]))
    replicates = None if found is None else np.full((*shape, settings.replicates), np.nan)
    precisions: list[list[Floats]] = [[] for _ in measured.models]
    thin: list[list[Floats]] = [[] for _ in measured.models]
    for number in range(len(measured.models)):
        for place, part in enumerate(_parts(measured, number, tag_slices, image_slices, regimes, settings)):
            means = [*thresholded_means(part.counts, settings.counting), macro(part.average_precision)]
            if not part.reachable:
                means = [Mean(float("nan"), 0)] * len(means)
            precision = settings.counting.ratios(part.counts).precision
            precisions[number].append(precision if part.reachable else np.full(len(precision), np.nan))
            thin[number].append(part.unseen)
            estimates[number, :, place], tags[number, :, place] = zip(*means, strict=True)
            bias[number, -1, place] = macro(part.bias).value
            if found is not None and replicates is not None:
                of_counts = found.resampled.replicates[number][:, place]
                replicates[number, :-1, place] = of_counts
                factor = small_sample_factor(part.units, _POWER_OF_MEAN)
                replicates[number, _MACRO, place] = _spread(of_counts[_MACRO], factor)
            if found is not None and replicates is not None and part.influence is not None and means[-1].tags:
                moved = part.influence.astype(np.float32) @ found.weights
                moved *= small_sample_factor(part.independent, _POWER_OF_AP) / means[-1].tags
                ratio = small_sample_factor(part.independent, _POWER_OF_CORRECTED) / small_sample_factor(
                    part.independent, _POWER_OF_AP
                )
                widening[number, place] = ratio
                replicates[number, -1, place] = means[-1].value + moved
    if replicates is not None:
        known = np.isfinite(replicates[:, :-1])
        sums = np.where(known, replicates[:, :-1], 0.0).sum(-1)
        bias[:, :-1] = divide(sums, known.sum(-1)) - estimates[:, :-1]
        bias[np.abs(bias) < _ROUNDING] = 0.0
        of_micro = [METRICS[name].average == "micro" for name in AGGREGATES]  # a ratio of sums has next to no bias
        bias[:, of_micro] = np.where(np.isnan(estimates[:, of_micro]), np.nan, 0.0)
    unseen = np.array([[_mean_variance(x, ~np.isnan(p)) for x, p in zip(*both, strict=True)]
                       for both in zip(thin, precisions, strict=True)])  # fmt: skip
    targets = [target._replace(tags=int(tags[:, -2, place].max())) for place, target in enumerate(targets)]
    pairs = {} if found is None else {
        pair: _paired_means(pair, precisions, thin, found.resampled)
        for pair in found.resampled.paired
    }  # fmt: skip
    freedom = np.full(len(targets), measured.freedom())
    freedom[: len(tag_slices)] = [measured.freedom(tags=one.tags) for one in tag_slices]
    selected = np.zeros(len(targets), np.bool_)
    if image_slices and found is not None:
        of_images = slice(-len(image_slices), None)
        freedom[of_images] = [measured.freedom(one.member) for one in image_slices]
        least = _LEAST_MEAN_SUPPORT * settings.min_positives
        selected[of_images] = [one.positives < least * one.tags for one in targets[of_images]]
    return Aggregates(targets, estimates, tags, replicates, bias, widening, selected, freedom, unseen, pairs)


def _targets(
    measured: Measured, tag_slices: Sequence[TagSlice], image_slices: Sequence[ImageSlice], regimes: Sequence[str],
    settings: Settings,
) -> Iterator[Target]:  # fmt: skip
    """Yield the targets: slices of tags, all compared tags under each regime, slices of images."""
    images, support = len(measured.truth.image_ids), np.diff(measured.truth.values.indptr)

    def of_tags(slice_: str, value: str, title: str, regime: str, tags: Integers) -> Target:
        return Target(slice_, value, title, regime, images, len(tags), int(support[tags].sum()))

    for one in tag_slices:
        yield of_tags(one.slice, one.value, one.title, "own", one.tags)
    for name in regimes:
        yield of_tags("all", "all", "all compared tags", name, measured.compared)
    if measured.uncertainty is not None:
        for part, within in zip(image_slices, measured.uncertainty.resampled.slices[0].support, strict=True):
            kept = within[within >= settings.min_positives]
            yield Target(part.slice, part.value, part.value, "own", int(part.member.sum()), len(kept), int(kept.sum()))


_MACRO = [AGGREGATES.index(name) for name in ("macro_recall", "macro_f1")]


def _spread(replicates: Floats, factor: float) -> Floats:
    """Return replicates whose distance from their mean is multiplied by a factor; (metrics, replicates), NaN stays."""
    known = np.isfinite(replicates)
    centre = divide(np.where(known, replicates, 0.0).sum(-1), known.sum(-1))[:, None]
    return np.asarray(replicates + (factor - 1) * (replicates - centre))  # equal replicates stay exactly equal


def _paired_means(
    pair: tuple[int, int],
    precisions: Sequence[Sequence[Floats]],
    thin: Sequence[Sequence[Floats]],
    found: Resampled,
) -> PairedMeans:
    """Return macro precision of two models over the tags where both have one.

    The variance that resamples do not show is multiplied by the share of discordant predictions, and is 0 where the two models
    are equal in every resample: models that predict the same do not differ.
    """
    paired = found.paired_precision[pair]
    estimates, unseen = np.full((2, len(paired.tags)), np.nan), np.zeros(len(paired.tags))
    discordance = found.paired[pair].discordance
    for place, of_pair in enumerate(zip(*(precisions[number] for number in pair), strict=True)):
        both = ~np.isnan(np.sum(of_pair, axis=0))
        estimates[:, place] = [macro(values[both]).value for values in of_pair]
        first, second = paired.replicates[:, place]
        if not np.array_equal(first, second, equal_nan=True):
            unseen[place] = sum(_mean_variance(thin[number][place], both) for number in pair) * discordance
    return PairedMeans(estimates, paired.replicates, unseen, paired.tags)


def _unseen(counts: TagCounts, related: Floats) -> Floats:
    """Return the variance of each tag's precision that resamples do not show, float64 (tags,).

    A tag with n independent predictions shows a variance of P (1 - P) / n, which is 0 where it is predicted once. Its true
    variance is taken at one more hit and one more false positive (Laplace's rule of succession).

    Args:
        counts: of the tags.
        related: how many images stand for one independent image, `Measured.related` of the tags.
    """
    hits, predicted = counts.tp / related, (counts.tp + counts.fp) / related
    precision, smooth = divide(hits, predicted), (hits + 1) / (predicted + 2)
    return np.maximum(np.nan_to_num(divide(smooth * (1 - smooth) - precision * (1 - precision), predicted)), 0.0)


def _unseen_of_weighted(counts: TagCounts, positive: Floats, negative: Floats) -> Floats:
    """Return `_unseen` for images with weights, float64 (tags,).

    A hit is an image of the tag, and a false positive one without the tag, which often stands for many more images. So one
    more of each is added with its own weight.

    Args:
        counts: of the tags.
        positive, negative: how many images stand for one independent image with the tag, and without it.
    """
    hits, false = counts.tp / positive, counts.fp / negative

    def variance(hits: Floats, false: Floats) -> tuple[Floats, Floats]:
        """Return the precision of so many independent images, and its variance."""
        true, wrong = positive * hits, negative * false
        precision = np.nan_to_num(divide(true, true + wrong))
        sums = (positive * (1 - precision)) ** 2 * hits + (negative * precision) ** 2 * false
        return precision, np.nan_to_num(divide(sums, (true + wrong) ** 2))

    return np.maximum(variance(hits + 1, false + 1)[1] - variance(hits, false)[1], 0.0)


def _mean_variance(variances: Floats, kept: NDArray[np.bool_]) -> float:
    """Return the variance of the mean of independent values."""
    return float(variances[kept].sum() / max(1, kept.sum()) ** 2)


def _parts(
    measured: Measured, number: int, tag_slices: Sequence[TagSlice], image_slices: Sequence[ImageSlice],
    regimes: Sequence[str], settings: Settings,
) -> Iterator[_Part]:  # fmt: skip
    """Yield the inputs of one model in the order of the targets: slices of tags, regimes, slices of images."""
    model, tally, own, found = (
        measured.models[number], measured.tallies.models[number], measured.own[number], measured.uncertainty
    )  # fmt: skip
    effects = measured.ap_effects(number)

    def unseen(counts: TagCounts, columns: Integers) -> Floats:
        tags = model.scored.truth_columns[columns]
        if measured.truth.weights is None:
            return _unseen(counts, measured.related[tags])
        return _unseen_of_weighted(counts, measured.related[tags], measured.related_others[tags])

    units = measured.positive_units[model.scored.truth_columns]
    # images with the tag that count as one: their number over their effective number
    shared = np.fmax(1.0, divide(tally.support, units))
    alike = effects if measured.truth.weights is None else shared
    for place, one in enumerate(tag_slices):
        columns = model.chosen[one.tags]
        counts, influence = own.take(columns), None if found is None else tally.map_influence[place]
        bias, independent = effects[columns] * tally.ap_bias[columns], tally.support[columns] / alike[columns]
        yield _Part(
            counts,
            tally.average_precision[columns],
            bias,
            influence,
            independent,
            units[columns],
            unseen(counts, columns),
        )
    if found is None:
        return
    columns, nothing = model.chosen[measured.compared], np.empty(0)
    for name in regimes:
        regime = found.regimes[number].by_name[name]
        counts = regime.counts.take(columns)
        yield _Part(counts, nothing, nothing, None, nothing, units[columns], unseen(counts, columns), regime.reachable)
    sliced, thresholds = found.resampled.slices[number], own.thresholds[columns]
    rows = zip(
        sliced.tp, sliced.fp, sliced.positives, sliced.images, sliced.support, sliced.average_precision, sliced.ap_bias,
        sliced.map_influence, strict=True,
    )  # fmt: skip
    for part, (tp, fp, positives, images, support, ap, ap_bias, influence) in zip(image_slices, rows, strict=True):
        enough = np.flatnonzero(support >= settings.min_positives)
        counts, known = TagCounts(thresholds, tp, fp, positives, images.item()).take(enough), columns[enough]
        bias, independent = effects[known] * ap_bias[enough], support[enough] / alike[known]
        within = measured.units_within(part.member, measured.compared[enough])
        yield _Part(counts, ap[enough], bias, influence, independent, within, unseen(counts, known))


def small_sample_factor(positives: NDArray[Any], power: int) -> float:
    """Return the factor for the influence of images on mAP, 1 or more; it corrects the low variance estimate of rare tags.

    The variance of a tag with P positives is multiplied by (P / (P - 1))^power. Tags are weighted by 1 / P, like their
    variances. P is at least 2; tags without positives are left out.

    Args:
        positives: (tags,), effective number of positives.
        power: `_POWER_OF_AP` or `_POWER_OF_CORRECTED`.

    >>> round(small_sample_factor(np.array([11, 11]), 2), 4)
    1.1
    """
    known = np.maximum(np.asarray(positives, np.float64)[np.asarray(positives) > 0], 2.0)
    grown = (known / (known - 1)) ** power / known
    return float(np.sqrt(grown.sum() / (1 / known).sum())) if len(known) else 1.0
