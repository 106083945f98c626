"""Shared parts of the plots: fonts, colours, markers, dashes, clipped names, and reproducible files."""

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
from arena.report.styles import LINE_WIDTH, MODEL_LOOKS, Theme

PLOT_WIDTH = 9.0
"""Width of every plot in inches; long names are clipped to fit."""

POINTS_PER_INCH = 72
"""Points per inch."""

DPI, DOTS_DPI = 160, 120
"""Pixels per inch of a PNG, and of dots that are rasterized inside an SVG."""

FONT_SIZE, SMALL_FONT_SIZE = 9.5, 8.0
"""Font size in points of text, and of secondary text."""

_CAPTION_CHARACTERS = 130
"""Characters per line of the caption."""

_LEGEND_COLUMNS = 4
"""Most legend entries per row."""

_PIXEL = 0.75
"""Points per CSS pixel."""

_ANGLES = np.linspace(0, np.pi, 16)
_MARKERS: Mapping[str, Any] = {
    "dome": [*zip(np.cos(_ANGLES), np.sin(_ANGLES) - 0.2, strict=True), (-1.0, -0.8), (1.0, -0.8)]
}
"""Markers that matplotlib lacks, as polygons."""

_LARGER = {"*": 1.45, "P": 1.1, "X": 1.1}
"""Scale of markers that cover less of their box than the others."""

_MISSING = r"Glyph .* missing from|Matplotlib currently does not support"
"""Pattern of matplotlib's warning on a missing glyph. The PNG shows a box instead; the SVG contains the text itself."""


@contextmanager
def theme_of(theme: Theme) -> Iterator[None]:
    """Set a theme's colours and matplotlib's default settings, independent of the user's matplotlibrc.

    Text in an SVG stays text: it can be searched, copied and read aloud, and the reader's fonts supply missing scripts. It is
    measured with DejaVu Sans, which is wider than most fonts, so that it fits in other fonts too.
    """
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", _MISSING, UserWarning)
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_settings(theme))
        yield


def _settings(theme: Theme) -> Any:
    return {
        "svg.hashsalt": "arena", "svg.fonttype": "none", "text.parse_math": False,
        "font.family": ["sans-serif"], "font.sans-serif": ["DejaVu Sans"], "font.size": FONT_SIZE,
        "figure.facecolor": theme.surface, "axes.facecolor": theme.surface,
        "text.color": theme.ink, "axes.labelcolor": theme.ink, "axes.titlecolor": theme.ink,
        "xtick.color": theme.line, "ytick.color": theme.line,
        "xtick.labelcolor": theme.muted, "ytick.labelcolor": theme.muted,
        "xtick.labelsize": SMALL_FONT_SIZE, "ytick.labelsize": SMALL_FONT_SIZE,
        "axes.labelsize": FONT_SIZE, "axes.titlesize": FONT_SIZE,
        "axes.edgecolor": theme.line, "axes.spines.top": False, "axes.spines.right": False,
        "axes.titley": 1.0, "axes.grid": True, "axes.axisbelow": True, "grid.color": theme.grid, "legend.frameon": False,
    }  # fmt: skip


def new_figure(height: float) -> Figure:
    """Return an empty figure, `PLOT_WIDTH` by `height` inches; no layout engine, because one takes longer than drawing."""
    return Figure(figsize=(PLOT_WIDTH, height))


def panel(figure: Figure, *, left: float, top: float, width: float, height: float) -> Axes:
    """Add axes at a position and size in inches, measured from the left and the top of the figure."""
    tall = figure.get_figheight()
    return figure.add_axes((left / PLOT_WIDTH, 1 - (top + height) / tall, width / PLOT_WIDTH, height / tall))


def title(ax: Axes, text: str, aside: str = "", *, quiet: str) -> None:
    """Set the title of a panel at its left end, and `aside` in the colour `quiet` at its right end."""
    ax.set_title(text, loc="left", fontweight="bold", pad=5)
    ax.set_title(aside, loc="right", fontsize=SMALL_FONT_SIZE, color=quiet, pad=5)


def marker(place: int) -> Any:
    """Return the matplotlib marker of the model with index `place`."""
    name = MODEL_LOOKS[place % len(MODEL_LOOKS)].marker
    return _MARKERS.get(name, name)


def colour(theme: Theme, place: int) -> str:
    """Return the colour of the model with index `place`."""
    return theme.models[place % len(theme.models)]


def curve(theme: Theme, place: int) -> dict[str, Any]:
    """Return colour, line width and dash pattern of a model's curve, as arguments of `Axes.plot`."""
    dash = MODEL_LOOKS[place % len(MODEL_LOOKS)].dash
    pattern: Any = (0, tuple(length / LINE_WIDTH for length in dash)) if dash else "-"
    return {"color": colour(theme, place), "linewidth": LINE_WIDTH * _PIXEL, "linestyle": pattern}


