"""Time and memory to evaluate a million images by 6,000 tags in float16 from disk: counts, sweep and average precision.

Usage: python scripts/bench_million.py [--images 1000000] [--tags 6000] [--resamples 0] [--build build/million]

Writes a synthetic score store of 12 GB in shards, then evaluates it in its own process as `arena score --bootstrap 0` does
from the scores folder of a run. With resamples, the scores are read a second time for the intervals. Writes
reports/benchmarks/million.{json,md}.
"""

import json
import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from reporting import Options, in_own_process, peak_gib, write_report
from scipy.sparse import csc_array

from arena.cards import Thresholds
from arena.dataset.frozen import Truth
from arena.evaluate import Entry, Settings, evaluate
from arena.scores.store import STORE_SCHEMA, read_store

SHARD_ROWS = 20_000
CHECKED = 5
"""Number of tags whose average precision is checked with scikit-learn."""


def write_store(folder: Path, images: int, tags: int) -> None:
    """Write scores in shards, and labels; tags have from 30 positives to a twentieth of the images."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    prevalence = np.exp(rng.uniform(np.log(30 / images), np.log(1 / 20), tags))
    carrying = [np.sort(rng.choice(images, rng.poisson(share * images), replace=False)) for share in prevalence]
    np.savez(folder / "truth.npz", images=np.concatenate(carrying).astype(np.int32), sizes=list(map(len, carrying)))
    carried = np.concatenate(carrying)
    tag_of = np.repeat(np.arange(tags, dtype=np.int32), [len(some) for some in carrying])
    order = np.argsort(carried, kind="stable")
    carried, tag_of = carried[order], tag_of[order]
    base = (rng.random((SHARD_ROWS, tags), np.float32) ** 6).astype(np.float16)
    starts = range(0, images, SHARD_ROWS)
    for number, start in enumerate(starts):
        rows = min(SHARD_ROWS, images - start)
        scores = np.roll(base, (number * 397, number * 31), axis=(0, 1))[:rows]
        here = slice(*np.searchsorted(carried, [start, start + rows]))
        cells = carried[here] - start, tag_of[here]
        scores[cells] = (1 - scores[cells].astype(np.float32) ** 0.05).astype(np.float16)
        np.save(folder / f"{number:05d}.npy", scores)
        listed = {"image_ids": [f"{i:07d}" for i in range(start, start + rows)], "skipped": {}, "seconds": 0.0}
        (folder / f"{number:05d}.json").write_text(json.dumps(listed))
    names = {"names": [f"tag_{tag}" for tag in range(tags)], "categories": None, "counts": None}
    header = {"schema": STORE_SCHEMA, "key": "synthetic", "facts": {}, "shards": len(starts), "tags": names}
    (folder / "store.json").write_text(json.dumps(header))


def read_truth(folder: Path) -> Truth:
    """Return the ground truth in the folder of the store."""
    with np.load(folder / "truth.npz") as arrays:
        images, sizes = arrays["images"], arrays["sizes"]
    scores = read_store(folder)
    values = csc_array((np.ones(len(images), np.bool_), images, np.cumsum([0, *sizes])), shape=scores.values.shape)
    return Truth.of(scores.image_ids, scores.tags, values)


def measure(folder: Path, resamples: int) -> dict[str, float]:
    """Evaluate the store; call it in a fresh process, so that the peak memory is that of this work alone."""
    start = time.perf_counter()
    truth, scores = read_truth(folder), read_store(folder)
    read = time.perf_counter()
    entry = Entry("synthetic", "synthetic", scores, Thresholds(0.4), "option")
    result = evaluate(truth, [entry], Settings(replicates=resamples))
    own = result.summary["models"]["synthetic"]["regimes"]["own"]
    return {
        "seconds_reading_and_checking": read - start, "seconds_measuring": time.perf_counter() - read,
        "peak_gib": peak_gib(),
        "macro_f1": own["macro_f1"], "map": own["map"], "tags": own["tags"], "tag_sweep_rows": len(result.tag_sweep),
        "largest_difference_of_ap": check(result.per_tag, truth, scores),
    }  # fmt: skip


def check(per_tag: "object", truth: Truth, scores: "object") -> float:
    """Return the largest difference between AP and scikit-learn's AP over a few tags."""
    from sklearn.metrics import average_precision_score

    columns = np.linspace(0, len(truth.tags) - 1, CHECKED).astype(np.int64)
    values = scores.values.columns(columns, None).astype(np.float32)  # type: ignore[attr-defined]
    labels = truth.values[:, columns].toarray()
    theirs = [average_precision_score(labels[:, i], values[:, i]) for i in range(CHECKED)]
    return float(np.abs(per_tag["ap"].to_numpy()[columns] - theirs).max())  # type: ignore[index]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = Options(__doc__, build="million")
    parser.add_size("--images", 1_000_000, tiny=2_000)
    parser.add_size("--tags", 6_000, tiny=40)
    parser.add_size("--resamples", 0, tiny=5)
    options = parser.read(arguments)
    if not (options.build / "store.json").exists():
        write_store(options.build, options.images, options.tags)
    found = in_own_process(measure, options.build, options.resamples)
    size = sum(path.stat().st_size for path in options.build.glob("*.npy")) / 1e9
    facts = {
        "images": options.images, "tags": options.tags, "resamples": options.resamples, "gigabytes": size,
        "cores": os.cpu_count(), "processor": platform.machine(), "numpy": np.__version__, **found,
    }  # fmt: skip
    lines = [
        f"# {options.images:,} images x {options.tags:,} tags in float16 from disk ({size:.1f} GB), {os.cpu_count()} cores",
        "",
        "| | |", "| --- | --- |",
        f"| read and check every score | {found['seconds_reading_and_checking']:.0f} s |",
        f"| resamples for intervals | {options.resamples:,} |",
        f"| compute counts at every threshold, AP, calibration, intervals | {found['seconds_measuring']:.0f} s |",
        f"| peak memory | {found['peak_gib']:.2f} GiB |",
        f"| tags in the means | {found['tags']:,} |",
        f"| rows of the per-tag sweep | {found['tag_sweep_rows']:,} |",
        f"| largest difference of AP from scikit-learn's, {CHECKED} tags | {found['largest_difference_of_ap']:.1e} |",
        "",
        "Made by `python scripts/bench_million.py`.",
    ]  # fmt: skip
    write_report(options.out, "million", facts, lines)


if __name__ == "__main__":
    main()
