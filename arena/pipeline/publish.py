"""The forms of a run folder: what `arena.report.exports` makes of its result and of the images that its scores name."""

from collections.abc import Sequence
from pathlib import Path

from arena.base.errors import ArenaError, nearest
from arena.report.exports.write import Written, all_forms, write_forms
from arena.report.view import names_images
from arena.results.run_folder import Result, read_result
from arena.scores.store import read_store


def publish_forms(folder: Path, to: Path, models: Sequence[str] = ()) -> Written:
    """Write every form of a run into a folder; what is there and the same stays.

    Args:
        models: only these; none takes all.

    Raises:
        ArenaError: no finished run, no such model, or a folder that cannot be written to.
        IncomparableError: another schema.
    """
    result = read_result(folder)
    return write_forms(forms_of(result, folder, models), to)


def forms_of(result: Result, folder: Path, models: Sequence[str] = ()) -> dict[str, bytes]:
    """Every form by path.

    Raises:
        ArenaError: the run has no model of that name.
    """
    for model in models:
        if model not in result.models:
            raise ArenaError(f"--model {model}: no model of the run. {nearest(model, result.models)}")
    return dict(all_forms(result, models, image_ids_of(result, folder)))


def image_ids_of(result: Result, folder: Path) -> list[str] | None:
    """The images that every model scored, sorted; None where the run keeps no scores, or does not name its images."""
    stores = [folder / "scores" / model for model in result.models]
    if not names_images(result) or not all((store / "store.json").is_file() for store in stores):
        return None
    scored = [read_store(store).image_ids for store in stores]
    common = set(scored[0]).intersection(*scored[1:])
    return sorted(common) if len(common) == result.summary["images"] else None
