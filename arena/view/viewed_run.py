"""A run as the pages see it: images, ground truth, and each model's scores, thresholds and decisions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from arena.base.errors import ArenaError
from arena.dataset.definitions import read_definitions
from arena.dataset.frozen import HeldOut, Truth
from arena.evaluate.matching import MatchedModel, close_entry, match_model, scored_by_all
from arena.evaluate.slices import ImageSlice, image_slices
from arena.metrics.counts import Integers
from arena.pipeline.display_options import thumbnail_sources
from arena.pipeline.pick.folder import is_pick
from arena.pipeline.stored_run import StoredRun, other_scores, read_stored_run
from arena.report.page.pictures import OPEN_RATINGS
from arena.report.view_model.leaderboard import MODEL_STYLES
from arena.view.pictures import Pictures

Bools = NDArray[np.bool_]
Scores = NDArray[np.float32]

_ROWS = 1_024
"""Images whose decisions are compared with the ground truth at a time."""


class ViewedModel:
    """Scores and decisions of a model on the tags of the ground truth.

    Attributes:
        name, title: of the model.
        style: number of its colour and marker.
        known: bool (tags,), the tags of the ground truth that the model knows.
        thresholds: float32 (tags,), a tag is predicted iff its score is at least this; NaN for an unknown tag.
    """

    def __init__(self, matched: MatchedModel, thresholds: Scores, number: int, images: int) -> None:
        self.name, self.title = matched.entry.name, matched.entry.title
        self.style = number % MODEL_STYLES
        self._matched, self._images = matched, images
        self.known = matched.chosen >= 0
        self.thresholds = np.where(self.known, thresholds[np.maximum(matched.chosen, 0)], np.float32("nan"))
        self.column = lru_cache(maxsize=64)(self._column)

    @cached_property
    def _columns(self) -> Integers:
        """Column of the scores of each known tag of the ground truth."""
        return self._matched.columns[self._matched.chosen[self.known]]

    @cached_property
    def _row_of(self) -> Integers | None:
        """Row of the scores of each image; None if the rows are the same."""
        place = self._matched.scored.place
        if place is None:
            return None
        rows = np.full(self._images, -1)
        rows[place[place >= 0]] = np.flatnonzero(place >= 0)
        return rows

    def _column(self, tag: int) -> Scores:
        """Return the scores of a known tag; float32 (images,)."""
        column = np.array([self._matched.columns[self._matched.chosen[tag]]])
        matrix = self._matched.entry.scores.values
        return np.ascontiguousarray(matrix.columns(column, self._matched.scored.place)[:, 0], np.float32)

    def row(self, image: int) -> Scores:
        """Return the scores of an image; float32 (tags,), NaN for an unknown tag."""
        found = np.full(len(self.known), np.nan, np.float32)
        found[self.known] = self._rows(np.array([image]))[0]
        return found

    def _rows(self, images: Integers) -> Scores:
        rows = images if self._row_of is None else self._row_of[images]
        return self._matched.entry.scores.values.rows(rows)[:, self._columns].astype(np.float32)

    def decisions(self, images: Integers) -> Bools:
        """Return what the model predicts; bool (images, tags), False for an unknown tag."""
        found = np.zeros((len(images), len(self.known)), np.bool_)
        found[:, self.known] = self._rows(images) >= self.thresholds[self.known]
        return found


class TagRow(NamedTuple):
    """A tag of an image: what is recorded, and the score of each model, None where it does not know the tag."""

    tag: str
    category: str
    recorded: bool | None
    """None if it is unknown, and for an image without labels."""
    scores: tuple["TagScore | None", ...]


class TagScore(NamedTuple):
    """A model's score of a tag, with its threshold and the decision."""

    score: float
    threshold: float
    predicted: bool


@dataclass(frozen=True)
class Errors:
    """Numbers of an image's tags, int64 (images,): by model, or of all models for `disagree`."""

    false_positives: Mapping[str, Integers]
    false_negatives: Mapping[str, Integers]
    disagree: Integers


