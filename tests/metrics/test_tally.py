"""The pass over the tags against brute force, in every shape that scores may come in."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.sparse import csc_array
from sklearn import metrics as sk

from arena.metrics import blocks, ranking
from arena.metrics.blocks import KnownColumns, over_blocks, tag_major
from arena.metrics.counts import CONVENTIONS
from arena.metrics.tally import WORST_PER_TAG, Sampling, SweptModel, Tallies, Tally, tally_models
from arena.metrics.thresholds import sweep_thresholds

from .problems import brute_counts, scored, tally_of, weighted_ap

IMAGES, TAGS = 300, 23
RNG = np.random.default_rng(5)
LABELS = RNG.random((IMAGES, TAGS)) < np.r_[0, 1, 0.003, np.linspace(0.01, 0.6, TAGS - 3)]
LABELS[:, 2] = np.arange(IMAGES) == 17
SCORES = (np.floor(RNG.beta(1 + 2 * LABELS, 3) * 200) / 200).astype(np.float32)
SCORES[:, 5] = 0.25
OTHER = (np.floor(RNG.beta(1 + LABELS, 2) * 60) / 60).astype(np.float32)
SWEEP = sweep_thresholds([0.2537])
FOLDS = np.repeat(np.arange(5, dtype=np.uint8), [50, 70, 0, 100, 80])
SAMPLING = Sampling(FOLDS, np.arange(IMAGES) // 2, (RNG.random((3, TAGS)) < 0.5).astype(float))
OWN = np.append(np.float32([0.0, 1.0, 0.5000001]), RNG.random(TAGS - 3, np.float32))
FIELDS = [name for name in Tally.__dataclass_fields__ if name not in ("bins", "own")]


def assert_same(first: Tally, second: Tally, *, but: tuple[str, ...] = ()) -> None:
    for name in FIELDS:
        if name not in but:
            np.testing.assert_array_equal(getattr(first, name), getattr(second, name), err_msg=name)
    for one, other in zip(first.bins, second.bins, strict=True):
        np.testing.assert_array_equal(one, other)
    for name in ("thresholds", "tp", "fp", "positives", "images"):
        np.testing.assert_array_equal(getattr(first.own, name), getattr(second.own, name), err_msg=name)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of four tags, panels of eight, tiles of seven images."""
    monkeypatch.setattr(blocks, "SORTED_TAGS_PER_BLOCK", 4)
    monkeypatch.setattr(blocks, "PANEL_BYTES", IMAGES * 4 * 8)
    monkeypatch.setattr(blocks, "TILE_IMAGES", 7)


@pytest.mark.parametrize("sampling", [None, SAMPLING], ids=["plain", "sampled"])
def test_counts_are_those_of_brute_force_and_folds_sum_to_them(sampling: Sampling | None) -> None:
    found = tally_of(SCORES, LABELS, SWEEP, sampling=sampling)
    bounds = [0, IMAGES] if sampling is None else sampling.bounds.tolist()
    for fold, (start, stop) in enumerate(pairwise(bounds)):
        rows = slice(start, stop)
        assert found.images[fold] == stop - start
        assert found.positives[fold].tolist() == LABELS[rows].sum(0).tolist()
        for k in range(0, len(SWEEP), 3):
            expected = [brute_counts(SCORES[rows, tag], LABELS[rows, tag], SWEEP[k]) for tag in range(TAGS)]
            assert list(zip(found.tp[fold, k].tolist(), found.fp[fold, k].tolist(), strict=True)) == expected
    plain = tally_of(SCORES, LABELS, SWEEP).counts
    for field in ("tp", "fp", "positives", "images"):
        assert np.array_equal(getattr(found.counts, field), getattr(plain, field)), field


@pytest.mark.parametrize("sampling", [None, SAMPLING], ids=["plain", "sampled"])
def test_each_tag_is_counted_at_a_threshold_of_its_own(sampling: Sampling | None) -> None:
    assert not np.isin(OWN[3:], SWEEP).any()
    found = tally_of(SCORES, LABELS, SWEEP, sampling=sampling, own=OWN).own
    expected = [brute_counts(SCORES[:, tag], LABELS[:, tag], OWN[tag]) for tag in range(TAGS)]
    assert list(zip(found.tp.tolist(), found.fp.tolist(), strict=True)) == expected
    assert (found.positives.tolist(), found.images) == (LABELS.sum(0).tolist(), IMAGES)
    assert np.array_equal(found.thresholds, OWN)


