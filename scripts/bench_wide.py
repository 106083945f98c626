"""Time and memory of `arena score` with many models and tags but few images: ten models, 70,000 tags, 400 images.

Usage: python scripts/bench_wide.py [--models 10] [--tags 70000] [--images 400] [--build build/wide] [--tiny]

Simulates labels and the scores of taggers once (`simulation/world.py`), then runs the command as a user would, at a quarter of
the tags and at all tags, each time in its own process. Writes reports/benchmarks/wide.{json,md}.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from reporting import Options, arena_peak_gib, in_own_process, machine_facts, machine_line, timed, write_report
from simulation import world

RAREST, COMMONEST = 0.002, 0.3
"""Range of the share of images that have a tag; with 400 images, most tags have fewer than ten positives."""


def write_files(folder: Path, models: int, images: int, tags: int) -> None:
    """Write the scores of taggers of about equal quality, then the labels."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    prevalence = np.exp(rng.uniform(np.log(RAREST), np.log(COMMONEST), tags))
    taggers = [world.make_tagger(prevalence, rng, quality=3.5 + 0.05 * number) for number in range(models)]
    drawn = world.draw(prevalence, taggers, images, rng)
    world.write_npz(folder, dict(zip(names(models), drawn.scores, strict=True)), drawn.truth)


def names(models: int) -> list[str]:
    """Return the names of the models."""
    return [f"m{number}" for number in range(models)]


def score(folder: Path, models: int) -> float:
    """Run the command; return its peak memory, GiB."""
    scores = [
        part for name in names(models) for part in ("--scores", f"{name}={folder / name}.npz", "-t", f"{name}=0.4")
    ]
    run = folder / "run"
    return arena_peak_gib("score", *scores, "--truth", folder / "truth.npz", "-o", run, "--overwrite")


def measure(folder: Path, models: int, images: int, tags: int) -> dict[str, Any]:
    """Write the files of one size if they do not exist, and score them."""
    if not (folder / "truth.npz").exists():
        in_own_process(write_files, folder, models, images, tags)  # keeps the memory of this process small
    peak, timing = timed(lambda: score(folder, models))
    tables = {name: (folder / "run" / name).stat().st_size / 1e6 for name in ("thresholds.csv", "tag_sweep.parquet")}
    return {"tags": tags, "peak_gib": peak, **timing._asdict(), "megabytes": tables}


def report(facts: Mapping[str, Any]) -> list[str]:
    """Return the report as lines of Markdown."""
    lines = [
        f"# `arena score`: {facts['models']} models, {facts['images']:,} images, many tags",
        "",
        "| tags | wall s | CPU s | peak memory, GiB | thresholds.csv, MB | tag_sweep.parquet, MB |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for size in facts["sizes"]:
        megabytes = " | ".join(f"{value:.1f}" for value in size["megabytes"].values())
        lines.append(
            f"| {size['tags']:,} | {size['wall_s']:.0f} | {size['cpu_s']:.0f} | {size['peak_gib']:.2f} | {megabytes} |"
        )
    return [*lines, "", machine_line(facts), "Made by `python scripts/bench_wide.py`."]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = Options(__doc__, build="wide")
    parser.add_size("--models", 10, tiny=2)
    parser.add_size("--tags", 70_000, tiny=120)
    parser.add_size("--images", 400, tiny=100)
    options = parser.read(arguments)
    sizes = [
        measure(options.build / str(tags), options.models, options.images, tags)
        for tags in (options.tags // 4, options.tags)
    ]
    facts = {"models": options.models, "images": options.images, "sizes": sizes, **machine_facts("numpy", "pandas")}
    write_report(options.out, "wide", facts, report(facts))


if __name__ == "__main__":
    main()
