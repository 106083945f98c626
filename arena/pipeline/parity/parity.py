"""Compare two ports of one model: run them or read their scores, measure, judge, and search for the cause of a difference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from arena import taggers
from arena.base.errors import ArenaError
from arena.base.format import plural
from arena.base.locks import lock_output
from arena.base.progress import Progress, Silent
from arena.diagnostics.parity.causes import MAX_CAUSE_IMAGES, CauseSearch, score_distance, search_scores
from arena.diagnostics.parity.measure import Parity, measure_parity
from arena.diagnostics.parity.pairs import ModelPair, ScoredModel, pair_models
from arena.diagnostics.parity.variants import MAX_PASSES, VariantScorer, card_variants, search_variants
from arena.diagnostics.parity.verdict import ParityReport, Tolerances, judge_parity
from arena.pipeline.entrants import Entrant, ModelEntrant, ScoredEntrant, give_unique_names, require_scores
from arena.pipeline.output import claim_folder
from arena.pipeline.paired import thresholds_of_entrant
from arena.pipeline.parity.scoring import (
    ParityImages,
    RunnableModel,
    StoredEntrant,
    at_thresholds,
    files_of,
    images_with_scores,
    parity_images,
    read_stored,
    refuse_overwriting,
    runnable_model,
    score_models,
)
from arena.pipeline.stages import Compute
from arena.pipeline.thresholds import ModelThresholds, refuse_thresholds
from arena.tags import TagRelations

_VERB = "arena parity"

_RANKING_IMAGES = 4
"""Images on which candidate changes of B are ranked; the best change is then tried on all chosen images."""


@dataclass(frozen=True)
class ParityOptions:
    """Options of a comparison of two models.

    Attributes:
        images: folder of the images that models are run on; an alternative to `dataset`.
        dataset: a dataset by name or frozen folder. Neither `images` nor `dataset` is set if both entrants are stored scores.
        limit, seed: largest number of images: a random sample of a dataset, or the first files of a folder by name.
        folder: folder of new scores, so that an interrupted comparison continues; None creates one below `runs/`.
        compute_b: how B runs; None means as A.
        thresholds: name of an entrant -> threshold that replaces all of its own.
        diagnose: number of images on which changes of B are tried if the two differ; 0 tries none.
    """

    images: Path | None = None
    dataset: str | None = None
    limit: int | None = None
    seed: int = 0
    root: Path | None = None
    folder: Path | None = None
    compute: Compute = field(default_factory=Compute)
    compute_b: Compute | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    tolerances: Tolerances = field(default_factory=Tolerances)
    diagnose: int = 16


def compare_ports(
    a: Entrant, b: Entrant, options: ParityOptions = ParityOptions(), progress: Progress = Silent()
) -> ParityReport:
    """Compare the scores of two models: models are run on the same images, stored scores are read.

    If one entrant is a model and the other stored scores, the scores are A and the model is B. Without a model, only causes
    that the scores reveal can be found.

    Raises:
        IncomparableError: there is no common tag or image.
        ArenaError: an entrant is a published file or named twice, images are missing or not needed, or files are missing or
            damaged.
    """
    a, b = _with_unique_names(require_scores(a, _VERB), require_scores(b, _VERB), options)
    refuse_thresholds(options.thresholds, [a.name, b.name])
    models = [one for one in (a, b) if isinstance(one, ModelEntrant)]
    stored = [one for one in (a, b) if not isinstance(one, ModelEntrant)]
    _refuse_images(options, needed=bool(models))
    own = {one.name: thresholds_of_entrant(one, options.thresholds.get(one.name), progress) for one in (a, b)}
    if not models:
        return _compare_stored(stored, own, options.tolerances, progress)
    images = parity_images(options.images, options.dataset, limit=options.limit, seed=options.seed, root=options.root)
    if not stored:
        return _compare_models(models, own, images, options, progress)
    return _compare_with_stored(models[0], stored[0], own, images, options, progress)


def _with_unique_names(a: ScoredEntrant, b: ScoredEntrant, options: ParityOptions) -> list[ScoredEntrant]:
    """Give both entrants unique names; if one model runs with two precisions or devices, B's name gets that suffix."""
    if not (isinstance(a, ModelEntrant) and isinstance(b, ModelEntrant) and a.source == b.source):
        return give_unique_names([a, b])
    ours, theirs = options.compute, options.compute_b or options.compute
    if ours == theirs:
        raise ArenaError(f"{a.source} is named twice; name the second as OTHERNAME=PATH, or set --precision-b")
    suffix = theirs.precision if theirs.precision != ours.precision else theirs.device
    return give_unique_names([a, b], ("", suffix.replace(":", "-")))


