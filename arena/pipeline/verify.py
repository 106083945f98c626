"""Verify a run: compute every metric again from its stored scores, make every file again, and compare."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from arena.base.errors import ArenaError, IncomparableError
from arena.base.progress import Progress, Silent
from arena.evaluate import Entry, Settings
from arena.pipeline.inputs import digest_of_scores, find_scores, find_truth
from arena.pipeline.publish import exports_of
from arena.pipeline.stages import Scoring, evaluate_run, settings_of
from arena.pipeline.truth import LoadedTruth, read_scores_of, read_truth, with_digest
from arena.report.text import text_reports
from arena.results.differences import differing_bytes, differing_parts, has_older_statistics, point_estimates
from arena.results.recipe import digest_groups
from arena.results.run_folder import CONTAMINATION, TABLES, Result, read_result


@dataclass(frozen=True)
class Verified:
    """Result of verifying a run.

    Attributes:
        differences: one line per difference; empty if all is equal.
        compared: names of the compared files.
        left_out: one line per part that was not computed again, with the reason.
    """

    differences: Sequence[str]
    compared: Sequence[str]
    left_out: Sequence[str]


def verify_run(
    folder: Path,
    *,
    forms: Path | None = None,
    dataset: str | None = None,
    scores: Mapping[str, Path] | None = None,
    tag_groups: Path | None = None,
    root: Path | None = None,
    progress: Progress = Silent(),
) -> Verified:
    """Compute a run's metrics again from its scores, and compare the metrics and every file made from them.

    Metrics may differ by rounding (1e-6); files must be equal byte for byte. The page and the plots are not
    compared, because they are drawn from the same metrics. Of a run that a version with other statistics made, only the
    metrics at the models' own thresholds are compared, without intervals.

    Args:
        forms: a folder that `arena publish --forms` wrote; its files are compared too.
        dataset, scores, tag_groups: the truth, the scores and the file of tag groups, if they are not where the run found them.

    Raises:
        ArenaError: there is no finished run, or its scores, dataset or tag groups are missing or changed.
        IncomparableError: the dataset has another digest, or the run another schema.
    """
    result = read_result(folder)
    given = scores or {}
    paths = {name: _scores(result, folder, name, given.get(name)) for name in result.models}
    truth = _truth(result, folder, dataset, root)
    settings = _settings(result, tag_groups, truth.folder, root)
    entries = [_entry(result, name, path) for name, path in paths.items()]
    again = evaluate_run(truth.truth, entries, settings, progress)
    older = has_older_statistics(result, again)
    stored, computed = point_estimates(result, again) if older else (result, again)
    found = [*_other_scores(result, paths), *differing_parts(stored, computed)]
    files = list(_texts(result, folder))
    if forms is not None:
        files += _published(result, folder, forms)
    found += differing_bytes(files)
    names = ["summary.json", *(f"{name}.{TABLES[name]}" for name in stored.tables), *(name for name, _, _ in files)]
    left = ["index.html, plots: drawn from the same metrics"]
    if older:
        left.append(
            "intervals, tests and threshold policies: this run was made by an older version, which computes them in another "
            "way; evaluate its scores again with arena score"
        )
    if CONTAMINATION in result.summary:
        left.append("contamination: a run does not store the indexes of training images")
    return Verified(found, names, left)


_File = tuple[str, bytes | None, bytes]
"""A file's name, its content (None if it is missing), and its expected content."""


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
    kept = folder / "scores" / name  # scores of another key are a difference, which is listed
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


def _other_scores(result: Result, paths: Mapping[str, Path]) -> Iterator[str]:
    """A line for every model whose scores have another digest than in `run.json`."""
    for name, path in paths.items():
        key, found = result.run["models"][name].get("key"), digest_of_scores(path)
        if key and found != key:
            yield f"{path}: scores {found[:12] or 'unknown'}, but run.json has {key[:12]}"


def _texts(result: Result, folder: Path) -> Iterator[_File]:
    """The text reports of the run folder."""
    for name, text in text_reports(result).items():
        path = folder / name
        yield name, path.read_bytes() if path.is_file() else None, text.encode()


def _published(result: Result, folder: Path, forms: Path) -> list[_File]:
    """The exports in a folder: those of the run, and those of the models that have a folder there (of all, if none has)."""
    models = [model for model in result.models if (forms / model).is_dir()]
    return [
        (f"{forms.name}/{name}", (forms / name).read_bytes() if (forms / name).is_file() else None, content)
        for name, content in exports_of(result, folder, models or result.models).items()
    ]
