"""Remove a graph's fixed batch size of 1, if a test shows that its scores stay equal.

A graph may also contain the batch size of 1 inside, as the constant shape of a Reshape. It then fails on a larger batch, or
mixes its images. Only a comparison of scores shows this, not the graph itself.
"""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import onnxruntime

from arena.base.errors import WeightsError
from arena.base.extras import install_command
from arena.cards import ModelCard
from arena.taggers.adapters.onnx.pictures import varied_test_images
from arena.taggers.adapters.onnx.ports import GraphPorts
from arena.taggers.adapters.onnx.runners import GraphOutputs, HostRunner
from arena.taggers.adapters.onnx.session import CPU, open_graph
from arena.taggers.adapters.onnx.tagger import sigmoid
from arena.taggers.base import Probabilities

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

MAX_BATCH_DIFFERENCE = 1e-5
"""Largest difference of equal scores; it is above the float32 rounding noise between two batch sizes."""

_MIN_SCORE_RANGE = 100 * MAX_BATCH_DIFFERENCE
"""Smallest required range of a tag's scores over the test images; with a smaller one, equal scores would prove nothing."""


class WidenedGraph(NamedTuple):
    """A graph without a fixed batch size: a session on the CPU, and its bytes for another device."""

    session: onnxruntime.InferenceSession
    content: bytes


class WideningResult(NamedTuple):
    """The rewritten graph, or None if its scores are not shown to be equal; and the reason, for the user."""

    wider: WidenedGraph | None
    reason: str


def widen_if_equal(
    card: ModelCard, path: Path, ports: GraphPorts, alone: onnxruntime.InferenceSession
) -> WideningResult:
    """Remove a graph's fixed batch size, and check that images in one batch get the same scores as one by one.

    The first try changes inputs and outputs only; the second also changes the constant shapes inside.

    Args:
        alone: session of the original graph on the CPU.
    """
    try:
        import onnx
    except ImportError:
        return WideningResult(None, f"larger batches need the package onnx ({install_command('onnx')})")
    model = onnx.load(path, load_external_data=False)
    expected = _scores(ports, HostRunner(card, path, ports, alone)(varied_test_images(card, ports.size)))
    spread = float(np.ptp(expected, axis=0).max())
    if spread < _MIN_SCORE_RANGE:
        return WideningResult(
            None, f"larger batches cannot be tested, because its scores hardly differ between images ({spread:.1g})"
        )
    proof = WideningResult(None, "")
    for free in (_free_ports, _free_reshapes):
        free(model)
        proof = _compare(card, path, ports, model.SerializeToString(), expected)
        if proof.wider is not None:
            break
    return proof


def one_by_one_note(proof: WideningResult) -> str:
    """Return the note for the user on a graph that keeps its fixed batch size."""
    return f"its graph runs image by image; {proof.reason}"


def _compare(card: ModelCard, path: Path, ports: GraphPorts, content: bytes, expected: Probabilities) -> WideningResult:
    """Compare the scores of a rewritten graph on one batch of test images with the expected scores."""
    try:
        session = open_graph(path, CPU, content=content)
        outputs = HostRunner(card, path, ports.widened(), session)(varied_test_images(card, ports.size))
    except WeightsError:
        return WideningResult(None, "larger batches fail, because the graph contains the batch size of 1 inside")
    scores = _scores(ports, outputs)
    if scores.shape != expected.shape:
        return WideningResult(None, f"in a larger batch, its scores have shape {scores.shape}, not {expected.shape}")
    difference = float(np.abs(scores - expected).max())
    if not difference <= MAX_BATCH_DIFFERENCE:  # true for NaN too
        return WideningResult(None, f"in a larger batch, its scores differ by up to {difference:.1g}")
    how = f"{len(expected)} images score equal in one batch and one by one (largest difference {difference:.0e})"
    return WideningResult(WidenedGraph(session, content), how)


def _scores(ports: GraphPorts, outputs: GraphOutputs) -> Probabilities:
    return sigmoid(outputs) if ports.logits else outputs


def _free_ports(model: "ModelProto") -> None:
    """Make the first axis of every input and output variable, and remove the declared shapes of intermediate values."""
    weights = {tensor.name for tensor in model.graph.initializer}
    for port in (*model.graph.input, *model.graph.output):
        axes = port.type.tensor_type.shape.dim
        if port.name not in weights and axes and axes[0].dim_value == 1:
            axes[0].dim_param = "batch"
    del model.graph.value_info[:]


def _free_reshapes(model: "ModelProto") -> None:
    """Make the first axis variable in the constant shape of every Reshape.

    A Reshape can infer one axis (-1). If none is inferred yet, the first one becomes -1; else a first axis of 1 becomes 0,
    which copies the input's axis.
    """
    from onnx import numpy_helper

    constants = _integer_constants(model)
    for number, node in enumerate(model.graph.node):
        shape = constants.get(node.input[1]) if _zero_copies_axis(node) else None
        if shape is not None and (freed := _freed(shape)) is not None:
            name = f"arena_shape_{number}"
            model.graph.initializer.append(numpy_helper.from_array(np.asarray(freed, np.int64), name))
            node.input[1] = name


def _freed(shape: list[int]) -> list[int] | None:
    """Return a Reshape's shape with a variable first axis; None if it cannot or need not change.

    >>> _freed([1, 49, 64]), _freed([64, 49, 32]), _freed([1, -1, 64]), _freed([64, -1]), _freed([])
    ([-1, 49, 64], [-1, 49, 32], [0, -1, 64], None, None)
    """
    if shape and -1 not in shape:
        return [-1, *shape[1:]]
    return [0, *shape[1:]] if shape and shape[0] == 1 else None


def _zero_copies_axis(node: "NodeProto") -> bool:
    """Return whether a node is a Reshape in whose shape 0 copies the input's axis."""
    zero = any(attribute.name == "allowzero" and attribute.i for attribute in node.attribute)
    return node.op_type == "Reshape" and len(node.input) == 2 and not zero


def _integer_constants(model: "ModelProto") -> dict[str, list[int]]:
    """Return a graph's constant lists of integers, by name."""
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
