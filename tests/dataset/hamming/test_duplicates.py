import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from arena.dataset.hamming import distinct, duplicates
from arena.dataset.hamming.duplicates import (
    Pairs,
    clusters,
    links_within,
    neighbours_between,
    pairs_between,
    pairs_within,
)

values = [0, 1, 2, 3, 4, 8, 16, 7, 255, 2**62, 2**63, 2**63 + 1, 2**64 - 1]
hashes = hnp.arrays(np.uint64, st.integers(0, 25), elements=st.sampled_from(values))
radii = st.integers(0, 64)
Row = tuple[int, int, int]


def rows(pairs: Pairs) -> list[Row]:
    assert {column.dtype for column in pairs} == {np.dtype(np.int64)}
    return list(zip(*(column.tolist() for column in pairs), strict=True))


def brute_force(left: np.ndarray, right: np.ndarray, radius: int) -> list[Row]:
    every = [(i, j, (a ^ b).bit_count()) for i, a in enumerate(left.tolist()) for j, b in enumerate(right.tolist())]
    return [row for row in every if row[2] <= radius]


@given(hashes, hashes, radii)
def test_pairs_between_are_those_of_brute_force_in_order(left: np.ndarray, right: np.ndarray, radius: int) -> None:
    assert rows(pairs_between(left, right, radius=radius)) == brute_force(left, right, radius)


@given(hashes, radii)
def test_pairs_within_are_those_of_brute_force_in_order(own: np.ndarray, radius: int) -> None:
    assert rows(pairs_within(own, radius=radius)) == [row for row in brute_force(own, own, radius) if row[0] < row[1]]


@given(hashes, hashes, radii, st.integers(0, 6))
def test_the_nearest_are_kept_and_all_are_counted(left: np.ndarray, right: np.ndarray, radius: int, most: int) -> None:
    every = brute_force(left, right, radius)
    expected = []
    for i in range(len(left)):
        nearest = sorted((bits, int(right[j]), j) for k, j, bits in every if k == i)[:most]
        expected += sorted((i, j, bits) for bits, _, j in nearest)
    found = neighbours_between(left, right, radius=radius, most=most)
    assert rows(found.pairs) == expected == rows(pairs_between(left, right, radius=radius, most=most))
    assert found.counts.tolist() == [sum(row[0] == i for row in every) for i in range(len(left))]


@given(hashes, radii)
def test_links_join_what_all_pairs_join_at_every_smaller_radius(own: np.ndarray, radius: int) -> None:
    links, pairs = links_within(own, radius=radius), pairs_within(own, radius=radius)
    assert set(rows(links)) <= set(rows(pairs))
    assert rows(links) == sorted(rows(links))
    assert len(links.left) == len(own) - len(set(clusters(len(own), pairs).tolist())), "no link more than it takes"
    for smaller in range(radius + 1):
        few, many = (Pairs(*(c[p.hamming_bits <= smaller] for c in p)) for p in (links, pairs))
        np.testing.assert_array_equal(clusters(len(own), few), clusters(len(own), many))


@given(hashes, st.integers(0, 8))
def test_clusters_are_the_transitive_closure(own: np.ndarray, radius: int) -> None:
    pairs = pairs_within(own, radius=radius)
    labels = clusters(len(own), pairs)
    reached = {i: {i} for i in range(len(own))}
    for left, right, _ in rows(pairs):
        union = reached[left] | reached[right]
        for member in union:
            reached[member] = union
    expected: dict[frozenset[int], int] = {}
    for i in range(len(own)):
        expected.setdefault(frozenset(reached[i]), len(expected))
    assert labels.tolist() == [expected[frozenset(reached[i])] for i in range(len(own))]


