"""The reliability diagram as shapes of a drawing, so that the page needs no script for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from arena.report.view_model.leaderboard import MODEL_STYLES

LEAST_CELLS = 10
"""Cells that a bin needs to be drawn: with fewer its share says nothing. The table below the drawing has them all."""

WIDTH, HEIGHT = 420, 340
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 14, 42


@dataclass(frozen=True)
class Curve:
    """One model's line and its points."""

    model: str
    style: int
    path: str
    points: Sequence[tuple[float, float]]


def x_of(score: float) -> float:
    """Where a score stands across, in the drawing's units."""
    return round(LEFT + score * (WIDTH - LEFT - RIGHT), 1)


def y_of(share: float) -> float:
    """Where a share stands, upwards."""
    return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)


def reliability_curves(calibration: Sequence[Mapping[str, Any]]) -> list[Curve]:
    """A curve a model: share of cells that carry the tag over mean score; bins of fewer than `LEAST_CELLS` left out."""
    curves = []
    for i, one in enumerate(calibration):
        points = [
            (x_of(score), y_of(share))
            for _, _, score, share, cells in one["bins"]
            if cells >= LEAST_CELLS and score is not None and share is not None
        ]
        path = "".join(f"{'L' if place else 'M'}{x} {y}" for place, (x, y) in enumerate(points))
        curves.append(Curve(one["model"], i % MODEL_STYLES, path, points))
    return curves
