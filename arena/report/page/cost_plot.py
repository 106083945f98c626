"""Quality against cost: one dot per model, cost on a logarithmic axis. Positions are percentages of the plot."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from arena.base.format import estimate, rate
from arena.report.page.small_multiples import Axis, axis_over
from arena.report.view_model.cost import millions
from arena.report.view_model.leaderboard import MODEL_STYLES


@dataclass(frozen=True)
class LogAxis:
    """A logarithmic axis from `start` to `end`; `ticks` are pairs of position in percent and label."""

    start: float
    end: float
    ticks: Sequence[tuple[float, str]]

    def place(self, value: float) -> float:
        """Return the position of a positive value in percent."""
        return round(100 * math.log(value / self.start) / math.log(self.end / self.start), 2)


@dataclass(frozen=True)
class CostDot:
    """One model: `across` and `up` from the left and the bottom in percent, `low` and `high` without an interval None."""

    name: str
    style: int
    text: str
    across: float
    up: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class CostPanel:
    """Quality against one cost; `missing` names the models that have no figure of it."""

    key: str
    title: str
    better: str
    axis: LogAxis
    dots: Sequence[CostDot]
    missing: Sequence[str]


@dataclass(frozen=True)
class CostPlot:
    """The panels, with the axis of mAP that all share; `machines` are those on which images/s was measured."""

    axis: Axis
    panels: Sequence[CostPanel]
    machines: Sequence[str]


_COSTS: Sequence[tuple[str, str, str, Callable[[Any], str]]] = (
    ("images_per_second", "images a second", "faster to the right", rate),
    ("parameters", "parameters", "smaller to the left", millions),
)
"""Key in the payload, title of the axis, where the cheap end is, and format of each cost."""


def cost_plot(payload: Mapping[str, Any]) -> CostPlot | None:
    """Return mAP against each cost that at least one model has; None if no model has a cost and an mAP."""
    models = [(place % MODEL_STYLES, one) for place, one in enumerate(payload["models"]) if one["map"] is not None]
    axis = axis_over(end for _, one in models for end in (one["map"], *(one["intervals"].get("map") or ())))
    found = [_panel(cost, models, payload["models"], axis) for cost in _COSTS]
    panels = [panel for panel in found if panel is not None]
    machines = dict.fromkeys(one["timed_on"] for _, one in models if one["images_per_second"] and one["timed_on"])
    return CostPlot(axis, panels, list(machines)) if panels else None


def _panel(
    cost: tuple[str, str, str, Callable[[Any], str]],
    models: Sequence[tuple[int, Mapping[str, Any]]],
    everyone: Sequence[Mapping[str, Any]],
    axis: Axis,
) -> CostPanel | None:
    key, title, better, show = cost
    known = [(style, one) for style, one in models if one[key]]
    if not known:
        return None
    across = log_axis([one[key] for _, one in known], show)
    dots = [_dot(style, one, across.place(one[key]), f"{show(one[key])} {title}", axis) for style, one in known]
    drawn = {dot.name for dot in dots}
    return CostPanel(key, title, better, across, dots, [one["name"] for one in everyone if one["name"] not in drawn])


def _dot(style: int, model: Mapping[str, Any], across: float, cost: str, axis: Axis) -> CostDot:
    low, high = model["intervals"].get("map") or (None, None)
    ends = [None if end is None else axis.place(end) for end in (low, high)]
    text = f"{model['name']}: mAP {estimate(model['map'], low, high)}, {cost}"
    return CostDot(model["name"], style, text, across, axis.place(model["map"]), ends[0], ends[1])


_MANTISSAS = (1, 2, 5)


def log_axis(values: Sequence[float], show: Callable[[Any], str] = rate) -> LogAxis:
    """Return an axis that contains all values with space at both ends, and ticks at 1, 2, 5, 10 ...

    >>> [text for _, text in log_axis([55, 163]).ticks]
    ['50.0', '100', '200']
    """
    least, most = min(values) / 1.25, max(values) * 1.25
    steps = [
        m * 10.0**e for e in range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1) for m in _MANTISSAS
    ]
    inside = [step for step in steps if least <= step <= most]
    if len(inside) > _MOST_TICKS:
        inside = [step for step in inside if math.log10(step).is_integer()]
    if len(inside) < 2:
        below, above = max(s for s in steps if s <= least), min(s for s in steps if s >= most)
        least, most, inside = below, above, [below, *inside, above]
    axis = LogAxis(least, most, ())
    return LogAxis(least, most, [(axis.place(step), show(step)) for step in inside])


_MOST_TICKS = 6
