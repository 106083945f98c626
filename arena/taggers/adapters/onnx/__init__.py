"""Published ONNX graphs, run in onnxruntime.

Input size, layout and precision are read from the graph. The card names an input or output that is not the first, and whether
the output is logits. A graph with a fixed batch size of 1 is rewritten for any batch size if a test shows that its scores stay
equal; otherwise it runs image by image. A graph with a larger fixed batch size gets full batches: the last batch is filled up,
and the rows of the added images are removed.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import onnxruntime

from arena.base.errors import WeightsError
from arena.cards import ModelCard
from arena.taggers.adapters.onnx.pictures import varied_test_images
from arena.taggers.adapters.onnx.ports import GraphPorts, read_graph_ports, refuse_wrong_width
from arena.taggers.adapters.onnx.runners import GraphRunner, HostRunner
from arena.taggers.adapters.onnx.session import CPU, open_graph, resolve_onnx_device
from arena.taggers.adapters.onnx.tagger import OnnxTagger
from arena.taggers.adapters.onnx.widen import one_by_one_note, widen_if_equal
from arena.taggers.files.tag_files import find_tag_file, read_tag_list

__all__ = ["OnnxTagger", "load"]


def load(card: ModelCard, files: Mapping[str, Path], *, device: str, precision: str) -> OnnxTagger:
    """Open the graph, on CUDA if `device` allows it and onnxruntime supports it, else on the CPU.

    `precision` is ignored: a graph runs in its own.

    Raises:
        WeightsError: a file is missing, damaged, or contradicts the card or another file.
        ArenaError: the device is not available.
    """
    path = _graph_file(card, files)
    place = resolve_onnx_device(device)
    tags = read_tag_list(card, files)
    session = open_graph(path, place)
    ports = read_graph_ports(card, session, path)
    if ports.width is None:
        outputs = HostRunner(card, path, ports, session)(varied_test_images(card, ports.size)[:1])
        ports = replace(ports, width=outputs.shape[-1])
    tag_file = find_tag_file(card, files)
    assert tag_file is not None, "read_tags has found it"
    refuse_wrong_width(ports, session, tags_file=tag_file.path, tags=len(tags), model=card.name)
    ready = _prepare(card, path, ports, session, place)
    runner = _runner(card, path, ready, place)
    return OnnxTagger(card, tags, ready.ports, runner, place=place, notes=ready.notes)


class _Ready(NamedTuple):
    """The session to run, its inputs and output, and notes for the user."""

    session: onnxruntime.InferenceSession
    ports: GraphPorts
    notes: tuple[str, ...]


def _prepare(
    card: ModelCard, path: Path, ports: GraphPorts, session: onnxruntime.InferenceSession, place: str
) -> _Ready:
    """Return the session to run, with a note if the graph has a fixed batch size."""
    if ports.batch == 1:
        return _widened(card, path, ports, session, place)
    note = f"its graph takes {ports.batch} images at a time; the last batch is filled up"
    return _Ready(session, ports, (note,) if ports.batch else ())


def _widened(
    card: ModelCard, path: Path, ports: GraphPorts, session: onnxruntime.InferenceSession, place: str
) -> _Ready:
    """Return the graph with any batch size if its scores stay equal, else the original graph.

    The scores are compared on the CPU, because the rounding of CUDA kernels could hide a difference or cause one.
    """
    original = session if place == CPU else open_graph(path, CPU)
    proof = widen_if_equal(card, path, ports, original)
    if proof.wider is None:
        return _Ready(session, ports, (one_by_one_note(proof),))
    wider = proof.wider.session if place == CPU else open_graph(path, place, content=proof.wider.content)
    return _Ready(wider, ports.widened(), (f"its fixed batch size of 1 was removed; {proof.reason}",))


def _runner(card: ModelCard, path: Path, ready: _Ready, place: str) -> GraphRunner:
    if place == CPU:
        return HostRunner(card, path, ready.ports, ready.session)
    from arena.taggers.adapters.onnx.bound import BoundRunner

    return BoundRunner(card, path, ready.ports, ready.session, place=place)


def _graph_file(card: ModelCard, files: Mapping[str, Path]) -> Path:
    graphs = [name for name in card.files if name.endswith(".onnx")]
    if len(graphs) != 1:
        raise WeightsError(f"model {card.name}: its card's files name {len(graphs)} graphs (.onnx); it must name one")
    return files[graphs[0]]
