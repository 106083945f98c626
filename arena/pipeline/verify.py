"""Verify a run: compute every metric again from its stored scores, make every file again, and compare."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from arena.base.progress import Progress, Silent
from arena.pipeline.judgements import GivenJudgements, judgements_of_run, read_given
from arena.pipeline.publish import exports_of
from arena.pipeline.stages import evaluate_run
from arena.pipeline.stored_run import StoredRun, other_scores, read_stored_run
from arena.report.text import text_reports
from arena.results.differences import differing_bytes, differing_parts, has_older_statistics, point_estimates
from arena.results.recipe import JUDGEMENTS
from arena.results.run_folder import CONTAMINATION, JUDGED, TABLES, Result


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
    run = read_stored_run(folder, dataset=dataset, scores=scores, tag_groups=tag_groups, root=root)
    result = run.result
    judged = _judgements_again(run, folder)
    again = evaluate_run(run.truth.truth, run.entries, run.settings, progress, given=judged)
    without = JUDGED in result.summary and judged is None
    numbers = _without_judged(result) if without else result
    older = has_older_statistics(numbers, again)
    stored, computed = point_estimates(numbers, again) if older else (numbers, again)
    found = [*other_scores(result, run.scores), *differing_parts(stored, computed)]
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
    if without:
        left.append("judged truth: the judgements were moved or have changed since")
    if CONTAMINATION in result.summary:
        left.append("contamination: a run does not store the indexes of training images")
    return Verified(found, names, left)


def _judgements_again(run: StoredRun, folder: Path) -> GivenJudgements | None:
    """Return the answers that a run was made with; None if it has none, or if they were moved or have changed."""
    recipe = run.result.recipe
    stored = judgements_of_run(recipe, [folder])
    if JUDGED not in run.result.summary or stored.missing:
        return None
    given = read_given(stored.found, run.truth.truth)
    wanted = {one.digest for one in recipe.inputs if one.kind == JUDGEMENTS}
    return given if given is not None and {one.digest for one in given.files} == wanted else None


def _without_judged(result: Result) -> Result:
    """Return a result without its metrics by judged truth."""
    return replace(result, summary={key: value for key, value in result.summary.items() if key != JUDGED})


_File = tuple[str, bytes | None, bytes]
"""A file's name, its content (None if it is missing), and its expected content."""


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
