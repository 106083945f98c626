"""Which model and threshold to take for pictures without labels, or why that cannot be said."""

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from scipy import special

from arena.evaluate.expected import Estimate, Estimates
from arena.metrics.significance import holm

LEVEL = 0.05
"""Largest p after Holm's correction with which a model counts as better."""

CHOSEN_BY = "micro_f1"
"""Metric of the choice. The estimate is best for micro metrics, because the errors of the tags' probabilities cancel out."""


class Reason(StrEnum):
    """Why a model is taken, or why none is."""

    BETTER = "better"
    """Its expected F1 is higher than that of every other model."""
    ONLY = "only model"
    UNDECIDED = "undecided"
    """The expected difference to another model may be chance."""
    DIFFER = "pictures differ"
    """The pictures are of another kind than the labelled images, so the calibration says nothing about them."""
    UNCALIBRATED = "no calibration"


class Choice(NamedTuple):
    """The choice for some pictures.

    Attributes:
        reason: why.
        model: the model with the highest expected F1; None without a usable calibration.
        threshold: its threshold with the highest expected micro F1; None without a model.
        f1: expected micro F1 at this threshold.
        others: model -> difference of `model` minus it, each at its own best threshold.
        p: model -> p of this difference after Holm's correction.
    """

    reason: Reason
    model: str | None = None
    threshold: float | None = None
    f1: Estimate | None = None
    others: Mapping[str, Estimate] = {}
    p: Mapping[str, float] = {}


def choose(estimates: Estimates | None) -> Choice:
    """Return the choice that expected metrics allow."""
    if estimates is None:
        return Choice(Reason.UNCALIBRATED)
    if estimates.differ:
        return Choice(Reason.DIFFER)
    values = {name: one.best[CHOSEN_BY].value for name, one in estimates.models.items()}
    best = max(values, key=lambda name: -math.inf if math.isnan(values[name]) else values[name])
    others = {name: _difference(estimates, best, name) for name in values if name != best}
    p = dict(zip(others, holm(np.array([_p(one) for one in others.values()])).tolist(), strict=True)) if others else {}
    found = estimates.models[best]
    reason = Reason.ONLY if not others else Reason.BETTER if _all_below(list(p.values())) else Reason.UNDECIDED
    return Choice(reason, best, found.threshold.threshold, found.best[CHOSEN_BY], others, p)


def _all_below(p: Sequence[float]) -> bool:
    return all(one <= LEVEL for one in p)


def _difference(estimates: Estimates, first: str, second: str) -> Estimate:
    """Return the difference of two models at their best thresholds, the first minus the second."""
    pair = estimates.pairs.get((first, second))
    if pair is not None:
        return pair["best"][CHOSEN_BY]
    one = estimates.pairs[second, first]["best"][CHOSEN_BY]
    return Estimate(-one.value, -one.high, -one.low, one.standard_error)


def _p(one: Estimate) -> float:
    """Return the two-sided p of a difference against 0; 1 where it is undefined or where neither varies."""
    if math.isnan(one.value) or not one.standard_error > 0:
        return 1.0
    return float(2 * special.ndtr(-abs(one.value) / one.standard_error))
