"""Freeing a batch that a graph fixes to 1, where that is proven to change nothing.

A graph may hold its batch of 1 inside as well, as the constant shape of a Reshape. It then refuses a wider batch, or mixes the
pictures of one: no look at the graph tells, only its scores do.
"""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import onnxruntime

from arena.base.errors import WeightsError
from arena.cards import ModelCard
from arena.taggers.adapters.onnx.pictures import proof_pictures
from arena.taggers.adapters.onnx.ports import Ports
from arena.taggers.adapters.onnx.runners import HostRunner, Outputs
from arena.taggers.adapters.onnx.session import CPU, open_graph
from arena.taggers.adapters.onnx.tagger import sigmoid
from arena.taggers.base import Scores

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

EQUAL = 1e-5
"""Scores at most this far apart are those of the same graph: above the noise of float32 between two batch sizes."""

TOLD_APART = 100 * EQUAL
"""The pictures must move some score by this much, or equal scores would prove nothing."""


class Wider(NamedTuple):
    """A graph with a free batch, open on the CPU, and its bytes to open it elsewhere."""

    session: onnxruntime.InferenceSession
    content: bytes


class Proof(NamedTuple):
    """The widened graph, or None where it is not proven equal; and what was seen."""

    wider: Wider | None
    reason: str


def prove_wider(card: ModelCard, path: Path, ports: Ports, alone: onnxruntime.InferenceSession) -> Proof:
    """Widen a graph and compare: several pictures in one batch must score as they do one by one.

    Tried in turn: the batch of inputs and outputs freed; and the constant shapes inside it freed as well.

    Args:
        alone: the graph as it is, on the CPU.
    """
    try:
        import onnx
    except ImportError:
        return Proof(None, "with the package onnx (pip install 'arena[onnx]') a wider batch can be tried")
    model = onnx.load(path, load_external_data=False)
    expected = _scores(card, HostRunner(card, path, ports, alone)(proof_pictures(card, ports.size)))
    spread = float(np.ptp(expected, axis=0).max())
    if spread < TOLD_APART:
        return Proof(
            None, f"no wider batch can be proven equal, for its scores hardly differ between pictures ({spread:.1g})"
        )
    proof = Proof(None, "")
    for free in (free_ports, free_reshapes):
        free(model)
        proof = _compare(card, path, ports, model.SerializeToString(), expected)
        if proof.wider is not None:
            break
    return proof


def one_by_one_note(proof: Proof) -> str:
    """What to tell of a graph that stays as it is."""
    return f"its graph takes one picture at a time, and runs so; {proof.reason}"


def _compare(card: ModelCard, path: Path, ports: Ports, content: bytes, expected: Scores) -> Proof:
    """Run the proof's pictures as one batch through a widened graph."""
    try:
        session = open_graph(path, CPU, content=content)
        outputs = HostRunner(card, path, ports.widened(), session)(proof_pictures(card, ports.size))
    except WeightsError:
        return Proof(None, "it cannot be widened, for it holds that batch inside as well")
    seen = _scores(card, outputs)
    if seen.shape != expected.shape:
        return Proof(None, f"widened, it gives {seen.shape} scores for {expected.shape}")
    difference = float(np.abs(seen - expected).max())
    if not difference <= EQUAL:  # NaN is no proof either
        return Proof(None, f"widened, its scores differ by up to {difference:.1g}")
    how = f"the scores of {len(expected)} pictures in one batch are those of one by one (largest difference {difference:.0e})"
    return Proof(Wider(session, content), how)


def _scores(card: ModelCard, outputs: Outputs) -> Scores:
    return sigmoid(outputs) if card.output == "logits" else outputs


def free_ports(model: "ModelProto") -> None:
    """Free the first axis of every input and output, and drop the shapes noted for what lies between."""
    weights = {tensor.name for tensor in model.graph.initializer}
    for port in (*model.graph.input, *model.graph.output):
        axes = port.type.tensor_type.shape.dim
        if port.name not in weights and axes and axes[0].dim_value == 1:
            axes[0].dim_param = "batch"
    del model.graph.value_info[:]


def free_reshapes(model: "ModelProto") -> None:
    """Leave the first axis open in the constant shape of every Reshape.

    A Reshape may infer one axis (-1): the first one where none is inferred yet; else a first axis of 1 is taken over from
    what comes in (0).
    """
    from onnx import numpy_helper

    constants = _whole_numbers(model)
    for number, node in enumerate(model.graph.node):
        shape = constants.get(node.input[1]) if _keeps_zero(node) else None
        if shape is not None and (freed := _freed(shape)) is not None:
            name = f"arena_shape_{number}"
            model.graph.initializer.append(numpy_helper.from_array(np.asarray(freed, np.int64), name))
            node.input[1] = name


def _freed(shape: list[int]) -> list[int] | None:
    """
    >>> _freed([1, 49, 64]), _freed([64, 49, 32]), _freed([1, -1, 64]), _freed([64, -1]), _freed([])
    ([-1, 49, 64], [-1, 49, 32], [0, -1, 64], None, None)
    """
    if shape and -1 not in shape:
        return [-1, *shape[1:]]
    return [0, *shape[1:]] if shape and shape[0] == 1 else None


def _keeps_zero(node: "NodeProto") -> bool:
    """Whether it is a Reshape in whose shape 0 means: as it comes in."""
    zero = any(attribute.name == "allowzero" and attribute.i for attribute in node.attribute)
    return node.op_type == "Reshape" and len(node.input) == 2 and not zero


def _whole_numbers(model: "ModelProto") -> dict[str, list[int]]:
    """The lists of whole numbers among a graph's constants, by name."""
    from onnx import TensorProto, numpy_helper

    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            tensors |= {
                name: attribute.t for name in node.output for attribute in node.attribute if attribute.name == "value"
            }
    return {
        name: [int(value) for value in numpy_helper.to_array(tensor)]
        for name, tensor in tensors.items()
        if tensor.data_type == TensorProto.INT64
        and len(tensor.dims) == 1
        and tensor.data_location != TensorProto.EXTERNAL
    }
