"""From scores and truth to a result: match images and tags, measure, and say how sure it is.

`matching` finds what belongs together, `passes` reads the scores, and the rest is made of its arrays: `aggregate` gives means
and their differences, `summary` tells of them, `contamination` what they are without training images, `per_tag` of tags,
`per_image` of images, and `tables` of all else.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from arena.base.errors import refuse_twice
from arena.dataset.contamination import Contamination
from arena.dataset.frozen import Truth
from arena.evaluate import aggregate, tables
from arena.evaluate import per_tag as tag_tables
from arena.evaluate.contamination import contamination_summary, contamination_table, level_slices
from arena.evaluate.matching import Entry, close_over, match, scored_by_all
from arena.evaluate.passes import Advance, Measured, measure, order_by_fold
from arena.evaluate.slices import image_slices, tag_slices
from arena.evaluate.summary import summarise
from arena.metrics.counts import MIN_POSITIVES
from arena.metrics.thresholds import DEFAULT_THRESHOLD
from arena.results.recipe import Settings
from arena.results.run_folder import CONTAMINATION, SCHEMA, Result

__all__ = [
    "DEFAULT_THRESHOLD",
    "MIN_POSITIVES",
    "Entry",
    "Settings",
    "amount_of_work",
    "evaluate",
]


def evaluate(
    truth: Truth,
    entries: Sequence[Entry],
    settings: Settings = Settings(),
    *,
    against: Contamination | None = None,
    run: Mapping[str, Any] | None = None,
    advance: Advance = lambda tags: None,
) -> Result:
    """Compare models on the images that all of them scored and the tags that all of them know.

    Args:
        truth: which image carries which tag.
        entries: at least one model.
        against: which of the images are in training data; None where nothing is known of it.
        run: provenance to keep with the result.
        advance: told how many more tags are done, in each of two passes (one without resamples).

    Raises:
        ScoresError: a model lacks images of the truth.
        ArenaError: no image, no tag that a model and the truth share, or no implications where the settings want them.
    """
    refuse_twice("models", "model", [entry.name for entry in entries])
    truth, skipped = scored_by_all(truth, entries)
    truth = order_by_fold(truth) if settings.replicates else truth
    models = [match(truth, close_over(truth, entry) if settings.imply else entry) for entry in entries]
    support = np.diff(truth.values.indptr)
    common = (support >= settings.min_positives) & np.all([one.chosen >= 0 for one in models], axis=0)
    compared = np.flatnonzero(common)
    categories = [models[0].categories[k] for k in models[0].chosen[compared]]
    against = None if against is None else against.take(truth.image_ids)
    by_tags = tag_slices(truth, compared, categories, settings)
    by_images = [*image_slices(truth, settings), *level_slices(against, settings)]
    measured = measure(truth, models, compared, by_tags, by_images, settings, advance)
    found = aggregate.aggregate(measured, by_tags, by_images, settings)
    names = [one.entry.name for one in models]
    differences = aggregate.differences(found, names)
    provenance = {
        "schema": SCHEMA,
        **(run or {}),
        "models": {one.entry.name: dict(one.entry.facts) for one in models},
        "skipped": dict(skipped),
    }
    summary = summarise(measured, found, differences, len(skipped), settings)
    more = {}
    if against is not None:
        summary[CONTAMINATION] = contamination_summary(against, measured)
        more[CONTAMINATION] = contamination_table(against, found, names)
    return Result(
        provenance,
        summary,
        {"differences": differences, "slices": tables.slices(found, names), **_tables(measured, settings), **more},
    )


def _tables(measured: Measured, settings: Settings) -> dict[str, pd.DataFrame]:
    """What is told of single tags and images, by the name of its file."""
    intervals = [tag_tables.tag_intervals(measured, number) for number in range(len(measured.models))]
    return {
        "per_tag": tag_tables.per_tag(measured, intervals, settings),
        "sweep": tables.sweep(measured, settings),
        "tag_sweep": tables.tag_sweep(measured, settings),
        "tag_differences": tag_tables.tag_differences(measured, intervals),
        "calibration": tables.reliability(measured),
        "errors": tables.errors(measured),
        "confusions": tables.confusions(measured),
        "disagreements": tables.disagreements(measured),
        "thresholds": tables.thresholds(measured, settings),
        "labels": tables.suspects(measured),
    }


def amount_of_work(truth: Truth, settings: Settings) -> int:
    """How much work `evaluate` has to do, in tags: all of them once, and with resamples those with positives enough again."""
    support = np.diff(truth.values.indptr)
    return len(support) + (int((support >= settings.min_positives).sum()) if settings.replicates else 0)
