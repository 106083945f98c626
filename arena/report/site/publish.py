"""Runs into a site: copy them, then make every other page from what the site holds.

Nothing is made from anything but the published runs, so a site can be made anew at any time, and the same runs give the same
bytes. Stopped at any point, no page is half written, and the next call completes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from arena.base.progress import Progress, Silent
from arena.report.site.copying import copy_run, read_source
from arena.report.site.feed import feed, sitemaps
from arena.report.site.folder import Site, open_site
from arena.report.site.front import render_front, render_missing
from arena.report.site.models import ModelOverRuns, models_over_runs, render_model
from arena.report.site.run_page import read_page, within_site
from arena.report.site.runs import Shelf, read_shelf
from arena.report.site.tags import TagsOverRuns, render_index, render_tag, tag_path, tags_over_runs

FRONT = "index.html"

Page = tuple[str, Callable[[], str]]
"""A page's path, and what makes it."""


@dataclass(frozen=True)
class Published:
    """What a site holds now, and what was done to it.

    Attributes:
        written, unchanged, removed: files.
        told: runs that are there and not in the indexes, with the reason.
    """

    folder: Path
    runs: int
    models: int
    tags: int
    written: int
    unchanged: int
    removed: int
    told: Sequence[str]


def publish(
    runs: Sequence[Path], to: Path, *, url: str | None = None, images: bool = True, progress: Progress = Silent()
) -> Published:
    """Publish runs as a site; without any run, make its pages anew.

    Args:
        to: the site's folder, empty or made by this function before.
        url: where the site will stand, for canonical addresses, the sitemap and robots.txt; None is what was said before, and
            `none` forgets it.
        images: with the runs' thumbnails.

    Raises:
        ArenaError: a run is not finished or damaged, or the folder holds something else. Then nothing was written.
        IncomparableError: a run, or the site, is of another version.
    """
    sources = [read_source(folder) for folder in runs]
    with open_site(to, [source.id for source in sources], url) as site:
        site.write(".nojekyll", "")  # GitHub Pages would leave out some files otherwise
        for source in sources:
            progress.note(f"{source.folder}: runs/{source.id}")
            copy_run(site, source, images=images)
        return _rebuild(site, progress)


def _rebuild(site: Site, progress: Progress) -> Published:
    """Every page that is not a run's own; the front page last, so that what it leads to is there."""
    shelf = read_shelf(site)
    for run in shelf.all:
        if (page := read_page(run.folder)) is not None:
            site.write(f"runs/{run.id}/index.html", within_site(page, run, site))
    models, tags = models_over_runs(shelf.runs), tags_over_runs(shelf.runs)
    made: set[str] = set()
    with progress.count("pages", len(tags) + len(models), 0) as advance:
        for path, content in _pages(site, models, tags):
            site.write(path, content())
            made.add(path)
            advance(1)
    made |= _indexes(site, shelf, models, tags, made)
    site.sweep(made)
    told = [run.reason for run in shelf.others]
    told += [f"{site.folder}/runs/{name}: was not finished; publish the run again" for name in shelf.unfinished]
    return Published(
        site.folder, len(shelf.runs), len(models), len(tags), site.written, site.unchanged, site.removed, told
    )


def _pages(site: Site, models: Sequence[ModelOverRuns], tags: TagsOverRuns) -> Iterator[Page]:
    for name, runs in tags.items():
        yield tag_path(name), partial(render_tag, site, name, runs)
    for model in models:
        yield model.path, partial(render_model, site, model)


def _indexes(site: Site, shelf: Shelf, models: Sequence[ModelOverRuns], tags: TagsOverRuns, made: set[str]) -> set[str]:
    """What leads to the other pages."""
    pages: Mapping[str, str] = render_index(site, tags)
    runs = [f"runs/{run.id}/{FRONT}" for run in shelf.all]
    addresses = [FRONT, *runs, *sorted({*made, *pages})]
    pages = {
        **pages,
        "404.html": render_missing(site),
        "feed.xml": feed(site, shelf.runs),
        **sitemaps(site, addresses),
        FRONT: render_front(site, shelf, models, len(tags)),
    }
    for path, content in pages.items():
        site.write(path, content)
    return set(pages)
