"""Every replicate against images counted as often as it drew them."""

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.sparse import csc_array

from arena.metrics import bootstrap as module
from arena.metrics import ranking
from arena.metrics.blocks import over_blocks
from arena.metrics.bootstrap import Plan, Resampled, Resampler, SliceRows, predict_block
from arena.metrics.counts import CONVENTIONS, TagCounts, macro, micro
from arena.metrics.registry import THRESHOLDED
from arena.metrics.resamples import draw_weights
from arena.metrics.tally import Sampling

from .problems import scored

IMAGES, TAGS, REPLICATES = 90, 9, 12
RNG = np.random.default_rng(8)
TRUTH = RNG.random((IMAGES, TAGS)) < np.r_[0.03, 0.9, np.linspace(0.05, 0.5, TAGS - 2)]
SCORES = [RNG.beta(1 + k * TRUTH, 3).astype(np.float32) for k in (2, 1)]
FOLDS = np.repeat(np.arange(3, dtype=np.uint8), 30)
CLUSTERS = RNG.integers(0, 40, IMAGES)
SINGLE = np.arange(IMAGES)
GROUPS = np.stack([np.ones(TAGS), np.arange(TAGS) % 2, np.arange(TAGS) == 4]).astype(float)
REGIMES = 4
THRESHOLDS = [np.sort(RNG.random((REGIMES, 3, TAGS), np.float32) / 2, axis=0) for _ in SCORES]
THRESHOLDS[0][2] = THRESHOLDS[0][1]  # two regimes alike
THRESHOLDS[1][3] = 2  # nothing predicted
SLICES = [RNG.random(IMAGES) < 0.4, np.arange(IMAGES) < 3]


def plan(units: np.ndarray = SINGLE, *, slices: Sequence[np.ndarray] = SLICES, **more: object) -> Plan:
    weights = draw_weights(int(units.max()) + 1, REPLICATES, seed=3)
    rows = [SliceRows(np.flatnonzero(member), member) for member in slices]
    given = {"convention": CONVENTIONS["arena"], **more}
    models = [scored(one) for one in SCORES]
    return Plan(csc_array(TRUTH), models, THRESHOLDS, Sampling(FOLDS, units, GROUPS), weights, slices=rows, **given)


def resample(given: Plan, workers: int = 1) -> Resampled:
    resampler = Resampler(given)

    def work(span: slice, blocks: list):
        decided = [predict_block(given, number, span, block) for number, block in enumerate(blocks)]
        return resampler.block(span, decided, blocks)

    for _, part in over_blocks(given.models, TRUTH.shape, work, workers):
        resampler.add(part)
    return resampler.result()


def predicted(model: int, regime: int) -> np.ndarray:
    return SCORES[model] >= THRESHOLDS[model][regime][FOLDS]


def weighted(
    decision: np.ndarray, weights: np.ndarray, tags: np.ndarray, member: np.ndarray, convention: str = "arena"
) -> list[float]:
    """THRESHOLDED of images that count so often each, over some tags.

    A tag without predictions takes its precision on all images of the slice.
    """
    ratios = CONVENTIONS[convention].ratios
    drawn, on_all = (counts_of(decision, each, tags) for each in (weights * member, member.astype(np.int64)))
    per_tag = ratios(drawn)
    precision = np.where(np.isnan(per_tag.precision), ratios(on_all).precision, per_tag.precision)
    means = [macro(np.asarray(x)).value for x in (precision, per_tag.recall, per_tag.f1)]
    return [*means, *map(float, micro(drawn))]


def counts_of(decision: np.ndarray, weights: np.ndarray, tags: np.ndarray) -> TagCounts:
    counts = [(weights[:, None] * x)[:, tags].sum(0) for x in (decision & TRUTH, decision & ~TRUTH, TRUTH)]
    return TagCounts(np.zeros(len(tags), np.float32), *(x.astype(np.int64) for x in counts), images=int(weights.sum()))


