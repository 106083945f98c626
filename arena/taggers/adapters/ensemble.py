"""An ensemble: the weighted mean of its members' scores over the tags that all of them know."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.base.errors import ArenaError
from arena.cards import ModelCard, Preprocess
from arena.taggers.base import Pixels, Scores, Tagger, notes_of
from arena.taggers.files.tag_files import canonical
from arena.tags import TagRelations, TagSpace, project

MATCHING_VERSION = 2
"""Raised when other tags of members are found to be the same; part of every ensemble's cache key."""

Columns = NDArray[np.int64]


class Ensemble:
    """Several taggers as one.

    A tag is common where every member has it, in whatever spelling; the names, their order, the categories and the counts are
    the first member's.

    Args:
        relations: what is known of tags' names; without aliases, spellings that differ in case, spaces or escapes still match.

    Attributes:
        notes: what a user should know of the match, and of the members.

    Raises:
        ArenaError: the members have no tag in common.
    """

    def __init__(self, card: ModelCard, members: Sequence[Tagger], relations: TagRelations = TagRelations()) -> None:
        self.card = card
        self.members = tuple(members)
        spaces = [member.tags for member in members]
        self.tags, self._columns = common_tags(card.name, spaces, relations)
        self.notes = (*_notes(self.tags, spaces, self._columns), *_notes_of_members(members))
        self.preprocess = members[0].preprocess
        self.precision = _all_of([member.precision for member in members])
        self.device = _all_of([member.device for member in members])
        weights = np.array(card.weights or (1.0,) * len(members))
        self._shares = (weights / weights.sum()).tolist()

    def scores(self, batch: Pixels) -> Scores:
        """Probabilities of a batch, where all members want the same squares.

        Raises:
            ArenaError: they want different ones; `score_squares` takes those.
        """
        wants = wanted(self)
        if len(wants) > 1:
            sizes = ", ".join(f"{member.card.name} {member.preprocess.size}" for member in self.members)
            raise ArenaError(
                f"{self.card.name}: its members want different squares ({sizes} pixels), not one batch; "
                "use arena run or arena predict"
            )
        return score_squares(self, dict.fromkeys(wants, batch))

    def mean(self, parts: Sequence[Scores]) -> Scores:
        """The members' scores, each (n, its tags), as one (n, tags); summed in float64, so that no order of members shows."""
        total = np.zeros((len(parts[0]), len(self.tags)))
        for share, part, columns in zip(self._shares, parts, self._columns, strict=True):
            total += share * part[:, columns]
        return total.clip(0, 1).astype(np.float32)  # shares may add up to 1 + 1e-16


class Common(NamedTuple):
    """The tags that all members have."""

    tags: TagSpace
    columns: tuple[Columns, ...]
    """Where each member has them, (tags,)."""


def common_tags(name: str, spaces: Sequence[TagSpace], relations: TagRelations = TagRelations()) -> Common:
    """The tags that are in every space, as the first one names and orders them, with its categories and counts.

    Two spellings are one tag where `project` finds so by the aliases, or by `spelling_of` where no alias is known. A column
    stands for one tag only: for that of its own spelling, else for the first.

    Raises:
        ArenaError: there is none.

    >>> spaces = [TagSpace(("c", "a", "Pup b"), counts=(3, 1, 2)), TagSpace(("pup_b", "C"))]
    >>> common_tags("both", spaces)
    Common(tags=TagSpace(names=('c', 'Pup b'), categories=None, counts=(3, 2)), columns=(array([0, 2]), array([1, 0])))
    """
    first = spaces[0]
    names = {tag for space in spaces for tag in space.names}
    meaning = TagRelations({tag: spelling_of(tag, relations) for tag in names})
    found = [_each_once(project(space, first, meaning), first, space) for space in spaces]
    kept = np.flatnonzero(np.all([columns >= 0 for columns in found], axis=0))
    if not len(kept):
        raise ArenaError(f"ensemble {name}: its members have no tag in common; a mean needs tags of the same names")
    tags = TagSpace(
        tuple(first.names[column] for column in kept),
        tuple(first.categories[column] for column in kept) if first.categories else None,
        tuple(first.counts[column] for column in kept) if first.counts else None,
    )
    return Common(tags, tuple(columns[kept] for columns in found))


def spelling_of(name: str, relations: TagRelations = TagRelations()) -> str:
    r"""What all spellings of a tag have in common: the canonical name where it is an alias, no capitals, spaces or escapes.

    >>> spelling_of(r"Ganyu \(Genshin Impact\)"), spelling_of("Pup", TagRelations({"pup": "dog"}))
    ('ganyu_(genshin_impact)', 'dog')
    """
    if name not in relations.aliases:
        name = canonical(name).casefold()
    return canonical(relations.canonical(name)).casefold()


def _each_once(found: Columns, first: TagSpace, space: TagSpace) -> Columns:
    """The same columns, -1 where one stands for another tag already."""
    own = {space.index[name] for name in first.names if name in space.index}
    taken: set[int] = set()
    for row, column in enumerate(found.tolist()):
        alike = first.names[row] == space.names[column]
        if column in taken or (column in own and not alike):
            found[row] = -1
        else:
            taken.add(column)
    return found


def _notes(tags: TagSpace, spaces: Sequence[TagSpace], columns: Sequence[Columns]) -> tuple[str, ...]:
    """Which tags were matched though members spell them otherwise."""
    other = {
        name: space.names[column]
        for space, places in zip(spaces, columns, strict=True)
        for name, column in zip(tags.names, places.tolist(), strict=True)
        if space.names[column] != name
    }
    if not other:
        return ()
    few = ", ".join(f"{name} = {spelling}" for name, spelling in list(other.items())[:3])
    more = ", ..." if len(other) > 3 else ""
    return (f"{len(other):,} of {len(tags):,} common tags are spelt otherwise by a member: {few}{more}",)


def _notes_of_members(members: Sequence[Tagger]) -> tuple[str, ...]:
    return tuple(f"{member.card.name}: {note}" for member in members for note in notes_of(member))


def single(tagger: Tagger) -> tuple[Tagger, ...]:
    """The single taggers that one is made of: an ensemble's members, or itself."""
    return tagger.members if isinstance(tagger, Ensemble) else (tagger,)


def wanted(tagger: Tagger) -> tuple[Preprocess, ...]:
    """Every preprocessing that a tagger wants, each once; an ensemble may want several."""
    return tuple(dict.fromkeys(one.preprocess for one in single(tagger)))


def score_squares(tagger: Tagger, squares: Mapping[Preprocess, Pixels]) -> Scores:
    """Probabilities of a batch, float32 (n, tags).

    Args:
        squares: the same images as every preprocessing in `wanted` makes them.
    """
    if isinstance(tagger, Ensemble):
        return tagger.mean([member.scores(squares[member.preprocess]) for member in tagger.members])
    return tagger.scores(squares[tagger.preprocess])


def _all_of(words: Sequence[str]) -> str:
    """`fp32` where all say so, else `fp16+fp32`."""
    return "+".join(sorted(set(words)))
