"""From two names to a report: run or read both sides, measure, judge, and look for the cause of a difference."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from arena.parity.causes import LOOKED_AT, Search, distances, search_scores
from arena.parity.measure import Parity, measure
from arena.parity.pairs import Pair, Side, pair_up
from arena.parity.sides import Images, Runner, files_of, images_of, read_sides, runners, score_both
from arena.parity.variants import FAULTS, Bench, search_variants, variants
from arena.parity.verdict import Report, Tolerances, judge
from arena.pipeline import Compute, make_folder
from arena.progress import Progress, Silent
from arena.report.figures import plural
from arena.tags import TagRelations

FEW = 4
"""Images by which changes of B are told apart; the best is tried on all that are given to it."""


class Chosen(NamedTuple):
    """What two models are run on."""

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
        a, b: names of cards, or NAME=PATH.
        folder: where scores are kept, so that a stopped comparison continues; None is below `runs/`.
        compute_b: how B runs, where it runs in another way than A.
        thresholds: name -> threshold that replaces its card's.
        diagnose: images on which changes of B are tried where the two differ; 0 tries none.

    Raises:
        IncomparableError: no common tag.
        ArenaError: a name is unknown, or files are missing or damaged.
    """
    pair = runners(a, b, compute=compute, compute_b=compute_b or compute, root=root, thresholds=thresholds or {})
    images = images_of(chosen.images, chosen.dataset, limit=chosen.limit, seed=chosen.seed, root=root)
    scores = folder or Path("runs") / f"parity-{pair[0].card.name}-{pair[1].card.name}-on-{images.name}"
    make_folder(scores)
    sides = score_both(pair, images.source, scores, progress)
    return _compare(sides, images.relations, tolerances, progress, _Rerun(_as_ran(pair[1], sides[1]), images, diagnose))


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


def _as_ran(runner: Runner, side: Side) -> Runner:
    """The model as its scores were made: with the sigmoid that it turned out to lack."""
    return runner._replace(card=replace(runner.card, output="logits")) if side.missing_sigmoid else runner


class _Rerun(NamedTuple):
    """How B can be run again."""

    runner: Runner
    images: Images
    diagnose: int


def _compare(
    sides: tuple[Side, Side], relations: TagRelations, tolerances: Tolerances, progress: Progress, rerun: _Rerun | None
) -> Report:
    pair = pair_up(*sides, relations)
    with progress.count("tags", 2 * len(pair.tags), 0) as advance:
        parity = measure(pair, advance)
    verdict = judge(parity, tolerances, tuple(side.name for side in sides if side.missing_sigmoid))
    report = Report(parity, tolerances, verdict, notes=_notes(pair, parity))
    return report if parity.largest <= tolerances.score else _explain(report, pair, rerun, progress)


def _explain(report: Report, pair: Pair, rerun: _Rerun | None, progress: Progress) -> Report:
    """The report with what was found about the cause: by the scores, else by running B again."""
    tolerance = report.tolerances.score
    found = search_scores(pair, tolerance)
    if rerun is None or not rerun.diagnose or found.after <= tolerance or "tags" in found.cause:
        return replace(report, finding=found.finding(min(len(pair.image_ids), LOOKED_AT), tolerance))
    chosen = _telling(report.parity, pair, rerun.diagnose)
    found = _try_variants(pair, rerun, chosen, found, tolerance, progress)
    return replace(report, finding=found.finding(len(chosen), tolerance), tried_on=len(chosen))


def _try_variants(
    pair: Pair, rerun: _Rerun, chosen: Sequence[int], so_far: Search, tolerance: float, progress: Progress
) -> Search:
    """What changes of B's preprocessing do on some images."""
    card, compute = rerun.runner
    rows = [pair.values(rows=slice(row, row + 1)) for row in chosen]
    a, b = (np.concatenate([row[side] for row in rows]) for side in (0, 1))
    files = files_of(rerun.images.source, [pair.image_ids[row] for row in chosen])
    bench = Bench(card, files, pair.columns_b, so_far.transform, compute=compute)
    largest, mean = distances(a, so_far.transform(b))
    start = so_far._replace(before=distances(a, b).largest, after=largest, mean=mean)
    total = FAULTS * len(list(variants(bench.card)))
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
    if not parity.same_thresholds:
        notes.append("their thresholds differ; decisions are taken at each one's own")
    if not parity.same_columns:
        notes.append("their columns are in another order; they were matched by name")
    for name, count in ((parity.a, parity.images_only_a), (parity.b, parity.images_only_b)):
        if count:
            notes.append(f"{plural(count, 'image', 'images')} only {name} has scores of; left out")
    return tuple(notes)
