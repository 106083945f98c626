"""The two passes over scores and ground truth: rankings and counts first; then predictions, resamples and errors."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array
from threadpoolctl import threadpool_limits

from arena.dataset.frozen import Truth
from arena.evaluate.matching import MatchedModel
from arena.evaluate.mistakes import Disagreements, find_disagreements
from arena.evaluate.slices import ImageSlice, TagSlice
from arena.metrics import bootstrap, labels, resamples
from arena.metrics.blocks import KnownColumns, ModelBlock, block_labels, over_blocks
from arena.metrics.bootstrap import BlockSums, Plan, Resampled, Resampler, SliceRows
from arena.metrics.cells import Cells
from arena.metrics.counts import Amounts, Convention, Floats, Integers, TagCounts, divide, images_of
from arena.metrics.known import KnownCells
from arena.metrics.labels import LabelIssues
from arena.metrics.tally import RankedColumn, Sampling, SweptModel, Tallies, Tally, tally_models
from arena.metrics.threshold_replicates import ThresholdModel
from arena.metrics.thresholds import (
    THRESHOLD_CHOICES,
    UNREACHABLE,
    Chosen,
    FoldCounts,
    assign_folds,
    choose_by_tag,
    sweep_thresholds,
)
from arena.results.recipe import Settings

_REGIME_BYTES = 1 << 30
"""Memory for the choice of thresholds."""

TagsDone = Callable[[int], None]
"""Called with the number of further tags that are done."""

FINE_STEPS = (0.001, 0.002, 0.005, 0.995, 0.998, 0.999)
"""Extra thresholds near both ends of the sweep, where some tags have their best threshold."""


@dataclass(frozen=True)
class Regime:
    """One model's thresholds under one regime.

    Attributes:
        by_fold: float32 (folds, known), thresholds used in this run: chosen on the other folds, except in the regime `own`.
            NaN where no threshold satisfies the rule of the regime.
        final: float32 (known,), thresholds for production: chosen on all images, except in the regime `own`.
        counts: counts of each known tag, (known,), summed over the folds, each fold at its own thresholds.
    """

    by_fold: NDArray[np.float32]
    final: NDArray[np.float32]
    counts: TagCounts

    @property
    def reachable(self) -> bool:
        """Whether the rule of the regime holds at some threshold in every fold. All metrics are undefined where it does not."""
        return not np.isnan(self.by_fold).any()


class ModelRegimes(NamedTuple):
    """All regimes of one model."""

    by_name: dict[str, Regime]
    unshrunk_macro_f1: float
    """Cross-fitted macro F1 of one threshold per tag without shrinkage."""
    cross_fit: ThresholdModel
    """What the thresholds were chosen on, over the compared tags."""


@dataclass(frozen=True)
class Uncertainty:
    """Results of the second pass, and of the parts of the first that need resamples.

    Attributes:
        sampling: folds, units and the groups of tags, over all tags of the ground truth.
        weights: float32 (units, replicates), weights of the resamples.
        regimes: one per model.
        resampled: replicates and predictions over the compared tags.
        suspects: label issues of compared tags; `tag` is an index of `Measured.compared`.
        suspect_scores: float32 (suspects, models), the score of each model.
        suspected_fp: int64 (models,), number of false positives of each model at its own thresholds that are likely missing
            labels, over the compared tags; float64 sum of weights if images have weights. All label issues count, not only
            those that `suspects` lists.
        disagreements: images where one model is right and another wrong; `tag` is an index of `Measured.compared`.
    """

    sampling: Sampling
    weights: NDArray[np.float32]
    regimes: list[ModelRegimes]
    resampled: Resampled
    suspects: LabelIssues
    suspect_scores: NDArray[np.float32]
    suspected_fp: Amounts
    disagreements: Disagreements


@dataclass(frozen=True)
class Measured:
    """All numbers of a comparison, in arrays.

    Attributes:
        truth: ground truth, its rows in the order of the folds.
        models: the models.
        compared: int64 (compared tags,), columns of the ground truth that are compared, ascending.
        tallies: result of the first pass.
        own: one per model, counts at its own thresholds, (known,).
        uncertainty: None without resamples.
    """

    truth: Truth
    models: list[MatchedModel]
    compared: Integers
    tallies: Tallies
    own: list[TagCounts]
    uncertainty: Uncertainty | None

    @cached_property
    def pooling(self) -> csr_array | None:
        """Matrix that sums values of images, times their weights, by duplicate cluster; float64 (clusters, images).

        Without clusters each image is one. None if there are neither clusters nor weights.
        """
        weights, groups = self.truth.weights, self.truth.groups
        if groups is None and weights is None:
            return None
        cluster = np.unique(self.truth.image_ids if groups is None else groups, return_inverse=True)[1]
        values, images = np.ones(len(cluster)) if weights is None else weights, np.arange(len(cluster))
        return csr_array((values, (cluster, images)), shape=(int(cluster.max()) + 1, len(cluster)))

    @cached_property
    def related(self) -> Floats:
        """Mean number of a tag's images in the cluster of one of its images; float64 (truth tags,), 1 or more.

        It is the largest factor by which clusters can increase a variance: Kish's design effect if all images of a cluster
        are alike. Images with weights count as their weights.
        """
        carried = csc_array(self.truth.values, dtype=np.float64)
        if self.pooling is None:
            return np.ones(carried.shape[1])
        sizes = csc_array(self.pooling @ carried)
        return np.fmax(1.0, divide(square_sums(sizes), np.asarray(sizes.sum(0))))

    @cached_property
    def related_others(self) -> Floats:
        """Like `related`, for the images without the tag; float64 (tags,)."""
        if self.pooling is None:
            return np.ones(len(self.truth.tags))
        sizes = csc_array(self.pooling @ csc_array(self.truth.values, dtype=np.float64))
        if self.truth.known is not None:
            return self._related_known_others(self.truth.known, sizes)
        everything = np.asarray(self.pooling.sum(1)).ravel()
        squares = (everything**2).sum() - 2 * (everything @ sizes) + square_sums(sizes)
        return np.fmax(1.0, divide(squares, everything.sum() - np.asarray(sizes.sum(0))))

    def _related_known_others(self, known: KnownCells, sizes: csc_array) -> Floats:
        """Return `related_others` where cells are unknown.

        Args:
            known: known cells of the truth.
            sizes: positives of each cluster and tag, float64 (clusters, tags), times their weights.
        """
        assert self.pooling is not None
        found = np.empty(len(self.truth.tags))
        for tags, block in known.blocks():
            others = self.pooling @ block.T.astype(np.float64) - sizes[:, tags].toarray()
            found[tags] = divide((others**2).sum(axis=0), others.sum(axis=0))
        return np.fmax(1.0, found)

    @property
    def effective_clusters(self) -> float:
        """Effective number of clusters of the images: n^2 / sum of m^2 over the sizes m of the clusters; n without clusters.

        With weights, the size of a cluster is the sum of its weights, and n that of all images. Images of which no compared tag
        is known are left out.
        """
        return float(self.effective_units(csc_array(self._informative()[:, None], dtype=np.float64))[0])

    def _informative(self, tags: Integers | None = None) -> NDArray[np.bool_]:
        """Return the images of which at least one of some tags is known, or of the compared tags; bool (images,)."""
        if self.truth.known is None:
            return np.ones(len(self.truth.image_ids), np.bool_)
        return self.truth.known.informative(self.compared if tags is None else tags)

    @cached_property
    def positive_units(self) -> Floats:
        """Effective number of images, or of duplicate clusters, with each tag; float64 (truth tags,)."""
        return self.effective_units(csc_array(self.truth.values, dtype=np.float64))

    def effective_units(self, marked: csc_array) -> Floats:
        """Return the effective number of units among the marked images of each column, (columns,); 0 without a marked image.

        It is (sum of m)^2 / sum of m^2, where m is the number of marked images of a cluster, or the sum of their weights. It is
        the number of clusters if all m are equal, and less if a few clusters hold most of the images.

        Args:
            marked: 0 or 1, float64 (images, columns).
        """
        if self.pooling is None:
            return np.asarray(np.diff(marked.indptr), np.float64)
        return _effective_number(csc_array(self.pooling @ marked))

    def variance_units(self, marked: csc_array) -> Floats:
        """Return the effective number of units from which a variance between clusters is estimated, (columns,).

        It is `effective_units` with m^2 instead of m. The variance has one degree of freedom less.

        Source: Satterthwaite 1946, An approximate distribution of estimates of variance components.

        Args:
            marked: as in `effective_units`.
        """
        if self.pooling is None:
            return np.asarray(np.diff(marked.indptr), np.float64)
        sizes = csc_array(self.pooling @ marked)
        return _effective_number(csc_array(sizes.multiply(sizes)))

    def freedom(self, member: NDArray[np.bool_] | None = None, tags: Integers | None = None) -> float:
        """Return the degrees of freedom of a variance between the clusters of a slice of images; 1 or more.

        An image of which no tag is known has no part in a variance.

        Args:
            member: bool (images,), marks the images of the slice; None takes all.
            tags: int64, columns of the ground truth over which the metric runs; None takes the compared tags.
        """
        informative = self._informative(tags)
        member = informative if member is None else member & informative
        return max(1.0, float(self.variance_units(csc_array(member[:, None], dtype=np.float64))[0]) - 1)

    def units_within(self, member: NDArray[np.bool_], tags: Integers) -> Floats:
        """Return the effective number of units with each of some tags, within a slice of images; float64 (tags,).

        Args:
            member: bool (images,), marks the images of a slice.
            tags: int64, columns of the ground truth.
        """
        inside = self.truth.values[:, tags].multiply(member[:, None])
        return self.effective_units(csc_array(inside, dtype=np.float64))

    def ap_effects(self, number: int) -> Floats:
        """Return the design effect of clusters on variance and bias of a model's AP; float64 (known,), 1 to `related`."""
        most = self.related[self.models[number].scored.truth_columns]
        return np.fmin(np.fmax(self.tallies.models[number].ap_effect, 1.0), most)


