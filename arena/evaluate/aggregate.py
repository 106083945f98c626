"""Aggregate metrics with their intervals, and paired differences between models."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from arena.evaluate.passes import Measured
from arena.evaluate.slices import ImageSlice, TagSlice
from arena.metrics import significance
from arena.metrics.counts import Convention, Floats, Integers, Mean, TagCounts, divide, macro, micro
from arena.metrics.intervals import Interval, bias_corrected_interval, percentile_interval, two_sided_p
from arena.metrics.registry import AGGREGATES, HEADLINES
from arena.results.recipe import Settings

ALPHA = 0.05
"""Family-wise error rate over all headline metrics and pairs of models: the chance of naming a better model if none is."""


POWER_OF_AP = 2
"""Power of `small_sample` for mAP. One, because a variance about a mean of the same data is too low by (P - 1) / P; and one
more, because the effect of a positive on its own precision is not in its influence. In simulations with 8 to 16 positives and
AP of 0.4 to 0.8, variances were 1.05 to 1.24 times the estimate from the influences, which are powers of 0.8 to 1.6."""

POWER_OF_CORRECTED = 3
"""Power of `small_sample` for mAP minus its bias. The bias is itself estimated from few positives: variances were 1.2 to 1.6
times the estimate, which are powers of 3 and more."""


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


@dataclass(frozen=True)
class Aggregates:
    """Aggregate metrics of every model and target.

    Attributes:
        targets: what each aggregate covers.
        estimates: float64 (models, AGGREGATES, targets); NaN where undefined.
        tags: int64 (models, AGGREGATES, targets), number of tags in each mean.
        replicates: float64 (models, AGGREGATES, targets, replicates), or None without resamples.
        bias: float64 (models, AGGREGATES, targets), expected excess over the true value: mean of the resamples minus the
            estimate; for mAP the mean of `ranking.optimism` over the tags.
        widening: float64 (models, targets), factor by which the spread of mAP grows when its bias is subtracted.
    """

    targets: list[Target]
    estimates: Floats
    tags: Integers
    replicates: Floats | None
    bias: Floats
    widening: Floats

    @cached_property
    def intervals(self) -> Interval:
        """Intervals of every metric, (models, AGGREGATES, targets); NaN without resamples."""
        low, high = np.full((2, *self.estimates.shape), np.nan)
        if self.replicates is None:
            return Interval(low, high)
        for place in np.ndindex(self.estimates.shape):
            estimate, replicates = self.estimates[place], self.replicates[place]
            if np.isnan(estimate):
                continue
            if AGGREGATES[place[1]] == "map":  # its resamples are linear in the weights, so they have no bias
                wider = self.widening[place[0], place[2]]
                found = percentile_interval(estimate - self.bias[place] + wider * (replicates - estimate))
            else:
                found = bias_corrected_interval(estimate, replicates)
            low[place], high[place] = np.clip(found.low, 0, 1), np.clip(found.high, 0, 1)
        return Interval(low, high)


def figures_of(counts: TagCounts, convention: Convention) -> list[Mean]:
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
    """Effective number of positives of each tag: positives divided by the design effect; float64 (tags,)."""


def aggregate(
    measured: Measured, tag_slices: Sequence[TagSlice], image_slices: Sequence[ImageSlice], settings: Settings
) -> Aggregates:
    """Return the aggregates of all slices at the models' own thresholds, and of all compared tags under other regimes."""
    found, images, compared = measured.uncertainty, len(measured.truth.image_ids), len(measured.compared)
    regimes = [] if found is None else [name for name in found.regimes[0].by_name if name != "own"]
    targets = [Target(one.slice, one.value, one.title, "own", images, len(one.tags)) for one in tag_slices]
    targets += [Target("all", "all", "all compared tags", name, images, compared) for name in regimes]
    if found is not None:
        targets += [
            Target(one.slice, one.value, one.value, "own", int(one.member.sum()), compared) for one in image_slices
        ]
    shape = (len(measured.models), len(AGGREGATES), len(targets))
    estimates, bias = np.full((2, *shape), np.nan)
    tags, widening = np.zeros(shape, np.int64), np.ones((shape[0], shape[2]))
    replicates = None if found is None else np.full((*shape, settings.replicates), np.nan)
    for number in range(len(measured.models)):
        for place, part in enumerate(_parts(measured, number, tag_slices, regimes)):
            means = [*figures_of(part.counts, settings.counting), macro(part.average_precision)]
            estimates[number, :, place], tags[number, :, place] = zip(*means, strict=True)
            bias[number, -1, place] = macro(part.bias).value
            if found is not None and replicates is not None and part.influence is not None and means[-1].tags:
                moved = part.influence.astype(np.float32) @ found.weights
                moved *= small_sample(part.independent, POWER_OF_AP) / means[-1].tags
                ratio = small_sample(part.independent, POWER_OF_CORRECTED) / small_sample(part.independent, POWER_OF_AP)
                widening[number, place] = ratio
                replicates[number, -1, place] = means[-1].value + moved
        if found is not None and replicates is not None:
            replicates[number, :-1] = found.resampled.replicates[number]
    if replicates is not None:
        known = np.isfinite(replicates[:, :-1])
        sums = np.where(known, replicates[:, :-1], 0.0).sum(-1)
        bias[:, :-1] = divide(sums, known.sum(-1)) - estimates[:, :-1]
    return Aggregates(targets, estimates, tags, replicates, bias, widening)


