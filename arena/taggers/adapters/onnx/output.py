"""Find out from a graph whether its output is logits or probabilities, for a card with `output = "auto"`.

Source: the messages of onnx.proto.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from arena.cards import ModelCard
from arena.taggers.files.protobuf import mapped_file, message_fields, messages_in_field

_GRAPH, _NODE, _NODE_INPUT, _NODE_OUTPUT, _NODE_KIND = 7, 1, 1, 2, 4
"""Field numbers: ModelProto.graph, GraphProto.node, NodeProto.input, .output and .op_type."""

_KEEPS_VALUES = frozenset({"Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose"})
"""Operators that do not change the values."""

_PROBABILITIES = frozenset({"Sigmoid", "HardSigmoid", "Softmax"})
"""Operators whose results are in 0 to 1."""


class _Node(NamedTuple):
    """An operator of a graph, and the name of its first input; each is empty if the file has none."""

    kind: str
    source: str


def gives_logits(card: ModelCard, path: Path, output: str) -> bool:
    """Return whether an output is logits: by the card, or for `output = "auto"` by the operator that computes the output.

    The output of one of `_PROBABILITIES` is probabilities; that of any other operator is logits.

    Args:
        path: the graph file.
        output: name of the graph's output.
    """
    if card.output != "auto":
        return card.output == "logits"
    return last_operator(path, output) not in _PROBABILITIES


def last_operator(path: Path, output: str) -> str:
    """Return the last operator before a graph's output that changes the values, such as `Sigmoid`; empty if there is none."""
    nodes = _nodes_by_output(path)
    visited: set[str] = set()
    while output in nodes and output not in visited:
        visited.add(output)
        node = nodes[output]
        if node.kind not in _KEEPS_VALUES:
            return node.kind
        output = node.source
    return ""


def _nodes_by_output(path: Path) -> dict[str, _Node]:
    """Return the nodes of a graph file by the name of each of their outputs."""
    with mapped_file(path) as content:
        return dict(_nodes(content))


def _nodes(content: memoryview) -> Iterator[tuple[str, _Node]]:
    """Yield each output of each node, and the node."""
    for graph in messages_in_field(content, _GRAPH):
        for message in messages_in_field(graph, _NODE):
            inputs, kinds = _texts(message, _NODE_INPUT), _texts(message, _NODE_KIND)
            node = _Node(kinds[0] if kinds else "", inputs[0] if inputs else "")
            for output in _texts(message, _NODE_OUTPUT):
                yield output, node


def _texts(message: memoryview, number: int) -> list[str]:
    """Return the texts in a field of a message, by the field's number."""
    return [
        bytes(message[field.start : field.end]).decode("utf-8", "replace")
        for field in message_fields(message)
        if field.number == number
    ]
