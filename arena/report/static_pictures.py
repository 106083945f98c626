"""Lists the plots of a result, with file paths and alternative texts; `arena.report.plots` draws them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from arena.base.format import clipped, listed, plural

_PLOTS_FOLDER = "plots"
"""Folder of the plots in a run folder."""


@dataclass(frozen=True)
class Plot:
    """One plot.

    Attributes:
        name: stem of its file names, without theme and format.
        title: heading.
        alt: alternative text for readers who cannot see it.
    """

    name: str
    title: str
    alt: str


class PlottedPair(NamedTuple):
    """Names of two models, in the order of the run."""

    first: str
    second: str


def plots_of(payload: Mapping[str, Any]) -> list[Plot]:
    """Return the plots of a result, in the order of the summary; none if no tag was compared."""
    if not payload["compared_tags"]:
        return []
    names = listed([clipped(model["name"], 40) for model in payload["models"]], keep=4)
    ends = " with their 95 % intervals" if payload["replicates"] else ""
    found = [
        Plot("leaderboard", "Leaderboard", f"Macro F1, micro F1 and mAP of {names}{ends}."),
        Plot(
            "sweep",
            "F1 against the threshold",
            f"Macro and micro F1 of {names} at every threshold, and micro precision against recall; a marker "
            "shows each model's own threshold.",
        ),
    ]
    if len(payload["models"]) > 1:
        first, second = (clipped(name, 40) for name in best_pair(payload))
        found.append(
            Plot(
                "scatter",
                "Tag against tag",
                f"F1 and AP of {plural(payload['compared_tags'], 'tag', 'tags')}, one dot each: {first} on x, {second} on y.",
            )
        )
    if payload["slices"]:
        found.append(Plot("slices", "Slices", f"Macro F1 and mAP of {names}{ends} on subsets of the tags and images."))
    return found


def best_pair(payload: Mapping[str, Any]) -> PlottedPair:
    """Return the two models with the highest mAP; undefined counts as lowest, ties go to the earlier model."""
    models = payload["models"]
    ranked = sorted(models, key=lambda model: -1.0 if model["map"] is None else -model["map"])
    best = {model["name"] for model in ranked[:2]}
    return PlottedPair(*(model["name"] for model in models if model["name"] in best))


def plot_path(picture: Plot, *, suffix: str, kind: str) -> str:
    """Return the path of a plot in the run folder.

    >>> plot_path(Plot("sweep", "", ""), suffix="-dark", kind="svg")
    'plots/sweep-dark.svg'
    """
    return f"{_PLOTS_FOLDER}/{picture.name}{suffix}.{kind}"
