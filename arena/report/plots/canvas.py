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
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path

from arena.base.files import open_whole
from arena.base.format import encodable, one_line
from arena.report.styles import LINE, STYLES, Theme

WIDTH = 9.0
"""Inches across every picture; what is drawn fits in, whatever its names."""

POINTS = 72
"""Points an inch."""

DPI, DOTS_DPI = 160, 120
"""Pixels an inch of a PNG, and of dots that an SVG holds as a picture."""

SIZE, SMALL = 9.5, 8.0
"""Points of text, and of quieter text."""

CAPTION = 130
"""Characters of a line of the caption."""

KEYS_ABREAST = 4
"""Most models side by side in a key."""

_PIXEL = 0.75
"""Points of one of the page's pixels."""

_ANGLES = np.linspace(0, np.pi, 16)
_MARKERS: Mapping[str, Any] = {
    "dome": [*zip(np.cos(_ANGLES), np.sin(_ANGLES) - 0.2, strict=True), (-1.0, -0.8), (1.0, -0.8)]
}
"""Shapes that matplotlib does not have, as corners."""

_LARGER = {"*": 1.45, "P": 1.1, "X": 1.1}
"""Shapes that cover less of their box are drawn larger."""

_MISSING = r"Glyph .* missing from|Matplotlib currently does not support"
"""What matplotlib warns of where its font lacks a character. The PNG shows a box there; the SVG holds the text itself."""


@contextmanager
def theme_of(theme: Theme) -> Iterator[None]:
    """Draw on a theme's ground, with matplotlib's own font and settings whatever a user's are.

    Text in an SVG stays text: it can be searched, copied and read aloud, and names in scripts that the font lacks are shown
    with the reader's fonts. It is measured with DejaVu Sans, which is wider than most, so that it fits in another font too.
    """
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", _MISSING, UserWarning)
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_settings(theme))
        yield


def _settings(theme: Theme) -> Any:
    return {
        "svg.hashsalt": "arena", "svg.fonttype": "none", "text.parse_math": False,
        "font.family": ["sans-serif"], "font.sans-serif": ["DejaVu Sans"], "font.size": SIZE,
        "figure.facecolor": theme.surface, "axes.facecolor": theme.surface,
        "text.color": theme.ink, "axes.labelcolor": theme.ink, "axes.titlecolor": theme.ink,
        "xtick.color": theme.line, "ytick.color": theme.line,
        "xtick.labelcolor": theme.muted, "ytick.labelcolor": theme.muted,
        "xtick.labelsize": SMALL, "ytick.labelsize": SMALL, "axes.labelsize": SIZE, "axes.titlesize": SIZE,
        "axes.edgecolor": theme.line, "axes.spines.top": False, "axes.spines.right": False,
        "axes.grid": True, "axes.axisbelow": True, "grid.color": theme.grid, "legend.frameon": False,
    }  # fmt: skip


def new_figure(height: float) -> Figure:
    """An empty picture of `WIDTH` by so many inches. Its parts are placed by hand: a layout takes longer than drawing does."""
    return Figure(figsize=(WIDTH, height))


def panel(figure: Figure, *, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at so many inches from the left and the top of the picture."""
    tall = figure.get_figheight()
    return figure.add_axes((left / WIDTH, 1 - (top + height) / tall, width / WIDTH, height / tall))


def title(ax: Axes, text: str, aside: str = "", *, quiet: str) -> None:
    """What a panel shows, over its left end, and something less loud over its right one."""
    ax.set_title(text, loc="left", fontweight="bold", pad=5)
    ax.set_title(aside, loc="right", fontsize=SMALL, color=quiet, pad=5)


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
    shape = marker(place)
    across = size * _LARGER.get(shape, 1.0) if isinstance(shape, str) else size
    return {
        "color": colour(theme, place), "marker": shape, "markersize": across, "linestyle": "none",
        "markeredgecolor": theme.surface, "markeredgewidth": 0.8, "zorder": 3,
    }  # fmt: skip


def whisker(ax: Axes, theme: Theme, place: int, ends: tuple[float, float] | None, *, at: float) -> None:
    """An interval as a line with ends. Not as an error bar: a corrected interval may lie beside its figure."""
    if ends is not None:
        ax.plot(ends, [at, at], "|-", color=colour(theme, place), linewidth=1.5, markersize=6, zorder=2)


def add_key(figure: Figure, keys: Sequence[tuple[dict[str, Any], str]]) -> None:
    """The key over a picture, `key_height` inches high: how each thing is drawn, and its name.

    matplotlib leaves out what is called `_x`, hence the names are set afterwards.
    """
    abreast = min(len(keys), KEYS_ABREAST)
    lines = [Line2D([], [], **style) for style, _ in keys]
    legend = figure.legend(
        lines, ["?"] * len(keys), loc="upper left", bbox_to_anchor=(0, 1), ncols=abreast, borderaxespad=0.15,
        handlelength=3.2 if any(line.get_linestyle() != "None" for line in lines) else 1.0, columnspacing=1.8,
    )  # fmt: skip
    for text, (_, name) in zip(legend.get_texts(), keys, strict=True):
        text.set_text(fitted(name, WIDTH * POINTS / abreast - 60))


def key_height(keys: int) -> float:
    """Inches that the key of so many things needs."""
    return 0.12 + 0.2 * -(-keys // KEYS_ABREAST)


def add_caption(figure: Figure, lines: Sequence[str]) -> None:
    """How to read a picture, below it, `caption_height` inches high."""
    x, y = 0.1 / WIDTH, 0.08 / figure.get_figheight()
    quiet = matplotlib.rcParams["xtick.labelcolor"]
    figure.text(x, y, "\n".join(lines), va="bottom", fontsize=SMALL, color=quiet, linespacing=1.35)


def caption_lines(*sentences: str) -> list[str]:
    """Sentences as lines that fit a picture; empty ones are left out."""
    return textwrap.wrap(" ".join(filter(None, sentences)), CAPTION)


def caption_height(lines: Sequence[str]) -> float:
    """Inches that a caption needs."""
    return 0.12 + 0.16 * len(lines)


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


def width(text: str, size: float = SIZE) -> float:
    """Points across, for a font that may lack some of the signs: such a sign of an Asian script is as wide as it is high."""
    wide = sum(unicodedata.east_asian_width(sign) in "WF" for sign in text)
    measured: float = text_to_path.get_text_width_height_descent(text, _font(size), ismath=False)[0]
    return measured + 0.45 * size * wide


@cache
def _font(size: float) -> FontProperties:
    return FontProperties(size=size)


def save(figure: Figure, path: Path, *, title: str) -> list[Path]:
    """Write a picture as SVG and PNG, without date or version.

    Straight from the two canvases: `Figure.savefig` draws everything twice.
    """
    svg, png = (path.with_name(path.name + kind) for kind in (".svg", ".png"))
    figure.set_dpi(DOTS_DPI)
    drawing: Any = FigureCanvasSVG(figure)
    with open_whole(svg) as file:
        drawing.print_svg(file, metadata={"Date": None, "Creator": None, "Title": drawable(title)})
    figure.set_dpi(DPI)
    drawing = FigureCanvasAgg(figure)
    with open_whole(png) as file:
        drawing.print_png(file, metadata={"Software": None})
    return [svg, png]
