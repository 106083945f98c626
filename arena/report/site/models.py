"""The page of a tagger: every run that it was in, what is known of it, its best and worst tags, its thresholds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from arena.base.format import count, figure, interval, plural
from arena.metrics.registry import HEADLINES
from arena.report.site.folder import Site
from arena.report.site.names import slug
from arena.report.site.render import render
from arena.report.site.run_page import picture_of
from arena.report.site.runs import PublishedRun
from arena.report.view_model.leaderboard import Cell, leaderboard
from arena.report.view_model.regimes import RegimeCell, regime_rows
from arena.report.view_model.uncertainty import with_interval

TAGS_SHOWN = 12
"""Best tags, and worst ones."""


NAMED = {"tags": "digest of its tags", "weights": "digest of its weights", "key": "digest behind its scores"}
"""What facts of a run are called, where their own names do not say it."""


class InRun(NamedTuple):
    """A tagger in a run."""

    run: PublishedRun
    model: Mapping[str, Any]
    weights: str
    cells: Sequence[Cell]


class TagFigure(NamedTuple):
    """A tag of a tagger; `end` is the end of its interval that it is placed by."""

    name: str
    slug: str
    support: int
    ap: str
    range: str


class Regime(NamedTuple):
    """A threshold regime of one tagger."""

    title: str
    what: str
    cell: RegimeCell
    flatters: bool


@dataclass(frozen=True)
class ModelOverRuns:
    """A tagger by its name; the newest run first."""

    name: str
    runs: Sequence[InRun]

    @property
    def path(self) -> str:
        """Where its page is."""
        return f"models/{slug(self.name)}/index.html"

    @property
    def newest(self) -> InRun:
        """What its facts, tags and thresholds are of."""
        return self.runs[0]


def models_over_runs(runs: Sequence[PublishedRun]) -> list[ModelOverRuns]:
    """Every tagger of any run, by name."""
    found: dict[str, list[InRun]] = {}
    for run in runs:
        for standing in leaderboard(run.payload):
            model = standing.model
            weights = str(run.result.run["models"].get(model["name"], {}).get("key", ""))
            cells = [standing.cells[key] for key in HEADLINES]
            found.setdefault(model["name"], []).append(InRun(run, model, weights[:8], cells))
    return [ModelOverRuns(name, found[name]) for name in sorted(found)]


def render_model(site: Site, model: ModelOverRuns) -> str:
    """The page of a tagger."""
    newest = model.newest
    said = (
        f"{plural(len(model.runs), 'run', 'runs')}; mAP {with_interval(newest.model, 'map')} in the newest, "
        f"on {newest.run.payload['dataset']['name']}."
    )
    best, worst = best_and_worst(newest.run, model.name)
    return render(
        site, "model.html.j2", model.path, title=f"{model.name} · tagger", said=f"{model.name}: {said}",
        picture=picture_of(newest.run), model=model, newest=newest, figures=list(HEADLINES.values()), best=best, worst=worst,
        facts=_facts(newest, model.name), regimes=_regimes(newest.run, model.name),
    )  # fmt: skip


def best_and_worst(run: PublishedRun, name: str) -> tuple[list[TagFigure], list[TagFigure]]:
    """Compared tags by AP: those that are surely high, and those that are surely low.

    The best have the highest low ends of their intervals, the worst the lowest high ends: so no tag stands there because it has
    few images. Without intervals the figure itself decides.
    """
    table = run.result.per_tag
    rows = table[(table["model"] == name) & table["compared"] & table["ap"].notna()]
    placed = rows.assign(low=rows["ap_low"].fillna(rows["ap"]), high=rows["ap_high"].fillna(rows["ap"]))
    best = placed.sort_values(["low", "truth_tag"], ascending=[False, True]).head(TAGS_SHOWN)
    worst = placed[~placed["truth_tag"].isin(best["truth_tag"])].sort_values(["high", "truth_tag"]).head(TAGS_SHOWN)
    return _tag_figures(best), _tag_figures(worst)


def _tag_figures(table: Any) -> list[TagFigure]:
    columns = zip(*(table[key].tolist() for key in ("truth_tag", "support", "ap", "ap_low", "ap_high")), strict=True)
    return [
        TagFigure(name, slug(name), support, figure(ap), interval(low, high))
        for name, support, ap, low, high in columns
    ]


def _regimes(run: PublishedRun, name: str) -> list[Regime]:
    place = [model["name"] for model in run.payload["models"]].index(name)
    return [Regime(row.title, row.what, row.cells[place], row.flatters) for row in regime_rows(run.payload)]


def _facts(newest: InRun, name: str) -> list[tuple[str, str]]:
    """What its card and its files told the newest run."""
    model, card = newest.model, newest.run.result.run["models"].get(name, {})
    told = {
        "title": model["title"], "tags": f"{count(model['tags'])}, {count(model['known_tags'])} of them in the dataset",
        "threshold": f"{model['threshold']} ({model['threshold_source']})", "parameters": model["parameters"],
        **{NAMED.get(key, key.replace("_", " ")): value for key, value in card.items() if key != "title"},
    }  # fmt: skip
    return [(key, _plain(value)) for key, value in told.items() if value not in (None, "", [], {})]


def _plain(value: Any) -> str:
    """A fact as text.

    >>> _plain({"a": [1, 0.25]}), _plain(True)
    ('a 1, 0.25', 'yes')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_plain, value))
    return f"{value:.4g}" if isinstance(value, float) and math.isfinite(value) else str(value)
