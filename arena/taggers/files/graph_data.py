"""Files beside an ONNX graph that hold its weights: they are the model as much as the graph is.

A tensor names such a file as its `location`. It may stand among the initialisers, in an attribute of a node, in a graph inside
such an attribute, or in a function; the graph is looked through for all of them, its own weights stepped over.

Source: the messages of onnx.proto, and ONNX's page on external data.
"""

import posixpath
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path, PurePosixPath, PureWindowsPath

from arena.base.errors import WeightsError
from arena.taggers.files.protobuf import fields, mapped, parts

SUFFIX = ".onnx"

_INSIDE: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {
        5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse tensor", 23: "sparse tensor",
    },
    "sparse tensor": {1: "tensor", 2: "tensor"},
}  # fmt: skip
"""Which messages stand in which fields of a message, as far as they lead to tensors."""

_EXTERNAL_DATA, _DATA_LOCATION, _KEY, _VALUE = 13, 14, 1, 2
"""Numbers of the fields in TensorProto and StringStringEntryProto that tell a file."""

_EXTERNAL = 1
"""What `data_location` is where a tensor's numbers lie in a file."""


def with_graph_data(files: Mapping[str, Path]) -> dict[str, Path]:
    """Files by name, and behind them those that their graphs name, whether they are there or not.

    Raises:
        WeightsError: a graph names a file outside its folder.
    """
    whole = dict(files)
    for name, path in files.items():
        for location in _named_by(path):
            whole.setdefault(str(PurePosixPath(name).parent / location), path.parent / location)
    return whole


def explain_missing(files: Mapping[str, Path]) -> str:
    """Which files a graph among these names that are not there, and where they belong; empty where all are there.

    Raises:
        WeightsError: a graph names a file outside its folder.
    """
    for graph in files.values():
        missing = [graph.parent / location for location in _named_by(graph) if not (graph.parent / location).is_file()]
        if missing:
            names = ", ".join(path.relative_to(graph.parent).as_posix() for path in missing)
            return f"{graph}: its weights lie in {names} beside it, which is missing; fetch that file into {missing[0].parent}"
    return ""


def _named_by(path: Path) -> tuple[str, ...]:
    return locations(path) if path.suffix.lower() == SUFFIX else ()


def locations(graph: Path) -> tuple[str, ...]:
    """The files that a graph names, as paths below its folder, in order; none where it is no graph, which opening it tells.

    Raises:
        WeightsError: it names a file outside its folder.
    """
    try:
        stat = graph.stat()
        found = _locations(graph, stat.st_size, stat.st_mtime_ns)
    except OSError:
        return ()
    return tuple(dict.fromkeys(_below(graph, location) for location in found))


@cache
def _locations(graph: Path, size: int, mtime_ns: int) -> tuple[str, ...]:
    """The same as they stand there; a file of the same size and time of change is not looked through twice."""
    with mapped(graph) as content:
        try:
            return tuple(_location(tensor) for tensor in _tensors(content, "model") if _is_external(tensor))
        except (ValueError, IndexError, RecursionError):
            return ()


def _tensors(message: memoryview, kind: str) -> Iterator[memoryview]:
    """Every tensor in a message of that kind."""
    if kind == "tensor":
        yield message
        return
    inside = _INSIDE[kind]
    for field in fields(message):
        if field.number in inside and field.end:
            yield from _tensors(message[field.start : field.end], inside[field.number])


def _is_external(tensor: memoryview) -> bool:
    return any(field.number == _DATA_LOCATION and field.value == _EXTERNAL for field in fields(tensor))


def _location(tensor: memoryview) -> str:
    for entry in parts(tensor, _EXTERNAL_DATA):
        told = {field.number: bytes(entry[field.start : field.end]) for field in fields(entry)}
        if told.get(_KEY) == b"location":
            return told.get(_VALUE, b"").decode("utf-8", "replace")
    return ""


def _below(graph: Path, location: str) -> str:
    """The location without detours.

    Raises:
        WeightsError: it is empty, absolute, or leads out of the graph's folder.
    """
    straight = posixpath.normpath(location)
    absolute = straight.startswith("/") or PureWindowsPath(location).drive
    if absolute or straight.partition("/")[0] in ("", ".", ".."):
        raise WeightsError(
            f"{graph}: its weights lie in {location!r}, which is no file below its folder; put that file beside the graph, "
            "and export or rewrite the graph with its bare name as location"
        )
    return straight
