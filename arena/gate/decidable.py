"""What the images can decide, known before the candidate is scored: from the baseline's own intervals and the number of images.

It depends on the baseline only. A policy that depended on the candidate's metrics would not control its error rates.
"""

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from scipy import special

from arena.base.tables import rows_of
from arena.metrics.intervals import LEVEL, standard_error_of
from arena.metrics.registry import HEADLINES, METRICS, TESTED
from arena.metrics.significance import minimum_detectable
from arena.results.run_folder import Result

_PAIRED: Mapping[str, float] = {"f1": 1.0, "ap": 0.8}
"""Standard error of the difference of a retrained candidate, as a multiple of that of the baseline's metric. Simulated with
75 % common noise (`scripts/simulate_gate.py`; 1,500 to 16,384 images): 0.97 to 1.02 for macro F1, 0.97 to 1.06 for micro F1,
0.78 to 0.84 for mAP. With less in common it is up to 1.4."""

_Z = float(special.ndtri((1 + LEVEL) / 2))


class MetricOfPart(NamedTuple):
    """A metric of a part of the tags or images: `("category", "character", "macro_f1")`, `("tag", "hat", "f1")`."""

    kind: str
    value: str
    metric: str


def overall(metric: str) -> MetricOfPart:
    """Return a metric over all compared tags."""
    return MetricOfPart("all", "all", metric)


@dataclass(frozen=True)
class DecidableLosses:
    """What a number of images can decide.

    Attributes:
        images: number of images; None where unknown.
        small: below this number of images nothing but pooled metrics is decided, if `errors` is empty.
        errors: standard errors of the difference of a retrained candidate; empty if the baseline has no intervals.
    """

    images: int | None = None
    small: int = 0
    errors: Mapping[MetricOfPart, float] = field(default_factory=dict)

    def decidable(self, part: MetricOfPart) -> float | None:
        """Return the smallest margin within which a candidate without a loss is shown to be, with 80 % power.

        None if unknown.
        """
        error = self.errors.get(part)
        return None if error is None else float(minimum_detectable(error))

    def decides(self, part: MetricOfPart, margin: float) -> bool:
        """Return whether the images decide this margin.

        Without any interval of the baseline, large numbers of images do, and unknown ones count as large. If there are
        intervals, a part without one is not decided.

        >>> known, macro = DecidableLosses(1000, errors={overall("macro_f1"): 0.003}), overall("macro_f1")
        >>> known.decides(macro, 0.01), known.decides(macro, 0.008), known.decides(overall("map"), 0.9)
        (True, False, False)
        >>> DecidableLosses(9_999, 10_000).decides(overall("map"), 0.01), DecidableLosses().decides(overall("map"), 0.01)
        (False, True)
        """
        if not self.errors:
            return self.images is None or self.images >= self.small
        least = self.decidable(part)
        return least is not None and least <= margin

    def power(self, part: MetricOfPart, margin: float) -> float | None:
        """Return the probability that non-inferiority is decided: passes without a loss, or fails if it is twice the margin.

        None if unknown.

        >>> round(DecidableLosses(errors={overall("map"): 0.01 / 3.605}).power(overall("map"), 0.01), 3)
        0.95
        """
        error = self.errors.get(part)
        return None if not error else float(special.ndtr(margin / error - _Z))

    def overlooked(self, part: MetricOfPart, margin: float) -> float:
        """Return the probability that a true loss of twice the margin is measured as one within it; 0.5 if unknown.

        >>> round(DecidableLosses(errors={overall("map"): 0.01}).overlooked(overall("map"), 0.01), 3)
        0.159
        """
        error = self.errors.get(part)
        return float(special.ndtr(-margin / error)) if error else 0.5


def losses_of_run(
    result: Result, baseline: str, *, regime: str, small: int, tags: Collection[str] = (), images: int | None = None
) -> DecidableLosses:
    """Return what images like those of a run of the baseline can decide.

    Args:
        result: a run with the baseline, its table `per_tag` and, if it has it, `slices`; other models do not matter.
        regime: threshold policy of the metrics over all tags.
        small: as `DecidableLosses.small`.
        tags: tags whose own metrics are needed.
        images: number of images; None for those of the run.
    """
    scored = int(result.summary["images"])
    images = scored if images is None else images
    factor = math.sqrt(scored / images) if images else math.inf
    found = {}
    for part, row, name in _intervals(result, baseline, regime, tags):
        low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
        if low is not None and high is not None and not math.isnan(high - low):
            found[part] = _PAIRED[METRICS[name].base or name] * standard_error_of(low, high) * factor
    return DecidableLosses(images, small, found)


def _intervals(
    result: Result, baseline: str, regime: str, tags: Collection[str]
) -> Iterator[tuple[MetricOfPart, Mapping[Any, Any], str]]:
    """Yield each part with its metric, and the row that holds the interval."""
    regimes = result.summary["models"][baseline]["regimes"]
    for name in HEADLINES:
        yield overall(name), regimes.get(regime if METRICS[name].needs_threshold else "own", {}), name
    if (slices := result.tables.get("slices")) is not None:
        for row in rows_of(slices[(slices["model"] == baseline) & (slices["slice"] != "all")]):
            for name in HEADLINES:
                yield MetricOfPart(str(row["slice"]), str(row["value"]), name), row, name
    rows = result.per_tag
    for row in rows_of(rows[(rows["model"] == baseline) & rows["truth_tag"].isin(list(tags))]) if tags else ():
        for name in TESTED:
            yield MetricOfPart("tag", str(row["truth_tag"]), name), row, name