def _parts(measured: Measured, number: int, tag_slices: Sequence[TagSlice], regimes: Sequence[str]) -> Iterator[_Part]:
    """Yield the inputs of one model in the order of the targets: slices of tags, regimes, slices of images."""
    model, tally, own, found = (
        measured.models[number], measured.tallies.models[number], measured.own[number], measured.uncertainty
    )  # fmt: skip
    effects = measured.ap_effects(number)
    for place, one in enumerate(tag_slices):
        columns = model.chosen[one.tags]
        counts, influence = own.take(columns), None if found is None else tally.map_influence[place]
        bias, independent = effects[columns] * tally.ap_bias[columns], counts.positives / effects[columns]
        yield _Part(counts, tally.average_precision[columns], bias, influence, independent)
    if found is None:
        return
    columns, nothing = model.chosen[measured.compared], np.empty(0)
    for name in regimes:
        yield _Part(found.regimes[number].by_name[name].counts.take(columns), nothing, nothing, None, nothing)
    sliced, thresholds = found.resampled.slices[number], own.thresholds[columns]
    rows = zip(
        sliced.tp, sliced.fp, sliced.positives, sliced.images, sliced.average_precision, sliced.ap_bias,
        sliced.map_influence, strict=True,
    )  # fmt: skip
    for tp, fp, positives, images, ap, ap_bias, influence in rows:
        counts = TagCounts(thresholds, tp, fp, positives, int(images))
        yield _Part(counts, ap, effects[columns] * ap_bias, influence, positives / effects[columns])


def small_sample(positives: NDArray[Any], power: int) -> float:
    """Return the factor for the influence of images on mAP, 1 or more; it corrects the low variance estimate of rare tags.

    The variance of a tag with P positives is multiplied by (P / (P - 1))^power. Tags are weighted by 1 / P, like their
    variances. P is at least 2; tags without positives are left out.

    Args:
        positives: (tags,), effective number of positives.
        power: `POWER_OF_AP` or `POWER_OF_CORRECTED`.

    >>> round(small_sample(np.array([11, 11]), 2), 4)
    1.1
    """
    known = np.maximum(np.asarray(positives, np.float64)[np.asarray(positives) > 0], 2.0)
    grown = (known / (known - 1)) ** power / known
    return float(np.sqrt(grown.sum() / (1 / known).sum())) if len(known) else 1.0


