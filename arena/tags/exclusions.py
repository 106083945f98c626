"""Pairs of tags that exclude each other: from a file, and the ratings of an image.

Danbooru has no list of them. The file `tag_exclusions.csv` has the columns `first_name,second_name`; a name may list several
tags, separated by spaces, each of which excludes every tag of the other column.
"""

from collections.abc import Iterable, Mapping
from itertools import combinations, product
from pathlib import Path

from arena.tags.rows import read_csv
from arena.tags.space import TagSpace
from arena.tags.spelling import canonical_spelling

EXCLUSIONS_FILE = "tag_exclusions.csv"

RATING = "rating"
"""Category of tags of which an image has exactly one."""


def read_exclusions(path: Path) -> set[tuple[str, str]]:
    """Return the pairs of a file, each sorted; a missing file counts as empty.

    Raises:
        ArenaError: the file is damaged or lacks a column.
    """
    pairs = set()
    for row in read_csv(path, ("first_name", "second_name"), complete=True):
        sides = (map(canonical_spelling, (row[name] or "").split()) for name in ("first_name", "second_name"))
        pairs |= {_sorted(*pair) for pair in product(*sides) if pair[0] != pair[1]}
    return pairs


def exclusive_ratings(tags: TagSpace) -> set[tuple[str, str]]:
    """Return the pairs of tags of the category `rating`.

    >>> sorted(exclusive_ratings(TagSpace(("safe", "explicit", "cat"), ("rating", "rating", "general"))))
    [('explicit', 'safe')]
    """
    ratings = [name for number, name in enumerate(tags.names) if tags.category(number) == RATING]
    return {_sorted(*pair) for pair in combinations(ratings, 2)}


def canonical_pairs(pairs: Iterable[tuple[str, str]], aliases: Mapping[str, str]) -> set[tuple[str, str]]:
    """Return pairs with every alias replaced by its canonical name."""
    return {_sorted(*(aliases.get(name, name) for name in pair)) for pair in pairs}


def _sorted(first: str, second: str) -> tuple[str, str]:
    return (first, second) if first < second else (second, first)
