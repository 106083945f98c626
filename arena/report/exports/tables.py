"""Every tag of a model as CSV, Parquet and JSON."""

from __future__ import annotations

import json
import math
from importlib.resources import files
from io import BytesIO, StringIO
from typing import Any

import numpy as np
import pandas as pd

from arena.base.format import encodable
from arena.report.exports.facts import Facts
from arena.results.published.spreadsheet import guarded

JSON_SCHEMA = 1
"""Version of the JSON form."""

SCHEMA_FILE = "results.schema.json"
"""JSON Schema (2020-12) of the JSON form, which lies beside it wherever it is written."""


def as_csv(table: pd.DataFrame) -> str:
    """A table for spreadsheets: what they would take for a formula has an apostrophe before it. The Parquet file has none.

    >>> as_csv(pd.DataFrame({"tag": ["=_=", "cat"], "f1": [0.5, None]}))
    "tag,f1\\r\\n'=_=,0.5\\r\\ncat,\\r\\n"
    """
    safe = table.copy()
    for name in safe.columns:
        if safe[name].dtype == object or pd.api.types.is_string_dtype(safe[name]):
            texts = safe[name].astype(object)
            safe[name] = [guarded(text) if isinstance(text, str) else text for text in texts]
    text = StringIO()
    safe.to_csv(text, index=False, lineterminator="\r\n")
    return text.getvalue()


def per_tag_csv(facts: Facts) -> str:
    """A row a tag of the model that the truth knows, for spreadsheets."""
    return encodable(as_csv(facts.per_tag))


def per_tag_parquet(facts: Facts) -> bytes:
    """The same, exact."""
    buffer = BytesIO()
    facts.per_tag.reset_index(drop=True).to_parquet(buffer, index=False)
    return buffer.getvalue()


def results_json(facts: Facts) -> str:
    """Aggregates and tags by `SCHEMA_FILE`; what is undefined is null."""
    content = {
        "$schema": SCHEMA_FILE,
        "schema": JSON_SCHEMA,
        "model": facts.model,
        "title": facts.title,
        "dataset": {"name": facts.dataset, "title": facts.dataset_title, "digest": facts.digest or None},
        "images": facts.images,
        "compared_tags": facts.tags,
        "min_positives": facts.min_positives,
        "convention": facts.convention,
        "threshold": facts.threshold,
        "created": facts.created or None,
        "arena_version": facts.version or None,
        "signature": facts.signature,
        "figures": {
            one.key: {"value": one.value, "low": one.low, "high": one.high, "tags": one.tags} for one in facts.figures
        },
        "tags": [{name: _plain(value) for name, value in row.items()} for row in facts.per_tag.to_dict("records")],
    }
    return json.dumps(content, ensure_ascii=True, indent=1, allow_nan=False) + "\n"


def schema_text() -> str:
    """The JSON Schema that ships with the project."""
    return (files("arena.report.exports") / SCHEMA_FILE).read_text(encoding="utf-8")


def _plain(value: Any) -> Any:
    """A cell as JSON: null where there is nothing."""
    if value is None or value is pd.NA or (isinstance(value, (float, np.floating)) and math.isnan(value)):
        return None
    return value.item() if isinstance(value, np.generic) else value
