"""The front page, with runs, leaderboard over time and taggers; and the page `404.html`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from arena.base.format import plural
from arena.metrics.registry import HEADLINES
from arena.report.html import template_text
from arena.report.site.folder import Site
from arena.report.site.models import ModelOverRuns
from arena.report.site.render import render_site_page
from arena.report.site.run_page import preview_picture
from arena.report.site.runs import PublishedRun, SiteRuns
from arena.report.site.series import (
    CHART_HEIGHT,
    CHART_LEFT,
    CHART_RIGHT,
    CHART_TOP,
    CHART_WIDTH,
    group_comparable_runs,
)
from arena.report.site.tags import value_range
from arena.report.view_model.leaderboard import value_of
from arena.report.view_model.uncertainty import tied_with_best, with_interval

_OPEN_GROUPS = 2
"""Number of groups at the top that are open even if they hold a single run."""


class Leader(NamedTuple):
    """The leader in a headline metric.

    Attributes:
        who: the leading tagger; empty if undetermined.
        told: its value with interval; if undetermined, the range of the values of those that may lead.
    """

    figure: str
    who: str
    told: str


def leaders(run: PublishedRun) -> list[Leader]:
    """Return the leader in each headline metric: the tagger that is significantly best, or the only tagger."""
    models = run.payload["models"]
    found = []
    for key, name in HEADLINES.items():
        tied = tied_with_best(models, key) if len(models) > 1 else [str(models[0]["name"])]
        who = next((model for model in models if [model["name"]] == tied), None)
        if who is not None and value_of(who, key) is not None:
            found.append(Leader(name, who["name"], with_interval(who, key)))
        else:
            among = [value_of(model, key) for model in models if not tied or model["name"] in tied]
            found.append(Leader(name, "", value_range([value for value in among if value is not None])))
    return found


def render_front(site: Site, shelf: SiteRuns, models: Sequence[ModelOverRuns], tags: int) -> str:
    """Return the page `index.html`."""
    description = (
        f"{plural(len(shelf.runs), 'run', 'runs')} of {plural(len(models), 'image tagger', 'image taggers')}, "
        f"and {plural(tags, 'tag', 'tags')} compared one by one."
    )
    drawing: dict[str, Any] = {
        "width": CHART_WIDTH,
        "height": CHART_HEIGHT,
        "left": CHART_LEFT,
        "right": CHART_WIDTH - CHART_RIGHT,
        "top": CHART_TOP,
    }
    return render_site_page(
        site, "front.html.j2", "index.html", title="Comparisons of image taggers", said=description,
        picture=preview_picture(shelf.runs[0]) if shelf.runs else None,
        runs=[(run, leaders(run)) for run in shelf.runs], others=shelf.others, models=models, tags=tags,
        groups=group_comparable_runs(shelf.runs), opened=_OPEN_GROUPS, drawn=drawing, figures=list(HEADLINES.values()),
        slugs=_slugs(models),
    )  # fmt: skip


def _slugs(models: Sequence[ModelOverRuns]) -> dict[str, str]:
    return {model.name: model.path for model in models}


def render_missing(site: Site) -> str:
    """Return the page `404.html`, which leads from an address of an earlier version to the page that has replaced it.

    A host shows it at any address, so its link to the site must be an absolute URL.
    """
    return render_site_page(
        site, "missing.html.j2", "404.html", title="Not found", said="This page does not exist.",
        home=site.address("index.html"), script=template_text("site/missing.js"),
    )  # fmt: skip
