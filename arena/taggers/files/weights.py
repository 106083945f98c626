"""Where a tagger's files are, or how they get here; and whether they are what they are said to be."""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from arena.base.errors import WeightsError
from arena.base.files import digest_known, write_whole
from arena.base.progress import Progress, Silent
from arena.cards import ModelCard, Source
from arena.taggers.files.graph_data import explain_missing, with_graph_data

if TYPE_CHECKING:
    from torch import Tensor

RECORD_FILE = "arena.sha256"
"""Digests of pulled files, beside them, as `sha256sum -c` reads them."""


def find(card: ModelCard) -> dict[str, Path] | None:
    """The files of a card by name if all are on this machine: in its folder, or in the hub's cache; else None.

    Files that hold a graph's weights beside it belong to them, whether the card lists them or not.

    Raises:
        WeightsError: a graph names a file outside its folder.
    """
    found = _found(card)
    return found if all(name in found for name in card.files) else None


def _found(card: ModelCard) -> dict[str, Path]:
    """Those of its files that are here; those of one repository from one place, or not at all, lest releases are mixed."""
    paths: dict[str, Path] = {}
    for source in dict.fromkeys(map(card.source, card.files)):
        names = [file for file in card.files if card.source(file) == source]
        for place in ({name: card.folder / name for name in names}, _cached(source, names)):
            whole = len(place) == len(names) and all(path.exists() for path in place.values())
            if whole and not explain_missing(place):
                paths |= with_graph_data(place)
                break
    return _in_order(card, paths)


def _in_order(card: ModelCard, paths: Mapping[str, Path]) -> dict[str, Path]:
    """Those that the card lists in its order, weights first; then what lies beside graphs."""
    return {name: paths[name] for name in card.files if name in paths} | dict(paths)


def _cached(source: Source | None, names: Sequence[str]) -> dict[str, Path]:
    """Files in the hub's cache."""
    if source is None:
        return {}
    from huggingface_hub import try_to_load_from_cache

    cached = {name: try_to_load_from_cache(source.hub, name, revision=source.revision) for name in names}
    return {name: Path(path) for name, path in cached.items() if isinstance(path, str)}


def fetch(card: ModelCard, progress: Progress = Silent()) -> dict[str, Path]:
    """The files of a card by name, downloaded from its hub at its revision where they are not here.

    Raises:
        WeightsError: they are neither here nor to be had, or a digest is not the card's, nor that of when they were pulled.
    """
    files = find(card)
    if files is None:
        files = _pull(card, progress)
        _refuse_others(card, files)
        record_digests(card, files)
    else:
        _refuse_others(card, files)
    return files


def folder_of(files: Mapping[str, Path]) -> Path:
    """The folder that the names of files are relative to; that of the first, which are the weights.

    >>> folder_of({"onnx/model.onnx": Path("/a/onnx/model.onnx")}).as_posix()
    '/a'
    """
    name, path = next(iter(files.items()))
    return path.parents[len(Path(name).parts) - 1]


def read_recorded(folder: Path) -> dict[str, str]:
    """Digests by name that were recorded when files were pulled into this folder; empty where none were."""
    try:
        lines = (folder / RECORD_FILE).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    return {name: digest for digest, separator, name in (line.partition("  ") for line in lines) if separator}


