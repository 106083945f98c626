"""Make the recipe of a run: what its verb knows of inputs, settings and models."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from arena.base import provenance
from arena.base.files import digest_known
from arena.base.version import __version__
from arena.dataset.contamination import Contamination
from arena.evaluate import Entry, Settings
from arena.pipeline.stages import Scoring
from arena.pipeline.truth import GivenTruth
from arena.results.recipe import Input, Recipe, ThresholdsUsed
from arena.scores.store import read_facts


def make_recipe(
    given: GivenTruth,
    settings: Settings,
    entries: Sequence[Entry],
    inputs: Iterable[Input],
    *,
    command: str,
    started: str,
    against: Contamination | None = None,
) -> Recipe:
    """The recipe of a result that was just made.

    Args:
        entries: the models, at the thresholds at which they were counted.
        inputs: beside the truth, what the run was made from.
        started: when the command began.
        against: the images in training data, if indexes of it were given.
    """
    return Recipe(
        dataset=given.dataset,
        settings=settings,
        thresholds={entry.name: ThresholdsUsed.of(entry.thresholds, entry.threshold_source) for entry in entries},
        renamed=given.renamed,
        inputs=(*([] if given.source is None else [given.source]), *inputs),
        against=() if against is None else tuple(against.indexes),
        command=command,
        started=started,
        created=provenance.now(),
        arena_version=__version__,
        versions=provenance.versions(),
        machine=provenance.machine(),
    )


def scores_input(name: str, path: Path) -> Input:
    """A file of scores, or a folder of them, of which `store.json` holds the digest."""
    digest = digest_known(path) if path.is_file() else str(read_facts(path).get("key", ""))
    return Input("scores", str(path.absolute()), name, digest)


def model_inputs(specs: Iterable[str], entry: Entry) -> Iterator[Input]:
    """The path of a model that was named as `NAME=PATH`, with the digest of its weights where it is known.

    Args:
        specs: what was named; only those of the entry's name count.
    """
    for spec in specs:
        name, separator, path = spec.partition("=")
        if separator and name == entry.name:
            yield Input("model", str(Path(path).absolute()), name, str(entry.facts.get("weights") or ""))


def inputs_of(scoring: Scoring) -> Iterator[Input]:
    """The indexes of training images and their pictures; `summary.json` names published files with their digests."""
    yield from file_inputs("index", scoring.against)
    yield from file_inputs("pictures", scoring.pictures)


def file_inputs(kind: str, given: Iterable[str | Path]) -> Iterator[Input]:
    """Files and folders that an option names, each as `PATH` or `NAME=PATH`."""
    for text in map(str, given):
        name, separator, last = text.partition("=")
        whole = not separator or Path(text).exists()
        path = Path(text if whole else last)
        digest = digest_known(path) if path.is_file() else ""
        yield Input(kind, str(path.absolute() if path.exists() else path), "" if whole else name, digest)
