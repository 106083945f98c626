"""Tags over runs: one page for each tag that at least one run compared, and the tag index.

Other tags have no page: they have too few positives, or a tagger does not know them. Their metrics are in the tables and files
of the runs. So a site with 70,000 tags has a few thousand pages of a few kilobytes.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from markupsafe import Markup

from arena.base.format import UNDEFINED, clipped, figure, interval, plural, probability, signed
from arena.metrics.registry import TAG_TABLE, TESTED
from arena.report.page.packed import compress
from arena.report.site.folder import Site
from arena.report.site.names import slug
from arena.report.site.render import render_site_page, search_script, tag_style
from arena.report.site.runs import PublishedRun
from arena.report.site.series import FormattedValue

_PAIRS_SHOWN = 12
"""Largest number of significant differences listed on a tag page; the others are counted."""

_TAGS_PER_PAGE = 1000
"""Number of tags on one page of the list."""

FIRST_SHOWN = 100
"""Number of tags that the index page shows, those with the most images."""


class TaggerOnTag(NamedTuple):
    """Threshold and metrics of one tagger on a tag."""

    model: str
    threshold: str
    figures: Sequence[FormattedValue]


class SignificantDifference(NamedTuple):
    """A significant difference between two taggers; `told` is its size with interval and q."""

    figure: str
    higher: str
    lower: str
    told: str


@dataclass(frozen=True)
class TagInRun:
    """A tag in one run.

    Attributes:
        support: number of images with the tag.
        compared: whether the run compared the tag.
        ap: defined AP values of the taggers.
        decided: significant differences.
        open: number of tested differences that are undetermined.
    """

    run: PublishedRun
    category: str
    support: int
    compared: bool
    models: Sequence[TaggerOnTag]
    ap: Sequence[float]
    decided: Sequence[SignificantDifference]
    open: int


class IndexEntry(NamedTuple):
    """A tag in the index; `runs` is the number of runs that know it."""

    name: str
    slug: str
    category: str
    support: int
    ap: str
    runs: int


TagsOverRuns = Mapping[str, Sequence[TagInRun]]
"""Maps each tag, sorted by name, to its runs, the newest first."""


def tags_over_runs(runs: Sequence[PublishedRun]) -> TagsOverRuns:
    """Return every tag that at least one run compared, with all runs that know it.

    Args:
        runs: the newest first.
    """
    tables = [run.result.per_tag for run in runs]
    names = sorted({name for table in tables for name in table.loc[table["compared"], "truth_tag"]})
    found: dict[str, list[TagInRun]] = {name: [] for name in names}
    for run in runs:
        for name, one in _of_run(run, frozenset(names)):
            found[name].append(one)
    return found


def _of_run(run: PublishedRun, names: frozenset[str]) -> Iterator[tuple[str, TagInRun]]:
    table = run.result.per_tag
    table = table[table["truth_tag"].isin(names)].sort_values("compared", ascending=False, kind="stable")
    table = table.drop_duplicates(["model", "truth_tag"])
    of_tag: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in _rows(table):
        of_tag[row["truth_tag"]].append(row)
    tested: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in _rows(run.result.tables["tag_differences"]):
        tested[row["tag"]].append(row)
    order = {model: place for place, model in enumerate(run.result.models)}
    for name, rows in of_tag.items():
        rows.sort(key=lambda row: order.get(row["model"], len(order)))
        yield name, _tag(run, rows, tested[name])


def _rows(table: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of a data frame as dictionaries, faster than pandas does."""
    columns = {str(name): table[name].tolist() for name in table.columns}
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def _tag(run: PublishedRun, rows: Sequence[Mapping[str, Any]], tested: Sequence[Mapping[str, Any]]) -> TagInRun:
    models = [
        TaggerOnTag(
            row["model"],
            f"{row['threshold']:g}",
            [FormattedValue(figure(row[key]), interval(row[f"{key}_low"], row[f"{key}_high"])) for key in TAG_TABLE],
        )
        for row in rows
    ]
    pairs = [_difference(row, key) for row in tested for key in TESTED if row[f"{key}_q"] == row[f"{key}_q"]]
    decided = [pair for pair in pairs if pair is not None]
    return TagInRun(
        run, str(rows[0]["category"]), int(rows[0]["support"]), any(row["compared"] for row in rows), models,
        [row["ap"] for row in rows if row["ap"] == row["ap"]], decided, len(pairs) - len(decided),
    )  # fmt: skip


def _difference(row: Mapping[str, Any], key: str) -> SignificantDifference | None:
    """Return the difference of the higher tagger from the lower one; None if it is undetermined."""
    higher = row[f"{key}_higher"]
    if higher not in (row["first"], row["second"]):
        return None
    value, low, high = (row[f"{key}_{part}"] for part in ("difference", "low", "high"))
    lower = row["second"]
    if higher == row["second"]:
        lower, value, low, high = row["first"], -value, -high, -low
    size = f"{signed(value)} {interval(low, high, signed)}".rstrip()
    return SignificantDifference(TESTED[key], higher, lower, f"{size}, q {probability(row[f'{key}_q'])}")


def tag_path(name: str) -> str:
    """Return the path of the page of a tag."""
    return f"tags/{slug(name)}.html"


def render_tag(site: Site, name: str, runs: Sequence[TagInRun]) -> str:
    """Return the page of a tag: the metrics of all taggers, run by run."""
    newest = runs[0]
    description = (
        f"{plural(newest.support, 'image', 'images')} of {newest.run.payload['dataset']['name']} with the tag; "
        f"AP {value_range(newest.ap)}."
    )
    return render_site_page(
        site, "tag.html.j2", tag_path(name), title=f"{clipped(name, 100)} · tag", said=f"{clipped(name, 100)}: {description}",
        style=tag_style(), name=name, runs=runs, tested=list(TESTED.values()), most=_PAIRS_SHOWN,
    )  # fmt: skip


def value_range(values: Sequence[float]) -> str:
    """Return the range from the lowest to the highest value as text; a dash if there is no value.

    >>> value_range([0.5, 0.25]), value_range([0.5]), value_range([])
    ('0.2500–0.5000', '0.5000', '–')
    """
    if not values:
        return UNDEFINED
    low, high = figure(min(values)), figure(max(values))
    return low if low == high else f"{low}–{high}"


def render_index(site: Site, tags: TagsOverRuns) -> dict[str, str]:
    """Return the index pages by path: the search page, and the list with `_TAGS_PER_PAGE` tags a page."""
    entries = [
        IndexEntry(name, slug(name), runs[0].category, runs[0].support, value_range(runs[0].ap), len(runs))
        for name, runs in tags.items()
    ]
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
