"""Write a trained network in the file layout of its family, with its card."""

import csv
import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from demo_training.networks import SIDE, WD_ARCHITECTURE, WD_MEAN, WD_MODEL_ARGS, WD_STD, head_of, joytag_config
from demo_training.vocabulary import CATEGORY_NUMBERS, Vocabulary
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from arena.cards import read_model_card
from arena.diagnostics.fingerprint import score_canary

if TYPE_CHECKING:
    from onnx import ModelProto

GRAPH_TOLERANCE = 1e-4
"""Largest allowed difference of a probability between the ONNX graph and the torch network."""

OPSET = 18


def keep_rows(network: nn.Module, trained: tuple[str, ...], vocabulary: Vocabulary) -> dict[str, Tensor]:
    """Return the state of the network with the head reduced to the tags of the vocabulary, in its order."""
    head = head_of(network)
    rows = torch.tensor([trained.index(name) for name in vocabulary.tags])
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    for name, tensor in network.state_dict().items():
        if tensor.data_ptr() in (head.weight.data_ptr(), head.bias.data_ptr()):
            state[name] = tensor.detach().cpu()[rows].contiguous()
    return state


def write_joytag(folder: Path, state: dict[str, Tensor], vocabulary: Vocabulary) -> None:
    """Write JoyTag's layout: `config.json`, `model.safetensors`, `top_tags.txt`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(joytag_config(len(vocabulary.tags)), indent=1) + "\n")
    (folder / "top_tags.txt").write_text("\n".join(vocabulary.spellings) + "\n")
    _write_state(folder / "model.safetensors", state)


def write_timm(folder: Path, state: dict[str, Tensor], vocabulary: Vocabulary) -> None:
    """Write the timm layout: `config.json`, `model.safetensors`, `selected_tags.csv`."""
    folder.mkdir(parents=True, exist_ok=True)
    pretrained = {
        "input_size": [3, SIDE, SIDE], "fixed_input_size": False, "interpolation": "bicubic", "crop_pct": 1.0,
        "crop_mode": "center", "mean": list(WD_MEAN), "std": list(WD_STD), "num_classes": len(vocabulary.tags),
    }  # fmt: skip
    config = {
        "architecture": WD_ARCHITECTURE, "num_classes": len(vocabulary.tags), "model_args": WD_MODEL_ARGS,
        "pretrained_cfg": pretrained,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    _write_state(folder / "model.safetensors", state)
    write_selected_tags(folder / "selected_tags.csv", vocabulary)


def write_selected_tags(path: Path, vocabulary: Vocabulary) -> None:
    """Write the tag list with SmilingWolf's columns; the identifier is the position in the list, from 1."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("tag_id", "name", "category", "count"))
        rows = zip(vocabulary.spellings, vocabulary.categories, vocabulary.counts, strict=True)
        for place, (name, category, count) in enumerate(rows, 1):
            writer.writerow((place, name, CATEGORY_NUMBERS.get(category, 0), count))


def _write_state(path: Path, state: dict[str, Tensor]) -> None:
    """Write a safetensors file that all users may read; the library creates it with private permissions."""
    save_file(state, path)
    path.chmod(0o644)


class Published(nn.Module):
    """Network with SmilingWolf's interface: input (n, side, side, 3) BGR, 0 to 255; output probabilities (n, tags)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        channels_first = pixels.permute(0, 3, 1, 2)
        return torch.sigmoid(self.network((channels_first / 255 - 0.5) / 0.5))


def _without_traces(model: "ModelProto") -> "ModelProto":
    """Remove the exporter's stack traces, which contain paths of the machine and change with every edit."""
    assert not model.functions, "the exporter inlines its functions"
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    return model


def write_onnx(folder: Path, network: nn.Module, vocabulary: Vocabulary, probe: NDArray[np.uint8]) -> float:
    """Write `model.onnx` and `selected_tags.csv`, and compare the graph with torch on real images.

    Args:
        folder: folder to write to.
        network: network with its published head, in evaluation mode.
        vocabulary: published tags.
        probe: uint8 (n, side, side, 3), RGB.

    Returns: the largest difference of a probability.

    Raises:
        RuntimeError: the difference is above `GRAPH_TOLERANCE`.
    """
    import onnx
    import onnxruntime

    folder.mkdir(parents=True, exist_ok=True)
    whole = Published(network).eval()
    example = torch.from_numpy(probe[:2, ..., ::-1].astype(np.float32))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            whole, (example,), input_names=["input"], output_names=["output"], opset_version=OPSET, dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("batch")},), verbose=False,
        )  # fmt: skip
    assert program is not None
    program.optimize()
    onnx.save(_without_traces(program.model_proto), folder / "model.onnx")
    write_selected_tags(folder / "selected_tags.csv", vocabulary)
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    bgr = probe[..., ::-1].astype(np.float32)
    with torch.inference_mode():
        expected = whole(torch.from_numpy(bgr)).numpy()
    difference = float(np.abs(session.run(None, {"input": bgr})[0] - expected).max())
    if difference > GRAPH_TOLERANCE:
        raise RuntimeError(
            f"{folder}: the ONNX graph differs from the network by {difference:.1e}; at most {GRAPH_TOLERANCE:.0e} is allowed"
        )
    return difference


CARD = """\
# Written by scripts/train_demo_models.py.
name = "{name}"
title = "{title}"
adapter = "{adapter}"
files = [{files}]
licence = "CC0-1.0"
trained_until = "Open Clip Art 0.18, training part of the demo split"
verified = true
notes = "{notes}"
output = "{output}"

[preprocess]
size = {size}
pad_colour = [255, 255, 255]
resize = "bicubic"

[input]
{input}

[thresholds]
default = {threshold}
"""


def write_card(
    path: Path, *, title: str, adapter: str, files: list[str], notes: str, output: str, entry: str, threshold: float
) -> None:
    """Write the TOML card of a demo tagger; its files must exist. `entry` is the body of the `[input]` table."""
    quoted = ", ".join(f'"{file}"' for file in files)
    path.write_text(
        CARD.format(
            name=path.stem, title=title, adapter=adapter, files=quoted, notes=notes, output=output, size=SIDE,
            input=entry, threshold=threshold,
        ),
        encoding="utf-8",
    )  # fmt: skip
    fingerprint = score_canary(read_model_card(path), device="cpu").fingerprint
    content = path.read_text(encoding="utf-8")
    path.write_text(
        content.replace("verified = true\n", f'verified = true\nfingerprint = "{fingerprint}"\n'), encoding="utf-8"
    )
