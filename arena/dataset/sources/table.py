"""Reader of a table of paths and tags with one row per image: CSV, TSV, JSON, Parquet or Arrow.

Paths are relative to the folder of the images (`--images`), else to the folder of the table. The identifier is the column
`image_id` or `id`, else the path without the suffix.
"""

from pathlib import Path

from arena.dataset.records import Found, RefusedError, Reject
from arena.dataset.sources.columns import Columns, path_in, read_names
from arena.dataset.sources.hints import Hints
from arena.dataset.sources.rows import columns_of, read_rows
from arena.dataset.sources.tree import Tree


def read(path: Path, hints: Hints) -> Found:
    """Yield every row of the table, in the order of the file."""
    columns = Columns.choose(path, columns_of(path), hints, read_names(hints.tag_names))
    tree = Tree.at(hints.images or path.parent)
    for row in read_rows(path, path.name):
        if isinstance(row, Reject):
            yield row
            continue
        name = str(row.values.get(columns.path) or "")
        image_id = name.removesuffix(Path(name).suffix)
        try:
            yield columns.record(row.where, row.values, path_in(row.values, columns.path, tree), image_id)
        except RefusedError as error:
            yield Reject(row.where, image_id, error.reason, error.detail)
