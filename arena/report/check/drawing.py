"""A case as a line of a drawing: the interval of its difference against zero and against what is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from arena.gate.verdict import Case, Measure

WIDTH, HEIGHT = 260.0, 34.0
"""Of a drawing, in its own units."""

COUNTED = frozenset({"tags", "images"})
"""Figures that are a number of things."""

EDGE = 9.0
"""Left free on either side, for marks."""


class Span(NamedTuple):
    """Least and largest value that drawings of one scale show."""

    low: float
    high: float

    def x(self, value: float) -> float:
        """Where a value stands, in units of the drawing.

        >>> Span(-1, 1).x(-1), Span(-1, 1).x(0)
        (9.0, 130.0)
        """
        return EDGE + (value - self.low) / (self.high - self.low) * (WIDTH - 2 * EDGE)


@dataclass(frozen=True)
class Drawing:
    """Places along the line, None for what there is not.

    Attributes:
        zero, limit, at: no change, what decides, and what was seen.
        low, high: the ends of the interval.
        beyond: left end and width of the part that is not allowed.
    """

    zero: float
    at: float
    limit: float | None
    low: float | None
    high: float | None
    beyond: tuple[float, float] | None


def span_of(cases: Sequence[Case]) -> Span | None:
    """One scale for cases of one unit, so that their lines can be compared; None where nothing can be drawn.

    >>> span_of([Case("a", "b", "c", "pass", "", Measure("f1", difference=-0.5, limit=-1.0))])
    Span(low=-1.0, high=0.0)
    """
    measures = [case.measure for case in cases if case.measure is not None and case.measure.difference is not None]
    values = [
        value for one in measures for value in (one.difference, one.low, one.high, one.limit) if value is not None
    ]
    low, high = min([0.0, *values]), max([0.0, *values])
    return Span(low, high) if measures and low < high else None


def drawing_of(measure: Measure | None, span: Span | None) -> Drawing | None:
    """The line of a case; None without a difference, where all is exactly zero, and of a number of tags, which is no range."""
    if measure is None or measure.difference is None or span is None or measure.figure in COUNTED:
        return None
    places = (
        None if value is None else round(span.x(value), 1) for value in (measure.limit, measure.low, measure.high)
    )
    limit, low, high = places
    return Drawing(
        round(span.x(0), 1), round(span.x(measure.difference), 1), limit, low, high, _beyond(measure.limit, limit)
    )


def _beyond(limit: float | None, at: float | None) -> tuple[float, float] | None:
    """A loss has its limit below zero or at it, a rise above: what lies beyond, to the end of the drawing."""
    if limit is None or at is None:
        return None
    return (0.0, at) if limit <= 0 else (at, round(WIDTH - at, 1))
