"""From scores and truth to a result: match images and tags, count, aggregate."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from arena.cards import Thresholds
from arena.errors import ArenaError, ScoresError
from arena.heldout.dataset import Truth
from arena.metrics.counts import CONVENTIONS, Counts, Floats, Integers, TagCounts, divide, macro, micro, tally
from arena.metrics.thresholds import per_tag, sweep_thresholds
from arena.result import SCHEMA, Result
from arena.scores.store import Scores
from arena.tags import TagSpace, project

MIN_POSITIVES = 10
"""Positives that a tag needs to enter the means."""

DEFAULT_THRESHOLD = 0.5
"""The threshold of a model for which neither an option nor a card names one."""


@dataclass(frozen=True)
class Entry:
    """One model in a comparison.

    Attributes:
        thresholds: the model's own; `threshold_source` is `card`, `option` or `default`.
        facts: provenance for `run.json`.
    """

    name: str
    title: str
    scores: Scores
    thresholds: Thresholds
    threshold_source: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Matched:
    """An entry's columns that the truth knows, counted."""

    entry: Entry
    columns: Integers
    """Columns of the model, ascending; int64 (known,)."""
    truth_columns: Integers
    """The truth column of each; int64 (known,)."""
    chosen: Integers
    """For each truth tag the position in `columns` that stands for it in comparisons, or -1; int64 (truth tags,)."""
    counts: Counts
    own: TagCounts
    average_precision: Floats
    categories: tuple[str, ...]


def evaluate(
    truth: Truth,
    entries: Sequence[Entry],
    *,
    min_positives: int = MIN_POSITIVES,
    convention: str = "arena",
    run: Mapping[str, Any] | None = None,
) -> Result:
    """Compare models on the images that all of them scored and the tags that all of them know.

    Args:
        truth: which image carries which tag.
        entries: at least one model.
        min_positives: positives that a tag needs to enter the means.
        convention: a name of `CONVENTIONS`: what an undefined figure of a tag counts as.
        run: provenance to keep with the result.

    Raises:
        ScoresError: a model lacks images of the truth.
        ArenaError: no image, or no tag that a model and the truth share.
    """
    truth, skipped = _scored_by_all(truth, entries)
    matched = [_match(truth, entry) for entry in entries]
    support = np.count_nonzero(truth.values, axis=0)
    common = (support >= min_positives) & np.all([one.chosen >= 0 for one in matched], axis=0)
    frames = [_per_tag(one, truth, common, convention) for one in matched]
    sweeps = [_sweep(one, common, convention) for one in matched]
    summary = {
        "schema": SCHEMA,
        "images": len(truth.image_ids),
        "skipped": len(skipped),
        "dataset_tags": int((support > 0).sum()),
        "convention": convention,
        "min_positives": min_positives,
        "compared_tags": int(common.sum()),
        "models": {one.entry.name: _model_summary(one, truth, common, convention) for one in matched},
    }
    provenance = {
        "schema": SCHEMA,
        **(run or {}),
        "models": {one.entry.name: dict(one.entry.facts) for one in matched},
        "skipped": dict(skipped),
    }
    return Result(provenance, summary, pd.concat(frames, ignore_index=True), *map(_joined, zip(*sweeps, strict=True)))


