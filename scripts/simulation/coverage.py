"""Compare the results of simulated runs with the truth: coverage of intervals, false winners, signs, and consistency."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from arena.metrics.counts import Floats, Integers
from arena.metrics.registry import AGGREGATES, TAG_INTERVALS, TESTED
from arena.metrics.slices import support_band
from arena.metrics.thresholds import THRESHOLD_CHOICES
from arena.results.run_folder import Result
from arena.tags.groups import TagGroup
from simulation.populations import OWN_THRESHOLD, Population, Sample, Tagger

REGIMES = ("own", *THRESHOLD_CHOICES)
BANDS = ((1, 9), (10, 19), (20, 49), (50, 199), (200, 10**9))
"""Bands of the support by which the intervals of single tags are reported."""

ROUNDING = 1e-9
"""Distance between a value and an end of its interval that counts as rounding."""

Key = tuple[str, str, str]
"""What an interval is of: the kind, then the regime, slice or band of the support, then the metric."""


def band_name(low: int, high: int) -> str:
    """Return the name of a band of the support."""
    return f"{low}+" if high >= 10**9 else f"{low}–{high}"


@dataclass
class Tally:
    """Sums over experiments.

    Attributes:
        held: per key: intervals, those that contain the truth, those above it, those below it, sum of the errors of the
            estimates, sum of the widths.
        winners: per number of models and table: experiments, and those with a false winner.
        signs: per kind of metric: significant differences between the better tagger and another, and those with the wrong sign.
        outside: per kind: printed values, and those outside their interval.
        contradictions: per kind: intervals of differences, and those that contradict their p.
        undefined: per regime: values that are undefined because the rule of the regime cannot be satisfied.
    """

    held: dict[Key, Floats] = field(default_factory=lambda: defaultdict(lambda: np.zeros(6)))
    winners: dict[tuple[int, str], Floats] = field(default_factory=lambda: defaultdict(lambda: np.zeros(2)))
    signs: dict[str, Floats] = field(default_factory=lambda: defaultdict(lambda: np.zeros(2)))
    outside: dict[str, Floats] = field(default_factory=lambda: defaultdict(lambda: np.zeros(2)))
    contradictions: dict[str, Floats] = field(default_factory=lambda: defaultdict(lambda: np.zeros(2)))
    undefined: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, other: "Tally") -> None:
        """Add the sums of another tally."""
        for name, mine in vars(self).items():
            for key, values in getattr(other, name).items():
                mine[key] = mine[key] + values

    def plain(self) -> "Tally":
        """Return a copy that can be sent between processes."""
        return Tally(**{name: dict(values) for name, values in vars(self).items()})

    def as_json(self) -> dict[str, list[Any]]:
        """Return the sums as lists of key and values."""
        return {
            name: [[key, np.asarray(values).tolist()] for key, values in sums.items()]
            for name, sums in vars(self).items()
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Sequence[Any]]) -> "Tally":
        """Return the sums that `as_json` wrote."""
        sums: dict[str, Any] = {
            name: {(tuple(key) if isinstance(key, list) else key): np.asarray(values) for key, values in pairs}
            for name, pairs in content.items()
        }
        return cls(**sums)

    def hold(self, key: Key, estimate: Any, low: Any, high: Any, truth: Any) -> None:
        """Add intervals, and check that they contain their estimates; undefined ones are left out."""
        estimate, low, high, truth = (
            np.atleast_1d(np.asarray(x, np.float64)) for x in np.broadcast_arrays(estimate, low, high, truth)
        )
        known = ~np.isnan(estimate + low + high + truth)
        estimate, low, high, truth = (x[known] for x in (estimate, low, high, truth))
        above, below = low > truth + ROUNDING, high < truth - ROUNDING
        self.held[key] += [
            len(low), (~above & ~below).sum(), above.sum(), below.sum(), (estimate - truth).sum(), (high - low).sum(),
        ]  # fmt: skip
        self.inside(key[0], estimate, low, high)

    def inside(self, kind: str, value: Any, low: Any, high: Any) -> None:
        """Count values outside their intervals."""
        value, low, high = (np.atleast_1d(np.asarray(x, np.float64)) for x in (value, low, high))
        known = ~np.isnan(value + low + high)
        out = (value < low - ROUNDING) | (value > high + ROUNDING)
        self.outside[kind] += [known.sum(), (out & known).sum()]

    def agree(self, kind: str, low: Any, high: Any, p: Any) -> None:
        """Count intervals that exclude 0 where p is above 0.05, or contain 0 where it is not."""
        low, high, p = (np.asarray(x, np.float64) for x in (low, high, p))
        known = ~np.isnan(low + high + p)
        excludes = (low > 0) | (high < 0)
        self.contradictions[kind] += [known.sum(), (known & (excludes != (p <= 0.05))).sum()]


class Truths:
    """True metrics of the tags of one experiment.

    Args:
        population: where the images come from.
        sample: the images.
        names: names of the tags, in order.
        result: the run.
        groups: groups of tags of the run.
        least: positives that a tag needs to enter a mean.
    """

    def __init__(
        self,
        population: Population,
        sample: Sample,
        names: tuple[str, ...],
        result: Result,
        groups: Iterable[TagGroup],
        least: int,
    ) -> None:
        self.population, self.sample = population, sample
        self.column = {name: place for place, name in enumerate(names)}
        self.support = sample.labels.sum(0)
        self.compared = self.support >= least
        self.members: dict[tuple[str, str], NDArray[np.bool_]] = {("all", "all"): self.compared}
        bands = support_band(self.support)
        for kind, values in (("category", population.categories), ("support", bands)):
            for value in set(values.tolist()):
                self.members[kind, value] = self.compared & (values == value)
        for group in groups:
            self.members["group", group.name] = self.compared & np.isin(names, group.tags)
        for rating in set(sample.ratings.tolist()):
            carried = sample.labels[sample.ratings == rating].sum(0)
            self.members["rating", rating] = self.compared & (carried >= least)
        self.category_numbers: Integers = np.unique(population.categories, return_inverse=True)[1].astype(np.int64)
        self.predicted: dict[tuple[str, str, str, str], NDArray[np.bool_]] = {}
        self.final: dict[tuple[str, str], NDArray[np.float32]] = {}
        for key, rows in result.tables["thresholds"].groupby(["model", "regime"]):
            model, regime = map(str, key)
            places = [self.column[tag] for tag in rows["tag"]]
            defined, final = np.zeros(len(names), np.bool_), np.full(len(names), np.nan, np.float32)
            defined[places], final[places] = rows["precision"].notna(), rows["threshold"].to_numpy(np.float32)
            self.predicted[model, "all", "all", regime], self.final[model, regime] = defined, final
        self._kept: dict[tuple[str, str], tuple[Floats, Floats]] = {}
        self._found: dict[tuple[str, ...], dict[str, float]] = {}

    def _defined(self, model: str, kind: str, value: str, regime: str) -> NDArray[np.bool_]:
        """Return the tags whose precision is defined in the run."""
        if kind != "rating":
            return self.predicted[model, "all", "all", regime]
        key = (model, kind, value, regime)
        if key not in self.predicted:
            scores = self.sample.scores[model][self.sample.ratings == value]
            self.predicted[key] = (scores >= np.float32(OWN_THRESHOLD)).any(0)
        return self.predicted[key]

    def _rates(self, model: str, regime: str) -> tuple[Floats, Floats]:
        key = (model, regime)
        if key not in self._kept:
            tagger = self.population.taggers[model]
            for name, thresholds in chosen_once(tagger, self.compared, self.category_numbers).items():
                self._kept[model, name] = tagger.rates(thresholds)
        return self._kept[key]

    def of(self, model: str, kind: str, value: str, regime: str, *, other: str = "") -> dict[str, float]:
        """Return the true value of each aggregate metric.

        Args:
            model: name of the tagger.
            kind, value: slice.
            regime: regime; its thresholds are those that it chooses on the population.
            other: model that it is compared with; macro precision is then over the tags where both have one.
        """
        key = (model, kind, value, regime, other)
        if key not in self._found:  # rows of a table differ in the metric alone
            defined = self._defined(model, kind, value, regime)
            if other:
                defined = defined & self._defined(other, kind, value, regime)
            self._found[key] = self._figures(model, self._rates(model, regime), self.members[kind, value], defined)
        return self._found[key]

    def of_final(self, model: str, regime: str) -> dict[str, float]:
        """Return the true values at the thresholds that the run recommends for production."""
        rates = self.population.taggers[model].rates(self.final[model, regime])
        return self._figures(model, rates, self.compared, self._defined(model, "all", "all", regime))

    def _figures(
        self, model: str, rates: tuple[Floats, Floats], members: NDArray[np.bool_], defined: NDArray[np.bool_]
    ) -> dict[str, float]:
        tp, fp = (x[members] for x in rates)
        prevalence, precise = self.population.prevalence[members], defined[members]
        if not len(tp):
            return dict.fromkeys(AGGREGATES, float("nan"))
        precision = (tp / (tp + fp))[precise]
        return {
            "macro_precision": float(precision.mean()) if len(precision) else float("nan"),
            "macro_recall": float((tp / prevalence).mean()),
            "macro_f1": float((2 * tp / (tp + fp + prevalence)).mean()),
            "micro_precision": float(tp.sum() / (tp + fp).sum()),
            "micro_recall": float(tp.sum() / prevalence.sum()),
            "micro_f1": float(2 * tp.sum() / (tp + fp + prevalence).sum()),
            "map": float(self.population.taggers[model].average_precision[members].mean()),
        }

    def of_tags(self, model: str) -> dict[str, Floats]:
        """Return the true metrics of single tags at the model's own thresholds; float64 (tags,) each."""
        tagger = self.population.taggers[model]
        prevalence = tagger.prevalence
        tp, fp = tagger.rates(np.full(len(prevalence), OWN_THRESHOLD, np.float32))
        return {
            "precision": tp / (tp + fp), "recall": tp / prevalence, "f1": 2 * tp / (tp + fp + prevalence),
            "ap": tagger.average_precision,
        }  # fmt: skip


