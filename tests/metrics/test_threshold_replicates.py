"""Thresholds chosen again in every resample, against images that are counted as often and chosen on from the start."""

from collections.abc import Iterable, Mapping

import numpy as np
import pytest
from scipy import stats

from arena.metrics import threshold_replicates, thresholds
from arena.metrics.cells import Cells
from arena.metrics.counts import CONVENTIONS, TagCounts, divide, mean_terms, means_of_terms
from arena.metrics.resamples import DrawnUnits
from arena.metrics.tally import Sampling
from arena.metrics.threshold_replicates import (
    LOWEST_SHARE,
    Drawn,
    Draws,
    ThresholdModel,
    _Highest,
    changes,
    confident_threshold,
    draw_block,
    draw_positives,
)
from arena.metrics.thresholds import (
    RULES,
    SHRINKAGE,
    THRESHOLD_CHOICES,
    UNREACHABLE,
    Curve,
    FoldCounts,
    TrainingCounts,
    sweep_thresholds,
)

from .problems import tally_of

FOLDS, EACH, TAGS, RESAMPLES = 3, 50, 13, 24
IMAGES = FOLDS * EACH
FOLD = np.repeat(np.arange(FOLDS, dtype=np.uint8), EACH)
SWEEP = sweep_thresholds()
CATEGORIES = np.array([0] * 6 + [1] * 5 + [2] * 2)
ARENA = CONVENTIONS["arena"]
RNG = np.random.default_rng(5)
LABELS = RNG.random((IMAGES, TAGS)) < np.linspace(0.08, 0.5, TAGS)
SCORES = (np.floor(RNG.beta(1 + 5 * LABELS, np.linspace(3, 9, TAGS)) * 200) / 200).astype(np.float32)
UNITS = RNG.integers(0, 100, IMAGES)
WEIGHTS = RNG.poisson(1, (100, RESAMPLES)).astype(np.float32)


def model_of(
    labels: np.ndarray = LABELS, scores: np.ndarray = SCORES, chosen: Mapping[str, np.ndarray] | None = None
) -> ThresholdModel:
    sampling = Sampling(FOLD, np.arange(IMAGES), np.ones((1, TAGS)))
    found = tally_of(scores, labels, SWEEP, sampling=sampling)
    counts = FoldCounts(found.tp, found.fp, found.positives, IMAGES, np.ones(TAGS, bool), CATEGORIES)
    by_rule = {name: counts.cross_fit(choice).by_fold for name, choice in THRESHOLD_CHOICES.items()}
    return ThresholdModel(SWEEP, counts, found.images, by_rule | dict(chosen or {}), ARENA)


def found_changes(
    model: ThresholdModel, weights: np.ndarray, units: np.ndarray = UNITS, *,
    labels: np.ndarray = LABELS, scores: np.ndarray = SCORES, blocks: Iterable[slice] = (slice(0, 8), slice(8, TAGS)),
) -> dict[str, np.ndarray]:  # fmt: skip
    return changes(model, drawn_of(model, weights, units, labels=labels, scores=scores, blocks=blocks))


def drawn_of(
    model: ThresholdModel, weights: np.ndarray, units: np.ndarray = UNITS, *,
    labels: np.ndarray = LABELS, scores: np.ndarray = SCORES, blocks: Iterable[slice] = (slice(0, TAGS),),
) -> Drawn:  # fmt: skip
    draws = Draws(FOLD.astype(np.int64), units, DrawnUnits(weights))
    drawn = []
    for span in blocks:
        block, carried = scores.T[span].copy(), labels.T[span].copy()
        drawn.append(draw_block(model, span, block, carried, draw_positives(Cells.of_mask(carried), draws), draws))
    return Drawn(*(np.sum(parts, axis=0) for parts in zip(*drawn, strict=True)))


