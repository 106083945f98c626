"""Aggregates with their intervals, and the paired differences between models."""

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
"""The chance, over all headline figures and pairs, of naming a winner where there is none."""


POWER_OF_AP = 2
"""Of `small_sample`, for mAP: one, as any variance about a mean that the same data gave is low by (P - 1) / P, and one more
because a positive's pull on its own precision is not in its influence. At 8 to 16 positives and AP of 0.4 to 0.8 variances were
1.05 to 1.24 times what influences say, which are powers of 0.8 to 1.6."""

POWER_OF_CORRECTED = 3
"""Likewise for mAP less its bias, which is itself known from few positives: there 1.2 to 1.6 times, powers of 3 and more."""


class Target(NamedTuple):
    """What an aggregate is of."""

    slice: str
    value: str
    title: str
    regime: str
    images: int
    tags: int


@dataclass(frozen=True)
class Aggregates:
    """Figures of every model and target.

    Attributes:
        estimates, tags: float64, int64 (models, AGGREGATES, targets); over how many tags each mean ran.
        replicates: float64 (models, AGGREGATES, targets, replicates), or None where none were asked for.
        bias: float64 (models, AGGREGATES, targets): what a figure exceeds the truth by on average, as its resamples exceed
            it; for mAP as `ranking.optimism` says of each tag.
        widening: float64 (models, targets): how much wider mAP spreads where its bias is taken off.
    """

    targets: list[Target]
    estimates: Floats
    tags: Integers
    replicates: Floats | None
    bias: Floats
    widening: Floats

    @cached_property
    def intervals(self) -> Interval:
        """Of every figure, (models, AGGREGATES, targets); NaN without resamples."""
        low, high = np.full((2, *self.estimates.shape), np.nan)
        if self.replicates is None:
            return Interval(low, high)
        for place in np.ndindex(self.estimates.shape):
            estimate, replicates = self.estimates[place], self.replicates[place]
            if np.isnan(estimate):
                continue
            if AGGREGATES[place[1]] == "map":  # its resamples are linear in the weights, and so have no bias
                wider = self.widening[place[0], place[2]]
                found = percentile_interval(estimate - self.bias[place] + wider * (replicates - estimate))
            else:
                found = bias_corrected_interval(estimate, replicates)
            low[place], high[place] = np.clip(found.low, 0, 1), np.clip(found.high, 0, 1)
        return Interval(low, high)


def figures_of(counts: TagCounts, convention: Convention) -> list[Mean]:
    """`THRESHOLDED` of some tags' counts, and over how many tags each ran."""
    per_tag, total = convention.ratios(counts), micro(counts)
    return [macro(np.asarray(column)) for column in per_tag] + [
        Mean(float(value), len(counts.positives)) for value in total
    ]


class _Part(NamedTuple):
    """What one target's figures of one model follow from."""

    counts: TagCounts
    average_precision: Floats
    """(tags,); empty where a target has no mAP, as it has none under another regime than the model's own."""
    bias: Floats
    """Of each average precision, NaN where undefined."""
    influence: Floats | None
    """Of each unit on the sum of AP; float64 (units,)."""
    independent: Floats
    """Positives of each tag, as many as tell as much without clusters."""


def aggregate(
    measured: Measured, tag_slices: Sequence[TagSlice], image_slices: Sequence[ImageSlice], settings: Settings
) -> Aggregates:
    """Figures of all slices at the models' own thresholds, and of all compared tags under every other regime."""
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
    """One model's, in the order of the targets: slices of tags, regimes, slices of images."""
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
    """What the influence of images on mAP is multiplied by, 1 or more, because thin tags show too little of their variance.

    That of a tag with P positives is taken to be larger by (P / (P - 1))^power, and tags weigh by 1 / P as their variances do;
    a tag counts as having 2 positives at least.

    >>> round(small_sample(np.array([11, 11]), 2), 4)
    1.1
    """
    known = np.maximum(np.asarray(positives, np.float64)[np.asarray(positives) > 0], 2.0)
    grown = (known / (known - 1)) ** power / known
    return float(np.sqrt(grown.sum() / (1 / known).sum())) if len(known) else 1.0


def differences(found: Aggregates, models: Sequence[str]) -> pd.DataFrame:
    """A row a target, figure and pair of models: difference, interval, p, adjusted p, and what could have been seen."""
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
"""Columns of `differences.parquet`; `higher` is the model whose figure is higher beyond doubt, or `undetermined`."""


def p_of(difference: float, replicates: Floats, error: float) -> float:
    """Two-sided p of a paired difference: the share of resamples beyond 0; where none is, the normal tail if that is less.

    A thousand resamples alone cannot say less than 0.002, which a correction for many pairs would turn into nothing.
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
    """Holm's correction over the parts of a slice and all pairs: for the headline figures together, else by figure."""
    headline = (table["regime"] == "own") & table["figure"].isin(HEADLINES)
    family = (table["slice"] + "|" + table["regime"] + "|" + table["figure"]).mask(headline, table["slice"])
    adjusted = np.full(len(table), np.nan)
    for rows in table.groupby(family).indices.values():
        adjusted[rows] = significance.holm(table["p"].to_numpy(np.float64)[rows])
    first = np.where(table["difference"] > 0, table["first"], table["second"])
    return table.assign(p_adjusted=adjusted, higher=np.where(adjusted <= ALPHA, first, "undetermined"))


def ranks(table: pd.DataFrame, estimates: Floats, models: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Of each headline figure and model: its rank, with ties, and whether it is tied with the best."""
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
