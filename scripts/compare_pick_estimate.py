"""Metrics that `arena pick` expects without labels, next to those that labels give.

Usage: python scripts/compare_pick_estimate.py [--run RUN] [--halves 20] [--experiments 60]

Three experiments. Halves: the images of a labelled run are divided at random; one half calibrates, the other one has its labels
hidden. Shifted: the pictures of the second half are mostly those of one group of tags, so they are of another kind; this sets
the limit of the alarm. Simulation: populations in which the true metrics are known give the share of intervals that hold them.
Without --run, the demo is scored first. Writes reports/benchmarks/pick.{json,md}.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from reporting import Options, arena_command, machine_facts, machine_line, on_all_cores, write_report
from simulation.populations import WORLDS, Population
from threadpoolctl import threadpool_limits

from arena.cards import Thresholds
from arena.dataset.frozen import Truth
from arena.evaluate import Entry
from arena.evaluate.expected import (
    MOST_EXCESS,
    SHIFT_P,
    Estimates,
    calibrate,
    estimate_metrics,
    estimated_tags,
    match_run,
)
from arena.evaluate.unlabelled import match_pictures
from arena.pipeline.stored_run import read_stored_run
from arena.scores.store import Scores
from arena.tags import TagSpace
from arena.tags.groups import TagGroup

METRICS = ("micro_f1", "macro_f1", "micro_precision", "micro_recall")

MIXED = (0.5, 0.2, 0.0)
"""Shares of the other images that shifted pictures keep."""

LEAST_PICTURES = 40

WORLD_NAMES = ("plain", "correlated", "eight_bit")
"""Populations of the simulation that are tried, as far as they exist."""

TAGGERS = {"A": ("b", 0.22), "B": ("a1", 0.35)}
"""Name of each model -> its tagger in the population, and its threshold."""

EXCESS_STEPS = (0.0, 0.05, 0.1, 0.2, 0.3, 1.0)


class Labelled(NamedTuple):
    """Labelled images with the scores of models in memory.

    Attributes:
        values: model -> float32 (images, tags of the truth).
        thresholds: model -> its own threshold.
    """

    truth: Truth
    values: Mapping[str, NDArray[np.float32]]
    thresholds: Mapping[str, float]
    groups: Sequence[TagGroup] = ()

    def entries(self, rows: NDArray[np.int64]) -> list[Entry]:
        """Return the models on some images."""
        ids = [self.truth.image_ids[row] for row in rows]
        return [
            Entry(name, name, Scores.of(ids, self.truth.tags, values[rows]), Thresholds(self.thresholds[name]), "card")
            for name, values in self.values.items()
        ]


def expected_and_labelled(
    labelled: Labelled, calibration: NDArray[np.int64], pictures: NDArray[np.int64], min_positives: int
) -> tuple[Estimates, dict[str, dict[str, float]]]:
    """Return what is expected of the models on some images, and what their labels say over the same tags."""
    truth, entries = labelled.truth, labelled.entries(pictures)
    hidden = match_pictures(
        [truth.image_ids[row] for row in pictures], entries, truth.relations, categories={},
        groups=None if truth.groups is None else [truth.groups[row] for row in pictures],
    )  # fmt: skip
    known = {entry.name: entry for entry in labelled.entries(calibration)}
    run = match_run(hidden, truth.take(calibration), known, min_positives, "half")
    calibrations = [calibrate(run, number) for number in range(len(entries))]
    estimates = estimate_metrics(hidden, run, calibrations, "half")
    tags = run.place[estimated_tags(hidden, run)]
    labels = truth.values[:, tags].toarray()[pictures]
    by_labels = {
        name: metrics_by_labels(values[pictures][:, tags] >= np.float32(labelled.thresholds[name]), labels)
        for name, values in labelled.values.items()
    }
    return estimates, by_labels


def metrics_by_labels(predicted: NDArray[np.bool_], labels: NDArray[np.bool_]) -> dict[str, float]:
    """Return the metrics of decisions by labels."""
    hits, given, positives = ((one).sum(0).astype(float) for one in (predicted & labels, predicted, labels))
    size = given + positives
    return {
        "micro_f1": 2 * hits.sum() / max(1, size.sum()),
        "macro_f1": float((2 * hits[size > 0] / size[size > 0]).mean()),
        "micro_precision": hits.sum() / max(1, given.sum()),
        "micro_recall": hits.sum() / max(1, positives.sum()),
    }


def halves_of(labelled: Labelled, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of two random halves; near duplicates stay together."""
    groups = np.array(labelled.truth.groups or labelled.truth.image_ids)
    names = np.unique(groups)
    first = np.isin(groups, np.random.default_rng(seed).permutation(names)[: len(names) // 2])
    return np.flatnonzero(first), np.flatnonzero(~first)


class Error(NamedTuple):
    """Error of one estimate: expected minus by labels, and whether its interval holds the figure by labels."""

    error: float
    holds: bool


def errors(estimates: Estimates, by_labels: Mapping[str, Mapping[str, float]]) -> Iterator[tuple[str, str, Error]]:
    """Yield metric, model or difference, and error."""
    for metric in METRICS:
        for name, one in estimates.models.items():
            found, right = one.own[metric], by_labels[name][metric]
            yield metric, "one tagger", Error(found.value - right, found.low <= right <= found.high)
        for (first, second), pair in estimates.pairs.items():
            found, right = pair["own"][metric], by_labels[first][metric] - by_labels[second][metric]
            yield metric, "difference of two", Error(found.value - right, found.low <= right <= found.high)


def half_rows(labelled: Labelled, halves: int, min_positives: int) -> list[dict[str, Any]]:
    """Return the mean absolute error of each metric over random halves."""
    found: dict[tuple[str, str], list[Error]] = defaultdict(list)
    copied: dict[str, list[float]] = defaultdict(list)
    for seed in range(halves):
        first, second = halves_of(labelled, seed)
        estimates, by_labels = expected_and_labelled(labelled, first, second, min_positives)
        for metric, of, error in errors(estimates, by_labels):
            found[metric, of].append(error)
        support = np.diff(labelled.truth.take(first).values.indptr)
        tags = np.flatnonzero(support >= min_positives)
        labels = labelled.truth.values[:, tags].toarray()
        for name, values in labelled.values.items():
            run = metrics_by_labels(values[first][:, tags] >= np.float32(labelled.thresholds[name]), labels[first])
            for metric in METRICS:
                copied[metric].append(abs(run[metric] - by_labels[name][metric]))
    return [
        {
            "metric": metric, "of": of, "mean_absolute_error": float(np.mean([abs(one.error) for one in values])),
            "bias": float(np.mean([one.error for one in values])), "holds": float(np.mean([one.holds for one in values])),
            "error_of_the_run": float(np.mean(copied[metric])) if of == "one tagger" else None,
        }
        for (metric, of), values in found.items()
    ]  # fmt: skip


def shifted_rows(labelled: Labelled, halves: int, min_positives: int) -> list[dict[str, Any]]:
    """Return the error of micro F1 by the distance of the pictures beyond that of chance."""
    found: list[tuple[float, float, bool]] = []
    for seed in range(halves):
        first, second = halves_of(labelled, seed)
        rng = np.random.default_rng([seed, 7])
        for group in labelled.groups:
            inside = labelled.truth.values[:, group.members(labelled.truth.tags)].toarray().any(1)[second]
            for mixed in (1.0, *MIXED):
                pictures = second[inside | (rng.random(len(second)) < mixed)]
                if len(pictures) < LEAST_PICTURES:
                    continue
                estimates, by_labels = expected_and_labelled(labelled, first, pictures, min_positives)
                for name, one in estimates.models.items():
                    shift, off = estimates.shifts[name], one.own["micro_f1"].value - by_labels[name]["micro_f1"]
                    found.append((shift.excess, abs(off), shift.p <= SHIFT_P and shift.excess > MOST_EXCESS))
    rows = []
    for low, high in zip((-1.0, *EXCESS_STEPS[1:-1]), EXCESS_STEPS[1:], strict=True):
        of_step = [one for one in found if low <= one[0] < high]
        if of_step:
            error, alarm = (np.array([one[place] for one in of_step], float) for place in (1, 2))
            rows.append(
                {
                    "from": max(low, 0.0), "to": high, "cases": len(of_step), "mean_absolute_error": float(error.mean()),
                    "ninth_decile": float(np.quantile(error, 0.9)), "alarms": float(alarm.mean()),
                }
            )  # fmt: skip
    return rows


class Job(NamedTuple):
    """One simulated experiment."""

    world: str
    seed: int
    images: int
    tags: int


def simulated(job: Job) -> list[tuple[str, str, float, bool]]:
    """Return metric, `one tagger` or `difference of two`, error against the truth, and whether the interval holds it."""
    with threadpool_limits(1):
        population = Population(WORLDS[job.world], job.tags)
        sample = population.draw(2 * job.images, np.random.default_rng([job.seed, 29]))
        labelled = of_population(sample, job)
        order = np.arange(2 * job.images)
        estimates, _ = expected_and_labelled(labelled, order[: job.images], order[job.images :], 10)
        true = true_metrics(population, labelled, order[: job.images])
        return [(metric, of, error.error, error.holds) for metric, of, error in errors(estimates, true)]


def of_population(sample: Any, job: Job) -> Labelled:
    """Return drawn images with the scores of both models."""
    images = len(sample.labels)
    tags = TagSpace(tuple(f"tag_{number}" for number in range(job.tags)))
    ids = [str(number) for number in range(images)]
    truth = Truth.of(ids, tags, sample.labels, groups=tuple(map(str, sample.clusters)))
    values = {name: np.asarray(sample.scores[tagger], np.float32) for name, (tagger, _) in TAGGERS.items()}
    groups = [TagGroup(f"g{number}", "", "", (f"tag_{number}",)) for number in range(3)]
    return Labelled(truth, values, {name: threshold for name, (_, threshold) in TAGGERS.items()}, groups)


def true_metrics(population: Population, labelled: Labelled, run: NDArray[np.int64]) -> dict[str, dict[str, float]]:
    """Return the metrics of the population, over the tags with 10 positives in the run."""
    tags = np.flatnonzero(np.diff(labelled.truth.take(run).values.indptr) >= 10)
    found = {}
    for name, (tagger, threshold) in TAGGERS.items():
        at = np.full(len(population.prevalence), threshold, np.float32)
        hits, false = (one[tags] for one in population.taggers[tagger].rates(at))
        positives = population.prevalence[tags]
        size = hits + false + positives
        found[name] = {
            "micro_f1": 2 * hits.sum() / size.sum(), "macro_f1": float((2 * hits / size).mean()),
            "micro_precision": hits.sum() / (hits + false).sum(), "micro_recall": hits.sum() / positives.sum(),
        }  # fmt: skip
    return found


def simulation_rows(jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """Return bias and coverage of each metric, by population."""
    found: dict[tuple[str, str, str], list[tuple[float, bool]]] = defaultdict(list)
    for job, rows in zip(jobs, on_all_cores(simulated, jobs), strict=True):
        for metric, of, error, holds in rows:
            found[job.world, metric, of].append((error, holds))
    return [
        {
            "world": world, "metric": metric, "of": of, "bias": float(np.mean([error for error, _ in values])),
            "mean_absolute_error": float(np.mean([abs(error) for error, _ in values])),
            "holds": float(np.mean([holds for _, holds in values])),
        }
        for (world, metric, of), values in found.items()
    ]  # fmt: skip


def labelled_run(folder: Path) -> tuple[Labelled, str]:
    """Return a run in memory, on the tags that all its models name alike, and the title of its dataset."""
    run = read_stored_run(folder)
    truth, values, thresholds = run.truth.truth, {}, {}
    every = np.ones(len(truth.tags), np.bool_)
    for entry in run.entries:
        every &= np.isin(truth.tags.names, entry.scores.tags.names)
    tags = np.flatnonzero(every)
    space = TagSpace(tuple(truth.tags.names[tag] for tag in tags))
    kept = Truth(truth.image_ids, space, truth.values[:, tags], truth.relations, groups=truth.groups)
    for entry in run.entries:
        columns = np.array([entry.scores.tags.index[name] for name in space.names], np.int64)
        values[entry.name] = np.asarray(entry.scores.values.columns(columns, None), np.float32)
        thresholds[entry.name] = entry.thresholds.default if entry.thresholds.default is not None else 0.5
    return Labelled(kept, values, thresholds, run.settings.tag_groups), run.result.recipe.dataset.title


_ABOUT_HALVES = (
    "{halves} divisions: one half calibrates, the labels of the other one are hidden. `of the run`: error if the figure of the "
    "first half is taken as it is. `holds`: share of the intervals that hold the figure by labels of these pictures. The "
    "intervals are of the metric on all such pictures, and the figure by labels of a few hundred of them varies itself, so the "
    "share is below .95."
)

_ABOUT_SHIFTED = (
    "The pictures are those of one tag group, with a share of the others. The distance of the tag shares is the one beyond "
    "chance; the alarm is given above {excess:g} with p of {p:g} or less."
)

_ABOUT_SIMULATION = (
    "{experiments} experiments each: {images:,} labelled images, as many pictures, {tags} tags. Error against the true metric "
    "of the population."
)


def _start(row: Mapping[str, Any], *keys: str) -> str:
    return "| " + " | ".join(str(row[key]) for key in keys) + " |"


def _errors(row: Mapping[str, Any]) -> str:
    return f"{row['mean_absolute_error']:.4f} | {row['bias']:+.4f}"


def report(
    halves: Sequence[Mapping[str, Any]], shifted: Sequence[Mapping[str, Any]], simulation: Sequence[Mapping[str, Any]],
    options: Any, title: str,
) -> tuple[dict[str, Any], list[str]]:  # fmt: skip
    """Return the report as facts and as lines of Markdown."""
    machine = machine_facts("numpy", "scipy")
    lines = ["# Metrics expected without labels, next to those by labels", "", machine_line(machine), ""]
    lines += [f"## Random halves of {title}", "", _ABOUT_HALVES.format(halves=options.halves), ""]
    lines += [
        "| metric | of | mean absolute error | bias | holds | of the run |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for row in halves:
        run = "–" if row["error_of_the_run"] is None else f"{row['error_of_the_run']:.4f}"
        lines.append(f"{_start(row, 'metric', 'of')} {_errors(row)} | {row['holds']:.2f} | {run} |")
    lines += ["", "## Pictures of another kind", "", _ABOUT_SHIFTED.format(excess=MOST_EXCESS, p=SHIFT_P), ""]
    lines += [
        "| distance beyond chance | cases | mean absolute error of micro F1 | 90 % of the errors below | alarms |"
    ]
    lines += ["| --- | ---: | ---: | ---: | ---: |"]
    lines += [
        f"| {row['from']:g} to {row['to']:g} | {row['cases']} | {row['mean_absolute_error']:.4f} | {row['ninth_decile']:.4f} | "
        f"{row['alarms']:.2f} |"
        for row in shifted
    ]
    about = _ABOUT_SIMULATION.format(experiments=options.experiments, images=options.images, tags=options.tags)
    lines += ["", "## Populations with known metrics", "", about, ""]
    lines += [
        "| population | metric | of | mean absolute error | bias | holds |",
        "| --- | --- | --- | ---: | ---: | ---: |",
    ]
    lines += [f"{_start(row, 'world', 'metric', 'of')} {_errors(row)} | {row['holds']:.2f} |" for row in simulation]
    lines += ["", "Made by `python scripts/compare_pick_estimate.py`."]
    return {**machine, "halves": list(halves), "shifted": list(shifted), "simulation": list(simulation)}, lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script."""
    parser = Options(__doc__, build="pick")
    parser.add_argument("--run", type=Path, help="labelled run (default: the demo, scored into the build folder)")
    parser.add_size("--halves", 20, tiny=1, help="divisions of the run")
    parser.add_size("--experiments", 60, tiny=1, help="experiments of each population")
    parser.add_size("--images", 800, tiny=150, help="labelled images, and pictures, of an experiment")
    parser.add_size("--tags", 40, tiny=6, help="tags of an experiment")
    options = parser.read(arguments)
    worlds = [name for name in WORLD_NAMES if name in WORLDS]
    jobs = [Job(world, seed, options.images, options.tags) for world in worlds for seed in range(options.experiments)]
    if options.tiny and options.run is None:
        job = Job(worlds[0], 0, options.images, options.tags)
        drawn = Population(WORLDS[job.world], job.tags).draw(2 * job.images, np.random.default_rng(0))
        labelled, title = of_population(drawn, job), "a drawn population"
    else:
        folder = options.run or options.build / "demo"
        if not (folder / "run.json").exists():
            done = arena_command("run", "-o", folder, "--thumbnails", "none", "--bootstrap", "0")
            assert done.returncode == 0, done.stderr
        labelled, title = labelled_run(folder)
    least = 3 if options.tiny else 10
    found = half_rows(labelled, options.halves, least), shifted_rows(labelled, max(1, options.halves // 5), least)
    write_report(options.out, "pick", *report(*found, simulation_rows(jobs), options, title))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
