"""Choices worked by hand, against brute force, and honest: the thresholds of a fold know nothing of it."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.metrics import thresholds as module
from arena.metrics.tally import Sampling
from arena.metrics.thresholds import (
    FOLDS,
    RULES,
    SHRINKAGE,
    THRESHOLD_CHOICES,
    UNREACHABLE,
    Curve,
    FoldCounts,
    TrainingCounts,
    assign_folds,
    choose_by_category,
    choose_by_tag,
    highest_macro_f1,
    highest_micro_f1,
    lowest_precise,
    nearest_break_even,
    sweep_thresholds,
)

from .problems import brute_counts, tally_of

IMAGES, TAGS = 400, 14
RNG = np.random.default_rng(11)
LABELS = RNG.random((IMAGES, TAGS)) < np.r_[0, np.linspace(0.01, 0.5, TAGS - 1)]
SCORES = (np.floor(RNG.beta(1 + 3 * LABELS, np.linspace(2, 8, TAGS)) * 500) / 500).astype(np.float32)
FOLD = np.sort(RNG.integers(0, 5, IMAGES)).astype(np.uint8)
SWEEP = sweep_thresholds()
COMPARED = LABELS.sum(0) >= 10
CATEGORIES = np.array([0] * 5 + [1] * 7 + [2] * 2)


def fold_counts(labels: np.ndarray = LABELS, scores: np.ndarray = SCORES) -> FoldCounts:
    sampling = Sampling(FOLD, np.arange(IMAGES), np.ones((1, TAGS)))
    found = tally_of(scores, labels, SWEEP, sampling=sampling)
    return FoldCounts(found.tp, found.fp, found.positives, IMAGES, COMPARED, CATEGORIES)


def training(rows: np.ndarray) -> list[list[tuple[int, int, int]]]:
    """TP, FP and positives of some images, by threshold and tag."""
    labels, scores = LABELS[rows], SCORES[rows]
    return [
        [(*brute_counts(scores[:, t], labels[:, t], step), int(labels[:, t].sum())) for t in range(TAGS)]
        for step in SWEEP
    ]


def f1(counts: tuple[int, int, int]) -> float:
    tp, fp, positives = counts
    return 2 * tp / (tp + fp + positives) if tp + fp + positives else 0.0


def argmax(values: list[float]) -> int:
    """The first step at which the highest value stands; nearly equal values count as equal, as rounding has them."""
    return int(np.flatnonzero(np.array(values) >= max(values) - 1e-6)[0])


def column(table: list[list[tuple[int, int, int]]], tags: np.ndarray) -> list[float]:
    return [float(np.mean([f1(row[t]) for t in tags])) for row in table]


def test_folds_go_by_a_hash_of_the_group_whatever_else_there_is() -> None:
    names = [f"post-{n // 3}" for n in range(3000)]
    folds = assign_folds(names)
    assert folds.dtype == np.uint8
    assert (folds.reshape(-1, 3) == folds.reshape(-1, 3)[:, :1]).all(), "images of a group stay together"
    assert assign_folds(names[::-1]).tolist() == folds[::-1].tolist()
    assert assign_folds(names[600:900]).tolist() == folds[600:900].tolist(), "other images move none"
    shares = np.bincount(folds, minlength=FOLDS) / 3000
    assert (np.abs(shares - 1 / FOLDS) < 0.05).all()
    assert assign_folds(["", "\u732b"]).max() < FOLDS


@pytest.mark.parametrize("name", THRESHOLD_CHOICES)
def test_the_thresholds_of_a_fold_know_nothing_of_its_labels_and_scores(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All labels of one fold are turned and its scores replaced: its own thresholds stay, most others move."""
    monkeypatch.setattr(module, "PRECISION", 0.5)  # these scores do not reach 0.9
    fold, rng = 2, np.random.default_rng(0)
    changed_labels, changed_scores = LABELS.copy(), SCORES.copy()
    changed_labels[fold == FOLD] ^= True
    changed_scores[fold == FOLD] = rng.random((int((fold == FOLD).sum()), TAGS), np.float32)

    def chosen(counts: FoldCounts) -> np.ndarray:
        return counts.cross_fit(THRESHOLD_CHOICES[name]).by_fold

    before, after = chosen(fold_counts()), chosen(fold_counts(changed_labels, changed_scores))
    assert before[fold].tolist() == after[fold].tolist()
    others = [k for k in range(5) if k != fold]
    assert (before[others] != after[others]).any()


