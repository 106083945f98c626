"""Does the gate fail whom it should, and let pass whom it should? By simulation where the true loss is known.

Usage: python scripts/simulate_gate.py [--experiments 400] [--tags 96] [--images 16384] [--keep FILE]

Each experiment draws held-out images, scores them with a baseline and its retraining (`simulation/losses.py`), evaluates both
as `arena check` does and holds the result against the default policy with a few critical tags. Every loss is twice the
margin that it is held against. --keep writes each experiment to a file as it ends and goes on from there. Writes
reports/benchmarks/gate.{json,md}.
"""

import json
import os
import platform
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from reporting import Options, write_report
from simulation import losses, world
from simulation.losses import Setting, setting
from simulation.world import Tagger

from arena.cards import Thresholds
from arena.dataset.frozen import Truth
from arena.evaluate import Entry, Settings, evaluate
from arena.gate.by_tag import CRITICAL
from arena.gate.judge import judge
from arena.gate.keys import Rule
from arena.gate.parts import CATEGORIES, MARGINS, SLICES, TAG_GROUPS
from arena.gate.policy import Policy, read_policy
from arena.gate.verdict import Case, JudgedModel, Outcome, Verdict
from arena.metrics.intervals import wilson
from arena.scores.store import Scores
from arena.tags import TagSpace

MIN_POSITIVES = 100
"""Positives that a tag is expected to have at least; means of a hundred such tags are as sure as those of thousands."""

SHARED = 0.75
"""Share of the noise that a retraining has in common with its baseline; two models of other makes have half."""

REPLICATES = 300
CATEGORY, GROUP, TAG = 0, 0, 1
"""Which category, group and critical tag lose."""


class Scenario(NamedTuple):
    """What the retraining truly lost."""

    title: str
    target: tuple[str, str] | None
    """Gate and name of the case that is to fail."""
    share: float
    """Of the experiments asked for."""


class Size(NamedTuple):
    """Of a world."""

    tags: int
    images: int


def scenarios(given: Setting) -> dict[str, Scenario]:
    """Every kind of retraining."""
    critical = given.names[given.critical[TAG]]
    return {
        "none": Scenario("nothing", None, 1.0),
        "f1": Scenario("twice the margin of F1 on every tag", ("margins", "macro_f1"), 0.2),
        "map": Scenario("twice the margin of AP on every tag", ("margins", "map"), 0.2),
        "edge": Scenario("the margin of F1 exactly, on every tag", None, 0.2),
        "category": Scenario("on one category, twice its margin", ("categories", losses.CATEGORIES[CATEGORY]), 0.2),
        "group": Scenario("on one group, twice its margin", ("tag_groups", given.groups[GROUP].name), 0.2),
        "critical": Scenario("on one critical tag, twice its margin", ("critical", critical), 0.2),
    }


@cache
def _setting(size: Size) -> Setting:
    return setting(size.tags, size.images, MIN_POSITIVES)


@cache
def policy_of(size: Size) -> Policy:
    """The defaults, with critical tags."""
    given = _setting(size)
    names = [given.names[column] for column in given.critical]
    return read_policy().changed(CRITICAL, tags=tuple({"tag": name} for name in names))


@cache
def retrained(scenario: str, size: Size) -> Tagger:
    """The candidate of a scenario; the same in each of its experiments."""
    given, policy = _setting(size), policy_of(size)
    every = range(size.tags)
    overall, category, group = policy.of(MARGINS), policy.of(CATEGORIES).margin, policy.of(TAG_GROUPS).margin
    assert overall.macro_f1 is not None and overall.map is not None and category is not None and group is not None  # noqa: PT018
    if scenario == "none":
        return given.baseline
    if scenario in ("f1", "edge"):
        return losses.worse(given, every, overall.macro_f1 * (2 if scenario == "f1" else 1))
    if scenario == "map":
        return losses.worse(given, every, 2 * overall.map, world.true_average_precision)
    if scenario == "category":
        members = [c for c in every if given.categories[c] == losses.CATEGORIES[CATEGORY]]
        return losses.worse(given, members, 2 * category)
    if scenario == "group":
        return losses.worse(given, given.group(GROUP), 2 * group)
    return losses.worse(given, [given.critical[TAG]], 2 * policy.of(CRITICAL).margin)


