"""Choose the columns of a table, and convert a row to a record."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arena.base.errors import ArenaError
from arena.base.format import listed
from arena.dataset.frozen import KNOWN_COLUMNS
from arena.dataset.ratings import rating_word
from arena.dataset.records import Content, Record, RowRefusedError
from arena.dataset.sources.facts import row_facts
from arena.dataset.sources.forms import TagForms
from arena.dataset.sources.hints import Hints
from arena.dataset.sources.labels import Labels, parse_checked, parse_labels, parse_tags
from arena.dataset.sources.rows import TAG_COLUMN_NAMES
from arena.dataset.sources.tree import Tree

PATH_COLUMN_NAMES = (
    "path", "file_name", "filename", "image_path", "file_path", "filepath", "image_file", "file", "image",
)  # fmt: skip
_ID_COLUMN_NAMES = ("image_id", "id")
_NUMBERED = re.compile(r"(?:tag|label)s?[ _.-]?\d+", re.IGNORECASE)
"""Name of a column with one of several tags, such as `tag_1`."""

_INDEX_COLUMNS = ("", "index", "unnamed: 0")
"""Names of a column of row numbers, as pandas writes it, in lower case."""

_PRESENT, _ABSENT = (1, "1", "1.0", "true", "yes"), (0, "0", "0.0", "false", "no", "", None)
"""Cells, in lower case, of a column that stands for one tag."""

_RESERVED_COLUMNS = (
    "path",
    "sha256",
    "pixel_sha256",
    "width",
    "height",
    "phash",
    "dhash",
    "tags",
    "rating",
    "group",
    "image_id",
    *KNOWN_COLUMNS,
)
"""Columns that an import writes itself."""


@dataclass(frozen=True)
class TableColumns:
    """The columns of a table.

    Attributes:
        path: column of the path of the image file, or of the image itself.
        tags: column of the tags; empty if each category has its own column, or if `cells` or `marks` is not empty.
        image_id, rating: empty if the table has no such column.
        keep: further columns to keep.
        forms: splits texts into tags.
        names: tag names; a number in `tags` is an index into them.
        cells: columns that hold one tag each.
        marks: columns that stand for one tag each and hold 0 or 1.
    """

    path: str
    tags: str
    image_id: str
    rating: str
    keep: tuple[str, ...]
    forms: TagForms
    names: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()

    @classmethod
    def choose(
        cls,
        where: Path,
        present: Sequence[str],
        hints: Hints,
        names: Sequence[str] = (),
        first: Mapping[str, Any] | None = None,
    ) -> "TableColumns":
        """Return the columns that the hints name, else the columns with one of the usual names.

        Args:
            first: values of the first row. Without a column of tags, all other columns are tags if each has 0 or 1 in it.

        Raises:
            ArenaError: a required or named column is missing, or `keep` names a column that an import writes itself.
        """
        _refuse_wrong_options(where, present, hints)
        path = hints.path_column or first_column(PATH_COLUMN_NAMES, present)
        if not path:
            raise ArenaError(f"{where}: no column of paths; it has {', '.join(present)}. Name it with --path-column")
        tags = hints.tags_column or first_column(TAG_COLUMN_NAMES, present)
        identifier = hints.id_column or first_column(_ID_COLUMN_NAMES, [name for name in present if name != path])
        rating = hints.rating_column or first_column(("rating",), present)
        cells = () if tags else tuple(name for name in present if _NUMBERED.fullmatch(name))
        per_category = any(name.startswith(("tag_string_", "tags_")) for name in present)
        marks = (
            () if tags or cells or per_category else _mark_columns(first or {}, {path, identifier, rating, *hints.keep})
        )
        if not (tags or cells or per_category or marks):
            raise ArenaError(f"{where}: no column of tags; it has {', '.join(present)}. Name it with --tags-column")
        if cells:
            hints.forms.describe(f"one tag per column ({listed(cells, keep=3)})")
        if marks:
            hints.forms.describe(f"{len(marks):,} columns with 0 or 1, one per tag ({listed(marks, keep=3)})")
        return cls(path, tags, identifier, rating, hints.keep, hints.forms, tuple(names), cells, marks)

    def record(self, where: str, values: Mapping[str, Any], content: Content, fallback: str) -> Record:
        """Return the record of a row.

        Args:
            where: place of the row in the source, for rejects.
            values: column -> value.
            content: the image.
            fallback: the identifier if the table has no column of identifiers.

        Raises:
            RowRefusedError: the row has no identifier or no tags, or a value cannot be read.
        """
        image_id = values.get(self.image_id) if self.image_id else fallback
        if isinstance(image_id, float) and image_id.is_integer():
            image_id = int(image_id)  # pandas stores integers as floats if one is missing
        if image_id in (None, ""):
            raise RowRefusedError("unreadable row", f"column {self.image_id} is empty")
        labels = self._labels(values)
        facts = row_facts(values, self.keep) | parse_checked(values, self.forms, self.names, self.tags)
        return Record(str(image_id), content, labels.tags, labels.rating, facts, labels.categories, where)

    def _labels(self, values: Mapping[str, Any]) -> Labels:
        rating = rating_word(values.get(self.rating))
        if self.cells or self.marks:
            single = parse_tags(self._single_tags(values), self.forms)
            return single._replace(rating=rating or single.rating)
        if self.tags in ("", "tags", "tag_string") and not self.names:
            found = parse_labels(values, self.forms, rating)
            if found is None:
                raise RowRefusedError("no tags", "the row has none")
            return found
        if values.get(self.tags) is None:
            raise RowRefusedError("no tags", f"column {self.tags} is empty")
        found = parse_tags(values[self.tags], self.forms, self.names, self.tags)
        return found._replace(rating=rating or found.rating)

    def _single_tags(self, values: Mapping[str, Any]) -> list[str]:
        """Return the tags of a row whose columns hold, or stand for, one tag each."""
        named = [str(values[name]).strip() for name in self.cells if values.get(name) not in (None, "")]
        return named + [name for name in self.marks if _marked(name, values.get(name))]


def _refuse_wrong_options(where: Path, present: Sequence[str], hints: Hints) -> None:
    """Raise ArenaError if an option names a column that is missing, or one that an import writes itself."""
    for option, name in (
        ("--path-column", hints.path_column), ("--tags-column", hints.tags_column), ("--id-column", hints.id_column),
        ("--rating-column", hints.rating_column), *(("--keep", name) for name in hints.keep),
    ):  # fmt: skip
        if name and name not in present:
            raise ArenaError(f"{where}: {option} {name}: no such column; it has {', '.join(present) or 'none'}")
    if reserved := sorted({*hints.keep} & {*_RESERVED_COLUMNS}):
        raise ArenaError(f"{where}: --keep {reserved[0]}: the import writes a column of this name; rename yours")


def _mark_columns(first: Mapping[str, Any], others: set[str]) -> tuple[str, ...]:
    """Return the columns that stand for one tag each.

    They are all columns of the table but the known ones, if there are two or more and each has 0 or 1 in the first row.
    """
    known = (*_RESERVED_COLUMNS, *_INDEX_COLUMNS)
    found = [name for name in first if name not in others and name.lower() not in known]
    return tuple(found) if len(found) > 1 and all(_mark(first[name]) is not None for name in found) else ()


def _mark(value: Any) -> bool | None:
    """Return whether a cell means that the image has the tag; None if it is neither 0 nor 1.

    >>> _mark(" True"), _mark(0.0), _mark("0.7")
    (True, False, None)
    """
    cell = value.strip().lower() if isinstance(value, str) else value
    return True if cell in _PRESENT else False if cell in _ABSENT else None


def _marked(name: str, value: Any) -> bool:
    if (found := _mark(value)) is None:
        detail = f"column {name} is {str(value)[:50]!r}; it stands for one tag, so it must be 0 or 1"
        raise RowRefusedError("unreadable row", detail)
    return found


def find_row_file(values: Mapping[str, Any], column: str, tree: Tree) -> Path:
    """Return the file that a row names.

    Raises:
        RowRefusedError: the row names no file, or the file is missing or outside the folder.
    """
    name = values.get(column)
    if not isinstance(name, str) or not name:
        raise RowRefusedError("unreadable row", f"column {column} names no file")
    return tree.find(tree.portable(name))


def read_tag_name_list(path: Path | None) -> tuple[str, ...]:
    """Return the tag names of a text file with one name per line; empty without a file.

    Raises:
        ArenaError: the file cannot be read or holds no name.
    """
    if path is None:
        return ()
    try:
        names = tuple(filter(None, map(str.strip, path.read_text(encoding="utf-8-sig").splitlines())))
    except (OSError, UnicodeDecodeError) as error:
        raise ArenaError(
            f"{path}: cannot be read as a list of tag names ({error}); give UTF-8 text, one name per line"
        ) from None
    if not names:
        raise ArenaError(f"{path}: holds no tag name; write one per line")
    return names


def first_column(wanted: Sequence[str], present: Sequence[str]) -> str:
    """Return the first wanted column that is present, as it is spelled there; capitals are ignored. Empty if there is none.

    Args:
        wanted: names in lower case, by priority.
        present: columns of the table.

    >>> first_column(("path", "file"), ["Tags", "File", "Path"])
    'Path'
    """
    own = {name.lower(): name for name in reversed(present)}
    return next((own[name] for name in wanted if name in own), "")
