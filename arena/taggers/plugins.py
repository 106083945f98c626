"""Adapters in somebody else's package: found by name, imported when a model needs them, and held to the interface.

A package names its adapters as entry points:

    [project.entry-points."arena.taggers"]
    mean-colour = "mean_colour:load"

where `load(card, files, *, device, precision)` gives a `Tagger`. Whatever goes wrong inside is one line that names the package
and the place.
"""

import traceback
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path

from arena.base.errors import ArenaError, ScoresError
from arena.cards import ModelCard, Preprocess, package_of
from arena.taggers.base import Pixels, Scores, Tagger, check_scores
from arena.tags import TagSpace

INTERFACE: Mapping[str, type] = {"tags": TagSpace, "preprocess": Preprocess, "precision": str, "device": str}
"""What a tagger tells of itself, and how."""


class PluginTagger:
    """A plugin's tagger; its output is checked batch by batch, and its failures are told with its package.

    Attributes:
        inner: the plugin's own object.
    """

    def __init__(self, card: ModelCard, inner: Tagger, where: str) -> None:
        self.card = card
        self.tags = inner.tags
        self.preprocess = inner.preprocess
        self.precision = inner.precision
        self.device = inner.device
        self.inner = inner
        self._where = where

    def scores(self, batch: Pixels) -> Scores:
        """Probabilities of a batch.

        Raises:
            ScoresError: the plugin failed, or gave no matrix of probabilities.
        """
        try:
            values = self.inner.scores(batch)
        except ArenaError:
            raise
        except Exception as error:
            raise ScoresError(f"{self._where}: scores failed ({tell(error)})") from error
        check_scores(self._where, values, images=len(batch), tags=len(self.tags))
        return values


def load_plugin(
    point: EntryPoint, card: ModelCard, files: Mapping[str, Path], *, device: str, precision: str
) -> PluginTagger:
    """Import a plugin and load the tagger of a card with it.

    Raises:
        ArenaError: it cannot be imported, fails, or gives no tagger.
    """
    adapter = f"adapter {point.name} of {package_of(point)}"
    function = _import(point, adapter)
    where = f"{card.name} ({adapter})"
    try:
        inner = function(card, files, device=device, precision=precision)
    except ArenaError:
        raise
    except Exception as error:
        raise ArenaError(f"{where}: load failed ({tell(error)})") from error
    check_interface(where, inner)
    return PluginTagger(card, inner, where)


def check_interface(where: str, tagger: object) -> None:
    """Refuse an object that is no `Tagger`.

    Raises:
        ArenaError: an attribute is missing or of another type, or the size of its squares is not told.
    """
    for name, kind in INTERFACE.items():
        if not hasattr(tagger, name):
            raise ArenaError(
                f"{where}: {type(tagger).__name__} has no {name}; a tagger has card, {', '.join(INTERFACE)} and scores(batch)"
            )
        seen = getattr(tagger, name)
        if not isinstance(seen, kind):
            raise ArenaError(f"{where}: {name} is of type {type(seen).__name__}; it must be {kind.__name__}")
    if not callable(getattr(tagger, "scores", None)):
        raise ArenaError(f"{where}: {type(tagger).__name__} has no method scores(batch)")
    preprocess: Preprocess = tagger.preprocess  # type: ignore[attr-defined]
    if preprocess.size < 1:
        raise ArenaError(
            f"{where}: preprocess.size = {preprocess.size}; a tagger tells the side of its squares, in pixels"
        )


def tell(error: BaseException) -> str:
    """An exception in one line, with the place that raised it: `KeyError: 'x', mean_colour.py line 12`."""
    said = str(error).strip().splitlines()
    frames = traceback.extract_tb(error.__traceback__)
    place = f", {Path(frames[-1].filename).name} line {frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{': ' + said[0] if said else ''}{place}"


def _import(point: EntryPoint, adapter: str) -> Callable[..., Tagger]:
    try:
        function = point.load()
    except Exception as error:  # a module may raise anything when it is imported
        raise ArenaError(f"{adapter}: cannot be imported ({tell(error)}); mend or uninstall it") from error
    if not callable(function):
        raise ArenaError(f"{adapter}: {point.value} is no function; its entry point must be MODULE:load")
    loader: Callable[..., Tagger] = function
    return loader
