"""The two sides: models that are run, or scores that are there already; a missing sigmoid is seen and told."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from arena import taggers
from arena.cards import ModelCard, Thresholds, check_name, find_dataset, find_model, find_models, model_cards
from arena.errors import ArenaError, ScoresError, UnreadableImageError, nearest
from arena.heldout.dataset import read_frozen
from arena.heldout.readers import list_images
from arena.images import decode_on
from arena.parity.pairs import Side
from arena.pipeline import Compute, read_scores_of, score_images
from arena.progress import Progress
from arena.scores.matrix import Matrix
from arena.scores.npz import read_scores
from arena.scores.predict import ImageSource
from arena.scores.store import Scores, read_facts, read_store
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


def runners(
    a: str, b: str, *, compute: Compute, compute_b: Compute, root: Path | None, thresholds: Mapping[str, float]
) -> tuple[Runner, Runner]:
    """The two models; one model may stand on both sides where it runs in two ways.

    Raises:
        ArenaError: a name is unknown, or both sides are one and the same, or a threshold is for neither.
    """
    if a == b and compute != compute_b:
        card = find_model(a, root)
        way = next(filter(None, (_way(compute, compute_b, what) for what in ("precision", "device"))), "again")
        cards = [card, replace(card, name=f"{card.name}-{way}".replace(":", "-"))]
    elif a == b:
        raise ArenaError(f"{a} is named twice; a second one enters as OTHERNAME=PATH, or give --precision-b")
    else:
        cards = find_models([a, b], root)
    own = _with_thresholds({card.name: card.thresholds for card in cards}, thresholds)
    first, second = (replace(card, thresholds=own[card.name]) for card in cards)
    return Runner(first, compute), Runner(second, compute_b)


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


def score_both(pair: tuple[Runner, Runner], source: ImageSource, folder: Path, progress: Progress) -> tuple[Side, Side]:
    """Run both models; each image is decoded once where both run alike. Continues where it was stopped.

    A model that says it gives probabilities but gives logits is run with a sigmoid, and its side says so.
    """
    try:
        _run(pair, source, folder, progress)
    except ScoresError as error:
        mended = _with_sigmoids(pair, source)
        if mended == pair:
            raise
        progress.note(f"{error}; scoring again with one")
        _run(mended, source, folder, progress)
        return _side(mended[0], folder, mended[0] != pair[0]), _side(mended[1], folder, mended[1] != pair[1])
    return _side(pair[0], folder), _side(pair[1], folder)


def read_sides(files: Mapping[str, Path], *, thresholds: Mapping[str, float], root: Path | None) -> tuple[Side, Side]:
    """Two sides from files of scores, or scores folders of runs; values outside [0, 1] are taken for logits.

    Raises:
        ArenaError: not two, damaged, or NaN.
    """
    if len(files) != 2:
        raise ArenaError(f"--scores: {len(files)} named; give two, NAME=FILE each, or two models")
    for name in files:
        check_name(name)
    cards = model_cards(root)
    known = {name: cards[name].thresholds if name in cards else Thresholds() for name in files}
    own = _with_thresholds(known, thresholds)
    first, second = (_read_side(name, path, own[name]) for name, path in files.items())
    return first, second


def files_of(source: ImageSource, image_ids: Sequence[str]) -> list[Path]:
    """The files of some images, in their order."""
    path = dict(zip(source.image_ids, source.paths, strict=True))
    return [path[image_id] for image_id in image_ids]


def _way(one: Compute, other: Compute, what: str) -> str:
    """How the second side runs, where it is another way."""
    return str(getattr(other, what)) if getattr(one, what) != getattr(other, what) else ""


def _with_thresholds(known: Mapping[str, Thresholds], given: Mapping[str, float]) -> dict[str, Thresholds]:
    for name, value in given.items():
        if name not in known:
            raise ArenaError(f"--threshold {name}={value:g}: neither side is called so. {nearest(name, known)}")
        if not 0 <= value <= 1:
            raise ArenaError(f"--threshold {name}={value:g}: a threshold lies in 0 to 1")
    return {name: Thresholds(given[name]) if name in given else own for name, own in known.items()}


def _run(pair: tuple[Runner, Runner], source: ImageSource, folder: Path, progress: Progress) -> None:
    a, b = pair
    together = [[a.card, b.card]] if a.compute == b.compute else [[a.card], [b.card]]
    for cards, compute in zip(together, (a.compute, b.compute), strict=False):
        score_images(cards, source, folder, compute=compute, progress=progress)


def _side(runner: Runner, folder: Path, missing_sigmoid: bool = False) -> Side:
    name = runner.card.name
    scores = read_store(folder / name)
    facts = read_facts(folder / name)
    ran = f"{facts['precision']} on {facts['device']}" if {"precision", "device"} <= facts.keys() else ""
    return Side(name, scores, runner.card.thresholds, missing_sigmoid, ran)


def _with_sigmoids(pair: tuple[Runner, Runner], source: ImageSource) -> tuple[Runner, Runner]:
    """The same two, where what gives logits is said to."""
    a, b = (
        one._replace(card=replace(one.card, output="logits")) if _gives_logits(one, source) else one for one in pair
    )
    return a, b


def _gives_logits(runner: Runner, source: ImageSource) -> bool:
    """Whether a network that is said to give probabilities gives finite numbers outside [0, 1]."""
    if runner.card.output != "probabilities":
        return False
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


def _read_side(name: str, path: Path, thresholds: Thresholds) -> Side:
    if path.is_dir():
        return Side(name, read_scores_of(path), thresholds)
    scores = read_scores(path, checked=False)
    low, high = _range(scores, path)
    if low >= 0 and high <= 1:
        return Side(name, scores, thresholds)
    probabilities = 0.5 + 0.5 * np.tanh(0.5 * scores.values.read().astype(np.float32))
    return Side(name, replace(scores, values=Matrix.of(probabilities)), thresholds, missing_sigmoid=True)


def _range(scores: Scores, path: Path) -> tuple[float, float]:
    """The least and the largest value; NaN is refused.

    Raises:
        ScoresError: a value is NaN.
    """
    ends = [(float(tile.min()), float(tile.max())) for _, tile in scores.values.tiles() if tile.size]
    if any(np.isnan(low) for low, _ in ends):
        raise ScoresError(f"{path}: a score is NaN; is the network's output damaged?")
    return min((low for low, _ in ends), default=0.0), max((high for _, high in ends), default=1.0)
