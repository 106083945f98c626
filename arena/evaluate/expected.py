"""Expected metrics of models on pictures without labels, from a calibration on a labelled run of the same models.

The estimate is what labels like those of the run would say about pictures like those of the run.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special
from scipy.sparse import csr_array

from arena.base.errors import ArenaError
from arena.dataset.frozen import Truth
from arena.evaluate.matching import Entry, MatchedModel, match_model, scored_by_all
from arena.evaluate.unlabelled import Pictures, decisions, own_thresholds, read_scores, refuse_weights, tag_blocks
from arena.metrics.counts import Floats, Integers
from arena.metrics.expected import (
    BestThreshold,
    Expected,
    Sweep,
    TagTerms,
    best_threshold,
    expected_metrics,
    joined_terms,
    standard_error,
    sweep_block,
    tag_terms,
)
from arena.metrics.intervals import resampled_interval
from arena.metrics.prevalence import Shift, tag_shift
from arena.metrics.recalibration import LogitCounts
from arena.metrics.resamples import resampling_units
from arena.metrics.tag_calibration import (
    DIRECTIONS,
    Curve,
    TagCalibration,
    clipped_logits,
    count_tag_logits,
    fit_tags,
)
from arena.metrics.thresholds import sweep_thresholds
from arena.tags import project

METRICS = ("macro_precision", "macro_recall", "macro_f1", "micro_precision", "micro_recall", "micro_f1")
"""Metrics that are estimated."""

SHIFT_P = 0.01
"""Largest p of the permutation test with which the pictures count as different."""

MOST_EXCESS = 0.1
"""Largest distance between the tag shares of the pictures and of the run, beyond that of chance, without an alarm. Below it the
mean error of micro F1 is .015 to .026, above it .02 to .15 (`scripts/compare_pick_estimate.py`)."""


@dataclass(frozen=True)
class LabelledRun:
    """A run with labels, matched to the models of a comparison of pictures.

    Attributes:
        truth: images that all of these models scored, with labels.
        models: the models in the order of the pictures' models.
        min_positives: positives in the run that a tag of the expected metrics needs.
        place: int64 (tags of the pictures,), tag of the truth, -1 for none.
    """

    truth: Truth
    models: tuple[MatchedModel, ...]
    min_positives: int
    place: Integers

    @property
    def units(self) -> Integers:
        """Number of the duplicate cluster of each image."""
        return resampling_units(self.truth.groups or self.truth.image_ids)


def match_run(
    pictures: Pictures, truth: Truth, entries: Mapping[str, Entry], min_positives: int, where: object
) -> LabelledRun:
    """Match a labelled run with the pictures.

    Args:
        entries: the run's models by name.
        where: the run, for errors.

    Raises:
        ArenaError: a model of the pictures is not in the run, the run has weights, or it shares no tag with the models.
    """
    refuse_weights(truth, where)
    truth, _ = scored_by_all(truth, [entries[one.entry.name] for one in pictures.models])
    models = tuple(match_model(truth, entries[one.entry.name]) for one in pictures.models)
    place = project(truth.tags, pictures.truth.tags, truth.relations)
    return LabelledRun(truth, models, min_positives, place)


def estimated_tags(pictures: Pictures, run: LabelledRun) -> Integers:
    """Return the tags of the expected metrics: every model knows them, and the run has enough positives; int64."""
    support = np.diff(run.truth.values.indptr)
    column = run.place[pictures.common]
    known = (column >= 0) & np.all([one.chosen[column] >= 0 for one in run.models], axis=0)
    return np.asarray(pictures.common[known & (support[column] >= run.min_positives)], np.int64)


class ModelCalibration(NamedTuple):
    """Calibration of one model.

    Attributes:
        curve: the fitted probabilities.
        tags: int64 (labelled tags,), columns of the run's truth, in the order of `curve.of_tag`.
        number: int64 (tags of the pictures,), number of each tag in `tags`, -1 for none.
    """

    curve: TagCalibration
    tags: Integers
    number: Integers

    def probabilities(self, scores: NDArray[np.float32], tags: Integers) -> Floats:
        """Return the probability that each tag of the pictures is present; float64 (images, tags)."""
        return self.curve.probabilities(scores, self.number[tags])


def calibrate(run: LabelledRun, model: int) -> ModelCalibration:
    """Return the calibration of a model on the run: over all tags that the model and the labels know."""
    one = run.models[model]
    tags = np.flatnonzero(one.chosen >= 0)
    parts = [
        count_tag_logits(read_scores(one, block), _labels(run.truth, block))
        for block in tag_blocks(tags, len(run.truth.image_ids))
    ]
    counts = LogitCounts(*(np.concatenate([part[side] for part in parts]) for side in (0, 1)))
    number = np.full(len(run.truth.tags) + 1, -1)
    number[tags] = np.arange(len(tags))
    return ModelCalibration(fit_tags(counts), tags, number[run.place])


def _labels(truth: Truth, tags: Integers) -> NDArray[np.bool_]:
    return np.asarray(truth.values[:, tags].toarray(), np.bool_)


class Estimate(NamedTuple):
    """An expected metric or a difference of two, with its 95 % interval; NaN where undefined."""

    value: float
    low: float
    high: float
    standard_error: float


class AtThreshold(NamedTuple):
    """Decisions of one model at its own thresholds, or at one threshold, with their expected metrics and influences."""

    metrics: Mapping[str, Expected]
    by_label: Mapping[str, Floats]
    """Metric -> float64 (clusters of the run,), influence of the labelled images."""


class ModelEstimate(NamedTuple):
    """Expected metrics of one model.

    Attributes:
        own: metric -> estimate at the model's own thresholds.
        best: the same at `threshold`.
        threshold: the threshold with the highest expected micro F1.
        for_macro: the one with the highest expected macro F1.
    """

    own: Mapping[str, Estimate]
    best: Mapping[str, Estimate]
    threshold: BestThreshold
    for_macro: BestThreshold


class Estimates(NamedTuple):
    """Expected metrics of all models.

    Attributes:
        tags: number of tags in the metrics.
        models: estimates by model.
        pairs: pair of models -> `own` or `best` -> metric -> difference, the first minus the second.
        shifts: model -> difference between the tags of the pictures and those of the run.
    """

    tags: int
    models: Mapping[str, ModelEstimate]
    pairs: Mapping[tuple[str, str], Mapping[str, Mapping[str, Estimate]]]
    shifts: Mapping[str, Shift]

    @property
    def differ(self) -> list[str]:
        """The models whose decisions say that the pictures are of another kind than the labelled images."""
        return [name for name, one in self.shifts.items() if one.p <= SHIFT_P and one.excess > MOST_EXCESS]


def estimate_metrics(
    pictures: Pictures, run: LabelledRun, calibrations: Sequence[ModelCalibration], where: object
) -> Estimates:
    """Return the expected metrics of all models.

    Raises:
        ArenaError: no tag of the models has enough positives in the run.
    """
    tags = estimated_tags(pictures, run)
    if not len(tags):
        raise ArenaError(
            f"{where}: no tag that all models know has {run.min_positives} positives there, so it calibrates nothing; "
            "name a run of these models on more images or other labels"
        )
    found: dict[str, ModelEstimate] = {}
    points: dict[str, dict[str, AtThreshold]] = {}
    for number, one in enumerate(pictures.models):
        calibration, name = calibrations[number], one.entry.name
        sweep, positives = _sweep(pictures, one, calibration, tags)
        thresholds = [best_threshold(sweep, positives, sweep_thresholds(), macro=macro) for macro in (False, True)]
        points[name] = {
            key: _at(pictures, run, number, calibration, tags, threshold)
            for key, threshold in (("own", None), ("best", thresholds[0].threshold))
        }
        own, best = ({key: _estimate(pictures, point, None, key) for key in METRICS} for point in points[name].values())
        found[name] = ModelEstimate(own, best, *thresholds)
    pairs = {
        (first, second): {
            point: {key: _estimate(pictures, points[first][point], points[second][point], key) for key in METRICS}
            for point in ("own", "best")
        }
        for first, second in combinations(points, 2)
    }
    return Estimates(len(tags), found, pairs, _shifts(pictures, run))


def _sweep(
    pictures: Pictures, one: MatchedModel, calibration: ModelCalibration, tags: Integers
) -> tuple[Sweep, Floats]:
    parts, positives = [], []
    for block in tag_blocks(tags, len(pictures.truth.image_ids)):
        scores = read_scores(one, block)
        probabilities = calibration.probabilities(scores, block)
        parts.append(sweep_block(scores, probabilities, sweep_thresholds()))
        positives.append(probabilities.sum(0))
    return Sweep(*(np.concatenate(columns, axis=1) for columns in zip(*parts, strict=True))), np.concatenate(positives)


def _at(
    pictures: Pictures, run: LabelledRun, model: int, calibration: ModelCalibration, tags: Integers, threshold: float | None
) -> AtThreshold:  # fmt: skip
    """Return the expected metrics of a model at a threshold; None takes its own thresholds."""
    one, parts = pictures.models[model], list[TagTerms]()
    for block in tag_blocks(tags, DIRECTIONS * len(pictures.truth.image_ids)):
        scores = read_scores(one, block)
        limit = own_thresholds(one, block) if threshold is None else np.float32(threshold)
        directions = calibration.curve.curve.features(clipped_logits(scores))
        parts.append(tag_terms(scores >= limit, calibration.probabilities(scores, block), directions))
    metrics = expected_metrics(joined_terms(parts))
    return AtThreshold(metrics, _by_label(run, model, calibration, tags, metrics))


def _by_label(
    run: LabelledRun, model: int, calibration: ModelCalibration, tags: Integers, metrics: Mapping[str, Expected]
) -> dict[str, Floats]:
    """Return the influence of the labelled images on each metric, through the calibration, summed by cluster."""
    curve, number = calibration.curve, calibration.number[tags]
    slopes = np.stack([metrics[key].by_weight for key in METRICS], axis=-1)  # (tags, directions, metrics)
    of_shift = slopes[:, 0] / curve.information[number][:, None]
    of_curve = (slopes - curve.follows[number][:, :, None] * slopes[:, :1]).sum(0)
    step = np.full(len(calibration.tags), -1)
    step[number] = np.arange(len(tags))
    moved, common = np.zeros((len(run.truth.image_ids), len(METRICS))), np.zeros((len(run.truth.image_ids), DIRECTIONS))
    for block in tag_blocks(np.arange(len(calibration.tags)), DIRECTIONS * len(run.truth.image_ids)):
        columns = calibration.tags[block]
        scores, labels = read_scores(run.models[model], columns), _labels(run.truth, columns)
        logits = clipped_logits(scores)
        residual = labels - special.expit(curve.curve.of(logits))
        common += np.einsum("it,itd->id", residual, curve.curve.features(logits))
        used = step[block] >= 0
        residual = labels[:, used] - curve.probabilities(scores[:, used], block[used])
        moved += residual @ of_shift[step[block[used]]]
    moved += common @ curve.curve.variance @ of_curve
    return {
        key: np.bincount(run.units, column).astype(np.float64) for key, column in zip(METRICS, moved.T, strict=True)
    }


def _estimate(pictures: Pictures, first: AtThreshold, second: AtThreshold | None, key: str) -> Estimate:
    """Return a metric of the first model, or its difference from that of the second, with its interval."""
    one = first.metrics[key]
    value, by_picture, by_label = one.value, one.by_picture, first.by_label[key]
    if second is not None:
        other = second.metrics[key]
        value, by_picture = value - other.value, by_picture - other.by_picture
        by_label = by_label - second.by_label[key]
    error = standard_error(by_picture, by_label, pictures.units)
    if math.isnan(value) or math.isnan(error):
        return Estimate(value, math.nan, math.nan, math.nan)
    ends = resampled_interval(value, error, math.inf)
    least = 0.0 if second is None else -1.0
    return Estimate(value, max(least, float(ends.low)), min(1.0, float(ends.high)), error)


def _shifts(pictures: Pictures, run: LabelledRun) -> dict[str, Shift]:
    found = {}
    for one, labelled in zip(pictures.models, run.models, strict=True):
        column = run.place
        known = np.flatnonzero((one.chosen >= 0) & (column >= 0))
        known = known[labelled.chosen[column[known]] >= 0]
        # the run's decisions at the thresholds that are used for the pictures
        there = MatchedModel(
            labelled.entry, labelled.scored, labelled.chosen, _moved(labelled, one, known, column), labelled.shared,
            labelled.categories,
        )  # fmt: skip
        rows = decisions(there, run.truth)[:, column[known]]
        found[one.entry.name] = tag_shift(
            csr_array(pictures.predicted[one.entry.name][:, known]), csr_array(rows), seed=0
        )
    return found


def _moved(labelled: MatchedModel, one: MatchedModel, known: Integers, column: Integers) -> NDArray[np.float32]:
    """Return the thresholds of the run's columns, with those of the pictures for tags that both know."""
    thresholds = labelled.own.copy()
    thresholds[labelled.chosen[column[known]]] = own_thresholds(one, known)
    return thresholds


