"""The entrants of a comparison: resolve every form of the grammar in `grammar`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from arena.base.errors import ArenaError, nearest
from arena.base.format import listed
from arena.base.local_paths import shorten_word
from arena.base.names import disambiguate
from arena.cards import ModelCard, find_model, model_cards, model_groups
from arena.pipeline.grammar import GRAMMAR, RECORDED, Spec, parse
from arena.pipeline.judgements import judgements_of_run
from arena.results.baselines.store import current_baseline, find_baseline_scores, read_baseline_result
from arena.results.named import ModelOfRun, refuse_damaged
from arena.results.published.read import is_published, read_published, renamed
from arena.results.published.record import Published
from arena.results.published.rows import published_of
from arena.results.run_folder import read_result
from arena.results.written import RUN_FILE, holds_run

BASELINES = Path("baselines")
"""Default folder of recorded baselines."""

_TABLES_OF_A_RUN = ("per_tag",)
"""Tables read from a run; `per_tag` holds its thresholds by tag, and its counts for comparisons without scores per image."""

_FILE_SUFFIXES = (".csv", ".json", ".npz", ".parquet", ".toml", ".tsv", ".txt")
"""A word with one of these suffixes is a path, not the name of a card."""


@dataclass(frozen=True)
class RunEntrant(ModelOfRun):
    """One model of a finished run or of a recorded baseline.

    Attributes:
        source: the text that the user typed.
        origin: the run's folder at the time when it was recorded as a baseline; None for a run that is not a baseline.
    """

    source: str
    origin: Path | None = None

    @property
    def folders(self) -> list[Path]:
        """The folders that relative paths in the recipe may start from."""
        return [self.folder] if self.origin is None else [self.folder, self.origin]


@dataclass(frozen=True)
class ModelEntrant:
    """A model that the current command runs."""

    source: str
    name: str
    card: ModelCard


@dataclass(frozen=True)
class ScoresEntrant:
    """Stored scores: an `.npz` or `.parquet` file, or the scores folder of a run.

    Attributes:
        card: a model card whose adapter reads these scores.
    """

    source: str
    name: str
    path: Path
    card: ModelCard


@dataclass(frozen=True)
class PublishedEntrant:
    """Metrics from a published file, without scores per image."""

    source: str
    name: str
    published: Published


ScoredEntrant = RunEntrant | ModelEntrant | ScoresEntrant
"""An entrant that has scores per image or can be scored."""

Entrant = ScoredEntrant | PublishedEntrant

AnyEntrant = TypeVar("AnyEntrant", bound=Entrant)


def find_entrant(spec: str, *, root: Path | None = None, baselines: Path = BASELINES) -> Entrant:
    """Resolve a name that must stand for exactly one model.

    Args:
        spec: in the form of `GRAMMAR`.
        root: folder with further cards.
        baselines: folder of recorded baselines.

    Raises:
        ArenaError: nothing has that name, or the run or file holds several models and the spec names none of them.
        IncomparableError: the run has another schema.
    """
    found = find_entrants(spec, root=root, baselines=baselines)
    _refuse_several(spec, found)
    return found[0]


def find_entrants(spec: str, *, root: Path | None = None, baselines: Path = BASELINES) -> Sequence[Entrant]:
    """Resolve a name of one or several models: a run or a published file without `:MODEL` stands for all its models.

    Raises:
        ArenaError: nothing has that name, or `NAME=` precedes several models.
        IncomparableError: the run has another schema.
    """
    parts = parse(spec)
    found = _resolve(spec, parts, root, baselines)
    if parts.name:
        _refuse_several(spec, found)
    return found


def find_run(spec: str, *, baselines: Path = BASELINES) -> RunEntrant:
    """Resolve the name of one model of a finished, undamaged run.

    Raises:
        ArenaError: the spec names nothing, something that is not a run, or a damaged run.
        IncomparableError: the run has another schema.
    """
    if not holds_run(Path(parse(spec).place)) and parse(spec).place != RECORDED:
        raise ArenaError(f"{spec}: no finished run in it (no {RUN_FILE}); name RUN, RUN:MODEL or {RECORDED}")
    found = find_entrant(spec, baselines=baselines)
    assert isinstance(found, RunEntrant)
    refuse_damaged(found.folder, found.result)
    return found


def require_scores(entrant: Entrant, verb: str) -> ScoredEntrant:
    """Return the entrant if it has scores per image or can be scored.

    Raises:
        ArenaError: the entrant is a published file.
    """
    if isinstance(entrant, PublishedEntrant):
        raise ArenaError(
            f"{entrant.source}: a published file holds no scores per image; {verb} takes RUN, RUN:MODEL, CARD, "
            f"NAME=PATH (a model's folder, scores, a run) or {RECORDED}"
        )
    return entrant


def require_metrics(entrant: Entrant) -> Published:
    """Return the metrics of a published file or a finished run, under the entrant's name.

    Raises:
        ArenaError: the entrant is a model or a file of scores, which have no metrics yet.
    """
    if isinstance(entrant, PublishedEntrant):
        return renamed(entrant.published, entrant.name)
    if isinstance(entrant, RunEntrant):
        return renamed(published_of(entrant.result, entrant.model), entrant.name)
    raise ArenaError(
        f"{entrant.source}: it has no metrics yet; score it with arena run or arena score, or name FILE, "
        f"NAME=FILE, RUN, RUN:MODEL or {RECORDED}"
    )


def find_metrics(specs: Sequence[str], *, baselines: Path = BASELINES) -> list[Published]:
    """Return the metrics that the specs name, in their order; a file or run of several models stands for all of them.

    Raises:
        ArenaError: nothing has that name, or it has no metrics yet.
        IncomparableError: a run has another schema.
    """
    found: list[Published] = []
    for spec in specs:
        parts = parse(spec)
        # any such file is read as published metrics, so that an error names their formats
        if _may_be_published(Path(parts.place)):
            entrants: Sequence[Entrant] = _models_of_file(spec, parts)
        else:
            entrants = find_entrants(spec, baselines=baselines)
        found += map(require_metrics, entrants)
    return found


def give_unique_names(entrants: Sequence[AnyEntrant], roles: Sequence[str] = ()) -> list[AnyEntrant]:
    """Return the same entrants with unique names.

    Args:
        roles: one suffix per entrant, such as `candidate`, appended to a name that is not unique. Without roles the suffix is
            the name of the run's folder, preceded by the name of its parent folder if necessary.

    Raises:
        ArenaError: two entrants are the same or have the same `NAME=`.
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
    """A folder name made from the spec of an entrant.

    >>> short_name("runs/joytag-v2/"), short_name("runs/demo:wd14"), short_name("new=./latest"), short_name("a/b.txt")
    ('joytag-v2', 'demo-wd14', 'new', 'b.txt')
    """
    name, place, model = parse(spec)
    return _as_name(name or "-".join(filter(None, (_last_part(place), model))))


