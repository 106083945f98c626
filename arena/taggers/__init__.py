"""Adapters: every tagger behind one interface.

`load` is the only way in; an adapter, and the library behind it, is imported when a card asks for it.
"""

import os
from dataclasses import asdict
from importlib import import_module
from typing import Any

from arena.cards import UNBUILT, ModelCard
from arena.digests import digest_files
from arena.errors import ArenaError
from arena.taggers.base import Tagger
from arena.taggers.preprocess import need_library
from arena.taggers.preprocess_json import follow_preprocess_file
from arena.taggers.weights import fetch

# Idle OpenMP threads would spin on the cores that decode the next images: 47 s instead of 65 s for the demo run on two
# cores, one of them shared with other work. It is read when torch is first loaded, which only the adapters do.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

ADAPTER_VERSION = 1
"""Raised when any adapter's scores change for the same weights and pixels; part of every cache key."""


def load(card: ModelCard, *, device: str = "auto", precision: str = "auto") -> Tagger:
    """Load the tagger of a card, its files fetched where they are not here.

    Args:
        device: `auto` (CUDA where there is one), `cpu`, `cuda` or `cuda:N`.
        precision: `auto` (fp16 on CUDA, fp32 on the CPU), `fp32`, `fp16`, `bf16`. An ONNX graph runs in its own.

    Raises:
        WeightsError: a file is missing, damaged, or disagrees with another.
        ArenaError: the device or the precision is not to be had, or the adapter is not written yet.
    """
    refuse_unbuilt(card)
    files = fetch(card)
    card = follow_preprocess_file(card, files)
    need_library(card.preprocess.library)
    adapter = import_module(f"arena.taggers.{card.adapter}")
    tagger: Tagger = adapter.load(card, files, device=device, precision=precision)
    return tagger


def identify(card: ModelCard, *, device: str = "auto", precision: str = "auto") -> dict[str, Any]:
    """Everything that a tagger's scores depend on but the images, without loading it.

    Two that are equal give the same scores, to the last bits of the arithmetic of their device.

    Raises:
        WeightsError: its files are not to be had.
    """
    refuse_unbuilt(card)
    return {
        "adapter": card.adapter,
        "adapter_version": ADAPTER_VERSION,
        "weights": digest_files(fetch(card)),
        "precision": _precision(card, device, precision),
        "preprocess": asdict(card.preprocess),
        "input": asdict(card.input),
        "output": card.output,
    }


def refuse_unbuilt(card: ModelCard) -> None:
    """Refuse, before anything is fetched, a model whose network no adapter runs."""
    if card.adapter in UNBUILT:
        raise ArenaError(
            f"model {card.name}: its network ({UNBUILT[card.adapter]}) has no adapter here, so {card.files[0]} cannot be "
            "run. Score the images elsewhere, and enter the scores with: arena score --scores NAME=FILE.npz"
        )


def _precision(card: ModelCard, device: str, precision: str) -> str:
    if card.adapter == "onnx":
        return "of the graph"
    from arena.taggers.torch_runtime import choose_runtime

    return choose_runtime(device, precision).precision
