"""Make the recipe of a run from the inputs, settings and models of its verb."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from arena.base import provenance
from arena.base.files import digest_known
from arena.base.version import __version__
from arena.dataset.contamination import Contamination
from arena.evaluate import Entry, Settings
from arena.pipeline.judgements import GivenJudgements
from arena.pipeline.stages import Scoring
from arena.pipeline.truth import LoadedTruth
from arena.results.recipe import Recipe, RecipeInput, ThresholdsUsed
from arena.scores.store import read_store_facts


def make_recipe(
    given: LoadedTruth,
    settings: Settings,
    entries: Sequence[Entry],
    inputs: Iterable[RecipeInput],
    *,
    command: str,
    started: str,
    against: Contamination | None = None,
    judged: GivenJudgements | None = None,
) -> Recipe:
    """The recipe of a new result.

    Args:
        entries: the models with the thresholds that they were evaluated at.
        inputs: the inputs of the run, except the truth.
        command: the command line; empty for a run made in Python.
        started: start time of the command; UTC, ISO 8601.
        against: overlap of the images with training data; None if no index of training images was given.
        judged: answers of people; None without.
    """
    return Recipe(
        dataset=replace(
            given.dataset, weighted=given.truth.weights is not None, partly_known=given.truth.known is not None
        ),
        settings=settings,
        thresholds={entry.name: ThresholdsUsed.of(entry.thresholds, entry.threshold_source) for entry in entries},
        renamed=given.renamed,
        inputs=(*([] if given.source is None else [given.source]), *inputs, *(() if judged is None else judged.files)),
        against=() if against is None else tuple(against.indexes),
        answers=0 if judged is None else judged.answers,
        command=command,
        started=started,
        created=provenance.now(),
        arena_version=__version__,
        versions=provenance.versions(),
        machine=provenance.machine(),
    )


def scores_input(name: str, path: Path) -> RecipeInput:
    """The recipe's input for a file of scores, or for a scores folder, whose `store.json` holds the digest."""
    digest = digest_known(path) if path.is_file() else str(read_store_facts(path).get("key", ""))
    return RecipeInput("scores", str(path.absolute()), name, digest)


def model_inputs(specs: Iterable[str], weights: Mapping[str, Any] = {}) -> Iterator[RecipeInput]:
    """Yield the inputs of the recipe for models that are named as `NAME=PATH`, with the digests of their weights if known.

    Args:
        specs: names of models as typed.
        weights: name of a model -> digest of its weights, or None if it is unknown.
    """
    for spec in specs:
        name, separator, path = spec.partition("=")
        if separator:
            yield RecipeInput("model", str(Path(path).absolute()), name, str(weights.get(name) or ""))


def inputs_of(scoring: Scoring) -> Iterator[RecipeInput]:
    """The indexes of training images and their pictures; published files are in `summary.json` with their digests."""
    yield from file_inputs("index", scoring.against)
    yield from file_inputs("pictures", scoring.pictures)


def file_inputs(kind: str, given: Iterable[str | Path]) -> Iterator[RecipeInput]:
    """The recipe's inputs for the values of an option, each `PATH` or `NAME=PATH`."""
    for text in map(str, given):
        name, separator, last = text.partition("=")
        whole = not separator or Path(text).exists()
        path = Path(text if whole else last)
        digest = digest_known(path) if path.is_file() else ""
        yield RecipeInput(kind, str(path.absolute() if path.exists() else path), "" if whole else name, digest)
