"""Write and read the CSV file of rejected images and the reasons."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from arena.base.errors import ArenaError
from arena.base.files import open_whole
from arena.dataset.records import Reject

MAX_CELL = 300
"""Largest number of characters of a cell, because a name may be megabytes long."""

FORMULA = ("=", "+", "-", "@")
"""First characters that make a spreadsheet evaluate a cell as a formula."""


def write_rejects(path: Path, rejects: Iterable[Reject]) -> int:
    """Write one row per reject, completely or not at all, and return the number of rows.

    Newlines and control characters are escaped. A cell that a spreadsheet would evaluate as a formula starts with a quote.
    """
    count = 0
    with open_whole(path, durable=True) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(("where", "image_id", "reason", "detail"))
        for reject in rejects:
            writer.writerow(map(_cell, (reject.where, reject.image_id, reject.reason, reject.detail)))
            count += 1
        text.detach()  # otherwise the wrapper closes the file
    return count


def read_rejects(path: Path) -> list[Reject]:
    """Read a file of `write_rejects`, cells as written (escaped); empty if there is no file.

    Raises:
        ArenaError: the file is damaged.
    """
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [Reject(*row) for row in csv.reader(file)][1:]
    except (ValueError, TypeError, csv.Error) as error:
        raise ArenaError(f"{path}: damaged ({error}); delete it, and the rejected images are tried again") from None


def _cell(text: str) -> str:
    r"""Escape a text so that it stays on one line and is not a formula; longer texts are cut to `MAX_CELL`.

    >>> _cell("=a\nb")
    "'=a\\nb"
    """
    escaped = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "backslashreplace").decode()
        for letter in text[: MAX_CELL + 1]
    )
    cut = escaped if len(escaped) <= MAX_CELL else f"{escaped[:MAX_CELL]}..."
    return "'" + cut if cut.startswith(FORMULA) else cut
