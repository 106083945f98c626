"""Plot of metrics over releases: one panel per headline metric and tag, one line per series, one whisker per release."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from arena.metrics.registry import METRICS
from arena.report.history.drawing import labelled_releases
from arena.report.history.rows import history_notes
from arena.report.history.series import ComparableSeries, History, Track
from arena.report.plots.canvas import (
    PLOT_WIDTH,
    POINTS_PER_INCH,
    SMALL_FONT_SIZE,
    add_caption,
    add_legend,
    caption_height,
    caption_lines,
    clip_to_width,
    colour,
    curve,
    dot,
    legend_height,
    new_figure,
    panel,
    title,
)
from arena.report.styles import Theme
from arena.results.baselines.release import short_names

_PANELS_PER_ROW = 3
"""Panels per row."""

_HIGH, _OVER, _UNDER, _ROOM = 1.5, 0.3, 0.3, 0.5
"""Inches: height of a panel, space above it (title), below it (axis), and left of it (tick labels)."""


def draw(history: History, theme: Theme) -> Figure:
    """Draw every track with a defined value. Axes differ, because the values of a tag and of a mean have different ranges."""
    tracks = [
        track
        for track in history.tracks
        if any(point.value is not None for one in track.series for point in one.points)
    ]
    caption = caption_lines("Whiskers: 95 % intervals.", *history_notes(history))
    keyed = len(history.datasets) > 1
    top = legend_height(len(history.datasets)) if keyed else 0.1
    rows = -(-len(tracks) // _PANELS_PER_ROW)
    figure = new_figure(top + rows * (_OVER + _HIGH + _UNDER) + 0.1 + caption_height(caption))
    wide = (PLOT_WIDTH - 0.15) / _PANELS_PER_ROW - _ROOM
    for number, track in enumerate(tracks):
        row, column = divmod(number, _PANELS_PER_ROW)
        ax = panel(
            figure,
            left=_ROOM + column * (wide + _ROOM),
            top=top + _OVER + row * (_OVER + _HIGH + _UNDER),
            width=wide,
            height=_HIGH,
        )
        _draw_track(ax, history, track, theme)
        aside = METRICS[history.figure].title if track.category else ""
        title(ax, clip_to_width(track.title, wide * POINTS_PER_INCH - 50), aside, quiet=theme.muted)
    if keyed:
        add_legend(figure, [({**dot(theme, i), **curve(theme, i)}, name) for i, name in enumerate(history.datasets)])
    add_caption(figure, caption)
    return figure


def _draw_track(ax: Axes, history: History, track: Track, theme: Theme) -> None:
    names = short_names(history.releases)
    for one in track.series:
        _draw_series(ax, one, theme)
    places = labelled_releases(len(names))
    room = ax.get_position().width * PLOT_WIDTH * POINTS_PER_INCH * places.step / len(names)
    ax.set_xticks(list(places), [clip_to_width(names[place], room - 4, SMALL_FONT_SIZE) for place in places])
    ax.set_xlim(-0.5, len(names) - 0.5)
    ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))


def _draw_series(ax: Axes, series: ComparableSeries, theme: Theme) -> None:
    """Draw a line with gaps at undefined values, and the interval at each point."""
    places: Sequence[int] = [point.place for point in series.points]
    values = [float("nan") if point.value is None else point.value for point in series.points]
    ax.plot(places, values, **curve(theme, series.group))
    ax.plot(places, values, **dot(theme, series.group, 6.5))
    for point in series.points:
        if point.value is not None and point.low is not None and point.high is not None:
            ends, at = (point.low, point.high), (point.place, point.place)
            ax.plot(at, ends, "_-", color=colour(theme, series.group), linewidth=1.5, markersize=6, zorder=2)
