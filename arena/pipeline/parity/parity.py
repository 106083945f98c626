"""From two names to a report: run or read both sides, measure, judge, and look for the cause of a difference."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from arena import taggers
from arena.base.errors import ArenaError
from arena.base.files import make_folder
from arena.base.format import plural
from arena.base.progress import Progress, Silent
from arena.diagnostics.parity.causes import LOOKED_AT, Search, distances, search_scores
from arena.diagnostics.parity.measure import Parity, measure
from arena.diagnostics.parity.pairs import Pair, Side, pair_up
from arena.diagnostics.parity.variants import PASSES, Bench, search_variants, variants
from arena.diagnostics.parity.verdict import Report, Tolerances, judge
from arena.pipeline.parity.entrants import (
    Images,
    Runner,
    files_of,
    images_of,
    mixed,
    read_sides,
    refuse_overwriting,
    runners,
    score_models,
    sort_out,
    those_scored,
)
from arena.pipeline.stages import Compute
from arena.tags import TagRelations

FEW = 4
"""Images by which changes of B are told apart; the best is tried on all that are given to it."""


class Chosen(NamedTuple):
    """What models are run on."""

    images: Path | None = None
    dataset: str | None = None
    limit: int | None = None
    seed: int = 0


def compare_models(
    a: str,
    b: str,
    chosen: Chosen,
    *,
    folder: Path | None = None,
    compute: Compute = Compute(),
    compute_b: Compute | None = None,
    thresholds: Mapping[str, float] | None = None,
    tolerances: Tolerances = Tolerances(),
    diagnose: int = 16,
    root: Path | None = None,
    progress: Progress = Silent(),
) -> Report:
    """Run two models on the same images and compare their scores.

    Args:
        a, b: names of cards, or NAME=PATH. Where one stands for scores that are there already, it is `compare_with_scores`.
        folder: where scores are kept, so that a stopped comparison continues; None is below `runs/`.
        compute_b: how B runs, where it runs in another way than A.
        thresholds: name -> threshold that replaces its card's.
        diagnose: images on which changes of B are tried where the two differ; 0 tries none.

    Raises:
        IncomparableError: no common tag.
        ArenaError: a name is unknown, or files are missing or damaged.
    """
    named = sort_out([a, b], root)
    if named.files:
        if not named.models:
            raise ArenaError(f"{a} and {b}: both are scores that need no images; name each with --scores NAME=FILE")
        return compare_with_scores(
            named.models[0], named.files, chosen, folder=folder, compute=compute_b or compute, thresholds=thresholds,
            tolerances=tolerances, diagnose=diagnose, root=root, progress=progress,
        )  # fmt: skip
    images = images_of(chosen.images, chosen.dataset, limit=chosen.limit, seed=chosen.seed, root=root)
    ways = {"compute": compute, "compute_b": compute_b or compute}
    pair = runners(a, b, **ways, root=root, thresholds=thresholds or {}, progress=progress)
    scores = folder or _home(pair[0].card.name, pair[1].card.name, images)
    make_folder(scores)
    first, second = score_models(pair, images, scores, progress)
    rerun = Rerun(_as_ran(pair[1], second), images, diagnose)
    return _compare((first, second), images.relations, tolerances, progress, rerun)


def compare_with_scores(
    model: str,
    files: Mapping[str, Path],
    chosen: Chosen,
    *,
    folder: Path | None = None,
    compute: Compute = Compute(),
    thresholds: Mapping[str, float] | None = None,
    tolerances: Tolerances = Tolerances(),
    diagnose: int = 16,
    root: Path | None = None,
    progress: Progress = Silent(),
) -> Report:
    """Run a model on the images that scores are of, and compare it with them: the scores are A, the model is B.

    Args:
        model: name of a card, or NAME=PATH.
        files: name -> `.npz` of scores, or the scores folder of a run; one. Its rows are found by image id.
        chosen: images of which the scores may know some only; others are left out.
        folder, thresholds, diagnose: as of `compare_models`.

    Raises:
        IncomparableError: no common tag or image.
        ArenaError: a name is unknown or stands for both, or files are missing or damaged.
    """
    images = images_of(chosen.images, chosen.dataset, limit=chosen.limit, seed=chosen.seed, root=root)
    side, runner = mixed(model, files, compute=compute, root=root, thresholds=thresholds or {}, progress=progress)
    known = those_scored(images, side)
    scores = folder or _home(side.name, runner.card.name, images)
    refuse_overwriting(scores, runner, files)
    make_folder(scores)
    (ran,) = score_models([runner], known, scores, progress)
    report = _compare((side, ran), images.relations, tolerances, progress, Rerun(_as_ran(runner, ran), known, diagnose))
    if left := len(images.source.image_ids) - len(known.source.image_ids):
        note = f"{plural(left, 'image', 'images')} of {images.name} {side.name} has no scores of; left out"
        return replace(report, notes=(*report.notes, note))
    return report


def compare_scores(
    files: Mapping[str, Path],
    *,
    thresholds: Mapping[str, float] | None = None,
    tolerances: Tolerances = Tolerances(),
    root: Path | None = None,
    progress: Progress = Silent(),
) -> Report:
    """Compare scores that are there already; only causes that scores show can be found.

    Args:
        files: name -> `.npz` of scores, or the scores folder of a run; A first.

    Raises:
        IncomparableError: no common tag or image.
        ArenaError: not two, or damaged.
    """
    sides = read_sides(files, thresholds=thresholds or {}, root=root)
    return _compare(sides, TagRelations(), tolerances, progress, None)


def _home(a: str, b: str, images: Images) -> Path:
    """Where scores are kept when no folder is named."""
    return Path("runs") / f"parity-{a}-{b}-on-{images.name}"


def _as_ran(runner: Runner, side: Side) -> Runner:
    """The model as its scores were made: with the sigmoid that it turned out to lack."""
    return runner._replace(card=replace(runner.card, output="logits")) if side.missing_sigmoid else runner


class Rerun(NamedTuple):
    """How B can be run again."""

    runner: Runner
    images: Images
    diagnose: int

    @property
    def possible(self) -> bool:
        """Whether images are asked for, and pixels tell B's scores: those of a file do not change with them."""
        return self.diagnose > 0 and all(one.adapter != "precomputed" for one in self.runner.card.single)


