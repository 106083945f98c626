"""Checkpoints (entrants in order), and their scores for one tag on one dataset."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from arena.base.errors import ArenaError, IncomparableError, nearest
from arena.cards import ModelCard, Thresholds, find_dataset
from arena.dataset.frozen import HeldOut, Truth, read_frozen
from arena.evaluate import Entry
from arena.pipeline.entrants import (
    BASELINES,
    ModelEntrant,
    RunEntrant,
    ScoredEntrant,
    ScoresEntrant,
    find_entrant,
    give_unique_names,
    require_scores,
)
from arena.pipeline.inputs import find_truth, scores_of_run
from arena.pipeline.output import claim_folder
from arena.pipeline.paired import thresholds_of_entrant
from arena.pipeline.stages import DEMO_DATASET, Execution, identify_model, score_images
from arena.results.recipe import Sample
from arena.scores.matrix import Matrix
from arena.scores.store import Scores, ScoreStore
from arena.taggers.predict import ImageSource, scores_key
from arena.tags import TagSpace, project


def find_checkpoints(
    specs: Sequence[str], *, root: Path | None = None, baselines: Path = BASELINES
) -> list[ScoredEntrant]:
    """Resolve a list of checkpoints, in its order, and give them unique names.

    Raises:
        ArenaError: there are fewer than two checkpoints, or one is missing, named twice, or a published file.
    """
    if len(specs) < 2:
        raise ArenaError("arena baseline bisect: name two or more checkpoints in their order; the first must be good")
    found = [
        require_scores(find_entrant(spec, root=root, baselines=baselines), "arena baseline bisect") for spec in specs
    ]
    return give_unique_names(found)


class CheckpointScores:
    """Scores of checkpoints for one tag on the images of one dataset; missing scores are computed on demand.

    Args:
        tag: the tag, in any spelling that the dataset knows.
        dataset: a name or a frozen folder; None is the dataset of the first run among the checkpoints, else the demo dataset.
        sample: random sample of the dataset; without a limit, the sample of the first run.
        execution: devices, cards and progress.
        output: folder of the scores, so that an interrupted command continues.

    Raises:
        ArenaError: there is no such dataset or tag, or no image has the tag.
    """

    def __init__(
        self,
        checkpoints: Sequence[ScoredEntrant],
        tag: str,
        *,
        dataset: str | None,
        output: Path,
        sample: Sample = Sample(),
        execution: Execution = Execution(),
    ) -> None:
        self.checkpoints, self.output = checkpoints, output
        self.compute, self.progress = execution.compute, execution.progress
        claim_folder(output)
        runs = [one for one in checkpoints if isinstance(one, RunEntrant)]
        part = runs[0].result.recipe.dataset.sample if runs and not sample.limit else sample
        self.heldout = _images_of(dataset, runs, execution.root).sample(*part)
        self.truth = _of_tag(self.heldout, tag)
        self.tag = self.truth.tags.names[0]
        self.images, self.positives = len(self.heldout), int(self.truth.values.sum())

    @property
    def source(self) -> ImageSource:
        """The images."""
        held = self.heldout
        return ImageSource(held.image_ids, held.paths, tuple(held.images["sha256"]), verified=True)

    def is_at_hand(self, place: int) -> bool:
        """Whether the scores of a checkpoint are stored, so that a test needs no run of the model."""
        checkpoint = self.checkpoints[place]
        if isinstance(checkpoint, RunEntrant):
            return True
        try:
            return len(self._store(_card_of(checkpoint)).read().image_ids) > 0
        except ArenaError:
            return False

    def entry(self, place: int) -> Entry | None:
        """The scores of a checkpoint for the tag, computed if they are missing; None if it does not know the tag.

        Raises:
            ArenaError: the model cannot be run, or the run holds no scores.
            IncomparableError: the run was scored on other images.
        """
        checkpoint = self.checkpoints[place]
        if isinstance(checkpoint, RunEntrant):
            scores, thresholds = self._of_run(checkpoint)
        else:
            scores, thresholds = self._of_model(checkpoint)
        return self._column(checkpoint.name, scores, thresholds)

    def _of_run(self, run: RunEntrant) -> tuple[Scores, Thresholds | None]:
        digest = run.result.recipe.dataset.digest
        if digest and digest != self.heldout.digest:
            raise IncomparableError(
                f"{run.source}: scored on other images ({digest[:12]}) than {self.heldout.card.name} "
                f"({self.heldout.digest[:12]}); name checkpoints of one dataset, or set the dataset with --dataset"
            )
        rows = run.result.tags_of(run.model)
        own = rows.loc[rows["truth_tag"] == self.tag, "threshold"]
        return scores_of_run(run), Thresholds(float(str(own.iloc[0]))) if len(own) else None

    def _of_model(self, checkpoint: ModelEntrant | ScoresEntrant) -> tuple[Scores, Thresholds]:
        card, relations = _card_of(checkpoint), self.heldout.truth.relations
        folder = self.output / "scores"
        stores = score_images(
            [card], self.source, folder, compute=self.compute, progress=self.progress, relations=relations
        )
        return stores[card.name].read(), thresholds_of_entrant(checkpoint, None, self.progress).thresholds

    def _store(self, card: ModelCard) -> ScoreStore:
        facts = identify_model(card, self.compute, self.heldout.truth.relations, self.progress)
        key = scores_key(facts, self.source)
        return ScoreStore(self.output / "scores" / card.name, key=key, shards=self.source.shards)

    def _column(self, name: str, scores: Scores, thresholds: Thresholds | None) -> Entry | None:
        """The scores reduced to the column of the tag; None if there is no such column, or no threshold for it."""
        column = int(project(scores.tags, self.truth.tags, self.truth.relations)[0])
        if column < 0 or thresholds is None:
            return None
        tags = scores.tags
        one = TagSpace((tags.names[column],), None if tags.categories is None else (tags.categories[column],))
        values = Matrix.of(scores.values.columns(np.array([column]), None))
        return Entry(name, name, replace(scores, tags=one, values=values), thresholds, "card")


def _card_of(checkpoint: ModelEntrant | ScoresEntrant) -> ModelCard:
    """The card of a model or of stored scores, under the checkpoint's name."""
    return replace(checkpoint.card, name=checkpoint.name)


