"""Error rates of the gate in simulations where the true loss of the candidate is known.

Usage: python scripts/simulate_gate.py [--experiments 400] [--tags 96] [--images 16384] [--small 1500] [--keep FILE]

Each experiment draws held-out images, scores them with a baseline and a retrained candidate (`simulation/losses.py`), evaluates
both as `arena check` does, and applies the default policy with a few critical tags. Each loss is twice the margin of its gate
(once in the scenario `edge`). A second table has rare tags (from 10 expected positives) and small sets: --small images, four
times as many, and --images. There the default policy, which requires what the images can decide, is compared with the same
policy that requires everything. --keep stores each experiment in a file when it ends, and continues from that file. Writes
reports/benchmarks/gate.{json,md}.
"""

import json
import os
import platform
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from reporting import Options, on_all_cores, write_report
from simulation import losses, world
from simulation.evaluation import evaluate_at_own_thresholds
from simulation.losses import Setting, setting
from simulation.world import Tagger

from arena.base.format import UNDEFINED
from arena.cards import Thresholds
from arena.dataset.frozen import Truth
from arena.evaluate import Entry, Settings
from arena.gate.by_tag import CRITICAL
from arena.gate.decidable import DecidableLosses, MetricOfPart, overall
from arena.gate.decide import DifferenceInterval, images_to_decide
from arena.gate.judge import judge_paired
from arena.gate.keys import DecisionRule
from arena.gate.parts import CATEGORY_MARGINS, MARGINS, SLICE_MARGINS, TAG_GROUP_MARGINS
from arena.gate.policy import Policy, read_policy
from arena.gate.sample import fitted
from arena.gate.verdict import Case, JudgedModel, Outcome, Verdict
from arena.metrics.intervals import wilson
from arena.metrics.registry import HEADLINES
from arena.scores.store import Scores
from arena.tags import TagSpace

MIN_POSITIVES, RARE = 100, 10
"""Least expected support of a tag, in the first and in the second table. With 100, means of a hundred tags are as precise as
means of thousands of JoyTag's tags."""

SHARED = 0.75
"""Share of the noise that a retrained model has in common with its baseline; for two unrelated models it is 0.5."""

SURE = 0.95
"""A check names the required metrics that are decided less often, before it scores."""

REPLICATES = 300
SET_HEADER = (
    "images", "true loss", "experiments", "pass", "fail", "undecided", "undecided as printed beforehand",
    "margin decidable", "with a loss not shown", "everything required: pass", "undecided", "images needed, median",
    "90 % quantile", "paired width",
)  # fmt: skip
"""Columns of the second table."""

SCENARIOS = ("none", "better", "f1", "map", "edge", "category", "group", "critical")
"""Scenarios of the first table."""

SET_SCENARIOS = ("none", "better", "f1", "map", "category", "group", "critical")
"""Scenarios of the second table."""

CATEGORY, GROUP, TAG = 0, 0, 1
"""Index of the category, of the group and of the critical tag that lose."""


class Scenario(NamedTuple):
    """The true loss of the candidate."""

    title: str
    target: tuple[str, str] | None
    """Gate and name of the case that should fail."""
    share: float
    """Share of the requested experiments to run."""


class Size(NamedTuple):
    """Size of a simulated evaluation."""

    tags: int
    images: int
    positives: int = MIN_POSITIVES
    """Least expected support of a tag."""


class Job(NamedTuple):
    """One experiment."""

    scenario: str
    size: Size
    seed: int


def scenarios(setup: Setting) -> dict[str, Scenario]:
    """Return all kinds of candidates."""
    critical = setup.names[setup.critical[TAG]]
    return {
        "none": Scenario("nothing", None, 1.0),
        "better": Scenario("a gain of twice the margin of F1 on every tag", None, 0.2),
        "f1": Scenario("twice the margin of F1 on every tag", ("margins", "macro_f1"), 0.2),
        "map": Scenario("twice the margin of AP on every tag", ("margins", "map"), 0.2),
        "edge": Scenario("the margin of F1 exactly, on every tag", None, 0.2),
        "category": Scenario("on one category, twice its margin", ("categories", losses.CATEGORIES[CATEGORY]), 0.2),
        "group": Scenario("on one group, twice its margin", ("tag_groups", setup.groups[GROUP].name), 0.2),
        "critical": Scenario("on one critical tag, twice its margin", ("critical", critical), 0.2),
    }


@cache
def _setting(size: Size) -> Setting:
    return setting(size.tags, size.images, size.positives)


