"""F1 by judged truth: bias, coverage, wrong winners and forecasts, where labels are incomplete and the truth is known.

Usage: python scripts/simulate_judgements.py [--experiments 50] [--images 12000] [--tags 60] [--keep FILE]

Labels miss positives at random, miss the faint ones, or were made with the help of the worse model. A simulated person answers
the cells of both waves of a plan, without errors, or with 3 % errors and 5 % "unclear". Each row compares the metrics by judged
truth with the true ones, next to those by labels alone. `--keep` stores each experiment in a file when it ends, and continues
from that file. Writes reports/benchmarks/judgements.{json,md}.
"""

import math
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from reporting import Options, machine_facts, machine_line, on_all_cores, read_kept, write_kept, write_report
from simulation.populations import WORLDS, Population
from threadpoolctl import threadpool_limits

from arena.base.errors import ArenaError
from arena.evaluate.answers import LEAST_ANSWERS
from arena.evaluate.judged import Cells, estimate_judged
from arena.evaluate.judged_plan import Differences, draw_plan, forecast
from arena.metrics.judged import NO_CELLS
from arena.metrics.judged_estimates import estimate_all

Bools = NDArray[np.bool_]

MODELS = {"A": ("b", 0.16), "B": ("a1", 0.24)}
"""Name of each model -> its tagger in the population, and its threshold. A predicts more; it is better in macro F1, B in
micro F1."""

MISSING = 0.3
"""Share of the positives without a recorded label."""

METRICS = ("macro_f1", "micro_f1", "map")

PEOPLE = {"sure": (0.0, 0.0), "errs": (0.03, 0.05)}
"""Simulated people: share of wrong answers, and of unclear ones."""

LABELLINGS = ("at random", "faint ones", "with help of B")

ANSWERS = (600, 1_500, 3_000, 6_000)

FORECASTS = {"macro_f1": -1, "micro_f1": -2}
"""Metric -> number that stands for a plan for the true difference of this metric."""

NORMAL = 1.96

BOTH = "A - B"
"""The difference."""


class Job(NamedTuple):
    """One experiment."""

    labelling: str
    seed: int
    images: int
    tags: int
    answers: tuple[int, ...]


class Row(NamedTuple):
    """What is estimated.

    Attributes:
        labelling: how labels are incomplete.
        person: who answers; empty for metrics by labels alone.
        plan: clear answers that the plan is for, 0 by labels alone, or a value of `FORECASTS`.
        metric: key of the metric.
        of: `A`, `B` or `A - B`.
    """

    labelling: str
    person: str
    plan: int
    metric: str
    of: str


class Value(NamedTuple):
    """An estimate.

    Attributes:
        error: estimate minus truth.
        standard_error: as printed.
        answers: clear answers that were given.
        forecast: clear answers that were forecast before any was given.
    """

    error: float
    standard_error: float
    answers: int
    forecast: int


class Experiment(NamedTuple):
    """A finished experiment."""

    job: Job
    rows: list[tuple[Row, Value]]
    seconds: float


@cache
def population(tags: int) -> Population:
    """Return the population; it is the same in all experiments."""
    return Population(WORLDS["plain"], tags)


@cache
def truths(tags: int) -> dict[str, dict[str, float]]:
    """Return the true metrics of each model."""
    drawn_from, found = population(tags), {}
    for name, (tagger, threshold) in MODELS.items():
        of_tagger = drawn_from.taggers[tagger]
        tp, fp = of_tagger.rates(np.full(tags, threshold, np.float32))
        size = tp + fp + drawn_from.prevalence
        found[name] = {
            "macro_f1": float((2 * tp / size).mean()), "micro_f1": float(2 * tp.sum() / size.sum()),
            "map": float(of_tagger.average_precision.mean()),
        }  # fmt: skip
    return found


def true_difference(tags: int, metric: str) -> float:
    """Return the true metric of A minus that of B."""
    truth = truths(tags)
    return truth["A"][metric] - truth["B"][metric]


def recorded(
    labelling: str, labels: Bools, scores: Mapping[str, NDArray[np.float32]], rng: np.random.Generator
) -> Bools:
    """Return incomplete labels."""
    if labelling == "at random":
        return np.asarray(labels & (rng.random(labels.shape) >= MISSING))
    if labelling == "faint ones":
        both = np.minimum(*(scores[name] for name in MODELS))
        ranked = np.argsort(np.argsort(np.where(labels, both, 2), axis=0), axis=0) / np.maximum(1, labels.sum(0))
        return np.asarray(labels & (rng.random(labels.shape) >= 2 * MISSING * (1 - np.minimum(ranked, 1))))
    helped = scores["B"] >= MODELS["B"][1]
    kept = np.where(helped, 0.95, 0.45)  # a label that the model proposes is kept, others are seldom added
    return np.asarray((labels & (rng.random(labels.shape) < kept)) | (helped & (rng.random(labels.shape) < 0.15)))


