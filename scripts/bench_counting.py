"""Counting at JoyTag's scale, compared with JoyTag's own calculation on the same arrays in one run.

Usage: python scripts/bench_counting.py [--images 32768] [--tags 5813] [--rounds 3] [--tiny]

The reference computes what JoyTag's validation arena computes: true and false positives, precision, recall and F1 at one
threshold with torch, and average precision of each tag with scikit-learn. Arena computes the same metrics from one sort per
tag, with counts at 101 thresholds. Writes reports/benchmarks/counting.{json,md}.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from reporting import Options, Rounds, machine_facts, machine_line, take_turns, write_report
from simulation.world import JOYTAG_IMAGES, joytag_supports
from sklearn.metrics import average_precision_score

from arena.dataset.frozen import Truth
from arena.metrics.blocks import KnownColumns
from arena.metrics.counts import joytag_ratios, macro
from arena.metrics.tally import SweptModel, tally_models
from arena.metrics.thresholds import sweep_thresholds
from arena.scores.matrix import Matrix
from arena.tags import TagSpace

THRESHOLD = np.float32(0.4)
JOYTAG_TAGS = 5_813
EPSILON = 1e-8

AGREEMENT = 1e-6
"""Largest allowed difference of a metric between both calculations; the reference computes in float32."""


class Figures(NamedTuple):
    """Macro precision, recall, F1, and mAP."""

    precision: float
    recall: float
    f1: float
    mean_average_precision: float


def make_arrays(images: int, tags: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return scores and labels, (images, tags); supports are spread as in JoyTag's published metrics."""
    rng = np.random.default_rng(0)
    supports = np.sort(joytag_supports())[np.linspace(0, JOYTAG_TAGS - 1, tags).astype(int)]
    truth = np.empty((images, tags), np.bool_)
    scores = rng.random((images, tags), np.float32) ** 4
    for start in range(0, images, 1024):
        part = slice(start, start + 1024)
        truth[part] = rng.random((len(truth[part]), tags), np.float32) < supports / JOYTAG_IMAGES
    truth[rng.integers(0, images, tags), np.arange(tags)] = (
        True  # without a positive AP is 0 in the reference, and undefined in arena
    )
    scores[truth] = 1 - scores[truth] ** 0.5
    return scores, truth


def peer(scores: NDArray[np.float32], truth: NDArray[np.bool_]) -> Figures:
    """Compute the metrics as JoyTag does."""
    predicted, labels = torch.from_numpy(scores) >= float(THRESHOLD), torch.from_numpy(truth)
    tp = (predicted & labels).sum(0).float()
    fp = (predicted & ~labels).sum(0).float()
    fn = (~predicted & labels).sum(0).float()
    precision, recall = tp / (tp + fp + EPSILON), tp / (tp + fn + EPSILON)
    f1 = 2 * precision * recall / (precision + recall + EPSILON)
    ap = [average_precision_score(truth[:, tag], scores[:, tag]) for tag in range(scores.shape[1])]
    return Figures(precision.mean().item(), recall.mean().item(), f1.mean().item(), float(np.mean(ap)))


def ours(scores: NDArray[np.float32], truth: NDArray[np.bool_]) -> Figures:
    """Compute the same metrics with arena, over the whole sweep."""
    names = TagSpace(tuple(map(str, range(truth.shape[1]))))
    carried = Truth.of(tuple(map(str, range(len(truth)))), names, truth).values
    columns = np.arange(truth.shape[1])
    scored = KnownColumns(Matrix.of(scores), columns, columns, np.ones(len(columns), np.bool_))
    thresholds = sweep_thresholds()
    own = np.full(len(columns), THRESHOLD)
    [found], _ = tally_models(
        [SweptModel(scored, thresholds, own)], carried, everything=False, workers=os.cpu_count() or 1
    )
    at = joytag_ratios(found.counts.row(int(np.searchsorted(thresholds, THRESHOLD))))
    precision, recall, f1 = (macro(column).value for column in (at.precision, at.recall, at.f1))
    return Figures(precision, recall, f1, macro(found.average_precision).value)


def report(found: Mapping[str, Rounds[Figures]], facts: Mapping[str, Any]) -> list[str]:
    """Return the report as lines of Markdown, one table row per contestant."""
    rows = [
        f"| {name} | {one.median.wall_s:.2f} | {one.median.cpu_s:.2f} | {one.result.f1:.6f} | "
        f"{one.result.mean_average_precision:.6f} |"
        for name, one in found.items()
    ]
    return [
        f"# Counting {facts['images']:,} images x {facts['tags']:,} tags",
        "",
        f"| median of {facts['rounds']} rounds | seconds | CPU seconds | macro F1 | mAP |",
        "| --- | --- | --- | --- | --- |",
        *rows,
        "",
        f"Arena is {facts['ratio']:.1f} times faster, with {facts['cpu_ratio']:.1f} times less CPU time, at 101 thresholds",
        f"instead of one. The largest difference of a metric is {facts['largest_difference']:.1e}.",
        "",
        machine_line(facts),
        "Made by `python scripts/bench_counting.py`.",
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = Options(__doc__)
    parser.add_size("--images", JOYTAG_IMAGES, tiny=500)
    parser.add_size("--tags", JOYTAG_TAGS, tiny=40)
    parser.add_size("--rounds", 3, tiny=2)
    options = parser.read(arguments)
    scores, truth = make_arrays(options.images, options.tags)
    contestants = {"arena": lambda: ours(scores, truth), "JoyTag's calculation": lambda: peer(scores, truth)}
    found = take_turns(contestants, options.rounds)
    mine, theirs = found.values()
    facts = {
        "images": options.images, "tags": options.tags, "rounds": options.rounds,
        "timings": {name: one.facts() for name, one in found.items()},
        "ratio": theirs.median.wall_s / mine.median.wall_s, "cpu_ratio": theirs.median.cpu_s / mine.median.cpu_s,
        "largest_difference": max(abs(a - b) for a, b in zip(mine.result, theirs.result, strict=True)),
        **machine_facts("numpy", "torch", "scikit-learn"),
    }  # fmt: skip
    if facts["largest_difference"] > AGREEMENT:
        raise SystemExit(f"the metrics differ by {facts['largest_difference']:.1e}; at most {AGREEMENT:.0e} is allowed")
    write_report(options.out, "counting", facts, report(found, facts))


if __name__ == "__main__":
    main()
