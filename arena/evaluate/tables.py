"""All tables of a result except the per-tag ones: sweeps, regimes, slices, calibration, images, labels, errors."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from arena.evaluate.aggregate import Aggregates
from arena.evaluate.matching import MatchedModel
from arena.evaluate.mistakes import find_confusions
from arena.evaluate.passes import Measured, Regime
from arena.evaluate.per_tag import DesignEffects, count_intervals
from arena.metrics import calibration
from arena.metrics.counts import PRF, Counts, Floats, TagCounts, images_of, mean_terms, means_of_terms
from arena.metrics.registry import AGGREGATES, MACRO_THRESHOLDED, THRESHOLDED
from arena.results.parted import Parts
from arena.results.recipe import Settings


def _nominal(measured: Measured, number: int, settings: Settings) -> np.ndarray:
    """Return the thresholds of a sweep before the counting convention moved them."""
    effective = measured.tallies.models[number].thresholds
    if not settings.counting.above:
        return effective
    return np.nextafter(effective, np.float32(-1))


def sweep_table(measured: Measured, settings: Settings) -> pd.DataFrame:
    """Return one row per model and threshold: macro and micro metrics over the compared tags."""
    frames = []
    for number, model in enumerate(measured.models):
        counts, compared = measured.tallies.models[number].counts, model.chosen[measured.compared]
        tp, fp = counts.tp[:, compared], counts.fp[:, compared]
        positives = np.broadcast_to(counts.positives[compared], tp.shape)
        at_all = TagCounts(counts.thresholds, tp, fp, positives, counts.images)
        sums = mean_terms(at_all, settings.counting).sum(-1)  # three sums, the numbers of tags in them, three counts
        columns: dict[str, Any] = {"model": model.entry.name, "threshold": _nominal(measured, number, settings)}
        for name, values in zip(THRESHOLDED, means_of_terms(sums), strict=True):
            columns[name] = values
            if name in MACRO_THRESHOLDED:
                columns[f"{name}_tags"] = sums[3 + MACRO_THRESHOLDED.index(name)].astype(np.int64)
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def tag_sweep_parts(measured: Measured, settings: Settings) -> Parts:
    """Return the parts of `tag_sweep.parquet`, one per model; each has one row per tag and threshold: tp, fp, fn, tn.

    They are rounded to whole images if images have weights. Ten models of 70,000 tags have 78 million rows.
    """
    models = pd.Index(sorted(model.entry.name for model in measured.models))
    tags = pd.Index(sorted({name for model in measured.models for name in model.names}))
    return {
        model.entry.name: partial(_tag_sweep, measured, number, settings, models, tags)
        for number, model in enumerate(measured.models)
    }


def _tag_sweep(
    measured: Measured, number: int, settings: Settings, models: "pd.Index[str]", tags: "pd.Index[str]"
) -> pd.DataFrame:
    """Return the part of one model.

    Categorical codes are computed here, because finding the categories of a million strings takes three times as long.

    Args:
        measured: the comparison.
        number: the model.
        settings: settings of the evaluation.
        models, tags: the categories, which are the same in all parts.
    """
    model = measured.models[number]
    counts: Counts = measured.tallies.models[number].counts.whole
    order = np.argsort(model.columns)
    tp, fp = (part[:, order].astype(np.int32) for part in (counts.tp, counts.fp))
    fn = counts.positives[order].astype(np.int32) - tp
    images = np.asarray(images_of(counts.images, order), np.int32)
    thresholds, which = _nominal(measured, number, settings), tags.get_indexer(pd.Index(model.names))[order]
    columns = {
        "model": pd.Categorical.from_codes(np.full(tp.size, models.get_loc(model.entry.name)), models),
        "tag": pd.Categorical.from_codes(np.tile(which, len(thresholds)), tags),
        "threshold": np.repeat(thresholds, len(order)),
        "tp": tp.ravel(), "fp": fp.ravel(), "fn": fn.ravel(), "tn": (images - tp - fp - fn).ravel(),
    }  # fmt: skip
    return pd.DataFrame(columns)


def slice_table(found: Aggregates, models: Sequence[str]) -> pd.DataFrame:
    """Return one row per slice, value and model: metrics at the model's own thresholds, with intervals.

    `<metric>_corrected` is the metric minus its bias; that of a slice of one tag is the metric, like the interval of the tag.
    """
    rows: list[dict[str, Any]] = []
    for place, target in enumerate(found.targets):
        if target.regime != "own":
            continue
        for number, model in enumerate(models):
            row: dict[str, Any] = {
                "slice": target.slice, "value": target.value, "title": target.title, "model": model,
                "images": target.images, "tags": target.tags, "positives": target.positives,
            }  # fmt: skip
            for figure, name in enumerate(AGGREGATES):
                here = (number, figure, place)
                row |= {name: found.estimates[here], f"{name}_tags": int(found.tags[here])}
                row |= {f"{name}_low": found.intervals.low[here], f"{name}_high": found.intervals.high[here]}
                row[f"{name}_corrected"] = (found.estimates if place in found.single_tags else found.corrected)[here]
            rows.append(row)
    return pd.DataFrame(rows)


THRESHOLD_COLUMNS = (
    "model", "regime", "tag", "category", "threshold",
    *(f"{metric}{end}" for metric in PRF._fields for end in ("", "_low", "_high")),
)  # fmt: skip
"""Columns of `thresholds.csv`."""


RATIO_DECIMALS = 7
"""Decimals of the metrics in `thresholds.csv`: a change of one image in a million is seen. All 16 double the file."""


def threshold_parts(measured: Measured, effects_of: Sequence[DesignEffects], settings: Settings) -> Parts:
    """Return the parts of `thresholds.csv`, one per model; each has one row per regime and known tag.

    It holds the threshold for production, and its cross-fitted metrics to `RATIO_DECIMALS`. The intervals take the thresholds
    as fixed. Clusters widen them as at the model's own thresholds. Everything is undefined in a regime whose rule holds at no
    threshold.

    Args:
        measured: the comparison.
        effects_of: `per_tag.design_effects` of each model.
        settings: settings of the evaluation.
    """
    if measured.uncertainty is None:
        return {model.entry.name: partial(pd.DataFrame, columns=list(THRESHOLD_COLUMNS)) for model in measured.models}
    return {
        model.entry.name: partial(_thresholds, model, measured.uncertainty.regimes[number].by_name, effects, settings)
        for number, (model, effects) in enumerate(zip(measured.models, effects_of, strict=True))
    }


def _thresholds(
    model: MatchedModel, regimes: Mapping[str, Regime], effects: DesignEffects, settings: Settings
) -> pd.DataFrame:
    """Return the part of one model."""
    order = np.argsort(model.columns)
    names, categories = ([values[k] for k in order] for values in (model.names, model.categories))
    found = [_at_thresholds(one, effects, settings) for one in regimes.values()]
    columns = {
        "model": model.entry.name, "regime": [name for name in regimes for _ in names],
        "tag": names * len(regimes), "category": categories * len(regimes),
        **{name: np.concatenate([one[name][order] for one in found]) for name in found[0]},
    }  # fmt: skip
    return pd.DataFrame(columns)


def _at_thresholds(regime: Regime, effects: DesignEffects, settings: Settings) -> dict[str, Floats]:
    """Return threshold, precision, recall and F1 of each known tag under a regime, with their intervals; float64 (known,)."""
    final = np.nextafter(regime.final, np.float32(-1)) if settings.counting.above else regime.final
    values = settings.counting.ratios(regime.counts)
    columns: dict[str, Floats] = {}
    for metric, within in zip(PRF._fields, count_intervals(regime.counts, effects), strict=True):
        value = getattr(values, metric)
        low, high = (np.where(np.isnan(value), np.nan, end) for end in within)
        rounded = np.round([value, low, high], RATIO_DECIMALS)
        columns |= dict(zip((metric, f"{metric}_low", f"{metric}_high"), rounded, strict=True))
    nothing = np.full(len(regime.final), np.nan)
    return {"threshold": shortest(final), **(columns if regime.reachable else dict.fromkeys(columns, nothing))}


def shortest(thresholds: NDArray[np.float32]) -> Floats:
    """Return float32 thresholds as the float64 numbers with the fewest digits that identify them."""
    distinct, place = np.unique(thresholds, return_inverse=True)
    return np.array([float(str(one)) for one in distinct], np.float64)[place]


def reliability_table(measured: Measured) -> pd.DataFrame:
    """Return one row per model and bin of scores, over the compared tags: mean score, and share of positive cells."""
    rows: list[dict[str, Any]] = []
    for number, model in enumerate(measured.models):
        total = _compared_bins(measured, number, model)
        curve = calibration.reliability(total)
        for place, (count, score, share) in enumerate(zip(*curve, strict=True)):
            low = place / calibration.RELIABILITY_BINS
            rows.append(
                {"model": model.entry.name, "low": low, "high": low + 1 / calibration.RELIABILITY_BINS, "cells": count,
                 "mean_score": score, "share_positive": share}
            )  # fmt: skip
    return pd.DataFrame(rows)


def calibration_errors(measured: Measured, number: int) -> dict[str, float]:
    """Return the calibration error of one model over all cells of compared tags, and that of a calibrated model."""
    bins = _compared_bins(measured, number, measured.models[number])
    return {
        "ece": float(calibration.expected_calibration_error(bins)),
        "ece_if_calibrated": float(calibration.error_if_calibrated(bins)),
    }


def _compared_bins(measured: Measured, number: int, model: MatchedModel) -> calibration.Bins:
    chosen = model.chosen[measured.compared]
    return calibration.Bins(*(column[chosen].sum(0) for column in measured.tallies.models[number].bins))


def error_table(measured: Measured) -> pd.DataFrame:
    """Return one row per model, compared tag and image: the highest-scored false positives, the lowest-scored misses."""
    ids = np.array(measured.truth.image_ids, dtype=object)
    names = np.array([measured.truth.tags.names[c] for c in measured.compared], dtype=object)
    parts: list[dict[str, np.ndarray]] = []
    for number, model in enumerate(measured.models):
        tally, chosen = measured.tallies.models[number], model.chosen[measured.compared]
        kinds = {
            "false alarm": (tally.worst_false, tally.worst_false_scores),
            "miss": (tally.worst_missed, tally.worst_missed_scores),
        }
        for kind, (images, scores) in kinds.items():
            row, rank = np.nonzero(images[chosen] >= 0)
            score = scores[chosen][row, rank]
            predicted = score >= _effective_thresholds(measured, number)[chosen][row]
            parts.append(
                {
                    "model": np.full(len(row), model.entry.name, object), "tag": names[row],
                    "kind": np.full(len(row), kind, object), "rank": rank + 1,
                    "image_id": ids[images[chosen][row, rank]], "score": score, "wrong": predicted == (kind == "false alarm"),
                }
            )  # fmt: skip
    columns = ["model", "tag", "kind", "rank", "image_id", "score"]
    if not any(len(part["tag"]) for part in parts):
        return pd.DataFrame(columns=columns)
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return pd.DataFrame(joined)[columns][joined["wrong"]].reset_index(drop=True)


def _effective_thresholds(measured: Measured, number: int) -> np.ndarray:
    """Return the model's own threshold of each known tag, as moved by the counting convention; float32 (known,)."""
    return measured.own[number].thresholds


