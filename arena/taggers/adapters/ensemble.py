"""An ensemble: the weighted mean of its members' scores on their common tags."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.base.errors import ArenaError
from arena.cards import ModelCard, Preprocess
from arena.taggers.base import Pixels, Probabilities, Tagger, tagger_notes
from arena.tags import TagRelations, TagSpace, project
from arena.tags.spelling import canonical_spelling

MATCHING_VERSION = 2
"""Part of every ensemble's cache key; increase it when the matching of the members' tags changes."""

_ColumnIndices = NDArray[np.int64]


class Ensemble:
    """A tagger whose scores are the weighted mean of several taggers'.

    Its tags are those that every member has, in any spelling. Their names, order, categories and counts are the first member's.

    Args:
        relations: aliases of tags; without them, names that differ only in case, spaces or escapes still match.

    Attributes:
        notes: notes for the user on tags with different spellings, and those of the members.

    Raises:
        ArenaError: the members have no tag in common.
    """

    def __init__(self, card: ModelCard, members: Sequence[Tagger], relations: TagRelations = TagRelations()) -> None:
        self.card = card
        self.members = tuple(members)
        spaces = [member.tags for member in members]
        self.tags, self._columns = match_members_tags(card.name, spaces, relations)
        self.notes = (*_notes(self.tags, spaces, self._columns), *_notes_of_members(members))
        self.preprocess = members[0].preprocess
        self.precision = _joined([member.precision for member in members])
        self.device = _joined([member.device for member in members])
        weights = np.array(card.weights or (1.0,) * len(members))
        self._shares = (weights / weights.sum()).tolist()

    def scores(self, batch: Pixels) -> Probabilities:
        """Return the probabilities of a batch, float32 (n, tags), if all members have the same preprocessing.

        Raises:
            ArenaError: the members' preprocessing differs; use `score_squares`.
        """
        squares = preprocesses_of(self)
        if len(squares) > 1:
            sizes = ", ".join(f"{member.card.name} {member.preprocess.size}" for member in self.members)
            raise ArenaError(
                f"{self.card.name}: its members need different squares ({sizes} pixels) instead of one batch; "
                "use arena run or arena predict"
            )
        return score_squares(self, dict.fromkeys(squares, batch))

    def mean(self, parts: Sequence[Probabilities]) -> Probabilities:
        """Return the weighted mean of the members' scores, float32 (n, tags).

        It is summed in float64, so that the order of the members does not matter.

        Args:
            parts: the scores of each member, (n, its tags).
        """
        total = np.zeros((len(parts[0]), len(self.tags)))
        for share, part, columns in zip(self._shares, parts, self._columns, strict=True):
            total += share * part[:, columns]
        return total.clip(0, 1).astype(np.float32)  # the sum of the shares may be 1 + 1e-16


class CommonTags(NamedTuple):
    """The tags that all members have.

    Attributes:
        columns: the column of each tag in each member, (tags,).
    """

    tags: TagSpace
    columns: tuple[_ColumnIndices, ...]


def match_members_tags(name: str, spaces: Sequence[TagSpace], relations: TagRelations = TagRelations()) -> CommonTags:
    """Return the tags that are in every space, with the names, order, categories and counts of the first space.

    Two names are the same tag if `project` matches them by their `normalised_spelling`, which follows aliases. A column is
    matched with
    one tag only: that of the same name, else the first.

    Args:
        name: the ensemble's, for the error.

    Raises:
        ArenaError: there is no common tag.

    >>> spaces = [TagSpace(("c", "a", "Pup b"), counts=(3, 1, 2)), TagSpace(("pup_b", "C"))]
    >>> match_members_tags("both", spaces)
    CommonTags(tags=TagSpace(names=('c', 'Pup b'), categories=None, counts=(3, 2)), columns=(array([0, 2]), array([1, 0])))
    """
    first = spaces[0]
    names = {tag for space in spaces for tag in space.names}
    meaning = TagRelations({tag: normalised_spelling(tag, relations) for tag in names})
    found = [_each_once(project(space, first, meaning), first, space) for space in spaces]
    kept = np.flatnonzero(np.all([columns >= 0 for columns in found], axis=0))
    if not len(kept):
        raise ArenaError(f"ensemble {name}: its members have no tag in common; combine models with the same tags")
    tags = TagSpace(
        tuple(first.names[column] for column in kept),
        tuple(first.categories[column] for column in kept) if first.categories else None,
        tuple(first.counts[column] for column in kept) if first.counts else None,
    )
    return CommonTags(tags, tuple(columns[kept] for columns in found))


def normalised_spelling(name: str, relations: TagRelations = TagRelations()) -> str:
    r"""Return the form that all spellings of a tag share: aliases resolved, lower case, underscores, no escapes.

    >>> normalised_spelling(r"Ganyu \(Genshin Impact\)"), normalised_spelling("Pup", TagRelations({"pup": "dog"}))
    ('ganyu_(genshin_impact)', 'dog')
    """
    if name not in relations.aliases:
        name = canonical_spelling(name).casefold()
    return canonical_spelling(relations.canonical(name)).casefold()


def _each_once(found: _ColumnIndices, first: TagSpace, space: TagSpace) -> _ColumnIndices:
    """Return the columns, with -1 where a column is already matched with another tag; changes `found`."""
    own = {space.index[name] for name in first.names if name in space.index}
    taken: set[int] = set()
    for row, column in enumerate(found.tolist()):
        same_name = first.names[row] == space.names[column]
        if column in taken or (column in own and not same_name):
            found[row] = -1
        else:
            taken.add(column)
    return found


def _notes(tags: TagSpace, spaces: Sequence[TagSpace], columns: Sequence[_ColumnIndices]) -> tuple[str, ...]:
    """Return a note on the tags that were matched although a member spells them differently."""
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
    return (f"{len(other):,} of {len(tags):,} common tags have another spelling in a member: {few}{more}",)


def _notes_of_members(members: Sequence[Tagger]) -> tuple[str, ...]:
    return tuple(f"{member.card.name}: {note}" for member in members for note in tagger_notes(member))


def members_of(tagger: Tagger) -> tuple[Tagger, ...]:
    """Return an ensemble's members, or the tagger itself."""
    return tagger.members if isinstance(tagger, Ensemble) else (tagger,)


def preprocesses_of(tagger: Tagger) -> tuple[Preprocess, ...]:
    """Return the distinct preprocessings of a tagger; an ensemble may have several."""
    return tuple(dict.fromkeys(one.preprocess for one in members_of(tagger)))


def score_squares(tagger: Tagger, squares: Mapping[Preprocess, Pixels]) -> Probabilities:
    """Return the probabilities of a batch, float32 (n, tags).

    Args:
        squares: the images as squares, for each preprocessing in `preprocesses_of`.
    """
    if isinstance(tagger, Ensemble):
        return tagger.mean([member.scores(squares[member.preprocess]) for member in tagger.members])
    return tagger.scores(squares[tagger.preprocess])


def _joined(words: Sequence[str]) -> str:
    """Return the distinct words, sorted and joined: `fp32`, or `fp16+fp32`."""
    return "+".join(sorted(set(words)))
