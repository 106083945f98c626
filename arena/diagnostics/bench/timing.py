"""Repeated timing of a call."""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from arena.diagnostics.bench.costs import LEAST_FOR_P95, Latency


class Timings(NamedTuple):
    """Durations of the calls in seconds."""

    seconds: list[float]

    @property
    def mean(self) -> float:
        """Mean seconds per call."""
        return sum(self.seconds) / len(self.seconds)

    def latency(self) -> Latency:
        """Return the median, and the 95th percentile if there are at least `LEAST_FOR_P95` calls.

        >>> Timings([0.002, 0.001, 0.009]).latency()
        Latency(median_ms=2.0, p95_ms=None, batches=3)
        """
        enough = len(self.seconds) >= LEAST_FOR_P95
        p95 = 1e3 * float(np.quantile(self.seconds, 0.95)) if enough else None
        return Latency(1e3 * float(np.median(self.seconds)), p95, len(self.seconds))


def time_calls(call: Callable[[], object], *, seconds: float, warm_up: bool = True) -> Timings:
    """Time repeated calls until `seconds` have passed, at least one; with `warm_up`, after one untimed call."""
    if warm_up:
        call()
    timings: list[float] = []
    end = time.perf_counter() + seconds
    while not timings or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        timings.append(time.perf_counter() - start)
    return Timings(timings)
