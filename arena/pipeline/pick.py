"""`arena pick`: compare models on pictures without labels, and say which to take, or how many answers would tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from arena.base import provenance
from arena.base.errors import ArenaError, nearest
from arena.base.files import digest_file, open_whole, write_json, write_whole
from arena.base.format import listed
from arena.base.locks import lock_output
from arena.base.progress import Progress
from arena.base.version import __version__
from arena.cards import find_models, roots
from arena.evaluate import Entry
from arena.evaluate.agreement import (
    RuleSet,
    agreement,
    broken_rules,
    exclusive_by_labels,
    given_alone,
    rules_of,
)
from arena.evaluate.choice import choose
from arena.evaluate.expected import (
    Estimates,
    LabelledRun,
    ModelCalibration,
    calibrate,
    calibration_rows,
    estimate_metrics,
    match_run,
    prior_probabilities,
)
from arena.evaluate.judged import LEAST_ANSWERS, Cells, draw_plan, forecast
from arena.evaluate.matching import describe_thresholds
from arena.evaluate.unlabelled import Pictures, match_pictures, own_thresholds, read_scores, tag_blocks
from arena.images.thumbnails import Limits, ThumbnailSource, read_thumbnails, remove_thumbnails, write_thumbnails
from arena.metrics.counts import MIN_POSITIVES, Integers
from arena.pipeline.pick_folder import (
    IMAGES_TABLE,
    PICK_FILE,
    PLAN_FILE,
    TAGS_TABLE,
    claim_pick_folder,
)
from arena.pipeline.pick_pictures import PictureSet, open_pictures
from arena.pipeline.recipe import model_inputs
from arena.pipeline.stages import Execution, refuse_all_skipped, score_images, scored_entry
from arena.pipeline.stored_run import StoredRun, other_scores, read_stored_run
from arena.pipeline.thresholds import model_thresholds, with_file_thresholds
from arena.report.pick.document import pick_document
from arena.report.pick.markdown import pick_markdown
from arena.report.pick.page import render_pick
from arena.results.recipe import RecipeInput, Sample, ThresholdsUsed
from arena.tags import TagRelations
from arena.tags.exclusions import EXCLUSIONS_FILE, canonical_pairs, exclusive_ratings, read_exclusions

MOST_CELLS = 20_000_000
"""Largest number of cells (image, tag) of a judging plan; 60 bytes each."""

_THUMBNAILS = Limits(2_000, 16_000_000)


@dataclass(frozen=True)
class PickOptions:
    """Options of a comparison without labels.

    Attributes:
        sample: random sample of the images.
        thresholds: model -> threshold that replaces all of its own.
        calibration: a labelled run of the same models; None estimates no metric.
        relations: folder with `tag_aliases.csv`, `tag_implications.csv` and `tag_exclusions.csv`; None takes those of the dataset,
            else those of the calibration run.
        difference: difference of F1 that the judging plan is to decide.
        min_positives: expected positives that a tag of the judging plan needs.
        thumbnails: whether the page shows images.
    """

    sample: Sample = Sample()
    thresholds: Mapping[str, float] | None = None
    calibration: Path | None = None
    relations: Path | None = None
    difference: float = 0.01
    min_positives: int = MIN_POSITIVES
    thumbnails: bool = True


class _Labelled(NamedTuple):
    """The calibration run."""

    folder: Path
    run: StoredRun


def pick_tagger(
    models: Sequence[str], images: str, output: Path | None = None, *, options: PickOptions = PickOptions(),
    execution: Execution = Execution(),
) -> Path:  # fmt: skip
    """Score pictures without labels with every model, and write what can be said about the models.

    Args:
        models: names of cards, or `NAME=PATH`.
        images: a folder of images, or a dataset by name or folder, whose labels are not used.
        output: the output folder; None is a folder below `runs/` named after the models and the images.

    Returns: the output folder.

    Raises:
        ArenaError: images, models or the calibration run are missing or do not fit together.
        ScoresError: no image can be read.
    """
    root, progress = execution.root, execution.progress
    cards = find_models(models, root)
    thresholds = model_thresholds({card.name: card.thresholds for card in cards}, options.thresholds or {})
    labelled = _read_calibration(options.calibration, [card.name for card in cards], root)
    pictures = open_pictures(images, options.sample, root, progress)
    relations = _relations(options, pictures, labelled)
    thresholds = {card.name: with_file_thresholds(card, thresholds[card.name], progress) for card in cards}
    folder = output or Path("runs") / pick_name([card.name for card in cards], pictures.root.resolve().name)
    used = {name: ThresholdsUsed.of(one.thresholds, one.source) for name, one in thresholds.items()}
    recipe = _recipe(options, pictures, used, labelled, models)
    with lock_output(folder, "pick"):
        claim_pick_folder(folder, recipe, overwrite=execution.overwrite)
        stores = score_images(
            cards, pictures.source, folder / "scores", compute=execution.compute, progress=progress, relations=relations
        )
        entries = [scored_entry(card, stores[card.name], thresholds[card.name]) for card in cards]
        refuse_all_skipped(entries[0].scores)
        _refuse_other_weights(labelled, entries)
        found = _compute(pictures, entries, relations, labelled, options, root, progress)
        for store in stores.values():
            store.refuse_other_key()
        _write(folder, pictures, found, recipe, options, execution)
    return folder


def pick_name(names: Sequence[str], images: str) -> str:
    """Return the default name of the output folder.

    >>> pick_name(["a", "b"], "photos")
    'pick-a-vs-b-on-photos'
    """
    return f"pick-{'-vs-'.join(names)}-on-{images}"


def _read_calibration(folder: Path | None, models: Sequence[str], root: Path | None) -> _Labelled | None:
    """Read the calibration run, before any image is scored.

    Raises:
        ArenaError: the run lacks a model, or its scores were changed.
    """
    if folder is None:
        return None
    run = read_stored_run(folder, root=root)
    for name in models:
        if name not in run.result.models:
            raise ArenaError(
                f"--calibration {folder}: no model {name} in it, only {listed(list(run.result.models))}. "
                f"{nearest(name, run.result.models)} Name a run of all the models"
            )
    if changed := next(other_scores(run.result, run.scores), ""):
        raise ArenaError(f"--calibration {changed}; restore the scores, or evaluate them again with arena score")
    return _Labelled(folder, run)


def _refuse_other_weights(labelled: _Labelled | None, entries: Sequence[Entry]) -> None:
    for entry in entries if labelled else ():
        assert labelled is not None
        there = labelled.run.result.run["models"][entry.name].get("weights")
        here = entry.facts.get("weights")
        if there and here and there != here:
            raise ArenaError(
                f"--calibration {labelled.folder}: its {entry.name} has other weights ({there[:12]}) than the model here "
                f"({here[:12]}); make a run of this model"
            )


def _relations(options: PickOptions, pictures: PictureSet, labelled: _Labelled | None) -> TagRelations:
    """Return the relations of the option, else of the images, else of the calibration run's dataset."""
    if options.relations is not None:
        if not options.relations.is_dir():
            raise ArenaError(f"--relations {options.relations}: no such folder; name one with a tag_implications.csv")
        return TagRelations.read(options.relations)
    if pictures.relations != TagRelations() or labelled is None:
        return pictures.relations
    return labelled.run.truth.truth.relations


