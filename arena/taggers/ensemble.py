"""An ensemble: the weighted mean of its members' scores over the tags that all of them know."""

from collections.abc import Mapping, Sequence

import numpy as np

from arena.cards import ModelCard, Preprocess
from arena.errors import ArenaError
from arena.taggers.base import Pixels, Scores, Tagger
from arena.tags import TagSpace


class Ensemble:
    """Several taggers as one.

    A tag is common where every member spells it alike; the order, the categories and the counts are the first member's.

    Raises:
        ArenaError: the members have no tag in common.
    """

    def __init__(self, card: ModelCard, members: Sequence[Tagger]) -> None:
        self.card = card
        self.members = tuple(members)
        self.tags = common_tags(card.name, [member.tags for member in members])
        self.preprocess = members[0].preprocess
        self.precision = _all_of([member.precision for member in members])
        self.device = _all_of([member.device for member in members])
        weights = np.array(card.weights or (1.0,) * len(members))
        self._shares = (weights / weights.sum()).tolist()
        self._columns = [np.array([member.tags.index[name] for name in self.tags.names]) for member in members]

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


def common_tags(name: str, spaces: Sequence[TagSpace]) -> TagSpace:
    """The names that are in every space, in the order of the first, with its categories and counts.

    >>> common_tags("both", [TagSpace(("c", "a", "b"), counts=(3, 1, 2)), TagSpace(("b", "c"))])
    TagSpace(names=('c', 'b'), categories=None, counts=(3, 2))
    """
    first = spaces[0]
    kept = [column for column, tag in enumerate(first.names) if all(tag in space.index for space in spaces[1:])]
    if not kept:
        raise ArenaError(f"ensemble {name}: its members have no tag in common; a mean needs tags that are spelt alike")
    return TagSpace(
        tuple(first.names[column] for column in kept),
        tuple(first.categories[column] for column in kept) if first.categories else None,
        tuple(first.counts[column] for column in kept) if first.counts else None,
    )


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
