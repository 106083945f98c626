"""Results of one model of a run, as all exports use them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from arena.base.errors import ArenaError, nearest
from arena.base.format import figure, interval
from arena.metrics.registry import LEADERBOARD
from arena.report.exports.signature import signature_line
from arena.results.own_tags import OwnMetric, also_known, other_models, own_tag_metrics
from arena.results.run_folder import Result

WEAKEST = 10
"""Largest number of tags listed as the weakest."""


@dataclass(frozen=True)
class ExportedMetric:
    """One metric of a model. `value` is None if undefined; `tags` is the number of tags of a mean, None for micro metrics."""

    key: str
    title: str
    value: float | None
    low: float | None
    high: float | None
    tags: int | None

    @property
    def text(self) -> str:
        """The formatted value."""
        return figure(self.value)

    @property
    def range(self) -> str:
        """The formatted interval; empty without one."""
        return interval(self.low, self.high)


@dataclass(frozen=True)
class ModelResults:
    """One model of a run, as it is exported.

    Attributes:
        digest: digest of the dataset; empty without one.
        images, tags: number of images, and of compared tags.
        others: the other models of the run; the compared tags are those that all models know.
        own: the same metrics over all tags of the model with enough positives, without intervals.
        created: time of the run in ISO 8601; empty if unknown.
        figures: metrics of `LEADERBOARD` at the own thresholds of the model, undefined ones included.
        per_tag: its rows of `per_tag`, in the order of its tag list.
    """

    model: str
    title: str
    dataset: str
    dataset_title: str
    digest: str
    images: int
    tags: int
    min_positives: int
    convention: str
    threshold: str
    created: str
    version: str
    signature: str
    figures: Sequence[ExportedMetric]
    others: Sequence[str]
    own: Mapping[str, OwnMetric]
    per_tag: pd.DataFrame

    @property
    def known(self) -> list[ExportedMetric]:
        """The metrics that are defined."""
        return [one for one in self.figures if one.value is not None]

    @property
    def measured_on(self) -> str:
        """Images, tags, threshold and convention in one phrase."""
        return (
            f"{self.images:,} images of {self.dataset_title}, {self.tags:,} tags{also_known(self.others)}, "
            f"with at least {self.min_positives} positives each, threshold {self.threshold}, convention {self.convention}"
        )

    def weakest(self) -> pd.DataFrame:
        """Return the compared tags of lowest F1, undefined F1 first; ties by support, then name; at most `WEAKEST`."""
        compared = self.per_tag[self.per_tag["compared"]]
        order = compared.assign(lowest=compared["f1"].fillna(-1.0)).sort_values(
            ["lowest", "support", "tag"], ascending=[True, False, True]
        )
        return order.head(WEAKEST)


def model_results(result: Result, model: str) -> ModelResults:
    """Collect the results of one model of a run.

    Raises:
        ArenaError: the run has no such model.
    """
    if model not in result.models:
        raise ArenaError(f"--model {model}: not a model of the run. {nearest(model, result.models)}")
    summary, own = result.summary, result.summary["models"][model]
    recipe, dataset = result.recipe, result.recipe.dataset
    return ModelResults(
        model=model,
        title=own["title"],
        dataset=dataset.name or "truth",
        dataset_title=dataset.title or "truth given as a file",
        digest=dataset.digest,
        images=summary["images"],
        tags=summary["compared_tags"],
        min_positives=summary["min_positives"],
        convention=summary["convention"],
        threshold=own["threshold"],
        created=recipe.created,
        version=recipe.arena_version,
        signature=signature_line(result),
        figures=[_metric(own["regimes"]["own"], key, title) for key, title in LEADERBOARD.items()],
        others=other_models(result, model),
        own=own_tag_metrics(result, model),
        per_tag=result.tags_of(model),
    )


def _metric(own: dict[str, Any], key: str, title: str) -> ExportedMetric:
    return ExportedMetric(key, title, own[key], own.get(f"{key}_low"), own.get(f"{key}_high"), own.get(f"{key}_tags"))
