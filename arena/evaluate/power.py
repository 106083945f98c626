"""Statistical power: how many held-out images are needed to decide a difference, from the paired errors of a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from arena.base.errors import ArenaError, nearest
from arena.metrics.counts import Floats
from arena.metrics.power import TagSupports, detectable_effect, holm_levels, power_at
from arena.metrics.registry import HEADLINES, METRICS
from arena.results.run_folder import Result

POWER_TABLES = ("differences", "per_tag")
"""Tables of a result that `power_rows` reads."""

MOST_TIMES = 1e6
"""Largest number of images that is tried, in multiples of those of the run."""

SEARCH_STEPS = 24
"""Halvings of the search for the number of images; they leave an error of about two images in a million."""


class Power(NamedTuple):
    """Power of one metric for one pair of models."""

    figure: str
    first: str
    second: str
    difference: float
    standard_error: float
    images: int
    """Images of the run."""
    tests: int
    """Comparisons that are corrected together: all metrics and pairs of models."""
    detectable: float
    """Smallest true difference that this many images decide with the requested power."""
    asked: float
    """Difference to decide: the requested one, or the absolute value of the observed one."""
    needed: int | None
    """Images that decide it with the requested power; None if the difference or its standard error is 0 or less, or if
    no number of images that was tried is enough."""


@dataclass(frozen=True)
class _Family:
    """The comparisons that are corrected together.

    Attributes:
        rows: rows of `differences`.
        supports: supports of the tags that all models know.
        macro: bool (tests,), which metrics are means over tags.
        alpha: family-wise error rate.
        power: requested power.
        freedom: degrees of freedom of the standard errors, float64 (tests,).
    """

    rows: pd.DataFrame
    supports: TagSupports
    macro: NDArray[np.bool_]
    alpha: float
    power: float
    freedom: Floats

    def errors(self, factor: float) -> Floats:
        """Return the standard errors with `factor` times the images."""
        ratio = np.where(self.macro, self.supports.macro_ratio(factor), self.supports.micro_ratio(factor))
        return self.rows["standard_error"].to_numpy(np.float64) * np.sqrt(ratio)

    def levels(self, test: int, errors: Floats) -> Floats:
        """Return the possible levels of one test; the other tests have the differences of the run."""
        differences = self.rows["difference"].to_numpy(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            statistics = np.nan_to_num(differences / errors)
        return holm_levels(np.delete(statistics, test), alpha=self.alpha)

    def needed(self, test: int, difference: float, images: int) -> int | None:
        """Return the number of images that decides a difference."""

        def decides(factor: float) -> bool:
            errors = self.errors(factor)
            return (
                power_at(difference / errors[test], self.levels(test, errors), float(self.freedom[test])) >= self.power
            )

        low, high = np.log(1 / images), np.log(MOST_TIMES)
        if not decides(MOST_TIMES):
            return None
        for _ in range(SEARCH_STEPS):
            middle = (low + high) / 2
            low, high = (low, middle) if decides(float(np.exp(middle))) else (middle, high)
        return int(np.ceil(images * np.exp(high)))


def power_rows(
    result: Result,
    *,
    difference: float | None = None,
    figures: Sequence[str] = tuple(HEADLINES),
    pair: tuple[str, str] | None = None,
    power: float = 0.8,
    alpha: float = 0.05,
) -> list[Power]:
    """Return the power of each metric and pair of models, over all compared tags at the models' own thresholds.

    A difference is decided where its p is at most `alpha` after Holm's correction, as in the table `differences`. All other
    differences of the table are taken as true: the more of them are decided, the weaker the correction. Standard errors
    shrink more slowly than with the square root of the number of images, because tags with few positives enter the means.
    Further images are assumed to be of the same kind.

    Args:
        result: result of a run with two models or more and with resamples; it needs the tables `POWER_TABLES`.
        difference: difference to decide; None: the observed difference.
        figures: metrics of the table `differences`; default: the headline metrics.
        pair: the two models, in the order of the run; None: every pair.
        power: probability of deciding a true difference of this size.
        alpha: probability of deciding any difference where there is none.

    Raises:
        ArenaError: the run has one model only or no resamples, or a metric is unknown.
    """
    table = result.tables["differences"]
    if table.empty:
        raise ArenaError(
            "arena power: this run has no paired differences; score two models or more, without --bootstrap 0"
        )
    own = table[(table["slice"] == "all") & (table["regime"] == "own")].reset_index(drop=True)
    for name in figures:
        if name not in set(own["figure"]):
            raise ArenaError(f"--figure {name}: this run has no such metric. {nearest(name, set(own['figure']))}")
    macro = np.array([METRICS[name].average != "micro" for name in own["figure"]])
    family = _Family(own, _supports(result), macro, alpha, power, _freedom(own, result))
    wanted = own["figure"].isin(list(figures))
    if pair is not None:
        wanted &= (own["first"] == pair[0]) & (own["second"] == pair[1])
    return [_power(family, test, difference) for test in np.flatnonzero(wanted).tolist()]


def _freedom(rows: pd.DataFrame, result: Result) -> Floats:
    """Return the degrees of freedom of the standard errors, float64 (rows,).

    A run of an older version has no such column; the number of resamples minus 1 is used.
    """
    if "degrees_of_freedom" in rows.columns:
        return rows["degrees_of_freedom"].to_numpy(np.float64)
    return np.full(len(rows), float(result.summary["replicates"] - 1))


def _supports(result: Result) -> TagSupports:
    """Return positives and errors of the tags that all models know, whether they have enough positives or not."""
    table = result.per_tag
    images_per_weight = table["support"] / (table["tp"] + table["fn"])  # 1, except in a weighted sample
    rows = table.assign(errors=(table["fp"] + table["fn"]) * images_per_weight)
    tags = rows.groupby("truth_tag").agg(
        models=("model", "nunique"), positives=("support", "first"), errors=("errors", "mean")
    )
    tags = tags[tags["models"] == len(result.models)]
    positives, errors = tags["positives"].to_numpy(np.int64), tags["errors"].to_numpy(np.float64)
    return TagSupports(positives, errors, int(result.summary["min_positives"]))


def _power(family: _Family, test: int, difference: float | None) -> Power:
    row = family.rows.iloc[test]
    observed, error, images = float(row["difference"]), float(row["standard_error"]), int(row["images"])
    target = abs(observed) if difference is None else difference
    now = family.rows["standard_error"].to_numpy(np.float64)
    effect = detectable_effect(family.levels(test, now), family.power, float(family.freedom[test]))
    return Power(
        str(row["figure"]), str(row["first"]), str(row["second"]), observed, error, images, len(family.rows),
        effect * error, target, family.needed(test, target, images) if target > 0 and error > 0 else None,
    )  # fmt: skip
