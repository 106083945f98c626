"""Evaluate scores against a ground truth: match images and tags, compute metrics, and estimate their uncertainty.

`matching` maps images and tags, and `passes` reads the scores into arrays. The other modules compute results from these
arrays: `aggregate` means and their differences, `summary` the summary of a run, `contamination` the metrics without training
images, `per_tag_table` metrics of tags, `per_image` metrics of images, and `tables` all other tables.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from arena.base.errors import refuse_twice
from arena.dataset.contamination import Contamination
from arena.dataset.frozen import Truth
from arena.dataset.judgements import Judgements
from arena.evaluate import aggregate, tables
from arena.evaluate import per_tag as tag_tables
from arena.evaluate.contamination import contamination_summary, contamination_table, level_slices
from arena.evaluate.differences import difference_table
from arena.evaluate.judged import read_cells
from arena.evaluate.judged_summary import judged_summary, regimes_of
from arena.evaluate.matching import Entry, close_entry, compared_tags, match_model, scored_by_all
from arena.evaluate.passes import Measured, TagsDone, order_by_fold, run_passes
from arena.evaluate.per_image import image_metrics
from arena.evaluate.per_tag import TagIntervals
from arena.evaluate.slices import image_slices, tag_slices
from arena.evaluate.summary import summarise
from arena.metrics.counts import MIN_POSITIVES
from arena.metrics.thresholds import DEFAULT_THRESHOLD
from arena.results.parted import PartedTables
from arena.results.recipe import Settings
from arena.results.run_folder import CONTAMINATION, JUDGED, RUN_SCHEMA, Result

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
    judgements: Judgements | None = None,
    run: Mapping[str, Any] | None = None,
    advance: TagsDone = lambda tags: None,
) -> Result:
    """Compare models on the images that all of them scored and the tags that all of them know.

    Args:
        truth: ground truth, which image has which tag.
        entries: at least one model.
        settings: settings of the evaluation.
        against: which of the images are in training data; None if this was not checked.
        judgements: answers of people; the summary then has the entry `judged`.
        run: provenance to store with the result.
        advance: called with the number of further tags that are done, in each of two passes (one pass without resamples).

    Raises:
        ScoresError: a model lacks scores of images of the ground truth.
        ArenaError: two models have the same name; there is no image; a model and the ground truth share no tag; a slice is
            not valid; or the settings need implications that the ground truth does not have.
    """
    refuse_twice("models", "model", [entry.name for entry in entries])
    given = truth
    truth, skipped = scored_by_all(truth, entries)
    truth = order_by_fold(truth) if settings.replicates else truth
    models = [match_model(truth, close_entry(truth, entry) if settings.imply else entry) for entry in entries]
    compared = compared_tags(truth, models, settings.min_positives)
    categories = [models[0].categories[k] for k in models[0].chosen[compared]]
    against = None if against is None else against.take(truth.image_ids)
    by_tags = tag_slices(truth, compared, categories, settings)
    by_images = [*image_slices(truth, settings), *level_slices(against, settings)]
    measured = run_passes(truth, models, compared, by_tags, by_images, settings, advance)
    with ThreadPoolExecutor(1) as background:  # numpy ranks the tags of the images while tables are made
        of_images = background.submit(_image_metrics, measured)
        effects = [tag_tables.design_effects(measured, number) for number in range(len(models))]
        intervals = [tag_tables.tag_intervals(measured, number, one) for number, one in enumerate(effects)]
        tag_differences = tag_tables.tag_differences(measured, intervals)
        single = tag_tables.single_tags(measured, by_tags, intervals)
        found = replace(aggregate.aggregate(measured, by_tags, by_images, settings), single_tags=single)
        names = [one.entry.name for one in models]
        tests = {place: tag_tables.tests_of(measured, tag_differences, int(by_tags[place].tags[0])) for place in single}
        differences = difference_table(found, names, tests)
        whole = _tables(measured, intervals, settings)
        summary = summarise(measured, found, differences, of_images.result(), len(skipped), settings)
    provenance = {
        "schema": RUN_SCHEMA,
        **(run or {}),
        "models": {one.entry.name: dict(one.entry.facts) for one in models},
        "skipped": dict(skipped),
    }
    if judgements is not None:
        cells = read_cells(given, entries, settings)
        summary[JUDGED] = judged_summary(cells, judgements, regimes_of(cells, measured))
    more = {}
    if against is not None:
        summary[CONTAMINATION] = contamination_summary(against, measured)
        more[CONTAMINATION] = contamination_table(against, found, names)
    return Result(
        provenance,
        summary,
        PartedTables(
            {
                "differences": differences,
                "slices": tables.slice_table(found, names),
                "tag_differences": tag_differences,
                **whole,
                **more,
            },
            {
                "tag_sweep": tables.tag_sweep_parts(measured, settings),
                "thresholds": tables.threshold_parts(measured, effects, settings),
            },
        ),
    )


def _image_metrics(measured: Measured) -> list[dict[str, Any]]:
    """Return the metrics per image of each model."""
    return [image_metrics(measured, number) for number in range(len(measured.models))]


def _tables(measured: Measured, intervals: Sequence[TagIntervals], settings: Settings) -> dict[str, pd.DataFrame]:
    """Return the tables of single tags and images, by the name of the file."""
    return {
        "per_tag": tag_tables.per_tag_table(measured, intervals, settings),
        "sweep": tables.sweep_table(measured, settings),
        "calibration": tables.reliability_table(measured),
        "errors": tables.error_table(measured),
        "confusions": tables.confusion_table(measured),
        "disagreements": tables.disagreement_table(measured),
        "labels": tables.label_issue_table(measured),
    }


def amount_of_work(truth: Truth, settings: Settings) -> int:
    """Return the amount of work of `evaluate`, in tags: all tags once, plus with resamples the tags with enough support."""
    support = np.diff(truth.values.indptr)
    return len(support) + (int((support >= settings.min_positives).sum()) if settings.replicates else 0)
