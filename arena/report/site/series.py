"""The leaderboard over time: headline metrics of each tagger over comparable runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from arena.base.format import figure, interval
from arena.metrics.registry import HEADLINES
from arena.report.site.runs import PublishedRun
from arena.report.view_model.leaderboard import MODEL_STYLES, plain_value_of, value_of

CHART_WIDTH, CHART_HEIGHT = 360, 220
CHART_LEFT, CHART_RIGHT, CHART_TOP, _BOTTOM = 46, 8, 12, 28
"""Size of a plot and of the margins around its plot area, in SVG units."""

_GRID_STEPS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
"""Possible distances between grid lines, in units of the metric."""

MOST_DATES = 4
MOST_LINES = 5
"""Largest number of dates below a plot, and number of grid steps to aim for."""

_TAGGER_DISTANCE = 9.0
"""Largest horizontal distance between the taggers of one run, in SVG units; it is smaller with many taggers."""


ValueOf = Callable[[Mapping[str, Any], str], float | None]
"""Returns a metric of a model by its key."""


class ChartPoint(NamedTuple):
    """The value of one tagger in one run.

    Attributes:
        x, y: position in the plot, in SVG units.
        low, high: y coordinates of the ends of the interval; None without one.
        told: text of the tooltip.
    """

    x: float
    y: float
    low: float | None
    high: float | None
    told: str


class ChartLine(NamedTuple):
    """One tagger; `path` is an SVG path with a gap at each undefined value."""

    model: str
    style: int
    path: str
    points: Sequence[ChartPoint]


class Tick(NamedTuple):
    """A coordinate on an axis, in SVG units, and its label."""

    at: float
    text: str


class Chart(NamedTuple):
    """The plot of one metric of all taggers; `figures` and `dates` are the ticks of its axes."""

    name: str
    lines: Sequence[ChartLine]
    figures: Sequence[Tick]
    dates: Sequence[Tick]


class FormattedValue(NamedTuple):
    """A formatted value, its formatted interval, and the formatted plain mean; empty where there is none."""

    text: str
    range: str
    plain: str = ""


class _LeaderboardRow(NamedTuple):
    """One tagger in one run."""

    run: PublishedRun
    model: str
    style: int
    cells: Sequence[FormattedValue]


@dataclass(frozen=True)
class ComparableRuns:
    """Comparable runs.

    Attributes:
        runs: the oldest first.
        styles: style index of each tagger (colour, marker and dash pattern), sorted by name.
    """

    runs: Sequence[PublishedRun]
    styles: dict[str, int]

    @property
    def newest(self) -> PublishedRun:
        """The newest run; its dataset and rules are those of all."""
        return self.runs[-1]

    @property
    def value_of(self) -> ValueOf:
        """How a value is read: the plain one if any run has no other, because both kinds on one line look like a change."""
        corrected = {bool(model["as_published"]) for run in self.runs for model in run.payload["models"]}
        return plain_value_of if len(corrected) > 1 else value_of

    @property
    def charts(self) -> list[Chart]:
        """One plot for each headline metric with a defined value."""
        charts = [_chart(self, key) for key in HEADLINES]
        return [chart for chart in charts if chart.lines]

    @property
    def rows(self) -> list[_LeaderboardRow]:
        """All values of the plots as rows, the newest run first."""
        return [
            _LeaderboardRow(
                run,
                model["name"],
                self.styles[model["name"]],
                [_format_value(model, key, self.value_of) for key in HEADLINES],
            )
            for run in reversed(self.runs)
            for model in sorted(run.payload["models"], key=lambda model: str(model["name"]))
        ]


def group_comparable_runs(runs: Sequence[PublishedRun]) -> list[ComparableRuns]:
    """Group comparable runs: groups of several runs first, then those with the newest run."""
    found: dict[str, list[PublishedRun]] = {}
    for run in sorted(runs, key=lambda run: (run.created, run.id)):
        found.setdefault(run.comparable, []).append(run)
    made = [ComparableRuns(comparable, _styles(comparable)) for comparable in found.values()]
    return sorted(made, key=lambda group: (len(group.runs) > 1, group.newest.created, group.newest.id), reverse=True)


def _styles(runs: Sequence[PublishedRun]) -> dict[str, int]:
    names = sorted({str(model["name"]) for run in runs for model in run.payload["models"]})
    return {name: place % MODEL_STYLES for place, name in enumerate(names)}


def _format_value(model: Mapping[str, Any], key: str, read: ValueOf = value_of) -> FormattedValue:
    """Return a headline metric of a model as text."""
    value, plain = read(model, key), plain_value_of(model, key)
    return FormattedValue(figure(value), interval(*_interval_ends(model, key)), "" if value == plain else figure(plain))


def _interval_ends(model: Mapping[str, Any], key: str) -> tuple[float | None, float | None]:
    """Return both ends of the interval of a metric; None without one."""
    intervals: Mapping[str, tuple[float, float] | None] = model["intervals"]
    return intervals.get(key) or (None, None)


def _chart(group: ComparableRuns, key: str) -> Chart:
    values = [
        value
        for run in group.runs
        for model in run.payload["models"]
        for value in (group.value_of(model, key), *_interval_ends(model, key))
        if value is not None
    ]
    if not values:
        return Chart(HEADLINES[key], [], [], [])
    marks = grid_values(min(values), max(values))
    lines = [_line(group, name, key, marks) for name in group.styles]
    return Chart(HEADLINES[key], [line for line in lines if line.points], value_ticks(marks), _dates(group.runs))


def grid_values(lowest: float, highest: float) -> list[float]:
    """Return round grid values that enclose both values, limited to 0 to 1, or to -1 to 1 if the lowest is negative.

    >>> grid_values(0.31, 0.58), grid_values(0.5, 0.5)
    ([0.3, 0.4, 0.5, 0.6], [0.4995, 0.5, 0.5005])
    """
    wanted = (highest - lowest) / MOST_LINES
    step = next((step for step in _GRID_STEPS if step >= wanted), _GRID_STEPS[-1])
    first, last = math.floor(lowest / step + 1e-9), math.ceil(highest / step - 1e-9)
    if first == last:
        first, last = first - 1, last + 1
    marks = [round(place * step, 6) for place in range(first, last + 1)]
    return [mark for mark in marks if (-1 if lowest < 0 else 0) <= mark <= 1]


def value_ticks(marks: Sequence[float]) -> list[Tick]:
    """Return the labels of the grid lines."""
    return [Tick(y_of_value(mark, marks), f"{mark:.4f}".rstrip("0").ljust(4, "0")) for mark in marks]


def y_of_value(value: float, marks: Sequence[float]) -> float:
    """Return the y coordinate of a value in a plot with grid lines at `marks`, in SVG units."""
    area = CHART_HEIGHT - CHART_TOP - _BOTTOM
    return round(CHART_TOP + area * (marks[-1] - value) / (marks[-1] - marks[0]), 2)


def x_of_run(place: int, runs: int) -> float:
    """Return the x coordinate of the run with index `place` out of `runs`, in SVG units."""
    return round(CHART_LEFT + (CHART_WIDTH - CHART_LEFT - CHART_RIGHT) * (place + 0.5) / runs, 2)


def _line(group: ComparableRuns, name: str, key: str, marks: Sequence[float]) -> ChartLine:
    """Return the points of a tagger and the path through them; the path has a gap at an undefined value."""
    slot = (CHART_WIDTH - CHART_LEFT - CHART_RIGHT) / len(group.runs)
    apart = min(_TAGGER_DISTANCE, 0.8 * slot / len(group.styles))
    aside = (list(group.styles).index(name) - (len(group.styles) - 1) / 2) * apart
    points, path, pen = [], "", "M"
    for place, run in enumerate(group.runs):
        for model in run.payload["models"]:
            if model["name"] != name:
                continue
            value = group.value_of(model, key)
            if value is None:
                pen = "M"
                continue
            low, high = (None if end is None else y_of_value(end, marks) for end in _interval_ends(model, key))
            x, y = round(x_of_run(place, len(group.runs)) + aside, 2), y_of_value(value, marks)
            text = _format_value(model, key, group.value_of)
            points.append(ChartPoint(x, y, low, high, f"{name}, {run.created[:10]}: {text.text} {text.range}".rstrip()))
            path, pen = f"{path}{pen}{x} {y}", "L"
    return ChartLine(name, group.styles[name], path, points)


def _dates(runs: Sequence[PublishedRun]) -> list[Tick]:
    number = min(len(runs), MOST_DATES)
    places = sorted({round(i * (len(runs) - 1) / max(number - 1, 1)) for i in range(number)})
    return [Tick(x_of_run(place, len(runs)), runs[place].created[:10] or "undated") for place in places]
