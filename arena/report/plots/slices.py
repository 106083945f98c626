"""Plot of the slices as small multiples: a row of panels per kind of slice, a dot with whisker per model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from arena.base.format import UNDEFINED, count, plural
from arena.metrics.registry import HEADLINES, SLICED
from arena.report.plots.canvas import (
    PLOT_WIDTH,
    POINTS_PER_INCH,
    SMALL_FONT_SIZE,
    add_caption,
    add_legend,
    caption_height,
    caption_lines,
    clip_to_width,
    dot,
    legend_height,
    new_figure,
    panel,
    text_width,
    title,
    whisker,
)
from arena.report.styles import Theme
from arena.report.view_model.slices import SLICE_KIND_TITLES, TAG_SLICE_KINDS

MOST_SLICES_DRAWN = 8
"""Most slices of a kind that are drawn; the largest are chosen."""

_NAME_POINTS = 130
"""Width of a slice's title in points."""

_KIND_POINTS = 220
"""Width of a kind's title in points."""

_OVER, _UNDER, _GAP = 0.25, 0.3, 0.25
"""Inches above a kind's panels (title), below them (axis), and between the two panels."""


class _SliceKind(NamedTuple):
    """The drawn slices of one kind, and the number of all its slices."""

    title: str
    rows: Sequence[Mapping[str, Any]]
    of: int


def draw(payload: Mapping[str, Any], theme: Theme) -> Figure:
    """Draw macro F1 and mAP of every model on each slice; all panels of a metric have the same axis."""
    models, kinds = payload["models"], drawn_slices(payload)
    caption, row, top = _caption(payload, kinds), 0.26 + 0.055 * len(models), legend_height(len(models))
    labels = [[_label(one) for one in kind.rows] for kind in kinds]
    left = (
        0.25
        + max(text_width(line, SMALL_FONT_SIZE) for group in labels for label in group for line in label.split("\n"))
        / POINTS_PER_INCH
    )
    wide = (PLOT_WIDTH - left - 0.15 - _GAP) / 2
    figure = new_figure(top + sum(_OVER + _UNDER + row * len(kind.rows) for kind in kinds) + caption_height(caption))
    columns: dict[str, list[Axes]] = {key: [] for key in SLICED}
    for kind, group in zip(kinds, labels, strict=True):
        for number, key in enumerate(SLICED):
            place = {
                "left": left + number * (wide + _GAP),
                "top": top + _OVER,
                "width": wide,
                "height": row * len(kind.rows),
            }
            ax = panel(figure, **place)
            _draw_kind(ax, kind, key, theme)
            title(ax, "" if number else _heading(kind), HEADLINES[key], quiet=theme.muted)
            ax.set_yticks(range(len(group)), [""] * len(group) if number else group, color=theme.ink)
            columns[key].append(ax)
        top += _OVER + _UNDER + row * len(kind.rows)
    for column in columns.values():
        _share_axis(column)
    add_legend(figure, [(dot(theme, place), model["name"]) for place, model in enumerate(models)])
    add_caption(figure, caption)
    return figure


def _share_axis(column: Sequence[Axes]) -> None:
    """Give all panels of a metric the same x axis."""
    ends = [ax.get_xlim() for ax in column]
    for ax in column:
        ax.set_xlim(min(low for low, _ in ends), max(high for _, high in ends))


def drawn_slices(payload: Mapping[str, Any]) -> list[_SliceKind]:
    """Return the slices by kind, at most `MOST_SLICES_DRAWN` of each, in the order of the result."""
    kinds = []
    for kind, rows in groupby(payload["slices"], key=lambda one: str(one["slice"])):
        all_rows = list(rows)
        size = "tags" if kind in TAG_SLICE_KINDS else "images"
        largest = sorted(range(len(all_rows)), key=lambda place: -all_rows[place][size])[:MOST_SLICES_DRAWN]
        kinds.append(
            _SliceKind(SLICE_KIND_TITLES.get(kind, kind), [all_rows[place] for place in sorted(largest)], len(all_rows))
        )
    return kinds


def _draw_kind(ax: Axes, kind: _SliceKind, key: str, theme: Theme) -> None:
    for row, one in enumerate(kind.rows):
        cells = one["figures"][key]["models"]
        shifts = np.linspace(-0.28, 0.28, len(cells)) if len(cells) > 1 else [0.0]
        if all(value is None for value, _, _ in cells):
            ax.text(
                0.5, row, UNDEFINED, transform=ax.get_yaxis_transform(), ha="center", va="center", color=theme.muted
            )
        for place, ((value, low, high), shift) in enumerate(zip(cells, shifts, strict=True)):
            whisker(ax, theme, place, None if low is None or high is None else (low, high), at=row + shift)
            if value is not None:
                ax.plot([value], [row + shift], **dot(theme, place, 6))
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.set_ylim(len(kind.rows) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    for row in range(1, len(kind.rows)):
        ax.axhline(row - 0.5, color=theme.grid, linewidth=0.8, zorder=0)


def _heading(kind: _SliceKind) -> str:
    more = f" (the largest {len(kind.rows)} of {count(kind.of)})" if len(kind.rows) < kind.of else ""
    return f"{clip_to_width(kind.title, _KIND_POINTS)}{more}"


def _label(one: Mapping[str, Any]) -> str:
    size = (
        plural(one["tags"], "tag", "tags")
        if one["slice"] in TAG_SLICE_KINDS
        else plural(one["images"], "image", "images")
    )
    return f"{clip_to_width(one['title'], _NAME_POINTS)}\n{size}"


def _caption(payload: Mapping[str, Any], kinds: Sequence[_SliceKind]) -> list[str]:
    return caption_lines(
        "At each tagger's own threshold.",
        "Whiskers: 95 % intervals." if payload["replicates"] else "Point estimates without intervals.",
        "All slices: slices.parquet." if any(len(kind.rows) < kind.of for kind in kinds) else "",
    )
