"""Plot of the threshold sweep: F1 against the threshold, and precision against recall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from arena.metrics.thresholds import on_sweep
from arena.report.plots.canvas import (
    PLOT_WIDTH,
    add_caption,
    add_legend,
    caption_height,
    caption_lines,
    curve,
    dot,
    legend_height,
    new_figure,
    panel,
    title,
)
from arena.report.styles import Theme
from arena.report.view_model.leaderboard import plain_value_of

_HIGH = 2.3
"""Height of a panel in inches."""

_ROOM = 0.42
"""Inches left of a panel, for its tick labels."""


def draw(payload: Mapping[str, Any], sweep: pd.DataFrame, theme: Theme) -> Figure:
    """Draw macro and micro F1 over the threshold, and micro precision over recall; markers show own thresholds."""
    models, caption = payload["models"], _caption(payload)
    top = legend_height(len(models)) + 0.3
    figure = new_figure(top + _HIGH + 0.5 + caption_height(caption))
    wide = (PLOT_WIDTH - 0.15) / 3 - _ROOM
    panels = [panel(figure, left=_ROOM + i * (wide + _ROOM), top=top, width=wide, height=_HIGH) for i in range(3)]
    for place, model in enumerate(models):
        rows = sweep[sweep["model"] == model["name"]]
        _draw_model(panels, rows[on_sweep(rows["threshold"].to_numpy(np.float32))], theme, place)
    for place, model in enumerate(models):
        _mark_model(panels, model, theme, place, size=9.5 - 3 * place / max(len(models) - 1, 1))
    _finish(panels, theme)
    add_legend(figure, [({**dot(theme, i), **curve(theme, i)}, model["name"]) for i, model in enumerate(models)])
    add_caption(figure, caption)
    return figure


def single_threshold(model: Mapping[str, Any]) -> float | None:
    """Return a model's own threshold; None if it has one per category or tag, which has no single position on the axis."""
    try:
        return float(model["threshold"])
    except ValueError:
        return None


def _draw_model(panels: Sequence[Axes], rows: pd.DataFrame, theme: Theme, place: int) -> None:
    axes = (("threshold", "macro_f1"), ("threshold", "micro_f1"), ("micro_recall", "micro_precision"))
    for ax, (across, up) in zip(panels, axes, strict=True):
        ax.plot(rows[across].to_numpy(np.float64), rows[up].to_numpy(np.float64), **curve(theme, place))


def _mark_model(panels: Sequence[Axes], model: Mapping[str, Any], theme: Theme, place: int, *, size: float) -> None:
    """Mark a model's own threshold; earlier models have larger markers, so that overlapping ones stay visible."""
    threshold, micro = single_threshold(model), model["micro"]
    macro_f1 = plain_value_of(model, "macro_f1")  # as the curves, which are plain means
    points = ((threshold, macro_f1), (threshold, micro["f1"]), (micro["recall"], micro["precision"]))
    for ax, (across, up) in zip(panels, points, strict=True):
        if across is not None and up is not None:
            ax.plot([across], [up], **dot(theme, place, size))


def _finish(panels: Sequence[Axes], theme: Theme) -> None:
    """Set titles and axes; both F1 panels have the same y axis."""
    highest = max(ax.get_ylim()[1] for ax in panels[:2])
    for ax, name, across in zip(panels, ("macro F1", "micro F1", "micro precision"), _ACROSS, strict=True):
        title(ax, name, quiet=theme.muted)
        ax.set(xlabel=across, xlim=(0, 1.01), ylim=(0, 1.02 if across == _ACROSS[-1] else min(1.02, highest)))
        ax.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))


_ACROSS = ("threshold", "threshold", "micro recall")


def _caption(payload: Mapping[str, Any]) -> list[str]:
    many = any(single_threshold(model) is None for model in payload["models"])
    return caption_lines(
        "Markers: each tagger's own threshold. Macro F1: plain means, without correction for bias.",
        "With thresholds per category or tag, the marker is in the right panel only and can be off the curve."
        if many
        else "",
    )
