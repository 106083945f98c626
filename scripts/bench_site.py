"""Size of a site, and time and memory of a publish, as runs are added to it.

Usage: python scripts/bench_site.py [--build build/site] [--case 3x5813] [--runs 20] [--run FOLDER]

Simulates and scores one run as `bench_pages.py` does, and makes the others from it: counts of every tag are drawn again, AP and
differences are shifted. All but the last are published in one call, then the last one alone, then none. Writes
reports/benchmarks/site.{json,md}. An exceeded limit is marked, and the exit code is then 1.
"""

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from bench_pages import ALL_CASES, make_run
from reporting import Options, Timing, arena_peak_gib, machine_facts, machine_line, timed, write_report

from arena.base.files import digest_file, write_whole
from arena.metrics.counts import TagCounts
from arena.report.page.tag_block import derive_intervals, derive_metrics
from arena.results.written import FILES, RUN_FILE, run_file_text

LIMITS = {"mb": 150, "files": 500, "cpu_s": 5, "peak_mb": 400}
"""Largest size, number of files, CPU seconds and memory of a publish, for 20 runs of three taggers and 5,813 tags."""

LIMITED = ("3x5813", 20)
"""Case and number of runs that the limits are for."""

SPREAD = 0.01
"""Standard deviation of the shifts of AP and of differences."""


def vary(run: Path, number: int, to: Path) -> Path:
    """Write a run like another one with other metrics of its tags; return its folder."""
    if (to / RUN_FILE).exists():
        return to
    shutil.copytree(run, to, dirs_exist_ok=True, ignore=shutil.ignore_patterns("tag_sweep.parquet", "scores", RUN_FILE))
    rng = np.random.default_rng(number)
    content = json.loads((run / RUN_FILE).read_text())
    for name, change in (("per_tag.parquet", _other_tags), ("tag_differences.parquet", _other_differences)):
        change(pd.read_parquet(run / name), rng).to_parquet(to / name, index=False)
    names = [path.relative_to(to).as_posix() for path in sorted(to.rglob("*")) if path.is_file()]
    content[FILES] = {name: digest_file(to / name) for name in names}
    content["created"] = f"2026-01-{number + 1:02}T10:00:00+00:00"
    write_whole(to / RUN_FILE, run_file_text(content))
    return to


def _other_tags(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Draw true and false positives again, and compute what follows from them."""
    support = table["support"].to_numpy(np.int64)
    tp = rng.binomial(support, table["recall"].fillna(0).to_numpy(np.float64))
    fp = rng.poisson(table["fp"].to_numpy(np.float64))
    counts = TagCounts(
        table["threshold"].to_numpy(np.float32), tp, fp, support, int(table[["tp", "fp", "fn", "tn"]].iloc[0].sum())
    )
    table = table.assign(tp=tp, fp=fp, **derive_metrics(counts), **derive_intervals(counts))
    shift = rng.normal(0, SPREAD, len(table))
    return table.assign(**{name: (table[name] + shift).clip(0, 1) for name in ("ap", "ap_low", "ap_high")})


def _other_differences(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    shift = rng.normal(0, SPREAD, len(table))
    names = [f"{key}_{part}" for key in ("f1", "ap") for part in ("difference", "low", "high")]
    return table.assign(**{name: (table[name] + shift).clip(-1, 1) for name in names})


def publish(runs: Sequence[Path], site: Path) -> dict[str, Any]:
    """Publish runs; return the time and memory of the command, and the size of the site."""
    peak, timing = timed(lambda: arena_peak_gib("publish", *runs, "--to", site))
    files = [path for path in site.rglob("*") if path.is_file()]
    return {
        "runs": len(runs), "files": len(files), "mb": sum(path.stat().st_size for path in files) / 1e6,
        "peak_mb": peak * 2**30 / 1e6, **Timing(*timing)._asdict(),
    }  # fmt: skip


def measure(runs: Sequence[Path], site: Path) -> dict[str, Any]:
    """Publish all runs but the last at once, then the last, then none."""
    shutil.rmtree(site, ignore_errors=True)
    return {
        "all but the last at once": publish(runs[:-1], site),
        "one more run": publish(runs[-1:], site),
        "nothing new": publish([], site),
    }


def is_kept(report: dict[str, Any]) -> dict[str, bool]:
    """Return whether each limit is kept by a publish of one more run; empty for a case without limits."""
    if (report["case"], report["runs"]) != LIMITED:
        return {}
    found = report["publishes"]["one more run"]
    return {name: found[name] <= most for name, most in LIMITS.items()}


def as_markdown(report: dict[str, Any]) -> list[str]:
    """Return the report as lines of Markdown."""
    lines = [
        "# A site of many runs", "", machine_line(report), "",
        f"{report['runs']} runs of {report['case']} (taggers x tags).", "",
        "| publish | CPU s | wall s | peak memory | files of the site | size of the site |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        *(
            f"| {name} | {one['cpu_s']:.1f} | {one['wall_s']:.1f} | {one['peak_mb']:.0f} MB | {one['files']:,} | "
            f"{one['mb']:.1f} MB |"
            for name, one in report["publishes"].items()
        ),
        "",
    ]  # fmt: skip
    if kept := is_kept(report):
        limits = "{mb} MB, {files} files, {cpu_s} CPU s and {peak_mb} MB of memory".format(**LIMITS)
        broken = [name for name, fine in kept.items() if not fine]
        lines += [
            f"Limits of one more run: {limits}: " + (f"**not kept** ({', '.join(broken)})." if broken else "kept."),
            "",
        ]
    return [*lines, "Made by `python scripts/bench_site.py`."]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = Options(__doc__, build="site")
    parser.add_size("--case", "3x5813", tiny="2x60")
    parser.add_size("--runs", LIMITED[1], tiny=2)
    parser.add_argument("--run", type=Path, help="a run of this case; without it one is simulated and scored")
    options = parser.read(arguments)
    first = options.run or make_run(ALL_CASES[options.case], options.build / options.case)
    runs = [vary(first, number, options.build / "runs" / f"{number:02}") for number in range(options.runs)]
    publishes = measure(runs, options.build / "site")
    report = {**machine_facts(), "case": options.case, "runs": options.runs, "publishes": publishes}
    write_report(options.out, "site", report, as_markdown(report))
    if not all(is_kept(report).values()):
        sys.exit("bench_site: a limit is exceeded; see **not kept**")


if __name__ == "__main__":
    main()
