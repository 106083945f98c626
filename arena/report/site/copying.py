"""Copy the files of a run into a site: its page, and files for download."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from markupsafe import escape

from arena.base.errors import ArenaError
from arena.base.files import digest_bytes, own_name, to_json
from arena.images.thumbnails import THUMBNAIL_FOLDER, changed_thumbnails
from arena.report.markdown import code
from arena.report.site.compact import (
    GZIP,
    PLOTS,
    compact_parquet,
    compact_table,
    pack_plots,
    pack_text,
    packed_name,
)
from arena.report.site.folder import Site
from arena.report.site.names import run_id
from arena.report.site.run_page import add_site_navigation, read_page
from arena.report.site.runs import SITE_TABLES, PublishedRun, write_view
from arena.results.run_folder import OPTIONAL_TABLES, TABLES, Result, read_result, read_run_table
from arena.results.shareable import shortened_texts, without_local_paths
from arena.results.written import FILES, RUN_FILE, read_written, refuse_changed_file, run_file_text

SUMMARY = "summary.md"

REPORTS = (SUMMARY, "summary.json", "detailed_metrics.txt", "full-metrics", "plots")
"""Reports that are published beside the page. The tables of `SITE_TABLES` and the thresholds are published too."""

THRESHOLDS = "thresholds"
"""Table of the thresholds to use; a run has it as CSV, a published run as Parquet without `_SCORED`."""

_SCORED = ("precision", "recall", "f1")
"""Columns of the metrics of each tag at its threshold: four fifths of the table."""

_TABLES = tuple(f"{name}.parquet" for name in (*SITE_TABLES, THRESHOLDS))

_PUBLISHED = (
    *REPORTS, *map(packed_name, REPORTS), PLOTS, *_TABLES, THUMBNAIL_FOLDER, "per_tag.csv", f"{THRESHOLDS}.csv",
)  # fmt: skip
"""Files and folders that this or an earlier version published."""


@dataclass(frozen=True)
class RunSource:
    """A run folder to publish; `result` is without tables, which are read when the run is copied."""

    id: str
    folder: Path
    result: Result


def read_run_source(folder: Path) -> RunSource:
    """Read a run folder to publish.

    Raises:
        ArenaError: the folder holds no finished run, a table was changed, or its reports are missing.
        IncomparableError: the run has another schema version.
    """
    result = read_result(folder, ())
    for name in (*SITE_TABLES, THRESHOLDS):
        if f"{name}.{_kind(name)}" in result.run.get(FILES, {}):
            refuse_changed_file(folder, f"{name}.{_kind(name)}", result.run)
        elif name in SITE_TABLES and (
            name in TABLES or name in result.summary
        ):  # of an earlier version, without digests
            read_run_table(folder, name, result.run)
    wanted = ("index.html", SUMMARY, "detailed_metrics.txt")
    missing = [name for name in wanted if not any((folder / one).is_file() for one in (name, packed_name(name)))]
    if missing:
        raise ArenaError(f"{folder}: {missing[0]} is missing; write the reports again with arena report {folder}")
    for name in result.run.get(FILES, {}):
        if _is_report(name) or name.startswith(f"{THUMBNAIL_FOLDER}/"):
            _read_report(folder, name, result)
    if changed := changed_thumbnails(folder):
        raise ArenaError(f"{folder}: {THUMBNAIL_FOLDER}/{changed[0]} is missing or was changed; score it again")
    return RunSource(run_id(result), folder, result)


def _kind(table: str) -> str:
    return (TABLES | OPTIONAL_TABLES)[table]


def _is_report(name: str) -> bool:
    return name == "index.html" or name.removesuffix(GZIP).partition("/")[0] in (*REPORTS, PLOTS)


def _read_report(folder: Path, name: str, result: Result) -> bytes:
    """Return the bytes of a report.

    Raises:
        ArenaError: it is missing, or has another digest than in `run.json`.
    """
    return read_written(folder, name, result.run, fix=f"write the reports again with arena report {folder}")


def copy_run(site: Site, source: RunSource, *, images: bool) -> None:
    """Copy the files of a run into the site. `run.json` is last: without it the run counts as unfinished.

    Long texts, tables and plots are stored smaller, see `compact`. Reports that `run.json` does not list are left out, unless
    it lists none, as that of an earlier version. The `run.json` of the site has the digests of the files in the site, without
    the page, whose navigation changes with other runs.

    Args:
        images: whether to copy the thumbnails; if not, thumbnails from an earlier call are removed.

    Raises:
        ArenaError: a report was changed, or the page contains pictures although `images` is False.
    """
    page = read_page(source.folder)
    if page is None:
        raise ArenaError(f"{source.folder}/index.html: damaged; write it again with arena report {source.folder}")
    if not images:
        _refuse_pictures(source.folder, page)
    place, listed = f"runs/{source.id}", source.result.run.get(FILES, {})
    digests: dict[str, str] = {}
    for path, content in _published_files(source, images=images):
        site.write(f"{place}/{path}", content)
        digests[path] = digest_bytes(content)
    for path, file in list(_files(site.folder / place, _PUBLISHED)):
        if path not in digests:
            site.remove(file)
    shared = without_local_paths(source.result.run)
    text = run_file_text({**shared, FILES: digests}) if listed else to_json(shared)
    tables = {name: read_run_table(source.folder, name, source.result.run) for name in _tables_of(source)}
    run = PublishedRun(source.id, site.folder / place, replace(source.result, run=json.loads(text), tables=tables))
    site.write(f"{place}/index.html", add_site_navigation(_without_paths(source, page, escape), run, site))
    write_view(site, run)
    site.write(f"{place}/{RUN_FILE}", text)


def _published_files(source: RunSource, *, images: bool) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of every file of a run that is published beside its page."""
    listed = source.result.run.get(FILES, {})
    plots: dict[str, bytes] = {}
    for path, _ in _files(source.folder, [*REPORTS, *map(packed_name, REPORTS), PLOTS]):
        if path not in listed and "index.html" in listed:
            continue
        content = _read_report(source.folder, path, source.result)
        if path == SUMMARY:
            yield path, _without_paths(source, content.decode(), code).encode()
        elif path.startswith("plots/"):
            plots[path] = content
        else:
            yield pack_text(path, content)
    yield from pack_plots(plots).items()
    for name in _tables_of(source):
        yield f"{name}.parquet", compact_parquet(source.folder / f"{name}.parquet")
    if (source.folder / f"{THRESHOLDS}.csv").is_file():
        table = read_run_table(source.folder, THRESHOLDS, source.result.run)
        yield f"{THRESHOLDS}.parquet", compact_table(table[[name for name in table if name not in _SCORED]])
    elif (source.folder / f"{THRESHOLDS}.parquet").is_file():
        yield f"{THRESHOLDS}.parquet", compact_parquet(source.folder / f"{THRESHOLDS}.parquet")
    for path, file in _files(source.folder, [THUMBNAIL_FOLDER] if images else []):
        yield path, file.read_bytes()


def _tables_of(source: RunSource) -> list[str]:
    return [name for name in SITE_TABLES if name in TABLES or name in source.result.summary]


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
    """Yield regular files with their path in the folder.

    Links are skipped, because they may point to private files, and temporary files that a killed process left.
    """
    for name in names:
        top = folder / name
        found = [] if top.is_symlink() else sorted(top.rglob("*")) if top.is_dir() else [top]
        for path in found:
            if path.is_file() and not path.is_symlink() and not own_name(path.name):
                yield path.relative_to(folder).as_posix(), path
