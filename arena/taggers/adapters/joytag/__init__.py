"""JoyTag: a folder with `config.json`, weights and `top_tags.txt`, run in torch."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from arena.base.errors import WeightsError
from arena.cards import ModelCard
from arena.taggers.adapters.joytag.config import ViTConfig, config_notes
from arena.taggers.adapters.joytag.vit import ViT
from arena.taggers.files.preprocess_values import read_json_file
from arena.taggers.files.tag_files import read_tag_list
from arena.taggers.files.weights import load_state, read_state, torch_weights
from arena.taggers.torch_runtime import TorchTagger, choose_runtime

OLD_HEAD_ROWS = 9
"""Rows after the tags in the heads of old checkpoints: 3 ratings and 6 score bands, which are not tags."""


def load(card: ModelCard, files: Mapping[str, Path], *, device: str, precision: str) -> TorchTagger:
    """Build the network that `config.json` describes, and load its weights.

    Raises:
        WeightsError: a file is damaged or contradicts another, or describes another network.

    Source: JoyTag's reference inference, autocast fp16 on CUDA.
    """
    runtime = choose_runtime(device, precision)
    config = _read_config(files["config.json"])
    tags = read_tag_list(card, files)
    if len(tags) != config.n_tags:
        raise WeightsError(
            f"{files['top_tags.txt']}: {len(tags)} tags, but the network of {card.name} has {config.n_tags} "
            "(config.json: n_tags); take both files from the same release"
        )
    weights = torch_weights(card, files)
    with torch.device("meta"):  # shapes only; the values come from the checkpoint
        network = ViT(config)
    load_state(network, _without_old_rows(read_state(weights), config), weights)
    notes = config_notes(config)
    return TorchTagger(card, tags, network.float(), size=config.image_size, runtime=runtime, notes=notes)


def _read_config(path: Path) -> ViTConfig:
    table = read_json_file(path)
    if not isinstance(table, dict):
        raise WeightsError(f"{path}: is a {type(table).__name__}; it must be the table that describes a JoyTag ViT")
    try:
        return ViTConfig.of(table)
    except ValueError as error:
        raise WeightsError(f"{path}: {error}") from None


def _without_old_rows(state: dict[str, Tensor], config: ViTConfig) -> dict[str, Tensor]:
    rows = {"head.weight", "head.bias"} & state.keys()
    if all(len(state[name]) == config.n_tags + OLD_HEAD_ROWS for name in rows):
        state |= {name: state[name][: config.n_tags] for name in rows}
    return state
