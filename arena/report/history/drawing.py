"""A track as a drawing, the site's own: a line a series, a whisker a release, no line between series."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from arena.base.format import clipped, figure, interval, plural
from arena.report.history.series import History, Series, Track
from arena.report.site.series import Chart, Line, Point, Tick, across, figure_ticks, grid, height_of
from arena.report.view_model.leaderboard import MODEL_STYLES
from arena.results.baselines.release import short_names

NAME_LETTERS = 11
MOST_NAMES = 4
"""Of a release's name below a drawing, and how many fit side by side."""


def charts(history: History, tracks: Sequence[Track]) -> list[Chart]:
    """A drawing a track, without those that are defined nowhere."""
    drawn = [_chart(history, track) for track in tracks]
    return [chart for chart in drawn if chart.lines]


def named_places(releases: int) -> range:
    """Which of so many releases are named below a drawing: every one, every second, ...

    >>> list(named_places(3)), list(named_places(9))
    ([0, 1, 2], [0, 3, 6])
    """
    return range(0, releases, -(-releases // MOST_NAMES) if releases > MOST_NAMES else 1)


def _chart(history: History, track: Track) -> Chart:
    points = [point for one in track.series for point in one.points]
    values = [end for point in points for end in (point.value, point.low, point.high) if end is not None]
    if not values:
        return Chart(track.title, [], [], [])
    marks, releases = grid(min(values), max(values)), history.releases
    lines = [_line(history, track, one, marks) for one in track.series]
    names = short_names(releases)
    below = [Tick(across(place, len(names)), clipped(names[place], NAME_LETTERS)) for place in named_places(len(names))]
    return Chart(track.title, [line for line in lines if line.points], figure_ticks(marks), below)


def _line(history: History, track: Track, series: Series, marks: Sequence[float]) -> Line:
    """The points of one series and the path through them; where a figure is undefined the path has a gap."""
    points, path, pen = [], "", "M"
    for point in series.points:
        if point.value is None:
            pen = "M"
            continue
        x, y = across(point.place, len(history.releases)), height_of(point.value, marks)
        low, high = (None if end is None else height_of(end, marks) for end in (point.low, point.high))
        support = "" if point.support is None else f", {plural(point.support, 'image', 'images')}"
        told = f"{history.releases[point.place].name}: {figure(point.value)} {interval(point.low, point.high)}".rstrip()
        points.append(Point(x, y, low, high, told + support))
        path, pen = f"{path}{pen}{x} {y}", "L"
    return Line(track.title, series.group % MODEL_STYLES, path, points)


def first_line(chart: Chart) -> str:
    """What a drawing says to those who do not see it: its first and its last point.

    >>> first_line(Chart("hat", [Line("hat", 0, "", [Point(1, 1, None, None, "a: 0.5")])], [], []))
    'hat: a: 0.5'
    """
    told = sorted(chain.from_iterable(line.points for line in chart.lines), key=lambda point: point.x)
    ends = [told[0].told] if len(told) == 1 else [told[0].told, told[-1].told]
    return f"{chart.name}: {'; … '.join(ends)}"
