"""Precomputed scores behind the interface of a tagger: looked up by image instead of computed."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from arena.base.errors import ArenaError, ScoresError
from arena.cards import ModelCard
from arena.scores.npz import read_scores
from arena.scores.sparse import SUFFIX
from arena.scores.store import Scores, read_store
from arena.taggers.base import Pixels
from arena.taggers.base import Probabilities as Probabilities


class Precomputed:
    """A tagger that looks up stored probabilities by `image_id`; the columns are in the order of the file's tags.

    It takes no pixels. An `image_id` is the path below the image folder without suffix in `arena predict`, and that of
    `images.parquet` in a dataset.
    """

    precision = "of the file"
    device = "cpu"

    def __init__(self, card: ModelCard, scores: Scores, path: Path) -> None:
        self.card = card
        self.tags = scores.tags
        self.preprocess = card.preprocess
        self.path = path
        self.notes = scores.notes
        self._scores = scores

    @cached_property
    def row_of(self) -> Mapping[str, int]:
        """Image identifier -> row, for all images with scores."""
        return {image_id: row for row, image_id in enumerate(self._scores.image_ids)}

    def scores(self, batch: Pixels) -> Probabilities:
        """Raise, because pixels do not identify an image.

        Raises:
            ScoresError: always.
        """
        raise ScoresError(
            f"{self.card.name}: its scores are looked up in {self.path.name} by image, not computed from pixels; "
            "use arena run, arena predict or arena score"
        )

    def look_up(self, image_ids: Sequence[str]) -> Probabilities:
        """Return the probabilities of images by identifier, float32 (n, tags).

        Raises:
            ScoresError: an image has no scores.
        """
        missing = [image_id for image_id in image_ids if image_id not in self.row_of]
        if missing:
            raise ScoresError(self.told_missing(missing[0], len(missing), len(image_ids)))
        rows = np.array([self.row_of[image_id] for image_id in image_ids], np.int64)
        return self._scores.values.rows(rows).astype(np.float32, copy=False)

    def told_missing(self, first: str, missing: int, images: int) -> str:
        """Return the error text for images without scores.

        Args:
            first: identifier of the first of them.
            missing: their number.
            images: number of all images.
        """
        return (
            f"{self.card.name}: {self.path} has no scores for {missing} of {images} images, the first is {first!r}; "
            "score them too, under the same image_id"
        )


def load(card: ModelCard, files: Mapping[str, Path], *, device: str, precision: str) -> Precomputed:
    """Read the first file of the card: an `.npz`, or the `store.json` of a run's scores. Device and precision are ignored.

    Raises:
        ScoresError: it is damaged, or holds values that are not probabilities, or only the high scores.
    """
    path = files[card.files[0]]
    if path.suffix == SUFFIX:
        raise ScoresError(
            f"{path}: only the high scores are stored; evaluate them with arena score --scores {card.name}={path.name}, whose "
            "reports say what is missing"
        )
    store = path.suffix == ".json"
    return Precomputed(card, read_store(path.parent) if store else read_scores(path), path.parent if store else path)


def refuse_own_scores(card: ModelCard, folder: Path) -> None:
    """Raise if an output folder is the one that a card's scores are read from, because it would be emptied first.

    Raises:
        ArenaError: it is the folder of the card or of a member.
    """
    for one in card.single:
        if one.adapter == "precomputed" and one.folder == folder.resolve():
            raise ArenaError(f"{one.name}: {folder} holds its scores and would be overwritten; use another --output")
