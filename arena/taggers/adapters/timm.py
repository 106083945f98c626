"""SmilingWolf's timm layout: weights, `config.json` and `selected_tags.csv`, run in torch.

The weights are `model.safetensors`, or `pytorch_model.bin` of older releases of timm.
"""

from collections.abc import Mapping
from pathlib import Path

import timm
from torch import nn

from arena.base.errors import WeightsError
from arena.cards import TIMM_CONFIG, ModelCard
from arena.taggers.files.preprocess_values import UnsupportedValueError, read_json_file
from arena.taggers.files.tag_files import read_tag_list
from arena.taggers.files.timm_config import TimmConfig, parse_timm_config
from arena.taggers.files.weights import load_state, read_state, torch_weights
from arena.taggers.torch_runtime import TorchTagger, choose_runtime


def load(card: ModelCard, files: Mapping[str, Path], *, device: str, precision: str) -> TorchTagger:
    """Build the architecture that `config.json` names, and load its weights.

    Raises:
        WeightsError: a file is damaged or contradicts another, or timm does not have the network.
    """
    runtime = choose_runtime(device, precision)
    path = files[TIMM_CONFIG]
    config = _read_config(path)
    tags = read_tag_list(card, files)
    if len(tags) != config.num_classes:
        raise WeightsError(
            f"{files['selected_tags.csv']}: {len(tags)} tags, but the network of {card.name} has "
            f"{config.num_classes} (config.json: num_classes); take both files from the same release"
        )
    network = _build(config, path)
    _refuse_wrong_size(network, card.preprocess.size, path)
    weights = torch_weights(card, files)
    load_state(network, read_state(weights), weights)
    return TorchTagger(card, tags, network, size=card.preprocess.size, runtime=runtime)


def _read_config(path: Path) -> TimmConfig:
    try:
        return parse_timm_config(read_json_file(path))
    except UnsupportedValueError as error:
        raise WeightsError(f"{path}: {error}") from None


def _build(config: TimmConfig, path: Path) -> nn.Module:
    if not timm.is_model(config.architecture):  # an unknown name may be an address, which timm would download
        raise WeightsError(
            f"{path}: architecture = {config.architecture!r}; timm {timm.__version__} has no such network"
        )
    try:
        network: nn.Module = timm.create_model(
            config.architecture, pretrained=False, num_classes=config.num_classes, **config.model_args
        )
    except Exception as error:  # a network may raise any exception for invalid arguments
        raise WeightsError(f"{path}: timm {timm.__version__} cannot build it: {error}") from None
    return network


def _refuse_wrong_size(network: nn.Module, size: int, path: Path) -> None:
    """Raise if the network is built for another size than the card's, and takes no other."""
    patches = getattr(network, "patch_embed", None)
    if not getattr(patches, "strict_img_size", False):
        return
    built = getattr(patches, "img_size", None)
    if built is not None and tuple(built) != (size, size):
        raise WeightsError(
            f"{path}: the network is built for {built[1]} x {built[0]} pixels, but its input is {size} x {size}; "
            "correct input_size, or img_size in model_args"
        )
