"""Coverage of the intervals, bias of the cross-fits, and errors of the tests, in simulations where the truth is known.

Usage: python scripts/simulate_uncertainty.py [--experiments 400] [--tags 300] [--images 16384]

Each experiment draws held-out images from a simulation in which the true metrics of every tagger are known
(`simulation/world.py`; supports spread like JoyTag's) and evaluates them as `arena score` does. It records whether the
intervals contain the truth, the error of the cross-fitted metrics, and the false discoveries. Writes
reports/benchmarks/simulation.{json,md}.
"""

import os
import platform
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from reporting import Options, write_report
from simulation import world
from simulation.world import Drawn, Tagger

from arena.cards import Thresholds
from arena.dataset.frozen import Truth
from arena.evaluate import Entry, Settings, aggregate
from arena.evaluate.matching import match
from arena.evaluate.passes import Measured, measure, order_by_fold
from arena.evaluate.per_tag import tag_differences, tag_intervals
from arena.evaluate.slices import tag_slices
from arena.metrics.intervals import Interval
from arena.metrics.registry import AGGREGATES, HEADLINES
from arena.scores.store import Scores
from arena.tags import TagSpace

THRESHOLD = 0.4
BANDS = ((6, 9), (10, 29), (30, 99), (100, 299), (300, 999), (1000, 10**9))
QUALITY = 3.9
BETTER = 0.15
"""Difference of the separation d' between the better tagger and the other, on tags where they differ."""


class Held(NamedTuple):
    """One interval of one experiment, with the true value."""

    estimate: float
    low: float
    high: float
    truth: float


Found = dict[str, list[Held]]


class Scenario(NamedTuple):
    """How the two taggers of an experiment differ."""

    name: str
    differing: float
    """Share of the tags on which the second tagger is better."""
    better: float
    """Difference of the separation d' on these tags."""
    copies: int = 1
    """Number of near duplicates of each picture, including itself."""
    share: float = 1.0
    """Share of the requested experiments to run."""


SCENARIOS = {
    "differ": Scenario("differ", 1.0, BETTER),
    "null": Scenario("null", 0.0, 0.0),
    "mixed": Scenario("mixed", 0.5, 0.8, share=0.25),
    "copies": Scenario("copies", 1.0, BETTER, copies=2, share=0.25),
}


def tags_of(count: int, images: int) -> np.ndarray:
    """Return the prevalences of `count` tags whose supports are spread like JoyTag's."""
    supports = np.sort(world.joytag_supports())
    chosen = supports[np.linspace(0, len(supports) - 1, count).round().astype(int)]
    return np.asarray(np.minimum(chosen / images, 0.55) if images != world.JOYTAG_IMAGES else chosen / images)


def taggers_of(scenario: Scenario, prevalence: np.ndarray) -> tuple[list[Tagger], np.ndarray]:
    """Return both taggers and the tags on which they differ; they are the same in all experiments of a scenario."""
    rng = np.random.default_rng(7)
    first = world.make_tagger(prevalence, rng, quality=QUALITY)
    differing = rng.random(len(prevalence)) < scenario.differing
    second = Tagger(first.separation + scenario.better * differing, first.shift)
    return [first, second], differing


def measured_of(drawn: Drawn, *, clustered: bool) -> tuple[Measured, aggregate.Aggregates, Settings]:
    """Evaluate simulated images as `arena score` does."""
    settings = Settings(min_positives=0, workers=1, slices=())
    ids = tuple(map(str, range(drawn.truth.shape[0])))
    tags = TagSpace(tuple(f"t{i:05d}" for i in range(drawn.truth.shape[1])))
    truth = order_by_fold(Truth.of(ids, tags, drawn.truth, groups=tuple(map(str, drawn.groups)) if clustered else None))
    models = [
        match(truth, Entry(name, name, Scores.of(ids, tags, scores), Thresholds(THRESHOLD), "option"))
        for name, scores in zip("ab", drawn.scores, strict=True)
    ]
    compared = np.arange(len(tags))
    slices = tag_slices(truth, compared, ["general"] * len(tags), settings)
    measured = measure(truth, models, compared, slices, [], settings, lambda tags: None)
    return measured, aggregate.aggregate(measured, slices, [], settings), settings