_CHOSEN: dict[tuple[int, bytes], dict[str, NDArray[np.float32]]] = {}


def chosen_once(tagger: Tagger, compared: NDArray[np.bool_], categories: Integers) -> dict[str, NDArray[np.float32]]:
    """Return `Tagger.chosen`, from memory if these tags were compared before."""
    key = (id(tagger), compared.tobytes())
    if key not in _CHOSEN:
        _CHOSEN[key] = tagger.chosen(compared, categories)
    return _CHOSEN[key]


def tally_values(tally: Tally, result: Result, truths: Truths, models: Iterable[str]) -> None:
    """Add all intervals of single models."""
    for model in models:
        for regime, found in result.summary["models"][model]["regimes"].items():
            true, final = truths.of(model, "all", "all", regime), truths.of_final(model, regime)
            tally.undefined[regime] += int(np.isnan(found["micro_f1"]))
            for metric in AGGREGATES:
                if metric in found:
                    low, high = found[f"{metric}_low"], found[f"{metric}_high"]
                    tally.hold(("aggregate", regime, metric), found[metric], low, high, final[metric])
                    tally.hold(("population", regime, metric), found[metric], low, high, true[metric])
                    corrected = np.clip(found[metric] - np.nan_to_num(found[f"{metric}_bias"]), 0, 1)
                    tally.inside("aggregate without its bias", corrected, low, high)
        for row in _rows(result.tables["slices"], model=model):
            if row["slice"] != "all":
                true = truths.of(model, row["slice"], row["value"], "own")
                for metric in AGGREGATES:
                    ends = row[f"{metric}_low"], row[f"{metric}_high"]
                    tally.hold(("slice", row["slice"], metric), row[metric], *ends, true[metric])
        table = result.per_tag[result.per_tag["model"] == model]
        places = table["tag"].map(truths.column).to_numpy()
        for metric, true_values in truths.of_tags(model).items():
            assert metric in TAG_INTERVALS
            values = [table[name].to_numpy(np.float64) for name in (metric, f"{metric}_low", f"{metric}_high")]
            _by_band(tally, "tag", metric, table["support"].to_numpy(), *values, true_values[places])


