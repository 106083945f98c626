"""Compute what `arena pick` says: agreement, broken rules, expected metrics, and the cells to ask people about."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from arena.base.progress import Progress
from arena.cards import roots
from arena.evaluate import Entry
from arena.evaluate.agreement import (
    RuleSet,
    agreement,
    broken_rules,
    exclusive_by_labels,
    given_alone,
    rules_of,
)
from arena.evaluate.answers import LEAST_ANSWERS
from arena.evaluate.expected import (
    Estimates,
    LabelledRun,
    ModelCalibration,
    calibrate,
    estimate_metrics,
    match_run,
    prior_probabilities,
)
from arena.evaluate.judged import Cells
from arena.evaluate.judged_plan import Differences, forecast
from arena.evaluate.unlabelled import Pictures, match_pictures, own_thresholds, read_scores, tag_blocks
from arena.metrics.counts import Integers
from arena.pipeline.pick.options import Calibrating, PickOptions
from arena.pipeline.pick.pictures import PictureSet
from arena.tags import TagRelations
from arena.tags.exclusions import EXCLUSIONS_FILE, canonical_pairs, exclusive_ratings, read_exclusions

MOST_CELLS = 20_000_000
"""Largest number of cells (image, tag) of a judging plan; 60 bytes each."""


class Found(NamedTuple):
    """What was computed."""

    pictures: Pictures
    rules: RuleSet
    labelled: LabelledRun | None
    calibrations: list[ModelCalibration] | None
    estimates: Estimates | None
    planned: Integers
    """Tags of the judging plan."""
    cells: Cells | None
    document: dict[str, Any]


def compare_pictures(
    given: PictureSet, entries: Sequence[Entry], relations: TagRelations, labelled: Calibrating | None,
    options: PickOptions, root: Path | None, progress: Progress,
) -> Found:  # fmt: skip
    """Return everything that can be said about the models on the pictures.

    Raises:
        ArenaError: no tag of the models has enough positives in the calibration run, or the run does not fit.
    """
    truth = None if labelled is None else labelled.run.truth.truth
    categories = dict(zip(truth.tags.names, truth.tags.categories or (), strict=False)) if truth else {}
    progress.note("comparing the decisions")
    pictures = match_pictures(given.source.image_ids, entries, relations, categories=categories, groups=given.groups)
    run, calibrations, estimates = None, None, None
    if labelled is not None:
        progress.note("calibrating on the labelled run")
        of_run = {entry.name: entry for entry in labelled.run.entries}
        assert truth is not None
        run = match_run(pictures, truth, of_run, labelled.run.settings.min_positives, labelled.folder)
        calibrations = [calibrate(run, number) for number in range(len(entries))]
        estimates = estimate_metrics(pictures, run, calibrations, f"--calibration {labelled.folder}")
    rules = rules_of(pictures, _exclusive(pictures, run, options, root))
    planned = _planned_tags(pictures, calibrations, options.min_positives)
    cells = _cells(pictures, calibrations, planned) if len(planned) else None
    document = {
        "agreement": agreement(pictures),
        "alone": given_alone(pictures),
        "rules": broken_rules(pictures, rules),
        **({} if labelled is None else {"calibration": _calibration_facts(labelled, estimates, given)}),
        "judging": None if cells is None else _judging(cells, options.difference),
    }
    return Found(pictures, rules, run, calibrations, estimates, planned, cells, document)


def _exclusive(
    pictures: Pictures, run: LabelledRun | None, options: PickOptions, root: Path | None
) -> set[tuple[str, str]]:
    """Return the pairs of tags that exclude each other: of the project's file, of the option's, of ratings, and of labels."""
    folders = [place / "datasets" for place in roots(root)]
    folders += [] if options.relations is None else [options.relations]
    named = {pair for folder in folders for pair in read_exclusions(folder / EXCLUSIONS_FILE)}
    found = canonical_pairs(named, pictures.truth.relations.aliases) | exclusive_ratings(pictures.truth.tags)
    if run is not None:
        together = exclusive_by_labels(run.truth.values)
        column = {int(place): tag for tag, place in enumerate(run.place) if place >= 0}
        every = pictures.truth.tags.names
        found |= {
            (every[column[one]], every[column[other]]) for one, other in together if one in column and other in column
        }
    return found


def _planned_tags(pictures: Pictures, calibrations: list[ModelCalibration] | None, least: int) -> Integers:
    """Return the common tags with enough expected positives, at most as many as `MOST_CELLS` allows, in their order."""
    images = len(pictures.truth.image_ids)
    expected = np.concatenate(
        [
            np.empty(0),
            *(prior_probabilities(pictures, calibrations, b).sum(0) for b in tag_blocks(pictures.common, images)),
        ]
    )
    order = np.argsort(-expected, kind="stable")[: MOST_CELLS // max(1, images)]
    return np.sort(pictures.common[order[expected[order] >= least]])


def _cells(pictures: Pictures, calibrations: list[ModelCalibration] | None, tags: Integers) -> Cells:
    truth = pictures.truth
    scores = {one.entry.name: read_scores(one, tags) for one in pictures.models}
    predicted = {one.entry.name: scores[one.entry.name] >= own_thresholds(one, tags) for one in pictures.models}
    names = tuple(truth.tags.names[tag] for tag in tags)
    labels = np.zeros((len(truth.image_ids), len(tags)), np.bool_)
    prior = prior_probabilities(pictures, calibrations, tags)
    return Cells(truth.image_ids, names, labels, scores, predicted, tuple(truth.groups or ()), prior=prior)


def _judging(cells: Cells, difference: float) -> dict[str, Any]:
    needed = forecast(cells, Differences(difference, difference)) if len(cells.predicted) > 1 else None
    return {
        "images": len(cells.image_ids),
        "tags": len(cells.tags),
        "difference": difference,
        "macro_f1": None if needed is None else _whole(needed.macro),
        "micro_f1": None if needed is None else _whole(needed.micro),
    }


def _whole(answers: float) -> int | None:
    return max(LEAST_ANSWERS, round(answers)) if np.isfinite(answers) else None


def _calibration_facts(labelled: Calibrating, estimates: Estimates | None, given: PictureSet) -> dict[str, Any]:
    dataset = labelled.run.result.recipe.dataset
    assert estimates is not None
    return {
        "run": labelled.folder.name, "dataset": dataset.title or dataset.name, "images": dataset.images or 0,
        "min_positives": labelled.run.settings.min_positives, "tags": estimates.tags,
        "pictures_differ": estimates.differ, "shared_images": _shared_images(labelled, given),
    }  # fmt: skip


def _shared_images(labelled: Calibrating, given: PictureSet) -> int:
    """Return the number of pictures that are in the calibration run too; 0 for a folder, whose files have no digests."""
    heldout = labelled.run.truth.heldout
    if heldout is None or not given.source.verified:
        return 0
    return len(set(given.source.digests) & set(heldout.images["sha256"]))
