"""How large a tagger is: its parameters, and the bytes of its weights."""

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import NamedTuple

from arena.taggers.adapters.ensemble import single
from arena.taggers.base import Tagger
from arena.taggers.files.protobuf import fields, mapped, parts, varints

TEXT_SUFFIXES = frozenset({".csv", ".json", ".toml", ".txt", ".md"})
"""Files of a model that hold no weights."""

_NUMBERS = frozenset({1, 2, 3, 10, 11, 16, 17, 18, 19, 20, 21, 22})
"""ONNX's types of a tensor that weights have: floats, and the small integers of a quantised graph; no 64-bit shapes."""

_GRAPH, _INITIALIZER, _DIMS, _TYPE = 7, 5, 1, 2
"""Numbers of the fields in ONNX's ModelProto, GraphProto and TensorProto that tell the weights."""


class Size(NamedTuple):
    """A tagger's size; `parameters` is None where its network cannot be looked into."""

    parameters: int | None
    weight_bytes: int


def size_of(tagger: Tagger, files: Mapping[str, Path]) -> Size:
    """Count the parameters of a loaded tagger, and the bytes of its files that hold weights.

    A torch adapter shows its module as `network`; what it learnt counts, running statistics do not. Of an ONNX graph its
    initialisers count, which may hold folded constants too.
    """
    weights = {name: path for name, path in files.items() if path.suffix.lower() not in TEXT_SUFFIXES}
    network = getattr(tagger, "network", None)
    graphs = [path for path in weights.values() if path.suffix.lower() == ".onnx"]
    parameters: int | None = None
    if network is not None:
        parameters = sum(parameter.numel() for parameter in network.parameters())
    elif len(graphs) == 1:
        parameters = graph_parameters(graphs[0])
    return Size(parameters, sum(path.stat().st_size for path in weights.values()))


def size_of_all(tagger: Tagger, files: Mapping[str, Mapping[str, Path]]) -> Size:
    """The same of a tagger that may be made of several; of scores that are there already nothing is known.

    Args:
        files: of each member, by the name of its card.
    """
    sizes = [
        Size(None, 0) if one.card.adapter == "precomputed" else size_of(one, files[one.card.name])
        for one in single(tagger)
    ]
    known = [size.parameters for size in sizes if size.parameters is not None]
    return Size(sum(known) if len(known) == len(sizes) else None, sum(size.weight_bytes for size in sizes))


def graph_parameters(path: Path) -> int | None:
    """Numbers in the initialisers of an ONNX file; None where it is no such file.

    The file is mapped and its weights are stepped over, so that it costs neither the time nor the memory of reading them; a
    graph whose weights lie in a file beside it is counted as well.
    """
    with mapped(path) as content:
        try:
            return (
                sum(
                    _tensor_numbers(tensor) for graph in parts(content, _GRAPH) for tensor in parts(graph, _INITIALIZER)
                )
                if content
                else None
            )
        except (IndexError, ValueError):
            return None


def _tensor_numbers(tensor: memoryview) -> int:
    dims: list[int] = []
    kind = 0
    for field in fields(tensor):
        if field.number == _TYPE:
            kind = field.value
        elif field.number == _DIMS and field.end:
            dims += varints(tensor[field.start : field.end])
        elif field.number == _DIMS:
            dims.append(field.value)
    return prod(dims) if kind in _NUMBERS else 0
