"""Inputs and output of a graph, from its own declaration and the card."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from arena.base.errors import WeightsError, nearest
from arena.cards import CARD_FILE, InputSpec, ModelCard, axes_of_family
from arena.taggers.adapters.onnx.output import gives_logits

_INPUT_DTYPES: dict[str, np.dtype[Any]] = {
    "tensor(float)": np.dtype(np.float32),
    "tensor(float16)": np.dtype(np.float16),
    "tensor(double)": np.dtype(np.float64),
    "tensor(uint8)": np.dtype(np.uint8),
}
"""Supported types of the image input; uint8 only if the card has scale 1, mean 0 and std 1."""


@dataclass(frozen=True)
class GraphPorts:
    """Inputs and output of a graph.

    Attributes:
        image: name of the image input.
        mask: name of the bool input that is true for padding pixels; empty: none.
        output: name of the output.
        size: side of the input square, pixels.
        channels_last: whether the image input is (n, size, size, 3); else (n, 3, size, size).
        dtype: type of the image input.
        batch: fixed batch size, number of images; 0: any.
        width: number of columns of the output; None if the graph does not declare it.
        logits: whether the output is logits; else it is probabilities.
    """

    image: str
    mask: str
    output: str
    size: int
    channels_last: bool
    dtype: np.dtype[Any]
    batch: int
    width: int | None
    logits: bool

    def widened(self) -> "GraphPorts":
        """Return a copy without the fixed batch size."""
        return replace(self, batch=0)


def read_graph_ports(card: ModelCard, session: onnxruntime.InferenceSession, path: Path) -> GraphPorts:
    """Return the graph's inputs and output that the card names.

    Raises:
        WeightsError: an input or output that the card names is missing, the use of an input is unknown, or a shape or type is
            not supported.
    """
    inputs = {port.name: port for port in session.get_inputs()}
    mask = _named(path, "input", card.input.padding_mask, list(inputs)) if card.input.padding_mask else ""
    candidates = [name for name in inputs if name != mask]
    image = inputs[_named(path, "input", card.input.name, candidates, field="input.name")]
    _refuse_other_inputs(path, inputs, known={image.name, mask})
    channels_last = _channels_last(path, image, card)
    size = _side(path, image.shape, card, channels_last=channels_last)
    output = _output(card, session, path)
    return GraphPorts(
        image=image.name,
        mask=mask,
        output=output.name,
        size=size,
        channels_last=channels_last,
        dtype=_dtype(path, image, card.input),
        batch=image.shape[0] if isinstance(image.shape[0], int) and image.shape[0] > 0 else 0,
        width=output.shape[-1] if output.shape and isinstance(output.shape[-1], int) else None,
        logits=gives_logits(card, path, output.name),
    )


def refuse_wrong_width(
    ports: GraphPorts, session: onnxruntime.InferenceSession, *, tags_file: Path, tags: int, model: str
) -> None:
    """Raise if the output has another number of columns than there are tags.

    The error names outputs that would fit, because the first output of a graph may be embeddings.

    Raises:
        WeightsError: the numbers differ.
    """
    if ports.width == tags:
        return
    fitting = [port.name for port in session.get_outputs() if port.shape and port.shape[-1] == tags]
    fix = (
        f"set output_name to one that fits: {', '.join(fitting)}"
        if fitting
        else "take both files from the same release"
    )
    raise WeightsError(
        f"{tags_file}: {tags} tags, but the network of {model} has {ports.width} (output {ports.output!r}); {fix}"
    )


def _named(path: Path, kind: str, name: str, names: Sequence[str], *, field: str = "input.padding_mask") -> str:
    if not names:
        raise WeightsError(f"{path}: no {kind} is left for images; check {field} in the card")
    if name and name not in names:
        raise WeightsError(f"{path}: has no {kind} {name!r}, which the card names as {field}. {nearest(name, names)}")
    return name or names[0]


def _refuse_other_inputs(path: Path, inputs: Iterable[str], known: set[str]) -> None:
    others = [name for name in inputs if name not in known]
    if others:
        raise WeightsError(
            f"{path}: the use of input {', '.join(map(repr, others))} is unknown; the card must name the image input as "
            "input.name, and a padding mask as input.padding_mask"
        )


def _output(card: ModelCard, session: onnxruntime.InferenceSession, path: Path) -> Any:
    outputs = {port.name: port for port in session.get_outputs()}
    chosen = outputs[_named(path, "output", card.output_name, list(outputs), field="output_name")]
    if chosen.shape and len(chosen.shape) != 2:
        matrices = [name for name, port in outputs.items() if len(port.shape) == 2]
        fix = f"set output_name to one of: {', '.join(matrices)}" if matrices else "export it with a matrix of scores"
        raise WeightsError(f"{path}: output {chosen.name!r} has shape {chosen.shape}, not images x tags; {fix}")
    return chosen


def _dtype(path: Path, port: Any, spec: InputSpec) -> np.dtype[Any]:
    if port.type not in _INPUT_DTYPES:
        raise WeightsError(f"{path}: input {port.name!r} is {port.type}; images can be {', '.join(_INPUT_DTYPES)}")
    dtype: np.dtype[Any] = _INPUT_DTYPES[port.type]
    if dtype == np.uint8 and (spec.scale, spec.mean, spec.std) != (1.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)):
        raise WeightsError(
            f"{path}: input {port.name!r} takes bytes, but the card scales them; set input.scale = 1, no mean and no std"
        )
    return dtype


def _channels_last(path: Path, image: Any, card: ModelCard) -> bool:
    """Return whether the last axis holds the channels, by the card's layout or its family's, or else by the graph's shape.

    A graph in another layout than its family's is refused, because its input values differ too: graphs of the WD family take
    NHWC, BGR, 0 to 255, but an export of the same network by torch takes NCHW, RGB, normalised.

    Raises:
        WeightsError: the input has no four axes, no 3 channels, or another layout.
    """
    shape = list(image.shape)
    if len(shape) != 4:
        raise WeightsError(f"{path}: input has shape {shape}; it must be a batch of images with four axes")
    channels = {"nhwc": shape[3], "nchw": shape[1]}
    layout = card.input.layout if card.input.layout != "auto" else axes_of_family(card)
    if layout:
        declared = isinstance(channels[layout], int) or 3 in channels.values()  # a graph may leave its axes open
        if declared and channels[layout] != 3:
            raise WeightsError(
                f"{path}: input {image.name!r} has shape {shape}, {_other_layout(card, layout, channels)}"
            )
        return layout == "nhwc"
    if 3 not in channels.values():
        raise WeightsError(f"{path}: input has shape {shape} without 3 channels; set input.layout in the card")
    return bool(shape[3] == 3)


def _other_layout(card: ModelCard, layout: str, channels: Mapping[str, Any]) -> str:
    """Return the end of the error for a graph in another layout than its card's or its family's."""
    found = next((f"layout {name}" for name, axis in channels.items() if axis == 3), "without 3 channels")
    if not card.family:
        return f"{found}, but the card has input.layout = {layout!r}; correct [input] in the card"
    return (
        f"{found}, but graphs of its family ({card.family}) have layout {layout} and take {card.input.channels.upper()}; "
        f"write {CARD_FILE} into the folder with [input] layout, channels, scale, mean, std (docs/adding/tagger.md)"
    )


def _side(path: Path, shape: Sequence[Any], card: ModelCard, *, channels_last: bool) -> int:
    sides = shape[1:3] if channels_last else shape[2:4]
    fixed = {side for side in sides if isinstance(side, int) and side > 0}
    if len(fixed) > 1:
        raise WeightsError(f"{path}: input has shape {list(shape)}; height and width must be equal")
    size: int = fixed.pop() if fixed else card.preprocess.size
    if size <= 0:
        raise WeightsError(f"{path}: input has shape {list(shape)} without a size; set preprocess.size in the card")
    return size
