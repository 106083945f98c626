"""Which images and tags of several score matrices and one truth belong together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena.base.errors import ArenaError, ScoresError
from arena.cards import Thresholds
from arena.dataset.frozen import Truth
from arena.metrics.blocks import Scored
from arena.metrics.counts import Integers
from arena.metrics.thresholds import DEFAULT_THRESHOLD, per_tag
from arena.scores.implied import close_predictions, implying
from arena.scores.store import Scores
from arena.tags import TagSpace, project


@dataclass(frozen=True)
class Entry:
    """One model in a comparison.

    Attributes:
        thresholds: the model's own; `threshold_source` is `option`, `file`, `card` or `default`.
        facts: provenance for `run.json`.
    """

    name: str
    title: str
    scores: Scores
    thresholds: Thresholds
    threshold_source: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Matched:
    """An entry's columns that the truth knows, in the order of the truth's tags.

    Attributes:
        scored: its columns and rows, as the metrics read them.
        chosen: for each truth tag which of the columns stands for it in comparisons, or -1; int64 (truth tags,).
        own: its own threshold of each column, as it is named; float32 (known,).
        shared: the different ones of columns that have none to themselves; float32 (few,), ascending.
        categories: of each column, the truth's word, or the model's where the truth has none.
    """

    entry: Entry
    scored: Scored
    chosen: Integers
    own: NDArray[np.float32]
    shared: NDArray[np.float32]
    categories: tuple[str, ...]

    @property
    def columns(self) -> Integers:
        """The model's column of each."""
        return self.scored.columns

    @property
    def names(self) -> list[str]:
        """The model's name of each tag."""
        return [self.entry.scores.tags.names[column] for column in self.columns]


def describe_thresholds(entry: Entry) -> str:
    """The thresholds of a model as a reader sees them: `0.35, character 0.85`, or `0.4, 9,225 tags their own`."""
    told, tags = entry.thresholds, entry.scores.tags
    own = sum(name in told.tags for name in tags.names)
    if own == len(tags):
        return f"all {own:,} tags their own" if own > 1 else f"{told.tags[tags.names[0]]:g}"
    default = DEFAULT_THRESHOLD if told.default is None else told.default
    single = [f"{own:,} {'tags their own' if own > 1 else 'tag its own'}"] if own else []
    return ", ".join([f"{default:g}", *(f"{name} {value:g}" for name, value in told.categories.items()), *single])


def scored_by_all(truth: Truth, entries: Sequence[Entry]) -> tuple[Truth, dict[str, str]]:
    """The truth without images that some model had to skip; an image that was lost for no reason is an error."""
    skipped: dict[str, str] = {}
    known = set(truth.image_ids)
    for entry in entries:
        skipped |= {image_id: reason for image_id, reason in entry.scores.skipped.items() if image_id in known}
    for entry in entries:
        scored = set(entry.scores.image_ids)
        lost = [image_id for image_id in truth.image_ids if image_id not in scored and image_id not in skipped]
        if lost:
            raise ScoresError(
                f"{entry.name}: no scores for {len(lost)} of {len(truth.image_ids)} images of the truth "
                f"({', '.join(lost[:3])}{' ...' if len(lost) > 3 else ''}); score them, or take them out of the truth"
            )
    kept = np.flatnonzero([image_id not in skipped for image_id in truth.image_ids])
    if not len(kept):
        raise ArenaError("no image is left to compare: the truth is empty, or every image was skipped")
    return (truth if len(kept) == len(truth.image_ids) else truth.take(kept)), skipped


def close_over(truth: Truth, entry: Entry) -> Entry:
    """A model whose scores obey the implications of the truth: an implied tag scores at least what implies it scores.

    Raises:
        ArenaError: the truth has no implications.
    """
    if not truth.relations.implications:
        raise ArenaError("--imply: the truth has no implications; give a dataset with a tag_implications.csv")
    scores, relations = entry.scores, truth.relations
    closed = replace(scores, values=close_predictions(scores.values, scores.tags, relations))
    facts = {**entry.facts, "implied_tags": len(implying(scores.tags, relations).implied)}
    return replace(entry, scores=closed, facts=facts)


def match(truth: Truth, entry: Entry) -> Matched:
    """Find the truth column of each of a model's tags, and the row of each image.

    Raises:
        ArenaError: the model and the truth share no tag.
    """
    tags = entry.scores.tags
    meaning = project(truth.tags, tags, truth.relations)
    columns = np.flatnonzero(meaning >= 0)
    if not len(columns):
        raise ArenaError(f"{entry.name}: none of its {len(tags)} tags is a tag of the truth; are these its own tags?")
    columns = columns[np.argsort(meaning[columns], kind="stable")]
    position = np.full(len(tags) + 1, -1)
    position[columns] = np.arange(len(columns))
    chosen = position[project(tags, truth.tags, truth.relations)]
    first = np.zeros(len(columns), np.bool_)
    first[chosen[chosen >= 0]] = True
    categories = tuple(_category(tags, int(c), truth.tags, int(meaning[c])) for c in columns)
    told, names = entry.thresholds, [tags.names[c] for c in columns]
    thresholds = per_tag(
        names,
        [tags.category(int(c)) if tags.categories else name for c, name in zip(columns, categories, strict=True)],
        default=DEFAULT_THRESHOLD if told.default is None else told.default,
        by_category=told.categories,
        by_tag=told.tags,
    )
    shared = np.unique(thresholds[[name not in told.tags for name in names]])
    place = _place(truth.image_ids, entry.scores.image_ids)
    scored = Scored(entry.scores.values, columns, meaning[columns], first, place)
    return Matched(entry, scored, chosen, thresholds, shared, categories)


def _place(wanted: tuple[str, ...], given: tuple[str, ...]) -> Integers | None:
    """Where each given row goes, -1 for nowhere; None where they are the same."""
    if wanted == given:
        return None
    index = {image_id: row for row, image_id in enumerate(wanted)}
    return np.array([index.get(image_id, -1) for image_id in given], dtype=np.int64)


def _category(tags: TagSpace, column: int, truth_tags: TagSpace, truth_column: int) -> str:
    """The truth's word on a tag's category; the model's where the truth has none."""
    return truth_tags.category(truth_column) if truth_tags.categories else tags.category(column)
