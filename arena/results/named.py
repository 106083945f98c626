"""One model of a finished run, and its headline metrics."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arena.base.errors import ArenaError
from arena.metrics.registry import HEADLINES
from arena.results.headline import as_published, headline
from arena.results.own_tags import other_models, own_tag_metrics
from arena.results.run_folder import Result, read_result

_TABLES = ("per_tag",)
"""Tables that are read of a run."""

_COLUMNS = ("model", "tag", "truth_tag", "category", "index", "support", "threshold", "compared")
"""Columns of `per_tag` that every reader of releases needs; without metrics, because an older run may lack a newer metric."""


@dataclass(frozen=True)
class ModelOfRun:
    """One model of a finished run.

    Attributes:
        model: the model's name in the run.
        name: the name to show; equal to `model` unless the user chose another name.
        result: the run's result, with the table `per_tag` at least.
    """

    folder: Path
    model: str
    name: str
    result: Result


def read_complete_run(folder: Path) -> Result:
    """Read a run, and check that it holds everything that metrics over releases need.

    Raises:
        ArenaError: the folder holds no run, or a damaged one.
        IncomparableError: the run has another schema.
    """
    result = read_result(folder, _TABLES)
    refuse_damaged(folder, result)
    return result


def refuse_damaged(folder: Path, result: Result) -> None:
    """Refuse a run that lacks something that metrics over releases need.

    Raises:
        ArenaError: the run is damaged; the message names what is missing.
    """
    if missing := [name for name in _COLUMNS if name not in result.per_tag.columns]:
        raise ArenaError(f"{folder}: damaged run (per_tag.parquet lacks {', '.join(missing)}); score it again")
    try:
        _ = result.run["signature"], result.run["models"], result.summary["images"]
        owned = [headlines(result, model) for model in result.models]
    except (LookupError, TypeError) as error:
        raise ArenaError(f"{folder}: damaged run (no {error}); score it again") from None
    if not owned:
        raise ArenaError(f"{folder}: damaged run (it names no model); score it again")


def headlines(result: Result, model: str) -> dict[str, dict[str, Any]]:
    """A model's headline metrics at its own thresholds.

    Returns: key of the metric -> `value`, `low` and `high` (ends of the interval, None without one), `tags` (their number);
    a mean whose bias is known has also `corrected`, the value without it. In a run of several models `compared_with` lists the
    other models, whose tag lists limit the tags, and `own` is the `OwnMetric` over all tags of the model.
    """
    others, over_own = other_models(result, model), own_tag_metrics(result, model)
    own = result.summary["models"][model]["regimes"]["own"]
    return {
        key: {"value": own[key], "low": own.get(f"{key}_low"), "high": own.get(f"{key}_high"), "tags": own.get(f"{key}_tags")}
        | ({} if as_published(own, key) is None else {"corrected": headline(own, key)})
        | ({"compared_with": others, "own": over_own[key]._asdict()} if others else {})
        for key in HEADLINES
    }  # fmt: skip
