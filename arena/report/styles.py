"""What a model and a ground look like, in pages and in pictures: `templates/page.css` says the same, by test.

A model is its colour, its marker and its dash pattern, never colour alone. No two colours of a theme come near each other, nor
near its grey, with full colour vision or with any kind of dichromacy; each has a contrast of 3:1 on every surface of its theme.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelStyle:
    """How a model is told apart without colour.

    Attributes:
        marker: matplotlib's name of the shape that the page's symbol has; `dome` is not one of its own.
        dash: lengths drawn and left out, in pixels, of a line of `LINE` pixels; empty for a solid one.
    """

    marker: str
    dash: tuple[int, ...] = ()


LINE = 2.25
"""Pixels across a curve."""

STYLES = (
    ModelStyle("o"),
    ModelStyle("s", (9, 3)),
    ModelStyle("^", (3, 3)),
    ModelStyle("D", (12, 3, 3, 3)),
    ModelStyle("v", (6, 3)),
    ModelStyle("P", (12, 3, 3, 3, 3, 3)),
    ModelStyle("X", (2, 4)),
    ModelStyle("*", (16, 4)),
    ModelStyle("H", (6, 3, 2, 3)),
    ModelStyle("dome", (4, 6)),
)
"""In the order of the models; an eleventh shares the first one's."""


@dataclass(frozen=True)
class Theme:
    """Colours on one kind of ground.

    Attributes:
        suffix: what the names of its pictures end with.
        surface, ink, muted, line, grid: ground, text, quieter text and what is undetermined, axes, grid.
        models: of each of `STYLES`.
    """

    suffix: str
    surface: str
    ink: str
    muted: str
    line: str
    grid: str
    models: tuple[str, ...]


LIGHT = Theme(
    suffix="",
    surface="#ffffff", ink="#1a1e22", muted="#59626c", line="#dfe2e4", grid="#e8eaeb",
    models=(
        "#04559b", "#d75913", "#067d59", "#c36399", "#8c4100",
        "#1193cc", "#4b4364", "#603136", "#6b5dd4", "#669455",
    ),
)  # fmt: skip

DARK = Theme(
    suffix="-dark",
    surface="#1a1e22", ink="#e7e9eb", muted="#9ea8b2", line="#31373d", grid="#2a3036",
    models=(
        "#3d9ed6", "#dc803a", "#18d6a5", "#ffa8de", "#e3c04a",
        "#96deff", "#dbf3ff", "#f19b7e", "#aeaeff", "#d7dc90",
    ),
)  # fmt: skip

THEMES = (LIGHT, DARK)
