"""Registry of all metrics: names, ranges, and where each is shown.

Every other list of metrics is a filter of this one. To add a metric per tag, add three things: its entry here, its
computation, and its test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Flag, auto
from typing import TYPE_CHECKING

from arena.metrics import calibration
from arena.metrics.counts import Floats, TagCounts, f_beta, informedness, mcc

if TYPE_CHECKING:
    from arena.metrics.tally import Tally

_BETA = 2.0
"""Beta of the F-beta metric `f2`: recall weighs twice as much as precision."""


class MetricKind(Flag):
    """What a metric describes; a metric may have several kinds."""

    TAG = auto()
    """One tag of one model: a column of `per_tag.parquet`."""
    AGGREGATE = auto()
    """All compared tags, or a slice of them or of the images: a macro or micro average."""
    MODEL = auto()
    """All compared tags, as one number without slices."""
    THRESHOLD = auto()
    """The threshold at which a metric of a tag is reached: a column of `per_tag.parquet`, not a metric."""


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        key: name in files.
        title: name in a sentence.
        short: name in the head of a table.
        kind: what it describes.
        range: lowest and highest value.
        higher_is_better: None if neither end is better.
        has_interval: whether a run with resamples has `<key>_low` and `<key>_high`.
        needs_threshold: whether it depends on the threshold of the model.
        in_table: whether the table of tags shows it by default, or the leaderboard has it.
        on_page: whether a reader of the page can choose it as a column of the table of tags; the page can pack only -1 to 1.
        about: one sentence that explains it, for a hint on the page.
        headline: whether it may decide which model is better. Headline metrics are corrected together for multiple
            comparisons.
        by_slice: whether it is shown by slice.
        tested: whether each tag has a paired test of it.
        average: `macro` or `micro`; empty if it is not an average.
        base: key of the per-tag metric that it averages.
        hub: its name in the metrics of Hugging Face and scikit-learn.
        of_counts: computes it for every tag from the counts, float64 (tags,).
        of_tally: computes it for every tag from the tally, float64 (tags,). A per-tag metric with neither is computed by the
            counting convention of the run.
    """

    key: str
    title: str
    short: str
    kind: MetricKind
    range: tuple[float, float] = (0.0, 1.0)
    higher_is_better: bool | None = True
    has_interval: bool = False
    needs_threshold: bool = False
    in_table: bool = False
    on_page: bool = False
    about: str = ""
    headline: bool = False
    by_slice: bool = False
    tested: bool = False
    average: str = ""
    base: str = ""
    hub: str = ""
    of_counts: Callable[[TagCounts], Floats] | None = None
    of_tally: Callable[[Tally], Floats] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the metric in `per_tag.parquet`."""
        return (self.key, f"{self.key}_low", f"{self.key}_high") if self.has_interval else (self.key,)

    @property
    def heading(self) -> str:
        """The title with a capital letter, for the start of a line.

        >>> METRICS["macro_f1"].heading, METRICS["map"].heading
        ('Macro F1', 'mAP')
        """
        return self.title if self.title[1].isupper() else self.title[0].upper() + self.title[1:]


_ALL = (
    Metric(
        "precision", "precision", "P", MetricKind.TAG, has_interval=True, needs_threshold=True, in_table=True, on_page=True,
        hub="precision", about="Of the images that the tagger predicts the tag for, the share that have it.",
    ),
    Metric(
        "recall", "recall", "R", MetricKind.TAG, has_interval=True, needs_threshold=True, in_table=True, on_page=True,
        hub="recall", about="Of the images that have the tag, the share that the tagger predicts it for.",
    ),
    Metric(
        "f1", "F1", "F1", MetricKind.TAG, has_interval=True, needs_threshold=True, in_table=True, on_page=True, tested=True,
        hub="f1", about="The harmonic mean of precision and recall.",
    ),
    Metric(
        "ap", "AP", "AP", MetricKind.TAG, has_interval=True, in_table=True, on_page=True, tested=True,
        hub="average_precision", of_tally=lambda tally: tally.average_precision,
        about="Average precision: how well the scores rank images with the tag above images without it.",
    ),
    Metric(
        "f2", "F2", "F2", MetricKind.TAG, needs_threshold=True, on_page=True, of_counts=lambda counts: f_beta(counts, _BETA),
        about="F-beta with beta 2: recall weighs twice as much as precision.",
    ),
    Metric(
        "mcc", "MCC", "MCC", MetricKind.TAG, (-1.0, 1.0), needs_threshold=True, on_page=True, of_counts=mcc,
        about="Matthews correlation coefficient of predictions and labels, -1 to 1; 0 is chance.",
    ),
    Metric(
        "informedness", "informedness", "J", MetricKind.TAG, (-1.0, 1.0), needs_threshold=True, on_page=True,
        of_counts=informedness,
        about="Youden's J: recall minus the false positive rate, -1 to 1; 0 is chance.",
    ),
    Metric(
        "roc_auc", "ROC AUC", "AUC", MetricKind.TAG | MetricKind.MODEL, on_page=True, of_tally=lambda tally: tally.roc_auc,
        about="Area under the ROC curve: the probability that an image with the tag scores above one without it.",
    ),
    Metric(
        "brier", "Brier score", "Brier", MetricKind.TAG | MetricKind.MODEL, higher_is_better=False,
        of_tally=lambda tally: tally.brier,
        about="The mean squared difference between score and label.",
    ),
    Metric(
        "ece", "calibration error", "ECE", MetricKind.TAG | MetricKind.MODEL, higher_is_better=False,
        of_tally=lambda tally: calibration.expected_calibration_error(tally.bins),
        about="Expected calibration error: the mean difference between score and share of images with the tag, over bins.",
    ),
    Metric(
        "ece_if_calibrated", "calibration error expected of a calibrated model", "ECE by chance",
        MetricKind.TAG | MetricKind.MODEL, higher_is_better=None,
        of_tally=lambda tally: calibration.error_if_calibrated(tally.bins),
        about="The calibration error that a perfectly calibrated model has on average, because images are few.",
    ),
    Metric(
        "best_f1", "best F1 in hindsight", "Best F1", MetricKind.TAG, on_page=True, of_tally=lambda tally: tally.best[1],
        about="Highest F1 at any threshold. Not a result: the threshold is chosen on the images that it is scored on.",
    ),
    Metric(
        "best_threshold", "threshold of the best F1", "at", MetricKind.THRESHOLD, higher_is_better=None,
        of_tally=lambda tally: tally.best[0],
    ),
    Metric(
        "break_even", "break-even point", "P = R", MetricKind.TAG, on_page=True, of_tally=lambda tally: tally.break_even[1],
        about="Precision where it equals recall. Not a result: the threshold is chosen on the images that it is scored on.",
    ),
    Metric(
        "break_even_threshold", "threshold of the break-even point", "at", MetricKind.THRESHOLD, higher_is_better=None,
        of_tally=lambda tally: tally.break_even[0],
    ),
    Metric(
        "macro_precision", "macro precision", "macro P", MetricKind.AGGREGATE, has_interval=True, needs_threshold=True,
        in_table=True, average="macro", base="precision",
    ),
    Metric(
        "macro_recall", "macro recall", "macro R", MetricKind.AGGREGATE, has_interval=True, needs_threshold=True,
        in_table=True, average="macro", base="recall",
    ),
    Metric(
        "macro_f1", "macro F1", "macro F1", MetricKind.AGGREGATE, has_interval=True, needs_threshold=True, in_table=True,
        headline=True, by_slice=True, average="macro", base="f1",
    ),
    Metric(
        "micro_precision", "micro precision", "micro P", MetricKind.AGGREGATE, has_interval=True, needs_threshold=True,
        in_table=True, average="micro", base="precision",
    ),
    Metric(
        "micro_recall", "micro recall", "micro R", MetricKind.AGGREGATE, has_interval=True, needs_threshold=True,
        in_table=True, average="micro", base="recall",
    ),
    Metric(
        "micro_f1", "micro F1", "micro F1", MetricKind.AGGREGATE, has_interval=True, needs_threshold=True, in_table=True,
        headline=True, average="micro", base="f1",
    ),
    Metric(
        "map", "mAP", "mAP", MetricKind.AGGREGATE, has_interval=True, in_table=True, headline=True, by_slice=True,
        average="macro", base="ap",
    ),
)  # fmt: skip
"""All metrics, in the order of the columns in files."""

METRICS: Mapping[str, Metric] = {metric.key: metric for metric in _ALL}
"""All metrics by key."""


def titles(metrics: Iterable[Metric]) -> dict[str, str]:
    """Return the titles of some metrics by key."""
    return {metric.key: metric.title for metric in metrics}


TAG_METRICS = tuple(metric for metric in _ALL if MetricKind.TAG in metric.kind)
"""Metrics of single tags."""

TAG_METRIC_COLUMNS = tuple(metric for metric in _ALL if metric.kind & (MetricKind.TAG | MetricKind.THRESHOLD))
"""Per-tag metrics and their thresholds, the metric columns of `per_tag.parquet`."""

TAG_TABLE = tuple(metric.key for metric in TAG_METRICS if metric.in_table)
"""Keys of the per-tag metrics that every table of tags shows."""

TAG_INTERVALS = tuple(metric.key for metric in TAG_METRICS if metric.has_interval)
"""Keys of the per-tag metrics that have an interval."""

TESTED = titles(metric for metric in TAG_METRICS if metric.tested)
"""Titles of the per-tag metrics that have a paired test, by key."""

_AGGREGATES = tuple(metric for metric in _ALL if MetricKind.AGGREGATE in metric.kind)

AGGREGATES = tuple(metric.key for metric in _AGGREGATES)
"""Keys of the averages over tags."""

THRESHOLDED = tuple(metric.key for metric in _AGGREGATES if metric.needs_threshold)
"""Keys of the averages that depend on the threshold."""

MACRO_THRESHOLDED = tuple(key for key in THRESHOLDED if METRICS[key].average == "macro")
"""Keys of the macro averages that depend on the threshold; each has a number of tags, `<key>_tags`."""

HEADLINES = titles(metric for metric in _AGGREGATES if metric.headline)
"""Titles of the metrics that may decide which model is better, by key."""

SLICED = tuple(metric.key for metric in _AGGREGATES if metric.by_slice)
"""Keys of the averages that are shown by slice."""

LEADERBOARD = titles(
    sorted(
        (metric for metric in _AGGREGATES if metric.in_table),
        key=lambda metric: (metric.needs_threshold, metric.average, metric.base != "f1"),
    )
)
"""Titles of the columns of the leaderboard, by key: mAP, then the macro and the micro averages, F1 first in each."""
