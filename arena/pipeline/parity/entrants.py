"""The two sides: models that are run, or scores that are there already; a missing sigmoid is seen and told."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from arena import taggers
from arena.base.errors import ArenaError, IncomparableError, ScoresError, UnreadableImageError
from arena.base.progress import Progress
from arena.cards import ModelCard, check_name, find_dataset, find_model, find_models
from arena.dataset.frozen import read_frozen
from arena.dataset.readers import list_images
from arena.diagnostics.parity.pairs import Side
from arena.images.decode import decode_on
from arena.pipeline.stages import Compute, score_images
from arena.pipeline.thresholds import Own, own_thresholds, thresholds_of_cards, with_files
from arena.pipeline.truth import read_scores_of
from arena.scores.matrix import Matrix
from arena.scores.npz import read_scores
from arena.scores.store import Scores, read_facts, read_store
from arena.taggers.predict import ImageSource
from arena.taggers.preprocess import square
from arena.tags import TagRelations

PROBED = 4
"""Images by which is told whether a network gives logits."""


class Runner(NamedTuple):
    """A model, and how it runs."""

    card: ModelCard
    compute: Compute


class Images(NamedTuple):
    """Images that both are run on, and what is known of their tags' names."""

    name: str
    source: ImageSource
    relations: TagRelations


class Mixed(NamedTuple):
    """Scores that are there already, and the model that is held against them."""

    side: Side
    runner: Runner


class Named(NamedTuple):
    """What names of models stand for."""

    models: list[str]
    files: dict[str, Path]
    """Name -> scores that are there already, named by their path."""


def sort_out(specs: Sequence[str], root: Path | None) -> Named:
    """Tell models that are run from `NAME=scores.npz` and `NAME=RUN/scores/MODEL`; a card of scores is run as a model.

    Raises:
        ArenaError: a name is unknown.
    """
    named = Named([], {})
    for spec in specs:
        name, _, path = spec.partition("=")
        if path and Path(path).suffix != ".toml" and find_model(spec, root).adapter == "precomputed":
            named.files[name] = Path(path)
        else:
            named.models.append(spec)
    return named


def runners(
    a: str,
    b: str,
    *,
    compute: Compute,
    compute_b: Compute,
    root: Path | None,
    thresholds: Mapping[str, float],
    progress: Progress,
) -> tuple[Runner, Runner]:
    """The two models, each at the thresholds that it is run at; one may stand on both sides where it runs in two ways.

    Raises:
        ArenaError: a name is unknown, or both sides are one and the same, or a threshold is for neither.
        WeightsError: a model's files are not to be had, or the thresholds that they tell are wrong.
    """
    if a == b and compute != compute_b:
        card = find_model(a, root)
        way = next(filter(None, (_way(compute, compute_b, what) for what in ("precision", "device"))), "again")
        cards = [card, replace(card, name=f"{card.name}-{way}".replace(":", "-"))]
    elif a == b:
        raise ArenaError(f"{a} is named twice; a second one enters as OTHERNAME=PATH, or give --precision-b")
    else:
        cards = find_models([a, b], root)
    own = own_thresholds({card.name: card.thresholds for card in cards}, thresholds)
    first, second = (replace(card, thresholds=with_files(card, own[card.name], progress).thresholds) for card in cards)
    return Runner(first, compute), Runner(second, compute_b)


def mixed(
    model: str,
    files: Mapping[str, Path],
    *,
    compute: Compute,
    root: Path | None,
    thresholds: Mapping[str, float],
    progress: Progress,
) -> Mixed:
    """A model, and the one side whose scores are read; that one borrows the model's thresholds where nobody tells its own.

    Raises:
        ArenaError: a name is unknown, both are called alike, or a threshold is for neither; the scores are damaged.
        WeightsError: the model's files are not to be had, or the thresholds that they tell are wrong.
    """
    card = find_model(model, root)
    ((name, path),) = files.items()
    check_name(name)
    if name == card.name:
        raise ArenaError(f"{name} names the model and the scores; give the scores another name: last={path}")
    own = own_thresholds({card.name: card.thresholds, **thresholds_of_cards(files, root)}, thresholds)
    side = _read_side(name, path)
    told = with_files(card, own[card.name], progress)
    runner = Runner(replace(card, thresholds=told.thresholds), compute)
    return Mixed(_at(side, own[name], other=told), runner)


