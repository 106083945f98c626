"""Write networks of the real sizes with random weights, in the layouts in which taggers are published."""

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from arena.base.files import write_whole

WD_TAGS = 10_861
"""Number of tags of the WD v3 taggers."""


@dataclass(frozen=True)
class Published:
    """Architecture and size of a published tagger, by its name in timm; the weights are random."""

    architecture: str
    arguments: Mapping[str, Any]
    size: int = 448


WD_V3 = {
    "wd-vit-v3": Published(
        "vit_base_patch16_224", {"img_size": 448, "class_token": False, "global_pool": "avg", "fc_norm": False}
    ),
    "wd-swinv2-v3": Published("swinv2_base_window8_256", {"img_size": 448, "window_size": 14}),
    "wd-convnext-v3": Published("convnext_base", {}),
    "wd-eva02-large-v3": Published("eva02_large_patch14_448", {}),
}  # fmt: skip
"""The WD v3 taggers, with 94.6, 98.0, 98.7 and 315 million parameters according to their pages. The published ones use the tanh
approximation of GELU, which costs about the same."""


def write_joytag(folder: Path) -> None:
    """Write JoyTag at its real size."""
    from bench_joytag_size import write_random

    write_random(folder)


def write_timm(folder: Path, published: Published) -> None:
    """Write a timm network in SmilingWolf's safetensors layout."""
    import timm
    import torch
    from safetensors.torch import save

    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    network = timm.create_model(published.architecture, num_classes=WD_TAGS, **published.arguments)
    with (folder / "selected_tags.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("tag_id", "name", "category", "count"))
        rows.writerows((tag, f"tag_{tag}", 0, 0) for tag in range(WD_TAGS))
    config = {
        "architecture": published.architecture, "num_classes": WD_TAGS, "model_args": dict(published.arguments),
        "pretrained_cfg": {"input_size": [3, published.size, published.size]},
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    write_whole(folder / "model.safetensors", save(network.state_dict()))


NETWORKS: dict[str, Callable[[Path], None]] = {
    "joytag": write_joytag,
    **{name: partial(write_timm, published=published) for name, published in WD_V3.items()},
}
"""Name -> function that writes the folder."""


def export_onnx(folder: Path, source: Path) -> Path:
    """Return a folder with the ONNX graph of a timm network in SmilingWolf's layout; write it if missing.

    Args:
        folder: the folder to return.
        source: folder of the network, as `write_timm` writes it.
    """
    if (folder / "model.onnx").exists():
        return folder
    import numpy as np
    import timm
    from demo_training.export import write_onnx
    from demo_training.vocabulary import Vocabulary
    from safetensors.torch import load_file

    config = json.loads((source / "config.json").read_text())
    size = config["pretrained_cfg"]["input_size"][-1]
    network = timm.create_model(config["architecture"], num_classes=config["num_classes"], **config["model_args"])
    network.load_state_dict(load_file(source / "model.safetensors"))
    names = tuple(f"tag_{tag}" for tag in range(config["num_classes"]))
    tags = Vocabulary(names, names, (0,) * len(names), ("general",) * len(names))
    probe = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), np.uint8)
    write_onnx(folder, network.eval(), tags, probe)
    return folder


def make_folder(name: str, build: Path) -> Path:
    """Return the folder of a network; write it if missing. The weights come last, so an incomplete folder counts as missing."""
    folder = build / name
    if not (folder / "model.safetensors").exists():
        NETWORKS[name](folder)
    return folder
