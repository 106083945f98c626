"""Every metric once, as data: what it is called, what range it has, and where it is shown.

A list of metrics anywhere else is a filter of this one. A column of a tag's metrics is added in three places: its line here,
its computation, and its test.
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

BETA = 2.0
"""Beta of the F-beta that stands beside F1: recall weighs twice as much as precision."""


class Kind(Flag):
    """What a metric describes; it may describe several things."""

    TAG = auto()
    """One tag of one model: a column of `per_tag.parquet`."""
    AGGREGATE = auto()
    """All compared tags, or a slice of them or of the images: a macro or micro average."""
    MODEL = auto()
    """All compared tags, as one number without slices."""
    THRESHOLD = auto()
    """The threshold at which a metric of a tag stands: a column of `per_tag.parquet`, no metric itself."""


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        key: the name in files.
        title: the name in a sentence.
        short: the name in the head of a table.
        range: the lowest and the highest value.
        higher_is_better: None where neither end is better.
        has_interval: whether a run with resamples has `<key>_low` and `<key>_high`.
        needs_threshold: whether it depends on the threshold of the model.
        in_table: whether the table of tags shows it at first, or the leaderboard has it.
        on_page: whether a reader of the page can choose it as a column of the table of tags. The page packs values of -1 to 1.
        about: one sentence that explains it, for a hint on the page.
        headline: whether it may name the better model. Headline metrics are corrected together for multiple comparisons.
        by_slice: whether it is shown by slice.
        tested: whether each tag has a paired test of it.
        average: `macro` or `micro`; empty for a metric that is no average.
        base: the metric of a tag that it averages.
        hub: its name in the metrics of Hugging Face and scikit-learn.
        of_counts: the metric of every tag from its counts, float64 (tags,).
        of_tally: the same from the tally. A metric of a tag with neither follows the counting convention of the run.
    """

    key: str
    title: str
    short: str
    kind: Kind
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
        """Its columns in `per_tag.parquet`."""
        return (self.key, f"{self.key}_low", f"{self.key}_high") if self.has_interval else (self.key,)

    @property
    def heading(self) -> str:
        """The title at the start of a line.

        >>> METRICS["macro_f1"].heading, METRICS["map"].heading
        ('Macro F1', 'mAP')
        """
        return self.title if self.title[1].isupper() else self.title[0].upper() + self.title[1:]


