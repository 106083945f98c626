"""`arena score` with everything on, at JoyTag's scale: two models, 32,768 images, 5,813 tags, 1,000 resamples.

Usage: python scripts/bench_score.py [--folder build/score]

Draws truth and two taggers' scores once (`simulation/world.py`: supports as JoyTag's), then runs the command as a user would,
in a process of its own. Writes reports/benchmarks/score.{json,md}.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from simulation import world

FILES = ("truth.npz", "a.npz", "b.npz")


def write_files(folder: Path) -> None:
    """Truth and scores of two taggers of about JoyTag's quality."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    prevalence = np.minimum(world.joytag_supports() / world.JOYTAG_IMAGES, 0.6)
    taggers = [world.make_tagger(prevalence, rng), world.make_tagger(prevalence, rng, quality=3.95)]
    drawn = world.draw(prevalence, taggers, world.JOYTAG_IMAGES, rng)
    axes = {
        "tags": np.array([f"tag_{tag}" for tag in range(len(prevalence))]),
        "image_ids": np.array([f"{image:06d}" for image in range(world.JOYTAG_IMAGES)]),
    }
    for name, scores in zip(FILES[1:], drawn.scores, strict=True):
        np.savez(folder / name, scores=scores, **axes)  # type: ignore[arg-type]
    np.savez(folder / FILES[0], truth=np.ascontiguousarray(drawn.truth.toarray()), **axes)  # type: ignore[arg-type]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("build/score"))
    folder = parser.parse_args().folder
    if not all((folder / name).exists() for name in FILES):
        write_files(folder)
    run = folder / "run"
    command = [
        sys.executable, "-m", "arena", "score", "--scores", f"a={folder / 'a.npz'}", "--scores", f"b={folder / 'b.npz'}",
        "--truth", str(folder / "truth.npz"), "-t", "a=0.4", "-t", "b=0.4", "-o", str(run),
    ]  # fmt: skip
    start = time.perf_counter()
    subprocess.run(command, check=True)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    summary = json.loads((run / "summary.json").read_text())
    facts = {
        "images": summary["images"], "tags": summary["compared_tags"], "replicates": summary["replicates"],
        "seconds": seconds, "peak_gib": peak, "cores": os.cpu_count(), "processor": platform.machine(),
        "numpy": np.__version__,
    }  # fmt: skip
    regimes = list(summary["models"]["a"]["regimes"])
    lines = [
        f"# `arena score`: two models, {summary['images']:,} images, 5,813 tags, {os.cpu_count()} cores",
        "",
        "| | |", "| --- | --- |",
        f"| whole command, reading to reports | {seconds:.1f} s |",
        f"| peak memory | {peak:.2f} GiB |",
        f"| tags with {summary['min_positives']} positives or more | {summary['compared_tags']:,} |",
        f"| resamples | {summary['replicates']:,} |",
        f"| threshold regimes | {', '.join(regimes)} |",
        "",
        "With it: the sweep, cross-fitted thresholds, intervals of every aggregate and tag, exact tests of every tag, slices,",
        "calibration, precision at k, suspected labels, worst errors, confusions, the page and the text files.",
        "", "Made by `python scripts/bench_score.py`.",
    ]  # fmt: skip
    out = Path("reports/benchmarks")
    out.mkdir(parents=True, exist_ok=True)
    (out / "score.json").write_text(json.dumps(facts, indent=2) + "\n")
    (out / "score.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
