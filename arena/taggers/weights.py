"""Where a tagger's files are, or how they get here; and what they are, by digest."""

import hashlib
import socket
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies

from arena.cards import ModelCard
from arena.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

CONNECT_SECONDS = 10
"""How long the hub's host may take to answer before it counts as out of reach."""


def find(card: ModelCard) -> dict[str, Path] | None:
    """The files of a card by name if all are on this machine: in its folder, or in the hub's cache; else None."""
    local = {file: card.folder / file for file in card.files}
    if all(path.exists() for path in local.values()):
        return local
    if card.hub is None:
        return None
    from huggingface_hub import try_to_load_from_cache

    cached = {file: try_to_load_from_cache(card.hub, file, revision=card.revision) for file in card.files}
    paths = {file: Path(path) for file, path in cached.items() if isinstance(path, str)}
    return paths if len(paths) == len(card.files) else None


def fetch(card: ModelCard) -> dict[str, Path]:
    """The files of a card by name, downloaded from its hub at its revision where they are not here.

    Raises:
        WeightsError: they are neither here nor to be had, or a digest is not the card's.
    """
    files = find(card) or _download(card)
    for name, expected in card.sha256.items():
        seen = digest_file(files[name]) if name in files else expected
        if seen != expected:
            raise WeightsError(
                f"{files[name]}: SHA-256 is {seen[:12]}..., the card of {card.name} says {expected[:12]}...; "
                "delete the file and pull it again"
            )
    return files


def digest_file(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal; a file that has not changed since is not read twice."""
    stat = path.stat()
    return _digest(path, stat.st_size, stat.st_mtime_ns)


@cache
def _digest(path: Path, size: int, mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_files(files: Mapping[str, Path]) -> str:
    """One SHA-256 over the names and digests of several files, in order of name."""
    lines = (f"{name} {digest_file(path)}\n" for name, path in sorted(files.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def read_state(path: Path) -> "dict[str, Tensor]":
    """Tensors of a safetensors file, or of a `model.pt` that holds `{"model": state}`, never an arbitrary pickle.

    Raises:
        WeightsError: the file is truncated or of another format.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
        return dict(content["model"])
    except (SafetensorError, OSError, RuntimeError, KeyError, ValueError, EOFError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(f"{path}: no readable weights ({reason}); truncated? Fetch the file again") from None
    except Exception as error:  # torch.load raises UnpicklingError for what weights_only refuses
        raise WeightsError(f"{path}: refused ({type(error).__name__}); it must hold tensors only") from None


def load_state(network: object, state: "dict[str, Tensor]", path: Path) -> None:
    """Put tensors into a torch network, every name and shape being right.

    Raises:
        WeightsError: a tensor is missing, too many, or of another shape.
    """
    from torch import nn

    assert isinstance(network, nn.Module)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:]] or [str(error)]
        raise WeightsError(f"{path}: does not fit its config.json: {lines[0]}") from None


def _download(card: ModelCard) -> dict[str, Path]:
    if card.hub is None:
        missing = [file for file in card.files if not (card.folder / file).exists()]
        raise WeightsError(f"model {card.name}: no {', '.join(missing)} in {card.folder}; put the files there")
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError
    from huggingface_hub.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    page = f"https://huggingface.co/{card.hub}"
    try:
        _refuse_unreachable_hub()
        return {file: Path(hf_hub_download(card.hub, file, revision=card.revision)) for file in card.files}
    except GatedRepoError:
        raise WeightsError(
            f"model {card.name}: access to {card.hub} must be asked for at {page}; then: hf auth login"
        ) from None
    except (HfHubHTTPError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(
            f"model {card.name}: not on this machine, and the hub did not give it ({reason.rstrip('. ')}). Download "
            f"{', '.join(card.files)} from {page}/tree/{card.revision or 'main'} and put them into {card.folder}"
        ) from None


def _refuse_unreachable_hub() -> None:
    """Fail at once where the hub's host does not answer; its client would try for half a minute.

    Behind a proxy the host need not answer directly, and nothing is checked.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE or getproxies():
        return
    address = urlsplit(constants.ENDPOINT)
    try:
        port = address.port or (80 if address.scheme == "http" else 443)
        socket.create_connection((address.hostname or "", port), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise OSError(f"{address.netloc}: {error.strerror or error}") from None
