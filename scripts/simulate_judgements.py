"""F1 by judged truth: bias, coverage and wrong winners, where labels are incomplete and the truth is known.

Usage: python scripts/simulate_judgements.py [--experiments 50] [--images 12000] [--tags 60]

Labels miss positives at random, miss the faint ones, or were made with the help of the worse model. A simulated person answers
the cells of both waves of a plan, without errors, or with 3 % errors and 5 % "unclear". Each row compares the metrics by judged
truth with the true ones, next to those by labels alone. Writes reports/benchmarks/judgements.{json,md}.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from reporting import Options, machine_facts, machine_line, on_all_cores, write_report
from simulation.populations import WORLDS, Population
from threadpoolctl import threadpool_limits

from arena.evaluate.answers import LEAST_ANSWERS
from arena.evaluate.judged import Cells, draw_plan, estimate_judged, forecast
from arena.metrics.judged import JudgedCells, estimate_all

Bools = NDArray[np.bool_]

MODELS = {"A": ("b", 0.16), "B": ("a1", 0.24)}
"""Name of each model -> its tagger in the population, and its threshold. A predicts more; it is better in macro F1, B in
micro F1."""

MISSING = 0.3
"""Share of the positives without a recorded label."""

METRICS = ("macro_f1", "micro_f1")

PEOPLE = {"sure": (0.0, 0.0), "errs": (0.03, 0.05)}
"""Simulated people: share of wrong answers, and of unclear ones."""

LABELLINGS = ("at random", "faint ones", "with help of B")

ANSWERS = (700, 1_500, 3_000, 6_000)

FORECASTS = {"macro_f1": -1, "micro_f1": -2}
"""Metric -> number that stands for the answers that the plan forecasts for its true difference."""

NORMAL = 1.96


class Job(NamedTuple):
    """One experiment."""

    labelling: str
    seed: int
    images: int
    tags: int
    answers: tuple[int, ...]


Row = tuple[str, str, int, str, str]
"""Labelling, person, answers (0 by labels alone), metric, and what is estimated: `A`, `B` or `A - B`."""


@cache
def population(tags: int) -> Population:
    """Return the population; it is the same in all experiments."""
    return Population(WORLDS["plain"], tags)


@cache
def truths(tags: int) -> dict[str, dict[str, float]]:
    """Return the true metrics of each model."""
    drawn_from, found = population(tags), {}
    for name, (tagger, threshold) in MODELS.items():
        tp, fp = drawn_from.taggers[tagger].rates(np.full(tags, threshold, np.float32))
        size = tp + fp + drawn_from.prevalence
        found[name] = {"macro_f1": float((2 * tp / size).mean()), "micro_f1": float(2 * tp.sum() / size.sum())}
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


def experiment(job: Job) -> Iterator[tuple[Row, tuple[float, float]]]:
    """Run one experiment: yield each row with the error of the estimate and its standard error."""
    rng = np.random.default_rng([job.seed, 23])
    sample = population(job.tags).draw(job.images, rng)
    scores = {name: sample.scores[tagger] for name, (tagger, _) in MODELS.items()}
    labels = recorded(job.labelling, sample.labels, scores, rng)
    predicted = {name: scores[name] >= np.float32(threshold) for name, (_, threshold) in MODELS.items()}
    names = tuple(map(str, range(job.images))), tuple(map(str, range(job.tags)))
    cells = Cells(*names, labels, scores, predicted)
    nothing = JudgedCells(*(np.empty(0, np.int64),) * 2, *(np.empty(0),) * 2)
    yield from _rows(job, "", 0, estimate_all(predicted, labels.astype(np.float64), nothing))
    budgets = {number: number for number in job.answers}
    for metric, name in FORECASTS.items():
        needed = getattr(forecast(cells, abs(true_difference(job.tags, metric))), metric.partition("_")[0])
        if LEAST_ANSWERS <= needed < cells.labels.size / 4:
            budgets[name] = round(needed)
    for person in PEOPLE:
        for name, budget in budgets.items():
            first = draw_plan(cells, budget, job.seed)
            told = answers(first, sample.labels, person, rng, 1)
            both = draw_plan(cells, budget, job.seed, told)
            told = pd.concat([told, answers(both, sample.labels, person, rng, 2)])
            if len(told.drop_duplicates(["image_id", "tag"])) < LEAST_ANSWERS / 0.9:
                continue  # too few by chance
            found = estimate_judged(cells, told, both)
            yield from _rows(job, person, name, (found.models, found.pairs))


def _rows(job: Job, person: str, budget: int, found: tuple[Any, Any]) -> Iterator[tuple[Row, tuple[float, float]]]:
    models, pairs = found
    truth = truths(job.tags)
    for metric in METRICS:
        for name in MODELS:
            one = models[name][metric]
            yield (job.labelling, person, budget, metric, name), (one.value - truth[name][metric], one.standard_error)
        one = pairs["A", "B"][metric]
        error = one.value - true_difference(job.tags, metric)
        yield (job.labelling, person, budget, metric, "A - B"), (error, one.standard_error)


def _job(job: Job) -> list[tuple[Row, tuple[float, float]]]:
    with threadpool_limits(1):
        return list(experiment(job))


def report(
    found: Mapping[Row, Sequence[tuple[float, float]]], size: Job, experiments: int
) -> tuple[dict[str, Any], list[str]]:
    """Return the report as facts and as lines of Markdown."""
    truth, machine = truths(size.tags), machine_facts("numpy", "scikit-learn")
    true = {metric: true_difference(size.tags, metric) for metric in METRICS}
    lines = [
        f"# F1 by judged truth: {experiments} experiments",
        "",
        f"{size.images:,} images, {size.tags} tags; {100 * MISSING:.0f} % of the positives have no label.",
        f"A - B is truly {true['macro_f1']:+.4f} (macro F1) and {true['micro_f1']:+.4f} (micro F1).",
        machine_line(machine), "",
        "Rows with 0 answers are the metrics by labels alone. `N macro` and `N micro`: the number of answers that the plan",
        "forecasts for the true difference of macro F1 and of micro F1 at 80 % power.", "",
    ]  # fmt: skip
    head = "| labels miss | person | answers | metric | of | bias | s.d. | printed s.e. | holds | says A | says B |"
    lines += [head, "| --- " * 11 + "|"]
    facts = []
    for (labelling, person, budget, metric, of), values in sorted(found.items()):
        error, spread = np.array(values).T
        value = error + (true[metric] if of == "A - B" else truth[of][metric])
        holds = float((abs(error) <= NORMAL * spread).mean())
        says = [float((sign * value > NORMAL * spread).mean()) if of == "A - B" else float("nan") for sign in (1, -1)]
        shown = ["–" if np.isnan(one) else f"{one:.2f}" for one in says]
        number = {-1: "N macro", -2: "N micro"}.get(budget, f"{budget:,}")
        lines.append(
            f"| {labelling} | {person or '–'} | {number} | {metric} | {of} | {error.mean():+.4f} | {error.std():.4f} | "
            f"{spread.mean():.4f} | {holds:.2f} | {shown[0]} | {shown[1]} |"
        )
        named = {"labelling": labelling, "person": person, "answers": budget, "metric": metric, "of": of}
        measured = {"bias": error.mean(), "sd": error.std(), "se": spread.mean(), "holds": holds}
        facts.append({**named, "number": len(values), **measured})
    lines += ["", "Made by `python scripts/simulate_judgements.py`."]
    return {**machine, "experiments": experiments, "rows": facts}, lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the script."""
    parser = Options(__doc__)
    parser.add_size("--experiments", 50, tiny=1, help="experiments of each kind of labels")
    parser.add_size("--images", 12_000, tiny=800, help="images of an experiment")
    parser.add_size("--tags", 60, tiny=12, help="tags of an experiment")
    parser.add_argument("--answers", nargs="+", type=int, help="numbers of answers (default 700 1500 3000 6000)")
    options = parser.read(arguments)
    budgets = tuple(options.answers or ((900,) if options.tiny else ANSWERS))
    jobs = [
        Job(labelling, seed, options.images, options.tags, budgets)
        for seed in range(options.experiments)
        for labelling in LABELLINGS
    ]
    found: dict[Row, list[tuple[float, float]]] = defaultdict(list)
    for number, rows in enumerate(on_all_cores(_job, jobs), 1):
        for key, value in rows:
            found[key].append(value)
        done, rest = divmod(number, len(LABELLINGS))
        if not rest:
            print(f"{done} of {options.experiments} experiments", flush=True)
            write_report(options.out, "judgements", *report(found, jobs[0], done))


if __name__ == "__main__":
    main()