def test_figures_are_those_of_each_column_and_of_scikit_learn() -> None:
    found = tally_of(SCORES, LABELS, SWEEP)
    for tag in range(TAGS):
        column = ranking.sort_column(SCORES[:, tag].copy(), LABELS[:, tag])
        np.testing.assert_array_equal(found.average_precision[[tag]], ranking.average_precision(column))
        np.testing.assert_array_equal(found.roc_auc[[tag]], ranking.roc_auc(column))
        np.testing.assert_array_equal(found.best[:, [tag]], ranking.best_f1(column))
        np.testing.assert_array_equal(found.break_even[:, [tag]], ranking.break_even(column))
        reference = sk.brier_score_loss(LABELS[:, tag], SCORES[:, tag].astype(np.float64), pos_label=True)
        assert found.brier[tag] == pytest.approx(reference, abs=1e-12)
        if 0 < LABELS[:, tag].sum() < IMAGES:
            reference = sk.average_precision_score(LABELS[:, tag], SCORES[:, tag])
            assert found.average_precision[tag] == pytest.approx(reference, abs=1e-12)
    assert np.isnan(found.average_precision).tolist() == (~LABELS.any(0)).tolist()
    bin_of = np.minimum((SCORES.astype(np.float64) * 20 + 1e-6).astype(int), 19)
    for tag in range(TAGS):
        assert found.bins.images[tag].tolist() == np.bincount(bin_of[:, tag], minlength=20).tolist()
        assert found.bins.positives[tag].tolist() == np.bincount(bin_of[LABELS[:, tag], tag], minlength=20).tolist()


def test_sampling_changes_no_plain_figure() -> None:
    plain, sampled = tally_of(SCORES, LABELS, SWEEP), tally_of(SCORES, LABELS, SWEEP, sampling=SAMPLING)
    for name in ("average_precision", "roc_auc", "best", "break_even", "squares", "positive_scores", "brier"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(sampled, name), err_msg=name)


def run(sampling: Sampling | None, workers: int, models: list[KnownColumns] | None = None) -> Tallies:
    both = models or [scored(SCORES), scored(OTHER)]
    own = [OWN[: len(model.columns)] for model in both]
    swept = [SweptModel(one, SWEEP, each) for one, each in zip(both, own, strict=True)]
    return tally_models(swept, csc_array(LABELS), sampling=sampling, workers=workers)


