"""Evaluation of simulated scores, reduced to what the simulations of the gate and of the power read."""

from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

import pandas as pd
from threadpoolctl import threadpool_limits

from arena import evaluate as evaluation
from arena.dataset.frozen import Truth
from arena.evaluate import Entry, Settings, evaluate
from arena.evaluate.per_tag import per_tag_table
from arena.metrics import bootstrap
from arena.results.run_folder import Result


def evaluate_at_own_thresholds(truth: Truth, entries: Sequence[Entry], settings: Settings) -> Result:
    """Return the result of `arena score` at the models' own thresholds: summary, and tables of differences, slices, tags.

    Two resamples choose cross-fitted thresholds again instead of a hundred, and tables of single images are left out. That
    takes two thirds of the time. No other number changes.
    """
    with (
        threadpool_limits(1),
        patch.object(bootstrap, "RECHOSEN", 2),
        patch.object(evaluation, "_tables", _table_of_tags),
    ):
        return evaluate(truth, entries, settings)


def _table_of_tags(measured: Any, intervals: Any, settings: Settings) -> dict[str, pd.DataFrame]:
    return {"per_tag": per_tag_table(measured, intervals, settings)}