def answers(plan: pd.DataFrame, labels: Bools, person: str, rng: np.random.Generator, wave: int) -> pd.DataFrame:
    """Return the answers of a simulated person to the cells of a wave."""
    asked = plan[plan["wave"] == wave]
    asked = pd.concat([asked, asked[asked["repeat"]]])
    wrong, unclear = PEOPLE[person]
    truth = labels[asked["image_id"].astype(int), asked["tag"].astype(int)]
    yes = truth ^ (rng.random(len(asked)) < wrong)
    words = np.where(rng.random(len(asked)) < unclear, "unclear", np.where(yes, "yes", "no"))
    table = asked[["image_id", "tag", "inclusion_probability", "plan"]]
    return table.assign(answer=words, judge=person, time="")


def experiment(job: Job) -> Iterator[tuple[Row, Value]]:
    """Run one experiment: yield each row with its estimate."""
    rng = np.random.default_rng([job.seed, 23])
    sample = population(job.tags).draw(job.images, rng)
    scores = {name: sample.scores[tagger] for name, (tagger, _) in MODELS.items()}
    labels = recorded(job.labelling, sample.labels, scores, rng)
    predicted = {name: scores[name] >= np.float32(threshold) for name, (_, threshold) in MODELS.items()}
    cells = Cells(tuple(map(str, range(job.images))), tuple(map(str, range(job.tags))), labels, scores, predicted)
    yield from _rows(job, "", 0, estimate_all(predicted, labels.astype(np.float64), NO_CELLS, scores=scores))
    for person in PEOPLE:
        for name, budget, differences in _plans(job, cells):
            first = draw_plan(cells, budget, job.seed, differences=differences).table
            told = answers(first, sample.labels, person, rng, 1)
            both = draw_plan(cells, budget, job.seed, told, differences).table
            told = pd.concat([told, answers(both, sample.labels, person, rng, 2)])
            try:
                found = estimate_judged(cells, told, both)
            except ArenaError:  # a few answers of a plan of 600 are missing, because more were unclear than forecast
                continue
            yield from _rows(job, person, name, (found.models, found.pairs), found.answers, budget)


def _plans(job: Job, cells: Cells) -> list[tuple[int, int, Differences | None]]:
    """Return the plans: for some numbers of answers, and for the true difference of each metric if a number shows it."""
    plans: list[tuple[int, int, Differences | None]] = [(number, number, None) for number in job.answers]
    for metric, name in FORECASTS.items():
        one = metric.partition("_")[0]
        wanted = Differences(math.inf, math.inf)._replace(**{one: abs(true_difference(job.tags, metric))})
        needed = getattr(forecast(cells, wanted), one)
        if needed < cells.labels.size / 4:
            plans.append((name, max(LEAST_ANSWERS, round(needed)), wanted))
    return plans


def _rows(
    job: Job, person: str, plan: int, found: tuple[Any, Any], given: int = 0, forecast_: int = 0
) -> Iterator[tuple[Row, Value]]:
    models, pairs = found
    truth = truths(job.tags)
    for metric in METRICS:
        true = {name: truth[name][metric] for name in MODELS} | {BOTH: true_difference(job.tags, metric)}
        for of, one in [*((name, models[name][metric]) for name in MODELS), (BOTH, pairs["A", "B"][metric])]:
            value = Value(one.value - true[of], one.standard_error, given, forecast_)
            yield Row(job.labelling, person, plan, metric, of), value


def _job(job: Job) -> Experiment:
    start = time.process_time()
    with threadpool_limits(1):
        rows = list(experiment(job))
    return Experiment(job, rows, time.process_time() - start)


def run_all(jobs: Sequence[Job], keep: Path | None, processes: int | None) -> Iterator[Experiment]:
    """Run all experiments; those that the file holds come first."""
    done: set[Job] = set()
    for one in read_kept(keep):
        labelling, seed, images, tags, budgets = one["job"]
        job = Job(labelling, seed, images, tags, tuple(budgets))
        if job in set(jobs) - done:
            done.add(job)
            yield Experiment(job, [(Row(*row[:5]), Value(*row[5:])) for row in one["rows"]], one["seconds"])
    for found in on_all_cores(_job, [job for job in jobs if job not in done], processes):
        rows = [[*row, *value] for row, value in found.rows]
        write_kept(keep, {"job": found.job, "rows": rows, "seconds": round(found.seconds, 2)})
        yield found


class Summary(NamedTuple):
    """Estimates of one kind."""

    number: int
    bias: float
    sd: float
    standard_error: float
    holds: float
    right: float
    wrong: float
    answers: float
    forecast: float


def summarise(row: Row, values: Sequence[Value], tags: int) -> Summary:
    """Return bias, coverage, and how often a difference is decided rightly and wrongly; NaN for a single model."""
    error, spread, given, expected = np.array(values, np.float64).T
    holds = float((abs(error) <= NORMAL * spread).mean())
    right = wrong = math.nan
    if row.of == BOTH:
        true = true_difference(tags, row.metric)
        says = np.where(abs(error + true) > NORMAL * spread, np.sign(error + true), 0)
        right, wrong = (float((says == sign * np.sign(true)).mean()) for sign in (1, -1))
    measured = (float(error.mean()), float(error.std()), float(spread.mean()))
    return Summary(len(values), *measured, holds, right, wrong, float(given.mean()), float(expected.mean()))


