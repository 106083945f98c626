"""Both sides' scores, evaluated together: one result in which the baseline stands first and the candidate second."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from arena.base.errors import IncomparableError
from arena.base.files import digest_file, make_folder
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
from arena.pipeline.recipe import Sample, facts_of, sample_of, scores_of_run, thresholds_of_run
from arena.pipeline.same_images import (
    find_ground,
    refuse_missing_images,
    refuse_no_common_tag,
    refuse_other_sets,
    with_aliases,
)
from arena.pipeline.stages import Compute, Scoring, evaluate_run, score_images, scored_entry, settings_of, write_run
from arena.pipeline.thresholds import (
    Own,
    describe_own,
    own_thresholds,
    refuse_thresholds,
    with_files,
    with_option,
)
from arena.pipeline.truth import GivenTruth, read_scores_of
from arena.results.published.column import columns_of
from arena.results.published.record import Published
from arena.results.run_folder import Result
from arena.scores.store import describe_throughput, read_facts
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
    refuse_thresholds(asked.thresholds, [side.name for side in sides])
    read = {side.name: entry_of(side, asked, progress) for side in sides if not isinstance(side, ModelEntrant)}
    runs = [side for side in sides if isinstance(side, RunEntrant)]
    if not asked.part.limit:
        for run in runs[1:]:
            refuse_other_sets(run, runs[0], [read[side.name].scores.image_ids for side in (run, runs[0])])
    ground = find_ground(sides, asked.dataset, asked.part, asked.root)
    ground = ground._replace(truth=with_aliases(ground.truth, asked.renamed))
    read |= score_now([side for side in sides if isinstance(side, ModelEntrant)], ground, folder, asked, progress)
    entries = tuple(read[side.name] for side in sides)
    entries = _alike(*entries) if alike else entries
    notes = refuse_missing_images(ground.truth.image_ids, entries)
    refuse_no_common_tag(ground, entries)
    settings = settings_of(Scoring(settings_for(sides, asked)), ground.folder, asked.root)
    result = evaluate_run(ground.truth, entries, settings, ground.facts, asked.command, progress, None)
    if not result.summary["compared_tags"]:
        raise IncomparableError(
            f"{listed([one.name for one in entries])}: no tag with {settings.min_positives} positives or more is known to all; "
            "name renamed tags in a CSV with the columns old,new with --aliases"
        )
    make_folder(folder)
    write_run(folder, result, ground.heldout, asked.showing, progress, columns_of(published))
    return Evaluated(result, entries, ground, settings, (*notes, *_notes(sides)))


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
            f"{side.source}: a model cannot be run on {ground.facts['title']}, which holds no images; score it elsewhere, and "
            f"give {side.name}=FILE.npz"
        )
    return ground.heldout


def own_thresholds_of(entrant: ScoredEntrant, option: float | None, progress: Progress) -> Own:
    """The thresholds of an option, else of the run, else of the model's files or its card.

    Raises:
        WeightsError: a model's files cannot be had, or the thresholds in them are wrong.
    """
    if isinstance(entrant, RunEntrant):
        return with_option(thresholds_of_run(entrant), option)
    card = entrant.card
    own = own_thresholds({card.name: card.thresholds}, {})[card.name]
    return with_files(card, with_option(own, option), progress)


def entry_of(side: RunEntrant | ScoresEntrant, asked: Asked, progress: Progress) -> Entry:
    """The stored scores of a side, at the thresholds of an option, of its run, or of the card of its name."""
    option = asked.thresholds.get(side.name)
    own = own_thresholds_of(side, option, progress)
    if isinstance(side, RunEntrant):
        facts = facts_of(side) | ({} if option is None else {"thresholds": describe_own(own)})
        progress.note(f"{side.name}: reading the scores of {side.folder}")
        scores = scores_of_run(side)
        return Entry(side.name, str(facts.get("title", side.model)), scores, own.thresholds, own.source, facts)
    progress.note(f"{side.name}: reading {side.path}")
    scores = read_scores_of(side.path)
    known = {"scores": side.path.name, "key": digest_file(side.path)} if side.path.is_file() else read_facts(side.path)
    facts = {**known, **describe_throughput(scores.timed), "thresholds": describe_own(own)}
    return Entry(side.name, side.name, scores, own.thresholds, own.source, facts)


def _alike(first: Entry, second: Entry) -> tuple[Entry, Entry]:
    """Scores whose thresholds nobody tells take those of the other side: a default on one side alone flips decisions."""
    unknown = [one.threshold_source == "default" for one in (first, second)]
    if unknown == [True, False]:
        first = replace(first, thresholds=second.thresholds, threshold_source=second.threshold_source)
    if unknown == [False, True]:
        second = replace(second, thresholds=first.thresholds, threshold_source=first.threshold_source)
    return first, second


def settings_for(sides: Sequence[Entrant], asked: Asked) -> Settings:
    """As the first run was made."""
    runs = [side.result.summary for side in sides if isinstance(side, RunEntrant)]
    told = runs[0] if runs else {}
    return Settings(
        told.get("min_positives", Settings.min_positives), told.get("convention", Settings.convention), asked.replicates,
        asked.seed, imply=bool(told.get("imply", False)),
    )  # fmt: skip


def _notes(sides: Sequence[Entrant]) -> list[str]:
    """What differs between the ways of runs; those of the first hold for all."""
    runs = [side for side in sides if isinstance(side, RunEntrant)]
    notes = []
    for run in runs[1:]:
        ours, first = run.result.summary, runs[0].result.summary
        notes += [
            f"{key} is {first[key]}, as in {runs[0].source}; {run.source} had {ours[key]}"
            for key in ("min_positives", "convention", "imply")
            if ours.get(key) != first.get(key)
        ]
    if len(runs) > 1 and sample_of(runs[0]).limit:
        notes.append(
            f"judged on {sample_of(runs[0]).limit:,} images of the dataset, the part that the runs were scored on"
        )
    return notes
