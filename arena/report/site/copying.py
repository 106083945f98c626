"""Copy the files of a run into a site: its page, and files for download."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import escape

from arena.base.errors import ArenaError
from arena.base.files import json_text
from arena.report.exports.tables import spreadsheet_csv
from arena.report.markdown import code
from arena.report.site.folder import Site
from arena.report.site.names import run_id
from arena.report.site.run_page import add_site_navigation, read_page
from arena.report.site.runs import SITE_TABLES, PublishedRun
from arena.results.run_folder import RUN_FILE, TABLES, Result, read_result
from arena.results.shareable import shortened_texts, without_local_paths

SUMMARY = "summary.md"

COPIED = (SUMMARY, "summary.json", "detailed_metrics.txt", "full-metrics", "plots")
"""Files and folders for download. The page and the tables of `SITE_TABLES` are copied in addition."""

SPREADSHEETS = ("per_tag", "thresholds")
"""Tables that are also published as CSV for spreadsheets."""

_THUMBNAIL_FOLDER = "thumbnails"
"""Folder of the thumbnails of a run, if it has one."""


@dataclass(frozen=True)
class RunSource:
    """A run folder to publish."""

    id: str
    folder: Path
    result: Result


def read_run_source(folder: Path) -> RunSource:
    """Read a run folder to publish.

    Raises:
        ArenaError: the folder holds no finished run, or its reports are missing.
        IncomparableError: the run has another schema version.
    """
    result = read_result(folder, [*SITE_TABLES, *SPREADSHEETS])
    missing = [name for name in ("index.html", "summary.md", "detailed_metrics.txt") if not (folder / name).is_file()]
    if missing:
        raise ArenaError(f"{folder}: {missing[0]} is missing; write the reports again with arena report {folder}")
    return RunSource(run_id(result), folder, result)


def copy_run(site: Site, source: RunSource, *, images: bool) -> None:
    """Copy the files of a run into the site. `run.json` is last: without it the run counts as unfinished.

    Args:
        images: whether to copy the thumbnails; if not, thumbnails from an earlier call are removed.

    Raises:
        ArenaError: the page is damaged, or it contains pictures although `images` is False.
    """
    page = read_page(source.folder)
    if page is None:
        raise ArenaError(f"{source.folder}/index.html: damaged; write it again with arena report {source.folder}")
    if not images:
        _refuse_pictures(source.folder, page)
    place = f"runs/{source.id}"
    names = [*COPIED, *(f"{name}.{TABLES.get(name, 'parquet')}" for name in SITE_TABLES), _THUMBNAIL_FOLDER]
    files = dict(_files(source.folder, names if images else names[:-1]))
    for path, file in files.items():
        site.write(f"{place}/{path}", _summary(source) if path == SUMMARY else file.read_bytes())
    for name in SPREADSHEETS:
        site.write(f"{place}/{name}.csv", spreadsheet_csv(source.result.tables[name]))
    for path, file in list(_files(site.folder / place, names)):
        if path not in files:
            site.remove(file)
    run = PublishedRun(source.id, site.folder / place, source.result)
    site.write(f"{place}/index.html", add_site_navigation(_without_paths(source, page, escape), run, site))
    site.write(f"{place}/{RUN_FILE}", json_text(without_local_paths(source.result.run)))


def _summary(source: RunSource) -> str:
    return _without_paths(source, (source.folder / SUMMARY).read_bytes().decode(), code)


def _without_paths(source: RunSource, text: str, formatted: Callable[[str], str]) -> str:
    """Return a report with the local paths shortened that an earlier version wrote into it.

    Args:
        formatted: how the report formats a text.

    Raises:
        ArenaError: the report shows them in another way.
    """
    for before, after in shortened_texts(source.result.run):
        text = text.replace(formatted(before), formatted(after))
        if before in text:
            raise ArenaError(f"{source.folder}: a report shows a local path ({before}); evaluate the run again")
    return text


def _refuse_pictures(folder: Path, page: str) -> None:
    if any(f"data:image/{kind}" in page for kind in ("webp", "jpeg", "png")):
        raise ArenaError(
            f"{folder}/index.html: contains pictures, but --no-images is given; render the run again without thumbnails"
        )


def _files(folder: Path, names: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Yield regular files with their path in the folder. Links are skipped: they may point to private files."""
    for name in names:
        top = folder / name
        found = [] if top.is_symlink() else sorted(top.rglob("*")) if top.is_dir() else [top]
        for path in found:
            if path.is_file() and not path.is_symlink():
                yield path.relative_to(folder).as_posix(), path
