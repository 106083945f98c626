"""A file of judgements to which answers are added one at a time: each is on disk before `add` returns.

The rows are kept in memory, so that an answer is written in milliseconds. The file is rewritten whole and flushed to the disk
with every answer, under the lock of the file, so a killed process loses nothing. Rows that another process added meanwhile
are read first.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from arena.base.files import open_whole
from arena.base.locks import OutputLockedError, lock_output
from arena.dataset.judgements import COLUMNS, read_judgements, refuse_csv

_SCHEMA = pa.schema([(name, pa.float64() if name == "inclusion_probability" else pa.string()) for name in COLUMNS])

_PATIENCE_S = 2.0
"""Time to wait for another process that writes to the file, such as `arena judge add`."""

_CHUNKS = 64
"""Answers after which the table in memory is copied into one piece."""


class Answer(NamedTuple):
    """A row of a file of judgements, see `arena.dataset.judgements.COLUMNS`."""

    image_id: str
    tag: str
    answer: str
    judge: str
    time: str
    inclusion_probability: float | None
    plan: str


class AnswerBook:
    """The answers of a file of judgements; several threads may use it.

    Attributes:
        path: the file; it is created with the first answer.
        version: changes whenever the rows change.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.version = path, 0
        self._mutex = threading.RLock()
        self._rows = _SCHEMA.empty_table()
        self._stamp: tuple[int, ...] = ()
        self._metadata: dict[bytes, bytes] | None = None
        refuse_csv(path)
        self.refresh()

    def refresh(self) -> int:
        """Read the file again if another process changed it; return the version.

        Raises:
            ArenaError: the file is damaged.
        """
        with self._mutex:
            stamp = _stamp(self.path)
            if stamp != self._stamp:
                rows = _SCHEMA.empty_table() if not stamp else _as_rows(read_judgements(self.path))
                self._metadata = pq.read_schema(self.path).metadata if stamp else None  # what plans could ask
                self._keep(rows, stamp)
            return self.version

    def answers(self) -> list[Answer]:
        """Return all rows."""
        with self._mutex:
            columns = [self._rows[name].to_pylist() for name in COLUMNS]
        return [Answer(*one) for one in zip(*columns, strict=True)]

    def table(self) -> pd.DataFrame:
        """Return all rows as a table, as `read_judgements` does."""
        with self._mutex:
            rows = self._rows
        table: pd.DataFrame = rows.to_pandas()
        return table.assign(inclusion_probability=table["inclusion_probability"].astype("float64"))

    def add(self, answer: Answer) -> None:
        """Add an answer; it is on disk when this returns.

        Raises:
            ArenaError: the file cannot be written, or another process keeps its lock.
        """
        row = pa.Table.from_pylist([answer._asdict()], schema=_SCHEMA)
        self._rewrite(lambda rows: pa.concat_tables([rows, row]))

    def take_back(self, judge: str, plan: str) -> Answer | None:
        """Remove the last answer of a person to a plan, and return it; None if there is none.

        Raises:
            ArenaError: as `add`.
        """
        taken: list[Answer] = []

        def without_last(rows: pa.Table) -> pa.Table:
            own = pc.and_(pc.equal(rows["judge"], judge), pc.equal(rows["plan"], plan))
            places = pc.indices_nonzero(own)
            if not len(places):
                return rows
            last = max(places.to_pylist(), key=lambda place: (rows["time"][place].as_py(), place))
            taken.append(Answer(**rows.slice(last, 1).to_pylist()[0]))
            return pa.concat_tables([rows.slice(0, last), rows.slice(last + 1)])

        self._rewrite(without_last)
        return taken[0] if taken else None

    def _rewrite(self, change: Callable[[pa.Table], pa.Table]) -> None:
        with self._mutex:
            end = time.monotonic() + _PATIENCE_S
            while True:
                try:
                    with lock_output(self.path, "view"):
                        self._write(change)
                    return
                except OutputLockedError:
                    if time.monotonic() > end:
                        raise

    def _write(self, change: Callable[[pa.Table], pa.Table]) -> None:
        self.refresh()
        rows = change(self._rows)
        if rows is self._rows:
            return
        with open_whole(self.path, durable=True) as file:
            pq.write_table(rows.replace_schema_metadata(self._metadata), file)
        self._keep(rows, _stamp(self.path))

    def _keep(self, rows: pa.Table, stamp: tuple[int, ...]) -> None:
        many = rows.num_columns and rows[COLUMNS[0]].num_chunks > _CHUNKS
        self._rows = rows.combine_chunks() if many else rows
        self._stamp, self.version = stamp, self.version + 1


def _stamp(path: Path) -> tuple[int, ...]:
    """Return what changes when a file is rewritten; empty if there is no file."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return ()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _as_rows(table: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(table[list(COLUMNS)], preserve_index=False).cast(_SCHEMA).replace_schema_metadata(None)
