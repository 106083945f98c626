"""Write the export files ("forms") of a run folder; `arena.report.exports` makes them from the result and the image ids."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from arena.base.errors import ArenaError, nearest
from arena.base.files import MARK, MARK_TEXT, remove_temporary, write_whole
from arena.base.locks import lock_output
from arena.report.exports.write import WrittenExports, all_exports, write_exports
from arena.report.view import may_name_images
from arena.results.run_folder import Result, read_result
from arena.scores.store import read_store


def publish_exports(folder: Path, to: Path, models: Sequence[str] = ()) -> WrittenExports:
    """Write every export of a run into a folder; a file with the same content is left as it is.

    Args:
        models: names of models to export; an empty sequence takes all.

    Raises:
        ArenaError: there is no finished run or no such model, or the folder cannot be written to or holds such files of others.
        IncomparableError: the run has another schema.
    """
    result = read_result(folder)
    files = exports_of(result, folder, models)
    with lock_output(to, "publish --forms"):
        _prepare_folder(to, files)
        written = write_exports(files, to)
        write_whole(to / MARK, MARK_TEXT)
    return written


def _prepare_folder(to: Path, files: Mapping[str, bytes]) -> None:
    """Refuse to replace files in a folder that has no mark of arena; clear one that has it."""
    if (to / MARK).exists():
        remove_temporary(to, recursive=True)
        return
    for name, content in files.items():
        if (to / name).is_file() and (to / name).read_bytes() != content:
            raise ArenaError(f"--forms {to}: holds a {name} that arena did not write; name another folder")


def exports_of(result: Result, folder: Path, models: Sequence[str] = ()) -> dict[str, bytes]:
    """The content of every export by its path below the output folder.

    Raises:
        ArenaError: the run has no model of that name.
    """
    for model in models:
        if model not in result.models:
            raise ArenaError(f"--model {model}: no such model in the run. {nearest(model, result.models)}")
    return dict(all_exports(result, models, image_ids_of(result, folder)))


def image_ids_of(result: Result, folder: Path) -> list[str] | None:
    """The ids of the images that every model scored, sorted; None if the run stores no scores or hides its image ids."""
    stores = [folder / "scores" / model for model in result.models]
    if not may_name_images(result) or not all((store / "store.json").is_file() for store in stores):
        return None
    keys = [result.run["models"][model].get("key") for model in result.models]
    scored = [read_store(store, key=key).image_ids for store, key in zip(stores, keys, strict=True)]
    common = set(scored[0]).intersection(*scored[1:])
    return sorted(common) if len(common) == result.summary["images"] else None
