"""Plot of the leaderboard: headline metrics with intervals, a star on the best and those tied with it, and costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from arena.base.format import rate
from arena.metrics.registry import HEADLINES
from arena.report.plots.canvas import (
    FONT_SIZE,
    PLOT_WIDTH,
    POINTS_PER_INCH,
    SMALL_FONT_SIZE,
    add_caption,
    caption_height,
    caption_lines,
    clip_to_width,
    dot,
    new_figure,
    panel,
    text_width,
    title,
    whisker,
)
from arena.report.styles import Theme
from arena.report.view_model.cost import megabytes, millions
from arena.report.view_model.leaderboard import Standing, leaderboard

_ROW_HEIGHT = 0.46
"""Height of a model's row in inches."""

_NAME_POINTS = 130
"""Width of a model's name in points."""

_COST_WIDTH = 0.74
"""Width of a column of costs in inches."""

_GAP = 0.2
"""Inches between panels."""


def draw(payload: Mapping[str, Any], theme: Theme) -> Figure:
    """Draw the models by mAP descending, at their own thresholds; a star marks the best and those tied with it."""
    standings, costs = leaderboard(payload), _costs(payload)
    names = [clip_to_width(standing.model["name"], _NAME_POINTS) for standing in standings]
    caption = _caption(payload, standings)
    high = _ROW_HEIGHT * len(standings)
    figure = new_figure(0.36 + high + 0.26 + caption_height(caption))
    left = 0.25 + max(map(text_width, names)) / POINTS_PER_INCH
    wide = (PLOT_WIDTH - left - _COST_WIDTH * len(costs) - _GAP * len(HEADLINES)) / len(HEADLINES)
    for number, (key, name) in enumerate(HEADLINES.items()):
        ax = panel(figure, left=left + number * (wide + _GAP), top=0.36, width=wide, height=high)
        _draw_figures(ax, standings, key, theme)
        title(ax, name, quiet=theme.muted)
        ax.set(yticks=range(len(standings)), ylim=(len(standings) - 0.5, -0.6))
        ax.set_yticklabels([] if number else names, color=theme.ink, fontsize=FONT_SIZE)
    for number, (name, cells) in enumerate(reversed(costs.items())):
        ax = panel(figure, left=PLOT_WIDTH - 0.1 - _COST_WIDTH * (number + 1), top=0.36, width=_COST_WIDTH, height=high)
        ax.set(ylim=(len(standings) - 0.5, -0.6))
        _draw_cost(ax, name, [cells[standing.model["name"]] for standing in standings], theme)
    add_caption(figure, caption)
    return figure


def _draw_figures(ax: Axes, standings: Sequence[Standing], key: str, theme: Theme) -> None:
    """Draw one row per model: whisker, a tick at the plain mean, marker, and the value above it."""
    for row, standing in enumerate(standings):
        cell = standing.cells[key]
        ends = None if cell.low is None or cell.high is None else (cell.low, cell.high)
        whisker(ax, theme, standing.style, ends, at=row)
        if cell.value is None:
            ax.text(
                0.5, row, cell.text, transform=ax.get_yaxis_transform(), ha="center", va="center", color=theme.muted
            )
            continue
        if cell.plain_value is not None:
            ax.plot([cell.plain_value], [row], "|", color=theme.muted, markersize=9, markeredgewidth=1.2, zorder=1.5)
        ax.plot([cell.value], [row], **dot(theme, standing.style))
        label = f"{cell.text} ★" if cell.best else cell.text
        above: Any = {"xytext": (0, 6), "textcoords": "offset points", "ha": "center", "va": "bottom"}
        ax.annotate(
            label, (cell.value, row), fontsize=SMALL_FONT_SIZE, fontweight="bold" if cell.best else "normal", **above
        )
    ax.margins(x=0.24)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.grid(visible=False, axis="y")
    ax.tick_params(axis="y", length=0)


def _costs(payload: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return the cost columns with at least one known value: for each, the text of every model."""
    models = payload["models"]
    columns = {
        "images/s": {m["name"]: rate(m["images_per_second"]) for m in models},
        "parameters": {m["name"]: millions(m["parameters"]) for m in models},
        "weights": {m["name"]: megabytes(m["weight_bytes"]) for m in models},
    }
    known = {"images/s": "images_per_second", "parameters": "parameters", "weights": "weight_bytes"}
    return {title: cells for title, cells in columns.items() if any(m[known[title]] for m in models)}


def _draw_cost(ax: Axes, name: str, cells: Sequence[str], theme: Theme) -> None:
    ax.set_axis_off()
    title(ax, "", name, quiet=theme.muted)
    for row, cell in enumerate(cells):
        ax.text(1.0, row, cell, transform=ax.get_yaxis_transform(), ha="right", va="center", fontsize=SMALL_FONT_SIZE)


def _caption(payload: Mapping[str, Any], standings: Sequence[Standing]) -> list[str]:
    """Return the caption: thresholds, whiskers, stars and machines."""
    cells = [standing.cells[key] for standing in standings for key in HEADLINES]
    tied = ", or not significantly below it" if payload["replicates"] else ""
    speeds = {model["timed_on"] for model in payload["models"] if model["images_per_second"]}
    return caption_lines(
        "At each tagger's own threshold.",
        "Whiskers: 95 % intervals." if payload["replicates"] else "Point estimates without intervals.",
        "Markers: corrected for the bias of rare tags; grey ticks: the plain mean, as published results state it."
        if any(cell.plain_value is not None for cell in cells)
        else "",
        f"★ the highest{tied}." if any(cell.best for cell in cells) else "",
        "Speeds were measured on different machines." if len(speeds) > 1 else "",
    )