@dataclass(frozen=True)
class ViewedRun:
    """A run with its images.

    Attributes:
        folder: the run folder.
        stored: the run and its inputs.
        heldout: the dataset.
        truth: labels of the images that every model scored.
        models: in the order of the run.
        ratings: rating of each image, in words.
        pictures: bytes of the images.
    """

    folder: Path
    stored: StoredRun
    heldout: HeldOut
    truth: Truth
    models: tuple[ViewedModel, ...]
    ratings: tuple[str, ...]
    pictures: Pictures = field(repr=False)

    @cached_property
    def row_of(self) -> Mapping[str, int]:
        """Row of each image id."""
        return {name: row for row, name in enumerate(self.truth.image_ids)}

    def model(self, name: str) -> ViewedModel:
        """Return a model by name; the first if there is none of this name."""
        return next((one for one in self.models if one.name == name), self.models[0])

    def is_open(self, row: int) -> bool:
        """Return whether an image is shown unblurred."""
        return self.ratings[row] in OPEN_RATINGS

    @cached_property
    def slices(self) -> Mapping[str, ImageSlice]:
        """Slices of the images by `column:value`."""
        return {f"{one.slice}:{one.value}": one for one in image_slices(self.truth, self.stored.settings)}

    def absent(self, tag: int) -> Bools:
        """Return which images are known to lack a tag; bool (images,)."""
        lacking = ~self.labels(tag)
        return lacking if self.truth.known is None else lacking & self.truth.known.block(np.array([tag]))[0]

    @cached_property
    def _by_row(self) -> csr_array:
        return self.truth.values.tocsr()

    def labels(self, tag: int) -> Bools:
        """Return which images have a tag; bool (images,)."""
        values, found = self.truth.values, np.zeros(len(self.truth.image_ids), np.bool_)
        found[values.indices[values.indptr[tag] : values.indptr[tag + 1]]] = True
        return found

    @cached_property
    def errors(self) -> Errors:
        """Errors of every image over the tags that each model knows."""
        number = len(self.truth.image_ids)
        wrong = {one.name: (np.zeros(number, np.int64), np.zeros(number, np.int64)) for one in self.models}
        disagree, shared = np.zeros(number, np.int64), np.all([one.known for one in self.models], axis=0)
        for start in range(0, number, _ROWS):
            rows = np.arange(start, min(number, start + _ROWS))
            labels = self._by_row[rows].toarray().astype(np.bool_)
            absent = ~labels if self.truth.known is None else ~labels & self.truth.known.rows(rows)
            decided = {one.name: one.decisions(rows) for one in self.models}
            for one in self.models:
                wrong[one.name][0][rows] = (decided[one.name] & absent).sum(1)
                wrong[one.name][1][rows] = (labels & one.known & ~decided[one.name]).sum(1)
            every = np.stack([one[:, shared] for one in decided.values()])
            disagree[rows] = (every.any(0) & ~every.all(0)).sum(1)
        return Errors(
            {name: one[0] for name, one in wrong.items()}, {name: one[1] for name, one in wrong.items()}, disagree
        )

    def tag_rows(self, image: int) -> list[TagRow]:
        """Return every tag of the ground truth for an image, the highest score first."""
        recorded = self._recorded(image)
        scores = [one.row(image) for one in self.models]
        highest = np.nan_to_num(np.stack(scores), nan=-1).max(0)
        tags = self.truth.tags
        return [
            TagRow(
                tags.names[tag], tags.category(tag), recorded[tag],
                tuple(_tag_score(one, each, tag) for one, each in zip(self.models, scores, strict=True)),
            )
            for tag in np.lexsort((np.arange(len(tags)), -highest)).tolist()
        ]  # fmt: skip

    def _recorded(self, image: int) -> list[bool | None]:
        """Return whether each tag is recorded for an image; None if it is unknown."""
        labels = self._by_row[[image]].toarray()[0].astype(np.bool_)
        if self.truth.known is None:
            return list(labels.tolist())
        known = self.truth.known.rows(np.array([image]))[0]
        return [bool(label) if one else None for label, one in zip(labels, known, strict=True)]

    @cached_property
    def definitions(self) -> Mapping[str, str]:
        """Definition of each tag that has one."""
        return read_definitions(self.heldout.card.folder)


def _tag_score(model: ViewedModel, scores: Scores, tag: int) -> TagScore | None:
    if not model.known[tag]:
        return None
    return TagScore(float(scores[tag]), float(model.thresholds[tag]), bool(scores[tag] >= model.thresholds[tag]))


def read_viewed_run(folder: Path, *, dataset: str | None = None, root: Path | None = None) -> ViewedRun:
    """Read a run with its images.

    Raises:
        ArenaError: there is no finished run, its inputs are missing or changed, or its ground truth has no images.
    """
    if is_pick(folder):
        raise ArenaError(
            f"{folder}: a result of arena pick, which has no labels to show; arena judge page asks its questions"
        )
    stored = read_stored_run(folder, dataset=dataset, root=root)
    heldout = stored.truth.heldout
    if heldout is None:
        raise ArenaError(f"{folder}: its truth has no images to show; score the run on a dataset, with --dataset")
    if changed := next(other_scores(stored.result, stored.scores), ""):
        raise ArenaError(f"{changed}; restore the scores, or evaluate them again with arena score")
    truth, _ = scored_by_all(stored.truth.truth, stored.entries)
    models = tuple(_models(stored, truth))
    sources = thumbnail_sources(heldout, truth.image_ids)
    pictures = Pictures([one.path for one in sources])
    return ViewedRun(folder, stored, heldout, truth, models, tuple(one.rating for one in sources), pictures)


def _models(stored: StoredRun, truth: Truth) -> Sequence[ViewedModel]:
    implied, counting = stored.settings.imply, stored.settings.counting
    matched = [match_model(truth, close_entry(truth, entry) if implied else entry) for entry in stored.entries]
    return [
        ViewedModel(one, counting.effective(one.own), number, len(truth.image_ids))
        for number, one in enumerate(matched)
    ]