def cases_of(scenario: str, size: Size, seed: int) -> dict[str, list[Case]]:
    """One set of held-out images, by policy: the default, and one that asks every part for non-inferiority."""
    given, policy = _setting(size), policy_of(size)
    place = list(scenarios(given)).index(scenario)
    rng = np.random.default_rng([seed, 13, place])
    drawn = world.draw(given.prevalence, [given.baseline, retrained(scenario, size)], size.images, rng, shared=SHARED)
    ids, tags = tuple(map(str, range(size.images))), TagSpace(tuple(given.names), tuple(given.categories))
    entries = [
        Entry(name, name, Scores.of(ids, tags, scores), Thresholds(losses.THRESHOLD), "option")
        for name, scores in zip(("baseline", "candidate"), drawn.scores, strict=True)
    ]
    settings = Settings(replicates=REPLICATES, seed=seed, workers=1, slices=(), tag_groups=given.groups)
    result = evaluate(Truth.of(ids, tags, drawn.truth), entries, settings)
    strict = policy
    for parts in (CATEGORIES, SLICES, TAG_GROUPS):
        strict = strict.changed(parts, rule=Rule.NON_INFERIORITY)
    sides = {"candidate": "candidate", "baseline": "baseline"}
    return {"default": judge(result, policy, **sides), "strict": judge(result, strict, **sides)}


def experiment(job: tuple[str, Size, int]) -> dict[str, Any]:
    """What one experiment came to."""
    scenario, size, seed = job
    side = JudgedModel("", "")
    found: dict[str, Any] = {"scenario": scenario, "seed": seed, **size._asdict()}
    for policy, cases in cases_of(scenario, size, seed).items():
        verdict = Verdict(side, side, cases)
        found[policy] = str(verdict.outcome)
        if policy == "default":
            found["failed"] = [[case.gate, case.name] for case in verdict.of(Outcome.FAIL)]
            found["inconclusive"] = [[case.gate, case.name] for case in verdict.of(Outcome.INCONCLUSIVE)]
            found["width"] = {
                case.name: case.measure.high - case.measure.low
                for case in cases
                if case.gate == "margins"
                and case.measure
                and case.measure.high is not None
                and case.measure.low is not None
            }
    return found


def run_all(size: Size, experiments: int, keep: Path | None) -> list[dict[str, Any]]:
    """Every experiment of every scenario, over all cores; those that a file keeps are not made again."""
    done = [] if keep is None or not keep.exists() else [json.loads(line) for line in keep.read_text().splitlines()]
    done = [one for one in done if (one["tags"], one["images"]) == size]
    made = {(one["scenario"], one["seed"]) for one in done}
    jobs = [
        (name, size, seed)
        for name, scenario in scenarios(_setting(size)).items()
        for seed in range(max(2, int(scenario.share * experiments)))
    ]
    wanted = {(name, seed) for name, _, seed in jobs}
    done = [one for one in done if (one["scenario"], one["seed"]) in wanted]
    left = [job for job in jobs if (job[0], job[2]) not in made]
    start = time.perf_counter()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for number, one in enumerate(pool.map(experiment, left), 1):
            done.append(one)
            if keep is not None:
                with keep.open("a") as file:
                    file.write(json.dumps(one) + "\n")
            if number % 20 == 0:
                print(f"{number} of {len(left)}, {time.perf_counter() - start:.0f} s, {one['scenario']}", flush=True)
    return done


class Row(NamedTuple):
    """How often something happened in a scenario."""

    scenario: str
    what: str
    times: int
    of: int

    @property
    def share(self) -> str:
        """In percent, with Wilson's interval."""
        low, high = (100 * float(end) for end in wilson(self.times, self.of))
        return f"{100 * self.times / self.of:.1f} % ({low:.1f}–{high:.1f})"


