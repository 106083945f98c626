"""Read a run folder with its inputs again: the result, the ground truth, the scores and the settings of the recipe."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from arena.base.errors import ArenaError, IncomparableError
from arena.evaluate import Entry, Settings
from arena.pipeline.inputs import digest_of_scores, find_scores, find_truth
from arena.pipeline.stages import Scoring, settings_of
from arena.pipeline.truth import LoadedTruth, read_scores_of, read_truth, with_digest
from arena.results.recipe import digest_groups
from arena.results.run_folder import Result, read_result


class StoredRun(NamedTuple):
    """A finished run and its inputs.

    Attributes:
        scores: model -> path of its scores.
        entries: the models with scores and thresholds, in the order of the result.
    """

    result: Result
    truth: LoadedTruth
    scores: Mapping[str, Path]
    entries: list[Entry]
    settings: Settings


def read_stored_run(
    folder: Path,
    *,
    dataset: str | None = None,
    scores: Mapping[str, Path] | None = None,
    tag_groups: Path | None = None,
    root: Path | None = None,
) -> StoredRun:
    """Read a run and its inputs.

    Args:
        dataset, scores, tag_groups: the truth, the scores and the file of tag groups, if they are not where the run found them.

    Raises:
        ArenaError: there is no finished run, or its scores, dataset or tag groups are missing or changed.
        IncomparableError: the dataset has another digest, or the run another schema.
    """
    result, named = read_result(folder), scores or {}
    paths = {name: _scores(result, folder, name, named.get(name)) for name in result.models}
    truth = _truth(result, folder, dataset, root)
    settings = _settings(result, tag_groups, truth.folder, root)
    return StoredRun(result, truth, paths, [_entry(result, name, path) for name, path in paths.items()], settings)


def _truth(result: Result, folder: Path, dataset: str | None, root: Path | None) -> LoadedTruth:
    """The truth that the run was scored on, checked by its digest.

    Args:
        dataset: a card, a frozen folder or an `.npz`; None finds it by the run's recipe.
    """
    scored = result.recipe.dataset
    found = find_truth(result, [folder], root) if dataset is None else with_digest(read_truth(dataset, root))
    if found is None:
        raise ArenaError(f"{folder}: scored on {scored.name}, which is not found here; name it with --dataset")
    given = found.sampled(scored.sample).with_renamed(result.recipe.renamed)
    if given.dataset.digest != scored.digest:
        expected, found_digest = scored.digest[:12] or "unknown", given.dataset.digest[:12]
        raise IncomparableError(
            f"{folder}: scored on {scored.name} with digest {expected}, but {dataset or scored.name} has {found_digest}; "
            "name the right dataset with --dataset"
        )
    return given


def _scores(result: Result, folder: Path, name: str, named: Path | None) -> Path:
    """The path of a model's scores: the named one, else the one in the run's recipe."""
    kept = folder / "scores" / name  # scores of another key are a difference, which `other_scores` lists
    found = named or find_scores(result, name, [folder]) or (kept if (kept / "store.json").is_file() else None)
    if found is None or not found.exists():
        raise ArenaError(f"{found or kept}: no scores of {name} there; name them with --scores {name}=FILE")
    return found


def _entry(result: Result, name: str, path: Path) -> Entry:
    facts = result.summary["models"][name]
    scores, thresholds = read_scores_of(path), result.thresholds_of(name)
    return Entry(name, facts["title"], scores, thresholds, facts["threshold_source"], result.run["models"][name])


def _settings(result: Result, tag_groups: Path | None, dataset_folder: Path, root: Path | None) -> Settings:
    """The settings of the recipe; an older run stores only a digest of its tag groups, which are then read from a file.

    Args:
        tag_groups: the file of tag groups; None takes that of the dataset, else of the project.

    Raises:
        ArenaError: the tag groups have another digest.
    """
    recipe = result.recipe
    if recipe.groups_digest is None and tag_groups is None:
        return recipe.settings
    settings = settings_of(
        Scoring(replace(recipe.settings, tag_groups=()), tag_groups=tag_groups), dataset_folder, root
    )
    if recipe.tag_groups_digest not in ("", digest_groups(settings.tag_groups)):
        found = f"found {len(settings.tag_groups)} tag groups, but the run was made with others"
        raise ArenaError(f"{found}; name their file with --tag-groups")
    return settings


def other_scores(result: Result, paths: Mapping[str, Path]) -> Iterator[str]:
    """A line for every model whose scores have another digest than in `run.json`."""
    for name, path in paths.items():
        key, found = result.run["models"][name].get("key"), digest_of_scores(path)
        if key and found != key:
            yield f"{path}: scores {found[:12] or 'unknown'}, but run.json has {key[:12]}"
