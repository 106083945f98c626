"""The summary of a result: metrics of every model over all compared tags under each regime, and ranks."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from arena.dataset.frozen import effective_number
from arena.evaluate import tables
from arena.evaluate.aggregate import Aggregates
from arena.evaluate.differences import headline_ranks
from arena.evaluate.matching import describe_thresholds
from arena.evaluate.passes import Measured
from arena.metrics.counts import Floats, divide, images_of, macro
from arena.metrics.registry import AGGREGATES
from arena.metrics.thresholds import SHRINKAGE
from arena.results.recipe import Settings
from arena.results.run_folder import RUN_SCHEMA
from arena.scores.cut import cut_note


def summarise(
    measured: Measured, found: Aggregates, differences: pd.DataFrame, of_images: Sequence[Mapping[str, Any]], skipped: int,
    settings: Settings,
) -> dict[str, Any]:  # fmt: skip
    """Return the content of `summary.json`.

    Args:
        measured: the comparison.
        found, differences: aggregates and differences of `measured`.
        of_images: `per_image.image_metrics` of each model.
        skipped: number of images that at least one model skipped.
        settings: settings of the evaluation.
    """
    truth, names = measured.truth, [one.entry.name for one in measured.models]
    ranked = len(names) > 1 and found.replicates is not None
    return {
        "schema": RUN_SCHEMA,
        "images": len(truth.image_ids),
        "skipped": skipped,
        "dataset_tags": int((np.diff(truth.values.indptr) > 0).sum()),
        "convention": settings.convention,
        "min_positives": settings.min_positives,
        "imply": settings.imply,
        "compared_tags": len(measured.compared),
        "replicates": settings.replicates,
        "clusters": len(set(truth.groups or truth.image_ids)),
        "effective_clusters": measured.effective_clusters,
        **_weights_summary(truth.weights),
        **_known_summary(measured),
        "models": {
            name: {**_model_summary(measured, number, found), "per_image": of_images[number]}
            for number, name in enumerate(names)
        },
        "ranks": headline_ranks(differences, found.estimates[:, :, 0], names) if ranked else {},
        "labels": _labels_summary(measured),
    }


def _weights_summary(weights: Floats | None) -> dict[str, float]:
    """Return the sum of the weights, and the effective number of images; empty without weights."""
    if weights is None:
        return {}
    return {"weighted_images": float(weights.sum()), "effective_images": effective_number(weights)}


def _known_summary(measured: Measured) -> dict[str, int]:
    """Return the number of known cells, of all cells, and of tags that no image is known to lack, among the compared tags.

    Empty if every cell is known.
    """
    known = measured.truth.known
    if known is None:
        return {}
    of_tag, positives = known.counts()[measured.compared], np.diff(measured.truth.values.indptr)[measured.compared]
    return {
        "known_cells": int(of_tag.sum()),
        "cells": len(of_tag) * known.images,
        "tags_without_known_absence": int(((of_tag == positives) & (positives > 0)).sum()),
    }


def _model_summary(measured: Measured, number: int, found: Aggregates) -> dict[str, Any]:
    model = measured.models[number]
    compared, own = model.chosen[measured.compared], measured.own[number]
    prevalence = macro(divide(own.positives[compared], np.maximum(1, images_of(own.images, compared))))
    carried = np.diff(measured.truth.values.indptr)[np.unique(model.scored.truth_columns)] > 0
    regimes = {
        target.regime: _regime(measured, number, found, place)
        for place, target in enumerate(found.targets)
        if target.slice == "all"
    }
    regimes["own"] |= {"random_map": prevalence.value}
    if measured.uncertainty is not None:
        unshrunk = measured.uncertainty.regimes[number].unshrunk_macro_f1
        confident = measured.uncertainty.resampled.confident_thresholds[number]
        regimes["precision_90"] |= {"confident_threshold": confident}
        regimes["tag"] |= {"shrinkage": SHRINKAGE, "unshrunk_macro_f1": unshrunk}
    best = measured.tallies.models[number].best[1][compared]
    cut = model.entry.scores.cut
    return {
        "title": model.entry.title,
        "tags": len(model.entry.scores.tags),
        "score_type": str(model.scored.matrix.dtype),
        **({} if cut is None else {"cut": {**cut._asdict(), "note": cut_note(cut)}}),
        "parameters": model.entry.facts.get("parameters"),
        "weight_bytes": model.entry.facts.get("weight_bytes"),
        "known_tags": int(carried.sum()),
        "threshold": describe_thresholds(model.entry),
        "threshold_source": model.entry.threshold_source,
        "regimes": regimes,
        "in_sample_best_macro_f1": macro(best).value,
        "roc_auc": macro(measured.tallies.models[number].roc_auc[compared]).value,
        "brier": macro(measured.tallies.models[number].brier[compared]).value,
        **tables.calibration_errors(measured, number),
    }


def _regime(measured: Measured, number: int, found: Aggregates, place: int) -> dict[str, Any]:
    """Return the metrics over all compared tags under one regime, with intervals if there are resamples."""
    row: dict[str, Any] = {"tags": len(measured.compared)}
    for figure, name in enumerate(AGGREGATES):
        here = (number, figure, place)
        if name == "map" and found.targets[place].regime != "own":
            continue
        row[name] = float(found.estimates[here])
        if not name.startswith("micro"):
            row[f"{name}_tags"] = int(found.tags[here])
        if found.replicates is not None:
            row |= {f"{name}_low": float(found.intervals.low[here]), f"{name}_high": float(found.intervals.high[here])}
            row |= {f"{name}_bias": float(found.bias[here]), f"{name}_corrected": float(found.corrected[here])}
    if measured.uncertainty is not None:
        regime = measured.uncertainty.regimes[number].by_name[found.targets[place].regime]
        final = regime.final[measured.models[number].chosen[measured.compared]]
        if len(final):
            row |= {"lowest_threshold": _plain(final.min()), "highest_threshold": _plain(final.max())}
    return row


def _plain(threshold: np.float32) -> float:
    """Return the number with the fewest digits that identifies a float32."""
    return float(str(threshold))


def _labels_summary(measured: Measured) -> dict[str, Any]:
    """Return the number of label issues, and of each model's false positives those suspected; empty without resamples."""
    found = measured.uncertainty
    if found is None:
        return {}
    false_positives = {}
    for number, (model, suspected) in enumerate(zip(measured.models, found.suspected_fp.tolist(), strict=True)):
        total = measured.own[number].fp[model.chosen[measured.compared]].sum().item()
        false_positives[model.entry.name] = {"total": total, "suspected": suspected}
    return {"missing": len(found.suspects.image), "false_positives": false_positives}
