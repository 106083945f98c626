"""Match the images and tags of several score matrices with one ground truth."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena.base.errors import ArenaError, IncomparableError, ScoresError
from arena.base.format import listed, plural, shown
from arena.cards import Thresholds
from arena.dataset.frozen import Truth
from arena.metrics.blocks import KnownColumns
from arena.metrics.counts import Integers
from arena.metrics.thresholds import DEFAULT_THRESHOLD, thresholds_per_tag
from arena.scores.implied import apply_implications, find_implying
from arena.scores.store import Scores
from arena.tags import TagSpace, project

RENAMED_BY_DATASET = "list renamed tags in the dataset's tag_aliases.csv"
RENAMED_BY_OPTION = "list renamed tags in a CSV with the columns old,new and pass it with --aliases"
"""What to do about tags that have other names in a model."""


@dataclass(frozen=True)
class Entry:
    """One model in a comparison.

    Attributes:
        name: unique key of the model.
        title: name for readers.
        scores: its scores.
        thresholds: the model's own thresholds.
        threshold_source: where the thresholds come from: `option`, `file`, `card`, `family` or `default`.
        facts: provenance for `run.json`.
    """

    name: str
    title: str
    scores: Scores
    thresholds: Thresholds
    threshold_source: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class MatchedModel:
    """The columns of an entry whose tags the ground truth has, in the order of its tags.

    Attributes:
        entry: the model.
        scored: its columns and rows, as the metrics read them.
        chosen: int64 (truth tags,), which of the columns represents each tag of the ground truth in comparisons, or -1.
        own: float32 (known,), the model's own threshold of each column, before the counting convention moves it.
        shared: float32 (few,), ascending, the distinct thresholds of the columns without a threshold per tag.
        categories: (known,), category of each column in the ground truth, or in the model if the ground truth has none.
    """

    entry: Entry
    scored: KnownColumns
    chosen: Integers
    own: NDArray[np.float32]
    shared: NDArray[np.float32]
    categories: tuple[str, ...]

    @property
    def columns(self) -> Integers:
        """Column of the scores of each known tag; int64 (known,)."""
        return self.scored.columns

    @property
    def names(self) -> list[str]:
        """The model's name of each known tag."""
        return [self.entry.scores.tags.names[column] for column in self.columns]


def compared_tags(truth: Truth, models: Sequence[MatchedModel], min_positives: int) -> Integers:
    """Return the columns of the ground truth that are compared: all models know the tag, and it has enough positives."""
    support = np.diff(truth.values.indptr)
    return np.flatnonzero((support >= min_positives) & np.all([one.chosen >= 0 for one in models], axis=0))


def describe_thresholds(entry: Entry) -> str:
    """Return the thresholds of a model as text, such as `0.35, character 0.85` or `0.4, 9,225 set per tag`."""
    thresholds, tags = entry.thresholds, entry.scores.tags
    own = sum(name in thresholds.tags for name in tags.names)
    if own == len(tags):
        return f"all {own:,} set per tag" if own > 1 else f"{thresholds.tags[tags.names[0]]:g}"
    default = DEFAULT_THRESHOLD if thresholds.default is None else thresholds.default
    per_category = [f"{name} {value:g}" for name, value in thresholds.categories.items()]
    return ", ".join([f"{default:g}", *per_category, *([f"{own:,} set per tag"] if own else [])])


def scored_by_all(truth: Truth, entries: Sequence[Entry]) -> tuple[Truth, dict[str, str]]:
    """Return the ground truth without the images that a model skipped, and the reasons by image.

    Raises:
        ScoresError: a model has neither scores nor a reason for an image.
        ArenaError: no image is left.
    """
    skipped: dict[str, str] = {}
    known = set(truth.image_ids)
    for entry in entries:
        skipped |= {image_id: reason for image_id, reason in entry.scores.skipped.items() if image_id in known}
    for entry in entries:
        scored = set(entry.scores.image_ids)
        lost = [image_id for image_id in truth.image_ids if image_id not in scored and image_id not in skipped]
        if lost:
            raise ScoresError(
                f"{entry.name}: no scores for {len(lost)} of {len(truth.image_ids)} images of the ground truth "
                f"({', '.join(lost[:3])}{' ...' if len(lost) > 3 else ''}); {_why_lost(lost, entry.scores.image_ids, known)}"
            )
    kept = np.flatnonzero([image_id not in skipped for image_id in truth.image_ids])
    if not len(kept):
        raise ArenaError("no image is left to compare: the ground truth is empty, or every image was skipped")
    return (truth if len(kept) == len(truth.image_ids) else truth.take(kept)), skipped


_SAME_FORMS: Mapping[str, Callable[[str], str]] = {
    "their suffix": lambda name: PurePosixPath(name).with_suffix("").as_posix() if name.strip("/.") else name,
    "their folder": lambda name: name.rpartition("/")[2],
    "folder and suffix": lambda name: PurePosixPath(name).stem,
    "capitals": str.lower,
    "leading zeros": lambda name: name.lstrip("0"),
}
"""Usual difference between two identifiers of one image -> function that removes this difference."""


def _why_lost(lost: Sequence[str], scored: Sequence[str], known: Collection[str]) -> str:
    """Return the cause and the fix for images without scores, as the end of an error.

    Args:
        lost: identifiers of the ground truth that the scores lack.
        scored: identifiers of the scores.
        known: identifiers of the ground truth.
    """
    other = [image_id for image_id in scored if image_id not in known]
    if not other:
        return "score them or remove them from the ground truth"
    for what, part in _SAME_FORMS.items():
        unused = {part(image_id): image_id for image_id in reversed(other)}
        if same := next(((image_id, unused[part(image_id)]) for image_id in lost if part(image_id) in unused), None):
            return (
                f"the identifiers differ in {what} only: {same[0]!r} in the ground truth, {same[1]!r} in the scores; "
                "make them equal"
            )
    return (
        f"the scores have other identifiers, such as {other[0]!r}; make them equal, or score the images of a dataset with "
        "arena predict --dataset"
    )


