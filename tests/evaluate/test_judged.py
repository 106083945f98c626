"""Plans and metrics from answers: reproducible, nested, and close to the truth where labels are wrong."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from arena.base.errors import ArenaError
from arena.dataset.judgements import Judgements, PlannedCells
from arena.evaluate.answers import GOLD, LEAST_ANSWERS, agreement, error_rate, sampled_answers
from arena.evaluate.judged import LABELS, Cells, answers_to, estimate_judged, read_cells
from arena.evaluate.judged_plan import FIRST_WAVE, Differences, draw_plan, forecast, planned_cells, unanswered
from arena.evaluate.judged_summary import judged_summary
from arena.metrics.registry import THRESHOLDED
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
    first, again, other = (draw_plan(cells, 1_000, seed).table for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, again)
    assert first["plan"].iloc[0] != other["plan"].iloc[0]
    assert len(first) == pytest.approx(FIRST_WAVE * 1_000, abs=60)
    assert not first.duplicated(["image_id", "tag"]).any()
    assert set(first["wave"]) == {1}


def test_the_second_wave_keeps_the_first_and_raises_its_inclusion_probabilities(
    cells: Cells, truth: np.ndarray
) -> None:
    first = draw_plan(cells, 1_000, 0).table
    told = answered(first, truth)
    assert len(draw_plan(cells, 1_000, 0, told.iloc[1:]).table) == len(first)  # one cell has no answer yet
    both = draw_plan(cells, 1_000, 0, told).table
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
    first = draw_plan(cells, 2_000, 0).table
    both = draw_plan(cells, 2_000, 0, answered(first, truth)).table
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
    plan = draw_plan(cells, 2_000, 0).table
    told = answered(plan, truth, unclear=0.25)
    found = sampled_answers(cells.image_ids, cells.tags, Judgements(answers_to(told, plan))).cells
    share = (told["answer"] != "unclear").mean()
    assert len(found) == (told["answer"] != "unclear").sum()
    planned = plan.set_index(["image_id", "tag"])["inclusion_probability"]
    here = [(cells.image_ids[image], cells.tags[tag]) for image, tag in zip(found.image, found.tag, strict=True)]
    np.testing.assert_allclose(found.inclusion, planned.loc[here].to_numpy() * share)


def test_too_few_answers_are_refused(cells: Cells, truth: np.ndarray) -> None:
    plan = draw_plan(cells, 300, 0).table
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
    assert forecast(cells, Differences(1.0, 0.2)).micro < forecast(cells, Differences(1.0, 0.1)).micro


def test_cells_are_those_of_the_compared_tags() -> None:
    labels, entries = world(120)
    found = read_cells(labels, entries, Settings(min_positives=10))
    kept = np.diff(labels.values.indptr) >= 10
    np.testing.assert_array_equal(found.labels, labels.values.toarray()[:, kept])
    np.testing.assert_array_equal(found.predicted["fine"], found.scores["fine"] >= 0.5)
    assert found.tags == tuple(name for name, one in zip(labels.tags.names, kept, strict=True) if one)


@pytest.fixture(scope="module")
def asked(cells: Cells, truth: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A plan of one wave, and its answers."""
    plan = draw_plan(cells, 2_600, 0).table
    return plan, answered(plan, truth)


def summary_of(cells: Cells, rows: pd.DataFrame, plans: dict[str, PlannedCells] | None = None) -> dict[str, Any]:
    return judged_summary(cells, Judgements(rows, plans or {}), [("own", cells.predicted)])


