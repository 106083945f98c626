"""The entrants of a comparison: one resolver for everything that a user can name, as `grammar` writes it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from arena.base.errors import ArenaError, nearest
from arena.base.format import listed
from arena.base.names import disambiguate
from arena.cards import ModelCard, find_model, model_cards, model_groups
from arena.pipeline.grammar import GRAMMAR, RECORDED, Spec, parse
from arena.results.baselines.store import current, result_of, scores_of
from arena.results.named import NamedRun, refuse_damaged
from arena.results.published.read import is_published, read_published, renamed
from arena.results.published.record import Published
from arena.results.published.rows import published_of
from arena.results.run_folder import RUN_FILE, read_result

BASELINES = Path("baselines")
"""Folder of recorded baselines, unless another one is named."""

TABLES_OF_A_RUN = ("per_tag",)
"""Tables that are read of a run: its thresholds by tag, and its counts where no scores of single images are known."""

FILE_SUFFIXES = (".csv", ".json", ".npz", ".toml", ".tsv", ".txt")
"""A word that ends so is meant as a path, not as the name of a card."""


@dataclass(frozen=True)
class RunEntrant(NamedRun):
    """One model of a finished run or of a recorded baseline.

    Attributes:
        source: as it was typed.
        origin: where the run lay when a baseline was made of it; None for a run that is named by its folder.
    """

    source: str
    origin: Path | None = None

    @property
    def folders(self) -> list[Path]:
        """The folders from which the recipe may name its inputs."""
        return [self.folder] if self.origin is None else [self.folder, self.origin]


@dataclass(frozen=True)
class ModelEntrant:
    """A model that is run now."""

    source: str
    name: str
    card: ModelCard


@dataclass(frozen=True)
class ScoresEntrant:
    """Stored scores: an `.npz` file, or the scores folder of a run.

    Attributes:
        card: the same scores behind the interface of a model.
    """

    source: str
    name: str
    path: Path
    card: ModelCard


@dataclass(frozen=True)
class PublishedEntrant:
    """Metrics from a published file; no scores of single images are known."""

    source: str
    name: str
    published: Published


ScoredEntrant = RunEntrant | ModelEntrant | ScoresEntrant
"""An entrant with scores of single images, or one that can be scored."""

Entrant = ScoredEntrant | PublishedEntrant

AnyEntrant = TypeVar("AnyEntrant", bound=Entrant)


def find_entrant(spec: str, *, root: Path | None = None, baselines: Path = BASELINES) -> Entrant:
    """Resolve what names exactly one model.

    Args:
        spec: as `GRAMMAR` says.
        root: folder with further cards.
        baselines: folder of recorded baselines.

    Raises:
        ArenaError: nothing of that name exists, or the run or file holds several models and none is named.
        IncomparableError: a run of another schema.
    """
    found = find_entrants(spec, root=root, baselines=baselines)
    _refuse_several(spec, found)
    return found[0]


def find_entrants(spec: str, *, root: Path | None = None, baselines: Path = BASELINES) -> Sequence[Entrant]:
    """Resolve what names one model or several: a run or a published file without a model stands for all of its models.

    Raises:
        ArenaError: nothing of that name exists, or a name is given to several models.
        IncomparableError: a run of another schema.
    """
    parts = parse(spec)
    found = _resolve(spec, parts, root, baselines)
    if parts.name:
        _refuse_several(spec, found)
    return found


def find_run(spec: str, *, baselines: Path = BASELINES) -> RunEntrant:
    """Resolve what names one model of a finished run, all of whose metrics can be read.

    Raises:
        ArenaError: it names something else, nothing, or a damaged run.
        IncomparableError: a run of another schema.
    """
    if not (Path(parse(spec).place) / RUN_FILE).is_file() and parse(spec).place != RECORDED:
        raise ArenaError(f"{spec}: no finished run in it (no {RUN_FILE}); name RUN, RUN:MODEL or {RECORDED}")
    found = find_entrant(spec, baselines=baselines)
    assert isinstance(found, RunEntrant)
    refuse_damaged(found.folder, found.result)
    return found


def require_scores(entrant: Entrant, verb: str) -> ScoredEntrant:
    """The entrant, if it has scores of single images or can be scored.

    Raises:
        ArenaError: a published file.
    """
    if isinstance(entrant, PublishedEntrant):
        raise ArenaError(
            f"{entrant.source}: a published file holds no scores of single images; {verb} takes RUN, RUN:MODEL, CARD, "
            f"NAME=PATH (a model's folder, scores, a run) or {RECORDED}"
        )
    return entrant


def require_metrics(entrant: Entrant) -> Published:
    """The metrics of an entrant that a file publishes or a finished run holds, under the entrant's name.

    Raises:
        ArenaError: a model or scores, whose metrics are not known yet.
    """
    if isinstance(entrant, PublishedEntrant):
        return renamed(entrant.published, entrant.name)
    if isinstance(entrant, RunEntrant):
        return renamed(published_of(entrant.result, entrant.model), entrant.name)
    raise ArenaError(
        f"{entrant.source}: its metrics are not known before arena run or arena score; published metrics are read of FILE, "
        f"NAME=FILE, RUN, RUN:MODEL or {RECORDED}"
    )


def find_metrics(specs: Sequence[str], *, baselines: Path = BASELINES) -> list[Published]:
    """The published metrics that are named, in their order; a file of several models stands for all of them.

    Raises:
        ArenaError: nothing of that name exists, or its metrics are not known.
        IncomparableError: a run of another schema.
    """
    found: list[Published] = []
    for spec in specs:
        parts = parse(spec)
        if _may_be_published(Path(parts.place)):  # what is wrong with a file is said of a published file
            entrants: Sequence[Entrant] = _models_of_file(spec, parts)
        else:
            entrants = find_entrants(spec, baselines=baselines)
        found += map(require_metrics, entrants)
    return found


def give_unique_names(entrants: Sequence[AnyEntrant], roles: Sequence[str] = ()) -> list[AnyEntrant]:
    """The same entrants under names of which no two are equal.

    Args:
        roles: what is appended to a name that collides, one an entrant, such as `candidate`; without roles the model of a
            run is followed by the name of its folder, and if need be of the folder above.

    Raises:
        ArenaError: two are the same, or have the same `NAME=`.
    """
    names = [one.name for one in entrants]
    if roles:
        longer = [[f"{name}-{role}" if role else name for name, role in zip(names, roles, strict=True)]]
    else:
        longer = [[_name_with_place(one, depth) for one in entrants] for depth in (1, 2)]
    unique = disambiguate(names, *longer)
    for place, name in enumerate(unique):
        if name in unique[:place]:
            source = entrants[place].source
            raise ArenaError(
                f"{source}: {name} is named twice; name each entrant once, or give it another name: NAME=PATH"
            )
    return [replace(one, name=name) for one, name in zip(entrants, unique, strict=True)]


def short_name(spec: str) -> str:
    """What a folder may be called after an entrant.

    >>> short_name("runs/joytag-v2/"), short_name("runs/demo:wd14"), short_name("new=./latest"), short_name("a/b.txt")
    ('joytag-v2', 'demo-wd14', 'new', 'b.txt')
    """
    name, place, model = parse(spec)
    return _as_name(name or "-".join(filter(None, (_last_part(place), model))))


def _resolve(spec: str, parts: Spec, root: Path | None, baselines: Path) -> Sequence[Entrant]:
    place = Path(parts.place)
    if (place / RUN_FILE).is_file():
        return _models_of_run(spec, parts)
    if parts.place == RECORDED:
        return [_recorded(spec, parts, baselines)]
    if _may_be_published(place) and is_published(place):
        return _models_of_file(spec, parts)
    if parts.model:
        raise ArenaError(f"{spec}: {place} is neither a finished run nor a published file, so it has no :{parts.model}")
    return [_path_with_name(spec, parts, root) if parts.name else _card(spec, root)]


def _may_be_published(path: Path) -> bool:
    return path.is_file() and path.suffix not in (".npz", ".toml")


def _refuse_several(spec: str, found: Sequence[Entrant]) -> None:
    if len(found) > 1:
        some = listed([one.source for one in found], keep=8, last="or")
        raise ArenaError(f"{spec}: holds {len(found)} models; name one of them: {some}")


def _models_of_run(spec: str, parts: Spec) -> list[RunEntrant]:
    folder = Path(parts.place)
    result = read_result(folder, TABLES_OF_A_RUN)
    try:
        models = [model for model in result.models if model in result.run["models"]]
    except (LookupError, TypeError) as error:
        raise ArenaError(f"{spec}: damaged run (no {error}); score it again") from None
    return [
        RunEntrant(folder, model, parts.name or model, result, source)
        for model, source in _chosen(spec, parts, models).items()
    ]


def _models_of_file(spec: str, parts: Spec) -> list[PublishedEntrant]:
    """The models of a published file; `NAME=FILE` is the model of that name, or the only one under that name."""
    path = Path(parts.place)
    if parts.name and not parts.model:
        (only,) = read_published(path, parts.name).values()
        return [PublishedEntrant(spec, parts.name, only)]
    found = read_published(path)
    return [
        PublishedEntrant(source, parts.name or model, found[model])
        for model, source in _chosen(spec, parts, list(found)).items()
    ]


def _chosen(spec: str, parts: Spec, models: Sequence[str]) -> dict[str, str]:
    """The models of a run or a file that are meant, each with what names it alone.

    Raises:
        ArenaError: no such model, or none at all.
    """
    if not models:
        raise ArenaError(f"{spec}: damaged, it names no model; score it again")
    if parts.model and parts.model not in models:
        raise ArenaError(f"{parts.place}: no model is called {parts.model!r} in it. {nearest(parts.model, models)}")
    if parts.model or len(models) == 1:
        return {parts.model or models[0]: spec}
    return {model: f"{spec}:{model}" for model in models}


def _recorded(spec: str, parts: Spec, home: Path) -> RunEntrant:
    """A recorded baseline; its scores are the kept ones, or those of its run if that has not changed."""
    found = current(home, parts.model or None)
    scores = scores_of(found)
    folder = found.copy if scores is None else scores.parents[1]
    return RunEntrant(folder, found.model, parts.name or found.model, result_of(found), spec, found.origin)


def _path_with_name(spec: str, parts: Spec, root: Path | None) -> Entrant:
    """`NAME=PATH` of a model's folder or card, or of scores."""
    if not Path(parts.place).exists():
        raise ArenaError(f"{spec}: no such file or folder: {parts.place}")
    card = find_model(f"{parts.name}={parts.place}", root)
    if card.adapter == "precomputed" and not parts.place.endswith(".toml"):
        return ScoresEntrant(spec, parts.name, Path(parts.place), card)
    return ModelEntrant(spec, parts.name, card)


