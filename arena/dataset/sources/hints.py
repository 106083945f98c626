"""Options of the user that describe a source."""

from dataclasses import dataclass, field
from pathlib import Path

from arena.dataset.sources.forms import AUTO, TagForms


@dataclass(frozen=True)
class Hints:
    """Options that describe a source; an empty option is detected.

    Attributes:
        images: folder of the images; None for the folder of the table.
        path_column, tags_column, id_column, rating_column: columns of a table.
        keep: further columns of a table to keep, as text.
        separator: form of the tags in one text, one of `SEPARATORS`.
        tag_names: text file with one tag name per line; a number in the source is an index into it, from 0.
        forms: splits texts into tags; `DatasetSource` makes it from `separator` and the texts of the source.
    """

    images: Path | None = None
    path_column: str = ""
    tags_column: str = ""
    id_column: str = ""
    rating_column: str = ""
    keep: tuple[str, ...] = ()
    separator: str = AUTO
    tag_names: Path | None = None
    forms: TagForms = field(default_factory=TagForms)
