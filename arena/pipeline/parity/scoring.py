"""Score the two models of a parity comparison, or read their stored scores; a missing sigmoid is detected."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from arena import taggers
from arena.base.errors import ArenaError, IncomparableError, ScoresError, UnreadableImageError
from arena.base.progress import Progress
from arena.cards import ModelCard, find_dataset
from arena.dataset.files import file_stamp
from arena.dataset.frozen import read_frozen
from arena.dataset.readers import list_images
from arena.diagnostics.parity.pairs import ScoredModel
from arena.images.decode import decode_on
from arena.images.places import ImagePlace
from arena.pipeline.entrants import ModelEntrant, RunEntrant, ScoresEntrant
from arena.pipeline.inputs import scores_of_run
from arena.pipeline.stages import Compute, score_images
from arena.pipeline.thresholds import ModelThresholds
from arena.pipeline.truth import read_scores_of
from arena.scores.matrix import Matrix
from arena.scores.npz import read_scores
from arena.scores.sparse import SUFFIX, read_sparse
from arena.scores.store import ROUNDING, Scores, ScoreStore, read_store_facts
from arena.taggers.predict import ImageSource
from arena.taggers.preprocess import square
from arena.tags import TagRelations

_PROBED_IMAGES = 4
"""Images that are scored to detect whether a network outputs logits."""


class RunnableModel(NamedTuple):
    """A model, and the device and precision that it runs with."""

    card: ModelCard
    compute: Compute


class ParityImages(NamedTuple):
    """The images that both models are run on, and the aliases of their tags."""

    name: str
    source: ImageSource
    relations: TagRelations


StoredEntrant = RunEntrant | ScoresEntrant
"""An entrant whose scores are only read."""


def runnable_model(entrant: ModelEntrant, own: ModelThresholds, compute: Compute) -> RunnableModel:
    """The model of an entrant, under the entrant's name and with these thresholds."""
    return RunnableModel(replace(entrant.card, name=entrant.name, thresholds=own.thresholds), compute)


def read_stored(entrant: StoredEntrant) -> ScoredModel:
    """Read stored scores, without thresholds; a file with values outside [0, 1] is taken as logits.

    Raises:
        ArenaError: there are no scores, or they are damaged or contain NaN.
    """
    if isinstance(entrant, RunEntrant):
        return ScoredModel(entrant.name, scores_of_run(entrant), ran=_ran(entrant.result.run["models"][entrant.model]))
    return _read_scores(entrant.name, entrant.path)


def at_thresholds(scored: ScoredModel, own: ModelThresholds, *, other: ModelThresholds) -> ScoredModel:
    """Add thresholds to stored scores: their own, or those of the other model if only their own are unknown.

    With the default of 0.5 for one model alone, equal scores could lead to different decisions.
    """
    borrowed = own.source == "default" != other.source
    return replace(scored, thresholds=(other if borrowed else own).thresholds, borrowed=borrowed)


def parity_images(
    images: Path | None, dataset: str | None, *, limit: int | None, seed: int, root: Path | None
) -> ParityImages:
    """The first `limit` images below a folder by name, or a random sample of a dataset.

    Raises:
        ArenaError: there is no such folder or dataset.
    """
    if images is None:
        heldout = read_frozen(find_dataset(dataset or "", root)).sample(limit, seed)
        source = ImageSource(heldout.image_ids, heldout.paths, tuple(heldout.images["sha256"]), verified=True)
        return ParityImages(heldout.card.name, source, heldout.truth.relations)
    listed = dict(list(list_images(images).items())[:limit])
    digests = tuple(map(file_stamp, listed.values()))
    source = ImageSource(tuple(listed), tuple(listed.values()), digests, verified=False)
    return ParityImages(images.resolve().name, source, TagRelations())


def images_with_scores(images: ParityImages, stored: ScoredModel) -> ParityImages:
    """The images that a model has scores of.

    Raises:
        IncomparableError: there is none.
    """
    old, scored = images.source, set(stored.scores.image_ids)
    kept = [row for row, image_id in enumerate(old.image_ids) if image_id in scored]
    if not kept:
        raise IncomparableError(
            f"{stored.name} has scores of none of the images of {images.name} (its first is {_first(stored.scores.image_ids)}, "
            f"theirs {_first(old.image_ids)}); name the images that it scored"
        )
    ids, digests = (tuple(column[row] for row in kept) for column in (old.image_ids, old.digests))
    paths = tuple(old.paths[row] for row in kept)
    return images._replace(source=replace(old, image_ids=ids, paths=paths, digests=digests))


def refuse_overwriting(folder: Path, runner: RunnableModel, stored: StoredEntrant) -> None:
    """Refuse a folder in which the model's new scores would replace the scores that it is compared with.

    Raises:
        ArenaError: they would.
    """
    path = stored.folder / "scores" / stored.model if isinstance(stored, RunEntrant) else stored.path
    if path.resolve().is_relative_to((folder / runner.card.name).resolve()):
        raise ArenaError(f"--keep {folder}: new scores of {runner.card.name} would replace {path}; name another folder")


