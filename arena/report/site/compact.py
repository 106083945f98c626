"""Smaller forms of a run's files for a site: long texts in gzip, tables in well-packed Parquet, plots in one archive.

A run of three taggers and 5,813 tags has 21 MB of such files; published, they have 5 MB. Equal content gives equal bytes, and
a file that has this form already keeps it, so a published run can be published again.
"""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from arena.base.tables import read_table

GZIP = ".gz"

LONG_TEXT = 100_000
"""Smallest size of a text that is compressed, in bytes; a shorter one can be read in the browser."""

PLOTS = "plots.zip"
"""Archive of the plots that no page of the site shows."""

_ALONE = ("leaderboard", "sweep")
"""Plots that stay files of their own if a run has them, for link previews and for a README: the first of these."""

_LEVEL = 9
"""Level of gzip, zip and zstd."""


def packed_name(path: str) -> str:
    """Return the name of a text once it is compressed."""
    return f"{path}{GZIP}"


def pack_text(path: str, content: bytes) -> tuple[str, bytes]:
    """Return path and content of a published file: a long text file in gzip, any other as it is."""
    if path.endswith(".txt") and len(content) >= LONG_TEXT:
        return packed_name(path), gzip.compress(content, _LEVEL, mtime=0)
    return path, content


def pack_plots(plots: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the published files of plots by path: those of one plot as they are, and an archive of the others.

    The archive has each of them once: a picture in PNG is left out if its SVG exists, and a dark one if the light one does.
    """
    first = next((name for name in _ALONE if f"plots/{name}.png" in plots), _ALONE[0])
    alone = {path: plots[path] for path in plots if path.startswith((f"plots/{first}.", f"plots/{first}-dark."))}
    others = {path: content for path, content in plots.items() if path not in alone and not _is_variant(path, plots)}
    return alone | ({PLOTS: _archive(others)} if others else {})


def _is_variant(path: str, plots: Mapping[str, bytes]) -> bool:
    plain = path.replace(".png", ".svg"), path.replace("-dark.", ".")
    return any(other != path and other in plots for other in plain)


def _archive(files: Mapping[str, bytes]) -> bytes:
    """Return files as a ZIP archive, without times."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(files):
            archive.writestr(zipfile.ZipInfo(path.removeprefix("plots/")), files[path], zipfile.ZIP_DEFLATED, _LEVEL)
    return buffer.getvalue()


def compact_parquet(path: Path) -> bytes:
    """Return a Parquet file with the same content in fewer bytes."""
    return _parquet(read_table(path, {}, others=True))


def compact_table(table: pd.DataFrame) -> bytes:
    """Return a table as Parquet in few bytes."""
    return _parquet(pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None))


def _parquet(table: pa.Table) -> bytes:
    """Return a table as Parquet: a column with many distinct numbers byte by byte, any other with a dictionary."""
    numbers = [one.name for one in table.schema if pa.types.is_floating(one.type) or pa.types.is_integer(one.type)]
    split = [name for name in numbers if 2 * pc.count_distinct(table[name]).as_py() > len(table)]
    buffer = BytesIO()
    pq.write_table(
        table, buffer, compression="zstd", compression_level=_LEVEL,
        use_dictionary=[name for name in table.column_names if name not in split], use_byte_stream_split=split,
    )  # fmt: skip
    return buffer.getvalue()
