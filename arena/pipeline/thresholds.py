"""The thresholds of a model. The first of these is used: an option, the model's files, its card, the default of 0.5."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from arena.base.errors import ArenaError, nearest
from arena.base.progress import Progress, Silent
from arena.cards import ModelCard, Thresholds, model_cards
from arena.taggers.files.tag_files import read_tag_list
from arena.taggers.files.threshold_files import has_threshold_files, read_thresholds
from arena.taggers.files.weights import fetch_files


class ModelThresholds(NamedTuple):
    """A model's own thresholds, and their source."""

    thresholds: Thresholds
    source: str
    """`option`, `file`, `card`, `family` (a folder without a card gets the values of a family's card) or `default`."""


def model_thresholds(known: Mapping[str, Thresholds], given: Mapping[str, float]) -> dict[str, ModelThresholds]:
    """The thresholds of each model: the option's single threshold, else the card's, else the default.

    Args:
        known: model -> thresholds of its card.
        given: model -> threshold of an option.

    Raises:
        ArenaError: an option names an unknown model, or its value is outside 0 to 1.
    """
    refuse_thresholds(given, known)
    return {
        name: with_option_threshold(
            ModelThresholds(card, "default" if card.default is None and not card.tags else "card"), given.get(name)
        )
        for name, card in known.items()
    }


def refuse_thresholds(given: Mapping[str, float], names: Iterable[str]) -> None:
    """Refuse thresholds of an option that name an unknown model or are outside 0 to 1.

    Raises:
        ArenaError: a threshold is refused.
    """
    known = list(names)
    for name, value in given.items():
        if name not in known:
            raise ArenaError(f"--threshold {name}={value:g}: no model of this run. {nearest(name, known)}")
        if not 0 <= value <= 1:
            raise ArenaError(f"--threshold {name}={value:g}: a threshold lies in 0 to 1")


def with_option_threshold(own: ModelThresholds, value: float | None) -> ModelThresholds:
    """The option's threshold in place of all of a model's own; its own if the option is None."""
    return own if value is None else ModelThresholds(Thresholds(value), "option")


def thresholds_of_cards(names: Iterable[str], root: Path | None) -> dict[str, Thresholds]:
    """Name -> thresholds of the card with that name; empty thresholds for a name without a card."""
    cards = model_cards(root)
    return {name: cards[name].thresholds if name in cards else Thresholds() for name in names}


def with_file_thresholds(card: ModelCard, own: ModelThresholds, progress: Progress = Silent()) -> ModelThresholds:
    """Replace a model's thresholds by those in its files; a threshold from an option stays.

    For a folder without a card the source `card` becomes `family`.

    Args:
        progress: receives a note on files that are fetched.

    Raises:
        WeightsError: a file cannot be fetched or holds invalid thresholds, or the card names a tag that the model lacks.
    """
    if own.source == "card" and card.family:
        own = own._replace(source="family")
    if own.source == "option" or card.adapter in ("ensemble", "precomputed"):
        return own
    files = fetch_files(card, progress)
    in_files = has_threshold_files(card, files)
    if not in_files and not card.thresholds.tags:
        return own
    found = read_thresholds(card, files, read_tag_list(card, files))
    return own if found == card.thresholds else ModelThresholds(found, "file" if in_files else own.source)
