"""Judgements: answers of people to "does this image have this tag?", stored beside a dataset and used again by later runs.

A Parquet file with one row per answer. It is rewritten whole with every addition, so a killed process loses nothing.
"""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from arena.base.errors import ArenaError
from arena.base.files import open_whole
from arena.base.format import listed
from arena.base.tables import Kind, read_frame

ANSWERS = ("yes", "no", "unclear")

COLUMNS = ("image_id", "tag", "answer", "judge", "time", "inclusion_probability", "plan")
"""Columns of a file of judgements: strings, but `inclusion_probability` is float64 above 0 to 1, null for a cell that was not
sampled. `time` is ISO 8601. `plan` is the identifier of the sampling plan, empty for a cell that was not sampled."""

_KINDS = dict.fromkeys(COLUMNS, Kind.TEXT) | {"inclusion_probability": Kind.NUMBER}


def read_judgements(path: Path) -> pd.DataFrame:
    """Return the rows of a file of judgements, `.parquet` or `.csv`.

    Raises:
        ArenaError: the file is missing or damaged, or lacks a column, or a value is not valid.
    """
    try:
        table = (
            pd.read_csv(path, dtype=str, keep_default_na=False) if path.suffix == ".csv" else read_frame(path, _KINDS)
        )
    except FileNotFoundError:
        raise ArenaError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise ArenaError(f"{path}: cannot be read as judgements ({' '.join(str(error).split())[:120]})") from None
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise ArenaError(f"{path}: columns missing: {', '.join(missing)}; wanted: {', '.join(COLUMNS)}")
    table = table[list(COLUMNS)].copy()
    table["inclusion_probability"] = pd.to_numeric(table["inclusion_probability"], errors="coerce")
    return checked(table, path)


def checked(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return the rows if all values are valid.

    Raises:
        ArenaError: an answer is unknown, or an inclusion probability is not above 0 to 1.
    """
    wrong = ~table["answer"].isin(ANSWERS)
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise ArenaError(f"{path}: row {row}: answer {table['answer'].iloc[row]!r}; wanted: {', '.join(ANSWERS)}")
    inclusion = table["inclusion_probability"]
    wrong = inclusion.notna() & ~((inclusion > 0) & (inclusion <= 1))
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise ArenaError(f"{path}: row {row}: inclusion_probability {inclusion.iloc[row]}; wanted: above 0 to 1")
    return table


def merge_judgements(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Return the rows of several tables in the order of time; a row that occurs twice is kept once."""
    merged = pd.concat(list(tables), ignore_index=True).drop_duplicates()
    return merged.sort_values(["time", "judge", "image_id", "tag"], kind="stable", ignore_index=True)


def add_judgements(path: Path, more: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Add rows to a file of judgements, whole or not at all, and return all rows of the file."""
    tables = [*([read_judgements(path)] if path.exists() else []), *more]
    merged = merge_judgements(tables)
    with open_whole(path, durable=True) as file:
        merged.to_parquet(file, index=False)
    return merged


def refuse_unknown_cells(table: pd.DataFrame, image_ids: Iterable[str], tags: Iterable[str], path: Path) -> None:
    """Refuse judgements of images or tags that a dataset does not have.

    Raises:
        ArenaError: the message names the first few.
    """
    for column, known in (("image_id", set(image_ids)), ("tag", set(tags))):
        unknown = sorted(set(table[column]) - known)
        if unknown:
            raise ArenaError(f"{path}: {column} not in the dataset: {listed(unknown, keep=5)}")
