"""The file of what could not be taken, and why."""

import csv
from collections.abc import Iterable
from pathlib import Path

from arena.heldout.records import Reject

MAX_CELL = 300
"""Characters of a cell; a name may be megabytes long."""

FORMULA = ("=", "+", "-", "@")
"""What a spreadsheet would run where a cell starts with it."""


def write_rejects(path: Path, rejects: Iterable[Reject]) -> int:
    """Write a row a reject, whole or not at all; returns how many there were.

    Newlines and control characters are escaped, and a cell that a spreadsheet would take for a formula starts with a quote.
    """
    temporary = path.with_name(path.name + ".part")
    count = 0
    with temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(("where", "image_id", "reason", "detail"))
        for reject in rejects:
            writer.writerow(map(_cell, (reject.where, reject.image_id, reject.reason, reject.detail)))
            count += 1
    temporary.replace(path)
    return count


def _cell(text: str) -> str:
    r"""Text that stays on its line and is no formula.

    >>> _cell("=a\nb")
    "'=a\\nb"
    """
    escaped = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "backslashreplace").decode()
        for letter in text[: MAX_CELL + 1]
    )
    cut = escaped if len(escaped) <= MAX_CELL else f"{escaped[:MAX_CELL]}..."
    return "'" + cut if cut.startswith(FORMULA) else cut
