"""Checkpoints as a user names them, models or runs, and their scores of one tag on one set of images."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from arena.base.errors import ArenaError, IncomparableError, nearest
from arena.base.files import make_folder
from arena.base.progress import Progress
from arena.cards import ModelCard, Thresholds, find_dataset, find_model
from arena.dataset.frozen import HeldOut, Truth, read_frozen
from arena.evaluate import Entry
from arena.pipeline.stages import DEMO_DATASET, Compute, score_images
from arena.pipeline.thresholds import own_thresholds, with_files
from arena.results.named import NamedRun, is_run, read_named
from arena.scores.matrix import Matrix
from arena.scores.store import Scores, ScoreStore, read_store
from arena.taggers.predict import ImageSource
from arena.tags import TagSpace, project


@dataclass(frozen=True)
class Checkpoint:
    """One of the list: a model that may have to be run, or a run whose scores are there.

    Attributes:
        name: unique in the list.
        source: a model's card, or one model of a run.
    """

    name: str
    source: ModelCard | NamedRun


def find_checkpoints(specs: Sequence[str], root: Path | None = None) -> list[Checkpoint]:
    """The checkpoints of a list, in its order: `RUN`, `RUN:MODEL`, a card, or `NAME=` before a path to any of these.

    Raises:
        ArenaError: less than two, one that is not there, or two of one name.
    """
    if len(specs) < 2:
        raise ArenaError("arena baseline bisect: name two checkpoints or more, the first one good, in their order")
    found = [_find(spec, root) for spec in specs]
    twice = [name for name, number in Counter(one.name for one in found).items() if number > 1]
    if twice:
        raise ArenaError(f"checkpoints: {twice[0]} is named twice; give each a name of its own, as in NAME=PATH")
    return found


def _find(spec: str, root: Path | None) -> Checkpoint:
    if is_run(spec):
        run = read_named(spec)
        return Checkpoint(run.model if len(run.result.models) > 1 else run.folder.resolve().name, run)
    name, separator, path = spec.partition("=")
    if separator and is_run(path):
        return Checkpoint(name, read_named(path))
    card = find_model(spec, root)
    return Checkpoint(card.name, card)


class Bench:
    """Scores of checkpoints on the images of one dataset, made where they are missing, for one tag.

    Args:
        dataset: a name or a frozen folder; None is that of the first run among the checkpoints, else the demo's.
        output: where scores are kept, so that the same command continues.

    Raises:
        ArenaError: no such dataset, no such tag, or no image that carries it.
    """

    def __init__(
        self,
        checkpoints: Sequence[Checkpoint],
        tag: str,
        *,
        dataset: str | None,
        output: Path,
        limit: int | None = None,
        seed: int = 0,
        compute: Compute = Compute(),
        root: Path | None = None,
        progress: Progress,
    ) -> None:
        self.checkpoints, self.output, self.compute, self.progress = checkpoints, output, compute, progress
        make_folder(output)
        name = dataset or _dataset_of(checkpoints)
        self.heldout = read_frozen(find_dataset(name, root)).sample(limit, seed)
        self.truth = _of_tag(self.heldout, tag)
        self.tag = self.truth.tags.names[0]
        self.images, self.positives = len(self.heldout), int(self.truth.values.sum())

    @property
    def source(self) -> ImageSource:
        """The images."""
        held = self.heldout
        return ImageSource(held.image_ids, held.paths, tuple(held.images["sha256"]), verified=True)

    def is_at_hand(self, place: int) -> bool:
        """Whether its scores are there already, so that a look at it costs no run of a model."""
        checkpoint = self.checkpoints[place]
        if isinstance(checkpoint.source, NamedRun):
            return True
        folder = self.output / "scores" / checkpoint.name
        try:
            return len(read_store(folder).image_ids) > 0 and not self._store(checkpoint.source).missing()
        except ArenaError:
            return False

    def entry(self, place: int) -> Entry | None:
        """The scores of a checkpoint, run now where they are missing; None where it does not know the tag.

        Raises:
            ArenaError: it cannot be run, or its run holds no scores.
            IncomparableError: its run is of other images.
        """
        checkpoint = self.checkpoints[place]
        if isinstance(checkpoint.source, NamedRun):
            scores, thresholds = self._of_run(checkpoint.source)
        else:
            scores, thresholds = self._of_model(checkpoint.source)
        return self._column(checkpoint.name, scores, thresholds)

    def _of_run(self, run: NamedRun) -> tuple[Scores, Thresholds | None]:
        digest = run.result.recipe.dataset.digest
        if digest and digest != self.heldout.digest:
            raise IncomparableError(
                f"{run.folder}: scored on other images ({digest[:12]}) than {self.heldout.card.name} "
                f"({self.heldout.digest[:12]}); give checkpoints of one dataset, or its name with --dataset"
            )
        folder = run.folder / "scores" / run.model
        if not (folder / "store.json").is_file():
            raise ArenaError(f"{folder}: the run keeps no scores of {run.model}; name its model as NAME=PATH instead")
        rows = run.result.tags_of(run.model)
        own = rows.loc[rows["truth_tag"] == self.tag, "threshold"]
        return read_store(folder), Thresholds(float(str(own.iloc[0]))) if len(own) else None

    def _of_model(self, card: ModelCard) -> tuple[Scores, Thresholds]:
        relations = self.heldout.truth.relations
        folder = self.output / "scores"
        score_images([card], self.source, folder, compute=self.compute, progress=self.progress, relations=relations)
        own = with_files(card, own_thresholds({card.name: card.thresholds}, {})[card.name], self.progress)
        return read_store(folder / card.name), own.thresholds

    def _store(self, card: ModelCard) -> ScoreStore:
        from arena import taggers
        from arena.base import provenance

        ways = {"device": self.compute.device, "precision": self.compute.precision}
        facts = taggers.identify(card, **ways, relations=self.heldout.truth.relations)
        key = provenance.digest({**facts, "images": self.source.digest})
        return ScoreStore(self.output / "scores" / card.name, key=key, shards=self.source.shards)

    def _column(self, name: str, scores: Scores, thresholds: Thresholds | None) -> Entry | None:
        """The one column that stands for the tag."""
        column = int(project(scores.tags, self.truth.tags, self.truth.relations)[0])
        if column < 0 or thresholds is None:
            return None
        tags = scores.tags
        one = TagSpace((tags.names[column],), None if tags.categories is None else (tags.categories[column],))
        values = Matrix.of(scores.values.columns(np.array([column]), None))
        return Entry(name, name, replace(scores, tags=one, values=values), thresholds, "card")


def _dataset_of(checkpoints: Sequence[Checkpoint]) -> str:
    runs = [one.source for one in checkpoints if isinstance(one.source, NamedRun)]
    return (runs[0].result.recipe.dataset.name if runs else "") or DEMO_DATASET


def _of_tag(heldout: HeldOut, tag: str) -> Truth:
    """The truth of one tag, in any spelling that the dataset knows."""
    truth = heldout.truth
    name = tag if tag in truth.tags.index else truth.relations.canonical(tag)
    if name not in truth.tags.index:
        close = nearest(tag, truth.tags.names)
        told = close if close.startswith("Did") else f"arena ls tags -d {heldout.card.name} lists its tags"
        raise ArenaError(f"--tag {tag}: no tag of {heldout.card.name}. {told}")
    column = truth.tags.index[name]
    values = truth.values[:, [column]]
    if not values.sum():
        raise ArenaError(f"--tag {tag}: none of {len(heldout):,} images of {heldout.card.name} carries it; take more")
    one = TagSpace((name,), (truth.tags.category(column),))
    return Truth.of(truth.image_ids, one, values, relations=truth.relations, groups=truth.groups)
