"""ONNX graphs as they are published, run in onnxruntime.

The graph tells its side, its layout and its precision; the card tells its inputs and outputs by name where they are not the
first, and whether scores are logits. A graph that takes one picture at a time is widened where that is proven to change
nothing, and run one by one otherwise.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import onnxruntime

from arena.base.errors import WeightsError
from arena.cards import ModelCard
from arena.taggers.adapters.onnx.pictures import proof_pictures
from arena.taggers.adapters.onnx.ports import Ports, read_ports, refuse_other_width
from arena.taggers.adapters.onnx.runners import HostRunner, Runner
from arena.taggers.adapters.onnx.session import CPU, choose_place, open_graph
from arena.taggers.adapters.onnx.tagger import OnnxTagger
from arena.taggers.adapters.onnx.widen import one_by_one_note, prove_wider
from arena.taggers.files.tag_files import find_tag_file, read_tags

__all__ = ["OnnxTagger", "load"]


def load(card: ModelCard, files: Mapping[str, Path], *, device: str, precision: str) -> OnnxTagger:
    """Open the graph on CUDA where the device asks for it and onnxruntime has it, else on the CPU.

    The precision is the graph's own, whatever is asked.

    Raises:
        WeightsError: a file is missing, damaged, or disagrees with the card or with another file.
        ArenaError: the device is not to be had.
    """
    path = _graph_file(card, files)
    place = choose_place(device)
    tags = read_tags(card, files)
    session = open_graph(path, place)
    ports = read_ports(card, session, path)
    if ports.width is None:
        seen = HostRunner(card, path, ports, session)(proof_pictures(card, ports.size)[:1])
        ports = replace(ports, width=seen.shape[-1])
    told = find_tag_file(card, files)
    assert told is not None, "read_tags has found it"
    refuse_other_width(ports, session, tags_file=told.path, tags=len(tags), model=card.name)
    ready = _widened(card, path, ports, session, place) if ports.one_by_one else _Ready(session, ports, ())
    runner = _runner(card, path, ready, place)
    return OnnxTagger(card, tags, ready.ports, runner, place=place, notes=ready.notes)


class _Ready(NamedTuple):
    """The session that will run, what it takes, and what a user should know of it."""

    session: onnxruntime.InferenceSession
    ports: Ports
    notes: tuple[str, ...]


def _widened(card: ModelCard, path: Path, ports: Ports, session: onnxruntime.InferenceSession, place: str) -> _Ready:
    """The graph with a free batch if it is proven equal, else as it is.

    The proof runs on the CPU: the graph is the same there, and no kernel's own rounding hides or feigns a difference.
    """
    alone = session if place == CPU else open_graph(path, CPU)
    proof = prove_wider(card, path, ports, alone)
    if proof.wider is None:
        return _Ready(session, ports, (one_by_one_note(proof),))
    wider = proof.wider.session if place == CPU else open_graph(path, place, content=proof.wider.content)
    return _Ready(wider, ports.widened(), (f"its batch of 1 was widened; {proof.reason}",))


def _runner(card: ModelCard, path: Path, ready: _Ready, place: str) -> Runner:
    if place == CPU:
        return HostRunner(card, path, ready.ports, ready.session)
    from arena.taggers.adapters.onnx.bound import BoundRunner

    return BoundRunner(card, path, ready.ports, ready.session, place=place)


def _graph_file(card: ModelCard, files: Mapping[str, Path]) -> Path:
    graphs = [name for name in card.files if name.endswith(".onnx")]
    if len(graphs) != 1:
        raise WeightsError(f"model {card.name}: files name {len(graphs)} graphs (.onnx); its card must name one")
    return files[graphs[0]]
