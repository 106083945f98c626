"""Scores raised by implications: an implied tag scores at least as high as each tag that implies it.

Implications are applied when rows are read, so that scores stay on disk and only one tile is in memory.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.scores.matrix import DerivedPart, Matrix
from arena.tags import TagRelations, TagSpace

GATHERED_BYTES = 8 << 20
"""Bytes of implying tags' scores that are gathered at a time; an implied tag may have hundreds of implying tags."""


class ImplyingColumns(NamedTuple):
    """The columns that imply each implied column, in compressed form."""

    implied: NDArray[np.int64]
    """int64 (k,), implied columns, ascending."""
    starts: NDArray[np.int64]
    """int64 (k,), start of each implied column's entries in `sources`."""
    sources: NDArray[np.int64]
    """For each implied column: the column itself and every column that implies it."""


@dataclass(frozen=True)
class ImpliedPart(DerivedPart):
    """Rows of a matrix; implications are applied when rows are read."""

    implying: ImplyingColumns

    @cached_property
    def step(self) -> int:
        """Number of rows processed at a time."""
        return max(1, GATHERED_BYTES // (self.dtype.itemsize * len(self.implying.sources)))

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        """Return a copy of some rows, with implications applied."""
        implied, starts, sources = self.implying
        closed = np.array(self.part[rows])
        for start in range(0, len(closed), self.step):
            few = closed[start : start + self.step]
            few[:, implied] = np.maximum.reduceat(np.take(few, sources, axis=1), starts, axis=1)
        return closed


def apply_implications(scores: Matrix, tags: TagSpace, relations: TagRelations) -> Matrix:
    """Raise the score of every implied tag to the highest score of the tags that imply it.

    Two spellings of one tag do not raise each other, except in a cycle of implications. Tags without a column are not added.
    The operation is idempotent.

    Args:
        scores: (images, tags).
        tags: tags of the columns, in any spelling.

    Returns: a matrix of the same shape and type that applies implications when it is read; `scores` itself if no column
        implies another.

    >>> tags, relations = TagSpace(("animal", "dog")), TagRelations.of(implications=[("dog", "animal")])
    >>> apply_implications(Matrix.of(np.array([[0.25, 0.75], [0.5, 0.125]])), tags, relations).read()
    array([[0.75 , 0.75 ],
           [0.5  , 0.125]])
    """
    found = find_implying(tags, relations)
    return Matrix([ImpliedPart(part, found) for part in scores.parts]) if len(found.implied) else scores


def find_implying(tags: TagSpace, relations: TagRelations) -> ImplyingColumns:
    """Return which columns imply which."""
    columns: dict[str, list[int]] = {}
    for column, name in enumerate(tags.names):
        columns.setdefault(relations.canonical(name), []).append(column)
    sources: dict[int, set[int]] = {}
    for name, specific in columns.items():
        for general in relations.implications.get(name, ()):
            own = columns.get(general, [])
            in_cycle = name in relations.implications.get(
                general, ()
            )  # the tag then implies itself through the other one
            for target in own:
                sources.setdefault(target, {target}).update(specific, own if in_cycle else ())
    implied = sorted(sources)
    lengths = [len(sources[column]) for column in implied]
    return ImplyingColumns(
        np.array(implied, np.int64),
        np.cumsum([0, *lengths[:-1]] if lengths else [], dtype=np.int64),
        np.array([source for column in implied for source in sorted(sources[column])], np.int64),
    )
