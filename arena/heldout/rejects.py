"""The file of rejects: what was not taken, in a table that is safe to open anywhere."""

import csv
import re
from collections.abc import Iterable
from pathlib import Path

from arena.heldout.records import Reject

MAX_CELL = 300
"""Characters of a cell; a name may be megabytes long."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def write_rejects(path: Path, rejects: Iterable[Reject]) -> None:
    """Write `where,image_id,reason,detail`, a row a reject, in the order given; whole or not at all."""
    temporary = path.with_name(path.name + ".part")
    with temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(Reject._fields)
        writer.writerows([_cell(text) for text in reject] for reject in rejects)
    temporary.replace(path)


def _cell(text: str) -> str:
    r"""Text in one line that no spreadsheet takes for a formula.

    >>> _cell("=1+1\n")
    "'=1+1\\n"
    """
    line = _CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode(), text)
    cut = line if len(line) <= MAX_CELL else f"{line[:MAX_CELL]}..."
    return f"'{cut}" if cut.startswith(("=", "+", "-", "@")) else cut
