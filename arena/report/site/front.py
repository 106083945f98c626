"""The front page: the runs, the newest first, a leaderboard over time, the taggers; and the page of what is not there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from arena.base.format import plural
from arena.metrics.registry import HEADLINES
from arena.report.site.folder import Site
from arena.report.site.models import ModelOverRuns
from arena.report.site.render import render
from arena.report.site.run_page import picture_of
from arena.report.site.runs import PublishedRun, Shelf
from arena.report.site.series import HEIGHT, LEFT, RIGHT, TOP, WIDTH, groups
from arena.report.site.tags import span
from arena.report.view_model.leaderboard import value_of
from arena.report.view_model.uncertainty import leading, with_interval

OPENED = 2
"""Groups of a single run that are shown at once; a reader opens the others."""


class Leader(NamedTuple):
    """Who leads in a figure; `who` is empty where it is undetermined, and `told` the figures that it lies between."""

    figure: str
    who: str
    told: str


def leaders(run: PublishedRun) -> list[Leader]:
    """Of each headline figure the tagger that leads beyond doubt, or the only one."""
    models = run.payload["models"]
    found = []
    for key, name in HEADLINES.items():
        tied = leading(models, key) if len(models) > 1 else [str(models[0]["name"])]
        who = next((model for model in models if [model["name"]] == tied), None)
        if who is not None and value_of(who, key) is not None:
            found.append(Leader(name, who["name"], with_interval(who, key)))
        else:
            among = [value_of(model, key) for model in models if not tied or model["name"] in tied]
            found.append(Leader(name, "", span([value for value in among if value is not None])))
    return found


def render_front(site: Site, shelf: Shelf, models: Sequence[ModelOverRuns], tags: int) -> str:
    """`index.html`."""
    said = (
        f"{plural(len(shelf.runs), 'run', 'runs')} of {plural(len(models), 'image tagger', 'image taggers')}, "
        f"and {plural(tags, 'tag', 'tags')} compared one by one."
    )
    drawing: dict[str, Any] = {"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": WIDTH - RIGHT, "top": TOP}
    return render(
        site, "front.html.j2", "index.html", title="Comparisons of image taggers", said=said,
        picture=picture_of(shelf.runs[0]) if shelf.runs else None,
        runs=[(run, leaders(run)) for run in shelf.runs], others=shelf.others, models=models, tags=tags,
        groups=groups(shelf.runs), opened=OPENED, drawn=drawing, figures=list(HEADLINES.values()), slugs=_slugs(models),
    )  # fmt: skip


def _slugs(models: Sequence[ModelOverRuns]) -> dict[str, str]:
    return {model.name: model.path for model in models}


def render_missing(site: Site) -> str:
    """`404.html`: a host shows it for any address, so that only the site's full address can lead back from it."""
    return render(
        site, "missing.html.j2", "404.html", title="Not found", said="There is no such page here.",
        home=site.address("index.html"),
    )  # fmt: skip