class Recount:
    """Counts of every fold, step and tag where each image counts as often as its weight."""

    def __init__(self, weights: np.ndarray, labels: np.ndarray = LABELS, scores: np.ndarray = SCORES) -> None:
        predicted = scores >= SWEEP[:, None, None]  # (k, images, tags)
        member = (np.arange(FOLDS)[:, None] == FOLD) * weights.astype(np.float64)  # (folds, images)
        self.tp, self.fp = (
            np.stack([np.tensordot(one, predicted & kind, axes=(0, 1)) for one in member]) for kind in (labels, ~labels)
        )
        self.positives = member @ labels

    def training(self, fold: int) -> TrainingCounts:
        others = np.arange(FOLDS) != fold
        columns = (x[others].sum(0) for x in (self.tp, self.fp, self.positives))
        return TrainingCounts(*(x.astype(np.float32) for x in columns), np.ones(TAGS, bool), CATEGORIES)

    def metrics(self, steps: np.ndarray) -> np.ndarray:
        """Macro P, R, F1 and micro P, R, F1 at steps (folds, tags)."""
        tags = np.arange(TAGS)
        tp, fp = (sum(x[fold, steps[fold], tags] for fold in range(FOLDS)) for x in (self.tp, self.fp))
        counts = TagCounts(np.empty(0, np.float32), tp, fp, self.positives.sum(0), images=0)
        return means_of_terms(mean_terms(counts, ARENA).sum(1))


def chosen_again(recount: Recount, model: ThresholdModel, regime: str) -> np.ndarray:
    """Steps of a resample, (folds, tags): the rule of the regime on the recounted images, from the lowest step on."""
    steps = np.zeros((FOLDS, TAGS), int)
    for fold in range(FOLDS):
        train = recount.training(fold)
        if regime == "tag":
            steps[fold] = choose_tags(train, model, fold)
            continue
        groups = [np.arange(TAGS)] + [np.flatnonzero(k == CATEGORIES) for k in (0, 1) if regime == "category"]
        for tags in groups:
            curve, start = train.curve(np.isin(np.arange(TAGS), tags)), model.lowest_shared
            above = Curve(*(column[start:] for column in curve[:3]), curve.positives)
            step = int(RULES.get(regime, RULES["macro_f1"])(above))
            steps[fold, tags] = step if step == UNREACHABLE else step + start
    return steps


def choose_tags(train: TrainingCounts, model: ThresholdModel, fold: int) -> np.ndarray:
    """The rule of one threshold per tag. The average tag is that of the run."""
    true, false = np.float32(SHRINKAGE) * model.counts.without(fold).average
    hits = train.tp + true[:, None]
    f1 = hits / (hits + train.fp + false[:, None] + (train.positives + np.float32(SHRINKAGE)))
    best = np.maximum(f1.argmax(0), model.lowest)
    return np.where(train.positives > 0, best, model.chosen["tag"][fold])


