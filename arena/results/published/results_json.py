"""`results.json`, which `arena publish --forms` writes: one model with its averages and all its tags."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from arena.base.errors import IncomparableError
from arena.base.reading import parse_json
from arena.base.schema import COUNT, NUMBER, TEXT, Schema, optional, table_of
from arena.metrics.counts import CONVENTIONS
from arena.metrics.registry import AGGREGATES
from arena.results.published.record import PUBLISHED_COLUMNS, Published
from arena.results.published.rows import FLOATS, PublishedTag, publish_rows, read_published_text

_FORMAT = "results-json"

_SCHEMA = 1
"""Version of the file that is read."""

_FIX = "fetch it again, or write it again with arena publish --forms"

_BEGINNING = re.compile(r'\s*\{\s*"\$schema"\s*:\s*"results\.schema\.json"')

_TAG = table_of(
    {"tag": TEXT, "support": COUNT},
    {
        name: optional(NUMBER if name in FLOATS else COUNT)
        for name in PUBLISHED_COLUMNS
        if name not in ("tag", "category", "support")
    }
    | {"category": optional(TEXT)},
)

_CONTENT = Schema(
    table_of(
        {
            "schema": COUNT, "model": TEXT, "images": COUNT, "convention": TEXT, "threshold": TEXT,
            "figures": table_of(others=table_of({"value": optional(NUMBER)}, {"tags": optional(COUNT)})),
            "tags": {"type": "array", "items": _TAG},
        },
    )
)  # fmt: skip


def is_results_json(text: str) -> bool:
    """Whether text starts like `results.json`."""
    return _BEGINNING.match(text) is not None


def read_results_json(path: Path) -> dict[str, Published]:
    """Read the model of the file. Averages are those of the file, over the tags that the models of its run share.

    Raises:
        ArenaError: the file is damaged, or a tag contradicts itself.
        IncomparableError: the file has another schema version.
    """
    content = parse_json(read_published_text(path), path, fix=_FIX)
    if isinstance(content, dict) and content.get("schema") != _SCHEMA:
        found = content.get("schema")
        raise IncomparableError(
            f"{path}: schema {found!r:.40}, this version reads {_SCHEMA}; write it again with a run's arena"
        )
    _CONTENT.check(content, path, fix=_FIX)
    rows = [_row(number, tag) for number, tag in enumerate(content["tags"], 1)]
    published = publish_rows(path, rows, name=content["model"], form=_FORMAT, digits=None)
    convention = content["convention"] if content["convention"] in CONVENTIONS else ""
    done = replace(published, images=content["images"], figures=_figures(content["figures"]), convention=convention)
    return {done.name: done}


def _row(number: int, tag: Mapping[str, Any]) -> PublishedTag:
    values: dict[str, Any] = {name: tag.get(name) for name in PUBLISHED_COLUMNS}
    return PublishedTag(number, **values)


def _figures(content: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    known = {key: one for key, one in content.items() if key in AGGREGATES}
    values = {key: one["value"] for key, one in known.items()} | {
        f"{key}_tags": one.get("tags") for key, one in known.items()
    }
    return {key: value for key, value in values.items() if value is not None}
