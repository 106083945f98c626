"""The registry: what every metric must say of itself, and the lists that are made of it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import arena
from arena.evaluate import per_tag
from arena.evaluate.per_tag import TAG_DIFFERENCE_COLUMNS
from arena.metrics import registry
from arena.metrics.counts import TagCounts
from arena.metrics.registry import METRICS, TAG_METRIC_COLUMNS, TAG_METRICS, Metric, MetricKind
from arena.report.page.tag_block import DERIVED_METRICS
from arena.results.run_folder import PER_TAG_COLUMNS
from tests.report.results import result_of

ALL = list(METRICS.values())


def test_keys_and_the_names_that_tables_show_are_unique() -> None:
    assert len(METRICS) == len(registry._ALL)
    for names in ([metric.title for metric in ALL], [metric.short for metric in TAG_METRICS]):
        assert len(set(names)) == len(names)


def test_the_lists_are_filters_of_the_registry() -> None:
    assert registry.HEADLINES == {"macro_f1": "macro F1", "micro_f1": "micro F1", "map": "mAP"}
    assert list(registry.LEADERBOARD) == [
        "map", "macro_f1", "macro_precision", "macro_recall", "micro_f1", "micro_precision", "micro_recall",
    ]  # fmt: skip
    assert (*registry.THRESHOLDED, "map") == registry.AGGREGATES, "the order of the arrays of `evaluate.aggregate`"
    assert registry.MACRO_THRESHOLDED == ("macro_precision", "macro_recall", "macro_f1")
    assert registry.SLICED == ("macro_f1", "map")
    assert registry.TAG_TABLE == registry.TAG_INTERVALS == ("precision", "recall", "f1", "ap")
    assert registry.TESTED == {"f1": "F1", "ap": "AP"}


def test_the_columns_of_files_keep_their_order() -> None:
    written = (  # before another column was added
        "precision", "precision_low", "precision_high", "recall", "recall_low", "recall_high", "f1", "f1_low", "f1_high",
        "ap", "ap_low", "ap_high", "f2", "mcc", "informedness", "roc_auc", "brier", "ece", "ece_if_calibrated",
        "best_f1", "best_threshold", "break_even", "break_even_threshold", "compared",
    )  # fmt: skip
    assert tuple(name for name in PER_TAG_COLUMNS[12:] if name in written) == written
    assert PER_TAG_COLUMNS[-1] == "compared"
    assert TAG_DIFFERENCE_COLUMNS[5:11] == (
        "f1_difference", "f1_low", "f1_high", "f1_p", "f1_q", "f1_higher",
    )  # fmt: skip


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.key)
def test_a_metric_says_what_its_readers_need(metric: Metric) -> None:
    low, high = metric.range
    assert low < high
    if metric.on_page:
        assert metric.about, "the page explains every metric that it offers"
        assert low >= -1, "the page packs figures of -1 to 1"
        assert high <= 1
    if metric.in_table and MetricKind.TAG in metric.kind:
        assert metric.on_page
    if MetricKind.AGGREGATE in metric.kind:
        base = METRICS[metric.base]
        assert MetricKind.TAG in base.kind
        assert base.hub
        assert metric.average in ("macro", "micro")
        assert metric.needs_threshold == base.needs_threshold
        assert metric.key == "map" or metric.key == f"{metric.average}_{metric.base}"
    else:
        assert not any((metric.average, metric.base, metric.headline, metric.by_slice))


@given(st.lists(st.tuples(*[st.integers(0, 40)] * 4), min_size=1, max_size=5))
def test_metrics_of_counts_stay_in_their_range(rows: list[tuple[int, int, int, int]]) -> None:
    images = max(map(sum, rows))  # tn takes what is left
    tp, fp, fn, _ = np.array(rows).T
    counts = TagCounts(np.zeros(len(rows), np.float32), tp, fp, tp + fn, images)
    for metric in TAG_METRICS:
        if metric.of_counts is not None:
            values = metric.of_counts(counts)
            known = values[~np.isnan(values)]
            assert ((known >= metric.range[0] - 1e-12) & (known <= metric.range[1] + 1e-12)).all(), metric.key


def test_a_result_holds_every_column_within_its_range() -> None:
    table = result_of(("a", "b")).per_tag
    assert tuple(table.columns) == PER_TAG_COLUMNS
    for metric in TAG_METRIC_COLUMNS:
        known = table[metric.key].dropna()
        assert len(known), metric.key
        assert known.between(*metric.range).all(), metric.key


def test_a_new_metric_of_counts_is_a_column_of_a_result(monkeypatch: pytest.MonkeyPatch) -> None:
    hits = Metric(
        "hits", "hits", "hits", MetricKind.TAG, (0, 1e9), of_counts=lambda counts: counts.tp.astype(np.float64)
    )
    monkeypatch.setattr(per_tag, "TAG_METRIC_COLUMNS", (*TAG_METRIC_COLUMNS, hits))
    table = result_of(("a",)).per_tag
    assert (table["hits"] == table["tp"]).all()


def test_what_the_browser_derives_is_a_metric_of_counts() -> None:
    script = (Path(arena.__file__).parent / "report/templates/comparison/js/data.js").read_text(encoding="utf-8")
    for key in DERIVED_METRICS:
        assert METRICS[key].of_counts is not None
        assert f"  {key}: " in script