def _recipe(
    options: PickOptions, pictures: PictureSet, thresholds: Mapping[str, ThresholdsUsed], labelled: _Labelled | None,
    models: Sequence[str],
) -> dict[str, Any]:  # fmt: skip
    """Return the choices that the content of the output folder depends on."""
    inputs = [RecipeInput("images", str(pictures.root.absolute()), "", pictures.digest), *model_inputs(models)]
    if labelled is not None:
        digest = str(labelled.run.result.run.get("digest", ""))
        inputs.append(RecipeInput("calibration", str(labelled.folder.absolute()), "", digest))
    if options.relations is not None:
        inputs.append(RecipeInput("relations", str(options.relations.absolute())))
    return {
        "sample": options.sample._asdict(),
        "thresholds": {
            name: {"source": one.source, "default": one.default, "categories": dict(one.categories), "digest": one.digest}
            for name, one in thresholds.items()
        },
        "difference": options.difference,
        "min_positives": options.min_positives,
        "inputs": inputs,
    }


class _Found(NamedTuple):
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


def _compute(
    given: PictureSet, entries: Sequence[Entry], relations: TagRelations, labelled: _Labelled | None,
    options: PickOptions, root: Path | None, progress: Progress,
) -> _Found:  # fmt: skip
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
        **({} if labelled is None else {"calibration": _calibration_facts(labelled, estimates)}),
        "judging": None if cells is None else _judging(cells, options.difference),
    }
    return _Found(pictures, rules, run, calibrations, estimates, planned, cells, document)


