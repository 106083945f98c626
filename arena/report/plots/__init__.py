"""Static plots of a result: leaderboard, threshold sweep, tag against tag, and slices.

Each plot is written as SVG and PNG, for a light and a dark theme. The background is opaque, because a transparent plot is not
readable on a page of the other theme. matplotlib is imported only when something is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arena.report.static_pictures import plots_of
from arena.report.styles import THEMES, Theme
from arena.report.view import headline_view
from arena.results.run_folder import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_plots(result: Result, folder: Path, headline_payload: Mapping[str, Any] | None = None) -> list[Path]:
    """Write the plots listed by `arena.report.static_pictures`; equal results give equal bytes. Returns the paths.

    Args:
        headline_payload: `headline_view` of the result; None computes it.
    """
    from arena.report.plots.canvas import save, theme_of

    folder.mkdir(exist_ok=True)
    payload: Mapping[str, Any] = headline_payload or headline_view(result)
    paths: list[Path] = []
    draw = drawings(result, payload)
    for theme in THEMES:
        with theme_of(theme):
            for picture in plots_of(payload):
                paths += save(draw[picture.name](theme), folder / f"{picture.name}{theme.suffix}", title=picture.alt)
    return paths


def drawings(result: Result, payload: Mapping[str, Any]) -> dict[str, Callable[[Theme], Figure]]:
    """Return the function that draws each plot, by name; call it inside `theme_of`, which sets fonts and colours."""
    from arena.report.plots import leaderboard, scatter, slices, sweep

    return {
        "leaderboard": lambda theme: leaderboard.draw(payload, theme),
        "sweep": lambda theme: sweep.draw(payload, result.sweep, theme),
        "scatter": lambda theme: scatter.draw(payload, result, theme),
        "slices": lambda theme: slices.draw(payload, theme),
    }
