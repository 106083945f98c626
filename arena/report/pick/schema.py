"""The JSON Schema of `pick.json`."""

import json
from importlib.resources import files
from typing import Any


def pick_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the document."""
    schema: dict[str, Any] = json.loads(files("arena.report.pick").joinpath("pick.schema.json").read_text("utf-8"))
    return schema
