"""Three layers: tables worked by hand, scikit-learn as the reference, properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as sk

from arena.metrics.counts import (
    CONVENTIONS,
    Counts,
    TagCounts,
    animetimm_ratios,
    f_beta,
    informedness,
    joytag_ratios,
    macro,
    mcc,
    micro,
    ratios,
)
from arena.metrics.thresholds import on_sweep, sweep_thresholds, thresholds_per_tag

from .problems import LEVELS, tally_of

Problem = tuple[np.ndarray, np.ndarray]


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    shape = draw(st.tuples(st.integers(1, 30), st.integers(1, 3)))
    return draw(hnp.arrays(np.float32, shape, elements=LEVELS)), draw(hnp.arrays(bool, shape))


def counts_of(tp: int, fp: int, positives: int, images: int) -> TagCounts:
    return TagCounts(np.float32([0.5]), *(np.array([v]) for v in (tp, fp, positives)), images=images)


def sweep(scores: np.ndarray, truth: np.ndarray, thresholds: np.ndarray = sweep_thresholds()) -> Counts:
    return tally_of(scores, truth, thresholds).counts


def test_a_table_worked_by_hand() -> None:
    scores = np.float32([[0.9], [0.4], [0.4], [0.1], [0.0]])
    truth = np.array([[True], [True], [False], [True], [False]])
    counts = sweep(scores, truth, np.float32([0.0, 0.4, 0.5]))
    assert counts.tp[:, 0].tolist() == [3, 2, 1]
    assert counts.fp[:, 0].tolist() == [2, 1, 0]
    some = counts.row(1)
    assert [int(x[0]) for x in (some.tp, some.fp, some.fn, some.tn)] == [2, 1, 1, 1]


def test_predicted_means_at_or_above_the_threshold_in_float32() -> None:
    threshold = np.float32(0.4)
    scores = np.array([[np.nextafter(threshold, np.float32(0))], [threshold]], np.float32)
    assert sweep(scores, np.ones((2, 1), bool), np.array([threshold])).tp.tolist() == [[1]]


def test_undefined_is_not_zero() -> None:
    nothing_predicted = ratios(counts_of(0, 0, 3, 10))
    assert np.isnan(nothing_predicted.precision[0])
    assert (nothing_predicted.recall[0], nothing_predicted.f1[0]) == (0, 0)
    no_positive = ratios(counts_of(0, 0, 0, 10))
    assert all(np.isnan(column[0]) for column in no_positive)
    assert all(column[0] == 0 for column in joytag_ratios(counts_of(0, 0, 0, 10)))


def test_animetimm_counts_nothing_to_find_as_found() -> None:
    assert [x[0] for x in animetimm_ratios(counts_of(0, 0, 0, 10))] == [0, 0, 1]
    assert [x[0] for x in animetimm_ratios(counts_of(0, 0, 3, 10))] == [0, 0, 0]
    assert [x[0] for x in animetimm_ratios(counts_of(0, 2, 0, 10))] == [0, 0, 0]
    assert [x[0] for x in animetimm_ratios(counts_of(6, 2, 8, 100))] == [0.75, 0.75, 0.75]


@pytest.mark.parametrize("name", CONVENTIONS)
def test_a_convention_says_what_a_score_at_the_threshold_is(name: str) -> None:
    """Three images score below, at and above the threshold, next to each other among the float32."""
    own = np.float32([0.35])
    scores = np.concatenate([np.nextafter(own, np.float32(0)), own, np.nextafter(own, np.float32(1))])[:, None]
    found = sweep(scores, np.ones((3, 1), bool), CONVENTIONS[name].effective(own)).tp[0, 0]
    expected = (scores > own) if name == "smilingwolf" else (scores >= own)
    assert found == expected.sum() == (1 if name == "smilingwolf" else 2)


def test_above_a_threshold_of_0_and_of_1() -> None:
    scores = np.float32([[0], [-0.0], [1e-45], [1]])
    effective = CONVENTIONS["smilingwolf"].effective(np.float32([0, 1]))
    assert sweep(scores, np.ones((4, 1), bool), effective).tp[:, 0].tolist() == [2, 0]


@given(problems())
def test_conventions_agree_wherever_all_is_defined(problem: Problem) -> None:
    row = sweep(*problem).row(50)
    plain = ratios(row)
    defined = ~np.isnan(np.stack(plain)).any(0)
    for name, tolerance in (("animetimm", 0), ("joytag", 1e-6)):
        for mine, theirs in zip(CONVENTIONS[name].ratios(row), plain, strict=True):
            np.testing.assert_allclose(mine[defined], theirs[defined], atol=tolerance)
            assert not np.isnan(mine).any()


def test_a_mean_says_over_how_many_tags_it_ran() -> None:
    assert macro(np.array([np.nan, 0.25, 0.75])) == (0.5, 2)
    value, tags = macro(np.array([np.nan]))
    assert np.isnan(value)
    assert tags == 0


@settings(max_examples=15)
@given(problems())
def test_figures_are_scikit_learns(problem: Problem) -> None:
    scores, truth = problem
    thresholds = np.unique(np.float32([0.1, 0.4, 0.5]))
    counts = sweep(scores, truth, thresholds)
    for k, threshold in enumerate(thresholds):
        predicted = scores >= threshold
        ours = ratios(counts.row(k))
        for tag in range(truth.shape[1]):
            matrix = sk.confusion_matrix(truth[:, tag], predicted[:, tag], labels=[False, True])
            row = counts.row(k)
            assert matrix.ravel().tolist() == [row.tn[tag], row.fp[tag], row.fn[tag], row.tp[tag]]
            pair = truth[:, tag], predicted[:, tag]
            assert np.isnan(ours.precision[tag]) == (not predicted[:, tag].any())
            assert np.isnan(ours.recall[tag]) == (not truth[:, tag].any())
            assert np.isnan(ours.f1[tag]) == (not (truth | predicted)[:, tag].any())
            for mine, theirs in zip(ours, (sk.precision_score, sk.recall_score, sk.f1_score), strict=True):
                if not np.isnan(mine[tag]):
                    assert mine[tag] == pytest.approx(theirs(*pair, zero_division=0), abs=1e-12)
        total = micro(counts.row(k))
        if truth.any():
            assert total.f1 == pytest.approx(sk.f1_score(truth.ravel(), predicted.ravel()), abs=1e-12)


tables = hnp.arrays(np.int64, (4, 4), elements=st.one_of(st.integers(0, 5), st.integers(0, 3000)))


def cells(table: np.ndarray) -> TagCounts:
    """Tags with so many true and false positives and missed positives; all of as many images as the largest has."""
    tp, fp, fn, _ = table.T
    images = int(table.sum(1).max())
    return TagCounts(np.zeros(len(tp), np.float32), tp, fp, tp + fn, images)


@settings(max_examples=25)
@given(tables, st.sampled_from([0.5, 1.0, 2.0, 3.5]))
def test_f_beta_and_mcc_are_scikit_learns(table: np.ndarray, beta: float) -> None:
    counts = cells(table)
    ours, correlation, youden = f_beta(counts, beta), mcc(counts), informedness(counts)
    for tag, (tp, fp, fn, tn) in enumerate(zip(counts.tp, counts.fp, counts.fn, counts.tn, strict=True)):
        truth, predicted, weights = [1, 0, 1, 0], [1, 1, 0, 0], [tp, fp, fn, tn]
        kept = [k for k in range(4) if weights[k]]
        truth, predicted, weights = ([row[k] for k in kept] for row in (truth, predicted, weights))
        assert np.isnan(ours[tag]) == (tp + fp + fn == 0)
        assert np.isnan(correlation[tag]) == (0 in (tp + fp, tp + fn, tn + fp, tn + fn))
        assert np.isnan(youden[tag]) == (0 in (tp + fn, tn + fp))
        if tp + fp + fn:
            reference = sk.fbeta_score(truth, predicted, beta=beta, sample_weight=weights, zero_division=0)
            assert ours[tag] == pytest.approx(reference, abs=1e-12)
        if not np.isnan(correlation[tag]):
            reference = sk.matthews_corrcoef(truth, predicted, sample_weight=weights)
            assert correlation[tag] == pytest.approx(reference, abs=1e-12)
        if not np.isnan(youden[tag]):
            reference = sk.balanced_accuracy_score(truth, predicted, sample_weight=weights, adjusted=True)
            assert youden[tag] == pytest.approx(reference, abs=1e-12)


def test_mcc_informedness_and_f2_worked_by_hand() -> None:
    one = counts_of(6, 2, 8, 100)  # FN 2, TN 90
    assert mcc(one)[0] == pytest.approx((6 * 90 - 2 * 2) / np.sqrt(8 * 8 * 92 * 92))
    assert informedness(one)[0] == pytest.approx(6 / 8 - 2 / 92)
    assert f_beta(counts_of(6, 4, 8, 100), 2.0)[0] == pytest.approx(5 * 6 / (5 * 6 + 4 * 2 + 4))
    assert f_beta(one, 1.0)[0] == ratios(one).f1[0]


def test_mcc_of_a_million_images_does_not_overflow() -> None:
    huge = counts_of(400_000_000, 100_000_000, 500_000_000, 2_000_000_000)
    assert mcc(huge)[0] == pytest.approx((4 * 14 - 1 * 1) / np.sqrt(5.0 * 5 * 15 * 15), abs=1e-12)


@given(tables)
def test_mcc_and_informedness_lie_in_their_range_and_turn_with_the_prediction(table: np.ndarray) -> None:
    counts = cells(table)
    turned = TagCounts(counts.thresholds, counts.fn, counts.tn, counts.positives, counts.images)
    for figure in (mcc, informedness):
        values, others = figure(counts), figure(turned)
        np.testing.assert_allclose(values, -others, atol=1e-12)
        assert (np.abs(values[~np.isnan(values)]) <= 1 + 1e-12).all()


@given(problems(), st.randoms(use_true_random=False))
def test_order_of_images_does_not_matter(problem: Problem, random) -> None:
    scores, truth = problem
    order = list(range(len(scores)))
    random.shuffle(order)
    first, second = (sweep(s, t) for s, t in ((scores, truth), (scores[order], truth[order])))
    assert np.array_equal(first.tp, second.tp)
    assert np.array_equal(first.fp, second.fp)


@given(problems(), st.integers(0, 30))
def test_counts_add_up_over_batches(problem: Problem, cut: int) -> None:
    scores, truth = problem
    parts = [sweep(scores[part], truth[part]) for part in (slice(cut), slice(cut, None))]
    whole, added = sweep(scores, truth), sum(parts)
    assert isinstance(added, Counts)
    assert np.array_equal(whole.tp, added.tp)
    assert np.array_equal(whole.fp, added.fp)
    assert (added.images, added.positives.tolist()) == (whole.images, whole.positives.tolist())


@given(problems())
def test_recall_never_rises_with_the_threshold(problem: Problem) -> None:
    counts = sweep(*problem)
    assert (np.diff(counts.tp, axis=0) <= 0).all()
    assert (np.diff(counts.fp, axis=0) <= 0).all()
    assert (counts.tp[0] == counts.positives).all(), "at threshold 0 everything is predicted"


def test_the_sweep_keeps_a_vendors_threshold_exactly() -> None:
    own = thresholds_per_tag(
        ["a", "b"], ["general", "character"], default=0.3537, by_category={"character": 0.85}, by_tag={}
    )
    thresholds = sweep_thresholds(own)
    assert np.isin(own, thresholds).all()
    assert len(thresholds) == 102
    assert on_sweep(thresholds).sum() == 101


def test_each_tag_can_have_a_threshold_of_its_own() -> None:
    rng = np.random.default_rng(2)
    scores, truth = rng.random((40, 3), np.float32), rng.random((40, 3)) < 0.5
    own = np.float32([0.1, 0.25, 0.9])
    found = tally_of(scores, truth, sweep_thresholds(), own=own).own
    assert found.tp.tolist() == ((scores >= own) & truth).sum(0).tolist()
    assert found.take(np.array([2, 0])).fp.tolist() == ((scores >= own) & ~truth).sum(0)[[2, 0]].tolist()


def test_joytag_figures_are_float32_with_its_epsilon() -> None:
    counts = counts_of(34, 0, 34, 32768)
    assert joytag_ratios(counts).f1[0] == np.float32(1.0)
