"""Published results beside measured ones, in words: never ranked with them, for they are of other images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from arena.base.format import UNDEFINED, count, figure, plural
from arena.metrics.registry import HEADLINES, LEADERBOARD
from arena.report.view_model.leaderboard import Cell

MARK = "published, other images, unpaired"
"""How such a row is marked wherever it stands."""

CAVEAT = (
    "Published figures are of other images and other tags than those that were scored here: a difference from them holds the "
    "difference of the images too, and nothing is tested. What a file does not tell is shown as –."
)


@dataclass(frozen=True)
class PublishedRow:
    """One published model as a row; `cells` by key of `LEADERBOARD`, none of them ranked or marked."""

    name: str
    source: str
    threshold: str
    images: str
    tags: str
    convention: str
    cells: Mapping[str, Cell]
    notes: Sequence[str]


def published_rows(entries: Sequence[Mapping[str, Any]]) -> list[PublishedRow]:
    """The entries of `summary.json`'s `published`, in their order."""
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


def published_told(row: PublishedRow) -> str:
    """One row as a line."""
    figures = ", ".join(f"{title} {row.cells[key].text}" for key, title in HEADLINES.items())
    return f"{row.name} ({MARK}; {row.source}, {row.images}, {row.tags}): {figures}"


def published_table(rows: Sequence[PublishedRow]) -> list[list[str]]:
    """A header and a row a model, for a table of text."""
    header = ["published", *HEADLINES.values(), "threshold", "images", "tags", "file"]
    return [
        header,
        *([row.name, *(row.cells[key].text for key in HEADLINES), row.threshold, *_size(row)] for row in rows),
    ]


def _size(row: PublishedRow) -> list[str]:
    parts = (row.images.partition(" "), row.tags.partition(" "))
    return [UNDEFINED if last == "unknown" else first for first, _, last in parts] + [row.source]


def detail(key: str, value: Any) -> str:
    """A figure of an aggregate as the terminal shows it.

    >>> detail("macro_f1", 0.57844), detail("macro_f1_tags", 5813), detail("micro_f1", None)
    ('0.5784', '5,813', '–')
    """
    if value is None:
        return UNDEFINED
    return count(value) if key.endswith("_tags") else figure(value)
