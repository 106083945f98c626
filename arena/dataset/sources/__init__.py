"""Readers of image sources: one module per kind; each yields records and rejects while it reads."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path

import pyarrow as pa

from arena.base.errors import ArenaError, nearest
from arena.base.format import shown
from arena.dataset.records import Record, Reject, SourceItems
from arena.dataset.sources import folder, huggingface, joytag, kohya, posts, table, webdataset
from arena.dataset.sources.columns import PATH_COLUMN_NAMES, first_column
from arena.dataset.sources.forms import AUTO, SEPARATORS, TagForms
from arena.dataset.sources.hints import Hints
from arena.dataset.sources.rows import count_rows, is_table_name, read_column_names, read_schema, read_table_rows

SOURCE_READERS: Mapping[str, Callable[[Path, Hints], SourceItems]] = {
    "folder": folder.read, "table": table.read, "posts": posts.read, "kohya": kohya.read, "joytag": joytag.read,
    "webdataset": webdataset.read, "huggingface": huggingface.read,
}  # fmt: skip
"""Kind of source -> its reader."""

_TABLE_NAMES = {
    "posts": ("posts.jsonl", "posts.json", "posts.jsonl.gz", "posts.json.gz"),
    "table": ("metadata.csv", "metadata.jsonl", "metadata.parquet"),
    "kohya": ("meta_lat.json", "meta_clean.json", "meta_cap_dd.json", "meta_cap.json"),
    "joytag": (),
}
"""Kinds whose rows are in one file -> the usual names of that file; an imagefolder has `metadata.*`."""

_GALLERY_DL_KEYS = {"tags", "category", "subcategory", "filename", "extension"}
"""Keys of a post in gallery-dl's `data.jsonl` that every site with tags has."""

_MAX_ROWS_READ, _MAX_IMAGES_READ = 20_000, 1_000
"""Rows that are read to recognise the forms of texts, and rows with image bytes, which are slower to read."""

_SUPPORTED = "images with .txt or .json tag files, a table (CSV, TSV, JSON, Parquet), .tar shards, or a saved dataset"


@dataclass(frozen=True)
class DatasetSource:
    """A source of images whose kind is known.

    Attributes:
        kind: a key of `SOURCE_READERS`.
        path: the file or folder that is read.
        found: short description of what was recognised.
        hints: options of the user for this source.
        rows: number of rows; None if it is unknown before the source is read.
    """

    kind: str
    path: Path
    found: str
    hints: Hints = field(default_factory=Hints)
    rows: int | None = None

    def records(self) -> SourceItems:
        """Return the records and rejects in an order that does not depend on the file system; may be called again."""
        return SOURCE_READERS[self.kind](self.path, replace(self.hints, forms=self.forms))

    @cached_property
    def forms(self) -> TagForms:
        """The forms of the texts that hold tags, recognised in the whole source, or in the first rows of a very long one.

        Raises:
            ArenaError: most texts of one place are sentences, or the source cannot be read.
        """
        forms = TagForms(self.hints.separator)
        if forms.name == AUTO:
            forms.recognising = True
            images = 0
            for item in islice(SOURCE_READERS[self.kind](self.path, replace(self.hints, forms=forms)), _MAX_ROWS_READ):
                images += isinstance(item, Record) and isinstance(item.content, bytes)
                if images == _MAX_IMAGES_READ:
                    break
            forms.decide()
        return forms


def open_source(path: Path, kind: str | None = None, hints: Hints = Hints()) -> DatasetSource:
    """Return the source at a path and detect its kind.

    Args:
        kind: a key of `SOURCE_READERS`; None detects the kind from names, columns and file contents.

    Raises:
        ArenaError: the path or the folder of images does not exist, no source is recognised, or an option is invalid.
    """
    if not path.exists():
        raise ArenaError(f"{path}: no such file or folder")
    if kind is not None and kind not in SOURCE_READERS:
        raise ArenaError(f"--as {kind}: unknown kind of source. {nearest(kind, SOURCE_READERS)}")
    if hints.separator not in SEPARATORS:
        raise ArenaError(f"--separator {hints.separator}: allowed are {', '.join(SEPARATORS)}")
    if hints.images is not None and not hints.images.is_dir():
        raise ArenaError(f"--images {hints.images}: no such folder")
    found = _of_kind(path, kind) if kind else _in_file(path) if path.is_file() else _in_folder(path)
    if found is None:
        raise ArenaError(
            f"{path}: no {kind or 'image'} source recognised; found {_content_summary(path)}. Supported: {_SUPPORTED}"
        )
    return DatasetSource(found.kind, found.path, found.found, hints, found.rows)