@pytest.mark.parametrize("units", [SINGLE, CLUSTERS], ids=["images", "clusters"])
@pytest.mark.parametrize("convention", ["arena", "joytag", "animetimm"])
@pytest.mark.parametrize("min_positives", [0, 4])
def test_every_replicate_is_that_of_images_drawn_so_often(
    units: np.ndarray, convention: str, min_positives: int
) -> None:
    given = plan(units, convention=CONVENTIONS[convention], min_positives=min_positives)
    found, all_tags, all_images = resample(given), np.arange(TAGS), np.ones(IMAGES, bool)
    targets = len(GROUPS) + REGIMES - 1 + len(SLICES)
    enough = [np.flatnonzero(TRUTH[member].sum(0) >= min_positives) for member in SLICES]
    for model, replicates in enumerate(found.replicates):
        assert replicates.shape == (len(THRESHOLDED), targets, REPLICATES)
        for replicate in range(REPLICATES):
            weights = given.weights[units, replicate]
            own = predicted(model, 0)
            expected = [weighted(own, weights, np.flatnonzero(group), all_images, convention) for group in GROUPS]
            expected += [
                weighted(predicted(model, k), weights, all_tags, all_images, convention) for k in range(1, REGIMES)
            ]
            expected += [
                weighted(own, weights, tags, member, convention) for tags, member in zip(enough, SLICES, strict=True)
            ]
            tolerance = 1e-6 if convention == "joytag" else 1e-12
            np.testing.assert_allclose(replicates[:, :, replicate].T, expected, atol=tolerance)


def test_macro_precision_of_a_pair_runs_over_the_tags_where_both_have_one() -> None:
    given = plan(CLUSTERS, min_positives=4)
    found = resample(given).paired_precision[0, 1]
    members = [(np.flatnonzero(group), np.ones(IMAGES, bool), 0) for group in GROUPS]
    members += [(np.arange(TAGS), np.ones(IMAGES, bool), k) for k in range(1, REGIMES)]
    members += [(np.flatnonzero(TRUTH[member].sum(0) >= 4), member, 0) for member in SLICES]
    for target, (tags, member, regime) in enumerate(members):
        decided = [predicted(model, regime) for model in range(2)]
        both = tags[np.all([decision[member][:, tags].any(0) for decision in decided], axis=0)]
        assert found.tags[target] == len(both)
        for model, decision in enumerate(decided):
            expected = [
                weighted(decision, given.weights[CLUSTERS, replicate], both, member)[0]
                for replicate in range(REPLICATES)
            ]
            np.testing.assert_allclose(found.replicates[model, target], expected, atol=1e-6)