def rows_of(found: Sequence[dict[str, Any]], all_scenarios: dict[str, Scenario]) -> Iterator[Row]:
    """Shares of the experiments of each scenario."""
    for name, scenario in all_scenarios.items():
        some = [one for one in found if one["scenario"] == name]
        for outcome in ("pass", "fail", "inconclusive"):
            yield Row(name, outcome, sum(one["default"] == outcome for one in some), len(some))
        if name == "none":
            strict = sum(one["strict"] == "inconclusive" for one in some)
            yield Row(name, "inconclusive where every part must show non-inferiority", strict, len(some))
            yield Row(name, "fail likewise", sum(one["strict"] == "fail" for one in some), len(some))
        if name in ("f1", "map", "edge"):
            for figure in ("macro_f1", "micro_f1", "map"):
                yield Row(name, f"{figure} fails", sum(["margins", figure] in one["failed"] for one in some), len(some))
            named = sum(any(gate != "margins" for gate, _ in one["failed"]) for one in some)
            yield Row(name, "another gate fails", named, len(some))
        if scenario.target is not None and name not in ("f1", "map"):
            target = list(scenario.target)
            gate = target[0]
            yield Row(name, f"{gate}: {target[1]} fails", sum(target in one["failed"] for one in some), len(some))
            alone = sum([case for case in one["failed"] if case[0] == gate] == [target] for one in some)
            yield Row(name, f"and no other of {gate}", alone, len(some))
            other = sum(any(case[0] not in (gate, "tags") for case in one["failed"]) for one in some)
            yield Row(name, "a gate on other parts fails", other, len(some))


def report(found: Sequence[dict[str, Any]], size: Size, minutes: float | None) -> tuple[list[str], dict[str, Any]]:
    """Markdown, and what JSON keeps; the time is not known where a file kept some of the experiments."""
    took = f"{os.cpu_count()} cores" + (f", {minutes:.0f} minutes" if minutes is not None else "")
    given, policy = _setting(size), policy_of(size)
    kinds = scenarios(given)
    before = losses.true_figures(given.prevalence, given.baseline)
    true = {
        name: {
            f: before[f] - value for f, value in losses.true_figures(given.prevalence, retrained(name, size)).items()
        }
        for name in kinds
    }
    width = {f: float(np.mean([one["width"][f] for one in found])) for f in before}
    rows = list(rows_of(found, kinds))
    margin = policy.of(CRITICAL).margin
    critical = ", ".join(f"{given.prevalence[c] * size.images:,.0f}" for c in given.critical)
    lines = [
        f"# Does the gate fail whom it should? {len(found):,} experiments of {size.images:,} images and {size.tags} tags",
        "",
        f"A simulated tagger and its retraining, {100 * SHARED:.0f} % of their noise in common; supports spread as JoyTag's,",
        f"from {MIN_POSITIVES} expected positives on; critical tags of {critical} positives (margin {margin:g}),",
        f"{len(losses.CATEGORIES)} categories, {losses.GROUPS} groups of {losses.GROUP_TAGS} tags; {REPLICATES} resamples.",
        f"Evaluated and judged by the default policy; {took}. Shares with 95 % intervals.",
        "",
        "Mean width of the intervals of differences: " + ", ".join(f"{f} {w:.4f}" for f, w in width.items()) + ".",
        "",
        "| true loss | macro F1 | micro F1 | mAP |", "| --- | --- | --- | --- |",
        *[f"| {kinds[n].title} | {t['macro_f1']:.4f} | {t['micro_f1']:.4f} | {t['map']:.4f} |" for n, t in true.items()],
        "",
        "A loss of one part is one of the means over all tags too, so that other gates may rightly fail beside the part's own.",
        "",
        "| true loss | what happens | experiments | share |", "| --- | --- | --- | --- |",
        *[f"| {kinds[row.scenario].title} | {row.what} | {row.of} | {row.share} |" for row in rows],
        "", "Made by `python scripts/simulate_gate.py`.",
    ]  # fmt: skip
    facts = {
        **size._asdict(), "experiments": len(found), "replicates": REPLICATES, "minutes": minutes, "shared": SHARED,
        "processor": platform.machine(), "cores": os.cpu_count(), "numpy": np.__version__, "policy": policy.title,
        "width": width, "true_loss": true, "rows": [row._asdict() for row in rows],
    }  # fmt: skip
    return lines, facts


def main(arguments: Sequence[str] | None = None) -> None:
    parser = Options(__doc__)
    parser.add_size("--experiments", 400, tiny=2)
    parser.add_size("--tags", 96, tiny=48)
    parser.add_size("--images", world.JOYTAG_IMAGES // 2, tiny=2_048)
    parser.add_argument("--keep", type=Path, help="file of finished experiments; the same command continues")
    given = parser.read(arguments)
    start, size = time.perf_counter(), Size(given.tags, given.images)
    resumed = given.keep is not None and given.keep.exists()
    found = run_all(size, given.experiments, given.keep)
    lines, facts = report(found, size, None if resumed else (time.perf_counter() - start) / 60)
    write_report(given.out, "gate", facts, lines)


if __name__ == "__main__":
    main()
