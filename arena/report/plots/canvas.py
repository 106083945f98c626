"""What every picture shares: fonts and colours, markers and dashes, names that fit, and files that are the same each time."""

from __future__ import annotations

import textwrap
import unicodedata
import warnings
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path

from arena.report.styles import LINE, STYLES, Theme
from arena.report.text import encodable, one_line

WIDTH = 9.0
"""Inches across every picture; what is drawn fits in, whatever its names."""

POINTS = 72
"""Points an inch."""

DPI = 160
"""Pixels an inch of a PNG, and of dots that an SVG holds as a picture."""

SIZE, SMALL = 9.5, 8.0
"""Points of text, and of quieter text."""

KEYS_ABREAST = 4
"""Most models side by side in a key."""

_PIXEL = 0.75
"""Points of one of the page's pixels."""

_ANGLES = np.linspace(0, np.pi, 16)
_MARKERS: Mapping[str, Any] = {
    "dome": [*zip(np.cos(_ANGLES), np.sin(_ANGLES) - 0.2, strict=True), (-1.0, -0.8), (1.0, -0.8)]
}
"""Shapes that matplotlib does not have, as corners."""

_MISSING = r"Glyph .* missing from|Matplotlib currently does not support"
"""What matplotlib warns of where its font lacks a character. The PNG shows a box there; the SVG holds the text itself."""


@contextmanager
def theme_of(theme: Theme) -> Iterator[None]:
    """Draw on a theme's ground, with matplotlib's own font and settings whatever a user's are.

    Text in an SVG stays text: it can be searched, copied and read aloud, and names in scripts that the font lacks are shown with
    the reader's fonts. It is measured with DejaVu Sans, which is wider than most, so that it fits in another font too.
    """
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", _MISSING, UserWarning)
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_settings(theme))
        yield


def _settings(theme: Theme) -> dict[str, Any]:
    return {
        "svg.hashsalt": "arena", "svg.fonttype": "none", "text.parse_math": False,
        "font.family": ["sans-serif"], "font.sans-serif": ["DejaVu Sans"], "font.size": SIZE,
        "figure.facecolor": theme.surface, "axes.facecolor": theme.surface, "savefig.facecolor": theme.surface,
        "text.color": theme.ink, "axes.labelcolor": theme.ink, "axes.titlecolor": theme.ink,
        "xtick.color": theme.line, "ytick.color": theme.line,
        "xtick.labelcolor": theme.muted, "ytick.labelcolor": theme.muted,
        "xtick.labelsize": SMALL, "ytick.labelsize": SMALL, "axes.labelsize": SIZE, "axes.titlesize": SIZE,
        "axes.edgecolor": theme.line, "axes.spines.top": False, "axes.spines.right": False,
        "axes.grid": True, "axes.axisbelow": True, "grid.color": theme.grid, "legend.frameon": False,
    }  # fmt: skip


def new_figure(height: float) -> Figure:
    """An empty picture of `WIDTH` by so many inches, whose parts make room for each other."""
    return Figure(figsize=(WIDTH, height), layout="constrained")


def marker(place: int) -> Any:
    """The marker of the model at a place, as matplotlib takes it."""
    name = STYLES[place % len(STYLES)].marker
    return _MARKERS.get(name, name)


def colour(theme: Theme, place: int) -> str:
    """The colour of the model at a place."""
    return theme.models[place % len(theme.models)]


def curve(theme: Theme, place: int) -> dict[str, Any]:
    """Colour, width and dash pattern of a model's curve, for `Axes.plot`."""
    dash = STYLES[place % len(STYLES)].dash
    pattern: Any = (0, tuple(length / LINE for length in dash)) if dash else "-"
    return {"color": colour(theme, place), "linewidth": LINE * _PIXEL, "linestyle": pattern}


def dot(theme: Theme, place: int, size: float = 7.5) -> dict[str, Any]:
    """A model's marker with a rim of the ground, so that dots on each other stay apart, for `Axes.plot`."""
    return {
        "color": colour(theme, place), "marker": marker(place), "markersize": size, "linestyle": "none",
        "markeredgecolor": theme.surface, "markeredgewidth": 0.8, "zorder": 3,
    }  # fmt: skip


def whisker(ax: Axes, theme: Theme, place: int, ends: tuple[float, float] | None, *, at: float) -> None:
    """An interval as a line with ends. Not as an error bar: a corrected interval may lie beside its figure."""
    if ends is not None:
        ax.plot(ends, [at, at], "|-", color=colour(theme, place), linewidth=1.5, markersize=6, zorder=2)


def add_key(figure: Figure, keys: Sequence[tuple[dict[str, Any], str]]) -> None:
    """The key over a picture: how each thing is drawn, and its name.

    matplotlib leaves out what is called `_x`, hence the names are set afterwards.
    """
    abreast = min(len(keys), KEYS_ABREAST)
    lines = [Line2D([], [], **style) for style, _ in keys]
    legend = figure.legend(
        lines, ["?"] * len(keys), loc="outside upper left", ncols=abreast, handlelength=3.2, columnspacing=1.6
    )
    for text, (_, name) in zip(legend.get_texts(), keys, strict=True):
        text.set_text(fitted(name, WIDTH * POINTS / abreast - 60))


def add_caption(figure: Figure, text: str) -> None:
    """How to read a picture, below it."""
    told = "\n".join(textwrap.wrap(text, 130))
    figure.supxlabel(told, x=0.012, ha="left", fontsize=SMALL, color=matplotlib.rcParams["xtick.labelcolor"])


def drawable(name: str) -> str:
    """A name as a picture can hold it: on one line, without what is never seen, and with nothing that XML does not know.

    >>> drawable("a\\nb\\u202e"), drawable("\\udc80"), drawable("\\u200b")
    ('a b', '\ufffd', '?')
    """
    seen = "".join(sign for sign in encodable(one_line(name)) if unicodedata.category(sign) not in ("Cc", "Cf", "Cn"))
    return seen if seen.strip() else "?"


def fitted(name: str, points: float, size: float = SIZE) -> str:
    """A name as it is drawn in at most so many points, clipped where it is longer."""
    shown = drawable(name)
    if width(shown, size) <= points:
        return shown
    room = points - width("…", size)
    kept = bisect_right(range(len(shown)), room, key=lambda length: width(shown[:length], size)) - 1
    return f"{shown[: max(kept, 1)]}…"


def width(text: str, size: float) -> float:
    """Points across, for a font that may lack some of the signs: such a sign of an Asian script is as wide as it is high."""
    wide = sum(unicodedata.east_asian_width(sign) in "WF" for sign in text)
    measured: float = text_to_path.get_text_width_height_descent(text, _font(size), ismath=False)[0]
    return measured + 0.45 * size * wide


@cache
def _font(size: float) -> FontProperties:
    return FontProperties(size=size)


def save(figure: Figure, path: Path, *, title: str) -> list[Path]:
    """Write a picture as SVG and PNG, without date or version."""
    kinds: dict[str, dict[str, Any]] = {
        ".svg": {"Date": None, "Creator": None, "Title": drawable(title)},
        ".png": {"Software": None},
    }
    paths = []
    for kind, metadata in kinds.items():
        paths.append(path.with_name(path.name + kind))
        figure.savefig(paths[-1], dpi=DPI, metadata=metadata)
        figure.set_layout_engine("none")  # the second is laid out as the first was
    return paths