def _refuse_images(options: ParityOptions, *, needed: bool) -> None:
    given = (options.images is not None) + (options.dataset is not None)
    if needed and given != 1:
        raise ArenaError(f"{_VERB}: a model needs images; set either --images FOLDER or --dataset NAME")
    if given and not needed:
        raise ArenaError(f"{_VERB}: stored scores need no images; leave out --images and --dataset")


def _compare_stored(
    stored: Sequence[StoredEntrant], own: Mapping[str, ModelThresholds], tolerances: Tolerances, progress: Progress
) -> ParityReport:
    a, b = (read_stored(one) for one in stored)
    first, second = at_thresholds(a, own[a.name], other=own[b.name]), at_thresholds(b, own[b.name], other=own[a.name])
    return _compare((first, second), TagRelations(), tolerances, progress, None)


def _compare_models(
    models: Sequence[ModelEntrant],
    own: Mapping[str, ModelThresholds],
    images: ParityImages,
    options: ParityOptions,
    progress: Progress,
) -> ParityReport:
    computes = options.compute, options.compute_b or options.compute
    first, second = (runnable_model(one, own[one.name], how) for one, how in zip(models, computes, strict=True))
    folder = options.folder or _home(first.card.name, second.card.name, images)
    with lock_output(folder, "parity"):
        claim_folder(folder)
        a, b = score_models([first, second], images, folder, progress)
    rerun = Rerun(_as_ran(second, b), images, options.diagnose)
    return _compare((a, b), images.relations, options.tolerances, progress, rerun)


def _compare_with_stored(
    model: ModelEntrant,
    stored: StoredEntrant,
    own: Mapping[str, ModelThresholds],
    images: ParityImages,
    options: ParityOptions,
    progress: Progress,
) -> ParityReport:
    """Run a model, B, on the images of the stored scores, A; other images are left out."""
    runner = runnable_model(model, own[model.name], options.compute_b or options.compute)
    a = at_thresholds(read_stored(stored), own[stored.name], other=own[model.name])
    known = images_with_scores(images, a)
    folder = options.folder or _home(a.name, model.name, images)
    refuse_overwriting(folder, runner, stored)
    with lock_output(folder, "parity"):
        claim_folder(folder)
        (b,) = score_models([runner], known, folder, progress)
    rerun = Rerun(_as_ran(runner, b), known, options.diagnose)
    report = _compare((a, b), images.relations, options.tolerances, progress, rerun)
    if left := len(images.source.image_ids) - len(known.source.image_ids):
        note = f"{a.name} has no scores of {plural(left, 'image', 'images')} of {images.name}; left out"
        return replace(report, notes=(*report.notes, note))
    return report


def _home(a: str, b: str, images: ParityImages) -> Path:
    """The default folder of new scores."""
    return Path("runs") / f"parity-{a}-{b}-on-{images.name}"


def _as_ran(runner: RunnableModel, scored: ScoredModel) -> RunnableModel:
    """The model as it was scored: with a sigmoid, if its output turned out to be logits."""
    return runner._replace(card=replace(runner.card, output="logits")) if scored.missing_sigmoid else runner


class Rerun(NamedTuple):
    """What is needed to run B again; `diagnose` is the number of images."""

    runner: RunnableModel
    images: ParityImages
    diagnose: int

    @property
    def possible(self) -> bool:
        """Whether B can be run with other preprocessing: images are wanted, and no scores come from a file."""
        return self.diagnose > 0 and all(one.adapter != "precomputed" for one in self.runner.card.single)