def _images_of(dataset: str | None, runs: Sequence[RunEntrant], root: Path | None) -> HeldOut:
    """The named dataset, else that of the first run, else the demo dataset."""
    found = find_truth(runs[0].result, runs[0].folders, root) if runs and dataset is None else None
    if found is not None and found.heldout is not None:
        return found.heldout
    named = runs[0].result.recipe.dataset.name if runs else ""
    return read_frozen(find_dataset(dataset or named or DEMO_DATASET, root))


def _of_tag(heldout: HeldOut, tag: str) -> Truth:
    """The truth of one tag; `tag` may be any spelling that the dataset knows.

    Raises:
        ArenaError: the dataset does not know the tag, or no image has it.
    """
    truth = heldout.truth
    name = tag if tag in truth.tags.index else truth.relations.canonical(tag)
    if name not in truth.tags.index:
        close = nearest(tag, truth.tags.names)
        hint = close if close.startswith("Did") else f"arena ls tags -d {heldout.card.name} lists its tags"
        raise ArenaError(f"--tag {tag}: no tag of {heldout.card.name}. {hint}")
    column = truth.tags.index[name]
    values = truth.values[:, [column]]
    if not values.sum():
        raise ArenaError(
            f"--tag {tag}: none of {len(heldout):,} images of {heldout.card.name} has it; take more images"
        )
    one = TagSpace((name,), (truth.tags.category(column),))
    known = None if truth.known is None else truth.known.columns(np.array([column]))
    return Truth.of(
        truth.image_ids, one, values, relations=truth.relations, groups=truth.groups, known=known, weights=truth.weights
    )
