"""Reader of a Hugging Face dataset on disk: saved by `save_to_disk` (Arrow files), or exported as Parquet.

The image is a struct of `bytes` and `path`; a path without bytes names a file below the folder. The names of numeric labels
come from the dataset's features. Neither the package `datasets` nor a network is needed.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from arena.base.errors import ArenaError
from arena.base.reading import parse_json, read_json
from arena.dataset.records import Content, Reject, RowRefusedError, SourceItems
from arena.dataset.sources.columns import TableColumns, read_tag_name_list
from arena.dataset.sources.hints import Hints
from arena.dataset.sources.rows import TAG_COLUMN_NAMES, TableRow, read_schema, read_table_rows
from arena.dataset.sources.tree import Tree


class ReadableFile(NamedTuple):
    """A data file that can be opened, and its schema."""

    file: Path
    schema: pa.Schema


def read(path: Path, hints: Hints) -> SourceItems:
    """Yield every row of every file, in sorted order of file name.

    The identifier is the column `image_id` or `id`, else the path in the struct without its suffix, else the file and row.

    Raises:
        ArenaError: there is no data file, none can be opened, or a column is missing.
    """
    found = list_data_files(path)
    if not found:
        raise ArenaError(f"{path}: holds no .arrow or .parquet file; name the folder of a saved dataset")
    root = path if path.is_dir() else path.parent
    tree = Tree.at(hints.images or root)
    first, schema = find_readable(found)
    features = _features(first, schema)
    image = hints.path_column or image_column(schema)
    tags = hints.tags_column or next((name for name in TAG_COLUMN_NAMES if name in schema.names), "")
    names = read_tag_name_list(hints.tag_names) or _class_names(features.get(tags))
    columns = TableColumns.choose(first, schema.names, replace(hints, path_column=image), names)
    for file in found:
        for row in read_table_rows(file, file.relative_to(root).as_posix()):
            yield row if isinstance(row, Reject) else _row(row, columns, tree)


def list_data_files(path: Path) -> list[Path]:
    """Return the data files of all splits of a dataset, without the cache files of `datasets`."""
    if path.is_file():
        return [path]
    found = sorted(file for suffix in ("*.arrow", "*.parquet") for file in path.rglob(suffix))
    return [file for file in found if not file.name.startswith("cache-")]


def find_readable(found: list[Path]) -> ReadableFile:
    """Return the first file that can be opened, and its schema; the others become rejects when they are read.

    Raises:
        ArenaError: no file can be opened.
    """
    for file in found[:-1]:
        with suppress(ArenaError):
            return ReadableFile(file, read_schema(file))
    return ReadableFile(found[-1], read_schema(found[-1]))


def image_column(schema: pa.Schema) -> str:
    """Return the first column of structs with a field `bytes`; empty if there is none."""
    for field in schema:
        if pa.types.is_struct(field.type) and "bytes" in [part.name for part in field.type]:
            return str(field.name)
    return ""


def _class_names(feature: Any) -> tuple[str, ...]:
    """Return the class names of a `ClassLabel` feature, single or in a sequence; empty for any other feature.

    >>> _class_names({"feature": {"names": ["cat", "dog"], "_type": "ClassLabel"}, "_type": "Sequence"})
    ('cat', 'dog')
    """
    if isinstance(feature, list):
        feature = feature[0] if feature else None
    if not isinstance(feature, Mapping):
        return ()
    if feature.get("_type") == "ClassLabel":
        return tuple(map(str, feature.get("names") or ()))
    return _class_names(feature.get("feature"))


def _features(file: Path, schema: pa.Schema) -> Mapping[str, Any]:
    """Return the features of the dataset, from the file's schema or from `dataset_info.json` in the same folder."""
    metadata = (schema.metadata or {}).get(b"huggingface", b"")
    try:
        info = parse_json(metadata, file)["info"] if metadata else read_json(file.parent / "dataset_info.json")
        features = info["features"]
    except (ArenaError, KeyError, TypeError):
        return {}
    return features if isinstance(features, dict) else {}


def _row(row: TableRow, columns: TableColumns, tree: Tree) -> Any:
    value = row.values.get(columns.path)
    path = value.get("path") if isinstance(value, Mapping) else value
    name = path if isinstance(path, str) else ""
    image_id = name.removesuffix(Path(name).suffix) or row.where
    try:
        return columns.record(row.where, row.values, _content(value, name, tree), image_id)
    except RowRefusedError as error:
        return Reject(row.where, image_id, error.reason, error.detail)


def _content(value: Any, name: str, tree: Tree) -> Content:
    content = value.get("bytes") if isinstance(value, Mapping) else None
    if isinstance(content, bytes):
        return content
    if not name:
        raise RowRefusedError("missing", "the row holds no image")
    return tree.find(name)
