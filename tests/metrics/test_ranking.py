"""Three layers: rankings worked by hand, scikit-learn or every threshold tried as the reference, properties."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr
from sklearn import metrics as sk

from arena.metrics.ranking import (
    average_precision,
    average_precision_bias,
    best_f1,
    break_even,
    count_sorted,
    influence,
    roc_auc,
    sort_block,
    sort_column,
    sort_key,
)

from .problems import Column, brute_counts, columns, random_column, weighted_ap

CASES = [
    random_column(seed, share=share, values=v) for seed, (share, v) in enumerate([(0.2, 10), (0.5, 40), (0.02, 5)])
]
CASES += [random_column(7, 3000, share=0.01, values=1 << 20)]


def brute_thresholds(column: Column) -> list[tuple[np.float32, int, int]]:
    """Every distinct score with the images predicted there and the hits among them, the highest score first."""
    scores, labels = column
    counts = [(t, *brute_counts(scores, labels, t)) for t in np.unique(scores + np.float32(0))[::-1]]
    return [(t, tp + fp, tp) for t, tp, fp in counts]


def test_a_ranking_worked_by_hand() -> None:
    scores = np.float32([0.9, 0.4, 0.4, 0.1, 0.0])
    labels = np.array([True, True, False, True, False])
    column = sort_column(scores, labels)
    assert column.scores[0].tolist() == np.float32([0.0, 0.1, 0.4, 0.4, 0.9]).tolist()
    assert column.positions.tolist() == [1, 3, 4], "of equal score the image that carries the tag stands last"
    assert average_precision(column) == pytest.approx((1 + 2 / 3 + 3 / 4) / 3, abs=1e-15)
    assert roc_auc(column) == pytest.approx((2 + 1.5 + 1) / 6, abs=1e-15)
    assert best_f1(column) == (pytest.approx(0.1), pytest.approx(2 * 3 / (4 + 3)))
    assert break_even(column) == (pytest.approx(0.4), pytest.approx(2 / 3))


def test_of_equally_good_thresholds_the_highest_is_the_best() -> None:
    """At 0.9 one hit of one, at 0.6 two of four: 2 / 3 and 4 / 6."""
    column = sort_column(np.float32([0.9, 0.8, 0.7, 0.6]), np.array([True, False, False, True]))
    assert best_f1(column) == (pytest.approx(0.9), 2 / 3)


def test_images_come_in_order_of_score_then_label_then_number() -> None:
    scores, labels = np.float32([0.5, 0.0, 0.5, -0.0, 0.5]), np.array([True, False, False, False, False])
    column = sort_column(scores, labels, images=True)
    assert column.images is not None
    assert column.images[0].tolist() == [1, 3, 2, 4, 0]
    assert np.array_equal(column.keys, sort_column(scores, labels).keys)


def test_without_a_positive_or_without_a_negative_a_figure_is_undefined_not_zero() -> None:
    scores = np.float32([0.5, 0.1, 0.7])
    none, every = sort_column(scores, np.zeros(3, bool)), sort_column(scores, np.ones(3, bool))
    assert np.isnan([average_precision(none), roc_auc(none), *best_f1(none), *break_even(none)]).all()
    assert np.isnan(roc_auc(every))
    assert (average_precision(every), best_f1(every), break_even(every)) == (
        1,
        (np.float32(0.1), 1),
        (np.float32(0.1), 1),
    )


@given(columns())
def test_average_precision_and_roc_auc_are_scikit_learns(problem: Column) -> None:
    scores, labels = problem
    column = sort_column(scores, labels)
    assert np.isnan(average_precision(column)) == (not labels.any())
    assert np.isnan(roc_auc(column)) == (labels.all() or not labels.any())
    if labels.any():
        assert average_precision(column) == pytest.approx(sk.average_precision_score(labels, scores), abs=1e-12)
    if labels.any() and not labels.all():
        assert roc_auc(column) == pytest.approx(sk.roc_auc_score(labels, scores), abs=1e-12)


@pytest.mark.parametrize("problem", CASES)
def test_so_they_are_on_many_images(problem: Column) -> None:
    scores, labels = problem
    column = sort_column(scores, labels)
    assert average_precision(column) == pytest.approx(sk.average_precision_score(labels, scores), abs=1e-12)
    assert roc_auc(column) == pytest.approx(sk.roc_auc_score(labels, scores), abs=1e-12)


@given(columns())
def test_best_f1_is_the_best_of_every_threshold_and_the_highest_of_the_best(problem: Column) -> None:
    positives = int(problem[1].sum())
    found = best_f1(sort_column(*problem))
    if not positives:
        return
    f1 = {t: Fraction(2 * hits, predicted + positives) for t, predicted, hits in brute_thresholds(problem)}
    best = max(f1.values())
    assert found.threshold == max(t for t, value in f1.items() if value == best)
    assert found.value == pytest.approx(float(best), abs=1e-15)


@settings(max_examples=100)
@given(columns(most=8))
def test_break_even_is_at_the_threshold_that_predicts_as_many_as_carry_the_tag_or_next_to_it(problem: Column) -> None:
    positives = int(problem[1].sum())
    found = break_even(sort_column(*problem))
    if not positives:
        return
    near = {t: (n, Fraction(hits, n), Fraction(hits, positives)) for t, n, hits in brute_thresholds(problem)}
    fewer = [t for t, (n, *_) in near.items() if n <= positives][-1:]
    more = [t for t, (n, *_) in near.items() if n >= positives][:1]
    assert found.threshold in [*fewer, *more]
    assert fewer != more or found.threshold == fewer[0]
    _, precision, recall = near[np.float32(found.threshold[0])]
    assert found.value == pytest.approx(float(precision + recall) / 2, abs=1e-15)
    assert found.value > 0 or all(near[t][1] == 0 for t in (*fewer, *more)), "no hits at all is no break-even"


def test_a_false_alarm_on_top_is_no_break_even() -> None:
    """Two are predicted at 0.5, as many as carry the tag, and one is right; at 0.9 both ratios are 0, which says nothing."""
    column = sort_column(np.float32([0.9, 0.5, 0.1]), np.array([False, True, True]))
    assert break_even(column) == (0.5, 0.5)


@given(columns(), st.lists(st.sampled_from([0.0, 1e-45, 0.25, 0.5, 0.5000001, 1.0]), unique=True))
def test_counts_at_thresholds_are_those_of_the_images_that_reach_them(problem: Column, steps: list[float]) -> None:
    thresholds = np.sort(np.float32([*steps, np.nextafter(np.float32(1), np.float32(2))]))
    found = count_sorted(sort_column(*problem), thresholds)
    expected = [brute_counts(*problem, threshold) for threshold in thresholds]
    assert [tuple(one) for one in np.stack(found)[:, 0].T.tolist()] == expected


@given(columns())
def test_keys_order_images_as_scores_do(problem: Column) -> None:
    scores, labels = problem
    column = sort_column(scores, labels, images=True)
    assert column.images is not None
    assert sorted(column.images[0].tolist()) == list(range(len(scores)))
    assert np.array_equal(column.scores[0], scores[column.images[0]])
    assert np.array_equal(column.images[0, column.positions], [i for i in column.images[0] if labels[i]])
    assert (np.diff(column.keys[0].astype(np.int64)) >= 0).all()
    assert np.array_equal(sort_key(np.float32([-0.0])), sort_key(np.float32([0.0])))


@given(columns(), st.randoms(use_true_random=False))
def test_the_order_of_images_does_not_matter(problem: Column, random) -> None:
    scores, labels = problem
    order = list(range(len(scores)))
    random.shuffle(order)
    first, second = sort_column(scores, labels), sort_column(scores[order], labels[order])
    for figure in (average_precision, roc_auc, best_f1, break_even):
        np.testing.assert_array_equal(figure(first), figure(second))


@given(columns())
def test_a_score_that_keeps_the_order_keeps_the_ranking(problem: Column) -> None:
    scores, labels = problem
    first, second = sort_column(scores, labels), sort_column(np.sqrt(np.abs(scores)), labels)
    for figure in (average_precision, roc_auc):
        np.testing.assert_array_equal(figure(first), figure(second))
    assert best_f1(first).value == best_f1(second).value or not labels.any()


def central(problem: Column, step: float, image: int) -> float:
    """Derivative of AP by the weight of one image, by central differences."""
    weights, values = np.ones(len(problem[0])), []
    for move in (step, -step):
        weights[image] = 1 + move
        values.append(weighted_ap(*problem, weights))
    return (values[0] - values[1]) / (2 * step)


@pytest.mark.parametrize("seed", range(12))
def test_influences_are_the_derivatives_of_a_weighted_average_precision(seed: int) -> None:
    problem = random_column(seed, 30, share=(0.1, 0.3, 0.9)[seed % 3], values=(4, 12, 1 << 20)[seed // 4])
    problem[1][seed] = True
    column = sort_column(*problem, images=True)
    found = influence(column)
    assert column.images is not None
    values = np.zeros(30)
    values[column.images[0, found.start[0] :]] = found.values
    np.testing.assert_allclose(values, [central(problem, 1e-5, image) for image in range(30)], atol=1e-8)


def test_influence_worked_by_hand() -> None:
    """Positive, negative, positive: AP = (1 + 2/3) / 2; the negative enters the second precision only, 2/3 -> 2/(3 + w)."""
    found = influence(sort_column(np.float32([0.9, 0.8, 0.7]), np.array([True, False, True])))
    assert found.start.tolist() == [0]
    assert found.values == pytest.approx([-1 / 36, -1 / 9, 5 / 36], abs=1e-15)


@given(columns())
def test_influences_sum_to_zero_because_only_relative_weights_count(problem: Column) -> None:
    if not problem[1].any():
        return
    found = influence(sort_column(*problem))
    assert len(found.values) == len(problem[0]) - found.start[0]
    assert found.values.sum() == pytest.approx(0, abs=1e-12)


@given(columns())
def test_optimism_is_that_of_a_loop_over_the_positives(problem: Column) -> None:
    scores, labels = problem
    positives, own, spread = int(labels.sum()), 0.0, 0.0
    for one in np.flatnonzero(labels):
        above = scores >= scores[one]
        n, t = int(above.sum()), int(above[labels].sum())
        own += t / n - (t - 1) / (n - 1) if n > 1 else 0
        own += 0.5 * (n == 2 and t == 1)
        spread += (t - 1) * (n - t) / ((n - 1) * (n - 2)) if n > 2 else 0
    [found] = average_precision_bias(sort_column(scores, labels))
    if not positives:
        assert np.isnan(found)
        return
    assert found == pytest.approx((own - spread / positives) / positives, abs=1e-12)


@pytest.mark.parametrize(("positives", "separation"), [(8, 3.0), (12, 2.0), (25, 2.5), (60, 3.0)])
def test_average_precision_exceeds_that_of_a_large_sample_by_its_optimism(positives: int, separation: float) -> None:
    """Many small samples of one tag, each a row of a block; the share of tagged images varies as in a real sample."""
    rng, samples, images = np.random.default_rng(positives), 4000, 1500
    labels = rng.random((samples, images)) < positives / images
    scores = ndtr(rng.normal(separation * labels, 1)).astype(np.float32)
    labels, scores = labels[labels.any(1)], scores[labels.any(1)]
    ranked = sort_block(scores, labels, images=True)
    found, values = average_precision(ranked), np.linspace(-8, 8 + separation, 20_001)
    recall, false = ndtr(separation - values), ndtr(-values)
    precision = positives * recall / (positives * recall + (images - positives) * false)
    truth = float((precision[1:] + precision[:-1]) @ -np.diff(recall)) / 2
    error = found.std() / np.sqrt(samples)
    assert found.mean() - truth > 2 * error, "there is a bias to be found"
    assert found.mean() - average_precision_bias(ranked).mean() == pytest.approx(
        truth, abs=0.15 * (found.mean() - truth) + 2 * error
    )
    traced = influence(ranked)
    variance = [float((traced.of(sample) ** 2).sum()) for sample in range(len(found))]
    assert np.mean(variance) == pytest.approx(found.var(), rel=2.5 / positives + 0.05)
