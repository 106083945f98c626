"""Judgements: answers of people to "does this image have this tag?", stored beside a dataset and used again by later runs.

A Parquet file with one row per answer. It is rewritten whole with every addition, so a killed process loses nothing.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from arena.base.errors import ArenaError
from arena.base.files import open_whole
from arena.base.format import listed
from arena.base.reading import parse_json
from arena.base.schema import COUNT, Schema, list_of, table_of
from arena.base.tables import Kind, read_csv_frame, read_frame

ANSWERS = ("yes", "no", "unclear")

COLUMNS = ("image_id", "tag", "answer", "judge", "time", "inclusion_probability", "plan")
"""Columns of a file of judgements: strings, but `inclusion_probability` is float64 above 0 to 1, null for a cell that was not
sampled. `time` is ISO 8601. `plan` is the identifier of the sampling plan, empty for a cell that was not sampled."""

_KINDS = dict.fromkeys(COLUMNS, Kind.TEXT) | {"inclusion_probability": Kind.NUMBER}

_TEXTS = tuple(name for name in COLUMNS if name != "inclusion_probability")

_TYPES = dict.fromkeys(COLUMNS, "str") | {"inclusion_probability": "float64"}


_FIX = f"wanted columns: {', '.join(COLUMNS)}"

_PLANS = b"arena.plans"
"""Key of the metadata of a Parquet file of judgements that holds its plans, JSON."""

_PLAN = Schema(table_of(others=table_of({"cells": COUNT, "tags": list_of("string"), "image_ids": list_of("string")})))


class PlannedCells(NamedTuple):
    """What a sampling plan could ask, and what it asked.

    Attributes:
        cells: number of cells (image, tag) that it asked.
        tags, image_ids: every pair of them had a probability above 0.
    """

    cells: int
    tags: tuple[str, ...]
    image_ids: tuple[str, ...]


class Judgements(NamedTuple):
    """Answers of people, and the plans that sampled them.

    Attributes:
        rows: columns `COLUMNS`.
        plans: identifier -> plan; a plan that another tool sampled is missing.
    """

    rows: pd.DataFrame
    plans: Mapping[str, PlannedCells] = {}


def read_judgements(path: Path) -> pd.DataFrame:
    """Return the rows of a file of judgements, `.parquet` or `.csv`.

    Raises:
        ArenaError: the file is missing or damaged, or lacks a column, or a value is not valid.
    """
    read = read_csv_frame if path.suffix == ".csv" else read_frame
    rows = read(path, _KINDS, fix=_FIX)[list(COLUMNS)]
    return checked(rows.fillna(dict.fromkeys(_TEXTS, "")).astype(_TYPES), path)


def read_plans(path: Path) -> dict[str, PlannedCells]:
    """Return the plans in the metadata of a Parquet file of judgements; empty for a CSV file.

    Raises:
        ArenaError: the file or its metadata is damaged.
    """
    if path.suffix == ".csv":
        return {}
    try:
        content = (pq.read_schema(path).metadata or {}).get(_PLANS, b"{}")
    except (OSError, ValueError, pa.ArrowException) as error:
        raise ArenaError(
            f"{path}: not a readable Parquet file ({' '.join(str(error).split())[:120]}); {_FIX}"
        ) from None
    found = parse_json(content, path, _PLAN, fix="restore the file")
    return {
        name: PlannedCells(one["cells"], tuple(one["tags"]), tuple(one["image_ids"])) for name, one in found.items()
    }


def load_judgements(paths: Sequence[Path]) -> Judgements:
    """Return the judgements of several files together.

    Raises:
        ArenaError: as `read_judgements`.
    """
    plans = {name: plan for path in paths for name, plan in read_plans(path).items()}
    return Judgements(merge_judgements(map(read_judgements, paths)), plans)


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
    known = load_judgements([path]) if path.exists() else None
    merged = merge_judgements([*([] if known is None else [known.rows]), *more])
    _write(path, Judgements(merged, {} if known is None else known.plans))
    return merged


def register_plan(path: Path, identifier: str, plan: PlannedCells, inclusion: pd.DataFrame) -> None:
    """Store in a file of judgements what a plan could ask, and the answers of other plans to its cells.

    The second wave of a plan raises the inclusion probabilities of the cells of the first. The file is created if needed.

    Args:
        inclusion: columns `image_id`, `tag` and `inclusion_probability` of all cells of the plan.
    """
    known = load_judgements([path]) if path.exists() else Judgements(pd.DataFrame(columns=list(COLUMNS)))
    more = answers_of_other_plans(known.rows, identifier, inclusion)
    rows = with_probabilities(merge_judgements([known.rows, more]) if len(more) else known.rows, identifier, inclusion)
    _write(path, Judgements(rows, {**known.plans, identifier: plan}))


def planned_probabilities(rows: pd.DataFrame, inclusion: pd.DataFrame) -> NDArray[np.float64]:
    """Return the inclusion probability that a plan gives the cell of each judgement; NaN for a cell that it has not drawn.

    Args:
        rows: judgements.
        inclusion: as in `register_plan`.
    """
    cells = pd.MultiIndex.from_frame(rows[["image_id", "tag"]])
    found = inclusion.set_index(["image_id", "tag"])["inclusion_probability"].reindex(cells)
    return np.asarray(found.to_numpy(np.float64))


def with_probabilities(rows: pd.DataFrame, identifier: str, inclusion: pd.DataFrame) -> pd.DataFrame:
    """Return judgements in which the answers to a plan have the inclusion probabilities of the plan.

    Args:
        rows: judgements.
        identifier: of the plan.
        inclusion: as in `register_plan`; answers to other cells keep theirs.
    """
    planned = planned_probabilities(rows, inclusion)
    changed = (rows["plan"] == identifier).to_numpy(bool) & ~np.isnan(planned)
    stored = rows["inclusion_probability"].to_numpy(np.float64)
    return rows.assign(inclusion_probability=np.where(changed, planned, stored))


def distinct_answers(rows: pd.DataFrame) -> pd.DataFrame:
    """Return judgements without the copies that other plans took over: an answer counts once, whatever plans it answers.

    Equal rows of one plan are several answers.
    """
    said = [name for name in rows.columns if name not in ("inclusion_probability", "plan")]
    if "plan" not in rows.columns or rows["plan"].nunique() < 2:
        return rows
    number = rows.groupby([*said, "plan"], sort=False, dropna=False).cumcount()
    return rows[~rows[said].assign(number=number).duplicated()]


def answers_of_other_plans(rows: pd.DataFrame, identifier: str, inclusion: pd.DataFrame) -> pd.DataFrame:
    """Return the answers to other plans that answer cells of a plan too, as answers to it, without those that it has.

    Whether a tag is there depends on no plan, so an answer to a cell that several plans drew answers all of them. Answers to
    cells that no plan sampled are not used.

    Args:
        rows: judgements.
        identifier: of the plan.
        inclusion: as in `register_plan`.
    """
    sampled = rows[rows["inclusion_probability"].notna() & (rows["plan"] != "")]
    others = distinct_answers(sampled[sampled["plan"] != identifier])
    probability = planned_probabilities(others, inclusion)
    drawn = ~np.isnan(probability)
    found = others[drawn].assign(plan=identifier, inclusion_probability=probability[drawn])
    both = distinct_answers(pd.concat([sampled[sampled["plan"] == identifier].assign(plan="its own"), found]))
    return both[both["plan"] == identifier].reset_index(drop=True)


def refuse_csv(path: Path) -> None:
    """Raise ArenaError if answers are to be added to a CSV file; it can only be read."""
    if path.suffix == ".csv":
        raise ArenaError(
            f"{path}: answers are added to a Parquet file; name one, such as {path.with_suffix('.parquet').name}"
        )


def _write(path: Path, judgements: Judgements) -> None:
    refuse_csv(path)
    table = pa.Table.from_pandas(judgements.rows.astype(_TYPES), preserve_index=False)
    plans = {name: plan._asdict() for name, plan in judgements.plans.items()}
    more = {_PLANS: json.dumps(plans, sort_keys=True).encode()} if plans else {}
    with open_whole(path, durable=True) as file:
        pq.write_table(table.replace_schema_metadata({**(table.schema.metadata or {}), **more}), file)


def refuse_unknown_cells(table: pd.DataFrame, image_ids: Iterable[str], tags: Iterable[str], path: Path) -> None:
    """Refuse judgements of images or tags that a dataset does not have.

    Raises:
        ArenaError: the message names the first few.
    """
    for column, known in (("image_id", set(image_ids)), ("tag", set(tags))):
        unknown = sorted(set(table[column]) - known)
        if unknown:
            raise ArenaError(f"{path}: {column} not in the dataset: {listed(unknown, keep=5)}")
