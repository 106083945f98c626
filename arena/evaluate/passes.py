"""The passes over scores and truth: rankings and counts first, then thresholds, then decisions, resamples and errors."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array
from threadpoolctl import threadpool_limits

from arena.evaluate.matching import Matched
from arena.evaluate.mistakes import Disagreements, find_disagreements
from arena.evaluate.settings import Advance, Settings
from arena.evaluate.slices import ImageSlice, TagSlice
from arena.heldout.dataset import Truth
from arena.metrics import bootstrap, labels, ranking
from arena.metrics.bootstrap import Part, Plan, Resampled, Resampler, SliceRows
from arena.metrics.counts import TagCounts
from arena.metrics.labels import Suspects
from arena.metrics.tally import Block, Sampling, Scored, Tallies, Tally, over_blocks, tally
from arena.metrics.thresholds import CHOICES, FoldCounts, Shrunk, assign_folds, cross_fit_tags, sweep_thresholds

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

FINE_STEPS = (0.001, 0.002, 0.005, 0.995, 0.998, 0.999)
"""Thresholds between the ends of the sweep and its next step, where some tags have their best one."""


@dataclass(frozen=True)
class Regime:
    """One model's thresholds under one rule.

    Attributes:
        by_fold: float32 (folds, known), as used: chosen on the other folds, except a vendor's own.
        final: float32 (known,), for production: chosen on all images.
        counts: of each known tag, all folds summed, each at its own thresholds.
    """

    by_fold: NDArray[np.float32]
    final: NDArray[np.float32]
    counts: TagCounts


class Regimes(NamedTuple):
    """One model's regimes."""

    by_name: dict[str, Regime]
    shrunk: Shrunk


class Cleaned(NamedTuple):
    """Own counts and AP of one model without the cells whose labels are suspected; (compared tags,)."""

    counts: TagCounts
    average_precision: Floats


@dataclass(frozen=True)
class Uncertainty:
    """What is known beyond plain figures.

    Attributes:
        sampling: folds, units and the groups of tags, over all tags of the truth.
        weights: of the resamples, float32 (units, replicates).
        regimes: one a model.
        resampled: over the compared tags.
        suspects: likely wrong labels of compared tags; `tag` counts compared tags.
        cleaned: one a model.
        disagreements: images where one model is right and another wrong.
    """

    sampling: Sampling
    weights: NDArray[np.float32]
    regimes: list[Regimes]
    resampled: Resampled
    suspects: Suspects
    cleaned: list[Cleaned]
    disagreements: Disagreements


@dataclass(frozen=True)
class Measured:
    """All numbers of a comparison, in arrays.

    Attributes:
        truth: its rows in the order of the folds.
        compared: int64, the truth's columns that are compared, ascending.
        own: one a model, at its own thresholds; (known,).
    """

    truth: Truth
    models: list[Matched]
    compared: Integers
    tallies: Tallies
    own: list[TagCounts]
    uncertainty: Uncertainty | None


def order_by_fold(truth: Truth) -> Truth:
    """The images, those of a fold together."""
    folds = assign_folds(truth.groups or truth.image_ids)
    return truth.take(np.argsort(folds, kind="stable"))


def measure(
    truth: Truth,
    models: Sequence[Matched],
    compared: Integers,
    tag_slices: Sequence[TagSlice],
    image_slices: Sequence[ImageSlice],
    settings: Settings,
    advance: Advance,
) -> Measured:
    """Run the passes; the first slice of tags is all compared ones."""
    workers = settings.workers or os.cpu_count() or 1
    effective = [settings.counting.effective(one.own) for one in models]
    zero = settings.counting.effective(sweep_thresholds((*FINE_STEPS,)))
    sweeps = [np.unique(np.concatenate([zero, own])) for own in effective]
    sampling = _sampling(truth, tag_slices) if settings.replicates else None
    with threadpool_limits(1, user_api="blas"):  # the blocks are the threads
        tallies = tally(
            [one.scored for one in models], truth.values, sweeps, sampling=sampling, workers=workers, advance=advance
        )
        own = [one.counts.at(thresholds) for one, thresholds in zip(tallies.models, effective, strict=True)]
        uncertainty = None
        if sampling is not None:
            with ThreadPoolExecutor(workers) as pool:
                jobs = [
                    pool.submit(_regimes, one, found, thresholds, compared)
                    for one, found, thresholds in zip(models, tallies.models, effective, strict=True)
                ]
                regimes = [job.result() for job in jobs]
            uncertainty = _resample(
                truth, models, compared, image_slices, settings, sampling, regimes, tallies.models, workers, advance
            )
    return Measured(truth, list(models), compared, tallies, own, uncertainty)


def _sampling(truth: Truth, tag_slices: Sequence[TagSlice]) -> Sampling:
    names = truth.groups or truth.image_ids
    groups = np.zeros((len(tag_slices), len(truth.tags)))
    for row, one in zip(groups, tag_slices, strict=True):
        row[one.tags] = 1
    return Sampling(assign_folds(names), bootstrap.units_of(names), groups)


def _regimes(one: Matched, found: Tally, own: NDArray[np.float32], compared: Integers) -> Regimes:
    """The vendor's thresholds and the cross-fitted ones."""
    is_compared = np.zeros(len(one.columns), np.bool_)
    is_compared[one.chosen[compared]] = True
    category = np.unique(one.categories, return_inverse=True)[1].astype(np.int64)
    images = int(found.images.sum())
    counts = FoldCounts(found.tp, found.fp, found.positives, images, is_compared, category)
    own_steps = np.searchsorted(found.thresholds, own)
    shrunk = cross_fit_tags(counts)
    chosen = {name: counts.cross_fit(choice) for name, choice in CHOICES.items()} | {"tag": shrunk.chosen}
    by_name = {
        "own": Regime(np.tile(own, (len(found.images), 1)), own, counts.at(np.tile(own_steps, (len(found.images), 1))))
    }
    for name, (by_fold, final) in chosen.items():
        by_name[name] = Regime(found.thresholds[by_fold], found.thresholds[final], counts.at(by_fold))
    return Regimes(by_name, shrunk)


