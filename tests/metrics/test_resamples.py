"""Resamples: the units that they draw, and sums over their cells."""

import numpy as np
import pytest

from arena.metrics import resamples as module
from arena.metrics.resamples import DrawnUnits, draw_weights, resampling_units


def test_weights_draw_as_many_units_as_there_are_each_as_often_as_any() -> None:
    weights = draw_weights(50, 2000, seed=1)
    assert weights.dtype == np.float32
    assert (weights.sum(0) == 50).all()
    assert np.abs(weights.mean(1) - 1).max() < 5 / np.sqrt(2000)
    assert weights.var() == pytest.approx(1 - 1 / 50, rel=0.02)
    assert np.array_equal(weights, draw_weights(50, 2000, seed=1))
    assert not np.array_equal(weights, draw_weights(50, 2000, seed=2))
    assert np.array_equal(draw_weights(50, 10, seed=1), weights[:, :10]), "more replicates change no earlier one"


def test_units_are_numbered_by_first_appearance_and_dealt_into_bags(monkeypatch: pytest.MonkeyPatch) -> None:
    assert resampling_units(["b", "a", "b", "c"]).tolist() == [0, 1, 0, 2]
    monkeypatch.setattr(module, "MAX_UNITS", 3)
    found = resampling_units([f"{n // 2}" for n in range(16)])
    assert found.tolist() == [0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2, 0, 0, 1, 1]


@pytest.mark.parametrize("most", [3, 9, 300], ids=["uint16", "int16 overflows", "uint16 overflows"])
@pytest.mark.parametrize("signed", [False, True])
def test_cells_are_counted_as_by_a_dense_product(most: int, signed: bool) -> None:
    """Kinds of 0, 5,000 and 8 cells: sums pass the limits of 16 bits, of either sign, with the larger weights."""
    rng = np.random.default_rng(4)
    weights = np.floor(rng.random((90, 7)) * (most + 1)).astype(np.float32)
    weights[0, 0] = most
    units, ends = rng.integers(0, 90, 5_008), np.array([0, 0, 5_000, 5_008])
    gained = np.r_[rng.random(5_000) < 0.05, np.ones(8, bool)]
    cells = np.zeros((3, 90))
    np.add.at(cells, (np.repeat(np.arange(3), np.diff(ends)), units), np.where(gained | (not signed), 1, -1))
    found = DrawnUnits(weights).count(units, ends, distinct=False, gained=gained if signed else None)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, cells @ weights, rtol=1e-6)


def test_distinct_units_allow_narrow_sums_of_many_cells() -> None:
    """Each resample draws 40,000 units: no sum of distinct units is larger, whatever the number of cells of a kind."""
    weights = np.ones((40_000, 2), np.float32)
    weights[:2, 0] = [0, 9]
    drawn = DrawnUnits(weights)
    found = drawn.count(np.arange(40_000), np.array([0, 40_000]), distinct=True)
    assert found.tolist() == [weights.sum(0).tolist()]
    lost = drawn.count(np.arange(40_000), np.array([0, 40_000]), distinct=True, gained=np.zeros(40_000, bool))
    assert lost.tolist() == [(-weights.sum(0)).tolist()]
