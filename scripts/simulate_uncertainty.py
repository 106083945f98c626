"""Coverage of every printed interval, and errors of every call, in simulated worlds where the truth is known.

Usage: python scripts/simulate_uncertainty.py [--experiments 400] [--tags 60] [--images 1500] [--replicates 500] [--keep FILE]

Each experiment draws images from a population whose true metrics are known (`simulation/populations.py`), and evaluates them
with `arena.evaluate.evaluate`, as `arena score` does. The models are two or five equally good taggers, and a better one. The
truth of a regime is the value on the population at the thresholds that the regime chooses on the population. --keep stores each
experiment in a file when it ends, and continues from that file. Writes reports/benchmarks/simulation.{json,md}.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from reporting import Options, machine_facts, machine_line, on_all_cores, read_kept, write_kept, write_report
from simulation import coverage
from simulation.coverage import BANDS, REGIMES, Tally, Truths, band_name
from simulation.populations import OWN_THRESHOLD, WORLDS, Population
from threadpoolctl import threadpool_limits

from arena.cards import Thresholds
from arena.dataset.frozen import Truth
from arena.evaluate import MIN_POSITIVES, Entry, Settings, evaluate, per_tag
from arena.evaluate.differences import correct_differences
from arena.metrics.registry import AGGREGATES, METRICS, TAG_INTERVALS, TESTED
from arena.results.run_folder import Result
from arena.scores.store import Scores
from arena.tags import TagSpace
from arena.tags.groups import TagGroup

LOWEST, HIGHEST = 0.93, 0.97
"""Aim of the coverage."""

LOWEST_CLUSTERED = 0.90
"""Aim of the coverage with fewer than `FEW_CLUSTERS` effective clusters."""

FEW_CLUSTERS = 100
MOST_FALSE = 0.05
LEAST_RIGHT = 0.97
ERRORS = 2.0
"""Standard errors by which a share must miss its aim to be marked as clearly outside."""


EQUAL = ("a1", "a2", "a3", "a4", "a5")
EQUAL_PAIRS, BETTER_PAIRS = (("a1", "a2"), ("a3", "a4")), (("a1", "b"), ("a5", "b"))
"""Pairs that count as runs of two models: the equal ones share no tagger, so that their errors are almost independent."""


class Size(NamedTuple):
    """Size of every experiment."""

    images: int
    tags: int
    replicates: int


@cache
def population(world: str, tags: int) -> Population:
    """Return the population of a world; it is the same in all experiments."""
    return Population(WORLDS[world], tags)


def tag_groups(names: Sequence[str]) -> tuple[TagGroup, ...]:
    """Return a group of every sixth tag, and a group of one tag."""
    every = TagGroup("sixth", "Every sixth tag", "", tuple(names[::6]))
    return every, TagGroup("single", "One tag", "", (names[len(names) // 2],))


def experiment(world: str, seed: int, size: Size) -> Tally:
    """Run one experiment: one set of images, scored by all taggers."""
    drawn_from = population(world, size.tags)
    rng = np.random.default_rng([seed, 11])
    sample = drawn_from.draw(size.images, rng)
    ids = tuple(f"{world}-{seed}-{image}" for image in range(size.images))
    tags = TagSpace(tuple(f"t{tag:02d}" for tag in range(size.tags)), tuple(drawn_from.categories.tolist()))
    groups = tag_groups(tags.names)
    clustered = drawn_from.world.clusters[0] > 0
    truth = Truth.of(
        ids, tags, sample.labels, images={"rating": sample.ratings.tolist()},
        groups=tuple(f"{world}-{seed}-g{cluster}" for cluster in sample.clusters) if clustered else None,
    )  # fmt: skip
    settings = Settings(replicates=size.replicates, seed=seed, slices=("rating",), tag_groups=groups, workers=1)
    entries = [
        Entry(name, name, Scores.of(ids, tags, sample.scores[name]), Thresholds(OWN_THRESHOLD), "option")
        for name in drawn_from.taggers
    ]
    with threadpool_limits(1):  # every core runs an experiment of its own
        result = evaluate(truth, entries, settings)
    truths = Truths(drawn_from, sample, tags.names, result, groups, MIN_POSITIVES)
    tally = Tally()
    coverage.tally_values(tally, result, truths, ("a1", "a2", "b"))
    for pair in EQUAL_PAIRS:
        coverage.tally_differences(tally, result, truths, pair, "equal models")
        coverage.tally_winners(tally, 2, *only(result, pair))
    coverage.tally_winners(tally, 5, *only(result, EQUAL))
    for pair in BETTER_PAIRS:
        coverage.tally_differences(tally, result, truths, pair, "b is better")
        coverage.tally_signs(tally, *only(result, pair), truths)
    return tally.plain()


def only(result: Result, models: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the differences, and those of single tags, of a run of some of the models.

    Only the corrections for multiple comparisons depend on the other models of a run, so they are made again. This takes a
    hundredth of the time of one more run; a test compares both.
    """
    differences, tags = (
        table[table["first"].isin(models) & table["second"].isin(models)].reset_index(drop=True)
        for table in (result.tables["differences"], result.tables["tag_differences"])
    )
    return correct_differences(differences), per_tag._corrected(tags)


