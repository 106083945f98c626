"""Ensembles: look up the cards of the members."""

from collections.abc import Mapping
from dataclasses import replace

from arena.base.errors import ArenaError, nearest
from arena.cards.model import ModelCard


def with_members(card: ModelCard, cards: Mapping[str, ModelCard]) -> ModelCard:
    """Return an ensemble's card with the cards of its members; return any other card unchanged.

    Raises:
        ArenaError: a member has no card, or is itself an ensemble.
    """
    if card.adapter != "ensemble":
        return card
    for name in card.members:
        if name not in cards:
            raise ArenaError(f"ensemble {card.name}: no model is called {name!r}. {nearest(name, cards)}")
        if cards[name].adapter == "ensemble":
            raise ArenaError(f"ensemble {card.name}: its member {name} is an ensemble; name single models instead")
    return replace(card, member_cards=tuple(cards[name] for name in card.members))
