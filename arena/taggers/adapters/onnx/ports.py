"""Where a graph takes pictures and gives scores, by its own declaration and the card's."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from arena.base.errors import WeightsError, nearest
from arena.cards import InputSpec, ModelCard

DTYPES: dict[str, np.dtype[Any]] = {
    "tensor(float)": np.dtype(np.float32),
    "tensor(float16)": np.dtype(np.float16),
    "tensor(double)": np.dtype(np.float64),
    "tensor(uint8)": np.dtype(np.uint8),
}
"""What pictures may be made of; bytes only where the card neither scales nor shifts them."""


@dataclass(frozen=True)
class Ports:
    """Where a graph takes pictures and gives scores.

    Attributes:
        image: name of the input for pictures.
        mask: name of the bool input that is true where a pixel is padding; empty: none.
        output: name of the output.
        size: side of the square, pixels.
        channels_last: whether pictures are (n, size, size, 3), else (n, 3, size, size).
        dtype: of the pictures.
        one_by_one: whether the batch is fixed to 1.
        width: columns of the output, or None where the graph leaves them open until it runs.
    """

    image: str
    mask: str
    output: str
    size: int
    channels_last: bool
    dtype: np.dtype[Any]
    one_by_one: bool
    width: int | None

    def widened(self) -> "Ports":
        """The same with a free batch."""
        return replace(self, one_by_one=False)


def read_ports(card: ModelCard, session: onnxruntime.InferenceSession, path: Path) -> Ports:
    """Match the graph's inputs and outputs to the card.

    Raises:
        WeightsError: no input or output of that name, one too many, or of a shape or type that holds no pictures.
    """
    inputs = {port.name: port for port in session.get_inputs()}
    mask = _named(path, "input", card.input.padding_mask, list(inputs)) if card.input.padding_mask else ""
    candidates = [name for name in inputs if name != mask]
    image = inputs[_named(path, "input", card.input.name, candidates, field="input.name")]
    _refuse_other_inputs(path, inputs, known={image.name, mask})
    channels_last = _channels_last(path, image.shape, card.input)
    size = _side(path, image.shape, card, channels_last=channels_last)
    output = _output(card, session, path)
    return Ports(
        image=image.name,
        mask=mask,
        output=output.name,
        size=size,
        channels_last=channels_last,
        dtype=_dtype(path, image, card.input),
        one_by_one=_batch_is_one(path, image.shape),
        width=output.shape[-1] if output.shape and isinstance(output.shape[-1], int) else None,
    )


def refuse_other_width(
    ports: Ports, session: onnxruntime.InferenceSession, *, tags_file: Path, tags: int, model: str
) -> None:
    """Raise where the output declares another number of columns than there are tags.

    Outputs that would fit are named, for a graph may give embeddings first.
    """
    if ports.width == tags:
        return
    fitting = [port.name for port in session.get_outputs() if port.shape and port.shape[-1] == tags]
    fix = (
        f"name one that fits as output_name: {', '.join(fitting)}"
        if fitting
        else "take both files from the same release"
    )
    raise WeightsError(
        f"{tags_file}: {tags} tags, but the network of {model} has {ports.width} (output {ports.output!r}); {fix}"
    )


def _named(path: Path, kind: str, wanted: str, names: Sequence[str], *, field: str = "input.padding_mask") -> str:
    if not names:
        raise WeightsError(f"{path}: no {kind} is left for pictures; is {field} the name of another?")
    if wanted and wanted not in names:
        raise WeightsError(
            f"{path}: no {kind} is called {wanted!r}, as the card's {field} says. {nearest(wanted, names)}"
        )
    return wanted or names[0]


def _refuse_other_inputs(path: Path, inputs: Iterable[str], known: set[str]) -> None:
    others = [name for name in inputs if name not in known]
    if others:
        raise WeightsError(
            f"{path}: nothing is known to put into input {', '.join(map(repr, others))}; the card names the pictures' as "
            "input.name and a mask of padding as input.padding_mask"
        )


def _output(card: ModelCard, session: onnxruntime.InferenceSession, path: Path) -> Any:
    outputs = {port.name: port for port in session.get_outputs()}
    chosen = outputs[_named(path, "output", card.output_name, list(outputs), field="output_name")]
    if chosen.shape and len(chosen.shape) != 2:
        matrices = [name for name, port in outputs.items() if len(port.shape) == 2]
        hint = f"name one as output_name: {', '.join(matrices)}" if matrices else "export it with a matrix of scores"
        raise WeightsError(f"{path}: output {chosen.name!r} has shape {chosen.shape}, expected images x tags; {hint}")
    return chosen


def _dtype(path: Path, port: Any, spec: InputSpec) -> np.dtype[Any]:
    if port.type not in DTYPES:
        raise WeightsError(f"{path}: input {port.name!r} is {port.type}; pictures can be {', '.join(DTYPES)}")
    dtype: np.dtype[Any] = DTYPES[port.type]
    if dtype == np.uint8 and (spec.scale, spec.mean, spec.std) != (1.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)):
        raise WeightsError(
            f"{path}: input {port.name!r} takes bytes, but the card scales them; set input.scale = 1, no mean and no std"
        )
    return dtype


def _channels_last(path: Path, shape: Sequence[Any], spec: InputSpec) -> bool:
    """Which axis holds the three colours, by the card, or else by the graph."""
    if len(shape) != 4:
        raise WeightsError(f"{path}: input has shape {list(shape)}; expected a batch of pictures, four axes")
    told = {"nhwc": shape[3], "nchw": shape[1]}
    if spec.layout != "auto":
        if isinstance(told[spec.layout], int) and told[spec.layout] != 3:
            raise WeightsError(f"{path}: input has shape {list(shape)}, which is not the card's layout {spec.layout!r}")
        return spec.layout == "nhwc"
    if 3 not in told.values():
        raise WeightsError(
            f"{path}: input has shape {list(shape)}, no three colours in it; set input.layout in the card"
        )
    return bool(shape[3] == 3)


def _side(path: Path, shape: Sequence[Any], card: ModelCard, *, channels_last: bool) -> int:
    sides = shape[1:3] if channels_last else shape[2:4]
    fixed = {side for side in sides if isinstance(side, int) and side > 0}
    if len(fixed) > 1:
        raise WeightsError(f"{path}: input has shape {list(shape)}; only squares are fed")
    size: int = fixed.pop() if fixed else card.preprocess.size
    if size <= 0:
        raise WeightsError(
            f"{path}: input has shape {list(shape)}, its side left open; set preprocess.size in the card"
        )
    return size


def _batch_is_one(path: Path, shape: Sequence[Any]) -> bool:
    batch = shape[0]
    if isinstance(batch, int) and batch > 1:
        raise WeightsError(f"{path}: batch fixed to {batch}; export it with a free batch")
    return bool(batch == 1)
