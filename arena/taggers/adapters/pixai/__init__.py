"""PixAI's tagger since v1.0: `model.safetensors`, and `config.json` with the network, its tags and their thresholds.

The release runs code from its own repository; here the network is built from the fields of its config alone.

Source: pixai-labs/pixai-tagger-v1.0 at 9fe10ad.
"""

from collections.abc import Mapping
from pathlib import Path

from arena.base.errors import WeightsError
from arena.cards import ModelCard
from arena.taggers.adapters.pixai.vitdet import VitDet, VitDetConfig
from arena.taggers.files.tag_files import read_tag_list, read_unique_json
from arena.taggers.files.weights import load_state, read_state, torch_weights
from arena.taggers.torch_runtime import TorchTagger, choose_runtime


def load(card: ModelCard, files: Mapping[str, Path], *, device: str, precision: str) -> TorchTagger:
    """Build the network that `config.json` describes, and load its weights.

    Raises:
        WeightsError: the config describes an unsupported network, or the tensors or the tags do not fit it.
    """
    runtime = choose_runtime(device, precision)
    config = _read_config(files["config.json"])
    tags = read_tag_list(card, files)
    if len(tags) != config.num_classes:
        raise WeightsError(
            f"{files['config.json']}: {len(tags)} tags, but the network of {card.name} has {config.num_classes} "
            "(num_classes); download the file again"
        )
    network = VitDet(config)
    weights = torch_weights(card, files)
    load_state(network, read_state(weights), weights)
    return TorchTagger(card, tags, network, size=config.img_size, runtime=runtime)


def _read_config(path: Path) -> VitDetConfig:
    table = read_unique_json(path)
    if not isinstance(table, dict):
        raise WeightsError(f"{path}: is not a table; it must be the config.json of a PixAI tagger")
    try:
        return VitDetConfig.of(table)
    except (TypeError, ValueError) as error:
        reason = str(error).partition("() ")[2] or error
        raise WeightsError(f"{path}: {reason}; it must describe a PixAI ViTDet") from None
