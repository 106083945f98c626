"""JoyTag's `detailed_metrics.txt`: one block per tag with one line per model; metrics without counts."""

import re
from pathlib import Path

from arena.base.format import shown
from arena.results.published.record import Published
from arena.results.published.rows import PublishedTag, count_decimals, line_error, publish_rows, read_published_text

_FORMAT = "detailed-metrics"

_NUMBER = r"(\d(?:\.\d+)?|nan)"

DETAILED_METRICS_LINE = re.compile(f"(.*?) *: Precision {_NUMBER}, Recall {_NUMBER}, F1 {_NUMBER}, AP {_NUMBER}")
"""The line of one model's metrics of one tag."""


def read_detailed_metrics(path: Path) -> dict[str, Published]:
    """Read every model of the file, in its order; counts, support and threshold are unknown, and 0.0000 may mean undefined.

    Raises:
        ArenaError: a block is damaged, or lacks a model that the other blocks have.

    Source: JoyTag's `detailed_metrics.txt`.
    """
    lines = read_published_text(path).split("\n")
    rows: dict[str, list[PublishedTag]] = {}
    written: list[str] = []
    tag, models = "", 0
    for number, line in enumerate(lines, 1):
        match = DETAILED_METRICS_LINE.fullmatch(line)
        if tag and match is not None:
            model, *metrics = match.groups()
            written += [text for text in metrics if text != "nan"]
            precision, recall, f1, ap = (None if text == "nan" else float(text) for text in metrics)
            row = PublishedTag(number, tag, precision=precision, recall=recall, f1=f1, ap=ap)
            rows.setdefault(model, []).append(row)
            models += 1
        elif not tag and line and match is None:
            tag, models = line, 0
        elif not line and (models or not tag):
            tag = "" if _is_complete(path, number, tag, models, rows) else tag
        else:
            raise line_error(path, number, _fault(tag, line))
    _is_complete(path, len(lines), tag, models, rows)
    digits = count_decimals(written)
    return {name: publish_rows(path, own, name=name, form=_FORMAT, digits=digits) for name, own in rows.items()}


def _is_complete(path: Path, number: int, tag: str, models: int, rows: dict[str, list[PublishedTag]]) -> bool:
    """Return True if a block has as many models as the other blocks, else raise ArenaError."""
    if tag and models != len(rows):
        fault = (
            f"tag {shown(tag)}: {models} of {len(rows)} models ({', '.join(rows)}); the file is truncated or damaged"
        )
        raise line_error(path, number, f"{fault}, fetch it again")
    return True


def _fault(tag: str, line: str) -> str:
    if not tag:
        return f"metrics before the name of a tag: {shown(line)}; the file is damaged, fetch it again"
    found = shown(line) if line else "the end of the block"
    expected = "expected 'model: Precision 0.0000, Recall 0.0000, F1 0.0000, AP 0.0000'"
    return f"tag {shown(tag)}: {expected}, found {found}; the file is truncated or damaged, fetch it again"
