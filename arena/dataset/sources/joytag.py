"""Reader of JoyTag's Parquet: `post_id`, `tags` as a list of int16, and `hash`, the SHA-256 of the image file.

The numbers in `tags` are indices into a list of tag names (`--tag-names`, else `top_tags.txt` or `tags.txt` in the folder of
the Parquet file). The file name of the image is the hash in hexadecimal, else the post's identifier.
"""

from pathlib import Path
from typing import Any

from arena.base.errors import ArenaError
from arena.dataset.ratings import rating_word
from arena.dataset.records import Record, Reject, RowRefusedError, SourceItems
from arena.dataset.sources.columns import read_tag_name_list
from arena.dataset.sources.facts import row_facts
from arena.dataset.sources.hints import Hints
from arena.dataset.sources.labels import parse_tags
from arena.dataset.sources.posts import find_image
from arena.dataset.sources.rows import TableRow, read_table_rows
from arena.dataset.sources.tree import Tree

_NAME_FILES = ("top_tags.txt", "tags.txt")
"""File names of the list of tag names; the first that exists is read."""


def read(path: Path, hints: Hints) -> SourceItems:
    """Yield every row, in the order of the file.

    Raises:
        ArenaError: there is no list of tag names.
    """
    names = read_tag_name_list(hints.tag_names or _find_name_list(path))
    tree = Tree.at(hints.images or path.parent)
    files = tree.by_stem()
    for row in read_table_rows(path, path.name):
        if isinstance(row, Reject):
            yield row
            continue
        try:
            yield _record(row, tree, files, names)
        except RowRefusedError as error:
            yield Reject(row.where, str(row.values.get("post_id") or "")[:100], error.reason, error.detail)


def _find_name_list(path: Path) -> Path:
    """Return the path of the list of tag names in the folder of a Parquet file.

    Raises:
        ArenaError: there is none.
    """
    for name in _NAME_FILES:
        if (path.parent / name).is_file():
            return path.parent / name
    raise ArenaError(
        f"{path}: its tags are numbers, and {path.parent} has no {' or '.join(_NAME_FILES)}; give --tag-names FILE"
    )


def _record(row: TableRow, tree: Tree, files: dict[str, str], names: tuple[str, ...]) -> Record:
    facts = row_facts(row.values)
    digest = _hexadecimal(row.values.get("hash"))
    image_id = str(facts.get("post_id", digest))
    if not image_id:
        raise RowRefusedError("unreadable row", "neither post_id nor hash")
    if row.values.get("tags") is None:
        raise RowRefusedError("no tags", "column tags is empty")
    content = find_image(tree, files, digest, image_id)
    tags = parse_tags(row.values["tags"], names=names).tags
    return Record(image_id, content, tags, rating_word(row.values.get("rating")), facts, where=row.where)


def _hexadecimal(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else value if isinstance(value, str) else ""
