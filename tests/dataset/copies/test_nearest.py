from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from arena.dataset.copies.alignment import Thumbnails
from arena.dataset.copies.nearest import NEAREST, compare_nearest

JOINED, RELATED = ("near",), ("near", "alternate")


def every_pair(count: int) -> pd.DataFrame:
    pairs = pd.DataFrame([*combinations(range(count), 2)], columns=["left", "right"])
    return pairs.assign(straight=True, mirrored=False)


def icons(count: int, *, seed: int = 0) -> Thumbnails:
    """Discs of random colours on random colours: every one has the shape of the others."""
    rng = np.random.default_rng(seed)
    far = (np.arange(64) - 31.5) ** 2
    disc = (far[:, None] + far < 20**2)[None, :, :, None]
    colours = rng.integers(0, 256, (2, count, 1, 1, 3))
    picture = np.where(disc, colours[0], colours[1]).astype(np.uint8)
    return np.repeat(np.concatenate([picture, np.full_like(picture[..., :1], 255)], axis=-1)[:, None], 2, axis=1)


class Comparison:
    """A comparison that knows the class of each pair; it counts the pairs of each round."""

    def __init__(self, copies: dict[int, int], groups: int) -> None:
        self.copies, self.groups, self.rounds = copies, groups, list[int]()

    def __call__(self, pairs: pd.DataFrame) -> Iterator[pd.DataFrame]:
        self.rounds.append(len(pairs))
        yield pairs.assign(**{"class": [self.of(row.left, row.right) for row in pairs.itertuples()]})

    def of(self, left: int, right: int) -> str:
        if self.copies.get(left, left) == self.copies.get(right, right):
            return "near"
        return "alternate" if left % self.groups == right % self.groups else "rejected"


def test_pictures_with_few_candidates_are_compared_with_all_of_them() -> None:
    pairs, compare = every_pair(NEAREST + 1), Comparison({}, groups=10_000)
    found = compare_nearest(pairs, icons(NEAREST + 1), compare, joined=JOINED, related=RELATED)
    assert (len(found.pairs), found.left_out, compare.rounds) == (len(pairs), 0, [len(pairs)])


def test_different_pictures_of_one_hash_are_compared_with_a_few() -> None:
    count, compare = 60, Comparison({}, groups=10_000)
    found = compare_nearest(every_pair(count), icons(count), compare, joined=JOINED, related=RELATED)
    assert len(compare.rounds) == 1
    assert len(found.pairs) <= (2 * NEAREST + 1) * count
    assert len(found.pairs) + found.left_out == count * (count - 1) // 2


@pytest.mark.parametrize("groups", [1, 3, 7])
def test_copies_and_groups_are_those_of_all_pairs(groups: int) -> None:
    count = 60
    pictures = icons(count, seed=groups)
    copies = {row: row - groups for row in range(groups, count, 4)}  # nearly the same colours
    for row, original in sorted(copies.items()):
        copies[row] = copies.get(original, original)
        pictures[row] = np.clip(pictures[original].astype(int) + 2, 0, 255)
    compare = Comparison(copies, groups)
    found = compare_nearest(every_pair(count), pictures, compare, joined=JOINED, related=RELATED)
    assert sum(compare.rounds) < count * (count - 1) // 2, "not all pairs"
    for classes in (JOINED, RELATED):
        assert components(found.pairs, classes, count) == components(next(compare(every_pair(count))), classes, count)


def components(pairs: pd.DataFrame, classes: tuple[str, ...], count: int) -> list[int]:
    """The smallest row that is connected to each row."""
    ends = pairs[pairs["class"].isin(classes)][["left", "right"]].to_numpy().tolist()
    least, before = list(range(count)), list[int]()
    while least != before:
        before = list(least)
        for left, right in ends:
            least[left] = least[right] = min(least[left], least[right])
    return least


def test_no_candidate_is_no_pair() -> None:
    found = compare_nearest(every_pair(1), icons(1), Comparison({}, 1), joined=JOINED, related=RELATED)
    assert (len(found.pairs), found.left_out) == (0, 0)
