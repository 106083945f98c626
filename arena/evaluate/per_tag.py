"""Metrics of every tag with their intervals, and paired differences between models on every tag."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import special
from scipy.sparse import csc_array, csr_array

from arena.base.tables import rows_of
from arena.evaluate.passes import Measured, square_sums
from arena.evaluate.slices import TagSlice
from arena.metrics import intervals, significance
from arena.metrics.counts import Floats, TagCounts, divide
from arena.metrics.intervals import Interval
from arena.metrics.registry import TAG_METRIC_COLUMNS, TESTED
from arena.metrics.tally import Tally
from arena.results.recipe import Settings
from arena.results.run_folder import KNOWN

LEAST_UNITS = 5
"""Effective number of images, or of duplicate clusters, with a tag that a test of average precision needs."""

Q_LIMIT = 0.05
"""False discovery rate that is allowed among the tags called different."""


class TagIntervals(NamedTuple):
    """Intervals of one model, (known,) each; NaN where undefined, or without resamples."""

    precision: Interval
    recall: Interval
    f1: Interval
    ap: Interval


def per_tag_table(measured: Measured, intervals_of: Sequence[TagIntervals], settings: Settings) -> pd.DataFrame:
    """Return `per_tag.parquet`: one row per model and known tag.

    Args:
        measured: the comparison.
        intervals_of: one per model, from `tag_intervals`.
        settings: settings of the evaluation.
    """
    frames = [_frame(measured, number, own, settings) for number, own in enumerate(intervals_of)]
    return pd.concat(frames, ignore_index=True)


def _frame(measured: Measured, number: int, within: TagIntervals, settings: Settings) -> pd.DataFrame:
    model, own, tally = measured.models[number], measured.own[number], measured.tallies.models[number]
    tags, truth, whole = model.entry.scores.tags, measured.truth, own.whole
    compared = np.zeros(len(model.columns), dtype=bool)
    compared[model.chosen[measured.compared]] = True
    frame = pd.DataFrame(
        {
            "model": model.entry.name,
            "tag": model.names,
            "truth_tag": [truth.tags.names[c] for c in model.scored.truth_columns],
            "category": model.categories,
            "index": model.columns,
            "training_count": pd.array([tags.counts[c] if tags.counts else None for c in model.columns], dtype="Int64"),
            "support": tally.support,
            "threshold": model.own,
            "tp": whole.tp, "fp": whole.fp, "fn": whole.fn, "tn": whole.tn,
            **({} if truth.known is None else {KNOWN: truth.known.counts()[model.scored.truth_columns]}),
            **_metrics(own, tally, within, settings),
            "compared": compared,
        }
    )  # fmt: skip
    return frame.sort_values("index", ignore_index=True)


def _metrics(own: TagCounts, tally: Tally, within: TagIntervals, settings: Settings) -> dict[str, Floats]:
    """Return the columns of `registry.TAG_COLUMNS`, (known,) each."""
    by_convention, intervals_of = settings.counting.ratios(own)._asdict(), within._asdict()
    columns: dict[str, Floats] = {}
    for metric in TAG_METRIC_COLUMNS:
        if metric.of_counts is not None:
            columns[metric.key] = metric.of_counts(own)
        elif metric.of_tally is not None:
            columns[metric.key] = metric.of_tally(tally)
        else:
            columns[metric.key] = by_convention[metric.key]
        if metric.has_interval:
            undefined = np.isnan(columns[metric.key])  # by the convention, even if the counts define it
            ends = intervals_of[metric.key]._asdict().items()
            columns |= {f"{metric.key}_{end}": np.where(undefined, np.nan, values) for end, values in ends}
    return columns


def tag_intervals(measured: Measured, number: int, effects: "DesignEffects") -> TagIntervals:
    """Return the intervals of every known tag of one model.

    Args:
        measured: the comparison.
        number: number of the model.
        effects: `design_effects` of the model.
    """
    own, tally, found = measured.own[number], measured.tallies.models[number], measured.uncertainty
    if found is None:
        nothing = np.full(len(own.tp), np.nan)
        return TagIntervals(*[Interval(nothing, nothing)] * 4)
    ap_effects = measured.ap_effects(number)
    return TagIntervals(
        *count_intervals(own, effects),
        intervals.ap_interval(
            tally.average_precision,
            np.sqrt(tally.ap_variance),
            np.minimum(
                tally.support / ap_effects, measured.positive_units[measured.models[number].scored.truth_columns]
            ),
            bias=ap_effects * tally.ap_bias,
        ),
    )


def count_intervals(counts: TagCounts, found: "DesignEffects") -> tuple[Interval, Interval, Interval]:
    """Return the intervals of precision, recall and F1 of each tag.

    Args:
        counts: (tags,).
        found: effects of clusters on the same tags.
    """
    effects, clusters = found
    return (
        intervals.wilson(counts.tp, counts.tp + counts.fp, design_effect=effects[0], clusters=clusters[0]),
        intervals.wilson(counts.tp, counts.positives, design_effect=effects[1], clusters=clusters[1]),
        intervals.f1_interval(counts.tp, counts.fp, counts.fn, design_effect=effects[2], clusters=clusters[2]),
    )


def single_tags(
    measured: Measured, slices: Sequence[TagSlice], intervals_of: Sequence[TagIntervals]
) -> dict[int, list[dict[str, Interval]]]:
    """Return the intervals of each slice that holds one tag, by model and metric; empty without resamples."""
    if measured.uncertainty is None:
        return {}
    return {
        place: [
            {
                name: Interval(*(end[model.chosen[one.tags[0]]] for end in interval))
                for name, interval in within._asdict().items()
            }
            for model, within in zip(measured.models, intervals_of, strict=True)
        ]
        for place, one in enumerate(slices)
        if len(one.tags) == 1
    }


def tests_of(measured: Measured, table: pd.DataFrame, column: int) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the rows of `tag_differences` of one tag by pair of models, with the degrees of freedom of its tests.

    Args:
        measured: the comparison.
        table: `tag_differences`.
        column: column of the tag in the ground truth.

    Returns: also `f1_freedom` and `ap_freedom`. The exact test of F1 has none, and its interval is normal: infinite.
    """
    rows, names = table[table["tag"] == measured.truth.tags.names[column]], [one.entry.name for one in measured.models]
    place = int(np.searchsorted(measured.compared, column))
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows_of(rows):
        pair = str(row["first"]), str(row["second"])
        a, b = (names.index(name) for name in pair)
        weighted = measured.truth.weights is not None
        f1 = float(_freedom(_discordant_units(measured, a, b))[place]) if weighted else np.inf
        ap = float(_freedom(measured.positive_units[measured.compared])[place])
        found[pair] = {**{str(key): value for key, value in row.items()}, "f1_freedom": f1, "ap_freedom": ap}
    return found


