"""Definitions of tags: the optional file `tag_definitions.csv` of a dataset, with the columns `tag` and `definition`."""

from collections.abc import Mapping
from pathlib import Path

from arena.base.format import one_line
from arena.tags.rows import read_csv
from arena.tags.spelling import canonical_spelling

DEFINITIONS_FILE = "tag_definitions.csv"
"""Name of the file in the folder of a dataset."""

_COLUMNS = ("tag", "definition")


def read_definitions(folder: Path) -> Mapping[str, str]:
    """Return the definition of each tag that has one, in one line of text; empty without the file.

    Raises:
        ArenaError: the file cannot be read, or lacks a column.
    """
    rows = read_csv(folder / DEFINITIONS_FILE, _COLUMNS, complete=True)
    return {canonical_spelling(row["tag"]): one_line(row["definition"]) for row in rows if row["definition"].strip()}
