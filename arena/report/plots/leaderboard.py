"""The leaderboard as a picture: each headline figure with its interval, what is best or tied with it, and the cost beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from arena.report.cost import megabytes, millions
from arena.report.figures import rate
from arena.report.leaderboard import Standing, leaderboard
from arena.report.plots.canvas import SIZE, SMALL, add_caption, dot, fitted, new_figure, whisker
from arena.report.styles import Theme
from arena.result import HEADLINES

ROW = 0.46
"""Inches a model."""

NAME_POINTS = 130
"""Room for a model's name."""


def draw(payload: Mapping[str, Any], theme: Theme) -> Figure:
    """The models by falling mAP at their own thresholds; a star stands where no other is known to be higher."""
    standings, costs = leaderboard(payload), _costs(payload)
    figure = new_figure(1.15 + ROW * len(standings))
    ratios = [1.0] * len(HEADLINES) + [0.36] * len(costs)
    panels = figure.subplots(1, len(ratios), sharey=True, width_ratios=ratios)
    for ax, (key, title) in zip(panels, HEADLINES.items(), strict=False):
        _draw_figures(ax, standings, key, theme)
        ax.set_title(title, loc="left", fontweight="bold")
    for ax, (title, cells) in zip(panels[len(HEADLINES) :], costs.items(), strict=True):
        _draw_cost(ax, title, [cells[standing.model["name"]] for standing in standings], theme)
    panels[0].set(yticks=range(len(standings)), ylim=(len(standings) - 0.5, -0.62))
    panels[0].set_yticklabels([fitted(s.model["name"], NAME_POINTS) for s in standings], color=theme.ink, fontsize=SIZE)
    add_caption(figure, _caption(payload, standings))
    return figure


def _draw_figures(ax: Axes, standings: Sequence[Standing], key: str, theme: Theme) -> None:
    """A row a model: whisker, marker, and the figure in digits above it."""
    for row, standing in enumerate(standings):
        cell = standing.cells[key]
        ends = None if cell.low is None or cell.high is None else (cell.low, cell.high)
        whisker(ax, theme, standing.style, ends, at=row)
        if cell.value is None:
            ax.text(0.5, row, cell.text, transform=ax.get_yaxis_transform(), ha="center", va="center", color=theme.muted)
            continue
        ax.plot([cell.value], [row], **dot(theme, standing.style))
        label = f"{cell.text} ★" if cell.best else cell.text
        above = {"xytext": (0, 6), "textcoords": "offset points", "ha": "center", "va": "bottom"}
        ax.annotate(label, (cell.value, row), fontsize=SMALL, fontweight="bold" if cell.best else "normal", **above)
    ax.margins(x=0.24)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.grid(visible=False, axis="y")
    ax.tick_params(axis="y", length=0)


def _costs(payload: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Of each cost that is known of any model, every model's as text."""
    models = payload["models"]
    columns = {
        "images/s": {m["name"]: rate(m["images_per_second"]) for m in models},
        "parameters": {m["name"]: millions(m["parameters"]) for m in models},
        "weights": {m["name"]: megabytes(m["weight_bytes"]) for m in models},
    }
    known = {"images/s": "images_per_second", "parameters": "parameters", "weights": "weight_bytes"}
    return {title: cells for title, cells in columns.items() if any(m[known[title]] for m in models)}


def _draw_cost(ax: Axes, title: str, cells: Sequence[str], theme: Theme) -> None:
    ax.set_axis_off()
    ax.set_title(title, loc="right", color=theme.muted, fontsize=SMALL)
    for row, cell in enumerate(cells):
        ax.text(1.0, row, cell, transform=ax.get_yaxis_transform(), ha="right", va="center", fontsize=SMALL)


def _caption(payload: Mapping[str, Any], standings: Sequence[Standing]) -> str:
    """What whiskers and stars are, where there are any."""
    told = "At each tagger's own threshold."
    told += " Whiskers: 95 % intervals." if payload["replicates"] else " Point estimates: nothing says how sure they are."
    if any(standing.cells[key].best for standing in standings for key in HEADLINES):
        tied = ", or not to be told from it" if payload["replicates"] else ""
        told += f" ★ the highest{tied}."
    if len({model["timed_on"] for model in payload["models"] if model["images_per_second"]}) > 1:
        told += " Speeds are of different machines."
    return told
