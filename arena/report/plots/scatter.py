"""Tag against tag: F1 and AP of each compared tag, of one model across and of another upwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from arena.report.figures import count
from arena.report.pictures import Pair, best_pair
from arena.report.plots.canvas import SMALL, add_caption, add_key, colour, dot, fitted, marker, new_figure
from arena.report.styles import Theme
from arena.result import Result

FIGURES = {"f1": "F1", "ap": "AP"}

MANY = 1000
"""From so many dots on they are smaller and fainter, and one picture inside the SVG."""

NAME_POINTS = 200
"""Room for a model's name at an axis."""


class Side(NamedTuple):
    """One of the two models."""

    name: str
    place: int


def draw(payload: Mapping[str, Any], result: Result, theme: Theme) -> Figure:
    """A dot a compared tag, its area by the images that carry it; decided ones in the colour and shape of the higher model."""
    pair = best_pair(payload)
    sides = [Side(name, result.models.index(name)) for name in pair]
    columns = {key: tags_of_pair(result, pair, key) for key in FIGURES}
    tested = any(rows["tested"].any() for rows in columns.values())
    figure = new_figure(5.0)
    for ax, (key, rows) in zip(figure.subplots(1, 2), columns.items(), strict=True):
        _draw_dots(ax, rows, sides, theme)
        _finish(ax, rows, sides, FIGURES[key], theme, tested=tested)
    rest = {"color": theme.muted, "marker": "o", "markersize": 4, "linestyle": "none"}
    keys = [(dot(theme, side.place), f"higher: {side.name}") for side in sides] if tested else []
    add_key(figure, [*keys, (rest, "undetermined" if tested else "not tested")])
    add_caption(figure, _caption(payload, tested=tested))
    return figure


def tags_of_pair(result: Result, pair: Pair, key: str) -> pd.DataFrame:
    """A row a compared tag that both models have a figure of: `first second support higher tested`, the rarest last.

    `higher` names the model that is higher beyond doubt; it is empty where that is undetermined, or was not tested.
    """
    compared = result.per_tag[result.per_tag["compared"]]
    sides = [compared[compared["model"] == name].set_index("truth_tag") for name in pair]
    rows = pd.DataFrame({"first": sides[0][key], "second": sides[1][key], "support": sides[0]["support"]}).dropna()
    told = result.tables["tag_differences"]
    told = told[told["first"].isin(pair) & told["second"].isin(pair)].set_index("tag").reindex(rows.index)
    rows["tested"] = told[f"{key}_q"].notna()
    rows["higher"] = told[f"{key}_higher"].where(told[f"{key}_higher"].isin(pair), "")
    return rows.sort_values("support", ascending=False, kind="stable")


def _draw_dots(ax: Axes, rows: pd.DataFrame, sides: Sequence[Side], theme: Theme) -> None:
    """Undetermined tags first, so that what is decided lies on top."""
    many = len(rows) >= MANY
    ax.plot([0, 1], [0, 1], color=theme.muted, linewidth=0.8, linestyle=(0, (4, 4)), zorder=1)
    areas = _areas(rows["support"].to_numpy(np.float64), scale=0.42 if many else 1.0)
    looks = [("", theme.muted, "o"), *((s.name, colour(theme, s.place), marker(s.place)) for s in sides)]
    for name, shade, shape in looks:
        these = (rows["higher"] == name).to_numpy()
        ax.scatter(
            rows["first"][these], rows["second"][these], s=areas[these], color=shade, marker=shape, linewidths=0,
            alpha=0.5 if many else 0.75, rasterized=many, zorder=2,
        )  # fmt: skip


def _areas(support: np.ndarray[Any, np.dtype[np.float64]], *, scale: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """3 to 12 points across by the logarithm of the support, as on the page."""
    share = np.log1p(support) / np.log1p(max(support.max(initial=0.0), 1.0))
    areas: np.ndarray[Any, np.dtype[np.float64]] = scale * (3 + 9 * share**2) ** 2
    return areas


def _finish(
    ax: Axes, rows: pd.DataFrame, sides: Sequence[Side], title: str, theme: Theme, *, tested: bool
) -> None:
    """Axes that are alike, and how many tags are decided for whom: below the line across, above it upwards."""
    across, up = sides
    end = _axis_end(float(rows[["first", "second"]].max(axis=None)) if len(rows) else 1.0)
    ax.set(xlim=(-0.02 * end, 1.02 * end), ylim=(-0.02 * end, 1.02 * end), aspect="equal")
    ax.set_xlabel(f"{title} of {fitted(across.name, NAME_POINTS)}")
    ax.set_ylabel(f"{title} of {fitted(up.name, NAME_POINTS)}")
    ax.set_title(f"{title}, tag by tag", loc="left", fontweight="bold")
    if not tested:
        return
    decided = [int((rows["higher"] == side.name).sum()) for side in sides]
    counts = f"{count(sum(decided))} decided, {count(len(rows) - sum(decided))} undetermined"
    ax.set_title(counts, loc="right", fontsize=SMALL, color=theme.muted)
    box = {"boxstyle": "round,pad=0.3", "facecolor": theme.surface, "edgecolor": "none", "alpha": 0.85}
    for number, (x, y, ha, va) in zip(decided, ((0.98, 0.02, "right", "bottom"), (0.02, 0.98, "left", "top")), strict=True):
        ax.text(x, y, count(number), transform=ax.transAxes, ha=ha, va=va, fontweight="bold", bbox=box, zorder=4)


def _axis_end(highest: float) -> float:
    """The first tenth that leaves room above the highest, as on the page."""
    return min(1.0, float(np.ceil(highest * 10 + 0.2)) / 10)


def _caption(payload: Mapping[str, Any], *, tested: bool) -> str:
    told = "A dot is a tag; its area grows with the images that carry it."
    if len(payload["models"]) > 2:
        told += " The two taggers with the highest mAP."
    if tested:
        return f"{told} Below the line the tagger across is higher. Counts in the corners: tags where that is decided (q ≤ 0.05)."
    return f"{told} Below the line the tagger across is higher, as a point estimate: nothing was tested."
