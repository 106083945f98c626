"""Reader of a folder of images with sidecar files, the layout of trainers and downloaders.

The sidecar of `a.png` is `a.png.txt` or `a.txt` (tags separated by commas, as kohya and taggui write them, or one per line,
as hydrus and gallery-dl do), `a.tags.txt` (hydrus), `a.caption` (kohya's default suffix), or `a.png.json` or `a.json` (an
object with `tags`, perhaps `absent` and `checked`, or gallery-dl's metadata), `.a_meta.json` (waifuc) or `a-danbooru.json`
(DanbooruDownloader). If an image has both, the tags come from the text, because people edit it, and the rest comes from the
object.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from arena.base.errors import ArenaError
from arena.base.reading import parse_json
from arena.dataset.readers import identifiers
from arena.dataset.records import Record, Reject, RowRefusedError, SourceItems
from arena.dataset.sources.facts import row_facts
from arena.dataset.sources.forms import TagForms
from arena.dataset.sources.hints import Hints
from arena.dataset.sources.labels import Labels, parse_caption, parse_checked, parse_labels
from arena.dataset.sources.tree import Tree, escape_name
from arena.dataset.walk import FolderLevel
from arena.images.formats import is_image_file

TEXT_SUFFIXES = (".txt", ".tags", ".tags.txt", ".caption")
"""Suffixes of text files with tags, by priority; the first file that is not empty is read."""


def read(path: Path, hints: Hints) -> SourceItems:
    """Yield every image below a folder; its identifier is the path relative to the folder, without the suffix."""
    tree = Tree.at(path)
    for level in tree.walk():
        for name in level.links:
            yield Reject(escape_name(level.path(name)), "", "outside the folder", "a link to a folder outside")
        present = set(level.files)
        images = [name for name in level.files if is_image_file(tree.root / level.path(name))]
        ids = dict(zip(images, identifiers(list(images)), strict=True))
        for name in images:
            where, image_id = escape_name(level.path(name)), escape_name(level.path(ids[name]))
            try:
                yield _record(tree, level, name, present, hints, image_id)
            except RowRefusedError as error:
                yield Reject(where, image_id, error.reason, error.detail)


class ImageCount(NamedTuple):
    """Number of image files below a folder, and how many of them are links."""

    images: int
    links: int

    def __str__(self) -> str:
        return f"{self.images:,} images" + (f", {self.links:,} of them links" if self.links else "")


def count_image_files(path: Path) -> ImageCount:
    """Return the number of image files below a folder, links to files included."""
    tree = Tree.at(path)
    files = (tree.root / level.path(name) for level in tree.walk() for name in level.files)
    images = [file for file in files if is_image_file(file)]
    return ImageCount(len(images), sum(file.is_symlink() for file in images))


def sidecar_labels(text: str | None, table: Mapping[str, Any] | None, forms: TagForms) -> Labels:
    """Return the labels of one image from its text and its JSON object; either may be absent.

    Raises:
        RowRefusedError: there is no text, and the object has no field of tags.
    """
    from_object = parse_labels(table, forms) if table is not None else None
    if text is None and from_object is None:
        raise RowRefusedError(
            "no tags", "no tags in its .json file" if table else "no .txt, .caption or .json file with tags"
        )
    if text is None or (not (from_text := parse_caption(text, forms)).tags and from_object is not None):
        return from_object or Labels(())
    if from_object is None:
        return from_text
    return Labels(
        from_text.tags, {**from_object.categories, **from_text.categories}, from_text.rating or from_object.rating
    )


def first_text(texts: Iterable[str]) -> str | None:
    """Return the first text that is not empty; an empty one if all are, which means no tags; None if there is no text."""
    found = list(texts)
    return next(filter(str.strip, found), found[0] if found else None)


def parse_object(text: str, where: str) -> Mapping[str, Any]:
    """Return the JSON object in a text; a list of texts is an object with these `tags`.

    Raises:
        RowRefusedError: the text is not JSON, or neither.
    """
    try:
        table = parse_json(text, where, strict=False)
    except ArenaError as error:
        raise RowRefusedError("unreadable row", str(error)[:200]) from None
    if isinstance(table, list) and all(isinstance(one, str) for one in table):
        return {"tags": table}
    if not isinstance(table, dict):
        raise RowRefusedError("unreadable row", f"{where}: {type(table).__name__} instead of an object")
    return table


def _record(tree: Tree, level: FolderLevel, name: str, present: set[str], hints: Hints, image_id: str) -> Record:
    where = escape_name(level.path(name))
    content = tree.find(level.path(name))
    stem = name.removesuffix(Path(name).suffix)

    def sidecar(suffix: str) -> str | None:
        names = (f"{name}{suffix}", f"{stem}{suffix}", f".{stem}_meta{suffix}", f"{stem}-danbooru{suffix}")
        found = next((name for name in names if name in present), None)
        return None if found is None else tree.text(level.path(found))

    text = first_text(text for text in map(sidecar, TEXT_SUFFIXES) if text is not None)
    json_text = sidecar(".json")
    table = None if json_text is None else parse_object(json_text, f"{where}: .json")
    labels = sidecar_labels(text, table, hints.forms)
    facts = row_facts(table or {}) | parse_checked(table or {}, hints.forms)
    return Record(image_id, content, labels.tags, labels.rating, facts, labels.categories, where)
