"""Whether what a run publishes is what its stored scores give: every figure computed again, every file written again."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from arena.base.files import digest_file
from arena.base.progress import Progress, Silent
from arena.pipeline.publish import forms_of
from arena.pipeline.recipe import compute_again
from arena.report.text import text_reports
from arena.results.differences import differing, differing_bytes
from arena.results.run_folder import CONTAMINATION, TABLES, Result, read_result
from arena.scores.store import read_facts


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
        ArenaError: no finished run, no scores or no dataset.
        IncomparableError: the dataset is another one, or the schema.
    """
    result = read_result(folder)
    given = scores or {}
    again = compute_again(
        result, folder, dataset=dataset, scores=given, tag_groups=tag_groups, root=root, progress=progress
    )
    found = [*_other_scores(result, folder, given), *differing(result, again)]
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


def _other_scores(result: Result, folder: Path, given: Mapping[str, Path]) -> Iterator[str]:
    """Models whose scores are not those that the run names."""
    for name in result.models:
        key = result.run["models"][name].get("key")
        path = given.get(name, folder / "scores" / name)
        seen = digest_file(path) if path.is_file() else read_facts(path).get("key")
        if key and seen != key:
            yield f"{path}: scores {str(seen)[:12]}, but the run names {key[:12]}"


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