def test_the_summary_has_the_estimates_of_the_plan(cells: Cells, asked: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    plan, rows = asked
    found, wanted = summary_of(cells, rows), estimate_judged(cells, rows, plan)
    own = found["models"]["A"]["regimes"]["own"]
    for key in THRESHOLDED:
        one = wanted.models["A"][key]
        assert own[key] == pytest.approx(min(1.0, max(0.0, one.value)))
        assert own[f"{key}_standard_error"] == pytest.approx(one.standard_error)
        assert own[f"{key}_low"] <= own[key] <= own[f"{key}_high"]
        [row] = [row for row in found["differences"] if row["figure"] == key]
        assert row["difference"] == pytest.approx(wanted.pairs["A", "B"][key].value)
    complete = found["labels"][0]
    assert complete["complete"] == pytest.approx(wanted.models[LABELS]["micro_recall"].value)
    assert (found["answers"], found["undefined"], found["unsampled"]) == (len(rows), "", 0)
    headlines = [row for row in found["differences"] if "higher" in row]
    assert {row["figure"] for row in headlines} == {"macro_f1", "micro_f1", "map"}
    assert all(row["p"] <= row["p_adjusted"] for row in headlines)


def test_answers_that_no_plan_sampled_change_no_estimate(
    cells: Cells, asked: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    rows = asked[1]
    free = pd.DataFrame({"image_id": ["i1", "i2"], "tag": "t0", "answer": "yes", "judge": "x", "time": "2026-01-01"})
    more = pd.concat([rows, free.assign(inclusion_probability=np.nan, plan="")])
    with_free, without = summary_of(cells, more), summary_of(cells, rows)
    assert with_free.pop("unsampled") == 2
    assert without.pop("unsampled") == 0
    assert with_free == without


def test_a_model_that_was_not_planned_for_is_judged_by_the_same_answers(
    cells: Cells, truth: np.ndarray, asked: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    rng = np.random.default_rng(7)
    new = (1 / (1 + np.exp(-(3 * truth - 1.5 + rng.normal(0, 1.0, truth.shape))))).astype(np.float32)
    both = {"A": cells.scores["A"], "C": new}
    later = replace(cells, scores=both, predicted={name: one >= 0.5 for name, one in both.items()})
    found = summary_of(later, asked[1])
    own = found["models"]["C"]["regimes"]["own"]
    true = 2 * ((new >= 0.5) & truth).sum() / ((new >= 0.5).sum() + truth.sum())
    assert abs(own["micro_f1"] - true) < 3 * own["micro_f1_standard_error"]
    planned = summary_of(cells, asked[1])["differences"]
    of_pair = {row["figure"]: row.get("effective_answers") for row in found["differences"] if "higher" in row}
    assert of_pair["micro_f1"] < next(r["effective_answers"] for r in planned if r["figure"] == "micro_f1")


def test_two_plans_are_averaged_by_their_answers(cells: Cells, truth: np.ndarray) -> None:
    plans = [draw_plan(cells, 2_600, 0).table, draw_plan(cells, 3_400, 5).table]
    rows = pd.concat([answered(plan, truth) for plan in plans])
    found = sampled_answers(cells.image_ids, cells.tags, Judgements(rows))
    assert len(found.cells) == len(rows) >= found.clear
    share = len(plans[0]) / len(rows)
    assert set(found.cells.shares.round(9)) == {round(share, 9), round(1 - share, 9)}
    one = summary_of(cells, rows)["models"]["A"]["regimes"]["own"]
    true = 2 * (cells.predicted["A"] & truth).sum() / (cells.predicted["A"].sum() + truth.sum())
    assert abs(one["micro_f1"] - true) < 3 * one["micro_f1_standard_error"]


def planned(of: Cells, plan: pd.DataFrame, **changes: Any) -> dict[str, PlannedCells]:
    return {str(plan["plan"].iloc[0]): planned_cells(of, plan)._replace(**changes)}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, ""),
        ({"tags": tuple(f"t{n}" for n in range(10))}, r"no plan could ask 2 compared tags \(t10 and t11\)"),
        ({"image_ids": tuple(f"i{n}" for n in range(499))}, "no plan could ask 1 image of this comparison"),
        ({"cells": 9_999}, "0 clear answers to sampled cells .* 600; plan .*: .* of its 9,999 cells are answered"),
    ],
)
def test_what_a_plan_could_not_ask_makes_all_metrics_undefined(
    cells: Cells, asked: tuple[pd.DataFrame, pd.DataFrame], change: dict[str, Any], problem: str
) -> None:
    found = summary_of(cells, asked[1], planned(cells, asked[0], **change))
    assert re.search(problem, found["undefined"])
    assert bool(found["undefined"]) == bool(problem) == ("models" not in found)
    assert not found["assumed"]


def test_a_comparison_of_fewer_images_and_tags_takes_the_answers_on_them(
    cells: Cells, asked: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    found = sampled_answers(cells.image_ids[:450], cells.tags[1:], Judgements(asked[1], planned(cells, asked[0])))
    assert not found.problem
    assert found.clear + found.elsewhere == len(asked[1])
    assert found.cells.image.max() < 450


@pytest.fixture(scope="module")
def twice(cells: Cells, truth: np.ndarray) -> pd.DataFrame:
    """Right answers of two people to every cell of a plan."""
    rows = answered(draw_plan(cells, 4_000, 0).table, truth)
    return pd.concat([rows, rows.assign(judge="y")])


def erring(rows: pd.DataFrame, rate: float) -> pd.DataFrame:
    rng, wrong = np.random.default_rng(3), {"yes": "no", "no": "yes"}
    return rows.assign(answer=rows["answer"].where(rng.random(len(rows)) >= rate, rows["answer"].map(wrong)))


def test_wrong_answers_are_corrected_and_widen_the_intervals(cells: Cells, twice: pd.DataFrame) -> None:
    right, found = (summary_of(cells, rows) for rows in (twice, erring(twice, 0.05)))
    assert found["error_rate"] == pytest.approx(0.05, abs=0.02)
    assert right["error_rate"] == 0 < right["error_rate_standard_error"] < found["error_rate_standard_error"]
    before, after = (one["models"]["A"]["regimes"]["own"] for one in (right, found))
    shift = found["models"]["A"]["error_shift"]["micro_f1"]
    assert shift < -0.05, "uncorrected"
    assert abs(after["micro_f1"] - before["micro_f1"]) < 2 * after["micro_f1_standard_error"]
    assert before["micro_f1_standard_error"] < after["micro_f1_standard_error"]
    [row] = [one for one in found["differences"] if one["figure"] == "micro_f1"]
    of_b = found["models"]["B"]["error_shift"]["micro_f1"]
    assert row["error_shift"] == pytest.approx(shift - of_b)


def test_answers_that_are_wrong_half_of_the_time_say_nothing(cells: Cells, twice: pd.DataFrame) -> None:
    found = summary_of(cells, erring(twice, 0.5))
    assert "of the answers are wrong or more" in found["undefined"]
    assert "models" not in found


def test_gold_answers_count_alone_and_measure_the_errors_of_others(cells: Cells, twice: pd.DataFrame) -> None:
    people = erring(twice[twice["judge"] == "x"], 0.05)
    gold = twice[twice["judge"] == "x"].iloc[:800].assign(judge=GOLD)
    found = sampled_answers(cells.image_ids, cells.tags, Judgements(pd.concat([people, gold])))
    certain = found.cells.certain
    assert certain is not None
    assert certain.sum() == 800
    assert set(found.cells.answer[certain]) <= {0.0, 1.0}
    assert (found.cells.without_errors(0.1).answer[certain] == found.cells.answer[certain]).all()
    wrong = (people["answer"].iloc[:800].to_numpy() != gold["answer"].to_numpy()).mean()
    errors = error_rate(pd.concat([people, gold]))
    assert errors.rate == wrong
    assert errors.standard_error == pytest.approx((wrong * (1 - wrong) / 800) ** 0.5, rel=0.05)
