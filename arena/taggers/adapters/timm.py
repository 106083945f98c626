"""SmilingWolf's timm layout: `model.safetensors`, `config.json` and `selected_tags.csv`, run in torch."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm

from arena.base.errors import WeightsError
from arena.cards import ModelCard
from arena.taggers.files.tag_files import read_tags
from arena.taggers.files.weights import load_state, read_state
from arena.taggers.torch_runtime import TorchTagger, choose_runtime


def load(card: ModelCard, files: Mapping[str, Path], *, device: str, precision: str) -> TorchTagger:
    """Build the architecture that `config.json` names and fill it."""
    runtime = choose_runtime(device, precision)
    config = _read_config(files["config.json"])
    tags = read_tags(card, files)
    if len(tags) != config["num_classes"]:
        raise WeightsError(
            f"{files['selected_tags.csv']}: {len(tags)} tags, but the network of {card.name} has "
            f"{config['num_classes']} (config.json: num_classes); take both files from the same release"
        )
    try:
        network = timm.create_model(
            config["architecture"], pretrained=False, num_classes=config["num_classes"], **config.get("model_args", {})
        )
    except (RuntimeError, TypeError) as error:
        raise WeightsError(f"{files['config.json']}: timm {timm.__version__} cannot build it: {error}") from None
    load_state(network, read_state(files["model.safetensors"]), files["model.safetensors"])
    size = card.preprocess.size if card.preprocess_file else int(config["pretrained_cfg"]["input_size"][-1])
    return TorchTagger(card, tags, network, size=size, runtime=runtime)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        missing = [key for key in ("architecture", "num_classes", "pretrained_cfg") if key not in dict(config)]
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise WeightsError(f"{path}: no readable JSON ({error}); fetch the file again") from None
    except (TypeError, ValueError):
        raise WeightsError(f"{path}: no table; it must be timm's config.json") from None
    if missing or "input_size" not in config["pretrained_cfg"]:
        wanted = ", ".join(missing) or "pretrained_cfg.input_size"
        raise WeightsError(f"{path}: no {wanted}; it must be timm's config.json")
    return config
