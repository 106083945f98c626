"""Check that all models were scored on the same images and labels, and refuse those that were not."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from arena.base.errors import ArenaError, IncomparableError
from arena.base.files import digest_file
from arena.base.format import listed, plural
from arena.dataset.frozen import Truth
from arena.evaluate.matching import Entry
from arena.pipeline.entrants import Entrant, RunEntrant
from arena.pipeline.recipe import Sample, recorded_paths, sample_of
from arena.pipeline.stages import DEMO_DATASET
from arena.pipeline.truth import GivenTruth, read_truth

NAMED_IMAGES = 3
"""Missing images that are named; the others are counted."""

UNREAD_SHARE = 0.01
"""The part of the images that one side alone may have failed to read: they are left out of both, and it is noted."""


def find_ground(sides: Sequence[Entrant], dataset: str | None, part: Sample, root: Path | None) -> GivenTruth:
    """The truth of a check: the dataset that was told, else that of the runs, else the demo's.

    Args:
        part: what is taken of it; without a limit, what the runs were scored on.

    Raises:
        IncomparableError: a run was scored on another set than this one.
        ArenaError: no such dataset, or a part is asked of a truth that has no dataset.
    """
    runs = [side for side in sides if isinstance(side, RunEntrant)]
    given = _read(dataset, runs, root)
    if given.heldout is None:
        _refuse_other_file(runs, given)
        if part.limit:
            raise ArenaError(
                f"--limit {part.limit}: {given.facts['title']} is a truth file; a part is taken of a dataset only"
            )
        return given
    for run in runs:
        seen, recorded = given.heldout.sample(*sample_of(run)).digest, _told(run, "digest")
        if seen != recorded:
            raise IncomparableError(
                f"{run.source}: scored on {_told(run, 'name')}@{recorded[:12]}, but {dataset or given.facts['name']} here is "
                f"{given.facts['name']}@{seen[:12]}; name the set that it was scored on with --dataset, or score it again"
            )
    taken = part if part.limit else sample_of(runs[0]) if runs else Sample()
    heldout = given.heldout.sample(*taken)
    told = f"{taken.limit} of seed {taken.seed}" if taken.limit else "all"
    facts = given.facts | {
        "digest": heldout.digest, "images": len(heldout), "licence": heldout.card.licence, "sample": told,
    }  # fmt: skip
    return GivenTruth(heldout.truth, facts, given.folder, heldout)


def refuse_other_sets(candidate: RunEntrant, baseline: RunEntrant, scored: Sequence[Sequence[str]]) -> None:
    """Refuse two runs of different sets, and say what differs.

    Args:
        scored: the images that the candidate and the baseline have scores of.

    Raises:
        IncomparableError: their datasets have other digests.
    """
    ours, theirs = (_told(side, "digest") for side in (candidate, baseline))
    if ours == theirs:
        return
    of_candidate, of_baseline = (set(image_ids) for image_ids in scored)
    missing = [image_id for image_id in scored[1] if image_id not in of_candidate]
    sets = f"datasets {_told(candidate, 'name')}@{ours[:12]} and {_told(baseline, 'name')}@{theirs[:12]}"
    if missing and of_candidate < of_baseline:
        raise IncomparableError(
            f"{candidate.source}: {_missing(missing, len(of_baseline))} that {baseline.source} was scored on ({sets}); "
            "score it on all of them, or check both on a random part with --limit N"
        )
    raise IncomparableError(
        f"{candidate.source} and {baseline.source}: other images or labels ({sets}); score both on one set"
    )


def refuse_missing_images(image_ids: Sequence[str], entries: Sequence[Entry]) -> list[str]:
    """Refuse a side that lacks images of the ground; returns a note on each that could not read a few of them.

    Raises:
        IncomparableError: images are missing, or more than `UNREAD_SHARE` of them were skipped by one side alone.
    """
    notes = []
    for entry in entries:
        others = [one.scores.skipped for one in entries if one is not entry]
        scored, skipped = set(entry.scores.image_ids), entry.scores.skipped
        lost = [image_id for image_id in image_ids if image_id not in scored and image_id not in skipped]
        if lost:
            raise IncomparableError(
                f"{entry.name}: {_missing(lost, len(image_ids))}; score it on all of them, or check both on what is left "
                "with --dataset"
            )
        alone = [one for one in image_ids if one in skipped and not all(one in other for other in others)]
        if len(alone) > UNREAD_SHARE * len(image_ids):
            why = skipped[alone[0]]
            raise IncomparableError(
                f"{entry.name}: {_missing(alone, len(image_ids))}, which it could not read ({why}); mend them, and score again"
            )
        if alone:
            notes.append(f"{entry.name} could not read {plural(len(alone), 'image', 'images')}, left out for all")
    return notes


def refuse_no_common_tag(truth: GivenTruth, entries: Sequence[Entry]) -> None:
    """Refuse a side that knows no tag of the truth.

    Raises:
        IncomparableError: it does not.
    """
    known = truth.truth.tags.index.keys() | truth.truth.relations.aliases.keys()
    for entry in entries:
        names = entry.scores.tags.names
        if known.isdisjoint(names):
            raise IncomparableError(
                f"{entry.name}: none of its {len(names):,} tags ({listed(list(names), keep=3)}) is a tag of "
                f"{truth.facts['name']}; name renamed ones in a CSV with the columns old,new with --aliases"
            )


def with_aliases(truth: Truth, renamed: Mapping[str, str]) -> Truth:
    """A truth by whose relations a tag is found under its old name and its new one.

    The truth's own spelling stands for both; where it has neither, the new one does.

    >>> from arena.tags import TagSpace
    >>> import numpy as np
    >>> truth = Truth.of(["a"], TagSpace(("hat",)), np.array([[True]]))
    >>> dict(with_aliases(truth, {"hat": "headwear"}).relations.aliases)
    {'headwear': 'hat'}
    """
    known = truth.tags.index
    aliases = dict(truth.relations.aliases)
    for old, new in renamed.items():
        kept = old if old in known and new not in known else new
        other = old if kept == new else new
        aliases[other] = aliases.get(kept, kept)
    return replace(truth, relations=replace(truth.relations, aliases=aliases))


def _read(dataset: str | None, runs: Sequence[RunEntrant], root: Path | None) -> GivenTruth:
    """The dataset that was told, or what a run was scored on, looked for by its name and where its command found it."""
    if dataset is not None or not runs:
        return _opened(dataset or DEMO_DATASET, root)
    name = _told(runs[0], "name")
    places = [name, *map(str, recorded_paths(runs[0]))]
    for place in places:
        try:
            given = _opened(place, root)
        except ArenaError:
            continue
        if given.facts["name"] == name:
            return given
    raise ArenaError(
        f"{runs[0].source}: scored on {name}, which is not found here; name its folder, or its truth file, with --dataset"
    )


def _opened(place: str, root: Path | None) -> GivenTruth:
    """A truth with the digest of what it was read from."""
    given = read_truth(place, root)
    if given.heldout is not None:
        return given
    return given._replace(
        facts=given.facts | {"digest": digest_file(Path(place)), "images": len(given.truth.image_ids)}
    )


def _refuse_other_file(runs: Sequence[RunEntrant], given: GivenTruth) -> None:
    for run in runs:
        if _told(run, "digest") != given.facts["digest"]:
            raise IncomparableError(
                f"{run.source}: scored on {_told(run, 'title')}@{_told(run, 'digest')[:12]}, but {given.facts['title']} here "
                f"is @{given.facts['digest'][:12]}; name the truth that it was scored on with --dataset, or score it again"
            )


def _missing(image_ids: Sequence[str], whole: int) -> str:
    """`no scores of 2 of the 9 images (a and b)`."""
    some = listed([repr(one)[1:-1] for one in image_ids], keep=NAMED_IMAGES)
    return f"no scores of {len(image_ids):,} of the {plural(whole, 'image', 'images')} ({some})"


def _told(run: RunEntrant, what: str) -> str:
    found: Any = run.result.run["dataset"].get(what, "")
    return str(found)
