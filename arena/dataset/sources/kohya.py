"""Reader of the metadata of kohya's trainers (sd-scripts): a JSON file that maps images to their tags and captions.

`merge_captions_to_metadata.py`, `merge_dd_tags_to_metadata.py`, `clean_captions_and_tags.py` and `prepare_buckets_latents.py`
write `{IMAGE: {"tags": "1girl, solo", "caption": ...}}`, where IMAGE is a stem or a full path. Another version puts the images
under the key `images`, and a list of texts in `tags`. Tag editors write a list of tags.
"""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from arena.base.errors import ArenaError
from arena.base.reading import read_json
from arena.dataset.records import Record, Reject, RowRefusedError, SourceItems
from arena.dataset.sources.hints import Hints
from arena.dataset.sources.labels import parse_checked, parse_tags
from arena.dataset.sources.tree import Tree, escape_name
from arena.images.formats import has_image_suffix

_MAX_BYTES = 512 << 20
"""Largest size of the metadata; that of a million images has about 300 MB."""

_KEYS = ("tags", "caption", "train_resolution", "image_size")
"""Keys of an image in the metadata; a JSON file without any of them is not such metadata."""


def read(path: Path, hints: Hints) -> SourceItems:
    """Yield every image of the metadata, in the order of the file; its identifier is its path without the suffix.

    Images are searched below `hints.images`, or else below the folder of the metadata.

    Raises:
        ArenaError: the file is not such metadata.
    """
    images = _images(path)
    if not images:
        raise ArenaError(
            f"{path}: not metadata of kohya's trainers; it must map images to objects with tags or caption"
        )
    tree = Tree.at(hints.images or path.parent)
    files = _files(tree)
    for key, row in images.items():
        where, name = f"{path.name}:{escape_name(key)}", _locate(key, files)
        image_id = escape_name(name.removesuffix(PurePosixPath(name).suffix)) or escape_name(key)
        try:
            if not name:
                raise RowRefusedError("missing", f"no image named {escape_name(key)} below {tree.root.name}")
            labels, facts = parse_tags(_tags(row), hints.forms), parse_checked(row, hints.forms)
            yield Record(image_id, tree.find(name), labels.tags, labels.rating, facts, labels.categories, where)
        except RowRefusedError as error:
            yield Reject(where, image_id, error.reason, error.detail)


def count_images(path: Path) -> int:
    """Return the number of images of a file of metadata; 0 if it is another file."""
    return len(_images(path))


def _images(path: Path) -> Mapping[str, Mapping[str, Any]]:
    """Return the objects of a file of metadata by image; empty if it is another file."""
    try:
        table = read_json(path, most=_MAX_BYTES, strict=False)
    except ArenaError:
        return {}
    if isinstance(table, dict) and isinstance(table.get("images"), dict):
        table = table["images"]
    if not isinstance(table, dict) or not all(isinstance(row, dict) for row in table.values()):
        return {}
    return table if any(key in row for row in table.values() for key in _KEYS) else {}


def _tags(row: Mapping[str, Any]) -> Any:
    """Return the value of `tags`, or else of `caption`; the texts of a list are joined if one of them holds several tags."""
    value = row.get("tags", row.get("caption"))
    if value is None:
        raise RowRefusedError("no tags", "neither tags nor caption")
    texts = isinstance(value, list) and all(isinstance(one, str) for one in value) and any("," in one for one in value)
    return ", ".join(value) if texts else value


def _files(tree: Tree) -> dict[str, str]:
    """Return the image files below a folder by their path, with and without the suffix."""
    found: dict[str, str] = {}
    for level in tree.walk():
        for name in level.files:
            if has_image_suffix(name):
                path = level.path(name)
                found[path] = path
                found.setdefault(path.removesuffix(PurePosixPath(name).suffix), path)
    return found


def _locate(key: str, files: Mapping[str, str]) -> str:
    r"""Return the path of an image; for a path from another machine, its longest end that is a file. Empty if there is none.

    >>> _locate("D:\\train\\10_a\\1.png", {"10_a/1.png": "10_a/1.png", "1.png": "1.png"})
    '10_a/1.png'
    """
    parts = key.replace("\\", "/").split("/")
    return next((files[name] for start in range(len(parts)) if (name := "/".join(parts[start:])) in files), "")
