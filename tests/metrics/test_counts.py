"""Three layers: tables worked by hand, scikit-learn as the reference, properties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as sk

from arena.metrics.counts import Counts, TagCounts, joytag_ratios, macro, micro, ratios, tally
from arena.metrics.ranking import average_precision, sort_column
from arena.metrics.thresholds import on_sweep, per_tag, sweep_thresholds

# Few distinct values, so that ties and scores equal to thresholds are common.
levels = st.sampled_from([0.0, 0.1, 0.25, 0.4, 0.5, 0.5000001, 0.99, 1.0])


@st.composite
def problems(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    shape = draw(st.tuples(st.integers(1, 30), st.integers(1, 6)))
    return draw(hnp.arrays(np.float32, shape, elements=levels.map(np.float32))), draw(hnp.arrays(bool, shape))


def counts_of(tp: int, fp: int, positives: int, images: int) -> TagCounts:
    return TagCounts(np.float32([0.5]), *(np.array([v]) for v in (tp, fp, positives)), images=images)


def test_a_table_worked_by_hand() -> None:
    scores = np.float32([[0.9], [0.4], [0.4], [0.1], [0.0]])
    truth = np.array([[True], [True], [False], [True], [False]])
    counts, ap = tally(scores, truth, np.float32([0.0, 0.4, 0.5]))
    assert counts.tp[:, 0].tolist() == [3, 2, 1]
    assert counts.fp[:, 0].tolist() == [2, 1, 0]
    assert ap[0] == pytest.approx(1 / 3 * 1 + 1 / 3 * 2 / 3 + 1 / 3 * 3 / 4, abs=1e-15)


def test_predicted_means_at_or_above_the_threshold_in_float32() -> None:
    threshold = np.float32(0.4)
    scores = np.array([[np.nextafter(threshold, np.float32(0))], [threshold]], np.float32)
    counts = tally(scores, np.ones((2, 1), bool), np.array([threshold])).counts
    assert counts.tp.tolist() == [[1]]


def test_undefined_is_not_zero() -> None:
    nothing_predicted = ratios(counts_of(0, 0, 3, 10))
    assert np.isnan(nothing_predicted.precision[0])
    assert (nothing_predicted.recall[0], nothing_predicted.f1[0]) == (0, 0)
    no_positive = ratios(counts_of(0, 0, 0, 10))
    assert all(np.isnan(column[0]) for column in no_positive)
    assert all(column[0] == 0 for column in joytag_ratios(counts_of(0, 0, 0, 10)))


def test_a_mean_says_over_how_many_tags_it_ran() -> None:
    assert macro(np.array([np.nan, 0.25, 0.75])) == (0.5, 2)
    value, tags = macro(np.array([np.nan]))
    assert np.isnan(value)
    assert tags == 0


def test_average_precision_without_a_positive_is_undefined() -> None:
    assert np.isnan(average_precision(sort_column(np.float32([0.5, 0.1]), np.zeros(2, bool))))


@given(problems())
def test_figures_are_scikit_learns(problem: tuple[np.ndarray, np.ndarray]) -> None:
    scores, truth = problem
    thresholds = np.unique(np.float32([0.1, 0.4, 0.5]))
    counts, ap = tally(scores, truth, thresholds)
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
    for tag in np.flatnonzero(truth.any(axis=0)):
        assert ap[tag] == pytest.approx(sk.average_precision_score(truth[:, tag], scores[:, tag]), abs=1e-12)


@given(problems(), st.randoms(use_true_random=False))
def test_order_of_images_does_not_matter(problem: tuple[np.ndarray, np.ndarray], random) -> None:
    scores, truth = problem
    order = list(range(len(scores)))
    random.shuffle(order)
    first, second = (tally(s, t, sweep_thresholds()) for s, t in ((scores, truth), (scores[order], truth[order])))
    assert np.array_equal(first.counts.tp, second.counts.tp)
    np.testing.assert_array_equal(first.average_precision, second.average_precision)


@given(problems(), st.integers(0, 30))
def test_counts_add_up_over_batches(problem: tuple[np.ndarray, np.ndarray], cut: int) -> None:
    scores, truth = problem
    parts = [tally(scores[part], truth[part], sweep_thresholds()).counts for part in (slice(cut), slice(cut, None))]
    whole, added = tally(scores, truth, sweep_thresholds()).counts, sum(parts)
    assert isinstance(added, Counts)
    assert np.array_equal(whole.tp, added.tp)
    assert np.array_equal(whole.fp, added.fp)
    assert (added.images, added.positives.tolist()) == (whole.images, whole.positives.tolist())


@given(problems())
def test_recall_never_rises_with_the_threshold(problem: tuple[np.ndarray, np.ndarray]) -> None:
    counts = tally(*problem, sweep_thresholds()).counts
    assert (np.diff(counts.tp, axis=0) <= 0).all()
    assert (np.diff(counts.fp, axis=0) <= 0).all()
    assert (counts.tp[0] == counts.positives).all(), "at threshold 0 everything is predicted"


@given(problems())
def test_rows_columns_and_half_precision_select_what_they_say(problem: tuple[np.ndarray, np.ndarray]) -> None:
    scores, truth = problem
    rows, columns = np.arange(len(scores))[::-1], np.arange(scores.shape[1])[::-1]
    picked = tally(scores, truth, sweep_thresholds(), rows=rows, columns=columns, truth_columns=columns)
    plain = tally(scores[rows], truth, sweep_thresholds())
    assert np.array_equal(picked.counts.tp, plain.counts.tp[:, ::-1])
    half = tally(scores.astype(np.float16), truth, sweep_thresholds())
    full = tally(scores.astype(np.float16).astype(np.float32), truth, sweep_thresholds())
    assert np.array_equal(half.counts.fp, full.counts.fp)


def test_many_tags_on_several_threads_equal_one() -> None:
    rng = np.random.default_rng(0)
    scores, truth = rng.random((200, 150), np.float32), rng.random((200, 150)) < 0.1
    one, two = (tally(scores, truth, sweep_thresholds(), workers=workers) for workers in (1, 3))
    assert np.array_equal(one.counts.tp, two.counts.tp)
    np.testing.assert_array_equal(one.average_precision, two.average_precision)


def test_the_sweep_keeps_a_vendors_threshold_exactly() -> None:
    own = per_tag(["general", "character"], default=0.3537, by_category={"character": 0.85})
    sweep = sweep_thresholds(own)
    assert np.isin(own, sweep).all()
    assert len(sweep) == 102
    assert on_sweep(sweep).sum() == 101


def test_joytag_figures_are_float32_with_its_epsilon() -> None:
    counts = counts_of(34, 0, 34, 32768)
    assert joytag_ratios(counts).f1[0] == np.float32(1.0)