@cache
def policy_of(size: Size) -> Policy:
    """Return the default policy with critical tags."""
    setup = _setting(size)
    names = [setup.names[column] for column in setup.critical]
    return read_policy().changed(CRITICAL, tags=tuple({"tag": name} for name in names))


@cache
def retrained(scenario: str, size: Size) -> Tagger:
    """Return the candidate of a scenario; it is the same in all its experiments."""
    setup, policy = _setting(size), policy_of(size)
    every = range(size.tags)
    overall, category, group = (
        policy.of(MARGINS),
        policy.of(CATEGORY_MARGINS).margin,
        policy.of(TAG_GROUP_MARGINS).margin,
    )
    assert overall.macro_f1 is not None and overall.map is not None and category is not None and group is not None  # noqa: PT018
    if scenario == "none":
        return setup.baseline
    if scenario in ("better", "f1", "edge"):
        return losses.worse(setup, every, overall.macro_f1 * {"better": -2, "f1": 2, "edge": 1}[scenario])
    if scenario == "map":
        return losses.worse(setup, every, 2 * overall.map, world.true_average_precision)
    if scenario == "category":
        members = [c for c in every if setup.categories[c] == losses.CATEGORIES[CATEGORY]]
        return losses.worse(setup, members, 2 * category)
    if scenario == "group":
        return losses.worse(setup, setup.group(GROUP), 2 * group)
    return losses.worse(setup, [setup.critical[TAG]], 2 * policy.of(CRITICAL).margin)


class Judgements(NamedTuple):
    """Cases by policy, the widths of the baseline's own intervals by metric, and what the images can decide."""

    cases: dict[str, list[Case]]
    own_width: dict[str, float]
    known: DecidableLosses


def cases_of(scenario: str, size: Size, seed: int) -> Judgements:
    """Return the cases of one set of held-out images under the default policy, a strict one, and one that requires everything.

    The strict policy requires non-inferiority of every category, slice and group. The last one is the default policy, as if
    the images could decide every margin.
    """
    setup, policy = _setting(size), policy_of(size)
    place = list(scenarios(setup)).index(scenario)
    rng = np.random.default_rng([seed, 13, place])
    drawn = world.draw(setup.prevalence, [setup.baseline, retrained(scenario, size)], size.images, rng, shared=SHARED)
    ids, tags = tuple(map(str, range(size.images))), TagSpace(tuple(setup.names), tuple(setup.categories))
    entries = [
        Entry(name, name, Scores.of(ids, tags, scores), Thresholds(losses.THRESHOLD), "option")
        for name, scores in zip(("baseline", "candidate"), drawn.scores, strict=True)
    ]
    settings = Settings(replicates=REPLICATES, seed=seed, workers=1, slices=(), tag_groups=setup.groups)
    result = evaluate_at_own_thresholds(Truth.of(ids, tags, drawn.truth), entries, settings)
    strict = policy
    for parts in (CATEGORY_MARGINS, SLICE_MARGINS, TAG_GROUP_MARGINS):
        strict = strict.changed(parts, rule=DecisionRule.NON_INFERIORITY)
    policies = {"default": policy, "strict": strict, "everything": replace(policy, decidable=DecidableLosses())}
    found = {
        name: judge_paired(result, one, candidate="candidate", baseline="baseline") for name, one in policies.items()
    }
    own = result.summary["models"]["baseline"]["regimes"]["own"]
    known = fitted(policy, result, "baseline").decidable
    assert known is not None
    return Judgements(found, {name: own[f"{name}_high"] - own[f"{name}_low"] for name in HEADLINES}, known)


def experiment(job: Job) -> dict[str, Any]:
    """Run one experiment; return its outcome."""
    scenario, size, seed = job
    side = JudgedModel("", "")
    found: dict[str, Any] = {"scenario": scenario, "seed": seed, **size._asdict()}
    judged = cases_of(scenario, size, seed)
    found["own_width"] = judged.own_width
    for policy, cases in judged.cases.items():
        verdict = Verdict(side, side, cases)
        found[policy] = str(verdict.outcome)
        if policy == "everything":
            found["needed"] = images_needed(cases, size.images)
        if policy == "default":
            found["not_shown"] = len(verdict.of(Outcome.NOT_SHOWN))
            found["failed"] = [[case.gate, case.name] for case in verdict.of(Outcome.FAIL)]
            found["inconclusive"] = [[case.gate, case.name] for case in verdict.of(Outcome.INCONCLUSIVE)]
            found["named"] = all(is_named(judged.known, case) for case in verdict.of(Outcome.INCONCLUSIVE))
            found["unshown"] = [[case.gate, case.name] for case in verdict.of(Outcome.NOT_SHOWN)]
            target = scenarios(_setting(size))[scenario].target
            gates = [target] if target and target[0] != "margins" else [("margins", name) for name in HEADLINES]
            found["decidable"] = is_decided(judged.known, [case for case in cases if (case.gate, case.name) in gates])
            found["width"] = {
                case.name: case.measure.high - case.measure.low
                for case in cases
                if case.gate == "margins"
                and case.measure
                and case.measure.high is not None
                and case.measure.low is not None
            }
    return found


