"""The decisions of models on pictures without labels: images, tags and scores matched without a ground truth."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from arena.base.errors import ArenaError
from arena.dataset.frozen import Truth
from arena.evaluate.matching import Entry, MatchedModel, match_model, scored_by_all
from arena.metrics.counts import Integers
from arena.metrics.resamples import resampling_units
from arena.tags import TagRelations, TagSpace, project
from arena.tags.space import UNKNOWN_CATEGORY

BLOCK_BYTES = 32 << 20
"""Bytes of float64 scores of one model that are held at a time."""

Bools = NDArray[np.bool_]


def joint_tags(spaces: Iterable[TagSpace], relations: TagRelations, categories: Mapping[str, str]) -> TagSpace:
    """Return every tag of several models once, by its canonical name, in the order of the models.

    Args:
        categories: category of tags by canonical name, which has precedence over those of the models.

    >>> spaces = TagSpace(("pup", "cat")), TagSpace(("dog", "sun"), ("general", "weather"))
    >>> joint_tags(spaces, TagRelations.of(aliases=[("pup", "dog")]), {})
    TagSpace(names=('dog', 'cat', 'sun'), categories=('general', 'general', 'weather'), counts=None)
    """
    found: dict[str, str] = {}
    for space in spaces:
        here = TagSpace(tuple(found), tuple(found.values())) if found else None
        known = np.full(len(space), -1) if here is None else project(here, space, relations)
        for column, name in enumerate(space.names):
            if known[column] < 0:
                found.setdefault(relations.canonical(name), space.category(column))
            elif here is not None and space.categories and here.category(int(known[column])) == UNKNOWN_CATEGORY:
                found[here.names[known[column]]] = space.category(column)
    return TagSpace(tuple(found), tuple(categories.get(name, category) for name, category in found.items()))


@dataclass(frozen=True)
class Pictures:
    """Decisions of models on pictures that all of them scored.

    Attributes:
        truth: images, tags of any model, relations and clusters; it has no label.
        models: the models, matched to these images and tags.
        skipped: image -> why it has no score.
    """

    truth: Truth
    models: tuple[MatchedModel, ...]
    skipped: Mapping[str, str]

    @cached_property
    def known(self) -> dict[str, Bools]:
        """Model -> bool (tags,), the tags it knows."""
        return {one.entry.name: one.chosen >= 0 for one in self.models}

    @cached_property
    def common(self) -> Integers:
        """The tags that all models know; int64."""
        return np.flatnonzero(np.all(list(self.known.values()), axis=0))

    @cached_property
    def units(self) -> Integers | None:
        """Number of the duplicate cluster of each image; None if every image stands alone."""
        return None if self.truth.groups is None else resampling_units(self.truth.groups)

    @cached_property
    def predicted(self) -> dict[str, csc_array]:
        """Model -> bool (images, tags), its decisions at its own thresholds; no decision for a tag that it does not know."""
        return {one.entry.name: decisions(one, self.truth) for one in self.models}


def match_pictures(
    image_ids: Sequence[str], entries: Sequence[Entry], relations: TagRelations, *,
    categories: Mapping[str, str], groups: Sequence[str] | None = None,
) -> Pictures:  # fmt: skip
    """Match the models on pictures without labels.

    Args:
        categories: see `joint_tags`.
        groups: cluster of near duplicates of each image, if known.

    Raises:
        ArenaError: every image was skipped.
        ScoresError: a model lacks scores of an image.
    """
    tags = joint_tags((entry.scores.tags for entry in entries), relations, categories)
    empty = csc_array((len(image_ids), len(tags)), dtype=np.bool_)
    truth = Truth(tuple(image_ids), tags, empty, relations, groups=None if groups is None else tuple(groups))
    truth, skipped = scored_by_all(truth, entries)
    return Pictures(truth, tuple(match_model(truth, entry) for entry in entries), skipped)


def tag_blocks(tags: Integers, images: int) -> Iterator[Integers]:
    """Yield the tags in blocks whose float64 scores have at most `BLOCK_BYTES`."""
    step = max(1, BLOCK_BYTES // (8 * max(1, images)))
    for start in range(0, len(tags), step):
        yield tags[start : start + step]


def read_scores(one: MatchedModel, tags: Integers) -> NDArray[np.float32]:
    """Return the scores of a model for some tags that it knows; float32 (images, tags)."""
    columns = one.columns[one.chosen[tags]]
    return np.asarray(one.scored.matrix.columns(columns, one.scored.place), np.float32)


def own_thresholds(one: MatchedModel, tags: Integers) -> NDArray[np.float32]:
    """Return the model's own threshold of some tags that it knows; float32 (tags,)."""
    return one.own[one.chosen[tags]]


def decisions(one: MatchedModel, truth: Truth) -> csc_array:
    """Return the decisions of a model at its own thresholds; bool (images, tags of the truth)."""
    images, tags = len(truth.image_ids), len(truth.tags)
    rows: list[Integers] = [np.empty(0, np.int64)] * tags
    for block in tag_blocks(np.flatnonzero(one.chosen >= 0), images):
        given = read_scores(one, block) >= own_thresholds(one, block)
        for number, tag in enumerate(block):
            rows[tag] = np.flatnonzero(given[:, number])
    indptr = np.cumsum([0, *map(len, rows)])
    indices = np.concatenate(rows) if rows else np.empty(0, np.int64)
    return csc_array((np.ones(len(indices), np.bool_), indices, indptr), shape=(images, tags))


def refuse_weights(truth: Truth, where: object) -> None:
    """Refuse a weighted sample.

    Raises:
        ArenaError: the images have weights.
    """
    if truth.weights is not None:
        raise ArenaError(f"{where}: a weighted sample cannot calibrate; name a run on images without weights")
