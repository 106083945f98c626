"""`arena run`: score a held-out dataset with every model, evaluate the scores, and write a run folder."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from arena.base import provenance
from arena.base.names import split_named
from arena.cards import find_dataset, find_models
from arena.dataset.contamination import search_index_files
from arena.dataset.frozen import read_frozen
from arena.evaluate.matching import refuse_no_compared_tag
from arena.pipeline.display_options import DisplayOptions
from arena.pipeline.entrants import find_metrics
from arena.pipeline.judgements import read_given
from arena.pipeline.output import open_run_folder, planned_recipe
from arena.pipeline.recipe import inputs_of, make_recipe, model_inputs
from arena.pipeline.shared_run import run_key, shared_run
from arena.pipeline.stages import (
    DEMO_DATASET,
    Execution,
    Scoring,
    evaluate_run,
    identify_model,
    refuse_all_skipped,
    refuse_unfit_settings,
    score_images,
    scored_entry,
    settings_of,
    with_cluster,
    write_run,
)
from arena.pipeline.thresholds import model_thresholds, with_file_thresholds
from arena.pipeline.truth import note_respelling, truth_of_dataset
from arena.results.published.column import published_entries
from arena.results.recipe import Sample, Settings
from arena.taggers.predict import ImageSource, scores_key

DEMO_MODELS = ("joytag-demo", "wd14-demo")
"""Models of `arena run` without arguments."""


def run_benchmark(
    models: Sequence[str],
    dataset: str,
    output: Path | None = None,
    *,
    sample: Sample = Sample(),
    scoring: Scoring = Scoring(),
    showing: DisplayOptions = DisplayOptions(),
    execution: Execution = Execution(),
) -> Path:
    """Run all stages: score the dataset with every model, evaluate, and write the run folder and its reports.

    Args:
        models: names of cards, or `NAME=PATH`.
        dataset: a dataset by name or frozen folder.
        output: the run folder; None is a folder below `runs/` named after the models and the dataset.
        sample: random sample of the images; all images by default.
        scoring: how scores become metrics.
        showing: display options of the reports.
        execution: devices, cards and progress.

    Returns: the run folder.
    """
    with with_cluster(execution) as placed:
        return _run(models, dataset, output, sample, scoring, showing, placed)


def _run(
    models: Sequence[str], dataset: str, output: Path | None, sample: Sample, scoring: Scoring, showing: DisplayOptions,
    execution: Execution,
) -> Path:  # fmt: skip
    started, root, progress = provenance.now(), execution.root, execution.progress
    cards, published = find_models(models, root), published_entries(find_metrics(scoring.published))
    thresholds = model_thresholds({card.name: card.thresholds for card in cards}, scoring.thresholds)
    given = truth_of_dataset(read_frozen(find_dataset(dataset, root))).sampled(sample)
    heldout = given.heldout
    assert heldout is not None
    note_respelling(progress, heldout.note)
    against = search_index_files(heldout, scoring.against, progress, pictures=scoring.pictures, root=root)
    judged = read_given(scoring.judgements, given.truth)
    settings = settings_of(scoring, given.folder, root)
    refuse_unfit_settings(given.truth, settings)
    thresholds = {card.name: with_file_thresholds(card, thresholds[card.name], progress) for card in cards}
    folder = output or Path("runs") / run_name(models, heldout.card.name, sample, scoring)
    planned = planned_recipe(given, settings, thresholds, [*model_inputs(models), *inputs_of(scoring)], judged)
    source = ImageSource(heldout.image_ids, heldout.paths, tuple(heldout.images["sha256"]), verified=True)
    relations = given.truth.relations
    keys = {
        card.name: scores_key(identify_model(card, execution.compute, relations, progress), source) for card in cards
    }

    def open_folder() -> None:
        open_run_folder(folder, planned, overwrite=execution.overwrite)

    with shared_run(folder, run_key(planned, keys), open_folder, progress) as shared:
        if shared.served:
            return folder
        stores = score_images(
            cards, source, folder / "scores", compute=shared.compute(execution.compute), progress=progress,
            relations=relations,
            review=lambda tags: refuse_no_compared_tag(given.truth, tags, settings.min_positives),
        )  # fmt: skip
        if execution.scores_only:
            return folder
        with shared.reports() as missing:
            if not missing:
                return folder
            entries = [scored_entry(card, stores[card.name], thresholds[card.name]) for card in cards]
            refuse_all_skipped(entries[0].scores)
            result = evaluate_run(given.truth, entries, settings, progress, against, judged)
            weights = {entry.name: entry.facts.get("weights") for entry in entries}
            inputs = [*model_inputs(models, weights), *inputs_of(scoring)]
            recipe = make_recipe(
                given, settings, entries, inputs, command=execution.command, started=started, against=against, judged=judged
            )  # fmt: skip
            for store in stores.values():
                store.refuse_other_key()
            write_run(folder, result, recipe, heldout, showing, progress, published)
    return folder


def run_name(models: Sequence[str], dataset: str, sample: Sample = Sample(), scoring: Scoring = Scoring()) -> str:
    """Return the default name of a run folder: models, dataset, and every sample, threshold or setting that is not the default.

    >>> run_name(["joytag", "new=./latest"], "dan", Sample(200, 3))
    'joytag-vs-new-on-dan-200-seed-3'
    >>> run_name(["joytag"], "dan", scoring=Scoring(Settings(3, "joytag"), {"joytag": 0.2}))
    'joytag-on-dan-joytag-0.2-min-positives-3-convention-joytag'
    """
    names = [split_named(spec).name for spec in models]
    plain = (tuple(models), dataset) == (DEMO_MODELS, DEMO_DATASET)
    base = "demo" if plain else f"{'-vs-'.join(names)}-on-{dataset}"
    limited = [f"{sample.limit}-seed-{sample.seed}"] if sample.limit else []
    return "-".join([base, *limited, *_settings_in_name(scoring, seeded=bool(limited))])


def _settings_in_name(scoring: Scoring, *, seeded: bool) -> Iterator[str]:
    """Yield the parts of the name for settings that are not the default.

    Slices, tag groups, `against` and `pictures` have no short form, so one digest covers them.

    Args:
        scoring: thresholds and settings.
        seeded: whether the name has the seed already.
    """
    settings, default = scoring.settings, Settings()
    for name, value in sorted(scoring.thresholds.items()):
        yield f"{name}-{value:g}"
    named = {"min-positives": "min_positives", "convention": "convention", "bootstrap": "replicates", "seed": "seed"}
    for word, key in named.items():
        if getattr(settings, key) != getattr(default, key) and not (key == "seed" and seeded):
            yield f"{word}-{getattr(settings, key)}"
    if settings.imply:
        yield "imply"
    groups = "" if scoring.tag_groups is None else str(scoring.tag_groups.absolute())
    rest = [tuple(settings.slices), groups, *(tuple(map(str, one)) for one in (scoring.against, scoring.pictures))]
    if rest != [default.slices, "", (), ()]:
        yield provenance.digest({"settings": rest})[:8]
    if scoring.judgements:
        yield "judged"
