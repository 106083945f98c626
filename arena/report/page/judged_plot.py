"""The differences by labels and by judged truth as positions for SVG: a panel per metric, a row per source, on one axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from arena.base.format import clipped, plural
from arena.metrics.registry import METRICS
from arena.report.page.forest_plot import ForestPair, ForestPanel, ForestPlot, ForestRow, signed_axis
from arena.report.page.small_multiples import Axis
from arena.report.view_model.judged import Estimate, JudgedContrast, judged_contrasts, more_answers
from arena.report.view_model.leaderboard import MODEL_STYLES


@dataclass(frozen=True)
class SourceRow:
    """The difference of two models by one source: what `ForestRow` shows of a `Contrast`.

    Attributes:
        title: of the source.
        text: the difference and its interval.
        words: which model is higher, and what the answers are worth.
        style: of the higher model; None if undecided.
    """

    title: str
    text: str
    words: str
    style: int | None


def judged_plot(payload: Mapping[str, Any]) -> ForestPlot | None:
    """Return the positions of the plot; None without metrics by judged truth or with one model."""
    found = judged_contrasts(payload)
    if not found:
        return None
    ends = [(one.value, one.low, one.high) for row in found for one in (row.labels, row.truth)]
    axis = signed_axis(end for three in ends for end in three)
    styles = {model["name"]: place % MODEL_STYLES for place, model in enumerate(payload["models"])}
    pairs: dict[tuple[str, str], list[JudgedContrast]] = {}
    for one in found:
        pairs.setdefault((one.first, one.second), []).append(one)
    return ForestPlot(
        axis,
        axis.place(0.0),
        [
            ForestPair((first, styles[first]), (second, styles[second]), [_panel(one, styles, axis) for one in rows])
            for (first, second), rows in pairs.items()
        ],
    )


def _panel(one: JudgedContrast, styles: Mapping[str, int], axis: Axis) -> ForestPanel:
    labels = "not tested" if not one.tested else _words(one.labels)
    truth = _words(one.truth)
    if one.truth.higher is None:
        truth = f"{truth}; {more_answers(one)}"
    if one.effective is not None:
        truth = f"{truth}; worth {plural(one.effective, 'answer', 'answers')} asked for this pair"
    rows: Sequence[ForestRow] = [
        _row("Labels", one.labels, labels, styles, axis),
        _row("Judged truth", one.truth, truth, styles, axis),
    ]
    return ForestPanel(one.figure, METRICS[one.figure].heading, rows)


def _words(one: Estimate) -> str:
    if one.value is None:
        return "undefined"
    return f"{clipped(one.higher, 30)} higher" if one.higher else "undecided"


def _row(title: str, one: Estimate, words: str, styles: Mapping[str, int], axis: Axis) -> ForestRow:
    at, low, high = (None if value is None else axis.place(value) for value in (one.value, one.low, one.high))
    style = None if one.higher is None else styles[one.higher]
    return ForestRow(SourceRow(title, one.signed_text, words, style), at, low, high)
