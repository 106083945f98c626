"""Both sides' scores, evaluated together: one result in which the baseline stands first and the candidate second."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from arena.base import provenance
from arena.base.errors import IncomparableError
from arena.base.files import make_folder
from arena.base.format import listed
from arena.base.progress import Progress, Silent
from arena.dataset.frozen import HeldOut
from arena.diagnostics.parity.pairs import Pair, ScoredModel, pair_up
from arena.evaluate import Entry, Settings
from arena.pipeline.display_options import Showing
from arena.pipeline.entrants import (
    BASELINES,
    Entrant,
    ModelEntrant,
    RunEntrant,
    ScoredEntrant,
    ScoresEntrant,
)
from arena.pipeline.grammar import parse
from arena.pipeline.inputs import digest_of_scores, locate_scores
from arena.pipeline.recipe import make_recipe, model_inputs, scores_input
from arena.pipeline.same_images import (
    find_ground,
    refuse_missing_images,
    refuse_no_common_tag,
    refuse_other_sets,
)
from arena.pipeline.stages import Compute, Scoring, evaluate_run, score_images, scored_entry, settings_of, write_run
from arena.pipeline.thresholds import (
    Own,
    own_thresholds,
    refuse_thresholds,
    with_files,
    with_option,
)
from arena.pipeline.truth import GivenTruth, describe_scores, read_scores_of
from arena.results.published.column import columns_of
from arena.results.published.record import Published
from arena.results.recipe import Input, Recipe, Sample, digest_groups
from arena.results.run_folder import Result
from arena.taggers.predict import ImageSource


@dataclass(frozen=True)
class Asked:
    """How a check is to be made.

    Attributes:
        dataset: name, frozen folder, or truth file; None is what the runs were scored on, else the demo's.
        part: what is taken of it.
        replicates: resamples behind every interval.
        seed: of them.
        renamed: old name -> new name of tags that were renamed.
        thresholds: name of an entrant -> threshold that replaces all of its own.
        canary: whether scores may not move though weights differ, or are not known to be the same.
    """

    dataset: str | None = None
    part: Sample = field(default_factory=Sample)
    replicates: int = Settings.replicates
    seed: int = 0
    renamed: Mapping[str, str] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    canary: bool = False
    compute: Compute = field(default_factory=Compute)
    showing: Showing = field(default_factory=Showing)
    root: Path | None = None
    baselines: Path = BASELINES
    command: str = ""


@dataclass(frozen=True)
class Joint:
    """Both sides on one ground.

    Attributes:
        result: of both, the baseline first.
        candidate, baseline: their scores, as they were evaluated.
        ground: the images and labels.
        notes: what a reader should know, a sentence each.
    """

    result: Result
    candidate: Entry
    baseline: Entry
    ground: GivenTruth
    settings: Settings
    notes: tuple[str, ...] = ()

    @property
    def pair(self) -> Pair:
        """The scores beside each other: the baseline is A, the candidate B."""
        a, b = (ScoredModel(one.name, one.scores, one.thresholds) for one in (self.baseline, self.candidate))
        return pair_up(a, b, self.ground.truth.relations)


@dataclass(frozen=True)
class Evaluated:
    """Several sides on one ground.

    Attributes:
        result: of all, in their order.
        entries: their scores, as they were evaluated.
        notes: as in `Joint`.
    """

    result: Result
    entries: tuple[Entry, ...]
    ground: GivenTruth
    settings: Settings
    notes: tuple[str, ...] = ()


def evaluate_together(
    candidate: ScoredEntrant, baseline: ScoredEntrant, folder: Path, asked: Asked, progress: Progress = Silent()
) -> Joint:
    """Read the scores of both sides, or make them, evaluate them together, and write a run folder.

    Raises:
        IncomparableError: other images, labels, or tags.
        ArenaError: what is needed is missing or damaged.
    """
    found = evaluate_entrants((baseline, candidate), folder, asked, progress, alike=True)
    first, second = found.entries
    return Joint(found.result, second, first, found.ground, found.settings, found.notes)


def evaluate_entrants(
    sides: Sequence[ScoredEntrant],
    folder: Path,
    asked: Asked,
    progress: Progress = Silent(),
    *,
    alike: bool = False,
    published: Sequence[Published] = (),
) -> Evaluated:
    """Evaluate any number of sides together, the first one's ground and ways holding for all, and write a run folder.

    Args:
        alike: of two sides, one whose thresholds nobody tells takes those of the other.
        published: published figures to show beside them.

    Raises:
        IncomparableError: other images, labels, or tags.
        ArenaError: what is needed is missing or damaged.
    """
    started = provenance.now()
    refuse_thresholds(asked.thresholds, [side.name for side in sides])
    read = {side.name: entry_of(side, asked, progress) for side in sides if not isinstance(side, ModelEntrant)}
    runs = [side for side in sides if isinstance(side, RunEntrant)]
    if not asked.part.limit:
        for run in runs[1:]:
            refuse_other_sets(run, runs[0], [read[side.name].scores.image_ids for side in (run, runs[0])])
    ground = find_ground(sides, asked.dataset, asked.part, asked.root)
    ground = ground.with_renamed({**_first_recipe(sides).renamed, **asked.renamed})
    read |= score_now([side for side in sides if isinstance(side, ModelEntrant)], ground, folder, asked, progress)
    entries = tuple(read[side.name] for side in sides)
    entries = _alike(*entries) if alike else entries
    notes = refuse_missing_images(ground.truth.image_ids, entries)
    refuse_no_common_tag(ground, entries)
    settings = settings_for(sides, asked, ground.folder)
    result = evaluate_run(ground.truth, entries, settings, progress)
    if not result.summary["compared_tags"]:
        raise IncomparableError(
            f"{listed([one.name for one in entries])}: no tag with {settings.min_positives} positives or more is known to all; "
            "name renamed tags in a CSV with the columns old,new with --aliases"
        )
    make_folder(folder)
    inputs = inputs_of_entrants(sides, entries)
    recipe = make_recipe(ground, settings, entries, inputs, command=asked.command, started=started)
    result = write_run(folder, result, recipe, ground.heldout, asked.showing, progress, columns_of(published))
    return Evaluated(result, entries, ground, settings, (*notes, *_notes(sides, settings)))


def score_now(
    sides: Sequence[ModelEntrant], ground: GivenTruth, folder: Path, asked: Asked, progress: Progress
) -> dict[str, Entry]:
    """Run models on the images of the ground; their scores are kept below the folder, and a second time only read."""
    if not sides:
        return {}
    heldout = _images(ground, sides[0])
    make_folder(folder)
    cards = [replace(side.card, name=side.name) for side in sides]
    own = {side.name: own_thresholds_of(side, asked.thresholds.get(side.name), progress) for side in sides}
    source = ImageSource(heldout.image_ids, heldout.paths, tuple(heldout.images["sha256"]), verified=True)
    relations = ground.truth.relations
    score_images(cards, source, folder / "scores", compute=asked.compute, progress=progress, relations=relations)
    return {card.name: scored_entry(card, folder / "scores" / card.name, own[card.name]) for card in cards}


def _images(ground: GivenTruth, side: ModelEntrant) -> HeldOut:
    if ground.heldout is None:
        raise IncomparableError(
            f"{side.source}: a model cannot be run on {ground.dataset.title}, which holds no images; score it elsewhere, and "
            f"give {side.name}=FILE.npz"
        )
    return ground.heldout


def own_thresholds_of(entrant: ScoredEntrant, option: float | None, progress: Progress) -> Own:
    """The thresholds of an option, else of the run, else of the model's files or its card.

    Raises:
        WeightsError: a model's files cannot be had, or the thresholds in them are wrong.
    """
    if isinstance(entrant, RunEntrant):
        source = str(entrant.result.summary["models"][entrant.model]["threshold_source"])
        return with_option(Own(entrant.result.thresholds_of(entrant.model), source), option)
    card = entrant.card
    own = own_thresholds({card.name: card.thresholds}, {})[card.name]
    return with_files(card, with_option(own, option), progress)


def entry_of(side: RunEntrant | ScoresEntrant, asked: Asked, progress: Progress) -> Entry:
    """The stored scores of a side, at the thresholds of an option, of its run, or of the card of its name."""
    own = own_thresholds_of(side, asked.thresholds.get(side.name), progress)
    path = locate_scores(side) if isinstance(side, RunEntrant) else side.path
    progress.note(f"{side.name}: reading {path}")
    scores = read_scores_of(path)
    if isinstance(side, RunEntrant):
        facts = dict(side.result.run["models"][side.model])
        return Entry(side.name, str(facts.get("title", side.model)), scores, own.thresholds, own.source, facts)
    facts = {**describe_scores(path, scores), "key": digest_of_scores(path)}
    return Entry(side.name, side.name, scores, own.thresholds, own.source, facts)


def _alike(first: Entry, second: Entry) -> tuple[Entry, Entry]:
    """Scores whose thresholds nobody tells take those of the other side: a default on one side alone flips decisions."""
    unknown = [one.threshold_source == "default" for one in (first, second)]
    if unknown == [True, False]:
        first = replace(first, thresholds=second.thresholds, threshold_source=second.threshold_source)
    if unknown == [False, True]:
        second = replace(second, thresholds=first.thresholds, threshold_source=first.threshold_source)
    return first, second


def inputs_of_entrants(sides: Sequence[ScoredEntrant], entries: Sequence[Entry]) -> Iterator[Input]:
    """The scores that were read, and the paths of models: those that are run now, and those that runs were made with."""
    for side, entry in zip(sides, entries, strict=True):
        if isinstance(side, RunEntrant):
            yield scores_input(side.name, locate_scores(side))
            for one in side.result.recipe.inputs:
                if (one.kind, one.name) == ("model", side.model) and one.digest:
                    yield one._replace(path=str((side.folders[-1] / one.path).absolute()), name=side.name)
        elif isinstance(side, ScoresEntrant):
            yield scores_input(side.name, side.path)
        else:
            parts = parse(side.source)
            spec = f"{side.name}={parts.place}" if parts.name else ""
            yield from model_inputs([spec], entry)


def settings_for(sides: Sequence[Entrant], asked: Asked, beside: Path) -> Settings:
    """As the first run was made, slices and tag groups included; without a run, as `arena run` does without options.

    Args:
        beside: the folder of the dataset, whose tag groups hold where no run names any.
    """
    recipe = _first_recipe(sides)
    settings = replace(recipe.settings, replicates=asked.replicates, seed=asked.seed)
    return settings if recipe.groups_digest is None else settings_of(Scoring(settings), beside, asked.root)


def _first_recipe(sides: Sequence[Entrant]) -> Recipe:
    """Of the first run; without a run, one of defaults."""
    return next((side.result.recipe for side in sides if isinstance(side, RunEntrant)), Recipe(groups_digest=""))


def _notes(sides: Sequence[Entrant], settings: Settings) -> list[str]:
    """What differs between the ways of runs; those of the first hold for all."""
    runs = [side for side in sides if isinstance(side, RunEntrant)]
    notes = [note for run in runs[1:] for note in _other_settings(run, runs[0], settings)]
    groups = digest_groups(settings.tag_groups)
    for run in runs:
        if run.result.recipe.tag_groups_digest not in ("", groups):
            whose = "those at hand" if runs[0].result.recipe.groups_digest is not None else f"those of {runs[0].source}"
            notes.append(f"the tag groups are {whose}; {run.source} was made with others")
    taken = runs[0].result.recipe.dataset.sample if len(runs) > 1 else Sample()
    if taken.limit:
        notes.append(f"judged on {taken.limit:,} images of the dataset, the part that the runs were scored on")
    return notes


def _other_settings(run: RunEntrant, first: RunEntrant, settings: Settings) -> Iterator[str]:
    """A note on every setting of a run that is not used; tag groups aside."""
    ours = run.result.recipe.settings
    for key in ("min_positives", "convention", "imply"):
        if getattr(ours, key) != getattr(settings, key):
            yield f"{key} is {getattr(settings, key)}, as in {first.source}; {run.source} had {getattr(ours, key)}"
    if set(ours.slices) != set(settings.slices):
        used, other = (", ".join(one.slices) or "nothing" for one in (settings, ours))
        yield f"images are sliced by {used}, as in {first.source}; {run.source} had {other}"
