"""The result of a run: metrics and provenance, written to and read from a run folder.

`run.json` holds how the run was made, `summary.json` the aggregates, and every table of `TABLES` is a separate file. All
reports are made from these files alone.
"""

import csv
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from arena.base.errors import ArenaError, IncomparableError
from arena.base.files import digest_file, open_whole, write_json
from arena.base.reading import parse_json
from arena.base.tables import read_csv_frame, read_frame
from arena.cards import Thresholds
from arena.metrics.registry import TAG_METRIC_COLUMNS
from arena.results.content import RUN, SUMMARY, TABLE_CONTENT
from arena.results.parted import PartedTables, model_rows, parts_of, write_parquet
from arena.results.published.spreadsheet import with_guards, without_guards
from arena.results.recipe import Recipe, read_recipe
from arena.results.written import (
    FILES,
    RUN_FILE,
    SCORE_AGAIN,
    load_run_file,
    read_written,
    refuse_changed_file,
    refuse_changed_run,
    write_run_file,
)
from arena.tags.spelling import canonical_spelling

RUN_SCHEMA = 2
"""Version of the files of a run folder."""

TABLES: dict[str, str] = {
    "per_tag": "parquet",
    "sweep": "parquet",
    "tag_sweep": "parquet",
    "slices": "parquet",
    "differences": "parquet",
    "tag_differences": "parquet",
    "calibration": "parquet",
    "errors": "parquet",
    "confusions": "parquet",
    "disagreements": "parquet",
    "thresholds": "csv",
    "labels": "csv",
}
"""Each table and its file format. An undefined metric is null."""

CONTAMINATION = "contamination"
"""Name of the table, the summary entry and the kind of slice for overlap with training data."""

JUDGED = "judged"
"""Name of the summary entry with metrics by judged truth; only a run with judgements has it."""

OPTIONAL_TABLES = {CONTAMINATION: "parquet"}
"""Tables that not every run has; `summary.json` has an entry of the same name if the table exists."""

_CSV_ROWS = 50_000
"""Rows of a CSV that are text in memory at a time."""

PER_TAG_COLUMNS = (
    "model", "tag", "truth_tag", "category", "index", "training_count", "support", "threshold", "tp", "fp", "fn", "tn",
    *(column for metric in TAG_METRIC_COLUMNS for column in metric.columns), "compared",
)  # fmt: skip
"""Columns of `per_tag.parquet`; `index` is the tag's position in the model's list, `training_count` may be null."""


KNOWN = "known"
"""Optional column of `per_tag.parquet`: number of images in which the tag is known. Only a run with unknown cells has it; else
every image is known."""


@dataclass(frozen=True)
class Result:
    """The result of a run.

    Attributes:
        run: content of `run.json`: signature, models, skipped images, and the recipe, which `recipe` reads.
        summary: content of `summary.json`, the aggregates; it depends only on scores, truth and settings.
        tables: every table of `TABLES` by name, and those of `OPTIONAL_TABLES` that exist; undefined metrics are null.
    """

    run: dict[str, Any]
    summary: dict[str, Any]
    tables: Mapping[str, pd.DataFrame]

    @property
    def recipe(self) -> Recipe:
        """How the run was made.

        Raises:
            ValueError: `run` is damaged; `read_result` has already refused a damaged run folder.
        """
        return read_recipe(self.run, self.summary)

    @property
    def per_tag(self) -> pd.DataFrame:
        """`PER_TAG_COLUMNS`: one row per model and tag that the truth knows."""
        return self.tables["per_tag"]

    @property
    def sweep(self) -> pd.DataFrame:
        """One row per model and threshold: macro and micro metrics over the compared tags."""
        return self.tables["sweep"]

    @property
    def tag_sweep(self) -> pd.DataFrame:
        """One row per model, tag and threshold: tp, fp, fn, tn."""
        return self.tables["tag_sweep"]

    def tag_sweep_of(self, model: str) -> pd.DataFrame:
        """The rows of `tag_sweep` of one model; the tables of other models need not be made."""
        if isinstance(self.tables, PartedTables):
            return self.tables.of_model("tag_sweep", model)
        return model_rows(self.tag_sweep, model)

    @property
    def models(self) -> list[str]:
        """Names of the models, in the order of the command."""
        return list(self.summary["models"])

    def tags_of(self, model: str) -> pd.DataFrame:
        """The rows of one model, in the order of its tag list."""
        return self.per_tag[self.per_tag["model"] == model].sort_values("index")

    def thresholds_of(self, model: str) -> Thresholds:
        """The thresholds that a model was evaluated at: those of single tags from `per_tag`, all others from the recipe."""
        used = self.recipe.thresholds.get(model)
        if used is not None and not used.tags:
            return Thresholds(used.default, dict(used.categories))
        rows = self.tags_of(model)
        single = dict(
            zip(
                map(canonical_spelling, rows["tag"]),
                (float(str(np.float32(one))) for one in rows["threshold"]),
                strict=True,
            )
        )
        if used is not None:
            return Thresholds(used.default, dict(used.categories), tags=single)
        return Thresholds(next(iter(single.values()))) if len(set(single.values())) == 1 else Thresholds(tags=single)


