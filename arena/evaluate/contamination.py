"""How much of a figure, and of a lead, goes with images that are in the training data.

Every figure is there on all images and again without ever more classes of contaminated ones. The resamples are the same, so
what changes between two levels has an interval of its own, narrower than those of the two figures.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from arena.base.errors import ArenaError
from arena.dataset.contamination import RADIUS, Contamination
from arena.evaluate.aggregate import Aggregates
from arena.evaluate.passes import Measured
from arena.evaluate.slices import ImageSlice
from arena.metrics.counts import Floats
from arena.metrics.intervals import Interval, bias_corrected_interval, percentile_interval
from arena.metrics.registry import AGGREGATES
from arena.results.recipe import Settings
from arena.results.run_folder import CONTAMINATION

ALL_IMAGES = "all images"
"""The level that leaves nothing out."""

COLUMNS = (
    "level", "first", "second", "figure", "value", "low", "high", "change", "change_low", "change_high", "images",
    "dropped", "tags",
)  # fmt: skip
"""Columns of `contamination.parquet`: the figure of `first`, or with a `second` its lead over that; `change` is the value on
all images minus that at the level."""


def level_slices(found: Contamination | None, settings: Settings) -> list[ImageSlice]:
    """The levels that leave out images, but not all, each set of images once.

    Raises:
        ArenaError: a column of the same name was asked for as a slice.
    """
    if found is None:
        return []
    if CONTAMINATION in settings.slices:
        raise ArenaError(f"--slices {CONTAMINATION}: --against makes slices of that name; leave one of them out")
    distinct = {
        level.kept.sum(): level for level in reversed(found.levels) if level.kept.any() and not level.kept.all()
    }
    return [ImageSlice(CONTAMINATION, level.name, level.kept) for level in reversed(distinct.values())]


def contamination_table(found: Contamination, aggregates: Aggregates, models: Sequence[str]) -> pd.DataFrame:
    """A row a level, model or pair of models, and figure; undefined where a level leaves no image.

    Levels that drop something need resamples: without these only those that drop nothing have figures.
    """
    rows: list[dict[str, Any]] = []
    places = _places(found, aggregates)
    images = len(found.image_ids)
    subjects = [(number,) for number in range(len(models))] + list(combinations(range(len(models)), 2))
    kept = {ALL_IMAGES: images} | {level.name: int(level.kept.sum()) for level in found.levels}
    for level, left in kept.items():
        for subject in subjects:
            named = {"first": models[subject[0]], "second": models[subject[1]] if len(subject) > 1 else ""}
            for figure, name in enumerate(AGGREGATES):
                known = _row(aggregates, subject, figure, places[level])
                rows.append(
                    {"level": level, **named, "figure": name, **known, "images": left, "dropped": images - left}
                )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _places(found: Contamination, aggregates: Aggregates) -> dict[str, int | None]:
    """The target of each level; of one that drops no more than the level before, the same; None where there is none."""
    targets = {target.value: place for place, target in enumerate(aggregates.targets) if target.slice == CONTAMINATION}
    places: dict[str, int | None] = {ALL_IMAGES: 0}
    by_size: dict[int, int] = {len(found.image_ids): 0}
    for level in found.levels:
        size = int(level.kept.sum())
        if level.name in targets:
            by_size[size] = targets[level.name]
        places[level.name] = by_size.get(size)
    return places


def _row(found: Aggregates, subject: tuple[int, ...], figure: int, place: int | None) -> dict[str, Any]:
    """Value and change of a model, or of the lead of the first of two."""
    if place is None:
        return dict.fromkeys(("value", "low", "high", "change", "change_low", "change_high"), np.nan) | {"tags": 0}
    value = _of(found.estimates, subject, figure, place)
    change = _of(found.estimates, subject, figure, 0) - value
    low, high = _ends(found, subject, figure, {place: 1.0})
    change_low, change_high = _ends(found, subject, figure, {0: 1.0, place: -1.0} if place else {})
    if len(subject) == 1:
        low, high = (end[subject[0], figure, place] for end in found.intervals)
    return {
        "value": value, "low": low, "high": high, "change": change, "change_low": change_low, "change_high": change_high,
        "tags": min(int(found.tags[number, figure, place]) for number in subject),
    }  # fmt: skip


def _of(array: Floats, subject: tuple[int, ...], figure: int, place: int) -> Any:
    """A model's entry, or that of the first less that of the second."""
    values = [array[number, figure, place] for number in subject]
    return values[0] if len(values) == 1 else values[0] - values[1]


def _ends(found: Aggregates, subject: tuple[int, ...], figure: int, signs: Mapping[int, float]) -> Interval:
    """Interval of a sum of targets with their signs; of a single model corrected for the bias that rare tags bring.

    Of the lead of two models the biases cancel, as in `differences`.
    """
    if found.replicates is None or not signs:
        exact = 0.0 if found.replicates is not None else np.nan
        return Interval(np.float64(exact), np.float64(exact))  # type: ignore[arg-type]
    estimate, bias = (
        sum(sign * _of(array, subject, figure, place) for place, sign in signs.items())
        for array in (found.estimates, found.bias)
    )
    if np.isnan(estimate):
        return Interval(np.float64(np.nan), np.float64(np.nan))  # type: ignore[arg-type]
    replicates = sum(sign * _of(found.replicates, subject, figure, place) for place, sign in signs.items())
    if len(subject) == 2:
        return percentile_interval(replicates)
    if AGGREGATES[figure] == "map":  # its resamples are linear in the weights, and so have no bias
        wider = max(found.widening[subject[0], place] for place in signs)
        return percentile_interval(estimate - bias + wider * (replicates - estimate))
    return bias_corrected_interval(estimate, replicates)


def contamination_summary(found: Contamination, measured: Measured) -> dict[str, Any]:
    """What `summary.json` holds of it: the indexes, how many images are in which class, and what is left at each level."""
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
