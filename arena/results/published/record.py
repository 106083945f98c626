"""A published result: what its file says, and null for what it does not say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from arena.metrics.registry import TAG_TABLE

PUBLISHED_COLUMNS = (
    "tag", "category", "index", "training_count", "support", "threshold", "tp", "fp", "fn", "tn",
    *TAG_TABLE,
)  # fmt: skip
"""Columns of a published result's tags; counts are nullable integers (`Int64`), figures float64, unknown is null."""


@dataclass(frozen=True)
class Published:
    """One model's published figures.

    Attributes:
        name: of the model; where the file names none, that of the file.
        source: the file's name.
        format: `full-metrics`, `detailed-metrics`, `report-csv`, `selected-tags`, `metrics-json`, `counts-csv`, `per-tag-csv`,
            or `result` where it is a model of a run of our own.
        digest: SHA-256 of the file.
        tags: `PUBLISHED_COLUMNS`, a row a tag, in the order of the file.
        images: how many; None where the file does not tell.
        figures: aggregates that the file tells, by our names: `macro_f1`, `micro_f1`, `map`, ...
        digits: decimals that its figures are rounded to; None where counts make them exact.
        notes: what a reader of the figures has to know, a sentence each.
    """

    name: str
    source: str
    format: str
    digest: str
    tags: pd.DataFrame
    images: int | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    digits: int | None = None
    notes: Sequence[str] = ()
