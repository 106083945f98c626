"""The runs in a site; all other pages are built from them.

What the pages need of a run beside its tags is stored in `site.json.gz` in its folder, so that a later publish reads that file
instead of the run's tables. It is written again if the run, the version of arena or the format is another.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from arena.base.errors import ArenaError
from arena.base.files import to_json
from arena.base.provenance import DIGEST, digest, is_sealed, seal
from arena.base.reading import parse_json, read_json
from arena.base.version import __version__
from arena.report.page.unpacked import unzip
from arena.report.site.folder import Site
from arena.report.site.tag_rows import RunTags, read_run_tags
from arena.report.view import headline_view
from arena.report.view_model.uncertainty import run_verdict
from arena.results.content import RUN
from arena.results.run_folder import CONTAMINATION, Result, read_result, read_run_table
from arena.results.written import load_run_file, refuse_changed_file, refuse_changed_run

SITE_TABLES = ("per_tag", "slices", "differences", "tag_differences", CONTAMINATION)
"""Tables that the pages of a site need."""


STORED = "site.json.gz"
"""File of a published run that holds its `_StoredView`."""

_STORED_FORMAT = 1
"""Version of `STORED`; change it with `headline_view` or `PublishedRun.comparable`."""


class _StoredView(NamedTuple):
    """What the pages of a site need of a run, beside its tags; see `PublishedRun`."""

    payload: Mapping[str, Any]
    verdict: str
    comparable: str


@dataclass(frozen=True)
class PublishedRun:
    """A run in the site.

    Attributes:
        result: the run; its summary and its tables only if `stored` is None.
        stored: its views, if they were read from `STORED`.
    """

    id: str
    folder: Path
    result: Result
    stored: _StoredView | None = None

    @cached_property
    def payload(self) -> Mapping[str, Any]:
        """The view of the run with its headline metrics."""
        return self.stored.payload if self.stored else headline_view(self.result)

    @cached_property
    def tags(self) -> RunTags:
        """Its tags, read from its folder.

        Raises:
            ArenaError: a table is damaged, or was changed after the run.
        """
        return read_run_tags(self.folder, self.result.run, [str(model["name"]) for model in self.payload["models"]])

    @property
    def created(self) -> str:
        """Time of the run in ISO 8601; empty if unknown."""
        return str(self.payload["created"])

    @property
    def title(self) -> str:
        """Title of the run, made of its models."""
        return str(self.payload["title"])

    @cached_property
    def verdict(self) -> str:
        """The verdict in one sentence, or that nothing was tested."""
        if self.stored:
            return self.stored.verdict
        return (
            run_verdict(self.payload)
            or "Nothing was tested: the run has one tagger only, no compared tag or no bootstrap."
        )

    @cached_property
    def comparable(self) -> str:
        """Key that is equal for comparable runs: the same images, compared tags and rules.

        A run without a digest of its dataset is comparable with no other run.
        """
        if self.stored:
            return self.stored.comparable
        summary, dataset = self.result.summary, self.result.recipe.dataset
        if not dataset.digest:
            return self.id
        table = self.result.per_tag
        rules = {key: summary.get(key) for key in ("images", "convention", "min_positives", "imply")}
        content = {
            "dataset": dataset.digest, "sample": dataset.sample, **rules,
            "skipped": sorted(self.result.run.get("skipped", {})),
            "tags": sorted(set(table.loc[table["compared"], "truth_tag"])),
        }  # fmt: skip
        return digest(content)

    @cached_property
    def per_tag(self) -> pd.DataFrame:
        """The metrics of every tag and tagger, read from its folder."""
        return read_run_table(self.folder, "per_tag", self.result.run)


def write_view(site: Site, run: PublishedRun) -> None:
    """Store the views of a run in its folder; not for a run without a digest, whose later change nothing would notice."""
    of = run.result.run.get(DIGEST)
    if of is not None:
        view = _StoredView(run.payload, run.verdict, run.comparable)
        text = to_json(seal({**_source(of), **view._asdict()}))
        site.write(f"runs/{run.id}/{STORED}", gzip.compress(text.encode(), mtime=0))


def _source(of: Any) -> dict[str, Any]:
    return {"arena_site_run": _STORED_FORMAT, "arena": __version__, "of": of}


def _read_view(folder: Path, of: Any) -> _StoredView | None:
    """Read the stored views; None if there are none, or those of another run or version, or they were changed."""
    if of is None or not (folder / STORED).is_file():
        return None
    try:
        stored = parse_json(unzip((folder / STORED).read_bytes()), folder / STORED)
    except (ArenaError, ValueError):
        return None
    if not isinstance(stored, dict) or not is_sealed(stored) or any(stored.get(k) != v for k, v in _source(of).items()):
        return None
    return _StoredView(*(stored[name] for name in _StoredView._fields))


@dataclass(frozen=True)
class OtherRun:
    """A run that this version cannot read; its page is kept and linked.

    Attributes:
        reason: why it cannot be read, for the terminal.
    """

    id: str
    folder: Path
    title: str
    created: str
    reason: str


@dataclass(frozen=True)
class SiteRuns:
    """The runs in a site.

    Attributes:
        runs: readable runs, the newest first.
        others: runs of another version and damaged runs, the newest first.
        unfinished: names of run folders whose publishing was interrupted.
    """

    runs: Sequence[PublishedRun]
    others: Sequence[OtherRun]
    unfinished: Sequence[str]

    @property
    def all(self) -> list[PublishedRun | OtherRun]:
        """Every run that has a page."""
        return [*self.runs, *self.others]


def read_site_runs(site: Site) -> SiteRuns:
    """Read all runs of a site, and store the views of those that have none."""
    runs: list[PublishedRun] = []
    others: list[OtherRun] = []
    unfinished: list[str] = []
    top = site.folder / "runs"
    for folder in sorted(top.iterdir()) if top.is_dir() else []:
        if not folder.is_dir():
            continue
        if not all((folder / name).is_file() for name in ("run.json", "index.html")):
            unfinished.append(folder.name)
            continue
        try:
            runs.append(_read(site, folder))
        except (ArenaError, LookupError, TypeError, ValueError, AttributeError) as error:
            others.append(_other(folder, str(error) if isinstance(error, ArenaError) else f"{folder}: damaged run"))
    runs.sort(key=lambda run: (run.created, run.id), reverse=True)
    others.sort(key=lambda run: (run.created, run.id), reverse=True)
    return SiteRuns(runs, others, unfinished)


def _read(site: Site, folder: Path) -> PublishedRun:
    """Read a published run. Its views and tags are read now, so that damage raises here, and its tables are let go."""
    content = load_run_file(folder)
    refuse_changed_run(folder, content)
    view = _read_view(folder, content.get(DIGEST))
    if view is not None:  # of this very run, which was checked when they were stored
        refuse_changed_file(folder, "summary.json", content)
        result = Result(content, {}, {})
    else:
        result = read_result(folder, SITE_TABLES)
        run = PublishedRun(folder.name, folder, result)
        view = _StoredView(run.payload, run.verdict, run.comparable)
        write_view(site, run)
    run = PublishedRun(folder.name, folder, Result(result.run, {}, {}), view)
    assert run.tags
    return run


def _other(folder: Path, reason: str) -> OtherRun:
    """Return the title and time of an unreadable run, as far as its `run.json` has them."""
    try:
        run = read_json(folder / "run.json", RUN)
        title, created = " vs ".join(run["models"]), run.get("created", "")
    except ArenaError:
        title, created = "", ""
    return OtherRun(folder.name, folder, title or folder.name, created, reason)
