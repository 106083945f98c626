"""What is known of both sides, in the form that every gate reads: from one joint result, or from published figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from arena.gate.decide import Seen
from arena.metrics.registry import TESTED

TAG_COLUMNS = (
    "tag", "category", "support",
    *(f"{key}_{name}" for key in TESTED for name in ("candidate", "baseline", "difference", "low", "high", "p")),
)  # fmt: skip
"""Columns of `Evidence.tags`: candidate less baseline, NaN where undefined; p is two-sided and of this tag alone."""


@dataclass(frozen=True)
class Figure:
    """One figure of both sides.

    Attributes:
        candidate, baseline: None where unknown.
        seen: candidate less baseline; NaN where undefined or without an interval.
    """

    name: str
    candidate: float | None
    baseline: float | None
    seen: Seen


@dataclass(frozen=True)
class Part:
    """A slice of tags or images.

    Attributes:
        kind: `category`, `support`, `group`, or a column of the images.
        figures: by name.
        of_images: whether images were left out, rather than tags.
    """

    kind: str
    value: str
    title: str
    images: int | None
    tags: int
    figures: Mapping[str, Figure]
    of_images: bool = False


@dataclass(frozen=True)
class Evidence:
    """Everything that gates on figures ask for.

    Attributes:
        regime: at whose thresholds `overall` is.
        overall: over all compared tags, by name.
        tags: `TAG_COLUMNS`, a row a compared tag.
        supports: of every tag that the baseline knows and the truth too.
        candidate_tags: likewise of the candidate.
        images: None where unknown.
        why_none: why there are no intervals at all, and the fix; empty where there are some.
        paired: both sides were scored on the same images.
    """

    regime: str
    overall: Mapping[str, Figure]
    parts: Sequence[Part]
    tags: pd.DataFrame
    supports: Mapping[str, int]
    candidate_tags: frozenset[str] = field(default=frozenset())
    images: int | None = None
    why_none: str = ""
    paired: bool = True