def _freedom(units: Floats) -> Floats:
    """Return the degrees of freedom of a variance between some effective units; 1 or more."""
    return np.asarray(np.maximum(units - 1, 1))


def _discordant_units(measured: Measured, a: int, b: int) -> Floats:
    """Return the effective number of units on which two models predict differently, of each compared tag; float64 (tags,)."""
    found = measured.uncertainty
    assert found is not None
    first, second = (_floats(found.resampled.predictions[k]) for k in (a, b))
    return measured.effective_units(_floats(first != second))


class DesignEffects(NamedTuple):
    """Effects of duplicate clusters and of weights on precision, recall and F1, (3, known) each."""

    effects: Floats
    """Factor of the variance, 1 or more; with weights, of the variance of as many images as the weights add up to."""
    clusters: Floats
    """`Measured.variance_units` of predictions, positives, and both; infinite if the images are independent."""


def design_effects(measured: Measured, number: int) -> DesignEffects:
    """Return the effects of duplicate clusters and of weights on one model.

    For a tag that is not compared the factor is `Measured.related`, the largest possible value, and the clusters are those of
    its positives. With weights, each proportion is computed with one more hit and one more miss, because an image with a large
    weight may be missing from the sample. These two have the average weights of images with and without the tag.
    """
    model, found, clusters = measured.models[number], measured.uncertainty, measured.pooling
    positive = measured.related[model.scored.truth_columns]
    negative = np.maximum(positive, measured.related_others[model.scored.truth_columns])
    weighted = measured.truth.weights is not None
    effects = np.stack([negative, positive, negative]) if weighted else np.tile(positive, (3, 1))
    if found is None or clusters is None:
        return DesignEffects(effects, np.full(effects.shape, np.inf))
    carried = _floats(measured.truth.values)
    numbers = np.tile(measured.variance_units(carried)[model.scored.truth_columns], (3, 1))
    compared = measured.compared
    truth, predicted = _floats(carried[:, compared]), _floats(found.resampled.predictions[number])
    hits = _floats(predicted.multiply(truth))
    union = _floats(truth + predicted - hits)
    for row, base in enumerate((predicted, truth, union)):
        if weighted:
            one_more = (measured.related[compared], (measured.related, measured.related_others)[row != 1][compared])
            ratio = weighted_effect(clusters, hits, base, *one_more)
        else:
            share = divide(np.asarray(hits.sum(0)), np.asarray(base.sum(0)))
            spread = hits - base @ _diagonal(np.nan_to_num(share))
            ratio = divide(square_sums(clusters @ spread), square_sums(spread))
        effects[row, model.chosen[compared]] = np.maximum(1.0, np.nan_to_num(ratio))
        numbers[row, model.chosen[compared]] = measured.variance_units(base)
    return DesignEffects(effects, numbers)