def dot(theme: Theme, place: int, size: float = 7.5) -> dict[str, Any]:
    """Return a model's marker as arguments of `Axes.plot`; a rim in the background colour separates overlapping dots."""
    shape = marker(place)
    across = size * _LARGER.get(shape, 1.0) if isinstance(shape, str) else size
    return {
        "color": colour(theme, place), "marker": shape, "markersize": across, "linestyle": "none",
        "markeredgecolor": theme.surface, "markeredgewidth": 0.8, "zorder": 3,
    }  # fmt: skip


def whisker(ax: Axes, theme: Theme, place: int, ends: tuple[float, float] | None, *, at: float) -> None:
    """Draw an interval as a line with caps; not as an error bar, because an older run's interval may exclude its value."""
    if ends is not None:
        ax.plot(ends, [at, at], "|-", color=colour(theme, place), linewidth=1.5, markersize=6, zorder=2)


def add_legend(figure: Figure, keys: Sequence[tuple[dict[str, Any], str]]) -> None:
    """Add the legend at the top of a figure, `legend_height` inches high; `keys` are pairs of style and name.

    The names are set afterwards, because matplotlib omits entries whose name starts with `_`.
    """
    abreast = min(len(keys), _LEGEND_COLUMNS)
    lines = [Line2D([], [], **style) for style, _ in keys]
    legend = figure.legend(
        lines, ["?"] * len(keys), loc="upper left", bbox_to_anchor=(0, 1), ncols=abreast, borderaxespad=0.15,
        handlelength=3.2 if any(line.get_linestyle() != "None" for line in lines) else 1.0, columnspacing=1.8,
    )  # fmt: skip
    for text, (_, name) in zip(legend.get_texts(), keys, strict=True):
        text.set_text(clip_to_width(name, PLOT_WIDTH * POINTS_PER_INCH / abreast - 60))


def legend_height(keys: int) -> float:
    """Return the height in inches of a legend with `keys` entries."""
    return 0.12 + 0.2 * -(-keys // _LEGEND_COLUMNS)


def add_caption(figure: Figure, lines: Sequence[str]) -> None:
    """Add the caption at the bottom of a figure, `caption_height` inches high."""
    x, y = 0.1 / PLOT_WIDTH, 0.08 / figure.get_figheight()
    quiet = matplotlib.rcParams["xtick.labelcolor"]
    figure.text(x, y, "\n".join(lines), va="bottom", fontsize=SMALL_FONT_SIZE, color=quiet, linespacing=1.35)


def caption_lines(*sentences: str) -> list[str]:
    """Return sentences wrapped into caption lines; empty ones are omitted."""
    return textwrap.wrap(" ".join(filter(None, sentences)), _CAPTION_CHARACTERS)


def caption_height(lines: Sequence[str]) -> float:
    """Return the height in inches of a caption."""
    return 0.12 + 0.16 * len(lines)


def drawable_name(name: str) -> str:
    """Return a name on one line, without invisible characters and without characters that XML forbids.

    >>> drawable_name("a\\nb\\u202e"), drawable_name("\\udc80"), drawable_name("\\u200b")
    ('a b', '\ufffd', '?')
    """
    visible = "".join(
        char for char in encodable(one_line(name)) if unicodedata.category(char) not in ("Cc", "Cf", "Cn")
    )
    return visible if visible.strip() else "?"


def clip_to_width(name: str, points: float, size: float = FONT_SIZE) -> str:
    """Return a name clipped to at most `points` wide at font size `size`."""
    shown = drawable_name(name)
    if text_width(shown, size) <= points:
        return shown
    room = points - text_width("…", size)
    kept = bisect_right(range(len(shown)), room, key=lambda length: text_width(shown[:length], size)) - 1
    return f"{shown[: max(kept, 1)]}…"


def text_width(text: str, size: float = FONT_SIZE) -> float:
    """Return the width of text in points; wide East Asian characters, which the font lacks, count as wide as they are high."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    measured: float = text_to_path.get_text_width_height_descent(text, _font(size), ismath=False)[0]
    return measured + 0.45 * size * wide


@cache
def _font(size: float) -> FontProperties:
    return FontProperties(size=size)


def save(figure: Figure, path: Path, *, title: str) -> list[Path]:
    """Write a figure as SVG and PNG without date or version, and return both paths.

    Both canvases are used directly, because `Figure.savefig` draws everything twice.
    """
    svg, png = (path.with_name(path.name + kind) for kind in (".svg", ".png"))
    figure.set_dpi(DOTS_DPI)
    drawing: Any = FigureCanvasSVG(figure)
    with open_whole(svg) as file:
        drawing.print_svg(file, metadata={"Date": None, "Creator": None, "Title": drawable_name(title)})
    figure.set_dpi(DPI)
    drawing = FigureCanvasAgg(figure)
    with open_whole(png) as file:
        drawing.print_png(file, metadata={"Software": None})
    return [svg, png]