def _compare(
    sides: tuple[Side, Side], relations: TagRelations, tolerances: Tolerances, progress: Progress, rerun: Rerun | None
) -> Report:
    pair = pair_up(*sides, relations)
    with progress.count("tags", 2 * len(pair.tags), 0) as advance:
        parity = measure(pair, advance)
    verdict = judge(parity, tolerances, tuple(side.name for side in sides if side.missing_sigmoid))
    report = Report(parity, tolerances, verdict, notes=_notes(pair, parity))
    return report if parity.largest <= tolerances.score else explain(report, pair, rerun, progress)


def explain(report: Report, pair: Pair, rerun: Rerun | None, progress: Progress) -> Report:
    """The report with what was found about the cause: by the scores, else by running B again."""
    tolerance = report.tolerances.score
    found = search_scores(pair, tolerance)
    if rerun is None or not rerun.possible or found.after <= tolerance or "tags" in found.cause:
        return replace(report, finding=found.finding(min(len(pair.image_ids), LOOKED_AT), tolerance))
    chosen = _telling(report.parity, pair, rerun.diagnose)
    found = _try_variants(pair, rerun, chosen, found, tolerance, progress)
    return replace(report, finding=found.finding(len(chosen), tolerance), tried_on=len(chosen))


def _try_variants(
    pair: Pair, rerun: Rerun, chosen: Sequence[int], so_far: Search, tolerance: float, progress: Progress
) -> Search:
    """What changes of B's preprocessing do on some images."""
    card, compute = rerun.runner
    rows = [pair.values(rows=slice(row, row + 1)) for row in chosen]
    a, b = (np.concatenate([row[side] for row in rows]) for side in (0, 1))
    files = files_of(rerun.images.source, [pair.image_ids[row] for row in chosen])
    tagger = partial(taggers.load, device=compute.device, precision=compute.precision, relations=rerun.images.relations)
    bench = Bench(card, files, pair.columns_b, so_far.transform, load=tagger)
    largest, mean = distances(a, so_far.transform(b))
    start = so_far._replace(before=distances(a, b).largest, after=largest, mean=mean)
    total = PASSES * len(list(variants(bench.card)))
    with progress.count(f"changes of {pair.b.name}", total, 0) as advance:
        return search_variants(bench, a, start, few=FEW, tolerance=tolerance, advance=advance)


def _telling(parity: Parity, pair: Pair, wanted: int) -> list[int]:
    """Rows of images that tell causes apart: those that differ most, then others from all over, each once."""
    place = {image_id: row for row, image_id in enumerate(pair.image_ids)}
    worst = [place[image.name] for image in parity.worst_images]
    spread = np.linspace(0, len(pair.image_ids) - 1, num=min(wanted, len(pair.image_ids))).round().astype(int)
    return list(dict.fromkeys([*worst, *spread.tolist()]))[:wanted]


def _notes(pair: Pair, parity: Parity) -> tuple[str, ...]:
    """What else a reader should know."""
    notes = []
    if pair.a.ran != pair.b.ran:
        notes.append(
            f"{parity.a} ran in {pair.a.ran or 'an unknown way'}, {parity.b} in {pair.b.ran or 'an unknown way'}"
        )
    for own, other in ((pair.a, pair.b), (pair.b, pair.a)):
        if own.borrowed:
            notes.append(f"nobody tells thresholds of {own.name}; its decisions are taken at {other.name}'s")
    if not parity.same_thresholds:
        notes.append("their thresholds differ; decisions are taken at each one's own")
    if not parity.same_columns:
        notes.append("their columns are in another order; they were matched by name")
    for name, count in ((parity.a, parity.images_only_a), (parity.b, parity.images_only_b)):
        if count:
            notes.append(f"{plural(count, 'image', 'images')} only {name} has scores of; left out")
    return tuple(notes)