def images_of(images: Path | None, dataset: str | None, *, limit: int | None, seed: int, root: Path | None) -> Images:
    """The images below a folder, the first `limit` by name; or a random part of a dataset.

    Raises:
        ArenaError: no such folder or dataset.
    """
    if images is None:
        heldout = read_frozen(find_dataset(dataset or "", root)).sample(limit, seed)
        source = ImageSource(heldout.image_ids, heldout.paths, tuple(heldout.images["sha256"]), verified=True)
        return Images(heldout.card.name, source, heldout.truth.relations)
    listed = dict(list(list_images(images).items())[:limit])
    stats = [path.stat() for path in listed.values()]
    digests = tuple(f"{stat.st_size}:{stat.st_mtime_ns}" for stat in stats)
    source = ImageSource(tuple(listed), tuple(listed.values()), digests, verified=False)
    return Images(images.resolve().name, source, TagRelations())


def those_scored(images: Images, side: Side) -> Images:
    """The images of which a side has scores.

    Raises:
        IncomparableError: there is none.
    """
    old, scored = images.source, set(side.scores.image_ids)
    kept = [row for row, image_id in enumerate(old.image_ids) if image_id in scored]
    if not kept:
        raise IncomparableError(
            f"{side.name} has scores of none of the images of {images.name} (its first is {_first(side.scores.image_ids)}, "
            f"theirs {_first(old.image_ids)}); name the images that it was made of"
        )
    ids, digests = (tuple(column[row] for row in kept) for column in (old.image_ids, old.digests))
    paths = tuple(old.paths[row] for row in kept)
    return images._replace(source=replace(old, image_ids=ids, paths=paths, digests=digests))


def refuse_overwriting(folder: Path, runner: Runner, files: Mapping[str, Path]) -> None:
    """Refuse a folder in which the model's scores would take the place of those that it is held against.

    Raises:
        ArenaError: it is such a one.
    """
    new = (folder / runner.card.name).resolve()
    for path in files.values():
        if path.resolve().is_relative_to(new):
            raise ArenaError(
                f"--keep {folder}: new scores of {runner.card.name} would replace {path}; name another folder"
            )


def score_models(ran: Sequence[Runner], images: Images, folder: Path, progress: Progress) -> list[Side]:
    """Run the models; each image is decoded once for all that run alike. Continues where it was stopped.

    A model that says it gives probabilities but gives logits is run with a sigmoid, and its side says so.
    """
    for caution in dict.fromkeys(one.card.caution for one in ran if one.card.caution):
        progress.note(caution)
    try:
        _run(ran, images, folder, progress)
    except ScoresError as error:
        mended = [_with_sigmoid(one, images.source) for one in ran]
        if mended == list(ran):
            raise
        progress.note(f"{error}; scoring again with one")
        _run(mended, images, folder, progress)
        return [_side(new, folder, new != old) for new, old in zip(mended, ran, strict=True)]
    return [_side(one, folder) for one in ran]


def read_sides(files: Mapping[str, Path], *, thresholds: Mapping[str, float], root: Path | None) -> tuple[Side, Side]:
    """Two sides from files of scores, or scores folders of runs; values outside [0, 1] are taken for logits.

    Where the thresholds of one are told, by an option or the card of its name, the other borrows them if it has none.

    Raises:
        ArenaError: not two, damaged, or NaN.
    """
    if len(files) != 2:
        raise ArenaError(f"--scores: {len(files)} named; give two, NAME=FILE each, or two models")
    for name in files:
        check_name(name)
    a, b = own_thresholds(thresholds_of_cards(files, root), thresholds).values()
    first, second = (_read_side(name, path) for name, path in files.items())
    return _at(first, a, other=b), _at(second, b, other=a)


