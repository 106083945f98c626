"""Runs as a site holds them: all that its other pages are made of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from arena.base.errors import ArenaError
from arena.base.provenance import digest
from arena.report.site.folder import Site
from arena.report.view import headline_view
from arena.report.view_model.uncertainty import verdict
from arena.results.run_folder import CONTAMINATION, Result, read_result

READ = ("per_tag", "slices", "differences", "tag_differences", CONTAMINATION)
"""Tables that the pages of a site are made of."""


@dataclass(frozen=True)
class PublishedRun:
    """A run as the site holds it."""

    id: str
    folder: Path
    result: Result

    @cached_property
    def payload(self) -> dict[str, Any]:
        """What its headlines are made of."""
        return headline_view(self.result)

    @property
    def created(self) -> str:
        """When it was made, in ISO 8601; empty where it does not say."""
        return str(self.payload["created"])

    @property
    def title(self) -> str:
        """Its models."""
        return str(self.payload["title"])

    @cached_property
    def verdict(self) -> str:
        """Who is higher in what; that nothing was tested, where it was not."""
        return verdict(self.payload) or "One tagger, or no resamples: nothing is compared."

    @cached_property
    def comparable(self) -> str:
        """The same for runs whose figures may stand side by side: the same images, compared tags and rules.

        A run that does not say which images it was made of is comparable with no other.
        """
        summary, dataset = self.result.summary, self.result.recipe.dataset
        if not dataset.digest:
            return self.id
        table = self.result.per_tag
        rules = {key: summary.get(key) for key in ("images", "convention", "min_positives", "imply")}
        of = {
            "dataset": dataset.digest, "sample": dataset.sample, **rules,
            "skipped": sorted(self.result.run.get("skipped", {})),
            "tags": sorted(set(table.loc[table["compared"], "truth_tag"])),
        }  # fmt: skip
        return digest(of)


@dataclass(frozen=True)
class OtherRun:
    """A run whose files this version cannot read: its page stays and is linked.

    Attributes:
        reason: why, for a person at the terminal.
    """

    id: str
    folder: Path
    title: str
    created: str
    reason: str


@dataclass(frozen=True)
class Shelf:
    """What a site holds.

    Attributes:
        runs: the newest first.
        others: of another version, or damaged; the newest first.
        unfinished: names of folders whose publishing was stopped.
    """

    runs: Sequence[PublishedRun]
    others: Sequence[OtherRun]
    unfinished: Sequence[str]

    @property
    def all(self) -> list[PublishedRun | OtherRun]:
        """Every run that has a page."""
        return [*self.runs, *self.others]


def read_shelf(site: Site) -> Shelf:
    """All runs that a site holds."""
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
    return Shelf(runs, others, unfinished)


def _read(folder: Path) -> PublishedRun:
    """A published run, with what its headlines are made of: what is damaged in it shows now."""
    run = PublishedRun(folder.name, folder, read_result(folder, READ))
    assert run.comparable
    assert run.verdict
    return run


def _other(folder: Path, reason: str) -> OtherRun:
    """As much of a run as any version's `run.json` tells."""
    try:
        run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        title, created = " vs ".join(map(str, run["models"])), str(run.get("created", ""))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        title, created = "", ""
    return OtherRun(folder.name, folder, title or folder.name, created, reason)
