"""`pick.md`: the conclusion and the tables of `arena pick` in Markdown."""

from collections.abc import Mapping
from typing import Any

from arena.base.format import encodable, escape_markdown, plural
from arena.report.markdown import bullets, code, table
from arena.report.pick.tables import (
    TextTable,
    agreement_table,
    alone_table,
    difference_table,
    expected_table,
    rule_table,
    shift_table,
)
from arena.report.pick.words import ASSUMPTION, alarm, notes


def pick_markdown(document: Mapping[str, Any]) -> str:
    """Return the document as Markdown."""
    images, names = document["images"], list(document["models"])
    common = plural(document["common_tags"], "common tag", "common tags")
    subject = f"{plural(images['scored'], 'image', 'images')} of {images['title']}, {common}"
    parts = [
        f"# {' or '.join(map(escape_markdown, names))} for {escape_markdown(images['title'])}",
        escape_markdown(" ".join(document["conclusion"])),
        escape_markdown(f"{subject}; no label was used."),
    ]
    if said := [*filter(None, [alarm(document)]), *notes(document)]:
        parts.append(bullets(said))
    if document["calibration"]:
        parts += ["## Expected metrics", escape_markdown(ASSUMPTION), _table(expected_table(document))]
        parts += [_table(difference_table(document)), "## Pictures and labelled images", _table(shift_table(document))]
    parts += ["## Agreement", _table(agreement_table(document))]
    parts += ["## Tags that only one tagger gives", _table(alone_table(document))]
    parts += ["## Broken rules between tags", _table(rule_table(document))]
    if document["judging"]:
        parts += ["## Answers of people", code("arena judge page FOLDER FOLDER/plan.parquet")]
    return encodable("\n\n".join(part for part in _without_empty(parts)) + "\n")


def _table(one: TextTable) -> str:
    rows = [tuple(cell.replace("\n", " ") for cell in row) for row in one.rows]
    return table([one.header, *rows], numbers_from=one.text_columns) if rows else ""


def _without_empty(parts: list[str]) -> list[str]:
    """Return the parts without empty tables, and without titles that have nothing below them."""
    kept = [part for part in parts if part]
    return [
        part
        for part, after in zip(kept, [*kept[1:], "## "], strict=True)
        if not (part.startswith("## ") and after.startswith("## "))
    ]