def record_digests(card: ModelCard, files: Mapping[str, Path]) -> None:
    """Write the digests of pulled files beside them; what another card pulled into the same folder stays recorded.

    Files of two repositories lie in two folders of the hub's cache, each named after the commit; each has its own record.

    Raises:
        ArenaError: a folder cannot be written to.
    """
    for folder, names in _by_folder(files).items():
        digests = read_recorded(folder) | {name: digest_known(files[name]) for name in names}
        write_whole(folder / RECORD_FILE, "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())))


def _by_folder(files: Mapping[str, Path]) -> dict[Path, list[str]]:
    """Names of files by the folder that they are relative to."""
    folders: dict[Path, list[str]] = {}
    for name, path in files.items():
        folders.setdefault(folder_of({name: path}), []).append(name)
    return folders


def _refuse_others(card: ModelCard, files: Mapping[str, Path]) -> None:
    """Refuse files that are not the card's, or not what was pulled."""
    recorded = {
        name: digest
        for folder, names in _by_folder(files).items()
        for name, digest in read_recorded(folder).items()
        if name in names
    }
    pulled = ("when it was pulled it was", recorded, "delete the file and pull it again")
    of_card = (f"the card of {card.name} says", card.sha256, "mend its revision or its sha256, or pull the file again")
    for source, digests, fix in (pulled, of_card):
        for name in sorted(digests.keys() & files.keys()):
            seen, expected = digest_known(files[name]), digests[name]
            if seen != expected:
                raise WeightsError(f"{files[name]}: SHA-256 is {seen[:12]}..., {source} {expected[:12]}...; {fix}")


def _pull(card: ModelCard, progress: Progress) -> dict[str, Path]:
    in_folder = {file: card.folder / file for file in card.files if (card.folder / file).exists()}
    lacks_data = explain_missing(in_folder)
    if card.hub is None:
        missing = ", ".join(file for file in card.files if file not in in_folder)
        raise WeightsError(
            f"model {card.name}: no {missing} in {card.folder}; put the files there" if missing else lacks_data
        )
    here = _found(card)
    rest = tuple(file for file in card.files if file not in here)
    try:
        return _in_order(card, here | _pull_with_data(replace(card, files=rest), progress))
    except WeightsError as error:
        raise WeightsError(f"{error}. {lacks_data}" if lacks_data else str(error)) from None


def _pull_with_data(card: ModelCard, progress: Progress) -> dict[str, Path]:
    """Files of a card from the hub, and then what their graphs name, of the same commit."""
    from arena.taggers.files.hub import pull_files

    pulled = pull_files(card, progress)
    paths = {name: file.path for name, file in pulled.items()}
    for name in pulled:
        source = card.source(name)
        assert source is not None
        beside = tuple(file for file in with_graph_data({name: paths[name]}) if file not in paths)
        part = replace(card, hub=source.hub, revision=pulled[name].commit, elsewhere={}, files=beside)
        paths |= {file: one.path for file, one in pull_files(part, progress).items()}
    return paths


CONTAINERS = ("model", "state_dict", "model_state_dict", "module")
"""Keys under which training code saves a state dict beside its optimiser and counters; the first that is there is read."""

WRAPPER_PREFIXES = ("module.", "_orig_mod.", "model.")
"""What DataParallel, torch.compile and wrapping classes put before every key of a state dict."""


def read_state(path: Path) -> "dict[str, Tensor]":
    """Tensors by name of a safetensors file, or of a pickle, read with weights only.

    A pickle holds the state dict itself, or a state dict under one of `CONTAINERS`. What else it holds, such as an
    optimiser's numbers, is mapped and never read. A prefix of `WRAPPER_PREFIXES` that all names share is taken off.

    Raises:
        WeightsError: the file is truncated, of another format, or holds no state dict.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return _unwrapped(load_file(path))
        return _unwrapped(_state_of(_read_pickle(path), path))
    except WeightsError:
        raise
    except (SafetensorError, OSError, RuntimeError, ValueError, EOFError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(f"{path}: no readable weights ({reason}); truncated? Fetch the file again") from None
    except Exception as error:  # torch.load raises UnpicklingError for what weights_only refuses
        raise WeightsError(f"{path}: refused ({type(error).__name__}); it must hold tensors only") from None


def _read_pickle(path: Path) -> object:
    """The content of a file that torch saved; one in the format before torch 1.6 is no zip archive and cannot be mapped."""
    import torch

    return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))


def _state_of(content: object, path: Path) -> "dict[str, Tensor]":
    """The state dict that a checkpoint is or holds."""
    if isinstance(content, Mapping):
        for state in (content, *(content[key] for key in CONTAINERS if key in content)):
            if _is_state(state):
                return dict(state)
    seen = f"a table of {', '.join(map(repr, content))}" if isinstance(content, Mapping) else type(content).__name__
    raise WeightsError(
        f"{path}: holds no state dict, but {seen[:200]}; save the state dict itself, or one under {CONTAINERS[0]!r}"
    )


def _is_state(content: object) -> bool:
    from torch import Tensor

    return (
        isinstance(content, Mapping)
        and len(content) > 0
        and all(isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items())
    )


def _unwrapped(state: "dict[str, Tensor]") -> "dict[str, Tensor]":
    """The state without the prefixes that all of its names share, outermost first."""
    while state and (
        prefix := next((one for one in WRAPPER_PREFIXES if all(key.startswith(one) for key in state)), "")
    ):
        state = {key.removeprefix(prefix): value for key, value in state.items()}
    return state


def load_state(network: object, state: "dict[str, Tensor]", path: Path, *, fits: str = "its config.json") -> None:
    """Put tensors into a torch network, every name and shape being right.

    A network on the meta device takes copies of the tensors, in their own dtype. The tensors of a file are mapped: without a
    copy, a file that is overwritten during a run would change the scores.

    Args:
        fits: what they are to fit, as an error tells it.

    Raises:
        WeightsError: a tensor is missing, too many, or of another shape.
    """
    from torch import nn

    assert isinstance(network, nn.Module)
    try:
        if next(network.parameters()).is_meta:
            network.load_state_dict({name: tensor.clone() for name, tensor in state.items()}, assign=True)
        else:
            network.load_state_dict(state)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:]] or [str(error)]
        raise WeightsError(f"{path}: does not fit {fits}: {_first_of(lines[0])}") from None


def _first_of(reason: str) -> str:
    """A reason that lists a thousand tensors, cut after the first.

    >>> _first_of('Missing key(s) in state_dict: "a.bias", "b.bias", "c.bias".')
    'Missing key(s) in state_dict: "a.bias", ...'
    """
    first, comma, _ = reason.partition('", ')
    return f'{first}", ...' if comma else reason
