"""What a comparison is asked to do."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from arena.base import provenance
from arena.metrics.bootstrap import REPLICATES
from arena.metrics.counts import CONVENTIONS, MIN_POSITIVES, Convention
from arena.tags.groups import TagGroup

SLICE_COLUMNS = ("rating", "domain", "size")
"""Columns of `images.parquet` that part the images where they are there; `size` comes from width and height."""


@dataclass(frozen=True)
class Settings:
    """How scores become figures.

    Attributes:
        min_positives: positives that a tag needs to enter the means.
        convention: a name of `CONVENTIONS`.
        replicates: resamples of every interval; 0 gives the plain figures alone, in a third of the time.
        seed: of the resamples.
        slices: columns of the images to part them by.
        tag_groups: named groups of tags, each a slice.
        imply: raise the score of every implied tag to that of any tag implying it, by the implications of the truth.
        workers: threads; 0 takes as many as there are cores.
    """

    min_positives: int = MIN_POSITIVES
    convention: str = "arena"
    replicates: int = REPLICATES
    seed: int = 0
    slices: Sequence[str] = SLICE_COLUMNS
    tag_groups: Sequence[TagGroup] = field(default=())
    imply: bool = False
    workers: int = 0

    @property
    def counting(self) -> Convention:
        """The convention itself."""
        return CONVENTIONS[self.convention]


def describe_settings(settings: Settings) -> dict[str, Any]:
    """What `run.json` keeps of the settings beside those that `summary.json` tells; the tag groups by their digest."""
    groups = provenance.digest({group.name: asdict(group) for group in settings.tag_groups})
    return {"seed": settings.seed, "slices": list(settings.slices), "tag_groups": groups}


Advance = Callable[[int], None]
"""Told how much more of the work is done."""
