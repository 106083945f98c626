"""Paired evaluation: evaluate several entrants on the same images and tags, and write one run folder.

In a check the baseline is the first model of the result and the candidate the second.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from arena.base import provenance
from arena.base.errors import IncomparableError
from arena.base.local_paths import shorten_word
from arena.base.progress import Progress, Silent
from arena.dataset.frozen import HeldOut, Truth
from arena.diagnostics.parity.pairs import ModelPair, ScoredModel, pair_models
from arena.evaluate import Entry, Settings
from arena.evaluate.matching import refuse_no_compared_tag, scored_by_all
from arena.pipeline.display_options import DisplayOptions
from arena.pipeline.entrants import (
    BASELINES,
    Entrant,
    ModelEntrant,
    RunEntrant,
    ScoredEntrant,
    ScoresEntrant,
    judgements_of_entrants,
    lost_judgements,
)
from arena.pipeline.grammar import parse
from arena.pipeline.inputs import digest_of_scores, locate_scores, scores_of_run
from arena.pipeline.judgements import read_given
from arena.pipeline.output import open_run_folder, planned_recipe
from arena.pipeline.recipe import make_recipe, model_inputs, scores_input
from arena.pipeline.same_images import (
    find_common_truth,
    refuse_missing_images,
    refuse_other_sets,
)
from arena.pipeline.stages import (
    Compute,
    Scoring,
    evaluate_run,
    refuse_unfit_settings,
    score_images,
    scored_entry,
    settings_of,
    write_run,
)
from arena.pipeline.thresholds import (
    ModelThresholds,
    model_thresholds,
    refuse_thresholds,
    with_file_thresholds,
    with_option_threshold,
)
from arena.pipeline.truth import LoadedTruth, describe_scores, read_scores_of
from arena.results.published.column import published_entries
from arena.results.published.record import Published
from arena.results.recipe import Recipe, RecipeInput, Sample, digest_groups
from arena.results.run_folder import Result
from arena.taggers.predict import ImageSource
from arena.tags import TagSpace

Inspect = Callable[[Truth, Settings], None]
"""Called with the truth and the settings of a comparison before a model runs."""

Review = Callable[[Mapping[str, TagSpace]], None]
"""Called with the name and tags of every model before the first image."""


@dataclass(frozen=True)
class ComparisonOptions:
    """Options of a paired evaluation.

    Attributes:
        dataset: a dataset by name or frozen folder, or a truth file; None is the dataset of the runs, else the demo dataset.
        part: the sample of the dataset; without a limit, the sample of the first run.
        replicates: number of bootstrap resamples of every interval.
        seed: seed of the bootstrap.
        renamed: old name -> new name of renamed tags.
        thresholds: name of an entrant -> threshold that replaces all of its own.
        canary: compare scores with the canary gate even if the weights differ or are unknown.
        overwrite: replace a result of another recipe in the output folder.
        notes: remarks that a check puts into its verdict, one sentence each.
        judgements: files of answers of people; none takes those of the runs.
    """

    dataset: str | None = None
    part: Sample = field(default_factory=Sample)
    replicates: int = Settings.replicates
    seed: int = 0
    renamed: Mapping[str, str] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    canary: bool = False
    overwrite: bool = False
    notes: Sequence[str] = ()
    judgements: Sequence[Path] = ()
    compute: Compute = field(default_factory=Compute)
    showing: DisplayOptions = field(default_factory=DisplayOptions)
    root: Path | None = None
    baselines: Path = BASELINES
    command: str = ""


@dataclass(frozen=True)
class PairedEvaluation:
    """Candidate and baseline, evaluated on the same images and labels.

    Attributes:
        result: the result of both, the baseline first.
        candidate, baseline: the scores and thresholds that were evaluated.
        ground: the images and labels.
        notes: remarks for the reader, one sentence each.
    """

    result: Result
    candidate: Entry
    baseline: Entry
    ground: LoadedTruth
    settings: Settings
    notes: tuple[str, ...] = ()

    @property
    def pair(self) -> ModelPair:
        """The matched scores of both; the baseline is A, the candidate B."""
        a, b = (ScoredModel(one.name, one.scores, one.thresholds) for one in (self.baseline, self.candidate))
        return pair_models(a, b, self.ground.truth.relations)


@dataclass(frozen=True)
class JointEvaluation:
    """Several entrants, evaluated on the same images and labels.

    Attributes:
        result: the result of all entrants, in their order.
        entries: the scores and thresholds that were evaluated.
        ground: the images and labels.
        notes: as in `PairedEvaluation`.
    """

    result: Result
    entries: tuple[Entry, ...]
    ground: LoadedTruth
    settings: Settings
    notes: tuple[str, ...] = ()


def evaluate_pair(
    candidate: ScoredEntrant,
    baseline: ScoredEntrant,
    folder: Path,
    asked: ComparisonOptions,
    progress: Progress = Silent(),
    *,
    inspect: Inspect = lambda truth, settings: None,
) -> PairedEvaluation:
    """Read or compute the scores of both entrants, evaluate them together, and write a run folder.

    Args:
        inspect: called before a model runs; it raises if the comparison cannot be used.

    Raises:
        IncomparableError: the entrants have different images or labels, or no common tag.
        ArenaError: an input is missing or damaged.
    """
    found = evaluate_entrants((baseline, candidate), folder, asked, progress, alike=True, inspect=inspect)
    first, second = found.entries
    return PairedEvaluation(found.result, second, first, found.ground, found.settings, found.notes)


def evaluate_entrants(
    entrants: Sequence[ScoredEntrant],
    folder: Path,
    asked: ComparisonOptions,
    progress: Progress = Silent(),
    *,
    alike: bool = False,
    published: Sequence[Published] = (),
    inspect: Inspect = lambda truth, settings: None,
) -> JointEvaluation:
    """Evaluate entrants together and write a run folder; dataset and settings of the first run apply to all.

    Args:
        alike: with two entrants, one without known thresholds takes those of the other.
        published: published metrics to show next to the results.
        inspect: as in `evaluate_pair`.

    Raises:
        IncomparableError: the entrants have different images or labels, or no common tag.
        ArenaError: an input is missing or damaged, or the folder holds another result.
    """
    started = provenance.now()
    refuse_thresholds(asked.thresholds, [entrant.name for entrant in entrants])
    read = _read_entries(entrants, asked, progress)
    ground = find_common_truth(entrants, asked.dataset, asked.part, asked.root)
    ground = ground.with_renamed({**_first_recipe(entrants).renamed, **asked.renamed})
    settings = settings_for(entrants, asked, ground.folder)
    refuse_unfit_settings(ground.truth, settings)
    inspect(ground.truth, settings)
    judged = read_given(asked.judgements or judgements_of_entrants(entrants), ground.truth)
    own = {one.name: thresholds_of_entrant(one, asked.thresholds.get(one.name), progress) for one in entrants}
    own = _with_known_thresholds(own) if alike else own
    planned = planned_recipe(ground, settings, own, locate_entrants(entrants), judged)
    known = {name: entry.scores.tags for name, entry in read.items()}
    refuse = partial(refuse_no_compared_tag, min_positives=settings.min_positives, paired=True)
    refuse_missing_images(ground.truth.image_ids, list(read.values()))
    refuse(ground.truth, known)
    open_run_folder(folder, planned, overwrite=asked.overwrite)
    models = [entrant for entrant in entrants if isinstance(entrant, ModelEntrant)]
    read |= score_models_of(
        models, ground, folder, asked, progress, review=lambda tags: refuse(ground.truth, known | {**tags})
    )
    entries = tuple(
        replace(read[name], thresholds=one.thresholds, threshold_source=one.source) for name, one in own.items()
    )
    notes = refuse_missing_images(ground.truth.image_ids, entries)
    result = evaluate_run(ground.truth, entries, settings, progress, given=judged)
    if not result.summary["compared_tags"]:  # images that could not be read have left too few positives
        refuse(scored_by_all(ground.truth, entries)[0], {one.name: one.scores.tags for one in entries})
    inputs = inputs_of_entrants(entrants, entries)
    recipe = make_recipe(ground, settings, entries, inputs, command=asked.command, started=started, judged=judged)
    result = write_run(folder, result, recipe, ground.heldout, asked.showing, progress, published_entries(published))
    return JointEvaluation(result, entries, ground, settings, (*notes, *_notes(entrants, settings, asked)))


def _read_entries(entrants: Sequence[ScoredEntrant], asked: ComparisonOptions, progress: Progress) -> dict[str, Entry]:
    """Return the entries of the entrants that have scores already, by name.

    Raises:
        IncomparableError: two runs have different images, and the comparison takes no part of them.
    """
    read = {
        entrant.name: entry_of(entrant, asked, progress)
        for entrant in entrants
        if not isinstance(entrant, ModelEntrant)
    }
    runs = [entrant for entrant in entrants if isinstance(entrant, RunEntrant)]
    if not asked.part.limit:
        for run in runs[1:]:
            refuse_other_sets(run, runs[0], [read[entrant.name].scores.image_ids for entrant in (run, runs[0])])
    return read


def score_models_of(
    entrants: Sequence[ModelEntrant],
    ground: LoadedTruth,
    folder: Path,
    asked: ComparisonOptions,
    progress: Progress,
    *,
    review: Review,
) -> dict[str, Entry]:
    """Run models on the images of the dataset; scores that are already in the folder are read instead.

    Args:
        review: as in `score_images`.

    Returns: the scores by name of the entrant.

    Raises:
        IncomparableError: the truth comes from a file, without images.
    """
    if not entrants:
        return {}
    heldout = _images(ground, entrants[0])
    cards = [replace(entrant.card, name=entrant.name) for entrant in entrants]
    own = {
        entrant.name: thresholds_of_entrant(entrant, asked.thresholds.get(entrant.name), progress)
        for entrant in entrants
    }
    source = ImageSource(heldout.image_ids, heldout.paths, tuple(heldout.images["sha256"]), verified=True)
    stores = score_images(
        cards, source, folder / "scores", compute=asked.compute, progress=progress, relations=ground.truth.relations,
        review=review,
    )  # fmt: skip
    return {card.name: scored_entry(card, stores[card.name], own[card.name]) for card in cards}


def _images(ground: LoadedTruth, entrant: ModelEntrant) -> HeldOut:
    if ground.heldout is None:
        raise IncomparableError(
            f"{entrant.source}: a model cannot be run on {ground.dataset.title}, which holds no images; score it elsewhere and "
            f"name its scores as {entrant.name}=FILE.npz"
        )
    return ground.heldout


def thresholds_of_entrant(entrant: ScoredEntrant, option: float | None, progress: Progress) -> ModelThresholds:
    """The thresholds of an entrant: the option's, else the run's, else those of the model's files, its card or the default.

    Raises:
        WeightsError: the model's files cannot be fetched, or the thresholds in them are invalid.
    """
    if isinstance(entrant, RunEntrant):
        source = str(entrant.result.summary["models"][entrant.model]["threshold_source"])
        return with_option_threshold(ModelThresholds(entrant.result.thresholds_of(entrant.model), source), option)
    card = entrant.card
    own = model_thresholds({card.name: card.thresholds}, {})[card.name]
    return with_file_thresholds(card, with_option_threshold(own, option), progress)


def entry_of(entrant: RunEntrant | ScoresEntrant, asked: ComparisonOptions, progress: Progress) -> Entry:
    """The stored scores of an entrant, with its thresholds as in `thresholds_of_entrant`."""
    own = thresholds_of_entrant(entrant, asked.thresholds.get(entrant.name), progress)
    path = locate_scores(entrant) if isinstance(entrant, RunEntrant) else entrant.path
    progress.note(f"{entrant.name}: reading {path}")
    scores = scores_of_run(entrant) if isinstance(entrant, RunEntrant) else read_scores_of(path)
    for note in scores.notes:
        progress.note(f"{entrant.name}: {note}")
    if isinstance(entrant, RunEntrant):
        facts = dict(entrant.result.run["models"][entrant.model])
        return Entry(entrant.name, str(facts.get("title", entrant.model)), scores, own.thresholds, own.source, facts)
    facts = {**describe_scores(path, scores), "key": digest_of_scores(path)}
    return Entry(entrant.name, entrant.name, scores, own.thresholds, own.source, facts)


def _with_known_thresholds(own: Mapping[str, ModelThresholds]) -> dict[str, ModelThresholds]:
    """Give a model with the default threshold those of the other model, because a default would change its decisions."""
    known = [one for one in own.values() if one.source != "default"]
    return {name: known[0] if known and one.source == "default" else one for name, one in own.items()}


def locate_entrants(entrants: Sequence[ScoredEntrant]) -> Iterator[RecipeInput]:
    """Yield the path of the scores or of the model of each entrant, without digests."""
    for entrant in entrants:
        if isinstance(entrant, ModelEntrant):
            yield from model_inputs([_named_path(entrant)])
        else:
            path = locate_scores(entrant) if isinstance(entrant, RunEntrant) else entrant.path
            yield RecipeInput("scores", str(path.absolute()), entrant.name)


def _named_path(entrant: ModelEntrant) -> str:
    """Return `NAME=PATH` of a model that is named by its path, with the name of the entrant; empty for a card."""
    parts = parse(entrant.source)
    return f"{entrant.name}={parts.place}" if parts.name else ""


def inputs_of_entrants(entrants: Sequence[ScoredEntrant], entries: Sequence[Entry]) -> Iterator[RecipeInput]:
    """The scores that were read, and the paths of the models that are run now or that the runs were made with."""
    for entrant, entry in zip(entrants, entries, strict=True):
        if isinstance(entrant, RunEntrant):
            yield scores_input(entrant.name, locate_scores(entrant))
            for one in entrant.result.recipe.inputs:
                if (one.kind, one.name) == ("model", entrant.model) and one.digest:
                    yield one._replace(path=str((entrant.folders[-1] / one.path).absolute()), name=entrant.name)
        elif isinstance(entrant, ScoresEntrant):
            yield scores_input(entrant.name, entrant.path)
        else:
            yield from model_inputs([_named_path(entrant)], {entry.name: entry.facts.get("weights")})


def settings_for(entrants: Sequence[Entrant], asked: ComparisonOptions, dataset_folder: Path) -> Settings:
    """The settings of the first run, slices and tag groups included; without a run, the defaults of `arena run`.

    Args:
        dataset_folder: the folder of the dataset; its tag groups are used if the recipe holds none.
    """
    recipe = _first_recipe(entrants)
    settings = replace(recipe.settings, replicates=asked.replicates, seed=asked.seed)
    return settings if recipe.groups_digest is None else settings_of(Scoring(settings), dataset_folder, asked.root)


def _first_recipe(entrants: Sequence[Entrant]) -> Recipe:
    """The recipe of the first run; without a run, a recipe of defaults."""
    return next(
        (entrant.result.recipe for entrant in entrants if isinstance(entrant, RunEntrant)), Recipe(groups_digest="")
    )


def _notes(entrants: Sequence[Entrant], settings: Settings, asked: ComparisonOptions) -> list[str]:
    """Notes on settings of the runs that differ from the first run's, on lost judgements, and on the sample."""
    runs = [entrant for entrant in entrants if isinstance(entrant, RunEntrant)]
    notes = [note for run in runs[1:] for note in _other_settings(run, runs[0], settings)]
    groups = digest_groups(settings.tag_groups)
    notes += [] if asked.judgements else lost_judgements(entrants)
    for run in runs:
        if run.result.recipe.tag_groups_digest not in ("", groups):
            found = runs[0].result.recipe.groups_digest is not None
            origin = "found with the dataset or the project" if found else f"those of {shorten_word(runs[0].source)}"
            notes.append(f"the tag groups are {origin}; {shorten_word(run.source)} was made with others")
    taken = runs[0].result.recipe.dataset.sample if len(runs) > 1 else Sample()
    if taken.limit:
        notes.append(f"judged on {taken.limit:,} images of the dataset, the sample that the runs were scored on")
    return notes


def _other_settings(run: RunEntrant, first: RunEntrant, settings: Settings) -> Iterator[str]:
    """A note on every setting of a run that differs from the settings used; tag groups excepted."""
    ours = run.result.recipe.settings
    there, here = shorten_word(first.source), shorten_word(run.source)
    for key in ("min_positives", "convention", "imply"):
        if getattr(ours, key) != getattr(settings, key):
            yield f"{key} is {getattr(settings, key)}, as in {there}; {here} had {getattr(ours, key)}"
    if set(ours.slices) != set(settings.slices):
        used, other = (", ".join(one.slices) or "nothing" for one in (settings, ours))
        yield f"images are sliced by {used}, as in {there}; {here} had {other}"
