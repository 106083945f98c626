"""Check that all entrants were scored on the same images and labels."""

from collections.abc import Sequence
from pathlib import Path

from arena.base.errors import ArenaError, IncomparableError
from arena.base.format import listed, plural
from arena.evaluate.matching import Entry
from arena.pipeline.entrants import Entrant, RunEntrant
from arena.pipeline.inputs import find_truth
from arena.pipeline.stages import DEMO_DATASET
from arena.pipeline.truth import LoadedTruth, read_truth, with_digest
from arena.results.recipe import DatasetUsed, Sample

_NAMED_IMAGES = 3
"""Largest number of missing images that an error names; the others are counted."""

UNREAD_SHARE = 0.01
"""Largest share of images that one entrant alone may have failed to read; they are left out for all, with a note."""


def find_common_truth(entrants: Sequence[Entrant], dataset: str | None, part: Sample, root: Path | None) -> LoadedTruth:
    """The images and labels of a comparison: the named dataset, else that of the first run, else the demo dataset.

    Args:
        part: the sample; without a limit, the sample of the first run.

    Raises:
        IncomparableError: a run was scored on other images or labels.
        ArenaError: there is no such dataset, or a sample of a truth file is wanted.
    """
    runs = [entrant for entrant in entrants if isinstance(entrant, RunEntrant)]
    given = _read(dataset, runs, root)
    if given.heldout is None:
        _refuse_other_file(runs, given)
        if part.limit:
            raise ArenaError(
                f"--limit {part.limit}: {given.dataset.title} is a truth file; only a dataset can be sampled"
            )
        return given
    for run in runs:
        scored = _dataset(run)
        current = given.sampled(scored.sample).dataset
        if current.digest != scored.digest:
            raise IncomparableError(
                f"{run.source}: scored on {scored.label(12)}, but {dataset or given.dataset.name} here is "
                f"{current.label(12)}; name the dataset that it was scored on with --dataset, or score it again"
            )
    return given.sampled(part if part.limit or not runs else _dataset(runs[0]).sample)


def refuse_other_sets(candidate: RunEntrant, baseline: RunEntrant, scored: Sequence[Sequence[str]]) -> None:
    """Refuse two runs that were scored on different datasets.

    Args:
        scored: ids of the scored images, of the candidate and of the baseline.

    Raises:
        IncomparableError: the digests of the datasets differ; the message says how.
    """
    ours, theirs = _dataset(candidate), _dataset(baseline)
    if ours.digest == theirs.digest:
        return
    of_candidate, of_baseline = (set(image_ids) for image_ids in scored)
    missing = [image_id for image_id in scored[1] if image_id not in of_candidate]
    sets = f"datasets {ours.label(12)} and {theirs.label(12)}"
    if missing and of_candidate < of_baseline:
        raise IncomparableError(
            f"{candidate.source}: {_missing(missing, len(of_baseline))} that {baseline.source} was scored on ({sets}); "
            "score it on all of them, or check both on a random sample with --limit N"
        )
    raise IncomparableError(
        f"{candidate.source} and {baseline.source}: other images or labels ({sets}); score both on the same dataset"
    )


def refuse_missing_images(image_ids: Sequence[str], entries: Sequence[Entry]) -> list[str]:
    """Refuse an entrant without scores of some images.

    Returns: a note on each entrant that alone could not read a few images.

    Raises:
        IncomparableError: images are missing, or one entrant alone skipped more than `UNREAD_SHARE` of them.
    """
    notes = []
    for entry in entries:
        others = [one.scores.skipped for one in entries if one is not entry]
        scored, skipped = set(entry.scores.image_ids), entry.scores.skipped
        lost = [image_id for image_id in image_ids if image_id not in scored and image_id not in skipped]
        if lost:
            raise IncomparableError(
                f"{entry.name}: {_missing(lost, len(image_ids))}; score it on all of them, or check all on a dataset without "
                "them with --dataset"
            )
        alone = [one for one in image_ids if one in skipped and not all(one in other for other in others)]
        if len(alone) > UNREAD_SHARE * len(image_ids):
            why = skipped[alone[0]]
            raise IncomparableError(
                f"{entry.name}: {_missing(alone, len(image_ids))}, which it could not read ({why}); repair them and score again"
            )
        if alone:
            notes.append(f"{entry.name} could not read {plural(len(alone), 'image', 'images')}, left out for all")
    return notes


def _read(dataset: str | None, runs: Sequence[RunEntrant], root: Path | None) -> LoadedTruth:
    """The named dataset, else the truth of the first run, else the demo dataset."""
    if dataset is not None or not runs:
        return with_digest(read_truth(dataset or DEMO_DATASET, root))
    found = find_truth(runs[0].result, runs[0].folders, root)
    if found is None:
        raise ArenaError(
            f"{runs[0].source}: scored on {_dataset(runs[0]).name}, which is not found here; name its folder or its truth "
            "file with --dataset"
        )
    return found


def _refuse_other_file(runs: Sequence[RunEntrant], given: LoadedTruth) -> None:
    for run in runs:
        scored = _dataset(run)
        if scored.digest != given.dataset.digest:
            raise IncomparableError(
                f"{run.source}: scored on {scored.title}@{scored.digest[:12]}, but {given.dataset.title} here is "
                f"@{given.dataset.digest[:12]}; name the truth file that it was scored on with --dataset, or score it again"
            )


def _missing(image_ids: Sequence[str], whole: int) -> str:
    """`no scores of 2 of the 9 images (a and b)`."""
    some = listed([repr(one)[1:-1] for one in image_ids], keep=_NAMED_IMAGES)
    return f"no scores of {len(image_ids):,} of the {plural(whole, 'image', 'images')} ({some})"


def _dataset(run: RunEntrant) -> DatasetUsed:
    return run.result.recipe.dataset
