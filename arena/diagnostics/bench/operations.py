"""Floating-point operations of a network for one image: matrix products, convolutions and attention.

A multiplication and an addition are two operations. Activations, norms and softmax are left out: they are a few per cent of the
arithmetic of common networks, although much of their memory traffic.
"""

import json
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from arena.taggers.base import Pixels, Tagger

_Shape = Sequence[int]

_UNCOUNTED_OPERATORS = frozenset(
    {
        "Attention", "ConvTranspose", "DeformConv", "DynamicQuantizeMatMul", "Einsum", "FusedConv", "FusedGemm",
        "FusedMatMul", "GRU", "GroupQueryAttention", "LSTM", "MatMulNBits", "MultiHeadAttention", "PackedAttention",
        "PackedMultiHeadAttention", "QAttention", "QGemm", "RNN",
    }
)  # fmt: skip
"""Expensive operators that are not counted; they are listed in `Operations.not_counted`."""

_DTYPES = {
    "tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64, "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_, "tensor(int64)": np.int64, "tensor(int32)": np.int32,
}  # fmt: skip


class Operations(NamedTuple):
    """Number of operations, None if unknown; `not_counted` names the operators that it leaves out."""

    number: int | None
    not_counted: tuple[str, ...] = ()


def count_operations(tagger: Tagger, files: Mapping[str, Path], pixels: Pixels) -> Operations:
    """Count the operations of a loaded tagger for one image, by running it once.

    Args:
        files: the model's files by name.
        pixels: a batch of one image.
    """
    if getattr(tagger, "network", None) is not None:
        return Operations(torch_operations(tagger, pixels))
    graphs = [path for path in files.values() if path.suffix.lower() == ".onnx"]
    return graph_operations(graphs[0], tagger.preprocess.size) if len(graphs) == 1 else Operations(None)


def torch_operations(tagger: Tagger, pixels: Pixels) -> int:
    """Count the operations of a torch network with torch's counter.

    Attention runs as plain matrix products during the count, because torch cannot count every fused kernel.
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        tagger.scores(pixels)
    return int(counter.get_total_flops())


def graph_operations(path: Path, size: int) -> Operations:
    """Count the operations of an ONNX graph, from the shapes in one run of onnxruntime without fused operators.

    Args:
        size: side of the input, used where the graph leaves it open.
    """
    counted, missing = 0, set()
    for node in _nodes_run(path, size):
        name = str(node["op_name"])
        if name in _UNCOUNTED_OPERATORS:
            missing.add(name)
            continue
        counted += node_operations(name, _shapes(node["input_type_shape"]), _shapes(node["output_type_shape"]))
    return Operations(counted, tuple(sorted(missing)))


def node_operations(name: str, inputs: Sequence[_Shape], outputs: Sequence[_Shape]) -> int:
    """Return the operations of one node from the shapes of its inputs and outputs; 0 for an operator that is not counted.

    >>> node_operations("MatMul", [(1, 785, 768), (768, 3072)], [(1, 785, 3072)]) == 2 * 785 * 768 * 3072
    True
    >>> node_operations("Conv", [(1, 3, 448, 448), (64, 3, 3, 3)], [(1, 64, 224, 224)]) == 2 * 64 * 224 * 224 * 27
    True
    >>> node_operations("Relu", [(1, 64)], [(1, 64)])
    0
    """
    if name in ("MatMul", "MatMulInteger", "QLinearMatMul"):
        return 2 * prod(outputs[0]) * inputs[0][-1]
    if (
        name == "Gemm"
    ):  # inputs may be transposed, so the inner dimension is the size of the first over the result's rows
        rows = outputs[0][0]
        return 2 * prod(outputs[0]) * (prod(inputs[0]) // rows)
    if name in ("Conv", "ConvInteger", "QLinearConv"):
        weight = inputs[3] if name == "QLinearConv" else inputs[1]
        return 2 * prod(outputs[0]) * prod(weight[1:])
    return 0


def _nodes_run(path: Path, size: int) -> list[dict[str, Any]]:
    """Run the graph once on the CPU; return the profile's entry of each node."""
    import onnxruntime

    with TemporaryDirectory(prefix="arena-bench-") as folder:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        session.run(None, {one.name: _zeros(one.type, one.shape, size) for one in session.get_inputs()})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return [
        event["args"]
        for event in events
        if event.get("cat") == "Node"
        and event["name"].endswith("_kernel_time")
        and "output_type_shape" in event["args"]
    ]


def _zeros(kind: str, shape: Sequence[int | str | None], size: int) -> np.ndarray:
    """Return a batch of one of zeros for an input; open dimensions become `size`.

    >>> _zeros("tensor(float)", ["n", None, None, 3], 64).shape, _zeros("tensor(bool)", ["n", 64, "w"], 64).shape
    ((1, 64, 64, 3), (1, 64, 64))
    >>> _zeros("tensor(float16)", ["n", 3, "h", "w"], 64).shape
    (1, 3, 64, 64)
    """
    filled = [1, *(side if isinstance(side, int) else size for side in shape[1:])]
    return np.zeros(filled, _DTYPES[kind])


def _shapes(described: Sequence[Mapping[str, Sequence[int]]]) -> list[_Shape]:
    """Return the shapes in a profile's `[{"float": [1, 3]}, ...]`."""
    return [tuple(next(iter(one.values()), ())) for one in described]