def brute_changes(model: ThresholdModel, weights: np.ndarray, regime: str, **world: np.ndarray) -> np.ndarray:
    """(6, resamples), NaN where a resample has no threshold; `weights` is (images, resamples)."""
    change = np.full((6, weights.shape[1]), np.nan)
    for resample, one in enumerate(weights.T):
        recount = Recount(one, **world)
        again = chosen_again(recount, model, regime)
        if UNREACHABLE not in again:
            change[:, resample] = recount.metrics(again) - recount.metrics(model.chosen[regime])
    return change - np.nanmean(change, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def model() -> ThresholdModel:
    return model_of()


@pytest.fixture(scope="module")
def found(model: ThresholdModel) -> dict[str, np.ndarray]:
    return found_changes(model, WEIGHTS)


@pytest.mark.parametrize("regime", ["micro_f1", "break_even", "precision_90"])
def test_micro_metrics_of_a_shared_threshold_are_those_of_a_recount(
    regime: str, model: ThresholdModel, found: dict[str, np.ndarray]
) -> None:
    expected = brute_changes(model, WEIGHTS[UNITS], regime)
    assert np.nanstd(expected[3:]) > 0.001, "some resample chooses another threshold"
    np.testing.assert_allclose(found[regime][3:], expected[3:], atol=1e-6)


def test_one_threshold_per_tag_is_that_of_a_recount(model: ThresholdModel, found: dict[str, np.ndarray]) -> None:
    expected = brute_changes(model, WEIGHTS[UNITS], "tag")
    assert expected.std() > 0.001
    np.testing.assert_allclose(found["tag"], expected, atol=1e-6)


@pytest.mark.parametrize("regime", ["macro_f1", "category"])
def test_a_choice_by_macro_f1_varies_as_much_as_that_of_a_recount(regime: str, model: ThresholdModel) -> None:
    """The curve of a resample is exact to first order only, so that its highest step is now and then another one."""
    weights = np.random.default_rng(1).poisson(1, (100, 150)).astype(np.float32)
    found, expected = found_changes(model, weights)[regime], brute_changes(model, weights[UNITS], regime)
    for one, other in zip(found, expected, strict=True):
        assert one.std() == pytest.approx(other.std(), rel=0.2)
        assert np.corrcoef(one, other)[0, 1] > 0.7


def first_order_errors(regime: str, metrics: list[int]) -> list[float]:
    """Errors of the changes of some metrics as shares of the changes, at two sizes of a perturbation of the weights.

    All folds hold the same images, and the run's thresholds are far from those that the rule chooses.
    """
    labels, scores = np.tile(LABELS[:EACH], (FOLDS, 1)), np.tile(SCORES[:EACH], (FOLDS, 1))
    model = model_of(labels, scores, {regime: np.full((FOLDS, TAGS), 10)})
    assert not np.isin(10, model.counts.cross_fit(THRESHOLD_CHOICES[regime]).final)
    errors, units = [], np.arange(IMAGES)
    for size in (0.05, 0.02):
        weights = (1 + size * np.random.default_rng(2).normal(size=(IMAGES, 4))).astype(np.float32)
        found = found_changes(model, weights, units, labels=labels, scores=scores)[regime]
        expected = brute_changes(model, weights, regime, labels=labels, scores=scores)
        largest = np.abs(expected[metrics]).max()
        assert largest > 0.01 * size, "the metrics do change"
        np.testing.assert_allclose(found[3:], expected[3:], atol=1e-5)
        errors.append(float(np.abs(found[metrics] - expected[metrics]).max() / largest))
    return errors


@pytest.mark.parametrize("regime", [name for name in THRESHOLD_CHOICES if name != "tag"])
def test_macro_metrics_are_exact_to_first_order(regime: str) -> None:
    errors = first_order_errors(regime, [1, 2] if regime == "precision_90" else [0, 1, 2])
    assert errors[0] < 0.05
    assert errors[1] < 0.6 * errors[0], "the error falls with the square of the perturbation"


def test_macro_precision_is_exact_to_first_order_where_a_tag_is_not_predicted() -> None:
    """Some tags are not predicted at the thresholds of `precision_90`: the mean runs over the others."""
    errors = first_order_errors("precision_90", [0])
    assert errors[0] < 0.05
    assert errors[1] < 0.6 * errors[0]


def test_a_resample_that_is_the_sample_changes_nothing(model: ThresholdModel) -> None:
    """Rules on curves choose what the choices on the counts of the run chose."""
    for change in found_changes(model, np.ones((100, 3), np.float32)).values():
        np.testing.assert_allclose(np.nan_to_num(change), 0, atol=1e-7)
    curves = [(model.counts.without(fold).curve(np.ones(TAGS, bool)), fold) for fold in range(FOLDS)]
    for name, rule in RULES.items():
        assert [int(rule(curve)) for curve, _ in curves] == model.chosen[name][:, 0].tolist()


def test_changes_have_a_mean_of_0(found: dict[str, np.ndarray]) -> None:
    assert list(found) == list(THRESHOLD_CHOICES)
    for change in found.values():
        np.testing.assert_allclose(np.nanmean(change, axis=1), 0, atol=1e-12)


def test_blocks_do_not_matter(model: ThresholdModel, found: dict[str, np.ndarray]) -> None:
    for name, change in found_changes(model, WEIGHTS, blocks=[slice(0, TAGS)]).items():
        np.testing.assert_allclose(change, found[name], atol=1e-5)


def test_a_resample_without_a_threshold_that_is_precise_enough_is_undefined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thresholds, "PRECISION", 0.95)  # hardly any threshold is
    model = model_of()
    assert UNREACHABLE not in model.chosen["precision_90"]
    change = found_changes(model, WEIGHTS)["precision_90"]
    expected = brute_changes(model, WEIGHTS[UNITS], "precision_90")
    assert np.isnan(change).tolist() == np.isnan(expected).tolist()
    np.testing.assert_allclose(change[3:], expected[3:], atol=1e-6)
    assert 0 < np.isnan(change[0]).sum() < RESAMPLES
    never = model_of(chosen={"precision_90": np.full((FOLDS, TAGS), UNREACHABLE)})
    assert np.isnan(found_changes(never, WEIGHTS)["precision_90"]).all()


