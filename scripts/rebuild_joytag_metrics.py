"""Rebuild JoyTag's published `full-metrics.txt` with `arena score`, from scores that have the published counts.

Usage: python scripts/rebuild_joytag_metrics.py tests/data/joytag/full-metrics.txt [--build build/joytag-metrics]

Every tag gets random scores such that its true and false positives and negatives at threshold 0.4 are the published ones. The
written file must equal the published one byte for byte. Prints time and peak memory.
"""

import json
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from reporting import Options, arena_peak_gib

THRESHOLD = np.float32(0.4)
BLOCK = re.compile(
    r"Tag: (?P<tag>.*) \((?P<index>\d+)\) \(cnt: (?P<cnt>\d+)\)\nPrecision: .*\nRecall: .*\nF1: .*\n"
    r"TP: (?P<tp>\d+), TN: (?P<tn>\d+), FP: (?P<fp>\d+), FN: (?P<fn>\d+)\n"
)


@dataclass(frozen=True)
class Published:
    """One block of the published file."""

    tag: str
    index: int
    count: int
    tp: int
    tn: int
    fp: int
    fn: int


def read_published(path: Path) -> list[Published]:
    """Return all blocks of the file, in the order of the model's tag list."""
    blocks = BLOCK.finditer(path.read_text(encoding="utf-8"))
    rows = [Published(b["tag"], *(int(b[key]) for key in ("index", "cnt", "tp", "tn", "fp", "fn"))) for b in blocks]
    return sorted(rows, key=lambda row: row.index)


def write_inputs(rows: list[Published], folder: Path, seed: int = 0) -> None:
    """Write `scores.npz` and `truth.npz`, with their images in different orders."""
    rng = np.random.default_rng(seed)
    images = rows[0].tp + rows[0].tn + rows[0].fp + rows[0].fn
    scores = np.empty((images, len(rows)), np.float32)
    truth = np.zeros((images, len(rows)), bool)
    for column, row in enumerate(rows):
        order = rng.permutation(images)
        predicted, missed = order[: row.tp + row.fp], order[row.tp + row.fp : row.tp + row.fp + row.fn]
        scores[:, column] = rng.random(images, np.float32) * (THRESHOLD - np.float32(1e-3))
        scores[predicted, column] = THRESHOLD + rng.random(len(predicted), np.float32) * (1 - THRESHOLD)
        truth[predicted[: row.tp], column] = truth[missed, column] = True
    image_ids = np.array([f"post_{i}" for i in range(images)])
    tags = np.array([row.tag for row in rows])
    counts = np.array([row.count for row in rows])
    np.savez(folder / "scores.npz", scores=scores.clip(0, 1), tags=tags, image_ids=image_ids, tag_counts=counts)
    shuffled = rng.permutation(images)
    np.savez(folder / "truth.npz", truth=truth[shuffled], tags=tags, image_ids=image_ids[shuffled])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = Options(__doc__, build="joytag-metrics")
    parser.add_argument("published", type=Path)
    parser.add_size("--bootstrap", 1_000, tiny=0, help="resamples")
    options = parser.read(arguments)
    if not (options.build / "truth.npz").exists():
        write_inputs(read_published(options.published), options.build)
    files = ("--scores", f"joytag={options.build / 'scores.npz'}", "--truth", options.build / "truth.npz")
    rules = (
        "--threshold",
        "joytag=0.4",
        "--min-positives",
        0,
        "--convention",
        "joytag",
        "--bootstrap",
        options.bootstrap,
    )
    start = time.perf_counter()
    peak = arena_peak_gib("score", *files, *rules, "-o", options.build / "run")
    seconds = time.perf_counter() - start
    own = json.loads((options.build / "run/summary.json").read_text())["models"]["joytag"]["regimes"]["own"]
    equal = (options.build / "run/full-metrics/joytag.txt").read_bytes() == options.published.read_bytes()
    print(f"byte for byte equal: {equal}; macro F1 {own['macro_f1']:.6f}, micro F1 {own['micro_f1']:.6f}")
    print(f"{seconds:.1f} s, peak {peak:.2f} GiB")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
