"""SmilingWolf's ONNX layout: `model.onnx` and `selected_tags.csv`, run in onnxruntime."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime

from arena.cards import ModelCard
from arena.errors import ArenaError, WeightsError
from arena.taggers.base import Pixels, Scores
from arena.taggers.preprocess import normalise
from arena.taggers.tag_files import read_tags
from arena.tags import TagSpace

ERRORS_ONLY = 3
"""onnxruntime's log severity; its warnings about a graph say nothing that a user can act on."""


class OnnxTagger:
    """The adapter; probabilities in the order of `selected_tags.csv`.

    The graph tells its side, its layout (channels last or first) and whether its batch is fixed to 1; then the images of a
    batch run one by one.
    """

    def __init__(self, card: ModelCard, tags: TagSpace, session: onnxruntime.InferenceSession) -> None:
        graph_input = session.get_inputs()[0]
        batch, _, side, last = graph_input.shape
        self.card = card
        self.tags = tags
        self.preprocess = replace(card.preprocess, size=side if isinstance(side, int) else card.preprocess.size)
        self.precision = "fp16" if "float16" in graph_input.type else "fp32"
        self.device = "cuda:0" if session.get_providers()[0] == "CUDAExecutionProvider" else "cpu"
        self._session = session
        self._input_name = graph_input.name
        self._output_name = session.get_outputs()[0].name
        self._channels_last = last == 3
        self._one_by_one = batch == 1

    def scores(self, batch: Pixels) -> Scores:
        """Probabilities of a batch, float32 (n, tags)."""
        ready = normalise(batch, self.card.input).astype(
            np.float16 if self.precision == "fp16" else np.float32, copy=False
        )
        if not self._channels_last:
            ready = np.ascontiguousarray(ready.transpose(0, 3, 1, 2))
        parts = np.split(ready, len(ready)) if self._one_by_one else [ready]
        outputs = [self._session.run([self._output_name], {self._input_name: part})[0] for part in parts]
        values = np.concatenate(outputs).astype(np.float32, copy=False)
        return sigmoid(values) if self.card.output == "logits" else values


def sigmoid(logits: Scores) -> Scores:
    """Logits to probabilities, float32 to float32, without overflow at either end."""
    probabilities: Scores = 0.5 + 0.5 * np.tanh(0.5 * logits)
    return probabilities.astype(np.float32, copy=False)


def load(card: ModelCard, files: Mapping[str, Path], *, device: str, precision: str) -> OnnxTagger:
    """Open the graph on CUDA where the device asks for it and onnxruntime has it, else on the CPU.

    The precision is the graph's own, whatever is asked.
    """
    tags = read_tags(card, files)
    session = _open(files["model.onnx"], device)
    inputs, output = session.get_inputs(), session.get_outputs()[0]
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        raise WeightsError(f"{files['model.onnx']}: inputs {[i.shape for i in inputs]}; expected one batch of images")
    if isinstance(inputs[0].shape[0], int) and inputs[0].shape[0] != 1:
        raise WeightsError(f"{files['model.onnx']}: batch fixed to {inputs[0].shape[0]}; export it with a free batch")
    if isinstance(output.shape[-1], int) and output.shape[-1] != len(tags):
        raise WeightsError(
            f"{files['selected_tags.csv']}: {len(tags)} tags, but the network of {card.name} has {output.shape[-1]}; "
            "take both files from the same release"
        )
    return OnnxTagger(card, tags, session)


def _open(path: Path, device: str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    options.intra_op_num_threads = os.cpu_count() or 1
    # Its threads would spin between two batches, and take the cores from the other models' networks.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(path, options, providers=_providers(device))
    except ArenaError:
        raise
    except Exception as error:  # onnxruntime's own exceptions have no common base but Exception
        raise WeightsError(
            f"{path}: onnxruntime cannot open it ({str(error).splitlines()[0]}); fetch it again"
        ) from None
    if device.startswith("cuda") and session.get_providers()[0] != "CUDAExecutionProvider":
        raise ArenaError(
            f"--device {device}: onnxruntime could not start CUDA; use --device cpu, or mend its libraries"
        )
    return session


def _providers(device: str) -> list[str | tuple[str, dict[str, str]]]:
    has_cuda = "CUDAExecutionProvider" in onnxruntime.get_available_providers() and _cuda_device_present()
    kind, _, index = device.partition(":")
    if kind not in ("auto", "cpu", "cuda"):
        raise ArenaError(f"--device {device}: no such device; use auto, cpu, cuda or cuda:N")
    if kind == "cpu" or (kind == "auto" and not has_cuda):
        return ["CPUExecutionProvider"]
    if not has_cuda:
        raise ArenaError(f"--device {device}: onnxruntime finds no CUDA device; use auto or cpu")
    onnxruntime.preload_dlls()
    return [("CUDAExecutionProvider", {"device_id": index or "0"}), "CPUExecutionProvider"]


def _cuda_device_present() -> bool:
    """Whether the driver shows a device; asking onnxruntime itself prints an error where there is none."""
    import torch

    return torch.cuda.is_available()
