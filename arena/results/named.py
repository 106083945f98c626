"""One model of a finished run, and its headline metrics."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arena.base.errors import ArenaError
from arena.metrics.registry import HEADLINES
from arena.results.run_folder import Result, read_result

TABLES = ("per_tag",)
"""What is read of a run."""

COLUMNS = ("model", "tag", "truth_tag", "category", "index", "support", "threshold", "compared")
"""Columns of `per_tag` that every reader of releases needs. Metrics are not among them: an older run may lack a newer one."""


@dataclass(frozen=True)
class NamedRun:
    """One model of a finished run.

    Attributes:
        model: what its run calls it.
        name: what it is called now; the same unless the user gave it another name.
        result: of the run, with the table `per_tag` at least.
    """

    folder: Path
    model: str
    name: str
    result: Result


def read_sound(folder: Path) -> Result:
    """A run of which everything is there that figures over releases are made of.

    Raises:
        ArenaError: no run there, or a damaged one.
        IncomparableError: a run of another schema.
    """
    result = read_result(folder, TABLES)
    refuse_damaged(folder, result)
    return result


def refuse_damaged(folder: Path, result: Result) -> None:
    """Refuse a run that lacks what metrics over releases are made of.

    Raises:
        ArenaError: it does.
    """
    missing = [name for name in COLUMNS if name not in result.per_tag.columns]
    try:
        _ = result.run["signature"], result.run["models"], result.summary["images"]
        owned = [headlines(result, model) for model in result.models]
    except (LookupError, TypeError) as error:
        raise ArenaError(f"{folder}: damaged run (nothing says {error}); score it again") from None
    if missing or not owned:
        seen = f"per_tag.parquet lacks {', '.join(missing)}" if missing else "it names no model"
        raise ArenaError(f"{folder}: damaged run ({seen}); score it again")


def headlines(result: Result, model: str) -> dict[str, dict[str, Any]]:
    """A model's headline figures at its own thresholds: `value`, both ends of the interval (None without one), and `tags`."""
    own = result.summary["models"][model]["regimes"]["own"]
    return {
        key: {"value": own[key], "low": own.get(f"{key}_low"), "high": own.get(f"{key}_high"), "tags": own.get(f"{key}_tags")}
        for key in HEADLINES
    }  # fmt: skip
