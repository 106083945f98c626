"""A release: one model of one run in a history of releases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile

import pandas as pd

from arena.base.provenance import digest
from arena.results.run_folder import Result

_WORD_ENDS = "-_ :/"
"""Characters that end a word in the name of a release; not the dot, which is part of versions."""

_RULE_KEYS = ("convention", "imply")
"""Fields of the summary that a tag's metrics depend on, besides images and scores."""


@dataclass(frozen=True)
class Release:
    """One model of one run.

    Attributes:
        name: name to show, unique in its history.
        model: the model's name in the run.
        created: when the baseline was set or the run was made; ISO 8601, empty if unknown.
        reason: why the baseline was set; empty for a run that is not a baseline.
        result: the run, with the table `per_tag`.
    """

    name: str
    model: str
    created: str
    reason: str
    result: Result

    @cached_property
    def tags(self) -> pd.DataFrame:
        """Its rows of `per_tag`, indexed by the truth's tag; of two tags that the truth treats as one, the compared one."""
        rows = self.result.tags_of(self.model).sort_values("compared", ascending=False, kind="stable")
        return rows.drop_duplicates("truth_tag").set_index("truth_tag")

    @property
    def dataset(self) -> str:
        """Title or name of its dataset."""
        dataset = self.result.recipe.dataset
        return dataset.title or dataset.name or "truth given as a file"

    @property
    def images(self) -> int:
        """Number of images that it was scored on."""
        return int(self.result.summary["images"])

    @cached_property
    def same_images(self) -> str:
        """A key that is equal for releases whose metrics of a tag are comparable: the same images, labels and rules.

        A run that does not record its images has a key of its own.
        """
        dataset = self.result.recipe.dataset
        if not dataset.digest:
            return f"{self.name} alone"
        rules = {key: self.result.summary.get(key) for key in (*_RULE_KEYS, "images")}
        skipped = sorted(self.result.run.get("skipped", {}))
        return digest({"dataset": dataset.digest, "sample": dataset.sample, "skipped": skipped, **rules})

    @cached_property
    def same_means(self) -> str:
        """A key that is equal for releases whose means are comparable: also the same compared tags."""
        return digest({"images": self.same_images, "tags": sorted(self.tags.index[self.tags["compared"]])})


def number_image_sets(releases: Sequence[Release]) -> dict[str, int]:
    """Number the sets of images in the order of their first release; a plot never connects releases of different sets.

    Returns: `same_images` -> 0, 1, ...
    """
    return {key: place for place, key in enumerate(dict.fromkeys(one.same_images for one in releases))}


def short_names(releases: Sequence[Release]) -> list[str]:
    """The names of releases without the words that all of them start with."""
    names = [one.name for one in releases]
    return [name[len(_shared(names)) :] for name in names]


def _shared(names: Sequence[str]) -> str:
    """The words that all names start with, with the character that ends them; empty if a name would become empty.

    >>> _shared(["joytag-1.0", "joytag-1.1"]), _shared(["joytag", "joytag 2"]), _shared(["wd14"])
    ('joytag-', '', '')
    """
    least, most = min(names), max(names)  # a prefix of the first and the last in order is a prefix of all
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(least, most, strict=False)))
    prefix = least[:same] if len(names) > 1 else ""
    cut = max(prefix.rfind(sign) for sign in _WORD_ENDS) + 1
    return "" if any(len(name) == cut for name in names) else prefix[:cut]