def _card(spec: str, root: Path | None) -> Entrant:
    """The model of a card, a pattern or a group of one; what looks like a path is refused as a path.

    Raises:
        ArenaError: no such card, or a path that holds nothing that can be compared without a name.
    """
    path = Path(spec)
    if spec not in model_cards(root) and spec not in model_groups(root):
        if path.is_file():
            raise ArenaError(f"{spec}: neither a run nor published metrics; scores and models enter as NAME={spec}")
        if path.is_dir():
            raise ArenaError(
                f"{spec}: no finished run in it (no {RUN_FILE}); a model's folder or scores enter as NAME={spec}"
            )
        if re.search(r"[/\\]", spec) or spec.endswith(FILE_SUFFIXES):
            raise ArenaError(f"{spec}: no such file or folder; name {GRAMMAR}")
    card = find_model(spec, root)
    return ModelEntrant(spec, card.name, card)


def _name_with_place(one: Entrant, depth: int) -> str:
    """The name of a run's model or a file's followed by that of its folder, and for depth 2 of the folder above."""
    name, place, model = parse(one.source)
    if name or not isinstance(one, (RunEntrant, PublishedEntrant)):
        return one.name
    if place == RECORDED:
        return "-".join([one.name, "baseline", *([model] if model and depth > 1 else [])])
    path = Path(place).resolve()
    parts = [path.name] if depth == 1 else [path.parent.name, path.name]
    return "-".join([one.name, *filter(None, map(_as_name, parts))])


def _last_part(place: str) -> str:
    return Path(place).resolve().name if Path(place).is_dir() else re.split(r"[/\\]", place.rstrip("/\\"))[-1]


def _as_name(text: str) -> str:
    return re.sub(r"[^\w.+-]+", "-", text).strip("-.")[:60] or "entrant"
