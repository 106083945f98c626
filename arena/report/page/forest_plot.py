"""The forest plot as positions for SVG: a panel per metric, a row per threshold policy, on one axis that contains 0."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from arena.metrics.registry import METRICS
from arena.report.page.small_multiples import Axis, axis_over
from arena.report.view_model.forest import Contrast, Forest
from arena.report.view_model.leaderboard import MODEL_STYLES


class RowText(Protocol):
    """What a row says: its title, the difference with its interval, a verdict, and the style of the higher model."""

    @property
    def title(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def words(self) -> str: ...
    @property
    def style(self) -> int | None: ...


@dataclass(frozen=True)
class ForestRow:
    """A row with its positions in percent; `at` is None if the difference is undefined."""

    contrast: RowText
    at: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class ForestPanel:
    """The rows of one metric."""

    key: str
    title: str
    rows: Sequence[ForestRow]


@dataclass(frozen=True)
class ForestPair:
    """The panels of two models, each named with its style; a difference is the first minus the second."""

    first: tuple[str, int]
    second: tuple[str, int]
    panels: Sequence[ForestPanel]


@dataclass(frozen=True)
class ForestPlot:
    """Pairs on one axis; `zero` is the position of no difference in percent."""

    axis: Axis
    zero: float
    pairs: Sequence[ForestPair]


def forest_plot(
    found: Forest | None, payload: Mapping[str, Any], pair: tuple[str, str] | None = None
) -> ForestPlot | None:
    """Return the positions of a forest plot, of one pair or of all; None without one."""
    if found is None:
        return None
    shown = {one: metrics for one, metrics in found.pairs.items() if pair in (None, one)}
    drawn = [row for metrics in shown.values() for rows in metrics.values() for row in rows]
    axis = signed_axis(end for row in drawn for end in (row.difference, row.low, row.high))
    styles = {model["name"]: place % MODEL_STYLES for place, model in enumerate(payload["models"])}
    pairs = [
        ForestPair((first, styles[first]), (second, styles[second]), [_panel(*of, axis) for of in metrics.items()])
        for (first, second), metrics in shown.items()
    ]
    return ForestPlot(axis, axis.place(0.0), pairs)


def signed_axis(values: Iterable[float | None]) -> Axis:
    """Return the shortest axis with round steps that contains 0 and every value, its labels with signs.

    >>> [text for _, text in signed_axis([-0.021, 0.013]).ticks]
    ['−0.03', '−0.02', '−0.01', '0', '+0.01', '+0.02']
    """
    axis = axis_over([0.0, *values])
    return replace(axis, ticks=[(at, _signed(text)) for at, text in axis.ticks])


def _signed(label: str) -> str:
    if not float(label):
        return "0"
    return f"−{label[1:]}" if label.startswith("-") else f"+{label}"


def _panel(key: str, rows: Sequence[Contrast], axis: Axis) -> ForestPanel:
    return ForestPanel(key, METRICS[key].heading, [_row(row, axis) for row in rows])


def _row(row: Contrast, axis: Axis) -> ForestRow:
    ends = (None if value is None else axis.place(value) for value in (row.difference, row.low, row.high))
    return ForestRow(row, *ends)