def _rows(table: pd.DataFrame, **kept: str) -> list[dict[str, Any]]:
    """Return the rows with these values."""
    for name, value in kept.items():
        table = table[table[name] == value]
    return list(table.to_dict("records"))  # type: ignore[arg-type]


def _by_band(tally: Tally, kind: str, metric: str, support: NDArray[Any], *columns: Floats) -> None:
    for low, high in BANDS:
        band = (support >= low) & (support <= high)
        if band.any():
            tally.hold((kind, band_name(low, high), metric), *(column[band] for column in columns))


def tally_differences(tally: Tally, result: Result, truths: Truths, pair: tuple[str, str], label: str) -> None:
    """Add all intervals of differences between two models; `label` says how these differ."""
    first, second = pair
    table = result.tables["differences"]
    for row in _rows(table, first=first, second=second):
        true = [
            truths.of(model, row["slice"], row["value"], row["regime"], other=other)[row["figure"]]
            for model, other in ((first, second), (second, first))
        ]
        kind = "aggregate" if row["slice"] == "all" else "slice"
        where = row["regime"] if row["slice"] == "all" else row["slice"]
        key = (f"{kind} difference, {label}", where, row["figure"])
        tally.hold(key, row["difference"], row["low"], row["high"], true[0] - true[1])
    rows = table[(table["first"] == first) & (table["second"] == second)]
    tally.agree("aggregates and slices", rows["low"], rows["high"], rows["p"])
    tags = result.tables["tag_differences"]
    tags = tags[(tags["first"] == first) & (tags["second"] == second)]
    places = tags["tag"].map(truths.column).to_numpy()
    true_tags = [truths.of_tags(model) for model in (first, second)]
    for metric in TESTED:
        difference, low, high, p = (
            tags[f"{metric}_{name}"].to_numpy(np.float64) for name in ("difference", "low", "high", "p")
        )
        true_difference = (true_tags[0][metric] - true_tags[1][metric])[places]
        support = tags["support"].to_numpy()
        _by_band(tally, f"tag difference, {label}", metric, support, difference, low, high, true_difference)
        tally.agree(f"{metric} of a tag", low, high, p)


