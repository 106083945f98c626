"""Preprocessing from a file of the model, which the card names.

Values in the file override those in the card.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from arena.base.errors import WeightsError
from arena.cards import TIMM_CONFIG, InputSpec, ModelCard, Preprocess
from arena.taggers.files.preprocess_json import apply_transforms
from arena.taggers.files.preprocess_values import Preprocessing, UnsupportedValueError, read_json_file
from arena.taggers.files.tag_files import named_file
from arena.taggers.files.timm_config import apply_timm_config, timm_differences


def apply_preprocess_file(card: ModelCard, files: Mapping[str, Path]) -> ModelCard:
    """Return the card with the preprocessing of the file that it names, and notes on it.

    A card that names no file keeps its own values; for the adapter `timm` it gets a note if `config.json` differs from them.

    Raises:
        WeightsError: the file is unreadable, or contains a value that is not supported.
    """
    if not card.preprocess_file:
        return _with_own_values(card, files) if card.adapter == "timm" else card
    so_far = read_preprocess_file(files[card.preprocess_file], card.preprocess, card.input)
    notes = tuple(f"{card.preprocess_file}: {note}" for note in so_far.notes)
    return replace(card, preprocess=so_far.preprocess, input=so_far.input, preprocess_notes=notes)


def read_preprocess_file(
    path: Path, preprocess: Preprocess = Preprocess(), network_input: InputSpec = InputSpec()
) -> Preprocessing:
    """Read a preprocessing file: timm's if its name is `config.json`, else a list of transforms or OppaiOracle's table.

    Args:
        preprocess, network_input: the card's values, for what the file leaves out. See `apply_transforms` and
            `apply_timm_config`.

    Raises:
        WeightsError: not readable JSON, not one of these forms, or a value that is not supported.
    """
    follow = apply_timm_config if path.name == TIMM_CONFIG else apply_transforms
    try:
        return follow(read_json_file(path), Preprocessing(preprocess, network_input))
    except UnsupportedValueError as error:
        raise WeightsError(f"{path}: {error}") from None


def _with_own_values(card: ModelCard, files: Mapping[str, Path]) -> ModelCard:
    """Return a timm card that keeps its own preprocessing, with the size of `config.json` if it has none.

    A note lists the values in which `config.json` differs.
    """
    path = named_file(card, files, TIMM_CONFIG, "preprocess")
    so_far = Preprocessing(card.preprocess, card.input)
    if not card.preprocess.size:
        size = read_preprocess_file(path, card.preprocess, card.input).preprocess.size
        card = replace(card, preprocess=replace(card.preprocess, size=size))
    try:
        differences = timm_differences(read_json_file(path), so_far, whose="card")
    except UnsupportedValueError as error:
        differences = str(error)
    notes = (f"{TIMM_CONFIG}: not used, because the card sets the preprocessing: {differences}",) if differences else ()
    return replace(card, preprocess_notes=notes)