def _effective_number(sizes: csc_array) -> Floats:
    """Return (sum of m)^2 / sum of m^2 of each column; float64 (columns,), 0 for an empty column."""
    return np.nan_to_num(divide(np.asarray(sizes.sum(0), np.float64) ** 2, square_sums(sizes)))


def square_sums(matrix: csc_array) -> Floats:
    """Return the sum of squares of each column; float64 (columns,)."""
    return np.asarray(matrix.multiply(matrix).sum(0), np.float64)


def order_by_fold(truth: Truth) -> Truth:
    """Return the ground truth with its images ordered by fold, then identifier: the order of files has no effect."""
    folds = assign_folds(truth.groups or truth.image_ids)
    return truth.take(np.array(sorted(range(len(folds)), key=lambda row: (folds[row], truth.image_ids[row]))))


def run_passes(
    truth: Truth,
    models: Sequence[MatchedModel],
    compared: Integers,
    tag_slices: Sequence[TagSlice],
    image_slices: Sequence[ImageSlice],
    settings: Settings,
    advance: TagsDone,
) -> Measured:
    """Run both passes.

    Args:
        truth: ground truth, ordered by `order_by_fold` if there are resamples.
        models: the models.
        compared: int64, columns of the ground truth that are compared, ascending.
        tag_slices: slices of tags; the first must hold all compared tags.
        image_slices: slices of images.
        settings: settings of the evaluation.
        advance: called with the number of further tags that are done.
    """
    workers = settings.workers or os.cpu_count() or 1
    effective = [settings.counting.effective(one.own) for one in models]
    zero = settings.counting.effective(sweep_thresholds((*FINE_STEPS,)))
    sampling = _sampling(truth, tag_slices) if settings.replicates else None
    with threadpool_limits(1, user_api="blas"):  # blocks already run in threads
        sweeps = [np.unique(np.concatenate([zero, settings.counting.effective(one.shared)])) for one in models]
        own = [each[one.chosen[compared]] for each, one in zip(effective, models, strict=True)]
        inspector = _Inspector(compared, own, truth.weights)
        swept = [
            SweptModel(one.scored, sweep, thresholds, _is_compared(one, compared))
            for one, sweep, thresholds in zip(models, sweeps, effective, strict=True)
        ]
        inspect = inspector.look if sampling is not None else None
        tallies = tally_models(
            swept,
            truth.values,
            sampling=sampling,
            weights=truth.weights,
            known=truth.known,
            inspect=inspect,
            workers=workers,
            advance=advance,
        )
        uncertainty = None
        if sampling is not None:
            with ThreadPoolExecutor(_regime_workers(tallies.models[0], workers)) as pool:
                jobs = [
                    pool.submit(_regimes, one, found, compared, settings.counting)
                    for one, found in zip(models, tallies.models, strict=True)
                ]
                regimes = [job.result() for job in jobs]
            first = _FirstPass(truth, models, compared, sampling, regimes, inspector)
            uncertainty = _resample(first, image_slices, settings, workers, advance)
    return Measured(truth, list(models), compared, tallies, [one.own for one in tallies.models], uncertainty)


