"""Reader of a table of paths and tags with one row per image: CSV, TSV, JSON, Parquet or Arrow.

Paths are relative to the folder of the images (`--images`), else to the folder of the table. The identifier is the column
`image_id` or `id`, else the path without the suffix.
"""

from pathlib import Path

from arena.dataset.records import Reject, RowRefusedError, SourceItems
from arena.dataset.sources.columns import TableColumns, find_row_file, read_tag_name_list
from arena.dataset.sources.hints import Hints
from arena.dataset.sources.rows import read_column_names, read_first_row, read_table_rows
from arena.dataset.sources.tree import Tree


def read(path: Path, hints: Hints) -> SourceItems:
    """Yield every row of the table, in the order of the file."""
    names = read_tag_name_list(hints.tag_names)
    columns = TableColumns.choose(path, read_column_names(path), hints, names, read_first_row(path))
    tree = Tree.at(hints.images or path.parent)
    for row in read_table_rows(path, path.name):
        if isinstance(row, Reject):
            yield row
            continue
        name = tree.portable(str(row.values.get(columns.path) or ""))
        image_id = name.removesuffix(Path(name).suffix)
        try:
            yield columns.record(row.where, row.values, find_row_file(row.values, columns.path, tree), image_id)
        except RowRefusedError as error:
            yield Reject(row.where, image_id, error.reason, error.detail)
