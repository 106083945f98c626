"""Small multiples: one panel per kind, one row per slice, one dot with interval per model, all on one axis.

Positions are percentages of the axis, so that a drawing fills the width of the page while its text keeps its size.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from arena.base.format import count, figure, plural
from arena.metrics.registry import METRICS, SLICED
from arena.report.view_model.contamination import level_title
from arena.report.view_model.leaderboard import MODEL_STYLES
from arena.report.view_model.slices import SLICE_KIND_TITLES, TAG_SLICE_KINDS, SliceVerdict, slice_verdict

MOST_TICKS = 6
"""Most ticks of an axis; as many labels fit on a phone."""

FOLDED_ROWS = 12
"""Number of slices from which the table of slices is folded, so that it does not hide the rest of the page."""


@dataclass(frozen=True)
class Axis:
    """An axis with round steps from `start` to `end`, both in 0 to 1."""

    start: float
    end: float
    ticks: Sequence[tuple[float, str]]
    """Pairs of position in percent and label."""

    def place(self, value: float) -> float:
        """Return the position of a value in percent.

        >>> axis_over([0.31, 0.58]).place(0.45)
        50.0
        """
        return round(100 * (value - self.start) / (self.end - self.start), 2)


def axis_over(values: Iterable[float | None]) -> Axis:
    """Return the shortest axis with round steps that contains every value; None is skipped.

    >>> axis = axis_over([0.31, None, 0.58])
    >>> axis.start, axis.end, [text for _, text in axis.ticks]
    (0.3, 0.6, ['0.3', '0.4', '0.5', '0.6'])
    """
    known = [value for value in values if value is not None] or [0.0, 1.0]
    step, digits = _step(min(known), max(known))
    low, high = _ends(min(known), max(known), step)
    axis = Axis(round(low * step, digits), round(high * step, digits), ())
    ticks = [(axis.place(number * step), f"{number * step:.{digits}f}") for number in range(low, high + 1)]
    return Axis(axis.start, axis.end, ticks)


_STEPS = ((0.001, 3), (0.002, 3), (0.005, 3), (0.01, 2), (0.02, 2), (0.05, 2), (0.1, 1), (0.2, 1))


def _step(least: float, most: float) -> tuple[float, int]:
    """Return the smallest round step that divides the axis into fewer than `MOST_TICKS` steps, and its digits."""
    for step, digits in _STEPS:
        low, high = _ends(least, most, step)
        if high - low < MOST_TICKS:
            return step, digits
    return _STEPS[-1]


def _ends(least: float, most: float, step: float) -> tuple[int, int]:
    """Return both ends of the axis in steps, at least one apart; a rounding error does not add a step."""
    low, high = math.floor(least / step + 1e-6), math.ceil(most / step - 1e-6)
    if high > low:
        return low, high
    return (low, low + 1) if (low + 1) * step <= 1 else (low - 1, low)


@dataclass(frozen=True)
class Dot:
    """A model's dot: positions in percent; `at` is None if the value is undefined, `low` and `high` without an interval."""

    style: int
    told: str
    down: float
    at: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class PanelRow:
    """One slice: title, size, verdict, and one dot per model."""

    title: str
    size: str
    verdict: SliceVerdict | None
    dots: Sequence[Dot]


@dataclass(frozen=True)
class Panel:
    """The slices of one kind."""

    title: str
    rows: Sequence[PanelRow]


@dataclass(frozen=True)
class Multiples:
    """All panels of one metric, on one axis."""

    key: str
    figure: str
    axis: Axis
    panels: Sequence[Panel]


_ValueWithInterval = Sequence[float | None]
"""A value and both ends of its interval."""


def slice_multiples(payload: Mapping[str, Any]) -> list[Multiples]:
    """Return, for each metric in `SLICED`, one panel per kind of slice; empty without slices."""
    names = [model["name"] for model in payload["models"]]
    return [_of_slices(payload["slices"], key, names) for key in SLICED if payload["slices"]]


def _of_slices(slices: Sequence[Mapping[str, Any]], key: str, names: Sequence[str]) -> Multiples:
    axis = axis_over(end for one in slices for values in one["figures"][key]["models"] for end in values)
    panels = [
        Panel(SLICE_KIND_TITLES.get(kind, kind), [_slice_row(one, key, names, axis) for one in parts])
        for kind, parts in groupby(slices, key=lambda one: str(one["slice"]))
    ]
    return Multiples(key, _name(key), axis, panels)


def _slice_row(one: Mapping[str, Any], key: str, names: Sequence[str], axis: Axis) -> PanelRow:
    size = (
        plural(one["tags"], "tag", "tags")
        if one["slice"] in TAG_SLICE_KINDS
        else plural(one["images"], "image", "images")
    )
    found = one["figures"][key]
    return PanelRow(one["title"], size, slice_verdict(found, names), _dots(found["models"], names, axis))


def level_multiples(payload: Mapping[str, Any]) -> list[Multiples]:
    """Return one panel per metric, with one row per contamination level and its own axis."""
    found = payload["contamination"]
    if found is None:
        return []
    names = [model["name"] for model in payload["models"]]
    return [_of_levels(found["levels"], key, names) for key in SLICED]


def _of_levels(levels: Sequence[Mapping[str, Any]], key: str, names: Sequence[str]) -> Multiples:
    values = [[_ends_of(one) for one in level["figures"][key]["models"]] for level in levels]
    axis = axis_over(end for models in values for three in models for end in three)
    rows = []
    for level, models in zip(levels, values, strict=True):
        title = level_title(level["level"])
        size = f"{plural(level['images'], 'image', 'images')}, {count(level['dropped'])} excluded"
        rows.append(PanelRow(title[0].upper() + title[1:], size, None, _dots(models, names, axis)))
    return Multiples(key, _name(key), axis, [Panel(_name(key), rows)])


def _ends_of(one: Mapping[str, Any]) -> _ValueWithInterval:
    return [one["value"], one["low"], one["high"]]


def _name(key: str) -> str:
    """Return the heading of a metric, such as `Macro F1`."""
    return METRICS[key].heading


def _dots(models: Sequence[_ValueWithInterval], names: Sequence[str], axis: Axis) -> list[Dot]:
    dots = []
    for number, (name, values) in enumerate(zip(names, models, strict=True)):
        at, low, high = (None if value is None else axis.place(value) for value in values)
        down = round(100 * (number + 0.5) / len(names), 2)
        dots.append(Dot(number % MODEL_STYLES, f"{name} {figure(values[0])}", down, at, low, high))
    return dots
