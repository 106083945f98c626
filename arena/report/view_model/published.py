"""Published results as rows; they are never ranked with measured results, because they are on other images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from arena.base.format import UNDEFINED, count, figure, plural
from arena.metrics.registry import HEADLINES, LEADERBOARD
from arena.report.view_model.leaderboard import Cell

PUBLISHED_MARK = "published, other images, unpaired"
"""Label of every published row."""

PUBLISHED_CAVEAT = (
    "Published results are on other images and other tags than this run. A difference from them also reflects the different "
    "images, and it is not tested. A value that the file does not state is shown as –."
)


@dataclass(frozen=True)
class PublishedRow:
    """One published model as a row; `cells` by key of `LEADERBOARD`, without rank or mark."""

    name: str
    source: str
    threshold: str
    images: str
    tags: str
    convention: str
    cells: Mapping[str, Cell]
    notes: Sequence[str]


def published_rows(entries: Sequence[Mapping[str, Any]]) -> list[PublishedRow]:
    """Return the entries of `published` in `summary.json` as rows, in their order."""
    return [
        PublishedRow(
            name=one["name"],
            source=one["source"],
            threshold=one["threshold"],
            images=plural(one["images"], "image", "images") if one["images"] else "images unknown",
            tags=plural(one["tags"], "tag", "tags") if one["tags"] else "tags unknown",
            convention=one["convention"],
            cells={key: Cell(figure(one[key]), one[key], one.get(f"{key}_tags") or None) for key in LEADERBOARD},
            notes=one["notes"],
        )
        for one in entries
    ]


def published_line(row: PublishedRow) -> str:
    """Return one row as a line of text."""
    figures = ", ".join(f"{title} {row.cells[key].text}" for key, title in HEADLINES.items())
    return f"{row.name} ({PUBLISHED_MARK}; {row.source}, {row.images}, {row.tags}): {figures}"


def published_table(rows: Sequence[PublishedRow]) -> list[list[str]]:
    """Return a text table: the header, then one row per model."""
    header = ["published", *HEADLINES.values(), "threshold", "images", "tags", "file"]
    return [
        header,
        *([row.name, *(row.cells[key].text for key in HEADLINES), row.threshold, *_size(row)] for row in rows),
    ]


def _size(row: PublishedRow) -> list[str]:
    parts = (row.images.partition(" "), row.tags.partition(" "))
    return [UNDEFINED if last == "unknown" else first for first, _, last in parts] + [row.source]


def aggregate_text(key: str, value: Any) -> str:
    """Return a value of an aggregate as the terminal displays it.

    >>> aggregate_text("macro_f1", 0.57844), aggregate_text("macro_f1_tags", 5813), aggregate_text("micro_f1", None)
    ('0.5784', '5,813', '–')
    """
    if value is None:
        return UNDEFINED
    return count(value) if key.endswith("_tags") else figure(value)
