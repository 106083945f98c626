"""Sets of cells, and predictions under several regimes."""

import numpy as np
from scipy.sparse import csc_array

from arena.metrics.cells import Cells, decide

RNG = np.random.default_rng(2)
MASK = RNG.random((5, 40)) < [[0.0], [0.2], [1.0], [0.5], [0.1]]


def test_cells_of_a_mask_and_of_a_truth_are_the_same() -> None:
    cells = Cells.of_mask(MASK)
    truth = csc_array(np.concatenate([MASK[3:], MASK]).T)  # two other tags come first
    assert Cells.of_truth(truth, slice(2, 7)).flat.tolist() == cells.flat.tolist()
    assert cells.counts.tolist() == MASK.sum(1).tolist()
    assert [one.tolist() for one in cells.by_row()] == [np.flatnonzero(row).tolist() for row in MASK]


def test_cells_are_joined_in_order() -> None:
    even = np.indices(MASK.shape).sum(0) % 2 == 0
    cells = Cells.of_mask(MASK)
    parts = cells.where(even), cells.pick(~cells.of(even))
    assert min(len(part.flat) for part in parts) > 0
    assert parts[1].joined(parts[0]).flat.tolist() == cells.flat.tolist()


def test_a_threshold_of_nan_predicts_nothing_and_hides_no_other_regime() -> None:
    scores, folds = RNG.random((3, 30), np.float32), np.repeat([0, 1], 15)
    thresholds = RNG.random((4, 2, 3), np.float32)
    thresholds[1, 0], thresholds[2], thresholds[:, :, 2] = np.nan, 0, np.nan
    found = decide(scores, thresholds, folds)
    for regime, by_fold in enumerate(thresholds):
        assert np.array_equal(found.mask(regime), scores >= by_fold[folds].T)
    assert found.own.flat.tolist() == np.flatnonzero(found.mask(0)).tolist()