def _joined(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(list(frames), ignore_index=True)


def _scored_by_all(truth: Truth, entries: Sequence[Entry]) -> tuple[Truth, dict[str, str]]:
    """The truth without images that some model had to skip; an image that was lost for no reason is an error."""
    skipped: dict[str, str] = {}
    known = set(truth.image_ids)
    for entry in entries:
        skipped |= {image_id: reason for image_id, reason in entry.scores.skipped.items() if image_id in known}
    for entry in entries:
        scored = set(entry.scores.image_ids)
        lost = [image_id for image_id in truth.image_ids if image_id not in scored and image_id not in skipped]
        if lost:
            raise ScoresError(
                f"{entry.name}: no scores for {len(lost)} of {len(truth.image_ids)} images of the truth "
                f"({', '.join(lost[:3])}{' ...' if len(lost) > 3 else ''}); score them, or take them out of the truth"
            )
    kept = np.array([image_id not in skipped for image_id in truth.image_ids], dtype=bool)
    if not kept.any():
        raise ArenaError("no image is left to compare: the truth is empty, or every image was skipped")
    if kept.all():
        return truth, skipped
    image_ids = tuple(image_id for image_id, keep in zip(truth.image_ids, kept, strict=True) if keep)
    return Truth(image_ids, truth.tags, truth.values[kept], truth.relations), skipped


def _match(truth: Truth, entry: Entry) -> _Matched:
    """Find the truth column of each of a model's tags, and count."""
    tags = entry.scores.tags
    meaning = project(truth.tags, tags, truth.relations)
    columns = np.flatnonzero(meaning >= 0)
    if not len(columns):
        raise ArenaError(f"{entry.name}: none of its {len(tags)} tags is a tag of the truth; are these its own tags?")
    position = np.full(len(tags) + 1, -1)
    position[columns] = np.arange(len(columns))
    chosen = position[project(tags, truth.tags, truth.relations)]
    categories = tuple(_category(tags, int(c), truth.tags, int(meaning[c])) for c in columns)
    thresholds = per_tag(
        [tags.category(int(c)) if tags.categories else name for c, name in zip(columns, categories, strict=True)],
        default=DEFAULT_THRESHOLD if entry.thresholds.default is None else entry.thresholds.default,
        by_category=entry.thresholds.categories,
    )
    result = tally(
        entry.scores.values,
        truth.values,
        sweep_thresholds(thresholds),
        rows=_rows(truth.image_ids, entry.scores.image_ids),
        columns=columns,
        truth_columns=meaning[columns],
        workers=os.cpu_count() or 1,
    )
    return _Matched(
        entry, columns, meaning[columns], chosen, result.counts, result.counts.at(thresholds), result.average_precision,
        categories,
    )  # fmt: skip


def _rows(wanted: tuple[str, ...], given: tuple[str, ...]) -> Integers | None:
    """Which given row is each wanted one; None where they are the same."""
    if wanted == given:
        return None
    index = {image_id: row for row, image_id in enumerate(given)}
    return np.array([index[image_id] for image_id in wanted], dtype=np.int64)


def _category(tags: TagSpace, column: int, truth_tags: TagSpace, truth_column: int) -> str:
    """The truth's word on a tag's category; the model's where the truth has none."""
    return truth_tags.category(truth_column) if truth_tags.categories else tags.category(column)


def _per_tag(one: _Matched, truth: Truth, common: NDArray[np.bool_], convention: str) -> pd.DataFrame:
    tags, own = one.entry.scores.tags, one.own
    figures = CONVENTIONS[convention](own)
    compared = np.zeros(len(one.columns), dtype=bool)
    compared[one.chosen[common]] = True
    return pd.DataFrame(
        {
            "model": one.entry.name,
            "tag": [tags.names[c] for c in one.columns],
            "truth_tag": [truth.tags.names[c] for c in one.truth_columns],
            "category": one.categories,
            "index": one.columns,
            "training_count": pd.array([tags.counts[c] if tags.counts else None for c in one.columns], dtype="Int64"),
            "support": own.positives,
            "threshold": own.thresholds,
            "tp": own.tp, "fp": own.fp, "fn": own.fn, "tn": own.tn,
            "precision": figures.precision, "recall": figures.recall, "f1": figures.f1,
            "ap": one.average_precision,
            "compared": compared,
        }
    )  # fmt: skip


class _Sweeps(NamedTuple):
    total: pd.DataFrame
    by_tag: pd.DataFrame


def _sweep(one: _Matched, common: NDArray[np.bool_], convention: str) -> _Sweeps:
    compared = one.chosen[common]
    names = np.array([one.entry.scores.tags.names[c] for c in one.columns], dtype=object)
    counts, steps = one.counts, len(one.counts.thresholds)
    total = [
        {"model": one.entry.name, "threshold": counts.thresholds[k], **_aggregate(counts.row(k), compared, convention)}
        for k in range(steps)
    ]
    fn = counts.positives - counts.tp
    by_tag = {
        "model": one.entry.name,
        "tag": np.tile(names, steps),
        "threshold": np.repeat(counts.thresholds, len(names)),
        "tp": counts.tp.ravel(), "fp": counts.fp.ravel(), "fn": fn.ravel(),
        "tn": (counts.images - counts.tp - counts.fp - fn).ravel(),
    }  # fmt: skip
    return _Sweeps(pd.DataFrame(total), pd.DataFrame(by_tag))


def _aggregate(counts: TagCounts, compared: Integers, convention: str) -> dict[str, float | int]:
    """Macro and micro figures of one threshold over the compared tags, and over how many tags each mean ran."""
    chosen = TagCounts(
        counts.thresholds[compared], counts.tp[compared], counts.fp[compared], counts.positives[compared], counts.images
    )
    figures: dict[str, float | int] = {}
    for name, column in CONVENTIONS[convention](chosen)._asdict().items():
        mean = macro(column)
        figures |= {f"macro_{name}": mean.value, f"macro_{name}_tags": mean.tags}
    total = micro(chosen)
    return figures | {f"micro_{name}": value for name, value in total._asdict().items()}


def _model_summary(one: _Matched, truth: Truth, common: NDArray[np.bool_], convention: str) -> dict[str, Any]:
    compared = one.chosen[common]
    ap = macro(one.average_precision[compared])
    prevalence = macro(divide(one.own.positives[compared], np.full(len(compared), one.own.images)))
    carried = truth.values[:, np.unique(one.truth_columns)].any(axis=0)
    return {
        "title": one.entry.title,
        "tags": len(one.entry.scores.tags),
        "known_tags": int(carried.sum()),
        "threshold": describe_thresholds(one.entry),
        "threshold_source": one.entry.threshold_source,
        "regimes": {
            "own": {
                "tags": len(compared),
                **_aggregate(one.own, compared, convention),
                "map": ap.value,
                "map_tags": ap.tags,
                "random_map": prevalence.value,
            }
        },
    }


def describe_thresholds(entry: Entry) -> str:
    """The thresholds of a model as a reader sees them: `0.35, character 0.85`."""
    default = DEFAULT_THRESHOLD if entry.thresholds.default is None else entry.thresholds.default
    return ", ".join([f"{default:g}", *(f"{name} {value:g}" for name, value in entry.thresholds.categories.items())])