def differences(found: Aggregates, models: Sequence[str]) -> pd.DataFrame:
    """Return one row per target, metric and pair of models: difference, interval, p, and minimum detectable difference.

    Columns: `DIFFERENCE_COLUMNS`. Empty with one model or without resamples.
    """
    if found.replicates is None or len(models) < 2:
        return pd.DataFrame(columns=list(DIFFERENCE_COLUMNS))
    rows: list[dict[str, Any]] = []
    for place, target in enumerate(found.targets):
        for figure, name in enumerate(AGGREGATES):
            for a, b in combinations(range(len(models)), 2):
                difference = found.estimates[a, figure, place] - found.estimates[b, figure, place]
                if np.isnan(difference):
                    continue
                replicates = found.replicates[a, figure, place] - found.replicates[b, figure, place]
                error = float(np.nanstd(replicates, ddof=1)) if np.isfinite(replicates).sum() > 1 else np.nan
                low, high = percentile_interval(replicates)
                rows.append(
                    {
                        "slice": target.slice, "value": target.value, "regime": target.regime, "figure": name,
                        "first": models[a], "second": models[b], "difference": difference,
                        "low": float(low), "high": float(high), "standard_error": error,
                        "p": p_of(difference, replicates, error),
                        "minimum_detectable": significance.minimum_detectable(error),
                        "images": target.images, "tags": target.tags,
                    }
                )  # fmt: skip
    table = pd.DataFrame(rows, columns=[name for name in DIFFERENCE_COLUMNS if name not in ("p_adjusted", "higher")])
    return _adjusted(table)


DIFFERENCE_COLUMNS = (
    "slice", "value", "regime", "figure", "first", "second", "difference", "low", "high", "standard_error", "p",
    "minimum_detectable", "images", "tags", "p_adjusted", "higher",
)  # fmt: skip
"""Columns of `differences.parquet`; `higher` is the model that is significantly higher, or `undetermined`."""


def p_of(difference: float, replicates: Floats, error: float) -> float:
    """Return the two-sided p of a paired difference, from its resamples; if none is beyond 0, the normal tail if smaller.

    With 1,000 resamples alone p cannot be below 0.002, which is not significant after a correction for many pairs.

    Args:
        difference: the estimate.
        replicates: float64 (replicates,); NaN are left out.
        error: standard error of the difference, for the normal tail.

    Returns: 0 to 1; NaN without a replicate or a standard error.
    """
    known = replicates[np.isfinite(replicates)]
    if not len(known) or np.isnan(error):
        return float("nan")
    if error == 0:
        return 1.0 if difference == 0 else 2 / (len(known) + 1)
    p = float(two_sided_p(known))
    least = 2 / (len(known) + 1)
    return p if p > least else min(least, float(2 * special.ndtr(-abs(difference) / error)))


def _adjusted(table: pd.DataFrame) -> pd.DataFrame:
    """Add Holm's correction and the higher model to the table of differences.

    A family holds all values of a slice and all pairs of models. At the models' own thresholds the headline metrics form one
    family together; every other metric and regime has its own family.
    """
    headline = (table["regime"] == "own") & table["figure"].isin(HEADLINES)
    family = (table["slice"] + "|" + table["regime"] + "|" + table["figure"]).mask(headline, table["slice"])
    adjusted = np.full(len(table), np.nan)
    for rows in table.groupby(family).indices.values():
        adjusted[rows] = significance.holm(table["p"].to_numpy(np.float64)[rows])
    first = np.where(table["difference"] > 0, table["first"], table["second"])
    return table.assign(p_adjusted=adjusted, higher=np.where(adjusted <= ALPHA, first, "undetermined"))


def ranks(table: pd.DataFrame, estimates: Floats, models: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the rank of each model on each headline metric, and whether it is tied with the best.

    Args:
        table: differences, from `differences`.
        estimates: float64 (models, AGGREGATES), over all compared tags at the models' own thresholds.
        models: names of the models.

    Returns: metric -> model -> {"rank", "tied_with_best"}.
    """
    found: dict[str, dict[str, Any]] = {}
    for name in HEADLINES:
        rows = table[(table["slice"] == "all") & (table["regime"] == "own") & (table["figure"] == name)]
        better = np.zeros((len(models), len(models)), np.bool_)
        for first, second, higher in zip(rows["first"], rows["second"], rows["higher"], strict=True):
            a, b = models.index(first), models.index(second)
            better[a, b], better[b, a] = higher == first, higher == second
        values = estimates[:, AGGREGATES.index(name)]
        found[name] = {
            model: {"rank": one.rank, "tied_with_best": one.tied_with_best}
            for model, one in zip(models, significance.ranks(values, better), strict=True)
        }
    return found
