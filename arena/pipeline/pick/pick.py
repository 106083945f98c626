"""`arena pick`: compare models on pictures without labels, and say which to take, or how many answers would tell."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from arena import taggers
from arena.base.errors import ArenaError, nearest
from arena.base.format import listed
from arena.base.locks import lock_output
from arena.cards import ModelCard, find_models
from arena.pipeline.pick.compute import compare_pictures
from arena.pipeline.pick.files import write_pick
from arena.pipeline.pick.folder import claim_pick_folder
from arena.pipeline.pick.options import Calibrating, PickOptions
from arena.pipeline.pick.pictures import PictureSet, open_pictures
from arena.pipeline.recipe import model_inputs
from arena.pipeline.stages import Compute, Execution, refuse_all_skipped, score_images, scored_entry
from arena.pipeline.stored_run import other_scores, read_stored_run
from arena.pipeline.thresholds import model_thresholds, with_file_thresholds
from arena.results.recipe import RecipeInput, ThresholdsUsed
from arena.tags import TagRelations


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
    if labelled is not None:
        _refuse_other_weights(labelled, cards, execution.compute, relations)
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
        found = compare_pictures(pictures, entries, relations, labelled, options, root, progress)
        for store in stores.values():
            store.refuse_other_key()
        write_pick(folder, pictures, found, recipe, options, execution)
    return folder


def pick_name(names: Sequence[str], images: str) -> str:
    """Return the default name of the output folder.

    >>> pick_name(["a", "b"], "photos")
    'pick-a-vs-b-on-photos'
    """
    return f"pick-{'-vs-'.join(names)}-on-{images}"


def _read_calibration(folder: Path | None, models: Sequence[str], root: Path | None) -> Calibrating | None:
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
    return Calibrating(folder, run)


def _refuse_other_weights(
    labelled: Calibrating, cards: Sequence[ModelCard], compute: Compute, relations: TagRelations
) -> None:
    """Refuse a calibration run of other weights, before any image is scored.

    Raises:
        ArenaError: a model of the run has other weights than the model of that name here.
    """
    for card in cards:
        there = labelled.run.result.run["models"][card.name].get("weights")
        here = taggers.identify(card, device=compute.device, precision=compute.precision, relations=relations)[
            "weights"
        ]
        if there and there != here:
            raise ArenaError(
                f"--calibration {labelled.folder}: its {card.name} has other weights ({there[:12]}) than the model here "
                f"({here[:12]}); make a run of this model"
            )


def _relations(options: PickOptions, pictures: PictureSet, labelled: Calibrating | None) -> TagRelations:
    """Return the relations of the option, else of the images, else of the calibration run's dataset."""
    if options.relations is not None:
        if not options.relations.is_dir():
            raise ArenaError(f"--relations {options.relations}: no such folder; name one with a tag_implications.csv")
        return TagRelations.read(options.relations)
    if pictures.relations != TagRelations() or labelled is None:
        return pictures.relations
    return labelled.run.truth.truth.relations


def _recipe(
    options: PickOptions, pictures: PictureSet, thresholds: Mapping[str, ThresholdsUsed], labelled: Calibrating | None,
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
            name: {
                "source": one.source,
                "default": one.default,
                "categories": dict(one.categories),
                "digest": one.digest,
            }
            for name, one in thresholds.items()
        },
        "difference": options.difference,
        "min_positives": options.min_positives,
        "inputs": inputs,
    }
