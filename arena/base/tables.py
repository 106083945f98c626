"""Read Parquet tables that others may have written: only the wanted columns, each checked to hold the wanted kind of values.

Tables are read with pyarrow. The metadata that pandas stores, such as an index, is ignored.
"""

import csv
from collections.abc import Iterator, Mapping
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from arena.base.errors import ArenaError
from arena.base.remote import readable

MAX_ROWS = 100_000_000
"""Largest number of rows of a table; a repeated value takes no room in a Parquet file, but does in memory."""


MAX_HEADER = 1 << 20
"""Largest number of characters of the header of a CSV file."""


class Kind(StrEnum):
    """Kind of the values of a column; a missing value is allowed in each."""

    TEXT = "text"
    TEXTS = "lists of text"
    INTEGER = "whole numbers"
    NUMBER = "numbers"
    FLAG = "true or false"
    BYTES = "bytes"
    IDENTIFIER = "text or whole numbers"


def read_table(
    path: Path,
    columns: Mapping[str, Kind],
    *,
    optional: Mapping[str, Kind] | None = None,
    others: bool = False,
    coded: bool = False,
    fix: str = "restore the file",
    most_rows: int = MAX_ROWS,
) -> pa.Table:
    """Read columns of a Parquet file.

    Args:
        columns: required columns with their kinds.
        optional: columns that are read if they exist.
        others: also read all other columns, whatever they hold.
        coded: read the required columns of text as dictionaries, which is faster where values repeat.
        fix: what a user can do, for the end of a message.
        most_rows: largest number of rows.

    Returns: the columns in the order of the file. Whole numbers are int64 or uint64, numbers keep their width.

    Raises:
        ArenaError: no such file, damaged, a column is missing, occurs twice or holds another kind of values, or too many rows.
    """
    dictionaries = [name for name, kind in columns.items() if kind is Kind.TEXT] if coded else None
    try:
        with pq.ParquetFile(readable(path), read_dictionary=dictionaries) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
            wanted = _wanted(path, schema, columns, optional or {}, fix)
            if rows > most_rows:
                raise ArenaError(f"{path}: {rows:,} rows, more than the {most_rows:,} that are read; {fix}")
            table = file.read(columns=None if others else list(wanted)).replace_schema_metadata(None)
        table.validate(full=True)  # also that text is UTF-8
    except FileNotFoundError:
        raise ArenaError(f"{path}: no such file; {fix}") from None
    except (OSError, ValueError, MemoryError, pa.ArrowException) as error:
        raise ArenaError(f"{path}: not a readable Parquet file ({_first_line(error)}); {fix}") from None
    if not table.column_names and not table.num_rows:
        return pa.table({name: pa.array([], _OF_NULLS[kind]) for name, kind in columns.items()})
    if twice := next((name for name in table.column_names if table.column_names.count(name) > 1), ""):
        raise ArenaError(f"{path}: two columns {twice}; {fix}")
    names = table.column_names
    cast = [_cast(path, table[name], name, wanted[name], fix) if name in wanted else table[name] for name in names]
    return pa.table(dict(zip(names, cast, strict=True)))


def read_frame(
    path: Path,
    columns: Mapping[str, Kind],
    *,
    optional: Mapping[str, Kind] | None = None,
    others: bool = False,
    fix: str = "restore the file",
) -> pd.DataFrame:
    """Return `read_table` as a data frame; whole numbers with missing values have pandas' type `Int64`."""
    table = read_table(path, columns, optional=optional, others=others, fix=fix)
    try:
        return to_frame(table)
    except (ValueError, OverflowError, pa.ArrowException) as error:  # a date that pandas cannot hold
        raise ArenaError(f"{path}: not a readable table ({_first_line(error)}); {fix}") from None


def read_csv_frame(
    path: Path,
    columns: Mapping[str, Kind],
    *,
    optional: Mapping[str, Kind] | None = None,
    numbered: str = "",
    fix: str = "restore the file",
) -> pd.DataFrame:
    """Read some columns of a CSV file; an empty cell is missing in a column of numbers, and empty text in one of text.

    Args:
        columns, optional, fix: see `read_table`.
        numbered: prefix of further columns of numbers; empty: there are none.

    Raises:
        ArenaError: no such file, damaged, not UTF-8, a column is missing, or a cell is not of the kind of its column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header = next(csv.reader([file.readline(MAX_HEADER)]), [])
        kinds = {**columns, **(optional or {})}
        if numbered:
            kinds |= {name: Kind.NUMBER for name in header if name.startswith(numbered)}
        if missing := [name for name in columns if name not in header]:
            raise ArenaError(f"{path}: no column {', '.join(missing)}; it has {', '.join(header)[:300]}; {fix}")
        wanted = {name: _CSV_TYPES[kinds[name]] for name in header if name in kinds}
        table = pa_csv.read_csv(
            path,
            parse_options=pa_csv.ParseOptions(newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(column_types=wanted, include_columns=list(wanted), null_values=[""]),
        )
    except FileNotFoundError:
        raise ArenaError(f"{path}: no such file; {fix}") from None
    except (OSError, ValueError, csv.Error, pa.ArrowException) as error:
        raise ArenaError(f"{path}: not a readable CSV file ({_first_line(error)}); {fix}") from None
    return to_frame(table)


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Convert a table to a data frame; whole numbers with missing values get pandas' type `Int64`, so that none is rounded."""
    lists = [name for name in table.column_names if _is_texts(table[name].type) and not table[name].null_count]
    frame: pd.DataFrame = table.drop_columns(lists).to_pandas(ignore_metadata=True)
    for place, name in enumerate(table.column_names):
        if name in lists:
            frame.insert(place, name, pd.Series(_shared_lists(table[name]), frame.index, dtype=object))
        elif pa.types.is_integer(table[name].type) and table[name].null_count:
            kind = "UInt64" if pa.types.is_unsigned_integer(table[name].type) else "Int64"
            frame[name] = pd.array(table[name].to_pylist(), dtype=kind)
    return frame


