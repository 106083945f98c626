"""The file of rejected images and the reasons."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from arena.base.errors import ArenaError
from arena.base.files import open_whole
from arena.dataset.records import Reject

MAX_CELL = 300
"""Characters of a cell; a name may be megabytes long."""

FORMULA = ("=", "+", "-", "@")
"""First characters that make a spreadsheet run a cell as a formula."""


def write_rejects(path: Path, rejects: Iterable[Reject]) -> int:
    """Write a row a reject, whole or not at all; returns how many there were.

    Newlines and control characters are escaped, and a cell that a spreadsheet would take for a formula starts with a quote.
    """
    count = 0
    with open_whole(path, durable=True) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(("where", "image_id", "reason", "detail"))
        for reject in rejects:
            writer.writerow(map(_cell, (reject.where, reject.image_id, reject.reason, reject.detail)))
            count += 1
        text.detach()  # or else it closes the file
    return count


def read_rejects(path: Path) -> list[Reject]:
    """What `write_rejects` wrote, as it stands in the file; none where there is no file.

    Raises:
        ArenaError: damaged.
    """
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [Reject(*row) for row in csv.reader(file)][1:]
    except (ValueError, TypeError, csv.Error) as error:
        raise ArenaError(f"{path}: damaged ({error}); delete it, what is missing is tried again") from None


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
