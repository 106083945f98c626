"""Open the output folder of a run. A run of another recipe and files of other programs are not replaced without consent."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from arena.base.errors import ArenaError, IncomparableError
from arena.base.files import MARK, MARK_TEXT, make_folder, own_name, remove_temporary, write_whole
from arena.base.format import listed, shown
from arena.evaluate import Settings
from arena.pipeline.judgements import GivenJudgements
from arena.pipeline.thresholds import ModelThresholds
from arena.pipeline.truth import LoadedTruth
from arena.results.recipe import Recipe, RecipeInput, ThresholdsUsed
from arena.results.run_folder import read_result
from arena.results.same_recipe import recipe_differences
from arena.results.written import RUN_FILE, UNFINISHED, holds_run

OVERWRITE_FIX = "name another folder with --output, or replace it with --overwrite"
"""End of an error: what a user can do if the output folder holds another result."""

_OUTPUTS = (MARK, RUN_FILE, UNFINISHED, "check.json", "bisect.json", "scores/*/store.json", "*/store.json")
"""Patterns of files by which an output folder is recognised. Folders of earlier versions have no mark."""


def planned_recipe(
    given: LoadedTruth, settings: Settings, own: Mapping[str, ModelThresholds], inputs: Iterable[RecipeInput],
    judged: GivenJudgements | None = None,
) -> Recipe:  # fmt: skip
    """Return the recipe of a run as far as it is known before anything is scored.

    Args:
        given: the ground truth.
        settings: settings of the evaluation.
        own: name of a model -> its thresholds.
        inputs: the inputs, except the truth and the judgements; digests may be missing.
        judged: answers of people; None without.
    """
    thresholds = {name: ThresholdsUsed.of(one.thresholds, one.source) for name, one in own.items()}
    source = [] if given.source is None else [given.source]
    files = () if judged is None else judged.files
    return Recipe(given.dataset, settings, thresholds, given.renamed, (*source, *inputs, *files))


def open_run_folder(folder: Path, recipe: Recipe, *, overwrite: bool) -> None:
    """Create the output folder of a run, or check that an existing one may be written to.

    A run of the same recipe is accepted and will be replaced, because weights, images or labels may have changed. An
    interrupted run continues.

    Raises:
        ArenaError: the folder holds a run of another recipe and `overwrite` is false, or files that arena did not write; or it
            cannot be written.
    """
    if not overwrite:
        refuse_other_recipe(folder, recipe)
    claim_folder(folder)
    (folder / "check.json").unlink(missing_ok=True)  # it judges an earlier run; a check writes it last


def claim_folder(folder: Path) -> None:
    """Create an output folder, mark it as one, and remove the temporary files of a killed process.

    Raises:
        ArenaError: it holds files that arena did not write, or cannot be written.
    """
    _refuse_foreign(folder)
    make_folder(folder)
    remove_temporary(folder, recursive=True)
    write_whole(folder / MARK, MARK_TEXT)


def _refuse_foreign(folder: Path) -> None:
    """Refuse a folder that has files but none that arena writes."""
    if not folder.is_dir() or any(next(folder.glob(name), None) for name in _OUTPUTS):
        return
    if found := sorted(path.name for path in folder.iterdir() if not own_name(path.name)):
        some = listed([shown(name) for name in found], keep=3)
        raise ArenaError(
            f"{folder}: holds files that arena did not write ({some}); name a new or an empty folder with --output"
        )


def refuse_other_recipe(folder: Path, recipe: Recipe) -> None:
    """Refuse a folder with a readable run whose recipe differs.

    Raises:
        ArenaError: the message names the differences.
    """
    if not holds_run(folder):
        return
    try:
        found = read_result(folder, (), unfinished=True)
    except IncomparableError:  # a run of an older schema, which this version cannot compare
        raise ArenaError(f"{folder}: holds a run of another version; {OVERWRITE_FIX}") from None
    except ArenaError:  # a damaged run is replaced, because it can only be scored again
        return
    if different := list(recipe_differences(found.recipe, found.models, recipe, folder)):
        raise ArenaError(f"{folder}: holds a run of another recipe ({listed(different, keep=3)}); {OVERWRITE_FIX}")
