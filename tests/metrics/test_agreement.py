"""Agreement of models and broken rules between tags, against brute force."""

import math
from itertools import product

import numpy as np
import pytest
from scipy.sparse import csc_array, csr_array

from arena.metrics.agreement import (
    Rules,
    broken_exclusions,
    broken_implications,
    mean_over_images,
    only_one,
    pair_sums,
    share_of,
)
from arena.metrics.intervals import wilson


def decided(seed: int, images: int = 30, tags: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).random((images, tags)) < 0.3


def test_pair_sums_and_jaccard_are_those_of_the_dense_matrices() -> None:
    one, other = decided(1), decided(2)
    one[0] = other[0] = False
    found = pair_sums(csr_array(one), csr_array(other))
    assert found.both.tolist() == (one & other).sum(1).tolist()
    assert found.either.tolist() == (one | other).sum(1).tolist()
    assert math.isnan(found.jaccard[0])
    assert np.nanmean(found.jaccard) == pytest.approx(
        np.mean([(a & b).sum() / (a | b).sum() for a, b in zip(one, other, strict=True) if (a | b).any()])
    )


def test_a_share_of_independent_cases_has_wilsons_interval() -> None:
    hits = np.array([1.0] * 8 + [0.0] * 32)
    found = share_of(hits, np.ones(40))
    expected = wilson(8, 40, design_effect=40 / 39, clusters=40)
    assert (found.low, found.high) == pytest.approx(tuple(map(float, expected)))


@pytest.mark.parametrize("hits", [np.zeros(40), np.ones(40)])
def test_an_extreme_share_is_not_certain(hits: np.ndarray) -> None:
    found = share_of(hits, np.ones(40))
    assert found.low <= found.value <= found.high
    assert 0.05 < found.high - found.low < 0.2


def test_clusters_make_intervals_longer_and_no_case_is_undefined() -> None:
    hits = np.repeat([1.0, 0.0], 20)
    alone, pairs = share_of(hits, np.ones(40)), share_of(hits, np.ones(40), np.arange(40) // 4)
    assert pairs.high - pairs.low > 1.5 * (alone.high - alone.low)
    single, cluster = mean_over_images(hits), mean_over_images(hits, np.arange(40) // 4)
    assert cluster.high - cluster.low > 1.5 * (single.high - single.low)
    assert math.isnan(share_of(np.zeros(3), np.zeros(3)).value)
    assert math.isnan(mean_over_images(np.full(3, np.nan)).value)


def test_broken_rules_are_those_of_brute_force() -> None:
    predicted = decided(3)
    pairs = [(a, b) for a, b in product(range(8), range(8)) if a != b and (a * 7 + b) % 3 == 0]
    rules = Rules(*(np.array(side) for side in zip(*pairs, strict=True)))
    found = broken_implications(csc_array(predicted), rules)
    assert found.by_rule.tolist() == [int((predicted[:, a] & ~predicted[:, b]).sum()) for a, b in pairs]
    assert found.cases.tolist() == [sum(row[a] for a, _ in pairs) for row in predicted]
    assert found.broken.tolist() == [sum(row[a] and not row[b] for a, b in pairs) for row in predicted]

    pairs = [(a, b) for a, b in pairs if a < b]
    rules = Rules(*(np.array(side) for side in zip(*pairs, strict=True)))
    excluded = broken_exclusions(csc_array(predicted), rules)
    others = {tag: {b for a, b in pairs if a == tag} | {a for a, b in pairs if b == tag} for tag in range(8)}
    assert excluded.by_rule.tolist() == [int((predicted[:, a] & predicted[:, b]).sum()) for a, b in pairs]
    assert excluded.cases.tolist() == [sum(row[tag] and bool(others[tag]) for tag in range(8)) for row in predicted]
    assert excluded.broken.tolist() == [
        sum(row[tag] and any(row[other] for other in others[tag]) for tag in range(8)) for row in predicted
    ]


def test_decisions_of_one_model_alone() -> None:
    one, other, third = decided(4), decided(5), decided(6)
    found = only_one(csc_array(one), [csc_array(other), csc_array(third)])
    assert (found.where.toarray() == (one & ~other & ~third)).all()
    assert only_one(csc_array(one), []).images.tolist() == one.sum(0).tolist()
