"""Which columns of a table say what, and the record that a row is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arena.base.errors import ArenaError
from arena.dataset.ratings import rating_word
from arena.dataset.records import Content, Record, RefusedError
from arena.dataset.sources.facts import facts_of
from arena.dataset.sources.hints import Hints
from arena.dataset.sources.labels import Labels, labels_of, tags_in
from arena.dataset.sources.tree import Tree

PATHS = ("path", "file_name", "filename", "image_path", "file", "image")
TAGS = ("tags", "tag_string", "labels", "label")
IDS = ("image_id", "id")
TAKEN = ("path", "sha256", "pixel_sha256", "width", "height", "phash", "dhash", "tags", "rating", "group", "image_id")
"""Columns that an import makes itself."""


@dataclass(frozen=True)
class Columns:
    """The columns of a table.

    Attributes:
        path: of the image's file, or of the image itself.
        tags: empty where the tags lie in several columns by category.
        image_id, rating: empty where there is none.
        keep: further ones to keep.
        names: what numbers in `tags` mean.
    """

    path: str
    tags: str
    image_id: str
    rating: str
    keep: tuple[str, ...]
    separator: str
    names: tuple[str, ...] = ()

    @classmethod
    def choose(cls, where: Path, present: Sequence[str], hints: Hints, names: Sequence[str] = ()) -> "Columns":
        """The columns that the hints name, or else those whose name says what they hold.

        Raises:
            ArenaError: one that is needed or named is not there.
        """
        for option, name in (
            ("--path-column", hints.path_column), ("--tags-column", hints.tags_column), ("--id-column", hints.id_column),
            ("--rating-column", hints.rating_column), *(("--keep", name) for name in hints.keep),
        ):  # fmt: skip
            if name and name not in present:
                raise ArenaError(f"{where}: {option} {name}: no such column; it has {', '.join(present) or 'none'}")
        if made := sorted({*hints.keep} & {*TAKEN}):
            raise ArenaError(f"{where}: --keep {made[0]}: an import makes a column of this name itself; rename it")
        path = hints.path_column or _first(PATHS, present)
        if not path:
            raise ArenaError(f"{where}: no column of paths; it has {', '.join(present)}. Name it with --path-column")
        tags = hints.tags_column or _first(TAGS, present)
        if not tags and not any(name.startswith(("tag_string_", "tags_")) for name in present):
            raise ArenaError(f"{where}: no column of tags; it has {', '.join(present)}. Name it with --tags-column")
        identifier = hints.id_column or _first(IDS, [name for name in present if name != path])
        rating = hints.rating_column or _first(("rating",), present)
        return cls(path, tags, identifier, rating, hints.keep, hints.separator, tuple(names))

    def record(self, where: str, values: Mapping[str, Any], content: Content, fallback: str) -> Record:
        """The record of a row.

        Args:
            content: its image.
            fallback: what it is called where no column says so.

        Raises:
            RefusedError: the row cannot be taken.
        """
        image_id = values.get(self.image_id) if self.image_id else fallback
        if image_id in (None, ""):
            raise RefusedError("unreadable row", f"column {self.image_id} is empty")
        labels = self._labels(values)
        facts = facts_of(values, self.keep)
        return Record(str(image_id), content, labels.tags, labels.rating, facts, labels.categories, where)

    def _labels(self, values: Mapping[str, Any]) -> Labels:
        rating = rating_word(values.get(self.rating))
        if self.tags in ("", "tags", "tag_string") and not self.names:
            found = labels_of(values, self.separator)
            if found is None:
                raise RefusedError("no tags", "the row has none")
            return found._replace(rating=rating)
        if values.get(self.tags) is None:
            raise RefusedError("no tags", f"column {self.tags} is empty")
        return Labels(tuple(tags_in(values[self.tags], self.separator, self.names)), {}, rating)


def path_in(values: Mapping[str, Any], column: str, tree: Tree) -> Path:
    """The file that a row names.

    Raises:
        RefusedError: it names none, or one that is missing or lies outside the folder.
    """
    name = values.get(column)
    if not isinstance(name, str) or not name:
        raise RefusedError("unreadable row", f"column {column} names no file")
    return tree.find(name)


def read_names(path: Path | None) -> tuple[str, ...]:
    """A tag name a line.

    Raises:
        ArenaError: the file cannot be read, or is empty.
    """
    if path is None:
        return ()
    try:
        names = tuple(filter(None, map(str.strip, path.read_text(encoding="utf-8-sig").splitlines())))
    except (OSError, UnicodeDecodeError) as error:
        raise ArenaError(f"{path}: no readable list of tag names ({error})") from None
    if not names:
        raise ArenaError(f"{path}: no tag name in it; write one a line")
    return names


def _first(wanted: Sequence[str], present: Sequence[str]) -> str:
    return next((name for name in wanted if name in present), "")
