"""Colours, markers and dash patterns of models, and the colours of each theme, for pages and plots.

`templates/page.css` has the same values; a test checks this. A model is identified by colour, marker and dash pattern, never by
colour alone. The colours of a theme differ clearly from each other and from its grey, also under every kind of dichromacy;
each has a contrast of 3:1 on every surface of its theme.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelStyle:
    """Marker and dash pattern of a model.

    Attributes:
        marker: matplotlib's name for the shape of the page's symbol; `dome` is defined in `plots/canvas.py`.
        dash: lengths of dashes and gaps, in pixels, for a line `LINE_WIDTH` pixels wide; empty for a solid line.
    """

    marker: str
    dash: tuple[int, ...] = ()


LINE_WIDTH = 2.25
"""Width of a curve in pixels."""

MODEL_LOOKS = (
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
"""Styles in the order of the models; an eleventh model reuses the first style."""


@dataclass(frozen=True)
class Theme:
    """Colours of the light or the dark theme.

    Attributes:
        suffix: suffix of the file names of its plots.
        surface, ink: background and text.
        muted: secondary text and undetermined tags.
        line, grid: axes and grid.
        models: colours in the order of `MODEL_LOOKS`.
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
