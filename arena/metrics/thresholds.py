"""Thresholds: the sweep that every run makes, and one threshold a tag from a vendor's or a user's choice."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

SWEEP_STEPS = 100
"""The sweep is 0, 0.01, ..., 1: 101 thresholds."""


def sweep_thresholds(extra: Sequence[float] | NDArray[np.float32] = ()) -> NDArray[np.float32]:
    """The sweep with further thresholds merged in; float32 (k,), strictly increasing.

    >>> len(sweep_thresholds()), len(sweep_thresholds([0.5, 0.3537]))
    (101, 102)
    """
    even = np.arange(SWEEP_STEPS + 1, dtype=np.float64) / SWEEP_STEPS
    return np.unique(np.concatenate([even.astype(np.float32), np.asarray(extra, dtype=np.float32)]))


def on_sweep(thresholds: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which thresholds belong to the even sweep; bool (k,)."""
    return np.isin(thresholds, sweep_thresholds())


def per_tag(categories: Sequence[str], *, default: float, by_category: Mapping[str, float]) -> NDArray[np.float32]:
    """One threshold a tag: its category's where there is one, else the default; float32 (tags,).

    >>> per_tag(["general", "character"], default=0.35, by_category={"character": 0.85})
    array([0.35, 0.85], dtype=float32)
    """
    return np.array([by_category.get(category, default) for category in categories], dtype=np.float32)
