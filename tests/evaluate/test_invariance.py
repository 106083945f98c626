"""What must not matter does not: threads, the order of images, tags and models, and a model's name."""

import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csc_array

from arena.dataset.frozen import Truth
from arena.evaluate import Entry, Settings, amount_of_work, evaluate
from arena.metrics import blocks
from arena.results.run_folder import Result
from arena.scores.matrix import Matrix
from arena.scores.store import Scores
from arena.tags import TagSpace

from .worlds import assert_same, assert_same_tables, entry, see, world

SETTINGS = Settings(replicates=60)


@pytest.fixture(scope="module")
def base() -> Result:
    """The comparison that the changed ones are compared with."""
    return evaluate(*world(), SETTINGS)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that several threads have something to do, and several panels are read."""
    monkeypatch.setattr(blocks, "SORTED_TAGS_PER_BLOCK", 2)
    monkeypatch.setattr(blocks, "PANEL_BYTES", 240 * 4 * 2 * 4)


@pytest.mark.parametrize("settings", [SETTINGS, replace(SETTINGS, replicates=0)], ids=["resampled", "plain"])
@pytest.mark.usefixtures("small_blocks")
def test_the_number_of_threads_changes_no_digit(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    truth, models = world()
    one = evaluate(truth, models, replace(settings, workers=1))
    found = [evaluate(truth, models, replace(settings, workers=4))]
    for cores in (2, None):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        found.append(evaluate(truth, models, settings))
    for other in found:
        assert repr(one.summary) == repr(other.summary)
        assert_same_tables(one, other, tolerance=0)


def test_the_same_seed_gives_the_same_and_another_seed_other_intervals_but_no_other_figures(base: Result) -> None:
    truth, models = world()
    again, other = (evaluate(truth, models, replace(SETTINGS, seed=seed)) for seed in (0, 1))
    first = base
    assert repr(first.summary) == repr(again.summary)
    own, others = (one.summary["models"]["fine"]["regimes"]["own"] for one in (first, other))
    assert own["macro_f1"] == others["macro_f1"]
    assert own["macro_f1_low"] != others["macro_f1_low"]


def permuted(truth: Truth, models: list[Entry], seed: int, *, tags_too: bool = True) -> tuple[Truth, list[Entry]]:
    """The same comparison, its rows and columns in another order, each model's in one of its own."""
    rng = np.random.default_rng(seed)

    def columns(space: TagSpace) -> np.ndarray:
        return rng.permutation(len(space)) if tags_too else np.arange(len(space))

    def space_of(space: TagSpace, order: np.ndarray) -> TagSpace:
        return TagSpace(*(None if x is None else tuple(x[k] for k in order) for x in (space.names, space.categories)))

    rows, order = rng.permutation(len(truth.image_ids)), columns(truth.tags)
    moved = truth.take(rows)
    moved = replace(moved, tags=space_of(truth.tags, order), values=csc_array(moved.values[:, order]))
    moved.values.sort_indices()
    turned = []
    for one in models:
        scores = one.scores
        rows, order = rng.permutation(len(scores.image_ids)), columns(scores.tags)
        ids = tuple(scores.image_ids[row] for row in rows)
        values = Matrix.of(scores.values.read()[rows][:, order])
        turned.append(replace(one, scores=Scores(ids, space_of(scores.tags, order), values)))
    return moved, turned


def test_the_order_of_images_and_tags_does_not_matter_to_the_plain_figures() -> None:
    truth, models = world()
    plain = replace(SETTINGS, replicates=0)
    first, second = evaluate(truth, models, plain), evaluate(*permuted(truth, models, 3), plain)
    assert_same(first.summary, second.summary)
    both = [
        one.per_tag.drop(columns="index").sort_values(["model", "tag"], ignore_index=True) for one in (first, second)
    ]
    assert_same(*(one.to_dict("list") for one in both))


@pytest.mark.parametrize("groups", [None, tuple(f"g{n // 3}" for n in range(240))], ids=["images", "clusters"])
def test_the_order_of_images_does_not_matter_to_intervals_either(groups: tuple[str, ...] | None) -> None:
    truth, models = world(groups=groups)
    first, second = evaluate(truth, models, SETTINGS), evaluate(*permuted(truth, models, 3, tags_too=False), SETTINGS)
    assert_same(first.summary, second.summary, tolerance=1e-6)
    for name in ("differences", "slices", "tag_differences", "thresholds", "labels"):
        assert_same(first.tables[name].to_dict("list"), second.tables[name].to_dict("list"), tolerance=1e-6)


def test_the_order_of_tags_does_not_matter_to_intervals_either(base: Result) -> None:
    truth, models = world()
    reverse = np.arange(len(truth.tags))[::-1]
    names, categories = (tuple(np.array(x)[reverse]) for x in (truth.tags.names, truth.tags.categories))
    turned = Truth.of(
        truth.image_ids, TagSpace(names, categories), truth.values.toarray()[:, reverse], images=truth.images
    )
    first, second = base, evaluate(turned, models, SETTINGS)
    assert_same(first.summary, second.summary, tolerance=1e-6)
    assert_same(
        first.tables["differences"].to_dict("list"), second.tables["differences"].to_dict("list"), tolerance=1e-5
    )


