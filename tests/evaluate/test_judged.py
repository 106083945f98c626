"""Plans and metrics from answers: reproducible, nested, and close to the truth where labels are wrong."""

import numpy as np
import pandas as pd
import pytest

from arena.base.errors import ArenaError
from arena.evaluate.answers import LEAST_ANSWERS, agreement
from arena.evaluate.judged import (
    FIRST_WAVE,
    LABELS,
    Cells,
    answers_of,
    draw_plan,
    estimate_judged,
    forecast,
    read_cells,
    unanswered,
)
from arena.results.recipe import Settings

from .worlds import world


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    return np.random.default_rng(0).random((500, 12)) < 0.3


@pytest.fixture(scope="module")
def cells(truth: np.ndarray) -> Cells:
    """Two models; 30 % of the positives have no label."""
    rng = np.random.default_rng(1)
    scores = {
        name: (1 / (1 + np.exp(-(3 * truth - 1.5 + rng.normal(0, spread, truth.shape))))).astype(np.float32)
        for name, spread in (("A", 0.8), ("B", 1.3))
    }
    labels = truth & (rng.random(truth.shape) >= 0.3)
    predicted = {name: one >= 0.5 for name, one in scores.items()}
    return Cells(tuple(f"i{n}" for n in range(500)), tuple(f"t{n}" for n in range(12)), labels, scores, predicted)


def answered(plan: pd.DataFrame, truth: np.ndarray, unclear: float = 0.0) -> pd.DataFrame:
    """The right answers, some of them unclear."""
    rows, columns = (plan[name].str[1:].astype(int).to_numpy() for name in ("image_id", "tag"))
    words = np.where(truth[rows, columns], "yes", "no")
    words = np.where(np.random.default_rng(2).random(len(plan)) < unclear, "unclear", words)
    kept = plan[["image_id", "tag", "inclusion_probability", "plan"]]
    return kept.assign(answer=words, judge="x", time="2026-01-01T00:00:00Z")


def test_a_plan_is_the_same_each_time_and_depends_on_its_seed(cells: Cells) -> None:
    first, again, other = (draw_plan(cells, 1_000, seed) for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, again)
    assert first["plan"].iloc[0] != other["plan"].iloc[0]
    assert len(first) == pytest.approx(FIRST_WAVE * 1_000, abs=60)
    assert not first.duplicated(["image_id", "tag"]).any()
    assert set(first["wave"]) == {1}


def test_the_second_wave_keeps_the_first_and_raises_its_inclusion_probabilities(
    cells: Cells, truth: np.ndarray
) -> None:
    first = draw_plan(cells, 1_000, 0)
    told = answered(first, truth)
    assert len(draw_plan(cells, 1_000, 0, told.iloc[1:])) == len(first)  # one cell has no answer yet
    both = draw_plan(cells, 1_000, 0, told)
    merged = first.merge(both, on=["image_id", "tag"], suffixes=("", "_of_both"))
    assert len(merged) == len(first) < len(both)
    assert (merged["inclusion_probability_of_both"] >= merged["inclusion_probability"]).all()
    assert both["inclusion_probability"].between(0, 1, inclusive="right").all()
    assert set(unanswered(both, told)["wave"]) == {2}


def test_random_numbers_of_a_cell_do_not_depend_on_other_cells(cells: Cells) -> None:
    fewer = Cells(cells.image_ids[3:], cells.tags[::2], cells.labels[3:, ::2], {}, {})
    np.testing.assert_array_equal(fewer.random_numbers(5, 1), cells.random_numbers(5, 1)[3:, ::2])
    assert abs(cells.random_numbers(5, 1).mean() - 0.5) < 0.02


def test_judged_truth_is_nearer_to_the_truth_than_recorded_labels(cells: Cells, truth: np.ndarray) -> None:
    first = draw_plan(cells, 2_000, 0)
    both = draw_plan(cells, 2_000, 0, answered(first, truth))
    found = estimate_judged(cells, answered(both, truth), both)
    assert found.unclear == 0
    for name, predicted in cells.predicted.items():
        true = 2 * (predicted & truth).sum() / (predicted.sum() + truth.sum())
        by_labels = 2 * (predicted & cells.labels).sum() / (predicted.sum() + cells.labels.sum())
        one = found.models[name]["micro_f1"]
        assert abs(one.value - true) < abs(by_labels - true) / 3
        assert abs(one.value - true) < 3 * one.standard_error
    complete = found.models[LABELS]["micro_recall"]
    assert complete.value == pytest.approx(cells.labels.sum() / truth.sum(), abs=3 * complete.standard_error)
    assert set(found.pairs) == {("A", "B")}


def test_unclear_answers_count_as_missing_at_random(cells: Cells, truth: np.ndarray) -> None:
    plan = draw_plan(cells, 2_000, 0)
    told = answered(plan, truth, unclear=0.25)
    found = answers_of(cells, told, plan)
    share = (told["answer"] != "unclear").mean()
    assert len(found) == (told["answer"] != "unclear").sum()
    planned = plan.set_index(["image_id", "tag"])["inclusion_probability"]
    here = [(cells.image_ids[image], cells.tags[tag]) for image, tag in zip(found.image, found.tag, strict=True)]
    np.testing.assert_allclose(found.inclusion, planned.loc[here].to_numpy() * share)


def test_too_few_answers_are_refused(cells: Cells, truth: np.ndarray) -> None:
    plan = draw_plan(cells, 300, 0)
    with pytest.raises(ArenaError, match=f"at least {LEAST_ANSWERS}"):
        estimate_judged(cells, answered(plan, truth), plan)


def test_agreement_worked_by_hand() -> None:
    """Krippendorff's example of two observers and ten items (2011, binary data): alpha 0.095."""
    first, second = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    rows = [(f"i{n}", "t", "yes" if value else "no") for answers in (first, second) for n, value in enumerate(answers)]
    alpha, cells_ = agreement(pd.DataFrame(rows, columns=["image_id", "tag", "answer"]))
    assert cells_ == 10
    assert alpha == pytest.approx(0.095, abs=5e-4)


def test_the_forecast_falls_with_the_difference(cells: Cells) -> None:
    assert forecast(cells, 0.2).micro < forecast(cells, 0.1).micro


def test_cells_are_those_of_the_compared_tags() -> None:
    labels, entries = world(120)
    found = read_cells(labels, entries, Settings(min_positives=10))
    kept = np.diff(labels.values.indptr) >= 10
    np.testing.assert_array_equal(found.labels, labels.values.toarray()[:, kept])
    np.testing.assert_array_equal(found.predicted["fine"], found.scores["fine"] >= 0.5)
    assert found.tags == tuple(name for name, one in zip(labels.tags.names, kept, strict=True) if one)
