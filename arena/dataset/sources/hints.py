"""What a user may say of a source that it does not say itself."""

from dataclasses import dataclass
from pathlib import Path

SEPARATORS = ("auto", "comma", "line", "space")
"""How tags in one text are parted."""


@dataclass(frozen=True)
class Hints:
    """What a user may say of a source; what is empty is found out.

    Attributes:
        images: folder of the images, where they do not lie beside the table.
        path_column, tags_column, id_column, rating_column: columns of a table.
        keep: further columns of a table to keep, as text.
        separator: how tags in one text are parted, one of `SEPARATORS`.
        tag_names: text file with a tag name a line, which numbers in the source count from 0.
    """

    images: Path | None = None
    path_column: str = ""
    tags_column: str = ""
    id_column: str = ""
    rating_column: str = ""
    keep: tuple[str, ...] = ()
    separator: str = "auto"
    tag_names: Path | None = None
