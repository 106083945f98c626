"""Evidence: the metrics of both models in the form that every requirement reads, from one run or two published results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from arena.gate.decide import DifferenceInterval
from arena.metrics.registry import TESTED

EVIDENCE_TAG_COLUMNS = (
    "tag", "category", "support",
    *(f"{key}_{name}" for key in TESTED for name in ("candidate", "baseline", "difference", "low", "high", "p", "q")),
)  # fmt: skip
"""Columns of `Evidence.tags`. Differences are candidate minus baseline, NaN where undefined. p is two-sided, not adjusted; q is
Benjamini and Hochberg's over all tags and both metrics, the same as in every other report."""


@dataclass(frozen=True)
class MetricPair:
    """One metric of both models.

    Attributes:
        candidate, baseline: the metric's headline value, without its bias where the run knows it; None where unknown.
        seen: candidate minus baseline with its interval, of the plain values, whose biases cancel; NaN where undefined or
            without an interval.
    """

    name: str
    candidate: float | None
    baseline: float | None
    seen: DifferenceInterval


@dataclass(frozen=True)
class EvidenceSlice:
    """A slice of tags or images.

    Attributes:
        kind: `category`, `support`, `group`, or a column of the images.
        images: number of images in the slice; None where unknown.
        tags: number of tags in the slice.
        figures: the headline metrics by key.
        of_images: a slice of images; otherwise of tags.
    """

    kind: str
    value: str
    title: str
    images: int | None
    tags: int
    figures: Mapping[str, MetricPair]
    of_images: bool = False


@dataclass(frozen=True)
class Evidence:
    """The data that requirements are judged on.

    Attributes:
        regime: threshold policy of `overall`.
        overall: headline metrics over all compared tags, by key.
        parts: slices at the models' own thresholds.
        tags: columns `EVIDENCE_TAG_COLUMNS`, one row per compared tag.
        supports: number of positives of every tag that the baseline and the ground truth know.
        candidate_tags: tags that the candidate and the ground truth know; for published results, the candidate's tags.
        images: None where unknown.
        why_none: why there are no intervals at all, and the fix; empty if there are some.
        paired: both models were scored on the same images.
        averaged: number of tags in macro F1 of unpaired results; None for a paired run, whose summary has it.
    """

    regime: str
    overall: Mapping[str, MetricPair]
    parts: Sequence[EvidenceSlice]
    tags: pd.DataFrame
    supports: Mapping[str, int]
    candidate_tags: frozenset[str] = field(default=frozenset())
    images: int | None = None
    why_none: str = ""
    paired: bool = True
    averaged: int | None = None
