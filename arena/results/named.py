"""A run as a user names it: its folder, and which of its models is meant."""

from pathlib import Path
from typing import Any, NamedTuple

from arena.base.errors import ArenaError, nearest
from arena.metrics.registry import HEADLINES
from arena.results.run_folder import Result, read_result

TABLES = ("per_tag",)
"""What is read of a run."""

COLUMNS = ("model", "tag", "truth_tag", "category", "index", "support", "threshold", "compared")
"""Columns of `per_tag` that every reader of releases needs. Metrics are not among them: an older run may lack a newer one."""


class NamedRun(NamedTuple):
    """One model of a finished run."""

    folder: Path
    model: str
    result: Result


def is_run(spec: str) -> bool:
    """Whether `RUN` or `RUN:MODEL` names a folder that holds a run."""
    return _split(spec) is not None


def read_named(spec: str) -> NamedRun:
    """A run by `RUN`, or by `RUN:MODEL` where it holds several models.

    Raises:
        ArenaError: no run there, a damaged one, no such model, or several and none named.
        IncomparableError: a run of another schema.
    """
    folder, model = _split(spec) or (Path(spec), "")
    result = read_sound(folder)
    models = result.models
    if not model and len(models) > 1:
        which = ", ".join(f"{folder}:{name}" for name in models)
        raise ArenaError(f"{folder}: holds {len(models)} models; name one of {which}")
    model = model or models[0]
    if model not in models:
        raise ArenaError(f"{folder}: holds no model {model}. {nearest(model, models)}")
    return NamedRun(folder, model, result)


def read_sound(folder: Path) -> Result:
    """A run of which everything is there that figures over releases are made of.

    Raises:
        ArenaError: no run there, or a damaged one.
        IncomparableError: a run of another schema.
    """
    result = read_result(folder, TABLES)
    missing = [name for name in COLUMNS if name not in result.per_tag.columns]
    try:
        _ = result.run["signature"], result.run["models"], result.summary["images"]
        owned = [headlines(result, model) for model in result.models]
    except (LookupError, TypeError) as error:
        raise ArenaError(f"{folder}: damaged run (nothing says {error}); score it again") from None
    if missing or not owned:
        seen = f"per_tag.parquet lacks {', '.join(missing)}" if missing else "it names no model"
        raise ArenaError(f"{folder}: damaged run ({seen}); score it again")
    return result


def headlines(result: Result, model: str) -> dict[str, dict[str, Any]]:
    """A model's headline figures at its own thresholds: `value`, both ends of the interval (None without one), and `tags`."""
    own = result.summary["models"][model]["regimes"]["own"]
    return {
        key: {"value": own[key], "low": own.get(f"{key}_low"), "high": own.get(f"{key}_high"), "tags": own.get(f"{key}_tags")}
        for key in HEADLINES
    }  # fmt: skip


def _split(spec: str) -> tuple[Path, str] | None:
    """Folder and model; the folder alone where all of it is one, as a path may hold a colon. None where there is no run."""
    whole, (head, colon, tail) = Path(spec), spec.rpartition(":")
    if (whole / "run.json").is_file():
        return whole, ""
    return (Path(head), tail) if colon and (Path(head) / "run.json").is_file() else None
