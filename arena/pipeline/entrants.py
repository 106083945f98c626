"""What CANDIDATE and BASELINE stand for: a run, a model to be run now, scores that are there already, or a published file."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from arena.base.errors import ArenaError, nearest
from arena.base.format import listed
from arena.cards import ModelCard, find_model, model_cards
from arena.results.published.read import is_published, read_published
from arena.results.published.record import Published
from arena.results.run_folder import Result, read_result

RUN_FILE = "run.json"
"""A folder that holds it is a run."""


RECORDED = "@baseline"
"""What `arena baseline set` recorded."""

BASELINES = Path("baselines")
"""Where it does, unless another folder is named."""


@dataclass(frozen=True)
class RunSide:
    """A model of a finished run.

    Attributes:
        source: what was given, as it was typed; `name` is what the model is called in the comparison.
        model: what its run calls it.
        result: of the run, with the tables that a check reads of it.
        origin: where the run lay when a baseline was made of it; None for a run that is named by its folder.
    """

    source: str
    name: str
    folder: Path
    model: str
    result: Result
    origin: Path | None = None

    @property
    def folders(self) -> list[Path]:
        """From where the recipe may name its inputs."""
        return [self.folder] if self.origin is None else [self.folder, self.origin]


@dataclass(frozen=True)
class ModelSide:
    """A model that is run now."""

    source: str
    name: str
    card: ModelCard


@dataclass(frozen=True)
class ScoresSide:
    """Scores that are there already: an `.npz` file, or the scores folder of a run."""

    source: str
    name: str
    path: Path


@dataclass(frozen=True)
class PublishedSide:
    """Figures that somebody published."""

    source: str
    name: str
    published: Published


Given = RunSide | ModelSide | ScoresSide | PublishedSide

TABLES_OF_A_RUN = ("per_tag",)
"""What is read of a run's tables: its thresholds by tag, and what it is judged by where nothing is known of single images."""


def find_side(spec: str, *, what: str, root: Path | None = None, baselines: Path = BASELINES) -> Given:
    """Tell what was named: `RUN`, `RUN:MODEL`, a card, `NAME=PATH`, a published file, `FILE:MODEL`, or `@baseline`.

    Args:
        what: which side, for messages: `CANDIDATE` or `--baseline`.
        baselines: the folder in which `@baseline` was recorded; `@baseline:NAME` is an earlier one.

    Raises:
        ArenaError: nothing of the name is there, or several models are, of which none was told.
        IncomparableError: a run of another schema.
    """
    if spec.partition(":")[0] == RECORDED:
        return _recorded(spec, baselines)
    name, separator, path = spec.partition("=")
    if separator and not Path(spec).exists():
        return _named(spec, name, Path(path), root)
    place, model = _split(spec)
    if (place / RUN_FILE).is_file():
        return _run(spec, place, model, what)
    if place.is_file() and is_published(place):
        return _published(spec, place, model, what)
    if place.is_file():
        raise ArenaError(f"{what} {spec}: neither a run nor published figures; scores and models enter as NAME={place}")
    if place.is_dir() and spec not in model_cards(root):
        raise ArenaError(
            f"{what} {spec}: no finished run in it (no {RUN_FILE}); a model's folder enters as NAME={spec}"
        )
    if ("/" in spec or spec.endswith((".txt", ".csv", ".json"))) and not place.exists():
        raise ArenaError(
            f"{what} {spec}: no such file or folder; name a run, a model's card, NAME=PATH, or a published file"
        )
    card = find_model(spec, root)
    return ModelSide(spec, card.name, card)


def told_apart(candidate: Given, baseline: Given) -> tuple[Given, Given]:
    """The two under names of their own: `-candidate` and `-baseline` behind that of one model on both sides."""
    if candidate.name != baseline.name:
        return candidate, baseline
    return replace(candidate, name=f"{candidate.name}-candidate"), replace(baseline, name=f"{baseline.name}-baseline")


def short_name(spec: str) -> str:
    """What a folder may be called after a side.

    >>> short_name("runs/joytag-v2/"), short_name("runs/demo:wd14"), short_name("new=./latest"), short_name("a/b.txt")
    ('joytag-v2', 'demo-wd14', 'new', 'b.txt')
    """
    name, separator, _ = spec.partition("=")
    last = name if separator and not Path(spec).exists() else spec.rstrip("/").rpartition("/")[2]
    return re.sub(r"[^\w.+-]+", "-", last).strip("-.")[:60] or "side"


def _split(spec: str) -> tuple[Path, str]:
    """`PLACE:MODEL`; a path that is there is taken whole."""
    place, separator, model = spec.rpartition(":")
    if Path(spec).exists() or not separator or not Path(place).exists():
        return Path(spec), ""
    return Path(place), model


def _recorded(spec: str, home: Path) -> RunSide:
    """The baseline that holds, or one of a name; its scores are the kept ones, or those of its run if it is as it was."""
    from arena.results.baselines.store import current, result_of, scores_of

    found = current(home, spec.partition(":")[2] or None)
    scores = scores_of(found)
    folder = found.copy if scores is None else scores.parents[1]
    return RunSide(spec, found.model, folder, found.model, result_of(found), found.origin)


def _run(spec: str, folder: Path, model: str, what: str) -> RunSide:
    result = read_result(folder, TABLES_OF_A_RUN)
    chosen = _choose(result.models, model, f"{what} {folder}", folder)
    return RunSide(spec, chosen, folder, chosen, result)


def _published(spec: str, path: Path, model: str, what: str) -> PublishedSide:
    found = read_published(path)
    chosen = _choose(list(found), model, f"{what} {path}", path)
    return PublishedSide(spec, chosen, found[chosen])


def _named(spec: str, name: str, path: Path, root: Path | None) -> Given:
    """`NAME=PATH`, where a path is a folder or a card of a model, scores, or published figures of one model."""
    if path.is_file() and path.suffix not in (".npz", ".toml") and is_published(path):
        (published,) = read_published(path, name).values()
        return PublishedSide(spec, name, published)
    card = find_model(spec, root)
    if card.adapter == "precomputed" and path.suffix != ".toml":
        return ScoresSide(spec, name, path)
    return ModelSide(spec, name, card)


def _choose(models: Sequence[str], wanted: str, where: str, place: Path) -> str:
    """The one model that was told, or the only one."""
    if wanted and wanted not in models:
        raise ArenaError(f"{where}: no model is called {wanted!r} in it. {nearest(wanted, models)}")
    if not wanted and len(models) > 1:
        some = listed([f"{place}:{model}" for model in models], keep=8, last="or")
        raise ArenaError(f"{where}: holds {len(models)} models; say which: {some}")
    return wanted or models[0]