def part_of(case: Case) -> MetricOfPart:
    """Return the metric that a case of margins, categories, groups or critical tags is about."""
    metric = case.measure.figure if case.measure else ""
    kind = {"margins": "all", "categories": "category", "tag_groups": "group", "critical": "tag"}.get(case.gate, "")
    return overall(metric) if kind == "all" else MetricOfPart(kind, case.name, metric)


def is_named(known: DecidableLosses, case: Case) -> bool:
    """Return whether the check says before scoring that this case may stay undecided."""
    limit = 0.0 if case.measure is None or case.measure.limit is None else case.measure.limit
    return (known.power(part_of(case), -limit) or 0.0) < SURE


def is_decided(known: DecidableLosses, cases: Sequence[Case]) -> bool:
    """Return whether the images decide the margin of one of the cases with 80 % power, by the baseline's intervals."""
    return any(
        known.decides(part_of(case), -case.measure.limit)
        for case in cases
        if case.measure is not None and case.measure.limit is not None
    )


def images_needed(cases: Sequence[Case], images: int) -> int | None:
    """Return the images that decide macro F1, decided or not; None without an interval."""
    [case] = [case for case in cases if (case.gate, case.name) == ("margins", "macro_f1")]
    one = case.measure
    if one is None or one.difference is None or one.low is None or one.high is None or one.limit is None:
        return None
    return images_to_decide(DifferenceInterval(one.difference, one.low, one.high), -one.limit, images)


def jobs_of(size: Size, experiments: int, names: Sequence[str]) -> list[Job]:
    """Return the experiments of the named scenarios."""
    return [
        Job(name, size, seed)
        for name, scenario in scenarios(_setting(size)).items()
        if name in names
        for seed in range(max(1, int(scenario.share * experiments)))
    ]


def job_of(one: dict[str, Any]) -> Job:
    """Return the job of a finished experiment."""
    return Job(one["scenario"], Size(one["tags"], one["images"], one.get("positives", MIN_POSITIVES)), one["seed"])


def run_all(jobs: Sequence[Job], keep: Path | None) -> list[dict[str, Any]]:
    """Run all experiments on all cores; experiments that the file holds are not run again."""
    stored = [] if keep is None or not keep.exists() else [json.loads(line) for line in keep.read_text().splitlines()]
    done = [one for one in stored if job_of(one) in set(jobs) and "everything" in one]
    made = set(map(job_of, done))
    left = [job for job in jobs if job not in made]
    start = time.perf_counter()
    for number, one in enumerate(on_all_cores(experiment, left), 1):
        done.append(one)
        if keep is not None:
            with keep.open("a") as file:
                file.write(json.dumps(one) + "\n")
        if number % 20 == 0:
            print(f"{number} of {len(left)}, {time.perf_counter() - start:.0f} s, {one['scenario']}", flush=True)
    return done


class Row(NamedTuple):
    """Frequency of an event in a scenario."""

    scenario: str
    what: str
    times: int
    of: int

    @property
    def share(self) -> str:
        """The frequency in percent, with Wilson's interval."""
        low, high = (100 * float(end) for end in wilson(self.times, self.of))
        return f"{100 * self.times / self.of:.1f} % ({low:.1f}–{high:.1f})"