def _resolve(spec: str, parts: Spec, root: Path | None, baselines: Path) -> Sequence[Entrant]:
    place = Path(parts.place)
    if holds_run(place):
        return _models_of_run(spec, parts)
    if parts.place == RECORDED:
        return [_recorded(spec, parts, baselines)]
    if _may_be_published(place) and is_published(place):
        return _models_of_file(spec, parts)
    if parts.model:
        raise ArenaError(f"{spec}: {place} is neither a finished run nor a published file, so it has no :{parts.model}")
    return [_path_with_name(spec, parts, root) if parts.name else _card(spec, root)]


def _may_be_published(path: Path) -> bool:
    return path.is_file() and path.suffix not in (".npz", ".parquet", ".toml")


def _refuse_several(spec: str, found: Sequence[Entrant]) -> None:
    if len(found) > 1:
        some = listed([one.source for one in found], keep=8, last="or")
        raise ArenaError(f"{spec}: holds {len(found)} models; name one of them: {some}")


def _models_of_run(spec: str, parts: Spec) -> list[RunEntrant]:
    folder = Path(parts.place)
    result = read_result(folder, _TABLES_OF_A_RUN)
    try:
        models = [model for model in result.models if model in result.run["models"]]
    except (LookupError, TypeError) as error:
        raise ArenaError(f"{spec}: damaged run (no {error}); score it again") from None
    return [
        RunEntrant(folder, model, parts.name or model, result, source)
        for model, source in _chosen(spec, parts, models).items()
    ]


