"""Slices as small multiples: a row of panels a kind of slice, a dot and whisker a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from arena.report.comparisons import SLICED
from arena.report.figures import UNDEFINED, count, plural
from arena.report.plots.canvas import SIZE, add_caption, add_key, dot, fitted, new_figure, whisker
from arena.report.slices import KINDS, OF_TAGS
from arena.report.styles import Theme
from arena.result import HEADLINES

MOST_SLICES = 8
"""Slices of a kind that are drawn: the largest."""

NAME_POINTS = 130
"""Room for a slice's title."""

KIND_POINTS = 220
"""Room for what a column of the images is called."""


class Kind(NamedTuple):
    """The slices of one kind that are drawn, and how many there are."""

    title: str
    rows: Sequence[Mapping[str, Any]]
    of: int


def draw(payload: Mapping[str, Any], theme: Theme) -> Figure:
    """Macro F1 and mAP of every model on each slice; all panels of a figure share their axis."""
    models, kinds = payload["models"], kinds_of(payload)
    row = 0.2 + 0.055 * len(models)
    heights = [0.5 + row * len(kind.rows) for kind in kinds]
    figure = new_figure(0.95 + 0.2 * ((len(models) - 1) // 4) + sum(heights))
    panels = figure.subplots(len(kinds), len(SLICED), squeeze=False, sharex="col", sharey="row", height_ratios=heights)
    for line, kind in zip(panels, kinds, strict=True):
        for ax, key in zip(line, SLICED, strict=True):
            _draw_kind(ax, kind, key, theme)
            ax.set_title(HEADLINES[key], loc="right", color=theme.muted, fontsize=SIZE)
        line[0].set_title(_heading(kind), loc="left", fontweight="bold")
        line[0].set(yticks=range(len(kind.rows)), ylim=(len(kind.rows) - 0.5, -0.5))
        line[0].set_yticklabels([_label(one) for one in kind.rows], color=theme.ink)
    add_key(figure, [(dot(theme, place), model["name"]) for place, model in enumerate(models)])
    add_caption(figure, _caption(payload, kinds))
    return figure


def kinds_of(payload: Mapping[str, Any]) -> list[Kind]:
    """The slices by kind, at most `MOST_SLICES` of each, in the order of the result."""
    kinds = []
    for kind, rows in groupby(payload["slices"], key=lambda one: str(one["slice"])):
        all_rows = list(rows)
        size = "tags" if kind in OF_TAGS else "images"
        largest = sorted(range(len(all_rows)), key=lambda place: -all_rows[place][size])[:MOST_SLICES]
        kinds.append(Kind(KINDS.get(kind, kind), [all_rows[place] for place in sorted(largest)], len(all_rows)))
    return kinds


def _draw_kind(ax: Axes, kind: Kind, key: str, theme: Theme) -> None:
    for row, one in enumerate(kind.rows):
        cells = one["figures"][key]["models"]
        shifts = np.linspace(-0.28, 0.28, len(cells)) if len(cells) > 1 else [0.0]
        if all(value is None for value, _, _ in cells):
            ax.text(0.5, row, UNDEFINED, transform=ax.get_yaxis_transform(), ha="center", va="center", color=theme.muted)
        for place, ((value, low, high), shift) in enumerate(zip(cells, shifts, strict=True)):
            whisker(ax, theme, place, None if low is None or high is None else (low, high), at=row + shift)
            if value is not None:
                ax.plot([value], [row + shift], **dot(theme, place, 6))
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.tick_params(axis="y", length=0)
    ax.tick_params(axis="x", labelbottom=True)


def _heading(kind: Kind) -> str:
    more = f" (the largest {len(kind.rows)} of {count(kind.of)})" if len(kind.rows) < kind.of else ""
    return f"{fitted(kind.title, KIND_POINTS)}{more}"


def _label(one: Mapping[str, Any]) -> str:
    size = plural(one["tags"], "tag", "tags") if one["slice"] in OF_TAGS else plural(one["images"], "image", "images")
    return f"{fitted(one['title'], NAME_POINTS)}\n{size}"


def _caption(payload: Mapping[str, Any], kinds: Sequence[Kind]) -> str:
    told = "At each tagger's own threshold. "
    told += "Whiskers: 95 % intervals." if payload["replicates"] else "Point estimates: nothing says how sure they are."
    return told + (" All slices: slices.parquet." if any(len(kind.rows) < kind.of for kind in kinds) else "")