def report(
    found: Mapping[Row, Sequence[Value]], size: Job, experiments: int, seconds: float
) -> tuple[dict[str, Any], list[str]]:
    """Return the report as facts and as lines of Markdown."""
    machine, true = machine_facts("numpy", "scikit-learn"), {one: true_difference(size.tags, one) for one in METRICS}
    lines = [
        f"# F1 by judged truth: {experiments} experiments of each kind of labels",
        "",
        f"{size.images:,} images, {size.tags} tags; {100 * MISSING:.0f} % of the positives have no label.",
        f"A - B is truly {true['macro_f1']:+.4f} (macro F1), {true['micro_f1']:+.4f} (micro F1) and {true['map']:+.4f} (mAP).",
        f"{machine_line(machine)} {seconds / 60:.0f} CPU minutes.", "",
        "`errs`: 3 % of the answers are wrong and 5 % unclear. `answers`: clear answers, on average; 0 is by labels alone.",
        "`N macro` and `N micro`: a plan for the true difference of macro F1 or of micro F1 at 80 % power; `forecast` is its",
        "number of clear answers before any is given. The first wave asks 30 % of it, and its answers size the second.",
        "`holds`: share of the intervals that hold the truth. `right`, `wrong`: share of the experiments whose interval of the",
        "difference names the better, or the worse, model. `figures`: number of estimates; a plan of 600 gives none if it ends",
        "with fewer clear answers.", "",
    ]  # fmt: skip
    pooled: dict[Row, list[Value]] = defaultdict(list)
    for row, values in found.items():
        pooled[row._replace(labelling="all", of=row.of if row.of == BOTH else "A, B")] += values
    facts = []
    for title, rows in (("All kinds of labels together", pooled), ("Each kind of labels", found)):
        lines += [f"## {title}", "", *_HEAD]
        for row in sorted(rows, key=_order):
            one = summarise(row, rows[row], size.tags)
            lines.append(_line(row, one))
            facts.append({**row._asdict(), **one._asdict()})
        lines.append("")
    lines += ["Made by `python scripts/simulate_judgements.py`."]
    return {**machine, "experiments": experiments, "cpu_s": round(seconds), "rows": facts}, lines


_COLUMNS = ("labels miss", "person", "plan", "metric", "of", "figures", "forecast", "answers", "bias", "s.d.",
            "printed s.e.", "holds", "right", "wrong")  # fmt: skip

_HEAD = ("| " + " | ".join(_COLUMNS) + " |", "| --- " * len(_COLUMNS) + "|")


def _order(row: Row) -> tuple[str, str, str, str, bool, int]:
    return row.labelling, row.person, row.metric, row.of, row.plan < 0, abs(row.plan)


def _line(row: Row, one: Summary) -> str:
    plan = {-1: "N macro", -2: "N micro", 0: "–"}.get(row.plan, f"{row.plan:,}")
    says = ["–" if math.isnan(share) else f"{share:.2f}" for share in (one.right, one.wrong)]
    given = ["–" if not row.plan else f"{number:,.0f}" for number in (one.forecast, one.answers)]
    numbers = (f"{one.bias:+.4f}", f"{one.sd:.4f}", f"{one.standard_error:.4f}", f"{one.holds:.2f}", *says)
    return (
        "| "
        + " | ".join([row.labelling, row.person or "–", plan, row.metric, row.of, f"{one.number:,}", *given, *numbers])
        + " |"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the script."""
    parser = Options(__doc__)
    parser.add_size("--experiments", 50, tiny=1, help="experiments of each kind of labels")
    parser.add_size("--images", 12_000, tiny=800, help="images of an experiment")
    parser.add_size("--tags", 60, tiny=12, help="tags of an experiment")
    parser.add_argument("--answers", nargs="+", type=int, help="numbers of answers (default 600 1500 3000 6000)")
    parser.add_argument("--keep", type=Path, help="file of finished experiments, to continue from (default: none)")
    parser.add_argument("--processes", type=int, help="processes (default: one per core)")
    options = parser.read(arguments)
    budgets = tuple(options.answers or ((900,) if options.tiny else ANSWERS))
    jobs = [
        Job(labelling, seed, options.images, options.tags, budgets)
        for seed in range(options.experiments)
        for labelling in LABELLINGS
    ]
    found: dict[Row, list[Value]] = defaultdict(list)
    seconds, number = 0.0, 0
    for done in run_all(jobs, options.keep, options.processes):
        for row, value in done.rows:
            found[row].append(value)
        seconds, number = seconds + done.seconds, number + 1
        if not number % len(LABELLINGS):
            print(f"{number // len(LABELLINGS)} of {options.experiments} experiments", flush=True)
    write_report(options.out, "judgements", *report(found, jobs[0], options.experiments, seconds))


if __name__ == "__main__":
    main()