def rows_of(found: Sequence[dict[str, Any]], all_scenarios: dict[str, Scenario]) -> Iterator[Row]:
    """Yield the frequencies of events for each scenario."""
    for name, scenario in all_scenarios.items():
        some = [one for one in found if one["scenario"] == name]
        for outcome in ("pass", "fail", "inconclusive"):
            yield Row(name, outcome, sum(one["default"] == outcome for one in some), len(some))
        if name == "none":
            strict = sum(one["strict"] == "inconclusive" for one in some)
            yield Row(name, "inconclusive under the strict policy", strict, len(some))
            yield Row(name, "fail under the strict policy", sum(one["strict"] == "fail" for one in some), len(some))
        if name in ("f1", "map", "edge"):
            for figure in ("macro_f1", "micro_f1", "map"):
                yield Row(name, f"{figure} fails", sum(["margins", figure] in one["failed"] for one in some), len(some))
            others = sum(any(gate != "margins" for gate, _ in one["failed"]) for one in some)
            yield Row(name, "another gate fails", others, len(some))
        if scenario.target is not None and name not in ("f1", "map"):
            target = list(scenario.target)
            gate = target[0]
            yield Row(name, f"{gate}: {target[1]} fails", sum(target in one["failed"] for one in some), len(some))
            alone = sum([case for case in one["failed"] if case[0] == gate] == [target] for one in some)
            yield Row(name, f"{gate}: only {target[1]} fails", alone, len(some))
            other = sum(any(case[0] not in (gate, "tags") for case in one["failed"]) for one in some)
            yield Row(name, f"a gate other than {gate} and tags fails", other, len(some))


def set_rows(found: Sequence[dict[str, Any]], sets: Sequence[Size]) -> list[dict[str, Any]]:
    """Return a row for each set and true loss of the second table."""
    rows = []
    for size in sets:
        for name in SET_SCENARIOS:
            some = [one for one in found if job_of(one).size == size and one["scenario"] == name]
            if not some:
                continue
            number = [one["needed"] for one in some if one["needed"] is not None]
            outcomes = {
                f"{policy}_{outcome}": sum(one[policy] == outcome for one in some)
                for policy in ("default", "everything")
                for outcome in ("pass", "fail", "inconclusive")
            }
            ratio = {f: float(np.mean([one["width"][f] / one["own_width"][f] for one in some])) for f in HEADLINES}
            low, high = (float(np.quantile(number, level)) if number else None for level in (0.5, 0.9))
            rows.append(
                {
                    **size._asdict(), "scenario": name, "experiments": len(some), **outcomes,
                    "not_shown": sum(one["not_shown"] > 0 for one in some),
                    "named": sum(one["named"] for one in some if one["default"] == "inconclusive"),
                    "decidable": sum(one["decidable"] for one in some),
                    "needed_median": low, "needed_90": high, "paired_width": ratio,
                }
            )  # fmt: skip
    return rows


def set_lines(rows: Sequence[dict[str, Any]], kinds: dict[str, Scenario]) -> list[str]:
    """Return the second table as Markdown."""

    def cell(row: dict[str, Any], key: str) -> str:
        of = row["default_inconclusive" if key == "named" else "experiments"]
        return f"{100 * row[key] / of:.0f} %" if of else UNDEFINED

    keys = (
        "default_pass", "default_fail", "default_inconclusive", "named", "decidable", "not_shown", "everything_pass",
        "everything_inconclusive",
    )  # fmt: skip
    lines = [
        "",
        f"## Small sets and rare tags: from {RARE} expected positives",
        "",
        "The default policy requires what the baseline's own intervals say that the images can decide. Undecided is exit",
        "code 3. Undecided as printed beforehand: the share of the undecided checks that say before scoring, of each undecided",
        "case, that it may stay undecided. Margin decidable: the share of checks whose images decide the margin of what was",
        "lost, with 80 % power (of a headline metric, if all tags lost). Everything required: the same policy, as if the",
        "images could decide every margin. A loss of a category, slice or group that is \"not shown\" does not prevent a pass.",
        "Images needed: those that rule out a loss of macro F1 beyond the margin with 80 % power if the true difference is 0.",
        "Paired width: width of the interval of a difference divided by that of the baseline's own interval, for macro F1,",
        "micro F1 and mAP.",
        "",
        f"| {' | '.join(SET_HEADER)} |",
        "| " + " | ".join(["---"] * len(SET_HEADER)) + " |",
    ]  # fmt: skip
    for row in rows:
        needed = [UNDEFINED if row[key] is None else f"{row[key]:,.0f}" for key in ("needed_median", "needed_90")]
        widths = ", ".join(f"{value:.2f}" for value in row["paired_width"].values())
        cells = [f"{row['images']:,}", kinds[row["scenario"]].title, str(row["experiments"])]
        lines.append("| " + " | ".join([*cells, *(cell(row, key) for key in keys), *needed, widths]) + " |")
    return lines


