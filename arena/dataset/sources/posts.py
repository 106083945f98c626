"""Reader of Danbooru posts: JSON lines, an array from the API, JoyTag's `posts.jsonl`, or gallery-dl's `data.jsonl`.

The file name of an image is the post's `md5`, else its `id`, else gallery-dl's `filename`. It is searched in every folder
below `--images`, else below the folder of the posts. Deleted and banned posts are rejects: the image may be gone, and nobody
maintains the tags.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from arena.dataset.records import Record, Reject, RowRefusedError, SourceItems
from arena.dataset.sources.facts import row_facts
from arena.dataset.sources.hints import Hints
from arena.dataset.sources.labels import parse_labels
from arena.dataset.sources.rows import read_table_rows
from arena.dataset.sources.tree import Tree


def read(path: Path, hints: Hints) -> SourceItems:
    """Yield every post, in the order of the file."""
    tree = Tree.at(hints.images or path.parent)
    files = tree.by_stem()
    for row in read_table_rows(path, path.name):
        if isinstance(row, Reject):
            yield row
            continue
        try:
            yield _record(row.where, row.values, tree, files, hints)
        except RowRefusedError as error:
            yield Reject(row.where, str(row.values.get("id") or "")[:100], error.reason, error.detail)


def _record(where: str, post: Mapping[str, Any], tree: Tree, files: Mapping[str, str], hints: Hints) -> Record:
    for reason in ("deleted", "banned"):
        if post.get(f"is_{reason}") in (True, "true", "t"):
            raise RowRefusedError(reason)
    facts = row_facts({**post, "post_id": post.get("id")})
    if "post_id" not in facts:
        raise RowRefusedError("unreadable row", "no id")
    if (labels := parse_labels(post, hints.forms)) is None:
        raise RowRefusedError("no tags", "neither tag_string nor tags")
    content = find_image(tree, files, str(facts.get("md5", "")), str(facts["post_id"]), str(post.get("filename") or ""))
    return Record(str(facts["post_id"]), content, labels.tags, labels.rating, facts, labels.categories, where)


def find_image(tree: Tree, files: Mapping[str, str], *names: str) -> Path:
    """Return the file of the first of these names that has a file.

    Args:
        files: lower-case name -> path relative to the tree, from `Tree.by_stem`.

    Raises:
        RowRefusedError: no name has a file, or the file is missing or outside the folder.
    """
    found = next((files[name.lower()] for name in names if name.lower() in files), None)
    if found is None:
        raise RowRefusedError("missing", f"no file named {' or '.join(filter(None, names))}")
    return tree.find(found)
