"""The reliability diagram as SVG shapes, so that the page can draw it without scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from arena.report.view_model.leaderboard import MODEL_STYLES

LEAST_CELLS = 10
"""Fewest cells of a bin that is drawn: the share of a smaller bin is noise. The table below the diagram has all bins."""

DIAGRAM_WIDTH, DIAGRAM_HEIGHT = 420, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 14, 14, 42


@dataclass(frozen=True)
class DrawnCurve:
    """One model's curve: SVG path and points, in the diagram's units."""

    model: str
    style: int
    path: str
    points: Sequence[tuple[float, float]]


def x_of(score: float) -> float:
    """Return the x coordinate of a score in 0 to 1."""
    return round(_LEFT + score * (DIAGRAM_WIDTH - _LEFT - _RIGHT), 1)


def y_of(share: float) -> float:
    """Return the y coordinate of a share in 0 to 1; SVG's y axis points down."""
    return round(DIAGRAM_HEIGHT - _BOTTOM - share * (DIAGRAM_HEIGHT - _TOP - _BOTTOM), 1)


def reliability_curves(calibration: Sequence[Mapping[str, Any]]) -> list[DrawnCurve]:
    """Return one curve per model: share of positive cells over mean score, without bins of fewer than `LEAST_CELLS`."""
    curves = []
    for i, one in enumerate(calibration):
        points = [
            (x_of(score), y_of(share))
            for _, _, score, share, cells in one["bins"]
            if cells >= LEAST_CELLS and score is not None and share is not None
        ]
        path = "".join(f"{'L' if place else 'M'}{x} {y}" for place, (x, y) in enumerate(points))
        curves.append(DrawnCurve(one["model"], i % MODEL_STYLES, path, points))
    return curves
