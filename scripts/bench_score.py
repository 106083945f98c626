"""`arena score` with everything on, at JoyTag's scale: two models, 32,768 images, 5,813 tags, 1,000 resamples.

Usage: python scripts/bench_score.py [--build build/score] [--rounds 3] [--tiny]

Draws truth and two taggers' scores once (`simulation/world.py`: supports as JoyTag's), then runs the command as a user would,
each time in a process of its own. Writes reports/benchmarks/score.{json,md}.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from reporting import Options, arena_peak_gib, in_own_process, machine_facts, machine_line, take_turns, write_report
from simulation import world


def write_files(folder: Path, images: int, tags: int) -> None:
    """Truth and scores of two taggers of about JoyTag's quality; the truth is written last."""
    rng = np.random.default_rng(0)
    supports = world.joytag_supports()[:tags]
    prevalence = np.minimum(supports / world.JOYTAG_IMAGES, 0.6)
    taggers = [world.make_tagger(prevalence, rng, quality=quality) for quality in (3.9, 3.95)]
    drawn = world.draw(prevalence, taggers, images, rng)
    world.write_npz(folder, dict(zip("ab", drawn.scores, strict=True)), drawn.truth)


def score(folder: Path) -> float:
    """Run the command; return its peak memory, GiB."""
    scores = [part for name in "ab" for part in ("--scores", f"{name}={folder / name}.npz", "-t", f"{name}=0.4")]
    return arena_peak_gib("score", *scores, "--truth", folder / "truth.npz", "-o", folder / "run")


def report(summary: Mapping[str, Any], facts: Mapping[str, Any]) -> list[str]:
    """What the command took, and what it did."""
    return [
        f"# `arena score`: two models, {summary['images']:,} images, {facts['all_tags']:,} tags",
        "",
        "| | |", "| --- | --- |",
        f"| whole command, reading to reports: median of {len(facts['timings']['rounds'])} runs | {facts['seconds']:.1f} s |",
        f"| CPU seconds | {facts['timings']['cpu_s']:.1f} s |",
        f"| peak memory | {facts['peak_gib']:.2f} GiB |",
        f"| tags with {summary['min_positives']} positives or more | {summary['compared_tags']:,} |",
        f"| resamples | {summary['replicates']:,} |",
        f"| threshold regimes | {', '.join(summary['models']['a']['regimes'])} |",
        "",
        "With it: the sweep, cross-fitted thresholds, intervals of every aggregate and tag, exact tests of every tag, slices,",
        "calibration, precision at k, suspected labels, worst errors, confusions, the page and the text files.",
        "", machine_line(facts), "Made by `python scripts/bench_score.py`.",
    ]  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    options = Options(__doc__, build="score")
    options.add_size("--images", world.JOYTAG_IMAGES, tiny=300)
    options.add_size("--tags", len(world.joytag_supports()), tiny=30)
    options.add_size("--rounds", 3, tiny=1)
    given = options.read(arguments)
    if not (given.build / "truth.npz").exists():
        in_own_process(write_files, given.build, given.images, given.tags)  # so that this process stays small
    found = take_turns({"arena score": lambda: score(given.build)}, given.rounds)["arena score"]
    summary = json.loads((given.build / "run/summary.json").read_text(encoding="utf-8"))
    facts = {
        "images": summary["images"], "tags": summary["compared_tags"], "all_tags": given.tags,
        "replicates": summary["replicates"], "seconds": found.median.wall_s, "timings": found.facts(),
        "peak_gib": found.result, **machine_facts("numpy"),
    }  # fmt: skip
    write_report(given.out, "score", facts, report(summary, facts))


if __name__ == "__main__":
    main()
