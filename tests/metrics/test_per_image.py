"""Three layers: figures worked by hand, scikit-learn or every order of tied tags as the reference, properties."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as sk

from arena.metrics.per_image import hits_at_k, multi_class, precision_recall_at_k, samples_f1

KS = [1, 2, 3, 5, 9]
# Few distinct values, so that ties across the last place are common.
levels = st.sampled_from([-0.0, 0.0, 0.25, 0.5, 0.5000001, 1.0]).map(np.float32)
Problem = tuple[np.ndarray, np.ndarray]


@st.composite
def problems(draw: st.DrawFn, most_tags: int = 8) -> Problem:
    shape = draw(st.tuples(st.integers(0, 12), st.integers(1, most_tags)))
    return draw(hnp.arrays(np.float32, shape, elements=levels)), draw(hnp.arrays(bool, shape))


def hits_of(scores: np.ndarray, truth: np.ndarray, ks: list[int] = KS) -> np.ndarray:
    return hits_at_k(scores, *np.nonzero(truth), ks)


def test_hits_worked_by_hand() -> None:
    scores = np.float32([[0.9, 0.1, 0.8, 0.2], [0.5, 0.5, 0.5, 0.1], [0, 0, 0, 0]])
    truth = np.array([[1, 0, 0, 1], [1, 0, 0, 0], [1, 1, 0, 0]], bool)
    hits = hits_of(scores, truth, [1, 2, 3, 4])
    assert hits[:, 0].tolist() == [1, 1, 2, 2]
    assert hits[:, 1] == pytest.approx([1 / 3, 2 / 3, 1, 1])
    assert hits[:, 2] == pytest.approx([1 / 2, 1, 3 / 2, 2])


def test_figures_at_k_worked_by_hand() -> None:
    one, five = precision_recall_at_k(np.array([[1.0, 0.0, 0.5], [2.0, 0.0, 1.0]]), np.array([4, 0, 1]), [1, 5])
    assert (one.k, one.precision, one.precision_images) == (1, 0.5, 3)
    assert (one.recall, one.recall_images) == ((1 / 4 + 1 / 2) / 2, 2)
    assert (five.k, five.precision, five.recall) == (5, pytest.approx(3 / 15), (2 / 4 + 1) / 2)


def test_precision_divides_by_k_where_a_model_knows_fewer_tags() -> None:
    scores, truth = np.float32([[0.9, 0.1]]), np.array([[True, True]])
    (figures,) = precision_recall_at_k(hits_of(scores, truth, [10]), truth.sum(axis=1), [10])
    assert (figures.precision, figures.recall) == (0.2, 1.0)


def test_a_mean_over_no_image_is_undefined() -> None:
    (nobody,) = precision_recall_at_k(np.zeros((1, 0)), np.zeros(0, np.int64), [5])
    assert np.isnan(nobody.precision)
    assert np.isnan(nobody.recall)
    (untagged,) = precision_recall_at_k(np.zeros((1, 2)), np.zeros(2, np.int64), [5])
    assert (untagged.precision, untagged.precision_images, untagged.recall_images) == (0, 2, 0)
    assert np.isnan(untagged.recall)


@given(problems(most_tags=5))
def test_tied_tags_count_as_the_mean_over_every_order_of_the_tags(problem: Problem) -> None:
    scores, truth = (matrix[:3] for matrix in problem)
    orders = [list(order) for order in permutations(range(scores.shape[1]))]
    expected = np.zeros((len(KS), len(scores)))
    for order in orders:
        ranked = np.argsort(-scores[:, order], axis=1, kind="stable")
        carried = np.take_along_axis(truth[:, order], ranked, axis=1)
        expected += [carried[:, :k].sum(axis=1) for k in KS]
    for some in ([0], [1], [2], [0, 1], [2, 0], [0, 1, 2, 3, 4]):  # alone, and beside a later place
        hits = hits_of(scores, truth, [KS[which] for which in some])
        np.testing.assert_allclose(hits, expected[some] / len(orders), rtol=1e-12, atol=1e-12)


@given(problems(), st.randoms(use_true_random=False))
def test_order_of_tags_and_of_positives_does_not_matter(problem: Problem, random) -> None:
    scores, truth = problem
    order = list(range(scores.shape[1]))
    random.shuffle(order)
    hits = hits_of(scores, truth)
    assert np.array_equal(hits, hits_of(scores[:, order], truth[:, order]))
    rows, columns = np.nonzero(truth)
    shuffled = np.random.default_rng(0).permutation(len(rows))
    assert np.array_equal(hits, hits_at_k(scores, rows[shuffled], columns[shuffled], KS))


@given(problems(), st.integers(0, 12))
def test_blocks_of_rows_give_what_the_whole_does(problem: Problem, cut: int) -> None:
    parts = [hits_of(*(matrix[part] for matrix in problem)) for part in (slice(cut), slice(cut, None))]
    assert np.array_equal(hits_of(*problem), np.concatenate(parts, axis=1))


@given(problems())
def test_hits_grow_with_k_up_to_all_that_an_image_carries(problem: Problem) -> None:
    scores, truth = problem
    hits = hits_of(scores, truth)
    assert (np.diff(hits, axis=0) >= -1e-12).all()
    assert (hits <= np.minimum(np.array(KS)[:, None], truth.sum(axis=1)) + 1e-12).all()
    assert np.array_equal(hits[-1], truth.sum(axis=1)), "all tags are among the best 9 of 8"


def test_hits_among_many_tags_are_those_of_a_full_sort() -> None:
    rng = np.random.default_rng(0)
    scores, truth = (
        rng.permuted(np.tile(np.linspace(0, 1, 999, dtype=np.float32), (40, 1)), axis=1),
        rng.random((40, 999)) < 0.1,
    )
    ranked = np.take_along_axis(truth, np.argsort(-scores, axis=1), axis=1)
    assert np.array_equal(hits_of(scores, truth), [ranked[:, :k].sum(axis=1) for k in KS])


def test_f1_of_images_worked_by_hand() -> None:
    value, images = samples_f1(np.array([2, 0, 0, 1]), np.array([2, 3, 0, 2]), np.array([4, 0, 0, 2]))
    assert (value, images) == (pytest.approx((4 / 6 + 0 + 2 / 4) / 3), 3)


def test_f1_of_images_without_a_tag_predicted_or_carried_is_undefined() -> None:
    nothing = np.zeros(2, np.int64)
    value, images = samples_f1(nothing, nothing, nothing)
    assert np.isnan(value)
    assert images == 0


@given(problems())
def test_f1_of_images_is_scikit_learns_where_it_is_defined(problem: Problem) -> None:
    scores, truth = problem
    predicted = scores >= np.float32(0.5)
    ours = samples_f1((predicted & truth).sum(axis=1), predicted.sum(axis=1), truth.sum(axis=1))
    defined = (predicted | truth).any(axis=1)
    assert ours.images == defined.sum()
    if ours.images:
        matrices = [
            np.pad(matrix[defined], [(0, 0), (0, 2)]) for matrix in (truth, predicted)
        ]  # one column is no matrix
        assert ours.value == pytest.approx(sk.f1_score(*matrices, average="samples", zero_division=0), abs=1e-12)


def test_a_class_head_worked_by_hand() -> None:
    scores = np.float32([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.6, 0.4, 0], [0.3, 0.3, 0], [0, 0, 1]])
    head = multi_class(scores, np.array([0, 1, 1, 1, -1]), ("safe", "questionable", "explicit"))
    assert head.confusion.tolist() == [[1, 0, 0], [2, 1, 0], [0, 0, 0]], "the first class wins a tie"
    assert head.confusion.dtype == np.int64
    assert (head.accuracy, head.images, head.classes[2]) == (0.5, 4, "explicit")
    assert head.macro_f1 == pytest.approx((2 / 4 + 2 / 4) / 2), "a class that never occurs is no zero"


def test_a_class_head_of_no_known_image_is_undefined() -> None:
    head = multi_class(np.float32([[0.5, 0.5]]), np.array([-1]), ["a", "b"])
    assert head.confusion.tolist() == [[0, 0], [0, 0]]
    assert head.images == 0
    assert np.isnan(head.accuracy)
    assert np.isnan(head.macro_f1)


@given(hnp.arrays(np.int64, 9, elements=st.integers(-1, 3)), hnp.arrays(np.int64, 9, elements=st.integers(0, 3)))
def test_a_class_head_is_scikit_learns(label: np.ndarray, predicted: np.ndarray) -> None:
    count = 4
    scores = np.full((9, count), 0.2, np.float32)
    scores[np.arange(9), predicted] = 0.9
    head = multi_class(scores, label, [f"class {c}" for c in range(count)])
    known = label >= 0
    assert head.images == known.sum()
    if head.images:
        pair = label[known], predicted[known]
        assert np.array_equal(head.confusion, sk.confusion_matrix(*pair, labels=range(count)))
        assert head.accuracy == pytest.approx(sk.accuracy_score(*pair), abs=1e-12)
        assert head.macro_f1 == pytest.approx(sk.f1_score(*pair, average="macro", zero_division=0), abs=1e-12)
