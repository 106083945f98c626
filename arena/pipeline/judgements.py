"""Judgements that the verbs take: read the files, check that they fit the ground truth, and find those of an earlier run."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from arena.base.errors import ArenaError, refuse_twice
from arena.base.files import digest_known
from arena.base.format import listed, plural
from arena.dataset.frozen import Truth
from arena.dataset.judgements import Judgements, distinct_answers, load_judgements
from arena.results.recipe import JUDGEMENTS, Recipe, RecipeInput


class GivenJudgements(NamedTuple):
    """Judgements with the files that they come from."""

    judgements: Judgements
    files: tuple[RecipeInput, ...]
    answers: int
    """Number of answers in the files, repeated and unclear ones included; one that answers several plans counts once."""


def judgements_inputs(paths: Sequence[Path]) -> list[RecipeInput]:
    """Return the recipe's inputs for files of judgements.

    Raises:
        ArenaError: a file is missing, or two have the same name.
    """
    refuse_twice("--judgements", "file name", [path.name for path in paths])
    for path in paths:
        if not path.is_file():
            raise ArenaError(f"--judgements {path}: no such file; arena judge plan says how to make one")
    return [RecipeInput(JUDGEMENTS, str(path.absolute()), path.name, digest_known(path)) for path in paths]


def read_given(paths: Sequence[Path], truth: Truth) -> GivenJudgements | None:
    """Return the judgements in some files; None without files.

    Raises:
        ArenaError: a file is missing or damaged, no answer is on an image and tag of the truth, or its images have weights.
    """
    if not paths:
        return None
    files = judgements_inputs(paths)
    if truth.weights is not None:
        raise ArenaError("--judgements: metrics by judged truth of a weighted sample are not supported")
    found = load_judgements(paths)
    here = found.rows["image_id"].isin(set(truth.image_ids)) & found.rows["tag"].isin(set(truth.tags.names))
    if not here.any():
        raise ArenaError(
            f"--judgements {listed([str(path) for path in paths])}: none of "
            f"{plural(len(found.rows), 'answer', 'answers')} is on an image and a tag of this ground truth; name the "
            "judgements of this dataset"
        )
    return GivenJudgements(found, tuple(files), len(distinct_answers(found.rows)))


class StoredJudgements(NamedTuple):
    """Files of judgements that an earlier run was made with.

    Attributes:
        found: those that exist; they may hold more answers than when the run was made.
        missing: names of the others.
    """

    found: tuple[Path, ...]
    missing: tuple[str, ...]


def judgements_of_run(recipe: Recipe, folders: Sequence[Path]) -> StoredJudgements:
    """Return the files of judgements that a run was made with; `folders` as in `Recipe.paths`."""
    names = [one.name for one in recipe.inputs if one.kind == JUDGEMENTS]
    paths = {name: next(recipe.paths((JUDGEMENTS,), folders, name), None) for name in names}
    found = tuple(path for path in paths.values() if path is not None)
    return StoredJudgements(found, tuple(name for name, path in paths.items() if path is None))