def score_models(
    ran: Sequence[RunnableModel], images: ParityImages, folder: Path, progress: Progress
) -> list[ScoredModel]:
    """Run the models; models with the same device and precision share decoded images. An interrupted call continues.

    A model whose card declares probabilities but whose output is logits is run again with a sigmoid; `missing_sigmoid` is then
    true in its result.
    """
    for caution in dict.fromkeys(one.card.caution for one in ran if one.card.caution):
        progress.note(caution)
    try:
        stores = _run(ran, images, folder, progress)
    except ScoresError as error:
        repaired = [_with_sigmoid(one, images.source) for one in ran]
        if repaired == list(ran):
            raise
        progress.note(f"{error}; scoring again with one")
        stores = _run(repaired, images, folder, progress)
        return [_scored_model(new, stores[new.card.name], new != old) for new, old in zip(repaired, ran, strict=True)]
    return [_scored_model(one, stores[one.card.name]) for one in ran]


def files_of(source: ImageSource, image_ids: Sequence[str]) -> list[ImagePlace]:
    """The files of some images, in their order."""
    path = dict(zip(source.image_ids, source.paths, strict=True))
    return [path[image_id] for image_id in image_ids]


def _first(image_ids: Sequence[str]) -> str:
    return repr(image_ids[0]) if image_ids else "none"


def _run(ran: Sequence[RunnableModel], images: ParityImages, folder: Path, progress: Progress) -> dict[str, ScoreStore]:
    stores: dict[str, ScoreStore] = {}
    for compute in dict.fromkeys(one.compute for one in ran):
        cards = [one.card for one in ran if one.compute == compute]
        stores |= score_images(
            cards, images.source, folder, compute=compute, progress=progress, relations=images.relations
        )
    return stores


def _scored_model(runner: RunnableModel, store: ScoreStore, missing_sigmoid: bool = False) -> ScoredModel:
    return ScoredModel(
        runner.card.name,
        store.read(),
        runner.card.thresholds,
        missing_sigmoid,
        ran=_ran(read_store_facts(store.folder, key=store.key)),
    )


def _ran(facts: Mapping[str, Any]) -> str:
    """Precision and device from the facts of stored scores; empty if unknown."""
    return f"{facts['precision']} on {facts['device']}" if {"precision", "device"} <= facts.keys() else ""


def _with_sigmoid(runner: RunnableModel, source: ImageSource) -> RunnableModel:
    """The same model; if its output is logits, its card says so."""
    return runner._replace(card=replace(runner.card, output="logits")) if _gives_logits(runner, source) else runner


def _gives_logits(runner: RunnableModel, source: ImageSource) -> bool:
    """Whether a network declared to output probabilities outputs finite numbers outside [0, 1]."""
    if runner.card.output != "probabilities" or runner.card.adapter == "ensemble":
        return False  # only the members of an ensemble can lack a sigmoid
    tagger = taggers.load(runner.card, device=runner.compute.device, precision=runner.compute.precision)
    images = []
    for path in source.paths:
        try:
            background = tagger.preprocess.alpha
            images.append(square(decode_on(path, {background})[background], tagger.preprocess))
        except (UnreadableImageError, OSError):
            continue
        if len(images) == _PROBED_IMAGES:
            break
    values = tagger.scores(np.stack(images)) if images else np.zeros((0, 1), np.float32)
    return bool(np.isfinite(values).all() and ((values < -ROUNDING) | (values > 1 + ROUNDING)).any())


def _read_scores(name: str, path: Path) -> ScoredModel:
    """Read scores without thresholds; if a file has values outside [0, 1], a sigmoid is applied to all its values."""
    if path.is_dir():
        return ScoredModel(name, read_scores_of(path), ran=_ran(read_store_facts(path)))
    if path.suffix == SUFFIX:
        return ScoredModel(name, read_sparse(path))
    scores = read_scores(path, checked=False)
    low, high = _range(scores, path)
    if low >= 0 and high <= 1:
        return ScoredModel(name, scores)
    probabilities = 0.5 + 0.5 * np.tanh(0.5 * scores.values.read().astype(np.float32))
    return ScoredModel(name, replace(scores, values=Matrix.of(probabilities)), missing_sigmoid=True)


def _range(scores: Scores, path: Path) -> tuple[float, float]:
    """The smallest and the largest score.

    Raises:
        ScoresError: a value is NaN.
    """
    ends = [(float(tile.min()), float(tile.max())) for _, tile in scores.values.tiles() if tile.size]
    if any(np.isnan(low) for low, _ in ends):
        raise ScoresError(f"{path}: a score is NaN; is the network's output damaged?")
    return min((low for low, _ in ends), default=0.0), max((high for _, high in ends), default=1.0)