AT_THRESHOLD = 0.3
"""Probability that a tag is present at a model's own threshold, without calibration. The threshold with the highest F1 is where
the probability is half of that F1 (Lipton and others 2014, Optimal thresholding of classifiers to maximize F1), and taggers
reach about .6."""


def prior_probabilities(pictures: Pictures, calibrations: Sequence[ModelCalibration] | None, tags: Integers) -> Floats:
    """Return the probability that each tag is present, as all models together suggest; float64 (images, tags)."""
    views = [ModelView(read_scores(one, tags), own_thresholds(one, tags)) for one in pictures.models]
    if calibrations is not None:
        shifts = [tag_shifts(each)[tags] for each in calibrations]
        views = [
            view._replace(curve=each.curve.curve, shift=shift)
            for view, each, shift in zip(views, calibrations, shifts, strict=True)
        ]
    return joint_probabilities(views)


def tag_shifts(calibration: ModelCalibration) -> Floats:
    """Return the shift of each tag of the pictures, 0 for a tag without labels; float64 (tags,)."""
    number = calibration.number
    return np.where(number >= 0, calibration.curve.of_tag[number], 0.0)


class ModelView(NamedTuple):
    """What one model says about some tags.

    Attributes:
        scores: float32 (images, tags).
        thresholds: float32 (tags,), its own.
        curve: calibration curve of all tags; None without calibration.
        shift: float64 (tags,), shift of each tag.
    """

    scores: NDArray[np.float32]
    thresholds: NDArray[np.float32]
    curve: Curve | None = None
    shift: Floats | float = 0.0


def joint_probabilities(views: Sequence[ModelView]) -> Floats:
    """Return the probability that each tag is present, from the scores of all models; float64 (images, tags).

    With calibrations it is the mean of the models' probabilities. Without, a tag at a model's threshold has the probability
    `AT_THRESHOLD`, and the logits of the models are averaged.

    >>> joint_probabilities([ModelView(np.float32([[0.6]]), np.float32([0.6]))]).round(6).tolist()
    [[0.3]]
    """
    curves = [one.curve for one in views if one.curve is not None]
    if len(curves) == len(views):
        each = [
            special.expit(curve.of(clipped_logits(one.scores)) + one.shift)
            for curve, one in zip(curves, views, strict=True)
        ]
        return np.asarray(sum(each) / len(views))
    logits = sum(clipped_logits(one.scores) - clipped_logits(one.thresholds) for one in views) / len(views)
    return np.asarray(special.expit(special.logit(AT_THRESHOLD) + logits))