def test_no_resample_chooses_far_below_the_run(model: ThresholdModel) -> None:
    shared = [steps for name, steps in model.chosen.items() if name != "tag"]
    lowest = SWEEP[np.min(shared)]
    assert SWEEP[model.lowest_shared - 1] < LOWEST_SHARE * lowest <= SWEEP[model.lowest_shared]
    assert (model.lowest <= model.lowest_shared).all()
    assert (model.lowest <= model.chosen["tag"].min(0)).all()


def test_derivatives_are_those_of_the_ratios(model: ThresholdModel) -> None:
    tp, fp, positives = (x.sum(0).astype(float) for x in (model.counts.tp, model.counts.fp, model.counts.positives))
    positives = np.broadcast_to(positives, tp.shape)

    def ratios(tp: np.ndarray, fp: np.ndarray, positives: np.ndarray) -> np.ndarray:
        return np.stack([tp / (tp + fp), tp / positives, 2 * tp / (tp + fp + positives)])

    some = tp + fp > 0
    here = [x[some] for x in (tp, fp, positives)]
    for count in range(3):
        more, less = ([x + sign * 1e-4 * (k == count) for k, x in enumerate(here)] for sign in (1, -1))
        slope = (ratios(*more) - ratios(*less)) / 2e-4
        np.testing.assert_allclose(model.coefficients[:, count][:, some], slope, atol=1e-6)


def test_the_confident_threshold_has_a_lower_bound_of_enough_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threshold_replicates, "PRECISION", 0.7)
    model = model_of()
    counts = [Recount(one) for one in WEIGHTS[UNITS].T]
    tp, fp = (np.stack([getattr(one, name).sum((0, 2)) for one in counts], axis=1) for name in ("tp", "fp"))
    spread = np.nan_to_num(divide(tp, tp + fp)).std(axis=1, ddof=1)
    observed = [x.sum((0, 2)) for x in (model.counts.tp, model.counts.fp)]
    lower = np.nan_to_num(divide(observed[0], sum(observed)) - stats.t.ppf(0.95, RESAMPLES - 1) * spread)
    first = np.flatnonzero(lower >= 0.7)[0]
    assert first >= model.lowest_shared
    found = confident_threshold(model, drawn_of(model, WEIGHTS))
    assert np.float32(found) == SWEEP[first]
    assert found > SWEEP[np.flatnonzero(divide(observed[0], sum(observed)) >= 0.7)[0]], "above that of the plain rule"
    assert np.isnan(confident_threshold(model, drawn_of(model, WEIGHTS[:, :1]))), "one resample has no spread"
    monkeypatch.setattr(threshold_replicates, "PRECISION", 1.1)
    assert np.isnan(confident_threshold(model, drawn_of(model, WEIGHTS)))


def test_the_last_step_that_a_score_reaches() -> None:
    rng = np.random.default_rng(0)
    close = np.float32(0.4) + np.arange(3, dtype=np.float32) * np.float32(1e-6)
    steps = sweep_thresholds(np.concatenate([close, np.float32([0.001, 0.3537, 0.999])]))
    model = ThresholdModel(steps, None, None, {}, CONVENTIONS["arena"])  # type: ignore[arg-type]
    scores = np.concatenate([rng.random(2_000).astype(np.float32), steps, np.float32([-0.0])])
    scores = np.concatenate([scores, np.nextafter(steps[1:], np.float32(0))])
    assert model.last_step(scores).tolist() == (np.searchsorted(steps, scores, side="right") - 1).tolist()


def test_the_first_highest_step() -> None:
    values = np.float32(np.random.default_rng(0).integers(0, 5, (300, 4, 7)))
    assert _Highest(values.shape).first_step(values).tolist() == np.argmax(values, axis=0).tolist()