def confusion_table(measured: Measured) -> pd.DataFrame:
    """Return one row per model and pair of confused tags: images where one is a false positive and the other is missed."""
    frames = [pd.DataFrame(columns=["model", "tag", "instead_of", "images", "expected"])]
    if measured.uncertainty is not None:
        names = np.array([measured.truth.tags.names[c] for c in measured.compared], dtype=object)
        truth, cells = measured.truth.values[:, measured.compared], measured.truth.known
        known = None if cells is None else cells.columns(measured.compared)
        for model, predicted in zip(measured.models, measured.uncertainty.resampled.predictions, strict=True):
            found = find_confusions(truth, predicted, known)
            frames.append(
                pd.DataFrame(
                    {
                        "model": model.entry.name, "tag": names[found.tag], "instead_of": names[found.instead_of],
                        "images": found.images, "expected": found.expected,
                    }
                )
            )  # fmt: skip
    return pd.concat([frame for frame in frames if len(frame)] or frames, ignore_index=True)


def disagreement_table(measured: Measured) -> pd.DataFrame:
    """Return one row per image, tag and pair of models: one is right, the other wrong; largest score differences first."""
    columns = ["tag", "image_id", "carried", "right", "wrong", "right_score", "wrong_score"]
    if measured.uncertainty is None:
        return pd.DataFrame(columns=columns)
    found, names = measured.uncertainty.disagreements, np.array([m.entry.name for m in measured.models], dtype=object)
    tags = np.array([measured.truth.tags.names[c] for c in measured.compared], dtype=object)
    ids = np.array(measured.truth.image_ids, dtype=object)
    values = (
        tags[found.tag], ids[found.image], found.carried, names[found.right], names[found.wrong], found.right_score,
        found.wrong_score,
    )  # fmt: skip
    return pd.DataFrame(dict(zip(columns, values, strict=True)))


def label_issue_table(measured: Measured) -> pd.DataFrame:
    """Return one row per label issue, the strongest first; `kind` is `missing`.

    The columns `score_<model>` hold the score of each model for the image.
    """
    columns = ["kind", "tag", "image_id", "strength", *(f"score_{model.entry.name}" for model in measured.models)]
    if measured.uncertainty is None:
        return pd.DataFrame(columns=columns)
    found = measured.uncertainty.suspects
    tags = np.array([measured.truth.tags.names[c] for c in measured.compared], dtype=object)
    ids = np.array(measured.truth.image_ids, dtype=object)
    scores = measured.uncertainty.suspect_scores.astype(str).astype(np.float64)  # the shortest decimals of float32
    values = ("missing", tags[found.tag], ids[found.image], found.strength, *scores.T)
    return pd.DataFrame(dict(zip(columns, values, strict=True)))