class Job(NamedTuple):
    """One experiment in one world."""

    world: str
    seed: int
    size: Size


class Experiment(NamedTuple):
    """The sums of a finished experiment, and its CPU seconds."""

    job: Job
    tally: Tally
    seconds: float


def _run(job: Job) -> Experiment:
    start = time.process_time()
    tally = experiment(job.world, job.seed, job.size)
    return Experiment(job, tally, time.process_time() - start)


def kept_experiments(keep: Path | None, jobs: Sequence[Job]) -> Iterator[Experiment]:
    """Yield those of the jobs that a file of finished experiments holds."""
    wanted = set(jobs)
    for one in read_kept(keep):
        job = Job(one["world"], one["seed"], Size(*one["size"]))
        if job in wanted:
            wanted.remove(job)
            yield Experiment(job, Tally.from_json(one["tally"]), one["seconds"])


def run_all(jobs: Sequence[Job], minutes: float, keep: Path | None) -> Iterator[Experiment]:
    """Run all experiments on all cores, or as many as start within some minutes (0 is no limit); kept ones come first."""
    kept = list(kept_experiments(keep, jobs))
    yield from kept
    made = {one.job for one in kept}
    left = [job for job in jobs if job not in made]
    start = time.perf_counter()
    for number, done in enumerate(on_all_cores(_run, left), 1):
        write_kept(keep, {**done.job._asdict(), "tally": done.tally.as_json(), "seconds": round(done.seconds, 2)})
        yield done
        passed = (time.perf_counter() - start) / 60
        if number % 20 == 0:
            print(f"{number} of {len(left)}, {passed:.1f} minutes", flush=True)
        if 0 < minutes <= passed:
            return


class Share(NamedTuple):
    """A share of a report, with its aim.

    Attributes:
        world: name of the world.
        kind, where, metric: what it is of.
        number: denominator.
        value: 0 to 1.
        aim: for readers.
        status: `ok`; `low` or `high`, outside the aim; `LOW` or `HIGH`, outside by more than `ERRORS` standard errors.
        error, width: mean error of the estimates, and mean width of the intervals; NaN for a share of calls.
    """

    world: str
    kind: str
    where: str
    metric: str
    number: int
    value: float
    aim: str
    status: str
    error: float = float("nan")
    width: float = float("nan")

    @property
    def text(self) -> str:
        """The share in percent; bold if it is outside its aim, with an exclamation mark if clearly so."""
        if not self.number:
            return "–"
        percent = f"{100 * self.value:.1f}"
        return {"ok": percent, "low": f"**{percent}**", "high": f"**{percent}**"}.get(self.status, f"**{percent} !**")


def judged(value: float, number: int, low: float, high: float, independent: float) -> str:
    """Return the status of a share.

    Args:
        value: the share.
        number: its denominator.
        low, high: aim.
        independent: number of independent values among them; the models of an experiment are not independent.
    """
    if not number or low <= value <= high:
        return "ok"
    edge = low if value < low else high
    error = np.sqrt(edge * (1 - edge) / max(1.0, independent))
    name = "low" if value < low else "high"
    return name.upper() if abs(value - edge) > ERRORS * error else name


def coverage_shares(world: str, tally: Tally, experiments: int, size: Size) -> Iterator[Share]:
    """Yield the coverage of every kind of interval."""
    few = WORLDS[world].effective(size.images) < FEW_CLUSTERS
    low, high = (LOWEST_CLUSTERED, 1.0) if few else (LOWEST, HIGHEST)
    for (kind, where, metric), (number, covered, _, _, error, width) in tally.held.items():
        if number:
            value = covered / number
            aim = f"{100 * low:.0f}–{100 * high:.0f} %"
            independent = number / 3 if kind.startswith("tag") else min(number, experiments)
            status = "ok" if kind == "population" else judged(value, number, low, high, independent)
            yield Share(world, kind, where, metric, int(number), value, aim, status, error / number, width / number)