def test_regimes_other_than_own_have_the_first_replicates_only(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = resample(plan())
    monkeypatch.setattr(module, "RECHOSEN", 5)
    fewer, regimes = resample(plan()), slice(len(GROUPS), len(GROUPS) + REGIMES - 1)
    for one, other in zip(fewer.replicates, whole.replicates, strict=True):
        np.testing.assert_allclose(one[:, regimes, :5], other[:, regimes, :5], atol=1e-12)
        assert np.isnan(one[:, regimes, 5:]).all()
        for rest in (slice(regimes.start), slice(regimes.stop, None)):
            np.testing.assert_array_equal(one[:, rest], other[:, rest])


def test_images_of_a_unit_are_drawn_together() -> None:
    everything = np.zeros(IMAGES, np.int64)
    for replicates in resample(plan(everything)).replicates:
        assert (np.ptp(np.nan_to_num(replicates, nan=-1), axis=2) == 0).all(), "one unit: every replicate is the sample"


@pytest.mark.parametrize("clustered", [False, True])
def test_threads_and_blocks_change_nothing(clustered: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from arena.metrics import blocks

    given = plan(CLUSTERS, clustered=clustered)
    whole = resample(given)
    monkeypatch.setattr(blocks, "SORTED_TAGS_PER_BLOCK", 2)
    parts = [resample(given, workers) for workers in (1, 3)]
    for found in parts:
        for one, other in zip(found.replicates, whole.replicates, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-12)
        for one, other in zip(found.predictions, whole.predictions, strict=True):
            assert np.array_equal(one.toarray(), other.toarray())
        assert np.array_equal(found.paired[0, 1], whole.paired[0, 1])
        assert found.clustered[0, 1].keys() == whole.clustered[0, 1].keys()
    for one, other in zip(parts[0].replicates, parts[1].replicates, strict=True):
        np.testing.assert_array_equal(one, other)


def test_predictions_are_the_images_that_reach_the_own_threshold_of_their_fold() -> None:
    for model, found in enumerate(resample(plan()).predictions):
        assert np.array_equal(found.toarray(), predicted(model, 0))


def test_decisions_are_those_of_every_regime() -> None:
    given = plan()

    def work(span: slice, blocks: list) -> None:
        for model, block in enumerate(blocks):
            found = predict_block(given, model, span, block)
            for regime in range(REGIMES):
                assert np.array_equal(found.mask(regime), predicted(model, regime)[:, span].T)

    assert sum(done for done, _ in over_blocks(given.models, TRUTH.shape, work, 1)) == TAGS


def test_paired_counts_are_those_of_brute_force() -> None:
    paired, (first, second) = resample(plan()).paired[0, 1], (predicted(model, 0) for model in range(2))
    expected = {
        "both_hit": first & second & TRUTH, "first_hit": first & ~second & TRUTH, "second_hit": ~first & second & TRUTH,
        "positives": TRUTH, "both_false": first & second & ~TRUTH, "first_false": first & ~second & ~TRUTH,
        "second_false": ~first & second & ~TRUTH,
    }  # fmt: skip
    assert {name: values.tolist() for name, values in paired._asdict().items()} == {
        name: cells.sum(0).tolist() for name, cells in expected.items()
    }


def test_clusters_with_several_discordant_images_are_listed_and_no_others() -> None:
    found = resample(plan(CLUSTERS, clustered=True)).clustered[0, 1]
    first, second = (predicted(model, 0) for model in range(2))
    kinds = [first & ~second & TRUTH, ~first & second & TRUTH, first & ~second & ~TRUTH, ~first & second & ~TRUTH]
    for tag in range(TAGS):
        table = np.stack([np.bincount(CLUSTERS, kind[:, tag], 40) for kind in kinds], axis=1)
        table = table[table.sum(1) > 1]
        assert (tag in found) == (len(table) > 0)
        if len(table):
            assert sorted(found[tag].tolist()) == sorted(table.tolist())
    assert resample(plan(CLUSTERS)).clustered[0, 1] == {}


def test_slices_are_measured_as_if_they_were_all_there_is() -> None:
    for model, found in enumerate(resample(plan(CLUSTERS)).slices):
        own = predicted(model, 0)
        for number, member in enumerate(SLICES):
            assert found.tp[number].tolist() == (own & TRUTH)[member].sum(0).tolist()
            assert found.fp[number].tolist() == (own & ~TRUTH)[member].sum(0).tolist()
            assert found.positives[number].tolist() == TRUTH[member].sum(0).tolist()
            moved = np.zeros(int(CLUSTERS.max()) + 1)
            for tag in range(TAGS):
                column = ranking.sort_column(SCORES[model][member, tag], TRUTH[member, tag], images=True)
                np.testing.assert_array_equal(found.average_precision[number, [tag]], ranking.average_precision(column))
                if not TRUTH[member, tag].any():
                    assert np.isnan(found.ap_bias[number, tag])
                    continue
                influence = ranking.influence(column)
                assert found.ap_bias[number, tag] == ranking.average_precision_bias(column)[0]
                assert column.images is not None
                np.add.at(moved, CLUSTERS[member][column.images[0, influence.start[0] :]], influence.values)
            np.testing.assert_allclose(found.map_influence[number], moved, atol=1e-14)


def test_without_slices_there_are_no_targets_for_them() -> None:
    given = plan(slices=())
    found = resample(given)
    assert found.replicates[0].shape == (6, len(GROUPS) + REGIMES - 1, REPLICATES)
    assert found.slices[0].tp.shape == (0, TAGS)


def test_a_replicate_that_drew_no_image_of_a_slice_is_undefined() -> None:
    given = plan(slices=[np.arange(IMAGES) == 5])
    missed = given.weights[5] == 0
    assert missed.any()
    assert not missed.all()
    for replicates in resample(given).replicates:
        assert np.isnan(replicates[1:, -1, missed]).all()
        assert len(set(replicates[0, -1, missed])) == 1, "precision on all images of the slice"
        assert not np.isnan(replicates[3:, -1, ~missed]).all()
