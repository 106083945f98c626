"""`arena judge`: plan questions to people, add their answers, and estimate metrics by judged truth."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from arena.base.errors import ArenaError, nearest
from arena.base.files import open_whole, write_whole
from arena.base.locks import lock_output
from arena.base.progress import Progress, Silent
from arena.base.tables import Kind, read_frame
from arena.dataset.judgements import (
    COLUMNS,
    Judgements,
    add_judgements,
    answers_of_other_plans,
    merge_judgements,
    read_judgements,
    read_plans,
    register_plan,
)
from arena.evaluate.answers import LEAST_ANSWERS
from arena.evaluate.judged import Cells, Judged, answers_to, estimate_judged, read_cells
from arena.evaluate.judged_plan import (
    FIRST_WAVE_COLUMN,
    PLAN_COLUMNS,
    Differences,
    draw_plan,
    forecast,
    planned_cells,
    unanswered,
)
from arena.evaluate.judged_summary import judged_summary
from arena.images.thumbnails import ThumbnailSource, webp_thumbnail
from arena.metrics.judged_design import Forecast
from arena.pipeline.display_options import thumbnail_sources
from arena.pipeline.pick.folder import is_pick, read_pick
from arena.pipeline.stored_run import other_scores, read_stored_run
from arena.report.judge import Question, QuestionImage, render_questions
from arena.report.view import HEADLINE_TABLES, headline_view
from arena.results.run_folder import JUDGED, read_result

_PLAN_KINDS = dict.fromkeys(PLAN_COLUMNS, Kind.TEXT) | {
    "inclusion_probability": Kind.NUMBER,
    "wave": Kind.INTEGER,
    "repeat": Kind.FLAG,
}

QUESTION_SIDE = 640
"""Longest side of an image on the page of questions, in pixels."""


class PlanOptions(NamedTuple):
    """Options of a plan.

    Attributes:
        models: names of models, the first two are compared; none takes all of the run.
        answers: number of clear answers, about; None takes as many as `difference` needs.
        difference: true difference of F1 that is to be decided.
        seed: seed of the random numbers.
        judgements: file of earlier answers; None if there are none.
    """

    models: Sequence[str] = ()
    answers: int | None = None
    difference: float = 0.01
    seed: int = 0
    judgements: Path | None = None


class WrittenPlan(NamedTuple):
    """A plan as it was written."""

    path: Path
    table: pd.DataFrame
    needed: Forecast
    """Before any answer; NaN if there is one model."""
    again: Forecast | None
    """By the answers of the first wave; None before these are given, and with a fixed number of answers."""
    wave: int
    """1 or 2."""
    left: int
    """Cells without an answer."""


def plan_questions(
    folder: Path, output: Path, options: PlanOptions, *, dataset: str | None = None, root: Path | None = None,
    progress: Progress = Silent(),
) -> WrittenPlan:  # fmt: skip
    """Write the cells of a run to ask people about.

    Raises:
        ArenaError: there is no finished run, its inputs are missing, or no number of answers decides the difference.
    """
    cells = _cells(folder, options.models, dataset, root, progress)
    wanted = Differences(options.difference, options.difference)
    needed = Forecast(float("nan"), float("nan")) if len(cells.predicted) < 2 else forecast(cells, wanted)
    answers = options.answers or _affordable(needed, options.difference)
    path = options.judgements
    earlier = read_judgements(path) if path is not None and path.exists() else None
    sized = None if options.answers or len(cells.predicted) < 2 else wanted
    table, again = draw_plan(cells, answers, options.seed, earlier, sized)
    identifier = str(table["plan"].iloc[0])
    if earlier is not None and len(more := answers_of_other_plans(earlier, identifier, table)):
        # they may be all answers of the first wave, and then some of the second
        earlier = merge_judgements([earlier, more])
        table, again = draw_plan(cells, answers, options.seed, earlier, sized)
        earlier = merge_judgements([earlier, answers_of_other_plans(earlier, identifier, table)])
    with lock_output(output, "judge plan"), open_whole(output) as file:
        table.to_parquet(file, index=False)
    if options.judgements is not None:
        with lock_output(options.judgements, "judge plan"):
            register_plan(options.judgements, identifier, planned_cells(cells, table), table)
    left = table if earlier is None else unanswered(table, earlier)
    return WrittenPlan(output, table, needed, again, int(table["wave"].max()), len(left))


def _affordable(needed: Forecast, difference: float) -> int:
    wanted = max(needed)
    if not wanted < float("inf"):
        raise ArenaError(
            f"no number of answers decides a difference of {difference:g} on these images; "
            "name --answers, or a larger --difference"
        )
    return max(LEAST_ANSWERS, round(wanted))


def _cells(folder: Path, models: Sequence[str], dataset: str | None, root: Path | None, progress: Progress) -> Cells:
    if is_pick(folder):
        return read_pick(folder).cells(models)
    run = read_stored_run(folder, dataset=dataset, root=root)
    for name in models:
        if name not in run.result.models:
            raise ArenaError(f"--models {name}: no such model in the run. {nearest(name, run.result.models)}")
    if changed := next(other_scores(run.result, run.scores), ""):
        raise ArenaError(f"{changed}; restore the scores, or evaluate them again with arena score")
    wanted = models or run.result.models
    progress.note("reading the scores")
    return read_cells(
        run.truth.truth, [one for name in wanted for one in run.entries if one.name == name], run.settings
    )


def read_plan(path: Path) -> pd.DataFrame:
    """Read a plan that `plan_questions` wrote.

    Raises:
        ArenaError: the file is missing, damaged, or no plan.
    """
    return read_frame(
        path, _PLAN_KINDS, optional={FIRST_WAVE_COLUMN: Kind.NUMBER}, fix="write a plan with arena judge plan"
    )


def add_answers(files: Sequence[Path], judgements: Path) -> pd.DataFrame:
    """Add files of answers to the judgements, and return all rows."""
    with lock_output(judgements, "judge add"):
        return add_judgements(judgements, [read_judgements(path) for path in files])


class Progressed(NamedTuple):
    """State of a plan: its cells, those left, and the metrics once there are enough answers.

    Attributes:
        payload: `headline_view` of the run with the entry `judged` of the plan, for the models' own thresholds; None while
            cells are left.
        unlabelled: the metrics, for images without labels.
    """

    asked: int
    left: int
    payload: Mapping[str, Any] | None = None
    unlabelled: Judged | None = None


def judged_so_far(
    folder: Path, plan: Path, judgements: Path, *, dataset: str | None = None, root: Path | None = None,
    progress: Progress = Silent(),
) -> Progressed:  # fmt: skip
    """Return the state of a plan, with the metrics by judged truth if all of it is answered.

    Raises:
        ArenaError: the run, the plan or the judgements cannot be read, or do not fit together.
    """
    table, answers = read_plan(plan), read_judgements(judgements)
    left = len(unanswered(table, answers))
    if left:
        return Progressed(len(table), left)
    cells = _cells(folder, (), dataset, root, progress)
    if cells.prior is not None:
        return Progressed(len(table), 0, unlabelled=estimate_judged(cells, answers, table))
    judged = judged_summary(
        cells, Judgements(answers_to(answers, table), read_plans(judgements)), [("own", cells.predicted)]
    )
    return Progressed(len(table), 0, {**headline_view(read_result(folder, HEADLINE_TABLES)), JUDGED: judged})


def _images(
    folder: Path, names: Sequence[str], plan: Path, dataset: str | None, root: Path | None
) -> tuple[str, list[ThumbnailSource]]:
    """Return the title of the images of a run or of a pick folder, and the files of some of them."""
    if is_pick(folder):
        pick = read_pick(folder)
        return pick.title, pick.sources(names)
    heldout = read_stored_run(folder, dataset=dataset, root=root).truth.heldout
    if heldout is None:
        raise ArenaError(f"{folder}: its truth has no images; answer the cells of {plan} with another tool")
    return heldout.card.title, thumbnail_sources(heldout, names)


def write_page(
    folder: Path, plan: Path, output: Path, judgements: Path, *, dataset: str | None = None, root: Path | None = None,
    progress: Progress = Silent(),
) -> None:  # fmt: skip
    """Write the unanswered cells of a plan as one offline page with their images.

    Raises:
        ArenaError: the run or the plan cannot be read, the run has no dataset with images, or an image cannot be decoded.
    """
    table = read_plan(plan)
    if judgements.exists():
        table = unanswered(table, read_judgements(judgements))
    questions = pd.concat([table, table[table["repeat"]]])
    names = list(dict.fromkeys(questions["image_id"]))
    title, sources = _images(folder, names, plan, dataset, root)
    with progress.count("images", len(names), 0) as advance:
        images = []
        for source in sources:
            images.append(QuestionImage(source.image_id, webp_thumbnail(source.path, QUESTION_SIDE), source.rating))
            advance(1)
    tags = list(dict.fromkeys(questions["tag"]))
    number = {name: place for place, name in enumerate(names)}
    cells = [
        Question(number[image], tags.index(tag), inclusion)
        for image, tag, inclusion in questions[["image_id", "tag", "inclusion_probability"]].itertuples(index=False)
    ]
    identifier = str(table["plan"].iloc[0]) if len(table) else ""
    page = render_questions(title, identifier, images, tags, cells, COLUMNS)
    with lock_output(output, "judge page"):
        write_whole(output, page)
