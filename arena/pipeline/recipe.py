"""What a run folder tells of how its scores were made: thresholds, the part of the dataset, and where the files were."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from arena.base.errors import ArenaError
from arena.base.files import digest_file, digest_files
from arena.cards import ModelCard, Thresholds, find_model
from arena.pipeline.entrants import RECORDED, RunSide
from arena.pipeline.thresholds import Own
from arena.scores.npz import read_scores
from arena.scores.store import Scores, read_facts, read_store
from arena.taggers.files import weights

_SAMPLE = re.compile(r"(\d+) of seed (-?\d+)")


class Sample(NamedTuple):
    """A random part of a dataset; no limit is all of it."""

    limit: int | None = None
    seed: int = 0


def facts_of(side: RunSide) -> dict[str, Any]:
    """What `run.json` says of the model."""
    return dict(side.result.run["models"][side.model])


def sample_of(side: RunSide) -> Sample:
    """The part of its dataset that a run was scored on."""
    found = _SAMPLE.fullmatch(str(side.result.run["dataset"].get("sample", "")))
    return Sample(int(found[1]), int(found[2])) if found else Sample()


def thresholds_of_run(side: RunSide) -> Own:
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


def scores_of_run(side: RunSide) -> Scores:
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
    if side.source.startswith(RECORDED):
        raise ArenaError(
            f"{side.source}: no scores were kept of {side.model}, and its run is gone or has changed; set it again with "
            f"--with-scores, or give the scores themselves, as {side.model}=FILE.npz"
        )
    named = facts.get("scores", f"scores/{side.model}")
    raise ArenaError(
        f"{side.source}: no scores of {side.model} in it, and {named}, which it was made of, is not where it was or has "
        f"changed; give the scores themselves, as {side.model}=FILE.npz"
    )


def recorded_paths(side: RunSide) -> Iterator[Path]:
    """Files and folders that the command of a run named and that are there, and those beside the run; to be verified."""
    named = facts_of(side).get("scores")
    beside = [side.folder / named, side.folder.parent / named] if named else []
    yield from (path for path in (*_typed(side), *beside) if path.exists())


def model_at_hand(side: RunSide, root: Path | None) -> ModelCard | None:
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


def _typed(side: RunSide) -> list[Path]:
    """What looks like a path in the command that made a run."""
    try:
        words = shlex.split(str(side.result.run.get("command", "")))
    except ValueError:
        return []
    parts = [part for word in words[1:] for part in word.split(",")]
    return [Path(part.rpartition("=")[2]) for part in parts if part and ("=" in part or not part.startswith("-"))]