def test_the_order_of_models_turns_the_differences_and_nothing_else(base: Result) -> None:
    truth, models = world()
    first, second = base, evaluate(truth, models[::-1], SETTINGS)
    for name in ("fine", "poor"):
        assert_same(first.summary["models"][name], second.summary["models"][name])
    a, b = first.tables["differences"], second.tables["differences"]
    np.testing.assert_allclose(a["difference"], -b["difference"], atol=1e-12)
    np.testing.assert_allclose(a["low"], -b["high"], atol=1e-9)
    np.testing.assert_allclose(a["p"], b["p"], atol=1e-9)
    assert a["higher"].tolist() == b["higher"].tolist()
    a, b = first.tables["tag_differences"], second.tables["tag_differences"]
    for figure in ("f1", "ap"):
        np.testing.assert_allclose(a[f"{figure}_difference"], -b[f"{figure}_difference"], atol=1e-12)
        np.testing.assert_allclose(a[f"{figure}_low"], -b[f"{figure}_high"], atol=1e-9)
        np.testing.assert_allclose(a[f"{figure}_p"], b[f"{figure}_p"], atol=1e-9)
        assert a[f"{figure}_higher"].tolist() == b[f"{figure}_higher"].tolist()


def test_a_model_does_not_differ_from_itself() -> None:
    truth, (model, _) = world()
    twin = replace(model, name="twin")
    result = evaluate(truth, [model, twin], SETTINGS)
    table = result.tables["differences"]
    assert len(table) > 50
    assert (table["difference"] == 0).all()
    several = table["tags"] > 1
    assert several.sum() > 50
    assert (table[several][["low", "high", "standard_error"]] == 0).all(axis=None)
    assert ((table["low"] <= 0) & (table["high"] >= 0)).all(), "a group of one tag has the interval of its tag"
    assert (table[["p", "p_adjusted"]] == 1).all(axis=None)
    assert set(table["higher"]) == {"undetermined"}
    tags = result.tables["tag_differences"]
    assert (tags[["f1_difference", "ap_difference"]] == 0).all(axis=None)
    assert (tags[["f1_p", "f1_q", "ap_p", "ap_q"]] == 1).all(axis=None)
    assert set(tags["f1_higher"]) == set(tags["ap_higher"]) == {"undetermined"}
    assert ((tags["f1_low"] <= 0) & (tags["f1_high"] >= 0)).all()
    np.testing.assert_allclose(tags[["ap_low", "ap_high"]], 0, atol=1e-6)
    assert len(result.tables["disagreements"]) == 0
    assert all(
        row == {"rank": 1, "tied_with_best": True} for one in result.summary["ranks"].values() for row in one.values()
    )


def test_a_third_model_changes_no_figure_of_the_others_on_the_same_tags(base: Result) -> None:
    truth, models = world()
    third = entry("third", truth.image_ids, truth.tags.names, 1 - models[0].scores.values.read())
    two, three = base, evaluate(truth, [*models, third], SETTINGS)
    for name in ("fine", "poor"):
        one, other = (found.summary["models"][name] for found in (two, three))
        assert_same(one, other)
    pairs = three.tables["differences"][["first", "second"]].drop_duplicates().to_numpy().tolist()
    assert pairs == [["fine", "poor"], ["fine", "third"], ["poor", "third"]]
    ranks = three.summary["ranks"]["macro_f1"]
    assert (ranks["third"]["rank"], ranks["third"]["tied_with_best"]) == (3, False)
    assert (ranks["fine"]["rank"], ranks["poor"]["rank"]) == (1, 2)


def test_plain_figures_are_the_same_with_resamples_and_without(base: Result) -> None:
    plain, full = evaluate(*world(), replace(SETTINGS, replicates=0)), base
    for name, model in plain.summary["models"].items():
        own = model["regimes"]["own"]
        assert_same({key: full.summary["models"][name]["regimes"]["own"][key] for key in own}, own, tolerance=1e-14)
        assert list(model["regimes"]) == ["own"]
    for name in ("sweep", "tag_sweep", "calibration"):
        swept = full.tables[name]
        if "threshold" in swept:  # with resamples, the sweep also has the exact crossings of precision and recall
            swept = swept[swept["threshold"].isin(plain.sweep["threshold"])].reset_index(drop=True)
        pd.testing.assert_frame_equal(plain.tables[name], swept, rtol=0, atol=1e-12)
    uncertain = [c for c in plain.per_tag.columns if c.endswith(("_low", "_high"))]
    assert plain.per_tag[uncertain].isna().all(axis=None)
    both = [one.per_tag.drop(columns=uncertain) for one in (plain, full)]
    pd.testing.assert_frame_equal(*both, rtol=0, atol=1e-14)


@pytest.mark.parametrize("replicates", [0, 5])
def test_progress_reaches_the_amount_of_work(replicates: int) -> None:
    truth, models = world()
    done: list[int] = []
    settings = replace(SETTINGS, replicates=replicates)
    evaluate(truth, models, settings, advance=done.append)
    assert sum(done) == amount_of_work(truth, settings) == 10 + (replicates > 0) * 9


def test_a_model_that_knows_few_of_many_tags_has_the_figures_of_a_truth_with_these_alone() -> None:
    known, others = 3, 67  # a block of the truth's tags is then without any that the model knows
    labels = np.random.default_rng(8).random((120, known + others)) < 0.3
    ids, names = [f"i{n}" for n in range(120)], [f"t{n}" for n in range(known + others)]
    scores = see(np.random.default_rng(9), labels[:, :known])
    models = [entry("few", ids, names[:known], scores), entry("other", ids, names[:known], scores[::-1].copy())]
    settings = Settings(replicates=30, min_positives=1)
    many, few = (
        evaluate(Truth.of(ids, TagSpace(tuple(names[:tags]), ("general",) * tags), labels[:, :tags]), models, settings)
        for tags in (known + others, known)
    )
    for name in ("few", "other"):
        ours, wanted = many.summary["models"][name]["regimes"], few.summary["models"][name]["regimes"]
        assert_same(ours, wanted)
