"""F1 against the threshold, and precision against recall."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from arena.metrics.thresholds import on_sweep
from arena.report.plots.canvas import add_caption, add_key, curve, dot, new_figure
from arena.report.styles import Theme


def draw(payload: Mapping[str, Any], sweep: pd.DataFrame, theme: Theme) -> Figure:
    """Macro and micro F1 of every model over the thresholds, and micro precision over recall; a marker where each runs."""
    models = payload["models"]
    figure = new_figure(3.5 + 0.2 * ((len(models) - 1) // 4))
    macro, micro, trade = figure.subplots(1, 3)
    for place, model in enumerate(models):
        rows = sweep[sweep["model"] == model["name"]]
        rows = rows[on_sweep(rows["threshold"].to_numpy(np.float32))]
        _draw_model(macro, rows["threshold"], rows["macro_f1"], theme, place)
        _draw_model(micro, rows["threshold"], rows["micro_f1"], theme, place)
        _draw_model(trade, rows["micro_recall"], rows["micro_precision"], theme, place)
        threshold = single_threshold(model)
        _mark(macro, threshold, model["macro"]["f1"], theme, place)
        _mark(micro, threshold, model["micro"]["f1"], theme, place)
        _mark(trade, model["micro"]["recall"], model["micro"]["precision"], theme, place)
    for ax, title in ((macro, "macro F1"), (micro, "micro F1")):
        ax.set(xlabel="threshold", xlim=(0, 1))
        ax.set_title(title, loc="left", fontweight="bold")
    highest = max(macro.get_ylim()[1], micro.get_ylim()[1])
    macro.set_ylim(0, min(1.02, highest))
    micro.set_ylim(0, min(1.02, highest))
    trade.set(xlabel="micro recall", xlim=(0, 1.02), ylim=(0, 1.02))
    trade.set_title("micro precision", loc="left", fontweight="bold")
    add_key(figure, [({**dot(theme, i), **curve(theme, i)}, model["name"]) for i, model in enumerate(models)])
    add_caption(figure, _caption(payload))
    return figure


def single_threshold(model: Mapping[str, Any]) -> float | None:
    """A model's own threshold; None where it has one a category or a tag: no single place on the axis."""
    try:
        return float(model["threshold"])
    except ValueError:
        return None


def _draw_model(ax: Axes, across: pd.Series[float], up: pd.Series[float], theme: Theme, place: int) -> None:
    ax.plot(across.to_numpy(np.float64), up.to_numpy(np.float64), **curve(theme, place))


def _mark(ax: Axes, across: float | None, up: float | None, theme: Theme, place: int) -> None:
    if across is not None and up is not None:
        ax.plot([across], [up], **dot(theme, place, 9))


def _caption(payload: Mapping[str, Any]) -> str:
    told = "Markers: each tagger's own threshold."
    if any(single_threshold(model) is None for model in payload["models"]):
        told += " One with a threshold a category or a tag has its marker on the right only, and may lie off its curve."
    return told
