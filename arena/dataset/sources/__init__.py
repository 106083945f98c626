"""Where images and tags come from: one module a kind, each of which yields records and rejects as it reads."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from arena.base.errors import ArenaError, nearest
from arena.dataset.records import Found
from arena.dataset.sources import folder, huggingface, joytag, posts, table, webdataset
from arena.dataset.sources.columns import PATHS
from arena.dataset.sources.hints import SEPARATORS, Hints
from arena.dataset.sources.rows import columns_of, count_rows, is_table, read_schema

READERS: Mapping[str, Callable[[Path, Hints], Found]] = {
    "folder": folder.read, "table": table.read, "posts": posts.read, "joytag": joytag.read,
    "webdataset": webdataset.read, "huggingface": huggingface.read,
}  # fmt: skip
"""What reads each kind of source."""

TABLES = {
    "posts": ("posts.jsonl", "posts.json", "posts.jsonl.gz", "posts.json.gz"),
    "table": ("metadata.csv", "metadata.jsonl", "metadata.parquet"),
    "joytag": (),
}
"""Kinds whose rows lie in one file, and what it is usually called in a folder; `metadata.*` is that of an imagefolder."""

NEEDED = "images with .txt or .json beside them, a table (CSV, TSV, JSON, Parquet), .tar shards, or a saved dataset"


@dataclass(frozen=True)
class Source:
    """A source of images whose kind is known.

    Attributes:
        kind: a key of `READERS`.
        path: the file or folder that is read.
        found: what was recognised, in a few words.
        rows: how many it has, or None where only reading it would tell.
    """

    kind: str
    path: Path
    found: str
    hints: Hints = field(default_factory=Hints)
    rows: int | None = None

    def records(self) -> Found:
        """Its records and rejects, in an order that does not depend on the file system; may be called again."""
        return READERS[self.kind](self.path, self.hints)


def open_source(path: Path, kind: str | None = None, hints: Hints = Hints()) -> Source:
    """Find out what a source is.

    Args:
        kind: a key of `READERS`, or None to find it out from what is there.

    Raises:
        ArenaError: there is nothing, nothing that is recognised, or the hints name what is not there.
    """
    if not path.exists():
        raise ArenaError(f"{path}: no such file or folder")
    if kind is not None and kind not in READERS:
        raise ArenaError(f"--as {kind}: no such kind of source. {nearest(kind, READERS)}")
    if hints.separator not in SEPARATORS:
        raise ArenaError(f"--separator {hints.separator}: allowed are {', '.join(SEPARATORS)}")
    if hints.images is not None and not hints.images.is_dir():
        raise ArenaError(f"--images {hints.images}: no such folder")
    found = _named(path, kind) if kind else _in_file(path) if path.is_file() else _in_folder(path)
    if found is None:
        raise ArenaError(
            f"{path}: no source of {kind or 'images'} is recognised here; seen: {_seen(path)}. Known: {NEEDED}"
        )
    return Source(found.kind, found.path, found.found, hints, found.rows)


def _named(path: Path, kind: str) -> Source | None:
    """A source of a kind that the user names."""
    if kind not in TABLES:
        return Source(kind, path, f"read as {kind}", rows=_rows(path, kind))
    file = path if path.is_file() else _table_in(path, TABLES[kind])
    return None if file is None else Source(kind, file, f"{file.name}, read as {kind}", rows=count_rows(file))


def _in_folder(path: Path) -> Source | None:
    """What a folder holds, by the most telling file in it."""
    for kind, names in TABLES.items():
        if file := next((path / name for name in names if (path / name).is_file()), None):
            return Source(kind, file, f"{kind} in {file.name}", rows=count_rows(file))
    saved = huggingface.files(path)
    if saved and (saved[0].suffix == ".arrow" or huggingface.image_column(huggingface.first_readable(saved).schema)):
        return Source("huggingface", path, f"a saved dataset of {len(saved)} files", rows=_rows(path, "huggingface"))
    if shards := webdataset.shards(path):
        return Source("webdataset", path, f"{len(shards)} tar files")
    if (file := _table_in(path)) is not None and (found := _in_file(file)) is not None:
        return found
    if images := folder.count(path):
        return Source("folder", path, f"{images:,} images, tags beside them", rows=images)
    return None


def _in_file(path: Path) -> Source | None:
    """What a file holds, by its name and columns."""
    if path.suffix == ".tar":
        return Source("webdataset", path, "one tar file")
    if not is_table(path):
        return None
    columns = columns_of(path)
    if path.suffix in (".parquet", ".arrow"):
        schema = read_schema(path)
        if huggingface.image_column(schema):
            return Source("huggingface", path, "a table of images", rows=count_rows(path))
        if {"tags", "hash"} <= {*columns} and _are_numbers(schema.field("tags").type):
            return Source("joytag", path, "JoyTag's table of tag numbers", rows=count_rows(path))
    if {*columns} & {"tag_string", "tag_string_general"} and {*columns} & {"id", "md5"}:
        return Source("posts", path, f"posts in {path.name}", rows=count_rows(path))
    if {*columns} & {*PATHS}:
        return Source("table", path, f"a table with {', '.join(columns[:8])}", rows=count_rows(path))
    return None


def _table_in(path: Path, names: Sequence[str] = ()) -> Path | None:
    """The table of one of these names, or else the only one at the top of a folder."""
    if file := next((path / name for name in names if (path / name).is_file()), None):
        return file
    tables = [file for file in sorted(path.iterdir()) if is_table(file) and file.suffix != ".json" and file.is_file()]
    return tables[0] if len(tables) == 1 else None


def _are_numbers(kind: pa.DataType) -> bool:
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return bool(lists and pa.types.is_integer(kind.value_type))


def _rows(path: Path, kind: str) -> int | None:
    """The number of rows of a source of several files, where it is told without reading them."""
    if kind == "folder":
        return folder.count(path)
    if kind == "huggingface":
        counts = [count_rows(file) for file in huggingface.files(path)]
        return None if None in counts else sum(count for count in counts if count is not None)
    return None


def _seen(path: Path) -> str:
    """What lies there, for who named the wrong place."""
    if path.is_file():
        return f"a file called {path.name}"
    suffixes = Counter(file.suffix or "no suffix" for file in path.iterdir() if file.is_file())
    return ", ".join(f"{count} {suffix}" for suffix, count in suffixes.most_common(5)) or "no file"
