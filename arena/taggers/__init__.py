"""Adapters: every tagger behind one interface.

`load` is the entry point. An adapter and its library are imported only when a card names it.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from arena.base.extras import extras_for
from arena.base.files import digest_files
from arena.cards import ADAPTERS, ModelCard, find_plugin, package_of
from arena.taggers.adapters import adapter_module
from arena.taggers.adapters.ensemble import MATCHING_VERSION, Ensemble, members_of
from arena.taggers.base import Tagger
from arena.taggers.files.preprocess_files import apply_preprocess_file
from arena.taggers.files.weights import fetch_files
from arena.taggers.plugins import load_plugin
from arena.taggers.preprocess import import_resize_library
from arena.tags import TagRelations

# Idle OpenMP threads must not spin on the cores that decode the next images: the demo run took 47 s instead of 65 s on two
# cores, one of them shared with other work. torch reads the variable when it is first imported, which only adapters do.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

ADAPTER_VERSION = 2
"""Part of every cache key; increase it when any adapter's scores change for the same weights and pixels."""


def load(
    card: ModelCard,
    *,
    device: str = "auto",
    precision: str = "auto",
    among: Sequence[Tagger] = (),
    relations: TagRelations = TagRelations(),
) -> Tagger:
    """Load the tagger of a card; missing files are downloaded first.

    Args:
        device: `auto` (CUDA if available, else the CPU), `cpu`, `cuda` or `cuda:N`.
        precision: `auto` (fp16 on CUDA, fp32 on the CPU), `fp32`, `fp16` or `bf16`. An ONNX graph runs in its own precision.
        among: taggers already loaded with the same device and precision. One with the same card is returned again, so that an
            ensemble and its members in one run are loaded and run once.
        relations: aliases of tags; an ensemble uses them to match its members' tags.

    Raises:
        WeightsError: a file is missing, damaged, or contradicts another.
        ArenaError: the device or the precision is not available, or a plugin is broken.
    """
    if card.adapter == "ensemble":
        if (known := _loaded(card, among)) is not None:
            return known
        members = [load(member, device=device, precision=precision, among=among) for member in card.member_cards]
        return Ensemble(card, members, relations)
    files = fetch_files(card)
    card = apply_preprocess_file(card, files)
    if (known := _loaded(card, among)) is not None:
        return known
    import_resize_library(card.preprocess.library)
    if card.adapter not in ADAPTERS and (point := find_plugin(card.adapter)) is not None:
        return load_plugin(point, card, files, device=device, precision=precision)
    with extras_for(card.name):
        tagger: Tagger = adapter_module(card.adapter).load(card, files, device=device, precision=precision)
    return tagger


def _loaded(card: ModelCard, among: Sequence[Tagger]) -> Tagger | None:
    """Return the loaded tagger with this card, or None. The card must include the values of its preprocessing file."""
    taggers = (one for loaded in among for one in (loaded, *members_of(loaded)))
    return next((known for known in taggers if known.card == card), None)


def identify(
    card: ModelCard,
    *,
    device: str = "auto",
    precision: str = "auto",
    relations: TagRelations = TagRelations(),
    remote: bool = False,
) -> dict[str, Any]:
    """Return everything except the images that a tagger's scores depend on, without loading the tagger.

    Taggers with equal identities give the same scores, up to the rounding of their device's arithmetic.

    Args:
        remote: the device, `cpu` or `cuda`, is of another machine.

    Raises:
        WeightsError: a file is missing and cannot be downloaded, or has another digest than recorded.
    """
    if card.adapter == "ensemble":
        members = [identify(member, device=device, precision=precision, remote=remote) for member in card.member_cards]
        return _identity_of_ensemble(card, members, relations)
    files = fetch_files(card)
    card = apply_preprocess_file(card, files)
    return {
        "adapter": card.adapter,
        "adapter_version": _adapter_version(card),
        "weights": digest_files(files),
        "precision": _precision(card, device, precision, remote),
        "preprocess": asdict(card.preprocess),
        "input": asdict(card.input),
        "output": card.output,
        "output_name": card.output_name,
        "tags": None if card.tags is None else asdict(card.tags),
    }


def _identity_of_ensemble(
    card: ModelCard, members: Sequence[Mapping[str, Any]], relations: TagRelations
) -> dict[str, Any]:
    """Return the members' identities in order, their weights in the mean, and the digest of the aliases that match tags."""
    aliases = "".join(f"{spelling}\0{name}\n" for spelling, name in sorted(relations.aliases.items()))
    digests = "".join(f"{member['weights']}\n" for member in members)
    return {
        "adapter": card.adapter,
        "adapter_version": ADAPTER_VERSION,
        "weights": hashlib.sha256(digests.encode()).hexdigest(),
        "members": list(members),
        "shares": list(card.weights or (1.0,) * len(members)),
        "matching": MATCHING_VERSION,
        "aliases": hashlib.sha256(aliases.encode()).hexdigest(),
    }


def _adapter_version(card: ModelCard) -> int | str:
    """Return `ADAPTER_VERSION`, or a plugin's package and version, because its scores may change with the version."""
    point = None if card.adapter in ADAPTERS else find_plugin(card.adapter)
    return ADAPTER_VERSION if point is None else package_of(point)


def _precision(card: ModelCard, device: str, precision: str, remote: bool) -> str:
    """Return the precision that a tagger will run in, as far as it is known without loading it."""
    if card.adapter == "onnx":
        return "of the graph"
    if card.adapter == "precomputed":
        return "of the file"
    if card.adapter not in ADAPTERS:
        return f"{precision} on {device}"  # a plugin resolves `auto` itself
    with extras_for(card.name):
        from arena.taggers.torch_runtime import choose_runtime, precision_on

    return precision_on(device, precision) if remote else choose_runtime(device, precision).precision