def report(
    everything: Sequence[dict[str, Any]], size: Size, sets: Sequence[Size], minutes: float | None
) -> tuple[list[str], dict[str, Any]]:
    """Return the report as Markdown and as facts for JSON.

    `minutes` is None if some experiments came from a file, because their time is unknown.
    """
    took = f"{os.cpu_count()} cores" + (f", {minutes:.0f} minutes" if minutes is not None else "")
    setup, policy = _setting(size), policy_of(size)
    run = {one["scenario"] for one in everything}
    kinds = {name: scenario for name, scenario in scenarios(setup).items() if name in run}
    found, others = [one for one in everything if job_of(one).size == size], set_rows(everything, sets)
    before = losses.true_figures(setup.prevalence, setup.baseline)
    true = {
        name: {
            f: before[f] - value for f, value in losses.true_figures(setup.prevalence, retrained(name, size)).items()
        }
        for name in kinds
    }
    width = {f: float(np.mean([one["width"][f] for one in found])) for f in before}
    rows = list(rows_of(found, kinds))
    margin = policy.of(CRITICAL).margin
    critical = ", ".join(f"{setup.prevalence[c] * size.images:,.0f}" for c in setup.critical)
    lines = [
        f"# Error rates of the gate: {len(found):,} simulated checks of {size.images:,} images and {size.tags} tags",
        "",
        f"The candidate is a retrained version of a simulated tagger; both share {100 * SHARED:.0f} % of their noise. Supports",
        f"are spread like JoyTag's, from {MIN_POSITIVES} expected positives. Critical tags have {critical} positives (margin",
        f"{margin:g}). There are {len(losses.CATEGORIES)} categories, {losses.GROUPS} groups of {losses.GROUP_TAGS} tags, and",
        f"{REPLICATES} resamples. The policy is the default. The strict policy requires non-inferiority of every category,",
        f"slice and group. Calibration is reported, not judged. The simulation ran on {took}. Shares have 95 % intervals.",
        "",
        "Mean width of the intervals of differences: " + ", ".join(f"{f} {w:.4f}" for f, w in width.items()) + ".",
        "",
        "| true loss | macro F1 | micro F1 | mAP |", "| --- | --- | --- | --- |",
        *[f"| {kinds[n].title} | {t['macro_f1']:.4f} | {t['micro_f1']:.4f} | {t['map']:.4f} |" for n, t in true.items()],
        "",
        "A loss on some tags is also a loss in the means over all tags, so other gates may correctly fail too.",
        "",
        "| true loss | event | experiments | share |", "| --- | --- | --- | --- |",
        *[f"| {kinds[row.scenario].title} | {row.what} | {row.of} | {row.share} |" for row in rows],
        *set_lines(others, kinds),
        "", "Made by `python scripts/simulate_gate.py`.",
    ]  # fmt: skip
    facts = {
        **size._asdict(), "experiments": len(found), "replicates": REPLICATES, "minutes": minutes, "shared": SHARED,
        "processor": platform.machine(), "cores": os.cpu_count(), "numpy": np.__version__, "policy": policy.title,
        "width": width, "true_loss": true, "rows": [row._asdict() for row in rows],
        "sets": others,
    }  # fmt: skip
    return lines, facts


def main(arguments: Sequence[str] | None = None) -> None:
    parser = Options(__doc__)
    parser.add_size("--experiments", 400, tiny=1)
    parser.add_size("--tags", 96, tiny=48)
    parser.add_size("--images", world.JOYTAG_IMAGES // 2, tiny=300)
    parser.add_size("--small", 1_500, tiny=75)
    parser.add_size("--scenarios", ",".join(SCENARIOS), tiny="none,f1", help="scenarios of the first table")
    parser.add_argument("--keep", type=Path, help="file of finished experiments, to continue from (default: none)")
    options = parser.read(arguments)
    start, size = time.perf_counter(), Size(options.tags, options.images)
    resumed = options.keep is not None and options.keep.exists()
    of_sets = sorted({options.small, 4 * options.small, options.images})
    sets = [Size(options.tags, images, RARE) for images in of_sets]
    jobs = jobs_of(size, options.experiments, options.scenarios.split(","))
    for one in sets:
        jobs += jobs_of(one, options.experiments // 2, [name for name in SET_SCENARIOS if name in options.scenarios])
    found = run_all(jobs, options.keep)
    lines, facts = report(found, size, sets, None if resumed else (time.perf_counter() - start) / 60)
    write_report(options.out, "gate", facts, lines)


if __name__ == "__main__":
    main()
