"""Plot of two models tag by tag: F1 and AP of each compared tag, one model on x, the other on y."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from arena.base.format import DECIDED, count
from arena.metrics.registry import TESTED
from arena.report.plots.canvas import (
    PLOT_WIDTH,
    add_caption,
    add_legend,
    caption_height,
    caption_lines,
    clip_to_width,
    colour,
    dot,
    legend_height,
    marker,
    new_figure,
    panel,
    title,
)
from arena.report.static_pictures import PlottedPair, best_pair
from arena.report.styles import Theme
from arena.results.run_folder import Result

MANY_DOTS = 1000
"""Number of dots from which dots are smaller, fainter, and rasterized inside the SVG."""

_NAME_POINTS = 200
"""Width of a model's name at an axis, in points."""

_TOP, _ROOM = legend_height(3) + 0.3, 0.6
"""Inches above a panel (legend and title) and left of it (axis)."""


class _PlottedModel(NamedTuple):
    """One of the two models: name, and index in the run."""

    name: str
    place: int


def draw(payload: Mapping[str, Any], result: Result, theme: Theme) -> Figure:
    """Draw one dot per compared tag, its area by support; decided tags have colour and marker of the higher model."""
    pair = best_pair(payload)
    sides = [_PlottedModel(name, result.models.index(name)) for name in pair]
    columns = {key: tags_of_pair(result, pair, key) for key in TESTED}
    tested = any(rows["tested"].any() for rows in columns.values())
    caption = _caption(payload, tested=tested)
    wide = (PLOT_WIDTH - 0.15) / 2 - _ROOM
    figure = new_figure(_TOP + wide + 0.5 + caption_height(caption))
    for number, (key, rows) in enumerate(columns.items()):
        ax = panel(figure, left=_ROOM + number * (wide + _ROOM), top=_TOP, width=wide, height=wide)
        _draw_dots(ax, rows, sides, theme)
        _finish(ax, rows, sides, TESTED[key], theme, tested=tested)
    rest = {"color": theme.muted, "marker": "o", "markersize": 4, "linestyle": "none"}
    keys = [(dot(theme, side.place), f"higher: {side.name}") for side in sides] if tested else []
    add_legend(figure, [*keys, (rest, "undetermined" if tested else "not tested")])
    add_caption(figure, caption)
    return figure


def tags_of_pair(result: Result, pair: PlottedPair, key: str) -> pd.DataFrame:
    """Return one row per compared tag with a value for both models: `first second support higher tested`, rarest last.

    `higher` names the significantly higher model; it is empty if undetermined or not tested.
    """
    compared = result.per_tag[result.per_tag["compared"]]
    sides = [compared[compared["model"] == name].set_index("truth_tag") for name in pair]
    rows = pd.DataFrame({"first": sides[0][key], "second": sides[1][key], "support": sides[0]["support"]}).dropna()
    tests = result.tables["tag_differences"]
    tests = tests[tests["first"].isin(pair) & tests["second"].isin(pair)].set_index("tag").reindex(rows.index)
    rows["tested"] = tests[f"{key}_q"].notna()
    rows["higher"] = tests[f"{key}_higher"].where(tests[f"{key}_higher"].isin(pair), "")
    return rows.sort_values("support", ascending=False, kind="stable")


def _draw_dots(ax: Axes, rows: pd.DataFrame, sides: Sequence[_PlottedModel], theme: Theme) -> None:
    """Draw undetermined tags first, so that decided ones are on top."""
    many = len(rows) >= MANY_DOTS
    ax.plot([0, 1], [0, 1], color=theme.muted, linewidth=0.8, linestyle=(0, (4, 4)), zorder=1)
    areas = _areas(rows["support"].to_numpy(np.float64), scale=0.42 if many else 1.0)
    looks = [("", theme.muted, "o"), *((s.name, colour(theme, s.place), marker(s.place)) for s in sides)]
    for name, shade, shape in looks:
        these = (rows["higher"] == name).to_numpy()
        ax.scatter(
            rows["first"][these], rows["second"][these], s=areas[these], color=shade, marker=shape, linewidths=0,
            alpha=(0.5 if name else 0.35) if many else 0.75, rasterized=many, zorder=2,
        )  # fmt: skip


def _areas(support: np.ndarray[Any, np.dtype[np.float64]], *, scale: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return dot areas in square points: diameters of 3 to 12 points by the logarithm of the support, as on the page."""
    share = np.log1p(support) / np.log1p(max(support.max(initial=0.0), 1.0))
    areas: np.ndarray[Any, np.dtype[np.float64]] = scale * (3 + 9 * share**2) ** 2
    return areas


def _finish(
    ax: Axes, rows: pd.DataFrame, sides: Sequence[_PlottedModel], name: str, theme: Theme, *, tested: bool
) -> None:
    """Set equal axes, and write how many tags are decided: for the model on x below the diagonal, for that on y above."""
    across, up = sides
    end = _axis_end(rows[["first", "second"]].to_numpy(np.float64).max(initial=0.0))
    ax.set(xlim=(-0.02 * end, 1.02 * end), ylim=(-0.02 * end, 1.02 * end), aspect="equal")
    ax.set_xlabel(f"{name} of {clip_to_width(across.name, _NAME_POINTS)}")
    ax.set_ylabel(f"{name} of {clip_to_width(up.name, _NAME_POINTS)}")
    decided = [int((rows["higher"] == side.name).sum()) for side in sides]
    counts = f"{count(sum(decided))} decided, {count(len(rows) - sum(decided))} undetermined"
    title(ax, f"{name}, tag by tag", counts if tested else "", quiet=theme.muted)
    if not tested:
        return
    box = {"boxstyle": "round,pad=0.3", "facecolor": theme.surface, "edgecolor": "none", "alpha": 0.85}
    for number, (x, y, ha, va) in zip(
        decided, ((0.98, 0.02, "right", "bottom"), (0.02, 0.98, "left", "top")), strict=True
    ):
        ax.text(x, y, count(number), transform=ax.transAxes, ha=ha, va=va, fontweight="bold", bbox=box, zorder=4)


def _axis_end(highest: np.float64 | float) -> float:
    """Return the axis end: the first multiple of 0.1 with some space above the highest value, at most 1, as on the page."""
    return min(1.0, float(np.ceil(highest * 10 + 0.2)) / 10)


def _caption(payload: Mapping[str, Any], *, tested: bool) -> list[str]:
    return caption_lines(
        "Each dot is a tag; its area grows with the number of images that have it.",
        "Shown: the two taggers with the highest mAP." if len(payload["models"]) > 2 else "",
        "Below the diagonal the tagger on the x axis is higher" + ("." if tested else " (point estimate, not tested)."),
        f"Counts in the corners: tags with a decided difference (q ≤ {DECIDED})." if tested else "",
    )
