"""The page of a tagger: its runs, its best and worst tags, its thresholds, its details."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from arena.base.format import count, figure, interval, plural
from arena.metrics.registry import HEADLINES
from arena.report.site.folder import Site
from arena.report.site.names import slug
from arena.report.site.render import render_site_page
from arena.report.site.run_page import preview_picture
from arena.report.site.runs import PublishedRun
from arena.report.view_model.leaderboard import Cell, leaderboard
from arena.report.view_model.regimes import RegimeCell, regime_rows
from arena.report.view_model.uncertainty import with_interval

TAGS_SHOWN = 12
"""Number of best tags, and of worst tags."""

_FACT_LABELS = {
    "tags": "digest of the tag list",
    "weights": "digest of the weights",
    "key": "digest of weights and settings",
}
"""Labels of facts in `run.json` whose key is not clear enough."""


class TaggerInRun(NamedTuple):
    """A tagger in one run; `weights` is the start of the digest of all inputs of its scores."""

    run: PublishedRun
    model: Mapping[str, Any]
    weights: str
    cells: Sequence[Cell]


class TaggerTag(NamedTuple):
    """The AP of a tagger on one tag."""

    name: str
    slug: str
    support: int
    ap: str
    range: str


class _ThresholdPolicy(NamedTuple):
    """A threshold policy of one tagger; `flatters` if its thresholds are scored on the images they are chosen on."""

    title: str
    what: str
    cell: RegimeCell
    flatters: bool


@dataclass(frozen=True)
class ModelOverRuns:
    """A tagger, identified by its name, in all its runs; the newest run first."""

    name: str
    runs: Sequence[TaggerInRun]

    @property
    def path(self) -> str:
        """Path of its page in the site."""
        return f"models/{slug(self.name)}/index.html"

    @property
    def newest(self) -> TaggerInRun:
        """The newest run; its page shows facts, tags and thresholds of this run."""
        return self.runs[0]


def models_over_runs(runs: Sequence[PublishedRun]) -> list[ModelOverRuns]:
    """Return all taggers of the runs, sorted by name."""
    found: dict[str, list[TaggerInRun]] = {}
    for run in runs:
        for row in leaderboard(run.payload):
            model = row.model
            weights = str(run.result.run["models"].get(model["name"], {}).get("key", ""))
            cells = [row.cells[key] for key in HEADLINES]
            found.setdefault(model["name"], []).append(TaggerInRun(run, model, weights[:8], cells))
    return [ModelOverRuns(name, found[name]) for name in sorted(found)]


def render_model(site: Site, model: ModelOverRuns) -> str:
    """Return the page of a tagger."""
    newest = model.newest
    description = (
        f"{plural(len(model.runs), 'run', 'runs')}; newest with mAP {with_interval(newest.model, 'map')} "
        f"on {newest.run.payload['dataset']['name']}."
    )
    best, worst = best_and_worst(newest.run, model.name)
    return render_site_page(
        site, "model.html.j2", model.path, title=f"{model.name} · tagger", said=f"{model.name}: {description}",
        picture=preview_picture(newest.run), model=model, newest=newest, figures=list(HEADLINES.values()), best=best,
        worst=worst, facts=_facts(newest, model.name), regimes=_regimes(newest.run, model.name),
    )  # fmt: skip


def best_and_worst(run: PublishedRun, name: str) -> tuple[list[TaggerTag], list[TaggerTag]]:
    """Return the best and the worst compared tags by AP.

    The best have the highest lower ends of their intervals, the worst the lowest upper ends, so a tag with few images is not
    listed by chance. Without an interval the AP itself counts. No tag is in both lists.
    """
    table = run.per_tag
    rows = table[(table["model"] == name) & table["compared"] & table["ap"].notna()]
    placed = rows.assign(low=rows["ap_low"].fillna(rows["ap"]), high=rows["ap_high"].fillna(rows["ap"]))
    best = placed.sort_values(["low", "truth_tag"], ascending=[False, True]).head(TAGS_SHOWN)
    worst = placed[~placed["truth_tag"].isin(best["truth_tag"])].sort_values(["high", "truth_tag"]).head(TAGS_SHOWN)
    return _tag_figures(best), _tag_figures(worst)


def _tag_figures(table: Any) -> list[TaggerTag]:
    columns = zip(*(table[key].tolist() for key in ("truth_tag", "support", "ap", "ap_low", "ap_high")), strict=True)
    return [
        TaggerTag(name, slug(name), support, figure(ap), interval(low, high))
        for name, support, ap, low, high in columns
    ]


def _regimes(run: PublishedRun, name: str) -> list[_ThresholdPolicy]:
    place = [model["name"] for model in run.payload["models"]].index(name)
    return [_ThresholdPolicy(row.title, row.what, row.cells[place], row.flatters) for row in regime_rows(run.payload)]


def _facts(newest: TaggerInRun, name: str) -> list[tuple[str, str]]:
    """Return the facts that the newest run stored of the tagger, as text."""
    model, card = newest.model, newest.run.result.run["models"].get(name, {})
    values = {
        "title": model["title"], "tags": f"{count(model['tags'])}, {count(model['known_tags'])} of them in the dataset",
        "threshold": f"{model['threshold']} ({model['threshold_source']})", "parameters": model["parameters"],
        **{_FACT_LABELS.get(key, key.replace("_", " ")): value for key, value in card.items() if key != "title"},
    }  # fmt: skip
    return [(key, _plain(value)) for key, value in values.items() if value not in (None, "", [], {})]


def _plain(value: Any) -> str:
    """Return a fact as text.

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
