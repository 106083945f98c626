"""Tags over runs: the tag page, which shows any tag that at least one run compared, and the tag index.

The tag page is one file; it reads the tag that its address names from a shard of data (`shards.py`). Other tags have no page:
they have too few positives, or a tagger does not know them. Their metrics are in the tables and files of the runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup

from arena.base.format import UNDEFINED, figure, plural
from arena.metrics.registry import METRICS, TAG_TABLE, TESTED
from arena.report.html import embedded_json
from arena.report.page.packed import compress
from arena.report.site.folder import Site
from arena.report.site.names import slug
from arena.report.site.render import render_site_page, search_script, tag_script, tag_style
from arena.report.site.runs import PublishedRun
from arena.report.site.series import group_comparable_runs
from arena.report.site.shards import shard_count
from arena.report.view_model.leaderboard import MODEL_STYLES

TAG_PAGE = "tag.html"
"""Path of the tag page. `tag.html#SLUG` is the address of a tag, and `404.html` leads from `tags/SLUG.html` to it."""

_TAGS_PER_PAGE = 1000
"""Number of tags on one page of the list."""

FIRST_SHOWN = 100
"""Number of tags that the index page shows, those with the most images."""


class IndexEntry(NamedTuple):
    """A tag in the index; category, images and AP are those of the newest run that knows it, `runs` is the number of runs."""

    name: str
    slug: str
    category: str
    support: int
    ap: str
    runs: int


def index_entries(runs: Sequence[PublishedRun]) -> list[IndexEntry]:
    """Return every tag that at least one run compared, sorted by name.

    Args:
        runs: the newest first.
    """
    compared: set[str] = set()
    for run in runs:
        compared.update(run.tags.names[place] for place in np.flatnonzero(run.tags.compared).tolist())
    number = dict.fromkeys(compared, 0)
    newest: dict[str, IndexEntry] = {}
    for run in runs:
        own, (low, high) = run.tags, run.tags.ap_range()
        for place, name in enumerate(own.names):
            if name not in number:
                continue
            number[name] += 1
            if number[name] == 1:
                ap = value_range([low[place], high[place]] if low[place] == low[place] else [])
                newest[name] = IndexEntry(name, slug(name), own.categories[place], int(own.support[place]), ap, 0)
    return [newest[name]._replace(runs=number[name]) for name in sorted(newest)]


def render_tag_page(site: Site, runs: Sequence[PublishedRun], tags: int) -> str:
    """Return the tag page, which shows the tag of its address.

    Args:
        runs: the newest first.
        tags: number of tags that have a page.
    """
    return render_site_page(
        site, "tag.html.j2", TAG_PAGE, title="Tag", said=f"One of {plural(tags, 'tag', 'tags')}, in every run that knows it.",
        style=tag_style(), script=tag_script(), beside=True, data=Markup(embedded_json(_page_data(runs, tags))),
    )  # fmt: skip


def _page_data(runs: Sequence[PublishedRun], tags: int) -> dict[str, Any]:
    """Return what the tag page needs of all runs, the oldest first, and of all taggers."""
    models = sorted({name for run in runs for name in run.tags.models})
    group = {run.id: number for number, one in enumerate(group_comparable_runs(runs)) for run in one.runs}
    return {
        "shards": shard_count(tags),
        "metrics": [{"key": key, "short": METRICS[key].short, "name": METRICS[key].heading} for key in TAG_TABLE],
        "tested": list(TESTED.values()),
        "styles": {name: place % MODEL_STYLES for place, name in enumerate(models)},
        "runs": [_run_facts(run, group[run.id]) for run in reversed(runs)],
    }


def _run_facts(run: PublishedRun, group: int) -> Mapping[str, Any]:
    dataset = run.payload["dataset"]
    return {
        "id": run.id, "models": run.tags.models, "date": run.created[:10] or "undated", "dataset": dataset["title"],
        "images": dataset["images"], "group": group,
    }  # fmt: skip


def value_range(values: Sequence[float]) -> str:
    """Return the range from the lowest to the highest value as text; a dash if there is no value.

    >>> value_range([0.5, 0.25]), value_range([0.5]), value_range([])
    ('0.2500–0.5000', '0.5000', '–')
    """
    if not values:
        return UNDEFINED
    low, high = figure(min(values)), figure(max(values))
    return low if low == high else f"{low}–{high}"


def render_index(site: Site, entries: Sequence[IndexEntry]) -> dict[str, str]:
    """Return the index pages by path: the search page, and the list with `_TAGS_PER_PAGE` tags a page."""
    parts = [entries[start : start + _TAGS_PER_PAGE] for start in range(0, len(entries), _TAGS_PER_PAGE)]
    links = [(f"list/{number}.html", part[0].name, part[-1].name) for number, part in enumerate(parts, 1)]
    description = f"{plural(len(entries), 'tag', 'tags')} that at least one run compared."
    most = sorted(entries, key=lambda entry: (-entry.support, entry.name))[:FIRST_SHOWN]
    block = compress(json.dumps([_searched(entry) for entry in entries], separators=(",", ":")).encode())
    pages = {
        "tags/index.html": render_site_page(
            site, "tags.html.j2", "tags/index.html", title="Tags", said=description, script=search_script(),
            entries=most, links=links, block=Markup(block), total=len(entries),
        )
    }  # fmt: skip
    for number, part in enumerate(parts, 1):
        path = f"tags/list/{number}.html"
        title = f"Tags, part {number} of {len(parts)}"
        pages[path] = render_site_page(
            site, "tag_list.html.j2", path, title=title, said=description, entries=part, number=number, links=links
        )
    return pages


def _searched(entry: IndexEntry) -> list[Any]:
    """Return a tag as the row of the search script; the slug is 0 if it equals the name."""
    return [
        entry.name,
        0 if entry.slug == entry.name else entry.slug,
        entry.category,
        entry.support,
        entry.ap,
        entry.runs,
    ]
