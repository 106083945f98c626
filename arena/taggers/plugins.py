"""Adapters of other packages: found by name, imported when a model needs them, and checked against the interface.

A package declares its adapters as entry points:

    [project.entry-points."arena.taggers"]
    mean-colour = "mean_colour:load"

where `load(card, files, *, device, precision)` returns a `Tagger`. An exception in a plugin becomes a one-line error that names
the package and the source line.
"""

import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

from arena.base.errors import ArenaError, ScoresError
from arena.cards import ModelCard, Preprocess, package_of
from arena.taggers.base import Pixels, Probabilities, Tagger, check_scores
from arena.tags import TagSpace
from arena.tags.spelling import spell_names

_REQUIRED_ATTRIBUTES: Mapping[str, type] = {"tags": TagSpace, "preprocess": Preprocess, "precision": str, "device": str}
"""Required attributes of a tagger, with their types."""

_PASSED_ON = (ArenaError, MemoryError, KeyboardInterrupt, GeneratorExit)
"""Exceptions that a plugin raises by right or for which it is not to blame. Any other is its failure, also `sys.exit`."""


class PluginTagger:
    """A plugin's tagger whose output is checked for each batch, and whose errors name the package.

    Attributes:
        tags: the plugin's tags in the canonical spelling.
        inner: the plugin's own object.

    Raises:
        ArenaError: two of its tags have the same canonical spelling.
    """

    def __init__(self, card: ModelCard, inner: Tagger, where: str) -> None:
        self.card = card
        self.tags = replace(inner.tags, names=spell_names(where, inner.tags.names).names)
        self.preprocess = inner.preprocess
        self.precision = inner.precision
        self.device = inner.device
        self.inner = inner
        self._where = where

    def scores(self, batch: Pixels) -> Probabilities:
        """Return the probabilities of a batch, float32 (n, tags).

        Raises:
            ScoresError: the plugin failed, or its output is not a matrix of probabilities.
        """
        with _attributed(f"{self._where}: scores failed", ScoresError):
            values = self.inner.scores(batch)
        return check_scores(self._where, values, images=len(batch), tags=len(self.tags))


def load_plugin(
    point: EntryPoint, card: ModelCard, files: Mapping[str, Path], *, device: str, precision: str
) -> PluginTagger:
    """Import a plugin and load a card's tagger with it.

    Raises:
        ArenaError: the plugin cannot be imported, fails, or returns an object that is not a tagger.
    """
    adapter = f"adapter {point.name} of {package_of(point)}"
    function = _import(point, adapter)
    where = f"{card.name} ({adapter})"
    with _attributed(f"{where}: load failed"):
        inner = function(card, files, device=device, precision=precision)
    with _attributed(f"{where}: an attribute failed"):
        check_interface(where, inner)
        return PluginTagger(card, inner, where)


@contextmanager
def _attributed(what: str, kind: type[ArenaError] = ArenaError, fix: str = "") -> Iterator[None]:
    """Raise an error in one line for any exception of a plugin but `_PASSED_ON`, also for `SystemExit`."""
    try:
        yield
    except _PASSED_ON:
        raise
    except BaseException as error:
        raise kind(f"{what} ({describe_exception(error)}){fix}") from error


def check_interface(where: str, tagger: object) -> None:
    """Raise if an object is not a `Tagger`.

    Args:
        where: start of the error message.

    Raises:
        ArenaError: an attribute is missing or has another type, or `preprocess.size` is below 1.
    """
    for name, kind in _REQUIRED_ATTRIBUTES.items():
        if not hasattr(tagger, name):
            raise ArenaError(
                f"{where}: {type(tagger).__name__} has no {name}; "
                f"a tagger has card, {', '.join(_REQUIRED_ATTRIBUTES)} and scores(batch)"
            )
        value = getattr(tagger, name)
        if not isinstance(value, kind):
            raise ArenaError(f"{where}: {name} is of type {type(value).__name__}; it must be {kind.__name__}")
    if not callable(getattr(tagger, "scores", None)):
        raise ArenaError(f"{where}: {type(tagger).__name__} has no method scores(batch)")
    preprocess: Preprocess = tagger.preprocess  # type: ignore[attr-defined]
    if preprocess.size < 1:
        raise ArenaError(
            f"{where}: preprocess.size = {preprocess.size}; it must be the side of the tagger's squares, in pixels"
        )


def describe_exception(error: BaseException) -> str:
    """Return an exception and where it was raised, in one line: `KeyError: 'x', mean_colour.py line 12`."""
    message = str(error).strip().splitlines()
    frames = traceback.extract_tb(error.__traceback__)
    location = f", {Path(frames[-1].filename).name} line {frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{': ' + message[0] if message else ''}{location}"


def _import(point: EntryPoint, adapter: str) -> Callable[..., Tagger]:
    with _attributed(f"{adapter}: cannot be imported", fix="; fix or uninstall it"):
        function = point.load()
    if not callable(function):
        raise ArenaError(f"{adapter}: {point.value} is not a function; the entry point must be MODULE:load")
    loader: Callable[..., Tagger] = function
    return loader
