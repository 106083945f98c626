"""The table of slices: subsets of the tags or images, with each model's metrics and the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from arena.base.format import clipped, estimate, listed, plural, probability, signed
from arena.metrics.registry import SLICED
from arena.report.view_model.leaderboard import MODEL_STYLES

SLICE_KIND_TITLES = {
    "category": "Category",
    "support": "Support: images with the tag",
    "group": "Tag groups",
    "rating": "Image rating",
    "domain": "Image domain",
    "size": "Image size",
}
"""Headings of the kinds of slice; any other kind is a column of the images and is its own heading."""

TAG_SLICE_KINDS = ("category", "support", "group")
"""Kinds that are subsets of the tags; the others are subsets of the images."""


MOST_PAIRS_NAMED = 3
"""Most pairs of models that a verdict names one by one."""


@dataclass(frozen=True)
class SliceVerdict:
    """Result of the tests of one metric in a slice: for two models the difference; then which is higher, and p.

    `pairs` names the decided pairs where there are too many for `words`.
    """

    difference: str
    interval: str
    words: str
    style: int | None = None
    decided: bool = False
    pairs: Sequence[str] = ()


@dataclass(frozen=True)
class SliceFigure:
    """One metric of a slice: (value, interval) of each model, and the verdict if anything was tested."""

    models: Sequence[tuple[str, str]]
    verdict: SliceVerdict | None


@dataclass(frozen=True)
class SliceRow:
    """One slice: title, size, and its metrics in the order of `SLICED`."""

    title: str
    size: str
    figures: Sequence[SliceFigure]


@dataclass(frozen=True)
class SliceGroup:
    """The slices of one kind."""

    title: str
    rows: Sequence[SliceRow]


def slice_groups(payload: Mapping[str, Any]) -> list[SliceGroup]:
    """Return the slices by kind, in the order of the result."""
    names = [model["name"] for model in payload["models"]]
    return [
        SliceGroup(SLICE_KIND_TITLES.get(kind, kind), [_row(one, names) for one in rows])
        for kind, rows in groupby(payload["slices"], key=lambda one: str(one["slice"]))
    ]


def _row(one: Mapping[str, Any], names: Sequence[str]) -> SliceRow:
    if one["slice"] in TAG_SLICE_KINDS:
        size = plural(one["tags"], "tag", "tags")
    else:
        size = plural(one["images"], "image", "images") + ("; too few positives for intervals" if _is_thin(one) else "")
    return SliceRow(one["title"], size, [_figure(one["figures"][key], names) for key in SLICED])


def _is_thin(one: Mapping[str, Any]) -> bool:
    """Return whether a slice of images has metrics without intervals: its tags have too few positives there."""
    models = [model for key in SLICED for model in one["figures"][key]["models"]]
    return any(value is not None for value, _, _ in models) and all(low is None for _, low, _ in models)


def _figure(found: Mapping[str, Any], names: Sequence[str]) -> SliceFigure:
    models = [estimate(value, low, high) for value, low, high in found["models"]]
    return SliceFigure(models, slice_verdict(found, names))


def slice_verdict(found: Mapping[str, Any], names: Sequence[str]) -> SliceVerdict | None:
    """Return the verdict on one metric in a slice; None if nothing was tested."""
    rows = found["differences"]
    if not rows:
        return None
    return _of_two(rows[0], names) if len(names) == 2 else _of_many(rows)


def _of_two(row: Mapping[str, Any], names: Sequence[str]) -> SliceVerdict:
    p = f"p {probability(row['p'])}"
    style = None if row["higher"] is None else names.index(row["higher"]) % MODEL_STYLES
    words = f"undetermined, {p}" if row["higher"] is None else f"{clipped(row['higher'], 30)} higher, {p}"
    shown = estimate(row["difference"], row["low"], row["high"], signed)
    return SliceVerdict(*shown, words, style, style is not None)


def _of_many(rows: Sequence[Mapping[str, Any]]) -> SliceVerdict:
    """Return the verdict for more than two models: the decided pairs, the higher model first; of many pairs who is highest."""
    decided = [(str(row["higher"]), _lower(row)) for row in rows if row["higher"] is not None]
    undetermined = len(rows) - len(decided)
    if not decided:
        return SliceVerdict("", "", "undetermined")
    pairs = [f"{clipped(higher, 20)} over {clipped(lower, 20)}" for higher, lower in decided]
    if len(rows) > MOST_PAIRS_NAMED:
        return SliceVerdict(
            "", "", f"{_highest(rows, decided)}; {len(decided)} of {len(rows)} pairs decided", None, True, pairs
        )
    rest = f"; {plural(undetermined, 'pair', 'pairs')} undetermined" if undetermined else ""
    return SliceVerdict("", "", listed(pairs, keep=4) + rest, decided=True)


def _lower(row: Mapping[str, Any]) -> str:
    return str(row["second"] if row["higher"] == row["first"] else row["first"])


def _highest(rows: Sequence[Mapping[str, Any]], decided: Sequence[tuple[str, str]]) -> str:
    """Return which models no other is significantly higher than."""
    names = {str(row[side]) for row in rows for side in ("first", "second")}
    left = sorted(names - {lower for _, lower in decided})
    if len(left) == 1:
        return f"highest: {clipped(left[0], 20)}"
    return f"highest: one of {len(left)}"