def called(differences: pd.DataFrame, tags: pd.DataFrame) -> Iterator[tuple[str, bool]]:
    """Yield each table that a reader sees, and whether it names a higher model."""
    decided = differences["higher"] != "undetermined"
    for (kind, regime), rows in decided.groupby([differences["slice"], differences["regime"]]):
        yield (f"regime {regime}" if kind == "all" else f"slices by {kind}"), bool(rows.any())
    named = [(tags[f"{metric}_higher"] != "undetermined").any() for metric in TESTED]
    yield "single tags", bool(np.any(named))


def tally_winners(tally: Tally, models: int, differences: pd.DataFrame, tags: pd.DataFrame) -> None:
    """Add the false winners of a run of equal models."""
    for name, found in called(differences, tags):
        tally.winners[models, name] += [1, found]


def tally_signs(tally: Tally, differences: pd.DataFrame, tags: pd.DataFrame, truths: Truths) -> None:
    """Add the calls of a run of two models, one of which is better, and those with the wrong sign."""
    for row in _rows(differences):
        if row["higher"] != "undetermined":
            pair = ((row["first"], row["second"]), (row["second"], row["first"]))
            first, second = (
                truths.of(a, row["slice"], row["value"], row["regime"], other=b)[row["figure"]] for a, b in pair
            )
            name = f"regime {row['regime']}" if row["slice"] == "all" else f"slices by {row['slice']}"
            tally.signs[name] += [1, np.sign(first - second) != np.sign(row["difference"])]
    true_tags: Mapping[str, Mapping[str, Floats]] = {
        model: truths.of_tags(model) for model in {*tags["first"], *tags["second"]}
    }
    for metric in TESTED:
        for row in _rows(tags[tags[f"{metric}_higher"] != "undetermined"]):
            place = truths.column[row["tag"]]
            true = true_tags[row["first"]][metric][place] - true_tags[row["second"]][metric][place]
            tally.signs[f"{metric} of a tag"] += [1, np.sign(true) != np.sign(row[f"{metric}_difference"])]
