"""A folder of images with their tags beside them, as trainers and downloaders keep them.

Beside `a.png` lie `a.txt` or `a.png.txt` (tags parted by commas, as kohya and taggui write them, or one a line, as hydrus
does) or `a.json` or `a.png.json` (an object with `tags`, or what gallery-dl writes). Where there are both, the text, which
people edit, holds the tags, and the object the rest.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from arena.dataset.readers import identifiers
from arena.dataset.records import Found, Record, RefusedError, Reject
from arena.dataset.sources.facts import facts_of
from arena.dataset.sources.hints import Hints
from arena.dataset.sources.labels import Labels, caption, labels_of
from arena.dataset.sources.tree import Level, Tree, shown
from arena.images.decode import IMAGE_SUFFIXES


def read(path: Path, hints: Hints) -> Found:
    """Every image below a folder; its identifier is the path below the folder without the suffix."""
    tree = Tree.at(path)
    for level in tree.walk():
        yield from _outside(tree, level)
        present = set(level.files)
        images = [name for name in level.files if Path(name).suffix.lower() in IMAGE_SUFFIXES]
        ids = dict(zip(images, identifiers(list(images)), strict=True))
        for name in images:
            where, image_id = shown(level.path(name)), shown(level.path(ids[name]))
            try:
                yield _record(tree, level, name, present, hints, image_id)
            except RefusedError as error:
                yield Reject(where, image_id, error.reason, error.detail)


def count(path: Path) -> int:
    """The number of images below a folder."""
    return sum(Path(name).suffix.lower() in IMAGE_SUFFIXES for level in Tree.at(path).walk() for name in level.files)


def sidecar_labels(text: str | None, table: Mapping[str, Any] | None, separator: str) -> Labels:
    """The labels of one image from the text and the object beside it, either of which may be absent.

    Raises:
        RefusedError: neither holds tags.
    """
    described = labels_of(table, separator) if table is not None else None
    if text is None and described is None:
        raise RefusedError(
            "no tags", "no tags in the object beside it" if table else "nothing beside it tells its tags"
        )
    if text is None or (not (written := caption(text, separator)).tags and described is not None):
        return described or Labels(())
    if described is None:
        return written
    return Labels(written.tags, {**described.categories, **written.categories}, written.rating or described.rating)


def parse_object(text: str, where: str) -> Mapping[str, Any]:
    """A JSON object.

    Raises:
        RefusedError: it is none.
    """
    try:
        table = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RefusedError("unreadable row", f"{where}: {str(error)[:100]}") from None
    if not isinstance(table, dict):
        raise RefusedError("unreadable row", f"{where}: {type(table).__name__} in place of an object")
    return table


def _outside(tree: Tree, level: Level) -> Iterator[Reject]:
    """A reject for each linked folder that lies elsewhere; what lies inside is seen in its own place."""
    for name in level.links:
        target = (tree.root / level.path(name)).resolve()
        if not target.is_relative_to(tree.root):
            yield Reject(shown(level.path(name)), "", "outside the folder", "a link to a folder elsewhere")


def _record(tree: Tree, level: Level, name: str, present: set[str], hints: Hints, image_id: str) -> Record:
    where = shown(level.path(name))
    content = tree.find(level.path(name))
    stem = name.removesuffix(Path(name).suffix)

    def beside(suffix: str) -> str | None:
        found = next((name for name in (f"{name}{suffix}", f"{stem}{suffix}") if name in present), None)
        return None if found is None else tree.text(level.path(found))

    text, described = beside(".txt"), beside(".json")
    table = None if described is None else parse_object(described, f"{where}: .json")
    labels = sidecar_labels(text, table, hints.separator)
    facts = facts_of(table or {})
    return Record(image_id, content, labels.tags, labels.rating, facts, labels.categories, where)
