"""Find the inputs of a finished run again: its truth, scores and models. Digests identify them."""

from collections.abc import Sequence
from pathlib import Path

from arena.base.errors import ArenaError
from arena.base.files import digest_files, digest_known
from arena.cards import ModelCard, find_model
from arena.pipeline.entrants import RunEntrant
from arena.pipeline.grammar import RECORDED, parse
from arena.pipeline.truth import LoadedTruth, read_scores_of, read_truth, with_digest
from arena.results.run_folder import Result
from arena.scores.store import Scores, read_store_facts
from arena.taggers.files import weights


def find_scores(result: Result, model: str, folders: Sequence[Path]) -> Path | None:
    """The path of a model's scores: in the run folder, else at their path in the recipe; None if they are gone or changed.

    Scores are recognised by the key in `run.json`; another command may have stored other scores under the model's name.

    Args:
        folders: the run folder, then other folders that paths in the recipe may start from.
    """
    kept, key = folders[0] / "scores" / model, result.run["models"][model].get("key")
    if (kept / "store.json").is_file() and key in (None, digest_of_scores(kept)):
        return kept
    paths = result.recipe.paths(("scores",), folders, model)
    return next((path for path in paths if key and digest_of_scores(path) == key), None)


def locate_scores(run: RunEntrant) -> Path:
    """The path of the scores of a run's model.

    Raises:
        ArenaError: there are none, or they have changed.
    """
    found = find_scores(run.result, run.model, run.folders)
    if found is not None:
        return found
    if parse(run.source).place == RECORDED:
        raise ArenaError(
            f"{run.source}: the baseline holds no scores of {run.model}, and its run is gone or has changed; set it again with "
            f"--with-scores, or name the scores as {run.model}=FILE.npz"
        )
    inputs = [one for one in run.result.recipe.inputs if (one.kind, one.name) == ("scores", run.model)]
    origin = f"its input {Path(inputs[-1].path).name}" if inputs else f"scores/{run.model}"
    raise ArenaError(
        f"{run.source}: it holds no scores of {run.model}, and {origin} was moved or has changed; "
        f"name the scores as {run.model}=FILE.npz"
    )


def scores_of_run(run: RunEntrant) -> Scores:
    """The scores of a run's model.

    Raises:
        ArenaError: there are none, or they have changed.
        ScoresError: they are damaged.
    """
    return read_scores_of(locate_scores(run), run.result.run["models"][run.model].get("key"))


def digest_of_scores(path: Path) -> str:
    """The digest of a scores file, or the digest that a scores folder records; empty for any other folder."""
    return digest_known(path) if path.is_file() else str(read_store_facts(path).get("key", ""))


def find_truth(result: Result, folders: Sequence[Path], root: Path | None) -> LoadedTruth | None:
    """The whole truth that a run was scored on, before sampling: found by its name, else at its path in the recipe.

    If no candidate has the digest of the run's truth, the first one with the same name; None if there is none.
    """
    wanted, same_name = result.recipe.dataset, None
    places = [wanted.name, *map(str, result.recipe.paths(("dataset", "truth"), folders))]
    for place in filter(None, places):
        try:
            given = with_digest(read_truth(place, root))
        except ArenaError:
            continue
        if given.sampled(wanted.sample).dataset.digest == wanted.digest:
            return given
        if given.dataset.name == wanted.name:
            same_name = same_name or given
    return same_name


def find_model_of(result: Result, model: str, folders: Sequence[Path], root: Path | None) -> ModelCard | None:
    """The card of a run's model, if files with the digest of its weights are on this machine; else None."""
    wanted = result.run["models"][model].get("weights")
    paths = result.recipe.paths(("model",), folders, model)
    for spec in [model, *(f"{model}={path}" for path in paths)] if wanted else []:
        try:
            card = find_model(spec, root)
            files = None if card.adapter in ("precomputed", "ensemble") else weights.find_files(card)
        except ArenaError:
            continue
        if files and digest_files(files) == wanted:
            return card
    return None
