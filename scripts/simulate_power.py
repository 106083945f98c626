"""How often a difference is found with the number of images that `arena power` names, in simulations.

Usage: python scripts/simulate_power.py [--experiments 200] [--tags 48] [--images 800] [--keep FILE]

Each experiment draws a small run of two or five models, of which the first is better by a known difference. `arena power` says
how many images decide this difference with a power of 80 %. That many images are drawn anew and scored: the difference is found
if the table `differences` names the first model. Half of the tags have too few positives to be compared in the small run, and
enter the means of the large one. --keep stores each experiment in a file when it ends, and continues from that file. Writes
reports/benchmarks/power.{json,md}.
"""

import json
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from reporting import Options, machine_facts, machine_line, on_all_cores, write_report
from simulation import losses, world
from simulation.evaluation import evaluate_at_own_thresholds
from simulation.losses import Setting, setting
from simulation.world import Tagger

from arena.cards import Thresholds
from arena.dataset.frozen import Truth
from arena.evaluate import Entry, Settings
from arena.evaluate.power import power_rows
from arena.metrics.counts import MIN_POSITIVES
from arena.metrics.intervals import wilson
from arena.metrics.significance import images_needed
from arena.results.run_folder import Result
from arena.scores.store import Scores
from arena.tags import TagSpace

LOSSES = {"macro_f1": 0.08, "micro_f1": 0.02}
"""By how much the true F1 of every tag is lower in all models but the first. Each metric has its own, because micro F1 varies
less: both then need a few times the images of the small run."""

MODELS = (2, 5)
LOWEST, HIGHEST = 0.77, 0.85
"""Aim of the share that is found."""

THINNEST = 4
"""The rarest tag has `MIN_POSITIVES` expected positives in this many times the images of the small run."""


WRITTEN_EVERY = 40
"""Experiments after which the report is written, for a reader who does not want to wait."""


class Size(NamedTuple):
    """Size of the small run."""

    tags: int
    images: int
    replicates: int = 200
    """Resamples of each of the two runs."""
    most_images: int = 60_000
    """Largest number of images of the large run."""


class Experiment(NamedTuple):
    """One experiment."""

    figure: str
    models: int
    seed: int
    needed: int
    uncorrected: int
    """Images for one test alone, with the same tags."""
    compared: int
    """Compared tags of the small run."""
    compared_then: int
    """Compared tags of the large run."""
    found: float
    """Share of the pairs with the first model in which it is called better."""


@cache
def taggers(size: Size, figure: str) -> tuple[Setting, Tagger, Tagger]:
    """Return the setting, the better tagger, and the one that all other models are."""
    setup = setting(size.tags, THINNEST * size.images, MIN_POSITIVES)
    return setup, setup.baseline, losses.worse(setup, range(size.tags), LOSSES[figure])


@cache
def true_difference(size: Size, figure: str) -> float:
    """Return the true difference between the first model and another."""
    setup, better, worse = taggers(size, figure)
    first, second = (losses.true_figures(setup.prevalence, one)[figure] for one in (better, worse))
    return first - second


def score(size: Size, figure: str, models: int, images: int, seeds: Sequence[int]) -> Result:
    """Draw images and score them with all models, as `arena score` does."""
    setup, better, worse = taggers(size, figure)
    drawn = world.draw(setup.prevalence, [better, *[worse] * (models - 1)], images, np.random.default_rng(seeds))
    ids, tags = tuple(map(str, range(images))), TagSpace(tuple(setup.names), tuple(setup.categories))
    entries = [
        Entry(f"m{place}", f"m{place}", Scores.of(ids, tags, scores), Thresholds(losses.THRESHOLD), "option")
        for place, scores in enumerate(drawn.scores)
    ]
    settings = Settings(replicates=size.replicates, seed=seeds[0], workers=1, slices=())
    return evaluate_at_own_thresholds(Truth.of(ids, tags, drawn.truth), entries, settings)


def experiment(job: tuple[str, int, int, Size]) -> Experiment:
    """Run one experiment."""
    figure, models, seed, size = job
    difference, place = true_difference(size, figure), [*LOSSES].index(figure)
    small = score(size, figure, models, size.images, [seed, 17, place, models, 0])
    [row] = power_rows(small, difference=difference, figures=[figure], pair=("m0", "m1"))
    needed = min(row.needed or size.most_images, size.most_images)
    large = score(size, figure, models, needed, [seed, 17, place, models, 1])
    table = large.tables["differences"]
    rows = table[(table["slice"] == "all") & (table["regime"] == "own") & (table["figure"] == figure)]
    called = rows[rows["first"] == "m0"]["higher"] == "m0"
    alone = images_needed(size.images, row.standard_error, difference)
    return Experiment(
        figure, models, seed, needed, alone, small.summary["compared_tags"], large.summary["compared_tags"],
        float(called.mean()),
    )  # fmt: skip


