"""Weighted images: an image of weight w counts as w images, and intervals hold the figures of the population."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csc_array

from arena.base.errors import ArenaError
from arena.dataset.frozen import Truth, exact_weights
from arena.dataset.selection import choose_representative
from arena.evaluate import Settings, evaluate
from arena.metrics import ranking
from arena.metrics.counts import TagCounts, micro, ratios, whole_images
from arena.metrics.tally import Sampling, SweptModel, Tally, tally_models
from arena.results.run_folder import Result
from arena.tags import TagSpace

from ..metrics.problems import LEVELS, scored
from .worlds import assert_same, entry, world

SWEEP = np.float32([0, 0.25, 0.5, 0.75, 1])
PLAIN = ("macro_precision", "macro_recall", "macro_f1", "micro_precision", "micro_recall", "micro_f1", "map")


def tally(scores: np.ndarray, labels: np.ndarray, folds: np.ndarray, weights: np.ndarray | None) -> Tally:
    own = np.full(scores.shape[1], 0.5, np.float32)
    sampling = Sampling(folds, np.arange(len(scores)), np.ones((1, scores.shape[1])))
    return tally_models(
        [SweptModel(scored(scores), SWEEP, own)], csc_array(labels), sampling=sampling, weights=weights
    ).models[0]


@given(st.lists(st.tuples(LEVELS, LEVELS, st.booleans(), st.booleans(), st.integers(1, 4)), min_size=1, max_size=25))
def test_an_integer_weight_is_as_many_images(rows: list[tuple]) -> None:
    first, second, one, other, weights = (np.array(column) for column in zip(*rows, strict=True))
    scores, labels = np.stack([first, second], 1).astype(np.float32), np.stack([one, other], 1)
    folds = (np.arange(len(rows)) * 3 // len(rows)).astype(np.uint8)
    folds = np.unique(folds, return_inverse=True)[1].astype(np.uint8)
    found = tally(scores, labels, folds, weights.astype(np.float64))
    repeated = tally(*(np.repeat(x, weights, axis=0) for x in (scores, labels, folds)), None)
    for name in ("tp", "fp", "positives", "images"):
        np.testing.assert_array_equal(getattr(found, name), getattr(repeated, name))
    for name in ("tp", "fp", "positives"):
        np.testing.assert_array_equal(getattr(found.own, name), getattr(repeated.own, name))
    for name in ("average_precision", "roc_auc", "best", "break_even", "brier"):
        np.testing.assert_allclose(getattr(found, name), getattr(repeated, name), atol=1e-12, err_msg=name)
    for ours, theirs in zip(found.bins[:3], repeated.bins[:3], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)
    assert found.support.tolist() == labels.sum(0).tolist()


def test_weights_by_hand() -> None:
    """Scores .9 .8 .7 .6 with weights 1 4 2 3; the first and the third have the tag."""
    scores, labels, weights = np.float32([[0.9, 0.8, 0.7, 0.6]]), np.array([[True, False, True, False]]), [1.0, 4, 2, 3]
    block = ranking.sort_block(scores, labels, images=True, weights=np.array(weights))
    assert block.positive_weight.tolist() == [3]
    at = ranking.count_sorted(block, np.float32([0.65]))
    counts = TagCounts(np.float32([0.65]), at.true_positives[0], at.false_positives[0], block.positive_weight, 10.0)
    assert [float(x[0]) for x in ratios(counts)] == [3 / 7, 1, 0.6]
    assert float(micro(counts).precision) == 3 / 7
    assert ranking.average_precision(block)[0] == pytest.approx((1 * 1 + 2 * 3 / 7) / 3)
    assert ranking.roc_auc(block)[0] == pytest.approx((1 * 7 + 2 * 3) / (3 * 7))


def test_influence_is_the_derivative_by_the_weight() -> None:
    rng = np.random.default_rng(0)
    scores, labels = rng.random((1, 12)).astype(np.float32).round(1), rng.random((1, 12)) < 0.5
    weights = rng.uniform(1, 9, 12)

    def ap(w: np.ndarray) -> float:
        return float(ranking.average_precision(ranking.sort_block(scores, labels, images=True, weights=w))[0])

    block = ranking.sort_block(scores, labels, images=True, weights=weights)
    found, influence = np.zeros(12), ranking.influence(block)
    assert block.images is not None
    found[block.images[0, influence.start[0] :]] = influence.of(0)
    expected = [(ap(weights + step) - ap(weights - step)) / 2e-5 for step in 1e-5 * np.eye(12)]
    np.testing.assert_allclose(found, expected, atol=1e-8)


def test_equal_weights_change_no_interval() -> None:
    truth, models = world(300)
    truth = Truth.of(truth.image_ids, truth.tags, truth.values)
    plain = evaluate(truth, models, Settings(replicates=100, min_positives=5))
    weighted = evaluate(replace(truth, weights=np.full(300, 2.0)), models, Settings(replicates=100, min_positives=5))
    assert (weighted.summary["weighted_images"], weighted.summary["effective_images"]) == (600, 300)
    assert "effective_images" not in plain.summary
    for name, model in plain.summary["models"].items():
        one, other = (x["regimes"]["own"] for x in (model, weighted.summary["models"][name]))
        for figure in PLAIN:
            assert other[figure] == pytest.approx(one[figure], abs=1e-12)
            if figure != "macro_precision":  # its interval takes one more false positive with its own weight
                assert other[f"{figure}_high"] == pytest.approx(one[f"{figure}_high"], abs=2e-5), figure
    assert weighted.per_tag["support"].tolist() == plain.per_tag["support"].tolist()
    assert weighted.per_tag["tp"].tolist() == (2 * plain.per_tag["tp"]).tolist()


def test_the_order_of_weighted_images_has_no_effect() -> None:
    rng = np.random.default_rng(1)
    truth, models = world(200)
    weights = exact_weights("test", rng.uniform(1, 30, 200), 200)
    truth = Truth.of(truth.image_ids, truth.tags, truth.values, weights=weights)
    turned = truth.take(rng.permutation(200))
    first, second = (evaluate(x, models, Settings(replicates=0, min_positives=1)) for x in (truth, turned))
    assert_same(first.summary, second.summary, tolerance=1e-12)
    for name in ("tp", "fp", "fn", "precision", "recall", "f1", "ap"):
        assert first.per_tag[name].tolist() == second.per_tag[name].tolist(), name


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, 0, 2], r"truth: weight 0 in row 1; a weight is a number above 0"),
        ([1, float("nan"), 2], r"weight nan in row 1"),
        ([1, 2], r"weight has shape \(2,\), but there are 3 images"),
        (["a", "b", "c"], r"weight must hold numbers"),
        ([0.2, 0.3, 0.5], r"the mean 0.333333; .*1 / inclusion probability\), so the mean must be 1 or more"),
    ],
)
def test_wrong_weights_are_one_line(weights: list, message: str) -> None:
    with pytest.raises(ArenaError, match=message):
        exact_weights("truth", weights, 3)


def test_whole_images_are_never_negative() -> None:
    found = whole_images(np.array([2.5, 0.4]), np.array([0.5, 3.6]), np.array([2.5, 0.4]), 4.0)
    assert [x.tolist() for x in found[:3]] == [[2, 0], [0, 4], [2, 0]]


POPULATION = 4000
PREVALENCE = np.array([*[0.005] * 5, *[0.008] * 5, *[0.012] * 3, 0.03, 0.08, 0.2, 0.3])


def population(seed: int) -> tuple[Truth, dict[str, np.ndarray]]:
    """Images with tags from rare to frequent, and the scores of two models."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(POPULATION, 1)) * 0.4 + rng.normal(size=(POPULATION, len(PREVALENCE)))
    labels = hidden > np.array([np.quantile(h, 1 - p) for h, p in zip(hidden.T, PREVALENCE, strict=True)])
    cut = np.array([np.quantile(h, 1 - p) for h, p in zip(hidden.T, PREVALENCE, strict=True)])
    noise = {name: rng.normal(size=hidden.shape) * size for name, size in (("a", 0.3), ("b", 0.4))}
    scores = {name: (1 / (1 + np.exp(-3 * (hidden + x - cut)))).astype(np.float32) for name, x in noise.items()}
    names = tuple(f"t{tag}" for tag in range(len(PREVALENCE)))
    return Truth.of([f"i{row:04}" for row in range(POPULATION)], TagSpace(names), labels), scores