def test_training_counts_are_those_of_all_other_folds() -> None:
    counts = fold_counts()
    for folds in ((), (3,), (0, 4)):
        table = np.array(training(~np.isin(FOLD, folds)))
        found = counts.without(*folds)
        assert np.array_equal(found.tp, table[:, :, 0])
        assert np.array_equal(found.fp, table[:, :, 1])
        assert np.array_equal(found.positives, table[0, :, 2])


@pytest.mark.parametrize("precision_at_least", [0.5, module.PRECISION])
def test_choices_are_the_best_of_every_threshold(precision_at_least: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PRECISION", precision_at_least)
    counts, everyone = fold_counts(), np.flatnonzero(COMPARED)
    for fold in range(5):
        table = training(fold != FOLD)
        sums = np.array([[sum(row[t][k] for t in everyone) for k in range(3)] for row in table], float)
        tp, fp, positives = sums.T
        train = counts.without(fold)
        macro = argmax(column(table, everyone))
        assert set(THRESHOLD_CHOICES["macro_f1"](train)) == {macro}
        assert set(THRESHOLD_CHOICES["micro_f1"](train)) == {argmax((2 * tp / (tp + fp + positives)).tolist())}
        assert set(THRESHOLD_CHOICES["break_even"](train)) == {argmax((-np.abs(fp - (positives - tp))).tolist())}
        precision = np.divide(tp, tp + fp, out=np.zeros(len(tp)), where=tp + fp > 0)
        precise = np.flatnonzero(precision >= precision_at_least).tolist()
        assert set(THRESHOLD_CHOICES["precision_90"](train)) == {precise[0] if precise else UNREACHABLE}
        by_category = choose_by_category(train)
        for category in range(3):
            own = np.flatnonzero(np.equal(CATEGORIES, category))
            compared = np.intersect1d(own, everyone)
            enough = len(compared) >= module.MIN_CATEGORY_TAGS
            assert set(by_category[own]) == {argmax(column(table, compared)) if enough else macro}
        by_tag = choose_by_tag(train, 0.0)
        for tag in range(TAGS):
            wanted = argmax([f1(row[tag]) for row in table]) if table[0][tag][2] else macro
            assert by_tag[tag] == wanted


def small(tp: list[list[int]], fp: list[list[int]], positives: list[int]) -> TrainingCounts:
    arrays = (np.array(x, np.float32) for x in (tp, fp, positives))
    return TrainingCounts(*arrays, np.ones(len(positives), bool), np.zeros(len(positives), np.int64))


def test_choices_worked_by_hand() -> None:
    """Two tags of 4 and 10 positives at three thresholds."""
    train = small([[4, 10], [3, 8], [2, 1]], [[12, 30], [1, 4], [0, 0]], [4, 10])
    # F1: 8/20, 20/50; 6/8, 16/22; 4/6, 2/11. Micro TP 14, 11, 3 and FP 42, 5, 0 of 14 positives.
    curve = train.curve(train.compared)
    assert highest_macro_f1(curve) == 1
    assert highest_micro_f1(curve) == 1
    assert nearest_break_even(curve) == 1, "FP - FN: 42, 2, -11"
    assert lowest_precise(curve) == 2, "0.25, 0.6875, 1"
    assert choose_by_tag(train, 0.0).tolist() == [1, 1]


def test_the_curves_of_a_set_of_tags_worked_by_hand() -> None:
    train = small([[4, 10], [3, 8], [2, 1]], [[12, 30], [1, 4], [0, 0]], [4, 10])
    curve = train.curve(np.array([True, True]))
    np.testing.assert_allclose(curve.macro_f1, [(8 / 20 + 20 / 50) / 2, (6 / 8 + 16 / 22) / 2, (4 / 6 + 2 / 11) / 2])
    assert (curve.tp.tolist(), curve.fp.tolist(), curve.positives) == ([14, 11, 3], [42, 5, 0], 14)
    assert train.curve(np.array([False, True])).tp.tolist() == [10, 8, 1]
    assert train.curve(np.zeros(2, bool)).macro_f1.tolist() == [0, 0, 0], "no tag"


def test_where_no_threshold_is_precise_enough_the_rule_has_no_step() -> None:
    train = small([[9], [6], [0]], [[9], [2], [0]], [9])
    assert lowest_precise(train.curve(train.compared)) == UNREACHABLE
    assert THRESHOLD_CHOICES["precision_90"](train).tolist() == [UNREACHABLE]
    assert lowest_precise(small([[9]], [[1]], [9]).curve(np.array([True]))) == 0, "exactly 0.9 is enough"


@given(st.integers(0, 10_000))
def test_a_rule_chooses_for_each_resample_as_for_each_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tp, fp = (np.sort(rng.integers(0, 20, (6, 4)).astype(float), axis=0)[::-1] for _ in range(2))
    together = Curve(rng.random((6, 4)), tp, fp, tp.max(axis=0) + rng.integers(0, 3, 4))
    for rule in RULES.values():
        alone = [int(rule(Curve(*(column[..., k] for column in together)))) for k in range(4)]
        assert rule(together).tolist() == alone


def test_without_shrinkage_a_tag_follows_itself() -> None:
    train = fold_counts().without(0)
    own = np.where(train.positives > 0, train.f1.argmax(0), THRESHOLD_CHOICES["macro_f1"](train))
    assert choose_by_tag(train, 0.0).tolist() == own.tolist()
    assert len(set(own)) > 5


def test_shrinkage_adds_positives_of_an_average_tag() -> None:
    train = fold_counts().without(1)
    usable = np.flatnonzero(COMPARED & (train.positives > 0))
    mean_tp, mean_fp = ((x[:, usable] / train.positives[usable]).mean(1) for x in (train.tp, train.fp))
    for strength in (2.0, 20.0):
        found = choose_by_tag(train, strength)
        for tag in np.flatnonzero(train.positives > 0):
            tp, fp = train.tp[:, tag] + strength * mean_tp, train.fp[:, tag] + strength * mean_fp
            values = 2 * tp / (tp + fp + train.positives[tag] + strength)
            assert values[found[tag]] == pytest.approx(values.max(), abs=1e-6)


def test_much_shrinkage_brings_all_tags_to_the_threshold_of_the_average_tag() -> None:
    train = fold_counts().without()
    usable = np.flatnonzero(COMPARED)
    tp, fp = ((x[:, usable] / train.positives[usable]).mean(1) for x in (train.tp, train.fp))
    average = 2 * tp / (tp + fp + 1)
    found = choose_by_tag(train, 1e6)[train.positives > 0]
    assert (average[found] >= average.max() - 1e-4).all()


def test_counts_are_summed_over_folds_each_at_its_own_thresholds() -> None:
    by_fold = np.random.default_rng(2).integers(0, len(SWEEP), (5, TAGS))
    found = fold_counts().at(by_fold)
    predicted = SWEEP[by_fold][FOLD] <= SCORES
    assert found.tp.tolist() == (predicted & LABELS).sum(0).tolist()
    assert found.fp.tolist() == (predicted & ~LABELS).sum(0).tolist()
    assert (found.positives.tolist(), found.images) == (LABELS.sum(0).tolist(), IMAGES)
    tp, fp, positives = (x[COMPARED] for x in (found.tp, found.fp, found.positives))
    assert fold_counts().macro_f1(by_fold) == pytest.approx((2 * tp / (tp + fp + positives)).mean(), abs=1e-12)


def test_final_thresholds_are_chosen_on_all_images() -> None:
    counts = fold_counts()
    for choice in THRESHOLD_CHOICES.values():
        assert counts.cross_fit(choice).final.tolist() == choice(counts.without()).tolist()


def test_the_regime_of_one_threshold_per_tag_shrinks_all_folds_alike() -> None:
    counts = fold_counts()
    found = counts.cross_fit(THRESHOLD_CHOICES["tag"])
    for fold in range(5):
        assert found.by_fold[fold].tolist() == choose_by_tag(counts.without(fold), SHRINKAGE).tolist()
    assert found.final.tolist() == choose_by_tag(counts.without(), SHRINKAGE).tolist()


def test_thin_tags_are_pulled_to_the_mean_and_gain_by_it() -> None:
    """120 tags of about ten positives, all alike: the best threshold of each is noise."""
    rng = np.random.default_rng(0)
    labels = rng.random((IMAGES, 120)) < 0.025
    scores = rng.beta(1 + 9 * labels, 8).astype(np.float32)
    found = tally_of(scores, labels, SWEEP, sampling=Sampling(FOLD, np.arange(IMAGES), np.ones((1, 120))))
    everyone = np.ones(120, bool)
    counts = FoldCounts(found.tp, found.fp, found.positives, IMAGES, everyone, np.zeros(120, np.int64))
    shrunk, unshrunk = (counts.cross_fit(partial(choose_by_tag, shrinkage=one)) for one in (SHRINKAGE, 0.0))
    assert counts.macro_f1(shrunk.by_fold) > counts.macro_f1(unshrunk.by_fold) + 0.01


@given(st.integers(0, len(THRESHOLD_CHOICES) - 1), st.integers(0, 10_000))
def test_a_tag_without_positives_takes_the_global_threshold(choice: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    tp = np.zeros((3, 4), np.float32)
    fp = np.sort(rng.integers(0, 9, (3, 4)), axis=0)[::-1].astype(np.float32)
    nothing = TrainingCounts(tp, fp, np.zeros(4, np.float32), np.ones(4, bool), np.zeros(4, np.int64))
    for strength in (0.0, SHRINKAGE):
        assert choose_by_tag(nothing, strength).tolist() == THRESHOLD_CHOICES["macro_f1"](nothing).tolist()
    name = list(THRESHOLD_CHOICES)[choice]
    lowest = UNREACHABLE if name == "precision_90" else 0
    assert (THRESHOLD_CHOICES[name](nothing) >= lowest).all()


def test_with_nothing_compared_every_choice_is_a_step_of_the_sweep() -> None:
    counts = fold_counts()
    nothing = FoldCounts(counts.tp, counts.fp, counts.positives, IMAGES, np.zeros(TAGS, bool), CATEGORIES)
    for choice in THRESHOLD_CHOICES.values():
        found = nothing.cross_fit(choice)
        assert found.by_fold.shape == (5, TAGS)
        assert found.final.max() < len(SWEEP)
    assert np.isnan(nothing.macro_f1(nothing.cross_fit(THRESHOLD_CHOICES["tag"]).by_fold))


def test_thresholds_chosen_and_scored_on_the_same_images_flatter() -> None:
    rng = np.random.default_rng(4)
    labels = rng.random((IMAGES, TAGS)) < 0.03
    scores = rng.random((IMAGES, TAGS), np.float32)  # nothing to be found
    counts = fold_counts(labels, scores)
    fitted = counts.cross_fit(lambda train: choose_by_tag(train, 0.0))
    inside = np.tile(fitted.final, (5, 1))
    assert counts.macro_f1(inside) > counts.macro_f1(fitted.by_fold) + 0.02
