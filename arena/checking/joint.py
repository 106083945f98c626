"""Both sides' scores, evaluated together: one result in which the baseline stands first and the candidate second."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from arena.cards import ModelCard
from arena.checking.aliases import with_aliases
from arena.checking.ground import find_ground, refuse_missing_images, refuse_no_common_tag, refuse_other_sets
from arena.checking.recorded import Sample, facts_of, sample_of, scores_of_run, thresholds_of_run
from arena.checking.sides import BASELINES, Given, ModelSide, PublishedSide, RunSide, ScoresSide
from arena.digests import digest_file
from arena.errors import IncomparableError
from arena.evaluate import Entry, Settings
from arena.given import GivenTruth, read_scores_of
from arena.heldout.dataset import HeldOut
from arena.own_thresholds import Own, describe_own, own_thresholds, thresholds_of_cards, with_files
from arena.parity.pairs import Pair, pair_up
from arena.parity.pairs import Side as PairSide
from arena.pipeline import (
    Compute,
    Scoring,
    evaluate_run,
    make_folder,
    score_images,
    scored_entry,
    settings_of,
    write_run,
)
from arena.progress import Progress, Silent
from arena.result import Result
from arena.scores.pace import describe_pace
from arena.scores.predict import ImageSource
from arena.scores.store import read_facts
from arena.showing import Showing

Scored = RunSide | ScoresSide | ModelSide
"""A side that has scores, or gets them."""


@dataclass(frozen=True)
class Asked:
    """How a check is to be made.

    Attributes:
        dataset: name, frozen folder, or truth file; None is what the runs were scored on, else the demo's.
        part: what is taken of it.
        replicates: resamples behind every interval.
        seed: of them.
        renamed: old name -> new name of tags that were renamed.
        canary: whether scores may not move though weights differ, or are not known to be the same.
    """

    dataset: str | None = None
    part: Sample = field(default_factory=Sample)
    replicates: int = Settings.replicates
    seed: int = 0
    renamed: Mapping[str, str] = field(default_factory=dict)
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
        a, b = (PairSide(one.name, one.scores, one.thresholds) for one in (self.baseline, self.candidate))
        return pair_up(a, b, self.ground.truth.relations)


def evaluate_together(
    candidate: Scored, baseline: Scored, folder: Path, asked: Asked, progress: Progress = Silent()
) -> Joint:
    """Read the scores of both sides, or make them, evaluate them together, and write a run folder.

    Raises:
        IncomparableError: other images, labels, or tags.
        ArenaError: what is needed is missing or damaged.
    """
    read = {side.name: entry_of(side, asked.root, progress) for side in (candidate, baseline) if not _runs(side)}
    if isinstance(candidate, RunSide) and isinstance(baseline, RunSide) and not asked.part.limit:
        scored = [read[side.name].scores.image_ids for side in (candidate, baseline)]
        refuse_other_sets(candidate, baseline, scored)
    ground = find_ground((baseline, candidate), asked.dataset, asked.part, asked.root)
    ground = ground._replace(truth=with_aliases(ground.truth, asked.renamed))
    models = [side for side in (baseline, candidate) if isinstance(side, ModelSide)]
    read |= score_now(models, ground, folder, asked, progress)
    second, first = _alike(read[candidate.name], read[baseline.name])
    notes = refuse_missing_images(ground.truth.image_ids, (second, first))
    refuse_no_common_tag(ground, (second, first))
    scoring = Scoring(settings_for((baseline, candidate), asked))
    settings = settings_of(scoring, ground.folder, asked.root)
    result = evaluate_run(ground.truth, [first, second], settings, ground.facts, asked.command, progress, None)
    if not result.summary["compared_tags"]:
        raise IncomparableError(
            f"{second.name} and {first.name}: no tag with {settings.min_positives} positives or more is known to both; name "
            "renamed tags in a file old,new with --aliases"
        )
    make_folder(folder)
    write_run(folder, result, ground.heldout, asked.showing, progress)
    return Joint(result, second, first, ground, settings, (*notes, *_notes((candidate, baseline))))


def score_now(
    sides: Sequence[ModelSide], ground: GivenTruth, folder: Path, asked: Asked, progress: Progress
) -> dict[str, Entry]:
    """Run models on the images of the ground; their scores are kept below the folder, and a second time only read."""
    if not sides:
        return {}
    heldout = _images(ground, sides[0])
    make_folder(folder)
    cards = [replace(side.card, name=side.name) for side in sides]
    own = {card.name: with_files(card, one, progress) for card, one in zip(cards, _own(cards), strict=True)}
    source = ImageSource(heldout.image_ids, heldout.paths, tuple(heldout.images["sha256"]), verified=True)
    relations = ground.truth.relations
    score_images(cards, source, folder / "scores", compute=asked.compute, progress=progress, relations=relations)
    return {card.name: scored_entry(card, folder / "scores" / card.name, own[card.name]) for card in cards}


def _own(cards: Sequence[ModelCard]) -> list[Own]:
    return list(own_thresholds({card.name: card.thresholds for card in cards}, {}).values())


def _images(ground: GivenTruth, side: ModelSide) -> HeldOut:
    if ground.heldout is None:
        raise IncomparableError(
            f"{side.source}: a model cannot be run on {ground.facts['title']}, which holds no images; score it elsewhere, and "
            f"give {side.name}=FILE.npz"
        )
    return ground.heldout


def _runs(side: Given) -> bool:
    return isinstance(side, (ModelSide, PublishedSide))


def entry_of(side: Given, root: Path | None, progress: Progress) -> Entry:
    """The stored scores of a side, at the thresholds of its run or of the card of its name."""
    if isinstance(side, RunSide):
        own, facts = thresholds_of_run(side), facts_of(side)
        progress.note(f"{side.name}: reading the scores of {side.folder}")
        scores = scores_of_run(side)
        return Entry(side.name, str(facts.get("title", side.model)), scores, own.thresholds, own.source, facts)
    assert isinstance(side, ScoresSide)
    progress.note(f"{side.name}: reading {side.path}")
    scores = read_scores_of(side.path)
    told = own_thresholds(thresholds_of_cards([side.name], root), {})[side.name]
    known = {"scores": side.path.name, "key": digest_file(side.path)} if side.path.is_file() else read_facts(side.path)
    facts = {**known, **describe_pace(scores.timed), "thresholds": describe_own(told)}
    return Entry(side.name, side.name, scores, told.thresholds, told.source, facts)


def _alike(candidate: Entry, baseline: Entry) -> tuple[Entry, Entry]:
    """Scores whose thresholds nobody tells take those of the other side: a default on one side alone flips decisions."""
    unknown = [one.threshold_source == "default" for one in (candidate, baseline)]
    if unknown == [True, False]:
        candidate = replace(candidate, thresholds=baseline.thresholds, threshold_source=baseline.threshold_source)
    if unknown == [False, True]:
        baseline = replace(baseline, thresholds=candidate.thresholds, threshold_source=candidate.threshold_source)
    return candidate, baseline


def settings_for(sides: Sequence[Given], asked: Asked) -> Settings:
    """As the baseline's run was made, or else the candidate's."""
    runs = [side.result.summary for side in sides if isinstance(side, RunSide)]
    told = runs[0] if runs else {}
    return Settings(
        told.get("min_positives", Settings.min_positives), told.get("convention", Settings.convention), asked.replicates,
        asked.seed, imply=bool(told.get("imply", False)),
    )  # fmt: skip


def _notes(sides: Sequence[Given]) -> list[str]:
    """What differs between the ways of two runs; the baseline's hold for both."""
    runs = [side for side in sides if isinstance(side, RunSide)]
    if len(runs) < 2:
        return []
    candidate, baseline = (run.result.summary for run in runs)
    differing = [key for key in ("min_positives", "convention", "imply") if candidate.get(key) != baseline.get(key)]
    notes = [
        f"{key} is {baseline[key]}, as in {runs[1].source}; {runs[0].source} had {candidate[key]}" for key in differing
    ]
    if sample_of(runs[1]).limit:
        notes.append(
            f"judged on {sample_of(runs[1]).limit:,} images of the dataset, the part that both runs were scored on"
        )
    return notes
