"""Threshold policies (`regimes` in `summary.json`): title, description and results of each.

A threshold that is chosen and scored on the same images gives optimistic results. Every policy except `own` is therefore
cross-fitted: thresholds are chosen on other images than those they are scored on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from arena.base.format import UNDEFINED, figure, interval, signed
from arena.metrics.thresholds import FOLDS, MIN_CATEGORY_TAGS, PRECISION

Words = tuple[str, str]
"""Title and description of a threshold policy."""

REGIMES: dict[str, Words] = {
    "own": (
        "Own",
        "The threshold given with -t, else that of the model's files or card, else 0.5; not chosen by this run.",
    ),
    "macro_f1": ("Global, by macro F1", "One threshold for all tags, with the highest macro F1; cross-fitted."),
    "micro_f1": ("Global, by micro F1", "One threshold for all tags, with the highest micro F1; cross-fitted."),
    "break_even": (
        "Global, P = R",
        "One threshold for all tags, where micro precision equals micro recall; cross-fitted.",
    ),
    "category": (
        "By category",
        (
            "One threshold per category, by macro F1; the global one if a category has fewer than "
            f"{MIN_CATEGORY_TAGS} compared tags; cross-fitted."
        ),
    ),
    "precision_90": (
        f"Global, precision {100 * PRECISION:.0f} %",
        f"The lowest threshold for all tags with a micro precision of at least {100 * PRECISION:.0f} %; cross-fitted.",
    ),
    "tag": (
        "By tag",
        "One threshold per tag, by F1; those of rare tags are shrunk towards the average; cross-fitted.",
    ),
}
"""Title and description of each threshold policy."""

UNSHRUNK: Words = ("By tag, without shrinkage", "One threshold per tag, from its own images alone; cross-fitted.")

IN_SAMPLE: Words = (
    "By tag, best in hindsight (not a result)",
    "One threshold per tag, chosen on the images it is scored on: too high for new images, though often published.",
)

CROSS_FITTED = (
    f"Cross-fitted: the images are split into {FOLDS} folds, each fold is scored at thresholds chosen on the others, and the "
    "counts of all folds are summed. The thresholds in the table were chosen on all images, for use in production; "
    "thresholds.csv in the run folder lists the threshold of every tag."
)


@dataclass(frozen=True)
class RegimeCell:
    """One model under one threshold policy, as displayed; `macro_aside` is the interval or another remark."""

    macro_f1: str
    macro_aside: str
    micro_f1: str
    micro_interval: str
    thresholds: str


@dataclass(frozen=True)
class RegimeRow:
    """One threshold policy; `flatters` marks an in-sample value that is not a result."""

    title: str
    what: str
    cells: Sequence[RegimeCell]
    flatters: bool = False


def regime_rows(payload: Mapping[str, Any]) -> list[RegimeRow]:
    """Return one row per threshold policy, then `UNSHRUNK` and `IN_SAMPLE`; empty if the run has only `own`."""
    if len(payload["regimes"]) < 2:
        return []
    models = payload["models"]
    rows = [
        _row(REGIMES.get(one["name"], (one["name"], "")), [_cell(cell) for cell in one["models"]])
        for one in payload["regimes"]
    ]
    shrunk = {one["name"]: one["models"] for one in payload["regimes"]}.get("tag", [{"macro_f1": None}] * len(models))
    unshrunk = [
        RegimeCell(
            figure(model["unshrunk_macro_f1"]),
            _shrinkage_gain(cell["macro_f1"], model["unshrunk_macro_f1"]),
            "",
            "",
            "",
        )
        for model, cell in zip(models, shrunk, strict=True)
    ]
    in_sample = [RegimeCell(figure(model["in_sample_best_macro_f1"]), "", "", "", "") for model in models]
    return [*rows, _row(UNSHRUNK, unshrunk), _row(IN_SAMPLE, in_sample, flatters=True)]


def _row(words: Words, cells: Sequence[RegimeCell], *, flatters: bool = False) -> RegimeRow:
    return RegimeRow(words[0], words[1], cells, flatters)


def _cell(cell: Mapping[str, Any]) -> RegimeCell:
    return RegimeCell(
        figure(cell["macro_f1"]), interval(cell["macro_f1_low"], cell["macro_f1_high"]),
        figure(cell["micro_f1"]), interval(cell["micro_f1_low"], cell["micro_f1_high"]),
        thresholds(cell["lowest_threshold"], cell["highest_threshold"]),
    )  # fmt: skip


def _shrinkage_gain(shrunk: float | None, unshrunk: float | None) -> str:
    """Return what shrinkage adds to macro F1.

    >>> _shrinkage_gain(0.3502, 0.3513)
    '(shrinkage adds −0.0011)'
    """
    return "" if shrunk is None or unshrunk is None else f"(shrinkage adds {signed(shrunk - unshrunk)})"


def thresholds(lowest: float | None, highest: float | None) -> str:
    """Return one threshold, or a range of thresholds.

    >>> thresholds(0.4, 0.4), thresholds(0.26, 0.9), thresholds(None, None)
    ('0.4', '0.26–0.9', '–')
    """
    if lowest is None or highest is None:
        return UNDEFINED
    return f"{lowest:g}" if lowest == highest else f"{lowest:g}–{highest:g}"