def _exclusive(
    pictures: Pictures, run: LabelledRun | None, options: PickOptions, root: Path | None
) -> set[tuple[str, str]]:
    """Return the pairs of tags that exclude each other: of the project's file, of the option's, of ratings, and of labels."""
    folders = [place / "datasets" for place in roots(root)]
    folders += [] if options.relations is None else [options.relations]
    named = {pair for folder in folders for pair in read_exclusions(folder / EXCLUSIONS_FILE)}
    found = canonical_pairs(named, pictures.truth.relations.aliases) | exclusive_ratings(pictures.truth.tags)
    if run is not None:
        labels = run.truth.values.astype(np.int64)
        counts = np.diff(run.truth.values.indptr).astype(np.int64)
        together = exclusive_by_labels(counts, labels.T @ labels, len(run.truth.image_ids))
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
    return Cells(truth.image_ids, names, labels, scores, predicted, tuple(truth.groups or ()), prior)


def _judging(cells: Cells, difference: float) -> dict[str, Any]:
    needed = forecast(cells, difference) if len(cells.predicted) > 1 else None
    return {
        "images": len(cells.image_ids),
        "tags": len(cells.tags),
        "difference": difference,
        "macro_f1": None if needed is None else _whole(needed.macro),
        "micro_f1": None if needed is None else _whole(needed.micro),
    }


def _whole(answers: float) -> int | None:
    return max(LEAST_ANSWERS, round(answers)) if np.isfinite(answers) else None


def _calibration_facts(labelled: _Labelled, estimates: Estimates | None) -> dict[str, Any]:
    dataset = labelled.run.result.recipe.dataset
    assert estimates is not None
    return {
        "run": labelled.folder.name, "dataset": dataset.title or dataset.name, "images": dataset.images or 0,
        "min_positives": labelled.run.settings.min_positives, "tags": estimates.tags,
        "pictures_differ": estimates.differ,
    }  # fmt: skip


def _write(
    folder: Path, given: PictureSet, found: _Found, recipe: Mapping[str, Any], options: PickOptions, execution: Execution
) -> None:  # fmt: skip
    """Write all files; `pick.json` is the last one."""
    for name in (PICK_FILE, "index.html"):
        (folder / name).unlink(missing_ok=True)
    _write_table(folder / TAGS_TABLE, _tag_table(found))
    _write_table(folder / IMAGES_TABLE, _image_table(given, found.pictures))
    if found.cells is not None:
        wanted = [found.document["judging"][key] for key in ("macro_f1", "micro_f1")]
        answers = max([LEAST_ANSWERS, *(one for one in wanted if one is not None)])
        _write_table(folder / PLAN_FILE, draw_plan(found.cells, answers, 0))
    else:
        (folder / PLAN_FILE).unlink(missing_ok=True)
    thumbnails = _thumbnails(folder, given, found, options, execution.progress)
    document = pick_document(
        found.document, found.pictures, found.estimates, choose(found.estimates), _facts(given, found, recipe, execution, folder)
    )
    write_whole(folder / "pick.md", pick_markdown(document))
    write_whole(folder / "index.html", render_pick(document, thumbnails))
    files = [TAGS_TABLE, IMAGES_TABLE, "pick.md", "index.html", *([PLAN_FILE] if found.cells is not None else [])]
    document["files"] = {name: digest_file(folder / name) for name in files}
    write_json(folder / PICK_FILE, provenance.seal(document))


