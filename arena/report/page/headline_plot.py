"""The forest plot of the first screen: one block for each headline metric and threshold policy, one row for each model.

Positions are percentages of the axis, so that a drawing has any width while its text keeps its size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from arena.report.page.small_multiples import Axis, axis_over
from arena.report.view_model.headline import HeadlineMetric, HeadlineRow


@dataclass(frozen=True)
class PlottedRow:
    """A row with its positions in percent; `at` is None if the metric is undefined, `low` and `high` without an interval."""

    row: HeadlineRow
    at: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Block:
    """The rows of one metric under one threshold policy, on their own axis."""

    policy: str
    axis: Axis
    rows: Sequence[PlottedRow]


@dataclass(frozen=True)
class MetricBlocks:
    """The blocks of one metric; a metric that needs no threshold has one."""

    key: str
    title: str
    blocks: Sequence[Block]


def headline_plot(metrics: Sequence[HeadlineMetric]) -> list[MetricBlocks]:
    """Return the blocks of every metric."""
    return [
        MetricBlocks(one.key, one.title, [_block(policy, rows) for policy, rows in one.by_policy.items()])
        for one in metrics
    ]


def _block(policy: str, rows: Sequence[HeadlineRow]) -> Block:
    axis = axis_over(end for row in rows for end in (row.value, row.low, row.high))
    return Block(policy, axis, [_plotted(row, axis) for row in rows])


def _plotted(row: HeadlineRow, axis: Axis) -> PlottedRow:
    at, low, high = (None if value is None else axis.place(value) for value in (row.value, row.low, row.high))
    return PlottedRow(row, at, low, high)
