"""Publish runs as a site: copy them, then build all other pages from the runs in the site.

The pages depend on the published runs only, so a site can be rebuilt at any time, and equal runs give equal bytes. Files are
written atomically: after an interruption no page is incomplete, and the next call finishes the site.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from arena.base.progress import Progress, Silent
from arena.report.site.copying import copy_run, read_run_source
from arena.report.site.feed import feed, sitemaps
from arena.report.site.folder import Site, open_site
from arena.report.site.front import render_front, render_missing
from arena.report.site.models import ModelOverRuns, models_over_runs, render_model
from arena.report.site.run_page import add_site_navigation, read_page
from arena.report.site.runs import SiteRuns, read_site_runs
from arena.report.site.shards import tag_shards
from arena.report.site.tags import TAG_PAGE, IndexEntry, index_entries, render_index, render_tag_page

FRONT = "index.html"


@dataclass(frozen=True)
class PublishedSite:
    """State of a site after publishing, and the changes made.

    Attributes:
        runs, models, tags: number of each in the site.
        written, unchanged, removed: number of files.
        told: messages on runs in the folder that are not in the indexes, with the reason.
    """

    folder: Path
    runs: int
    models: int
    tags: int
    written: int
    unchanged: int
    removed: int
    told: Sequence[str]


def publish_site(
    runs: Sequence[Path], to: Path, *, url: str | None = None, images: bool = True, progress: Progress = Silent()
) -> PublishedSite:
    """Publish runs as a site; without runs, rebuild the pages of an existing site.

    Args:
        runs: run folders.
        to: folder of the site: empty, or a site already.
        url: public URL of the site, for canonical URLs, the sitemap and robots.txt; None keeps the stored one, `none`
            removes it.
        images: whether to publish the thumbnails of the runs.

    Raises:
        ArenaError: a run is unfinished or damaged, or the folder holds other files. Nothing was written then.
        IncomparableError: a run or the site has another version.
    """
    sources = [read_run_source(folder) for folder in runs]
    with open_site(to, [source.id for source in sources], url) as site:
        site.write(".nojekyll", "")  # without it GitHub Pages leaves out some files
        for source in sources:
            progress.note(f"{source.folder}: runs/{source.id}")
            copy_run(site, source, images=images)
        return _rebuild(site, progress)


def _rebuild(site: Site, progress: Progress) -> PublishedSite:
    """Write all pages except those of runs, and update the navigation of those. The front page is last: its links must work."""
    shelf = read_site_runs(site)
    for run in shelf.all:
        page = read_page(run.folder)
        if page is not None and (changed := add_site_navigation(page, run, site)) is not page:
            site.write(f"runs/{run.id}/index.html", changed)
    models, tags = models_over_runs(shelf.runs), index_entries(shelf.runs)
    made: set[str] = set()
    pages = (
        *((model.path, render_model(site, model)) for model in models),
        (TAG_PAGE, render_tag_page(site, shelf.runs, len(tags))),
    )
    for path, content in pages:
        site.write(path, content)
        made.add(path)
    data = _write_tags(site, shelf, tags, progress)
    made |= data | _indexes(site, shelf, models, tags, made)
    site.sweep(made)
    messages = [run.reason for run in shelf.others]
    messages += [
        f"{site.folder}/runs/{name}: publishing was interrupted; publish the run again" for name in shelf.unfinished
    ]
    return PublishedSite(
        site.folder, len(shelf.runs), len(models), len(tags), site.written, site.unchanged, site.removed, messages
    )


def _write_tags(site: Site, shelf: SiteRuns, tags: Sequence[IndexEntry], progress: Progress) -> set[str]:
    """Write the data of the tag page. Return the paths."""
    made = set()
    with progress.count("tags", len(tags), 0) as advance:
        for shard in tag_shards([entry.name for entry in tags], shelf.runs):
            site.write(shard.path, shard.content)
            made.add(shard.path)
            advance(shard.tags)
    return made


def _indexes(
    site: Site, shelf: SiteRuns, models: Sequence[ModelOverRuns], tags: Sequence[IndexEntry], made: set[str]
) -> set[str]:
    """Write front page, tag index, feed, sitemap and `404.html`. Return their paths."""
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
