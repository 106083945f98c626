"""A run's result computed once more from its stored scores and the truth of its dataset."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from arena.base.errors import ArenaError, IncomparableError
from arena.base.files import digest_file
from arena.base.progress import Progress
from arena.cards import Thresholds
from arena.dataset.frozen import HeldOut
from arena.evaluate import Entry, Settings, amount_of_work, evaluate
from arena.evaluate.settings import SLICE_COLUMNS, describe_settings
from arena.pipeline.stages import Scoring, settings_of
from arena.pipeline.truth import GivenTruth, read_scores_of, read_truth
from arena.results.run_folder import Result

_SAMPLE = re.compile(r"(\d+) of seed (-?\d+)")
"""How `run.json` tells of a part of a dataset."""


def compute_again(
    result: Result,
    folder: Path,
    *,
    dataset: str | None,
    scores: Mapping[str, Path],
    tag_groups: Path | None,
    root: Path | None,
    progress: Progress,
) -> Result:
    """The result of the same scores, truth, thresholds and settings.

    Args:
        dataset: the truth, where it does not go by the name in `run.json`: a card, a frozen folder or an `.npz`.
        scores: of models whose scores do not lie in the run folder.
        tag_groups: a file of groups, where they are not those beside the dataset or of the project.

    Raises:
        ArenaError: there are no scores of a model, or no such dataset; or other tag groups.
        IncomparableError: the dataset is another one.
    """
    given = _truth(result, folder, dataset, root)
    entries = [_entry(result, name, scores.get(name, folder / "scores" / name)) for name in result.models]
    settings = _settings(result, tag_groups, given.folder, root)
    with progress.count("tags", amount_of_work(given.truth, settings), 0) as advance:
        return evaluate(given.truth, entries, settings, run=result.run, advance=advance)


def _truth(result: Result, folder: Path, dataset: str | None, root: Path | None) -> GivenTruth:
    """The truth that the run was scored on, known by its digest."""
    told = result.run.get("dataset", {})
    spec = dataset or str(told.get("name", ""))
    given = read_truth(Path(spec) if spec.endswith(".npz") else spec, root)
    if given.heldout is None:
        digest = digest_file(Path(spec))
    else:
        heldout = _part(given.heldout, str(told.get("sample", "all")))
        given, digest = given._replace(truth=heldout.truth, heldout=heldout), heldout.digest
    if digest != told.get("digest"):
        seen = str(told.get("digest") or "unknown")[:12]
        raise IncomparableError(
            f"{folder}: scored on {told.get('name')} of digest {seen}, but {spec} has {digest[:12]}; name the right one with "
            "--dataset"
        )
    return given


def _part(heldout: HeldOut, sample: str) -> HeldOut:
    """The part of a dataset that a run took."""
    found = _SAMPLE.fullmatch(sample)
    return heldout.sample(int(found[1]), int(found[2])) if found else heldout


def _entry(result: Result, name: str, path: Path) -> Entry:
    if not path.exists():
        raise ArenaError(f"{path}: no scores of {name} there; say where they are with --scores {name}=FILE")
    facts, told = result.run["models"][name], result.summary["models"][name]
    return Entry(name, told["title"], read_scores_of(path), _thresholds(result, name), told["threshold_source"], facts)


def _thresholds(result: Result, name: str) -> Thresholds:
    """Those that `run.json` tells; where tags have their own, those of the tags in `per_tag`."""
    told = result.run["models"][name].get("thresholds", {})
    own = Thresholds(told.get("default"), told.get("categories", {}))
    if told and not told.get("tags"):
        return own
    rows = result.tags_of(name)
    single = zip(rows["tag"], rows["threshold"].to_numpy(np.float32), strict=True)
    return replace(own, tags={tag: float(threshold) for tag, threshold in single})


def _settings(result: Result, tag_groups: Path | None, beside: Path, root: Path | None) -> Settings:
    """As `run.json` tells them; of an older run, what is not told is the default.

    Raises:
        ArenaError: the tag groups are other ones.
    """
    summary, told = result.summary, result.run.get("settings", {})
    slices = tuple(told.get("slices", SLICE_COLUMNS))
    known = Settings(
        summary["min_positives"], summary["convention"], summary["replicates"], told.get("seed", 0),
        SLICE_COLUMNS if slices == SLICE_COLUMNS else slices,  # the default itself passes over columns that are not there
        imply=bool(summary.get("imply")),
    )  # fmt: skip
    settings = settings_of(Scoring(known, tag_groups=tag_groups), beside, root)
    if told and describe_settings(settings)["tag_groups"] != told["tag_groups"]:
        seen = f"{len(settings.tag_groups)} tag groups are at hand, but the run was made with others"
        raise ArenaError(f"{seen}; name their file with --tag-groups")
    return settings
