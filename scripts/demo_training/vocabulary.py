"""Tags that each demo tagger learns and publishes, and their spelling.

Every network is trained on all tags with a few images, because rare tags improve the features too. It publishes a subset of
them, its vocabulary. The two vocabularies differ on purpose, as those of real taggers do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MIN_TRAINED = 3
"""Images that a tag needs to be trained on."""

CATEGORY_NUMBERS = {"general": 0, "artist": 1, "copyright": 3, "character": 4, "meta": 5}
"""Danbooru's category numbers, as in `selected_tags.csv`."""


@dataclass(frozen=True)
class Vocabulary:
    """Published tags of one tagger, the most frequent first.

    Attributes:
        tags: names in the dataset.
        spellings: names in the tagger; a few are aliases.
        counts: number of training images of each tag.
        categories: category of each tag in the dataset.
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
    """Return the tags with `min_images` images or more, without one in every `skip[0]`.

    Args:
        counts: training images by tag.
        categories: category by tag.
        min_images: images that a tag needs.
        skip: (period, offset): in alphabetical order, the tags at offset, offset + period, ... are left out.
        aliases: pairs (spelling, tag).
        aliased: number of tags to spell by an alias: every second of the most frequent tags that have one.
    """
    frequent = sorted(name for name, count in counts.items() if count >= min_images)
    period, offset = skip
    kept = [name for place, name in enumerate(frequent) if place % period != offset]
    kept.sort(key=lambda name: (-counts[name], name))
    spellings: dict[str, str] = {}
    for spelling, name in sorted(aliases, key=lambda pair: (pair[0] != pair[1] + "s", pair)):  # prefer a plural
        if spelling not in counts:
            spellings.setdefault(name, spelling)
    respelt = {name: spellings[name] for name in [n for n in kept if n in spellings][1::2][:aliased]}
    return Vocabulary(
        tags=tuple(kept),
        spellings=tuple(respelt.get(name, name) for name in kept),
        counts=tuple(counts[name] for name in kept),
        categories=tuple(categories.get(name, "general") for name in kept),
    )
