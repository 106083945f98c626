"""Static pictures of a result: the leaderboard with its intervals, F1 against the threshold, and tag against tag."""

import math
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from arena.metrics.thresholds import on_sweep
from arena.report.figures import clipped
from arena.report.text import one_line
from arena.result import HEADLINES, Result

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#f0e442")
"""Okabe and Ito's palette: told apart with every kind of colour vision."""

MOST_DRAWN = 1000
"""Dots that an SVG draws one by one; more of them become one picture in it."""

DASHES = ("-", "--", "-.", ":")

_STYLE: Any = {
    "svg.hashsalt": "arena", "font.size": 10, "axes.spines.top": False, "axes.spines.right": False,
    "figure.facecolor": "white", "text.parse_math": False,
}  # fmt: skip


def write_plots(result: Result, folder: Path) -> list[Path]:
    """Write `sweep` and, of two models or more, `leaderboard` and `scatter` as SVG and PNG.

    The same result gives the same bytes.
    """
    folder.mkdir(exist_ok=True)
    with matplotlib.rc_context(_STYLE):
        figures = {"sweep": draw_sweep(result)}
        if len(result.models) > 1:
            figures["scatter"] = draw_scatter(result)
            figures["leaderboard"] = draw_leaderboard(result)
        paths = [_save(figure, folder / name) for name, figure in figures.items()]
    return [path.with_suffix(suffix) for path in paths for suffix in (".svg", ".png")]


def draw_sweep(result: Result) -> Figure:
    """Macro and micro F1 of every model over the thresholds; a dot where one threshold is the model's own."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    for ax, mean in zip(axes, ("macro", "micro"), strict=True):
        for number, model in enumerate(result.models):
            rows = result.sweep[result.sweep["model"] == model]
            even = rows[on_sweep(rows["threshold"].to_numpy(np.float32))]
            colour = COLOURS[number % len(COLOURS)]
            ax.plot(
                even["threshold"], even[f"{mean}_f1"], DASHES[number % len(DASHES)], color=colour, label=one_line(model)
            )
            _mark_own(ax, result, model, mean, colour)
        ax.set(xlabel="threshold", ylabel=f"{mean} F1", xlim=(0, 1), ylim=(0, None))
        ax.grid(alpha=0.25)
    axes[0].legend(frameon=False, fontsize=9)
    return figure


def draw_scatter(result: Result) -> Figure:
    """F1 of each compared tag, the first model against the second; the area grows with the support."""
    first, second = result.models[:2]
    compared = result.per_tag[result.per_tag["compared"]]
    table = compared.pivot(index="truth_tag", columns="model", values="f1")
    support = compared[compared["model"] == first].set_index("truth_tag")["support"].reindex(table.index)
    figure, ax = plt.subplots(figsize=(4.6, 4.6), layout="constrained")
    ax.plot([0, 1], [0, 1], color="#888888", linewidth=0.8)
    ax.scatter(
        table[first],
        table[second],
        s=4 + 3 * np.sqrt(support),
        alpha=0.55,
        color=COLOURS[0],
        linewidths=0,
        rasterized=len(table) > MOST_DRAWN,
    )
    ax.set(
        xlabel=f"F1 of {one_line(first)}", ylabel=f"F1 of {one_line(second)}", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02)
    )
    ax.set_aspect("equal")
    ax.grid(alpha=0.25)
    return figure


def draw_leaderboard(result: Result) -> Figure:
    """The headline figures of every model at its own thresholds, the first model on top; a whisker is the 95 % interval."""
    names, height = result.models, 1.1 + 0.34 * len(result.models)
    figure, axes = plt.subplots(1, len(HEADLINES), figsize=(9, height), sharey=True, layout="constrained")
    for ax, (key, title) in zip(axes, HEADLINES.items(), strict=True):
        for place, name in enumerate(names):
            own = result.summary["models"][name]["regimes"]["own"]
            value, low, high = (own.get(f"{key}{end}") for end in ("", "_low", "_high"))
            colour = COLOURS[place % len(COLOURS)]
            if defined(low) and defined(high):  # not as an error bar: a corrected interval may lie beside its figure
                ax.plot([low, high], [place, place], "|-", color=colour, linewidth=1.8, markersize=9)
            if defined(value):
                ax.plot([value], [place], "o", color=colour, markersize=6)
        ax.set(xlabel=title, yticks=range(len(names)), yticklabels=[clipped(one_line(name), 30) for name in names])
        ax.set_ylim(len(names) - 0.5, -0.5)
        ax.xaxis.set_major_locator(MaxNLocator(5))
        ax.grid(axis="x", alpha=0.25)
    return figure


def defined(value: float | None) -> bool:
    """Whether a figure read from a file, or just computed, is one."""
    return value is not None and not math.isnan(value)


def _mark_own(ax: Axes, result: Result, model: str, mean: str, colour: str) -> None:
    summary = result.summary["models"][model]
    try:
        threshold = float(summary["threshold"])
    except ValueError:  # one a category: no single place on the axis
        return
    value = summary["regimes"]["own"][f"{mean}_f1"]
    if value is not None:
        ax.plot([threshold], [value], "o", color=colour, markersize=6)


def _save(figure: Figure, path: Path) -> Path:
    figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    figure.savefig(path.with_suffix(".png"), dpi=160, metadata={"Software": None})
    plt.close(figure)
    return path