def files_of(source: ImageSource, image_ids: Sequence[str]) -> list[Path]:
    """The files of some images, in their order."""
    path = dict(zip(source.image_ids, source.paths, strict=True))
    return [path[image_id] for image_id in image_ids]


def _way(one: Compute, other: Compute, what: str) -> str:
    """How the second side runs, where it is another way."""
    return str(getattr(other, what)) if getattr(one, what) != getattr(other, what) else ""


def _first(image_ids: Sequence[str]) -> str:
    return repr(image_ids[0]) if image_ids else "none"


def _at(side: Side, own: Own, *, other: Own) -> Side:
    """Scores that were read, at their own thresholds, or at the other side's where nobody tells their own.

    A default of 0.5 on one side alone would flip decisions of equal scores.
    """
    borrowed = own.source == "default" != other.source
    return replace(side, thresholds=(other if borrowed else own).thresholds, borrowed=borrowed)


def _run(ran: Sequence[Runner], images: Images, folder: Path, progress: Progress) -> None:
    for compute in dict.fromkeys(one.compute for one in ran):
        cards = [one.card for one in ran if one.compute == compute]
        score_images(cards, images.source, folder, compute=compute, progress=progress, relations=images.relations)


def _side(runner: Runner, folder: Path, missing_sigmoid: bool = False) -> Side:
    name = runner.card.name
    return Side(name, read_store(folder / name), runner.card.thresholds, missing_sigmoid, ran=_ran(folder / name))


def _ran(folder: Path) -> str:
    """How a model ran whose scores are kept in a folder; empty where that is not told."""
    facts = read_facts(folder)
    return f"{facts['precision']} on {facts['device']}" if {"precision", "device"} <= facts.keys() else ""


def _with_sigmoid(runner: Runner, source: ImageSource) -> Runner:
    """The same one, its card saying logits where the network gives them."""
    return runner._replace(card=replace(runner.card, output="logits")) if _gives_logits(runner, source) else runner


def _gives_logits(runner: Runner, source: ImageSource) -> bool:
    """Whether a network that is said to give probabilities gives finite numbers outside [0, 1]."""
    if runner.card.output != "probabilities" or runner.card.adapter == "ensemble":
        return False  # an ensemble's members are what lacks a sigmoid
    tagger = taggers.load(runner.card, device=runner.compute.device, precision=runner.compute.precision)
    images = []
    for path in source.paths:
        try:
            behind = tagger.preprocess.alpha
            images.append(square(decode_on(path, {behind})[behind], tagger.preprocess))
        except (UnreadableImageError, OSError):
            continue
        if len(images) == PROBED:
            break
    values = tagger.scores(np.stack(images)) if images else np.zeros((0, 1), np.float32)
    return bool(np.isfinite(values).all() and ((values < 0) | (values > 1)).any())


def _read_side(name: str, path: Path) -> Side:
    """Scores of anywhere, what lies outside [0, 1] through a sigmoid; without thresholds yet."""
    if path.is_dir():
        return Side(name, read_scores_of(path), ran=_ran(path))
    scores = read_scores(path, checked=False)
    low, high = _range(scores, path)
    if low >= 0 and high <= 1:
        return Side(name, scores)
    probabilities = 0.5 + 0.5 * np.tanh(0.5 * scores.values.read().astype(np.float32))
    return Side(name, replace(scores, values=Matrix.of(probabilities)), missing_sigmoid=True)


def _range(scores: Scores, path: Path) -> tuple[float, float]:
    """The least and the largest value; NaN is refused.

    Raises:
        ScoresError: a value is NaN.
    """
    ends = [(float(tile.min()), float(tile.max())) for _, tile in scores.values.tiles() if tile.size]
    if any(np.isnan(low) for low, _ in ends):
        raise ScoresError(f"{path}: a score is NaN; is the network's output damaged?")
    return min((low for low, _ in ends), default=0.0), max((high for _, high in ends), default=1.0)
