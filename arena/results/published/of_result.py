"""A model of a run as a published result, so that it can be held against somebody's file."""

import pandas as pd

from arena.base.errors import ArenaError, nearest
from arena.results.published.record import PUBLISHED_COLUMNS, Published
from arena.results.published.rows import FLOATS, INTEGERS
from arena.results.run_folder import Result

FORM = "result"


def published_of(result: Result, model: str) -> Published:
    """One model of a run, at its own thresholds: every tag that the truth knows, as the model spells it, with its aggregates.

    The aggregates are the run's: they run over the tags that its models have in common.

    Raises:
        ArenaError: the run has no such model.
    """
    if model not in result.models:
        raise ArenaError(f"no model of the run is called {model!r}. {nearest(model, result.models)}")
    kinds = dict.fromkeys(INTEGERS, "Int64") | dict.fromkeys(FLOATS, "float64")
    tags: pd.DataFrame = result.tags_of(model)[list(PUBLISHED_COLUMNS)].reset_index(drop=True).astype(kinds)
    own = result.summary["models"][model]["regimes"]["own"]
    names = [f"{mean}_{name}" for mean in ("macro", "micro") for name in ("precision", "recall", "f1")] + ["map"]
    keys = [key for name in names for key in (name, f"{name}_tags")]
    figures = {key: own[key] for key in keys if own.get(key) is not None}
    run = result.run
    source = run.get("dataset", {}).get("name", "")
    digest = run.get("models", {}).get(model, {}).get("key", "")
    return Published(model, source, FORM, digest, tags, int(result.summary["images"]), figures)
