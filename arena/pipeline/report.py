"""`arena report`: write the reports of a finished run again, and add metrics by judged truth."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from arena.base.errors import ArenaError
from arena.base.files import digest_file, remove_temporary, write_json
from arena.base.locks import lock_output
from arena.base.progress import Progress, Silent
from arena.pipeline.display_options import DisplayOptions
from arena.pipeline.judgements import read_given
from arena.pipeline.stages import evaluate_run, sign_result, write_reports
from arena.pipeline.stored_run import other_scores, read_stored_run
from arena.results.recipe import JUDGEMENTS
from arena.results.run_folder import JUDGED, Result, read_result
from arena.results.written import FILES, RUN_FILE

_FEW_RESAMPLES = 2
"""Resamples of an evaluation of which only the thresholds are needed; they do not depend on this number."""


def rewrite_reports(
    folder: Path, showing: DisplayOptions = DisplayOptions(), *, judgements: Sequence[Path] = (),
    dataset: str | None = None, root: Path | None = None, progress: Progress = Silent(),
) -> None:  # fmt: skip
    """Write all reports of a run again, from its folder alone; a run whose reports were not finished is finished.

    Args:
        judgements: files of answers; the metrics by judged truth of the run are replaced by those of these answers. This
            needs the dataset and the scores of the run.
        dataset: the run's dataset, if it is not where the run found it.

    Raises:
        ArenaError: there is no run; or with judgements, it is unfinished, or its inputs are missing or changed.
    """
    with lock_output(folder, "report"):
        result = _judged(folder, judgements, dataset, root, progress) if judgements else None
        result = result or read_result(folder, unfinished=True)
        remove_temporary(folder, recursive=True)
        result.run["shows"] = asdict(showing.again(result.run))
        write_reports(result, folder)


def _judged(
    folder: Path, judgements: Sequence[Path], dataset: str | None, root: Path | None, progress: Progress
) -> Result:
    """Write the summary of a run with metrics by judged truth, and return its result; `write_reports` finishes the run."""
    run = read_stored_run(folder, dataset=dataset, root=root)
    if "recipe" not in run.result.run:
        raise ArenaError(f"{folder}: an older version made this run; evaluate its scores with arena score --judgements")
    if changed := next(other_scores(run.result, run.scores), ""):
        raise ArenaError(f"{changed}; restore the scores, or evaluate them again with arena score")
    given = read_given(judgements, run.truth.truth)
    assert given is not None
    settings = replace(run.settings, replicates=min(run.settings.replicates, _FEW_RESAMPLES))
    again = evaluate_run(run.truth.truth, run.entries, settings, progress, given=given)
    summary = {**run.result.summary, JUDGED: again.summary[JUDGED]}
    inputs = [one for one in run.result.recipe.inputs if one.kind != JUDGEMENTS]
    recipe = replace(run.result.recipe, inputs=(*inputs, *given.files), answers=given.answers)
    write_json(folder / "summary.json", summary)
    tables = {name: one for name, one in run.result.run.get(FILES, {}).items() if Path(name).stem in run.result.tables}
    files = {"summary.json": digest_file(folder / "summary.json"), **tables}  # as `write_tables`; reports are added
    result = sign_result(Result({**run.result.run, FILES: files}, summary, run.result.tables), recipe, folder)
    (folder / RUN_FILE).unlink()
    return result
