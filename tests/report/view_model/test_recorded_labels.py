"""What a reader is told about recorded labels: hand-worked sentences, and when the warning stands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.report.view_model.recorded_labels import (
    label_sentences,
    predictions_per_label,
    recorded_labels,
    suspected,
    unequal_predictions,
)

EFFECT = "All metrics are by recorded labels: a correct prediction whose label is missing counts as a false positive."
counts = st.integers(1, 10**7)


def test_the_share_of_each_model_is_listed() -> None:
    found = {
        "a": {"total": 1000, "suspected": 999},
        "b": {"total": 8, "suspected": 1},
        "none": {"total": 0, "suspected": 0},
    }
    assert suspected(found) == (
        "Label issues suspect that 99.9 % of the false positives of a and 12.5 % of those of b are missing labels; a confident "
        "mistake is suspected too."
    )


def test_of_many_models_the_range_is_given() -> None:
    found = {f"m{n}": {"total": 10 * n, "suspected": n * n} for n in range(1, 6)}
    assert suspected(found).startswith(
        "Label issues suspect that 10.0 % to 50.0 % of the false positives of the taggers are"
    )


def test_without_false_positives_or_of_an_older_run_no_share_is_given() -> None:
    assert suspected({"a": {"total": 0, "suspected": 0}}) == ""
    models = [{"name": "a", "micro": {"precision": 0.5, "recall": 0.5}}]
    older = {"models": models, "labels": {"missing": 3, "false_positives": {}}}
    assert recorded_labels(older) == recorded_labels(older | {"labels": None}) == [EFFECT]


@pytest.mark.parametrize(("more", "warned"), [(110, False), (111, True), (100, False), (0, False)])
def test_the_warning_begins_above_a_tenth(more: int, warned: bool) -> None:
    sentence = unequal_predictions({"few": 100 / 37, "many": more / 37})
    assert bool(sentence) == warned
    if warned:
        assert sentence == (
            "Warning: at their own thresholds many makes 1.11 times as many predictions as few. Missing labels lower the "
            "precision and F1 of many more, which favours few."
        )


def test_the_warning_names_those_that_predict_most_and_least() -> None:
    sentence = unequal_predictions({"a": 1.0, "b": 3.0, "c": None, "d": 2.0})
    assert "b makes 3.00 times as many predictions as a." in sentence
    assert unequal_predictions({"a": 1.0, "b": None}) == unequal_predictions({"a": 1.0}) == ""


@given(counts, counts, counts)
def test_predictions_per_label_are_those_of_the_counts(tp: int, fp: int, fn: int) -> None:
    found = predictions_per_label({"precision": tp / (tp + fp), "recall": tp / (tp + fn)})
    assert found == pytest.approx((tp + fp) / (tp + fn))


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(1, 10**6))
def test_the_warning_stands_exactly_where_numbers_differ_by_more_than_a_tenth(
    one: int, other: int, labels: int
) -> None:
    stands = bool(unequal_predictions({"a": one / labels, "b": other / labels}))
    assert stands == (10 * max(one, other) > 11 * min(one, other))


def test_all_sentences_come_in_order() -> None:
    told = label_sentences({"a": 2.0, "b": 1.0}, {"a": {"total": 4, "suspected": 1}, "b": {"total": 2, "suspected": 1}})
    assert [one.split()[0] for one in told] == ["All", "Label", "Warning:"]
