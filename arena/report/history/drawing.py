"""Plots of tracks, in the style of the site: one line for each series, one whisker for each release."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from arena.base.format import clipped, figure, interval, plural
from arena.report.history.series import ComparableSeries, History, Track
from arena.report.site.series import Chart, ChartLine, ChartPoint, Tick, grid_values, value_ticks, x_of_run, y_of_value
from arena.report.view_model.leaderboard import MODEL_STYLES
from arena.results.baselines.release import short_names

NAME_LETTERS = 11
MOST_NAMES = 4
"""Largest length of a release name below a plot, in characters, and largest number of names."""


def history_charts(history: History, tracks: Sequence[Track]) -> list[Chart]:
    """Return one plot for each track, without tracks that have no defined value."""
    made = [_chart(history, track) for track in tracks]
    return [chart for chart in made if chart.lines]


def labelled_releases(releases: int) -> range:
    """Return the indices of the releases that are named below a plot: every release, every second one, and so on.

    >>> list(labelled_releases(3)), list(labelled_releases(9))
    ([0, 1, 2], [0, 3, 6])
    """
    return range(0, releases, -(-releases // MOST_NAMES) if releases > MOST_NAMES else 1)


def _chart(history: History, track: Track) -> Chart:
    points = [point for one in track.series for point in one.points]
    values = [end for point in points for end in (point.value, point.low, point.high) if end is not None]
    if not values:
        return Chart(track.title, [], [], [])
    marks, releases = grid_values(min(values), max(values)), history.releases
    lines = [_line(history, track, one, marks) for one in track.series]
    names = short_names(releases)
    below = [
        Tick(x_of_run(place, len(names)), clipped(names[place], NAME_LETTERS))
        for place in labelled_releases(len(names))
    ]
    return Chart(track.title, [line for line in lines if line.points], value_ticks(marks), below)


def _line(history: History, track: Track, series: ComparableSeries, marks: Sequence[float]) -> ChartLine:
    """Return the points of one series and the path through them; the path has a gap at an undefined value."""
    points, path, pen = [], "", "M"
    for point in series.points:
        if point.value is None:
            pen = "M"
            continue
        x, y = x_of_run(point.place, len(history.releases)), y_of_value(point.value, marks)
        low, high = (None if end is None else y_of_value(end, marks) for end in (point.low, point.high))
        support = "" if point.support is None else f", {plural(point.support, 'image', 'images')}"
        text = f"{history.releases[point.place].name}: {figure(point.value)} {interval(point.low, point.high)}".rstrip()
        points.append(ChartPoint(x, y, low, high, text + support))
        path, pen = f"{path}{pen}{x} {y}", "L"
    return ChartLine(track.title, series.group % MODEL_STYLES, path, points)


def chart_description(chart: Chart) -> str:
    """Return the text alternative of a plot: its first and its last point.

    >>> chart_description(Chart("hat", [ChartLine("hat", 0, "", [ChartPoint(1, 1, None, None, "a: 0.5")])], [], []))
    'hat: a: 0.5'
    """
    points = sorted(chain.from_iterable(line.points for line in chart.lines), key=lambda point: point.x)
    ends = [points[0].told] if len(points) == 1 else [points[0].told, points[-1].told]
    return f"{chart.name}: {'; … '.join(ends)}"
