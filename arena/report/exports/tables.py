"""Per-tag results of a model as CSV, Parquet and JSON."""

from __future__ import annotations

import json
import math
from importlib.resources import files
from io import BytesIO, StringIO
from typing import Any

import numpy as np
import pandas as pd

from arena.base.format import encodable
from arena.report.exports.facts import ModelResults
from arena.results.published.spreadsheet import with_guards

JSON_SCHEMA = 1
"""Version of the JSON export."""

SCHEMA_FILE = "results.schema.json"
"""File name of the JSON Schema (2020-12) of the JSON export; it is written to the same folder."""


def spreadsheet_csv(table: pd.DataFrame) -> str:
    """Return a table as CSV for spreadsheets: an apostrophe precedes text that would run as a formula.

    >>> spreadsheet_csv(pd.DataFrame({"tag": ["=_=", "cat"], "f1": [0.5, None]}))
    "tag,f1\\r\\n'=_=,0.5\\r\\ncat,\\r\\n"
    """
    text = StringIO()
    with_guards(table).to_csv(text, index=False, lineterminator="\r\n")
    return text.getvalue()


def per_tag_csv(facts: ModelResults) -> str:
    """Return one row for each tag that both model and ground truth know, as CSV for spreadsheets."""
    return encodable(spreadsheet_csv(facts.per_tag))


def per_tag_parquet(facts: ModelResults) -> bytes:
    """Return the same rows as Parquet, with names unchanged and exact numbers."""
    buffer = BytesIO()
    facts.per_tag.reset_index(drop=True).to_parquet(buffer, index=False)
    return buffer.getvalue()


def results_json(facts: ModelResults) -> str:
    """Return aggregate and per-tag results as JSON by `SCHEMA_FILE`; undefined values are null."""
    content = {
        "$schema": SCHEMA_FILE,
        "schema": JSON_SCHEMA,
        "model": facts.model,
        "title": facts.title,
        "dataset": {"name": facts.dataset, "title": facts.dataset_title, "digest": facts.digest or None},
        "images": facts.images,
        "compared_tags": facts.tags,
        "compared_with": list(facts.others),
        "min_positives": facts.min_positives,
        "convention": facts.convention,
        "threshold": facts.threshold,
        "created": facts.created or None,
        "arena_version": facts.version or None,
        "signature": facts.signature,
        "figures": {
            one.key: {"value": one.value, "low": one.low, "high": one.high, "tags": one.tags} for one in facts.figures
        },
        "own_tags": {key: one._asdict() for key, one in facts.own.items()},
        "tags": [{name: _plain(value) for name, value in row.items()} for row in facts.per_tag.to_dict("records")],
    }
    return json.dumps(content, ensure_ascii=True, indent=1, allow_nan=False) + "\n"


def schema_text() -> str:
    """Return the text of the JSON Schema of the JSON export."""
    return (files("arena.report.exports") / SCHEMA_FILE).read_text(encoding="utf-8")


def _plain(value: Any) -> Any:
    """Return a cell as a JSON value; None if missing or NaN."""
    if value is None or value is pd.NA or (isinstance(value, (float, np.floating)) and math.isnan(value)):
        return None
    return value.item() if isinstance(value, np.generic) else value