def call_shares(world: str, tally: Tally) -> Iterator[Share]:
    """Yield the shares of experiments with a false winner, of right signs, and of inconsistent values."""
    for (models, table), (number, false) in tally.winners.items():
        value = false / number
        status = judged(value, number, 0, MOST_FALSE, number)
        yield Share(world, "false winner", table, f"{models} equal models", int(number), value, "≤ 5 %", status)
    for name, (number, wrong) in tally.signs.items():
        value = 1 - wrong / number
        status = judged(value, number, LEAST_RIGHT, 1, number)
        yield Share(world, "right sign", name, "", int(number), value, "≥ 97 %", status)
    for title, found in (
        ("value outside its interval", tally.outside),
        ("interval against its p", tally.contradictions),
    ):
        for name, (number, bad) in found.items():
            if number and name != "population":
                value, status = bad / number, "HIGH" if bad else "ok"
                yield Share(world, title, name, "", int(number), value, "0 %", status)


def grid(
    shares: dict[tuple[str, str, str], Share], kind: str, rows: Sequence[str], columns: Sequence[str], head: str
) -> list[str]:
    """Return a table of one kind of share as lines of Markdown; rows without values are left out."""
    titles = [METRICS[name].heading if name in METRICS else name for name in columns]
    lines = [f"| {head} | " + " | ".join(titles) + " |", "| --- |" + " --- |" * len(columns)]
    for row in rows:
        cells = [shares.get((kind, row, column)) for column in columns]
        if any(cells):
            lines.append(f"| {row} | " + " | ".join(cell.text if cell else "–" for cell in cells) + " |")
    return [*lines, ""] if len(lines) > 2 else []


def world_lines(world: str, shares: Sequence[Share], tally: Tally, size: Size) -> list[str]:
    """Return the tables of one world as lines of Markdown."""
    by = {(one.kind, one.where, one.metric): one for one in shares}
    bands, slices = [band_name(*band) for band in BANDS], ("category", "support", "group", "rating")
    pairs = ("equal models", "b is better")
    tables = dict.fromkeys(where for (kind, where, _) in by if kind == "false winner")
    about = WORLDS[world]
    clusters = f"Effective number of clusters: {about.effective(size.images):,.0f} of {size.images:,} images."
    lines = [f"## {world}", "", f"{about.about[0].upper()}{about.about[1:]}. {clusters}", ""]
    lines += ["Coverage of the aggregate metrics, %", ""]
    lines += grid(by, "aggregate", REGIMES, AGGREGATES, "regime")
    for pair in pairs:
        lines += [f"Coverage of the differences of aggregate metrics, {pair}, %", ""]
        lines += grid(by, f"aggregate difference, {pair}", REGIMES, AGGREGATES, "regime")
    lines += ["Coverage at own thresholds by slice, %", ""]
    lines += grid(by, "slice", slices, AGGREGATES, "slice")
    for pair in pairs:
        lines += [f"Coverage of the differences by slice, {pair}, %", ""]
        lines += grid(by, f"slice difference, {pair}", slices, AGGREGATES, "slice")
    lines += ["Coverage of the metrics of single tags by support, %", ""]
    lines += grid(by, "tag", bands, TAG_INTERVALS, "positives")
    for pair in pairs:
        lines += [f"Coverage of the differences on single tags, {pair}, %", ""]
        lines += grid(by, f"tag difference, {pair}", bands, tuple(TESTED), "positives")
    lines += ["Experiments with a false winner, by table, %", ""]
    lines += grid(by, "false winner", list(tables), ("2 equal models", "5 equal models"), "table")
    lines += [
        "Calls between b and an equal tagger with the right sign",
        "",
        "| table | calls | right, % |",
        "| --- | --- | --- |",
    ]
    lines += [f"| {one.where} | {one.number:,} | {one.text} |" for one in shares if one.kind == "right sign"]
    lines += ["", "For comparison: how often the interval contains the true value at the thresholds that the regime",
              "chooses on the population, %", ""]  # fmt: skip
    lines += grid(by, "population", REGIMES[1:], AGGREGATES[:-1], "regime")
    undefined = {name: count for name, count in tally.undefined.items() if count}
    if undefined:
        lines += [f"Undefined values: {', '.join(f'{name} {count}' for name, count in undefined.items())}.", ""]
    return lines


