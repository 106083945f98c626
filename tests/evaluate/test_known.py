"""Three-state truth: unknown cells enter no count, no ranking, no interval and no list."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, f1_score, matthews_corrcoef, roc_auc_score

from arena.base.errors import ArenaError
from arena.dataset.frozen import Truth
from arena.evaluate import Entry, Settings, evaluate
from arena.evaluate.mistakes import find_confusions
from arena.metrics.known import KnownCells
from arena.results.run_folder import Result
from arena.tags import TagSpace

from .worlds import assert_same, entry, see, world

IMAGES, TAGS = 160, 7
RNG = np.random.default_rng(7)
KNOWN = RNG.random((IMAGES, TAGS)) < np.linspace(0.3, 0.9, TAGS)


def partly(truth: Truth, known: np.ndarray, **more: Any) -> Truth:
    """The same truth, where only some cells are known."""
    cells = KnownCells.of_rows([known], *known.shape)
    kept = {"relations": truth.relations, "images": truth.images, "groups": truth.groups, "weights": truth.weights}
    return Truth.of(truth.image_ids, truth.tags, truth.values, known=cells, **kept | more)


def with_scores(models: list[Entry], change: Any) -> list[Entry]:
    return [
        entry(one.name, one.scores.image_ids, one.scores.tags.names, change(number, one.scores.values.read()))
        for number, one in enumerate(models)
    ]


def assert_equal(first: Result, second: Result) -> None:
    """Equal in all digits."""
    assert_same(first.summary, second.summary, tolerance=0)
    for name, table in first.tables.items():
        pd.testing.assert_frame_equal(table, second.tables[name], check_exact=True, obj=name)


@pytest.fixture(scope="module")
def found() -> Result:
    truth, models = world(IMAGES, TAGS)
    models = with_scores(models, lambda number, scores: np.round(scores, 2))  # ties, and scores of 0
    return evaluate(partly(truth, KNOWN), models, Settings(replicates=60, min_positives=3))


def test_the_counts_and_rankings_of_each_tag_are_those_of_its_known_images(found: Result) -> None:
    truth, models = world(IMAGES, TAGS)
    labels = truth.values.toarray()
    for one in models:
        scores, rows = np.round(one.scores.values.read(), 2), found.tags_of(one.name)
        for row in rows.itertuples():
            column = int(row.index)
            here = KNOWN[:, column]
            y, x = labels[here, column], scores[here, column]
            predicted = x >= np.float32(0.5)
            counts = [(predicted & y).sum(), (predicted & ~y).sum(), (~predicted & y).sum(), (~predicted & ~y).sum()]
            assert [row.tp, row.fp, row.fn, row.tn] == counts
            assert (row.known, row.support) == (here.sum(), y.sum())
            assert row.f1 == pytest.approx(f1_score(y, predicted), abs=1e-12)
            assert row.ap == pytest.approx(average_precision_score(y, x), abs=1e-12)
            assert row.roc_auc == pytest.approx(roc_auc_score(y, x), abs=1e-12)
            assert row.brier == pytest.approx(brier_score_loss(y, x.astype(np.float64)), abs=1e-12)
            assert row.mcc == pytest.approx(matthews_corrcoef(y, predicted), abs=1e-12)
            at = found.tag_sweep[(found.tag_sweep["model"] == one.name) & (found.tag_sweep["tag"] == row.tag)]
            assert (at[["tp", "fp", "fn", "tn"]].sum(axis=1) == here.sum()).all()
            assert at["fp"].tolist() == [int((~y & (x >= np.float32(t))).sum()) for t in at["threshold"]]


def test_the_number_of_known_cells_is_told(found: Result) -> None:
    rows = found.tags_of("fine")
    compared = rows.loc[rows["compared"], "index"].tolist()
    assert 3 < len(compared) < TAGS
    told = [found.summary[key] for key in ("known_cells", "cells", "tags_without_known_absence")]
    assert told == [KNOWN[:, compared].sum(), IMAGES * len(compared), 0]
    cells = found.tables["calibration"].groupby("model")["cells"].sum()
    assert cells.tolist() == [KNOWN[:, compared].sum()] * 2


def test_no_list_names_an_unknown_cell(found: Result) -> None:
    rows = {name: place for place, name in enumerate(world(IMAGES, TAGS)[0].image_ids)}
    for name in ("errors", "disagreements", "labels"):
        table = found.tables[name]
        assert all(KNOWN[rows[image], int(tag[1:])] for image, tag in zip(table["image_id"], table["tag"], strict=True))
    assert len(found.tables["errors"]) > 20


@settings(max_examples=4, deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.booleans(), st.booleans(), st.sampled_from(["arena", "smilingwolf"]), st.floats(0, 1)
)
def test_what_stands_in_unknown_cells_changes_no_digit(
    seed: int, weighted: bool, clustered: bool, convention: str, share: float
) -> None:
    rng = np.random.default_rng(seed)
    truth, models = world(40, 4, seed=seed % 1000)
    known = rng.random((40, 4)) < share
    more: dict[str, Any] = {"weights": np.floor(rng.uniform(1, 5, 40))} if weighted else {}
    more |= {"groups": tuple(f"g{n // 2}" for n in range(40))} if clustered else {}
    chosen = Settings(replicates=4, min_positives=1, convention=convention)
    other_labels = Truth.of(
        truth.image_ids, truth.tags, np.where(known, truth.values.toarray(), rng.random((40, 4)) < 0.5)
    )
    others = with_scores(models, lambda _, x: np.where(known, x, rng.choice(np.float32([0, 0.5, 1]), x.shape)))
    first = evaluate(partly(truth, known, **more), models, chosen)
    second = evaluate(partly(other_labels, known, **more, images=truth.images), others, chosen)
    assert_equal(first, second)


@pytest.mark.parametrize("weighted", [False, True])
def test_an_image_of_which_nothing_is_known_counts_like_one_that_is_left_out(weighted: bool) -> None:
    truth, models = world(IMAGES, TAGS)
    weights = np.floor(np.random.default_rng(1).uniform(1, 5, IMAGES)) if weighted else None
    truth = replace(truth, weights=weights)
    kept = np.flatnonzero(RNG.random(IMAGES) < 0.7)
    known = np.zeros((IMAGES, TAGS), np.bool_)
    known[kept] = True
    chosen = Settings(replicates=20, min_positives=1, slices=["rating"])
    whole, part = evaluate(partly(truth, known), models, chosen), evaluate(truth.take(kept), models, chosen)
    for name in (
        "sweep",
        "tag_sweep",
        "tag_differences",
        "calibration",
        "errors",
        "disagreements",
        "labels",
        "confusions",
    ):
        pd.testing.assert_frame_equal(whole.tables[name], part.tables[name], rtol=1e-9, obj=name)
    pd.testing.assert_frame_equal(whole.per_tag.drop(columns="known"), part.per_tag, rtol=1e-9)
    pd.testing.assert_frame_equal(whole.tables["thresholds"], part.tables["thresholds"], rtol=1e-9)
    plain = [name for name in part.tables["slices"] if not name.endswith(("_low", "_high", "_corrected", "images"))]
    pd.testing.assert_frame_equal(whole.tables["slices"][plain], part.tables["slices"][plain], rtol=1e-9)
    for name, model in part.summary["models"].items():
        assert_same(whole.summary["models"][name]["per_image"], model["per_image"])


def test_a_tag_of_one_state_or_of_none_is_undefined_where_it_must_be() -> None:
    truth, models = world(IMAGES, 4)
    known = np.ones((IMAGES, 4), np.bool_)
    labels = truth.values.toarray()
    known[:, 1] = False
    known[:, 2] = labels[:, 2]
    result = evaluate(partly(truth, known), models, Settings(replicates=20, min_positives=0))
    rows = result.tags_of("fine").set_index("tag")
    assert rows.loc["t1", ["support", "tp", "fp", "fn", "tn", "known"]].tolist() == [0] * 6
    assert rows.loc["t1", ["precision", "recall", "f1", "ap", "roc_auc", "brier", "mcc"]].isna().all()
    assert (rows.loc["t2", "ap"], rows.loc["t2", "fp"], rows.loc["t2", "tn"]) == (1, 0, 0)
    assert np.isnan(rows.loc["t2", "roc_auc"])
    assert result.summary["tags_without_known_absence"] == 1
    own = result.summary["models"]["fine"]["regimes"]["own"]
    assert (own["tags"], own["macro_f1_tags"], own["map_tags"]) == (4, 3, 3)


def test_a_truth_of_which_nothing_is_known_is_one_line_or_undefined() -> None:
    truth, models = world(30, 3)
    nothing = partly(truth, np.zeros((30, 3), np.bool_))
    result = evaluate(nothing, models, Settings(replicates=5, min_positives=0))
    own = result.summary["models"]["fine"]["regimes"]["own"]
    assert np.isnan([own["macro_f1"], own["micro_f1"], own["map"]]).all()
    assert np.isnan(result.summary["models"]["fine"]["per_image"]["precision_at_1"])


def test_a_complete_truth_is_one_without_known() -> None:
    truth, _ = world(30, 3)
    assert partly(truth, np.ones((30, 3), np.bool_)).known is None
    assert partly(truth, KNOWN[:30, :3]).take(np.arange(5)).known is not None


def test_the_rating_of_an_image_is_unknown_with_any_of_its_tags() -> None:
    names = ("rating:g", "rating:s", "x")
    labels = np.array([[1, 0, 1], [0, 1, 0], [1, 0, 0], [0, 1, 1]], np.bool_)
    scores = np.float32([[0.9, 0.1, 0.5], [0.2, 0.8, 0.5], [0.1, 0.9, 0.5], [0.3, 0.7, 0.5]])
    known = np.ones((4, 3), np.bool_)
    known[2, 1] = False
    truth = Truth.of(list("abcd"), TagSpace(names, ("rating", "rating", "general")), labels)
    model = entry("m", list("abcd"), names, scores, categories=("rating", "rating", "general"))
    for one, images, accuracy in ((truth, 4, 0.75), (partly(truth, known), 3, 1.0)):
        rating = evaluate(one, [model], Settings(replicates=0, min_positives=1)).summary["models"]["m"]["per_image"][
            "rating"
        ]
        assert (rating["images"], rating["accuracy"]) == (images, accuracy)


def test_precision_at_k_is_over_known_tags() -> None:
    """Scores .9 .8 .7; the first tag is unknown in the first image, and every tag in the last."""
    scores = np.float32([[0.9, 0.8, 0.7], [0.9, 0.8, 0.7], [0.9, 0.8, 0.7]])
    labels = np.array([[1, 1, 0], [0, 1, 0], [1, 1, 1]], np.bool_)
    known = np.array([[0, 1, 1], [1, 1, 1], [0, 0, 0]], np.bool_)
    truth = partly(Truth.of(list("abc"), TagSpace(("x", "y", "z")), labels), known)
    result = evaluate(truth, [entry("m", list("abc"), "xyz", scores)], Settings(replicates=0, min_positives=0))
    found = result.summary["models"]["m"]["per_image"]
    assert (found["precision_at_1"], found["precision_at_5"]) == ((1 + 0) / 2, (1 / 2 + 1 / 5) / 2)
    assert (found["precision_at_k_images"], found["recall_at_1"], found["recall_at_k_images"]) == (2, 0.5, 2)


def test_confusions_are_expected_from_the_images_where_both_tags_are_known() -> None:
    rng = np.random.default_rng(2)
    known, labels, guesses = (rng.random((60, 3)) < share for share in (0.6, 0.5, 0.5))
    truth = partly(Truth.of([str(n) for n in range(60)], TagSpace(("x", "y", "z")), labels), known)
    predicted = Truth.of(truth.image_ids, truth.tags, guesses & known).values
    found = find_confusions(truth.values, predicted, truth.known)
    assert len(found.tag)
    for tag, other, images, expected in zip(*found, strict=True):
        both = known[:, tag] & known[:, other]
        false, missed = (guesses & ~labels)[both, tag], (~guesses & labels)[both, other]
        assert (images, expected) == ((false & missed).sum(), pytest.approx(false.sum() * missed.sum() / both.sum()))


def test_intervals_hold_where_half_of_the_cells_are_unknown() -> None:
    """Metrics and differences of a population, of which each experiment sees other images and other cells."""
    rng, held, printed, size = np.random.default_rng(4), 0, 0, 20_000
    labels = rng.random((size, 5)) < np.linspace(0.1, 0.4, 5)
    scores = [see(rng, labels, power) for power in (2.0, 1.5)]
    names, chosen = tuple(f"t{n}" for n in range(5)), Settings(replicates=60, min_positives=1, slices=[])

    def figures(truth: Truth, seen: list[np.ndarray], settings: Settings) -> Result:
        return evaluate(truth, [entry(n, truth.image_ids, names, x) for n, x in zip("ab", seen, strict=True)], settings)

    everything = Truth.of([str(n) for n in range(size)], TagSpace(names), labels)
    population = figures(everything, scores, replace(chosen, replicates=0)).summary["models"]
    true = {name: population[name]["regimes"]["own"] for name in "ab"}
    for _ in range(4):
        some = rng.choice(size, 250, replace=False)
        truth = partly(everything.take(some), rng.random((250, 5)) < 0.5)
        result = figures(truth, [one[some] for one in scores], chosen)
        own = result.tables["differences"].query("slice == 'all' and regime == 'own'").set_index("figure")
        for figure in ("macro_f1", "micro_f1", "map"):
            model = result.summary["models"]["a"]["regimes"]["own"]
            held += model[f"{figure}_low"] <= true["a"][figure] <= model[f"{figure}_high"]
            held += own.loc[figure, "low"] <= true["a"][figure] - true["b"][figure] <= own.loc[figure, "high"]
            printed += 2
    assert held >= printed - 4, f"{held} of {printed}"


def test_images_of_which_nothing_is_known_do_not_shorten_an_interval() -> None:
    truth, models = world(40, 4)
    known = np.zeros((40, 4), np.bool_)
    known[:12] = True
    chosen = Settings(replicates=200, min_positives=0, slices=[])
    whole, part = evaluate(partly(truth, known), models, chosen), evaluate(truth.take(np.arange(12)), models, chosen)
    freedom = [
        one.tables["differences"].query("regime == 'own'")["degrees_of_freedom"].iloc[0] for one in (whole, part)
    ]
    assert freedom[0] == pytest.approx(freedom[1])
    assert whole.summary["effective_clusters"] == part.summary["effective_clusters"] == 12
    own = [one.summary["models"]["poor"]["regimes"]["own"] for one in (whole, part)]
    assert own[0]["micro_f1_high"] - own[0]["micro_f1_low"] == pytest.approx(
        own[1]["micro_f1_high"] - own[1]["micro_f1_low"], rel=0.2
    )


def test_no_tag_with_enough_known_positives_is_one_line() -> None:
    from arena.evaluate.matching import refuse_no_compared_tag

    truth, models = world(30, 3)
    with pytest.raises(ArenaError, match=r"t0 has most, 0 \(known are 0 of 90 labels\); take more images"):
        refuse_no_compared_tag(
            partly(truth, np.zeros((30, 3), np.bool_)), {one.name: one.scores.tags for one in models}, 3
        )