def _facts(
    given: PictureSet, found: _Found, recipe: Mapping[str, Any], execution: Execution, folder: Path
) -> dict[str, Any]:
    entries = [one.entry for one in found.pictures.models]
    shown = {**recipe, "inputs": [one.seen_from(folder)._asdict() for one in recipe["inputs"]]}
    return {
        "created": provenance.now(), "arena_version": __version__, "command": execution.command, "recipe": shown,
        "images": {
            "title": given.title, "listed": len(given.source.image_ids), "scored": len(found.pictures.truth.image_ids),
            "skipped": dict(found.pictures.skipped),
        },
        "models": {
            entry.name: {
                "title": entry.title, "threshold": describe_thresholds(entry), "threshold_source": entry.threshold_source,
                "tags": len(entry.scores.tags), "key": entry.facts.get("key", ""), "weights": entry.facts.get("weights"),
                "decisions": int(found.pictures.predicted[entry.name].nnz),
            }
            for entry in entries
        },
        "versions": provenance.versions(), "machine": provenance.machine(),
    }  # fmt: skip


def _tag_table(found: _Found) -> pd.DataFrame:
    """Return a row for each model and each tag it knows; `shift` and `scale` of the calibrated logit are missing without one."""
    pictures, rows = found.pictures, []
    tags, planned = pictures.truth.tags, np.isin(np.arange(len(pictures.truth.tags)), found.planned)
    curves = calibration_rows(pictures, found.calibrations)
    for one in pictures.models:
        name = one.entry.name
        known = np.flatnonzero(one.chosen >= 0)
        curve = curves.get(name)
        rows.append(
            pd.DataFrame(
                {
                    "model": name,
                    "tag": [tags.names[tag] for tag in known],
                    "name": [one.names[place] for place in one.chosen[known]],
                    "category": [tags.category(int(tag)) for tag in known],
                    "threshold": own_thresholds(one, known).astype(np.float64),
                    "predicted": np.diff(pictures.predicted[name].indptr)[known].astype(np.int64),
                    "planned": planned[known],
                    "shift": np.nan if curve is None else curve["shift"][known],
                    "scale": np.nan if curve is None else curve["scale"],
                }
            )
        )
    return pd.concat(rows, ignore_index=True)


def _image_table(given: PictureSet, pictures: Pictures) -> pd.DataFrame:
    place = {image: row for row, image in enumerate(given.source.image_ids)}
    rows = [place[image] for image in pictures.truth.image_ids]
    groups = given.groups or given.source.image_ids
    return pd.DataFrame(
        {
            "image_id": list(pictures.truth.image_ids),
            "path": [given.paths[row] for row in rows],
            "rating": [given.ratings[row] for row in rows],
            "group": [groups[row] for row in rows],
        }
    )


def _write_table(path: Path, table: pd.DataFrame) -> None:
    with open_whole(path) as file:
        table.to_parquet(file, index=False)


def _thumbnails(
    folder: Path, given: PictureSet, found: _Found, options: PickOptions, progress: Progress
) -> dict[str, tuple[bytes, str]]:
    """Write the thumbnails of the images that the page names; return their bytes and ratings by image."""
    if not options.thumbnails:
        remove_thumbnails(folder)
        return {}
    wanted = dict.fromkeys(
        example["image_id"]
        for one in found.document["alone"].values()
        for tag in one["tags"]
        for example in tag["examples"]
    )
    place = {image: row for row, image in enumerate(given.source.image_ids)}
    sources = [
        ThumbnailSource(image, given.source.paths[row], given.source.digests[row], given.ratings[row])
        for image, row in ((image, place[image]) for image in wanted)
    ]
    write_thumbnails(folder, sources, limits=_THUMBNAILS, progress=progress)
    return {
        image: ((folder / "thumbnails" / one.file).read_bytes(), one.rating)
        for image, one in read_thumbnails(folder).items()
    }
