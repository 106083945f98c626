"""Time and memory of `arena score` with all outputs at JoyTag's scale: two models, 32,768 images, 5,813 tags, 1,000 resamples.

Usage: python scripts/bench_score.py [--build build/score] [--rounds 3] [--tiny]

Simulates labels and the scores of two taggers once (`simulation/world.py`: JoyTag's supports), then runs the command as a user
would, each time in its own process. Writes reports/benchmarks/score.{json,md}.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from reporting import Options, arena_peak_gib, in_own_process, machine_facts, machine_line, take_turns, write_report
from simulation import world


def write_files(folder: Path, images: int, tags: int) -> None:
    """Write the scores of two taggers of about JoyTag's quality, then the labels."""
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
    """Return the report as lines of Markdown."""
    return [
        f"# `arena score`: two models, {summary['images']:,} images, {facts['all_tags']:,} tags",
        "",
        "| | |", "| --- | --- |",
        f"| whole command, input to reports: median of {len(facts['timings']['rounds'])} runs | {facts['seconds']:.1f} s |",
        f"| CPU seconds | {facts['timings']['cpu_s']:.1f} s |",
        f"| peak memory | {facts['peak_gib']:.2f} GiB |",
        f"| tags with {summary['min_positives']} positives or more | {summary['compared_tags']:,} |",
        f"| resamples | {summary['replicates']:,} |",
        f"| threshold regimes | {', '.join(summary['models']['a']['regimes'])} |",
        "",
        "Included: the sweep, cross-fitted thresholds, intervals of every aggregate and tag, exact tests of every tag, slices,",
        "calibration, precision at k, label issues, worst errors, confusions, the page and the text files.",
        "", machine_line(facts), "Made by `python scripts/bench_score.py`.",
    ]  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    parser = Options(__doc__, build="score")
    parser.add_size("--images", world.JOYTAG_IMAGES, tiny=8_000)
    parser.add_size("--tags", len(world.joytag_supports()), tiny=30)
    parser.add_size("--rounds", 3, tiny=1)
    options = parser.read(arguments)
    if not (options.build / "truth.npz").exists():
        in_own_process(
            write_files, options.build, options.images, options.tags
        )  # keeps the memory of this process small
    found = take_turns({"arena score": lambda: score(options.build)}, options.rounds)["arena score"]
    summary = json.loads((options.build / "run/summary.json").read_text(encoding="utf-8"))
    facts = {
        "images": summary["images"], "tags": summary["compared_tags"], "all_tags": options.tags,
        "replicates": summary["replicates"], "seconds": found.median.wall_s, "timings": found.facts(),
        "peak_gib": found.result, **machine_facts("numpy"),
    }  # fmt: skip
    write_report(options.out, "score", facts, report(summary, facts))


if __name__ == "__main__":
    main()
