"""A published result: the content of its file, with null for unknown values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from arena.metrics.registry import TAG_TABLE

PUBLISHED_COLUMNS = (
    "tag", "category", "index", "training_count", "support", "threshold", "tp", "fp", "fn", "tn",
    *TAG_TABLE,
)  # fmt: skip
"""Columns of a published result's tags; counts are nullable integers (`Int64`), metrics float64, unknown is null."""


@dataclass(frozen=True)
class Published:
    """The published metrics of one model.

    Attributes:
        name: name of the model; the file's name if the file does not name it.
        source: the file's name; for a model of a run, the name of the dataset.
        format: `full-metrics`, `detailed-metrics`, `report-csv`, `selected-tags`, `metrics-json`, `counts-csv`, `per-tag-csv`,
            `runs-csv`, `results-json`, `model-index`, or `result` for a model of a run.
        digest: SHA-256 of the file; for a model of a run, that of its scores.
        tags: `PUBLISHED_COLUMNS`, one row per tag, in the order of the file.
        images: number of images; None if unknown.
        figures: aggregates in the file by the arena's names: `macro_f1`, `micro_f1`, `map`, ...
        digits: decimals that the metrics are rounded to; None if counts make them exact.
        notes: remarks for the reader, one sentence each.
        threshold: the threshold of all tags, if the file has no tags; None if unknown.
        convention: rule for undefined metrics that the file names; empty: that of its format.
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
    threshold: float | None = None
    convention: str = ""