def experiment(scenario: Scenario, tags: int, images: int, seed: int) -> dict[str, Any]:
    """Run one experiment: one set of held-out images."""
    prevalence = tags_of(tags, images)
    taggers, differing = taggers_of(scenario, prevalence)
    drawn = world.draw(prevalence, taggers, images, np.random.default_rng([seed, 11]), copies=scenario.copies)
    measured, found, _ = measured_of(drawn, clustered=scenario.copies > 1)
    held: Found = defaultdict(list)
    true_f1 = [world.true_at(np.full(tags, THRESHOLD), prevalence, one) for one in taggers]
    true_ap = [world.true_average_precision(prevalence, one) for one in taggers]
    _aggregates(held, found, true_f1, true_ap, "")
    if scenario.copies > 1:
        _, naive, _ = measured_of(drawn, clustered=False)
        _aggregates(held, naive, true_f1, true_ap, "images treated as independent: ")
    _per_tag(held, measured, true_f1, true_ap, prevalence * images)
    _cross_fits(held, measured, found, taggers, prevalence)
    return {"held": dict(held), **_declared(measured, found, differing)}


def _aggregates(held: Found, found: aggregate.Aggregates, true: list[Any], ap: list[Any], prefix: str) -> None:
    """Add the headline metrics of both taggers, and their differences."""
    intervals = found.intervals
    truths = {
        "macro_f1": [one.f1.mean() for one in true],
        "micro_f1": [one.micro_f1 for one in true],
        "map": [one.mean() for one in ap],
    }
    table = aggregate.differences(found, ["a", "b"])
    for name, values in truths.items():
        figure = AGGREGATES.index(name)
        for number, value in enumerate(values):
            here = (number, figure, 0)
            held[f"{prefix}{name}"].append(
                Held(found.estimates[here], intervals.low[here], intervals.high[here], value)
            )
        row = table[(table["figure"] == name) & (table["regime"] == "own") & (table["slice"] == "all")].iloc[0]
        held[f"{prefix}{name} difference"].append(
            Held(row["difference"], row["low"], row["high"], values[0] - values[1])
        )


def _per_tag(held: Found, measured: Measured, true: list[Any], ap: list[Any], expected: np.ndarray) -> None:
    """Add the per-tag intervals, by band of the expected support."""
    intervals = [tag_intervals(measured, number) for number in range(2)]
    table = tag_differences(measured, intervals)
    for low, high in BANDS:
        band = np.flatnonzero((np.round(expected) >= low) & (np.round(expected) <= high))
        name = f"{low}+" if high >= 10**9 else f"{low}–{high}"
        for number, tally in enumerate(measured.tallies.models):
            _, _, f1, average = intervals[number]
            own = measured.own[number]
            estimate = 2 * own.tp / np.maximum(own.tp + own.fp + own.positives, 1)
            _spread(held, f"F1 of a tag, {name}", estimate, f1, true[number].f1, band)
            _spread(held, f"AP of a tag, {name}", tally.average_precision, average, ap[number], band)
        for figure, truth in (("f1", true[0].f1 - true[1].f1), ("ap", ap[0] - ap[1])):
            ends = Interval(table[f"{figure}_low"].to_numpy(), table[f"{figure}_high"].to_numpy())
            difference = table[f"{figure}_difference"].to_numpy()
            _spread(held, f"{figure.upper()} difference of a tag, {name}", difference, ends, truth, band)


def _spread(held: Found, name: str, estimate: Any, ends: Interval, truth: Any, band: np.ndarray) -> None:
    """Add one entry for every tag of a band where estimate and interval are defined."""
    kept = band[~np.isnan(estimate[band] + ends.low[band])]
    if len(kept):
        held[name].extend(Held(estimate[i], ends.low[i], ends.high[i], truth[i]) for i in kept)


