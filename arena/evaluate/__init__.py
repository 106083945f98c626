"""From scores and truth to a result: match images and tags, measure, and say how sure it is.

`matching` finds what belongs together, `passes` reads the scores, and the tables are made of its arrays:
`aggregate` for means and their differences, `per_tag` for tags, `per_image` for images, `tables` for the rest.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from arena.errors import refuse_twice
from arena.evaluate import aggregate, per_image, tables
from arena.evaluate import per_tag as tag_tables
from arena.evaluate.aggregate import ALL_FIGURES, Aggregates
from arena.evaluate.matching import DEFAULT_THRESHOLD, Entry, describe_thresholds, match, scored_by_all
from arena.evaluate.passes import Measured, measure, order_by_fold
from arena.evaluate.settings import MIN_POSITIVES, Advance, Settings
from arena.evaluate.slices import image_slices, tag_slices
from arena.heldout.dataset import Truth
from arena.metrics.counts import divide, macro
from arena.metrics.intervals import Interval
from arena.result import SCHEMA, Result

__all__ = [
    "DEFAULT_THRESHOLD",
    "MIN_POSITIVES",
    "Entry",
    "Settings",
    "amount_of_work",
    "describe_thresholds",
    "evaluate",
]


def evaluate(
    truth: Truth,
    entries: Sequence[Entry],
    settings: Settings = Settings(),
    *,
    run: Mapping[str, Any] | None = None,
    advance: Advance = lambda tags: None,
) -> Result:
    """Compare models on the images that all of them scored and the tags that all of them know.

    Args:
        truth: which image carries which tag.
        entries: at least one model.
        run: provenance to keep with the result.
        advance: told how many more tags are done, in each of two passes (one without resamples).

    Raises:
        ScoresError: a model lacks images of the truth.
        ArenaError: no image, or no tag that a model and the truth share.
    """
    refuse_twice("models", "model", [entry.name for entry in entries])
    truth, skipped = scored_by_all(truth, entries)
    truth = order_by_fold(truth) if settings.replicates else truth
    models = [match(truth, entry) for entry in entries]
    support = np.diff(truth.values.indptr)
    common = (support >= settings.min_positives) & np.all([one.chosen >= 0 for one in models], axis=0)
    compared = np.flatnonzero(common)
    categories = [models[0].categories[k] for k in models[0].chosen[compared]]
    by_tags, by_images = tag_slices(truth, compared, categories, settings), image_slices(truth, settings)
    measured = measure(truth, models, compared, by_tags, by_images, settings, advance)
    found = aggregate.aggregate(measured, by_tags, by_images, settings)
    intervals, names = found.intervals(), [one.entry.name for one in models]
    differences = aggregate.differences(found, names, len(truth.image_ids))
    suspects = tables.suspects(measured)
    summary = {
        "schema": SCHEMA,
        "images": len(truth.image_ids),
        "skipped": len(skipped),
        "dataset_tags": int((support > 0).sum()),
        "convention": settings.convention,
        "min_positives": settings.min_positives,
        "compared_tags": len(compared),
        "replicates": settings.replicates,
        "clusters": len(set(truth.groups or truth.image_ids)),
        "models": {name: _model_summary(measured, number, found, intervals) for number, name in enumerate(names)},
        "ranks": aggregate.ranks(differences, found.estimates[:, :, 0], names)
        if len(names) > 1 and found.replicates is not None
        else {},
        "labels": _labels_summary(measured, settings),
    }
    provenance = {
        "schema": SCHEMA,
        **(run or {}),
        "models": {one.entry.name: dict(one.entry.facts) for one in models},
        "skipped": dict(skipped),
    }
    return Result(
        provenance,
        summary,
        {
            "per_tag": tag_tables.per_tag(measured, settings),
            "sweep": tables.sweep(measured, settings),
            "tag_sweep": tables.tag_sweep(measured, settings),
            "slices": tables.slices(found, intervals, names),
            "differences": differences,
            "tag_differences": tag_tables.tag_differences(measured),
            "calibration": tables.reliability(measured),
            "errors": tables.errors(measured),
            "confusions": tables.confusions(measured),
            "disagreements": tables.disagreements(measured),
            "thresholds": tables.thresholds(measured, settings),
            "labels": suspects,
        },
    )


def amount_of_work(truth: Truth, settings: Settings) -> int:
    """How much work `evaluate` has to do, in tags: all of them once, and with resamples those with positives enough again."""
    support = np.diff(truth.values.indptr)
    return len(support) + (int((support >= settings.min_positives).sum()) if settings.replicates else 0)


def _model_summary(measured: Measured, number: int, found: Aggregates, intervals: Interval) -> dict[str, Any]:
    model = measured.models[number]
    compared, own = model.chosen[measured.compared], measured.own[number]
    prevalence = macro(divide(own.positives[compared], np.full(len(compared), max(1, own.images))))
    carried = np.diff(measured.truth.values.indptr)[np.unique(model.scored.truth_columns)] > 0
    regimes = {
        target.regime: _regime(measured, number, found, intervals, place)
        for place, target in enumerate(found.targets)
        if target.slice == "all"
    }
    regimes["own"] |= {"random_map": prevalence.value}
    if measured.uncertainty is not None:
        shrunk = measured.uncertainty.regimes[number].shrunk
        strengths = ["infinite" if np.isinf(strength) else strength for strength in shrunk.shrinkage]
        regimes["tag"] |= {"shrinkage": strengths, "unshrunk_macro_f1": shrunk.unshrunk_macro_f1}
    best = measured.tallies.models[number].best[1][compared]
    return {
        "title": model.entry.title,
        "tags": len(model.entry.scores.tags),
        "known_tags": int(carried.sum()),
        "threshold": describe_thresholds(model.entry),
        "threshold_source": model.entry.threshold_source,
        "regimes": regimes,
        "in_sample_best_macro_f1": macro(best).value,
        "roc_auc": macro(measured.tallies.models[number].roc_auc[compared]).value,
        "brier": macro(measured.tallies.models[number].brier[compared]).value,
        "ece": tables.expected_calibration_error(measured, number),
        "per_image": per_image.figures(measured, number),
    }


def _regime(measured: Measured, number: int, found: Aggregates, intervals: Interval, place: int) -> dict[str, Any]:
    """The figures of all compared tags under one regime, with intervals where there are resamples."""
    row: dict[str, Any] = {"tags": len(measured.compared)}
    for figure, name in enumerate(ALL_FIGURES):
        here = (number, figure, place)
        if name == "map" and found.targets[place].regime != "own":
            continue
        row[name] = float(found.estimates[here])
        if not name.startswith("micro"):
            row[f"{name}_tags"] = int(found.tags[here])
        if found.replicates is not None:
            row |= {f"{name}_low": float(intervals.low[here]), f"{name}_high": float(intervals.high[here])}
            row |= {f"{name}_bias": float(found.bias[here])}
    if measured.uncertainty is not None:
        regime = measured.uncertainty.regimes[number].by_name[found.targets[place].regime]
        final = regime.final[measured.models[number].chosen[measured.compared]]
        if len(final):
            row |= {"lowest_threshold": _plain(final.min()), "highest_threshold": _plain(final.max())}
    return row


def _plain(threshold: np.float32) -> float:
    """A float32 as the shortest number that means it."""
    return float(str(threshold))


def _labels_summary(measured: Measured, settings: Settings) -> dict[str, Any]:
    """How many labels every model contradicts, and each model's figures where those are left out."""
    found = measured.uncertainty
    if found is None:
        return {}
    missing = int(found.suspects.missing.sum())
    cleaned = {}
    for model, (counts, ap) in zip(measured.models, found.cleaned, strict=True):
        means = aggregate.figures_of(counts, settings.counting)
        cleaned[model.entry.name] = {
            "macro_f1": means[ALL_FIGURES.index("macro_f1")].value,
            "micro_f1": means[ALL_FIGURES.index("micro_f1")].value,
            "map": macro(ap).value,
        }
    return {"missing": missing, "wrong": len(found.suspects.missing) - missing, "without_suspects": cleaned}