def write_result(result: Result, folder: Path) -> None:
    """Write all files of a run folder except its reports, `run.json` last, because it marks a finished run."""
    write_run_file(folder, write_tables(result, folder).run)


def write_tables(result: Result, folder: Path) -> Result:
    """Write the summary and the tables of a run, and return the result with their digests in `run`.

    An undefined number is null in JSON and in Parquet. pyarrow is called directly: pandas looks for its engine at every call,
    which takes as long as a small table.
    """
    kinds = TABLES | {name: kind for name, kind in OPTIONAL_TABLES.items() if name in result.tables}
    for name in OPTIONAL_TABLES.keys() - kinds:
        (folder / f"{name}.{OPTIONAL_TABLES[name]}").unlink(missing_ok=True)  # left by an earlier run
    write_json(folder / "summary.json", result.summary)
    paths = [folder / f"{name}.{kind}" for name, kind in kinds.items()]
    with ThreadPoolExecutor(2) as pool:  # the disk, and pyarrow, work without this process
        digests = [*pool.map(lambda path: _write_table(result, path), paths)]
    digested = dict(zip((path.name for path in paths), digests, strict=True))
    files = {"summary.json": digest_file(folder / "summary.json"), **digested}
    return replace(result, run={**result.run, FILES: files})


def _write_table(result: Result, path: Path) -> str:
    """Write the table of this name, and return the digest of its file."""
    parts = parts_of(result.tables, path.stem)
    if path.suffix == ".csv":
        _write_csv(parts, path)
    else:
        with open_whole(path) as file:
            write_parquet(parts, file)
    return digest_file(path)


def _write_csv(parts: Iterator[pd.DataFrame], path: Path) -> None:
    """Write a table in blocks of rows: the text of 70,000 tags and ten models has 300 MB."""
    with open_whole(path) as file:
        header = True
        for table in parts:
            for start in range(0, max(1, len(table)), _CSV_ROWS):
                block = with_guards(table.iloc[start : start + _CSV_ROWS])
                text = block.to_csv(index=False, header=header, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
                file.write(text.encode())
                header = False


def read_result(folder: Path, tables: Collection[str] | None = None, *, unfinished: bool = False) -> Result:
    """Read a run folder; every file is compared with its digest in `run.json`.

    Args:
        tables: names of the tables to read; None reads all.
        unfinished: whether a run whose reports are not finished is accepted too.

    Raises:
        ArenaError: the folder holds no finished run, or one that is damaged or was changed.
        IncomparableError: the run has another schema.
    """
    run = load_run_file(folder, unfinished=unfinished)
    if run.get("schema") != RUN_SCHEMA:
        raise IncomparableError(
            f"{folder}: schema {run.get('schema')!r:.40}, this version reads {RUN_SCHEMA}; score it again"
        )
    refuse_changed_run(folder, run)
    RUN.check(run, folder / RUN_FILE, fix=SCORE_AGAIN)
    path = folder / "summary.json"
    summary = parse_json(read_written(folder, path.name, run), path, SUMMARY, fix=SCORE_AGAIN)
    for metric, ranks in summary["ranks"].items():
        if missing := [name for name in summary["models"] if name not in ranks]:
            raise ArenaError(f"{path}: ranks.{metric} has no model {missing[0]}; {SCORE_AGAIN}")
    written = TABLES | {name: kind for name, kind in OPTIONAL_TABLES.items() if name in summary}
    wanted = written if tables is None else {name: kind for name, kind in written.items() if name in tables}
    return Result(run, summary, {name: _read_table(folder, f"{name}.{kind}", run) for name, kind in wanted.items()})


def read_run_table(folder: Path, name: str, run: Mapping[str, Any]) -> pd.DataFrame:
    """Read one table of a run folder, compared with its digest.

    Args:
        name: name of the table.
        run: content of `run.json`.

    Raises:
        ArenaError: the table is damaged, or was changed after the run.
    """
    return _read_table(folder, f"{name}.{(TABLES | OPTIONAL_TABLES)[name]}", run)


def _read_table(folder: Path, name: str, run: Mapping[str, Any]) -> pd.DataFrame:
    """Read a table. In a CSV only an empty cell of a column of numbers is missing, so that a tag may be called `nan`."""
    path = folder / name
    refuse_changed_file(folder, name, run)
    required, optional = TABLE_CONTENT[path.stem]
    if path.suffix == ".csv":
        numbered = "score_"  # one column for each model
        return without_guards(read_csv_frame(path, required, optional=optional, numbered=numbered, fix=SCORE_AGAIN))
    return read_frame(path, required, optional=optional, fix=SCORE_AGAIN)
