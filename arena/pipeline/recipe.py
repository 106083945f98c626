"""What a run folder says of how its scores were made, and its result computed again from them."""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from arena.base.errors import ArenaError, IncomparableError
from arena.base.files import digest_file, digest_files
from arena.base.progress import Progress
from arena.cards import ModelCard, Thresholds, find_model
from arena.dataset.frozen import HeldOut
from arena.evaluate import Entry, Settings, amount_of_work, evaluate
from arena.evaluate.settings import SLICE_COLUMNS, describe_settings
from arena.pipeline.entrants import RunEntrant
from arena.pipeline.grammar import RECORDED, parse
from arena.pipeline.stages import Scoring, settings_of
from arena.pipeline.thresholds import Own
from arena.pipeline.truth import GivenTruth, read_scores_of, read_truth
from arena.results.run_folder import Result
from arena.scores.npz import read_scores
from arena.scores.store import Scores, read_facts, read_store
from arena.taggers.files import weights

_SAMPLE = re.compile(r"(\d+) of seed (-?\d+)")
"""How `run.json` tells of a part of a dataset."""


class Sample(NamedTuple):
    """A random part of a dataset; no limit is all of it."""

    limit: int | None = None
    seed: int = 0


def facts_of(side: RunEntrant) -> dict[str, Any]:
    """What `run.json` says of the model."""
    return dict(side.result.run["models"][side.model])


def sample_of(side: RunEntrant) -> Sample:
    """The part of its dataset that a run was scored on."""
    found = _SAMPLE.fullmatch(str(side.result.run.get("dataset", {}).get("sample", "")))
    return Sample(int(found[1]), int(found[2])) if found else Sample()


def thresholds_of_run(side: RunEntrant) -> Own:
    """The thresholds of a run's predictions: `run.json` has those of all tags and of categories, the table those of each."""
    told = facts_of(side).get("thresholds", {})
    categories = dict(told.get("categories", {}))
    rows = side.result.tags_of(side.model)
    used = dict(zip(rows["tag"], (float(str(np.float32(one))) for one in rows["threshold"]), strict=True))
    common = told.get("default")
    if not told and len(set(used.values())) == 1:
        return Own(Thresholds(next(iter(used.values()))), "option")
    single = used if told.get("tags") or not told else {}
    return Own(Thresholds(common, categories, tags=single), str(told.get("source", "option")))


def scores_of_run(side: RunEntrant) -> Scores:
    """The scores that a run was made of: its own, or those of the file that it was given, if that is unchanged.

    Raises:
        ArenaError: there are none, or the file is another one by now.
        ScoresError: they are damaged.
    """
    kept = side.folder / "scores" / side.model
    if (kept / "store.json").is_file():
        return read_store(kept)
    facts = facts_of(side)
    for path in recorded_paths(side):
        if path.is_dir() and facts.get("key") and read_facts(path).get("key") == facts["key"]:
            return read_store(path)
        if path.is_file() and path.name == facts.get("scores") and digest_file(path) == facts.get("key"):
            return read_scores(path)
    if parse(side.source).place == RECORDED:
        raise ArenaError(
            f"{side.source}: no scores were kept of {side.model}, and its run is gone or has changed; set it again with "
            f"--with-scores, or give the scores themselves, as {side.model}=FILE.npz"
        )
    named = facts.get("scores", f"scores/{side.model}")
    raise ArenaError(
        f"{side.source}: no scores of {side.model} in it, and {named}, which it was made of, is not where it was or has "
        f"changed; give the scores themselves, as {side.model}=FILE.npz"
    )


def recorded_paths(side: RunEntrant) -> Iterator[Path]:
    """Files and folders that the command of a run named and that are there, and those beside the run; to be verified."""
    named = facts_of(side).get("scores")
    beside = [side.folder / named, side.folder.parent / named] if named else []
    yield from (path for path in (*_typed(side), *beside) if path.exists())


def model_at_hand(side: RunEntrant, root: Path | None) -> ModelCard | None:
    """The card of the model whose scores a run holds, if files with the digest of its weights are on this machine."""
    wanted = facts_of(side).get("weights")
    specs = [side.model, *(f"{side.model}={path}" for path in _typed(side))]
    for spec in specs if wanted else []:
        try:
            card = find_model(spec, root)
            files = None if card.adapter in ("precomputed", "ensemble") else weights.find(card)
        except ArenaError:
            continue
        if files and digest_files(files) == wanted:
            return card
    return None


def _typed(side: RunEntrant) -> list[Path]:
    """What looks like a path in the command that made a run."""
    try:
        words = shlex.split(str(side.result.run.get("command", "")))
    except ValueError:
        return []
    parts = [part for word in words[1:] for part in word.split(",")]
    return [Path(part.rpartition("=")[2]) for part in parts if part and ("=" in part or not part.startswith("-"))]


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
