"""Which class an image has, worked by hand; what chance gives, against drawn hashes; what cannot be compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.base.errors import ArenaError, IncomparableError
from arena.base.progress import Silent
from arena.cards import DatasetCard
from arena.dataset.contamination import (
    BAND_CLASSES,
    CONTAMINATION_CLASSES,
    ComparedIndex,
    Contamination,
    chance_within,
    expected_matches,
    find_contamination,
    search_index_files,
)
from arena.dataset.frozen import HeldOut
from arena.tags import TagRelations, TagSpace

from .indexes import make_index

CLEAN = "clean"
HALF = 0x5A5A_A5A5_0F0F_F0F0
"""32 ones."""


def flip(value: int, bits: int) -> int:
    """The hash with so many bits changed, half of them gone and half of them new, as of hashes about their median."""
    ones = [place for place in range(64) if value >> place & 1]
    zeros = [place for place in range(64) if not value >> place & 1]
    chosen = ones[: (bits + 1) // 2] + zeros[: bits // 2]
    return value ^ sum(1 << place for place in chosen)


def heldout(facts: dict[str, Any] | None = None, **columns: Sequence[Any]) -> HeldOut:
    """A set of nothing but these columns."""
    count = len(next(iter(columns.values())))
    ids = [f"i{number}" for number in range(count)]
    table = pd.DataFrame({"image_id": ids, "sha256": [f"{number:064x}" for number in range(count)]} | columns)
    card = DatasetCard("set", "Set", Path("set"), facts=facts or {})
    return HeldOut(card, table, TagSpace(("a",)), TagRelations())


def classes_of(found: Contamination) -> list[str]:
    return [(*CONTAMINATION_CLASSES, CLEAN)[place] for place in found.place]


def find(images: HeldOut, *indexes: Any) -> Contamination:
    return find_contamination(images, [ComparedIndex(f"{n}.parquet", f"{n}f", one) for n, one in enumerate(indexes)])


def drawn(count: int, seed: int = 0) -> list[int]:
    """Hashes with 32 ones at any places."""
    rng = np.random.default_rng(seed)
    return [sum(1 << int(place) for place in rng.permutation(64)[:32]) for _ in range(count)]


def test_each_class_worked_by_hand() -> None:
    train = [HALF]
    images = heldout(phash=[flip(HALF, bits) for bits in (0, 0, 2, 4, 6, 8, 10, 32)])
    found = find(images, make_index(1, phash=train, digests={"sha256": [f"{1:064X}"]}))
    assert classes_of(found) == [
        "distance 0", "identical", "distance 1-4", "distance 1-4", "distance 5-8", "distance 5-8", CLEAN, CLEAN,
    ]  # fmt: skip
    assert found.classes == ("identical", *BAND_CLASSES)
    assert found.counts == {"identical": 1, "distance 0": 1, "distance 1-4": 2, "distance 5-8": 2}
    left = {level.name: np.flatnonzero(level.kept).tolist() for level in found.levels}
    assert left == {
        "without identical": [0, 2, 3, 4, 5, 6, 7],
        "without distance <= 4": [4, 5, 6, 7],
        "without distance <= 8": [6, 7],
    }


def test_a_bit_of_dhash_counts_as_two() -> None:
    images = heldout(phash=drawn(6, 1), dhash=[flip(HALF, bits) for bits in (0, 1, 2, 3, 4, 5)])
    found = find(images, make_index(1, phash=drawn(1, 2), dhash=[HALF]))
    assert classes_of(found) == ["distance 0", *["distance 1-4"] * 2, *["distance 5-8"] * 2, CLEAN]


def test_the_nearest_of_all_columns_rows_and_indexes_counts() -> None:
    images = heldout(phash=[HALF, drawn(1, 7)[0]], dhash=[flip(HALF, 4), HALF])
    far, near = make_index(2, phash=[flip(HALF, 8), flip(HALF, 6)]), make_index(1, dhash=[flip(HALF, 1)])
    assert classes_of(find(images, far)) == ["distance 5-8", CLEAN]
    assert classes_of(find(images, far, near)) == ["distance 5-8", "distance 1-4"]
    assert classes_of(find(images, near, far)) == ["distance 5-8", "distance 1-4"]


def test_equal_pixels_are_identical_and_empty_digests_are_not() -> None:
    images = heldout(phash=drawn(3), pixel_sha256=["aa", "", None])
    found = find(images, make_index(3, phash=drawn(3, 9), digests={"pixel_sha256": ["AA", "", "none"]}))
    assert classes_of(found) == ["identical", CLEAN, CLEAN]


def test_an_index_of_digests_alone_or_hashes_alone_tells_what_it_can() -> None:
    images = heldout(phash=[HALF, HALF])
    digests = find(images, make_index(1, digests={"sha256": [f"{0:064x}"]}))
    assert (digests.classes, classes_of(digests)) == (("identical",), ["identical", CLEAN])
    assert digests.untold.all()
    hashes = find(images, make_index(1, phash=[HALF]))
    assert [level.name for level in hashes.levels] == ["without distance <= 4", "without distance <= 8"]


@pytest.mark.parametrize("form", ["unsigned", "signed", "text", "objects"])
def test_hashes_are_read_as_integers_of_either_sign_and_as_text(form: str) -> None:
    top = [1 << 63 | 0x7FFF_FFFF, HALF]
    columns = {
        "unsigned": pd.Series(np.array(top, np.uint64)),
        "signed": pd.Series(np.array(top, np.uint64).view(np.int64)),
        "text": pd.Series([f"{value:016x}" for value in top]),
        "objects": pd.Series(top, dtype=object),
    }
    assert classes_of(find(heldout(phash=columns[form]), make_index(2, phash=top))) == ["distance 0"] * 2


@pytest.mark.parametrize("bad", [["zz", "1"], [1.5e19, 3.0], ["1" * 17, "1"], [["a"], "1"]])
def test_a_hash_that_is_none_is_one_clear_line(bad: list[Any]) -> None:
    with pytest.raises(
        ArenaError, match=r"set: images\.parquet has a phash that is not a hash of 64 bits; write integers"
    ):
        find(heldout(phash=pd.Series(bad)), make_index(1, phash=[HALF]))


def test_images_without_a_hash_are_clean_and_told() -> None:
    found = find(heldout(phash=pd.Series([f"{HALF:016x}", "", None])), make_index(1, phash=[HALF]))
    assert classes_of(found) == ["distance 0", CLEAN, CLEAN]
    assert found.untold.tolist() == [False, True, True]


def test_another_algorithm_is_incomparable() -> None:
    index = make_index(1, phash=[HALF], algorithms={"phash": "other.phash/8x8"})
    with pytest.raises(
        IncomparableError, match=r"0\.parquet: its phash is other\.phash/8x8, that of dataset set is imageh"
    ):
        find(heldout(phash=[HALF]), index)
    assert classes_of(find(heldout({"phash": "other.phash/8x8"}, phash=[HALF]), index)) == ["distance 0"]


def test_nothing_in_common_is_incomparable() -> None:
    with pytest.raises(IncomparableError, match="it has dhash, none of which the images of dataset set have"):
        find(heldout(phash=[HALF]), make_index(1, dhash=[HALF]))


def test_an_index_named_twice_is_a_mistake() -> None:
    one = ComparedIndex("a.parquet", "", make_index(1, phash=[HALF]))
    with pytest.raises(ArenaError, match=r"--against: index 'a\.parquet' is listed twice"):
        find_contamination(heldout(phash=[HALF]), [one, one])


def test_flat_pictures_share_a_hash_that_says_nothing() -> None:
    flat = 1 << 63
    found = find(heldout(phash=[flat, HALF]), make_index(40, phash=[flat, *drawn(38), HALF]))
    assert classes_of(found) == [CLEAN, "distance 0"]
    assert found.untold.tolist() == [True, False]
    assert sum(found.chance_pairs.values()) < 1e-6
    same = find(heldout(phash=[flat]), make_index(1, phash=[flat], digests={"sha256": [f"{0:064x}"]}))
    assert classes_of(same) == ["identical"], "its file is known again all the same"


def test_chance_is_what_drawn_hashes_give() -> None:
    left, right = (np.array(drawn(400, seed), np.uint64) for seed in (1, 2))
    distance = np.bitwise_count(left[:, None] ^ right[None, :])
    for radius in (22, 24, 26, 28):
        expected, seen = expected_matches(left, right, radius=radius).sum(), (distance <= radius).sum()
        assert seen == pytest.approx(expected, abs=6 * expected**0.5)


def test_chance_by_hand() -> None:
    """Of hashes with one bit each, one pair of 64 is equal and the others differ in two; none and all differ in 64."""
    assert chance_within(0)[1, 1] == pytest.approx(1 / 64)
    assert chance_within(2)[1, 1] == pytest.approx(1)
    assert chance_within(63)[0, 64] == 0
    assert chance_within(64)[0, 64] == 1
    assert 32_768 * 4e6 * chance_within(4)[32, 32] == pytest.approx(0.0177, abs=0.0001)
    np.testing.assert_allclose(chance_within(64), 1)


@given(st.integers(0, 64), st.integers(0, 64), st.integers(0, 63))
def test_chance_grows_with_the_radius_and_knows_no_side(a: int, b: int, radius: int) -> None:
    assert chance_within(radius)[a, b] <= chance_within(radius + 1)[a, b] + 1e-12
    assert chance_within(radius)[a, b] == pytest.approx(chance_within(radius)[b, a], abs=1e-12)


def test_chance_pairs_are_summed_by_band_over_columns_and_indexes() -> None:
    images = heldout(phash=drawn(50, 3), dhash=drawn(50, 4))
    one = make_index(70, phash=drawn(70, 5), dhash=drawn(70, 6))
    found, twice = find(images, one), find(images, one, make_index(70, phash=drawn(70, 5), dhash=drawn(70, 6)))
    ends = [2 * chance_within(0)[32, 32], *(chance_within(r)[32, 32] + chance_within(r // 2)[32, 32] for r in (4, 8))]
    expected = [ends[0], ends[1] - ends[0], ends[2] - ends[1]]
    assert list(found.chance_pairs.values()) == pytest.approx([3500 * one for one in expected], rel=1e-9)
    assert list(twice.chance_pairs.values()) == pytest.approx([7000 * one for one in expected], rel=1e-9)


def test_pictures_at_hand_confirm_or_reject_a_candidate() -> None:
    images = heldout(phash=[HALF, flip(HALF, 2), flip(HALF, 4), drawn(1, 5)[0]])
    asked: list[tuple[int, int]] = []

    def confirm(rows: np.ndarray, others: np.ndarray) -> list[str]:
        asked.extend(zip(rows.tolist(), others.tolist(), strict=True))
        word = {0: "near", 1: "alternate", 2: "rejected"}
        return [word[row] for row in rows.tolist()]

    found = find_contamination(images, [ComparedIndex("a", "", make_index(2, phash=[HALF, flip(HALF, 2)]), confirm)])
    assert classes_of(found) == ["near", "alternate", CLEAN, CLEAN]
    assert asked == [(row, other) for row in range(3) for other in range(2)]
    assert [level.name for level in found.levels] == ["without near", "without alternate"]
    assert found.chance_pairs == {}


def test_some_of_the_images_in_another_order() -> None:
    found = find(heldout(phash=[HALF, flip(HALF, 4), flip(HALF, 20)]), make_index(1, phash=[HALF]))
    assert classes_of(found.take(["i2", "i0"])) == [CLEAN, "distance 0"]


def test_no_index_is_nothing_known_and_a_truth_file_has_no_hashes(tmp_path: Path) -> None:
    assert search_index_files(None, (), Silent()) is None
    with pytest.raises(ArenaError, match="a truth file has no hashes; give --dataset"):
        search_index_files(None, (tmp_path / "a.parquet",), Silent())
