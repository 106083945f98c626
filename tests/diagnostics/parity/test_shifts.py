"""A shifted tag list is seen in scores of other weights too, and in nothing else."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.diagnostics.parity.pairs import ModelPair, ScoredModel, pair_models
from arena.diagnostics.parity.shifts import find_shift
from arena.scores.store import Scores
from arena.tags import TagSpace

IMAGES, TAGS = 200, 30


def retrained(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores of two trainings of one model: they go together by about 0.8."""
    rng = np.random.default_rng(seed)
    seen = rng.normal(0, 1, (IMAGES, TAGS))
    both = (seen + rng.normal(0, 0.5, seen.shape) for _ in range(2))
    a, b = (1 / (1 + np.exp(-one)) for one in both)
    return a.astype(np.float32), b.astype(np.float32)


def pair_of(a: np.ndarray, b: np.ndarray, names_b: Sequence[str]) -> ModelPair:
    ids = tuple(f"i{row}" for row in range(IMAGES))
    names = tuple(f"t{column}" for column in range(TAGS))
    return pair_models(
        ScoredModel("a", Scores.of(ids, TagSpace(names), a)),
        ScoredModel("b", Scores.of(ids, TagSpace(tuple(names_b)), b)),
    )


@given(st.integers(0, 20), st.sampled_from([-3, -2, -1, 1, 2, 3]))
def test_a_list_rolled_by_some_columns_is_named(seed: int, step: int) -> None:
    names = [f"t{(column - step) % TAGS}" for column in range(TAGS)]
    shift = find_shift(pair_of(*retrained(seed), names))
    assert shift is not None
    assert shift.columns == -step
    assert shift.after > 0.6 > 0.3 > shift.before


def test_a_tag_put_into_the_middle_shifts_what_comes_after() -> None:
    names = [*(f"t{column}" for column in range(12)), "new", *(f"t{column}" for column in range(12, TAGS - 1))]
    shift = find_shift(pair_of(*retrained(0), names))
    assert shift is not None
    assert (shift.columns, shift.first) == (-1, "t12")


@pytest.mark.parametrize("seed", range(20))
def test_a_right_list_is_not_blamed(seed: int) -> None:
    assert find_shift(pair_of(*retrained(seed), [f"t{column}" for column in range(TAGS)])) is None


@pytest.mark.parametrize("seed", range(20))
def test_scores_that_have_nothing_to_do_with_each_other_show_no_shift(seed: int) -> None:
    a, b = retrained(seed)[0], retrained(seed + 100)[1]
    assert find_shift(pair_of(a, b, [f"t{column}" for column in range(TAGS)])) is None