def _compare(
    models: tuple[ScoredModel, ScoredModel],
    relations: TagRelations,
    tolerances: Tolerances,
    progress: Progress,
    rerun: Rerun | None,
) -> ParityReport:
    pair = pair_models(*models, relations)
    with progress.count("tags", 2 * len(pair.tags), 0) as advance:
        parity = measure_parity(pair, advance)
    verdict = judge_parity(parity, tolerances, tuple(one.name for one in models if one.missing_sigmoid))
    report = ParityReport(parity, tolerances, verdict, notes=_notes(pair, parity))
    return report if parity.largest <= tolerances.score else explain_difference(report, pair, rerun, progress)


def explain_difference(report: ParityReport, pair: ModelPair, rerun: Rerun | None, progress: Progress) -> ParityReport:
    """Add the likely cause of a difference to the report: from the scores, else by running B again."""
    tolerance = report.tolerances.score
    found = search_scores(pair, tolerance)
    if rerun is None or not rerun.possible or found.after <= tolerance or "tags" in found.cause:
        return replace(report, finding=found.finding(min(len(pair.image_ids), MAX_CAUSE_IMAGES), tolerance))
    chosen = _informative_rows(report.parity, pair, rerun.diagnose)
    found = _try_variants(pair, rerun, chosen, found, tolerance, progress)
    return replace(report, finding=found.finding(len(chosen), tolerance), tried_on=len(chosen))


def _try_variants(
    pair: ModelPair, rerun: Rerun, chosen: Sequence[int], so_far: CauseSearch, tolerance: float, progress: Progress
) -> CauseSearch:
    """Search changes of B's preprocessing on the chosen images."""
    card, compute = rerun.runner
    rows = [pair.values(rows=slice(row, row + 1)) for row in chosen]
    a, b = (np.concatenate([row[side] for row in rows]) for side in (0, 1))
    files = files_of(rerun.images.source, [pair.image_ids[row] for row in chosen])
    tagger = partial(taggers.load, device=compute.device, precision=compute.precision, relations=rerun.images.relations)
    bench = VariantScorer(card, files, pair.columns_b, so_far.transform, load=tagger)
    largest, mean = score_distance(a, so_far.transform(b))
    start = so_far._replace(before=score_distance(a, b).largest, after=largest, mean=mean)
    total = MAX_PASSES * len(list(card_variants(bench.card)))
    with progress.count(f"changes of {pair.b.name}", total, 0) as advance:
        return search_variants(bench, a, start, few=_RANKING_IMAGES, tolerance=tolerance, advance=advance)


def _informative_rows(parity: Parity, pair: ModelPair, wanted: int) -> list[int]:
    """Rows of images that help to distinguish causes: those that differ most, then evenly spaced ones, without repetition."""
    row_of = {image_id: row for row, image_id in enumerate(pair.image_ids)}
    worst = [row_of[image.name] for image in parity.worst_images]
    spread = np.linspace(0, len(pair.image_ids) - 1, num=min(wanted, len(pair.image_ids))).round().astype(int)
    return list(dict.fromkeys([*worst, *spread.tolist()]))[:wanted]


def _notes(pair: ModelPair, parity: Parity) -> tuple[str, ...]:
    """Remarks for the reader of a report, one sentence each."""
    notes = []
    if pair.a.ran != pair.b.ran:
        unknown = "an unknown precision"
        notes.append(f"{parity.a} ran in {pair.a.ran or unknown}, {parity.b} in {pair.b.ran or unknown}")
    for own, other in ((pair.a, pair.b), (pair.b, pair.a)):
        if own.borrowed:
            notes.append(f"{own.name} has no known thresholds; its decisions use those of {other.name}")
    if not parity.same_thresholds:
        notes.append("the thresholds differ; the decisions of each model use its own")
    if not parity.same_columns:
        notes.append("the columns are in different orders; they were matched by name")
    for name, count in ((parity.a, parity.images_only_a), (parity.b, parity.images_only_b)):
        if count:
            notes.append(f"only {name} has scores of {plural(count, 'image', 'images')}; left out")
    return tuple(notes)
