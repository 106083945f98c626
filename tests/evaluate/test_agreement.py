"""Printed values, their intervals and their tests agree, in random small worlds and in worlds that once showed a fault."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.cards import Thresholds
from arena.dataset.frozen import Truth
from arena.evaluate import Entry, Settings, evaluate
from arena.metrics.registry import AGGREGATES
from arena.results.run_folder import Result
from arena.tags import TagSpace
from arena.tags.groups import TagGroup

from .worlds import entry, world

ROUNDING = 1e-12
"""Values and ends of intervals may differ by this much."""


def assert_inside(values: object, low: object, high: object, where: str) -> None:
    """Every defined value lies in its interval, which is undefined where the value is."""
    value, bottom, top = (np.atleast_1d(np.asarray(x, np.float64)) for x in (values, low, high))
    assert (np.isnan(bottom) == np.isnan(top)).all(), where
    outside = (value < bottom - ROUNDING) | (value > top + ROUNDING)
    assert not outside.any(), (where, value[outside], bottom[outside], top[outside])


def assert_agrees(table: pd.DataFrame, prefix: str, where: str) -> None:
    """0 lies outside an interval of a difference exactly where p is at most 0.05."""
    low, high, p = (table[f"{prefix}{name}"].to_numpy(np.float64) for name in ("low", "high", "p"))
    assert (np.isnan(low) == np.isnan(p)).all(), where
    wrong = ((low > 0) | (high < 0)) != (p <= 0.05)
    wrong &= np.abs(p - 0.05) > 1e-9
    wrong &= ~np.isnan(p)
    assert not wrong.any(), (where, table[wrong].to_dict("records"))


def assert_all_agree(result: Result) -> None:
    for name, model in result.summary["models"].items():
        for regime, row in model["regimes"].items():
            for metric in AGGREGATES:
                if metric in row:
                    ends = row[f"{metric}_low"], row[f"{metric}_high"]
                    assert_inside(row[metric], *ends, f"summary {name} {regime} {metric}")
                    assert np.isnan(row[metric]) == np.isnan(ends[0]), (name, regime, metric)
    for metric in AGGREGATES:
        table = result.tables["slices"]
        assert_inside(table[metric], table[f"{metric}_low"], table[f"{metric}_high"], f"slices {metric}")
    for metric in ("precision", "recall", "f1", "ap"):
        table = result.per_tag
        assert_inside(table[metric], table[f"{metric}_low"], table[f"{metric}_high"], f"per_tag {metric}")
    table = result.tables["differences"]
    assert_inside(table["difference"], table["low"], table["high"], "differences")
    assert_agrees(table, "", "differences")
    tags = result.tables["tag_differences"]
    for metric in ("f1", "ap"):
        columns = (tags[f"{metric}_{name}"] for name in ("difference", "low", "high"))
        assert_inside(*columns, f"tag_differences {metric}")
        assert_agrees(tags, f"{metric}_", f"tag_differences {metric}")


@st.composite
def small_worlds(draw: st.DrawFn) -> tuple[Truth, list[Entry], Settings]:
    """Few images, coarse scores, rare tags, clusters of all sizes, good and poor models."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    images, tags = draw(st.integers(2, 120)), draw(st.integers(1, 7))
    labels = rng.random((images, tags)) < rng.choice([0.02, 0.1, 0.3, 0.8, 1.0], tags)
    ids, names = tuple(f"i{n}" for n in range(images)), tuple(f"t{n}" for n in range(tags))
    clusters = draw(st.sampled_from([None, 2, 10, 60]))
    groups = None if clusters is None else tuple(f"g{n}" for n in rng.integers(0, clusters, images))
    steps = draw(st.sampled_from([1, 4, 20, 255]))
    models = []
    for number in range(draw(st.integers(2, 3))):
        logits = draw(st.sampled_from([0.0, 1.0, 3.0])) * (2 * labels - 1) + rng.normal(size=labels.shape)
        scores = np.round(steps / (1 + np.exp(-logits))) / steps
        threshold = Thresholds(draw(st.sampled_from([0.1, 0.5, 0.9])))
        models.append(entry(f"m{number}", ids, names, scores.astype(np.float32), threshold))
    columns = {"rating": rng.choice(["g", "e"], images).tolist()}
    truth = Truth.of(ids, TagSpace(names), labels, groups=groups, images=columns)
    group = TagGroup("one", "One tag", "", names[:1])
    return (
        truth,
        models,
        Settings(draw(st.sampled_from([0, 1, 8])), replicates=60, slices=("rating",), tag_groups=[group]),
    )


@settings(max_examples=8)
@given(small_worlds())
def test_no_value_lies_outside_its_interval_and_no_interval_contradicts_its_test(
    small: tuple[Truth, list[Entry], Settings],
) -> None:
    truth, models, options = small
    assert_all_agree(evaluate(truth, models, options))