def close_entry(truth: Truth, entry: Entry) -> Entry:
    """Return the entry with scores that obey the implications of the ground truth.

    An implied tag gets at least the score of each tag that implies it.

    Raises:
        ArenaError: the ground truth has no implications.
    """
    refuse_no_implications(truth)
    scores, relations = entry.scores, truth.relations
    closed = replace(scores, values=apply_implications(scores.values, scores.tags, relations))
    facts = {**entry.facts, "implied_tags": len(find_implying(scores.tags, relations).implied)}
    return replace(entry, scores=closed, facts=facts)


def refuse_no_compared_tag(
    truth: Truth, tags: Mapping[str, TagSpace], min_positives: int, *, paired: bool = False
) -> None:
    """Refuse models that leave no tag to compare.

    Args:
        tags: name of a model -> its tags.
        min_positives: number of positives that a compared tag needs.
        paired: whether runs, files and models are compared with each other (`compare`, `check`); each fault then makes them
            incomparable, and a file of renamed tags is the fix.

    Raises:
        IncomparableError: no tag of the ground truth is known to all models; if `paired`, also in the other cases.
        ArenaError: a model knows no tag of the ground truth, or no common tag has enough positives.
    """
    fault = IncomparableError if paired else ArenaError
    renames = RENAMED_BY_OPTION if paired else RENAMED_BY_DATASET
    known = np.ones(len(truth.tags), np.bool_)
    for name, one in tags.items():
        mine = project(one, truth.tags, truth.relations) >= 0
        if not mine.any():
            raise fault(_no_tag(name, one, truth.tags, renames))
        known &= mine
    if not known.any():
        raise IncomparableError(
            f"{listed(list(tags))}: no tag of the ground truth is known to all of them; {renames}, or score the models "
            "separately"
        )
    support = np.where(known, np.diff(truth.values.indptr), -1)
    column = int(np.argmax(support))
    if support[column] < min_positives:
        raise fault(
            f"no tag has {min_positives:,} positives or more: of the {plural(int(known.sum()), 'common tag', 'common tags')}, "
            f"{shown(truth.tags.names[column])} has most, {support[column]:,}{_known_share(truth)}; take more images, or "
            f"{renames if paired else 'lower --min-positives'}"
        )


def _known_share(truth: Truth) -> str:
    """Return how many cells of the ground truth are known, in brackets; empty if all are."""
    if truth.known is None:
        return ""
    return f" (known are {truth.known.counts().sum():,} of {truth.known.images * len(truth.tags):,} labels)"


def _no_tag(name: str, tags: TagSpace, truth_tags: TagSpace, renames: str = RENAMED_BY_DATASET) -> str:
    mine, wanted = (f"{len(one):,} tags ({listed(list(one.names), keep=3)})" for one in (tags, truth_tags))
    return f"{name}: none of its {mine} is in the ground truth, which has {wanted}; check its tag list, or {renames}"


def refuse_no_implications(truth: Truth) -> None:
    """Raise ArenaError if the ground truth has no implications."""
    if not truth.relations.implications:
        raise ArenaError("--imply: the ground truth has no implications; use a dataset with a tag_implications.csv")


def match_model(truth: Truth, entry: Entry) -> MatchedModel:
    """Map the tags of a model to the columns of the ground truth, and its images to the rows.

    Raises:
        ArenaError: the model and the ground truth share no tag.
    """
    tags = entry.scores.tags
    meaning = project(truth.tags, tags, truth.relations)
    columns = np.flatnonzero(meaning >= 0)
    if not len(columns):
        raise ArenaError(_no_tag(entry.name, tags, truth.tags))
    columns = columns[np.argsort(meaning[columns], kind="stable")]
    position = np.full(len(tags) + 1, -1)
    position[columns] = np.arange(len(columns))
    chosen = position[project(tags, truth.tags, truth.relations)]
    first = np.zeros(len(columns), np.bool_)
    first[chosen[chosen >= 0]] = True
    categories = tuple(_category(tags, int(c), truth.tags, int(meaning[c])) for c in columns)
    configured, names = entry.thresholds, [tags.names[c] for c in columns]
    thresholds = thresholds_per_tag(
        names,
        [tags.category(int(c)) if tags.categories else name for c, name in zip(columns, categories, strict=True)],
        default=DEFAULT_THRESHOLD if configured.default is None else configured.default,
        by_category=configured.categories,
        by_tag=configured.tags,
    )
    shared = np.unique(thresholds[[name not in configured.tags for name in names]])
    place = _place(truth.image_ids, entry.scores.image_ids)
    scored = KnownColumns(entry.scores.values, columns, meaning[columns], first, place)
    return MatchedModel(entry, scored, chosen, thresholds, shared, categories)


def _place(wanted: tuple[str, ...], present: tuple[str, ...]) -> Integers | None:
    """Return the row in `wanted` of each image in `present`, -1 if there is none; None if both are the same."""
    if wanted == present:
        return None
    index = {image_id: row for row, image_id in enumerate(wanted)}
    return np.array([index.get(image_id, -1) for image_id in present], dtype=np.int64)


def _category(tags: TagSpace, column: int, truth_tags: TagSpace, truth_column: int) -> str:
    """Return the category of a tag in the ground truth, or in the model if the ground truth has no categories."""
    return truth_tags.category(truth_column) if truth_tags.categories else tags.category(column)
