"""A release: one model of one run, at its place among others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile

import pandas as pd

from arena.base.provenance import digest
from arena.results.run_folder import Result

WORD_ENDS = "-_ :/"
"""Signs behind which another word begins in the name of a release; versions hold dots."""

RULES = ("convention", "imply")
"""Of the summary: what a tag's figures depend on besides images and scores."""


@dataclass(frozen=True)
class Release:
    """One model of one run.

    Attributes:
        name: as people see it, unique among the releases that stand together.
        created: when it was set, or when the run was made, in ISO 8601; empty where nothing tells.
        reason: why it was set; empty for a run that is no baseline.
        result: its run, with the table `per_tag`.
    """

    name: str
    model: str
    created: str
    reason: str
    result: Result

    @cached_property
    def tags(self) -> pd.DataFrame:
        """Its rows of `per_tag` by the truth's spelling; of two tags that are one to the truth, the compared one."""
        rows = self.result.tags_of(self.model).sort_values("compared", ascending=False, kind="stable")
        return rows.drop_duplicates("truth_tag").set_index("truth_tag")

    @property
    def dataset(self) -> str:
        """What its images are called."""
        dataset = self.result.recipe.dataset
        return dataset.title or dataset.name or "truth given as a file"

    @property
    def images(self) -> int:
        """How many images it was scored on."""
        return int(self.result.summary["images"])

    @cached_property
    def same_images(self) -> str:
        """The same for releases whose figures of a tag may stand side by side: the same images and rules.

        A run that does not say which images it was made of stands alone.
        """
        dataset = self.result.recipe.dataset
        if not dataset.digest:
            return f"{self.name} alone"
        rules = {key: self.result.summary.get(key) for key in (*RULES, "images")}
        skipped = sorted(self.result.run.get("skipped", {}))
        return digest({"dataset": dataset.digest, "sample": dataset.sample, "skipped": skipped, **rules})

    @cached_property
    def same_means(self) -> str:
        """The same for releases whose means may stand side by side: besides, the same compared tags."""
        return digest({"images": self.same_images, "tags": sorted(self.tags.index[self.tags["compared"]])})


def numbered(releases: Sequence[Release]) -> dict[str, int]:
    """Each set of images by its place, in order of its first release: the series that are never joined.

    Returns: `same_images` -> 0, 1, ...
    """
    return {key: place for place, key in enumerate(dict.fromkeys(one.same_images for one in releases))}


def short_names(releases: Sequence[Release]) -> list[str]:
    """Names without the words that all of them begin with: what tells them apart stands first."""
    names = [one.name for one in releases]
    return [name[len(_shared(names)) :] for name in names]


def _shared(names: Sequence[str]) -> str:
    """The words that all names begin with, with the sign behind them; empty where a name would be left without any.

    >>> _shared(["joytag-1.0", "joytag-1.1"]), _shared(["joytag", "joytag 2"]), _shared(["wd14"])
    ('joytag-', '', '')
    """
    least, most = min(names), max(names)  # what the first and the last in order share, all share
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(least, most, strict=False)))
    begin = least[:same] if len(names) > 1 else ""
    cut = max(begin.rfind(sign) for sign in WORD_ENDS) + 1
    return "" if any(len(name) == cut for name in names) else begin[:cut]
