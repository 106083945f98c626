"""Tables of a result that are made part by part when they are needed, because as a whole they would fill the memory."""

from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

Parts = Mapping[str, Callable[[], pd.DataFrame]]
"""Makes each part of a table, by the name of the model that it describes. Every part has the same columns and types."""


class PartedTables(Mapping[str, pd.DataFrame]):
    """Tables by name. A parted table is made anew whenever it is read.

    Args:
        whole: tables in memory.
        parted: the parts of other tables, at least one part each; their order is that of the rows.
    """

    def __init__(self, whole: Mapping[str, pd.DataFrame], parted: Mapping[str, Parts]) -> None:
        self._whole, self._parted = dict(whole), dict(parted)

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name in self._whole:
            return self._whole[name]
        return pd.concat([make() for make in self._parted[name].values()], ignore_index=True)

    def __iter__(self) -> Iterator[str]:
        return iter((*self._whole, *self._parted))

    def __len__(self) -> int:
        return len(self._whole) + len(self._parted)

    def __contains__(self, name: object) -> bool:
        return name in self._whole or name in self._parted

    def parts(self, name: str) -> Iterator[pd.DataFrame]:
        """Yield the parts of a table; one that is in memory is a single part."""
        if name in self._whole:
            yield self._whole[name]
        else:
            yield from (make() for make in self._parted[name].values())

    def of_model(self, name: str, model: str) -> pd.DataFrame:
        """Return the rows of one model."""
        if name in self._parted:
            return self._parted[name][model]()
        return model_rows(self._whole[name], model)


def parts_of(tables: Mapping[str, pd.DataFrame], name: str) -> Iterator[pd.DataFrame]:
    """Yield the parts of a table."""
    if isinstance(tables, PartedTables):
        yield from tables.parts(name)
    else:
        yield tables[name]


def model_rows(table: pd.DataFrame, model: str) -> pd.DataFrame:
    """Return the rows of one model."""
    return table[table["model"] == model]


def write_parquet(parts: Iterator[pd.DataFrame], file: BinaryIO) -> None:
    """Write a table as Parquet; at most two parts are in memory at a time."""
    first = pa.Table.from_pandas(next(parts), preserve_index=False)
    with pq.ParquetWriter(file, first.schema) as writer:
        writer.write_table(first)
        del first
        for part in parts:
            writer.write_table(pa.Table.from_pandas(part, schema=writer.schema, preserve_index=False))