def weighted_effect(pooling: csr_array, hits: csc_array, base: csc_array, hit: Floats, miss: Floats) -> Floats:
    """Return the variance of weighted proportions divided by that of as many images as the weights add up to; (tags,).

    Args:
        pooling: `Measured.pooling`.
        hits: float64 (images, tags), 1 for an image in the numerator of the proportion.
        base: float64 (images, tags), 1 for an image in the denominator.
        hit, miss: float64 (tags,), weights of the added image in the numerator, and of the one in the denominator only.
    """
    true, counted = (np.asarray((pooling @ one).sum(0)) for one in (hits, base))
    share = (true + hit) / (counted + hit + miss)
    spread = square_sums(csc_array(pooling @ (hits - base @ _diagonal(share))))
    binomial = (true + hit) * (1 - share) ** 2 + (counted - true + miss) * share**2
    return np.asarray((spread + (hit * (1 - share)) ** 2 + (miss * share) ** 2) / binomial)


def _diagonal(values: Floats) -> csr_array:
    places = np.arange(len(values))
    return csr_array((values, (places, places)), shape=(len(values), len(values)))


def _floats(matrix: csc_array) -> csc_array:
    return csc_array(matrix, dtype=np.float64)


TAG_DIFFERENCE_COLUMNS = (
    "first", "second", "tag", "category", "support",
    *(f"{key}_{name}" for key in TESTED for name in ("difference", "low", "high", "p", "q", "higher")),
)  # fmt: skip
"""Columns of `tag_differences.parquet`: first minus second, for tags of the ground truth."""


def tag_differences(measured: Measured, intervals_of: Sequence[TagIntervals]) -> pd.DataFrame:
    """Return `tag_differences.parquet`: one row per pair of models and compared tag; empty without resamples."""
    found, models = measured.uncertainty, measured.models
    frames = [pd.DataFrame(columns=list(TAG_DIFFERENCE_COLUMNS))]
    if found is not None and len(measured.compared):
        frames = [_pair_frame(measured, a, b, intervals_of) for a, b in combinations(range(len(models)), 2)] or frames
    return _corrected(pd.concat(frames, ignore_index=True))


def _corrected(table: pd.DataFrame) -> pd.DataFrame:
    """Add q and the higher model. All tags, metrics and pairs of models are one family, as a reader sees them in one table."""
    tests = [table[f"{figure}_p"].to_numpy(np.float64) for figure in TESTED]
    by_figure = np.split(significance.benjamini_hochberg(np.concatenate(tests)), len(tests))
    first, second = (table[name].to_numpy(object) for name in ("first", "second"))
    for figure, q in zip(TESTED, by_figure, strict=True):
        higher = np.where(table[f"{figure}_difference"].to_numpy(np.float64) > 0, first, second)
        table[f"{figure}_q"] = q
        table[f"{figure}_higher"] = np.where(q <= Q_LIMIT, higher, "undetermined")
    return table[list(TAG_DIFFERENCE_COLUMNS)]