@pytest.mark.parametrize("sampling", [None, SAMPLING], ids=["plain", "sampled"])
@pytest.mark.usefixtures("small_blocks")
def test_neither_threads_nor_panels_nor_blocks_change_anything(
    sampling: Sampling | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = run(sampling, 1), run(sampling, 3)
    with monkeypatch.context() as whole:
        whole.setattr(blocks, "PANEL_BYTES", 1 << 30)
        whole.setattr(blocks, "SORTED_TAGS_PER_BLOCK", 64)
        third = run(sampling, 2)
    for a, b, c in zip(first.models, second.models, third.models, strict=True):
        assert_same(a, b)
        assert_same(a, c, but=("map_influence",))  # sums over tags in another order
        np.testing.assert_allclose(a.map_influence, c.map_influence, atol=1e-12)
    for found in (second, third):
        assert first.ap_covariance.keys() == found.ap_covariance.keys()
        for pair, values in first.ap_covariance.items():
            np.testing.assert_array_equal(values, found.ap_covariance[pair])


def test_a_panel_holds_no_more_columns_than_fit(small_blocks: None) -> None:
    widths = []

    class Watched:
        dtype = SCORES.dtype

        def columns(self, wanted: np.ndarray, place: np.ndarray | None) -> np.ndarray:
            widths.append(len(wanted))
            return SCORES[:, wanted]

    everyone = np.arange(TAGS)
    model = KnownColumns(Watched(), everyone, everyone, np.ones(TAGS, bool))
    seen = dict(over_blocks([model], LABELS.shape, lambda span, blocks: (span.start, blocks[0].scores.shape[0]), 2))
    assert widths == [8, 8, 7]
    assert seen == {4: (16, 4), 3: (20, 3)}


@pytest.mark.usefixtures("small_blocks")
def test_blocks_come_in_the_order_of_the_tags_whatever_threads_do() -> None:
    import time

    def slow_at_first(span: slice, blocks: list) -> int:
        time.sleep(0.02 * (span.start == 0))
        return span.start

    found = list(over_blocks([scored(SCORES)], LABELS.shape, slow_at_first, 3))
    assert found == [(min(4, TAGS - start), start) for start in range(0, TAGS, 4)]


@pytest.mark.parametrize("sampling", [None, SAMPLING], ids=["plain", "sampled"])
@pytest.mark.usefixtures("small_blocks")
def test_rows_go_where_they_are_told_and_others_are_passed_over(sampling: Sampling | None) -> None:
    order = RNG.permutation(IMAGES + 20)  # twenty rows of images that the truth lacks
    place = np.where(order < IMAGES, order, -1)
    rows = np.where(order < IMAGES, order, 0)
    moved = SCORES[rows].copy()
    moved[place < 0] = np.nan
    wanted = run(sampling, 1, [scored(SCORES)]).models[0]
    assert_same(run(sampling, 2, [scored(moved, place=place)]).models[0], wanted)


@pytest.mark.parametrize("kind", [np.float16, np.float64])
def test_other_kinds_of_float_count_as_their_float32(kind: type) -> None:
    values = np.random.default_rng(3).random((IMAGES, TAGS)).astype(kind)
    found, wanted = tally_of(values, LABELS, SWEEP), tally_of(values.astype(np.float32), LABELS, SWEEP)
    assert_same(found, wanted)


@pytest.mark.usefixtures("small_blocks")
def test_a_model_with_other_tags_in_another_order_is_measured_on_those_the_truth_knows() -> None:
    """Its columns 9 and 2 are both the truth's tag 4, of which 2 is compared; tag 5 it lacks."""
    columns, truth_columns = [11, 9, 2, 0], [1, 4, 4, 20]
    model = scored(SCORES, columns, truth_columns, first=[True, False, True, True])
    found = tally_models(
        [SweptModel(model, SWEEP, OWN[:4]), SweptModel(scored(OTHER), SWEEP, OWN)], csc_array(LABELS), sampling=SAMPLING
    )
    for k, (own, theirs) in enumerate(zip(columns, truth_columns, strict=True)):
        column = ranking.sort_column(SCORES[:, own].copy(), LABELS[:, theirs])
        assert found.models[0].average_precision[k] == ranking.average_precision(column)
        assert found.models[0].positives[:, k].sum() == LABELS[:, theirs].sum()
    assert np.flatnonzero(~np.isnan(found.ap_covariance[0, 1])).tolist() == [1, 4, 20]


@pytest.mark.parametrize("sampling", [None, SAMPLING], ids=["plain", "sampled"])
def test_a_first_threshold_above_0_leaves_images_unpredicted(sampling: Sampling | None) -> None:
    """As where a convention asks for more than the threshold: an image that scores 0 is not predicted at 0."""
    scores = np.where(np.random.default_rng(1).random(SCORES.shape) < 0.5, np.float32(0), SCORES)
    strict = CONVENTIONS["smilingwolf"].effective(SWEEP)
    assert strict[0] > 0
    found = tally_of(scores, LABELS, strict, sampling=sampling).counts
    for k in (0, 1, 50, len(SWEEP) - 1):
        assert found.tp[k].tolist() == ((scores > SWEEP[k]) & LABELS).sum(0).tolist()
        assert found.fp[k].tolist() == ((scores > SWEEP[k]) & ~LABELS).sum(0).tolist()


def test_one_threshold_and_thresholds_that_nothing_reaches() -> None:
    for thresholds in (np.float32([0.5]), np.float32([0, 2]), np.float32([1.5, 2])):
        found = tally_of(SCORES, LABELS, thresholds, sampling=SAMPLING).counts
        assert found.tp.tolist() == [((threshold <= SCORES) & LABELS).sum(0).tolist() for threshold in thresholds]


def influences(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The influence of each image on the AP of one tag."""
    column = ranking.sort_column(np.ascontiguousarray(scores), labels, images=True)
    values = np.zeros(len(scores))
    if labels.any():
        found = ranking.influence(column)
        assert column.images is not None
        values[column.images[0, found.start[0] :]] = found.values
    return values


def by_unit(values: np.ndarray, units: np.ndarray) -> np.ndarray:
    return np.array([values[units == unit].sum() for unit in range(units.max() + 1)])


@pytest.mark.parametrize(
    "units", [np.arange(IMAGES), np.arange(IMAGES) // 2, np.arange(IMAGES) % 7], ids=["alone", "pairs", "bags"]
)
def test_influence_on_map_is_the_sum_of_the_tags_and_variance_that_of_their_units(units: np.ndarray) -> None:
    sampling = Sampling(FOLDS, units, SAMPLING.groups)
    found = run(sampling, 2)
    for scores, one in zip((SCORES, OTHER), found.models, strict=True):
        per_tag = np.stack([by_unit(influences(scores[:, t], LABELS[:, t]), units) for t in range(TAGS)])
        np.testing.assert_allclose(one.map_influence, SAMPLING.groups @ per_tag, atol=1e-14)
        known = LABELS.any(0)
        np.testing.assert_allclose(one.ap_variance[known], np.square(per_tag).sum(1)[known], atol=1e-16)
        assert np.isnan(one.ap_variance).tolist() == np.isnan(one.ap_bias).tolist() == (~known).tolist()


def test_influence_on_map_is_its_derivative_by_the_weight_of_a_unit() -> None:
    found, tags = (
        tally_of(SCORES, LABELS, SWEEP, sampling=SAMPLING),
        [t for t in range(3, TAGS) if SAMPLING.groups[1, t]],
    )
    for unit in (0, 8, 77):
        moved = []
        for step in (1e-5, -1e-5):
            weights = np.where(SAMPLING.units == unit, 1 + step, 1.0)
            moved.append(sum(weighted_ap(SCORES[:, t], LABELS[:, t], weights) for t in tags))
        rest = [t for t in range(3) if SAMPLING.groups[1, t] and LABELS[:, t].any()]
        other = sum(by_unit(influences(SCORES[:, t], LABELS[:, t]), SAMPLING.units)[unit] for t in rest)
        assert found.map_influence[1, unit] == pytest.approx((moved[0] - moved[1]) / 2e-5 + other, abs=1e-8)


def test_covariance_of_two_models_is_that_of_their_influences() -> None:
    found = run(SAMPLING, 2)
    (pair,) = found.ap_covariance
    assert pair == (0, 1)
    for tag in range(TAGS):
        units = [by_unit(influences(x[:, tag], LABELS[:, tag]), SAMPLING.units) for x in (SCORES, OTHER)]
        expected = (units[0] * units[1]).sum() if LABELS[:, tag].any() else np.nan
        np.testing.assert_allclose(found.ap_covariance[pair][tag], expected, atol=1e-16)
    turned = run(SAMPLING, 1, [scored(OTHER), scored(SCORES)]).ap_covariance[0, 1]
    np.testing.assert_allclose(turned, found.ap_covariance[pair], atol=1e-18)
    twice = run(SAMPLING, 1, [scored(SCORES), scored(SCORES)])
    np.testing.assert_allclose(twice.ap_covariance[0, 1], twice.models[0].ap_variance, atol=1e-18)


def test_worst_images_are_the_highest_without_the_tag_and_the_lowest_with_it() -> None:
    found = tally_of(SCORES, LABELS, SWEEP, sampling=SAMPLING)
    for tag in range(TAGS):
        for images, scores, chosen, sign in (
            (found.worst_false, found.worst_false_scores, ~LABELS[:, tag], -1),
            (found.worst_missed, found.worst_missed_scores, LABELS[:, tag], 1),
        ):
            expected = np.sort(sign * SCORES[chosen, tag])[:WORST_PER_TAG] * sign
            kept = images[tag] >= 0
            assert kept.sum() == min(WORST_PER_TAG, chosen.sum())
            assert scores[tag][kept].tolist() == expected.tolist()
            assert SCORES[images[tag][kept], tag].tolist() == expected.tolist()
            assert chosen[images[tag][kept]].all()
            assert len(set(images[tag][kept])) == kept.sum()


def test_worst_false_alarms_are_found_below_many_positives() -> None:
    """All 200 images on top carry the tag; two false alarms stand far below, at ranks 240 and 300."""
    labels = np.ones((300, 1), bool)
    labels[[0, 60]] = False
    scores = (np.arange(300) / 300).astype(np.float32)[:, None]
    found = tally_of(scores, labels, SWEEP, sampling=Sampling(np.zeros(300, np.uint8), np.arange(300), np.ones((1, 1))))
    assert found.worst_false[0, :3].tolist() == [60, 0, -1]


def test_progress_sums_to_the_tags_of_the_truth(small_blocks: None) -> None:
    done: list[int] = []
    tally_models([SweptModel(scored(SCORES), SWEEP, OWN)], csc_array(LABELS), workers=2, advance=done.append)
    assert (sum(done), len(done)) == (TAGS, 6)


@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (600, 5), (3, 0), (0, 3)])
def test_turned_blocks_are_transposed_and_contiguous(shape: tuple[int, int]) -> None:
    matrix = np.random.default_rng(0).random(shape)
    turned = tag_major(matrix[:, ::-1])
    assert np.array_equal(turned, matrix[:, ::-1].T.astype(np.float32))
    assert turned.flags.c_contiguous
