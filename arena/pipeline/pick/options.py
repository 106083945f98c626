"""Options of `arena pick`, and the labelled run that calibrates."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from arena.metrics.counts import MIN_POSITIVES
from arena.pipeline.stored_run import StoredRun
from arena.results.recipe import Sample

_ALL_IMAGES = Sample()


@dataclass(frozen=True)
class PickOptions:
    """Options of a comparison without labels.

    Attributes:
        sample: random sample of the images.
        thresholds: model -> threshold that replaces all of its own.
        calibration: a labelled run of the same models; None estimates no metric.
        relations: folder with `tag_aliases.csv`, `tag_implications.csv` and `tag_exclusions.csv`; None takes those of the
            dataset, else those of the calibration run.
        difference: difference of F1 that the judging plan is to decide.
        min_positives: expected positives that a tag of the judging plan needs.
        thumbnails: whether the page shows images; None means that it does unless the dataset is private.
    """

    sample: Sample = _ALL_IMAGES
    thresholds: Mapping[str, float] | None = None
    calibration: Path | None = None
    relations: Path | None = None
    difference: float = 0.01
    min_positives: int = MIN_POSITIVES
    thumbnails: bool | None = None


class Calibrating(NamedTuple):
    """The calibration run."""

    folder: Path
    run: StoredRun
