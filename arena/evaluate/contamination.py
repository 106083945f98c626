"""Effect of contaminated images, those that are in training data, on the metrics and on the differences between models.

Every metric is computed on all images, and again at each level, which leaves out more classes of contaminated images. All
levels share the same resamples. So the change between two levels has its own interval, narrower than the intervals of the
two values.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from arena.base.errors import ArenaError
from arena.dataset.contamination import RADIUS, Contamination
from arena.evaluate.aggregate import Aggregates, Estimate
from arena.evaluate.passes import Measured
from arena.evaluate.slices import ImageSlice
from arena.metrics.intervals import Interval
from arena.metrics.registry import AGGREGATES
from arena.results.recipe import Settings
from arena.results.run_folder import CONTAMINATION

ALL_IMAGES_LEVEL = "all images"
"""Name of the level that leaves out no image."""

_COLUMNS = (
    "level", "first", "second", "figure", "value", "low", "high", "corrected", "change", "change_low", "change_high",
    "change_corrected", "images", "dropped", "tags",
)  # fmt: skip
"""Columns of `contamination.parquet`. `value` is the metric of `first` or, if there is a `second`, first minus second.
`change` is the value on all images minus the value at the level. `corrected` and `change_corrected` are the same without the
bias of means over rare tags; a difference of two models has none."""


def level_slices(found: Contamination | None, settings: Settings) -> list[ImageSlice]:
    """Return one slice for each level that leaves out some images but not all; levels with the same images give one slice.

    Raises:
        ArenaError: the settings slice by a column with the name `contamination`.
    """
    if found is None:
        return []
    if CONTAMINATION in settings.slices:
        raise ArenaError(
            f"--slices {CONTAMINATION}: --against creates slices of this name; use only one of the two options"
        )
    distinct = {
        level.kept.sum(): level for level in reversed(found.levels) if level.kept.any() and not level.kept.all()
    }
    return [ImageSlice(CONTAMINATION, level.name, level.kept) for level in reversed(distinct.values())]


def contamination_table(found: Contamination, aggregates: Aggregates, models: Sequence[str]) -> pd.DataFrame:
    """Return one row per level, model or pair of models, and metric; values are NaN where a level keeps no image.

    A level that drops images needs resamples; without resamples its values are NaN.
    """
    rows: list[dict[str, Any]] = []
    places = _places(found, aggregates)
    images = len(found.image_ids)
    subjects = [(number,) for number in range(len(models))] + list(combinations(range(len(models)), 2))
    kept = {ALL_IMAGES_LEVEL: images} | {level.name: int(level.kept.sum()) for level in found.levels}
    for level, left in kept.items():
        for subject in subjects:
            names = {"first": models[subject[0]], "second": models[subject[1]] if len(subject) > 1 else ""}
            for figure, name in enumerate(AGGREGATES):
                values = _row(aggregates, subject, figure, places[level])
                rows.append(
                    {"level": level, **names, "figure": name, **values, "images": left, "dropped": images - left}
                )
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _places(found: Contamination, aggregates: Aggregates) -> dict[str, int | None]:
    """Return the index of the target of each level; None if there is none.

    A level that drops the same number of images as an earlier one has the same target.
    """
    targets = {target.value: place for place, target in enumerate(aggregates.targets) if target.slice == CONTAMINATION}
    places: dict[str, int | None] = {ALL_IMAGES_LEVEL: 0}
    by_size: dict[int, int] = {len(found.image_ids): 0}
    for level in found.levels:
        size = int(level.kept.sum())
        if level.name in targets:
            by_size[size] = targets[level.name]
        places[level.name] = by_size.get(size)
    return places


def _row(found: Aggregates, subject: tuple[int, ...], figure: int, place: int | None) -> dict[str, Any]:
    """Return value and change, with intervals, of a model or of the difference of two models."""
    if place is None:
        names = ("value", "low", "high", "corrected", "change", "change_low", "change_high", "change_corrected")
        return dict.fromkeys(names, np.nan) | {"tags": 0}
    here = found.estimate(subject, figure, {place: 1.0})
    limits = (0 if len(subject) == 1 else -1, 1)
    low, high = np.clip(here.interval, *limits)
    if place:
        change = found.estimate(subject, figure, {0: 1.0, place: -1.0})
        ends, changed, unbiased = change.interval, change.value, _without_bias(found, change)
    else:
        exact = np.float64(0.0 if found.replicates is not None else np.nan)
        ends, changed, unbiased = Interval(exact, exact), 0.0, 0.0  # type: ignore[arg-type]
    return {
        "value": here.value, "low": low, "high": high, "corrected": float(np.clip(_without_bias(found, here), *limits)),
        "change": changed, "change_low": ends.low, "change_high": ends.high, "change_corrected": unbiased, "tags": here.tags,
    }  # fmt: skip


def _without_bias(found: Aggregates, estimate: Estimate) -> float:
    """Return an estimate minus its bias; the estimate itself without resamples, like `Aggregates.corrected`."""
    return float(estimate.value if found.replicates is None else estimate.value - np.nan_to_num(estimate.bias))


def contamination_summary(found: Contamination, measured: Measured) -> dict[str, Any]:
    """Return the contamination part of `summary.json`: the indexes, images by class, and the images kept at each level."""
    carried = measured.truth.values[:, measured.compared].tocsr()
    levels = [
        {
            "level": level.name,
            "images": int(level.kept.sum()),
            "dropped": int((~level.kept).sum()),
            "tags_without_positives": int((carried[np.flatnonzero(level.kept)].sum(axis=0) == 0).sum()),
        }
        for level in found.levels
    ]
    return {
        "indexes": [dict(one) for one in found.indexes],
        "radius": RADIUS,
        "classes": [
            {"class": name, "images": count, "chance_pairs": found.chance_pairs.get(name)}
            for name, count in found.counts.items()
        ],
        "untold": int(found.untold.sum()),
        "levels": levels,
    }