def _cross_fits(
    held: Found, measured: Measured, found: aggregate.Aggregates, taggers: list[Tagger], prevalence: np.ndarray
) -> None:
    """Add the cross-fitted macro F1 of each regime, with the true macro F1 of the thresholds that it used."""
    assert measured.uncertainty is not None
    intervals = found.intervals
    figure = AGGREGATES.index("macro_f1")
    for number, tagger in enumerate(taggers):
        for place, target in enumerate(found.targets):
            if target.slice != "all" or target.regime == "own":
                continue
            used = measured.uncertainty.regimes[number].by_name[target.regime].by_fold.astype(np.float64)
            here = (number, figure, place)
            worth = _worth(used, prevalence, tagger)
            ends = intervals.low[here], intervals.high[here]
            held[f"cross-fit {target.regime}"].append(Held(found.estimates[here], *ends, worth))
            corrected = found.estimates[here] - found.bias[here]
            held[f"cross-fit {target.regime}, minus its bias"].append(Held(corrected, *ends, worth))
        tally = measured.tallies.models[number]
        best = tally.best[0][np.newaxis].astype(np.float64)
        kept = ~np.isnan(best[0])
        estimate = float(tally.best[1][kept].mean())
        worth = _worth(best[:, kept], prevalence[kept], Tagger(tagger.separation[kept], tagger.shift[kept]))
        held["in-sample best threshold of each tag"].append(Held(estimate, np.nan, np.nan, worth))


def _worth(thresholds: np.ndarray, prevalence: np.ndarray, tagger: Tagger) -> float:
    """Return the true macro F1 of thresholds (folds, tags), with folds of equal size."""
    inside = np.clip(thresholds, 1e-9, 1 - 1e-9)
    true = [world.true_at(row, prevalence, tagger) for row in inside]
    tp, fp = (np.mean([getattr(one, name) for one in true], axis=0) for name in ("tp", "fp"))
    return float((2 * tp / (tp + fp + world.true_prevalence(prevalence))).mean())


def _declared(measured: Measured, found: aggregate.Aggregates, differing: np.ndarray) -> dict[str, Any]:
    """Return the number of differences that were declared, and how many are false."""
    table = aggregate.differences(found, ["a", "b"])
    own = table[(table["regime"] == "own") & (table["higher"] != "undetermined")]
    headline = own[(own["slice"] == "all") & own["figure"].isin(HEADLINES)]
    grouped = own[(own["slice"] == "support") & own["figure"].isin(HEADLINES)]
    tags = tag_differences(measured, [tag_intervals(measured, number) for number in range(2)])
    declared: dict[str, Any] = {"headline": len(headline), "grouped": len(grouped)}
    for figure in ("f1", "ap"):
        called = (tags[f"{figure}_higher"] != "undetermined").to_numpy()
        declared[f"{figure}_called"] = int(called.sum())
        declared[f"{figure}_false"] = int((called & ~differing).sum())
        declared[f"{figure}_found"] = float(called[differing].mean()) if differing.any() else float("nan")
    return declared


def run_all(scenario: Scenario, experiments: int, tags: int, images: int) -> list[dict[str, Any]]:
    """Run all experiments of a scenario on all cores."""
    job: Callable[[int], dict[str, Any]] = partial(experiment, scenario, tags, images)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        results = []
        for number, one in enumerate(pool.map(job, range(experiments)), 1):
            results.append(one)
            if number % 20 == 0:
                print(f"{scenario.name}: {number} of {experiments}", flush=True)
        return results


class Row(NamedTuple):
    """Coverage and error of one kind of interval."""

    name: str
    intervals: int
    covered: float
    error: float
    spread: float
    width: float


def rows_of(results: list[dict[str, Any]]) -> Iterator[Row]:
    """Yield coverage, mean error, standard deviation of the error and mean width of each kind of interval."""
    together: Found = defaultdict(list)
    for one in results:
        for name, held in one["held"].items():
            together[name].extend(held)
    for name, held in together.items():
        estimate, low, high, truth = np.array(held).T
        covered = np.mean((low <= truth) & (truth <= high)) if np.isfinite(low).all() else np.nan
        yield Row(name, len(held), float(covered), float(np.mean(estimate - truth)), float(np.std(estimate - truth)),
                  float(np.mean(high - low)))  # fmt: skip


