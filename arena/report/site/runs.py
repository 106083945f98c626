"""The runs in a site; all other pages are built from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from arena.base.errors import ArenaError
from arena.base.provenance import digest
from arena.base.reading import read_json
from arena.report.site.folder import Site
from arena.report.view import headline_view
from arena.report.view_model.uncertainty import run_verdict
from arena.results.content import RUN
from arena.results.run_folder import CONTAMINATION, Result, read_result

SITE_TABLES = ("per_tag", "slices", "differences", "tag_differences", CONTAMINATION)
"""Tables that the pages of a site need."""


@dataclass(frozen=True)
class PublishedRun:
    """A run in the site."""

    id: str
    folder: Path
    result: Result

    @cached_property
    def payload(self) -> dict[str, Any]:
        """The view of the run with its headline metrics."""
        return headline_view(self.result)

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
        return (
            run_verdict(self.payload)
            or "Nothing was tested: the run has one tagger only, no compared tag or no bootstrap."
        )

    @cached_property
    def comparable(self) -> str:
        """Key that is equal for comparable runs: the same images, compared tags and rules.

        A run without a digest of its dataset is comparable with no other run.
        """
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
    """Read all runs of a site."""
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
            runs.append(_read(folder))
        except (ArenaError, LookupError, TypeError, ValueError, AttributeError) as error:
            others.append(_other(folder, str(error) if isinstance(error, ArenaError) else f"{folder}: damaged run"))
    runs.sort(key=lambda run: (run.created, run.id), reverse=True)
    others.sort(key=lambda run: (run.created, run.id), reverse=True)
    return SiteRuns(runs, others, unfinished)


def _read(folder: Path) -> PublishedRun:
    """Read a published run. Its cached views are computed now, so that damage raises here."""
    run = PublishedRun(folder.name, folder, read_result(folder, SITE_TABLES))
    assert run.comparable
    assert run.verdict
    return run


def _other(folder: Path, reason: str) -> OtherRun:
    """Return the title and time of an unreadable run, as far as its `run.json` has them."""
    try:
        run = read_json(folder / "run.json", RUN)
        title, created = " vs ".join(run["models"]), run.get("created", "")
    except ArenaError:
        title, created = "", ""
    return OtherRun(folder.name, folder, title or folder.name, created, reason)
