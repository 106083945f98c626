"""The thresholds at which a model is compared: those of an option, of its files, of its card, or the default."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from arena.base.errors import ArenaError, nearest
from arena.base.progress import Progress, Silent
from arena.cards import ModelCard, Thresholds, model_cards
from arena.taggers.files.tag_files import read_tags
from arena.taggers.files.threshold_files import read_thresholds, tells_thresholds
from arena.taggers.files.weights import fetch


class Own(NamedTuple):
    """A model's own thresholds, and who says so."""

    thresholds: Thresholds
    source: str
    """`option`, `file`, `card` or `default`."""


def own_thresholds(known: Mapping[str, Thresholds], given: Mapping[str, float]) -> dict[str, Own]:
    """An option's threshold, which replaces all of a model's, else the card's, else the default.

    Args:
        known: of each model, what its card says.
        given: of some, what an option says.

    Raises:
        ArenaError: an option names no model, or its value lies outside 0 to 1.
    """
    refuse_thresholds(given, known)
    return {
        name: with_option(Own(card, "default" if card.default is None and not card.tags else "card"), given.get(name))
        for name, card in known.items()
    }


def refuse_thresholds(given: Mapping[str, float], names: Iterable[str]) -> None:
    """Refuse thresholds of an option that belong to no model, or lie outside 0 to 1.

    Raises:
        ArenaError: one does.
    """
    known = list(names)
    for name, value in given.items():
        if name not in known:
            raise ArenaError(f"--threshold {name}={value:g}: no model of this run. {nearest(name, known)}")
        if not 0 <= value <= 1:
            raise ArenaError(f"--threshold {name}={value:g}: a threshold lies in 0 to 1")


def with_option(own: Own, value: float | None) -> Own:
    """A model's own thresholds, or that of an option in place of all of them."""
    return own if value is None else Own(Thresholds(value), "option")


def thresholds_of_cards(names: Iterable[str], root: Path | None) -> dict[str, Thresholds]:
    """What the cards of these names say; none for a name without a card, as scores of anywhere may have."""
    cards = model_cards(root)
    return {name: cards[name].thresholds if name in cards else Thresholds() for name in names}


def with_files(card: ModelCard, own: Own, progress: Progress = Silent()) -> Own:
    """The thresholds of a model with those that its files tell; an option's stay alone.

    Args:
        progress: told of files that are fetched.

    Raises:
        WeightsError: its files are not to be had, or what they tell is wrong, or the card names a tag that it does not have.
    """
    if own.source == "option" or card.adapter in ("ensemble", "precomputed"):
        return own
    files = fetch(card, progress)
    told_by_files = tells_thresholds(card, files)
    if not told_by_files and not card.thresholds.tags:
        return own
    told = read_thresholds(card, files, read_tags(card, files))
    return own if told == card.thresholds else Own(told, "file" if told_by_files else own.source)
