"""How sure a comparison is: clusters, resamples, and what is told of single tags."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import t as student

from arena.dataset.frozen import Truth
from arena.evaluate import Entry, Settings, evaluate
from arena.evaluate.aggregate import Aggregates, PairedMeans
from arena.evaluate.differences import FAMILY_WISE_ERROR
from arena.evaluate.per_tag import Q_LIMIT
from arena.metrics import significance
from arena.metrics.registry import AGGREGATES
from arena.metrics.thresholds import SHRINKAGE
from arena.results.run_folder import Result
from arena.tags import TagRelations, TagSpace

from .worlds import assert_same, entry, labels_of, see, world

SETTINGS = Settings(replicates=200)
PLAIN_FIGURES = ("macro_precision", "macro_recall", "macro_f1", "micro_precision", "micro_recall", "micro_f1")


def doubled(truth: Truth, models: list[Entry], *, clustered: bool) -> tuple[Truth, list[Entry]]:
    """Every image twice: as a cluster of two, or as if they were different ones."""
    ids = [f"{one}{end}" for one in truth.image_ids for end in ("", "-copy")]
    groups = tuple(one for one in truth.image_ids for _ in range(2)) if clustered else None
    values = np.repeat(truth.values.toarray(), 2, axis=0)
    scores = {one.name: np.repeat(one.scores.values.read(), 2, axis=0) for one in models}
    twice = [entry(name, ids, truth.tags.names, values_of) for name, values_of in scores.items()]
    return Truth.of(ids, truth.tags, values, groups=groups), twice


@pytest.fixture(scope="module")
def three_ways() -> list[Result]:
    """Alone, doubled as clusters, doubled as single images."""
    truth, models = world(300)
    truth = Truth.of(truth.image_ids, truth.tags, truth.values)
    ways = [(truth, models), *(doubled(truth, models, clustered=clustered) for clustered in (True, False))]
    return [evaluate(*way, replace(SETTINGS, min_positives=1)) for way in ways]


def widths(result: Result, figure: str) -> np.ndarray:
    own = [model["regimes"]["own"] for model in result.summary["models"].values()]
    return np.array([row[f"{figure}_high"] - row[f"{figure}_low"] for row in own])


def test_an_image_and_its_copy_say_no_more_than_the_image(three_ways: list[Result]) -> None:
    alone, clustered, single = three_ways
    assert (clustered.summary["images"], clustered.summary["clusters"]) == (600, 300)
    assert (single.summary["images"], single.summary["clusters"]) == (600, 600)
    assert clustered.summary["effective_clusters"] == 300, "all of two images"
    for figure in PLAIN_FIGURES:
        np.testing.assert_allclose(widths(clustered, figure), widths(alone, figure), atol=1e-9)
        assert (widths(single, figure) < 0.85 * widths(alone, figure)).all()
    np.testing.assert_allclose(widths(clustered, "map"), widths(alone, "map"), rtol=0.02)
    assert (widths(single, "map") < 0.85 * widths(alone, "map")).all()


def test_six_copies_of_an_image_say_no_more_of_a_precision_of_few_predictions() -> None:
    """Tags that are predicted once or twice: the variance that resamples do not show is that of clusters, too."""
    rng = np.random.default_rng(0)
    labels = rng.random((120, 20)) < 0.1
    predicted = np.where(labels, rng.random(labels.shape) < 0.25, rng.random(labels.shape) < 0.005)
    names = tuple(f"t{n}" for n in range(20))
    found = []
    for copies in (1, 6):
        groups = tuple(f"g{n}" for n in range(120) for _ in range(copies))
        ids = [f"{group}-{n}" for n, group in enumerate(groups)]
        scores = np.repeat(np.where(predicted, 0.9, 0.1), copies, axis=0).astype(np.float32)
        truth = Truth.of(ids, TagSpace(names), np.repeat(labels, copies, axis=0), groups=groups)
        found.append(evaluate(truth, [entry("m", ids, names, scores)], Settings(1, replicates=200, slices=())))
    alone, copied = (widths(one, "macro_precision")[0] for one in found)
    assert copied == pytest.approx(alone, rel=0.1)


def test_so_it_is_with_differences(three_ways: list[Result]) -> None:
    alone, clustered, single = (
        one.tables["differences"].query("regime == 'own' and slice == 'all'") for one in three_ways
    )
    assert len(alone) == 7
    for column in ("difference", "low", "high", "standard_error", "p"):
        np.testing.assert_allclose(clustered[column], alone[column], atol=1e-6)
    assert (single["standard_error"] < 0.85 * alone["standard_error"]).all()


def test_so_it_is_with_every_tag(three_ways: list[Result]) -> None:
    alone, clustered, single = (one.per_tag.query("compared") for one in three_ways)
    for figure in ("precision", "recall", "f1"):
        width, same, narrower = (one[f"{figure}_high"] - one[f"{figure}_low"] for one in (alone, clustered, single))
        assert (same >= width - 1e-9).all(), "Student's quantile: the effect of clusters is estimated"
        assert (same < 1.5 * width).all()
        assert (narrower < 0.85 * width).all()
    width, same, narrower = (one["ap_high"] - one["ap_low"] for one in (alone, clustered, single))
    np.testing.assert_allclose(same, width, rtol=0.06)
    assert (narrower < 0.9 * width).all()


def test_so_it_is_with_every_tags_tests(three_ways: list[Result]) -> None:
    alone, clustered, single = (one.tables["tag_differences"] for one in three_ways)
    np.testing.assert_allclose(clustered["f1_p"], alone["f1_p"], atol=1e-9)
    np.testing.assert_allclose(clustered["ap_p"], alone["ap_p"], atol=0.02)
    some = alone["f1_p"] < 1
    assert some.any()
    assert (single["f1_p"] < alone["f1_p"])[some].all()


def test_images_of_a_cluster_that_differ_are_worth_more_than_one() -> None:
    """Clusters of three whose scores and labels have nothing in common are as good as single images."""
    truth, models = world(300, groups=tuple(f"g{n // 3}" for n in range(300)))
    rows = evaluate(truth, models, SETTINGS).per_tag
    loose = evaluate(Truth.of(truth.image_ids, truth.tags, truth.values), models, SETTINGS).per_tag
    width, single = (one["f1_high"] - one["f1_low"] for one in (rows, loose))
    assert (width >= single - 1e-9).all(), "never narrower"
    assert width.mean() < 1.15 * single.mean()


def test_groups_of_one_are_no_clusters() -> None:
    truth, models = world(200)
    named = replace(truth, groups=truth.image_ids)
    assert_same(evaluate(truth, models, SETTINGS).summary, evaluate(named, models, SETTINGS).summary)


def test_intervals_of_the_mean_hold_the_figure_of_all_images_and_narrow_with_them() -> None:
    small, large = (evaluate(*world(images), SETTINGS) for images in (150, 1200))
    for figure in (*PLAIN_FIGURES, "map"):
        assert (widths(large, figure) < 0.6 * widths(small, figure)).all()


def test_a_figure_lies_in_its_interval_whatever_the_regime() -> None:
    for model in evaluate(*world(), SETTINGS).summary["models"].values():
        assert list(model["regimes"]) == [
            "own",
            "macro_f1",
            "micro_f1",
            "break_even",
            "category",
            "precision_90",
            "tag",
        ]
        for name, row in model["regimes"].items():
            for figure in PLAIN_FIGURES:
                if name == "precision_90" and np.isnan(row[figure]):
                    continue
                assert row[f"{figure}_low"] <= row[figure] <= row[f"{figure}_high"]
                assert row[f"{figure}_low"] < row[f"{figure}_high"]
            assert np.isnan(row["lowest_threshold"]) or 0 <= row["lowest_threshold"] <= row["highest_threshold"] <= 1
        for name in ("own", "macro_f1", "micro_f1", "break_even"):
            assert model["regimes"][name]["lowest_threshold"] == model["regimes"][name]["highest_threshold"]
        final = model["regimes"]["tag"]
        assert final["lowest_threshold"] < final["highest_threshold"]
        assert final["shrinkage"] == SHRINKAGE


def test_regimes_are_scored_at_thresholds_that_were_chosen_on_other_images() -> None:
    """On labels that have nothing to do with the scores, thresholds chosen on the same images would look better."""
    rng = np.random.default_rng(0)
    labels = labels_of(rng, 300, 30) & (rng.random((300, 30)) < 0.3)
    ids, names = [f"i{n}" for n in range(300)], [f"t{n}" for n in range(30)]
    model = entry("noise", ids, names, rng.random((300, 30), np.float32))
    found = evaluate(Truth.of(ids, TagSpace(tuple(names)), labels), [model], Settings(5, replicates=20)).summary
    one = found["models"]["noise"]
    assert one["in_sample_best_macro_f1"] > one["regimes"]["tag"]["macro_f1"] + 0.02
    assert one["regimes"]["tag"]["unshrunk_macro_f1"] < one["in_sample_best_macro_f1"]


def test_a_clear_difference_is_named_and_a_small_one_is_not() -> None:
    rng = np.random.default_rng(1)
    labels, ids, names = labels_of(rng, 400, 8), [f"i{n}" for n in range(400)], [f"t{n}" for n in range(8)]
    truth, fine = Truth.of(ids, TagSpace(tuple(names)), labels), see(rng, labels, 2.0)
    nearly = fine.copy()
    nearly[:2] = 1 - nearly[:2]
    scores = {"fine": fine, "nearly": nearly, "poor": see(rng, labels, 0.8)}
    models = [entry(name, ids, names, values) for name, values in scores.items()]
    result = evaluate(truth, models, SETTINGS)
    headline = result.tables["differences"].query("slice == 'all' and regime == 'own' and figure == 'macro_f1'")
    assert dict(zip(zip(headline["first"], headline["second"], strict=True), headline["higher"], strict=True)) == {
        ("fine", "nearly"): "undetermined", ("fine", "poor"): "fine", ("nearly", "poor"): "nearly",
    }  # fmt: skip
    assert [result.summary["ranks"]["macro_f1"][name]["rank"] for name in ("fine", "nearly", "poor")] == [1, 1, 3]
    tags = result.tables["tag_differences"].query("second == 'poor' and first == 'fine'")
    assert (tags["ap_higher"] == "fine").sum() >= 4
    assert set(result.tables["tag_differences"].query("second == 'nearly'")["f1_higher"]) == {"undetermined"}


def test_corrections_run_over_what_a_reader_sees_in_one_table() -> None:
    truth, models = world()
    third = entry("third", truth.image_ids, truth.tags.names, 1 - models[1].scores.values.read())
    result = evaluate(truth, [*models, third], SETTINGS)
    table = result.tables["differences"]
    families = table.groupby(["slice", "regime"]).indices
    assert len(families) > 8
    for rows in families.values():
        part = table.iloc[rows]
        assert part["figure"].nunique() >= 6
        np.testing.assert_allclose(part["p_adjusted"], significance.holm(part["p"].to_numpy()), atol=1e-12)
    assert table[table["slice"] == "rating"]["value"].nunique() > 1, "all values are one family"
    named = table["higher"] != "undetermined"
    assert named.tolist() == (table["p_adjusted"] <= FAMILY_WISE_ERROR).tolist()
    assert (table["higher"] == np.where(table["difference"] > 0, table["first"], table["second"]))[named].all()
    tags = result.tables["tag_differences"]
    q = significance.benjamini_hochberg(np.concatenate([tags["f1_p"], tags["ap_p"]]))
    for figure, expected in zip(("f1", "ap"), np.split(q, 2), strict=True):
        np.testing.assert_allclose(tags[f"{figure}_q"], expected, atol=1e-12)
        assert (tags[f"{figure}_higher"] != "undetermined").tolist() == (expected <= Q_LIMIT).tolist()


def by_hand(estimates: np.ndarray, replicates: np.ndarray, **more: Any) -> Aggregates:
    models, _, targets = estimates.shape
    nothing = {
        "bias": np.zeros(estimates.shape),
        "widening": np.ones((models, targets)),
        "unseen": np.zeros((models, targets)),
        "selected": np.zeros(targets, bool),
        "freedom": np.full(targets, np.inf),
    }
    given = nothing | {"paired_precision": {}} | more
    return Aggregates([], estimates, np.ones(estimates.shape, int), replicates, **given)


def test_intervals_of_metrics_worked_by_hand() -> None:
    rng = np.random.default_rng(0)
    estimates, replicates = np.full((1, 7, 2), 0.5), rng.normal(0.52, 0.02, (1, 7, 2, 400))
    estimates[:, :, 1] = 0.99
    replicates[0, :, 0, 200:] = np.nan  # as under a regime that was chosen again
    found = by_hand(
        estimates,
        replicates,
        bias=np.full((1, 7, 2), 0.01),
        widening=np.full((1, 2), 1.5),
        unseen=np.full((1, 2), 4e-4),
    )
    low, high = found.intervals
    for figure, name in enumerate(AGGREGATES):
        variance = replicates[0, figure, 0, :200].var(ddof=1)
        error = {"map": 1.5 * np.sqrt(variance), "macro_precision": np.sqrt(variance + 4e-4)}.get(
            name, np.sqrt(variance)
        )
        reach = student.ppf(0.975, 199) * error
        expected = [0.49 - reach, 0.49 + reach]
        np.testing.assert_allclose([low[0, figure, 0], high[0, figure, 0]], expected, atol=1e-12)
    assert high[0, -1, 1] == 1, "no metric is above 1"
    np.testing.assert_allclose(found.corrected[0, :, 0], 0.49)
    assert np.isnan(replace(found, replicates=None).intervals.low).all()
    assert (replace(found, replicates=None).corrected == estimates).all()


def test_a_metric_whose_bias_exceeds_its_error_lies_in_its_interval() -> None:
    replicates = np.full((1, 7, 1, 50), 0.4) + np.linspace(-1e-4, 1e-4, 50)
    low, high = by_hand(np.full((1, 7, 1), 0.5), replicates, bias=np.full((1, 7, 1), -0.1)).intervals
    assert (low == 0.5).all()
    assert (high > 0.6).all()


def test_differences_worked_by_hand() -> None:
    rng = np.random.default_rng(0)
    estimates = np.array([[[0.6]] * 7, [[0.5]] * 7])
    replicates = estimates[..., None] + rng.normal(0, 0.02, (2, 7, 1, 300))
    paired = PairedMeans(np.array([[0.7], [0.8]]), replicates[:, 1], np.array([1e-4]), np.array([5]))
    found = by_hand(estimates, replicates, bias=np.full((2, 7, 1), 0.03), paired_precision={(0, 1): paired})
    for figure, name in enumerate(AGGREGATES):
        one = found.estimate([0, 1], figure, {0: 1.0})
        moved = replicates[0, figure, 0] - replicates[1, figure, 0]
        expected = (0.1, np.sqrt(moved.var(ddof=1)), 1)
        if name == "macro_precision":  # over the tags where both have one, with what resamples do not show
            moved = replicates[0, 1, 0] - replicates[1, 1, 0]
            expected = (-0.1, np.sqrt(moved.var(ddof=1) + 1e-4), 5)
        assert (one.value, one.error, one.tags) == (*map(pytest.approx, expected[:2]), expected[2])
        assert (one.bias, one.freedom) == (0, pytest.approx(299)), "the biases of two models cancel"
        reach = student.ppf(0.975, 299) * one.error
        np.testing.assert_allclose(one.interval, [one.value - reach, one.value + reach])


def test_a_second_spelling_of_a_tag_moves_neither_figure_nor_interval() -> None:
    truth, models = world(relations=TagRelations.of(aliases=[("old_t4", "t4")]))
    scores, names = models[0].scores.values.read(), (*truth.tags.names, "old_t4")
    both = entry("fine", truth.image_ids, names, np.c_[scores, 1 - scores[:, 4]])
    plain, more = (evaluate(truth, [one, models[1]], SETTINGS) for one in (models[0], both))
    assert_same(plain.summary["models"]["fine"]["regimes"]["own"], more.summary["models"]["fine"]["regimes"]["own"])
    for name in ("differences", "tag_differences", "slices", "labels"):
        assert_same(plain.tables[name].to_dict("list"), more.tables[name].to_dict("list"))
    assert more.tags_of("fine")["tag"].tolist() == list(names)
    assert not more.tags_of("fine")["compared"].iloc[-1]


def test_alike_models_are_seldom_called_different() -> None:
    """Eight pairs of models of equal worth, three headline tests each: in one pair of twenty there is a finding."""
    called = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        labels, ids, names = labels_of(rng, 150, 5), [f"{seed}-{n}" for n in range(150)], list("abcde")
        models = [entry(name, ids, names, see(rng, labels)) for name in ("a", "b")]
        table = evaluate(
            Truth.of(ids, TagSpace(tuple(names)), labels), models, Settings(1, replicates=99, slices=())
        ).tables["differences"]
        headline = table.query("slice == 'all' and regime == 'own' and figure in ('macro_f1', 'micro_f1', 'map')")
        assert len(headline) == 3
        called += (headline["higher"] != "undetermined").any()
    assert called <= 2