def run_all(size: Size, experiments: int, keep: Path | None) -> Iterator[list[Experiment]]:
    """Run all experiments on all cores; yield those that are done, now and then. Those in the file are not run again."""
    jobs = [(figure, models, seed, size) for seed in range(experiments) for figure in LOSSES for models in MODELS]
    done: list[Experiment] = []
    if keep is not None and keep.exists():
        done = [Experiment(**json.loads(line)) for line in keep.read_text().splitlines()]
    made = {(one.figure, one.models, one.seed) for one in done}
    for one in on_all_cores(experiment, [job for job in jobs if job[:3] not in made]):
        done.append(one)
        if keep is not None:
            with keep.open("a") as file:
                file.write(json.dumps(one._asdict()) + "\n")
        if len(done) % WRITTEN_EVERY == 0 or len(done) == len(jobs):
            print(f"{len(done)} of {len(jobs)}", flush=True)
            yield done


class Row(NamedTuple):
    """What was found for a metric and number of models."""

    figure: str
    models: int
    true_difference: float
    experiments: int
    needed: list[int]
    """10 %, 50 % and 90 % quantile."""
    uncorrected: int
    compared: list[float]
    """Mean number of compared tags of the small and the large run."""
    found: float
    low: float
    high: float


def rows_of(done: Sequence[Experiment], size: Size) -> list[Row]:
    """Return a row for each metric and number of models."""
    rows = []
    for figure in LOSSES:
        for models in MODELS:
            some = [one for one in done if (one.figure, one.models) == (figure, models)]
            needed = [int(x) for x in np.quantile([one.needed for one in some], [0.1, 0.5, 0.9])]
            alone = int(np.median([one.uncorrected for one in some]))
            compared = [
                float(np.mean(x)) for x in zip(*((one.compared, one.compared_then) for one in some), strict=True)
            ]
            found = float(np.mean([one.found for one in some]))
            low, high = (float(end) for end in wilson(found * len(some), len(some)))
            difference = true_difference(size, figure)
            rows.append(Row(figure, models, difference, len(some), needed, alone, compared, found, low, high))
    return rows


def _line(row: Row) -> str:
    low, middle, high = row.needed
    aim = "" if LOWEST <= row.found <= HIGHEST else ", outside the aim, which these few experiments allow"
    aim = aim if row.low <= HIGHEST and row.high >= LOWEST else " **outside the aim**"
    return (
        f"| {row.figure} | {row.models} | {row.true_difference:.4f} | {row.experiments} | {middle:,} ({low:,}–{high:,}) | "
        f"{row.uncorrected:,} | {row.compared[0]:.0f} → {row.compared[1]:.0f} | "
        f"{100 * row.found:.1f} % ({100 * row.low:.1f}–{100 * row.high:.1f}){aim} |"
    )


def report(rows: Sequence[Row], size: Size, minutes: float) -> tuple[list[str], dict[str, Any]]:
    """Return the report as Markdown and as facts for JSON."""
    machine = machine_facts("numpy", "scipy")
    lines = [
        "# Images that decide a difference: promised 80 %, found",
        "",
        f"Small runs have {size.images:,} images and {size.tags} tags, with supports like JoyTag's. `arena power` is asked for",
        "the true difference. The number of images that it names is drawn anew and scored with",
        f"{size.replicates} resamples. Found: the share of pairs with the better model in which the table `differences`",
        "names it, after Holm's correction for all metrics and pairs. The aim is",
        f"{100 * LOWEST:.0f}–{100 * HIGHEST:.0f} %. Single test: images by the formula for one",
        "test, without correction and without new tags.",
        "",
        f"The last {minutes:.0f} minutes ran on {machine_line(machine)}",
        "",
        "| metric | models | true difference | experiments | images: median (10–90 %) | single test | tags | found (95 %) |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *map(_line, rows),
        "", "Made by `python scripts/simulate_power.py`.",
    ]  # fmt: skip
    facts = {
        **size._asdict(), **machine, "minutes": minutes, "losses": LOSSES,
        "rows": [row._asdict() for row in rows],
    }  # fmt: skip
    return lines, facts


def main(arguments: Sequence[str] | None = None) -> None:
    parser = Options(__doc__)
    parser.add_size("--experiments", 200, tiny=1)
    parser.add_size("--tags", 48, tiny=8)
    parser.add_size("--images", 800, tiny=300)
    parser.add_size("--replicates", 200, tiny=20)
    parser.add_size("--most-images", 60_000, tiny=1_000)
    parser.add_argument(
        "--keep", type=Path, help="file of finished experiments of this size, to continue from (default: none)"
    )
    options = parser.read(arguments)
    start, size = time.perf_counter(), Size(options.tags, options.images, options.replicates, options.most_images)
    for done in run_all(size, options.experiments, options.keep):
        lines, facts = report(rows_of(done, size), size, (time.perf_counter() - start) / 60)
        write_report(options.out, "power", facts, lines)


if __name__ == "__main__":
    main()
