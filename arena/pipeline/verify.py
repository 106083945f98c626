"""Whether what a run publishes is what its stored scores give: every figure computed again, every file written again."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from arena.base.errors import ArenaError, IncomparableError
from arena.base.progress import Progress, Silent
from arena.evaluate import Entry, Settings
from arena.pipeline.inputs import digest_of_scores, find_scores, find_truth
from arena.pipeline.publish import forms_of
from arena.pipeline.stages import Scoring, evaluate_run, settings_of
from arena.pipeline.truth import GivenTruth, read_scores_of, read_truth, with_digest
from arena.report.text import text_reports
from arena.results.differences import differing, differing_bytes
from arena.results.recipe import digest_groups
from arena.results.run_folder import CONTAMINATION, TABLES, Result, read_result


@dataclass(frozen=True)
class Verified:
    """What verifying a run found.

    Attributes:
        differences: a line each; none where all is equal.
        compared: names of the files that were compared.
        left_out: what was not computed again, and why.
    """

    differences: Sequence[str]
    compared: Sequence[str]
    left_out: Sequence[str]


def verify(
    folder: Path,
    *,
    forms: Path | None = None,
    dataset: str | None = None,
    scores: Mapping[str, Path] | None = None,
    tag_groups: Path | None = None,
    root: Path | None = None,
    progress: Progress = Silent(),
) -> Verified:
    """Compute a run's figures again from its scores, and compare them and every file made of them.

    Figures may differ in their last digits, files not in a byte. The page and the pictures are not compared: they are drawn
    of the same figures.

    Args:
        forms: a folder that `arena publish --forms` wrote; its forms are compared as well.
        dataset, scores, tag_groups: the truth, scores and groups of tags, where they are not where the run says.

    Raises:
        ArenaError: no finished run, no scores or no dataset; or other tag groups.
        IncomparableError: the dataset is another one, or the schema.
    """
    result = read_result(folder)
    given = scores or {}
    paths = {name: _scores(result, folder, name, given.get(name)) for name in result.models}
    truth = _truth(result, folder, dataset, root)
    settings = _settings(result, tag_groups, truth.folder, root)
    entries = [_entry(result, name, path) for name, path in paths.items()]
    again = evaluate_run(truth.truth, entries, settings, progress)
    found = [*_other_scores(result, paths), *differing(result, again)]
    files = list(_texts(result, folder))
    if forms is not None:
        files += _published(result, folder, forms)
    found += differing_bytes(files)
    names = ["summary.json", *(f"{name}.{kind}" for name, kind in TABLES.items()), *(name for name, _, _ in files)]
    left = ["index.html, plots: drawn of the same figures"]
    if CONTAMINATION in result.summary:
        left.append("contamination: the indexes of training images are not kept with a run")
    return Verified(found, names, left)


File = tuple[str, bytes | None, bytes]
"""A file's name, what is there, and what should be."""


def _truth(result: Result, folder: Path, dataset: str | None, root: Path | None) -> GivenTruth:
    """The truth that the run was scored on, known by its digest.

    Args:
        dataset: a card, a frozen folder or an `.npz`, where it is not found by the run's recipe.
    """
    scored = result.recipe.dataset
    found = find_truth(result, [folder], root) if dataset is None else with_digest(read_truth(dataset, root))
    if found is None:
        raise ArenaError(f"{folder}: scored on {scored.name}, which is not found here; name it with --dataset")
    given = found.sampled(scored.sample).with_renamed(result.recipe.renamed)
    if given.dataset.digest != scored.digest:
        seen, here = scored.digest[:12] or "unknown", given.dataset.digest[:12]
        raise IncomparableError(
            f"{folder}: scored on {scored.name} of digest {seen}, but {dataset or scored.name} has {here}; name the right one "
            "with --dataset"
        )
    return given


def _scores(result: Result, folder: Path, name: str, named: Path | None) -> Path:
    """The scores of a model: those that were named, or those that the run was made from."""
    found = named or find_scores(result, name, [folder])
    if found is None or not found.exists():
        where = found or folder / "scores" / name
        raise ArenaError(f"{where}: no scores of {name} there; say where they are with --scores {name}=FILE")
    return found


def _entry(result: Result, name: str, path: Path) -> Entry:
    told = result.summary["models"][name]
    scores, thresholds = read_scores_of(path), result.thresholds_of(name)
    return Entry(name, told["title"], scores, thresholds, told["threshold_source"], result.run["models"][name])


def _settings(result: Result, tag_groups: Path | None, beside: Path, root: Path | None) -> Settings:
    """Those of the recipe; the tag groups of an older run, which keeps but a digest of them, come from a file.

    Args:
        tag_groups: the file of groups, where it is not the one beside the dataset or of the project.

    Raises:
        ArenaError: the tag groups are other ones.
    """
    recipe = result.recipe
    if recipe.groups_digest is None and tag_groups is None:
        return recipe.settings
    settings = settings_of(Scoring(replace(recipe.settings, tag_groups=()), tag_groups=tag_groups), beside, root)
    if recipe.tag_groups_digest not in ("", digest_groups(settings.tag_groups)):
        seen = f"{len(settings.tag_groups)} tag groups are at hand, but the run was made with others"
        raise ArenaError(f"{seen}; name their file with --tag-groups")
    return settings


def _other_scores(result: Result, paths: Mapping[str, Path]) -> Iterator[str]:
    """Models whose scores are not those that the run names."""
    for name, path in paths.items():
        key, seen = result.run["models"][name].get("key"), digest_of_scores(path)
        if key and seen != key:
            yield f"{path}: scores {seen[:12] or 'unknown'}, but the run names {key[:12]}"


def _texts(result: Result, folder: Path) -> Iterator[File]:
    """The text files of the run folder."""
    for name, text in text_reports(result).items():
        path = folder / name
        yield name, path.read_bytes() if path.is_file() else None, text.encode()


def _published(result: Result, folder: Path, forms: Path) -> list[File]:
    """The forms in a folder: those of the run, and of every model that has a folder there."""
    models = [model for model in result.models if (forms / model).is_dir()]
    return [
        (f"{forms.name}/{name}", (forms / name).read_bytes() if (forms / name).is_file() else None, content)
        for name, content in forms_of(result, folder, models or result.models).items()
    ]
