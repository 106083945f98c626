"""Small real sources of every kind, made of drawn pictures."""

import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from arena.dataset.records import Record, Reject
from arena.dataset.sources import open_source
from arena.dataset.sources.hints import Hints

from ...conftest import draw


def picture(seed: int, kind: str = "PNG") -> bytes:
    """A drawn picture as a file of some kind."""
    buffer = io.BytesIO()
    draw(seed, (40, 30)).save(buffer, kind)
    return buffer.getvalue()


def put(path: Path, content: bytes | str | int) -> Path:
    """Write a file, and its folder; a number is a drawn picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, int):
        content = picture(content)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def lines(rows: Iterable[dict[str, Any]]) -> str:
    """JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows)


def read(path: Path, kind: str | None = None, **hints: Any) -> tuple[list[Record], list[Reject]]:
    """The records and the rejects of a source."""
    found = list(open_source(path, kind, Hints(**hints)).records())
    return [row for row in found if isinstance(row, Record)], [row for row in found if isinstance(row, Reject)]


def tags_of(records: list[Record]) -> dict[str, tuple[str, ...]]:
    return {record.image_id: record.tags for record in records}


def reasons(rejects: list[Reject]) -> list[tuple[str, str]]:
    return [(reject.where, reject.reason) for reject in rejects]
