"""The one way in which a model's own file says how its pictures are prepared.

A card names the file; what it tells comes before the card's own values, and what it leaves out is the card's.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from arena.base.errors import WeightsError
from arena.cards import TIMM_CONFIG, InputSpec, ModelCard, Preprocess
from arena.taggers.files.preprocess_json import follow_transforms
from arena.taggers.files.preprocess_values import Preprocessing, UnclearError, read_json
from arena.taggers.files.tag_files import named_file
from arena.taggers.files.timm_config import differences_from, follow_timm_config


def follow_preprocess_file(card: ModelCard, files: Mapping[str, Path]) -> ModelCard:
    """The card with the preprocessing that its own file tells, and notes of it; the card as it is where it names none.

    Raises:
        WeightsError: the file cannot be followed.
    """
    if not card.preprocess_file:
        return _beside_config(card, files) if card.adapter == "timm" else card
    so_far = read_preprocess_file(files[card.preprocess_file], card.preprocess, card.input)
    notes = tuple(f"{card.preprocess_file}: {note}" for note in so_far.notes)
    return replace(card, preprocess=so_far.preprocess, input=so_far.input, preprocess_notes=notes)


def read_preprocess_file(
    path: Path, preprocess: Preprocess = Preprocess(), network_input: InputSpec = InputSpec()
) -> Preprocessing:
    """Read a list of transforms, OppaiOracle's table, or timm's `config.json`, which its name tells.

    Args:
        preprocess, network_input: what the card says; what the file does not tell stays so.

    Raises:
        WeightsError: no readable JSON, in none of these forms, or a value that cannot be followed.
    """
    follow = follow_timm_config if path.name == TIMM_CONFIG else follow_transforms
    try:
        return follow(read_json(path), Preprocessing(preprocess, network_input))
    except UnclearError as error:
        raise WeightsError(f"{path}: {error}") from None


def _beside_config(card: ModelCard, files: Mapping[str, Path]) -> ModelCard:
    """A card that speaks of pixels itself; timm's size where it has none, and a note where `config.json` says otherwise."""
    path = named_file(card, files, TIMM_CONFIG, "preprocess")
    so_far = Preprocessing(card.preprocess, card.input)
    if not card.preprocess.size:
        size = read_preprocess_file(path, card.preprocess, card.input).preprocess.size
        card = replace(card, preprocess=replace(card.preprocess, size=size))
    try:
        otherwise = differences_from(read_json(path), so_far, whose="card")
    except UnclearError as error:
        otherwise = str(error)
    notes = (
        (f"{TIMM_CONFIG}: not followed, for the card itself tells the preprocessing: {otherwise}",) if otherwise else ()
    )
    return replace(card, preprocess_notes=notes)