@pytest.mark.parametrize("clustered", [False, True])
def test_so_it_is_in_a_world_of_ordinary_size(clustered: bool) -> None:
    groups = tuple(f"g{n // 3}" for n in range(400)) if clustered else None
    truth, models = world(400, 12, groups=groups)
    middle = entry("middle", truth.image_ids, truth.tags.names, 0.6 * models[0].scores.values.read() + np.float32(0.2))
    result = evaluate(truth, [*models, middle], Settings(replicates=250))
    assert_all_agree(result)
    assert (result.tables["differences"]["higher"] != "undetermined").any()


def test_a_metric_of_few_images_lies_in_its_interval() -> None:
    """The bias of so few images exceeds the error: one tag on all 18 images, one on 5 of them that is never predicted."""
    labels = np.stack([np.ones(18, bool), np.arange(18) % 4 == 0], axis=1)
    ids, names = [f"p{n:02d}" for n in range(18)], ("sfw", "nsfw")
    scores = np.tile(np.float32([0.99, 0.01]), (18, 1))
    model = entry("x", ids, names, scores, Thresholds(0.8))
    result = evaluate(Truth.of(ids, TagSpace(names), labels), [model], Settings(1, replicates=100))
    own = result.summary["models"]["x"]["regimes"]["own"]
    assert own["macro_f1"] == 0.5
    assert own["macro_f1_low"] <= 0.5 <= own["macro_f1_high"]
    assert_all_agree(result)


def equal_models(experiment: int, images: int = 300, tags: int = 10) -> Result:
    """Two models with noise of the same size, most of it shared; their scores are true probabilities."""
    rng = np.random.default_rng(experiment)
    share = np.exp(np.linspace(np.log(0.4), np.log(0.03), tags))
    delta = np.random.default_rng(1).uniform(1.2, 3.2, tags)
    labels, shared = rng.random((images, tags)) < share, rng.normal(size=(images, tags))
    ids, names = [f"e{experiment}i{n}" for n in range(images)], tuple(f"t{n}" for n in range(tags))
    models = []
    for name in ("one", "two"):
        x = labels * delta + 0.77 * shared + 0.63 * rng.normal(size=(images, tags))
        scores = 1 / (1 + np.exp(-(delta * x - delta**2 / 2 + np.log(share / (1 - share)))))
        models.append(entry(name, ids, names, scores.astype(np.float32), Thresholds(0.37)))
    options = Settings(replicates=100, seed=experiment, slices=())
    return evaluate(Truth.of(ids, TagSpace(names), labels), models, options)


def test_equal_models_are_seldom_called_different_under_any_regime() -> None:
    called: Counter[str] = Counter()
    for experiment in range(8):
        table = equal_models(experiment).tables["differences"].query("slice == 'all'")
        assert table["regime"].nunique() >= 6
        called.update(set(table[table["higher"] != "undetermined"]["regime"]))
    assert max(called.values(), default=0) <= 1, called


def test_one_cluster_of_positives_has_no_test_of_ap() -> None:
    """Each tag has 20 positives, which are copies of one image."""
    images, tags, copies = 300, 6, 20
    rng = np.random.default_rng(0)
    labels, group = np.zeros((images, tags), bool), np.arange(images)
    for tag in range(tags):
        labels[tag * copies : (tag + 1) * copies, tag] = True
        group[tag * copies : (tag + 1) * copies] = tag * copies
    ids, names = [f"i{n:03d}" for n in range(images)], tuple(f"t{n}" for n in range(tags))
    truth = Truth.of(ids, TagSpace(names), labels, groups=tuple(f"g{n}" for n in group))
    models = []
    for name in ("one", "two"):
        common = rng.normal(size=(images, tags))[group]
        x = 1.5 * labels + 0.97 * common + 0.24 * rng.normal(size=(images, tags))
        models.append(entry(name, ids, names, (1 / (1 + np.exp(-2 * (x - 2)))).astype(np.float32)))
    table = evaluate(truth, models, Settings(replicates=60)).tables["tag_differences"]
    assert len(table) == tags
    assert table["ap_difference"].notna().all()
    assert (table["ap_difference"] != 0).any()
    assert table[["ap_low", "ap_high", "ap_p", "ap_q"]].isna().all(axis=None)
    assert set(table["ap_higher"]) == {"undetermined"}
    assert table["f1_p"].notna().all()


def test_macro_precision_is_compared_over_the_tags_where_both_predict() -> None:
    """B is more precise on all 20 tags where both predict; A has no prediction of the other 20, where B's are poor."""
    rng, images, tags = np.random.default_rng(0), 800, 40
    labels, easy = rng.random((images, tags)) < 0.08, np.arange(tags) < 20

    def predict(hit: np.ndarray, false: np.ndarray) -> np.ndarray:
        return np.where(labels, rng.random((images, tags)) < hit, rng.random((images, tags)) < false)

    first = predict(np.where(easy, 0.6, 0), np.where(easy, 0.02, 0))
    second = predict(np.where(easy, 0.8, 0.5), np.where(easy, 0.004, 0.06))
    ids, names = [f"i{n:04d}" for n in range(images)], tuple(f"t{n:02d}" for n in range(tags))
    models = [
        entry(name, ids, names, np.where(predicted, 0.9, 0.1).astype(np.float32))
        for name, predicted in (("A", first), ("B", second))
    ]
    result = evaluate(Truth.of(ids, TagSpace(names), labels), models, Settings(replicates=150))
    per_tag = result.per_tag.pivot_table(index="tag", columns="model", values="precision", observed=True)
    both = per_tag.dropna()
    assert len(both) == 20
    own = {name: model["regimes"]["own"] for name, model in result.summary["models"].items()}
    assert own["A"]["macro_precision"] > own["B"]["macro_precision"], "over different tags"
    [row] = (
        result.tables["differences"]
        .query("slice == 'all' and regime == 'own' and figure == 'macro_precision'")
        .to_dict("records")
    )
    assert (row["tags"], row["higher"]) == (20, "B")
    assert row["difference"] == pytest.approx((both["A"] - both["B"]).mean())
    assert row["high"] < 0
    assert_all_agree(result)


