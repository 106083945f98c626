"""Find again what a finished run was made from: its truth, its scores, its models; each is known by its digest."""

from collections.abc import Sequence
from pathlib import Path

from arena.base.errors import ArenaError
from arena.base.files import digest_files, digest_known
from arena.cards import ModelCard, find_model
from arena.pipeline.entrants import RunEntrant
from arena.pipeline.grammar import RECORDED, parse
from arena.pipeline.truth import GivenTruth, read_scores_of, read_truth, with_digest
from arena.results.run_folder import Result
from arena.scores.store import Scores, read_facts
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


def locate_scores(run: RunEntrant) -> Path:
    """Where the scores of a run's model lie.

    Raises:
        ArenaError: there are none, or they are other ones by now.
    """
    found = find_scores(run.result, run.model, run.folders)
    if found is not None:
        return found
    if parse(run.source).place == RECORDED:
        raise ArenaError(
            f"{run.source}: no scores were kept of {run.model}, and its run is gone or has changed; set it again with "
            f"--with-scores, or give the scores themselves, as {run.model}=FILE.npz"
        )
    made_of = [one for one in run.result.recipe.inputs if (one.kind, one.name) == ("scores", run.model)]
    named = f"{Path(made_of[-1].path).name}, which it was made of," if made_of else f"scores/{run.model}"
    raise ArenaError(
        f"{run.source}: no scores of {run.model} in it, and {named} is not where it was or has changed; "
        f"give the scores themselves, as {run.model}=FILE.npz"
    )


def scores_of_run(run: RunEntrant) -> Scores:
    """The scores of a run's model.

    Raises:
        ArenaError: there are none, or they are other ones by now.
        ScoresError: they are damaged.
    """
    return read_scores_of(locate_scores(run))


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
