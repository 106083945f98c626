"""Options of the user that describe a source."""

from dataclasses import dataclass
from pathlib import Path

SEPARATORS = ("auto", "comma", "line", "space")
"""Separators of the tags in one text."""


@dataclass(frozen=True)
class Hints:
    """Options that describe a source; an empty option is detected.

    Attributes:
        images: folder of the images; None for the folder of the table.
        path_column, tags_column, id_column, rating_column: columns of a table.
        keep: further columns of a table to keep, as text.
        separator: separator of the tags in one text, one of `SEPARATORS`.
        tag_names: text file with one tag name per line; a number in the source is an index into it, from 0.
    """

    images: Path | None = None
    path_column: str = ""
    tags_column: str = ""
    id_column: str = ""
    rating_column: str = ""
    keep: tuple[str, ...] = ()
    separator: str = "auto"
    tag_names: Path | None = None