def saturated() -> tuple[Truth, list[Entry]]:
    """No threshold has a precision of 0.9: many scores of images without the tag are 1."""
    rng, images, tags = np.random.default_rng(0), 300, 8
    labels = rng.random((images, tags)) < 0.15
    ids, names = [f"i{n}" for n in range(images)], tuple(f"t{n}" for n in range(tags))
    models = [
        entry(name, ids, names, np.where(labels | (rng.random(labels.shape) < share), 1.0, 0.3).astype(np.float32))
        for name, share in (("one", 0.08), ("two", 0.1))
    ]
    return Truth.of(ids, TagSpace(names), labels), models


def test_a_precision_that_no_threshold_reaches_is_undefined_everywhere() -> None:
    result = evaluate(*saturated(), Settings(replicates=60))
    for model in result.summary["models"].values():
        row = model["regimes"]["precision_90"]
        kept = {name: value for name, value in row.items() if not (isinstance(value, float) and np.isnan(value))}
        assert set(kept) == {"tags", "macro_precision_tags", "macro_recall_tags", "macro_f1_tags"}
        assert [row[f"{name}_tags"] for name in ("macro_precision", "macro_recall", "macro_f1")] == [0, 0, 0]
    assert "precision_90" not in set(result.tables["differences"]["regime"])
    assert_all_agree(result)


def test_a_tag_has_no_metrics_at_a_threshold_that_does_not_exist() -> None:
    table = evaluate(*saturated(), Settings(replicates=60)).tables["thresholds"]
    rows = table[table["regime"] == "precision_90"]
    assert len(rows) == 16
    assert rows[["threshold", "precision", "recall", "f1"]].isna().all(axis=None)


def test_a_precision_that_some_images_reach_is_an_ordinary_regime() -> None:
    result = evaluate(*world(400), replace(Settings(replicates=250), slices=()))
    row = result.summary["models"]["fine"]["regimes"]["precision_90"]
    assert row["micro_precision"] == pytest.approx(0.9, abs=0.05)
    assert row["micro_precision_low"] < row["micro_precision"] < row["micro_precision_high"]


def test_a_group_of_one_tag_has_the_intervals_and_tests_of_its_tag() -> None:
    truth, models = world(300)
    result = evaluate(truth, models, Settings(1, replicates=80, tag_groups=[TagGroup("one", "One", "", ("t4",))]))
    rows = result.tables["slices"].query("slice == 'group'").set_index("model")
    tags = result.per_tag.query("tag == 't4'").set_index("model")
    columns = {f"macro_{name}": name for name in ("precision", "recall", "f1")}
    columns |= {f"micro_{name}": name for name in ("precision", "recall", "f1")} | {"map": "ap"}
    for aggregate, name in columns.items():
        for end in ("", "_low", "_high"):
            np.testing.assert_allclose(rows[f"{aggregate}{end}"], tags[f"{name}{end}"], atol=1e-12)
    [tested] = result.tables["tag_differences"].query("tag == 't4'").to_dict("records")
    differences = result.tables["differences"].query("slice == 'group'").set_index("figure")
    for aggregate in ("macro_f1", "micro_f1", "map"):
        for column in ("difference", "low", "high", "p"):
            expected = tested[f"{columns[aggregate]}_{column}"]
            assert differences.loc[aggregate, column] == pytest.approx(expected, abs=1e-12), (aggregate, column)


def test_slices_average_the_tags_with_enough_positives_within_them() -> None:
    truth, models = world(240)
    member = np.array(truth.images["rating"]) == "q"
    support = truth.values.toarray()[member].sum(0)
    assert 0 < (support >= 10).sum() < len(support)
    table = evaluate(truth, models, Settings(10, replicates=60)).tables["slices"]
    for model in models:
        row = table.query(f"slice == 'rating' and value == 'q' and model == '{model.name}'").iloc[0]
        labels, predicted = truth.values.toarray()[member], model.scores.values.read()[member] >= 0.5
        tp, both = (labels & predicted).sum(0), labels.sum(0) + predicted.sum(0)
        assert row["tags"] == row["macro_f1_tags"] == (support >= 10).sum()
        assert row["macro_f1"] == pytest.approx((2 * tp / both)[support >= 10].mean())
        assert row["micro_f1"] == pytest.approx(2 * tp[support >= 10].sum() / both[support >= 10].sum())
