"""How many images would decide: from the paired errors of a run to what a larger or smaller held-out set could tell."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

from arena.base.errors import ArenaError, nearest
from arena.metrics.registry import HEADLINES
from arena.metrics.significance import images_needed, minimum_detectable
from arena.results.run_folder import Result


class Power(NamedTuple):
    """What one figure of one pair of models can tell."""

    figure: str
    first: str
    second: str
    difference: float
    standard_error: float
    images: int
    detectable: float
    """The least true difference that so many images show with the wanted power."""
    asked: float
    """The difference that is to be decided."""
    needed: int | None
    """Images that show it with the wanted power; None for a difference of exactly 0, or one without error."""


def power_of(
    result: Result,
    *,
    difference: float | None = None,
    figures: Sequence[str] = tuple(HEADLINES),
    power: float = 0.8,
    alpha: float = 0.05,
) -> list[Power]:
    """For each figure and pair of models, over all compared tags at the models' own thresholds.

    The error of a difference shrinks with the root of the number of images, of the same kind as these.

    Args:
        figures: of `differences`; the headline figures unless others are named.
        difference: that is to be decided; None takes the one that was seen.
        power: the chance that a true difference of that size is called one.
        alpha: the chance that none is called one.

    Raises:
        ArenaError: one model only, no resamples, or a figure that is not there.
    """
    table = result.tables["differences"]
    if table.empty:
        raise ArenaError(
            "arena power: this run holds no paired differences; score two models or more, without --bootstrap 0"
        )
    own = table[(table["slice"] == "all") & (table["regime"] == "own")]
    for name in figures:
        if name not in set(own["figure"]):
            raise ArenaError(f"--figure {name}: no figure of a run. {nearest(name, set(own['figure']))}")
    rows = own[own["figure"].isin(list(figures))]
    return [_power(row, difference, power, alpha) for row in rows.to_dict("records")]


def _power(row: Mapping[Hashable, Any], difference: float | None, power: float, alpha: float) -> Power:
    seen, error, images = float(row["difference"]), float(row["standard_error"]), int(row["images"])
    asked = abs(seen) if difference is None else difference
    decides = asked > 0 and error > 0
    return Power(
        str(row["figure"]), str(row["first"]), str(row["second"]), seen, error, images,
        float(minimum_detectable(error, power=power, alpha=alpha)), asked,
        images_needed(images, error, asked, power=power, alpha=alpha) if decides else None,
    )  # fmt: skip