def with_hubs(count: int, seed: int = 0) -> np.ndarray:
    """Half at random, the rest copies of a few hashes with up to three bits flipped, many of them identical."""
    rng = np.random.default_rng(seed)
    hubs = np.random.default_rng(9).integers(0, 2**64, 5, np.uint64)
    flips = np.bitwise_or.reduce(np.uint64(1) << rng.integers(0, 8, (count // 2, 3), np.uint64), axis=1)
    own = np.concatenate([rng.integers(0, 2**64, count - count // 2, np.uint64), rng.choice(hubs, count // 2) ^ flips])
    return rng.permutation(own)


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("held", [10, 8_000_000])
def test_memory_limits_and_threads_change_nothing(monkeypatch: pytest.MonkeyPatch, workers: int, held: int) -> None:
    left, right = with_hubs(300), with_hubs(500, seed=1)
    every = brute_force(left, right, 6)
    nearest, links = neighbours_between(left, right, radius=6, most=7), links_within(left, radius=6)
    labels = clusters(len(left), links)
    monkeypatch.setattr(duplicates, "HELD_PAIRS", held)
    monkeypatch.setattr(duplicates, "JOINED_PAIRS", held)
    monkeypatch.setattr(duplicates, "EXPANDED_PAIRS", max(100, held))
    assert rows(pairs_between(left, right, radius=6, workers=workers)) == every
    within = pairs_within(left, radius=6, workers=workers)
    assert rows(within) == [row for row in brute_force(left, left, 6) if row[0] < row[1]]
    found = neighbours_between(left, right, radius=6, most=7, workers=workers)
    assert rows(found.pairs) == rows(nearest.pairs)
    assert found.counts.tolist() == nearest.counts.tolist()
    assert rows(links_within(left, radius=6, workers=workers)) == rows(links)
    odd, even = (Pairs(*(column[some::2] for column in within)) for some in (1, 0))
    assert clusters(len(left), odd, even).tolist() == labels.tolist()


def test_a_hub_of_many_rows_is_counted_and_capped() -> None:
    hub = np.full(100_000, 0xFFFF, np.uint64)
    left = np.concatenate([hub[:30_000], [np.uint64(0)]])
    found = neighbours_between(left, hub, radius=4, most=2)
    assert found.counts.tolist() == [100_000] * 30_000 + [0]
    assert rows(found.pairs)[:4] == [(0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 0)]
    assert len(found.pairs.left) == 60_000
    links = links_within(hub, radius=4)
    assert set(links.left.tolist()) == {0}
    assert len(links.right) == 99_999


@given(hashes, hashes, st.integers(0, 8), st.integers(1, 3))
def test_progress_ends_at_all_rows(left: np.ndarray, right: np.ndarray, radius: int, workers: int) -> None:
    told: list[int] = []
    pairs_between(left, right, radius=radius, workers=workers, advance=told.append)
    assert sum(told) == len(left)
    assert all(number > 0 for number in told)


@given(
    hnp.arrays(np.uint64, st.integers(0, 40), elements=st.integers(0, 20)),
    st.lists(st.booleans(), min_size=21, max_size=21),
)
def test_rows_are_found_by_their_hash(own: np.ndarray, wanted: list[bool]) -> None:
    known = distinct.DistinctHashes.of(own)
    asked = np.array(wanted)[known.hashes.astype(int)]
    found = distinct.RankRows.of(own, known, asked)
    for rank, (value, size) in enumerate(zip(known.hashes, known.sizes, strict=True)):
        of_rank = found.rows[found.starts[rank] : found.starts[rank + 1]].tolist()
        assert of_rank == (np.flatnonzero(own == value).tolist() if asked[rank] else [])
        assert size == (own == value).sum()


@given(hashes, st.integers(0, 8))
def test_clusters_hold_every_pair_together_and_no_others(values: np.ndarray, radius: int) -> None:
    pairs = pairs_within(values, radius=radius)
    labels = clusters(len(values), pairs)
    assert (labels[pairs.left] == labels[pairs.right]).all()
    reached = {i: {i} for i in range(len(values))}  # transitive closure by hand
    for left, right in zip(pairs.left.tolist(), pairs.right.tolist(), strict=True):
        union = reached[left] | reached[right]
        for member in union:
            reached[member] = union
    assert len({frozenset(group) for group in reached.values()}) == len(set(labels.tolist()))
    assert list(dict.fromkeys(labels.tolist())) == list(range(len(set(labels.tolist())))), (
        "labels in order of first row"
    )


def test_of_equally_near_hashes_the_smaller_comes_first() -> None:
    right = np.array([2, 1], np.uint64)
    assert rows(pairs_between(np.zeros(1, np.uint64), right, radius=1, most=1)) == [(0, 1, 1)]