def _pair_frame(measured: Measured, a: int, b: int, intervals_of: Sequence[TagIntervals]) -> pd.DataFrame:
    found, truth, compared = measured.uncertainty, measured.truth, measured.compared
    assert found is not None
    first, second = measured.models[a], measured.models[b]
    paired = found.resampled.paired[a, b]
    f1 = paired.f1()
    f1_intervals = [
        Interval(*(end[model.chosen[compared]] for end in intervals_of[number].f1))
        for number, model in ((a, first), (b, second))
    ]
    f1_interval = intervals.difference_interval(
        first=f1.first, first_interval=f1_intervals[0], second=f1.second, second_interval=f1_intervals[1],
        correlation=intervals.f1_correlation(paired),
    )  # fmt: skip
    if truth.weights is None:
        p = significance.exact_p(paired, found.resampled.clustered[a, b])
    else:
        f1_interval, p = _weighted_f1_test(measured, a, b, f1)
    f1_interval = intervals.agreeing_interval(f1.first - f1.second, f1_interval, p)
    ap = _ap_differences(measured, a, b)
    return pd.DataFrame(
        {
            "first": first.entry.name, "second": second.entry.name,
            "tag": [truth.tags.names[c] for c in compared],
            "category": [first.categories[k] for k in first.chosen[compared]],
            "support": measured.tallies.models[a].support[first.chosen[compared]],
            "f1_difference": f1.first - f1.second, "f1_low": f1_interval.low, "f1_high": f1_interval.high,
            "f1_p": p,
            "ap_difference": ap[0], "ap_low": ap[1], "ap_high": ap[2],
            "ap_p": ap[3],
        }
    )  # fmt: skip


def _weighted_f1_test(measured: Measured, a: int, b: int, f1: significance.F1Pair) -> tuple[Interval, Floats]:
    """Return interval and p of the difference of F1 of each compared tag, where images have weights.

    The exact randomisation test, which swaps the models, is invalid here: images with different weights are not exchangeable.
    The variance is the sum of squares of the influence of each image, or duplicate cluster, times its weight. The distribution
    is Student's; its degrees of freedom are the effective number u of discordant units minus 1. p is at least 2^(1 - u), the
    smallest p of a randomisation test on u units.
    """
    found, pooling = measured.uncertainty, measured.pooling
    assert found is not None
    assert pooling is not None
    truth = _floats(measured.truth.values[:, measured.compared])
    influence, predictions = [], [_floats(found.resampled.predictions[k]) for k in (a, b)]
    for predicted, value in zip(predictions, f1, strict=True):
        union = _floats(predicted + truth)
        per_image = np.nan_to_num(divide(1.0, np.asarray((pooling @ union).sum(0))))
        hits = _floats(predicted.multiply(truth))
        influence.append(hits @ _diagonal(2 * per_image) - union @ _diagonal(np.nan_to_num(value) * per_image))
    difference = f1.first - f1.second
    error = np.sqrt(square_sums(csc_array(pooling @ (influence[0] - influence[1]))))
    units = _discordant_units(measured, a, b)
    freedom = _freedom(units)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = np.where(error > 0, 2 * special.stdtr(freedom, -np.abs(difference) / error), 1.0)
    p = np.where(np.isnan(difference), np.nan, np.clip(p, np.exp2(1 - np.maximum(units, 1)), 1.0))
    reach = special.stdtrit(freedom, (1 + intervals.LEVEL) / 2) * error
    return Interval(np.maximum(difference - reach, -1.0), np.minimum(difference + reach, 1.0)), p


def _ap_differences(measured: Measured, a: int, b: int) -> Sequence[Floats]:
    """Return the difference of AP of each compared tag, both ends of its interval, and p; from the influence of each unit.

    The distribution is Student's with one degree of freedom less than there are effective units (images, or duplicate clusters)
    among the positives. Interval and p are NaN below `LEAST_UNITS`: so few units do not show their variance.
    """
    compared = measured.compared
    (first, one), (second, two) = ((measured.tallies.models[k], measured.models[k].chosen[compared]) for k in (a, b))
    difference = first.average_precision[one] - second.average_precision[two]
    covariance = measured.tallies.ap_covariance[a, b][compared]
    variance = first.ap_variance[one] + second.ap_variance[two] - 2 * covariance
    error = np.sqrt(np.maximum(variance, 0.0))
    units = measured.positive_units[compared]
    error[units < LEAST_UNITS] = np.nan
    freedom = _freedom(units)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = np.where(error > 0, 2 * special.stdtr(freedom, -np.abs(difference) / error), 1.0)
    p[np.isnan(difference + error)] = np.nan
    reach = special.stdtrit(freedom, (1 + intervals.LEVEL) / 2) * error
    return difference, np.maximum(difference - reach, -1.0), np.minimum(difference + reach, 1.0), p
