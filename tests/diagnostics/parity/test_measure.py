"""Figures of a comparison: by hand, against scipy, and properties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import spearmanr

from arena.cards import Thresholds
from arena.diagnostics.parity import measure as module
from arena.diagnostics.parity.measure import Parity, measure_parity
from arena.diagnostics.parity.pairs import ScoredModel, pair_models, thresholds_of
from arena.metrics.ranks import spearman
from arena.scores.store import Scores
from arena.tags import TagRelations, TagSpace

FEW_VALUES = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0])


def side(
    name: str, values: list[list[float]] | np.ndarray, tags: str = "xyz", ids: str = "pqr", default: float = 0.5
) -> ScoredModel:
    matrix = np.asarray(values, np.float32)
    space = TagSpace(tuple(tags[: matrix.shape[1]]))
    return ScoredModel(name, Scores.of(tuple(ids[: len(matrix)]), space, matrix), Thresholds(default))


def compare(a: ScoredModel, b: ScoredModel) -> Parity:
    return measure_parity(pair_models(a, b))


def test_a_table_worked_by_hand() -> None:
    parity = compare(side("A", [[0.5, 0.25], [0.75, 0.0]]), side("B", [[0.25, 0.25], [0.75, 0.5]]))
    assert (parity.images, parity.tags, parity.largest, parity.mean) == (2, 2, 0.5, 0.1875)
    assert (parity.at.image_id, parity.at.tag, parity.at.a, parity.at.b) == ("q", "y", 0.0, 0.5)
    assert (parity.flips.flipped, parity.flips.positives, parity.flips.decisions) == (2, 3, 4)
    assert [(one.name, one.largest, one.mean, one.flips) for one in parity.worst_tags] == [
        ("y", 0.5, 0.25, 1),
        ("x", 0.25, 0.125, 1),
    ]
    assert [one.name for one in parity.worst_images] == ["q", "p"]
    assert parity.logit_largest == pytest.approx(10.0), "0 is cut off at -10, 0.5 is 0"
    ranks = parity.ranks_by_tag
    assert (ranks.mean, ranks.least, ranks.least_of, ranks.undefined) == (0.0, -1.0, "y", 0), "x rises in both"
    assert (parity.ranks_by_image.mean, parity.ranks_by_image.undefined) == (1.0, 1), "B's first image is constant"


def test_a_score_on_the_threshold_is_a_prediction() -> None:
    below = float(np.nextafter(np.float32(0.4), np.float32(0)))
    assert compare(side("A", [[0.4]], default=0.4), side("B", [[below]], default=0.4)).flips.flipped == 1
    assert compare(side("A", [[0.4]], default=0.4), side("B", [[0.4]], default=0.4)).flips.flipped == 0


def test_single_tags_have_thresholds_of_their_own() -> None:
    tags = TagSpace(("x", "y", "z"), ("general", "character", "character"))
    told = Thresholds(0.3, {"character": 0.8}, tags={"z": 0.6, "unknown": 0.1})
    np.testing.assert_allclose(thresholds_of(told, tags), [0.3, 0.8, 0.6])


def test_rows_and_columns_are_matched_by_name_and_alias() -> None:
    values = np.random.default_rng(0).random((3, 3)).astype(np.float32)
    a = side("A", values)
    b = side("B", values[::-1, [2, 0, 1]], tags="zXy", ids="rqp")
    pair = pair_models(a, b, TagRelations.of(aliases=[("X", "x")]))
    parity = measure_parity(pair)
    assert parity.largest == 0
    assert not parity.same_columns
    assert (pair.only_a, pair.only_b) == ((), ())
    alone = pair_models(a, side("B", values[::-1, [2, 0, 1]], tags="zwy", ids="rqp"))
    assert (alone.only_a, alone.only_b) == (("x",), ("w",))


@given(arrays(np.float32, (4, 6), elements=FEW_VALUES), arrays(np.float32, (4, 6), elements=FEW_VALUES))
def test_spearman_is_scipys(a: np.ndarray, b: np.ndarray) -> None:
    for row, found in enumerate(spearman(a, b)):
        if np.ptp(a[row]) and np.ptp(b[row]):
            assert found == pytest.approx(spearmanr(a[row], b[row]).statistic, abs=1e-12)
        else:
            assert np.isnan(found)


@given(arrays(np.float32, (3, 3), elements=FEW_VALUES), arrays(np.float32, (3, 3), elements=FEW_VALUES))
def test_which_side_comes_first_does_not_matter(a: np.ndarray, b: np.ndarray) -> None:
    one, other = compare(side("A", a), side("B", b)), compare(side("B", b), side("A", a))
    for name in ("largest", "mean", "logit_largest", "flips", "ranks_by_tag", "ranks_by_image", "worst_tags"):
        assert getattr(one, name) == getattr(other, name), name
    assert one.flips_at_a == other.flips_at_b


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    names = "".join(chr(97 + i) for i in range(20))
    a, b = (side(name, rng.random((20, 20)), tags=names, ids=names) for name in "AB")
    whole = compare(a, b)
    done: list[int] = []
    monkeypatch.setattr(module, "PARITY_BLOCK_BYTES", 4 * 20 * 3)
    parts = measure_parity(pair_models(a, b), done.append)
    assert sum(done) == 40
    assert len(done) == 8
    assert parts.mean == pytest.approx(whole.mean)
    for name in ("largest", "at", "flips", "ranks_by_tag", "ranks_by_image", "images", "worst_tags"):
        assert getattr(parts, name) == getattr(whole, name), name
