"""Danbooru posts: JSON lines, one array of an API dump, or JoyTag's `posts.jsonl`, with the images in a folder.

The image of a post is the file named by its `md5` or else by its `id`, in any folder below `--images` or else beside the
posts. Deleted and banned posts are rejects: what they showed may be gone, and their tags are no longer kept.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from arena.dataset.records import Found, Record, RefusedError, Reject
from arena.dataset.sources.facts import facts_of
from arena.dataset.sources.hints import Hints
from arena.dataset.sources.labels import labels_of
from arena.dataset.sources.rows import read_rows
from arena.dataset.sources.tree import Tree


def read(path: Path, hints: Hints) -> Found:
    """Every post, in the order of the file."""
    tree = Tree.at(hints.images or path.parent)
    files = tree.by_stem()
    for row in read_rows(path, path.name):
        if isinstance(row, Reject):
            yield row
            continue
        try:
            yield _record(row.where, row.values, tree, files, hints)
        except RefusedError as error:
            yield Reject(row.where, str(row.values.get("id") or "")[:100], error.reason, error.detail)


def _record(where: str, post: Mapping[str, Any], tree: Tree, files: Mapping[str, str], hints: Hints) -> Record:
    for reason in ("deleted", "banned"):
        if post.get(f"is_{reason}") in (True, "true", "t"):
            raise RefusedError(reason)
    facts = facts_of({**post, "post_id": post.get("id")})
    if "post_id" not in facts:
        raise RefusedError("unreadable row", "no id")
    separator = "space" if hints.separator == "auto" and isinstance(post.get("tag_string"), str) else hints.separator
    if (labels := labels_of(post, separator)) is None:
        raise RefusedError("no tags", "neither tag_string nor tags")
    content = find_image(tree, files, str(facts.get("md5", "")), str(facts["post_id"]))
    return Record(str(facts["post_id"]), content, labels.tags, labels.rating, facts, labels.categories, where)


def find_image(tree: Tree, files: Mapping[str, str], *names: str) -> Path:
    """The file that has the first of these names which any file has.

    Raises:
        RefusedError: no file has, or it lies outside the folder.
    """
    found = next((files[name.lower()] for name in names if name.lower() in files), None)
    if found is None:
        raise RefusedError("missing", f"no file is named {' or '.join(filter(None, names))}")
    return tree.find(found)
