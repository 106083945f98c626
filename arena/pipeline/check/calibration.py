"""Compare the calibration of candidate and baseline from their scores, after one fitted shift and scale of the logits."""

from collections.abc import Mapping

import numpy as np

from arena.gate.decide import DifferenceInterval
from arena.gate.evidence import MetricPair
from arena.metrics.counts import Integers
from arena.metrics.recalibration import LogitCounts, bags_of, compare_calibration, count_logits
from arena.metrics.resamples import resampling_units
from arena.pipeline.paired import PairedEvaluation

BLOCK_BYTES = 32 << 20
"""Bytes of one model's scores that are counted at a time."""


def compare_joint(joint: PairedEvaluation) -> Mapping[str, MetricPair]:
    """Return the calibration error and the Brier score of both models over the compared tags; empty without common tags.

    The difference is candidate minus baseline, with a paired interval from resamples of images or of duplicate clusters.
    """
    candidate, baseline = _count(joint)
    if not candidate.cells.any():
        return {}
    settings = joint.settings
    found = compare_calibration(
        candidate=candidate, baseline=baseline, replicates=settings.replicates, seed=settings.seed
    )
    return {
        name: MetricPair(
            name, one.candidate, one.baseline,
            DifferenceInterval(one.candidate - one.baseline, float(one.interval.low), float(one.interval.high)),
        )
        for name, one in found.items()
    }  # fmt: skip


def _count(joint: PairedEvaluation) -> tuple[LogitCounts, LogitCounts]:
    """Return the counts of candidate and baseline over the compared tags, a block of tags at a time."""
    pair, truth = joint.pair, joint.ground.truth
    row = {image_id: place for place, image_id in enumerate(truth.image_ids)}
    rows = np.array([row[image_id] for image_id in pair.image_ids], np.int64)
    units = np.arange(len(row)) if truth.groups is None else resampling_units(truth.groups)
    bags = bags_of(units[rows])
    number = int(bags.max(initial=-1)) + 1
    columns = _truth_columns(joint)
    nothing = np.zeros((0, 0), np.float32)
    totals = [count_logits(nothing, nothing.astype(bool), bags[:0], max(number, 1))] * 2
    step = max(1, BLOCK_BYTES // max(1, 4 * len(rows)))
    for start in range(0, len(columns), step):
        some = columns[start : start + step]
        kept = some >= 0
        if not kept.any():
            continue
        labels = truth.values[:, some[kept]].toarray()[rows]
        known = None if truth.known is None else truth.known.columns(some[kept]).rows(rows)
        values = pair.values(columns=slice(start, start + step))
        for side, scores in enumerate((values.b, values.a)):
            counted = count_logits(scores[:, kept], labels, bags, number, known)
            totals[side] = LogitCounts(*map(np.add, totals[side], counted))
    return totals[0], totals[1]


def _truth_columns(joint: PairedEvaluation) -> Integers:
    """Return the column of the truth for each tag of the pair; -1 for a tag that is not compared."""
    table = joint.result.tags_of(joint.baseline.name)
    compared = table[table["compared"]]
    truth_tag = dict(zip(compared["tag"], compared["truth_tag"], strict=True))
    column = {name: place for place, name in enumerate(joint.ground.truth.tags.names)}
    return np.array([column[truth_tag[tag]] if tag in truth_tag else -1 for tag in joint.pair.tags], np.int64)
