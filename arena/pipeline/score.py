"""`arena score`: evaluate existing scores and write a run folder; no model is loaded."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from arena.base import provenance
from arena.base.locks import lock_output
from arena.base.progress import Progress
from arena.cards import check_name
from arena.dataset.contamination import search_index_files
from arena.evaluate import Entry
from arena.evaluate.matching import refuse_no_compared_tag, scored_by_all
from arena.pipeline.display_options import DisplayOptions
from arena.pipeline.entrants import find_metrics
from arena.pipeline.judgements import read_given
from arena.pipeline.output import open_run_folder, planned_recipe
from arena.pipeline.recipe import inputs_of, make_recipe, scores_input
from arena.pipeline.stages import (
    DEMO_DATASET,
    Execution,
    Scoring,
    evaluate_run,
    refuse_unfit_settings,
    settings_of,
    write_run,
)
from arena.pipeline.thresholds import ModelThresholds, model_thresholds, thresholds_of_cards
from arena.pipeline.truth import describe_scores, note_respelling, read_scores_of, read_truth, with_digest
from arena.results.published.column import published_entries
from arena.results.recipe import RecipeInput


def score_files(
    files: Mapping[str, Path],
    output: Path,
    *,
    truth: Path | None = None,
    dataset: str | None = None,
    scoring: Scoring = Scoring(),
    showing: DisplayOptions = DisplayOptions(),
    execution: Execution = Execution(),
) -> Path:
    """Evaluate existing scores and write a run folder; no model is loaded.

    Args:
        files: model name -> `.npz` of scores, or the scores folder of an earlier run.
        truth: an `.npz` with `truth`, `tags`, `image_ids`; None uses `dataset`.
        dataset: a dataset by name or frozen folder; None is the demo dataset.

    Returns: the run folder.

    Raises:
        ArenaError: an input is missing or damaged, or an index of training images is given without a dataset that has hashes.
    """
    started, root, progress = provenance.now(), execution.root, execution.progress
    for name in files:
        check_name(name)
    thresholds = model_thresholds(thresholds_of_cards(files, root), scoring.thresholds)
    published = published_entries(find_metrics(scoring.published))
    progress.note("reading the truth")
    given = read_truth(dataset or DEMO_DATASET if truth is None else truth, root)
    note_respelling(progress, given.truth.note)
    judged = read_given(scoring.judgements, given.truth)
    settings = settings_of(scoring, given.folder, root)
    refuse_unfit_settings(given.truth, settings)
    located = [RecipeInput("scores", str(path.absolute()), name) for name, path in files.items()]
    planned = planned_recipe(given, settings, thresholds, [*located, *inputs_of(scoring)], judged)
    with lock_output(output, "score"):
        open_run_folder(output, planned, overwrite=execution.overwrite)
        against = search_index_files(given.heldout, scoring.against, progress, pictures=scoring.pictures, root=root)
        entries = _read_entries(files, thresholds, progress)
        scored, _ = scored_by_all(given.truth, entries)
        refuse_no_compared_tag(scored, {one.name: one.scores.tags for one in entries}, settings.min_positives)
        with ThreadPoolExecutor() as background:  # digests take seconds and are needed only at the end
            digested = [background.submit(scores_input, name, path) for name, path in files.items()]
            digested_truth = background.submit(with_digest, given)
            result = evaluate_run(given.truth, entries, settings, progress, against, judged)
            inputs, given = [one.result() for one in digested], digested_truth.result()
        for one in inputs:
            result.run["models"][one.name]["key"] = one.digest
        more = inputs_of(scoring)
        recipe = make_recipe(
            given, settings, entries, [*inputs, *more], command=execution.command, started=started, against=against,
            judged=judged,
        )  # fmt: skip
        write_run(output, result, recipe, given.heldout, showing, progress, published)
    return output


def _read_entries(
    files: Mapping[str, Path], thresholds: Mapping[str, ModelThresholds], progress: Progress
) -> list[Entry]:
    """Read the scores of all models in parallel, and print the notes on them."""
    for name, path in files.items():
        progress.note(f"{name}: reading {path}")
    with ThreadPoolExecutor() as pool:
        read = [*pool.map(read_scores_of, files.values())]
    entries = []
    for (name, path), scores in zip(files.items(), read, strict=True):
        own = thresholds[name]
        for note in scores.notes:
            progress.note(f"{name}: {note}")
        entries.append(Entry(name, name, scores, own.thresholds, own.source, describe_scores(path, scores)))
    return entries
