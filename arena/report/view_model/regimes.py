"""Threshold regimes in words and figures: what each is, what it gives, and what flatters.

A threshold chosen and scored on the same images flatters. Every regime but the models' own is therefore cross-fitted:
chosen on other images than those it is scored on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from arena.base.format import UNDEFINED, figure, interval, signed
from arena.metrics.thresholds import FOLDS, MIN_CATEGORY_TAGS, PRECISION

Words = tuple[str, str]
"""What a regime is called, and is."""

REGIMES: dict[str, Words] = {
    "own": ("Own", "What the model's card, or an option of the run, sets: not chosen by this run."),
    "macro_f1": ("Global, by macro F1", "One threshold for all tags, that of the highest macro F1; cross-fitted."),
    "micro_f1": ("Global, by micro F1", "One threshold for all tags, that of the highest micro F1; cross-fitted."),
    "break_even": ("Global, P = R", "One threshold for all tags, where micro precision meets recall; cross-fitted."),
    "category": (
        "By category",
        f"One threshold a category, by macro F1; the global one under {MIN_CATEGORY_TAGS} compared tags; cross-fitted.",
    ),
    "precision_90": (
        f"Global, precision {100 * PRECISION:.0f} %",
        f"The lowest threshold for all tags with a micro precision of {100 * PRECISION:.0f} %; cross-fitted.",
    ),
    "tag": (
        "By tag",
        "One threshold a tag, by F1, thin tags pulled towards the average as far as that helped; cross-fitted.",
    ),
}
"""What each regime is called, and is."""

UNSHRUNK: Words = ("By tag, without the pull", "One threshold a tag by its own images alone; cross-fitted.")

IN_SAMPLE: Words = (
    "By tag, in hindsight (flatters)",
    "One threshold a tag, chosen and scored on the same images: what many reports print, and nobody will see.",
)

CROSS_FITTED = (
    f"Cross-fitted: the images are split into {FOLDS} folds, each fold is scored at thresholds chosen on the others, and the "
    "counts of all folds are summed. The thresholds shown are those chosen on all images, for use in production; "
    "thresholds.csv in the run folder holds that of every tag."
)


@dataclass(frozen=True)
class RegimeCell:
    """One model under one regime, as shown; `macro_aside` is the interval, or what else there is to say."""

    macro_f1: str
    macro_aside: str
    micro_f1: str
    micro_interval: str
    thresholds: str


@dataclass(frozen=True)
class RegimeRow:
    """One regime; `flatters` where it is no result."""

    title: str
    what: str
    cells: Sequence[RegimeCell]
    flatters: bool = False


def regime_rows(payload: Mapping[str, Any]) -> list[RegimeRow]:
    """A row a regime, then what the pull of `tag` buys, and what hindsight would print; empty where only `own` is known."""
    if len(payload["regimes"]) < 2:
        return []
    models = payload["models"]
    rows = [
        _row(REGIMES.get(one["name"], (one["name"], "")), [_cell(cell) for cell in one["models"]])
        for one in payload["regimes"]
    ]
    pulled = {one["name"]: one["models"] for one in payload["regimes"]}.get("tag", [{"macro_f1": None}] * len(models))
    unshrunk = [
        RegimeCell(
            figure(model["unshrunk_macro_f1"]), _bought(cell["macro_f1"], model["unshrunk_macro_f1"]), "", "", ""
        )
        for model, cell in zip(models, pulled, strict=True)
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


def _bought(pulled: float | None, alone: float | None) -> str:
    """What the pull adds.

    >>> _bought(0.3502, 0.3513)
    '(the pull adds −0.0011)'
    """
    return "" if pulled is None or alone is None else f"(the pull adds {signed(pulled - alone)})"


def thresholds(lowest: float | None, highest: float | None) -> str:
    """One threshold, or from which to which.

    >>> thresholds(0.4, 0.4), thresholds(0.26, 0.9), thresholds(None, None)
    ('0.4', '0.26–0.9', '–')
    """
    if lowest is None or highest is None:
        return UNDEFINED
    return f"{lowest:g}" if lowest == highest else f"{lowest:g}–{highest:g}"
