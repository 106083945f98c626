"""How sure a comparison is: clusters, resamples, and what is told of single tags."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from arena.dataset.frozen import Truth
from arena.evaluate import Entry, Settings, evaluate
from arena.evaluate.aggregate import ALPHA, Aggregates, p_of
from arena.evaluate.per_tag import Q_LIMIT
from arena.metrics import significance
from arena.metrics.registry import AGGREGATES
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
    for figure in PLAIN_FIGURES:
        np.testing.assert_allclose(widths(clustered, figure), widths(alone, figure), atol=1e-9)
        assert (widths(single, figure) < 0.85 * widths(alone, figure)).all()
    np.testing.assert_allclose(widths(clustered, "map"), widths(alone, "map"), rtol=0.02)
    assert (widths(single, "map") < 0.85 * widths(alone, "map")).all()


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
        for end in ("low", "high"):
            np.testing.assert_allclose(clustered[f"{figure}_{end}"], alone[f"{figure}_{end}"], atol=1e-9)
        width, narrower = (one[f"{figure}_high"] - one[f"{figure}_low"] for one in (alone, single))
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
        for row in model["regimes"].values():
            for figure in PLAIN_FIGURES:
                assert row[f"{figure}_low"] - 0.02 <= row[figure] <= row[f"{figure}_high"] + 0.02
                assert row[f"{figure}_low"] < row[f"{figure}_high"]
            assert 0 <= row["lowest_threshold"] <= row["highest_threshold"] <= 1
        for name in ("own", "macro_f1", "micro_f1", "break_even", "precision_90"):
            assert model["regimes"][name]["lowest_threshold"] == model["regimes"][name]["highest_threshold"]
        final = model["regimes"]["tag"]
        assert (final["lowest_threshold"] < final["highest_threshold"]) == (final["shrinkage"][-1] != "infinite")


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
    assert len(one["regimes"]["tag"]["shrinkage"]) == 6


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


def test_corrections_run_over_what_is_compared_together() -> None:
    table = evaluate(*world(), SETTINGS).tables["differences"]
    headline = table["figure"].isin(["macro_f1", "micro_f1", "map"]) & (table["regime"] == "own")
    for part in (table[headline & (table["slice"] == "all")], table[headline & (table["slice"] == "rating")]):
        assert len(part) in (3, 12)
        np.testing.assert_allclose(part["p_adjusted"], significance.holm(part["p"].to_numpy()), atol=1e-12)
    other = table[(table["figure"] == "macro_recall") & (table["slice"] == "rating")]
    np.testing.assert_allclose(other["p_adjusted"], significance.holm(other["p"].to_numpy()), atol=1e-12)
    named = table["higher"] != "undetermined"
    assert named.tolist() == (table["p_adjusted"] <= ALPHA).tolist()
    assert (table["higher"] == np.where(table["difference"] > 0, "fine", "poor"))[named].all()
    tags = evaluate(*world(), SETTINGS).tables["tag_differences"]
    for figure in ("f1", "ap"):
        q = significance.benjamini_hochberg(tags[f"{figure}_p"].to_numpy())
        np.testing.assert_allclose(tags[f"{figure}_q"], q, atol=1e-12)
        assert (tags[f"{figure}_higher"] != "undetermined").tolist() == (q <= Q_LIMIT).tolist()


def test_p_of_a_difference_worked_by_hand() -> None:
    replicates = np.r_[np.full(95, 0.1), np.full(4, -0.1)]
    assert p_of(0.09, replicates, 0.04) == pytest.approx(2 * 5 / 100), "four of 99 on the other side"
    all_above = np.linspace(0.4, 0.6, 99)
    assert p_of(0.5, all_above, 0.05) == pytest.approx(2 * norm.sf(10)), (
        "beyond what resamples can say: the normal tail"
    )
    assert p_of(0.5, all_above, 0.5) == pytest.approx(2 / 100), "which never makes it worse"
    assert p_of(0.0, np.zeros(99), 0.0) == 1
    assert p_of(0.1, np.full(99, 0.1), 0.0) == pytest.approx(2 / 100)
    assert np.isnan(p_of(0.1, np.full(9, np.nan), np.nan))
    assert p_of(0.09, np.r_[replicates, np.nan], 0.04) == pytest.approx(2 * 5 / 100)


def test_intervals_are_moved_by_what_resamples_or_influences_say_of_the_bias() -> None:
    rng = np.random.default_rng(0)
    estimates, replicates = np.full((1, 7, 2), 0.5), rng.normal(0.52, 0.02, (1, 7, 2, 400))
    replicates[:, :, 1] += 0.55
    found = Aggregates(
        [], estimates, np.ones((1, 7, 2), int), replicates, np.full((1, 7, 2), 0.01), np.full((1, 2), 1.5)
    )
    low, high = found.intervals
    for figure, name in enumerate(AGGREGATES):
        ends = np.quantile(replicates[0, figure, 0], [0.025, 0.975])
        expected = ends - 2 * (replicates[0, figure, 0].mean() - 0.5)
        if name == "map":  # moved by the bias, and half as wide again
            expected = 0.5 - 0.01 + 1.5 * (ends - 0.5)
        np.testing.assert_allclose([low[0, figure, 0], high[0, figure, 0]], expected, atol=1e-12)
    assert high[0, -1, 1] == 1, "no figure is above 1"
    assert np.isnan(replace(found, replicates=None).intervals.low).all()


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
    """Twelve pairs of models of equal worth, three headline tests each: in one pair of twenty there is a finding."""
    called = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        labels, ids, names = labels_of(rng, 150, 5), [f"{seed}-{n}" for n in range(150)], list("abcde")
        models = [entry(name, ids, names, see(rng, labels)) for name in ("a", "b")]
        table = evaluate(
            Truth.of(ids, TagSpace(tuple(names)), labels), models, Settings(1, replicates=99, slices=())
        ).tables["differences"]
        headline = table.query("slice == 'all' and regime == 'own' and figure in ('macro_f1', 'micro_f1', 'map')")
        assert len(headline) == 3
        called += (headline["higher"] != "undetermined").any()
    assert called <= 3
