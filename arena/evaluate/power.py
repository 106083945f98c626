"""Statistical power: how many held-out images are needed to detect a difference, from the paired errors of a run."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

from arena.base.errors import ArenaError, nearest
from arena.metrics.registry import HEADLINES
from arena.metrics.significance import images_needed, minimum_detectable
from arena.results.run_folder import Result


class Power(NamedTuple):
    """Power of one metric for one pair of models."""

    figure: str
    first: str
    second: str
    difference: float
    standard_error: float
    images: int
    """Images of the run."""
    detectable: float
    """Smallest true difference that this many images detect with the requested power."""
    asked: float
    """Difference to detect: the requested one, or the absolute value of the observed one."""
    needed: int | None
    """Images that detect it with the requested power; None if the difference or its standard error is 0 or less."""


def power_of(
    result: Result,
    *,
    difference: float | None = None,
    figures: Sequence[str] = tuple(HEADLINES),
    power: float = 0.8,
    alpha: float = 0.05,
) -> list[Power]:
    """Return the power of each metric and pair of models, over all compared tags at the models' own thresholds.

    The standard error of a difference shrinks with the square root of the number of images; further images are assumed to be
    of the same kind.

    Args:
        result: result of a run with two models or more and with resamples.
        difference: difference to detect; None: the observed difference.
        figures: metrics of the table `differences`; default: the headline metrics.
        power: probability of detecting a true difference of this size.
        alpha: probability of detecting a difference where there is none.

    Raises:
        ArenaError: the run has one model only or no resamples, or a metric is unknown.
    """
    table = result.tables["differences"]
    if table.empty:
        raise ArenaError(
            "arena power: this run has no paired differences; score two models or more, without --bootstrap 0"
        )
    own = table[(table["slice"] == "all") & (table["regime"] == "own")]
    for name in figures:
        if name not in set(own["figure"]):
            raise ArenaError(f"--figure {name}: this run has no such metric. {nearest(name, set(own['figure']))}")
    rows = own[own["figure"].isin(list(figures))]
    return [_power(row, difference, power, alpha) for row in rows.to_dict("records")]


def _power(row: Mapping[Hashable, Any], difference: float | None, power: float, alpha: float) -> Power:
    observed, error, images = float(row["difference"]), float(row["standard_error"]), int(row["images"])
    target = abs(observed) if difference is None else difference
    decides = target > 0 and error > 0
    return Power(
        str(row["figure"]), str(row["first"]), str(row["second"]), observed, error, images,
        float(minimum_detectable(error, power=power, alpha=alpha)), target,
        images_needed(images, error, target, power=power, alpha=alpha) if decides else None,
    )  # fmt: skip
