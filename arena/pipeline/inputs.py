"""Find again what a finished run was made from: its truth, its scores, its models; each is known by its digest."""

from collections.abc import Sequence
from pathlib import Path

from arena.base.errors import ArenaError
from arena.base.files import digest_files, digest_known
from arena.cards import ModelCard, find_model
from arena.pipeline.truth import GivenTruth, read_truth, with_digest
from arena.results.run_folder import Result
from arena.scores.store import read_facts
from arena.taggers.files import weights


def find_scores(result: Result, model: str, folders: Sequence[Path]) -> Path | None:
    """Where the scores of a model lie: in the run folder, else where the run took them from; None where they are gone.

    Args:
        folders: the run folder, and where else the run may have been written.
    """
    kept = folders[0] / "scores" / model
    if (kept / "store.json").is_file():
        return kept
    key = result.run["models"][model].get("key")
    paths = result.recipe.paths(("scores",), folders, model)
    return next((path for path in paths if key and digest_of_scores(path) == key), None)


def digest_of_scores(path: Path) -> str:
    """Of a file its digest; of a folder of scores the one that it names; empty for any other folder."""
    return digest_known(path) if path.is_file() else str(read_facts(path).get("key", ""))


def find_truth(result: Result, folders: Sequence[Path], root: Path | None) -> GivenTruth | None:
    """The truth that a run was scored on, whole: by its name, else where the run took it from.

    Where none has the digest of the run's, the first of its name; None where there is none.
    """
    wanted, named = result.recipe.dataset, None
    places = [wanted.name, *map(str, result.recipe.paths(("dataset", "truth"), folders))]
    for place in filter(None, places):
        try:
            given = with_digest(read_truth(place, root))
        except ArenaError:
            continue
        if given.sampled(wanted.sample).dataset.digest == wanted.digest:
            return given
        if given.dataset.name == wanted.name:
            named = named or given
    return named


def find_model_of(result: Result, model: str, folders: Sequence[Path], root: Path | None) -> ModelCard | None:
    """The card of a model whose scores a run holds, if files with the digest of its weights are on this machine."""
    wanted = result.run["models"][model].get("weights")
    paths = result.recipe.paths(("model",), folders, model)
    for spec in [model, *(f"{model}={path}" for path in paths)] if wanted else []:
        try:
            card = find_model(spec, root)
            files = None if card.adapter in ("precomputed", "ensemble") else weights.find(card)
        except ArenaError:
            continue
        if files and digest_files(files) == wanted:
            return card
    return None