def _resample(
    truth: Truth,
    models: Sequence[Matched],
    compared: Integers,
    image_slices: Sequence[ImageSlice],
    settings: Settings,
    sampling: Sampling,
    regimes: Sequence[Regimes],
    tallies: Sequence[Tally],
    workers: int,
    advance: Advance,
) -> Uncertainty:
    """The second pass, over the compared tags."""
    chosen = [one.chosen[compared] for one in models]
    everyone = np.arange(len(compared))
    columns = [
        Scored(one.scored.matrix, one.columns[k], everyone, np.ones(len(k), np.bool_), one.scored.place)
        for one, k in zip(models, chosen, strict=True)
    ]
    thresholds = [
        np.stack([regime.by_fold[:, k] for regime in one.by_name.values()])
        for one, k in zip(regimes, chosen, strict=True)
    ]
    units = int(sampling.units.max()) + 1
    weights = bootstrap.draw_weights(units, settings.replicates, settings.seed)
    narrowed = Sampling(sampling.folds, sampling.units, sampling.groups[:, compared])
    plan = Plan(
        csc_array(truth.values[:, compared]), columns, thresholds, narrowed, weights, settings.counting,
        clustered=truth.groups is not None and len(set(truth.groups)) < len(truth.groups),
        slices=[SliceRows(np.flatnonzero(one.member), one.member) for one in image_slices],
    )  # fmt: skip
    average_precision = [one.average_precision[k] for one, k in zip(tallies, chosen, strict=True)]
    resampler, inspector = Resampler(plan), _Inspector(plan, average_precision)

    def work(span: slice, blocks: list[Block]) -> tuple[Part, _Inspected]:
        decided = [bootstrap.decide(plan, number, span, block) for number, block in enumerate(blocks)]
        return resampler.block(span, decided, blocks), inspector.block(span, decided, blocks)

    for done, (part, inspected) in over_blocks(columns, plan.truth.shape, work, workers):
        resampler.add(part)
        inspector.add(inspected)
        advance(done)
    suspects = labels.rank_suspects(inspector.suspects)
    disagreements = Disagreements.joined(inspector.disagreements)
    cleaned = inspector.cleaned()
    return Uncertainty(sampling, weights, list(regimes), resampler.result(), suspects, cleaned, disagreements)


class _Inspected(NamedTuple):
    suspects: list[Suspects]
    disagreements: list[Disagreements]


class _Inspector:
    """Looks at single images: labels that no model believes, and images on which models disagree."""

    def __init__(self, plan: Plan, average_precision: Sequence[Floats]) -> None:
        tags = plan.truth.shape[1]
        self.plan = plan
        self.suspects: list[Suspects] = []
        self.disagreements: list[Disagreements] = []
        self.counts = [np.zeros((3, tags), np.int64) for _ in plan.models]
        self.ap = [one.copy() for one in average_precision]

    def block(self, span: slice, decided: Sequence[Sequence[NDArray[np.bool_]]], blocks: Sequence[Block]) -> _Inspected:
        """Of one block; fills in the counts without suspected cells."""
        truth = self.plan.truth
        found = _Inspected([], [])
        for row, tag in enumerate(range(span.start, span.stop)):
            labels_of = np.zeros(truth.shape[0], np.bool_)
            labels_of[truth.indices[truth.indptr[tag] : truth.indptr[tag + 1]]] = True
            scores = [block.scores[row] for block in blocks]
            predicted = [one[0][row] for one in decided]
            suspects = labels.find_suspects(scores, labels_of, tag=tag)
            found.suspects.append(suspects)
            found.disagreements.extend(find_disagreements(scores, predicted, labels_of, tag=tag))
            kept = np.ones(len(labels_of), np.bool_)
            kept[suspects.image] = False
            for number, (one, decision) in enumerate(zip(scores, predicted, strict=True)):
                self._leave_out(number, tag, one, decision, labels_of, kept)
        return found

    def _leave_out(
        self, number: int, tag: int, scores: NDArray[np.float32], predicted: NDArray[np.bool_],
        labels_of: NDArray[np.bool_], kept: NDArray[np.bool_],
    ) -> None:  # fmt: skip
        """One model's counts and AP of a tag on the cells that are kept."""
        hits = labels_of & kept
        tp, predictions = np.count_nonzero(predicted & hits), np.count_nonzero(predicted & kept)
        self.counts[number][:, tag] = tp, predictions - tp, np.count_nonzero(hits)
        if not kept.all():
            self.ap[number][tag] = ranking.average_precision(ranking.sort_column(scores[kept], labels_of[kept]))

    def add(self, found: _Inspected) -> None:
        """Take up the next block's finds."""
        self.suspects.extend(found.suspects)
        self.disagreements.extend(found.disagreements)

    def cleaned(self) -> list[Cleaned]:
        """Of each model, after the last block."""
        images = self.plan.truth.shape[0]
        thresholds = [one[0, 0] for one in self.plan.thresholds]
        return [
            Cleaned(TagCounts(threshold, counts[0], counts[1], counts[2], images), ap)
            for threshold, counts, ap in zip(thresholds, self.counts, self.ap, strict=True)
        ]
