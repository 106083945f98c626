from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from arena.dataset.hamming import search as hamming
from arena.dataset.hamming.bands import BRUTE_FORCE, HASH_BITS, BitBand, choose_bands, reorder_bits, restore_bits
from arena.dataset.hamming.search import HammingSearch, Pairs, search_hashes

Found = list[tuple[int, int, int]]


def brute_force(what: HammingSearch) -> Found:
    """By integers, one pair after the other."""
    return [
        (i, j, (a ^ b).bit_count())
        for i, a in enumerate(what.left.tolist())
        for j, b in enumerate(what.right.tolist())
        if (a ^ b).bit_count() <= what.radius and (not what.within or i < j)
    ]


def found_by(what: HammingSearch, bands: tuple[BitBand, ...] | None = None, workers: int = 1) -> Found:
    """In order; a pair that comes twice stays twice."""
    parts: list[Pairs] = []
    search_hashes(what, parts.append, bands=bands, workers=workers)
    return sorted(row for part in parts for row in zip(*(column.tolist() for column in part), strict=True))


@st.composite
def sets(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Two sets of distinct hashes, many of them close to each other and to the ends of the range."""
    whole = st.integers(0, 2**64 - 1)
    base = draw(st.lists(whole | st.sampled_from([0, 1, 2**63, 2**64 - 1]), min_size=1, max_size=6))
    bits = st.lists(st.integers(0, 63), max_size=6).map(lambda some: sum(1 << bit for bit in set(some)))
    near = st.tuples(st.sampled_from(base), bits).map(lambda both: both[0] ^ both[1])
    one, other = (draw(st.lists(near | whole, max_size=30)) for _ in range(2))
    return np.unique(np.array(one, np.uint64)), np.unique(np.array(other, np.uint64))


@st.composite
def bands_for(draw: st.DrawFn, radius: int) -> tuple[BitBand, ...]:
    """Bands of any width whose radii, each plus one, add up to the radius plus one."""
    count = draw(st.integers(1, min(radius + 1, 8)))
    cuts = sorted(draw(st.sets(st.integers(1, radius), min_size=count - 1, max_size=count - 1)) if count > 1 else [])
    radii = np.diff([0, *cuts, radius + 1]) - 1
    bands, offset = [], draw(st.integers(0, 8))
    for own in radii.tolist():
        room = HASH_BITS - offset - (count - 1 - len(bands))
        width = draw(st.integers(1, max(1, min(room, 9 if own < 4 else 5))))
        bands.append(BitBand(offset, width, own))
        offset += width
    return tuple(bands)


@given(sets(), st.data(), st.booleans())
@settings(max_examples=50)
def test_any_bands_find_what_brute_force_finds(
    both: tuple[np.ndarray, np.ndarray], data: st.DataObject, within: bool
) -> None:
    left, right = both
    radius = data.draw(st.integers(0, 64))
    what = HammingSearch(left, left if within else right, radius, within)
    assert found_by(what, data.draw(bands_for(radius))) == brute_force(what)


@given(sets(), st.integers(0, 64), st.booleans())
def test_all_with_all_finds_what_brute_force_finds(
    both: tuple[np.ndarray, np.ndarray], radius: int, within: bool
) -> None:
    what = HammingSearch(both[0], both[0] if within else both[1], radius, within)
    assert found_by(what, BRUTE_FORCE) == brute_force(what)


def crowded(count: int, seed: int = 0) -> np.ndarray:
    """Distinct hashes, a third of them few bits from one hub, which fill one bucket of a table."""
    rng = np.random.default_rng(seed)
    hub = rng.integers(0, 2**64, dtype=np.uint64)
    flips = np.bitwise_or.reduce(np.uint64(1) << rng.integers(0, 64, (count // 3, 5), np.uint64), axis=1)
    return np.unique(np.concatenate([rng.integers(0, 2**64, count - count // 3, np.uint64), hub ^ flips]))


@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize("radius", [0, 3, 8])
def test_rounds_tiles_lists_and_threads_change_nothing(
    monkeypatch: pytest.MonkeyPatch, radius: int, within: bool
) -> None:
    left, right = crowded(300), crowded(600)
    what = HammingSearch(left, left if within else right, radius, within)
    expected = found_by(what, BRUTE_FORCE)
    assert expected == brute_force(what)
    bands = {
        0: (BitBand(0, 6, 0),),
        3: (BitBand(0, 7, 1), BitBand(7, 12, 1)),
        8: (BitBand(0, 9, 2), BitBand(9, 9, 2), BitBand(18, 9, 2)),
    }
    sizes = {
        "LOOK_UPS": (64, 1 << 15), "FLIPS": (2, 32), "QUERIES": (100, 1 << 16), "TILED_PAIRS": (8, 1 << 30),
        "FEW_QUERIES": (4, 1 << 20), "CANDIDATES": (16, 1 << 20), "TILE_ROWS": (3, 64), "TILE_COLUMNS": (7, 2048),
    }  # fmt: skip
    for name, values in sizes.items():
        for value in values:
            with monkeypatch.context() as patch:
                patch.setattr(hamming, name, value)
                assert found_by(what, bands[radius]) == expected, (name, value)
    assert found_by(what, bands[radius], workers=3) == expected


@given(st.integers(1, 10**7), st.integers(1, 10**7), st.integers(0, 64))
@settings(deadline=None)
def test_chosen_bands_miss_nothing(left: int, right: int, radius: int) -> None:
    bands = choose_bands(left, right, radius)
    if bands == BRUTE_FORCE:
        return
    assert sum(band.radius + 1 for band in bands) == radius + 1
    covered = [set(range(band.offset, band.offset + band.width)) for band in bands]
    assert sum(map(len, covered)) == len(set.union(*covered))
    assert set.union(*covered) <= set(range(HASH_BITS))


@pytest.mark.parametrize("radius", [0, 4, 8, 12])
def test_many_are_not_compared_all_with_all(radius: int) -> None:
    assert choose_bands(32_768, 4_000_000, radius) != BRUTE_FORCE


@given(hnp.arrays(np.uint64, st.integers(1, 400), unique=True), st.integers(1, 3))
def test_shares_of_the_work_add_up_to_one(hashes: np.ndarray, workers: int) -> None:
    shares: list[float] = []
    ordered = np.sort(hashes)
    bands = (BitBand(0, 8, 1), BitBand(8, 8, 1))
    search_hashes(
        HammingSearch(ordered, ordered, 3, True),
        lambda found: None,
        bands=bands,
        workers=workers,
        advance=shares.append,
    )
    assert sum(shares) == pytest.approx(1)


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_raised_ends_the_search(workers: int) -> None:
    hashes = np.arange(300_000, dtype=np.uint64)
    shares: list[float] = []

    def full(found: Pairs) -> None:
        raise MemoryError

    with pytest.raises(MemoryError):
        search_hashes(HammingSearch(hashes, hashes, 1, True), full, workers=workers, advance=shares.append)
    assert sum(shares) < 0.5


def test_an_empty_side_has_no_pairs() -> None:
    none, some = np.empty(0, np.uint64), np.arange(3, dtype=np.uint64)
    took: list[Pairs] = []
    take: Callable[[Pairs], None] = took.append
    for what in (
        HammingSearch(none, some, 64, False),
        HammingSearch(some, none, 64, False),
        HammingSearch(none, none, 64, True),
    ):
        search_hashes(what, take)
    assert not took


@given(hnp.arrays(np.uint64, st.integers(0, 50)))
def test_spreading_bits_keeps_distances_and_can_be_undone(hashes: np.ndarray) -> None:
    moved = reorder_bits(hashes)
    np.testing.assert_array_equal(restore_bits(moved), hashes)
    assert (np.bitwise_count(moved[1:] ^ moved[:-1]) == np.bitwise_count(hashes[1:] ^ hashes[:-1])).all()