def _of_kind(path: Path, kind: str) -> DatasetSource | None:
    """Return the source as the kind that the user chose; None if that kind needs a table and there is none."""
    if kind not in _TABLE_NAMES:
        return DatasetSource(kind, path, f"read as {kind}", rows=_rows(path, kind))
    file = path if path.is_file() else _table_in(path, _TABLE_NAMES[kind])
    return None if file is None else DatasetSource(kind, file, f"{file.name}, read as {kind}", rows=count_rows(file))


def _in_folder(path: Path) -> DatasetSource | None:
    """Return the source in a folder; kinds with a specific file layout are tried before the general ones."""
    for kind, names in _TABLE_NAMES.items():
        if file := next((path / name for name in names if (path / name).is_file()), None):
            return DatasetSource(kind, file, f"{kind} in {file.name}", rows=count_rows(file))
    saved = huggingface.list_data_files(path)
    if saved and (saved[0].suffix == ".arrow" or huggingface.image_column(huggingface.find_readable(saved).schema)):
        return DatasetSource(
            "huggingface", path, f"a saved dataset of {len(saved)} files", rows=_rows(path, "huggingface")
        )
    shards, count = webdataset.list_shards(path), folder.count_image_files(path)
    if len(shards) > count.images:
        return DatasetSource("webdataset", path, f"{len(shards)} tar files")
    if (file := _table_in(path)) is not None and (found := _in_file(file)) is not None:
        return found
    if count.images:
        unread = f"; {len(shards)} tar files are not read" if shards else ""
        return DatasetSource("folder", path, f"{count}, with tag files{unread}", rows=count.images)
    return None


def _in_file(path: Path) -> DatasetSource | None:
    """Return the source in a file, detected from its suffix and columns."""
    if path.suffix == ".tar":
        return DatasetSource("webdataset", path, "one tar file")
    if not is_table_name(path):
        return None
    if path.suffix == ".json" and (images := kohya.count_images(path)):
        return DatasetSource("kohya", path, f"kohya's metadata in {path.name}", rows=images)
    columns = read_column_names(path)
    if path.suffix in (".parquet", ".arrow"):
        schema = read_schema(path)
        if huggingface.image_column(schema):
            return DatasetSource("huggingface", path, "a table of images", rows=count_rows(path))
        if {"tags", "hash"} <= {*columns} and _are_numbers(schema.field("tags").type):
            return DatasetSource("joytag", path, "JoyTag's table of tag numbers", rows=count_rows(path))
    if ({*columns} & {"tag_string", "tag_string_general"} or {*columns} >= _GALLERY_DL_KEYS) and {*columns} & {
        "id",
        "md5",
    }:
        return DatasetSource("posts", path, f"posts in {path.name}", rows=count_rows(path))
    if first_column(PATH_COLUMN_NAMES, columns):
        return DatasetSource("table", path, f"a table with {', '.join(columns[:8])}", rows=count_rows(path))
    return None


def _table_in(path: Path, names: Sequence[str] = ()) -> Path | None:
    """Return the first table with one of these names, else the only table directly in the folder, else None."""
    if file := next((path / name for name in names if (path / name).is_file()), None):
        return file
    tables = [
        file for file in sorted(path.iterdir()) if is_table_name(file) and file.suffix != ".json" and file.is_file()
    ]
    return tables[0] if len(tables) == 1 else None


def _are_numbers(kind: pa.DataType) -> bool:
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return bool(lists and pa.types.is_integer(kind.value_type))


def _rows(path: Path, kind: str) -> int | None:
    """Return the number of rows of a source of several files; None if it is unknown before they are read."""
    if kind == "folder":
        return folder.count_image_files(path).images
    if kind == "huggingface":
        counts = [count_rows(file) for file in huggingface.list_data_files(path)]
        return None if None in counts else sum(count for count in counts if count is not None)
    return None


def _content_summary(path: Path) -> str:
    """Return the name of a file, or the number of files per suffix in a folder, for an error message.

    For a table it also returns the columns, and the fix.
    """
    if path.is_file() and is_table_name(path):
        first = next(iter(read_table_rows(path, path.name)), None)
        if isinstance(first, Reject):
            return f"the table {path.name}, which cannot be read ({first.detail})"
        columns = ", ".join(map(shown, read_column_names(path)[:8])) or "none"
        return (
            f"the table {path.name} with the columns {columns}; it needs a column of paths ({', '.join(PATH_COLUMN_NAMES)}), "
            "or name it with --path-column and --as table"
        )
    if path.is_file():
        return f"the file {path.name}"
    suffixes = Counter(file.suffix or "no suffix" for file in path.iterdir() if file.is_file())
    return ", ".join(f"{count} {suffix}" for suffix, count in suffixes.most_common(5)) or "no file"