def coverage_table(rows: list[Row]) -> list[str]:
    """Return the table of coverage as lines of Markdown."""
    lines = [
        "| metric | intervals | coverage | mean error | s.d. of error | mean width |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        covered = "–" if np.isnan(row.covered) else f"{100 * row.covered:.1f} %"
        width = "–" if np.isnan(row.width) else f"{row.width:.4f}"
        lines.append(f"| {row.name} | {row.intervals:,} | {covered} | {row.error:+.4f} | {row.spread:.4f} | {width} |")
    return lines


def _share_declared(key: str, results: list[dict[str, Any]]) -> float:
    return float(np.mean([one[key] > 0 for one in results]))


def _false_rate(figure: str, results: list[dict[str, Any]]) -> float:
    return float(np.mean([one[f"{figure}_false"] / max(1, one[f"{figure}_called"]) for one in results]))


def declared_table(results: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Return the tables of declared differences as Markdown: if nothing differs, and if half of the tags differ."""
    null, mixed = results["null"], results["mixed"]
    lines = ["| declared although nothing differs | experiments | share |", "| --- | --- | --- |"]
    for title, key in (
        ("a better model overall (macro F1, micro F1, mAP; Holm)", "headline"),
        ("a better model on any support band (the same metrics; Holm)", "grouped"),
        ("any tag by F1 (exact test, q ≤ 0.05)", "f1_called"),
        ("any tag by AP (q ≤ 0.05)", "ap_called"),
    ):
        lines.append(f"| {title} | {len(null):,} | {100 * _share_declared(key, null):.1f} % |")
    lines += ["", "| half of the tags differ | experiments | false discovery rate | power (differing tags declared) |",
              "| --- | --- | --- | --- |"]  # fmt: skip
    for title, figure in (("F1, exact test, q ≤ 0.05", "f1"), ("AP, q ≤ 0.05", "ap")):
        found = np.mean([one[f"{figure}_found"] for one in mixed])
        lines.append(f"| {title} | {len(mixed):,} | {100 * _false_rate(figure, mixed):.2f} % | {100 * found:.1f} % |")
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    parser = Options(__doc__)
    parser.add_size("--experiments", 400, tiny=2)
    parser.add_size("--tags", 300, tiny=30)
    parser.add_size("--images", world.JOYTAG_IMAGES // 2, tiny=1_024)
    options = parser.read(arguments)
    start = time.perf_counter()
    results = {}
    for name, scenario in SCENARIOS.items():
        results[name] = run_all(
            scenario, max(2, int(scenario.share * options.experiments)), options.tags, options.images
        )
    minutes = (time.perf_counter() - start) / 60
    rows = list(rows_of(results["differ"]))
    copies = [
        row
        for row in rows_of(results["copies"])
        if "of a tag" not in row.name and "cross-fit" not in row.name and "in-sample" not in row.name
    ]
    fits = [row for row in rows if row.name.startswith(("cross-fit", "in-sample"))]
    plain = [row for row in rows if row not in fits]
    lines = [
        f"# Coverage of the intervals: {options.experiments} simulations of {options.images:,} images and {options.tags} tags",
        "",
        "Two simulated taggers, supports spread like JoyTag's, 1,000 resamples. The tags are fixed in advance. The nominal",
        f"coverage is 95 %. The simulation took {minutes:.0f} minutes on {os.cpu_count()} cores.",
        "", "## Intervals", "", *coverage_table(plain),
        "", "## Thresholds chosen on the data", "",
        "Reported macro F1, compared with the true macro F1 of the thresholds in use.", "", *coverage_table(fits),
        "", "## Declared differences", "", *declared_table(results),
        "", "## Every picture twice", "",
        "Near duplicates treated as clusters, and treated as independent images.", "", *coverage_table(copies),
        "", "Made by `python scripts/simulate_uncertainty.py`.",
    ]  # fmt: skip
    facts = {
        "experiments": options.experiments, "tags": options.tags, "images": options.images, "minutes": minutes,
        "processor": platform.machine(), "cores": os.cpu_count(), "numpy": np.__version__,
        "rows": [row._asdict() for row in [*rows, *copies]],
        "any_declared": {
            name: {key: sum(one[key] > 0 for one in some) for key in ("headline", "grouped", "f1_called", "ap_called")}
            for name, some in results.items()
        },
    }  # fmt: skip
    write_report(options.out, "simulation", facts, lines)


if __name__ == "__main__":
    main()