def sampled(
    truth: Truth, scores: dict[str, np.ndarray], seed: int, *, replicates: int, weighted: bool = True
) -> Result:
    """A representative sample of 600 images, evaluated."""
    rng, carried = np.random.default_rng(seed), truth.values.toarray()
    numbers = rng.random(POPULATION)
    order = np.argsort(numbers)
    tags = [[truth.tags.names[tag] for tag in np.flatnonzero(row)] for row in carried[order]]
    found = choose_representative(tags, numbers[order].tolist(), least=20, sample=600)
    rows = np.array([order[one.place] for one in found])
    weights = exact_weights("sample", [1 / one.probability for one in found], 600) if weighted else None
    models = [entry(name, [truth.image_ids[k] for k in rows], truth.tags.names, x[rows]) for name, x in scores.items()]
    return evaluate(replace(truth.take(rows), weights=weights), models, Settings(replicates=replicates, workers=1))


def test_a_weighted_sample_gives_the_figures_of_its_population() -> None:
    truth, scores = population(0)
    models = [entry(name, truth.image_ids, truth.tags.names, x) for name, x in scores.items()]
    whole = evaluate(truth, models, Settings(replicates=0)).summary["models"]["a"]["regimes"]["own"]
    results = [sampled(truth, scores, seed, replicates=40) for seed in range(4)]
    rows = [result.summary["models"]["a"]["regimes"]["own"] for result in results]
    held = [row[f"{name}_low"] <= whole[name] <= row[f"{name}_high"] for row in rows for name in PLAIN]
    assert np.mean(held) >= 0.8  # 80 results of 40 samples: 0.90 to 0.99 by metric
    for name in PLAIN:
        assert np.mean([row[f"{name}_corrected"] for row in rows]) == pytest.approx(whole[name], abs=0.04), name
    ignored = sampled(truth, scores, 0, replicates=0, weighted=False).summary["models"]["a"]["regimes"]["own"]
    assert abs(ignored["micro_precision"] - whole["micro_precision"]) > 0.02, "without weights it is another set"