def _sampling(truth: Truth, tag_slices: Sequence[TagSlice]) -> Sampling:
    names = truth.groups or truth.image_ids
    groups = np.zeros((len(tag_slices), len(truth.tags)))
    for row, one in zip(groups, tag_slices, strict=True):
        row[one.tags] = 1
    return Sampling(assign_folds(names), resamples.resampling_units(names), groups)


def _is_compared(one: MatchedModel, compared: Integers) -> NDArray[np.bool_]:
    """Return which columns of a model are compared; bool (columns,)."""
    found = np.zeros(len(one.columns), np.bool_)
    found[one.chosen[compared]] = True
    return found


def _regime_workers(found: Tally, workers: int) -> int:
    """Return for how many models at a time thresholds are chosen: each needs three float32 matrices for every fold."""
    folds, steps, tags = found.tp.shape
    return max(1, min(workers, int(_REGIME_BYTES // max(1, 3 * 4 * (folds + 1) * steps * tags))))


def _regimes(one: MatchedModel, found: Tally, compared: Integers, convention: Convention) -> ModelRegimes:
    """Return the regimes of one model: its own thresholds and the cross-fitted ones."""
    is_compared = _is_compared(one, compared)
    category = np.unique(one.categories, return_inverse=True)[1].astype(np.int64)
    counts = FoldCounts(found.tp, found.fp, found.positives, found.all_images, is_compared, category)
    chosen = {name: counts.cross_fit(choice) for name, choice in THRESHOLD_CHOICES.items()}
    unshrunk = counts.cross_fit(partial(choose_by_tag, shrinkage=0.0))
    own = found.own.thresholds
    by_name = {"own": Regime(np.tile(own, (len(found.images), 1)), own, found.own)}
    for name, (by_fold, final) in chosen.items():
        by_name[name] = Regime(_at(found, by_fold), _at(found, final), counts.at(by_fold))
    return ModelRegimes(
        by_name, counts.macro_f1(unshrunk.by_fold), _cross_fit(found, counts, chosen, one.chosen[compared], convention)
    )


def _at(found: Tally, steps: Integers) -> NDArray[np.float32]:
    """Return the thresholds at some steps of the sweep, NaN at `UNREACHABLE`."""
    return np.where(steps == UNREACHABLE, np.float32(np.nan), found.thresholds[steps])


def _cross_fit(
    found: Tally, counts: FoldCounts, chosen: Mapping[str, Chosen], columns: Integers, convention: Convention
) -> ThresholdModel:
    """Return what the resamples choose thresholds on, over the compared tags."""
    tp, fp, positives = counts.tp[:, :, columns], counts.fp[:, :, columns], counts.positives[:, columns]
    all_compared = np.ones(len(columns), np.bool_)
    images = images_of(counts.images, columns)
    compared = FoldCounts(tp, fp, positives, images, all_compared, counts.categories[columns])
    steps = {name: one.by_fold[:, columns] for name, one in chosen.items()}
    return ThresholdModel(found.thresholds, compared, found.images, steps, convention)


def _compared_columns(models: Sequence[MatchedModel], compared: Integers) -> list[KnownColumns]:
    """Return the columns of the compared tags of each model; they are the tags of a ground truth of their own."""
    everyone, all_first = np.arange(len(compared)), np.ones(len(compared), np.bool_)
    return [
        KnownColumns(one.scored.matrix, one.columns[one.chosen[compared]], everyone, all_first, one.scored.place)
        for one in models
    ]


@dataclass(frozen=True)
class _FirstPass:
    """What the second pass takes from the first.

    Attributes:
        truth, models, compared: as in `Measured`.
        sampling: folds and units of the images.
        regimes: one per model.
        inspector: collects label issues and disagreements.
    """

    truth: Truth
    models: Sequence[MatchedModel]
    compared: Integers
    sampling: Sampling
    regimes: Sequence[ModelRegimes]
    inspector: "_Inspector"


def _resample(
    first: _FirstPass, image_slices: Sequence[ImageSlice], settings: Settings, workers: int, advance: TagsDone
) -> Uncertainty:
    """Run the second pass, over the compared tags."""
    truth, models, compared, inspector = first.truth, first.models, first.compared, first.inspector
    sampling, regimes = first.sampling, first.regimes
    chosen = [one.chosen[compared] for one in models]
    columns = _compared_columns(models, compared)
    thresholds = [
        np.stack([regime.by_fold[:, k] for regime in one.by_name.values()])
        for one, k in zip(regimes, chosen, strict=True)
    ]
    units = int(sampling.units.max()) + 1
    weights = resamples.draw_weights(units, settings.replicates, settings.seed)
    narrowed = Sampling(sampling.folds, sampling.units, sampling.groups[:, compared])
    plan = Plan(
        csc_array(truth.values[:, compared]), columns, thresholds, narrowed, weights, settings.counting,
        cross_fits=[one.cross_fit for one in regimes],
        clustered=truth.groups is not None and len(set(truth.groups)) < len(truth.groups),
        slices=[SliceRows(np.flatnonzero(one.member), one.member) for one in image_slices],
        min_positives=settings.min_positives, image_weights=truth.weights, partial=truth.known is not None,
    )  # fmt: skip
    known = None if truth.known is None else truth.known.columns(compared)
    resampler = Resampler(plan)

    def work(span: slice, blocks: list[ModelBlock]) -> BlockSums:
        decided = [bootstrap.predict_block(plan, number, span, block) for number, block in enumerate(blocks)]
        inspector.compare(span, block_labels(plan.truth, span), [one.own for one in decided], blocks)
        return resampler.block(span, decided, blocks)

    for done, part in over_blocks(columns, plan.truth.shape, work, workers, known):
        resampler.add(part)
        advance(done)
    resampled, suspects = resampler.result(), inspector.all_suspects()
    disagreements = inspector.all_disagreements()
    scores = inspector.scores_of(suspects, plan.truth.shape[0], len(models))
    return Uncertainty(
        sampling, weights, list(regimes), resampled, suspects, scores, inspector.suspected_fp, disagreements
    )


def _label_issues_of_known(
    scores: Sequence[NDArray[np.float32]], labels_of: NDArray[np.bool_], ascending: Sequence[NDArray[np.float32]], tag: int
) -> LabelIssues:  # fmt: skip
    """Return the label issues of a tag among the images where it is known; arguments as in `find_label_issues`."""
    known = np.flatnonzero(scores[0] >= 0)
    if len(known) == len(labels_of):
        return labels.find_label_issues(scores, labels_of, ascending=ascending, tag=tag)
    unknown = len(labels_of) - len(known)
    found = labels.find_label_issues(
        [one[known] for one in scores], labels_of[known], ascending=[one[unknown:] for one in ascending], tag=tag
    )
    return found._replace(image=known[found.image])


class _Inspector:
    """Collects single images: label issues, and images on which models disagree.

    Results are stored by tag, because threads finish in any order.
    """

    def __init__(self, compared: Integers, own: Sequence[NDArray[np.float32]], weights: Floats | None = None) -> None:
        """Prepare for the compared tags.

        Args:
            compared: int64, columns of the ground truth.
            own: for each model, float32 (compared,), its own threshold for each tag.
            weights: float64 (images,), weight of each image; None counts each image as 1.
        """
        self.own = own
        self.weights = weights
        self.place = {int(column): place for place, column in enumerate(compared)}
        self.suspects: dict[int, LabelIssues] = {}
        self.scores: dict[int, NDArray[np.float32]] = {}
        self.predicted: dict[int, Amounts] = {}
        self.disagreements: dict[int, Disagreements] = {}

    def look(self, column: int, ranked: list[RankedColumn], labels_of: NDArray[np.bool_]) -> None:
        """Find the label issues of a tag of the ground truth, and count those that each model predicts."""
        tag = self.place.get(column)
        if tag is None:
            return
        scores, ascending = [one.scores for one in ranked], [one.block.scores[one.row] for one in ranked]
        found = _label_issues_of_known(scores, labels_of, ascending, tag)
        counted = np.ones(len(found.image), np.int64) if self.weights is None else self.weights[found.image]
        self.predicted[tag] = np.array(
            [(one[found.image] >= own[tag]) @ counted for one, own in zip(scores, self.own, strict=True)]
        )
        kept = self.suspects[tag] = found.strongest(labels.LABEL_ISSUES_PER_TAG)
        self.scores[tag] = np.stack([one[kept.image] for one in scores], axis=1)

    def compare(
        self, span: slice, carried: NDArray[np.bool_], predicted: Sequence[Cells], blocks: Sequence[ModelBlock]
    ) -> None:
        """Find the images of a block of compared tags on which models disagree."""
        scores = [block.scores for block in blocks]
        self.disagreements[span.start] = find_disagreements(scores, predicted, carried, first_tag=span.start)

    def all_suspects(self) -> LabelIssues:
        """Return the label issues of all tags, ranked."""
        return labels.rank_label_issues(self.suspects[tag] for tag in sorted(self.suspects))

    @property
    def suspected_fp(self) -> Amounts:
        """Number of label issues that each model predicts, over all tags, or the sum of their weights; (models,)."""
        return np.asarray(np.sum([*self.predicted.values(), np.zeros(len(self.own), np.int64)], axis=0))

    def scores_of(self, found: LabelIssues, images: int, models: int) -> NDArray[np.float32]:
        """Return the score of each model for the label issues, in their order; float32 (suspects, models)."""
        by_tag = sorted(self.suspects)
        cells = np.concatenate([np.empty(0, np.int64), *(tag * images + self.suspects[tag].image for tag in by_tag)])
        scores = np.concatenate([np.empty((0, models), np.float32), *(self.scores[tag] for tag in by_tag)])
        order = np.argsort(cells)
        return scores[order[np.searchsorted(cells, found.tag * images + found.image, sorter=order)]]

    def all_disagreements(self) -> Disagreements:
        """Return the disagreements of all tags, in order of the tags."""
        return Disagreements.joined(self.disagreements[tag] for tag in sorted(self.disagreements))