def _models_of_file(spec: str, parts: Spec) -> list[PublishedEntrant]:
    """The models of a published file; `NAME=FILE` selects the model NAME, or renames the only model to NAME."""
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
    """The models that a spec selects from a run or file: model -> the spec that names it alone.

    Raises:
        ArenaError: the run or file has no such model, or no model at all.
    """
    if not models:
        raise ArenaError(f"{spec}: damaged, it names no model; score it again")
    if parts.model and parts.model not in models:
        raise ArenaError(f"{parts.place}: no model is called {parts.model!r} in it. {nearest(parts.model, models)}")
    if parts.model or len(models) == 1:
        return {parts.model or models[0]: spec}
    return {model: f"{spec}:{model}" for model in models}


def _recorded(spec: str, parts: Spec, home: Path) -> RunEntrant:
    """A recorded baseline, with its stored scores, or the scores of its run if the run has not changed."""
    found = current_baseline(home, parts.model or None)
    scores = find_baseline_scores(found)
    folder = found.copy if scores is None else scores.parents[1]
    return RunEntrant(folder, found.model, parts.name or found.model, read_baseline_result(found), spec, found.origin)


def _path_with_name(spec: str, parts: Spec, root: Path | None) -> Entrant:
    """The entrant of `NAME=PATH`, where PATH is a model's folder, a card or scores."""
    if not Path(parts.place).exists():
        raise ArenaError(f"{spec}: no such file or folder: {parts.place}")
    card = find_model(f"{parts.name}={parts.place}", root)
    if card.adapter == "precomputed" and not parts.place.endswith(".toml"):
        return ScoresEntrant(spec, parts.name, Path(parts.place), card)
    return ModelEntrant(spec, parts.name, card)


def _card(spec: str, root: Path | None) -> Entrant:
    """The model of a card, of a pattern card or of a group with one model.

    A word that looks like a path gets an error about the path.

    Raises:
        ArenaError: there is no such card, or a path holds nothing that can be compared without `NAME=`.
    """
    path = Path(spec)
    if spec not in model_cards(root) and spec not in model_groups(root):
        if path.is_file():
            raise ArenaError(f"{spec}: neither a run nor published metrics; name scores and models as NAME={spec}")
        if path.is_dir():
            raise ArenaError(
                f"{spec}: no finished run in it (no {RUN_FILE}); name a model's folder or scores as NAME={spec}"
            )
        if re.search(r"[/\\]", spec) or spec.endswith(_FILE_SUFFIXES):
            raise ArenaError(f"{spec}: no such file or folder; name {GRAMMAR}")
    card = find_model(spec, root)
    return ModelEntrant(spec, card.name, card)


def _name_with_place(one: Entrant, depth: int) -> str:
    """The entrant's name followed by the name of its folder, which for depth 2 is preceded by the parent folder's name.

    The name alone for an entrant with `NAME=` and for a model or scores.
    """
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


def judgements_of_entrants(entrants: Sequence[Entrant]) -> list[Path]:
    """Return the files of judgements that the runs were made with, each once."""
    runs = [entrant for entrant in entrants if isinstance(entrant, RunEntrant)]
    found = [path.resolve() for run in runs for path in judgements_of_run(run.result.recipe, run.folders).found]
    return list(dict.fromkeys(found))


def lost_judgements(entrants: Sequence[Entrant]) -> list[str]:
    """Return a note on each run whose judgements are not found."""
    return [
        f"{shorten_word(run.source)} was made with the judgements {listed(missing)}, which are not found; name them with "
        "--judgements"
        for run in entrants
        if isinstance(run, RunEntrant) and (missing := judgements_of_run(run.result.recipe, run.folders).missing)
    ]