_ALL = (
    Metric(
        "precision", "precision", "P", Kind.TAG, has_interval=True, needs_threshold=True, in_table=True, on_page=True,
        hub="precision", about="Of the images that the tagger gave the tag, the share that have it.",
    ),
    Metric(
        "recall", "recall", "R", Kind.TAG, has_interval=True, needs_threshold=True, in_table=True, on_page=True,
        hub="recall", about="Of the images that have the tag, the share that the tagger found.",
    ),
    Metric(
        "f1", "F1", "F1", Kind.TAG, has_interval=True, needs_threshold=True, in_table=True, on_page=True, tested=True,
        hub="f1", about="The harmonic mean of precision and recall.",
    ),
    Metric(
        "ap", "AP", "AP", Kind.TAG, has_interval=True, in_table=True, on_page=True, tested=True,
        hub="average_precision", of_tally=lambda tally: tally.average_precision,
        about="Average precision: how well the scores rank images with the tag before images without it.",
    ),
    Metric(
        "f2", "F2", "F2", Kind.TAG, needs_threshold=True, on_page=True, of_counts=lambda counts: f_beta(counts, BETA),
        about="F-beta with beta 2: recall weighs twice as much as precision.",
    ),
    Metric(
        "mcc", "MCC", "MCC", Kind.TAG, (-1.0, 1.0), needs_threshold=True, on_page=True, of_counts=mcc,
        about="Matthews correlation coefficient of prediction and label, -1 to 1; 0 is chance.",
    ),
    Metric(
        "informedness", "informedness", "J", Kind.TAG, (-1.0, 1.0), needs_threshold=True, on_page=True,
        of_counts=informedness,
        about="Youden's J: recall less the false positive rate, -1 to 1; 0 is chance.",
    ),
    Metric(
        "roc_auc", "ROC AUC", "AUC", Kind.TAG | Kind.MODEL, on_page=True, of_tally=lambda tally: tally.roc_auc,
        about="Area under the ROC curve: the chance that an image with the tag scores above one without it.",
    ),
    Metric(
        "brier", "Brier score", "Brier", Kind.TAG | Kind.MODEL, higher_is_better=False,
        of_tally=lambda tally: tally.brier,
        about="The mean squared difference of score and label.",
    ),
    Metric(
        "ece", "calibration error", "ECE", Kind.TAG | Kind.MODEL, higher_is_better=False,
        of_tally=lambda tally: calibration.expected_calibration_error(tally.bins),
        about="The mean distance of score and share of images with the tag, over bins of scores.",
    ),
    Metric(
        "best_f1", "best F1 in hindsight", "Best F1", Kind.TAG, on_page=True, of_tally=lambda tally: tally.best[1],
        about="The highest F1 at any threshold. The threshold is chosen on these images, so it is no result.",
    ),
    Metric(
        "best_threshold", "threshold of the best F1", "at", Kind.THRESHOLD, higher_is_better=None,
        of_tally=lambda tally: tally.best[0],
    ),
    Metric(
        "break_even", "break-even point", "P = R", Kind.TAG, on_page=True, of_tally=lambda tally: tally.break_even[1],
        about="Precision where it equals recall. The threshold is chosen on these images, so it is no result.",
    ),
    Metric(
        "break_even_threshold", "threshold of the break-even point", "at", Kind.THRESHOLD, higher_is_better=None,
        of_tally=lambda tally: tally.break_even[0],
    ),
    Metric(
        "macro_precision", "macro precision", "macro P", Kind.AGGREGATE, has_interval=True, needs_threshold=True,
        in_table=True, average="macro", base="precision",
    ),
    Metric(
        "macro_recall", "macro recall", "macro R", Kind.AGGREGATE, has_interval=True, needs_threshold=True,
        in_table=True, average="macro", base="recall",
    ),
    Metric(
        "macro_f1", "macro F1", "macro F1", Kind.AGGREGATE, has_interval=True, needs_threshold=True, in_table=True,
        headline=True, by_slice=True, average="macro", base="f1",
    ),
    Metric(
        "micro_precision", "micro precision", "micro P", Kind.AGGREGATE, has_interval=True, needs_threshold=True,
        in_table=True, average="micro", base="precision",
    ),
    Metric(
        "micro_recall", "micro recall", "micro R", Kind.AGGREGATE, has_interval=True, needs_threshold=True,
        in_table=True, average="micro", base="recall",
    ),
    Metric(
        "micro_f1", "micro F1", "micro F1", Kind.AGGREGATE, has_interval=True, needs_threshold=True, in_table=True,
        headline=True, average="micro", base="f1",
    ),
    Metric(
        "map", "mAP", "mAP", Kind.AGGREGATE, has_interval=True, in_table=True, headline=True, by_slice=True,
        average="macro", base="ap",
    ),
)  # fmt: skip
"""In the order in which files hold them."""

METRICS: Mapping[str, Metric] = {metric.key: metric for metric in _ALL}
"""By key."""


def titles(metrics: Iterable[Metric]) -> dict[str, str]:
    """The titles of some metrics by key."""
    return {metric.key: metric.title for metric in metrics}


TAG_METRICS = tuple(metric for metric in _ALL if Kind.TAG in metric.kind)
"""Metrics of single tags."""

TAG_COLUMNS = tuple(metric for metric in _ALL if metric.kind & (Kind.TAG | Kind.THRESHOLD))
"""What `per_tag.parquet` holds of metrics and their thresholds."""

TAG_TABLE = tuple(metric.key for metric in TAG_METRICS if metric.in_table)
"""Metrics of a tag that every table of tags shows."""

TAG_INTERVALS = tuple(metric.key for metric in TAG_METRICS if metric.has_interval)
"""Metrics of a tag that have an interval."""

TESTED = titles(metric for metric in TAG_METRICS if metric.tested)
"""Titles of the metrics of a tag that have a paired test."""

_AGGREGATES = tuple(metric for metric in _ALL if Kind.AGGREGATE in metric.kind)

AGGREGATES = tuple(metric.key for metric in _AGGREGATES)
"""Averages over tags."""

THRESHOLDED = tuple(metric.key for metric in _AGGREGATES if metric.needs_threshold)
"""Averages that depend on the threshold."""

MACRO_THRESHOLDED = tuple(key for key in THRESHOLDED if METRICS[key].average == "macro")
"""Those of them that are means over tags; each has a number of tags, `<key>_tags`."""

HEADLINES = titles(metric for metric in _AGGREGATES if metric.headline)
"""Titles of the metrics that may name the better model."""

SLICED = tuple(metric.key for metric in _AGGREGATES if metric.by_slice)
"""Averages that are shown by slice."""

LEADERBOARD = titles(
    sorted(
        (metric for metric in _AGGREGATES if metric.in_table),
        key=lambda metric: (metric.needs_threshold, metric.average, metric.base != "f1"),
    )
)
"""Titles of the columns of the leaderboard: mAP, then the macro and the micro averages, F1 first in each."""
