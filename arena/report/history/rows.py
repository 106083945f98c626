"""A history as rows, for the terminal, CSV, JSON and the table of the page."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from arena.base.format import listed, plural
from arena.metrics.registry import METRICS
from arena.report.history.series import History, HistoryPoint, Track, uncorrected_means


@dataclass(frozen=True)
class HistoryRow:
    """The value of one track in one release.

    Attributes:
        track: the headline metric or tag; `is_first` is true in its first row.
        release: name of the release.
        day: date when it was set, `YYYY-MM-DD`; empty if unknown.
        dataset: name of its images.
        series: index of the series in its track, from 0. Values of different series are not comparable.
        change: difference from the previous defined point of the series; None without one.
        apart: whether the intervals of these two points do not overlap.
    """

    track: Track
    is_first: bool
    release: str
    day: str
    dataset: str
    series: int
    point: HistoryPoint
    change: float | None
    apart: bool


def history_rows(history: History) -> list[HistoryRow]:
    """Return one row for each point, ordered by track, then by release."""
    return [row for track in history.tracks for row in _rows(history, track)]


def _rows(history: History, track: Track) -> Iterator[HistoryRow]:
    before: dict[int, HistoryPoint] = {}
    points = sorted(
        ((point, number, one.group) for number, one in enumerate(track.series) for point in one.points),
        key=lambda row: row[0].place,
    )
    for place, (point, number, group) in enumerate(points):
        release, last = history.releases[point.place], before.get(number)
        if point.value is not None:
            before[number] = point
        change = None if last is None or point.value is None or last.value is None else point.value - last.value
        yield HistoryRow(
            track, place == 0, release.name, release.created[:10], history.datasets[group], number, point, change,
            last is not None and _are_disjoint(last, point),
        )  # fmt: skip


def _are_disjoint(one: HistoryPoint, other: HistoryPoint) -> bool:
    """Return whether two intervals do not overlap; False if one is missing.

    >>> _are_disjoint(HistoryPoint(0, 0.7, 0.6, 0.8, 9, 0.5), HistoryPoint(1, 0.4, 0.3, 0.5, 9, 0.5))
    True
    """
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return False
    return other.low > one.high or other.high < one.low


def history_notes(history: History) -> list[str]:
    """Return notes for the reader: thresholds, missing metrics, separate series, choice of tags, missing tags."""
    notes = []
    metric = METRICS[history.figure]
    if metric.needs_threshold:
        notes.append(f"{metric.heading} of a tag is measured at the threshold of each release.")
    if without := [one.name for one in history.releases if metric.key not in one.tags]:
        notes.append(
            f"{metric.heading} is missing in the run of {listed(without)}, which an older version of arena made."
        )
    uncorrected = [one.name for one in history.releases if uncorrected_means(one)]
    if not uncorrected:
        notes.append(
            "Macro F1 and mAP are without the bias of means over rare tags; CSV and JSON have the plain means too."
        )
    elif len(uncorrected) < len(history.releases):
        notes.append(
            f"Macro F1 and mAP are plain means where they are compared with {listed(uncorrected)}: a run without resamples or "
            "of an older version has no others."
        )
    if len(history.datasets) > 1:
        named = "; ".join(f"{number}: {name}" for number, name in enumerate(history.datasets, 1))
        notes.append(f"Releases with other images or rules form separate series; no line joins two: {named}.")
    if any(len(track.series) > len(history.datasets) for track in history.headlines):
        notes.append("Means over other compared tags form separate series too.")
    if not history.chosen:
        notes.append(_how_chosen(history))
    for track in history.tags:
        if track.unknown:
            names = ", ".join(history.releases[place].name for place in track.unknown)
            notes.append(f"{track.title}: unknown to {names}.")
    return notes


def _how_chosen(history: History) -> str:
    tags = plural(history.of_tags, "compared tag", "compared tags")
    if not history.moved:
        return f"None of {tags} moved: between releases on the same images, all intervals of a tag overlap."
    shown = "" if len(history.tags) == history.moved else f"; the {len(history.tags)} that moved most are shown"
    moved = (
        f"{history.moved:,} of {tags} moved: the intervals of two releases on the same images do not overlap{shown}."
    )
    return f"{moved} With many tags some move by chance; arena check tests for that."


HISTORY_COLUMNS = (
    "figure", "tag", "category", "release", "date", "dataset", "series", "support", "threshold", "value", "low", "high",
    "change", "beyond_intervals", "as_published",
)  # fmt: skip
"""Columns of the CSV and keys of the JSON; `tag` is empty for a headline metric. `as_published` is the plain value."""


def history_records(history: History) -> list[dict[str, Any]]:
    """Return every row as plain values under `HISTORY_COLUMNS`; undefined and unknown values are None."""
    return [dict(zip(HISTORY_COLUMNS, _record(history, row), strict=True)) for row in history_rows(history)]


def _record(history: History, row: HistoryRow) -> tuple[Any, ...]:
    track, point = row.track, row.point
    of_tag = track in history.tags
    return (
        history.figure if of_tag else track.name, track.title if of_tag else None, track.category or None, row.release,
        row.day, row.dataset, row.series, point.support, point.threshold, point.value, point.low, point.high, row.change,
        row.apart, point.value if point.plain is None else point.plain,
    )  # fmt: skip


def history_csv(history: History) -> str:
    """Return the records as CSV. Text is quoted; an apostrophe precedes text that a spreadsheet would run as a formula."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(HISTORY_COLUMNS)
    for record in history_records(history):
        writer.writerow([_cell(value) for value in record.values()])
    return out.getvalue()


def _cell(value: Any) -> Any:
    """Return a CSV cell: `yes` or `no` for a boolean, empty for None.

    >>> _cell("=1+1"), _cell(True), _cell(None), _cell(0.5)
    ("'=1+1", 'yes', '', 0.5)
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return "" if value is None else value
