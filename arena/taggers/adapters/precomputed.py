"""Scores that are there already behind the interface of a tagger: looked up by image, not computed."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from arena.base.errors import ArenaError, ScoresError
from arena.cards import ModelCard
from arena.scores.npz import read_scores
from arena.scores.store import Scores, read_store
from arena.taggers.base import Pixels
from arena.taggers.base import Scores as Probabilities


class Precomputed:
    """The adapter; probabilities in the order of the file's tags, rows found by `image_id`.

    It wants no pixels: images are known by their identifiers, which in `arena predict` are paths below the folder without
    suffix, and in a dataset those of `images.parquet`.
    """

    precision = "of the file"
    device = "cpu"

    def __init__(self, card: ModelCard, scores: Scores, path: Path) -> None:
        self.card = card
        self.tags = scores.tags
        self.preprocess = card.preprocess
        self.path = path
        self._scores = scores

    @cached_property
    def row_of(self) -> Mapping[str, int]:
        """Row of each image that has scores."""
        return {image_id: row for row, image_id in enumerate(self._scores.image_ids)}

    def scores(self, batch: Pixels) -> Probabilities:
        """Refuse pixels, which do not tell which image they are of.

        Raises:
            ScoresError: always.
        """
        raise ScoresError(
            f"{self.card.name}: its scores are looked up in {self.path.name} by image, not computed from pixels; "
            "use arena run, arena predict or arena score"
        )

    def look_up(self, image_ids: Sequence[str]) -> Probabilities:
        """Probabilities of images by identifier, float32 (n, tags).

        Raises:
            ScoresError: one has none.
        """
        lost = [image_id for image_id in image_ids if image_id not in self.row_of]
        if lost:
            raise ScoresError(self.told_missing(lost[0], len(lost), len(image_ids)))
        rows = np.array([self.row_of[image_id] for image_id in image_ids], np.int64)
        return self._scores.values.rows(rows).astype(np.float32, copy=False)

    def told_missing(self, first: str, lost: int, images: int) -> str:
        """The line about images that have no scores."""
        return (
            f"{self.card.name}: {self.path} has no scores for {lost} of {images} images; the first is {first!r}; "
            "score them too, and give each the image_id that it has here"
        )


def load(card: ModelCard, files: Mapping[str, Path], *, device: str, precision: str) -> Precomputed:
    """Read the first file of the card, an `.npz` or the `store.json` of a run's scores; device and precision do not matter.

    Raises:
        ScoresError: it is damaged, or holds something that is no probability.
    """
    path = files[card.files[0]]
    store = path.suffix == ".json"
    return Precomputed(card, read_store(path.parent) if store else read_scores(path), path.parent if store else path)


def refuse_own_scores(card: ModelCard, folder: Path) -> None:
    """Refuse to fill the folder that a card's scores are read from: it is emptied first.

    Raises:
        ArenaError: the card's folder, or that of a member, is this one.
    """
    for one in card.single:
        if one.adapter == "precomputed" and one.folder == folder.resolve():
            raise ArenaError(
                f"{one.name}: {folder} holds its scores and would hold its new ones; name another --output"
            )
