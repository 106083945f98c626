"""Two models with scores, matched on their common images and tags."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.base.errors import IncomparableError
from arena.cards import Thresholds
from arena.metrics.thresholds import DEFAULT_THRESHOLD, thresholds_per_tag
from arena.scores.store import Scores
from arena.tags import TagRelations, TagSpace, project

ParityIntegers = NDArray[np.int64]
ScoreFloats = NDArray[np.float32]

_ALL = slice(None)


@dataclass(frozen=True)
class ScoredModel:
    """One of the two compared models, with its scores.

    Attributes:
        name: display name.
        thresholds: its own; 0.5 where it has none.
        missing_sigmoid: the model gave logits; a sigmoid was applied to them.
        borrowed: its own thresholds are unknown, so the other model's are used.
        ran: precision of the run; empty if unknown.
    """

    name: str
    scores: Scores
    thresholds: Thresholds = field(default_factory=Thresholds)
    missing_sigmoid: bool = False
    borrowed: bool = False
    ran: str = ""


class PairedScores(NamedTuple):
    """Scores of the same images and tags, float32 (images, tags) each."""

    a: ScoreFloats
    b: ScoreFloats


@dataclass(frozen=True)
class ModelPair:
    """Two models on their common images and tags; scores are read in blocks on demand.

    Attributes:
        image_ids: common images, in the order of A's rows.
        tags: common tags by A's names, in the order of A's columns.
        columns_a, columns_b: int64 (tags,), the column of each common tag.
        rows_a, rows_b: int64 (rows of the model,), the index of each row in `image_ids`, or -1.
        thresholds_a, thresholds_b: float32 (tags,).
        only_a, only_b: tags that the other model lacks, in the order of the tag list.
    """

    a: ScoredModel
    b: ScoredModel
    image_ids: tuple[str, ...]
    tags: tuple[str, ...]
    columns_a: ParityIntegers
    columns_b: ParityIntegers
    rows_a: ParityIntegers
    rows_b: ParityIntegers
    thresholds_a: ScoreFloats
    thresholds_b: ScoreFloats
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]

    def values(self, rows: slice = _ALL, columns: slice = _ALL) -> PairedScores:
        """Return the scores of some common images and tags."""
        return PairedScores(
            _read(self.a, self.rows_a, rows, self.columns_a[columns], len(self.image_ids)),
            _read(self.b, self.rows_b, rows, self.columns_b[columns], len(self.image_ids)),
        )


def pair_models(a: ScoredModel, b: ScoredModel, relations: TagRelations = TagRelations()) -> ModelPair:
    """Match images by identifier, and tags by name or alias.

    Raises:
        IncomparableError: no common image or no common tag.
    """
    image_ids = _common_images(a, b)
    matched = project(b.scores.tags, a.scores.tags, relations)
    columns_a = np.flatnonzero(matched >= 0)
    if not len(columns_a):
        raise IncomparableError(
            f"{a.name} and {b.name} have no tag in common ({a.scores.tags.names[0]!r} ... and "
            f"{b.scores.tags.names[0]!r} ...); are they ports of one model?"
        )
    columns_b, names_a, names_b = matched[columns_a], a.scores.tags.names, b.scores.tags.names
    matched_b = set(columns_b.tolist())
    return ModelPair(
        a, b, image_ids,
        tags=tuple(names_a[column] for column in columns_a),
        columns_a=columns_a, columns_b=columns_b,
        rows_a=_places(a, image_ids), rows_b=_places(b, image_ids),
        thresholds_a=thresholds_of(a.thresholds, a.scores.tags)[columns_a],
        thresholds_b=thresholds_of(b.thresholds, b.scores.tags)[columns_b],
        only_a=tuple(names_a[column] for column in np.flatnonzero(matched < 0)),
        only_b=tuple(name for column, name in enumerate(names_b) if column not in matched_b),
    )  # fmt: skip


def thresholds_of(thresholds: Thresholds, tags: TagSpace) -> ScoreFloats:
    """Return the threshold of each tag, float32 (tags,): its own, else its category's, else the default."""
    default = DEFAULT_THRESHOLD if thresholds.default is None else thresholds.default
    categories = [tags.category(column) for column in range(len(tags))]
    return thresholds_per_tag(
        tags.names, categories, default=default, by_category=thresholds.categories, by_tag=thresholds.tags
    )


def _common_images(a: ScoredModel, b: ScoredModel) -> tuple[str, ...]:
    in_b = set(b.scores.image_ids)
    common = tuple(image_id for image_id in a.scores.image_ids if image_id in in_b)
    if not common:
        raise IncomparableError(
            f"{a.name} and {b.name} have no image in common ({_first(a)} and {_first(b)}); score the same images with both"
        )
    return common


def _first(model: ScoredModel) -> str:
    return f"{model.scores.image_ids[0]!r} ..." if model.scores.image_ids else "no images"


def _places(model: ScoredModel, image_ids: Sequence[str]) -> ParityIntegers:
    place = {image_id: row for row, image_id in enumerate(image_ids)}
    return np.array([place.get(image_id, -1) for image_id in model.scores.image_ids], np.int64)


def _read(model: ScoredModel, places: ParityIntegers, rows: slice, columns: ParityIntegers, images: int) -> ScoreFloats:
    start, stop, _ = rows.indices(images)
    place: NDArray[Any] = np.where((places >= start) & (places < stop), places - start, -1)
    return model.scores.values.columns(columns, place).astype(np.float32, copy=False)
