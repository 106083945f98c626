"""The result of a run: numbers and provenance, written to and read from a run folder.

`run.json` says how it came about, `summary.json` holds the aggregates, `per_tag.parquet` a row a model and tag,
`sweep.parquet` a row a model and threshold, `tag_sweep.parquet` a row a model, tag and threshold. Every report is made from
these files alone.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from arena.errors import ArenaError, IncomparableError

SCHEMA = 1
"""Version of the run folder's files."""

PER_TAG_COLUMNS = (
    "model", "tag", "truth_tag", "category", "index", "training_count", "support", "threshold",
    "tp", "fp", "fn", "tn", "precision", "recall", "f1", "ap", "compared",
)  # fmt: skip
"""Columns of `per_tag.parquet`; `index` is the tag's place in the model's list, `training_count` may be null."""


@dataclass(frozen=True)
class Result:
    """What a run found.

    Attributes:
        run: provenance, as in `run.json`: signature, dataset, models, versions, machine, command.
        summary: aggregates, as in `summary.json`; the same for the same scores, wherever and whenever they were made.
        per_tag: `PER_TAG_COLUMNS`, a row a model and tag that the truth knows; undefined figures are null.
        sweep: a row a model and threshold: macro and micro figures over the compared tags.
        tag_sweep: a row a model, tag and threshold: tp, fp, fn, tn.
    """

    run: dict[str, Any]
    summary: dict[str, Any]
    per_tag: pd.DataFrame
    sweep: pd.DataFrame
    tag_sweep: pd.DataFrame

    @property
    def models(self) -> list[str]:
        """Names of the models, in the order in which they were asked for."""
        return list(self.summary["models"])

    def tags_of(self, model: str) -> pd.DataFrame:
        """The rows of one model, in the order of its tag list."""
        return self.per_tag[self.per_tag["model"] == model].sort_values("index")


def write_result(result: Result, folder: Path) -> None:
    """Write the five files, `run.json` last: without it a folder holds no finished run.

    A number that is undefined is null in JSON and in Parquet.
    """
    for name, table in (("per_tag", result.per_tag), ("sweep", result.sweep), ("tag_sweep", result.tag_sweep)):
        table.to_parquet(folder / f"{name}.parquet", index=False)
    write_json(folder / "summary.json", result.summary)
    write_json(folder / "run.json", result.run)


def read_result(folder: Path) -> Result:
    """Read a run folder.

    Raises:
        ArenaError: it is none, or damaged.
        IncomparableError: another schema.
    """
    if not (folder / "run.json").exists():
        raise ArenaError(f"{folder}: no finished run in it (no run.json); make one with arena run or arena score")
    try:
        run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        if run.get("schema") != SCHEMA:
            raise IncomparableError(
                f"{folder}: schema {run.get('schema')}, this version reads {SCHEMA}; score it again"
            )
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        tables = [pd.read_parquet(folder / f"{name}.parquet") for name in ("per_tag", "sweep", "tag_sweep")]
    except (OSError, ValueError) as error:
        raise ArenaError(f"{folder}: damaged run ({str(error).splitlines()[0]}); score it again") from None
    return Result(run, summary, *tables)


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON in UTF-8, whole or not at all; NaN becomes null."""
    temporary = path.with_name(path.name + ".part")
    text = json.dumps(_null_for_nan(content), ensure_ascii=False, indent=2, allow_nan=False)
    temporary.write_text(text + "\n", encoding="utf-8")
    temporary.replace(path)


def _null_for_nan(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _null_for_nan(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_null_for_nan(value) for value in content]
    return None if isinstance(content, float) and math.isnan(content) else content
