import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from arena.heldout.duplicates import clusters, pairs_between, pairs_within

hashes = hnp.arrays(np.uint64, st.integers(0, 25), elements=st.sampled_from([0, 1, 3, 7, 255, 2**63, 2**64 - 1]))


@given(hashes, hashes, st.integers(0, 64))
def test_pairs_are_those_of_brute_force(left: np.ndarray, right: np.ndarray, radius: int) -> None:
    found = pairs_between(left, right, radius=radius)
    expected = [
        (i, j, (int(a) ^ int(b)).bit_count())
        for i, a in enumerate(left)
        for j, b in enumerate(right)
        if (int(a) ^ int(b)).bit_count() <= radius
    ]
    assert list(zip(*(column.tolist() for column in found), strict=True)) == expected


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