def summary_lines(shares: Sequence[Share]) -> list[str]:
    """Return the number of shares outside their aims by world, and a table of those that are clearly outside."""
    kinds = list(dict.fromkeys(one.kind for one in shares if one.kind != "population"))
    lines = ["| what | shares | below the aim | above it | clearly below | clearly above | worst |",
             "| --- | --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    for kind in kinds:
        of_kind = [one for one in shares if one.kind == kind]
        number = Counter(one.status for one in of_kind)
        below, above = number["low"] + number["LOW"], number["high"] + number["HIGH"]
        lowest = kind.startswith(("aggregate", "slice", "tag", "right"))
        worst = (min if lowest else max)(of_kind, key=lambda one: one.value)
        name = " ".join(part for part in (worst.world, worst.where, worst.metric) if part)
        lines.append(
            f"| {kind} | {len(of_kind)} | {below} | {above} | {number['LOW']} | {number['HIGH']} | "
            f"{100 * worst.value:.1f} % ({name}) |"
        )
    clear = sorted((one for one in shares if one.status.isupper()), key=lambda one: (one.kind, one.status, one.value))
    lines += ["", "## Clearly outside the aim", "", "| world | what | where | metric | number | share | aim | mean error |",
              "| --- | --- | --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    for one in clear:
        error = "" if np.isnan(one.error) else f"{one.error:+.4f}"
        lines.append(
            f"| {one.world} | {one.kind} | {one.where} | {one.metric} | {one.number:,} | {100 * one.value:.1f} % | "
            f"{one.aim} | {error} |"
        )
    return [*lines, ""]


def report(found: dict[str, Tally], experiments: int, size: Size, minutes: float) -> tuple[dict[str, Any], list[str]]:
    """Return the report as facts and as lines of Markdown."""
    by_world = {
        world: [*coverage_shares(world, tally, experiments, size), *call_shares(world, tally)]
        for world, tally in found.items()
    }
    shares = [one for some in by_world.values() for one in some]
    machine = machine_facts("numpy", "scipy")
    lines = [
        f"# Coverage and calls in {len(found)} simulated worlds: {experiments} experiments each",
        "",
        f"{size.images:,} images, {size.tags} tags, {size.replicates} resamples. Every experiment has five equal taggers (two",
        f"pairs of them also count as runs of two models), and a better one. It took {minutes:.0f} CPU minutes.",
        machine_line(machine),
        "",
        "Aims: coverage 93–97 % (fewer than 100 effective clusters: 90 % or more), a false winner in at most 5 % of the",
        "experiments in each table, 97 % of the calls with the right sign, no value outside its interval, and no interval of",
        "a difference that contradicts its p. Bold: outside the aim. Bold with an exclamation mark: outside by more than two",
        "standard errors of the simulation. The truth of a metric is its value on the population over the tags that the run",
        "compares, at the thresholds that the run recommends for production. The truth of a difference is taken at the",
        "thresholds that the regime chooses on the population: two equal taggers are equal there.",
        "", *summary_lines(shares),
    ]  # fmt: skip
    for world, tally in found.items():
        lines += world_lines(world, by_world[world], tally, size)
    facts = {
        **machine, "experiments": experiments, **size._asdict(), "minutes": round(minutes, 1),
        "worlds": {
            name: {"about": WORLDS[name].about, "effective_clusters": round(WORLDS[name].effective(size.images), 1),
                   "undefined": {key: int(value) for key, value in found[name].undefined.items()}}
            for name in found
        },
        "shares": [
            {key: value for key, value in one._asdict().items() if not (isinstance(value, float) and np.isnan(value))}
            for one in shares
        ],
    }  # fmt: skip
    return facts, [*lines, "Made by `python scripts/simulate_uncertainty.py`."]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the script."""
    parser = Options(__doc__)
    parser.add_size("--experiments", 400, tiny=1, help="experiments in each world")
    parser.add_size("--images", 1_500, tiny=300, help="images of an experiment")
    parser.add_size("--tags", 60, tiny=6, help="tags of an experiment")
    parser.add_size("--replicates", 500, tiny=20, help="resamples")
    parser.add_argument(
        "--minutes", type=float, default=0, help="start no experiment after this time (default no limit)"
    )
    parser.add_argument("--keep", type=Path, help="file of finished experiments, to continue from (default: none)")
    parser.add_argument("--worlds", nargs="+", choices=list(WORLDS), help="worlds (default all; with --tiny two)")
    options = parser.read(arguments)
    worlds = options.worlds or (["plain", "few_clusters"] if options.tiny else list(WORLDS))
    size = Size(options.images, options.tags, options.replicates)
    jobs = [Job(world, seed, size) for seed in range(options.experiments) for world in worlds]
    found, number, seconds = {world: Tally() for world in worlds}, Counter[str](), 0.0
    for done in run_all(jobs, options.minutes, options.keep):
        found[done.job.world].add(done.tally)
        number[done.job.world] += 1
        seconds += done.seconds
    facts, lines = report(found, min(number[world] for world in worlds), size, seconds / 60)
    write_report(options.out, "simulation", facts, lines)


if __name__ == "__main__":
    main()
