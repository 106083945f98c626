"""Plot of one case: the interval of its difference, compared with zero and with the limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from arena.gate.verdict import Case, Measure

CASE_PLOT_WIDTH, CASE_PLOT_HEIGHT = 260.0, 34.0
"""Size of a plot, in SVG units."""

_COUNT_METRICS = frozenset({"tags", "images"})
"""Metrics that count something."""

_MARGIN = 9.0
"""Margin on the left and on the right, which leaves room for the marks."""


class PlotScale(NamedTuple):
    """Smallest and largest value on a scale that several plots share."""

    low: float
    high: float

    def x(self, value: float) -> float:
        """Return the x coordinate of a value, in SVG units.

        >>> PlotScale(-1, 1).x(-1), PlotScale(-1, 1).x(0)
        (9.0, 130.0)
        """
        return _MARGIN + (value - self.low) / (self.high - self.low) * (CASE_PLOT_WIDTH - 2 * _MARGIN)


@dataclass(frozen=True)
class CasePlot:
    """x coordinates of one plot, in SVG units; None for a value that does not exist.

    Attributes:
        zero, limit, at: x of no change, of the limit, and of the measured difference.
        low, high: x of both ends of the interval.
        beyond: x and width of the area beyond the limit.
    """

    zero: float
    at: float
    limit: float | None
    low: float | None
    high: float | None
    beyond: tuple[float, float] | None


def common_scale(cases: Sequence[Case]) -> PlotScale | None:
    """Return a common scale of cases that have one unit; None if none of them has a difference or all values are 0.

    >>> common_scale([Case("a", "b", "c", "pass", "", Measure("f1", difference=-0.5, limit=-1.0))])
    PlotScale(low=-1.0, high=0.0)
    """
    measures = [case.measure for case in cases if case.measure is not None and case.measure.difference is not None]
    values = [
        value for one in measures for value in (one.difference, one.low, one.high, one.limit) if value is not None
    ]
    low, high = min([0.0, *values]), max([0.0, *values])
    return PlotScale(low, high) if measures and low < high else None


def case_plot(measure: Measure | None, span: PlotScale | None) -> CasePlot | None:
    """Return the plot of a measure; None without a difference or a scale, and for a metric that counts something."""
    if measure is None or measure.difference is None or span is None or measure.figure in _COUNT_METRICS:
        return None
    limit, low, high = (
        None if value is None else round(span.x(value), 1) for value in (measure.limit, measure.low, measure.high)
    )
    return CasePlot(
        round(span.x(0), 1), round(span.x(measure.difference), 1), limit, low, high, _beyond(measure.limit, limit)
    )


def _beyond(limit: float | None, at: float | None) -> tuple[float, float] | None:
    """Return x and width of the area beyond the limit: left of a limit up to 0, right of a limit above 0."""
    if limit is None or at is None:
        return None
    return (0.0, at) if limit <= 0 else (at, round(CASE_PLOT_WIDTH - at, 1))
