"""External data files of an ONNX graph. They hold its weights, so they belong to the model.

A tensor names such a file as its `location`. The tensor may be an initialiser, or in an attribute of a node, in a graph inside
such an attribute, or in a function. All of them are searched; weights inside the graph file are skipped.

Source: the messages of onnx.proto, and ONNX's page on external data.
"""

import posixpath
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path, PurePosixPath, PureWindowsPath

from arena.base.errors import WeightsError
from arena.taggers.files.protobuf import mapped_file, message_fields, messages_in_field

_SUFFIX = ".onnx"

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
"""Message kind -> field number -> kind of the messages in that field, for all fields that can contain tensors."""

_EXTERNAL_DATA, _DATA_LOCATION, _KEY, _VALUE = 13, 14, 1, 2
"""Field numbers: TensorProto.external_data and .data_location, StringStringEntryProto.key and .value."""

_EXTERNAL = 1
"""Value of `data_location` for a tensor in an external file."""


def with_external_data(files: Mapping[str, Path]) -> dict[str, Path]:
    """Return the files by name, followed by the external data files of the graphs among them, existing or not.

    Raises:
        WeightsError: a graph names a file outside its folder.
    """
    result = dict(files)
    for name, path in files.items():
        for location in _external_data_of(path):
            result.setdefault(str(PurePosixPath(name).parent / location), path.parent / location)
    return result


def missing_external_data(files: Mapping[str, Path]) -> str:
    """Return an error text that names the missing external data files of a graph; empty if none is missing.

    Raises:
        WeightsError: a graph names a file outside its folder.
    """
    for graph in files.values():
        missing = [
            graph.parent / location for location in _external_data_of(graph) if not (graph.parent / location).is_file()
        ]
        if missing:
            names = ", ".join(path.relative_to(graph.parent).as_posix() for path in missing)
            return f"{graph}: its external data ({names}) is missing; download it into {missing[0].parent}"
    return ""


def _external_data_of(path: Path) -> tuple[str, ...]:
    return external_data_files(path) if path.suffix.lower() == _SUFFIX else ()


def external_data_files(graph: Path) -> tuple[str, ...]:
    """Return the external data files of a graph, as paths relative to its folder, in order.

    Empty if the file is missing or not a graph; opening it reports that error.

    Raises:
        WeightsError: the graph names a file outside its folder.
    """
    try:
        stat = graph.stat()
        found = _locations(graph, stat.st_size, stat.st_mtime_ns)
    except OSError:
        return ()
    return tuple(dict.fromkeys(_below(graph, location) for location in found))


@cache
def _locations(graph: Path, size: int, mtime_ns: int) -> tuple[str, ...]:
    """Return the locations as the graph writes them; cached by size and modification time of the file."""
    with mapped_file(graph) as content:
        try:
            return tuple(_location(tensor) for tensor in _tensors(content, "model") if _is_external(tensor))
        except (ValueError, IndexError, RecursionError):
            return ()


def _tensors(message: memoryview, kind: str) -> Iterator[memoryview]:
    """Yield every tensor in a message of this kind."""
    if kind == "tensor":
        yield message
        return
    inside = _INSIDE[kind]
    for field in message_fields(message):
        if field.number in inside and field.end:
            yield from _tensors(message[field.start : field.end], inside[field.number])


def _is_external(tensor: memoryview) -> bool:
    return any(field.number == _DATA_LOCATION and field.value == _EXTERNAL for field in message_fields(tensor))


def _location(tensor: memoryview) -> str:
    for entry in messages_in_field(tensor, _EXTERNAL_DATA):
        pair = {field.number: bytes(entry[field.start : field.end]) for field in message_fields(entry)}
        if pair.get(_KEY) == b"location":
            return pair.get(_VALUE, b"").decode("utf-8", "replace")
    return ""


def _below(graph: Path, location: str) -> str:
    """Return the normalised location.

    Raises:
        WeightsError: it is empty, absolute, or outside the graph's folder.
    """
    normalised = posixpath.normpath(location)
    absolute = normalised.startswith("/") or PureWindowsPath(location).drive
    if absolute or normalised.partition("/")[0] in ("", ".", ".."):
        raise WeightsError(
            f"{graph}: its external data file is {location!r}, outside the graph's folder; put that file into the folder, and "
            "export or rewrite the graph with the bare file name as location"
        )
    return normalised
