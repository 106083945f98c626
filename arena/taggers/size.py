"""Size of a tagger: number of parameters, and bytes of the weight files."""

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import NamedTuple

from arena.taggers.adapters.ensemble import members_of
from arena.taggers.base import Tagger
from arena.taggers.files.protobuf import mapped_file, message_fields, messages_in_field, packed_varints

_WEIGHTLESS_SUFFIXES = frozenset({".csv", ".json", ".toml", ".txt", ".md"})
"""Suffixes of a model's files that hold no weights."""

_NUMBERS = frozenset({1, 2, 3, 10, 11, 16, 17, 18, 19, 20, 21, 22})
"""ONNX data types of weights: floats, and the small integers of quantised graphs; not INT64, the type of shapes."""

_GRAPH, _INITIALIZER, _DIMS, _TYPE = 7, 5, 1, 2
"""Field numbers in ONNX messages: ModelProto.graph, GraphProto.initializer, TensorProto.dims and .data_type."""


class ModelSize(NamedTuple):
    """A tagger's size; `parameters` is None if the network cannot be inspected."""

    parameters: int | None
    weight_bytes: int


def model_size(tagger: Tagger, files: Mapping[str, Path]) -> ModelSize:
    """Count the parameters of a loaded tagger, and the bytes of its weight files.

    For a torch adapter, these are the parameters of its attribute `network`, without buffers such as running statistics. For
    an ONNX graph, these are the numbers in its initialisers, which may include folded constants.
    """
    weights = {name: path for name, path in files.items() if path.suffix.lower() not in _WEIGHTLESS_SUFFIXES}
    network = getattr(tagger, "network", None)
    graphs = [path for path in weights.values() if path.suffix.lower() == ".onnx"]
    parameters: int | None = None
    if network is not None:
        parameters = sum(parameter.numel() for parameter in network.parameters())
    elif len(graphs) == 1:
        parameters = graph_parameters(graphs[0])
    return ModelSize(parameters, sum(path.stat().st_size for path in weights.values()))


def total_model_size(tagger: Tagger, files: Mapping[str, Mapping[str, Path]]) -> ModelSize:
    """Return the total size of a tagger or of an ensemble's members.

    Precomputed scores have no weights and an unknown number of parameters, which makes the total None.

    Args:
        files: card name -> files by name, for each member.
    """
    sizes = [
        ModelSize(None, 0) if one.card.adapter == "precomputed" else model_size(one, files[one.card.name])
        for one in members_of(tagger)
    ]
    known = [size.parameters for size in sizes if size.parameters is not None]
    return ModelSize(sum(known) if len(known) == len(sizes) else None, sum(size.weight_bytes for size in sizes))


def graph_parameters(path: Path) -> int | None:
    """Return the count of numbers in the initialisers of an ONNX file; None if it is not an ONNX file.

    The file is mapped and the weights are skipped, so their size costs no time or memory. External weights are counted too.
    """
    with mapped_file(path) as content:
        try:
            return (
                sum(
                    _tensor_numbers(tensor)
                    for graph in messages_in_field(content, _GRAPH)
                    for tensor in messages_in_field(graph, _INITIALIZER)
                )
                if content
                else None
            )
        except (IndexError, ValueError):
            return None


def _tensor_numbers(tensor: memoryview) -> int:
    dims: list[int] = []
    kind = 0
    for field in message_fields(tensor):
        if field.number == _TYPE:
            kind = field.value
        elif field.number == _DIMS and field.end:
            dims += packed_varints(tensor[field.start : field.end])
        elif field.number == _DIMS:
            dims.append(field.value)
    return prod(dims) if kind in _NUMBERS else 0
