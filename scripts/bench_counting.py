"""Counting at JoyTag's scale against JoyTag's own calculation, side by side in one run on the same arrays.

Usage: python scripts/bench_counting.py [--images 32768] [--tags 5813]

The peer is what JoyTag's validation arena computes: true and false positives, precision, recall and F1 at one threshold by
torch, and average precision tag by tag by scikit-learn. Ours are the same figures from one sort a tag, with counts at 101
thresholds. Writes reports/benchmarks/counting.{json,md}.
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import sklearn
import torch
from simulation.world import JOYTAG_IMAGES, joytag_supports
from sklearn.metrics import average_precision_score

from arena.dataset.frozen import Truth
from arena.metrics.blocks import Scored
from arena.metrics.counts import joytag_ratios, macro
from arena.metrics.tally import tally
from arena.metrics.thresholds import sweep_thresholds
from arena.scores.matrix import Matrix
from arena.tags import TagSpace

THRESHOLD = 0.4
JOYTAG_TAGS = 5_813
EPSILON = 1e-8


class Figures(NamedTuple):
    """Macro precision, recall, F1, and mAP."""

    precision: float
    recall: float
    f1: float
    mean_average_precision: float


def make_arrays(images: int, tags: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores and truth; supports as in JoyTag's published figures."""
    rng = np.random.default_rng(0)
    supports = np.sort(joytag_supports())[np.linspace(0, JOYTAG_TAGS - 1, tags).astype(int)]
    truth = np.empty((images, tags), np.bool_)
    scores = rng.random((images, tags), np.float32) ** 4
    for start in range(0, images, 1024):
        part = slice(start, start + 1024)
        truth[part] = rng.random((len(truth[part]), tags), np.float32) < supports / JOYTAG_IMAGES
    scores[truth] = 1 - scores[truth] ** 0.5
    return scores, truth


def peer(scores: np.ndarray, truth: np.ndarray) -> Figures:
    """JoyTag's calculation."""
    predicted, labels = torch.from_numpy(scores) >= THRESHOLD, torch.from_numpy(truth)
    tp = (predicted & labels).sum(0).float()
    fp = (predicted & ~labels).sum(0).float()
    fn = (~predicted & labels).sum(0).float()
    precision, recall = tp / (tp + fp + EPSILON), tp / (tp + fn + EPSILON)
    f1 = 2 * precision * recall / (precision + recall + EPSILON)
    ap = [average_precision_score(truth[:, tag], scores[:, tag]) for tag in range(scores.shape[1])]
    return Figures(precision.mean().item(), recall.mean().item(), f1.mean().item(), float(np.mean(ap)))


def ours(scores: np.ndarray, truth: np.ndarray) -> Figures:
    """The same figures, with the whole sweep."""
    names = TagSpace(tuple(map(str, range(truth.shape[1]))))
    carried = Truth.of(tuple(map(str, range(len(truth)))), names, truth).values
    columns = np.arange(truth.shape[1])
    scored = Scored(Matrix.of(scores), columns, columns, np.ones(len(columns), np.bool_))
    thresholds = sweep_thresholds()
    [found], _ = tally([scored], carried, [thresholds], everything=False, workers=os.cpu_count() or 1)
    at = joytag_ratios(found.counts.row(int(np.searchsorted(thresholds, np.float32(THRESHOLD)))))
    return Figures(*(macro(column).value for column in at), macro(found.average_precision).value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=32_768)
    parser.add_argument("--tags", type=int, default=JOYTAG_TAGS)
    arguments = parser.parse_args()
    scores, truth = make_arrays(arguments.images, arguments.tags)
    seconds, figures = {}, {}
    for name, function in (("arena", ours), ("JoyTag's calculation", peer)):
        start = time.perf_counter()
        figures[name] = function(scores, truth)
        seconds[name] = time.perf_counter() - start
    largest = max(abs(a - b) for a, b in zip(*figures.values(), strict=True))
    ratio = seconds["JoyTag's calculation"] / seconds["arena"]
    facts = {
        "images": arguments.images, "tags": arguments.tags, "seconds": seconds, "ratio": ratio,
        "largest_difference": largest, "cores": os.cpu_count(), "processor": platform.machine(),
        "numpy": np.__version__, "torch": torch.__version__, "scikit-learn": sklearn.__version__,
    }  # fmt: skip
    lines = [
        f"# Counting {arguments.images:,} images x {arguments.tags:,} tags, {os.cpu_count()} cores",
        "",
        "| | seconds | macro F1 | mAP |",
        "| --- | --- | --- | --- |",
        *(f"| {n} | {seconds[n]:.2f} | {f.f1:.6f} | {f.mean_average_precision:.6f} |" for n, f in figures.items()),
        "",
        f"{ratio:.1f} times faster, with 101 thresholds instead of one; largest difference of a figure {largest:.1e}.",
        "Made by `python scripts/bench_counting.py`.",
    ]
    out = Path("reports/benchmarks")
    out.mkdir(parents=True, exist_ok=True)
    (out / "counting.json").write_text(json.dumps(facts, indent=2) + "\n")
    (out / "counting.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
