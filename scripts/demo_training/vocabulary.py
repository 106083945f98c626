"""Which tags each demo tagger learns and how it spells them.

Every network is trained on all tags with a few images, since rare tags shape the features too; what it publishes is its
vocabulary, a part of them. The two vocabularies differ on purpose, as those of real taggers do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MIN_TRAINED = 3
"""Images that a tag needs in order to be trained on."""

CATEGORY_NUMBERS = {"general": 0, "artist": 1, "copyright": 3, "character": 4, "meta": 5}
"""Danbooru's numbers, as `selected_tags.csv` writes them."""


@dataclass(frozen=True)
class Vocabulary:
    """Published tags of one tagger, most frequent first.

    Attributes:
        tags: the dataset's names.
        spellings: what the tagger calls each, an alias for a few.
        counts: training images of each.
        categories: the dataset's category of each.
    """

    tags: tuple[str, ...]
    spellings: tuple[str, ...]
    counts: tuple[int, ...]
    categories: tuple[str, ...]


def choose(
    counts: Mapping[str, int],
    categories: Mapping[str, str],
    *,
    min_images: int,
    skip: tuple[int, int],
    aliases: Sequence[tuple[str, str]] = (),
    aliased: int = 0,
) -> Vocabulary:
    """The tags with `min_images` or more, less one in every `skip[0]`.

    Args:
        skip: (period, offset): of the tags in alphabetical order, those at offset, offset + period, ... are left out.
        aliases: pairs (spelling, tag).
        aliased: how many tags are spelt by an alias: the most frequent that have one, every second of them.
    """
    frequent = sorted(name for name, count in counts.items() if count >= min_images)
    period, offset = skip
    kept = [name for place, name in enumerate(frequent) if place % period != offset]
    kept.sort(key=lambda name: (-counts[name], name))
    spellings: dict[str, str] = {}
    for spelling, name in sorted(aliases, key=lambda pair: (pair[0] != pair[1] + "s", pair)):  # a plural first
        if spelling not in counts:
            spellings.setdefault(name, spelling)
    respelt = {name: spellings[name] for name in [n for n in kept if n in spellings][1::2][:aliased]}
    return Vocabulary(
        tags=tuple(kept),
        spellings=tuple(respelt.get(name, name) for name in kept),
        counts=tuple(counts[name] for name in kept),
        categories=tuple(categories.get(name, "general") for name in kept),
    )