def _shared_lists(column: pa.ChunkedArray) -> list[NDArray[np.object_]]:
    """Return each list of texts as an array; equal texts are one object, unlike in the lists that pyarrow makes."""
    rows: list[NDArray[np.object_]] = []
    known: dict[str | None, str | None] = {}
    plain = column.cast(pa.large_list(column.type.value_type)) if pa.types.is_fixed_size_list(column.type) else column
    for chunk in plain.chunks:
        texts = chunk.flatten()
        coded = texts if pa.types.is_dictionary(texts.type) else texts.dictionary_encode()
        named = np.array([known.setdefault(name, name) for name in coded.dictionary.to_pylist()] + [None], object)
        values = named[coded.indices.fill_null(len(named) - 1).to_numpy(zero_copy_only=False)]
        offsets = np.concatenate([[0], chunk.value_lengths().to_numpy().cumsum()]).tolist()
        rows += [values[start:end] for start, end in pairwise(offsets)]
    return rows


def rows_of(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield each row by column name; several times faster than `to_dict` of pandas, which looks at the type of every value.

    >>> list(rows_of(pd.DataFrame({"tag": ["hat"], "tp": [3]})))
    [{'tag': 'hat', 'tp': 3}]
    """
    names = frame.columns.tolist()
    for values in zip(*(frame[name].tolist() for name in names), strict=True):
        yield dict(zip(names, values, strict=True))


def _wanted(
    path: Path, schema: pa.Schema, columns: Mapping[str, Kind], optional: Mapping[str, Kind], fix: str
) -> dict[str, Kind]:
    """Return the columns to read; raise if one is missing, occurs twice, or has a type that never holds its kind.

    A table without any column is that of an empty data frame.
    """
    if not schema.names:
        return {}
    if missing := [name for name in columns if name not in schema.names]:
        raise ArenaError(f"{path}: no column {', '.join(missing)}; it has {', '.join(schema.names)[:300]}; {fix}")
    kinds = {**optional, **columns}
    wanted = {name: kinds[name] for name in schema.names if name in kinds}
    for name, kind in wanted.items():
        if schema.names.count(name) > 1:
            raise ArenaError(f"{path}: two columns {name}; {fix}")
        if not _may_hold(schema.field(name).type, kind):
            raise ArenaError(
                f"{path}: column {name} is {str(schema.field(name).type)[:80]}; it must hold {kind.value}; {fix}"
            )
    return wanted


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_texts(kind: pa.DataType) -> bool:
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return bool(lists and (_is_text(kind.value_type) or pa.types.is_null(kind.value_type)))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _may_hold(found: pa.DataType, kind: Kind) -> bool:
    """Return whether a column of a type may hold values of a kind; one without any value may."""
    if pa.types.is_null(found):
        return True
    if kind is Kind.IDENTIFIER:
        return _is_text(found) or _is_number(found)
    if kind is Kind.BYTES:
        return bool(pa.types.is_binary(found) or pa.types.is_large_binary(found))
    checks = {
        Kind.TEXT: _is_text, Kind.TEXTS: _is_texts, Kind.INTEGER: _is_number, Kind.NUMBER: _is_number,
        Kind.FLAG: pa.types.is_boolean,
    }  # fmt: skip
    return bool(checks[kind](found))


_OF_NULLS = {
    Kind.TEXT: pa.large_string(), Kind.TEXTS: pa.large_list(pa.large_string()), Kind.INTEGER: pa.int64(),
    Kind.NUMBER: pa.float64(), Kind.FLAG: pa.bool_(), Kind.BYTES: pa.large_binary(), Kind.IDENTIFIER: pa.large_string(),
}  # fmt: skip


_CSV_TYPES = {Kind.TEXT: pa.large_string(), Kind.INTEGER: pa.int64(), Kind.NUMBER: pa.float64(), Kind.FLAG: pa.bool_()}


def _cast(path: Path, column: pa.ChunkedArray, name: str, kind: Kind, fix: str) -> pa.ChunkedArray:
    """Return a column in the type of its kind."""
    if pa.types.is_null(column.type):
        return column.cast(_OF_NULLS[kind])
    if kind is Kind.TEXTS and pc.list_flatten(column).null_count:
        raise ArenaError(f"{path}: column {name} has a missing text in a list; {fix}")
    if kind is not Kind.INTEGER or pa.types.is_integer(column.type):
        return column
    try:
        whole = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)  # a missing value of pandas
        return whole.cast(pa.int64())
    except pa.ArrowException as error:
        raise ArenaError(f"{path}: column {name} must hold {kind.value} ({_first_line(error)}); {fix}") from None


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
